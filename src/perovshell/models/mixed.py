"""A linear model of logarithms that are known as intervals, with effects of groups.

Values of one paper share an effect, and so do the sides of one test: what a test has in common
cancels in the difference of its sides. The fit is variational Bayes: the unknown values are
truncated normals about their means, the effects are normal given these, and the spread of the
noise and of each learned kind of effects is its expected one. Where all values are exact, these
are the restricted-maximum-likelihood equations of a random-effects model
(Patterson and Thompson, 10.1093/biomet/58.3.545).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats
from perovshell.errors import FitError
from perovshell.models.normal import log_ndtr
from perovshell.models.threads import on_one_thread

_STEPS_AN_UPDATE: Final = 5
"""Steps between updates of the spreads: each needs an inverse of the size of all effects."""
_NARROW: Final = 1e-3
"""Width of an interval, in units of the noise, below which it is a value."""
_HALF_LOG_2PI: Final = 0.5 * math.log(2.0 * math.pi)


@dataclass(frozen=True)
class Normal:
    """Prior of the effects of a kind.

    Attributes:
        mean: Mean of an effect.
        sd: Standard deviation.
    """

    mean: float
    sd: float


@dataclass(frozen=True)
class FitSettings:
    """How effects and their spreads are fitted.

    Attributes:
        spread_prior: Number of effects that the prior spread of a learned kind counts for.
        noise_prior: Number of values of a noise of 1 that join the data.
        by_information: Whether an interval informs by the curvature of its likelihood (Laplace),
            so that wide ones leave effects and spreads uncertain; else by its expected value.
        tolerance: Change of any effect in an update, in log units, below which the fit is done.
        updates: Most updates of the spreads.
    """

    spread_prior: float = 4.0
    noise_prior: float = 3.0
    by_information: bool = False
    tolerance: float = 0.01
    updates: int = 400


@dataclass(frozen=True)
class MixedEffects:
    """Effects by name, `KIND:NAME`, of a sum that predicts a logarithm.

    Attributes:
        effects: Posterior mean of each effect.
        covariance: Posterior covariance of the effects, in their order.
        spreads: Standard deviation of the effects of each kind: that of one never seen.
        sigma: Standard deviation of what is left.
    """

    effects: Mapping[str, float]
    covariance: Floats
    spreads: Mapping[str, float]
    sigma: float

    def predict(self, row: Mapping[str, float]) -> float:
        """Return the sum of the effects of a row; an effect never seen adds nothing.

        Args:
            row: Amount of each effect.
        """
        return sum(self.effects.get(name, 0.0) * amount for name, amount in row.items())

    def variance(self, row: Mapping[str, float]) -> float:
        """Return the variance of `predict`; an effect never seen has that of its kind."""
        known = [(self._index[name], amount) for name, amount in row.items() if name in self._index]
        index, amounts = [at for at, _ in known], np.array([amount for _, amount in known])
        unseen = sum(
            (amount * self.spreads[kind_of(name)]) ** 2
            for name, amount in row.items()
            if name not in self._index
        )
        return float(amounts @ self.covariance[np.ix_(index, index)] @ amounts) + unseen

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.effects)}

    def without(self, kinds: Collection[str]) -> MixedEffects:
        """Return the effects of other kinds: those of a paper predict no other paper."""
        kept = [at for at, name in enumerate(self.effects) if kind_of(name) not in kinds]
        names = [*self.effects]
        effects = {names[at]: self.effects[names[at]] for at in kept}
        return replace(self, effects=effects, covariance=self.covariance[np.ix_(kept, kept)])

    def to_json(self) -> dict[str, Any]:
        """Return JSON data: all but the covariance."""
        return {
            "effects": dict(self.effects),
            "spreads": dict(self.spreads),
            "sigma": self.sigma,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any], covariance: Floats) -> MixedEffects:
        """Rebuild from JSON data and the covariance."""
        return cls(data["effects"], covariance, data["spreads"], float(data["sigma"]))


def kind_of(name: str) -> str:
    """Return the kind of an effect.

    Example:
        >>> kind_of("shell:SiO2")
        'shell'
    """
    return name.split(":", 1)[0]


def shared_weights(groups: Sequence[str]) -> Floats:
    """Return weights with which the values of each group weigh 1 together, shape (n,).

    Args:
        groups: Group of each value, such as the experiment that it is of.

    Example:
        >>> shared_weights(["a", "b", "a"]).tolist()
        [0.5, 1.0, 0.5]
    """
    counts = Counter(groups)
    return np.array([1.0 / counts[name] for name in groups])


@on_one_thread
def fit_mixed(  # noqa: PLR0913
    rows: Sequence[Mapping[str, float]],
    low: Floats,
    high: Floats,
    priors: Mapping[str, Normal],
    *,
    learned: Collection[str] = (),
    noise: Floats | None = None,
    weights: Floats | None = None,
    sigma: float = 1.0,
    settings: FitSettings = FitSettings(),
) -> MixedEffects:
    """Fit effects to intervals of a logarithm.

    Args:
        rows: Amount of each effect in each row.
        low: Lower ends, -inf where there is none, shape (n,).
        high: Upper ends, inf where there is none, shape (n,).
        priors: Prior of the effects of each kind.
        learned: Kinds whose spread is learned, by a prior about `priors`.
        noise: Standard deviation of each row in units of sigma, shape (n,); None is 1.
        weights: Weight of the log likelihood of each row, shape (n,); None is 1. A row repeated k
            times with a weight of 1 / k is that row.
        sigma: First guess of the standard deviation of what is left.
        settings: How they are fitted.

    Raises:
        FitError: The fit did not converge.
    """
    names = sorted({name for row in rows for name in row})
    kinds = np.array([kind_of(name) for name in names], dtype=np.str_)
    scale = np.ones(len(rows)) if noise is None else noise
    state = _State(
        design=_design(rows, names) / scale[:, None],
        low=low / scale,
        high=high / scale,
        weights=np.ones(len(rows)) if weights is None else weights,
        kinds=kinds,
        mean=np.array([priors[kind].mean for kind in kinds.tolist()]),
        priors=priors,
        spreads={kind: priors[kind].sd for kind in dict.fromkeys(kinds.tolist())},
        sigma=sigma,
    )
    effects, everything = state.mean.copy(), np.ones(len(rows))
    for _ in range(settings.updates):
        step = state.covariance(everything)
        before = effects
        for _ in range(_STEPS_AN_UPDATE):
            effects = step @ state.pull(effects)
        known = state.information(effects) if settings.by_information else everything
        covariance = state.covariance(known) if settings.by_information else step
        if float(np.abs(effects - before).max(initial=0.0)) < settings.tolerance:
            by_name = dict(zip(names, effects.tolist(), strict=True))
            return MixedEffects(by_name, covariance, state.spreads, state.sigma)
        state = state.with_spreads(effects, covariance, known, learned, settings)
    msg = f"mixed model: the fit did not converge within {settings.updates} updates"
    raise FitError(msg)


def _design(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> Floats:
    column = {name: at for at, name in enumerate(names)}
    design = np.zeros((len(rows), len(names)))
    for at, row in enumerate(rows):
        for name, amount in row.items():
            design[at, column[name]] = amount
    return design


@dataclass(frozen=True)
class _State:
    """Data and spreads of a fit; `low`, `high` and `design` are in units of each row's noise."""

    design: Floats
    low: Floats
    high: Floats
    weights: Floats
    kinds: npt.NDArray[np.str_]
    mean: Floats
    priors: Mapping[str, Normal]
    spreads: Mapping[str, float]
    sigma: float

    def information(self, effects: Floats) -> Floats:
        """Return the share of the information of an exact value that each interval has, (n,)."""
        _, variances = truncated(self.design @ effects, self.sigma, self.low, self.high)
        return np.asarray(1.0 - variances / self.sigma**2)

    def covariance(self, known: Floats) -> Floats:
        """Return the covariance of the effects given the spreads and the information of rows."""
        information = (self.weights * known)[:, None]
        hessian = (self.design * information).T @ self.design / self.sigma**2
        hessian[np.diag_indices_from(hessian)] += self._precision
        return np.asarray(np.linalg.inv(hessian))

    @property
    def _precision(self) -> Floats:
        return np.array([self.spreads[kind] ** -2.0 for kind in self.kinds.tolist()])

    def pull(self, effects: Floats) -> Floats:
        """Return what the data and the prior pull the effects to, times their precision."""
        values, _ = truncated(self.design @ effects, self.sigma, self.low, self.high)
        return self.design.T @ (self.weights * values) / self.sigma**2 + self._precision * self.mean

    def with_spreads(
        self,
        effects: Floats,
        covariance: Floats,
        known: Floats,
        learned: Collection[str],
        settings: FitSettings,
    ) -> _State:
        """Return the state with the expected spreads of the noise and of learned kinds."""
        fitted = self.design @ effects
        values, variances = truncated(fitted, self.sigma, self.low, self.high)
        # An unknown value moves with the effects, so these add to its residual by its information.
        spread = known**2 * ((self.design @ covariance) * self.design).sum(axis=1)
        squares = self.weights @ ((values - fitted) ** 2 + variances + spread)
        total_weight = self.weights.sum() + settings.noise_prior
        sigma = math.sqrt((squares + settings.noise_prior) / total_weight)
        spreads = dict(self.spreads)
        for kind in learned:
            of_kind = self.kinds == kind
            if of_kind.any():
                off = (effects - self.mean)[of_kind]
                total = (off**2).sum() + np.diag(covariance)[of_kind].sum()
                total += settings.spread_prior * self.priors[kind].sd ** 2
                spreads[kind] = math.sqrt(total / (of_kind.sum() + settings.spread_prior))
        return replace(self, spreads=spreads, sigma=sigma)


