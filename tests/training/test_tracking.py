"""Tracking and the model registry in a real MLflow with an embedded database."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest

import perovshell
from perovshell.championship import align, known_models, promote, roll_back
from perovshell.errors import WorkspaceError
from perovshell.model import Model
from perovshell.models.folder import read_folder, write_folder
from perovshell.registry import (
    CHALLENGER,
    CHAMPION,
    NAME,
    TrackingError,
    Version,
    connect,
    version_with,
    versions,
)
from perovshell.serve.batch import cell
from perovshell.training.gate import Verdict, judge
from perovshell.training.tracking import Registered, track
from perovshell.training.train import TrainedModel
from perovshell.workspace import Workspace

SYSTEMS = Path(__file__).parent.parent / "data" / "systems.csv"
ROWS = [{"core": "CsPbBr3", "shell": "SiO2"}, {"core": "CsPbI3", "shell": "none"}]


@pytest.fixture(scope="module")
def tracked(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose only model is registered; no test changes it."""
    place = Workspace(tmp_path_factory.mktemp("tracked"))
    place.prepare()
    shutil.copytree(trained.folder, place.models / trained.model_id)
    place.set_champion(trained.model_id, "the first")
    track(replace(trained, folder=place.models / trained.model_id), place)
    return place


@pytest.fixture
def place(tracked: Workspace, tmp_path: Path) -> Workspace:
    """A copy of it to change."""
    return Workspace(Path(shutil.copytree(tracked.root, tmp_path / "mine")))


