"""The whole evaluation, small: what it returns, and what it writes."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from perovshell.data.dataset import Dataset
from perovshell.research.evaluation.diagnostics import EDGE_REQUESTS
from perovshell.research.evaluation.evaluate import (
    Evaluation,
    _scheme_figures,
    evaluate,
    steps_of,
)
from perovshell.research.evaluation.report import write_evaluation
from perovshell.training.train import QUICK
from perovshell.training.validation.nested import Problems

UNMEASURED_PROCESSES = True

SETTINGS = replace(QUICK, folds=2, baseline_trees=5)


@pytest.fixture(scope="module")
def steps() -> list[int]:
    return []


@pytest.fixture(scope="module")
def few_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("perovshell.research.evaluation.evaluate.SIMULATIONS", 100)
        patch.setattr("perovshell.training.validation.figures.RESAMPLES", 60)
        patch.setattr("perovshell.training.validation.nested._PAIRED_GROUPS", 3)
        yield


@pytest.fixture(scope="module")
def evaluation(dataset: Dataset, steps: list[int], few_resamples: None) -> Evaluation:
    return evaluate(dataset, SETTINGS, steps.append)


@pytest.fixture(scope="module")
def undated(few_papers: Dataset, few_resamples: None) -> Evaluation:
    """The evaluation of few papers, of none of which the year is known."""
    papers = {name: replace(paper, year=None) for name, paper in few_papers.papers.items()}
    return evaluate(replace(few_papers, papers=papers), replace(QUICK, folds=2, baseline_trees=2))


@pytest.fixture(scope="module")
def written(evaluation: Evaluation, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_evaluation(evaluation, tmp_path_factory.mktemp("report"))


def test_all_announced_steps_are_reported(evaluation: Evaluation, steps: list[int]) -> None:
    assert sum(steps) == steps_of(SETTINGS)


def test_without_dated_papers_nothing_is_predicted_forward_in_time(undated: Evaluation) -> None:
    forward = {key: value for key, value in undated.figures.items() if ".time." in key}
    assert forward == {f"{name}.time.all.n": 0.0 for name in ("pl", "plqy", "lifetime", "gain")}
    assert undated.tables["by_year"] == []
    for verdict in undated.skill.values():
        assert verdict["sentence"].endswith("forward in time not known")


def test_the_report_without_dated_papers_has_no_plot_by_year(
    undated: Evaluation, tmp_path: Path
) -> None:
    json_path, html_path = write_evaluation(undated, tmp_path)
    assert json.loads(json_path.read_text())["tables"]["by_year"] == []
    html = html_path.read_text()
    assert "Error by year" not in html
    assert html.count("<svg") == 6
    assert "<h2>By year</h2>" in html
    assert html.count("<p>No rows.</p>") == 1


def test_figures_of_every_split_scheme(evaluation: Evaluation) -> None:
    splits = {key.split(".")[-3] for key in evaluation.figures}
    assert splits == {"paper", "random", "shell_class", "halide", "element", "time"}
    for key in ("pl.random.all.mae", "plqy.element.all.mae", "lifetime.random.all.concordance"):
        assert evaluation.figures[key] is not None


def test_the_random_split_is_compared_with_the_grouped_one(evaluation: Evaluation) -> None:
    rows = {row["figure"]: row for row in evaluation.tables["random_split"]}
    for key in ("pl.lead_no_cspbcl3.mae", "lifetime.all.concordance_coated"):
        target, subset, figure = key.split(".")
        for name, split in (("by_paper", "paper"), ("random", "random")):
            assert rows[key][name] == evaluation.figures[f"{target}.{split}.{subset}.{figure}"]


def test_leaving_a_kind_out_is_compared_on_the_same_rows(evaluation: Evaluation) -> None:
    rows = evaluation.tables["left_out"]
    assert {(row["target"], row["left_out"]) for row in rows} >= {
        (target, split) for target in ("pl", "plqy") for split in ("shell_class", "element")
    }
    for row in rows:
        middle, low, high = row["difference"]
        assert middle == pytest.approx(row["out_of_domain"][0] - row["in_domain"][0])
        assert low <= middle <= high


def test_every_error_has_an_interval(evaluation: Evaluation) -> None:
    figures = evaluation.figures
    for figure in ("mae", "median", "r2", "coverage", "width"):
        for key in (f"pl.paper.all.{figure}", f"dummy.plqy.paper.coated.{figure}"):
            assert figures[f"{key}_lo"] <= figures[key] <= figures[f"{key}_hi"]


def test_every_target_has_a_count_in_every_split_scheme(evaluation: Evaluation) -> None:
    for target in ("pl", "plqy", "lifetime", "gain"):
        for split in ("paper", "random", "shell_class", "halide", "element", "time"):
            assert evaluation.figures[f"{target}.{split}.all.n"] is not None


def test_a_target_that_no_split_tests_has_n_0(problems: Problems) -> None:
    figures = _scheme_figures("element", problems, {})
    assert figures == {f"{target}.element.all.n": 0.0 for target in problems}


def test_errors_are_smaller_in_domain(evaluation: Evaluation) -> None:
    rows = {(row["target"], row["domain"]): row for row in evaluation.tables["by_domain"]}
    for target in ("pl", "plqy"):
        assert rows[target, "in domain"]["mae"][0] < rows[target, "out of domain"]["mae"][0]
        assert rows[target, "in domain"]["n"] > rows[target, "out of domain"]["n"]


def test_headline_figures_are_repeated_under_other_fold_assignments(evaluation: Evaluation) -> None:
    for row in evaluation.tables["fold_assignments"]:
        assert row["min"] <= row["max"]
        assert row["figure"] in evaluation.figures


def test_lower_bounds_hold_between_certain_and_possible(evaluation: Evaluation) -> None:
    for row in evaluation.tables["lower_bounds"]:
        assert row["certain"] <= row["possible"]
        assert row["K"] in {82, 22}


def test_the_noise_floor_of_replicated_combinations(evaluation: Evaluation) -> None:
    floors = {(row["target"], row["combination"]): row for row in evaluation.tables["noise_floor"]}
    bare = floors["plqy", "CsPbBr3 / none"]
    assert bare["papers"] >= 20
    assert 12 < bare["sd"] < 25
    assert floors["plqy", "CsPbBr3 / SiO2"]["papers"] >= 6


def test_models_of_the_lifetime_are_compared_with_the_null(evaluation: Evaluation) -> None:
    for name in ("lifetime_models", "gain_models"):
        rows = evaluation.tables[name]
        assert len(rows) >= 4
        assert [row["over_null"] for row in rows if row["model"].startswith("null")] == [[0, 0, 0]]
        assert any("in use" in row["model"] for row in rows)


def test_intervals_widen_with_the_coverage(evaluation: Evaluation) -> None:
    for row in evaluation.tables["intervals"]:
        levels = list(row["coverage"].values())
        assert levels == sorted(levels)


def test_the_curve_uses_more_and_more_papers(evaluation: Evaluation) -> None:
    for target in ("pl", "plqy"):
        rows = [row for row in evaluation.tables["learning_curve"] if row["target"] == target]
        papers = {row["share"]: row["papers"] for row in rows}
        assert list(papers.values()) == sorted(papers.values())
        assert papers[1.0] > 3 * papers[0.2]


def test_the_exponent_of_the_decay_moves_the_gain(evaluation: Evaluation) -> None:
    gains = [row["median_gain"] for row in evaluation.tables["decay_exponent"]]
    assert gains == sorted(gains)
    assert gains[-1] > 1.5 * gains[0]


def test_requests_at_the_edge_are_answered_with_a_warning(
    evaluation: Evaluation,
) -> None:
    rows = evaluation.tables["edge_requests"]
    assert len(rows) == len(EDGE_REQUESTS)
    assert [row["request"] for row in rows if row["in_domain"] or not row["reason"]] == []


def test_each_year_is_predicted_from_the_years_before(evaluation: Evaluation) -> None:
    years = [row["year"] for row in evaluation.tables["by_year"] if row["target"] == "plqy"]
    assert years == sorted(set(years))


def test_the_report_is_one_self_contained_file(
    written: tuple[Path, Path], evaluation: Evaluation
) -> None:
    json_path, html_path = written
    assert json.loads(json_path.read_text()) == json.loads(json.dumps(evaluation.to_json()))
    html = html_path.read_text()
    assert html.count("<svg") == 7
    assert not re.search(r"<(script|link|img)|url\(http", html)
    assert "nan" not in re.findall(r"<td>([^<]*)</td>", html)
    for words in ("What has skill", "Noise floor", "Requests at the edge", "Learning curve"):
        assert f"<h2>{words}" in html
