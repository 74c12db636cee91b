"""What a prediction is asked for and what it answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from numbers import Real
from typing import Any, Protocol

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.vocabulary import STRESSORS
from perovshell.errors import InputError
from perovshell.models.domain_verdict import domain_columns
from perovshell.models.evidence import Neighbour
from perovshell.models.reason import Reason
from perovshell.targets.declared import POINTS, STABILITY
from perovshell.targets.target import ENDS, PointTarget, StabilityTarget
from perovshell.texts import excerpt

DEFAULT_STRESSORS = ("water", "light", "heat")
DEFAULT_COVERAGE = 0.9
TEXTS = ("domain_reasons", "flags", "notes", "measured")
"""Columns of lists of texts."""
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
    """Thresholds whose probability is asked; None is not asked.

    Attributes:
        pl_window_nm: Window of the PL peak in nm.
        plqy_above: PLQY in percent that is to be exceeded.
        gain_above: Stability gain that is to be exceeded, at least `targets.declared.MIN_GAIN`.

    Raises:
        InputError: A threshold is impossible.

    Examples:
        >>> Thresholds(plqy_above=80).columns(["water"])
        ('p_plqy_above',)
    """

    pl_window_nm: tuple[float, float] | None = None
    plqy_above: float | None = None
    gain_above: float | None = None

    def __post_init__(self) -> None:
        """Refuse impossible thresholds; a window becomes a tuple."""
        for target in (*POINTS, *STABILITY):
            threshold, value = target.threshold, self.of(target)
            if threshold is not None and value is not None and not threshold.allows(value):
                msg = f"{threshold.argument} {excerpt(str(value))}: {threshold.rule}"
                raise InputError(msg)
        if self.pl_window_nm is not None:
            # Output columns are kept by thresholds, which a list would make unhashable.
            object.__setattr__(self, "pl_window_nm", tuple(self.pl_window_nm))

    def of(self, target: PointTarget | StabilityTarget) -> Any:
        """Return the threshold of a target, or None."""
        return None if target.threshold is None else getattr(self, target.threshold.argument)

    @property
    def doubts(self) -> list[str]:
        """What is doubtful about thresholds that are possible."""
        asked = [(point.threshold, self.of(point)) for point in POINTS]
        doubts = [one.doubt(value) for one, value in asked if one is not None and value is not None]
        return [doubt for doubt in doubts if doubt]

    def columns(self, stressors: Sequence[str]) -> tuple[str, ...]:
        """Return the output columns that answer them."""
        asked = [point.threshold for point in POINTS if self.of(point) is not None]
        names = [threshold.column for threshold in asked if threshold is not None]
        for target in STABILITY:
            if self.of(target) is not None:
                names += [target.threshold_column(stressor) for stressor in stressors]
        return tuple(names)


NO_THRESHOLDS = Thresholds()


def output_columns(
    stressors: Sequence[str], thresholds: Thresholds = NO_THRESHOLDS
) -> tuple[str, ...]:
    """Return the columns that a prediction adds, in order."""
    return _output_columns(tuple(stressors), thresholds)


@lru_cache(maxsize=64)
def _output_columns(stressors: tuple[str, ...], thresholds: Thresholds) -> tuple[str, ...]:
    values = [point.column for point in POINTS]
    values += [point.effect.column for point in POINTS if point.effect is not None]
    values += [target.column(stressor) for stressor in stressors for target in STABILITY]
    numbers = [f"{name}{end}" for name in values for end in ENDS]
    numbers += thresholds.columns(stressors)
    signs, verdicts = bound_columns(stressors), domain_columns(stressors)
    return (*numbers, *signs, *verdicts, *TEXTS, "nearest_papers", "error")


def bound_columns(stressors: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of the signs of values whose median was not reached, by stressor."""
    return tuple(one.bound_column(stressor) for stressor in stressors for one in STABILITY)


@dataclass(frozen=True)
class Evidence:
    """What is behind an answer.

    Attributes:
        nearest: The nearest literature samples, one per paper.
        measured: Literature samples of the same core and shell.
        conditions: Conditions assumed for each stressor's half-life.
        domain: Why targets are out of domain, by output column of the verdict; none in domain.
    """

    nearest: list[Neighbour]
    measured: list[Neighbour]
    conditions: dict[str, dict[str, float]]
    domain: dict[str, list[str]]


class Behind(Protocol):
    """What is behind the answers to requests that were answered at once."""

    def evidence(self, number: int, /) -> Evidence:
        """Return the evidence of an answer, by its number among them."""

    def reasons(self, number: int, /) -> list[Reason]:
        """Return its reasons."""


@dataclass(frozen=True)
class Found:
    """What is behind one answer, found already.

    Attributes:
        found_evidence: Its evidence.
        found_reasons: Its reasons.
    """

    found_evidence: Evidence
    found_reasons: Sequence[Reason] = ()

    def evidence(self, _number: int, /) -> Evidence:
        """Return its evidence."""
        return self.found_evidence

    def reasons(self, _number: int, /) -> list[Reason]:
        """Return its reasons."""
        return list(self.found_reasons)


