"""The backtest of rankings: known answers, and papers from the future that are caught."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from perovshell.cli.training import commands
from perovshell.data.dataset import Dataset
from perovshell.data.records import Measurement, Sample
from perovshell.data.shells import shell_text
from perovshell.errors import BacktestLeakError
from perovshell.model import Model
from perovshell.research import backtest as module
from perovshell.research.backtest import (
    backtest,
    check_model,
    check_training,
    look_up,
    measured_in,
    papers_before,
    rankings,
    reaches,
    space_of,
    steps,
    years_of,
)
from perovshell.research.percentile import (
    GROUPS,
    RANKINGS,
    SCOPES,
    Backtest,
    Figure,
    Published,
    concordances,
    figures,
    mean_by_paper,
    standing,
)
from perovshell.serve.ranking.candidates import CandidatePredictions
from perovshell.serve.ranking.objectives import Objectives
from perovshell.training.train import QUICK, TrainedModel

YEAR = 2021


def published(
    paper: str, score: float, *, good: bool, new: bool = True, year: int = 1
) -> Published:
    """A combination that the naive rankings all score 0.5."""
    scores = dict.fromkeys(RANKINGS, 0.5) | {"model": score}
    place = {name: dict.fromkeys(SCOPES, own) for name, own in scores.items()}
    return Published(year, paper, "CsPbBr3", "SiO2", 90.0, good, new, scores, place)


# Known answers -------------------------------------------------------------------------------


def test_a_standing_is_the_share_of_the_others_below_with_ties_as_half() -> None:
    scores = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, np.nan]])
    assert [standing(scores, own) for own in (1, 3, 5)] == [0.0, 0.5, 1.0]
    assert standing(np.array([1.0, 2.0, 2.0, 2.0, 3.0]), 2.0) == (1 + 0.5 * 2) / 4
    assert standing(np.zeros(7), 0.0) == 0.5
    assert math.isnan(standing(np.array([1.0, np.nan]), 1.0))


def test_the_mean_standing_of_random_scores_is_chance() -> None:
    scores = np.random.default_rng(0).integers(0, 4, 101).astype(float)
    assert np.mean([standing(scores, own) for own in scores]) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([(80, "")], True),
        ([(79.9, "")], False),
        ([(85, "~"), (20, "")], True),
        ([(85, ">")], True),
        ([(60, ">")], None),
        ([(60, ">"), (90, "")], True),
        ([(60, "<")], False),
        ([(80, "<")], False),
        ([(90, "<")], None),
    ],
)
def test_the_best_sample_counts_and_a_bound_may_leave_it_open(
    dataset: Dataset, values: list[tuple[float, str]], *, expected: bool | None
) -> None:
    any_sample = next(iter(dataset.samples.values()))
    samples = [replace(any_sample, plqy=Measurement(p, bound)) for p, bound in values]
    assert reaches(samples) is expected


def test_papers_weigh_once_whatever_they_publish() -> None:
    found = mean_by_paper(["a", "a", "a", "b"], np.array([0.0, 0.0, 0.3, 0.9]))
    assert (found.n, found.papers) == (4, 2)
    assert found.value == pytest.approx((0.1 + 0.9) / 2)


def test_the_interval_is_that_of_resampled_papers() -> None:
    """Two of five papers at 1: a binomial of five draws, of which 0 and 4 are the 90 % ends."""
    found = mean_by_paper(list("abcde"), np.array([1.0, 1.0, 0.0, 0.0, 0.0]))
    assert (found.value, found.low, found.high) == pytest.approx((0.4, 0.0, 0.8))
    assert str(found) == "0.40 (0.00 to 0.80, includes chance, 0.5)"


def test_few_papers_get_no_interval_and_none_no_figure() -> None:
    few = mean_by_paper(list("abcd"), np.array([1.0, 1.0, 0.0, 0.0]))
    assert math.isnan(few.low)
    assert str(few) == "0.50 (too few papers for an interval)"
    nothing = mean_by_paper([], np.array([]))
    assert nothing.n == 0
    assert str(nothing) == "nothing to compare"


def test_a_figure_says_whether_its_interval_leaves_chance_out() -> None:
    assert str(Figure(9, 9, 0.8, 0.6, 0.9)) == "0.80 (0.60 to 0.90)"
    assert str(Figure(9, 9, 0.1, -0.1, 0.3, 0.0)) == "+0.10 (-0.10 to +0.30, includes 0)"
    assert str(Figure(9, 9, 0.1, 0.05, 0.3, 0.0)) == "+0.10 (+0.05 to +0.30)"


def test_pairs_are_of_one_year_and_a_tie_counts_half() -> None:
    rows = [
        published("a", 0.9, good=True),
        published("b", 0.4, good=False),
        published("c", 0.9, good=False),
        published("d", 0.0, good=True, year=2),
        published("e", 1.0, good=False, year=3),
    ]
    found = concordances(rows)
    assert (found["concordance"].n, found["concordance"].papers) == (2, 3)
    assert found["concordance"].value == pytest.approx((1 + 0.5) / 2)
    assert found["concordance.over_papers"].value == pytest.approx(0.25)
    assert found["concordance.over_papers"].chance == 0.0
    assert concordances(rows[3:])["concordance"].n == 0


def test_pairs_weigh_by_paper() -> None:
    rows = [published("a", 0.5, good=True), published("b", 0.9, good=False)]
    rows += [published("c", 0.1, good=False)] * 3
    assert concordances(rows)["concordance"].value == pytest.approx(0.5)


def test_new_ones_and_repeats_are_apart_and_rivals_are_paired() -> None:
    rows = [
        published("a", 0.9, good=True),
        published("b", 0.7, good=True),
        published("c", 0.2, good=False),
        published("d", 1.0, good=True, new=False),
    ]
    found = figures(rows)
    for scope in SCOPES:
        values = {group: found[f"{group}.{scope}"].value for group in GROUPS}
        assert values == pytest.approx({"new_good": 0.8, "new_below": 0.2, "repeat_good": 1.0})
        assert found[f"new_good.{scope}.over_shell_plqy"].value == pytest.approx(0.3)
    assert found["concordance"].n == 2


# Years ---------------------------------------------------------------------------------------


def test_years_have_enough_papers_before_and_enough_to_test(dataset: Dataset) -> None:
    years = years_of(dataset)
    assert YEAR in years
    for year in years:
        before = papers_before(dataset, year)
        groups = {dataset.group_of(name) for name in before.papers}
        assert len(groups) >= module.FEWEST_TRAINED
        assert len(measured_in(dataset, year)) >= module.FEWEST_TESTED
        known = {paper.year for paper in before.papers.values()}
        assert None not in known
        assert max(year for year in known if year is not None) < year
        assert {test.sample.paper_id for test in before.tests} <= set(before.papers)
    assert steps(dataset, QUICK) == len(years) * QUICK.folds * 3


def test_the_space_has_every_core_and_shell_of_before_and_of_the_year(dataset: Dataset) -> None:
    before = papers_before(dataset, YEAR)
    samples = measured_in(dataset, YEAR)
    space = space_of(before, [sample for _, sample in samples])
    shells = {"|".join(layer.name for layer in layers) for layers in space.shells}
    assert set(dataset.reader.shells.materials) <= shells
    assert all(space.cores.find(core) is not None for core, _ in samples)
    assert {sample.shell for _, sample in samples} <= shells
    assert len(space.contexts) == 1
    assert {name for name, weight in space.weights.items() if weight} == {"plqy", "gain"}


def test_scores_are_those_of_the_ranking_of_named_combinations(
    dataset: Dataset, model: Model
) -> None:
    before = papers_before(dataset, YEAR)
    space = space_of(before, [sample for _, sample in measured_in(dataset, YEAR)])
    scores = rankings(space, model, before)["model"].ravel()
    missing = [space.item(int(own)) for own in np.flatnonzero(np.isnan(scores))]
    assert {shell_text(own.layers) for own in missing} <= {own.core.formula for own in missing}
    index = [own for own in range(0, space.size, 37) if not np.isnan(scores[own])]
    objectives = Objectives(space, model)
    predictions = CandidatePredictions.of(objectives, [space.item(own) for own in index])
    desirable = objectives.desirabilities(predictions.predicted)
    assert scores[index] == pytest.approx(objectives.log_score(desirable), abs=1e-8)


def test_combinations_are_looked_up_once_a_paper(dataset: Dataset, model: Model) -> None:
    before = papers_before(dataset, YEAR)
    found = look_up(model, before, dataset, YEAR)
    assert found.papers_before == len(before.papers)
    names = [(own.paper, own.core, own.shell) for own in found.published]
    assert len(names) == len(set(names))
    known = {(s.core.formula, s.shell) for s in before.samples.values() if s.core}
    for own in found.published:
        assert own.is_new is ((own.core, own.shell) not in known)
        assert own.is_good is (own.plqy_percent >= module.GOOD_PERCENT)
        places = [place for scopes in own.standing.values() for place in scopes.values()]
        assert all(0.0 <= place <= 1.0 for place in places)


# Papers from the future ----------------------------------------------------------------------


def with_copy(dataset: Dataset, paper_id: str, **changes: object) -> Dataset:
    """Plant a copy of a paper, with another identity and an earlier year by mistake."""
    paper = replace(dataset.papers[paper_id], paper_id="planted", doi="", year=YEAR - 2)
    own = [sample for sample in dataset.samples.values() if sample.paper_id == paper_id]
    copies = {
        f"planted-{sample.sample_id}": replace(
            sample, sample_id=f"planted-{sample.sample_id}", paper_id="planted", **changes
        )
        for sample in own
    }
    papers = {**dataset.papers, "planted": paper}
    return replace(dataset, papers=papers, samples={**dataset.samples, **copies})


def with_paper(before: Dataset, dataset: Dataset, paper_id: str, year: int | None) -> Dataset:
    """Slip a paper into training data, whatever year these give it."""
    own = {k: sample for k, sample in dataset.samples.items() if sample.paper_id == paper_id}
    paper = replace(dataset.papers[paper_id], year=year)
    return replace(
        before, papers={**before.papers, paper_id: paper}, samples={**before.samples, **own}
    )


def first_paper(dataset: Dataset, fits: Callable[[int | None], bool]) -> str:
    return next(
        sample.paper_id
        for sample in dataset.samples.values()
        if fits(dataset.papers[sample.paper_id].year)
    )


def with_numbers(dataset: Dataset, count: int) -> Sample:
    """Return a tested sample whose paper tests it alone and that states so many numbers."""
    tested = [sample for _, sample in measured_in(dataset, YEAR)]
    papers = [sample.paper_id for sample in tested]
    return next(
        sample
        for sample in tested
        if papers.count(sample.paper_id) == 1
        and sum(not math.isnan(getattr(sample, name)) for name in module._NUMBERS) == count
    )


def test_the_bundled_papers_before_are_clean(dataset: Dataset) -> None:
    for year in years_of(dataset):
        check_training(papers_before(dataset, year), dataset, year)


def test_a_copy_with_an_earlier_year_is_caught_before_anything_is_fitted(dataset: Dataset) -> None:
    original = with_numbers(dataset, 2).paper_id
    planted = with_copy(dataset, original)
    with pytest.raises(BacktestLeakError, match=f"paper planted .* is a copy of paper {original}"):
        check_training(papers_before(planted, YEAR), planted, YEAR)
    with pytest.raises(BacktestLeakError, match="is a copy"):
        backtest(papers_before(planted, YEAR + 1), QUICK)


def test_a_copy_is_known_by_all_its_samples_together(dataset: Dataset) -> None:
    tested = [sample for _, sample in measured_in(dataset, YEAR)]
    papers = [own.paper_id for own in tested if math.isnan(own.pl_peak_nm)]
    original = next(paper for paper in papers if papers.count(paper) > 1)
    planted = with_copy(dataset, original)
    with pytest.raises(BacktestLeakError, match="2 equal numbers"):
        check_training(papers_before(planted, YEAR), planted, YEAR)


def test_another_number_or_a_single_one_makes_no_copy(dataset: Dataset) -> None:
    sample = with_numbers(dataset, 2)
    lower = replace(sample.plqy, value=sample.plqy_percent - 1.0)
    other = with_copy(dataset, sample.paper_id, plqy=lower)
    check_training(papers_before(other, YEAR), other, YEAR)
    single = with_copy(dataset, with_numbers(dataset, 1).paper_id)
    check_training(papers_before(single, YEAR), single, YEAR)


@pytest.mark.parametrize("told", [YEAR + 1, YEAR - 3])
def test_a_future_paper_among_the_training_papers_is_caught(dataset: Dataset, told: int) -> None:
    """Also where the training data call it older: the table of papers says its year."""
    paper = first_paper(dataset, lambda year: year == YEAR + 1)
    leaking = with_paper(papers_before(dataset, YEAR), dataset, paper, told)
    with pytest.raises(BacktestLeakError, match=f"of {YEAR} knows paper {paper} of {YEAR + 1}"):
        check_training(leaking, dataset, YEAR)


def test_a_paper_of_the_very_year_or_without_one_is_caught(dataset: Dataset) -> None:
    before = papers_before(dataset, YEAR)
    same = first_paper(dataset, lambda year: year == YEAR)
    with pytest.raises(BacktestLeakError, match=f"knows paper {same} of {YEAR}"):
        check_training(with_paper(before, dataset, same, 2015), dataset, YEAR)
    undated = first_paper(dataset, lambda year: year is None)
    with pytest.raises(BacktestLeakError, match=f"knows paper {undated} of no known year"):
        check_training(with_paper(before, dataset, undated, 2015), dataset, YEAR)


def test_a_stray_sample_of_a_future_paper_is_caught(dataset: Dataset) -> None:
    before = papers_before(dataset, YEAR)
    stray = next(s for s in dataset.samples.values() if dataset.papers[s.paper_id].year == YEAR)
    leaking = replace(before, samples={**before.samples, stray.sample_id: stray})
    with pytest.raises(BacktestLeakError, match=f"knows paper {stray.paper_id}"):
        check_training(leaking, dataset, YEAR)


def test_a_backtest_that_trains_on_the_future_is_refused(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "papers_before", lambda data, year: papers_before(data, year + 1))
    with pytest.raises(BacktestLeakError, match="the model of"):
        backtest(dataset, QUICK)


def test_a_model_that_knows_the_future_is_caught(
    dataset: Dataset, model: Model, trained: TrainedModel
) -> None:
    """By its training rows and by the literature it names, each for itself."""
    with pytest.raises(BacktestLeakError, match=f"the model of {YEAR} knows paper"):
        check_model(model, trained.problems, dataset, YEAR)
    dated = {k: replace(own, year=own.year or 2015) for k, own in dataset.papers.items()}
    late = max(own.year for own in dated.values() if own.year is not None) + 1
    check_model(model, trained.problems, replace(dataset, papers=dated), late)
    paper = model.predictor.literature.samples[0]["paper_id"]
    moved = {**dated, paper: replace(dated[paper], year=late)}
    with pytest.raises(BacktestLeakError, match=f"knows paper {paper} of {late}"):
        check_model(model, trained.problems, replace(dataset, papers=moved), late)


# A real run ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(dataset: Dataset) -> Iterator[tuple[Backtest, int]]:
    """One year, of the dataset as it was then."""
    calls: list[None] = []
    with pytest.MonkeyPatch.context() as patch:
        groups = {dataset.group_of(name) for name in papers_before(dataset, YEAR).papers}
        patch.setattr(module, "FEWEST_TRAINED", len(groups))
        then = papers_before(dataset, YEAR + 1)
        yield backtest(then, QUICK, lambda: calls.append(None)), len(calls)


def test_a_year_is_ranked_and_looked_up(dataset: Dataset, run: tuple[Backtest, int]) -> None:
    found, calls = run
    assert [own.year for own in found.years] == [YEAR]
    assert 0 < calls <= QUICK.folds * 3
    (year,) = found.years
    samples = [sample for _, sample in measured_in(dataset, YEAR)]
    assert {own.shell for own in year.published} <= {sample.shell for sample in samples}
    assert len(year.published) + year.unclear <= len(samples)
    new = figures(found.published)["new_good.core"]
    assert new.n == sum(own.is_good and own.is_new for own in year.published) >= 3
    assert 0.0 < new.value < 1.0


def test_what_it_says_counts_and_boasts_of_nothing(run: tuple[Backtest, int]) -> None:
    found, _ = run
    said = "\n".join(found.lines())
    new = figures(found.published)["new_good.core"]
    assert f"new good: {new.n} of {new.papers} papers" in said
    assert "Few combinations: they may contradict a ranking, they cannot prove one." in said
    data = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert data["figures"]["new_good.core"]["n"] == new.n
    assert data["years"][0]["figures"]["repeat_good.core"]["low"] is None
    assert len(data["years"][0]["published"]) == len(found.published)


def test_papers_without_a_year_are_counted(dataset: Dataset) -> None:
    undated = {k: own for k, own in dataset.papers.items() if own.year is None}
    samples = {k: own for k, own in dataset.samples.items() if own.paper_id in undated}
    found = backtest(replace(dataset, papers=undated, samples=samples, tests=()))
    assert found.undated == len(undated)
    assert found.lines()[1].startswith(f"{len(undated)} papers without a year")
    assert found.lines()[-1] == "No year can be tested."


def test_the_command_prints_sentences_and_writes_figures(
    run: tuple[Backtest, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = run
    monkeypatch.setattr(module, "backtest", lambda *_, **__: found)
    report = tmp_path / "found" / "backtest.json"
    done = CliRunner().invoke(commands, ["backtest", "-o", str(report)])
    assert done.exit_code == 0, done.output
    assert "\n".join(found.lines()) in done.stdout
    assert f"Figures: {report}" in done.stdout
    assert [own["year"] for own in json.loads(report.read_text())["years"]] == [YEAR]
