"""The backtest of rankings: known answers, and leaks of later papers that are caught."""

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
    backtest_years,
    check_model,
    check_training,
    look_up,
    measured_in,
    papers_before,
    rankings,
    reaches_threshold,
    space_of,
    steps,
)
from perovshell.research.chronology import group_count
from perovshell.research.percentile import (
    GROUPS,
    RANKINGS,
    SCOPES,
    Backtest,
    Estimate,
    Published,
    concordances,
    figures,
    mean_by_paper,
    percentile,
)
from perovshell.serve.ranking.candidates import CandidatePredictions
from perovshell.serve.ranking.objectives import Objectives
from perovshell.serve.ranking.scoring import LOG_FLAG
from perovshell.training.train import QUICK, TrainedModel, validation_steps

YEAR = 2021


def published(
    paper: str, score: float, *, good: bool, new: bool = True, year: int = 1
) -> Published:
    """Return a combination that the baselines score 0.5."""
    scores = dict.fromkeys(RANKINGS, 0.5) | {"ranking": score}
    percentiles = {name: dict.fromkeys(SCOPES, value) for name, value in scores.items()}
    return Published(year, paper, "CsPbBr3", "SiO2", 90.0, good, new, scores, percentiles)


# Known answers -------------------------------------------------------------------------------


def test_a_percentile_is_the_share_of_the_others_below_with_ties_as_half() -> None:
    scores = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, np.nan]])
    assert [percentile(scores, score) for score in (1, 3, 5)] == [0.0, 0.5, 1.0]
    assert percentile(np.array([1.0, 2.0, 2.0, 2.0, 3.0]), 2.0) == (1 + 0.5 * 2) / 4
    assert percentile(np.zeros(7), 0.0) == 0.5
    assert math.isnan(percentile(np.array([1.0, np.nan]), 1.0))


def test_the_mean_percentile_of_random_scores_is_chance() -> None:
    scores = np.random.default_rng(0).integers(0, 4, 101).astype(float)
    assert np.mean([percentile(scores, score) for score in scores]) == pytest.approx(0.5)


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
    assert reaches_threshold(samples) is expected


def test_papers_count_once_however_much_they_publish() -> None:
    metrics = mean_by_paper(["a", "a", "a", "b"], np.array([0.0, 0.0, 0.3, 0.9]))
    assert (metrics.n, metrics.papers) == (4, 2)
    assert metrics.value == pytest.approx((0.1 + 0.9) / 2)


def test_the_interval_is_that_of_resampled_papers() -> None:
    """Two of five papers at 1: a binomial of five draws, of which 0 and 4 are the 90 % ends."""
    metrics = mean_by_paper(list("abcde"), np.array([1.0, 1.0, 0.0, 0.0, 0.0]))
    assert (metrics.value, metrics.low, metrics.high) == pytest.approx((0.4, 0.0, 0.8))
    assert str(metrics) == "0.40 (0.00 to 0.80, includes chance, 0.5)"


def test_few_papers_have_no_interval_and_none_no_value() -> None:
    few = mean_by_paper(list("abcd"), np.array([1.0, 1.0, 0.0, 0.0]))
    assert math.isnan(few.low)
    assert str(few) == "0.50 (too few papers for an interval)"
    nothing = mean_by_paper([], np.array([]))
    assert nothing.n == 0
    assert str(nothing) == "nothing to compare"


def test_an_estimate_states_whether_its_interval_includes_chance() -> None:
    assert str(Estimate(9, 9, 0.8, 0.6, 0.9)) == "0.80 (0.60 to 0.90)"
    assert str(Estimate(9, 9, 0.1, -0.1, 0.3, 0.0)) == "+0.10 (-0.10 to +0.30, includes 0)"
    assert str(Estimate(9, 9, 0.1, 0.05, 0.3, 0.0)) == "+0.10 (+0.05 to +0.30)"


def test_pairs_are_of_one_year_and_a_tie_counts_half() -> None:
    rows = [
        published("a", 0.9, good=True),
        published("b", 0.4, good=False),
        published("c", 0.9, good=False),
        published("d", 0.0, good=True, year=2),
        published("e", 1.0, good=False, year=3),
    ]
    metrics = concordances(rows)
    assert (metrics["concordance"].n, metrics["concordance"].papers) == (2, 3)
    assert metrics["concordance"].value == pytest.approx((1 + 0.5) / 2)
    assert metrics["concordance.over_papers"].value == pytest.approx(0.25)
    assert metrics["concordance.over_papers"].chance == 0.0
    assert concordances(rows[3:])["concordance"].n == 0


