"""How each target is fitted, all inside a training set.

A model is a prior and the mean of a few boosters on what it leaves, from cautious to bold. Inner
folds by paper cannot tell these apart (their errors differ by a hundredth, and the order changes
with every fold assignment), so nothing is chosen: the mean hedges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.models.boosting import (
    BoostConfig,
    FittedForest,
    fit_bounded,
    fit_lifetime,
    mean_forest,
)
from perovshell.models.censored import PooledEffects
from perovshell.models.difficulty import Difficulty
from perovshell.models.prior import LinearPrior
from perovshell.models.stability import (
    GAIN_PRIOR_SD,
    LIFETIME_PRIOR_SD,
    SHELL_PRIOR_SD,
    answer_or_null,
    shell_labels,
    thin_stressors,
)
from perovshell.training.fit.problems import (
    GainProblem,
    LifetimeProblem,
    PointProblem,
    group_weights,
    papers_by,
)
from perovshell.training.fit.specs import PHYSICAL

LIFETIME_BOOSTERS: Final = (
    BoostConfig(("stressor", *PHYSICAL), rounds=80, depth=2),
    BoostConfig(("stressor", *PHYSICAL), rounds=30, depth=2),
)
"""The boosters, from cautious to bold, whose mean is added to the lifetime's null model."""
SEED_STEP: Final = 1000
"""Distance between the seeds of the boosters of a mean."""


@dataclass(frozen=True)
class FittedPoint:
    """A fitted regression: prior, difficulty and trees."""

    prior: LinearPrior
    difficulty: Difficulty
    trees: FittedForest

    @property
    def without_trees(self) -> FittedPoint:
        """Return the prior alone."""
        return replace(self, trees=mean_forest([]))

    def predict(self, problem: PointProblem, rows: Indices) -> Floats:
        """Return predictions of rows of a problem."""
        matrix = problem.matrix[rows]
        return np.asarray(self.prior.predict(matrix) + self.trees.predict(matrix))

    def difficulty_of(self, problem: PointProblem, rows: Indices) -> Floats:
        """Return how hard rows of a problem are to predict."""
        return self.difficulty.of(self.prior, problem.matrix[rows], self.predict(problem, rows))


def fit_prior(problem: PointProblem, rows: Indices) -> LinearPrior:
    """Fit the prior of a target on rows of its problem; a group counts as one observation."""
    return LinearPrior.fit(
        problem.spec.prior,
        problem.matrix[rows],
        problem.names,
        problem.target[rows],
        [problem.bounds[row] for row in rows],
        group_weights(problem.weight_groups[rows]),
        problem.qualities[rows],
    )


def fit_point(
    problem: PointProblem, rows: Indices, boosters: tuple[BoostConfig, ...], seed: int
) -> FittedPoint:
    """Fit the model of a target on rows of its problem."""
    matrix, target = problem.matrix[rows], problem.target[rows]
    prior = fit_prior(problem, rows)
    bounds = [problem.bounds[row] for row in rows]
    stated = prior.predict(matrix) + problem.qualities[rows] @ prior.quality_effects
    data = (matrix, target, bounds, problem.weights(rows), stated)
    trees = [
        fit_bounded(*data, problem.spec.loss_scale, config)
        for config in _with_columns_and_seeds(boosters, problem, seed)
    ]
    by_group = group_weights(problem.weight_groups[rows])
    difficulty = Difficulty.fit(
        prior, matrix, problem.names, target, by_group, is_share=problem.spec.target.scale.is_share
    )
    return FittedPoint(prior, difficulty, mean_forest(trees))


def _with_columns_and_seeds(
    boosters: tuple[BoostConfig, ...], problem: PointProblem | LifetimeProblem, seed: int
) -> list[tuple[BoostConfig, Indices, int]]:
    return [
        (booster, booster.columns(problem.column_groups), seed + SEED_STEP * number)
        for number, booster in enumerate(boosters)
    ]