@pytest.fixture
def other(trained: TrainedModel, place: Workspace) -> TrainedModel:
    """Another model of the workspace."""
    return variant(trained, place)


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than everything else here."""
    monkeypatch.setattr("perovshell.training.tracking.write_plots", lambda *_: [])


@pytest.fixture(scope="module")
def verdict(trained: TrainedModel) -> Verdict:
    marks = trained.validated.marks
    nothing = {name: own.take(np.zeros(0, int)) for name, own in marks.items()}
    found = judge(trained.validated, trained.validated, nothing)
    return replace(found, promote=True, sentence="Promoted: better is all.")


def variant(trained: TrainedModel, place: Workspace, seed: int = 7) -> TrainedModel:
    """Return a model that says another seed of itself, in the workspace."""
    predictor, _ = read_folder(trained.folder)
    info = {**trained.info, "settings": {**trained.info["settings"], "seed": seed}}
    native = {path.stem: path.read_bytes() for path in trained.folder.glob("*.ubj")}
    beside = place.models / f".variant-{seed}"
    model_id = write_folder(beside, predictor, info, native, trained.validated.arrays())
    folder = beside.rename(place.models / model_id)
    return replace(trained, folder=folder, model_id=model_id, info=info)


@contextmanager
def asked(place: Workspace) -> Iterator[mlflow.MlflowClient]:
    with connect(place):
        yield mlflow.MlflowClient()


def registered(place: Workspace) -> list[Version]:
    """Return the versions of the registry, the newest first."""
    with connect(place) as connected:
        return versions(connected)


def alias(place: Workspace, name: str) -> str | None:
    """Return the model id that an alias points to."""
    with connect(place) as connected:
        found = version_with(connected, name)
    return found.model_id if found else None


def only_run(place: Workspace) -> Any:
    with asked(place) as client:
        (run,) = client.search_runs([client.get_experiment_by_name(NAME).experiment_id])
    return run


def run_of(place: Workspace, made: Registered) -> Any:
    with asked(place) as client:
        return client.get_run(made.run_id)


# A training ----------------------------------------------------------------------------------


def test_the_first_model_becomes_champion(tracked: Workspace, trained: TrainedModel) -> None:
    (version,) = registered(tracked)
    assert (version.number, version.aliases) == ("1", (CHAMPION,))
    assert version.model_id == trained.model_id


def test_a_version_has_its_tags(tracked: Workspace, trained: TrainedModel) -> None:
    (version,) = registered(tracked)
    assert version.tags == {
        "model_id": trained.model_id,
        "dataset_hash": trained.info["dataset"]["hash"],
        "pl.paper.all.mae": f"{trained.info['figures']['pl.paper.all.mae']:.4g}",
        "pl.paper.lead_no_cspbcl3.mae": (
            f"{trained.info['figures']['pl.paper.lead_no_cspbcl3.mae']:.4g}"
        ),
        "plqy.paper.all.mae": f"{trained.info['figures']['plqy.paper.all.mae']:.4g}",
    }


def test_a_run_has_parameters_figures_dataset_and_plots(
    tracked: Workspace, trained: TrainedModel
) -> None:
    run = only_run(tracked)
    assert run.info.status == "FINISHED"
    assert run.data.params["folds"] == "4"
    figures = {key: value for key, value in trained.info["figures"].items() if value is not None}
    assert run.data.metrics == pytest.approx(figures)
    assert run.data.tags["dataset_hash"] == trained.info["dataset"]["hash"]
    with asked(tracked) as client:
        names = {item.path for item in client.list_artifacts(run.info.run_id, "plots")}
    assert names == {"plots/parity.png", "plots/calibration.png"}


def test_a_run_does_not_tell_where_the_workspace_is(tracked: Workspace) -> None:
    tags = {key: value for key, value in only_run(tracked).data.tags.items() if "." not in key}
    own = only_run(tracked).data.tags["perovshell.workspace"]
    assert re.fullmatch("[0-9a-f]{12}", own)
    assert not [value for value in tags.values() if str(tracked.root) in value]


def test_a_model_is_registered_once(
    place: Workspace, trained: TrainedModel, no_plots: None
) -> None:
    again = track(trained, place)
    assert [version.number for version in registered(place)] == ["1"]
    assert again.version == "1"
    assert again.run_id != only_run_ids(place)[-1]


def only_run_ids(place: Workspace) -> list[str]:
    """Return the ids of all runs, the newest first."""
    with asked(place) as client:
        runs = client.search_runs([client.get_experiment_by_name(NAME).experiment_id])
    return [run.info.run_id for run in runs]


def test_another_training_leaves_the_champion(
    place: Workspace, trained: TrainedModel, other: TrainedModel, no_plots: None
) -> None:
    assert track(other, place).version == "2"
    assert alias(place, CHAMPION) == trained.model_id
    assert alias(place, CHALLENGER) is None


def test_an_untracked_champion_is_not_passed_over(
    trained: TrainedModel, tmp_path: Path, no_plots: None
) -> None:
    place = Workspace(tmp_path)
    place.prepare()
    first, second = variant(trained, place, 1), variant(trained, place, 2)
    place.set_champion(first.model_id, "trained without tracking")
    track(second, place)
    assert [version.aliases for version in registered(place)] == [()]
    assert align(place) == ""
    assert place.champion_id == first.model_id


def test_tracking_writes_into_the_workspace_alone(tracked: Workspace) -> None:
    assert (tracked.root / "mlflow.db").is_file()
    assert list((tracked.root / "mlartifacts").iterdir())
    assert not Path("mlruns").exists()


# A challenger --------------------------------------------------------------------------------


def test_a_challenger_has_its_verdict_and_its_alias(
    place: Workspace, trained: TrainedModel, other: TrainedModel, verdict: Verdict, no_plots: None
) -> None:
    made = track(other, place, verdict)
    newest, _ = registered(place)
    assert (newest.number, newest.aliases) == (made.version, (CHALLENGER,))
    said = {"promote": "true", "verdict": "Promoted: better is all."}
    assert said.items() <= newest.tags.items()
    assert said.items() <= run_of(place, made).data.tags.items()
    assert alias(place, CHAMPION) == trained.model_id


def test_the_figures_of_a_verdict_are_logged(
    place: Workspace, other: TrainedModel, verdict: Verdict, no_plots: None
) -> None:
    metrics = run_of(place, track(other, place, verdict)).data.metrics
    figures = {key: value for key, value in metrics.items() if key.startswith("gate.")}
    assert figures == pytest.approx(verdict.figures())
    assert figures["gate.pl.better_by"] == 0.0


def test_the_report_of_a_comparison_is_kept_with_the_run(
    place: Workspace, other: TrainedModel, verdict: Verdict, tmp_path: Path, no_plots: None
) -> None:
    report = tmp_path / "report"
    report.mkdir()
    (report / "index.html").write_text("compared")
    made = track(other, place, verdict, report)
    with asked(place) as client:
        found = client.download_artifacts(made.run_id, "report/index.html", str(tmp_path))
    assert Path(found).read_text() == "compared"


def test_a_verdict_is_told_of_a_version_that_is_there_already(
    place: Workspace, other: TrainedModel, verdict: Verdict, no_plots: None
) -> None:
    track(other, place)
    made = track(other, place, replace(verdict, promote=False, sentence="The champion stays."))
    newest, _ = registered(place)
    assert newest.number == made.version
    assert (newest.tags["promote"], newest.tags["verdict"]) == ("false", "The champion stays.")
    assert newest.aliases == (CHALLENGER,)


def test_the_alias_goes_to_the_latest_challenger(
    place: Workspace, trained: TrainedModel, other: TrainedModel, verdict: Verdict, no_plots: None
) -> None:
    track(other, place, verdict)
    third = variant(trained, place, seed=8)
    track(third, place, verdict)
    assert [version.aliases for version in registered(place)] == [(CHALLENGER,), (), (CHAMPION,)]


def test_a_challenger_is_never_champion_of_an_empty_registry(
    trained: TrainedModel, verdict: Verdict, tmp_path: Path, no_plots: None
) -> None:
    place = Workspace(tmp_path)
    place.prepare()
    first, second = variant(trained, place, 1), variant(trained, place, 2)
    place.set_champion(first.model_id, "trained without tracking")
    track(second, place, replace(verdict, promote=False))
    assert [version.aliases for version in registered(place)] == [(CHALLENGER,)]
    assert align(place) == ""
    assert place.champion_id == first.model_id


# Promotions ----------------------------------------------------------------------------------


@pytest.fixture
def challenger(
    place: Workspace, other: TrainedModel, verdict: Verdict, no_plots: None
) -> TrainedModel:
    track(other, place, verdict)
    return other


@pytest.mark.parametrize("name", ["number", "model id"])
def test_a_promotion_moves_both_aliases_and_the_workspace(
    place: Workspace, trained: TrainedModel, challenger: TrainedModel, name: str
) -> None:
    made = promote(place, "2" if name == "number" else challenger.model_id, "better")
    assert [version.aliases for version in registered(place)] == [(CHAMPION,), ()]
    assert place.champion_id == challenger.model_id
    assert (made.previous, made.version, made.why) == (trained.model_id, "2", "better")


def test_a_promotion_leaves_the_alias_of_another_challenger(
    place: Workspace, trained: TrainedModel, challenger: TrainedModel
) -> None:
    third = variant(trained, place, seed=8)
    track(third, place)
    promote(place, third.model_id, "wanted")
    assert alias(place, CHAMPION) == third.model_id
    assert alias(place, CHALLENGER) == challenger.model_id


def test_a_rollback_leads_back_in_the_registry_too(
    place: Workspace, trained: TrainedModel, challenger: TrainedModel
) -> None:
    promote(place, "2", "better")
    back = roll_back(place, "worse after all")
    assert alias(place, CHAMPION) == trained.model_id == place.champion_id
    assert (back.version, back.why) == ("1", "worse after all")


def test_nothing_to_roll_back_to_leaves_the_alias(place: Workspace, trained: TrainedModel) -> None:
    with pytest.raises(WorkspaceError, match="no champion before"):
        roll_back(place, "why not")
    assert alias(place, CHAMPION) == trained.model_id


@pytest.mark.parametrize("name", ["3", "0123456789ab", "../models"])
def test_a_model_that_is_not_registered_is_not_promoted(
    place: Workspace, trained: TrainedModel, name: str
) -> None:
    with pytest.raises(WorkspaceError, match=rf"not in the registry .*1 \({trained.model_id}\)"):
        promote(place, name, "wanted")
    assert alias(place, CHAMPION) == trained.model_id


def test_the_champion_is_not_promoted_again(place: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="is the champion already"):
        promote(place, "1", "wanted")
    assert len(place.promotions) == 1


# Somebody else -------------------------------------------------------------------------------


@pytest.fixture
def shared(place: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """The workspace of the first of two people who share a registry."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", place.database_uri)
    return place


