"""A prediction request: one row of input, read and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perovshell.data.formula import FormulaReader
from perovshell.data.tables import plain_number
from perovshell.data.vocabulary import TREATMENTS
from perovshell.errors import InputError
from perovshell.features.combinations import WORDS, Combination

INPUT_WORDS: dict[str, tuple[str, ...]] = dict(WORDS)
INPUT_NUMBERS: dict[str, tuple[float, float]] = {
    "core_size_nm": (0.3, 10_000.0),
    "shell_thickness_nm": (0.1, 100_000.0),
    "bare_pl_peak_nm": (200.0, 2000.0),
    "bare_plqy_percent": (0.0, 100.0),
    "temperature_c": (-273.15, 2000.0),
}
"""Optional numbers of a request with their allowed ranges."""
INPUT_COLUMNS = ("core", "shell", *INPUT_WORDS, *TREATMENTS, *INPUT_NUMBERS)
"""A treatment column names what was used; empty is none."""
_HUGE = 10**300
"""A whole number beyond it may be none that a float holds."""


@dataclass(frozen=True)
class Request:
    """A combination and what the user knows of it; unknown numbers are NaN.

    Attributes:
        item: The combination.
        shell_thickness_nm: Accepted, and said to be ignored: too few training rows have it.
        bare_pl_peak_nm: Measured PL peak of the bare core in nm.
        bare_plqy_percent: Measured PLQY of the bare core in percent.
        temperature_c: Temperature of the stability tests in deg C.
    """

    item: Combination
    shell_thickness_nm: float
    bare_pl_peak_nm: float
    bare_plqy_percent: float
    temperature_c: float

    @classmethod
    def read(cls, row: Mapping[str, Any], reader: FormulaReader) -> Request:
        """Read one row; empty cells and None are unknown.

        Raises:
            InputError: A cell is not as it must be; the message names it.
        """
        sample = reader.read_sample(cell_text(row.get("core")), cell_text(row.get("shell")))
        numbers = {name: _number(row, name) for name in INPUT_NUMBERS}
        is_bare = not sample.layers
        structure = _word(row, "structure", "bare" if is_bare else "core/shell")
        if (structure == "bare") != is_bare:
            msg = f"structure {structure!r} with shell {sample.shell!r}: bare if, and only if, none"
            raise InputError(msg)
        item = Combination(
            core=sample.core,
            layers=sample.layers,
            structure=structure,
            encapsulation=_word(row, "encapsulation", "none" if is_bare else "unknown"),
            medium=_word(row, "medium", "unknown"),
            core_size_nm=numbers.pop("core_size_nm"),
            morphology=_word(row, "morphology", "nanocrystal"),
            treatments=tuple(kind for kind in TREATMENTS if cell_text(row.get(kind))),
        )
        return cls(item, **numbers)


def cell_text(cell: Any) -> str:
    """Return the text of a cell without outer blanks; empty where it is unknown.

    Unknown is None and what is not equal to itself: NaN, and the NaT and NA of pandas.
    """
    if type(cell) is str:
        return cell.strip()
    if cell is None:
        return ""
    try:
        is_unknown = bool(cell != cell)  # noqa: PLR0124
    except TypeError:
        is_unknown = True  # NA, of which nobody can say whether it is equal to itself.
    except ValueError:
        is_unknown = False  # An array: no text that can be read, as its message will say.
    return "" if is_unknown else str(cell).strip()


def cell_number(cell: Any) -> float:
    """Return the number of a cell: NaN where it is unknown, infinity where it is no number."""
    if type(cell) is float:
        return cell
    if type(cell) is int:
        return float(cell) if abs(cell) < _HUGE else math.inf
    text = cell_text(cell)
    value = plain_number(text) if text else math.nan
    return math.inf if text and math.isnan(value) else value


def _word(row: Mapping[str, Any], column: str, default: str) -> str:
    text = cell_text(row.get(column)) or default
    if text not in INPUT_WORDS[column]:
        msg = f"{column} {text!r}: allowed: {', '.join(INPUT_WORDS[column])}"
        raise InputError(msg)
    return text


def _number(row: Mapping[str, Any], column: str) -> float:
    value = cell_number(row.get(column))
    low, high = INPUT_NUMBERS[column]
    if value < low or value > high:
        text = cell_text(row[column])
        msg = f"{column} {text!r}: a number from {low:g} to {high:g}, or empty"
        raise InputError(msg)
    return value
