"""Small SVG charts for the reports, without scripts or outside addresses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STOPS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""The viridis colour map at equal steps."""


def colour(share: float) -> str:
    """Return the colour of a share from 0 to 1 as `rgb(...)`."""
    place = min(max(share, 0.0), 1.0) * (len(_STOPS) - 1)
    first = min(int(place), len(_STOPS) - 2)
    step = place - first
    low, high = _STOPS[first], _STOPS[first + 1]
    parts = (round(a + (b - a) * step) for a, b in zip(low, high, strict=True))
    return f"rgb({','.join(map(str, parts))})"


def light_colour(wavelength_nm: float) -> str:
    """Return about the colour that light of a wavelength looks like; grey outside 380-780 nm."""
    w = wavelength_nm
    ramps = (
        (380, 440, ((440 - w) / 60, 0.0, 1.0)),
        (440, 490, (0.0, (w - 440) / 50, 1.0)),
        (490, 510, (0.0, 1.0, (510 - w) / 20)),
        (510, 580, ((w - 510) / 70, 1.0, 0.0)),
        (580, 645, (1.0, (645 - w) / 65, 0.0)),
        (645, 781, (1.0, 0.0, 0.0)),
    )
    for low, high, rgb in ramps:
        if low <= w < high:
            return f"rgb({','.join(str(round(255 * part)) for part in rgb)})"
    return "rgb(128,128,128)"


@dataclass(frozen=True)
class Scale:
    """A linear scale from data to pixels."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.first + share * (self.last - self.first), 1)

    def ticks(self, count: int = 6) -> list[tuple[float, str]]:
        """Return (pixel, label) of round ticks."""
        rough = (self.high - self.low) / count
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(size * m for m in (1, 2, 5, 10) if size * m >= rough)
        start = math.ceil(self.low / step)
        values = [k * step for k in range(start, math.floor(self.high / step) + 1)]
        return [(self(value), f"{value:g}") for value in values]


def padded(values: Sequence[float], share: float = 0.05) -> tuple[float, float]:
    """Return the ends of values with room at both sides."""
    low, high = min(values), max(values)
    room = max((high - low) * share, 1e-9 + abs(high) * 0.002)
    return low - room, high + room