@pytest.fixture
def second(shared: Workspace, tmp_path: Path) -> Workspace:
    """The workspace of the second, still empty."""
    return Workspace(tmp_path / "second")


def test_an_empty_workspace_takes_over_the_champion(
    second: Workspace, model: Model, trained: TrainedModel
) -> None:
    said = align(second)
    assert said == f"The champion is now {trained.model_id}: version 1 of the registry."
    fetched = Model.from_folder(second.champion())
    assert fetched.info.model_id == trained.model_id == second.champion_id
    assert fetched.predict(ROWS) == model.predict(ROWS)


def test_fetching_leaves_nothing_beside_the_model(second: Workspace, trained: TrainedModel) -> None:
    align(second)
    found = {path.name for path in second.models.iterdir()}
    assert found == {trained.model_id, "champions.json"}


def test_what_somebody_else_promoted_is_followed(
    shared: Workspace, second: Workspace, trained: TrainedModel, challenger: TrainedModel
) -> None:
    align(second)
    promote(shared, "2", "better")
    assert align(second) != ""
    assert second.champion_id == challenger.model_id
    assert second.promotions[-1].previous == trained.model_id
    assert second.promotions[-1].version == "2"
    assert align(second) == ""


def test_a_rollback_goes_back_from_what_somebody_else_promoted(
    shared: Workspace, second: Workspace, trained: TrainedModel, challenger: TrainedModel
) -> None:
    align(second)
    promote(shared, "2", "better")
    assert roll_back(second, "worse").model_id == trained.model_id
    assert alias(shared, CHAMPION) == trained.model_id


