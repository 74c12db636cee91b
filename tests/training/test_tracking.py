"""Tracking and the model registry in a real MLflow with an embedded database."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

import perovshell
from perovshell.errors import PerovshellWarning, TrackingError, WorkspaceError
from perovshell.model import Model
from perovshell.serve.batch import cell
from perovshell.training.promotion.check import judge
from perovshell.training.promotion.verdict import Changes, Verdict
from perovshell.training.runs import figures, view
from perovshell.training.runs.note import run_name
from perovshell.training.tracking import Registered, refuse_surroundings, settings_tag, track
from perovshell.training.train import TrainedModel
from perovshell.workbench import Workspace
from perovshell.workspace.championship import (
    align,
    promote,
    roll_back,
)
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.known_models import known_models
from perovshell.workspace.registry import (
    CHALLENGER,
    CHAMPION,
    NAME,
    Version,
    connect,
    version_with,
    versions,
)
from registries import variant, without_plots

SYSTEMS = Path(__file__).parent.parent / "data" / "systems.csv"
OWNER = "perovshell.workspace"
BETTER = "Promoted: better is all."
ROWS = [{"core": "CsPbBr3", "shell": "SiO2"}, {"core": "CsPbI3", "shell": "none"}]


@pytest.fixture(scope="module")
def verdict(trained: TrainedModel) -> Verdict:
    marks = trained.validated.scores
    nothing = {name: own.take(np.zeros(0, int)) for name, own in marks.items()}
    found = judge(trained.validated, trained.validated, nothing)
    changes = Changes(added=("hu2018",), replaced=(), gone=())
    return replace(found, promote=True, sentence=BETTER, changes=changes)


@dataclass(frozen=True)
class Challenged:
    """A workspace with a champion and a challenger, and what tracking said of the latter."""

    workspace: WorkspaceFolder
    champion: TrainedModel
    challenger: TrainedModel
    made: Registered


@pytest.fixture(scope="module")
def challenged(
    trained: TrainedModel,
    tracked: WorkspaceFolder,
    verdict: Verdict,
    tmp_path_factory: pytest.TempPathFactory,
) -> Challenged:
    """A champion and a challenger in the registry; no test changes it."""
    folder = tmp_path_factory.mktemp("challenged")
    workspace = WorkspaceFolder(Path(shutil.copytree(tracked.root, folder / "workspace")))
    (folder / "report").mkdir()
    (folder / "report" / "index.html").write_text("compared")
    challenger = variant(trained, workspace, seed=7)
    with without_plots():
        made = track(
            challenger, workspace, verdict, folder / "report", compared_with=trained.model_id
        )
    return Challenged(workspace, trained, challenger, made)


@pytest.fixture
def two(challenged: Challenged, tmp_path: Path) -> Challenged:
    """A copy of it to change."""
    workspace = WorkspaceFolder(Path(shutil.copytree(challenged.workspace.root, tmp_path / "mine")))
    folder = workspace.models / challenged.challenger.model_id
    return replace(
        challenged, workspace=workspace, challenger=replace(challenged.challenger, folder=folder)
    )


@pytest.fixture
def no_plots() -> Iterator[None]:
    with without_plots():
        yield


@contextmanager
def asked(workspace: WorkspaceFolder) -> Iterator[mlflow.MlflowClient]:
    with connect(workspace):
        yield mlflow.MlflowClient()


def registered(workspace: WorkspaceFolder) -> list[Version]:
    """Return the versions of the registry, the newest first."""
    with connect(workspace) as connected:
        return versions(connected)


def alias(workspace: WorkspaceFolder, name: str) -> str | None:
    """Return the model id that an alias points to."""
    with connect(workspace) as connected:
        found = version_with(connected, name)
    return found.model_id if found else None


def only_run(workspace: WorkspaceFolder) -> Any:
    with asked(workspace) as client:
        (run,) = client.search_runs([client.get_experiment_by_name(NAME).experiment_id])
    return run


def artifact(workspace: WorkspaceFolder, run: str, name: str, folder: Path) -> Any:
    """Return a JSON artifact of a run."""
    with asked(workspace) as client:
        return json.loads(Path(client.download_artifacts(run, name, str(folder))).read_text())


def table(workspace: WorkspaceFolder, run: str, folder: Path) -> list[dict[str, str]]:
    """Return the rows that trained the model of a run."""
    with asked(workspace) as client:
        path = client.download_artifacts(run, "data/training_rows.csv", str(folder))
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def descriptions(workspace: WorkspaceFolder) -> dict[str, str]:
    """Return the description of each version, and that of the model under its name."""
    with asked(workspace) as client:
        named = {v.version: v.description for v in client.search_model_versions(f"name='{NAME}'")}
        return {**{str(k): v for k, v in named.items()},
                NAME: client.get_registered_model(NAME).description}  # fmt: skip


def run_of(two: Challenged) -> Any:
    with asked(two.workspace) as client:
        return client.get_run(two.made.run_id)


# A training ----------------------------------------------------------------------------------


def test_the_first_model_becomes_champion(tracked: WorkspaceFolder, trained: TrainedModel) -> None:
    (version,) = registered(tracked)
    assert (version.number, version.aliases) == ("1", (CHAMPION,))
    assert version.model_id == trained.model_id


def test_a_version_has_its_tags(tracked: WorkspaceFolder, trained: TrainedModel) -> None:
    (version,) = registered(tracked)
    assert version.tags == {
        "model_id": trained.model_id,
        "dataset_hash": trained.info["dataset"]["hash"],
        "settings": settings_tag(trained.info["settings"]),
        "PL MAE in nm": f"{trained.info['figures']['pl.paper.all.mae']:.4g}",
        "PLQY MAE in points": f"{trained.info['figures']['plqy.paper.all.mae']:.4g}",
    }


def test_a_run_has_a_name_parameters_tags_and_plots(
    tracked: WorkspaceFolder, trained: TrainedModel
) -> None:
    run = only_run(tracked)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "train: 307 papers (quick)")
    assert run.data.params["folds"] == "4"
    assert run.data.params["validation"] == "quick"
    assert len(run.data.params) == 15
    assert run.data.tags["model_id"] == trained.model_id
    assert run.data.tags["dataset_hash"] == trained.info["dataset"]["hash"]
    assert run.data.tags["mlflow.source.name"] == "perovshell train"
    with asked(tracked) as client:
        names = {item.path for item in client.list_artifacts(run.info.run_id, "plots")}
    assert names == {"plots/parity.png", "plots/calibration.png"}


def test_the_headline_of_a_run_has_known_names(
    tracked: WorkspaceFolder, trained: TrainedModel
) -> None:
    logged, known = only_run(tracked).data.metrics, trained.info["figures"]
    assert list(figures.metrics(trained, None)) == [
        "PL MAE in nm",
        "PL coverage",
        "PLQY MAE in points",
        "PLQY R2",
        "PLQY coverage",
        "lifetime concordance within a stressor",
        "lifetime log-likelihood over null",
        "lifetime coverage at least",
        "gain log-likelihood over null",
        "gain coverage at least",
        "papers",
        "training seconds",
        "peak memory in MB",
    ]
    assert logged == figures.metrics(trained, None)
    assert logged["PL MAE in nm"] == pytest.approx(known["pl.paper.all.mae"], rel=5e-4)
    assert logged["papers"] == 307
    assert logged["peak memory in MB"] > 50


def test_all_figures_of_a_training_are_in_one_document(
    tracked: WorkspaceFolder, trained: TrainedModel, tmp_path: Path
) -> None:
    document = artifact(tracked, only_run(tracked).info.run_id, "figures.json", tmp_path)
    assert document["figures"] == trained.info["figures"]
    assert document["skill"]["pl"]["has_skill"] is trained.info["skill"]["pl"]["has_skill"]
    assert document["settings"]["averaged"].keys() == {"pl", "plqy", "lifetime"}
    assert document["cost"]["seconds"] == trained.cost.seconds


def test_a_run_lasts_as_long_as_its_training(
    tracked: WorkspaceFolder, trained: TrainedModel
) -> None:
    info, cost = only_run(tracked).info, trained.cost
    assert info.start_time == pytest.approx(cost.started * 1000, abs=1)
    assert info.end_time - info.start_time == pytest.approx(cost.seconds * 1000, abs=2)


def test_a_run_names_its_data_by_our_hash(
    tracked: WorkspaceFolder, trained: TrainedModel, tmp_path: Path
) -> None:
    run = only_run(tracked)
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.tags[0].value) == ("literature", "training")
    assert trained.info["dataset"]["hash"].startswith(data.dataset.digest)
    profile = json.loads(data.dataset.profile)
    counts = {"papers": 307, "samples": 505, "stability_tests": 163}
    assert counts.items() <= profile.items()
    assert str(tracked.root) not in data.dataset.source
    rows = table(tracked, run.info.run_id, tmp_path)
    assert len(rows) == profile["num_rows"]
    columns = [entry["name"] for entry in json.loads(data.dataset.schema)["mlflow_colspec"]]
    assert columns == list(rows[0])


def test_rows_of_a_run_are_what_trains(
    tracked: WorkspaceFolder, trained: TrainedModel, tmp_path: Path
) -> None:
    rows = table(tracked, only_run(tracked).info.run_id, tmp_path)
    problem, peaks = trained.problems.points["pl"], [r for r in rows if r["target"] == "PL peak"]
    assert [row["sample"] for row in peaks] == list(problem.sample_ids)
    assert [row["paper"] for row in peaks] == problem.papers.tolist()
    lowest = [float(row["lower"]) for row in peaks if row["lower"] == row["upper"]]
    assert lowest == pytest.approx(problem.values[problem.is_exact])
    gains, learned = [r for r in rows if r["side"] == "both"], trained.problems.stability.gain
    assert [float(row["lower"]) for row in gains] == pytest.approx(learned.low)
    assert [row["upper"] == "" for row in gains] == np.isinf(learned.high).tolist()


def test_the_experiment_has_a_view_that_shows_figures(tracked: WorkspaceFolder) -> None:
    with asked(tracked) as client:
        tags = client.get_experiment_by_name(NAME).tags
    shown = json.loads(json.loads(tags[view.TAG])["state"])["selectedColumns"]
    logged = {f"metrics.`{name}`" for name in only_run(tracked).data.metrics}
    assert len(shown) == 6
    assert set(shown) < logged


def test_a_run_does_not_tell_where_the_workspace_is(tracked: WorkspaceFolder) -> None:
    own = only_run(tracked).data.tags
    assert re.fullmatch("[0-9a-f]{12}", own[OWNER])


def test_figures_are_sent_together_and_belong_to_the_model_too(
    tracked: WorkspaceFolder,
    trained: TrainedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_plots: None,
) -> None:
    asked_for: list[str] = []
    history = mlflow.MlflowClient.get_metric_history
    monkeypatch.setattr(
        mlflow.MlflowClient,
        "get_metric_history",
        lambda self, run, key: asked_for.append(key) or history(self, run, key),
    )
    workspace = WorkspaceFolder(Path(shutil.copytree(tracked.root, tmp_path / "mine")))
    made = track(variant(trained, workspace, seed=7), workspace)
    with asked(workspace) as client:
        outputs = client.get_run(made.run_id).outputs
        logged = client.get_logged_model(outputs.model_outputs[0].model_id).metrics
    assert asked_for == []
    assert {one.key for one in logged} == set(figures.metrics(trained, None))
    assert {one.dataset_name for one in logged} == {"literature"}


def test_a_model_is_registered_once(two: Challenged, no_plots: None) -> None:
    again = track(two.challenger, two.workspace)
    assert [version.number for version in registered(two.workspace)] == ["2", "1"]
    assert again.version == "2"
    assert again.run_id != two.made.run_id


def test_another_training_leaves_the_champion(two: Challenged, no_plots: None) -> None:
    third = variant(two.champion, two.workspace, seed=8)
    assert track(third, two.workspace).version == "3"
    assert [version.aliases for version in registered(two.workspace)] == [
        (),
        (CHALLENGER,),
        (CHAMPION,),
    ]


@pytest.mark.parametrize("is_compared", [True, False])
def test_an_untracked_champion_is_not_passed_over(
    trained: TrainedModel, verdict: Verdict, tmp_path: Path, no_plots: None, *, is_compared: bool
) -> None:
    workspace = WorkspaceFolder(tmp_path)
    workspace.prepare()
    first, second = variant(trained, workspace, seed=1), variant(trained, workspace, seed=2)
    workspace.set_champion(first.model_id, "trained without tracking")
    track(second, workspace, replace(verdict, promote=False) if is_compared else None)
    aliases = (CHALLENGER,) if is_compared else ()
    assert [version.aliases for version in registered(workspace)] == [aliases]
    assert align(workspace) == ""
    assert workspace.champion_id == first.model_id


def test_tracking_writes_into_the_workspace_alone(tracked: WorkspaceFolder) -> None:
    assert (tracked.root / "mlflow.db").is_file()
    assert list((tracked.root / "mlartifacts").iterdir())
    assert not Path("mlruns").exists()


# A challenger --------------------------------------------------------------------------------


def test_a_challenger_has_its_verdict_and_its_alias(challenged: Challenged) -> None:
    newest, first = registered(challenged.workspace)
    assert (newest.number, newest.aliases) == (challenged.made.version, (CHALLENGER,))
    said = {"promote": "true", "verdict": "Promoted: better is all."}
    assert said.items() <= newest.tags.items()
    assert said.items() <= run_of(challenged).data.tags.items()
    assert first.aliases == (CHAMPION,)


def test_the_figures_of_a_verdict_are_logged(
    challenged: Challenged, verdict: Verdict, tmp_path: Path
) -> None:
    metrics = run_of(challenged).data.metrics
    compared = {name: value for name, value in metrics.items() if "champion" in name}
    assert compared == {
        "PL better than champion in nm": 0.0,
        "PLQY better than champion in points": 0.0,
        "lifetime better than champion": 0.0,
        "gain better than champion": 0.0,
    }
    assert len(metrics) == 17
    document = artifact(challenged.workspace, challenged.made.run_id, "figures.json", tmp_path)
    assert verdict.figures().items() <= document["figures"].items()
    assert document["verdict"]["sentence"] == BETTER


def test_a_note_names_the_new_papers_the_verdict_and_how_to_load_the_model(
    challenged: Challenged,
) -> None:
    note = run_of(challenged).data.tags["mlflow.note.content"]
    paper = challenged.challenger.dataset.papers["hu2018"]
    assert note.startswith(
        f"Promotion check against champion {challenged.champion.model_id}: **{BETTER}**"
    )
    assert "New: 1 paper" in note
    assert paper.title in note
    assert str(paper.year) in note
    assert f"--model {challenged.challenger.model_id}" in note
    assert f'.load("{challenged.challenger.model_id}")' in note
    assert "| PL peak | MAE" in note
    assert "better than the median" in note
    assert "### Limits" in note


def test_new_papers_are_a_second_input(challenged: Challenged) -> None:
    inputs = run_of(challenged).inputs.dataset_inputs
    by_context = {one.tags[0].value: one.dataset for one in inputs}
    assert by_context.keys() == {"training", "added"}
    assert json.loads(by_context["added"].profile)["papers"] == 1
    assert by_context["added"].digest != by_context["training"].digest


@pytest.mark.parametrize(
    ("changes", "promote", "name"),
    [
        (Changes(("hu2018",), (), ()), True, "promoted: +hu2018 (quick)"),
        (Changes(("a", "b"), ("c",), ("d",)), True, "promoted: +2 papers -d 1 corrected (quick)"),
        (Changes((), (), ()), False, "not promoted: same papers (quick)"),
    ],
)
def test_the_name_of_a_retraining_says_what_is_new_and_what_became_of_it(
    trained: TrainedModel, verdict: Verdict, changes: Changes, name: str, *, promote: bool
) -> None:
    assert run_name(trained, replace(verdict, changes=changes, promote=promote)) == name


def test_the_report_of_a_comparison_is_kept_with_the_run(
    challenged: Challenged, tmp_path: Path
) -> None:
    run = challenged.made.run_id
    with asked(challenged.workspace) as client:
        found = client.download_artifacts(run, "report/index.html", str(tmp_path))
    assert Path(found).read_text() == "compared"


def test_a_version_that_is_there_already_gets_the_new_verdict(
    two: Challenged, verdict: Verdict, no_plots: None
) -> None:
    held_back = replace(verdict, promote=False, sentence="The champion stays.")
    made = track(two.challenger, two.workspace, held_back)
    newest, _ = registered(two.workspace)
    assert newest.number == made.version
    assert (newest.tags["promote"], newest.tags["verdict"]) == ("false", "The champion stays.")
    assert descriptions(two.workspace)["2"].startswith("Promotion check: **The champion stays.**")


def test_the_alias_goes_to_the_latest_challenger(
    two: Challenged, verdict: Verdict, no_plots: None
) -> None:
    track(variant(two.champion, two.workspace, seed=8), two.workspace, verdict)
    assert [version.aliases for version in registered(two.workspace)] == [
        (CHALLENGER,),
        (),
        (CHAMPION,),
    ]


# Promotions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("by_number", [True, False])
def test_a_promotion_moves_both_aliases_and_the_workspace(
    two: Challenged, *, by_number: bool
) -> None:
    made = promote(two.workspace, "2" if by_number else two.challenger.model_id, "better")
    assert [version.aliases for version in registered(two.workspace)] == [(CHAMPION,), ()]
    assert two.workspace.champion_id == two.challenger.model_id
    assert (made.previous, made.version, made.why) == (two.champion.model_id, "2", "better")


@pytest.mark.parametrize(
    ("why", "is_checked"), [(BETTER, True), ("I know better", False)], ids=["check", "by hand"]
)
def test_versions_say_why_the_champion_changed(
    two: Challenged, monkeypatch: pytest.MonkeyPatch, why: str, *, is_checked: bool
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ann")
    first, second = two.champion.model_id, two.challenger.model_id
    promote(two.workspace, "2", why, over=first if is_checked else None)
    said = descriptions(two.workspace)
    by = "by the promotion check" if is_checked else "by ann"
    head, _, about = said["2"].partition("\n\n---\n\n")
    assert re.fullmatch(
        rf"Champion since \d{{4}}-.* UTC in place of version 1 \({first}\), {by}"
        + (r"\." if is_checked else f": {why}"), head
    )  # fmt: skip
    assert about.startswith(f"Promotion check against champion {first}: **{BETTER}**")
    assert re.match(rf"Replaced by version 2 \({second}\) on .*, {by}: {why}\n", said["1"])
    assert "the first model of the workspace" in said["1"]
    assert re.match(rf"Champion: \*\*version 2 \({second}\)\*\* .*, {by}: {why}\n", said[NAME])


def test_a_rollback_is_added_to_what_versions_say(two: Challenged) -> None:
    promote(two.workspace, "2", "better")
    roll_back(two.workspace, "worse in use")
    said = descriptions(two.workspace)
    assert re.match(r"Champion since .* in place of version 2 .*: worse in use\n", said["1"])
    assert re.match(r"Replaced by version 1 .*: worse in use\n\nChampion since", said["2"])
    assert "worse in use" in said[NAME]


def test_the_description_of_a_person_stays(two: Challenged) -> None:
    with asked(two.workspace) as client:
        client.update_registered_model(NAME, "Ours. Ask Ann.")
    promote(two.workspace, "2", "better")
    assert descriptions(two.workspace)[NAME] == "Ours. Ask Ann."


def test_a_promotion_leaves_the_alias_of_another_challenger(
    two: Challenged, no_plots: None
) -> None:
    third = variant(two.champion, two.workspace, seed=8)
    track(third, two.workspace)
    promote(two.workspace, third.model_id, "wanted")
    assert [version.aliases for version in registered(two.workspace)] == [
        (CHAMPION,),
        (CHALLENGER,),
        (),
    ]


def test_a_rollback_leads_back_in_the_registry_too(two: Challenged) -> None:
    promote(two.workspace, "2", "better")
    back = roll_back(two.workspace, "worse after all")
    assert alias(two.workspace, CHAMPION) == two.champion.model_id == two.workspace.champion_id
    assert (back.model_id, back.why) == (two.champion.model_id, "worse after all")


def test_nothing_to_roll_back_to_leaves_the_alias(two: Challenged) -> None:
    with pytest.raises(WorkspaceError, match="no champion before"):
        roll_back(two.workspace, "why not")
    assert alias(two.workspace, CHAMPION) == two.champion.model_id


@pytest.mark.parametrize("name", ["3", "0123456789ab", "../models"])
def test_a_model_that_is_not_registered_is_not_promoted(two: Challenged, name: str) -> None:
    known = rf"2 \({two.challenger.model_id}\), 1 \({two.champion.model_id}\)$"
    with pytest.raises(WorkspaceError, match=rf"not in the registry .*; known: {known}"):
        promote(two.workspace, name, "wanted")
    assert alias(two.workspace, CHAMPION) == two.champion.model_id


def test_the_champion_is_not_promoted_again(two: Challenged) -> None:
    with pytest.raises(WorkspaceError, match="is the champion already"):
        promote(two.workspace, "1", "wanted")
    assert len(two.workspace.promotions) == 1


# Somebody else -------------------------------------------------------------------------------


@pytest.fixture
def second(two: Challenged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkspaceFolder:
    """The empty workspace of the second of two people, who share the registry of the first."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", two.workspace.database.uri)
    return WorkspaceFolder(tmp_path / "second")


