"""The frozen baselines: median, nearest neighbour, random forest on magpie, Vegard's rule."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.training.fit.problems import PointProblem

_NEIGHBOUR_GROUPS = ("core composition", "shell class", "structure")


def weighted_median(values: Floats, weights: Floats) -> float:
    """Return the smallest value with at least half of the weight at or below it."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) >= 0.5 * weights.sum() - 1e-12
    return float(values[order][reached.argmax()])


def predict_baselines(
    problem: PointProblem, train: Indices, test: Indices, trees: int
) -> dict[str, Floats]:
    """Return the predictions of each baseline of the target for test rows; the forest has trees."""
    median = weighted_median(problem.target[train], problem.weights(train))
    predict: dict[str, Callable[[], Floats]] = {
        "dummy": lambda: np.full(len(test), median),
        "neighbour": lambda: _neighbour(problem, train, test),
        "forest": lambda: _forest(problem, train, test, trees),
        "vegard": lambda: _vegard(problem, test, median),
    }
    return {baseline: predict[baseline]() for baseline in problem.spec.baselines}


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

    columns = [i for i, group in enumerate(problem.column_groups) if group == "core elements"]
    known = np.nan_to_num(problem.matrix[:, columns], nan=-1.0)
    forest = RandomForestRegressor(n_estimators=trees, random_state=0, n_jobs=1)
    forest.fit(known[train], problem.target[train], sample_weight=problem.weights(train))
    return np.asarray(forest.predict(known[test]))


def _vegard(problem: PointProblem, test: Indices, median: float) -> Floats:
    gap = problem.matrix[test, problem.names.index("bulk gap by Vegard")]
    return np.where(np.isnan(gap), median, gap)
