"""Out-of-fold scores: loss, coverage and conformity score of each row, its paper left out.

The scores of a model's validation are part of its folder, so that a later model can be compared
with it paper by paper and nothing is fitted twice. Papers that came after a model are scored by the
model itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices
from perovshell.data.dataset import Dataset
from perovshell.features.combinations import Combination
from perovshell.models.evidence import Literature
from perovshell.models.point import PointPrediction
from perovshell.models.predictor import Predictor
from perovshell.models.stability import (
    INTERVAL_INFLATION,
    TEST_DESCRIPTORS,
    Logarithms,
    thin_stressors,
)
from perovshell.targets.declared import TARGETS
from perovshell.targets.scales import reported_width
from perovshell.training.fit.domains import are_inside, domains_of, literature_rows
from perovshell.training.fit.problems import GainProblem, LifetimeProblem, PointProblem
from perovshell.training.validation.calibration import (
    calibration_rows,
    covered_rows,
    is_covered,
    largest_residual,
    lower_bounds,
)
from perovshell.training.validation.figures import LEVEL
from perovshell.training.validation.headline import errors, row_likelihood
from perovshell.training.validation.nested import OutOfFold, Problem, Problems


@dataclass(frozen=True)
class OutOfFoldScores:
    """The out-of-fold scores of n rows of a target.

    Attributes:
        rows: Identity of each row, shape (n,).
        papers: Paper of each row.
        groups: Group that counts as one paper.
        share: What each row counts for within its paper.
        loss: Absolute error (nm, points), or minus the log likelihood of the observed interval.
        covered: 1 where the 90 % interval (stability: the lower bound, for certain) holds, else 0.
        width: Width of the 90 % interval in nm or points; stability: how far the lower bound lies
            below the prediction, in log units.
        score: Residual over its difficulty; NaN outside the domain that the other papers make, and
            for stability, whose residuals are intervals.
    """

    rows: npt.NDArray[np.str_]
    papers: npt.NDArray[np.str_]
    groups: npt.NDArray[np.str_]
    share: Floats
    loss: Floats
    covered: Floats
    width: Floats
    score: Floats

    def take(self, rows: Indices) -> OutOfFoldScores:
        """Return the scores of some rows, by their index."""
        return OutOfFoldScores(*(getattr(self, entry.name)[rows] for entry in fields(self)))

    def of_papers(self, papers: set[str]) -> OutOfFoldScores:
        """Return the scores of the rows of some papers."""
        return self.take(np.flatnonzero([paper in papers for paper in self.papers.tolist()]))

    def index_of(self, rows: Sequence[str]) -> Indices:
        """Return the index of rows.

        Raises:
            KeyError: A row is not among them.
        """
        index = {row: number for number, row in enumerate(self.rows.tolist())}
        return np.array([index[row] for row in rows], dtype=np.intp)


@dataclass(frozen=True)
class ValidationRecord:
    """The out-of-fold scores of a model's validation, and the papers it was trained on.

    Attributes:
        digests: Digest of the rows of each paper it was trained on.
        scores: Out-of-fold scores by target.
    """

    digests: Mapping[str, str]
    scores: Mapping[str, OutOfFoldScores]

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays for storage."""
        stored: dict[str, npt.NDArray[Any]] = {
            "papers": np.array(list(self.digests), dtype=np.str_),
            "digests": np.array(list(self.digests.values()), dtype=np.str_),
        }
        for name, scores in self.scores.items():
            stored |= {
                f"{name}_{entry.name}": getattr(scores, entry.name)
                for entry in fields(OutOfFoldScores)
            }
        return stored

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> ValidationRecord:
        """Rebuild from stored arrays."""
        digests = dict(zip(arrays["papers"].tolist(), arrays["digests"].tolist(), strict=True))
        scores = {
            name: OutOfFoldScores(
                *(arrays[f"{name}_{entry.name}"] for entry in fields(OutOfFoldScores))
            )
            for name in TARGETS
        }
        return cls(digests, scores)


