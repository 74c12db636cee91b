"""How each target is fitted, all inside a training set.

A model is a prior and the mean of a few boosters of its residuals, which differ in number and depth
of trees. Inner folds by paper cannot tell these apart (their errors differ by a hundredth, and the
order changes with every fold assignment), so none is selected.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
from perovshell.models.difficulty import Difficulty
from perovshell.models.mixed import MixedEffects, fit_mixed, kind_of
from perovshell.models.prior import LinearPrior
from perovshell.models.stability import (
    EFFECT_PRIORS,
    LEARNED_SPREADS,
    NULL_KINDS,
    Logarithms,
    effect_sums,
    thin_stressors,
)
from perovshell.models.threads import on_one_thread
from perovshell.training.fit.problems import (
    GainProblem,
    LifetimeProblem,
    PointProblem,
    StabilityProblem,
    group_weights,
    papers_by,
)
from perovshell.training.fit.specs import PHYSICAL

STABILITY_BOOSTERS: Final = (
    BoostConfig(("stressor", *PHYSICAL), rounds=80, depth=2),
    BoostConfig(("stressor", *PHYSICAL), rounds=30, depth=2),
)
"""The boosters, with more and fewer trees, whose mean is added to the effects of the lifetime."""
_FIRST_SIGMA: Final = 2.0
"""First guess of the spread of log lifetimes within a test."""
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


@on_one_thread
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
class FittedStability:
    """A fitted model of lifetimes and gains: null model, effects, and trees on these.

    Attributes:
        null: Effects of stressor and side.
        effects: All effects; those of papers and tests included.
        trees: Trees on top of the effects.
        papers: Papers of each stressor: thin ones are answered by the null model.
    """

    null: MixedEffects
    effects: MixedEffects
    trees: FittedForest
    papers: Mapping[str, int]

    @property
    def without_trees(self) -> FittedStability:
        """Return the effects alone."""
        return replace(self, trees=mean_forest([]))

    def lifetimes(self, problem: LifetimeProblem) -> Logarithms:
        """Return log lifetimes of sides."""
        trees = self.trees.predict(problem.matrix)
        return self._logarithms(problem, trees, is_gain=False)

    def gains(self, problem: GainProblem) -> Logarithms:
        """Return log gains of two-sided tests."""
        trees = self.trees.predict(problem.coated) - self.trees.predict(problem.bare)
        return self._logarithms(problem, trees, is_gain=True)

    def _logarithms(
        self, problem: LifetimeProblem | GainProblem, trees: Floats, *, is_gain: bool
    ) -> Logarithms:
        is_thin = thin_stressors(self.papers, problem.stressors.tolist())
        models = self.null, self.effects
        return Logarithms.of(models, problem.effects, trees, is_null=is_thin, is_gain=is_gain)


def fit_stability(
    problem: StabilityProblem, rows: Indices, boosters: tuple[BoostConfig, ...], seed: int
) -> FittedStability:
    """Fit effects and trees on some tests.

    Args:
        problem: The problem.
        rows: The tests.
        boosters: Settings of the trees.
        seed: Seed of the first booster.
    """
    return fit_stability_seeds(problem, rows, boosters, [seed])[0]


@on_one_thread
def fit_stability_seeds(
    problem: StabilityProblem,
    rows: Indices,
    boosters: tuple[BoostConfig, ...],
    seeds: Sequence[int],
) -> list[FittedStability]:
    """Fit the effects once, and trees on them for each of several seeds; see `fit_stability`."""
    lifetime = problem.lifetime.take(problem.sides(rows))
    readings = _Readings.of(lifetime, problem.gain.take(problem.pairs(rows)))
    null, effects = readings.only(NULL_KINDS).fit(), readings.fit()
    # Trees learn what the effects leave of a test, the effects of test and paper included.
    start = effect_sums(effects, readings.rows[: len(lifetime.low)])
    data = (lifetime.matrix, lifetime.low, lifetime.high, lifetime.share, start)
    noise = ("normal", effects.sigma)
    counts = papers_by(lifetime.stressors.tolist(), lifetime.papers.tolist())
    fits = []
    for seed in seeds:
        trees = [
            fit_lifetime(*data, noise, lifetime.names, config)
            for config in _with_columns_and_seeds(boosters, lifetime, seed)
        ]
        fits.append(FittedStability(null, effects, mean_forest(trees), counts))
    return fits


@dataclass(frozen=True)
class _Readings:
    """Sides of tests, and ratios of sides whose durations are unstated and so cancel."""

    rows: tuple[Mapping[str, float], ...]
    low: Floats
    high: Floats
    noise: Floats

    @classmethod
    def of(cls, lifetime: LifetimeProblem, gain: GainProblem) -> _Readings:
        """Join sides and ratios; those of one paper and of one experiment share an effect."""
        sides = [
            {**effects, f"paper:{paper}": 1.0, f"test:{test}": 1.0}
            for effects, paper, test in zip(
                lifetime.effects,
                lifetime.papers.tolist(),
                lifetime.experiments.tolist(),
                strict=True,
            )
        ]
        ratios = gain.take(np.flatnonzero(~np.isin(gain.tests, lifetime.tests)))
        with np.errstate(divide="ignore"):
            low = np.log(np.concatenate([lifetime.low, ratios.low]))
            high = np.log(np.concatenate([lifetime.high, ratios.high]))
        noise = np.repeat([1.0, np.sqrt(2.0)], [len(sides), len(ratios.low)])
        return cls((*sides, *ratios.effects), low, high, noise)

    def only(self, kinds: Collection[str]) -> _Readings:
        """Return the same readings with effects of some kinds."""
        rows = [{n: x for n, x in row.items() if kind_of(n) in kinds} for row in self.rows]
        return replace(self, rows=tuple(rows))

    def fit(self) -> MixedEffects:
        """Fit the effects."""
        return fit_mixed(
            self.rows,
            self.low,
            self.high,
            EFFECT_PRIORS,
            learned=LEARNED_SPREADS,
            noise=self.noise,
            sigma=_FIRST_SIGMA,
        )
