"""Replay of past years: what retraining would have gained, had papers been added year by year.

For each year three models predict the year's papers before training on them: the first model,
never retrained; the champion, replaced where the challenger passed the promotion check; and the
latest challenger, always promoted. Then a challenger is trained on all papers up to the year and
judged.

Reference tables, settings and choice of models are today's. A year is one batch. Undated papers are
left out.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from perovshell.data.dataset import Dataset
from perovshell.errors import InputError
from perovshell.model import Model
from perovshell.models.predictor import Predictor
from perovshell.research.chronology import (
    check_years,
    group_count,
    papers_before,
    publication_years,
    undated_papers,
)
from perovshell.research.replay.results import PL_LEAD, POLICIES, Replay, Year
from perovshell.targets.declared import PL
from perovshell.training.promotion.check import judge
from perovshell.training.promotion.verdict import Changes
from perovshell.training.train import recorded_settings, train, validation_steps
from perovshell.training.validation.nested import Problems, Settings
from perovshell.training.validation.out_of_fold_scores import (
    OutOfFoldScores,
    ValidationRecord,
    prospective,
)

SETTINGS: Final = Settings(folds=20, repeats=1)
"""A validation of some seconds per year."""
MIN_PAPERS: Final = 40
"""Papers of the years before, a collection counting as one, that the first model needs."""


@dataclass(frozen=True)
class YearModel:
    """A model trained on the papers up to a year.

    Attributes:
        last_year: The last year it was trained on.
        predictor: The fitted predictor.
        validated: Its out-of-fold scores, and the papers it was trained on.
        problems: Its training problems.
    """

    last_year: int
    predictor: Predictor
    validated: ValidationRecord
    problems: Problems


# Years ---------------------------------------------------------------------------------------


def replay(
    dataset: Dataset,
    settings: Settings = SETTINGS,
    advance: Callable[[], None] = lambda: None,
    *,
    min_papers: int = MIN_PAPERS,
) -> Replay:
    """Add the papers year by year, predict each year before training on it, and retrain.

    Args:
        dataset: The dataset in use.
        settings: How each model is validated.
        advance: Called when a fit of a validation is done, `steps(dataset, settings)` times.
        min_papers: Papers of the years before, a collection counting as one, that a year needs.

    Raises:
        InputError: No year has enough papers before it.
        BacktestLeakError: A model was trained on a paper of the year it predicts, or a later one.
    """
    years = replayed_years(dataset, min_papers)
    with tempfile.TemporaryDirectory() as folder:

        def trained(year: int) -> YearModel:
            return _train(dataset, year, Path(folder), settings, advance)

        models = dict.fromkeys(POLICIES, trained(_first_year(dataset, years)))
        results = []
        for year in years:
            result, models = add_year(models, trained(year), dataset, year)
            results.append(result)
    return Replay(
        initial_papers=tuple(sorted(papers_before(dataset, years[0]).papers)),
        years=tuple(results),
        undated=undated_papers(dataset),
        min_papers=min_papers,
        dataset={"hash": dataset.content_hash, **dataset.counts},
        settings=recorded_settings(settings),
    )


def steps(dataset: Dataset, settings: Settings = SETTINGS, *, min_papers: int = MIN_PAPERS) -> int:
    """Return how often `replay` calls `advance`.

    Raises:
        InputError: No year has enough papers before it.
    """
    years = replayed_years(dataset, min_papers)
    training = (papers_before(dataset, year + 1) for year in (_first_year(dataset, years), *years))
    return sum(validation_steps(papers, settings) for papers in training)


def _first_year(dataset: Dataset, years: Sequence[int]) -> int:
    """Return the last year before those replayed, up to which the first model is trained."""
    return max(year for year in publication_years(dataset) if year < years[0])


def replayed_years(dataset: Dataset, min_papers: int = MIN_PAPERS) -> list[int]:
    """Return the years with papers and enough papers before them, in rising order.

    Raises:
        InputError: There is none.
    """
    years = [
        year
        for year in publication_years(dataset)
        if group_count(papers_before(dataset, year)) >= max(min_papers, 1)
    ]
    if not years:
        msg = (
            f"replay: of {len(dataset.papers)} papers no year has {min_papers} papers before it (a "
            "collection counts as one, papers without a year do not); at least one must"
        )
        raise InputError(msg)
    return years


# One year ------------------------------------------------------------------------------------


def add_year(
    models: Mapping[str, YearModel], challenger: YearModel, dataset: Dataset, year: int
) -> tuple[Year, dict[str, YearModel]]:
    """Predict a year's papers with each model, and judge the challenger trained on them.

    Args:
        models: The models before the year, by `POLICIES`.
        challenger: The model of all papers up to the year.
        dataset: The whole dataset.
        year: The year.

    Returns:
        The results of the year, and the models after it.

    Raises:
        BacktestLeakError: A model was trained on a paper of the year or later.
    """
    for policy, model in models.items():
        check_unseen(model, dataset, year, policy)
    up_to_year, problems = papers_before(dataset, year + 1), challenger.problems
    papers = {name for name, paper in up_to_year.papers.items() if paper.year == year}
    scores = {
        policy: with_lead(prospective(up_to_year, problems, model.predictor, papers), problems)
        for policy, model in models.items()
    }
    champion = models["champion"]
    before, after = champion.validated, challenger.validated
    # New to the champion are also the papers of challengers that were not promoted.
    added = set(Changes.between(before.digests, after.digests).added)
    with np.errstate(invalid="ignore"):  # Intervals of few papers are open: their mean is NaN.
        verdict = judge(before, after, prospective(up_to_year, problems, champion.predictor, added))
    result = Year(year, tuple(sorted(papers)), scores, verdict, champion.last_year)
    promoted = challenger if verdict.promote else champion
    return result, {"never": models["never"], "champion": promoted, "always": challenger}


def with_lead(
    scores: Mapping[str, OutOfFoldScores], problems: Problems
) -> dict[str, OutOfFoldScores]:
    """Add the scores of lead halides outside the collection as target `pl_lead`.

    A paper on another kind of core can be wrong by hundreds of nm and dominate the mean of all.
    """
    peaks = problems.points[PL.name]
    lead = np.array(peaks.sample_ids)[peaks.subsets["lead_no_cspbcl3"]]
    rows = np.flatnonzero(np.isin(scores[PL.name].rows, lead))
    return {**scores, PL_LEAD: scores[PL.name].take(rows)}


def check_unseen(model: YearModel, dataset: Dataset, year: int, policy: str) -> None:
    """Check that training rows and literature of a model are of papers before a year.

    Raises:
        BacktestLeakError: A paper is of the year or later, undated, or unknown.
    """
    name = f"replay: the model {policy!r} that predicts the papers of {year}"
    check_years(_papers_of(model), dataset, year, name)


def _papers_of(model: YearModel) -> Iterable[str]:
    yield from model.validated.digests
    yield from (row["paper_id"] for row in model.predictor.literature.samples)
    for target in model.problems:
        yield from model.problems[target].papers.tolist()


def _train(
    dataset: Dataset, year: int, folder: Path, settings: Settings, advance: Callable[[], None]
) -> YearModel:
    with np.errstate(invalid="ignore"):  # As above.
        trained = train(papers_before(dataset, year + 1), folder, settings, advance)
    predictor = Model.from_folder(trained.folder).predictor
    return YearModel(year, predictor, trained.validated, trained.problems)