def test_a_comparison_with_a_champion_of_the_past_promotes_nothing(
    shared: Workspace, second: Workspace, trained: TrainedModel, challenger: TrainedModel
) -> None:
    align(second)
    promote(shared, "2", "better")
    third = variant(trained, second, seed=8)
    track(third, second)
    asked_for = f"compared with {trained.model_id}, but {challenger.model_id} \\(version 2\\)"
    with pytest.raises(WorkspaceError, match=asked_for):
        promote(second, third.model_id, "better", over=trained.model_id)
    assert alias(shared, CHAMPION) == challenger.model_id
    assert second.champion_id == trained.model_id


def test_what_both_promote_alike_is_promoted(
    shared: Workspace, second: Workspace, trained: TrainedModel, challenger: TrainedModel
) -> None:
    align(second)
    promote(shared, "2", "better")
    promote(second, challenger.model_id, "better", over=trained.model_id)
    assert alias(shared, CHAMPION) == challenger.model_id == second.champion_id


@pytest.mark.parametrize("tag", ["", "../models", "0123456789ab"])
def test_a_champion_with_a_wrong_tag_is_named_and_not_taken_over(
    shared: Workspace, second: Workspace, trained: TrainedModel, tag: str
) -> None:
    with asked(shared) as client:
        client.set_model_version_tag(NAME, "1", "model_id", tag)
    with pytest.raises(TrackingError, match=f"it holds model {trained.model_id}"):
        align(second)
    assert second.champion_id is None
    assert list(second.models.iterdir()) == []


def test_models_are_listed_with_version_data_and_place(
    shared: Workspace, second: Workspace, trained: TrainedModel, challenger: TrainedModel
) -> None:
    align(second)
    mine = variant(trained, second, seed=8)
    data = f"data {trained.info['dataset']['hash'][:12]}"
    papers = f"{trained.info['dataset']['papers']} papers"
    assert [str(model) for model in known_models(second)] == [
        f"{challenger.model_id}  version 2  {data}  @challenger  (in the registry alone)",
        f"{trained.model_id}  version 1  {data}, {papers}  @champion",
        f"{mine.model_id}  not registered  {data}, {papers}",
    ]


