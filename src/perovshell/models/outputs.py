"""What a prediction is asked for and what it answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.data.targets import energy_ev
from perovshell.data.vocabulary import STRESSORS, column_name
from perovshell.errors import InputError
from perovshell.models.evidence import Neighbour

Floats = npt.NDArray[np.float64]

DEFAULT_STRESSORS = ("water", "light", "heat")
DEFAULT_COVERAGE = 0.9
LEAST_GAIN = 2.0
"""All gains in the literature are above 1 (published because they are): below this factor no
probability is offered."""
_TINY = 1e-12
_OFFSET = 17
_SHIFTS = [5 - power for power in range(-_OFFSET, 28)]
_UP = np.array([float(f"1e{max(shift, 0)}") for shift in _SHIFTS])
_DOWN = np.array([float(f"1e{max(-shift, 0)}") for shift in _SHIFTS])
"""By what a number of each power of ten is multiplied and divided to have six digits before the
point: exact, as powers of ten up to 22 are."""
_SMALLEST, _LARGEST = 1e-16, 1e27
"""Between these a number is rounded to six digits by powers of ten that are exact."""


@dataclass(frozen=True)
class Thresholds:
    """What is asked of a combination, as thresholds; None is not asked.

    Attributes:
        pl_window_nm: Window of the PL peak in nm.
        plqy_above: PLQY in percent that is to be passed.
        gain_above: Stability gain that is to be passed, at least `LEAST_GAIN`.

    Raises:
        InputError: A threshold is impossible.
    """

    pl_window_nm: tuple[float, float] | None = None
    plqy_above: float | None = None
    gain_above: float | None = None

    def __post_init__(self) -> None:
        """Refuse impossible thresholds."""
        if self.pl_window_nm is not None and not 0 < self.pl_window_nm[0] < self.pl_window_nm[1]:
            msg = f"PL window {self.pl_window_nm}: two rising wavelengths in nm"
            raise InputError(msg)
        if self.plqy_above is not None and not 0 <= self.plqy_above < 100:  # noqa: PLR2004
            msg = f"PLQY above {self.plqy_above:g}: a percentage from 0 to below 100"
            raise InputError(msg)
        if self.gain_above is not None and not LEAST_GAIN <= self.gain_above < math.inf:
            msg = f"gain above {self.gain_above:g}: a factor of {LEAST_GAIN:g} or more"
            raise InputError(msg)

    def columns(self, stressors: Sequence[str]) -> tuple[str, ...]:
        """Return the output columns that answer them."""
        names = ["pl_in_window"] if self.pl_window_nm is not None else []
        names += ["plqy_above"] if self.plqy_above is not None else []
        if self.gain_above is not None:
            names += [f"gain_above_{column_name(stressor)}" for stressor in stressors]
        return tuple(names)


NO_THRESHOLDS = Thresholds()


def output_columns(
    stressors: Sequence[str], thresholds: Thresholds = NO_THRESHOLDS
) -> tuple[str, ...]:
    """Return the columns that a prediction adds, in order."""
    return _output_columns(tuple(stressors), thresholds)


@lru_cache(maxsize=64)
def _output_columns(stressors: tuple[str, ...], thresholds: Thresholds) -> tuple[str, ...]:
    values = ["pl_peak_nm", "plqy_percent", "pl_shift_nm", "plqy_change"]
    for stressor in stressors:
        values += [
            f"stability_gain_{column_name(stressor)}",
            f"half_life_h_{column_name(stressor)}",
        ]
    numbers = [f"{name}{end}" for name in values for end in ("", "_lower", "_upper")]
    numbers += thresholds.columns(stressors)
    return (*numbers, "in_domain", "domain_reason", "nearest_papers", "error")


@dataclass(frozen=True)
class Evidence:
    """What stands beside an answer.

    Attributes:
        nearest: The nearest literature samples, one a paper.
        measured: Literature samples of the very combination.
        conditions: Conditions assumed for each stressor's half-life.
    """

    nearest: list[Neighbour]
    measured: list[Neighbour]
    conditions: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Answer:
    """The answer to one request.

    Attributes:
        values: The output columns of `output_columns` as numbers and texts.
        find_evidence: Finds what stands beside it: few ask for that, so it is not made before.
    """

    values: dict[str, Any]
    find_evidence: Callable[[], Evidence]

    @cached_property
    def _evidence(self) -> Evidence:
        return self.find_evidence()

    @property
    def nearest(self) -> list[Neighbour]:
        """The nearest literature samples, one a paper."""
        return self._evidence.nearest

    @property
    def measured(self) -> list[Neighbour]:
        """Literature samples of the very combination."""
        return self._evidence.measured

    @property
    def conditions(self) -> dict[str, dict[str, float]]:
        """Conditions assumed for each stressor's half-life."""
        return self._evidence.conditions

    def to_json(self) -> dict[str, Any]:
        """Return JSON data: NaN is null, an open end is null with `NAME_open: true`."""
        data: dict[str, Any] = {}
        for name, value in self.values.items():
            if isinstance(value, float) and not math.isfinite(value):
                data[name] = None
                if math.isinf(value):
                    data[f"{name}_open"] = True
            else:
                data[name] = value
        data["nearest"] = [vars(item) for item in self.nearest]
        data["measured"] = [vars(item) for item in self.measured]
        data["conditions"] = self.conditions
        return data


