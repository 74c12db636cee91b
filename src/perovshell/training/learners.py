"""How each target is fitted and how its settings are chosen, all inside a training set."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.models.boosting import BoostConfig, FittedForest, fit_bounded, fit_lifetime
from perovshell.models.censored import PooledEffects, interval_log_likelihood
from perovshell.models.prior import LinearPrior
from perovshell.models.stability import GAIN_PRIOR_SD, LIFETIME_PRIOR_SD
from perovshell.training.folds import folds_of
from perovshell.training.problems import GainProblem, LifetimeProblem, RegressionProblem

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

INNER_FOLDS: Final = 4
_LOSS_SCALE = {"pl": 0.03, "plqy": math.inf}
"""Residual (eV, percent) from which the loss is linear."""

_PHYSICAL = (
    "core composition",
    "core crystal",
    "core gap",
    "core size",
    "shell class",
    "core-shell contrast",
    "structure",
    "encapsulation",
    "medium",
)
_FULL = (*_PHYSICAL, "core elements", "shell properties", "shell composition")

PL_CONFIGS = (
    BoostConfig(_PHYSICAL, rounds=150, depth=2),
    BoostConfig(_PHYSICAL, rounds=150, depth=4),
    BoostConfig(_PHYSICAL, rounds=400, depth=3),
    BoostConfig(_FULL, rounds=150, depth=3, column_share=0.2),
)
PLQY_CONFIGS = (
    BoostConfig(_PHYSICAL, rounds=40, depth=2, learning_rate=0.03),
    BoostConfig(_PHYSICAL, rounds=120, depth=2, learning_rate=0.03),
    BoostConfig(_PHYSICAL, rounds=120, depth=4, learning_rate=0.03),
    BoostConfig(_FULL, rounds=120, depth=3, learning_rate=0.03, column_share=0.2),
)
LIFETIME_CONFIGS = (
    BoostConfig(("stressor", *_PHYSICAL), rounds=20, depth=2),
    BoostConfig(("stressor", *_PHYSICAL), rounds=80, depth=2),
    BoostConfig(("stressor", *_PHYSICAL), rounds=80, depth=4),
    BoostConfig(("stressor", *_FULL), rounds=80, depth=3, column_share=0.2),
)


@dataclass(frozen=True)
class FittedRegression:
    """A fitted regression: prior or offset, and trees."""

    prior: LinearPrior | None
    offset: float
    trees: FittedForest

    def predict(self, problem: RegressionProblem, rows: Rows) -> Floats:
        """Return predictions of rows of a problem."""
        matrix = problem.matrix[rows]
        start = self.prior.predict(matrix) if self.prior else self.offset
        return np.asarray(start + self.trees.predict(matrix))


def fit_regression(
    name: str, problem: RegressionProblem, rows: Rows, config: BoostConfig, seed: int
) -> FittedRegression:
    """Fit the model of `pl` or `plqy` on rows of a problem."""
    matrix, target = problem.matrix[rows], problem.target[rows]
    weights = problem.weights(rows)
    prior = LinearPrior.fit(matrix, problem.names, target, weights) if name == "pl" else None
    offset = float(np.average(target, weights=weights))
    start = prior.predict(matrix) if prior else np.full(len(rows), offset)
    bounds = [problem.bounds[row] for row in rows]
    columns = config.columns(problem.column_groups)
    trees = fit_bounded(
        matrix, target, bounds, weights, start, _LOSS_SCALE[name], (config, columns, seed)
    )
    return FittedRegression(prior, offset, trees)


def bounded_error(target: Floats, bounds: list[str], predicted: Floats) -> Floats:
    """Return absolute errors; a bound costs nothing where the prediction keeps it."""
    error = np.abs(predicted - target)
    above = np.array([bound == ">" for bound in bounds]) & (predicted > target)
    below = np.array([bound == "<" for bound in bounds]) & (predicted < target)
    return np.where(above | below, 0.0, error)


def choose_regression(
    name: str,
    problem: RegressionProblem,
    rows: Rows,
    configs: tuple[BoostConfig, ...],
    seed: int,
) -> BoostConfig:
    """Choose settings by the paper-weighted error of inner folds by paper."""
    if len(configs) == 1:
        return configs[0]
    costs = []
    for config in configs:
        cost = 0.0
        for train, test in inner_splits(problem.papers, rows):
            fitted = fit_regression(name, problem, train, config, seed)
            bounds = [problem.bounds[row] for row in test]
            error = bounded_error(problem.target[test], bounds, fitted.predict(problem, test))
            cost += float((error * problem.weights(rows)[np.searchsorted(rows, test)]).sum())
        costs.append(cost)
    return configs[int(np.argmin(costs))]


def inner_splits(papers: npt.NDArray[np.str_], rows: Rows) -> list[tuple[Rows, Rows]]:
    """Split rows (in rising order) into inner folds by paper."""
    fold = folds_of(papers[rows].tolist(), INNER_FOLDS, salt="inner:")
    splits = [(rows[fold != k], rows[fold == k]) for k in range(INNER_FOLDS)]
    return [(train, test) for train, test in splits if len(train) and len(test)]


@dataclass(frozen=True)
class FittedLifetime:
    """A fitted lifetime model: null model by stressor and side, and trees."""

    null: PooledEffects
    trees: FittedForest

    def predict_null(self, problem: LifetimeProblem, rows: Rows) -> Floats:
        """Return the null model's log lifetimes."""
        return np.array([self.null.predict(problem.labels[row]) for row in rows])

    def predict(self, problem: LifetimeProblem, rows: Rows) -> Floats:
        """Return log lifetimes of rows of a problem."""
        return self.predict_null(problem, rows) + self.trees.predict(problem.matrix[rows])


def fit_lifetimes(
    problem: LifetimeProblem, rows: Rows, config: BoostConfig, seed: int
) -> FittedLifetime:
    """Fit null model and trees on rows of a problem."""
    low, high, weights = problem.low[rows], problem.high[rows], problem.weights(rows)
    labels = [problem.labels[row] for row in rows]
    null = PooledEffects.fit(labels, low, high, weights, LIFETIME_PRIOR_SD)
    start = np.array([null.predict(label) for label in labels])
    columns = config.columns(problem.column_groups)
    settings = (config, columns, seed)
    trees = fit_lifetime(problem.matrix[rows], low, high, weights, start, null.sigma, settings)
    return FittedLifetime(null, trees)


def choose_lifetimes(
    problem: LifetimeProblem, rows: Rows, configs: tuple[BoostConfig, ...], seed: int
) -> BoostConfig:
    """Choose settings by the censored log likelihood of inner folds by paper."""
    if len(configs) == 1:
        return configs[0]
    gains = []
    for config in configs:
        total = 0.0
        for train, test in inner_splits(problem.papers, rows):
            fitted = fit_lifetimes(problem, train, config, seed)
            chance = interval_log_likelihood(
                fitted.predict(problem, test),
                fitted.null.sigma,
                problem.low[test],
                problem.high[test],
            )
            total += float((chance * problem.weights(test)).sum())
        gains.append(total)
    return configs[int(np.argmax(gains))]


def fit_gain(problem: GainProblem, rows: Rows) -> tuple[PooledEffects, PooledEffects]:
    """Fit the gain model and its null (one mean for all) on rows of a problem."""
    low, high, weights = problem.low[rows], problem.high[rows], problem.weights(rows)
    labels = [problem.labels[row] for row in rows]
    pooled = PooledEffects.fit(labels, low, high, weights, GAIN_PRIOR_SD)
    null = PooledEffects.fit([() for _ in rows], low, high, weights, {})
    return pooled, null
