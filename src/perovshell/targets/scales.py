"""Scales of targets: conversions between reported values and what is modelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.targets import EV_NM, ev_to_nm, nm_to_ev

_FLIPPED_BOUND: Final = {">": "<", "<": ">"}
_MIN_ENERGY_EV: Final = 1e-12


@dataclass(frozen=True)
class Scale:
    """A number, modelled as it is; arrays may have any shape.

    Attributes:
        unit: Unit of modelled values.
        is_share: Whether values are percentages from 0 to 100: their bounds have a far end.
        flips: Whether a larger modelled value is a smaller reported one.
    """

    unit: str
    is_share: bool = False
    flips: bool = False

    def to_model(self, values: Floats) -> Floats:
        """Convert reported values to modelled ones."""
        return values

    def to_unit(self, modelled: Floats) -> Floats:
        """Convert modelled values to reported ones."""
        return modelled

    def hold(self, modelled: Floats) -> Floats:
        """Return modelled values held within what is possible."""
        return modelled

    def slope(self, start: float, end: float) -> float:  # noqa: ARG002
        """Return the change of the reported value per change of the modelled one (a secant)."""
        return 1.0


@dataclass(frozen=True)
class Energy(Scale):
    """A wavelength in nm, modelled as the photon energy in eV; an energy of 0 or less is inf nm."""

    unit: str = "eV"
    flips: bool = True

    def to_model(self, values: Floats) -> Floats:
        """Convert nm to eV."""
        return nm_to_ev(values)

    def to_unit(self, modelled: Floats) -> Floats:
        """Convert eV to nm."""
        if modelled.min(initial=1.0) > _MIN_ENERGY_EV:
            return ev_to_nm(modelled)
        return np.where(modelled <= 0, np.inf, ev_to_nm(np.maximum(modelled, _MIN_ENERGY_EV)))

    def slope(self, start: float, end: float) -> float:
        """Return nm per eV between two energies."""
        return -EV_NM / (start * end)


@dataclass(frozen=True)
class Percent(Scale):
    """A percentage from 0 to 100, modelled as it is."""

    unit: str = "percent"
    is_share: bool = True

    def to_unit(self, modelled: Floats) -> Floats:
        """Return percentages held between 0 and 100."""
        return np.minimum(np.maximum(modelled, 0.0), 100.0)

    def hold(self, modelled: Floats) -> Floats:
        """Return percentages held between 0 and 100."""
        return self.to_unit(modelled)


@dataclass(frozen=True)
class Log(Scale):
    """A positive number, modelled as its natural logarithm."""

    def to_model(self, values: Floats) -> Floats:
        """Return logarithms; -inf for 0."""
        with np.errstate(divide="ignore"):
            return np.log(values)

    def to_unit(self, modelled: Floats) -> Floats:
        """Return exponentials."""
        return np.exp(modelled)


def reported_interval(scale: Scale, value: Floats, half_width: Floats) -> tuple[Floats, Floats]:
    """Return the lower and the upper end, as reported, of intervals of modelled values."""
    ends = scale.to_unit(value - half_width), scale.to_unit(value + half_width)
    return (ends[1], ends[0]) if scale.flips else ends


def reported_width(scale: Scale, low: Floats, high: Floats) -> Floats:
    """Return the widths, as reported, of intervals of modelled values, shape (n,)."""
    ends = scale.to_unit(low), scale.to_unit(high)
    return ends[0] - ends[1] if scale.flips else ends[1] - ends[0]


def probability_between(
    scale: Scale, cdf: Callable[[Floats], Floats], value: Floats, low: float, high: float
) -> Floats:
    """Return the probability that the reported value lies between two reported limits.

    Args:
        scale: The scale.
        cdf: Distribution function of residuals (true minus predicted), as modelled.
        value: Predicted values, as modelled.
        low: Lower limit, as reported.
        high: Upper limit, as reported; inf has none.
    """

    def below(limit: float) -> Floats:
        return cdf(scale.to_model(np.asarray(limit, dtype=float)) - value)

    if scale.flips:
        return below(low) - below(high)
    return (1.0 if np.isinf(high) else below(high)) - below(low)


def flip_bounds(scale: Scale, bounds: Sequence[str]) -> list[str]:
    """Convert bounds between reported and modelled values: those of energies turn round."""
    flipped = _FLIPPED_BOUND if scale.flips else {}
    return [flipped.get(bound, bound) for bound in bounds]


ENERGY: Final = Energy()
PERCENT: Final = Percent()