def test_pairs_weigh_by_paper() -> None:
    rows = [published("a", 0.5, good=True), published("b", 0.9, good=False)]
    rows += [published("c", 0.1, good=False)] * 3
    assert concordances(rows)["concordance"].value == pytest.approx(0.5)


def test_new_and_repeated_combinations_are_separate_and_baselines_paired() -> None:
    rows = [
        published("a", 0.9, good=True),
        published("b", 0.7, good=True),
        published("c", 0.2, good=False),
        published("d", 1.0, good=True, new=False),
    ]
    metrics = figures(rows)
    for scope in SCOPES:
        values = {group: metrics[f"{group}.{scope}"].value for group in GROUPS}
        assert values == pytest.approx({"new_good": 0.8, "new_below": 0.2, "repeat_good": 1.0})
        assert metrics[f"new_good.{scope}.over_shell_plqy"].value == pytest.approx(0.3)
    assert metrics["concordance"].n == 2


# Years ---------------------------------------------------------------------------------------


def test_years_have_enough_papers_before_and_enough_to_test(dataset: Dataset) -> None:
    years = backtest_years(dataset)
    assert YEAR in years
    for year in years:
        before = papers_before(dataset, year)
        assert group_count(before) >= module.MIN_TRAINING_PAPERS
        assert len(measured_in(dataset, year)) >= module.MIN_TESTED_SAMPLES
        known = {paper.year for paper in before.papers.values()}
        assert None not in known
        assert max(year for year in known if year is not None) < year
        assert {test.sample.paper_id for test in before.tests} <= set(before.papers)
    assert steps(dataset, QUICK) > len(years) * QUICK.folds * 3


def test_the_space_has_every_core_and_shell_of_before_and_of_the_year(dataset: Dataset) -> None:
    before = papers_before(dataset, YEAR)
    samples = measured_in(dataset, YEAR)
    space = space_of(before, samples)
    shells = {"|".join(layer.name for layer in layers) for layers in space.shells}
    assert set(dataset.reader.shells.materials) <= shells
    assert all(s.core and space.cores.find(s.core) is not None for s in samples)
    assert {sample.shell for sample in samples} <= shells
    assert len(space.contexts) == 1
    assert {name for name, weight in space.weights.items() if weight} == {
        "plqy",
        "gain",
        "half_life",
    }


def test_scores_are_those_of_the_ranking_of_named_combinations(
    dataset: Dataset, model: Model
) -> None:
    before = papers_before(dataset, YEAR)
    space = space_of(before, measured_in(dataset, YEAR))
    scores = rankings(space, model, before)["ranking"].ravel()
    missing = [space.item(int(number)) for number in np.flatnonzero(np.isnan(scores))]
    assert {shell_text(item.layers) for item in missing} <= {item.core.formula for item in missing}
    index = [n for n in range(0, space.size, 37) if not np.isnan(scores[n])]
    objectives = Objectives(space, model)
    predictions = CandidatePredictions.of(objectives, [space.item(n) for n in index])
    desirable = objectives.desirabilities(predictions.predicted, at_lower_bound=True)
    flags = [len(model.predictor.flags(item, space.stressors)) for item in predictions.items]
    expected = objectives.log_score(desirable) + LOG_FLAG * np.array(flags)
    assert scores[index] == pytest.approx(expected, abs=1e-8)


def test_combinations_are_looked_up_once_per_paper(dataset: Dataset, model: Model) -> None:
    before = papers_before(dataset, YEAR)
    year = look_up(model, before, dataset, YEAR)
    assert year.papers_before == len(before.papers)
    names = [(entry.paper, entry.core, entry.shell) for entry in year.published]
    assert len(names) == len(set(names))
    known = {(s.core.formula, s.shell) for s in before.samples.values() if s.core}
    for entry in year.published:
        assert entry.is_new is ((entry.core, entry.shell) not in known)
        assert entry.is_good is (entry.plqy_percent >= module.GOOD_PERCENT)
        percentiles = [value for scopes in entry.percentile.values() for value in scopes.values()]
        assert all(0.0 <= value <= 1.0 for value in percentiles)


def test_unclear_are_the_combinations_whose_bound_leaves_open_if_they_are_good(
    dataset: Dataset, model: Model
) -> None:
    """A core as its own shell is not ranked, and not unclear."""
    before = papers_before(dataset, YEAR)
    first, second, *_ = [one for one in measured_in(dataset, YEAR) if one.core is not None]
    own = dataset.reader.read_shell(first.core.formula) if first.core else ()
    changed = {
        first.sample_id: replace(first, layers=own),
        second.sample_id: replace(second, plqy=Measurement(module.GOOD_PERCENT - 1, ">")),
    }
    samples = {
        name: changed.get(name, sample)
        for name, sample in dataset.samples.items()
        if name in changed or name not in {one.sample_id for one in measured_in(dataset, YEAR)}
    }
    year = look_up(model, before, replace(dataset, samples=samples), YEAR)
    assert (len(year.published), year.unclear) == (0, 1)


