"""Power of the promotion check on simulated literatures, where false papers are known.

A simulated literature has the papers, samples, descriptors, bounds and groups of the real one. Its
PL peaks and PLQYs are drawn: the final model's prediction, which is the truth, plus an effect of
the paper and noise of the row. Both have the size and tails of the real out-of-fold residuals, in
units of the difficulty of the row.

Some papers are held out and added later. The champion is trained on the others and the challenger
on all, with real folds, model selection, calibration and final fit; of the boosters only the first
is used. In a false paper every value is that of another paper, as where rows of a table were mixed
up. The rate of refusals without false papers is the false alarm rate, that with false papers the
power of the promotion check.

Lifetimes and gains are left out: as intervals they have no simple truth, and their folds take too
long. The check compares a few fixed rows of them on both sides.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Mask
from perovshell.data.dataset import Dataset
from perovshell.errors import InputError
from perovshell.training.fit import learners
from perovshell.training.fit.problems import GainProblem, LifetimeProblem, PointProblem
from perovshell.training.promotion.check import judge
from perovshell.training.train import final_fit, problems_of
from perovshell.training.validation.model_selection import ModelVariant, choose_variants, in_variant
from perovshell.training.validation.nested import (
    OutOfFold,
    Problems,
    Settings,
    paper_splits,
    run_splits,
)
from perovshell.training.validation.out_of_fold_scores import prospective, validated

FailedChecks = tuple[str, ...]
"""Names of the conditions of the promotion check that failed; empty for a promotion."""

SETTINGS: Final = Settings(folds=10, repeats=1, boosters=1, jobs=1)
"""A validation of some seconds."""
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Power:
    """How often additions with a share of false papers were refused.

    Attributes:
        added: Number of papers added.
        share: Share of them whose values are those of other papers.
        draws: Number of simulated literatures.
        refused: Share of the draws in which the challenger was not promoted.
        error: Monte Carlo standard error of `refused`, computed with one refusal and one promotion
            more, so that it is positive where all draws agree.
        reasons: Number of draws in which each condition failed, the most frequent first.
    """

    added: int
    share: float
    draws: int
    refused: float
    error: float
    reasons: Mapping[str, int]

    @classmethod
    def of(cls, added: int, share: float, draws: Sequence[FailedChecks]) -> Power:
        """Count the refusals of at least one draw.

        >>> Power.of(10, 0.5, [(), ("width",)]).refused
        0.5
        """
        refused, count = sum(bool(failed) for failed in draws), len(draws)
        smoothed = (refused + 1) / (count + 2)
        return cls(
            added=added,
            share=share,
            draws=count,
            refused=refused / count,
            error=math.sqrt(smoothed * (1 - smoothed) / (count + 2)),
            reasons=dict(Counter(name for failed in draws for name in failed).most_common()),
        )


def promotion_power(
    draws: int,
    added: int,
    shares: Sequence[float],
    seed: int = 0,
    jobs: int = 2,
    *,
    simulator: LiteratureSimulator | None = None,
    watch: Callable[[list[Power]], None] = lambda _: None,
) -> list[Power]:
    """Return how often additions are refused, by the share of false papers.

    A draw has the same literature, additions and champion at each share, and the false papers of a
    share are false at each larger one.

    Args:
        draws: Number of simulated literatures.
        added: Number of papers added to each.
        shares: Shares of them that are false, rounded up to whole papers.
        seed: Seed of the draws.
        jobs: Processes; the result does not depend on it.
        simulator: Draws literatures; None simulates the bundled one.
        watch: Called after each draw with the results so far.

    Raises:
        InputError: No draw or share, a share outside 0 to 1, or too many papers.
    """
    from joblib import Parallel, delayed

    simulator = simulator or LiteratureSimulator.of(Dataset.bundled())
    _check(draws, added, shares, len(simulator.addable))
    runs = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(_one_draw)(simulator, added, tuple(shares), (seed, added, draw))
        for draw in range(draws)
    )
    done: list[list[FailedChecks]] = []
    powers: list[Power] = []
    for failed_by_share in runs:
        done.append(failed_by_share)
        by_share = zip(shares, zip(*done, strict=True), strict=True)
        powers = [Power.of(added, share, failed) for share, failed in by_share]
        watch(powers)
    return powers


def _check(draws: int, added: int, shares: Sequence[float], largest: int) -> None:
    if draws < 1 or not shares:
        msg = f"draws {draws}, shares {list(shares)}: at least one of each is needed"
        raise InputError(msg)
    if not all(0.0 <= share <= 1.0 for share in shares):
        msg = f"shares {list(shares)}: each is a share of the added papers, from 0 to 1"
        raise InputError(msg)
    if not 1 <= added <= largest:
        msg = f"added {added}: from 1 to {largest} papers can be held out"
        raise InputError(msg)


# Simulated literatures -----------------------------------------------------------------------


@dataclass(frozen=True)
class LiteratureSimulator:
    """The real literature, from which simulated ones are drawn.

    Attributes:
        dataset: The dataset.
        problems: Its training problems; of lifetimes and gains only the papers never held out.
        truths: Truth and residuals of each regression.
        settings: How champions and challengers are validated.
    """

    dataset: Dataset
    problems: Problems
    truths: Mapping[str, Truth]
    settings: Settings

    @classmethod
    def of(cls, dataset: Dataset, settings: Settings = SETTINGS) -> LiteratureSimulator:
        """Fit the truth, and collect out-of-fold residuals of the selected model variants."""
        problems = problems_of(dataset)
        measured = sorted(_measured(problems))
        stability = problems.stability.without_papers(np.array(measured, dtype=np.str_))
        problems = replace(problems, stability=stability)
        results, variants = _out_of_fold(problems, settings)
        truths = {
            name: Truth.of(problem, results[name], variants[name])
            for name, problem in problems.points.items()
        }
        return cls(dataset, problems, truths, settings)

    @property
    def addable(self) -> list[str]:
        """Papers that may be held out: with a PL peak or PLQY, and not of a collection."""
        return sorted(
            name for name in _measured(self.problems) if not self.dataset.in_collection(name)
        )

    def draw(self, random: np.random.Generator) -> Problems:
        """Return the training problems of a simulated literature."""
        points = {
            name: replace(problem, target=self.truths[name].draw(problem, random))
            for name, problem in self.problems.points.items()
        }
        return replace(self.problems, points=points)


@dataclass(frozen=True)
class Truth:
    """The distribution of the values of a target.

    Attributes:
        value: True value of each row: the final model's prediction, in eV or percent, shape (n,).
        difficulty: Unit of the residuals of each row, shape (n,).
        range: Smallest and largest reported value; drawn ones are clipped to it.
        single: Residuals of each paper that is not of a collection, in units of difficulty.
        collected: Residuals of each paper of a collection, likewise.
    """

    value: Floats
    difficulty: Floats
    range: tuple[float, float]
    single: list[Floats]
    collected: list[Floats]

    @classmethod
    def of(cls, problem: PointProblem, result: OutOfFold, variant: ModelVariant) -> Truth:
        """Fit the final model, with all its boosters, and collect out-of-fold residuals."""
        rows = np.arange(len(problem.target))
        model = learners.fit_point(problem, rows, problem.spec.boosters, 0)
        value = (model if variant.has_trees else model.without_trees).predict(problem, rows)
        difficulty = result.others["difficulty"]
        residual = (problem.target - result.model[0]) / difficulty
        # Only one end of the residual of a bound is known.
        exact, collected = problem.is_exact, _is_collected(problem)
        return cls(
            value=value,
            difficulty=difficulty,
            range=(float(problem.target.min()), float(problem.target.max())),
            single=residuals_by_paper(residual, problem.papers, exact & ~collected),
            collected=residuals_by_paper(residual, problem.papers, exact & collected),
        )

    def draw(self, problem: PointProblem, random: np.random.Generator) -> Floats:
        """Return drawn values of all rows, in eV or percent, shape (n,)."""
        residual, collected = np.zeros(len(self.value)), _is_collected(problem)
        for paper in np.unique(problem.papers).tolist():
            rows = np.flatnonzero(problem.papers == paper)
            source = self.collected if collected[rows[0]] else self.single
            residual[rows] = draw_residuals(source, len(rows), random)
        return np.clip(self.value + self.difficulty * residual, *self.range)


def residuals_by_paper(residual: Floats, papers: npt.NDArray[np.str_], rows: Mask) -> list[Floats]:
    """Return the residuals of each paper, centered so that their mean over papers is 0.

    Args:
        residual: Residual of each row, shape (n,).
        papers: Paper of each row.
        rows: Rows to use, shape (n,).
    """
    by_paper = [residual[rows & (papers == name)] for name in np.unique(papers[rows]).tolist()]
    center = float(np.mean([values.mean() for values in by_paper])) if by_paper else 0.0
    return [values - center for values in by_paper]


def draw_residuals(by_paper: Sequence[Floats], count: int, random: np.random.Generator) -> Floats:
    """Return residuals of the rows of a paper: rows of one real paper, drawn with replacement.

    Their mean is the effect of the paper and their spread its noise, with the tails of both. A
    paper of several rows is drawn from one of several: a single row would show no noise.
    """
    several = [values for values in by_paper if len(values) > 1]
    source = several if count > 1 and several else by_paper
    return random.choice(source[int(random.integers(len(source)))], count)


def _is_collected(problem: PointProblem) -> Mask:
    """Return which rows are of a paper that shares its weight with others, shape (n,)."""
    return np.asarray(problem.weight_groups != problem.papers)


# One draw ------------------------------------------------------------------------------------


def _one_draw(
    simulator: LiteratureSimulator, added: int, shares: tuple[float, ...], seed: tuple[int, ...]
) -> list[FailedChecks]:
    """Return the failed conditions for the additions to a literature, at each share."""
    random = np.random.default_rng(seed)
    dataset, settings = simulator.dataset, simulator.settings
    literature = simulator.draw(random)
    held_out = random.choice(simulator.addable, added, replace=False).tolist()
    donors = {paper: _donor(literature, paper, random) for paper in held_out}
    known = dataset.subset(dataset.papers.keys() - set(held_out))
    before = _of_papers(literature, known.papers)
    results, variants = _out_of_fold(before, settings)
    predictor, _ = final_fit(known, before, results, variants, settings)
    champion = validated(known, before, results)
    failed = []
    for share in shares:
        false = held_out[: math.ceil(share * added - _ROUNDING)]
        after = with_false_papers(literature, {paper: donors[paper] for paper in false})
        challenger = validated(dataset, after, _out_of_fold(after, settings)[0])
        new = prospective(dataset, after, predictor, set(held_out))
        verdict = judge(champion, challenger, new)
        failed.append(tuple(check.name for check in verdict.failed))
    return failed


def _donor(literature: Problems, paper: str, random: np.random.Generator) -> str:
    """Return another paper that measured at least the targets of a paper."""
    measured = [set(problem.papers.tolist()) for problem in literature.points.values()]
    shared = set.intersection(*(papers for papers in measured if paper in papers))
    return str(random.choice(sorted(shared - {paper})))


def with_false_papers(literature: Problems, donors: Mapping[str, str]) -> Problems:
    """Return a literature in which some papers have the values of others.

    Args:
        literature: The training problems; a donor keeps its values.
        donors: For each false paper the paper whose values it gets: in their order, from the start
            again where the donor has fewer rows.
    """
    points = {}
    for name, problem in literature.points.items():
        source = np.arange(len(problem.target))
        for paper, donor in donors.items():
            rows = np.flatnonzero(problem.papers == paper)
            source[rows] = np.resize(np.flatnonzero(problem.papers == donor), len(rows))
        bounds = tuple(problem.bounds[row] for row in source)
        points[name] = replace(problem, target=problem.target[source], bounds=bounds)
    return replace(literature, points=points)


def _of_papers(problems: Problems, papers: Mapping[str, object]) -> Problems:
    points = {
        name: problem.take(np.flatnonzero(np.isin(problem.papers, list(papers))))
        for name, problem in problems.points.items()
    }
    return replace(problems, points=points)


def _measured(problems: Problems) -> set[str]:
    """Return the papers with a value of any regression."""
    return {paper for problem in problems.points.values() for paper in problem.papers.tolist()}


def _out_of_fold(
    problems: Problems, settings: Settings
) -> tuple[dict[str, OutOfFold], dict[str, ModelVariant]]:
    """Return out-of-fold predictions of the selected variants, and the variants."""
    plans = {
        name: paper_splits(problem, settings.folds) for name, problem in problems.points.items()
    }
    candidates = run_splits(problems, plans, settings, baselines=False)
    candidates |= {n: _constant(problem, settings) for n, problem in problems.intervals.items()}
    variants = choose_variants(problems, candidates)
    return in_variant(candidates, variants), variants


def _constant(problem: LifetimeProblem | GainProblem, settings: Settings) -> OutOfFold:
    """Return the same prediction for every row and model, for the targets that are left out."""
    zero, sigma = np.zeros(len(problem.papers)), np.ones(len(problem.papers))
    others = {"linear": zero, "sigma": sigma, "linear_sigma": sigma}
    return OutOfFold(zero[None, :], others, paper_splits(problem, settings.folds))