def test_an_empty_workspace_takes_over_the_champion(
    two: Challenged, second: WorkspaceFolder, model: Model
) -> None:
    name = two.champion.model_id
    assert align(second) == f"The champion is now {name}: version 1 of the registry."
    fetched = Model.from_folder(second.champion())
    assert fetched.info.model_id == name == second.champion_id
    assert fetched.predict(ROWS) == model.predict(ROWS)


def test_fetching_leaves_nothing_beside_the_model(two: Challenged, second: WorkspaceFolder) -> None:
    align(second)
    left = [path.name for path in second.models.iterdir() if path.is_dir()]
    assert left == [two.champion.model_id]


def test_what_somebody_else_promoted_is_followed(two: Challenged, second: WorkspaceFolder) -> None:
    align(second)
    promote(two.workspace, "2", "better")
    assert align(second) != ""
    assert second.champion_id == two.challenger.model_id
    assert second.promotions[-1].previous == two.champion.model_id
    assert second.promotions[-1].version == "2"
    assert align(second) == ""


def test_a_rollback_goes_back_from_what_somebody_else_promoted(
    two: Challenged, second: WorkspaceFolder
) -> None:
    align(second)
    promote(two.workspace, "2", "better")
    assert roll_back(second, "worse").model_id == two.champion.model_id
    assert alias(two.workspace, CHAMPION) == two.champion.model_id


