"""The prospective record: what a model of earlier rounds of papers predicts of a later round.

Nothing of the later round is seen before it is predicted, so its figures are not flattered by
choices that were based on it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.dataset import Dataset
from perovshell.errors import InputError
from perovshell.files import finite
from perovshell.models.folder import read_folder
from perovshell.models.predictor import Predictor
from perovshell.models.stability import INTERVAL_INFLATION
from perovshell.targets.declared import LIFETIME, TARGETS
from perovshell.texts import counted
from perovshell.training.fit.problems import LifetimeProblem, PointProblem
from perovshell.training.train import problems_of, train, validation_steps
from perovshell.training.validation.baselines import weighted_median
from perovshell.training.validation.figures import (
    Figures,
    PaperBootstrap,
    concordance,
    put,
    regression_figures,
)
from perovshell.training.validation.headline import compared_pairs
from perovshell.training.validation.nested import Problems, Settings
from perovshell.training.validation.out_of_fold_scores import (
    OutOfFoldScores,
    predicted_logarithms,
    prospective,
)


@dataclass(frozen=True)
class ProspectiveRecord:
    """Predictions of a round of papers by a model of the rounds before.

    Attributes:
        round: The round.
        papers: Number of its papers.
        trained_on: Number of papers of the rounds before.
        figures: Figures by `TARGET.SUBSET.FIGURE`.
    """

    round: int
    papers: int
    trained_on: int
    figures: Figures

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return dict(vars(self))

    def lines(self) -> list[str]:
        """Return the record in words."""
        first = (
            f"Round {self.round}: {self.papers} papers, predicted by a model of the "
            f"{self.trained_on} papers of the rounds before"
        )
        return [first, *self._point_lines(), *self._stability_lines()]

    def _point_lines(self) -> Iterator[str]:
        for key in (name for name in self.figures if name.endswith(".mae")):
            name = key.removesuffix(".mae")
            get = self.figures.get
            yield (
                f"{name}: MAE {_plain(get(key))} (median {_plain(get(f'{name}.median'))}, by paper "
                f"{_plain(get(f'{name}.mae_by_paper'))}; median of the round: "
                f"{_plain(get(f'{name}.mae_of_median'))}), R2 {_plain(get(f'{name}.r2'))}, "
                f"coverage {_plain(get(f'{name}.coverage'))} "
                f"{self._counts(name)}"
            )

    def _stability_lines(self) -> Iterator[str]:
        get = self.figures.get
        for target in ("lifetime", "gain"):
            if get(f"{target}.all.n"):
                ordered = ", ".join(
                    f"{words} {_plain(get(f'lifetime.all.{name}'))}"
                    for name, words in (
                        ("concordance_within", "concordance within a stressor"),
                        ("concordance_coated", "coated against coated"),
                    )
                    if target == LIFETIME.name
                )
                yield (
                    f"{target}: {f'{ordered}; ' if ordered else ''}lower bounds hold certainly "
                    f"{_plain(get(f'{target}.all.coverage_certain'))} "
                    f"{self._counts(f'{target}.all')}"
                )

    def _counts(self, name: str) -> str:
        """Return the numbers of rows and papers behind figures, in brackets."""
        rows, papers = (round(self.figures[f"{name}.{end}"] or 0) for end in ("n", "papers"))
        return f"({counted(rows, 'row')}, {counted(papers, 'paper')})"


def _plain(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"


def record(
    dataset: Dataset, number: int, settings: Settings, advance: Callable[[], None] = lambda: None
) -> ProspectiveRecord:
    """Train on the rounds before one, and compare its papers with their predictions.

    Args:
        dataset: A dataset whose papers name their rounds.
        number: The round.
        settings: How the model is trained.
        advance: Called when a fit of the validation is done, `steps(dataset, number, settings)`
            times.

    Raises:
        InputError: There are no papers of the round, or none before it.
    """
    before, later = _rounds(dataset, number)
    with tempfile.TemporaryDirectory() as folder:
        trained = train(dataset.subset(before), Path(folder), settings, advance)
        predictor, _ = read_folder(trained.folder)
    problems = problems_of(dataset)
    scores = prospective(dataset, problems, predictor, set(later))
    figures: Figures = {}
    for name in TARGETS:
        figures |= dict(_figures(name, problems, predictor, scores[name]))
    return ProspectiveRecord(number, len(later), len(before), figures)


def steps(dataset: Dataset, number: int, settings: Settings) -> int:
    """Return how often `record` calls `advance`.

    Raises:
        InputError: There are no papers of the round, or none before it.
    """
    before, _ = _rounds(dataset, number)
    return validation_steps(dataset.subset(before), settings)


def _rounds(dataset: Dataset, number: int) -> tuple[list[str], list[str]]:
    """Return the papers of the rounds before one, and those of the round."""
    rounds = {name: paper.round for name, paper in dataset.papers.items()}
    before = [name for name, one in rounds.items() if one is not None and one < number]
    later = [name for name, one in rounds.items() if one == number]
    if not before or not later:
        known = ", ".join(str(one) for one in sorted({one for one in rounds.values() if one}))
        msg = f"round {number}: papers of it and of earlier ones are needed; rounds: {known}"
        raise InputError(msg)
    return before, later


def _figures(
    name: str,
    problems: Problems,
    predictor: Predictor,
    scores: OutOfFoldScores,
) -> Iterator[tuple[str, float | None]]:
    problem = problems[name]
    later = np.flatnonzero(np.isin(problem.papers, np.unique(scores.papers)))
    if isinstance(problem, PointProblem):
        yield from _point_figures(name, problem.take(later), predictor, scores)
        return
    figures: Figures = {}
    prefix = f"{name}.all"
    figures[f"{prefix}.n"] = float(scores.share.sum())
    figures[f"{prefix}.papers"] = float(len(set(scores.papers.tolist())))
    if len(later):
        bootstrap = PaperBootstrap.of(scores.papers, scores.share)
        put(figures, f"{prefix}.coverage_certain", bootstrap.mean_by_paper(scores.covered))
    if isinstance(problem, LifetimeProblem) and len(later):
        lives = problem.take(later)
        figures |= concordances(prefix, lives, predicted_logarithms(lives, predictor).value)
    yield from figures.items()


def concordances(prefix: str, problem: LifetimeProblem, logs: Floats) -> Figures:
    """Return the concordances of predicted with measured lifetimes, pairs of one paper included.

    Args:
        prefix: First part of the keys.
        problem: The measured sides of tests.
        logs: Their predicted log lifetimes, shape (n,).

    Returns:
        By key, the share of comparable pairs in the right order; None where there are none. A pair
        of experiments counts at most once, however many tests each of them has.
    """
    step = logs[:, None] - logs[None, :]
    low, high = problem.low / INTERVAL_INFLATION, problem.high * INTERVAL_INFLATION
    return {
        f"{prefix}.{figure}": finite(float(concordance(step, low, high, pairs, problem.share)))
        for figure, pairs in compared_pairs(problem).items()
    }


def _point_figures(
    name: str,
    problem: PointProblem,
    predictor: Predictor,
    scores: OutOfFoldScores,
) -> Iterator[tuple[str, float | None]]:
    """Yield figures of all rows, of subsets, and by how a value was read."""
    target = problem.spec.target
    first_hand = problem.subsets["first_hand"]
    subsets = {**problem.subsets, "second_hand": ~first_hand}
    predicted = target.scale.to_unit(
        predictor.points[name].predict(predictor.featurizer.matrix(problem.items))
    )
    for subset, mask in subsets.items():
        rows = np.flatnonzero(mask)
        prefix = f"{name}.{subset}"
        if not len(rows):
            continue
        papers = problem.papers[rows]
        figures = regression_figures(
            prefix, papers, problem.values[rows], predicted[rows], scores.loss[rows]
        )
        covered = PaperBootstrap.of(papers).mean_by_paper(scores.covered[rows])
        put(figures, f"{prefix}.coverage", covered)
        figures[f"{prefix}.mae_of_median"] = float(_errors_of_median(problem, rows).mean())
        yield from figures.items()


def _errors_of_median(problem: PointProblem, rows: Any) -> Floats:
    """Return the errors of the median of the rows, which knows more than any prediction may."""
    part = problem.take(rows)
    median = weighted_median(part.target, np.ones(len(rows)))
    return part.errors(np.full(len(rows), median))
