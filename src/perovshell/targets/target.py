"""What a target is: its name, unit, scale, reading, domain, effect, threshold and texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from perovshell.data.records import Measurement, Sample
from perovshell.data.usual import UsualRange
from perovshell.data.vocabulary import column_name
from perovshell.targets.scales import Scale
from perovshell.texts import number

ENDS = ("", "_lower", "_upper")
"""Endings of the output columns of a value and its interval."""


IN_DOMAIN: Final = "in_domain"
"""Column of whether all targets that are one number a sample are in domain; those of single targets
begin with it."""
NOT_REACHED: Final[Mapping[str, str]] = {
    ">": "median not reached",
    "<": "median of the bare core not reached",
    "~": "neither median reached",
}
"""What the sign of a value under a stressor means."""


def signed(text: str, sign: str) -> str:
    """Return a value, as it is written, with its sign before it.

    Examples:
        >>> signed("114", ">"), signed("114", "")
        ('> 114', '114')
    """
    return f"{sign} {text}" if sign else text


@dataclass(frozen=True)
class DomainRule:
    """Which samples span the applicability domain of a target.

    Attributes:
        label: Name of the domain, also in messages.
        spans: Whether a sample, tested for stability or not, belongs to the training data.
        measured: Key of a literature sample in a model folder that holds the measured value.
        by_stressor: Whether there is a verdict for each stressor.
    """

    label: str
    spans: Callable[[Sample, bool], bool]
    measured: str
    by_stressor: bool = False

    @property
    def column(self) -> str:
        """Output column of the verdict; that under a stressor has `_S` behind it."""
        return f"{IN_DOMAIN}_{self.label.lower()}"

    def columns(self, stressors: Sequence[str]) -> tuple[str, ...]:
        """Return the output columns of the verdict, in the order of the stressors.

        Examples:
            >>> from perovshell.targets.declared import LIFETIME, PL
            >>> PL.domain.columns(["water"]), LIFETIME.domain.columns(["polar-solvent"])
            (('in_domain_pl',), ('in_domain_stability_polar_solvent',))
        """
        if not self.by_stressor:
            return (self.column,)
        return tuple(f"{self.column}_{column_name(stressor)}" for stressor in stressors)


@dataclass(frozen=True)
class Effect:
    """The shell's effect on a target.

    Attributes:
        column: Its output column.
        anchor: The input that gives the measured value of the bare core.
        shares_whole_residual: Whether a coated sample shares the whole residual of its bare
            sample; else the share that pairs of samples show.
    """

    column: str
    anchor: str
    shares_whole_residual: bool = False


@dataclass(frozen=True)
class Threshold:
    """A threshold that a value must exceed, or a window it must lie in.

    Attributes:
        argument: Name of the threshold in `Thresholds`.
        column: Output column of the probability.
        rule: What is allowed, in words.
        low: Least threshold that is allowed.
        high: Thresholds are below it.
        is_window: Whether two rising limits are asked for.
        usual: Usual range of a threshold; None where all are.
    """

    argument: str
    column: str
    rule: str
    low: float
    high: float
    is_window: bool = False
    usual: UsualRange | None = None

    def allows(self, value: Any) -> bool:
        """Return whether a threshold is possible."""
        try:
            if not self.is_window:
                return bool(self.low <= value < self.high)
            lower, upper = value
            return bool(self.low <= lower < upper <= self.high)
        except (TypeError, ValueError):
            return False  # No number, or no two of them.

    def doubt(self, value: Any) -> str:
        """Return what is doubtful about a possible threshold, or an empty text."""
        return self.usual.doubt(self.argument, value) if self.usual else ""

    def limits(self, value: Any) -> tuple[float, float]:
        """Return the interval of reported values that a threshold asks for."""
        return (value[0], value[1]) if self.is_window else (value, math.inf)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A target.

    Attributes:
        name: Key in figures, model folders and reports.
        title: Name where people read.
        unit: Unit of values as they are reported; empty for a ratio.
        error_unit: Unit of errors; empty where the log likelihood is the loss.
        scale: What is modelled.
        domain: Which samples span its applicability domain.
        no_skill: What an answer says where the model has no skill.
    """

    name: str
    title: str
    unit: str
    error_unit: str
    scale: Scale
    domain: DomainRule
    no_skill: str = ""

    @property
    def label(self) -> str:
        """Title with the unit of values, for axes."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True, kw_only=True)
class PointTarget(Target):
    """A target that is one number a sample.

    Attributes:
        column: Its output column.
        read: Value as reported, with its bound and its quality; None where a sample does not train
            the target.
        effect: The shell's effect, or None.
        threshold: The threshold, or None.
        error_digits: Decimals of differences in running text.
    """

    column: str
    read: Callable[[Sample], Measurement | None]
    effect: Effect | None = None
    threshold: Threshold | None = None
    error_digits: int = 1

    @property
    def error_label(self) -> str:
        """Name of an error with its unit, for axes."""
        return f"absolute error ({self.error_unit})"

    @property
    def scale_column(self) -> str:
        """Column of the difficulty of a prediction, as modelled."""
        return f"{self.name}_scale"


@dataclass(frozen=True, kw_only=True)
class StabilityTarget(Target):
    """A target under a stressor, known from tests as an interval.

    Attributes:
        stem: Its output columns without the stressor.
        quantity: Name of what these columns hold, where people read.
        threshold: The threshold, or None; its column ends with the stressor.
    """

    stem: str
    quantity: str
    threshold: Threshold | None = None

    def column(self, stressor: str) -> str:
        """Return the output column under a stressor."""
        return f"{self.stem}_{column_name(stressor)}"

    def bound_column(self, stressor: str) -> str:
        """Return the column of the sign of the value under a stressor, of `NOT_REACHED`."""
        return f"{self.column(stressor)}_bound"

    def shown(self, value: float, sign: str = "") -> str:
        """Return a value with its sign and unit, for reading.

        Args:
            value: The value.
            sign: A sign of `NOT_REACHED`, or nothing.

        Examples:
            >>> from perovshell.targets.declared import GAIN, LIFETIME
            >>> LIFETIME.shown(114.2, ">"), GAIN.shown(12.04, "<"), GAIN.shown(3.0)
            ('> 114 h', '< 12', '3')
        """
        return f"{signed(number(value), sign)} {self.unit}".strip()

    def threshold_column(self, stressor: str) -> str:
        """Return the output column of the probability under a stressor."""
        assert self.threshold is not None
        return f"{self.threshold.column}_{column_name(stressor)}"