@dataclass(frozen=True)
class FittedLifetime:
    """A fitted lifetime model: null model by stressor and side, effects, and trees on these.

    `papers` counts those of each stressor: thin ones are answered by the null model.
    """

    null: PooledEffects
    effects: PooledEffects
    trees: FittedForest
    papers: Mapping[str, int]

    def predict_null(self, problem: LifetimeProblem, rows: Indices) -> Floats:
        """Return the null model's log lifetimes."""
        return np.array([self.null.predict(problem.labels[row]) for row in rows])

    def predict(self, problem: LifetimeProblem, rows: Indices) -> Floats:
        """Return log lifetimes of rows of a problem."""
        labels = linear_labels(problem, rows)
        effects = np.array([self.effects.predict(row) for row in labels])
        full = effects + self.trees.predict(problem.matrix[rows])
        is_thin = thin_stressors(self.papers, problem.stressors[rows].tolist())
        return answer_or_null(is_thin, self.predict_null(problem, rows), full, is_metal=False)


def fit_lifetimes(
    problem: LifetimeProblem,
    rows: Indices,
    boosters: tuple[BoostConfig, ...],
    seed: int,
    noise: tuple[str, float] = ("normal", 1.0),
) -> FittedLifetime:
    """Fit null model and trees on rows of a problem.

    Args:
        problem: The problem.
        rows: Training rows.
        boosters: Settings of the trees.
        seed: Seed of the first booster.
        noise: Distribution of the log lifetime, and its scale relative to the null model.
    """
    low, high, weights = problem.low[rows], problem.high[rows], problem.weights(rows)
    labels = [problem.labels[row] for row in rows]
    by_paper = problem.weights_by_paper(rows)
    null = PooledEffects.fit(labels, low, high, by_paper, LIFETIME_PRIOR_SD)
    start = np.array([null.predict(label) for label in labels])
    spread = (noise[0], noise[1] * null.sigma)
    data = (problem.matrix[rows], low, high, weights, start, spread, problem.names)
    trees = [
        fit_lifetime(*data, config) for config in _with_columns_and_seeds(boosters, problem, seed)
    ]
    return FittedLifetime(null, null, mean_forest(trees), _papers_of_stressors(problem, rows))


def fit_linear_lifetimes(problem: LifetimeProblem, rows: Indices) -> FittedLifetime:
    """Fit null model and linear effects of shell, class and structure on rows of a problem."""
    low, high = problem.low[rows], problem.high[rows]
    weights = problem.weights_by_paper(rows)
    null_labels = [problem.labels[row] for row in rows]
    null = PooledEffects.fit(null_labels, low, high, weights, LIFETIME_PRIOR_SD)
    prior_sd = {**LIFETIME_PRIOR_SD, **SHELL_PRIOR_SD}
    effects = PooledEffects.fit(linear_labels(problem, rows), low, high, weights, prior_sd)
    return FittedLifetime(null, effects, mean_forest([]), _papers_of_stressors(problem, rows))


def linear_labels(problem: LifetimeProblem, rows: Indices) -> list[tuple[str, ...]]:
    """Return the labels of the linear model of rows of a problem."""
    return [(*problem.labels[row], *shell_labels(problem.items[row])) for row in rows]


@dataclass(frozen=True)
class FittedGain:
    """A fitted gain model and its null, one mean for all; see `FittedLifetime` for `papers`."""

    pooled: PooledEffects
    null: PooledEffects
    papers: Mapping[str, int]

    def predict(self, problem: GainProblem, rows: Indices) -> Floats:
        """Return log gains of rows of a problem."""
        pooled = np.array([self.pooled.predict(problem.labels[row]) for row in rows])
        is_thin = thin_stressors(self.papers, problem.stressors[rows].tolist())
        return answer_or_null(is_thin, np.asarray(self.pooled.intercept), pooled, is_metal=False)


def fit_gain(problem: GainProblem, rows: Indices) -> FittedGain:
    """Fit the gain model and its null on rows of a problem."""
    low, high = problem.low[rows], problem.high[rows]
    weights = problem.weights_by_paper(rows)
    labels = [problem.labels[row] for row in rows]
    pooled = PooledEffects.fit(labels, low, high, weights, GAIN_PRIOR_SD)
    null = PooledEffects.fit([() for _ in rows], low, high, weights, {})
    return FittedGain(pooled, null, _papers_of_stressors(problem, rows))


def _papers_of_stressors(problem: LifetimeProblem | GainProblem, rows: Indices) -> dict[str, int]:
    return papers_by(problem.stressors[rows].tolist(), problem.papers[rows].tolist())
