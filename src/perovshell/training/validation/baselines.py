"""The frozen baselines: median, nearest neighbour, forests on two sets of descriptors, Vegard.

A random forest learns from the element statistics of the core (magpie), extremely randomised trees
(10.1007/s10994-006-6226-1) from the descriptors that the boosters split on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.training.fit.problems import PointProblem
from perovshell.training.fit.specs import PHYSICAL

MEDIAN: Final = "dummy"
"""The baseline that skill is measured against."""
_NEIGHBOUR_GROUPS: Final = ("core composition", "shell class", "structure")


def weighted_median(values: Floats, weights: Floats) -> float:
    """Return the smallest value with at least half of the weight at or below it."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) >= 0.5 * weights.sum() - 1e-12
    return float(values[order][reached.argmax()])


def predict_baselines(
    problem: PointProblem, train: Indices, test: Indices, trees: int, names: Sequence[str]
) -> dict[str, Floats]:
    """Return the predictions of baselines for test rows.

    Args:
        problem: The problem.
        train: Training rows.
        test: Test rows.
        trees: Number of trees of each forest.
        names: The baselines.
    """
    median = weighted_median(problem.target[train], problem.weights(train))
    predict: dict[str, Callable[[], Floats]] = {
        MEDIAN: lambda: np.full(len(test), median),
        "neighbour": lambda: _neighbour(problem, train, test),
        "forest": lambda: _forest(problem, train, test, trees),
        "extra_trees": lambda: _extra_trees(problem, train, test, trees),
        "vegard": lambda: _vegard(problem, test, median),
    }
    return {baseline: predict[baseline]() for baseline in names}


def _neighbour(problem: PointProblem, train: Indices, test: Indices) -> Floats:
    """Mean target of the nearest training rows in composition, shell class and structure."""
    columns = [i for i, g in enumerate(problem.column_groups) if g in _NEIGHBOUR_GROUPS]
    known = np.nan_to_num(problem.matrix[:, columns])
    distance = np.abs(known[test][:, None, :] - known[train][None, :, :]).sum(axis=2)
    nearest = distance <= distance.min(axis=1, keepdims=True) + 1e-9
    weights = nearest * problem.weights(train)
    return np.asarray(weights @ problem.target[train] / weights.sum(axis=1))


def _forest(problem: PointProblem, train: Indices, test: Indices, trees: int) -> Floats:
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(n_estimators=trees, random_state=0, n_jobs=1)
    known = _columns(problem, ("core elements",))
    forest.fit(known[train], problem.target[train], sample_weight=problem.weights(train))
    return np.asarray(forest.predict(known[test]))


def _extra_trees(problem: PointProblem, train: Indices, test: Indices, trees: int) -> Floats:
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(n_estimators=trees, random_state=0, n_jobs=1)
    known = _columns(problem, PHYSICAL)
    forest.fit(known[train], problem.target[train], sample_weight=problem.weights(train))
    return np.asarray(forest.predict(known[test]))


def _columns(problem: PointProblem, groups: Sequence[str]) -> Floats:
    """Return the columns of some groups of descriptors; unknown is -1."""
    columns = [i for i, group in enumerate(problem.column_groups) if group in groups]
    return np.nan_to_num(problem.matrix[:, columns], nan=-1.0)


def _vegard(problem: PointProblem, test: Indices, median: float) -> Floats:
    gap = problem.matrix[test, problem.names.index("bulk gap by Vegard")]
    return np.where(np.isnan(gap), median, gap)
