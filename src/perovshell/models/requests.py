"""Many requests in columns, read and checked together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.data.composition import Composition, CompositionBatch
from perovshell.data.formula import FormulaReader
from perovshell.data.vocabulary import TREATMENTS
from perovshell.errors import FormulaError, InputError, PerovshellError
from perovshell.features.combinations import Combinations, Contexts, Layers, Places
from perovshell.models.request import (
    INPUT_NUMBERS,
    INPUT_WORDS,
    Request,
    cell_number,
    cell_text,
)

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Row = Mapping[str, Any]

_KNOWN: Final = tuple(name for name in INPUT_NUMBERS if name != "core_size_nm")
_BARE: Final = INPUT_WORDS["structure"].index("bare")
_ROUNDING: Final = 1e-9
_FAULTY: Final = -1
_EMPTY: Final = -2
"""Instead of a place: the word is none of its vocabulary, or there is none."""
_DEFAULTS: Final = {
    kind: [INPUT_WORDS[kind].index(word) for word in given]
    for kind, given in {
        "structure": ("core/shell", "bare"),
        "encapsulation": ("unknown", "none"),
        "medium": ("unknown", "unknown"),
        "morphology": ("nanocrystal", "nanocrystal"),
    }.items()
}
"""Words where none is given, with a shell and without."""


@dataclass(frozen=True)
class Requests:
    """n requests in columns; unknown numbers are NaN.

    Attributes:
        items: The combinations.
        formulas: Formula of each distinct core, as it was given; empty where it is unknown.
        numbers: What the user knows of them, by the names of `Request`, each of shape (n,).
        reader: What the formulas are read by.
    """

    items: Combinations
    formulas: Sequence[str]
    numbers: Mapping[str, Floats]
    reader: FormulaReader

    @classmethod
    def of(cls, requests: Sequence[Request], reader: FormulaReader) -> Requests:
        """Lay out requests."""
        items = Combinations.of([request.item for request in requests], reader)
        formulas = [""] * len(items.cores.species)
        for place, request in zip(items.core.tolist(), requests, strict=True):
            if not formulas[place] and request.item.core is not None:
                formulas[place] = request.item.core.formula
        numbers = {
            name: np.array([getattr(request, name) for request in requests], dtype=float)
            for name in _KNOWN
        }
        return cls(items, formulas, numbers, reader)

    @classmethod
    def read(cls, rows: Sequence[Row], reader: FormulaReader) -> tuple[Requests, dict[int, str]]:
        """Read rows; those that cannot be read are left out.

        Returns:
            The requests, and what `Request.read` says of each row that is left out.
        """
        cores, shells = _samples(rows, reader)
        place_of = {text: place for place, text in enumerate(dict.fromkeys(cores))}
        core = [place_of[text] for text in cores]
        batch = reader.read_many(list(place_of))
        layers, shell = _shells(shells, reader)
        is_bare = [not layers[place] for place in shell]
        words = [_words(rows, kind, is_bare) for kind in INPUT_WORDS]
        numbers = [_numbers(rows, name) for name in INPUT_NUMBERS]
        treated = [_places([row.get(kind) for row in rows], _is_given) for kind in TREATMENTS]
        faulty = _rows_with(_FAULTY, [shell, *words]) | _rows_with(math.inf, numbers)
        faulty |= {row for row, place in enumerate(core) if place in batch.errors}
        pairs = zip(words[0], is_bare, strict=True)
        faulty |= {row for row, (word, bare) in enumerate(pairs) if (word == _BARE) != bare}
        places = np.array([core, shell, *words], dtype=np.intp)
        known = dict(zip(INPUT_NUMBERS, np.array(numbers), strict=True))
        sizes = known.pop("core_size_nm")
        contexts = Contexts(places[2:], sizes, np.array(treated, dtype=bool).T)
        items = Combinations(batch, places[0], layers, places[1], contexts)
        requests = cls(items, list(place_of), known, reader)
        if not faulty:
            return requests, {}
        good = [row for row in range(len(rows)) if row not in faulty]
        errors = {row: _error(rows[row], reader) for row in sorted(faulty)}
        return requests._at(np.array(good, dtype=np.intp)), errors

    def _at(self, rows: Places) -> Requests:
        """Return those of some rows."""
        numbers = {name: column[rows] for name, column in self.numbers.items()}
        return replace(self, items=self.items.at(rows), numbers=numbers)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.items)

    def core(self, place: int) -> Composition | None:
        """Return a distinct core by its place, None where it is unknown."""
        if place not in self._cores:
            text = self.formulas[place]
            self._cores[place] = self.reader.read_core(text) if text else None
        return self._cores[place]

    @cached_property
    def _cores(self) -> dict[int, Composition | None]:
        return {}

    def with_core(self, one: CompositionBatch) -> list[int]:
        """Return the places of the distinct cores with the ions and amounts of a single one."""
        (wanted,), (amounts,) = one.species.tolist(), one.amounts
        count, found = len(wanted), []
        for place, species in enumerate(self.items.cores.species.tolist()):
            if species[:count] == wanted:
                own = self.items.cores.amounts[place]
                share = own[:count] / own.sum()
                if np.abs(share - amounts / amounts.sum()).max() < _ROUNDING:
                    found.append(place)
        return found


def _samples(rows: Sequence[Row], reader: FormulaReader) -> tuple[list[str], list[str]]:
    """Return the texts of cores and shells, whole samples taken apart."""
    cores = [cell_text(row.get("core")) for row in rows]
    shells = [cell_text(row.get("shell")) for row in rows]
    for place in [place for place, shell in enumerate(shells) if not shell]:
        try:
            core, shells[place] = reader.split_whole(cores[place])
            cores[place] = core.strip()
        except FormulaError:
            continue  # An empty shell is refused.
    return cores, shells


def _shells(texts: Sequence[str], reader: FormulaReader) -> tuple[list[Layers], list[int]]:
    """Return the distinct shells, and the place of each text's shell."""
    found: dict[Layers, int] = {}

    def read(text: str) -> int:
        try:
            return found.setdefault(reader.read_shell(text), len(found))
        except FormulaError:
            return _FAULTY

    place = _places(texts, read)
    return list(found) or [()], place