def test_a_champion_without_a_version_can_be_gone_back_to(two: Challenged) -> None:
    untracked = variant(two.champion, two.workspace, seed=9)
    promote(two.workspace, untracked.model_id, "trained without tracking")
    assert alias(two.workspace, CHAMPION) is None
    assert align(two.workspace) == ""
    assert two.workspace.champion_id == untracked.model_id
    promote(two.workspace, "2", "better")
    assert roll_back(two.workspace, "worse").model_id == untracked.model_id
    assert alias(two.workspace, CHAMPION) is None


def test_a_rollback_of_somebody_else_is_followed_as_one(
    two: Challenged, second: WorkspaceFolder
) -> None:
    align(second)
    promote(two.workspace, "2", "better")
    align(second)
    roll_back(two.workspace, "worse")
    align(second)
    assert second.champion_id == two.champion.model_id
    with pytest.raises(WorkspaceError, match="no champion before"):
        roll_back(second, "further back")


def test_a_comparison_with_a_champion_of_the_past_promotes_nothing(
    two: Challenged, second: WorkspaceFolder, no_plots: None
) -> None:
    align(second)
    promote(two.workspace, "2", "better")
    third = variant(two.champion, second, seed=8)
    track(third, second)
    past, now = two.champion.model_id, two.challenger.model_id
    with pytest.raises(WorkspaceError, match=rf"with {past}, but {now} \(version 2\) has become"):
        promote(second, third.model_id, "better", over=past)
    assert alias(two.workspace, CHAMPION) == now
    assert second.champion_id == past