# Leaks -----------------------------------------------------------------------------------------


def with_copy(dataset: Dataset, paper_id: str, **changes: object) -> Dataset:
    """Plant a copy of a paper, with another identity and an earlier year by mistake."""
    paper = replace(dataset.papers[paper_id], paper_id="planted", doi="", year=YEAR - 2)
    samples = [sample for sample in dataset.samples.values() if sample.paper_id == paper_id]
    copies = {
        f"planted-{sample.sample_id}": replace(
            sample, sample_id=f"planted-{sample.sample_id}", paper_id="planted", **changes
        )
        for sample in samples
    }
    papers = {**dataset.papers, "planted": paper}
    return replace(dataset, papers=papers, samples={**dataset.samples, **copies})


def with_paper(before: Dataset, dataset: Dataset, paper_id: str, year: int | None) -> Dataset:
    """Add a paper to training data, with any year."""
    samples = {k: sample for k, sample in dataset.samples.items() if sample.paper_id == paper_id}
    paper = replace(dataset.papers[paper_id], year=year)
    return replace(
        before, papers={**before.papers, paper_id: paper}, samples={**before.samples, **samples}
    )


def first_paper(dataset: Dataset, fits: Callable[[int | None], bool]) -> str:
    return next(
        sample.paper_id
        for sample in dataset.samples.values()
        if fits(dataset.papers[sample.paper_id].year)
    )


def with_numbers(dataset: Dataset, count: int) -> Sample:
    """Return the only tested sample of a paper, which states so many numbers."""
    tested = measured_in(dataset, YEAR)
    papers = [sample.paper_id for sample in tested]
    return next(
        sample
        for sample in tested
        if papers.count(sample.paper_id) == 1
        and sum(not math.isnan(getattr(sample, name)) for name in module._NUMBERS) == count
    )


def test_the_bundled_papers_before_are_clean(dataset: Dataset) -> None:
    for year in backtest_years(dataset):
        check_training(papers_before(dataset, year), dataset, year)


def test_a_copy_with_an_earlier_year_is_caught_before_anything_is_fitted(dataset: Dataset) -> None:
    original = with_numbers(dataset, 2).paper_id
    planted = with_copy(dataset, original)
    with pytest.raises(BacktestLeakError, match=f"paper planted .* is a copy of paper {original}"):
        check_training(papers_before(planted, YEAR), planted, YEAR)
    with pytest.raises(BacktestLeakError, match="is a copy"):
        backtest(papers_before(planted, YEAR + 1), QUICK)


def test_a_copy_is_recognised_by_all_its_samples_together(dataset: Dataset) -> None:
    tested = measured_in(dataset, YEAR)
    papers = [sample.paper_id for sample in tested if math.isnan(sample.pl_peak_nm)]
    original = next(paper for paper in papers if papers.count(paper) > 1)
    planted = with_copy(dataset, original)
    with pytest.raises(BacktestLeakError, match="2 equal numbers"):
        check_training(papers_before(planted, YEAR), planted, YEAR)


def test_different_or_single_numbers_are_no_copy(dataset: Dataset) -> None:
    sample = with_numbers(dataset, 2)
    lower = replace(sample.plqy, value=sample.plqy_percent - 1.0)
    other = with_copy(dataset, sample.paper_id, plqy=lower)
    check_training(papers_before(other, YEAR), other, YEAR)
    single = with_copy(dataset, with_numbers(dataset, 1).paper_id)
    check_training(papers_before(single, YEAR), single, YEAR)


@pytest.mark.parametrize("stated", [YEAR + 1, YEAR - 3])
def test_a_future_paper_among_the_training_papers_is_caught(dataset: Dataset, stated: int) -> None:
    """Also where the training data state an earlier year: the whole dataset decides."""
    paper = first_paper(dataset, lambda year: year == YEAR + 1)
    leaking = with_paper(papers_before(dataset, YEAR), dataset, paper, stated)
    with pytest.raises(BacktestLeakError, match=f"{YEAR}: trained on paper {paper} of {YEAR + 1}"):
        check_training(leaking, dataset, YEAR)


def test_a_paper_of_the_very_year_or_without_one_is_caught(dataset: Dataset) -> None:
    before = papers_before(dataset, YEAR)
    same = first_paper(dataset, lambda year: year == YEAR)
    with pytest.raises(BacktestLeakError, match=f"trained on paper {same} of {YEAR}"):
        check_training(with_paper(before, dataset, same, 2015), dataset, YEAR)
    undated = first_paper(dataset, lambda year: year is None)
    with pytest.raises(BacktestLeakError, match=f"trained on paper {undated} of unknown year"):
        check_training(with_paper(before, dataset, undated, 2015), dataset, YEAR)


