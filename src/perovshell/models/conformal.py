"""Intervals with papers as groups.

Rows of one paper are not independent, so a score counts by its paper: each of K papers has the
mass 1 / (K + 1), shared by its rows, and one unseen paper with an unbounded score has the rest.
The quantile of these masses gives a coverage of at least the asked one for the rows of a new paper
(weighted by paper) when papers are exchangeable; see Lee et al., "Distribution-free inference with
hierarchical data" (10.48550/arXiv.2306.06342).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perovshell.arrays import Floats
from perovshell.errors import FitError
from perovshell.remembered import Remembered

_MAX_STEPS = 20_000
_TOLERANCE = 1e-10
_TINY = 1e-300
_ROUNDING = 1e-12
_LEVELS_KEPT = 64
"""Coverages: single predictions ask for the same few again and again."""


def group_masses(groups: Sequence[str], share: Floats | None = None) -> Floats:
    """Return the mass of each row: 1 / (K + 1) a group, shared by its rows.

    Args:
        groups: Paper of each row.
        share: What each row counts for within its paper; None is alike, shape (n,).
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    parts = np.ones(len(group)) if share is None else share
    total = np.bincount(group, weights=parts, minlength=len(names))
    return np.asarray(parts / ((len(names) + 1) * total[group]))


@dataclass(frozen=True)
class ConformityScores:
    """Conformity scores with their masses.

    Attributes:
        values: ConformityScores in rising order, shape (n,).
        masses: Mass of each score, shape (n,); the rest to 1 is the unseen paper's.
        groups: Number of papers K.
    """

    values: Floats
    masses: Floats
    groups: int

    @classmethod
    def of(
        cls, values: Floats, groups: Sequence[str], share: Floats | None = None
    ) -> ConformityScores:
        """Sort scores and weigh them by group, as in `group_masses`."""
        order = np.argsort(values, kind="stable")
        return cls(values[order], group_masses(groups, share)[order], len(set(groups)))

    @cached_property
    def largest(self) -> float:
        """The largest score, inf where none is finite."""
        known = self.values[np.isfinite(self.values)]
        return float(known[-1]) if len(known) else math.inf

    def quantile(self, coverage: float) -> float:
        """Return the score that a new paper's rows stay within; inf where K is too small."""
        return self._quantiles.made(coverage, self._quantile)

    @cached_property
    def _quantiles(self) -> Remembered[float, float]:
        return Remembered(_LEVELS_KEPT)

    def _quantile(self, coverage: float) -> float:
        index = int(np.searchsorted(self._cumulative, coverage - _ROUNDING))
        return float(self.values[index]) if index < len(self.values) else math.inf

    def lower_quantile(self, level: float) -> float:
        """Return the score that a new paper's rows stay above with probability 1 - level.

        The unseen paper's mass lies at -inf.
        """
        return self._lower_quantiles.made(level, self._lower_quantile)

    @cached_property
    def _lower_quantiles(self) -> Remembered[float, float]:
        return Remembered(_LEVELS_KEPT)

    def _lower_quantile(self, level: float) -> float:
        unseen = 1.0 - float(self.masses.sum())
        if unseen > level + _ROUNDING:
            return -math.inf
        reached = unseen + self._cumulative
        index = int(np.searchsorted(reached, level + _ROUNDING, "right"))
        return float(self.values[index]) if index < len(self.values) else -math.inf

    def cdf(self, residual: Floats) -> Floats:
        """Return the probability that signed residuals, of any shape, are at most the given ones.

        The scores are sizes of residuals: each counts half on either side, and so does the unseen
        paper, without limit. Between two scores the probability rises in a straight line.
        """
        size = np.abs(residual)
        if not len(self.values):
            return np.full(size.shape, 0.5)
        values = np.concatenate([[0.0], self.values])
        within = np.interp(size, values, np.concatenate([[0.0], self._cumulative]))
        return np.asarray(np.where(residual >= 0, 0.5 + 0.5 * within, 0.5 - 0.5 * within))

    def share_above(self, residual: Floats) -> Floats:
        """Return the mass of signed scores above the given one, the unseen paper left out.

        Of scores at the lower ends of the rows, it is the least that the probability can be.
        """
        reached = np.concatenate([[0.0], self._cumulative])
        return np.asarray(
            reached[-1] - reached.take(np.searchsorted(self.values, residual, "right"))
        )

    @cached_property
    def _cumulative(self) -> Floats:
        return np.cumsum(self.masses)


def censored_scores(
    low: Floats, high: Floats, groups: Sequence[str], share: Floats | None = None
) -> ConformityScores:
    """Estimate the distribution of residuals that are known as intervals only.

    The nonparametric maximum-likelihood estimate for interval-censored data (Turnbull,
    10.1111/j.2517-6161.1976.tb01597.x), with rows weighted by paper.

    Args:
        low: Lower ends of the residuals, -inf where unbounded, shape (n,).
        high: Upper ends, inf where unbounded, shape (n,).
        groups: Paper of each row.
        share: What each row counts for within its paper; None is alike, shape (n,).

    Raises:
        FitError: The estimate did not converge.

    Returns:
        Scores at the lower ends of the mass intervals; masses as in `ConformityScores`. Rows
        without an upper end share the last interval, so how far up their mass lies is a guess:
        quantiles below it are an estimate, shares above a value are not (see `share_above`).
    """
    starts, covers = _mass_intervals(low, high)
    weights = group_masses(groups, share)
    mass = _most_likely(covers, weights / weights.sum())
    kept = mass > 1e-12  # noqa: PLR2004
    return ConformityScores(starts[kept], mass[kept] * weights.sum(), len(set(groups)))


def _most_likely(covers: Floats, weights: Floats) -> Floats:
    """Return the masses of mass intervals that make what was seen most likely.

    Expectation-maximisation with squared steps (Varadhan and Roland,
    10.1111/j.1467-9469.2007.00585.x): a step that leaves the simplex is not taken.

    Args:
        covers: Whether a row (first axis) covers a mass interval (second axis), as 0 or 1.
        weights: Weights of the rows, with the sum 1.

    Raises:
        FitError: The estimate did not converge.
    """

    def step(mass: Floats) -> Floats:
        return np.asarray(mass * (weights / (covers @ mass) @ covers))

    mass = np.full(covers.shape[1], 1.0 / covers.shape[1])
    for _ in range(_MAX_STEPS):
        once = step(mass)
        change = once - mass
        if float(np.abs(change).max()) < _TOLERANCE:
            break
        twice = step(once)
        turn = twice - once - change
        far = math.sqrt(float(change @ change) / max(float(turn @ turn), _TINY))
        leap = mass + 2.0 * far * change + far**2 * turn
        mass = step(leap if far > 1.0 and (leap >= 0.0).all() else twice)
    else:
        msg = f"conformity scores: the estimate did not converge within {_MAX_STEPS} iterations"
        raise FitError(msg)
    return np.asarray(mass / mass.sum())


def _mass_intervals(low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return where mass can sit (innermost intervals) and which rows cover each."""
    starts, ends = np.unique(low), np.unique(high)
    innermost = []
    for start in starts:
        end = ends[ends >= start][0]
        later = starts[(starts > start) & (starts <= end)]
        if not len(later):
            innermost.append((start, end))
    first = np.array([start for start, _ in innermost])
    last = np.array([end for _, end in innermost])
    covers = (low[:, None] <= first[None, :]) & (high[:, None] >= last[None, :])
    return first, covers.astype(float)