def test_what_both_find_better_is_promoted_by_both(
    two: Challenged, second: WorkspaceFolder
) -> None:
    align(second)
    promote(two.workspace, "2", "better")
    promote(second, "2", "better", over=two.champion.model_id)
    assert alias(two.workspace, CHAMPION) == two.challenger.model_id == second.champion_id


@pytest.mark.parametrize("tag", ["", "../models", "0123456789ab"])
def test_a_champion_with_a_wrong_tag_is_named_and_not_taken_over(
    two: Challenged, second: WorkspaceFolder, tag: str
) -> None:
    with asked(second) as client:
        client.set_model_version_tag(NAME, "1", "model_id", tag)
    with pytest.raises(TrackingError, match=f"it holds model {two.champion.model_id}"):
        align(second)
    assert second.champion_id is None
    assert second.model_ids() == []


def test_models_are_listed_with_version_data_and_place(
    two: Challenged, second: WorkspaceFolder
) -> None:
    align(second)
    mine = variant(two.champion, second, seed=8)
    about = two.champion.info["dataset"]
    figures = two.champion.info["figures"]
    errors = f"PL {figures['pl.paper.all.mae']:.1f} nm, PLQY {figures['plqy.paper.all.mae']:.1f}"
    data = f"data {about['hash'][:12]}"
    papers = f"{about['papers']} papers, errors {errors} points"
    assert [str(model) for model in known_models(second)] == [
        f"{two.challenger.model_id}  version 2  {data}  @challenger  (in the registry alone)",
        f"{two.champion.model_id}  version 1  {data}, {papers}  @champion",
        f"{mine.model_id}  not registered  {data}, {papers}",
    ]


