"""Colours and scales of the charts in a report; scales as in `static/scales.js`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

STOPS: Final = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
"""The viridis colour map at equal steps."""
_DARK: Final = 0.179
"""On colours of a smaller relative luminance white text has more contrast than black."""
_NEAR: Final = 1e-9
"""Share of a step within which a tick still counts as inside; least room around values."""


def chance(value: float) -> str:
    """Write a probability in percent for reading; never 0 or 100 where it is not."""
    if math.isnan(value):
        return "–"
    if 0 < value < 0.005:  # noqa: PLR2004
        return "<1 %"
    if 0.995 < value < 1:  # noqa: PLR2004
        return ">99 %"
    return f"{100 * value:.0f} %"


def _viridis(share: float) -> tuple[int, ...]:
    position = min(max(share, 0.0), 1.0) * (len(STOPS) - 1)
    first = min(int(position), len(STOPS) - 2)
    step = position - first
    return tuple(
        round(a + (b - a) * step) for a, b in zip(STOPS[first], STOPS[first + 1], strict=True)
    )


def colour(share: float) -> str:
    """Return the colour of a share from 0 to 1 as `rgb(...)`."""
    return f"rgb({','.join(map(str, _viridis(share)))})"


def ink(share: float) -> str:
    """Return the colour of text that can be read on `colour(share)`."""
    red, green, blue = (_linear(part / 255) for part in _viridis(share))
    return "#fff" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < _DARK else "#000"


def _linear(part: float) -> float:
    """Return a part of light as sRGB writes it as a linear one."""
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic scale from data to pixels.

    Attributes:
        low: Value at the first pixel; above 0 where the scale is logarithmic.
        high: Value at the last pixel.
        first: First pixel.
        last: Last pixel.
        log: Whether the scale is logarithmic.
    """

    low: float
    high: float
    first: float
    last: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value, held between the first and the last."""
        held = min(max(value, self.low), self.high)
        low, high, at = (math.log(v) if self.log else v for v in (self.low, self.high, held))
        return round(self.first + (at - low) / (high - low) * (self.last - self.first), 1)

    def ticks(self, count: int = 6) -> list[tuple[float, str]]:
        """Return (pixel, label) of round ticks, about `count` at most."""
        ticks = self._decades(count) if self.log else []
        ticks = ticks if len(ticks) > 1 else self._steps(count)
        return [(self(value), _tick_label(value, decimals)) for value, decimals in ticks]

    def _steps(self, count: int) -> list[tuple[float, int]]:
        """Return multiples of 1, 2 or 5 times a power of ten, with their number of decimals."""
        rough = (self.high - self.low) / count
        exponent = _exponent(rough)
        factor = next(one for one in (1, 2, 5, 10) if one * _power(exponent) >= rough)
        step = factor * _power(exponent)
        decimals = max(-exponent - (factor == 10), 0)  # noqa: PLR2004
        first, last = math.ceil(self.low / step - _NEAR), math.floor(self.high / step + _NEAR)
        # A division by a power of ten is exact to the last digit, a product with 0.1 is not.
        return [
            (k * factor / _power(-exponent) if exponent < 0 else k * step, decimals)
            for k in range(first, last + 1)
        ]

    def _decades(self, count: int) -> list[tuple[float, int]]:
        """Return powers of ten, with their number of decimals."""
        first, last = _exponent_above(self.low), _exponent(self.high)
        step = max(math.ceil((last - first) / count), 1)
        return [(_power(one), max(-one, 0)) for one in range(first, last + 1, step)]


def _tick_label(value: float, decimals: int) -> str:
    grouping = "," if abs(value) >= 10_000 else ""  # noqa: PLR2004
    return f"{value:{grouping}.{decimals}f}"


def _power(exponent: int) -> float:
    """Return a power of ten, exact to the last digit on every machine."""
    return float(f"1e{exponent}")


def _exponent(value: float) -> int:
    """Return the exponent of the largest power of ten that is not above a value."""
    return Decimal(value).adjusted()


def _exponent_above(value: float) -> int:
    """Return the exponent of the smallest power of ten that is not below a value."""
    exponent = _exponent(value)
    return exponent + (_power(exponent) < value)


def padded(values: Iterable[float], *, log: bool = False) -> tuple[float, float]:
    """Return ends with room around values; on a logarithmic axis of those above 0."""
    known = [value for value in values if math.isfinite(value) and (not log or value > 0)]
    places = [math.log(value) for value in known] if log else known
    low, high = (min(places), max(places)) if places else (0.0, 1.0)
    room = max((high - low) * 0.05, abs(high) * 0.002)
    room = room if room > _NEAR else 1.0
    return (math.exp(low - room), math.exp(high + room)) if log else (low - room, high + room)


def whole_decades(values: Iterable[float], low: float, high: float) -> tuple[float, float]:
    """Return powers of ten around values above 0, and around `low` and `high` at least."""
    known = [low, high, *(value for value in values if 0 < value < math.inf)]
    return _power(_exponent(min(known))), _power(_exponent_above(max(known)))
