"""The replay of the past: what is predicted before it is learned, and what is said of it."""

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
from perovshell.research.replay.figures import POLICIES, TARGETS, Replay, Score, Year, by_paper
from perovshell.research.replay.replay import (
    Learned,
    add_year,
    check_unseen,
    papers_until,
    replay,
    steps,
    with_lead,
    years_of,
)
from perovshell.research.replay.report import render, write_replay
from perovshell.training.fit.problems import combination_of
from perovshell.training.promotion.verdict import Changes, Verdict
from perovshell.training.train import QUICK
from perovshell.training.validation.out_of_fold_scores import OutOfFoldScores

SETTINGS = replace(QUICK, folds=3)
FEWEST = 25
YEARS = [2019, 2020]
UNDATED = 3


@pytest.fixture(scope="module")
def small(dataset: Dataset) -> Dataset:
    """The papers up to 2020, and some without a year."""
    undated = [name for name, paper in dataset.papers.items() if paper.year is None]
    return dataset.subset({*papers_until(dataset, YEARS[-1]).papers, *undated[:UNDATED]})


@pytest.fixture(scope="module")
def run(small: Dataset) -> tuple[Replay, list[dict[str, Learned]], int]:
    """A replay, the models before each year and those after the last, and how often it advanced."""
    models: list[dict[str, Learned]] = []
    advanced: list[int] = []

    def noted(before, challenger, *rest):
        models.append(dict(before))
        step, after = add_year(before, challenger, *rest)
        models.append(after)
        return step, after

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "add_year", noted)
        found = replay(small, SETTINGS, lambda: advanced.append(1), fewest=FEWEST)
    return found, models, len(advanced)


@pytest.fixture(scope="module")
def found(run) -> Replay:
    return run[0]


@pytest.fixture(scope="module")
def first(run) -> Learned:
    """The model of the papers up to 2018."""
    return run[1][0]["never"]


@pytest.fixture(scope="module")
def second(run) -> Learned:
    """The model of the papers up to 2019."""
    return run[1][1]["always"]


@pytest.fixture(scope="module")
def third(run) -> Learned:
    """The model of the papers up to 2020."""
    return run[1][-1]["always"]


def marks_of(papers: list[str], loss: list[float], covered: float = 1.0) -> OutOfFoldScores:
    """Return marks of one row a paper named."""
    names, n = np.array(papers, dtype=np.str_), len(papers)
    rows = np.array([f"row {place}" for place in range(n)], dtype=np.str_)
    ones = np.ones(n)
    return OutOfFoldScores(rows, names, names, ones, np.array(loss), covered * ones, ones, ones)


def score(never: list[float], gated: list[float], always: list[float] | None = None) -> Score:
    """Return the score of as many papers."""
    papers = [f"paper{place}" for place in range(len(gated))]
    losses = {"never": never, "gated": gated, "always": always or gated}
    return Score.of("pl", {name: marks_of(papers, loss) for name, loss in losses.items()})


def verdict(*, promote: bool) -> Verdict:
    return Verdict(Changes((), (), ()), (), (), promote, "said so")


# Years ---------------------------------------------------------------------------------------


def test_the_bundled_papers_are_replayed_from_the_first_year_with_forty_before(
    dataset: Dataset,
) -> None:
    assert years_of(dataset) == list(range(2020, 2027))
    assert steps(dataset, QUICK) == 8 * QUICK.folds * 3


def test_no_year_with_enough_papers_before_is_refused(dataset: Dataset) -> None:
    with pytest.raises(InputError, match="no year has 999 papers before it"):
        replay(dataset, QUICK, fewest=999)


def test_the_first_year_of_all_is_never_replayed(dataset: Dataset) -> None:
    assert min(years_of(dataset, 0)) == 2016


def test_papers_until_a_year_are_those_with_a_year_up_to_it(dataset: Dataset) -> None:
    years = {paper.year for paper in papers_until(dataset, 2018).papers.values()}
    assert years == {2015, 2016, 2017, 2018}


def test_each_dated_paper_is_known_or_added_once(found: Replay, small: Dataset) -> None:
    papers = [*found.known, *(name for year in found.years for name in year.papers)]
    assert len(papers) == len(set(papers))
    assert set(papers) == {k for k, paper in small.papers.items() if paper.year is not None}
    assert found.undated == UNDATED


