"""How good the gate is where the truth is known: power against false papers, and false refusals.

A simulated literature has the papers, samples, descriptors, bounds and groups of the real one. Its
PL peaks and PLQYs are drawn: what the final model predicts, which is the truth, plus an effect of
the paper and the noise of the row. Their sizes and tails are those of the residuals of real papers
left out, in units of the difficulty of the row.

Some of its papers are held back as additions. The champion is trained on the others, and the
challenger on all, with real folds, model selection, calibration and final fit; of the boosters
only the first is used. In a false paper every value is another paper's, as where rows of a table
were mixed up. A refusal of clean additions is false; refusals of false papers are the power of the
promotion check.

Lifetimes and gains are left out: as intervals they have no simple truth, and their folds take too
long. The gate sees the same few of their rows on both sides, which no addition changes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.data.dataset import Dataset
from perovshell.errors import InputError
from perovshell.training.fit import learners
from perovshell.training.fit.problems import GainProblem, LifetimeProblem, PointProblem
from perovshell.training.promotion.check import judge
from perovshell.training.train import final_fit, problems_of
from perovshell.training.validation.model_selection import ModelVariant, choose_variants, in_variant
from perovshell.training.validation.nested import OutOfFold, Problem, Problems, Settings, run_splits
from perovshell.training.validation.nested import paper_splits as splits_of
from perovshell.training.validation.out_of_fold_scores import (
    ValidationRecord,
    prospective,
    validated,
)

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Refusals = tuple[str, ...]
"""Names of the conditions of the gate that did not hold."""

SETTINGS: Final = Settings(folds=10, repeats=1, boosters=1, jobs=1)
"""A validation of some seconds."""
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class Power:
    """How often the gate refused additions of which a share was false.

    Attributes:
        added: Number of papers added.
        share: Share of them whose values are other papers'.
        draws: Number of simulated literatures.
        refused: Share of the draws that the gate refused: a false refusal where `share` is 0.
        error: Standard error of `refused` (Monte Carlo), with one refusal and one promotion more,
            so that it is not 0 where all draws agree.
        reasons: In how many draws each condition did not hold, the most frequent first.
    """

    added: int
    share: float
    draws: int
    refused: float
    error: float
    reasons: Mapping[str, int]

    @classmethod
    def of(cls, added: int, share: float, draws: Sequence[Refusals]) -> Power:
        """Count the refusals of at least one draw."""
        refused, count = sum(bool(names) for names in draws), len(draws)
        usual = (refused + 1) / (count + 2)
        return cls(
            added=added,
            share=share,
            draws=count,
            refused=refused / count,
            error=math.sqrt(usual * (1 - usual) / (count + 2)),
            reasons=dict(Counter(name for names in draws for name in names).most_common()),
        )


def promotion_power(
    draws: int,
    added: int,
    shares: Sequence[float],
    seed: int = 0,
    jobs: int = 2,
    *,
    origin: Origin | None = None,
    watch: Callable[[list[Power]], None] = lambda _: None,
) -> list[Power]:
    """Return how often the gate refuses additions, a figure a share of false papers.

    A draw is the same literature, additions and champion at every share, and the papers that are
    false at a share are so at every larger one.

    Args:
        draws: Number of simulated literatures.
        added: Number of papers added to each.
        shares: Shares of them that are false; at least that share, in whole papers.
        seed: Seed of the draws.
        jobs: Processes; the result does not depend on it.
        origin: What is simulated from; None is the bundled literature.
        watch: Called after each draw with the figures so far.

    Raises:
        InputError: Not one draw or share, a share outside 0 to 1, or too many papers.
    """
    from joblib import Parallel, delayed

    origin = origin or Origin.of(Dataset.bundled())
    _check(draws, added, shares, len(origin.addable))
    seeds = [(seed, added, draw) for draw in range(draws)]
    runs = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(_one_draw)(origin, added, tuple(shares), one) for one in seeds
    )
    done: list[list[Refusals]] = []
    found: list[Power] = []
    for refusals in runs:
        done.append(refusals)
        by_share = zip(shares, zip(*done, strict=True), strict=True)
        found = [Power.of(added, share, names) for share, names in by_share]
        watch(found)
    return found


def _check(draws: int, added: int, shares: Sequence[float], most: int) -> None:
    if draws < 1 or not shares:
        msg = f"draws {draws}, shares {list(shares)}: at least one of each is needed"
        raise InputError(msg)
    if not all(0.0 <= share <= 1.0 for share in shares):
        msg = f"shares {list(shares)}: each is a share of the added papers, from 0 to 1"
        raise InputError(msg)
    if not 1 <= added <= most:
        msg = f"added {added}: from 1 to {most} papers can be held back"
        raise InputError(msg)


# What is simulated from ----------------------------------------------------------------------


@dataclass(frozen=True)
class Origin:
    """The real literature, and what its simulated twins are drawn from.

    Attributes:
        dataset: The dataset.
        problems: Its training problems; of lifetimes and gains only the papers never held back.
        truths: Truth and residuals of each regression.
        settings: How champions and challengers are validated.
    """

    dataset: Dataset
    problems: Problems
    truths: Mapping[str, Truth]
    settings: Settings

    @classmethod
    def of(cls, dataset: Dataset, settings: Settings = SETTINGS) -> Origin:
        """Fit the truth, and find the residuals of papers left out, in the form that is used."""
        whole = problems_of(dataset)
        measured = _measured(whole)
        problems = replace(
            whole,
            lifetime=whole.lifetime.take(_outside(whole.lifetime, measured)),
            gain=whole.gain.take(_outside(whole.gain, measured)),
        )
        results, variants = _left_out(problems, settings)
        truths = {
            name: Truth.of(problem, results[name], variants[name])
            for name, problem in problems.points.items()
        }
        return cls(dataset, problems, truths, settings)

    @property
    def addable(self) -> list[str]:
        """Papers that may be held back: with a PL peak or PLQY, and not of a collection."""
        return sorted(
            name for name in _measured(self.problems) if not self.dataset.in_collection(name)
        )

    def drawn(self, random: np.random.Generator) -> Problems:
        """Return the problems of a simulated literature."""
        drawn = {
            name: replace(problem, target=self.truths[name].drawn(problem, random))
            for name, problem in self.problems.points.items()
        }
        return replace(self.problems, points=drawn)


@dataclass(frozen=True)
class Truth:
    """What the values of a target are drawn from.

    Attributes:
        value: The truth of each row: the final model's prediction, in eV or percent, shape (n,).
        difficulty: What the residuals of each row are counted in, shape (n,).
        range: Least and largest value printed; drawn ones are held within.
        usual: Residuals of papers of their own.
        collected: Residuals of papers of a collection.
    """

    value: Floats
    difficulty: Floats
    range: tuple[float, float]
    usual: Residuals
    collected: Residuals

    @classmethod
    def of(cls, problem: PointProblem, result: OutOfFold, variant: ModelVariant) -> Truth:
        """Fit the final model, with all its boosters, and part the residuals of papers left out."""
        rows = np.arange(len(problem.target))
        whole = learners.fit_point(problem, rows, problem.spec.boosters, 0)
        value = (whole if variant.has_trees else whole.without_trees).predict(problem, rows)
        difficulty = result.others["difficulty"]
        score = (problem.target - result.model[0]) / difficulty
        # Of a bound only one end of the residual is known.
        exact = problem.is_exact
        collected = _is_collected(problem)
        return cls(
            value=value,
            difficulty=difficulty,
            range=(float(problem.target.min()), float(problem.target.max())),
            usual=Residuals.of(score, problem.papers, exact & ~collected),
            collected=Residuals.of(score, problem.papers, exact & collected),
        )

    def drawn(self, problem: PointProblem, random: np.random.Generator) -> Floats:
        """Return drawn values of all rows, in eV or percent, shape (n,)."""
        residual, collected = np.zeros(len(self.value)), _is_collected(problem)
        for paper in np.unique(problem.papers).tolist():
            rows = np.flatnonzero(problem.papers == paper)
            kind = self.collected if collected[rows[0]] else self.usual
            residual[rows] = kind.of_paper(len(rows), random)
        return np.clip(self.value + self.difficulty * residual, *self.range)


@dataclass(frozen=True)
class Residuals:
    """Residuals over their difficulty, paper by paper: each has its effect and its noise.

    Attributes:
        single: Residuals of each paper of one row or more, with the mean 0 over papers.
        several: Those of the papers of more than one row.
    """

    single: tuple[Floats, ...]
    several: tuple[Floats, ...]

    @classmethod
    def of(cls, score: Floats, papers: npt.NDArray[np.str_], rows: Mask) -> Residuals:
        """Collect the scores of some rows by paper."""
        names = np.unique(papers[rows]).tolist()
        found = [score[rows & (papers == name)] for name in names]
        mean = float(np.mean([own.mean() for own in found])) if found else 0.0
        single = tuple(own - mean for own in found)
        return cls(single, tuple(own for own in single if len(own) > 1))

    def of_paper(self, count: int, random: np.random.Generator) -> Floats:
        """Return residuals of the rows of a paper: rows of one real paper, drawn with replacement.

        Their mean is the effect of the paper and their spread its noise, with the tails of both. A
        paper of several rows draws from one of several: a single row would show no noise.
        """
        known = self.several if count > 1 and self.several else self.single
        return random.choice(known[random.integers(len(known))], count)


def _is_collected(problem: PointProblem) -> Mask:
    """Return which rows are of a paper that shares its weight with others, shape (n,)."""
    return np.asarray(problem.weight_groups != problem.papers)


def _outside(problem: Problem, papers: set[str]) -> npt.NDArray[np.intp]:
    return np.flatnonzero([paper not in papers for paper in problem.papers.tolist()])


# A draw --------------------------------------------------------------------------------------


def _one_draw(
    origin: Origin, added: int, shares: tuple[float, ...], seed: tuple[int, ...]
) -> list[Refusals]:
    """Return what the gate refused of the additions of a literature, at each share."""
    random = np.random.default_rng(seed)
    literature = origin.drawn(random)
    held = random.choice(origin.addable, added, replace=False).tolist()
    donors = {paper: _donor(literature, paper, random) for paper in held}
    known = origin.dataset.subset(origin.dataset.papers.keys() - set(held))
    before = _of_papers(literature, set(known.papers))
    results, variants = _left_out(before, origin.settings)
    predictor, _ = final_fit(known, before, results, variants, origin.settings)
    champion = validated(known, before, results)
    refusals = []
    for share in shares:
        count = math.ceil(share * added - _ROUNDING)
        after = spoilt(literature, {paper: donors[paper] for paper in held[:count]})
        challenger = _validated(origin.dataset, after, origin.settings)
        new = prospective(origin.dataset, after, predictor, set(held))
        failed = judge(champion, challenger, new).failed
        refusals.append(tuple(check.name for check in failed))
    return refusals


def _donor(literature: Problems, paper: str, random: np.random.Generator) -> str:
    """Return another paper that measured at least what a paper did."""
    measured = [set(one.papers.tolist()) for one in literature.points.values()]
    asked = [papers for papers in measured if paper in papers]
    return str(random.choice(sorted(set.intersection(*asked) - {paper})))


def spoilt(literature: Problems, donors: Mapping[str, str]) -> Problems:
    """Return a literature in which some papers have the values of others.

    Args:
        literature: The problems; a paper that gives its values keeps them.
        donors: By paper, whose values it is given: in their order, again from the start where the
            other has fewer rows.
    """
    changed: dict[str, PointProblem] = {}
    for name, problem in literature.points.items():
        given = np.arange(len(problem.target))
        for paper, donor in donors.items():
            own = np.flatnonzero(problem.papers == paper)
            given[own] = np.resize(np.flatnonzero(problem.papers == donor), len(own))
        bounds = tuple(problem.bounds[row] for row in given)
        changed[name] = replace(problem, target=problem.target[given], bounds=bounds)
    return replace(literature, points=changed)


def _of_papers(problems: Problems, papers: set[str]) -> Problems:
    taken = {
        name: problem.take(np.flatnonzero(np.isin(problem.papers, sorted(papers))))
        for name, problem in problems.points.items()
    }
    return replace(problems, points=taken)


def _measured(problems: Problems) -> set[str]:
    """Return the papers with a value of any regression."""
    return {paper for one in problems.points.values() for paper in one.papers.tolist()}


def _validated(dataset: Dataset, problems: Problems, settings: Settings) -> ValidationRecord:
    results, _ = _left_out(problems, settings)
    return validated(dataset, problems, results)


def _left_out(
    problems: Problems, settings: Settings
) -> tuple[dict[str, OutOfFold], dict[str, ModelVariant]]:
    """Return the predictions of papers left out in the form that is used, and the variants."""
    plans = {name: splits_of(problem, settings.folds) for name, problem in problems.points.items()}
    tried = run_splits(problems, plans, settings, baselines=False)
    tried |= {name: _untried(problem, settings) for name, problem in problems.stability.items()}
    variants = choose_variants(problems, tried)
    return in_variant(tried, variants), variants


def _untried(problem: LifetimeProblem | GainProblem, settings: Settings) -> OutOfFold:
    """Return predictions that are the same of every row, by every model: what is left out."""
    even, sigma = np.zeros(len(problem.papers)), np.ones(len(problem.papers))
    others = {"linear": even, "sigma": sigma, "linear_sigma": sigma}
    return OutOfFold(even[None, :], others, splits_of(problem, settings.folds))