def validated(
    dataset: Dataset, problems: Problems, results: Mapping[str, OutOfFold]
) -> ValidationRecord:
    """Return the scores of out-of-fold predictions.

    Args:
        dataset: The dataset the problems were made of.
        problems: The training problems.
        results: Out-of-fold predictions in the form that each target uses.
    """
    literature = Literature(literature_rows(dataset), problems.featurizer.reader)
    domains = domains_of(dataset, literature)
    scores = {}
    for name in TARGETS:
        problem, result = problems[name], results[name]
        parts = _left_out(problem, result)
        one = _scores(problem, row_names(dataset, problem), *parts).take(result.tested)
        if isinstance(problem, PointProblem):
            label = problem.spec.target.domain.label
            one = _within(label, domains[label].reach, one, dataset, literature)
        scores[name] = one
    return ValidationRecord(dict(dataset.digests), scores)


def _within(
    target: str, reach: float, scores: OutOfFoldScores, dataset: Dataset, literature: Literature
) -> OutOfFoldScores:
    """Keep the conformity scores of rows in the domain that the other papers span."""
    samples = [dataset.samples[row] for row in scores.rows.tolist()]
    inside = are_inside(target, samples, dataset, literature, reach)
    return replace(scores, score=np.where(inside, scores.score, np.nan))


def prospective(
    dataset: Dataset, problems: Problems, predictor: Predictor, papers: set[str]
) -> dict[str, OutOfFoldScores]:
    """Return the scores of a model on papers it was not trained on.

    Args:
        dataset: A dataset with these papers.
        problems: Its training problems.
        predictor: The model.
        papers: The papers.
    """
    scores = {}
    for name in TARGETS:
        whole = problems[name]
        names = row_names(dataset, whole)
        rows = np.flatnonzero([paper in papers for paper in whole.papers.tolist()])
        problem = whole.take(rows)
        parts = _unseen(name, problem, predictor) if len(rows) else (np.zeros(0),) * 4
        scores[name] = _scores(problem, names[rows], *parts)
    return scores


def row_names(dataset: Dataset, problem: Problem) -> npt.NDArray[np.str_]:
    """Return the identity of each row, which other papers do not change, shape (n,)."""
    if isinstance(problem, PointProblem):
        return np.array(problem.sample_ids, dtype=np.str_)
    count: Counter[str] = Counter()
    names = {}
    for test in dataset.tests:
        count[test.sample.sample_id] += 1
        names[test.number] = f"{test.sample.sample_id} test {count[test.sample.sample_id]}"
    tests = [names[number] for number in problem.tests.tolist()]
    if isinstance(problem, GainProblem):
        return np.array(tests, dtype=np.str_)
    sides = ["coated" if coated else "bare" for coated in problem.is_coated.tolist()]
    return np.array([f"{test} {side}" for test, side in zip(tests, sides, strict=True)])


def _scores(
    problem: Problem,
    rows: npt.NDArray[np.str_],
    loss: Floats,
    covered: Floats,
    width: Floats,
    score: Floats,
) -> OutOfFoldScores:
    is_regression = isinstance(problem, PointProblem)
    groups = problem.weight_groups if isinstance(problem, PointProblem) else problem.papers
    share = np.ones(len(rows)) if is_regression else problem.share  # type: ignore[union-attr]
    return OutOfFoldScores(rows, problem.papers, groups, share, loss, covered, width, score)


def _left_out(problem: Problem, result: OutOfFold) -> tuple[Floats, ...]:
    """Return loss, covered, width and score of out-of-fold predictions, each of shape (n,)."""
    if isinstance(problem, PointProblem):
        covered, width = covered_rows(problem, result)
        score = largest_residual(problem, result.model[0]) / result.others["difficulty"]
        loss = errors(problem, result)
        return loss, covered.astype(float), width, _usable(problem, score)
    bound, predicted = lower_bounds(problem, result), result.model[0]
    return _interval_scores(problem, predicted, result.others["sigma"], bound)


def _unseen(name: str, problem: Problem, predictor: Predictor) -> tuple[Floats, ...]:
    """Return loss, covered, width and score of a model on rows it never knew."""
    if isinstance(problem, PointProblem):
        return _point(name, problem, predictor)
    return _stability(problem, predictor)