# What ended half-way -------------------------------------------------------------------------


@pytest.mark.parametrize(("is_own", "status"), [(True, "KILLED"), (False, "RUNNING")])
def test_the_next_training_ends_killed_runs_of_its_own_workspace(
    two: Challenged, no_plots: None, *, is_own: bool, status: str
) -> None:
    made = track(two.challenger, two.workspace)
    with asked(two.workspace) as client:
        run = client.get_run(made.run_id)
        owner = run.data.tags[OWNER] if is_own else "somebody else"
        left = client.create_run(run.info.experiment_id, tags={OWNER: owner}).info.run_id
    track(two.challenger, two.workspace)
    with asked(two.workspace) as client:
        assert client.get_run(left).info.status == status


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tracking fails in the middle of a run."""

    def fail(*_: object) -> None:
        msg = "no space\n  left"
        raise OSError(msg)

    monkeypatch.setattr("perovshell.training.tracking.write_plots", fail)


def test_a_failure_registers_no_version_and_the_next_time_does(
    two: Challenged, verdict: Verdict, failing: None
) -> None:
    third = variant(two.champion, two.workspace, seed=8)
    with pytest.raises(TrackingError, match="no space"):
        track(third, two.workspace, verdict)
    assert [version.number for version in registered(two.workspace)] == ["2", "1"]
    with without_plots():
        assert track(third, two.workspace, verdict).version == "3"


def test_a_failure_leaves_no_run_running(two: Challenged, failing: None) -> None:
    with pytest.raises(TrackingError, match="no space"):
        track(two.challenger, two.workspace)
    with asked(two.workspace) as client:
        experiment = client.get_experiment_by_name(NAME).experiment_id
        statuses = [run.info.status for run in client.search_runs([experiment])]
    assert sorted(statuses) == ["FAILED", "FINISHED", "FINISHED"]


def test_a_failure_leaves_the_surroundings_as_they_were(two: Challenged, failing: None) -> None:
    before, uri = dict(os.environ), mlflow.get_tracking_uri()
    with pytest.raises(TrackingError, match="no space"):
        track(two.challenger, two.workspace)
    assert (dict(os.environ), mlflow.get_tracking_uri()) == (before, uri)


def test_a_failure_is_one_line_that_says_what_is_undone(two: Challenged, failing: None) -> None:
    with pytest.raises(TrackingError) as caught:
        track(two.challenger, two.workspace)
    assert str(caught.value) == (
        f"tracking at {two.workspace.database.uri} failed (no space left); the model folder "
        f"{two.challenger.folder} is whole"
    )


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> str:
    """A server that does not answer."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return r"tracking at http://127\.0\.0\.1:9 failed "


