"""Out-of-fold predictions: of papers that a model was not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, reduce
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.errors import InputError
from perovshell.features.featurizer import Featurizer
from perovshell.models.stability import Logarithms
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.training.fit import learners
from perovshell.training.fit.problems import (
    GainProblem,
    LifetimeProblem,
    PointProblem,
    StabilityProblem,
)
from perovshell.training.validation.baselines import MEDIAN, predict_baselines
from perovshell.training.validation.folds import folds_of
from perovshell.training.validation.leaks import check_descriptors, check_order, check_split
from perovshell.training.validation.pairs import Scores, paired_steps

Problem = PointProblem | LifetimeProblem | GainProblem
"""The rows of a target."""
Fitted = PointProblem | StabilityProblem
"""What is fitted at once."""
_PAIRED_GROUPS: Final = 10
"""Test sets of which each two are left out together."""
_LEAST_FOLDS: Final = 2
STABILITY_FIT: Final = "stability"
"""Name of the fit of lifetimes and gains."""


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
        assignments: Assignments of papers to folds that an evaluation averages over, the fixed one
            included; a training run uses the fixed one alone.
        years: Most recent years that are predicted forward in time; 0 for all.
    """

    seed: int = 0
    folds: int = 20
    repeats: int = 3
    jobs: int = 2
    boosters: int = 3
    baseline_trees: int = 200
    assignments: int = 10
    years: int = 0

    @property
    def seeds(self) -> tuple[int, ...]:
        """Model seeds of the repeats."""
        return tuple(range(self.seed, self.seed + self.repeats))