def check_options(stressors: Sequence[str], coverage: float) -> None:
    """Refuse unknown stressors and impossible coverages.

    Raises:
        InputError: A stressor or the coverage is not allowed.
    """
    for stressor in stressors:
        if stressor not in STRESSORS:
            msg = f"stressor {stressor!r}: allowed: {', '.join(STRESSORS)}"
            raise InputError(msg)
    if len(set(stressors)) != len(stressors):
        msg = f"stressors {', '.join(stressors)}: name each once"
        raise InputError(msg)
    if not 0.0 < coverage < 1.0:
        msg = f"coverage {coverage:g}: a number above 0 and below 1, such as 0.9"
        raise InputError(msg)


def unanswered(error: str, stressors: Sequence[str], thresholds: Thresholds) -> Answer:
    """Return the answer to a request that cannot be answered, and why."""
    values: dict[str, Any] = dict.fromkeys(output_columns(stressors, thresholds), math.nan)
    texts = {"in_domain": False, "domain_reason": "", "nearest_papers": "", "error": error}
    return Answer(values | texts, partial(Evidence, [], [], {}))


def rounded(values: Floats) -> Floats:
    """Round to six digits, so that every interface gives the very same numbers."""
    size = np.abs(values)
    plain = (size > _SMALLEST) & (size < _LARGEST)
    size = np.where(plain, size, 1.0)
    power = (np.floor(np.log10(size)) + _OFFSET).astype(np.intp)
    up, down = _UP.take(power), _DOWN.take(power)
    # Both are exact, so that one multiplication and one division round once each.
    found = np.copysign(np.rint(size * up / down) / up * down, values)
    found = np.where(plain, found, values)
    odd = ~plain & np.isfinite(values) & (values != 0.0)
    if odd.any():
        found[odd] = [float(f"{value:.6g}") for value in values[odd].tolist()]
    return found


def percent(value: Floats) -> Floats:
    """Return values held between 0 and 100 %."""
    return np.minimum(np.maximum(value, 0.0), 100.0)


def interval(name: str, value: Floats, within: Floats) -> dict[str, Floats]:
    """Return the columns of a value and half its interval."""
    return {name: value, f"{name}_lower": value - within, f"{name}_upper": value + within}


def nm_interval(name: str, energy: Floats, within: Floats) -> dict[str, Floats]:
    """Return the columns of a wavelength in nm from an energy and half its interval in eV."""
    low_energy = energy - within
    upper = np.where(low_energy > 0, energy_ev(np.maximum(low_energy, _TINY)), np.inf)
    return {
        name: energy_ev(energy),
        f"{name}_lower": energy_ev(energy + within),
        f"{name}_upper": upper,
    }
