"""The replay of past years: predictions before training, promotion checks, reports."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from perovshell.cli.training import commands
from perovshell.data.dataset import Dataset
from perovshell.errors import BacktestLeakError, InputError, WorkspaceError
from perovshell.models.evidence import Literature
from perovshell.research.replay import replay as module
from perovshell.research.replay.replay import (
    YearModel,
    add_year,
    check_unseen,
    papers_before,
    replay,
    replayed_years,
    steps,
    with_lead,
)
from perovshell.research.replay.report import render, write_replay
from perovshell.research.replay.results import POLICIES, TITLES, Replay, Score, Year, by_paper
from perovshell.training.fit.problems import combination_of
from perovshell.training.promotion.verdict import Changes, Verdict
from perovshell.training.train import QUICK
from perovshell.training.validation.out_of_fold_scores import OutOfFoldScores

SETTINGS = replace(QUICK, folds=3)
MIN_PAPERS = 25
YEARS = [2018, 2019]
UNDATED = 3


@pytest.fixture(scope="module")
def small(dataset: Dataset) -> Dataset:
    """The papers up to 2019, and some without a year."""
    undated = [name for name, paper in dataset.papers.items() if paper.year is None]
    return dataset.subset({*papers_before(dataset, YEARS[-1] + 1).papers, *undated[:UNDATED]})


@pytest.fixture(scope="module")
def run(small: Dataset) -> tuple[Replay, list[dict[str, YearModel]], int]:
    """A replay, the models before each year and those after the last, and how often it advanced."""
    models: list[dict[str, YearModel]] = []
    advanced: list[int] = []

    def recorded(before, challenger, *rest):
        models.append(dict(before))
        step, after = add_year(before, challenger, *rest)
        models.append(after)
        return step, after

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "add_year", recorded)
        replayed = replay(small, SETTINGS, lambda: advanced.append(1), min_papers=MIN_PAPERS)
    return replayed, models, len(advanced)


@pytest.fixture(scope="module")
def replayed(run) -> Replay:
    return run[0]


@pytest.fixture(scope="module")
def first(run) -> YearModel:
    """The model of the papers up to 2017."""
    return run[1][0]["never"]


@pytest.fixture(scope="module")
def second(run) -> YearModel:
    """The model of the papers up to 2018."""
    return run[1][1]["always"]


@pytest.fixture(scope="module")
def third(run) -> YearModel:
    """The model of the papers up to 2019."""
    return run[1][-1]["always"]


def scores_of(papers: list[str], loss: list[float], covered: float = 1.0) -> OutOfFoldScores:
    """Return scores of one row for each paper named."""
    names, n = np.array(papers, dtype=np.str_), len(papers)
    rows = np.array([f"row {number}" for number in range(n)], dtype=np.str_)
    ones = np.ones(n)
    return OutOfFoldScores(rows, names, names, ones, np.array(loss), covered * ones, ones, ones)


def score(never: list[float], champion: list[float], always: list[float] | None = None) -> Score:
    """Return the score of as many papers."""
    papers = [f"paper{number}" for number in range(len(champion))]
    losses = {"never": never, "champion": champion, "always": always or champion}
    return Score.of("pl", {name: scores_of(papers, loss) for name, loss in losses.items()})


def verdict(*, promote: bool) -> Verdict:
    return Verdict(Changes((), (), ()), (), (), promote, "test")


# Years ---------------------------------------------------------------------------------------


def test_the_bundled_papers_are_replayed_from_the_first_year_with_40_before(
    dataset: Dataset,
) -> None:
    assert replayed_years(dataset) == list(range(2019, 2027))
    assert steps(dataset, QUICK) > 9 * QUICK.folds * 3


def test_no_year_with_enough_papers_before_is_refused(dataset: Dataset) -> None:
    with pytest.raises(InputError, match="no year has 999 papers before it"):
        replay(dataset, QUICK, min_papers=999)


def test_the_first_year_of_all_is_never_replayed(dataset: Dataset) -> None:
    assert min(replayed_years(dataset, 0)) == 2015


def test_papers_before_a_year_have_an_earlier_year(dataset: Dataset) -> None:
    years = {paper.year for paper in papers_before(dataset, 2019).papers.values()}
    assert years == {2014, 2015, 2016, 2017, 2018}


def test_each_dated_paper_is_initial_or_added_once(replayed: Replay, small: Dataset) -> None:
    papers = [*replayed.initial_papers, *(name for year in replayed.years for name in year.papers)]
    assert len(papers) == len(set(papers))
    assert set(papers) == {k for k, paper in small.papers.items() if paper.year is not None}
    assert replayed.undated == UNDATED


def test_no_year_is_without_papers(replayed: Replay) -> None:
    assert [year.year for year in replayed.years] == YEARS
    assert all(year.papers for year in replayed.years)


def test_the_papers_of_a_year_are_of_that_year(replayed: Replay, small: Dataset) -> None:
    for year in replayed.years:
        assert {small.papers[name].year for name in year.papers} == {year.year}
        for scores in year.row_scores.values():
            for target in TITLES:
                assert set(scores[target].papers.tolist()) <= set(year.papers)


def test_all_announced_steps_are_reported(run, small: Dataset) -> None:
    assert run[2] == steps(small, SETTINGS, min_papers=MIN_PAPERS)


# The three models ----------------------------------------------------------------------------


def test_all_models_are_the_same_in_the_first_year(replayed: Replay) -> None:
    year = replayed.years[0]
    for target in TITLES:
        losses = [year.row_scores[name][target].loss.tolist() for name in POLICIES]
        assert losses[0] == losses[1] == losses[2]


def test_the_champion_is_the_first_model_until_a_promotion_and_the_latest_after_it(run) -> None:
    replayed, models, _ = run
    name = "always" if replayed.years[0].verdict.promote else "never"
    assert models[2]["champion"] is models[2][name]
    assert replayed.years[1].champion_until == (2018 if replayed.years[0].verdict.promote else 2017)


def test_a_later_model_predicts_differently(replayed: Replay) -> None:
    scores = replayed.years[1].row_scores
    assert scores["always"]["plqy"].loss.tolist() != scores["never"]["plqy"].loss.tolist()


@pytest.mark.parametrize("promote", [True, False], ids=["promoted", "refused"])
def test_only_a_promotion_replaces_the_champion(
    promote: bool,  # noqa: FBT001
    first: YearModel,
    second: YearModel,
    small: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "judge", lambda *_: verdict(promote=promote))
    _, after = add_year(dict.fromkeys(POLICIES, first), second, small, 2018)
    assert after["champion"] is (second if promote else first)
    assert (after["never"], after["always"]) == (first, second)


def test_the_promotion_check_includes_papers_of_refused_challengers(
    first: YearModel,
    second: YearModel,
    third: YearModel,
    small: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[set[int | None]] = []

    def judged(_known, _now, new):
        seen.append({small.papers[name].year for name in new["plqy"].papers.tolist()})
        return verdict(promote=False)

    monkeypatch.setattr(module, "judge", judged)
    add_year({"never": first, "champion": first, "always": second}, third, small, 2019)
    add_year({"never": first, "champion": second, "always": second}, third, small, 2019)
    assert seen == [{2018, 2019}, {2019}]


# Leaks ---------------------------------------------------------------------------------------


def test_a_model_of_the_years_before_has_no_later_paper(first: YearModel, small: Dataset) -> None:
    check_unseen(first, small, 2018, "never")


def test_a_model_trained_on_the_year_is_rejected(second: YearModel, small: Dataset) -> None:
    with pytest.raises(BacktestLeakError, match=r"'always' .* of 2018: trained on .* of 2018"):
        check_unseen(second, small, 2018, "always")


def test_a_year_with_a_model_from_the_future_is_refused(
    first: YearModel, second: YearModel, small: Dataset
) -> None:
    models = {"never": first, "champion": second, "always": first}
    with pytest.raises(BacktestLeakError, match="'champion'"):
        add_year(models, second, small, 2018)


@pytest.mark.parametrize(("year", "text"), [(2019, "of 2019"), (None, "of unknown year")])
def test_a_paper_planted_in_the_training_is_refused(
    year: int | None, text: str, first: YearModel, small: Dataset
) -> None:
    planted = next(name for name, paper in small.papers.items() if paper.year == year)
    digests = {**first.validated.digests, planted: "0" * 16}
    model = replace(first, validated=replace(first.validated, digests=digests))
    with pytest.raises(BacktestLeakError, match=f"trained on paper {planted} {text}"):
        check_unseen(model, small, 2018, "never")


def test_a_paper_planted_in_the_literature_is_refused(
    first: YearModel, third: YearModel, small: Dataset
) -> None:
    samples = first.predictor.literature.samples
    planted = next(
        row
        for row in third.predictor.literature.samples
        if small.papers[row["paper_id"]].year == 2019
    )
    literature = Literature([*samples, planted], first.predictor.featurizer.reader)
    model = replace(first, predictor=replace(first.predictor, literature=literature))
    with pytest.raises(BacktestLeakError, match=planted["paper_id"]):
        check_unseen(model, small, 2018, "never")


# Figures -------------------------------------------------------------------------------------


def test_totals_are_the_means_over_the_papers_of_all_years(replayed: Replay) -> None:
    years = [year["losses"]["plqy"] for year in replayed.to_json()["years"]]
    papers = {paper: loss for losses in years for paper, loss in losses.items()}
    assert len(papers) == sum(map(len, years)) == replayed.totals["plqy"].papers
    for name in POLICIES:
        mean = np.mean([loss[name] for loss in papers.values()])
        assert replayed.totals["plqy"].loss[name] == pytest.approx(mean)


def test_differences_are_those_of_the_mean_losses(replayed: Replay) -> None:
    for total in replayed.totals.values():
        for name, (value, _, _) in total.differences.items():
            before, after = name.split(" - ")
            assert value == pytest.approx(total.loss[before] - total.loss[after])


def test_the_loss_of_a_row_is_the_error_of_its_prediction(
    replayed: Replay, first: YearModel, small: Dataset
) -> None:
    scores = replayed.years[0].row_scores["never"]["plqy"]
    index = next(
        index
        for index, row in enumerate(scores.rows.tolist())
        if not small.samples[row].plqy_bound and small.samples[row].core is not None
    )
    sample = small.samples[scores.rows[index].item()]
    item = combination_of(sample)
    predicted = first.predictor.points["plqy"].predict(first.predictor.featurizer.matrix([item]))
    assert scores.loss[index] == pytest.approx(abs(predicted[0] - sample.plqy_percent), abs=1e-6)


def test_promotions_and_refusals_add_up_to_the_years(replayed: Replay) -> None:
    data = replayed.to_json()
    assert data["promotions"] + data["refusals"] == len(replayed.years)
    assert data["promotions"] == sum(year["promoted"] for year in data["years"])


def test_a_paper_of_many_rows_counts_once() -> None:
    papers = ["big", "big", "big", "small"]
    scores = dict.fromkeys(POLICIES, scores_of(papers, [1.0, 2.0, 3.0, 10.0]))
    assert Score.of("pl", scores).loss["champion"] == pytest.approx((2.0 + 10.0) / 2)


def test_shares_weigh_rows_within_a_paper() -> None:
    scores = replace(scores_of(["a", "a"], [0.0, 4.0]), share=np.array([3.0, 1.0]))
    assert by_paper(scores, scores.loss) == {"a": 1.0}


def test_lead_halides_leave_out_the_collection_and_other_metals(
    replayed: Replay, small: Dataset
) -> None:
    for year in replayed.years:
        rows = year.row_scores["champion"]["pl_lead"].rows.tolist()
        assert set(rows) <= set(year.row_scores["champion"]["pl"].rows.tolist())
        for name in rows:
            core = small.samples[name].core
            assert core is not None
            assert "Pb" in dict(core.amounts)
            assert not small.in_collection(small.samples[name].paper_id)


def test_lead_halides_of_the_scores_are_the_rows_of_the_problem(first: YearModel) -> None:
    scores = with_lead(first.validated.scores, first.problems)
    lead = first.problems.points["pl"].subsets["lead_no_cspbcl3"]
    assert len(scores["pl_lead"].rows) == lead.sum()


# Words ---------------------------------------------------------------------------------------

CHAMPION = [1.0 + 0.01 * number for number in range(12)]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda _: 0.5, "reduces the MAE by 0.5 nm (0.5 to 0.5)."),
        (lambda _: -0.5, "increases the MAE by 0.5 nm (0.5 to 0.5)."),
        (lambda _: 0.0, "changes nothing: the predictions are the same."),
    ],
    ids=["reduces", "increases", "same"],
)
def test_significant_differences_are_reported(change: Callable[[int], float], text: str) -> None:
    never = [loss + change(number) for number, loss in enumerate(CHAMPION)]
    assert score(never, CHAMPION).findings()[0] == f"Retraining with the promotion check {text}"


def test_a_difference_whose_interval_includes_zero_is_not_significant() -> None:
    never = [loss + (0.5 if number % 2 else -0.4) for number, loss in enumerate(CHAMPION)]
    text = score(never, CHAMPION).findings()[0]
    assert text.startswith("Retraining with the promotion check reduces the MAE by 0.05 nm (-")
    assert text.endswith(", not significant).")


def test_the_promotion_check_is_compared_with_promoting_every_challenger() -> None:
    always = [loss + 0.2 for loss in CHAMPION]
    assert score(CHAMPION, CHAMPION, always).findings()[1:] == [
        "Retraining without the promotion check increases the MAE by 0.2 nm (0.2 to 0.2).",
        (
            "The promotion check, compared with promoting every challenger, reduces the MAE by "
            "0.2 nm (0.2 to 0.2)."
        ),
    ]


def test_few_papers_give_no_interval() -> None:
    result = score([2.0, 3.0], [1.0, 1.0])
    assert math.isnan(result.differences["never - champion"][1])
    assert result.findings()[0] == (
        "Retraining with the promotion check reduces the MAE by 1.5 nm: too few papers for an "
        "interval."
    )


def test_the_paper_that_dominates_a_mean_is_named() -> None:
    result = score([1.0, 1.0, 1.0], [1.0, 1.0, 98.0])
    assert result.largest == ("paper2", 0.98)
    assert (result.loss["champion"], result.median["champion"]) == (pytest.approx(100 / 3), 1.0)
    assert "paper2 alone is 98% of the champion's summed error." in result.lines()[-1]


def test_a_target_without_papers_is_reported() -> None:
    result = score([], [])
    assert result.lines() == ["PL peak: no papers."]
    assert result.short() == ""


def test_the_lines_name_each_year_and_each_target(replayed: Replay) -> None:
    text = "\n".join(replayed.lines())
    for year in replayed.years:
        assert f"{year.year}, {len(year.papers)} papers: " in text
    for name, total in replayed.totals.items():
        assert f"{TITLES[name]}, {total.papers} papers: " in text or not total.papers
    assert f"{UNDATED} papers without a year: left out." in text


def test_a_refusal_names_the_failed_conditions(replayed: Replay) -> None:
    for year in replayed.years:
        assert (year.outcome == "promoted") is year.verdict.promote
        assert all(check.name in year.outcome for check in year.verdict.failed)


# Reports -------------------------------------------------------------------------------------


def unseen(year: Year) -> Year:
    """Return a year without rows to predict."""
    scores = {
        policy: {name: rows.take(np.zeros(0, dtype=np.intp)) for name, rows in targets.items()}
        for policy, targets in year.row_scores.items()
    }
    return replace(year, row_scores=scores)


def test_the_report_has_no_nan(replayed: Replay, tmp_path: Path) -> None:
    json_path, html_path = write_replay(replayed, tmp_path / "deep" / "replay")
    text = json_path.read_text()
    assert json.loads(text, parse_constant=pytest.fail) == json.loads(
        json.dumps(replayed.to_json())
    )
    assert "<svg" in html_path.read_text()
    assert "nan" not in html_path.read_text().split("<h2>Promotion checks")[1]


def test_a_year_without_rows_to_predict_is_reported(replayed: Replay, tmp_path: Path) -> None:
    other = replace(replayed, years=(replayed.years[0], unseen(replayed.years[1])))
    json_path, _ = write_replay(other, tmp_path)
    year = json.loads(json_path.read_text())["years"][1]
    assert year["scores"]["pl"]["loss"] == dict.fromkeys(POLICIES)
    assert "2019, 25 papers: nothing to predict; " in "\n".join(other.lines())


def test_a_replay_without_rows_to_predict_is_reported(replayed: Replay) -> None:
    other = replace(replayed, years=(unseen(replayed.years[0]),))
    assert "Does retraining pay?" in render(other)


def test_a_report_folder_that_cannot_be_written_is_named(replayed: Replay, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        write_replay(replayed, tmp_path / "file" / "replay")


def test_the_command_prints_the_lines_and_the_paths(
    replayed: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "replay", lambda *_: replayed)
    workspace = ["--workspace", str(tmp_path)]
    printed = CliRunner().invoke(commands, ["evaluate", "--replay", "--quick", *workspace]).stdout
    for line in replayed.lines():
        assert line in printed
    report = tmp_path / "reports" / "replay"
    assert f"Report: {report / 'replay.html'}\nFigures: {report / 'replay.json'}" in printed


def test_the_command_prints_json_for_scripts(
    replayed: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "replay", lambda *_: replayed)
    options = ["--replay", "--json", "-o", str(tmp_path / "out"), "--workspace", str(tmp_path)]
    printed = json.loads(CliRunner().invoke(commands, ["evaluate", *options]).stdout)
    assert printed.pop("schema_version") == 1
    assert printed == json.loads((tmp_path / "out" / "replay.json").read_text())
