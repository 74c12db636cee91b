"""The colour that light looks like."""

from __future__ import annotations

import math
from typing import Final

VISIBLE_NM: Final = (380, 780)
"""Ends of visible light."""
_FITTED_NM: Final = (420.0, 650.0)
"""Where the fit below holds its hue; light outside looks about like that at the end."""
_LOBES: Final = (
    ((1.056, 599.8, 37.9, 31.0), (0.362, 442.0, 16.0, 26.7), (-0.065, 501.1, 20.4, 26.2)),
    ((0.821, 568.8, 46.9, 40.5), (0.286, 530.9, 16.3, 31.1)),
    ((1.217, 437.0, 11.8, 36.0), (0.681, 459.0, 26.0, 13.8)),
)
"""Colour-matching functions of the CIE 1931 observer as sums of lobes: height, centre, widths below
and above it (Wyman, Sloan and Shirley, Journal of Computer Graphics Techniques 2, 1, 2013)."""
_TO_SRGB: Final = (
    (3.2406, -1.5372, -0.4986),
    (-0.9689, 1.8758, 0.0415),
    (0.0557, -0.2040, 1.0570),
)


def light_colour(wavelength_nm: float) -> str:
    """Return about the colour that light of a wavelength looks like; grey outside `VISIBLE_NM`.

    Spectral colours are purer than a screen shows: it shows the nearest it can.
    """
    if not VISIBLE_NM[0] <= wavelength_nm <= VISIBLE_NM[1]:
        return "rgb(128,128,128)"
    held = min(max(wavelength_nm, _FITTED_NM[0]), _FITTED_NM[1])
    xyz = [sum(_lobe(held, *lobe) for lobe in lobes) for lobes in _LOBES]
    linear = [sum(a * b for a, b in zip(row, xyz, strict=True)) for row in _TO_SRGB]
    parts = (round(255 * _gamma(max(part, 0.0) / max(linear))) for part in linear)
    return f"rgb({','.join(map(str, parts))})"


def _lobe(wavelength: float, height: float, centre: float, below: float, above: float) -> float:
    width = below if wavelength < centre else above
    return height * math.exp(-0.5 * ((wavelength - centre) / width) ** 2)


def _gamma(part: float) -> float:
    """Return a linear part of light as sRGB writes it."""
    return 12.92 * part if part <= 0.0031308 else 1.055 * part ** (1 / 2.4) - 0.055  # noqa: PLR2004