@dataclass(frozen=True)
class Problems:
    """The training problems of all targets, and the featurizer that described their rows."""

    featurizer: Featurizer
    points: Mapping[str, PointProblem]
    stability: StabilityProblem

    @property
    def fits(self) -> dict[str, Fitted]:
        """What is fitted at once: each point target, and lifetimes with gains."""
        return {**self.points, STABILITY_FIT: self.stability}

    @property
    def intervals(self) -> dict[str, LifetimeProblem | GainProblem]:
        """The rows of targets that are known as intervals, by name."""
        return {LIFETIME.name: self.stability.lifetime, GAIN.name: self.stability.gain}

    def __getitem__(self, name: str) -> Problem:
        """Return the rows of a target."""
        intervals = self.intervals
        return intervals[name] if name in intervals else self.points[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the targets."""
        return iter((*self.points, LIFETIME.name, GAIN.name))


Split = tuple[Indices, Indices]
"""Training rows and test rows."""
_Tested = dict[str, tuple[Floats, dict[str, Floats]]]
"""By target, predictions of the test rows of a split, by the model and by others."""


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
        calibration: For each split, predictions of its training rows with their papers left
            out, which calibrate its intervals; empty where these predictions themselves do.
    """

    model: Floats
    others: dict[str, Floats]
    splits: Sequence[Split]
    steps: dict[str, Floats] = field(default_factory=dict)
    calibration: Sequence[OutOfFold] = ()

    @property
    def calibrated_splits(self) -> list[tuple[Indices, Indices, OutOfFold]]:
        """Training and test rows of each split, with what calibrates it."""
        known = self.calibration or [self] * len(self.splits)
        return [(*split, one) for split, one in zip(self.splits, known, strict=True)]

    def calibrated_by(self, usual: OutOfFold) -> OutOfFold:
        """Return the same predictions, with all splits calibrated by other ones."""
        return replace(self, calibration=[usual] * len(self.splits))

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
        return replace(
            self,
            model=np.repeat(self.others[name][None, :], len(self.model), axis=0),
            calibration=[one.predicted_by(name) for one in self.calibration],
        )


def paper_splits(problem: Problem | Fitted, folds: int, fold_seed: str = "") -> list[Split]:
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
        advance: Called when a fold of a fit is done.

    Raises:
        LeakError: A paper is on both sides of a split, or a descriptor holds the target.
        InputError: The papers of a target lie in one fold.
    """
    plans = {name: paper_splits(fit, settings.folds) for name, fit in problems.fits.items()}
    for name in problems:
        papers = problems[name].papers
        if len(paper_splits(problems[name], settings.folds)) < _LEAST_FOLDS:
            count = len(set(papers.tolist()))
            msg = (
                f"{name}: its {count} papers lie in one of {settings.folds} folds by paper; "
                "more papers are needed, or more folds"
            )
            raise InputError(msg)
    for name, splits in plans.items():
        check_split(name, problems.fits[name].papers, splits)
    for name, point in problems.points.items():
        check_descriptors(name, point, problems.featurizer)
        check_order(name, point.matrix, point.names, point.target)
    check_descriptors(LIFETIME.name, problems.stability.lifetime, problems.featurizer)
    return run_splits(problems, plans, settings, advance)


def run_splits(
    problems: Problems,
    plans: Mapping[str, Sequence[Split]],
    settings: Settings,
    advance: Callable[[], None] = lambda: None,
    *,
    baselines: bool = True,
    steps: bool = True,
) -> dict[str, OutOfFold]:
    """Fit and test every split of every fit; side by side, in a fixed order.

    Args:
        problems: The training problems.
        plans: Splits by the name of the fit.
        settings: Repeats, boosters, processes.
        advance: Called when a split is done.
        baselines: Whether baselines of point targets other than the median are fitted too.
        steps: Whether rows of lifetimes and gains are compared in pairs.

    Returns:
        Predictions by target.
    """
    from joblib import Parallel, delayed

    fits = problems.fits
    tasks = [(name, split) for name, splits in plans.items() for split in splits]
    tested = Parallel(n_jobs=settings.jobs, return_as="generator")(
        delayed(_one_split)(name, fits[name], split, settings, baselines=baselines)
        for name, split in tasks
    )
    done: dict[str, list[_Tested]] = {name: [] for name in plans}
    for (name, _), one in zip(tasks, tested, strict=True):
        done[name].append(one)
        advance()
    results: dict[str, OutOfFold] = {}
    for name, splits in plans.items():
        problem = fits[name]
        if isinstance(problem, StabilityProblem):
            results |= _joined_stability(problem, splits, done[name], settings, steps=steps)
        else:
            count = len(problem.papers)
            results[name] = _joined(name, splits, done[name], count, settings)
    return results


def _joined(
    name: str, splits: Sequence[Split], done: Sequence[_Tested], count: int, settings: Settings
) -> OutOfFold:
    """Join the predictions of the test rows of each split in the order of the rows."""
    model = np.full((settings.repeats, count), np.nan)
    others: dict[str, Floats] = {}
    for (_, test), tested in zip(splits, done, strict=True):
        model[:, test], other = tested[name]
        for key, values in other.items():
            others.setdefault(key, np.full(count, np.nan))[test] = values
    return OutOfFold(model, others, splits)


def _joined_stability(
    problem: StabilityProblem,
    splits: Sequence[Split],
    done: Sequence[_Tested],
    settings: Settings,
    *,
    steps: bool,
) -> dict[str, OutOfFold]:
    """Join the predictions of sides and of two-sided tests, with the steps between them."""
    rows_of = {LIFETIME.name: problem.sides, GAIN.name: problem.pairs}
    counts = {LIFETIME.name: len(problem.lifetime.low), GAIN.name: len(problem.gain.low)}
    scorer = partial(_stability_scores, problem, settings)
    compared = _in_groups(splits) if steps else []
    of_pairs = paired_steps(scorer, compared, rows_of, counts, settings.jobs)
    results = {}
    for name, rows in rows_of.items():
        of_rows = [(rows(train), rows(test)) for train, test in splits]
        joined = _joined(name, of_rows, done, counts[name], settings)
        results[name] = replace(joined, steps=of_pairs[name])
    return results


def _in_groups(splits: Sequence[Split]) -> list[Split]:
    """Return splits joined to at most `_PAIRED_GROUPS`: each pair of these is a fit."""
    groups = [splits[first::_PAIRED_GROUPS] for first in range(min(_PAIRED_GROUPS, len(splits)))]
    return [
        (
            reduce(np.intersect1d, [train for train, _ in group]),
            np.sort(np.concatenate([test for _, test in group])),
        )
        for group in groups
    ]


def _one_split(
    name: str, problem: Fitted, split: Split, settings: Settings, *, baselines: bool
) -> _Tested:
    train, test = split
    if isinstance(problem, StabilityProblem):
        return _stability_split(problem, train, test, settings)
    boosters = problem.spec.boosters[: settings.boosters]
    fits = [learners.fit_point(problem, train, boosters, seed) for seed in settings.seeds]
    others = {
        "difficulty": fits[0].difficulty_of(problem, test),
        "prior": fits[0].prior.predict(problem.matrix[test]),
        "prior_difficulty": fits[0].without_trees.difficulty_of(problem, test),
    }
    names = problem.spec.baselines if baselines else (MEDIAN,)
    others |= predict_baselines(problem, train, test, settings.baseline_trees, names)
    return {name: (np.array([fit.predict(problem, test) for fit in fits]), others)}


def _stability_split(
    problem: StabilityProblem, train: Indices, test: Indices, settings: Settings
) -> _Tested:
    boosters = learners.STABILITY_BOOSTERS[: settings.boosters]
    fits = learners.fit_stability_seeds(problem, train, boosters, settings.seeds)
    lifetime = problem.lifetime.take(problem.sides(test))
    gain = problem.gain.take(problem.pairs(test))
    return {
        LIFETIME.name: _logarithms(
            [fit.lifetimes(lifetime) for fit in fits], fits[0].without_trees.lifetimes(lifetime)
        ),
        GAIN.name: _logarithms(
            [fit.gains(gain) for fit in fits], fits[0].without_trees.gains(gain)
        ),
    }


def _logarithms(fits: Sequence[Logarithms], linear: Logarithms) -> tuple[Floats, dict[str, Floats]]:
    """Return predictions of the repeats, and those of null model and effects alone."""
    first = fits[0]
    others = {
        "null": first.null,
        "sigma": first.sigma,
        "null_sigma": first.null_sigma,
        "linear": linear.value,
        "linear_sigma": linear.sigma,
    }
    return np.array([fit.value for fit in fits]), others


def _stability_scores(
    problem: StabilityProblem, settings: Settings, train: Indices, tests: Sequence[Indices]
) -> list[Scores]:
    """Return what paired steps compare."""
    boosters = learners.STABILITY_BOOSTERS[: settings.boosters]
    fit = learners.fit_stability(problem, train, boosters, settings.seed)
    scores: list[Scores] = []
    for test in tests:
        lifetime = problem.lifetime.take(problem.sides(test))
        gain = problem.gain.take(problem.pairs(test))
        lives, gains = fit.lifetimes(lifetime), fit.gains(gain)
        linear = fit.without_trees
        scores.append(
            {
                LIFETIME.name: {
                    "model": lives.value,
                    "null": lives.null,
                    "linear": linear.lifetimes(lifetime).value,
                },
                GAIN.name: {
                    "model": gains.value,
                    "null": gains.null,
                    "linear": linear.gains(gain).value,
                },
            }
        )
    return scores
