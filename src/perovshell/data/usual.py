"""Usual ranges of numbers: a value beyond is possible, but may be in another unit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class UsualRange:
    """Values that a number usually has; zero is never doubtful.

    Attributes:
        unit: Its unit.
        instead: What a value beyond the range may be.
        low: Least usual value.
        high: Largest usual value.
    """

    unit: str
    instead: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def text(self) -> str:
        """The range in words."""
        ends = {"more": self.low, "less": self.high}
        finite = {way: end for way, end in ends.items() if math.isfinite(end)}
        return ", ".join(f"{end:g} {self.unit} or {way}" for way, end in finite.items())

    def doubt(self, name: str, value: float) -> str:
        """Return what is doubtful about a value; empty where it is usual, zero or NaN.

        Examples:
            >>> PERCENT_RANGE.doubt("plqy_above", 0.8)
            'plqy_above 0.8 is below 1 %: a fraction?'
            >>> PERCENT_RANGE.doubt("plqy_above", 80)
            ''
        """
        if value == 0.0 or not (value < self.low or value > self.high):
            return ""
        side, end = ("below", self.low) if value < self.low else ("above", self.high)
        return f"{name} {value:g} is {side} {end:g} {self.unit}: {self.instead}?"


PERCENT_RANGE: Final = UsualRange("%", "a fraction", low=1.0)
CORE_SIZE_RANGE: Final = UsualRange("nm", "angstrom", high=50.0)
TEMPERATURE_RANGE: Final = UsualRange("deg C", "kelvin", high=250.0)
