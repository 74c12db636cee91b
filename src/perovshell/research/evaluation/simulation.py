"""Coverage of intervals for a new paper, in simulations where the truth is known.

Each simulated paper has an effect (recipe, instrument) and a few rows with noise. The model can
tell papers apart, as a model with many descriptors can: it predicts a row from the other rows of
its paper, shrunk towards the mean, and a new paper by the mean. Two calibrations are compared: with
papers left out, as in this package, and with rows left out, whose papers remain in the training
data. A second simulation checks lower bounds that are calibrated on censored values, such as
lifetimes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.models.conformal import ConformityScores, censored_scores
from perovshell.training.validation.figures import LEVEL

_EFFECT_SD, _NOISE_SD = 1.0, 0.5
_MEAN_ROWS = 3.0
_MAX_WIDTH, _P_NO_LOW, _P_NO_HIGH = 0.5, 0.12, 0.5
"""Width of simulated intervals, and shares without a lower and an upper end: as for lifetimes."""


def simulated_coverage(papers: int, datasets: int, seed: int = 0) -> dict[str, float]:
    """Return the coverage of a new paper's rows by both calibrations.

    Args:
        papers: Number of papers K that calibrate.
        datasets: Number of simulated datasets, each with one more paper that is predicted.
        seed: Seed of the data.

    Returns:
        `by_paper` and `by_rows`: mean coverage, calibrated with papers and with rows left out, each
        with `_error`, its Monte Carlo standard error; `upper_limit`: the largest coverage expected
        of calibration by paper, 1.5 / (K + 1) above the nominal one.
    """
    random = np.random.default_rng([seed, papers])
    coverage = _monte_carlo(("by_paper", "by_rows"), _coverage, papers, datasets, random)
    return {**coverage, "upper_limit": LEVEL + 1.5 / (papers + 1)}


def simulated_bounds(papers: int, datasets: int, seed: int = 0) -> dict[str, float]:
    """Return how often the 90 % lower bound lies below a new paper's true values.

    Args:
        papers: Number of papers K that calibrate.
        datasets: Number of simulated datasets, each with one more paper that is predicted.
        seed: Seed of the data.

    Returns:
        `by_chance`: where tests stop independently of the sample; `before_failure`: where half of
        them stop shortly before the sample fails, the worst that open intervals can hide; each with
        `_error`, its Monte Carlo standard error.
    """
    random = np.random.default_rng([seed, papers, 1])
    return _monte_carlo(("by_chance", "before_failure"), _bounds, papers, datasets, random)


def _monte_carlo(
    names: tuple[str, str],
    simulate: Callable[[int, np.random.Generator], list[float]],
    papers: int,
    datasets: int,
    random: np.random.Generator,
) -> dict[str, float]:
    """Return the mean and standard error of two shares over simulated datasets."""
    shares = np.array([simulate(papers, random) for _ in range(datasets)])
    means, errors = shares.mean(axis=0), shares.std(axis=0) / math.sqrt(datasets)
    return {
        "papers": papers,
        "datasets": datasets,
        **dict(zip(names, means.tolist(), strict=True)),
        **{f"{name}_error": error for name, error in zip(names, errors.tolist(), strict=True)},
    }


def _coverage(papers: int, random: np.random.Generator) -> list[float]:
    """Return the share of a new paper's rows that each calibration covers."""
    paper, value = _papers_and_values(papers, random)
    is_new = paper == papers
    train, train_paper = value[~is_new], paper[~is_new]
    error = np.abs(value[is_new] - _paper_means(train, train_paper).mean())
    residuals = (
        (_residuals_without_paper(train, train_paper), train_paper),
        (_residuals_without_row(train, train_paper), np.arange(len(train))),
    )
    scores = [ConformityScores.of(np.abs(r), _names(groups)) for r, groups in residuals]
    return [float(np.mean(error <= s.quantile(LEVEL))) for s in scores]


def _bounds(papers: int, random: np.random.Generator) -> list[float]:
    """Return the share of a new paper's rows above the bound, for both ways that tests stop."""
    paper, value = _papers_and_values(papers, random)
    is_new = paper == papers
    truth = value[~is_new]
    n = len(truth)
    # Each true value is observed as an interval that contains it, some without a lower end.
    width = random.uniform(0.0, _MAX_WIDTH, n)
    low = truth - width * random.random(n)
    high = low + width
    low = np.where(random.random(n) < _P_NO_LOW, -np.inf, low)
    stop = random.normal(0, math.hypot(_EFFECT_SD, _NOISE_SD), n)
    stopped = stop < truth
    early = random.random(n) < _P_NO_HIGH
    observed = (
        (np.where(stopped, stop, low), np.where(stopped, np.inf, high)),
        (low, np.where(early, np.inf, high)),
    )
    scores = [censored_scores(*ends, _names(paper[~is_new])) for ends in observed]
    return [float(np.mean(value[is_new] >= s.lower_quantile(1 - LEVEL))) for s in scores]


def _papers_and_values(papers: int, random: np.random.Generator) -> tuple[Indices, Floats]:
    """Return the paper and the value of each row; the last paper is the new one."""
    rows = 1 + random.poisson(_MEAN_ROWS - 1, size=papers + 1)
    paper = np.repeat(np.arange(papers + 1), rows)
    effect = random.normal(0, _EFFECT_SD, papers + 1)
    return paper, effect[paper] + random.normal(0, _NOISE_SD, len(paper))


def _names(labels: Indices) -> list[str]:
    return [str(label) for label in labels.tolist()]


def _paper_means(value: Floats, paper: Indices) -> Floats:
    """Return the mean of each paper, shape (n_papers,)."""
    return np.asarray(np.bincount(paper, value) / np.bincount(paper))


def _residuals_without_paper(value: Floats, paper: Indices) -> Floats:
    """Return residuals from the mean of the other papers, shape (n,).

    >>> _residuals_without_paper(np.array([1.0, 3.0, 6.0]), np.array([0, 0, 1]))
    array([-5., -3.,  4.])
    """
    means = _paper_means(value, paper)
    others = (means.sum() - means) / (len(means) - 1)
    return np.asarray(value - others[paper])


def _residuals_without_row(value: Floats, paper: Indices) -> Floats:
    """Return residuals from the shrunk mean of the other rows of the paper, shape (n,)."""
    center = _paper_means(value, paper).mean()
    others = np.bincount(paper)[paper] - 1
    totals = np.bincount(paper, value)[paper] - value
    paper_mean = np.divide(totals, others, out=np.zeros_like(value), where=others > 0)
    # Best linear prediction of the paper's effect from the mean of its other rows.
    shrinkage = others * _EFFECT_SD**2 / (others * _EFFECT_SD**2 + _NOISE_SD**2)
    return np.asarray(value - center - shrinkage * (paper_mean - center))
