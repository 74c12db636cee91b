"""A replay of the past: what retraining would have paid, had each year's papers been added in turn.

For each year three models predict the year's papers before they are learned: the first one, which
is never retrained; the one that the gate let through; and the latest, always taken. Then a
challenger is trained on all papers up to the year, and the gate decides.

Not of the time are the reference tables, the settings and the choice of models: they are today's.
A year is taken as one batch. Papers without a year take no part.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from perovshell.data.dataset import Dataset
from perovshell.errors import BacktestLeakError, InputError
from perovshell.model import Model
from perovshell.models.predictor import Predictor
from perovshell.research.replay.figures import PL_LEAD, POLICIES, Replay, Year
from perovshell.targets.declared import PL
from perovshell.training.promotion.check import judge
from perovshell.training.promotion.verdict import Changes
from perovshell.training.train import recorded_settings, train
from perovshell.training.validation.nested import Problems, Settings
from perovshell.training.validation.out_of_fold_scores import (
    OutOfFoldScores,
    ValidationRecord,
    prospective,
)

SETTINGS: Final = Settings(folds=20, repeats=1)
"""A validation of some seconds a year."""
FEWEST_KNOWN: Final = 40
"""Fewest papers of the years before, a collection counting as one, that a first model learns."""


@dataclass(frozen=True)
class Learned:
    """A model of the papers up to a year.

    Attributes:
        until: The last year that it knows.
        predictor: What predicts.
        validated: The marks of its validation, and the papers it was trained on.
        problems: Its training problems.
    """

    until: int
    predictor: Predictor
    validated: ValidationRecord
    problems: Problems


# Years ---------------------------------------------------------------------------------------


def replay(
    dataset: Dataset,
    settings: Settings = SETTINGS,
    advance: Callable[[], None] = lambda: None,
    *,
    fewest: int = FEWEST_KNOWN,
) -> Replay:
    """Add the papers year by year, predict each year before it is learned, and retrain.

    Args:
        dataset: The dataset in use.
        settings: How each model is validated.
        advance: Called once a validated fold of a target, at most `steps(dataset, settings)` times.
        fewest: Papers of the years before, a collection counting as one, from which a year counts.

    Raises:
        InputError: No year has enough papers before.
        BacktestLeakError: A model knows a paper of the year that it predicts, or a later one.
    """
    years = years_of(dataset, fewest)
    first = max(year for year in _dated(dataset) if year < years[0])
    with tempfile.TemporaryDirectory() as folder:

        def learn(year: int) -> Learned:
            return _learn(papers_until(dataset, year), year, Path(folder), settings, advance)

        models = dict.fromkeys(POLICIES, learn(first))
        found = []
        for year in years:
            step, models = add_year(models, learn(year), dataset, year)
            found.append(step)
    return Replay(
        known=tuple(sorted(papers_until(dataset, first).papers)),
        years=tuple(found),
        undated=sum(paper.year is None for paper in dataset.papers.values()),
        fewest=fewest,
        dataset={"hash": dataset.content_hash, **dataset.counts},
        settings=recorded_settings(settings),
    )


def steps(dataset: Dataset, settings: Settings = SETTINGS, *, fewest: int = FEWEST_KNOWN) -> int:
    """Return how often `replay` calls `advance` at the most.

    Raises:
        InputError: No year has enough papers before.
    """
    return (len(years_of(dataset, fewest)) + 1) * settings.steps


def years_of(dataset: Dataset, fewest: int = FEWEST_KNOWN) -> list[int]:
    """Return the years with papers of their own and enough before, in rising order.

    Raises:
        InputError: There is none.
    """
    years = [
        year
        for year in _dated(dataset)
        if len({dataset.group_of(name) for name in papers_until(dataset, year - 1).papers})
        >= max(fewest, 1)
    ]
    if not years:
        msg = (
            f"replay: of {len(dataset.papers)} papers no year has {fewest} papers before it (a "
            "collection counts as one, papers without a year do not); at least one must"
        )
        raise InputError(msg)
    return years


def papers_until(dataset: Dataset, year: int) -> Dataset:
    """Return the part of a dataset that papers up to a year make; none without a year."""
    return dataset.subset(
        {
            name
            for name, paper in dataset.papers.items()
            if paper.year is not None and paper.year <= year
        }
    )


def _dated(dataset: Dataset) -> list[int]:
    return sorted({paper.year for paper in dataset.papers.values() if paper.year is not None})


# One year ------------------------------------------------------------------------------------


def add_year(
    models: Mapping[str, Learned], challenger: Learned, dataset: Dataset, year: int
) -> tuple[Year, dict[str, Learned]]:
    """Let the models predict a year's papers, judge the challenger that has learned them.

    Args:
        models: The models before the year, by `POLICIES`.
        challenger: The model of all papers up to the year.
        dataset: The whole dataset.
        year: The year.

    Returns:
        What became of the year, and the models after it.

    Raises:
        BacktestLeakError: A model knows a paper of the year or later.
    """
    for name, model in models.items():
        check_unseen(model, dataset, year, name)
    up_to, problems = papers_until(dataset, year), challenger.problems
    papers = {name for name, paper in up_to.papers.items() if paper.year == year}
    marks = {
        name: with_lead(prospective(up_to, problems, model.predictor, papers), problems)
        for name, model in models.items()
    }
    champion = models["gated"]
    # The gate sees all papers that the champion does not know, those of refused challengers too.
    known, now = champion.validated, challenger.validated
    added = set(Changes.between(known.digests, now.digests).added)
    with np.errstate(invalid="ignore"):  # intervals of few papers are open: their means are unknown
        verdict = judge(known, now, prospective(up_to, problems, champion.predictor, added))
    step = Year(year, tuple(sorted(papers)), marks, verdict, champion.until)
    gated = challenger if verdict.promote else champion
    return step, {"never": models["never"], "gated": gated, "always": challenger}


def with_lead(
    marks: Mapping[str, OutOfFoldScores], problems: Problems
) -> dict[str, OutOfFoldScores]:
    """Return marks with those of lead halides outside the collection, as target `pl_lead`.

    A paper of another kind of core can be wrong by hundreds of nm and rule a mean of all.
    """
    peaks = problems.points[PL.name]
    is_lead = peaks.subsets["lead_no_cspbcl3"].tolist()
    lead = {name for name, own in zip(peaks.sample_ids, is_lead, strict=True) if own}
    places = np.flatnonzero([row in lead for row in marks[PL.name].rows.tolist()])
    return {**marks, PL_LEAD: marks[PL.name].take(places)}


def check_unseen(model: Learned, dataset: Dataset, year: int, name: str) -> None:
    """Check that what a model was trained on and tells as literature is of papers before a year.

    Raises:
        BacktestLeakError: A paper is of the year or later, without a year, or unknown.
    """
    for paper_id in dict.fromkeys(_papers_of(model)):
        paper = dataset.papers.get(paper_id)
        when = paper.year if paper else None
        if when is None or when >= year:
            msg = (
                f"replay: the model {name!r} that predicts the papers of {year} knows paper "
                f"{paper_id} of {when or 'no known year'}; only papers before {year} are allowed"
            )
            raise BacktestLeakError(msg)


def _papers_of(model: Learned) -> Iterable[str]:
    yield from model.validated.digests
    yield from (row["paper_id"] for row in model.predictor.literature.samples)
    for target in model.problems:
        yield from model.problems[target].papers.tolist()


def _learn(
    known: Dataset, year: int, folder: Path, settings: Settings, advance: Callable[[], None]
) -> Learned:
    with np.errstate(invalid="ignore"):  # as above
        trained = train(known, folder, settings, advance)
    predictor = Model.from_folder(trained.folder).predictor
    return Learned(year, predictor, trained.validated, trained.problems)
