"""Many requests in columns, read and checked together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.data.formula import Composition, CompositionBatch, FormulaReader
from perovshell.data.vocabulary import TREATMENTS
from perovshell.errors import FormulaError, InputError
from perovshell.features.combinations import Combinations, Contexts, Layers, Places
from perovshell.models.request import INPUT_NUMBERS, INPUT_WORDS, Request

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
    "structure": ("core/shell", "bare"),
    "encapsulation": ("unknown", "none"),
    "medium": ("unknown", "unknown"),
    "morphology": ("nanocrystal", "nanocrystal"),
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
        core = np.array([place_of[text] for text in cores], dtype=np.intp)
        batch = reader.read_many(list(place_of))
        layers, shell = _shells(shells, reader)
        is_bare = np.array([not own for own in layers], dtype=bool)[shell]
        words = np.array(
            [_words([row.get(kind) for row in rows], kind, is_bare) for kind in INPUT_WORDS]
        )
        numbers = {
            name: np.array([_number(row.get(name)) for row in rows], dtype=float)
            for name in INPUT_NUMBERS
        }
        faulty = (shell == _FAULTY) | (words == _FAULTY).any(axis=0)
        faulty |= (words[0] == _BARE) != is_bare
        faulty |= np.isin(core, list(batch.errors))
        for name, (low, high) in INPUT_NUMBERS.items():
            faulty |= (numbers[name] < low) | (numbers[name] > high)
        treated = [_places([row.get(kind) for row in rows], _is_given) for kind in TREATMENTS]
        good = np.flatnonzero(~faulty)
        contexts = Contexts(
            words[:, good], numbers["core_size_nm"][good], np.array(treated, dtype=bool).T[good]
        )
        requests = cls(
            Combinations(batch, core[good], layers, shell[good], contexts),
            list(place_of),
            {name: numbers[name][good] for name in _KNOWN},
            reader,
        )
        errors = {row: _error(rows[row], reader) for row in np.flatnonzero(faulty).tolist()}
        return requests, errors

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

    def of_core(self, one: CompositionBatch) -> Mask:
        """Return which distinct cores have the ions and amounts of a single core."""
        species, amounts = self.items.cores.species, self.items.cores.amounts
        count = one.species.shape[1]
        alike = (species[:, :count] == one.species).all(axis=1) if species.shape[1] >= count else ()
        found = np.zeros(len(species), dtype=bool)
        for place in np.flatnonzero(alike):
            share = amounts[place] / amounts[place].sum()
            own = one.amounts[0] / one.amounts[0].sum()
            found[place] = not share[count:].any() and np.abs(share[:count] - own).max() < _ROUNDING
        return found


def _samples(rows: Sequence[Row], reader: FormulaReader) -> tuple[list[str], list[str]]:
    """Return the texts of cores and shells, whole samples taken apart."""
    cores = [_text(row.get("core")) for row in rows]
    shells = [_text(row.get("shell")) for row in rows]
    for place in [place for place, shell in enumerate(shells) if not shell]:
        try:
            core, shells[place] = reader.split_whole(cores[place])
            cores[place] = core.strip()
        except FormulaError:
            continue  # An empty shell is refused.
    return cores, shells


def _shells(texts: Sequence[str], reader: FormulaReader) -> tuple[list[Layers], Places]:
    """Return the distinct shells, and the place of each text's shell."""
    found: dict[Layers, int] = {}

    def read(text: str) -> int:
        try:
            return found.setdefault(reader.read_shell(text), len(found))
        except FormulaError:
            return _FAULTY

    place = _places(texts, read)
    return list(found) or [()], place


def _words(cells: Sequence[Any], kind: str, is_bare: Mask) -> Places:
    """Return the places of words in their vocabulary."""
    words = INPUT_WORDS[kind]

    def read(cell: Any) -> int:
        text = _text(cell)
        return _EMPTY if not text else words.index(text) if text in words else _FAULTY

    place = _places(cells, read)
    coated, bare = (words.index(word) for word in _DEFAULTS[kind])
    return np.where(place == _EMPTY, np.where(is_bare, bare, coated), place)


def _is_given(cell: Any) -> int:
    return int(bool(_text(cell)))


def _places(cells: Sequence[Any], read: Callable[[Any], int]) -> Places:
    """Read cells, each distinct one once."""
    try:
        distinct = set(cells)
    except TypeError:
        cells = list(map(_text, cells))
        distinct = set(cells)
    if len(distinct) == 1:
        return np.full(len(cells), read(cells[0]), dtype=np.intp)
    place_of = {cell: read(cell) for cell in distinct}
    return np.array([place_of[cell] for cell in cells], dtype=np.intp)


def _text(cell: Any) -> str:
    if type(cell) is str:
        return cell.strip()
    return "" if cell is None or cell != cell else str(cell).strip()  # noqa: PLR0124


def _number(cell: Any) -> float:
    """Return a number, NaN where there is none, infinity where it is faulty."""
    if cell is None:
        return math.nan
    if type(cell) is float:
        return cell
    text = _text(cell)
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return math.inf
    return math.inf if math.isnan(value) else value


def _error(row: Row, reader: FormulaReader) -> str:
    """Return why a row cannot be read."""
    try:
        Request.read(row, reader)
    except InputError as error:
        return str(error)
    msg = f"row {row}: refused among others, read alone"
    raise AssertionError(msg)
