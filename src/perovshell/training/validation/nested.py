"""Out-of-fold predictions: of papers that a model was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.errors import InputError
from perovshell.features.featurizer import Featurizer
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.training.fit import learners
from perovshell.training.fit.problems import GainProblem, LifetimeProblem, PointProblem
from perovshell.training.fit.specs import SPECS
from perovshell.training.validation.baselines import predict_baselines
from perovshell.training.validation.folds import folds_of
from perovshell.training.validation.leaks import check_descriptors, check_order, check_split
from perovshell.training.validation.pairs import paired_steps

Problem = PointProblem | LifetimeProblem | GainProblem


@dataclass(frozen=True)
class Settings:
    """How a training run validates.

    Attributes:
        seed: Seed of the final models and first of the repeats.
        folds: Outer folds by paper.
        repeats: Model seeds of the headline.
        jobs: Processes that fit folds side by side; the result does not depend on it.
        boosters: How many of the boosters of a target are averaged.
        baseline_trees: Trees of the random forest that is a baseline.
    """

    seed: int = 0
    folds: int = 20
    repeats: int = 3
    jobs: int = 2
    boosters: int = 3
    baseline_trees: int = 200

    @property
    def seeds(self) -> tuple[int, ...]:
        """Model seeds of the repeats."""
        return tuple(range(self.seed, self.seed + self.repeats))

    @property
    def steps(self) -> int:
        """Folds of all targets but the gain, which is fitted at once."""
        return self.folds * (len(SPECS) + 1)


@dataclass(frozen=True)
class Problems:
    """The training problems of all targets, and the featurizer that described their rows."""

    featurizer: Featurizer
    points: Mapping[str, PointProblem]
    lifetime: LifetimeProblem
    gain: GainProblem

    @property
    def stability(self) -> dict[str, LifetimeProblem | GainProblem]:
        """The problems of targets that are known as intervals, by name."""
        return {LIFETIME.name: self.lifetime, GAIN.name: self.gain}

    def __getitem__(self, name: str) -> Problem:
        """Return the problem of a target."""
        return self.stability[name] if name in self.stability else self.points[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the targets."""
        return iter((*self.points, *self.stability))


Split = tuple[Indices, Indices]
"""Training rows and test rows."""
_Tested = tuple[Floats, dict[str, Floats]]
"""Predictions of the test rows of a split, by the model and by others."""


@dataclass(frozen=True)
class OutOfFold:
    """Predictions of rows whose papers were not trained on.

    Attributes:
        model: Predictions, NaN for rows that no split tests, shape (repeats, n).
        others: By name, each of shape (n,): predictions of baselines, null models and the prior
            alone, and the difficulty or sigma of the model.
        splits: The splits that were tested, no row twice.
        steps: Of lifetimes and gains, by model (`model`, `null`, `linear`): how far each row lies
            above each other one by a model that saw neither's paper, shape (n, n).
    """

    model: Floats
    others: dict[str, Floats]
    splits: Sequence[Split]
    steps: dict[str, Floats] = field(default_factory=dict)

    @property
    def mean(self) -> Floats:
        """Mean prediction over the repeats, shape (n,)."""
        return np.asarray(self.model.mean(axis=0))

    @property
    def tested(self) -> Indices:
        """Rows that some split tests, in rising order."""
        return np.sort(np.concatenate([test for _, test in self.splits]))

    def predicted_by(self, name: str) -> OutOfFold:
        """Return the predictions of another model of `others` instead."""
        return replace(self, model=np.repeat(self.others[name][None, :], len(self.model), axis=0))


def paper_splits(problem: Problem, folds: int, fold_seed: str = "") -> list[Split]:
    """Return the fixed folds by paper, those without test rows left out.

    Args:
        problem: The problem.
        folds: Number of folds.
        fold_seed: Seed of another assignment of papers to folds; empty for the headline's.
    """
    fold = folds_of(problem.papers.tolist(), folds, fold_seed)
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(folds)]
    return [(train, test) for train, test in splits if len(test) and len(train)]


def out_of_fold(
    problems: Problems, settings: Settings, advance: Callable[[], None] = lambda: None
) -> dict[str, OutOfFold]:
    """Run the headline's folds of all targets.

    Args:
        problems: The training problems.
        settings: Folds, repeats, processes.
        advance: Called when a fold of a target is done; the gain, fitted at once, does not count.

    Raises:
        LeakError: A paper is on both sides of a split, or a descriptor holds the target.
        InputError: The papers of a target lie in one fold.
    """
    plans = {name: paper_splits(problems[name], settings.folds) for name in problems}
    for name, splits in plans.items():
        problem = problems[name]
        if not splits:
            count = len(set(problem.papers.tolist()))
            msg = (
                f"{name}: its {count} papers lie in one of {settings.folds} folds by paper; "
                "more papers are needed, or more folds"
            )
            raise InputError(msg)
        check_split(name, problem.papers, splits)
        if not isinstance(problem, GainProblem):
            check_descriptors(name, problem, problems.featurizer)
        if isinstance(problem, PointProblem):
            check_order(name, problem.matrix, problem.names, problem.target)
    return run_splits(problems, plans, settings, advance)