def test_no_year_is_without_papers(found: Replay) -> None:
    assert [own.year for own in found.years] == YEARS
    assert all(own.papers for own in found.years)


def test_the_papers_of_a_year_are_of_that_year(found: Replay, small: Dataset) -> None:
    for own in found.years:
        assert {small.papers[name].year for name in own.papers} == {own.year}
        for marks in own.marks.values():
            for target in TARGETS:
                assert set(marks[target].papers.tolist()) <= set(own.papers)


def test_progress_does_not_exceed_what_was_announced(run, small: Dataset) -> None:
    assert 0 < run[2] <= steps(small, SETTINGS, fewest=FEWEST)


# The three models ----------------------------------------------------------------------------


def test_all_models_are_the_same_in_the_first_year(found: Replay) -> None:
    own = found.years[0]
    for target in TARGETS:
        never, gated, always = (own.marks[name][target].loss.tolist() for name in POLICIES)
        assert never == gated == always


def test_the_gated_model_is_the_first_until_a_promotion_and_the_latest_after_it(run) -> None:
    found, models, _ = run
    name = "always" if found.years[0].verdict.promote else "never"
    assert models[2]["gated"] is models[2][name]
    assert found.years[1].champion_until == (2019 if found.years[0].verdict.promote else 2018)


def test_a_later_model_says_something_else(found: Replay) -> None:
    marks = found.years[1].marks
    assert marks["always"]["plqy"].loss.tolist() != marks["never"]["plqy"].loss.tolist()


@pytest.mark.parametrize("promote", [True, False], ids=["promoted", "refused"])
def test_only_a_promotion_moves_the_gated_model(
    promote: bool,  # noqa: FBT001
    first: Learned,
    second: Learned,
    small: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "judge", lambda *_: verdict(promote=promote))
    _, after = add_year(dict.fromkeys(POLICIES, first), second, small, 2019)
    assert after["gated"] is (second if promote else first)
    assert (after["never"], after["always"]) == (first, second)


