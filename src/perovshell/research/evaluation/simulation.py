"""Whether intervals cover a new paper where the truth is known: simulated papers with an effect.

Every simulated paper has an effect of its own (its recipe, its instrument) and a few rows with
noise. The model can tell papers apart, as one with many descriptors can: it predicts a row by what
it has seen of its paper, shrunken towards the mean, and a new paper by the mean. Two ways to
calibrate its intervals are compared: by papers left out, as this package does, and by rows left
out, which have sisters of their own paper in the training data. A third simulation asks whether
lower bounds hold when what calibrates them was seen as intervals only, as lifetimes are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perovshell.models.conformal import ConformityScores, censored_scores
from perovshell.training.validation.figures import LEVEL

Floats = npt.NDArray[np.float64]
_EFFECT_SD, _NOISE_SD = 1.0, 0.5
_MEAN_ROWS = 3.0
_MOST_WIDTH, _NO_LOW, _NO_HIGH = 0.5, 0.12, 0.5
"""Widths of simulated intervals, and shares without a lower and an upper end: as lifetimes have."""


@dataclass(frozen=True)
class SimulatedCoverage:
    """Mean coverage of a new paper's rows over data sets of K papers.

    Attributes:
        papers: Number of papers K.
        datasets: Number of simulated data sets.
        by_paper: Mean coverage, calibrated by papers left out.
        by_rows: Mean coverage, calibrated by rows left out.
        by_paper_error: Standard error of `by_paper` (Monte Carlo).
        by_rows_error: Standard error of `by_rows` (Monte Carlo).
        most: Coverage that calibration by paper must not exceed, up to the error: 1.5 / (K + 1)
            above the asked one.
    """

    papers: int
    datasets: int
    by_paper: float
    by_rows: float
    by_paper_error: float
    by_rows_error: float
    most: float


def simulated_coverage(papers: int, datasets: int, seed: int = 0) -> SimulatedCoverage:
    """Return the coverage of both ways to calibrate on simulated data sets.

    Args:
        papers: Number of papers K that calibrate.
        datasets: Number of data sets, each with one more paper that is predicted.
        seed: Seed of the data.
    """
    random = np.random.default_rng([seed, papers])
    found = np.array([_one_dataset(papers, random) for _ in range(datasets)])
    (by_paper, by_rows), error = found.mean(axis=0), found.std(axis=0) / np.sqrt(datasets)
    return SimulatedCoverage(
        papers=papers,
        datasets=datasets,
        by_paper=float(by_paper),
        by_rows=float(by_rows),
        by_paper_error=float(error[0]),
        by_rows_error=float(error[1]),
        most=LEVEL + 1.5 / (papers + 1),
    )


def _one_dataset(papers: int, random: np.random.Generator) -> tuple[float, float]:
    """Return the share of a new paper's rows that each way covers."""
    paper, value = _papers_and_values(papers, random)
    known = paper < papers
    unseen = np.abs(value[~known] - _mean(value[known], paper[known]))
    groups = paper[known].astype(str).tolist()
    by_paper = ConformityScores.of(np.abs(_without_paper(value[known], paper[known])), groups)
    each_alone = [str(row) for row in range(int(known.sum()))]
    by_rows = ConformityScores.of(np.abs(_without_row(value[known], paper[known])), each_alone)
    return (
        float(np.mean(unseen <= by_paper.quantile(LEVEL))),
        float(np.mean(unseen <= by_rows.quantile(LEVEL))),
    )


def _mean(value: Floats, paper: npt.NDArray[np.intp]) -> float:
    """Return the mean over papers."""
    return float((np.bincount(paper, value) / np.bincount(paper)).mean())


def _without_paper(value: Floats, paper: npt.NDArray[np.intp]) -> Floats:
    """Return residuals from the mean of the other papers, shape (n,)."""
    means = np.bincount(paper, value) / np.bincount(paper)
    others = (means.sum() - means) / (len(means) - 1)
    return np.asarray(value - others[paper])


def _without_row(value: Floats, paper: npt.NDArray[np.intp]) -> Floats:
    """Return residuals from a model that has seen the other rows of the paper, shape (n,)."""
    sums, counts = np.bincount(paper, value)[paper], np.bincount(paper)[paper]
    mean = _mean(value, paper)
    left = counts - 1
    of_paper = np.divide(sums - value, left, out=np.zeros_like(value), where=left > 0)
    trust = left * _EFFECT_SD**2 / (left * _EFFECT_SD**2 + _NOISE_SD**2)
    return np.asarray(value - mean - trust * (of_paper - mean))


@dataclass(frozen=True)
class SimulatedBounds:
    """How often the lower bound of a new paper's truth holds, calibrated on intervals.

    Attributes:
        papers: Number of papers K.
        datasets: Number of simulated data sets.
        by_chance: Share kept where tests stop whatever the sample does.
        by_chance_error: Standard error of it (Monte Carlo).
        before_failure: Share kept where half of the tests stop shortly before the sample fails: the
            worst that can hide in intervals without an upper end.
        before_failure_error: Standard error of it (Monte Carlo).
    """

    papers: int
    datasets: int
    by_chance: float
    by_chance_error: float
    before_failure: float
    before_failure_error: float


def simulated_bounds(papers: int, datasets: int, seed: int = 0) -> SimulatedBounds:
    """Return how often lower bounds from censored residuals hold.

    Args:
        papers: Number of papers K that calibrate.
        datasets: Number of data sets, each with one more paper that is predicted.
        seed: Seed of the data.
    """
    random = np.random.default_rng([seed, papers, 1])
    found = np.array([_one_bound(papers, random) for _ in range(datasets)])
    (chance, failure), error = found.mean(axis=0), found.std(axis=0) / np.sqrt(datasets)
    return SimulatedBounds(
        papers, datasets, float(chance), float(error[0]), float(failure), float(error[1])
    )


def _one_bound(papers: int, random: np.random.Generator) -> tuple[float, float]:
    """Return the share of a new paper's rows above the bound, tests stopped in both ways."""
    paper, value = _papers_and_values(papers, random)
    known = paper < papers
    truth, groups = value[known], paper[known].astype(str).tolist()
    width = random.uniform(0.0, _MOST_WIDTH, len(truth))
    low = truth - width * random.random(len(truth))
    high = low + width
    low = np.where(random.random(len(truth)) < _NO_LOW, -np.inf, low)
    stop = random.normal(0, math.hypot(_EFFECT_SD, _NOISE_SD), len(truth))
    stopped = stop < truth
    early = random.random(len(truth)) < _NO_HIGH
    seen = (
        (np.where(stopped, stop, low), np.where(stopped, np.inf, high)),
        (low, np.where(early, np.inf, high)),
    )
    bounds = [
        censored_scores(starts, ends, groups).lower_quantile(1 - LEVEL) for starts, ends in seen
    ]
    by_chance, before_failure = (float(np.mean(value[~known] >= bound)) for bound in bounds)
    return by_chance, before_failure


def _papers_and_values(
    papers: int, random: np.random.Generator
) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return rows of K known papers and a new one, with their values."""
    rows = 1 + random.poisson(_MEAN_ROWS - 1, size=papers + 1)
    paper = np.repeat(np.arange(papers + 1), rows)
    value = random.normal(0, _EFFECT_SD, papers + 1)[paper]
    return paper, value + random.normal(0, _NOISE_SD, len(paper))
