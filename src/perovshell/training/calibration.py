"""Scores that calibrate intervals, and whether intervals calibrated on other papers cover."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from perovshell.data.targets import EV_NM
from perovshell.models.conformal import Scores, censored_scores
from perovshell.training.figures import LEVEL, WIDENED, PaperBootstrap
from perovshell.training.nested import OutOfFold
from perovshell.training.problems import (
    GainProblem,
    LifetimeProblem,
    RegressionProblem,
    same_core_pairs,
)

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
Mask = npt.NDArray[np.bool_]


def residual_scores(
    problem: RegressionProblem, predicted: Floats, difficulty: Floats, rows: Rows
) -> Scores:
    """Return the absolute residuals of rows over their difficulty; a bound counts to its far end.

    A PLQY above 80 % may be as high as 100 %: the score is the largest residual it allows.
    """
    target, guess = problem.target[rows], predicted[rows]
    bound = np.array([problem.bounds[row] for row in rows])
    far = np.where(bound == ">", 100.0, np.where(bound == "<", 0.0, target))
    residual = np.maximum(np.abs(guess - target), np.abs(guess - far))
    return Scores.of(residual / difficulty[rows], problem.weight_groups[rows].tolist())


def calibration_rows(name: str, problem: RegressionProblem) -> Rows:
    """Return the rows that calibrate intervals: a PL bound has no far end, so it is left out."""
    known = [bound not in {">", "<"} or name == "plqy" for bound in problem.bounds]
    return np.flatnonzero(known)


def coverage_at(name: str, problem: RegressionProblem, result: OutOfFold, level: float) -> float:
    """Return the coverage counted by paper of intervals at a level."""
    covered, _ = covered_rows(name, problem, result, level)
    return PaperBootstrap.of(problem.papers).mean_by_paper(covered.astype(float))[0]


def covered_rows(
    name: str,
    problem: RegressionProblem,
    result: OutOfFold,
    level: float = LEVEL,
    difficulty: Floats | None = None,
) -> tuple[Mask, Floats]:
    """Return whether each row lies in its interval, and the interval's width in nm or points.

    The interval is calibrated on the other folds only. Rows that no split tests are not covered
    and have the width NaN.

    Args:
        name: `pl` or `plqy`.
        problem: The problem.
        result: Out-of-fold predictions.
        level: Coverage asked for.
        difficulty: What residuals are divided by; the model's own difficulty where it is None.
    """
    predicted = result.model[0]
    scale = result.others["difficulty"] if difficulty is None else difficulty
    usable = calibration_rows(name, problem)
    covered, width = np.zeros(len(predicted), dtype=bool), np.full(len(predicted), np.nan)
    bound = np.array(problem.bounds)
    for fold in np.unique(result.fold[result.fold >= 0]):
        test = np.flatnonzero(result.fold == fold)
        others = usable[(result.fold[usable] != fold) & (result.fold[usable] >= 0)]
        scores = residual_scores(problem, predicted, scale, others)
        within = scores.quantile(level) * scale[test]
        low, high = predicted[test] - within, predicted[test] + within
        target, side = problem.target[test], bound[test]
        # A bound is covered where some value that it allows lies in the interval.
        covered[test] = ((target >= low) | (side == ">")) & ((target <= high) | (side == "<"))
        width[test] = _width(name, low, high)
    return covered, width


def _width(name: str, low: Floats, high: Floats) -> Floats:
    if name == "pl":
        return np.where(low > 0, EV_NM / np.maximum(low, 1e-9) - EV_NM / high, np.inf)
    return np.clip(high, 0, 100) - np.clip(low, 0, 100)


def interval_scores(
    predicted: Floats, problem: LifetimeProblem | GainProblem, rows: Rows
) -> Scores:
    """Return the residuals of log values, known as widened intervals, as scores by paper."""
    with np.errstate(divide="ignore"):
        low = np.log(problem.low[rows] / WIDENED) - predicted
        high = np.log(problem.high[rows] * WIDENED) - predicted
    return censored_scores(low, high, problem.papers[rows].tolist())


def lower_bounds(predicted: Floats, problem: LifetimeProblem | GainProblem, fold: Rows) -> Floats:
    """Return the log lower bound of each row, calibrated on the other folds."""
    bound = np.empty(len(predicted))
    for number in np.unique(fold):
        others, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        scores = interval_scores(predicted[others], problem, others)
        bound[test] = predicted[test] + scores.lower_quantile(1 - LEVEL)
    return bound


# The shell's effect --------------------------------------------------------------------------


def step_scores(problem: RegressionProblem, predicted: Floats, step: float | None) -> Scores:
    """Return errors of the shell's effect, over pairs of one core in one paper.

    Pairs of a coated and a bare sample are few, so every pair of samples of one core counts that
    differs in something named: it says how far two preparations lie apart when one laboratory
    makes both.

    Args:
        problem: The problem.
        predicted: Out-of-fold predictions, shape (n,).
        step: Expected effect of a coating, or None for the model's own difference.
    """
    coated = problem.subsets["coated"]
    scores, groups = [], []
    for first, second in same_core_pairs(problem):
        if step is None:
            expected = predicted[first] - predicted[second]
        else:
            expected = step if coated[first] and not coated[second] else 0.0
        observed = problem.target[first] - problem.target[second]
        scores.append(abs(observed - expected))
        groups.append(str(problem.papers[first]))
    if not scores:
        return Scores(np.zeros(0), np.zeros(0), 0)
    return Scores.of(np.array(scores), groups)