def test_the_gate_sees_the_papers_of_refused_challengers_too(
    first: Learned,
    second: Learned,
    third: Learned,
    small: Dataset,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[set[int | None]] = []

    def judged(_known, _now, new):
        seen.append({small.papers[name].year for name in new["plqy"].papers.tolist()})
        return verdict(promote=False)

    monkeypatch.setattr(module, "judge", judged)
    add_year({"never": first, "gated": first, "always": second}, third, small, 2020)
    add_year({"never": first, "gated": second, "always": second}, third, small, 2020)
    assert seen == [{2019, 2020}, {2020}]


# Leaks ---------------------------------------------------------------------------------------


def test_a_model_of_the_years_before_knows_no_later_paper(first: Learned, small: Dataset) -> None:
    check_unseen(first, small, 2019, "never")


def test_a_model_that_learned_the_year_is_refused(second: Learned, small: Dataset) -> None:
    with pytest.raises(BacktestLeakError, match=r"'always' .* of 2019 knows paper .* of 2019"):
        check_unseen(second, small, 2019, "always")


def test_a_year_with_a_model_from_the_future_is_refused(
    first: Learned, second: Learned, small: Dataset
) -> None:
    models = {"never": first, "gated": second, "always": first}
    with pytest.raises(BacktestLeakError, match="'gated'"):
        add_year(models, second, small, 2019)


@pytest.mark.parametrize(("year", "said"), [(2020, "of 2020"), (None, "of no known year")])
def test_a_paper_planted_in_the_training_is_refused(
    year: int | None, said: str, first: Learned, small: Dataset
) -> None:
    planted = next(name for name, paper in small.papers.items() if paper.year == year)
    digests = {**first.validated.digests, planted: "0" * 16}
    model = replace(first, validated=replace(first.validated, digests=digests))
    with pytest.raises(BacktestLeakError, match=f"knows paper {planted} {said}"):
        check_unseen(model, small, 2019, "never")


def test_a_paper_planted_in_the_literature_is_refused(
    first: Learned, third: Learned, small: Dataset
) -> None:
    samples = first.predictor.literature.samples
    planted = next(
        row
        for row in third.predictor.literature.samples
        if small.papers[row["paper_id"]].year == 2020
    )
    literature = Literature([*samples, planted], first.predictor.featurizer.reader)
    model = replace(first, predictor=replace(first.predictor, literature=literature))
    with pytest.raises(BacktestLeakError, match=planted["paper_id"]):
        check_unseen(model, small, 2019, "never")


# Figures -------------------------------------------------------------------------------------


def test_totals_are_the_means_over_the_papers_of_all_years(found: Replay) -> None:
    years = [own["losses"]["plqy"] for own in found.to_json()["years"]]
    papers = {paper: loss for own in years for paper, loss in own.items()}
    assert len(papers) == sum(map(len, years)) == found.totals["plqy"].papers
    for name in POLICIES:
        mean = np.mean([loss[name] for loss in papers.values()])
        assert found.totals["plqy"].loss[name] == pytest.approx(mean)


def test_what_retraining_paid_is_the_difference_of_the_means(found: Replay) -> None:
    for own in found.totals.values():
        assert own.paid[0] == pytest.approx(own.loss["never"] - own.loss["gated"])
        assert own.paid_ungated[0] == pytest.approx(own.loss["never"] - own.loss["always"])
        assert own.spared[0] == pytest.approx(own.loss["always"] - own.loss["gated"])


def test_the_loss_of_a_row_is_the_error_of_its_prediction(
    found: Replay, first: Learned, small: Dataset
) -> None:
    marks = found.years[0].marks["never"]["plqy"]
    place = next(
        place
        for place, row in enumerate(marks.rows.tolist())
        if not small.samples[row].plqy_bound and small.samples[row].core is not None
    )
    sample = small.samples[marks.rows[place].item()]
    item = combination_of(sample)
    predicted = first.predictor.points["plqy"].predict(first.predictor.featurizer.matrix([item]))
    assert marks.loss[place] == pytest.approx(abs(predicted[0] - sample.plqy_percent), abs=1e-6)


def test_promotions_and_refusals_add_up_to_the_years(found: Replay) -> None:
    told = found.to_json()
    assert told["promotions"] + told["refusals"] == len(found.years)
    assert told["promotions"] == sum(own["promoted"] for own in told["years"])


def test_a_paper_of_many_rows_counts_once() -> None:
    papers = ["big", "big", "big", "small"]
    marks = dict.fromkeys(POLICIES, marks_of(papers, [1.0, 2.0, 3.0, 10.0]))
    assert Score.of("pl", marks).loss["gated"] == pytest.approx((2.0 + 10.0) / 2)


def test_shares_weigh_rows_within_a_paper() -> None:
    marks = replace(marks_of(["one", "one"], [0.0, 4.0]), share=np.array([3.0, 1.0]))
    assert by_paper(marks, marks.loss) == {"one": 1.0}


def test_lead_halides_leave_out_the_collection_and_other_metals(
    found: Replay, small: Dataset
) -> None:
    for own in found.years:
        rows = own.marks["gated"]["pl_lead"].rows.tolist()
        assert set(rows) <= set(own.marks["gated"]["pl"].rows.tolist())
        for name in rows:
            core = small.samples[name].core
            assert core is not None
            assert "Pb" in dict(core.amounts)
            assert not small.in_collection(small.samples[name].paper_id)


def test_lead_halides_of_the_marks_are_the_rows_of_the_problem(first: Learned) -> None:
    marks = with_lead(first.validated.marks, first.problems)
    lead = first.problems.points["pl"].subsets["lead_no_cspbcl3"]
    assert len(marks["pl_lead"].rows) == lead.sum()


# Words ---------------------------------------------------------------------------------------

GATED = [1.0 + 0.01 * place for place in range(12)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _: 0.5, "Retraining through the gate pays 0.5 nm (0.5 to 0.5)."),
        (lambda _: -0.5, "Retraining through the gate costs 0.5 nm (0.5 to 0.5)."),
        (
            lambda _: 0.0,
            "Retraining through the gate changed nothing: the predictions are the same.",
        ),
    ],
    ids=["pays", "costs", "same"],
)
def test_what_is_certain_is_said_so(change: Callable[[int], float], said: str) -> None:
    never = [loss + change(place) for place, loss in enumerate(GATED)]
    assert score(never, GATED).findings()[0] == said


def test_an_interval_that_holds_zero_shows_nothing() -> None:
    never = [loss + (0.5 if place % 2 else -0.4) for place, loss in enumerate(GATED)]
    said = score(never, GATED).findings()[0]
    assert said.startswith("Retraining through the gate is not shown to pay; better by 0.05 nm (-")
    assert said.endswith("includes 0).")