def _words(rows: Sequence[Row], kind: str, is_bare: Sequence[bool]) -> list[int]:
    """Return the places of words in their vocabulary."""
    words, defaults = INPUT_WORDS[kind], _DEFAULTS[kind]

    def read(cell: Any) -> int:
        text = cell_text(cell)
        return _EMPTY if not text else words.index(text) if text in words else _FAULTY

    places = _places([row.get(kind) for row in rows], read)
    if _EMPTY not in places:
        return places
    pairs = zip(places, is_bare, strict=True)
    return [defaults[bare] if place == _EMPTY else place for place, bare in pairs]


def _is_given(cell: Any) -> int:
    return int(bool(cell_text(cell)))


def _places(cells: Sequence[Any], read: Callable[[Any], int]) -> list[int]:
    """Read cells, each distinct one once."""
    try:
        distinct = set(cells)
    except TypeError:
        cells = list(map(cell_text, cells))
        distinct = set(cells)
    if len(distinct) == 1:
        return [read(cells[0])] * len(cells)
    place_of = {cell: read(cell) for cell in distinct}
    return [place_of[cell] for cell in cells]


def _numbers(rows: Sequence[Row], name: str) -> list[float]:
    """Return numbers, NaN where there is none, infinity where a cell is faulty."""
    low, high = INPUT_NUMBERS[name]
    cells = [row.get(name) for row in rows]
    numbers = [math.nan if cell is None else cell_number(cell) for cell in cells]
    return [math.inf if number < low or number > high else number for number in numbers]


def _rows_with(fault: float, columns: Sequence[Sequence[float]]) -> set[int]:
    """Return the rows in which a column has a fault."""
    found = [column for column in columns if fault in column]
    return {row for column in found for row, cell in enumerate(column) if cell == fault}


def _error(row: Row, reader: FormulaReader) -> str:
    """Return why a row cannot be read."""
    try:
        Request.read(row, reader)
    except InputError as error:
        return str(error)
    msg = f"row {row}: refused among others, read alone"
    raise PerovshellError(msg)
