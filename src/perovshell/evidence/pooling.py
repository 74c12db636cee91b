"""Pooling of what papers measured: a mean of each group, with random effects of papers.

The logarithm of a half-life or a gain is the mean of its group (a combination, a shell, a class)
plus an effect of its paper plus noise; groups share the two spreads. Where all values are exact,
the means and their errors are those of restricted maximum likelihood (10.1093/biomet/58.3.545),
but for a weak prior of the spreads.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.models.mixed import FitSettings, MixedEffects, Normal, fit_mixed

LEVEL: Final = 0.9
"""Probability that a lower bound is below the mean of the group."""
LEVELS: Final = ("combination", "shell", "class", "all")
SETTINGS: Final = FitSettings(
    spread_prior=2.0, noise_prior=2.0, by_information=True, tolerance=1e-3, updates=2000
)
"""The prior is that of two papers and two values."""
_PRIORS: Final = {
    # A factor of e**10 either way: hardly a prior at all.
    "group": Normal(3.0, 10.0),
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
        at_least: Lower bound, with probability `LEVEL`, of the median over papers.
        median: Median over papers; None where more than half of the tests are open above.
        spread: Factor by which values of different papers differ, one standard deviation.
    """

    level: str
    name: str
    tests: int
    papers: int
    at_least: float
    median: float | None
    spread: float


def pool(values: Sequence[Value], level: str, settings: FitSettings = SETTINGS) -> list[Pooled]:
    """Pool values by their groups at a level, the group that is shown to be best first.

    A value without an upper end counts for the lower bounds as its lower end, so these are no
    extrapolation: what was measured is at least that.

    Args:
        values: Values under one stressor.
        level: One of `LEVELS`.
        settings: How spreads are fitted.

    Raises:
        FitError: A fit did not converge.
    """
    if not values:
        return []
    with np.errstate(divide="ignore"):
        low, high = np.log([one.low for one in values]), np.log([one.high for one in values])
    lowest = fit_groups(values, level, low, np.where(np.isinf(high), low, high), settings)
    as_known = fit_groups(values, level, low, high, settings)
    groups: dict[str, list[Value]] = {}
    for value in values:
        groups.setdefault(value.name(level), []).append(value)
    papers = len({value.paper for value in values})
    freedom = max(papers - len(groups), 0) + int(settings.spread_prior)
    factor = t_quantile(LEVEL, max(freedom, 1))
    pooled = [
        _pooled(level, name, some, (lowest, as_known), factor) for name, some in groups.items()
    ]
    return sorted(pooled, key=lambda one: (-one.at_least, one.name))


def fit_groups(
    values: Sequence[Value], level: str, low: Floats, high: Floats, settings: FitSettings
) -> MixedEffects:
    """Fit the means of groups, `group:NAME`, and the effects of papers.

    Args:
        values: The values.
        level: One of `LEVELS`.
        low: Lower ends of their logarithms, shape (n,).
        high: Upper ends, shape (n,).
        settings: How spreads are fitted.
    """
    counts = Counter(value.experiment for value in values)
    rows = [{f"group:{value.name(level)}": 1.0, f"paper:{value.paper}": 1.0} for value in values]
    noise = np.sqrt([float(counts[value.experiment]) for value in values])
    return fit_mixed(rows, low, high, _PRIORS, learned=["paper"], noise=noise, settings=settings)


def _pooled(
    level: str,
    name: str,
    values: Sequence[Value],
    fits: tuple[MixedEffects, MixedEffects],
    factor: float,
) -> Pooled:
    counts = Counter(value.experiment for value in values)
    is_open = sum(1.0 / counts[one.experiment] for one in values if math.isinf(one.high))
    lowest, as_known = fits
    group = {f"group:{name}": 1.0}
    bound = lowest.predict(group) - factor * math.sqrt(lowest.variance(group))
    is_reached = is_open <= _HALF * len(counts)
    return Pooled(
        level=level,
        name=name,
        tests=len(counts),
        papers=len({value.paper for value in values}),
        at_least=math.exp(bound),
        median=math.exp(as_known.predict(group)) if is_reached else None,
        spread=math.exp(math.hypot(as_known.spreads["paper"], as_known.sigma)),
    )


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