def test_the_gate_is_compared_with_taking_every_challenger() -> None:
    always = [loss + 0.2 for loss in GATED]
    said = score(GATED, GATED, always).findings()
    assert said[1:] == [
        "Retraining without it costs 0.2 nm (0.2 to 0.2).",
        "The gate, against none, helps by 0.2 nm (0.2 to 0.2).",
    ]


def test_few_papers_give_no_interval() -> None:
    own = score([2.0, 3.0], [1.0, 1.0])
    assert math.isnan(own.paid[1])
    said = "Retraining through the gate is better by 1.5 nm: too few papers for an interval."
    assert own.findings()[0] == said


def test_the_paper_that_rules_a_mean_is_named() -> None:
    own = score([1.0, 1.0, 1.0], [1.0, 1.0, 98.0])
    assert own.largest == ("paper2", 0.98)
    assert (own.loss["gated"], own.median["gated"]) == (pytest.approx(100 / 3), 1.0)
    assert "paper2 alone is 98% of the gated sum." in own.lines()[-1]


def test_a_target_without_papers_says_so() -> None:
    own = score([], [])
    assert own.lines() == ["PL peak: no paper."]
    assert own.short() == ""


def test_the_lines_tell_each_year_and_each_target(found: Replay) -> None:
    text = "\n".join(found.lines())
    for own in found.years:
        assert f"{own.year}, {len(own.papers)} papers: " in text
    for name, own in found.totals.items():
        assert f"{TARGETS[name]}, {own.papers} papers: " in text or not own.papers
    assert f"{UNDATED} papers without a year: no part." in text


def test_a_refusal_names_its_reasons(found: Replay) -> None:
    for own in found.years:
        told = own.outcome
        assert (told == "promoted") is own.verdict.promote
        assert all(check.name in told for check in own.verdict.failed)


# Reports -------------------------------------------------------------------------------------


def unseen(year: Year) -> Year:
    """Return a year of whose papers nothing can be predicted."""
    marks = {
        name: {target: one.take(np.zeros(0, dtype=np.intp)) for target, one in own.items()}
        for name, own in year.marks.items()
    }
    return replace(year, marks=marks)


def test_the_report_has_no_nan(found: Replay, tmp_path: Path) -> None:
    json_path, html_path = write_replay(found, tmp_path / "deep" / "replay")
    text = json_path.read_text()
    assert json.loads(text, parse_constant=pytest.fail) == json.loads(json.dumps(found.to_json()))
    assert "<svg" in html_path.read_text()
    assert "nan" not in html_path.read_text().split("<h2>What the gate decided")[1]


def test_a_year_of_which_nothing_can_be_predicted_is_reported(
    found: Replay, tmp_path: Path
) -> None:
    other = replace(found, years=(found.years[0], unseen(found.years[1])))
    json_path, _ = write_replay(other, tmp_path)
    year = json.loads(json_path.read_text())["years"][1]
    assert year["scores"]["pl"]["loss"] == dict.fromkeys(POLICIES)
    assert "2020, 19 papers: nothing to predict; " in "\n".join(other.lines())


def test_a_replay_of_nothing_predictable_is_reported(found: Replay) -> None:
    other = replace(found, years=(unseen(found.years[0]),))
    assert "Does retraining pay?" in render(other)


def test_a_report_folder_that_cannot_be_written_is_named(found: Replay, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        write_replay(found, tmp_path / "file" / "replay")


def test_the_command_prints_the_lines_and_the_paths(
    found: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "replay", lambda *_: found)
    place = ["--workspace", str(tmp_path)]
    printed = CliRunner().invoke(commands, ["evaluate", "--replay", "--quick", *place]).stdout
    for line in found.lines():
        assert line in printed
    report = tmp_path / "reports" / "replay"
    assert f"Report: {report / 'replay.html'}\nFigures: {report / 'replay.json'}" in printed


def test_the_command_prints_json_for_scripts(
    found: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "replay", lambda *_: found)
    options = ["--replay", "--json", "-o", str(tmp_path / "out"), "--workspace", str(tmp_path)]
    printed = CliRunner().invoke(commands, ["evaluate", *options]).stdout
    assert json.loads(printed) == json.loads((tmp_path / "out" / "replay.json").read_text())
