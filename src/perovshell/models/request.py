"""A prediction request: one row of input, read and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from perovshell.data.formula import FormulaReader
from perovshell.data.vocabulary import TREATMENTS
from perovshell.errors import InputError
from perovshell.features.combinations import WORDS
from perovshell.features.featurizer import Combination

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
        sample = reader.read_sample(_text(row, "core"), _text(row, "shell"))
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
            treatments=tuple(kind for kind in TREATMENTS if _text(row, kind)),
        )
        return cls(item, **numbers)


def _text(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    if value is None or value != value:  # noqa: PLR0124
        return ""
    return str(value).strip()


def _word(row: Mapping[str, Any], column: str, default: str) -> str:
    text = _text(row, column) or default
    if text not in INPUT_WORDS[column]:
        msg = f"{column} {text!r}: allowed: {', '.join(INPUT_WORDS[column])}"
        raise InputError(msg)
    return text


def _number(row: Mapping[str, Any], column: str) -> float:
    text = _text(row, column)
    if not text:
        return math.nan
    low, high = INPUT_NUMBERS[column]
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        msg = f"{column} {text!r}: a number from {low:g} to {high:g}, or empty"
        raise InputError(msg)
    return value