def run_splits(
    problems: Problems,
    plans: Mapping[str, Sequence[Split]],
    settings: Settings,
    advance: Callable[[], None] = lambda: None,
    *,
    baselines: bool = True,
) -> dict[str, OutOfFold]:
    """Fit and test every split of every target; side by side, in a fixed order."""
    from joblib import Parallel, delayed

    tasks = [(name, split) for name, splits in plans.items() for split in splits]
    fits = Parallel(n_jobs=settings.jobs, return_as="generator")(
        delayed(_one_split)(problems[name], split, settings, baselines=baselines)
        for name, split in tasks
    )
    done: dict[str, list[_Tested]] = {name: [] for name in plans}
    for (name, _), tested in zip(tasks, fits, strict=True):
        done[name].append(tested)
        if name != GAIN.name:
            advance()
    return {
        name: _joined(problems[name], splits, done[name], settings)
        for name, splits in plans.items()
    }


def _joined(
    problem: Problem, splits: Sequence[Split], done: Sequence[_Tested], settings: Settings
) -> OutOfFold:
    """Join the predictions of the test rows of each split in the order of the rows."""
    count = len(problem.papers)
    model = np.full((settings.repeats, count), np.nan)
    others: dict[str, Floats] = {}
    for (_, test), (predicted, other) in zip(splits, done, strict=True):
        model[:, test] = predicted
        for name, values in other.items():
            others.setdefault(name, np.full(count, np.nan))[test] = values
    steps = {}
    if not isinstance(problem, PointProblem):
        steps = paired_steps(partial(_scores, problem, settings), splits, count, settings.jobs)
    return OutOfFold(model, others, splits, steps)


def _one_split(problem: Problem, split: Split, settings: Settings, *, baselines: bool) -> _Tested:
    train, test = split
    if isinstance(problem, GainProblem):
        model, others = _gain(problem, train, test)
        return np.repeat(model[None, :], settings.repeats, axis=0), others
    if isinstance(problem, LifetimeProblem):
        boosters = learners.LIFETIME_BOOSTERS[: settings.boosters]
        lives = [learners.fit_lifetimes(problem, train, boosters, seed) for seed in settings.seeds]
        linear = learners.fit_linear_lifetimes(problem, train)
        others = {
            "null": lives[0].predict_null(problem, test),
            "sigma": np.full(len(test), lives[0].null.sigma),
            "null_sigma": np.full(len(test), lives[0].null.sigma),
            "linear": linear.predict(problem, test),
            "linear_sigma": np.full(len(test), linear.effects.sigma),
        }
        return np.array([fit.predict(problem, test) for fit in lives]), others
    boosters = problem.spec.boosters[: settings.boosters]
    fits = [learners.fit_point(problem, train, boosters, seed) for seed in settings.seeds]
    others = {
        "difficulty": fits[0].difficulty_of(problem, test),
        "prior": fits[0].prior.predict(problem.matrix[test]),
        "prior_difficulty": fits[0].without_trees.difficulty_of(problem, test),
    }
    if baselines:
        others |= predict_baselines(problem, train, test, settings.baseline_trees)
    return np.array([fit.predict(problem, test) for fit in fits]), others


def _scores(
    problem: LifetimeProblem | GainProblem, settings: Settings, train: Indices, test: Indices
) -> dict[str, Floats]:
    """Return log values of test rows by the model and the null model, fitted with one seed."""
    if isinstance(problem, GainProblem):
        model, others = _gain(problem, train, test)
        return {"model": model, "null": others["null"]}
    boosters = learners.LIFETIME_BOOSTERS[: settings.boosters]
    fit = learners.fit_lifetimes(problem, train, boosters, settings.seed)
    return {
        "model": fit.predict(problem, test),
        "null": fit.predict_null(problem, test),
        "linear": learners.fit_linear_lifetimes(problem, train).predict(problem, test),
    }


def _gain(problem: GainProblem, train: Indices, test: Indices) -> tuple[Floats, dict[str, Any]]:
    fit = learners.fit_gain(problem, train)
    others = {
        "null": np.full(len(test), fit.null.intercept),
        "sigma": np.full(len(test), fit.pooled.sigma),
        "null_sigma": np.full(len(test), fit.null.sigma),
    }
    return fit.predict(problem, test), others