def truncated(mean: Floats, sd: float, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return mean and variance of normal values that lie within intervals.

    Args:
        mean: Means before truncation, shape (n,).
        sd: Standard deviation before truncation.
        low: Lower ends, -inf allowed, shape (n,).
        high: Upper ends, inf allowed, shape (n,).
    """
    lower, upper = (low - mean) / sd, (high - mean) / sd
    # Lower tails keep their digits where both ends lie far right.
    flip = lower > 0
    first, last = np.where(flip, -upper, lower), np.where(flip, -lower, upper)
    log_first, log_last = log_ndtr(first), log_ndtr(last)
    log_mass = log_last + np.log1p(-np.exp(np.minimum(log_first - log_last, -1e-12)))
    at_first, at_last = (_density_over(end, log_mass) for end in (first, last))
    moved = at_first - at_last
    shrunk = _finite(first) * at_first - _finite(last) * at_last
    variance = np.clip(1.0 + shrunk - moved**2, 0.0, 1.0)
    # An interval much narrower than the noise is a value.
    with np.errstate(invalid="ignore"):
        is_value = upper - lower < _NARROW
        values = np.where(is_value, 0.5 * (low + high), mean + sd * np.where(flip, -moved, moved))
    return values, np.where(is_value, 0.0, sd**2 * variance)


def _density_over(end: Floats, log_mass: Floats) -> Floats:
    """Return the normal density at the ends of intervals over their mass; 0 at infinity."""
    return np.asarray(np.exp(-0.5 * end**2 - _HALF_LOG_2PI - log_mass))


def _finite(ends: Floats) -> Floats:
    return np.where(np.isfinite(ends), ends, 0.0)
