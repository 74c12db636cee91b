"""What is predicted, exactly: PL energies, and lifetimes and gains as intervals.

A remnant fraction r after a time t gives the first-order equivalent lifetime t / -ln(r): a
convention that makes tests comparable, not a claim about kinetics. A printed percent is a reading
with an error, so each side of a test gives an interval of lifetime, and both sides an interval of
the gain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from perovshell.errors import InputError
from perovshell.unknown import EqualUnknowns

EV_NM = 1239.84
"""Photon energy times wavelength, in eV nm."""
READING_ERROR = 0.02
"""Error of a printed remnant fraction."""
ROUGH_READING_ERROR = 0.05
"""Error of a remnant fraction printed with `~`."""
LOWER_END_CAP = 0.95
"""A lower end above this counts as this: a test shows about 20 times its length at most."""
NO_UPPER_BOUND_FROM = 0.99
NO_LOWER_BOUND_UP_TO = 0.01
FAILURE_TIME_FACTOR = 1.2
"""An exactly printed time to failure is known within this factor."""
TIME_TO_FAILURE = "time to failure"


_Numbers = TypeVar("_Numbers", float, npt.NDArray[np.float64])


def nm_to_ev(wavelength_nm: _Numbers) -> _Numbers:
    """Convert wavelengths in nm to photon energies in eV."""
    return EV_NM / wavelength_nm


def ev_to_nm(energy: _Numbers) -> _Numbers:
    """Convert photon energies in eV to wavelengths in nm."""
    return EV_NM / energy


@dataclass(frozen=True)
class Interval:
    """A closed interval of positive numbers; `low` may be 0 and `high` may be inf."""

    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse an interval that is upside down or negative."""
        if not 0.0 <= self.low <= self.high:
            msg = f"interval [{self.low}, {self.high}]: low must be within 0 and high"
            raise InputError(msg)

    @property
    def is_informative(self) -> bool:
        """Whether it excludes anything."""
        return self.low > 0.0 or self.high < math.inf

    def widened(self, factor: float) -> Interval:
        """Return the interval with each finite end moved out by a factor."""
        return Interval(self.low / factor, self.high * factor)


@dataclass(frozen=True, eq=False)
class Reading(EqualUnknowns):
    """One side of a stability test, as printed.

    Attributes:
        measure: One of `vocabulary.MEASURES`.
        duration_h: Duration in hours; NaN where unstated.
        percent: Remnant in percent; NaN where there is none (a time to failure).
        percent_low: Lower end of a printed range in percent, or NaN.
        percent_high: Upper end of a printed range in percent, or NaN.
        bound: One of `vocabulary.BOUNDS`.
    """

    measure: str
    duration_h: float
    percent: float
    percent_low: float
    percent_high: float
    bound: str

    @property
    def is_given(self) -> bool:
        """Whether this side of the test was measured at all."""
        return not (math.isnan(self.duration_h) and math.isnan(self.percent))

    def fraction(self) -> Interval:
        """Return the interval of the remnant fraction; above 1 is possible."""
        if not math.isnan(self.percent_low):
            low, high = self.percent_low / 100, self.percent_high / 100
            return Interval(max(0.0, low - READING_ERROR), high + READING_ERROR)
        value = self.percent / 100
        if self.bound == ">":
            return Interval(value, math.inf)
        if self.bound == "<":
            return Interval(0.0, value)
        error = ROUGH_READING_ERROR if self.bound == "~" else READING_ERROR
        return Interval(max(0.0, value - error), value + error)

    def lifetime(self, unit_h: float | None = None, exponent: float = 1.0) -> Interval:
        """Return the interval of the equivalent lifetime.

        Args:
            unit_h: Used as the duration where it is unstated; the lifetime is then relative.
            exponent: Exponent of a stretched decay, remnant = exp(-(t / lifetime)^exponent).

        Returns:
            The lifetime in hours (or in units of the unstated duration).

        Raises:
            InputError: The duration is unstated and there is no unit.
        """
        duration = self.duration_h
        if math.isnan(duration):
            if unit_h is None:
                msg = "a lifetime needs a duration; this side states none"
                raise InputError(msg)
            duration = unit_h
        if self.measure == TIME_TO_FAILURE:
            return self._failure_time(duration)
        remnant = self.fraction()
        low, high = _lower_lifetime(duration, remnant), _upper_lifetime(duration, remnant)
        if exponent == 1.0:
            return Interval(low, high)
        stretch = 1.0 / exponent
        return Interval(*(duration * (end / duration) ** stretch for end in (low, high)))

    def _failure_time(self, duration: float) -> Interval:
        if self.bound == ">":
            return Interval(duration, math.inf)
        if self.bound == "<":
            return Interval(0.0, duration)
        return Interval(duration / FAILURE_TIME_FACTOR, duration * FAILURE_TIME_FACTOR)


def _lower_lifetime(duration: float, remnant: Interval) -> float:
    if remnant.low <= NO_LOWER_BOUND_UP_TO:
        return 0.0
    return duration / -math.log(min(remnant.low, LOWER_END_CAP))


def _upper_lifetime(duration: float, remnant: Interval) -> float:
    if remnant.high >= NO_UPPER_BOUND_FROM:
        return math.inf
    if remnant.high <= 0.0:
        return 0.0
    return duration / -math.log(remnant.high)


def gain_interval(coated: Reading, bare: Reading, exponent: float = 1.0) -> Interval:
    """Return the interval of the stability gain, lifetime coated over lifetime bare.

    Both readings come from the same test; where both durations are unstated they cancel. Both
    decays have the same exponent.

    Raises:
        InputError: Just one of the two durations is stated.
    """
    if math.isnan(coated.duration_h) != math.isnan(bare.duration_h):
        msg = "a gain needs both durations, or neither"
        raise InputError(msg)
    over, under = (side.lifetime(unit_h=1.0, exponent=exponent) for side in (coated, bare))
    return Interval(_ratio(over.low, under.high), _ratio(over.high, under.low))


def _ratio(over: float, under: float) -> float:
    return math.inf if under == 0.0 else over / under