def test_a_server_that_is_away_leaves_the_folder_whole(two: Challenged, away: str) -> None:
    with pytest.raises(TrackingError, match=rf"{away}.* is whole$"):
        track(two.challenger, two.workspace)
    whole = Model.from_folder(two.challenger.folder)
    assert whole.info.model_id == two.challenger.model_id


def test_a_failure_does_not_tell_the_password_of_a_server(
    two: Challenged, away: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:s3cret@127.0.0.1:9")
    with pytest.raises(TrackingError, match=r"http://me:\*\*\*@127") as caught:
        track(two.challenger, two.workspace)
    assert "s3cret" not in str(caught.value)


ATTEMPTS = {
    "promote": lambda two: promote(two.workspace, two.challenger.model_id, "wanted"),
    "rollback": lambda two: roll_back(two.workspace, "wanted"),
    "align": lambda two: align(two.workspace),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
def test_a_server_that_is_away_leaves_the_champion(
    two: Challenged, away: str, attempt: Callable[[Challenged], object]
) -> None:
    with pytest.raises(TrackingError, match=f"{away}.*; the champion is unchanged$"):
        attempt(two)
    assert two.workspace.champion_id == two.champion.model_id


# Whoever loads it ----------------------------------------------------------------------------


def test_command_line_python_and_pyfunc_give_the_same_numbers(
    tracked: WorkspaceFolder, model: Model, tmp_path: Path
) -> None:
    with SYSTEMS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    table = tmp_path / "in.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["core", "shell", "structure"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    expected = [
        {name: cell(value) for name, value in answer.items()} for answer in model.predict(rows)
    ]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": tracked.tracking_uri}
    script = (
        "import mlflow, pandas, json\n"
        "model = mlflow.pyfunc.load_model('models:/perovshell@champion')\n"
        "rows = pandas.read_csv('in.csv', keep_default_na=False)\n"
        "answers = model.predict(rows).to_dict(orient='records')\n"
        "from perovshell.serve.batch import cell\n"
        "print(json.dumps([{k: cell(v) for k, v in a.items()} for a in answers]))\n"
    )
    pyfunc = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(pyfunc.stdout.splitlines()[-1]) == expected
    command = ["predict", "in.csv", "-o", "out.csv", "--workspace", str(tracked.root)]
    subprocess.run(
        [sys.executable, "-m", "perovshell", *command], cwd=tmp_path, check=True,
        capture_output=True,
    )  # fmt: skip
    with (tmp_path / "out.csv").open(newline="") as file:
        written = [{name: row[name] for name in expected[0]} for row in csv.DictReader(file)]
    assert written == expected


def test_a_registered_model_loads_by_its_uri(tracked: WorkspaceFolder, model: Model) -> None:
    loaded = perovshell.load("models:/perovshell@champion", workspace=tracked.root)
    assert loaded.info.model_id == model.info.model_id


def test_a_registered_model_shows_an_example_and_restricts_no_columns(
    tracked: WorkspaceFolder,
) -> None:
    with asked(tracked):
        about = mlflow.models.get_model_info("models:/perovshell@champion")
    assert about.signature is None
    assert about.saved_input_example_info is not None


def test_an_unknown_model_of_the_registry_is_named(tracked: WorkspaceFolder) -> None:
    with pytest.raises(TrackingError, match="models:/perovshell@nobody cannot be loaded from"):
        perovshell.load("models:/perovshell@nobody", workspace=tracked.root)


# Surroundings --------------------------------------------------------------------------------


def delete_experiment(workspace: WorkspaceFolder) -> str:
    with asked(workspace) as client:
        number = str(client.get_experiment_by_name(NAME).experiment_id)
        client.delete_experiment(number)
    return number


def test_a_deleted_experiment_is_known_before_a_training(
    tracked: WorkspaceFolder, tmp_path: Path
) -> None:
    home = Workspace(Path(shutil.copytree(tracked.root, tmp_path / "mine")))
    number = delete_experiment(home.folder)
    before = home.folder.model_ids()
    for learn in (home.train, lambda: home.retrain(force=True)):
        with pytest.raises(TrackingError) as caught:
            learn()
        assert str(caught.value) == (
            f"experiment 'perovshell' (id {number}) is deleted in {home.folder.tracking_uri}: "
            "restore it with 'mlflow experiments restore', set MLFLOW_TRACKING_URI to another "
            "registry, or leave MLflow out: Workspace.train(track=False); nothing was trained"
        )
    assert home.folder.model_ids() == before
    with asked(home.folder) as client:
        client.restore_experiment(number)
    refuse_surroundings(home.folder)


def test_a_deleted_experiment_of_another_registry_is_known_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/lab.db")
    home = Workspace(tmp_path / "home")
    with asked(home.folder) as client:
        client.create_experiment(NAME)
    delete_experiment(home.folder)
    with pytest.raises(TrackingError, match=r"deleted in sqlite:.*lab\.db: restore it"):
        home.train()
    assert home.folder.model_ids() == []


@pytest.mark.parametrize("is_tracked", [True, False])
@pytest.mark.parametrize(
    ("variable", "fault"),
    [("MLFLOW_RUN_ID", "no run of experiment 'perovshell' in sqlite:"),
     ("MLFLOW_ACTIVE_MODEL_ID", "not the model to train")],
)  # fmt: skip
def test_a_foreign_variable_is_named_before_a_training(
    tracked: WorkspaceFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str,
    fault: str, *, is_tracked: bool,
) -> None:  # fmt: skip
    if is_tracked:
        shutil.copytree(tracked.root, tmp_path / "home")
    home = Workspace(tmp_path / "home")
    before = home.folder.model_ids()
    monkeypatch.setenv(variable, "0123456789abcdef")
    with pytest.raises(
        TrackingError, match=f"^{variable}=0123456789abcdef in .*: {fault}"
    ) as caught:
        home.train()
    assert str(caught.value).endswith("; unset it; nothing was trained")
    assert home.folder.model_ids() == before


def test_a_run_of_another_experiment_is_foreign_and_one_of_its_own_is_not(
    two: Challenged, monkeypatch: pytest.MonkeyPatch
) -> None:
    with asked(two.workspace) as client:
        other = client.create_run(client.create_experiment("other")).info.run_id
        own = client.create_run(client.get_experiment_by_name(NAME).experiment_id).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", other)
    with pytest.raises(TrackingError, match=f"MLFLOW_RUN_ID={other} in the environment: no run"):
        refuse_surroundings(two.workspace)
    monkeypatch.setenv("MLFLOW_RUN_ID", own)
    refuse_surroundings(two.workspace)
    with asked(two.workspace) as client:
        client.delete_run(own)
    with pytest.raises(TrackingError, match=f"MLFLOW_RUN_ID={own} in the environment: no run"):
        refuse_surroundings(two.workspace)


@pytest.mark.parametrize(
    ("variable", "value"), [("MLFLOW_EXPERIMENT_NAME", "lab"), ("MLFLOW_EXPERIMENT_ID", "777")]
)
def test_another_experiment_in_the_environment_has_no_effect_and_is_named(
    two: Challenged, no_plots: None, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.warns(PerovshellWarning, match=f"{variable}={value} in the environment has no eff"):
        refuse_surroundings(two.workspace)
    third = variant(two.champion, two.workspace, seed=8)
    assert track(third, two.workspace).version == "3"
    with asked(two.workspace) as client:
        own = client.get_experiment_by_name(NAME).experiment_id
        assert {run.info.experiment_id for run in client.search_runs([own])} == {own}
        assert client.get_experiment_by_name("lab") is None
    monkeypatch.setenv(variable, NAME if value == "lab" else own)
    refuse_surroundings(two.workspace)


def test_a_registry_that_is_away_is_waited_for_until_the_end(away: str, tmp_path: Path) -> None:
    refuse_surroundings(WorkspaceFolder(tmp_path))
