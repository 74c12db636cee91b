"""Validation figures with intervals by paper: a bootstrap over papers, not over rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices, Mask

Figures = dict[str, float | None]
Triple = tuple[float, float, float]
"""A figure and the ends of its interval."""

RESAMPLES = 2000
_TIE = 1e-12
_FLAT = 1e-12
"""Share of the squares below which values are all the same."""
LEVEL = 0.9
"""Coverage of the bootstrap intervals."""


@dataclass(frozen=True)
class PaperBootstrap:
    """Resampling of papers with a fixed seed.

    Attributes:
        paper: Number of the paper of each row, shape (n,).
        share: What each row counts for within its paper, shape (n,).
        counts: How often each paper is drawn in each resample, shape (resamples, n_papers).
    """

    paper: Indices
    share: Floats
    counts: Floats

    @classmethod
    def of(cls, papers: npt.NDArray[np.str_], share: Floats | None = None) -> PaperBootstrap:
        """Prepare resamples of the papers of rows."""
        names, paper = np.unique(papers, return_inverse=True)
        counts = _resampled(len(names))
        return cls(paper, np.ones(len(paper)) if share is None else share, counts)

    def _totals(self, values: Floats) -> Floats:
        totals = np.bincount(self.paper, values * self.share, minlength=self.counts.shape[1])
        return np.asarray(totals, dtype=float)

    def mean(self, values: Floats) -> Triple:
        """Return the row mean of values and its interval over papers."""
        sums, sizes = self._totals(values), self._totals(np.ones(len(values)))
        drawn = (self.counts @ sums) / np.maximum(self.counts @ sizes, 1e-12)
        return float(sums.sum() / sizes.sum()), *_ends(drawn)

    def mean_width(self, width: Floats) -> Triple:
        """Return the row mean of widths as `mean` does; NaN where one is infinite."""
        return self.mean(width) if np.isfinite(width).all() else (math.nan,) * 3

    def mean_by_paper(self, values: Floats, level: float = LEVEL) -> Triple:
        """Return the mean of the papers' means and its interval over papers at a level."""
        means = self._totals(values) / self._totals(np.ones(len(values)))
        drawn = (self.counts @ means) / self.counts.sum(axis=1)
        return float(means.mean()), *_ends(drawn, level)

    def median(self, values: Floats) -> Triple:
        """Return the row median of values and its interval over papers."""
        order = np.argsort(values, kind="stable")
        reached = np.cumsum(self.counts[:, self.paper[order]], axis=1)
        middle = (reached >= 0.5 * reached[:, -1:]).argmax(axis=1)
        return float(np.median(values)), *_ends(values[order][middle])

    def r2(self, observed: Floats, predicted: Floats) -> Triple:
        """Return the R2 of predictions and its interval over papers."""
        powers = (np.ones(len(observed)), observed, observed**2, (observed - predicted) ** 2)
        totals = np.array([self._totals(power) for power in powers])

        def share(count: Floats, total: Floats, square: Floats, left: Floats) -> Floats:
            spread = square - total**2 / np.maximum(count, 1e-12)
            return 1.0 - left / np.where(spread > _FLAT * square, spread, np.nan)

        drawn = share(*(self.counts @ total for total in totals))
        whole = share(*totals.sum(axis=1, keepdims=True))
        return float(whole[0]), *_ends(drawn[np.isfinite(drawn)])

    def statistic(self, compute: Callable[[Floats], Floats], resamples: int = 300) -> list[float]:
        """Return a statistic of row weights, with its interval: for what is no mean.

        Args:
            compute: Returns the statistic, shape (k,), for weights of the rows, shape (k, n).
            resamples: Number of resamples.
        """
        drawn = compute(self.counts[:resamples, self.paper])
        whole = float(compute(np.ones((1, len(self.paper))))[0])
        return [whole, *_ends(drawn[np.isfinite(drawn)])]


@lru_cache(maxsize=16)
def _resampled(papers: int) -> Floats:
    """Return how often each of so many papers is drawn, by a fixed seed; see `PaperBootstrap`."""
    random = np.random.default_rng(20_240_229)
    even = np.full(papers, 1.0 / papers)
    counts = random.multinomial(papers, even, size=RESAMPLES).astype(float)
    counts.flags.writeable = False  # It is shared.
    return counts


def _ends(drawn: Floats, level: float = LEVEL) -> tuple[float, float]:
    if not len(drawn):
        return math.nan, math.nan
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def put(figures: Figures, key: str, triple: Triple | list[float]) -> None:
    """Store a figure with its interval under `key`, `key_lo`, `key_hi`; NaN becomes None."""
    for end, value in zip(("", "_lo", "_hi"), triple, strict=True):
        figures[key + end] = None if math.isnan(value) else float(value)


def regression_figures(
    prefix: str, papers: npt.NDArray[np.str_], observed: Floats, predicted: Floats, error: Floats
) -> Figures:
    """Return n, papers, mean (rows and papers), median error and R2 of predictions."""
    figures: Figures = {}
    if not len(observed):
        return {f"{prefix}.n": 0.0}
    bootstrap = PaperBootstrap.of(papers)
    figures[f"{prefix}.n"] = float(len(observed))
    figures[f"{prefix}.papers"] = float(len(set(papers.tolist())))
    put(figures, f"{prefix}.mae", bootstrap.mean(error))
    put(figures, f"{prefix}.mae_by_paper", bootstrap.mean_by_paper(error))
    put(figures, f"{prefix}.median", bootstrap.median(error))
    put(figures, f"{prefix}.r2", bootstrap.r2(observed, predicted))
    return figures


def coverage_figures(
    prefix: str, papers: npt.NDArray[np.str_], covered: Mask, width: Floats
) -> Figures:
    """Return the coverage counted by paper, and the mean width (None where one is infinite)."""
    figures: Figures = {}
    bootstrap = PaperBootstrap.of(papers)
    put(figures, f"{prefix}.coverage", bootstrap.mean_by_paper(covered.astype(float)))
    put(figures, f"{prefix}.width", bootstrap.mean_width(width))
    return figures


def concordance(step: Floats, low: Floats, high: Floats, allowed: Mask, weights: Floats) -> Floats:
    """Return the share of comparable pairs that a model puts in the right order, shape (...).

    Two intervals are comparable where one ends before the other begins. A tie counts half.

    Args:
        step: How far a row is predicted above a column, NaN where it is not, shape (n, n).
        low: Lower ends, shape (n,).
        high: Upper ends, shape (n,).
        allowed: Which pairs count, shape (n, n).
        weights: Row weights, shape (..., n).

    Returns:
        Shares, NaN where no pair is comparable.
    """
    longer = ((low[:, None] > high[None, :]) & allowed & ~np.isnan(step)).astype(float)
    right = longer * ((step > _TIE) + 0.5 * (np.abs(step) <= _TIE))
    total, ordered = (((weights @ pairs) * weights).sum(axis=-1) for pairs in (longer, right))
    return np.asarray(ordered / np.where(total > 0, total, np.nan))


def by_paper_slope(observed: Floats, predicted: Floats, weights: Floats) -> float:
    """Return the slope of observed on predicted, held within 0 and 1."""
    center = predicted - np.average(predicted, weights=weights)
    spread = float((weights * center**2).sum())
    if spread <= 0.0:
        return 0.0
    return float(np.clip((weights * center * observed).sum() / spread, 0.0, 1.0))