def test_a_stray_sample_of_a_future_paper_is_caught(dataset: Dataset) -> None:
    before = papers_before(dataset, YEAR)
    stray = next(s for s in dataset.samples.values() if dataset.papers[s.paper_id].year == YEAR)
    leaking = replace(before, samples={**before.samples, stray.sample_id: stray})
    with pytest.raises(BacktestLeakError, match=f"trained on paper {stray.paper_id}"):
        check_training(leaking, dataset, YEAR)


def test_a_backtest_that_trains_on_the_future_is_refused(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "papers_before", lambda data, year: papers_before(data, year + 1))
    with pytest.raises(BacktestLeakError, match="the model of"):
        backtest(dataset, QUICK)


def test_a_model_trained_on_the_future_is_caught(
    dataset: Dataset, model: Model, trained: TrainedModel
) -> None:
    """By its training rows, and by its literature."""
    with pytest.raises(BacktestLeakError, match=f"the model of {YEAR}: trained on paper"):
        check_model(model, trained.problems, dataset, YEAR)
    dated = {k: replace(paper, year=paper.year or 2015) for k, paper in dataset.papers.items()}
    late = max(paper.year for paper in dated.values() if paper.year is not None) + 1
    check_model(model, trained.problems, replace(dataset, papers=dated), late)
    paper_id = model.predictor.literature.samples[0]["paper_id"]
    moved = {**dated, paper_id: replace(dated[paper_id], year=late)}
    with pytest.raises(BacktestLeakError, match=f"trained on paper {paper_id} of {late}"):
        check_model(model, trained.problems, replace(dataset, papers=moved), late)


# A real run ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(dataset: Dataset) -> Iterator[tuple[Backtest, int]]:
    """One year, of the dataset as it was then."""
    calls: list[None] = []
    with pytest.MonkeyPatch.context() as patch:
        count = group_count(papers_before(dataset, YEAR))
        patch.setattr(module, "MIN_TRAINING_PAPERS", count)
        then = papers_before(dataset, YEAR + 1)
        yield backtest(then, QUICK, lambda: calls.append(None)), len(calls)


def test_a_year_is_ranked_and_looked_up(dataset: Dataset, run: tuple[Backtest, int]) -> None:
    result, calls = run
    assert [year.year for year in result.years] == [YEAR]
    assert calls == validation_steps(papers_before(dataset, YEAR), QUICK)
    (year,) = result.years
    samples = measured_in(dataset, YEAR)
    assert {entry.shell for entry in year.published} <= {sample.shell for sample in samples}
    assert len(year.published) + year.unclear <= len(samples)
    new = figures(result.published)["new_good.core"]
    assert new.n == sum(entry.is_good and entry.is_new for entry in year.published) >= 3
    assert 0.0 < new.value < 1.0


def test_lines_and_json_state_the_figures_and_their_limits(
    run: tuple[Backtest, int],
) -> None:
    result, _ = run
    text = "\n".join(result.lines())
    new = figures(result.published)["new_good.core"]
    assert f"new good: {new.n} of {new.papers} papers" in text
    assert "Few combinations: they may contradict a ranking, they cannot prove one." in text
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert data["figures"]["new_good.core"]["n"] == new.n
    assert data["years"][0]["figures"]["repeat_good.core"]["low"] is None
    assert len(data["years"][0]["published"]) == len(result.published)


def test_papers_without_a_year_are_counted(dataset: Dataset) -> None:
    undated = {k: paper for k, paper in dataset.papers.items() if paper.year is None}
    samples = {k: sample for k, sample in dataset.samples.items() if sample.paper_id in undated}
    result = backtest(replace(dataset, papers=undated, samples=samples, tests=()))
    assert result.undated == len(undated)
    assert result.lines()[1].startswith(f"{len(undated)} papers without a year")
    assert result.lines()[-1] == "No year can be tested."


def test_the_command_prints_sentences_and_writes_figures(
    run: tuple[Backtest, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result, _ = run
    monkeypatch.setattr(module, "backtest", lambda *_, **__: result)
    report = tmp_path / "folder" / "backtest.json"
    done = CliRunner().invoke(commands, ["backtest", "-o", str(report)])
    assert done.exit_code == 0, done.output
    assert "\n".join(result.lines()) in done.stdout
    assert f"Figures: {report}" in done.stdout
    assert [year["year"] for year in json.loads(report.read_text())["years"]] == [YEAR]
