"""Requests in columns: many rows, or one, are read and checked together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.data.composition import Composition
from perovshell.data.formula import FormulaReader
from perovshell.data.grammar import split_outside_brackets
from perovshell.data.shells import shell_text
from perovshell.data.vocabulary import (
    TREATMENTS,
    WORDS,
    read_word,
    treatment,
    treatment_fault,
)
from perovshell.errors import FormulaError, InputError
from perovshell.features.combinations import Combination, Combinations, Contexts, Layers
from perovshell.models.inputs import INPUT_NUMBERS, INPUTS, cell_number, cell_text
from perovshell.texts import excerpt

Row = Mapping[str, Any]
Faults = dict[int, str]
"""Why a cell of a column cannot be read, by its row."""
Notes = dict[int, list[str]]
"""What an answer says about its input, by row."""

_KNOWN: Final = tuple(name for name in INPUT_NUMBERS if name != "core_size_nm")
_BARE: Final = WORDS["structure"].index("bare")
_NO_PARTICLE: Final = WORDS["encapsulation"].index("none")
_PARTICLES: Final = {
    WORDS["encapsulation"].index(word) for word in ("single-particle", "multi-particle")
}
_FAULTY: Final = -1
_EMPTY: Final = -2
"""Instead of an index: the text is not in its vocabulary, or empty."""
_DEFAULTS: Final = {
    kind: [words.index(INPUTS[kind].default_coated), words.index(INPUTS[kind].default_bare)]
    for kind, words in WORDS.items()
}
"""Indices of the words of empty cells, with a shell and without."""


@dataclass(frozen=True)
class Requests:
    """n requests in columns; unknown numbers are NaN.

    Attributes:
        items: The combinations.
        formulas: Formula of each distinct core, as given; empty if it is unknown.
        numbers: The numeric inputs except the core size, by their names, each of shape (n,).
        reader: The reader of the formulas.
        notes: How a row was read where that is not obvious, and what is doubtful about it.
    """

    items: Combinations
    formulas: Sequence[str]
    numbers: Mapping[str, Floats]
    reader: FormulaReader
    notes: Mapping[int, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of_items(cls, items: Sequence[Combination], reader: FormulaReader) -> Requests:
        """Return requests for combinations without other inputs."""
        columns = Combinations.of(items, reader)
        formulas = [""] * len(columns.cores.species)
        for core, item in zip(columns.core.tolist(), items, strict=True):
            if item.core is not None:
                formulas[core] = item.core.formula
        numbers = {name: np.full(len(items), math.nan) for name in _KNOWN}
        return cls(columns, formulas, numbers, reader)

    @classmethod
    def read_one(cls, row: Row, reader: FormulaReader) -> Requests:
        """Read one row.

        Raises:
            InputError: A cell cannot be read; the message names it and what is allowed.
        """
        requests, errors = cls.read([row], reader)
        if errors:
            raise InputError(errors[0])
        return requests

    @classmethod
    def read(cls, rows: Sequence[Row], reader: FormulaReader) -> tuple[Requests, dict[int, str]]:
        """Read rows by the columns of `inputs.INPUTS`; empty cells and None are unknown.

        Returns:
            The requests that can be read, in the order of their rows, and the first fault of each
            other row, by its index: in core, shell, numbers and words, in this order.
        """
        cores, shells, unsplit, notes = _samples(rows, reader)
        index_of = {text: index for index, text in enumerate(dict.fromkeys(cores))}
        core = [index_of[text] for text in cores]
        batch = reader.read_many(list(index_of))
        layers, shell, unread = _shells(shells, reader)
        coats = [layers[index] for index in shell]
        # Most columns are in no row.
        given = set().union(*rows)
        words = {
            kind: _words(rows, kind, coats) if kind in given else _usual(kind, coats)
            for kind in WORDS
        }
        numbers = {
            name: _numbers(rows, name) if name in given else [math.nan] * len(rows)
            for name in INPUT_NUMBERS
        }
        treated = {
            kind: _treated(rows, kind) if kind in given else [0] * len(rows) for kind in TREATMENTS
        }
        faults = {
            "core": {**_by_row(batch.errors, core), **unsplit},
            "shell": _by_row(unread, shells),
            **_cell_faults(rows, numbers, words, treated),
        }
        faults["structure"] = _contradictions(words["structure"], coats) | faults["structure"]
        faults["encapsulation"] |= _needless(words["encapsulation"], coats)
        errors = _first_of_each_row(faults)
        indices = np.array([core, shell, *words.values()], dtype=np.intp)
        known = dict(zip(numbers, np.array(list(numbers.values())), strict=True))
        _add_doubts(notes, known)
        sizes = known.pop("core_size_nm")
        is_treated = np.array([*treated.values()]) > 0
        contexts = Contexts(indices[2:], sizes, is_treated.T)
        items = Combinations(batch, indices[0], layers, indices[1], contexts)
        requests = cls(items, list(index_of), known, reader, notes)
        if not errors:
            return requests, errors
        good = [row for row in range(len(rows)) if row not in errors]
        return requests._at(np.array(good, dtype=np.intp)), errors

    def _at(self, rows: Indices) -> Requests:
        """Return the requests of some rows."""
        numbers = {name: column[rows] for name, column in self.numbers.items()}
        notes = {new: self.notes[row] for new, row in enumerate(rows.tolist()) if row in self.notes}
        return replace(self, items=self.items.at(rows), numbers=numbers, notes=notes)

    def with_notes(self, notes: Mapping[int, Sequence[str]]) -> Requests:
        """Return the same requests with further notes, by row."""
        if not notes:
            return self
        rows = self.notes.keys() | notes.keys()
        joined = {row: [*self.notes.get(row, ()), *notes.get(row, ())] for row in sorted(rows)}
        return replace(self, notes=joined)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.items)

    def item(self, row: int) -> Combination:
        """Return the combination of a row."""
        items, contexts = self.items, self.items.contexts
        indices = zip(WORDS.items(), contexts.words[:, row].tolist(), strict=True)
        used = zip(TREATMENTS, contexts.treatments[row].tolist(), strict=True)
        return Combination(
            core=self.core(int(items.core[row])),
            layers=items.shells[items.shell[row]],
            core_size_nm=float(contexts.sizes[row]),
            treatments=tuple(kind for kind, is_used in used if is_used),
            **{kind: words[index] for (kind, words), index in indices},
        )

    def core(self, index: int) -> Composition | None:
        """Return a distinct core by its index, None if it is unknown."""
        if index not in self._cores:
            text = self.formulas[index]
            self._cores[index] = self.reader.read_core(text) if text else None
        return self._cores[index]

    @cached_property
    def _cores(self) -> dict[int, Composition | None]:
        return {}


# Columns ---------------------------------------------------------------------------------------


def _samples(
    rows: Sequence[Row], reader: FormulaReader
) -> tuple[list[str], list[str], Faults, Notes]:
    """Return the texts of cores and shells, with whole samples split, and the faults in that.

    A sample with `/` names no order of its materials, so a note says how it was read.
    """
    cores = [cell_text(row.get("core")) for row in rows]
    shells = [cell_text(row.get("shell")) for row in rows]
    faults: Faults = {}
    notes: Notes = {}
    for row in [row for row, shell in enumerate(shells) if cores[row] and not shell]:
        whole = cores[row]
        try:
            cores[row], shells[row] = reader.split_whole(whole)
        except FormulaError as error:
            faults[row] = str(error)
            continue
        if len(split_outside_brackets(whole, "/")) > 1:
            notes[row] = [f"{whole} is read as core {cores[row]} under shell {shells[row]}"]
    return cores, shells, faults, notes


def _shells(
    texts: Sequence[str], reader: FormulaReader
) -> tuple[list[Layers], list[int], dict[str, str]]:
    """Return the distinct shells, the index of the shell of each text, and the refusals."""
    distinct: dict[Layers, int] = {}
    refused: dict[str, str] = {}

    def read(text: str) -> int:
        try:
            return distinct.setdefault(reader.read_shell(text), len(distinct))
        except FormulaError as error:
            refused[text] = str(error)
            return _FAULTY

    shell = _indices(texts, read)
    return list(distinct) or [()], shell, refused


def _usual(kind: str, coats: Sequence[Layers]) -> list[int]:
    """Return the indices of the words that are used where none is given."""
    coated, bare = _DEFAULTS[kind]
    return [coated if coat else bare for coat in coats]


def _words(rows: Sequence[Row], kind: str, coats: Sequence[Layers]) -> list[int]:
    """Return the indices of words in their vocabulary."""
    words = WORDS[kind]

    def read(cell: Any) -> int:
        word = read_word(cell_text(cell), words, "")
        return _FAULTY if word is None else words.index(word) if word else _EMPTY

    indices = _indices([row.get(kind) for row in rows], read)
    if kind == "encapsulation":
        # Beside a shell, none is one of the words for what is not known.
        pairs = zip(indices, coats, strict=True)
        indices = [_EMPTY if coat and word == _NO_PARTICLE else word for word, coat in pairs]
    if _EMPTY not in indices:
        return indices
    filled = zip(indices, _usual(kind, coats), strict=True)
    return [usual if word == _EMPTY else word for word, usual in filled]


def _treated(rows: Sequence[Row], kind: str) -> list[int]:
    """Return whether rows name a treatment, `_FAULTY` where that can be no name."""
    return _indices([row.get(kind) for row in rows], partial(_is_used, kind))


def _is_used(kind: str, cell: Any) -> int:
    """Return whether a cell names a treatment, `_FAULTY` where it can be no name."""
    text = cell_text(cell)
    name = treatment(kind, text) if text else ""
    return _FAULTY if name and treatment_fault(name) else int(name != "")


def _indices(cells: Sequence[Any], read: Callable[[Any], int]) -> list[int]:
    """Read cells, each distinct one once."""
    try:
        distinct = set(cells)
    except TypeError:
        cells = list(map(cell_text, cells))
        distinct = set(cells)
    if len(distinct) == 1:
        return [read(cells[0])] * len(cells)
    index_of = {cell: read(cell) for cell in distinct}
    return [index_of[cell] for cell in cells]


def _numbers(rows: Sequence[Row], name: str) -> list[float]:
    """Return numbers, NaN where there is none, infinity where a cell is faulty."""
    low, high = INPUT_NUMBERS[name]
    cells = [row.get(name) for row in rows]
    numbers = [math.nan if cell is None else cell_number(cell) for cell in cells]
    return [math.inf if number < low or number > high else number for number in numbers]


def _add_doubts(notes: Notes, numbers: Mapping[str, Floats]) -> None:
    """Note the numbers that are possible, but hardly in the unit of their column."""
    for name, column in numbers.items():
        usual = INPUTS[name].usual
        if usual is None or np.isnan(column).all():
            continue
        beyond = np.isfinite(column) & ((column < usual.low) | (column > usual.high))
        for row in beyond.nonzero()[0].tolist():
            doubt = usual.doubt(name, float(column[row]))
            if doubt:
                notes.setdefault(row, []).append(doubt)


# Faults ----------------------------------------------------------------------------------------


def _by_row(errors: Mapping[Any, object], cells: Sequence[Any]) -> Faults:
    """Return the errors of distinct cells by the rows that have them."""
    if not errors:
        return {}
    return {row: str(errors[cell]) for row, cell in enumerate(cells) if cell in errors}


def _cell_faults(
    rows: Sequence[Row],
    numbers: Mapping[str, Sequence[float]],
    words: Mapping[str, Sequence[int]],
    treated: Mapping[str, Sequence[int]],
) -> dict[str, Faults]:
    """Return why cells of numbers, words and treatments are refused, by column."""
    return {
        **{name: _refusals(rows, name, column) for name, column in numbers.items()},
        **{name: _refusals(rows, name, column) for name, column in words.items()},
        **{kind: _treatment_faults(rows, kind, column) for kind, column in treated.items()},
    }


def _refusals(rows: Sequence[Row], name: str, column: Sequence[float]) -> Faults:
    """Return why words or numbers of a column are refused."""
    fault = math.inf if name in INPUT_NUMBERS else _FAULTY
    if fault not in column:
        return {}
    refusal = INPUTS[name].refusal
    faulty = [row for row, value in enumerate(column) if value == fault]
    return {row: refusal(cell_text(rows[row][name])) for row in faulty}


def _treatment_faults(rows: Sequence[Row], kind: str, column: Sequence[int]) -> Faults:
    """Return why texts of a column are no names of treatments."""
    if _FAULTY not in column:
        return {}
    faulty = [row for row, value in enumerate(column) if value == _FAULTY]
    texts = {row: excerpt(cell_text(rows[row][kind])) for row in faulty}
    return {row: f"{kind} {text!r}: {treatment_fault(text)}" for row, text in texts.items()}


def _contradictions(structures: Sequence[int], coats: Sequence[Layers]) -> Faults:
    """Return where the structure is bare with a shell, or another one without."""
    return {
        row: f"structure {WORDS['structure'][structure]!r} with shell {shell_text(coat)!r}: "
        "bare if, and only if, none"
        for row, (structure, coat) in enumerate(zip(structures, coats, strict=True))
        if (structure == _BARE) == bool(coat)
    }


def _needless(encapsulations: Sequence[int], coats: Sequence[Layers]) -> Faults:
    """Return where a core without a shell is in particles of shell material."""
    return {
        row: f"encapsulation {WORDS['encapsulation'][word]!r} with shell 'none': a bare core is in "
        "no particle of shell material"
        for row, (word, coat) in enumerate(zip(encapsulations, coats, strict=True))
        if word in _PARTICLES and not coat
    }


def _first_of_each_row(faults: Mapping[str, Faults]) -> dict[int, str]:
    """Return the first fault of each row that has one, in the order of the columns."""
    first: dict[int, str] = {}
    for column in faults.values():
        for row in column:
            first.setdefault(row, column[row])
    return dict(sorted(first.items()))
