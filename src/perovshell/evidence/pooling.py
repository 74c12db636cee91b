"""Pooling of what papers measured: a mean of each group, with random effects of papers.

The logarithm of a half-life or a gain is the mean of its group (a combination, a shell, a class)
plus an effect of its paper plus noise; groups share the two spreads. Where all values are exact,
the means and their errors are those of restricted maximum likelihood (10.1093/biomet/58.3.545),
but for a weak prior of the spreads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from perovshell.models.mixed import FitSettings, MixedEffects, Normal, fit_mixed, shared_weights
from perovshell.models.shell_evidence import LEVEL

LEVELS: Final = ("combination", "shell", "class", "all")
SETTINGS: Final = FitSettings(
    spread_prior=2.0, noise_prior=2.0, by_information=True, tolerance=1e-3, updates=2000
)
"""The prior is that of two papers and two values."""
_PRIORS: Final = {
    # Any value at all.
    "group": Normal(3.0, 100.0),
    "paper": Normal(0.0, 1.0),
}
_HALF: Final = 0.5
_BISECTIONS: Final = 60


@dataclass(frozen=True)
class Value:
    """One measured value, known as an interval.

    Attributes:
        low: Lower end, positive or 0.
        high: Upper end; inf where there is none.
        core: Formula of the core.
        shell: Layers joined by `|`.
        material_class: Classes of the layers, joined by `|`.
        paper: The paper.
        experiment: The experiment: its values weigh 1 together.
    """

    low: float
    high: float
    core: str
    shell: str
    material_class: str
    paper: str
    experiment: str

    @property
    def is_open_above(self) -> bool:
        """Whether it has no upper end."""
        return math.isinf(self.high)

    @property
    def is_open_below(self) -> bool:
        """Whether it has no lower end."""
        return self.low == 0.0

    @property
    def at_least(self) -> Value:
        """The same value, its lower end for an upper end where it has none."""
        return replace(self, high=self.low) if self.is_open_above else self

    @property
    def at_most(self) -> Value:
        """The same value, its upper end for a lower end where it has none."""
        return replace(self, low=self.high) if self.is_open_below else self

    def name(self, level: str) -> str:
        """Return the name of its group at one of `LEVELS`."""
        if level == "combination":
            return f"{self.core} / {self.shell}"
        return {"shell": self.shell, "class": self.material_class, "all": "all shells"}[level]


@dataclass(frozen=True)
class Pooled:
    """A pooled value of one group, and what it was pooled of.

    Attributes:
        level: One of `LEVELS`.
        name: Name of the group.
        tests: Experiments in it.
        papers: Papers in it.
        at_least: Lower bound, with probability `LEVEL`, of the median over papers; 0 where no test
            has a lower end.
        median: Median over papers; None where more than half of the tests have no upper end, or no
            lower one: it was not reached, or passed before the first look.
        at_most: Upper bound with the same probability; None where more than half of the tests have
            no upper end.
        spread: Factor by which values of different papers differ, one standard deviation.
    """

    level: str
    name: str
    tests: int
    papers: int
    at_least: float
    median: float | None
    at_most: float | None
    spread: float


def pool(values: Sequence[Value], level: str, settings: FitSettings = SETTINGS) -> list[Pooled]:
    """Pool values by their groups at a level, the group that is shown to be best first.

    A value without an upper end counts for the lower bounds as its lower end, and one without a
    lower end for the upper bounds as its upper one, so bounds are no extrapolation: what was
    measured is at least, or at most, that.

    Args:
        values: Values under one stressor.
        level: One of `LEVELS`.
        settings: How spreads are fitted.

    Raises:
        FitError: A fit did not converge.
    """
    groups: dict[str, list[Value]] = {}
    for value in values:
        groups.setdefault(value.name(level), []).append(value)
    if not groups:
        return []
    papers = len({value.paper for value in values})
    freedom = max(papers - len(groups), 0) + int(settings.spread_prior)
    bounds = _Fits.of(groups, level, settings, t_quantile(LEVEL, max(freedom, 1)))
    pooled = [bounds.pooled(name, some) for name, some in groups.items()]
    return sorted(pooled, key=lambda one: (-one.at_least, one.name))


@dataclass(frozen=True)
class _Fits:
    """The means of groups by lower ends, by intervals, and by upper ends, where they are known.

    Attributes:
        level: One of `LEVELS`.
        lowest: By lower ends; None without any.
        known: By the intervals of groups with a median; None without any.
        highest: By upper ends; None without any.
        factor: Errors from a mean to its bound.
    """

    level: str
    lowest: MixedEffects | None
    known: MixedEffects | None
    highest: MixedEffects | None
    factor: float

    @classmethod
    def of(
        cls, groups: Mapping[str, Sequence[Value]], level: str, settings: FitSettings, factor: float
    ) -> _Fits:
        """Fit groups."""
        from_below = [one.at_least for some in groups.values() if _has_low(some) for one in some]
        known = [one for some in groups.values() if _has_median(some) for one in some]
        from_above = [one.at_most for some in groups.values() if _is_reached(some) for one in some]
        lowest, median, highest = (
            fit_groups(some, level, settings) if some else None
            for some in (from_below, known, from_above)
        )
        return cls(level, lowest, median, highest, factor)

    def pooled(self, name: str, values: Sequence[Value]) -> Pooled:
        """Return the pooled value of a group."""
        group = {f"group:{name}": 1.0}
        spread = next(fit for fit in (self.lowest, self.highest) if fit is not None)
        return Pooled(
            level=self.level,
            name=name,
            tests=len({value.experiment for value in values}),
            papers=len({value.paper for value in values}),
            at_least=self._bound(self.lowest, group, -1) if _has_low(values) else 0.0,
            median=math.exp(self.known.predict(group))
            if self.known is not None and _has_median(values)
            else None,
            at_most=self._bound(self.highest, group, 1) if _is_reached(values) else None,
            spread=math.exp(math.hypot(spread.spreads["paper"], spread.sigma)),
        )

    def _bound(self, fit: MixedEffects | None, group: Mapping[str, float], sign: int) -> float:
        assert fit is not None
        error = math.sqrt(fit.variance(group))
        return math.exp(fit.predict(group) + sign * self.factor * error)


def fit_groups(values: Sequence[Value], level: str, settings: FitSettings) -> MixedEffects:
    """Fit the means of groups, `group:NAME`, and the effects of papers, of the logarithms.

    Args:
        values: The values.
        level: One of `LEVELS`.
        settings: How spreads are fitted.

    Raises:
        FitError: The fit did not converge.
    """
    with np.errstate(divide="ignore"):
        low, high = np.log([one.low for one in values]), np.log([one.high for one in values])
    rows = [{f"group:{value.name(level)}": 1.0, f"paper:{value.paper}": 1.0} for value in values]
    weights = shared_weights([value.experiment for value in values])
    return fit_mixed(
        rows, low, high, _PRIORS, learned=["paper"], weights=weights, settings=settings
    )


def _has_low(values: Sequence[Value]) -> bool:
    return any(not value.is_open_below for value in values)


def _is_reached(values: Sequence[Value]) -> bool:
    """Whether at most half of the experiments have no upper end: the median was reached."""
    return _share(values, [value.is_open_above for value in values]) <= _HALF


def _has_median(values: Sequence[Value]) -> bool:
    """Whether the median is within what was looked at."""
    is_late = _share(values, [value.is_open_below for value in values]) > _HALF
    return _is_reached(values) and not is_late


def _share(values: Sequence[Value], chosen: Sequence[bool]) -> float:
    """Return the share of experiments that chosen values are."""
    weights = shared_weights([value.experiment for value in values])
    return float(weights @ np.array(chosen, dtype=float) / weights.sum())


def t_quantile(probability: float, freedom: int) -> float:
    """Return a quantile of Student's t distribution.

    Args:
        probability: From 0.5 to below 1.
        freedom: Degrees of freedom, at least 1.

    Examples:
        >>> round(t_quantile(0.9, 10), 3), round(t_quantile(0.95, 1), 2)
        (1.372, 6.31)
    """
    low, high = 0.0, math.pi / 2.0
    for _ in range(_BISECTIONS):
        angle = 0.5 * (low + high)
        inside = 0.5 + 0.5 * _within(angle, freedom)
        low, high = (angle, high) if inside < probability else (low, angle)
    return math.sqrt(freedom) * math.tan(low)


def _within(angle: float, freedom: int) -> float:
    """Return the probability of |t| < sqrt(freedom) tan(angle).

    The finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """
    sine, cosine = math.sin(angle), math.cos(angle)
    is_odd = freedom % 2
    term = cosine if is_odd else 1.0
    total = 0.0
    for step in range(2 + is_odd, freedom + 1, 2):
        total += term
        term *= cosine**2 * (step - 1) / step
    return 2.0 / math.pi * (angle + sine * total) if is_odd else sine * total
