"""Conformity scores for intervals, and the coverage of intervals on papers left out."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices, Mask
from perovshell.models.conformal import ConformityScores, censored_scores
from perovshell.models.stability import INTERVAL_INFLATION
from perovshell.targets.scales import reported_width
from perovshell.training.fit.problems import (
    GainProblem,
    LifetimeProblem,
    PointProblem,
    papers_by,
)
from perovshell.training.validation.figures import LEVEL, PaperBootstrap
from perovshell.training.validation.nested import OutOfFold

MONDRIAN_MIN_PAPERS: Final = 30
"""A combination that this many papers measured is calibrated by these alone."""


def mondrian(problem: PointProblem, rows: Indices) -> dict[str, Indices]:
    """Return the rows of each Mondrian category: core and shell with `MONDRIAN_MIN_PAPERS`."""
    names = np.array(problem.combinations)[rows]
    papers = papers_by(names.tolist(), problem.papers[rows].tolist())
    return {
        name: rows[names == name]
        for name, count in papers.items()
        if name and count >= MONDRIAN_MIN_PAPERS
    }


def calibrated(
    problem: PointProblem, predicted: Floats, difficulty: Floats, rows: Indices
) -> tuple[ConformityScores, dict[str, ConformityScores]]:
    """Return the scores of rows, and apart from them those of each mondrian combination.

    Among the papers of one combination each counts for itself; among the others a collection
    counts as one.
    """
    apart = mondrian(problem, rows)
    rest = np.setdiff1d(rows, np.concatenate([*apart.values(), np.zeros(0, dtype=np.intp)]))
    usual = residual_scores(problem, predicted, difficulty, rest, problem.weight_groups)
    return usual, {
        name: residual_scores(problem, predicted, difficulty, members, problem.papers)
        for name, members in apart.items()
    }


def residual_scores(
    problem: PointProblem,
    predicted: Floats,
    difficulty: Floats,
    rows: Indices,
    groups: npt.NDArray[np.str_],
) -> ConformityScores:
    """Return the absolute residuals of rows over their difficulty; a bound counts to its far end.

    A PLQY above 80 % may be as high as 100 %: the score is the largest residual it allows.
    """
    residual = largest_residual(problem, predicted)[rows]
    return ConformityScores.of(residual / difficulty[rows], groups[rows].tolist())


def largest_residual(problem: PointProblem, predicted: Floats) -> Floats:
    """Return the largest residual that each row allows, shape (n,)."""
    target, bound = problem.target, np.array(problem.bounds, dtype=np.str_)
    far = np.where(bound == ">", 100.0, np.where(bound == "<", 0.0, target))
    return np.maximum(np.abs(predicted - target), np.abs(predicted - far))


def signed_scores(
    problem: PointProblem, predicted: Floats, difficulty: Floats, rows: Indices
) -> ConformityScores:
    """Return residuals of rows over their difficulty; a bound counts to the least it allows."""
    bound = np.array([problem.bounds[row] for row in rows])
    least = np.where(bound == "<", 0.0, problem.target[rows])
    residual = (least - predicted[rows]) / difficulty[rows]
    return ConformityScores.of(residual, problem.weight_groups[rows].tolist())


def calibration_rows(problem: PointProblem) -> Indices:
    """Return the rows that calibrate intervals: a bound of no percentage has no far end."""
    return np.flatnonzero(problem.is_exact | (problem.spec.target.scale.is_share))


def coverage_at(problem: PointProblem, result: OutOfFold, level: float) -> float:
    """Return the coverage counted by paper of intervals at a level."""
    covered, _ = covered_rows(problem, result, level)
    return PaperBootstrap.of(problem.papers).mean_by_paper(covered.astype(float))[0]


def covered_rows(
    problem: PointProblem,
    result: OutOfFold,
    level: float = LEVEL,
    *,
    normalised: bool = True,
) -> tuple[Mask, Floats]:
    """Return whether each row lies in its interval, and the interval's width in nm or points.

    The interval of a test row is calibrated on the rows that its model was trained on, by what was
    predicted of them when their papers were left out. Rows that no split tests are not covered
    and have the width NaN.

    Args:
        problem: The problem.
        result: Out-of-fold predictions that are covered.
        level: Coverage asked for.
        normalised: Whether residuals are divided by the model's difficulty.
    """
    usable = calibration_rows(problem)
    predicted, bound = result.model[0], np.array(problem.bounds, dtype=np.str_)
    covered, width = np.zeros(len(predicted), dtype=bool), np.full(len(predicted), np.nan)
    even = np.ones(len(problem.target))
    scale = result.others["difficulty"] if normalised else even
    for train, test, known in result.calibrated_splits:
        others = np.intersect1d(train, usable)
        known_scale = known.others["difficulty"] if normalised else even
        usual_scores, apart = calibrated(problem, known.model[0], known_scale, others)
        scores = [apart.get(problem.combinations[row], usual_scores) for row in test]
        within = np.array([one.quantile(level) for one in scores]) * scale[test]
        low, high = predicted[test] - within, predicted[test] + within
        covered[test] = is_covered(problem.target[test], bound[test], low, high)
        width[test] = reported_width(problem.spec.target.scale, low, high)
    return covered, width


def is_covered(target: Floats, side: npt.NDArray[np.str_], low: Floats, high: Floats) -> Mask:
    """Return whether each row lies in its interval (eV, percent), shape (n,).

    A bound (`side`) is covered where some value that it allows lies in the interval.
    """
    return np.asarray(((target >= low) | (side == ">")) & ((target <= high) | (side == "<")))


def interval_scores(
    predicted: Floats, problem: LifetimeProblem | GainProblem, rows: Indices
) -> ConformityScores:
    """Return the residuals of log values, known as widened intervals, as scores by paper."""
    with np.errstate(divide="ignore"):
        low = np.log(problem.low[rows] / INTERVAL_INFLATION) - predicted[rows]
        high = np.log(problem.high[rows] * INTERVAL_INFLATION) - predicted[rows]
    return censored_scores(low, high, problem.papers[rows].tolist(), problem.share[rows])


def floor_scores(
    predicted: Floats, problem: LifetimeProblem | GainProblem, rows: Indices
) -> ConformityScores:
    """Return the lower ends of the residuals of log values, which were seen at least."""
    with np.errstate(divide="ignore"):
        low = np.log(problem.low[rows] / INTERVAL_INFLATION) - predicted[rows]
    return ConformityScores.of(low, problem.papers[rows].tolist(), problem.share[rows])


def lower_bounds(
    problem: LifetimeProblem | GainProblem, result: OutOfFold, level: float = LEVEL
) -> Floats:
    """Return the log lower bound of each row, calibrated as in `covered_rows`; NaN if untested."""
    predicted = result.model[0]
    bound = np.full(len(predicted), np.nan)
    for train, test, known in result.calibrated_splits:
        scores = interval_scores(known.model[0], problem, train)
        bound[test] = predicted[test] + scores.lower_quantile(1 - level)
    return bound
