"""How each target is fitted, all inside a training set.

A model is a prior and the mean of a few boosters on what it leaves, from cautious to bold. Inner
folds by paper cannot tell these apart (their errors differ by a hundredth, and the order changes
with every deal of the papers), so nothing is chosen: the mean hedges.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

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
    THIN_STRESSOR_PAPERS,
    shell_labels,
)
from perovshell.training.fit.problems import (
    GainProblem,
    LifetimeProblem,
    RegressionProblem,
    group_weights,
    papers_by,
)
from perovshell.training.fit.regressions import PHYSICAL

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]

LIFETIME_BOOSTERS: Final = (
    BoostConfig(("stressor", *PHYSICAL), rounds=80, depth=2),
    BoostConfig(("stressor", *PHYSICAL), rounds=30, depth=2),
)
"""The boosters, from cautious to bold, whose mean is added to the lifetime's null model."""
SEED_STEP: Final = 1000
"""Distance between the seeds of the boosters of a mean."""


@dataclass(frozen=True)
class FittedRegression:
    """A fitted regression: prior, difficulty and trees."""

    prior: LinearPrior
    difficulty: Difficulty
    trees: FittedForest

    @property
    def without_trees(self) -> FittedRegression:
        """Return the prior alone."""
        return replace(self, trees=mean_forest([]))

    def predict(self, problem: RegressionProblem, rows: Rows) -> Floats:
        """Return predictions of rows of a problem."""
        matrix = problem.matrix[rows]
        return np.asarray(self.prior.predict(matrix) + self.trees.predict(matrix))

    def difficulty_of(self, problem: RegressionProblem, rows: Rows) -> Floats:
        """Return how hard rows of a problem are to predict."""
        return self.difficulty.of(self.prior, problem.matrix[rows], self.predict(problem, rows))


def fit_prior(problem: RegressionProblem, rows: Rows) -> LinearPrior:
    """Fit the prior of a target on rows of its problem; a group counts as one observation."""
    return LinearPrior.fit(
        problem.kind.prior,
        problem.matrix[rows],
        problem.names,
        problem.target[rows],
        [problem.bounds[row] for row in rows],
        group_weights(problem.weight_groups[rows]),
    )


def fit_regression(
    problem: RegressionProblem, rows: Rows, boosters: tuple[BoostConfig, ...], seed: int
) -> FittedRegression:
    """Fit the model of a target on rows of its problem."""
    matrix, target = problem.matrix[rows], problem.target[rows]
    prior = fit_prior(problem, rows)
    bounds = [problem.bounds[row] for row in rows]
    data = (matrix, target, bounds, problem.weights(rows), prior.predict(matrix))
    trees = [
        fit_bounded(*data, problem.kind.loss_scale, config)
        for config in _with_columns_and_seeds(boosters, problem, seed)
    ]
    by_group = group_weights(problem.weight_groups[rows])
    difficulty = Difficulty.fit(
        prior, matrix, problem.names, target, by_group, is_share=problem.kind.scale == "percent"
    )
    return FittedRegression(prior, difficulty, mean_forest(trees))


def _with_columns_and_seeds(
    boosters: tuple[BoostConfig, ...], problem: RegressionProblem | LifetimeProblem, seed: int
) -> list[tuple[BoostConfig, Rows, int]]:
    return [
        (booster, booster.columns(problem.column_groups), seed + SEED_STEP * place)
        for place, booster in enumerate(boosters)
    ]


@dataclass(frozen=True)
class FittedLifetime:
    """A fitted lifetime model: null model by stressor and side, effects, and trees on these.

    Stressors that are no member of `known` are too thin for more than the null model.
    """

    null: PooledEffects
    effects: PooledEffects
    trees: FittedForest
    known: frozenset[str]

    def predict_null(self, problem: LifetimeProblem, rows: Rows) -> Floats:
        """Return the null model's log lifetimes."""
        return np.array([self.null.predict(problem.labels[row]) for row in rows])

    def predict(self, problem: LifetimeProblem, rows: Rows) -> Floats:
        """Return log lifetimes of rows of a problem."""
        labels = linear_labels(problem, rows)
        effects = np.array([self.effects.predict(own) for own in labels])
        known = np.isin(problem.stressors[rows], list(self.known))
        full = effects + self.trees.predict(problem.matrix[rows])
        return np.where(known, full, self.predict_null(problem, rows))


def fit_lifetimes(
    problem: LifetimeProblem,
    rows: Rows,
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
        noise: Distribution of the log lifetime, and its scale beside the null model's.
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
    return FittedLifetime(null, null, mean_forest(trees), _known_stressors(problem, rows))


def fit_linear_lifetimes(problem: LifetimeProblem, rows: Rows) -> FittedLifetime:
    """Fit null model and linear effects of shell, class and structure on rows of a problem."""
    low, high = problem.low[rows], problem.high[rows]
    weights = problem.weights_by_paper(rows)
    null_labels = [problem.labels[row] for row in rows]
    null = PooledEffects.fit(null_labels, low, high, weights, LIFETIME_PRIOR_SD)
    prior_sd = {**LIFETIME_PRIOR_SD, **SHELL_PRIOR_SD}
    effects = PooledEffects.fit(linear_labels(problem, rows), low, high, weights, prior_sd)
    return FittedLifetime(null, effects, mean_forest([]), _known_stressors(problem, rows))


def linear_labels(problem: LifetimeProblem, rows: Rows) -> list[tuple[str, ...]]:
    """Return the labels of the linear model of rows of a problem."""
    return [(*problem.labels[row], *shell_labels(problem.items[row])) for row in rows]


@dataclass(frozen=True)
class FittedGain:
    """A fitted gain model and its null, one mean for all; see `FittedLifetime` for `known`."""

    pooled: PooledEffects
    null: PooledEffects
    known: frozenset[str]

    def predict(self, problem: GainProblem, rows: Rows) -> Floats:
        """Return log gains of rows of a problem."""
        known = np.isin(problem.stressors[rows], list(self.known))
        pooled = [self.pooled.predict(problem.labels[row]) for row in rows]
        return np.where(known, pooled, self.pooled.intercept)


def fit_gain(problem: GainProblem, rows: Rows) -> FittedGain:
    """Fit the gain model and its null on rows of a problem."""
    low, high = problem.low[rows], problem.high[rows]
    weights = problem.weights_by_paper(rows)
    labels = [problem.labels[row] for row in rows]
    pooled = PooledEffects.fit(labels, low, high, weights, GAIN_PRIOR_SD)
    null = PooledEffects.fit([() for _ in rows], low, high, weights, {})
    return FittedGain(pooled, null, _known_stressors(problem, rows))


def _known_stressors(problem: LifetimeProblem | GainProblem, rows: Rows) -> frozenset[str]:
    papers = papers_by(problem.stressors[rows].tolist(), problem.papers[rows].tolist())
    return frozenset(name for name, count in papers.items() if count >= THIN_STRESSOR_PAPERS)