# What ended half-way -------------------------------------------------------------------------


def start_run(place: Workspace, like: Registered, *, foreign: bool) -> str:
    """Start a run as a killed process leaves it; return its id."""
    with asked(place) as client:
        run = client.get_run(like.run_id)
        owner = "somebody else" if foreign else run.data.tags["perovshell.workspace"]
        started = client.create_run(run.info.experiment_id, tags={"perovshell.workspace": owner})
    return str(started.info.run_id)


@pytest.mark.parametrize(("foreign", "status"), [(False, "KILLED"), (True, "RUNNING")])
def test_the_next_training_ends_killed_runs_of_its_own_workspace(
    place: Workspace, other: TrainedModel, no_plots: None, *, foreign: bool, status: str
) -> None:
    made = track(other, place)
    left = start_run(place, made, foreign=foreign)
    track(other, place)
    with asked(place) as client:
        assert client.get_run(left).info.status == status


def test_a_failure_registers_no_version_and_goes_on_the_next_time(
    place: Workspace, other: TrainedModel, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("perovshell.training.tracking.write_plots", lambda *_: 1 / 0)
        with pytest.raises(TrackingError, match="division by zero"):
            track(other, place, verdict)
    assert len(registered(place)) == 1
    monkeypatch.setattr("perovshell.training.tracking.write_plots", lambda *_: [])
    assert track(other, place, verdict).version == "2"


def test_a_failure_leaves_the_surroundings_as_they_were(
    place: Workspace, trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, uri = dict(os.environ), mlflow.get_tracking_uri()
    monkeypatch.setattr("perovshell.training.tracking.write_plots", lambda *_: 1 / 0)
    with pytest.raises(TrackingError, match="division by zero"):
        track(trained, place)
    assert (dict(os.environ), mlflow.get_tracking_uri()) == (before, uri)


def test_a_failure_is_one_line_that_says_what_is_undone(
    place: Workspace, other: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        msg = "first\n  second"
        raise RuntimeError(msg)

    monkeypatch.setattr("perovshell.training.tracking.write_plots", fail)
    with pytest.raises(TrackingError) as caught:
        track(other, place)
    assert str(caught.value) == (
        f"tracking at {place.database_uri} failed (first second); the model folder {other.folder} "
        "is whole"
    )


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch) -> str:
    """A server that does not answer."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return r"tracking at http://127\.0\.0\.1:9 failed "


def test_a_server_that_is_away_leaves_the_folder_whole(
    trained: TrainedModel, place: Workspace, away: str
) -> None:
    with pytest.raises(TrackingError, match=rf"{away}.* is whole$"):
        track(trained, place)
    assert Model.from_folder(trained.folder).info.model_id == trained.model_id


def test_a_server_that_is_away_leaves_the_champion(
    place: Workspace, trained: TrainedModel, other: TrainedModel, away: str
) -> None:
    for attempt in (
        lambda: promote(place, other.model_id, "wanted"),
        lambda: roll_back(place, "wanted"),
        lambda: align(place),
    ):
        with pytest.raises(TrackingError, match=f"{away}.*; the champion is unchanged$"):
            attempt()
    assert place.champion_id == trained.model_id


# Whoever loads it ----------------------------------------------------------------------------


def test_command_line_python_and_pyfunc_give_the_same_numbers(
    tracked: Workspace, model: Model, tmp_path: Path
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


def test_a_registered_model_loads_by_its_uri(tracked: Workspace, model: Model) -> None:
    loaded = perovshell.load("models:/perovshell@champion", workspace=tracked.root)
    assert loaded.info.model_id == model.info.model_id


def test_an_unknown_model_of_the_registry_is_named(tracked: Workspace) -> None:
    with pytest.raises(TrackingError, match="models:/perovshell@nobody cannot be loaded from"):
        perovshell.load("models:/perovshell@nobody", workspace=tracked.root)