def _point(name: str, problem: PointProblem, predictor: Predictor) -> tuple[Floats, ...]:
    model, scale = predictor.points[name], problem.spec.target.scale
    matrix = predictor.featurizer.matrix(problem.items)
    predicted = model.predict(matrix)
    difficulty = model.difficulty_of(matrix, predicted)
    names = np.array(problem.combinations, dtype=np.str_)
    categories = {one: names == one for one in model.mondrian if one in problem.combinations}
    # The value before it is held within its range: residuals are those of the model.
    half, _ = PointPrediction(model, predicted, difficulty, categories).half_widths(LEVEL)
    low, high = predicted - half, predicted + half
    score = largest_residual(problem, predicted) / difficulty
    score = np.where(_in_domain(problem, predictor), score, np.nan)
    sides = np.array(problem.bounds, dtype=np.str_)
    covered = is_covered(problem.target, sides, low, high).astype(float)
    width = reported_width(scale, low, high)
    return problem.errors(predicted), covered, width, _usable(problem, score)


def _in_domain(problem: PointProblem, predictor: Predictor) -> list[bool]:
    """Return whether the model's domain of the target holds each row, shape (n,)."""
    label = problem.spec.target.domain.label
    rows = zip(problem.cores, problem.items, strict=True)
    return [core != "" and not predictor.outside_of(label, item) for core, item in rows]


def _usable(problem: PointProblem, score: Floats) -> Floats:
    """Return the scores of rows that calibrate; NaN of others."""
    kept = np.isin(np.arange(len(score)), calibration_rows(problem))
    return np.where(kept, score, np.nan)


def _stability(problem: LifetimeProblem | GainProblem, predictor: Predictor) -> tuple[Floats, ...]:
    """Return loss, covered, width and score of the answers of a model, each of shape (n,)."""
    model, logs = predictor.stability, predicted_logarithms(problem, predictor)
    scores = model.gain_scores if isinstance(problem, GainProblem) else model.lifetime_scores
    bound = logs.value + scores.lower_quantile(1 - LEVEL)
    return _interval_scores(problem, logs.value, logs.sigma, bound)


def predicted_logarithms(
    problem: LifetimeProblem | GainProblem, predictor: Predictor
) -> Logarithms:
    """Return log lifetimes or gains of rows as a model answers them."""
    model, items = predictor.stability, problem.items
    is_null = thin_stressors(model.papers, problem.stressors.tolist())
    is_null |= np.array([item.core is not None and item.core.is_metal for item in items])
    if isinstance(problem, GainProblem):
        coated = _trees(predictor, items, problem.coated)
        trees = coated - _trees(predictor, [item.bare for item in items], problem.bare)
    else:
        trees = _trees(predictor, items, problem.matrix)
    is_gain = isinstance(problem, GainProblem)
    models = model.null, model.effects
    return Logarithms.of(models, problem.effects, trees, is_null=is_null, is_gain=is_gain)


def _trees(predictor: Predictor, items: Sequence[Combination], matrix: Floats) -> Floats:
    """Return what the trees of a model add, by its descriptors and the tests of a matrix, (n,)."""
    model = predictor.stability
    if not model.has_trees:
        return np.zeros(len(items))
    described = predictor.featurizer.matrix(items)
    rows = np.hstack([described, matrix[:, -len(TEST_DESCRIPTORS) :]])
    return model.forest.predict(rows.take(model.columns, axis=1))


def _interval_scores(
    problem: LifetimeProblem | GainProblem, predicted: Floats, sigma: Floats, bound: Floats
) -> tuple[Floats, ...]:
    ends = problem.low / INTERVAL_INFLATION, problem.high * INTERVAL_INFLATION
    loss = -row_likelihood(predicted, sigma, *ends)
    with np.errstate(divide="ignore"):
        covered = (bound <= np.log(ends[0])).astype(float)
    return loss, covered, predicted - bound, np.full(len(predicted), np.nan)