@dataclass(frozen=True)
class Answer:
    """The answer to one request.

    Attributes:
        values: The output columns of `output_columns` as numbers, texts and lists of texts.
        behind: What is behind it and those answered with it: found when it is first read, as few
            callers need it.
        number: Its number among those.
    """

    values: dict[str, Any]
    behind: Behind = field(compare=False, repr=False)
    number: int = field(default=0, compare=False, repr=False)

    @cached_property
    def _evidence(self) -> Evidence:
        return self.behind.evidence(self.number)

    @property
    def nearest(self) -> list[Neighbour]:
        """The nearest literature samples, one per paper."""
        return self._evidence.nearest

    @property
    def measured(self) -> list[Neighbour]:
        """Literature samples of the same core and shell."""
        return self._evidence.measured

    @cached_property
    def reasons(self) -> list[Reason]:
        """How far each group of descriptors moved the predictions; see `Model.explain`."""
        return self.behind.reasons(self.number)

    @property
    def papers(self) -> tuple[str, ...]:
        """The papers behind it, DOIs where they are known: measured samples, then nearest ones."""
        return tuple(dict.fromkeys(row.paper for row in (*self.measured, *self.nearest)))

    @property
    def conditions(self) -> dict[str, dict[str, float]]:
        """Conditions assumed for each stressor's half-life."""
        return self._evidence.conditions

    @property
    def domain(self) -> dict[str, list[str]]:
        """Why targets are out of domain, by output column of the verdict (`in_domain_pl`).

        A target in domain has no reasons; a request without an answer has no columns.
        """
        return self._evidence.domain

    def to_json(self) -> dict[str, Any]:
        """Return JSON data with the evidence under `details`.

        NaN is null, an open end is null with `NAME_open: true`.
        """
        data: dict[str, Any] = {}
        for name, value in self.values.items():
            if isinstance(value, float) and not math.isfinite(value):
                data[name] = None
                if math.isinf(value):
                    data[f"{name}_open"] = True
            else:
                data[name] = value
        data["details"] = {
            "nearest": [vars(item) for item in self.nearest],
            "measured": [vars(item) for item in self.measured],
            "conditions": self.conditions,
            "domain": self.domain,
        }
        return data


def check_options(
    stressors: Sequence[str], coverage: float, thresholds: Thresholds = NO_THRESHOLDS
) -> None:
    """Refuse unknown stressors, impossible coverages and thresholds of another kind.

    Raises:
        InputError: A stressor, the coverage or the thresholds are not allowed.

    Examples:
        >>> check_options("water", 0.9)
        Traceback (most recent call last):
        perovshell.errors.InputError: stressors 'water': a list is needed, such as ['water']
    """
    if isinstance(stressors, str) or not isinstance(stressors, Sequence):
        msg = f"stressors {excerpt(repr(stressors))}: a list is needed, such as ['water']"
        raise InputError(msg)
    for stressor in stressors:
        if stressor not in STRESSORS:
            msg = f"stressor {excerpt(repr(stressor))}: allowed: {', '.join(STRESSORS)}"
            raise InputError(msg)
    if len(set(stressors)) != len(stressors):
        msg = f"stressors {', '.join(stressors)}: name each once"
        raise InputError(msg)
    if not isinstance(coverage, Real) or not 0.0 < coverage < 1.0:
        shown = f"{coverage:g}" if isinstance(coverage, Real) else excerpt(repr(coverage))
        msg = f"coverage {shown}: a number above 0 and below 1, such as 0.9"
        raise InputError(msg)
    if not isinstance(thresholds, Thresholds):
        msg = (
            f"thresholds: a {type(thresholds).__name__}; perovshell.Thresholds is needed, such as "
            "Thresholds(plqy_above=80)"
        )
        raise InputError(msg)


def unanswered(error: str, stressors: Sequence[str], thresholds: Thresholds) -> dict[str, Any]:
    """Return the output columns of a request that cannot be answered, and why."""
    values: dict[str, Any] = dict.fromkeys(output_columns(stressors, thresholds), math.nan)
    texts: dict[str, list[str]] = {name: [] for name in TEXTS}
    signs = dict.fromkeys(bound_columns(stressors), "")
    verdicts = dict.fromkeys(domain_columns(stressors), False)
    return {**values, **signs, **verdicts, **texts, "nearest_papers": "", "error": error}


def rounded(values: Floats) -> Floats:
    """Round to six digits, so that every interface gives the same numbers."""
    size = np.abs(values)
    plain = (size > _SMALLEST) & (size < _LARGEST)
    size = np.where(plain, size, 1.0)
    power = (np.floor(np.log10(size)) + _OFFSET).astype(np.intp)
    up, down = _UP.take(power), _DOWN.take(power)
    # Both factors are exact: one multiplication and one division round once each.
    result = np.copysign(np.rint(size * up / down) / up * down, values)
    result = np.where(plain, result, values)
    odd = ~plain & np.isfinite(values) & (values != 0.0)
    if odd.any():
        result[odd] = [float(f"{value:.6g}") for value in values[odd].tolist()]
    return result
