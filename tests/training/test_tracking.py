"""Tracking in a real MLflow with an embedded database."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest

import perovshell
from perovshell.model import Model
from perovshell.registry import TrackingError, connect
from perovshell.serve.batch import cell
from perovshell.training.tracking import NAME, Registered, track
from perovshell.training.train import TrainedModel
from perovshell.workspace import Workspace

SYSTEMS = Path(__file__).parent.parent / "data" / "systems.csv"


@pytest.fixture(scope="module")
def registered(trained: TrainedModel, workspace: Workspace) -> Registered:
    return track(trained, workspace)


@pytest.fixture
def client(registered: Registered, workspace: Workspace) -> Iterator[mlflow.MlflowClient]:
    with connect(workspace):
        yield mlflow.MlflowClient()


def test_the_first_model_becomes_champion(
    registered: Registered, client: mlflow.MlflowClient
) -> None:
    assert registered.is_champion
    version = client.get_model_version_by_alias(NAME, "champion").version
    assert str(version) == registered.version


def test_a_run_has_parameters_figures_dataset_and_plots(
    registered: Registered, client: mlflow.MlflowClient, trained: TrainedModel
) -> None:
    run = client.get_run(registered.run_id)
    assert run.data.params["folds"] == "4"
    figures = {key: value for key, value in trained.info["figures"].items() if value is not None}
    assert run.data.metrics == pytest.approx(figures)
    assert run.data.tags["dataset_hash"] == trained.info["dataset"]["hash"]
    names = {item.path for item in client.list_artifacts(registered.run_id, "plots")}
    assert names == {"plots/parity.png", "plots/calibration.png"}


def test_a_second_training_leaves_the_champion(
    trained: TrainedModel, workspace: Workspace, client: mlflow.MlflowClient
) -> None:
    second = track(trained, workspace)
    assert not second.is_champion
    version = client.get_model_version_by_alias(NAME, "champion").version
    assert str(version) != second.version


def test_tracking_writes_into_the_workspace_alone(
    registered: Registered, workspace: Workspace
) -> None:
    assert (workspace.root / "mlflow.db").is_file()
    assert list((workspace.root / "mlartifacts").iterdir())
    assert not Path("mlruns").exists()


def test_command_line_python_and_pyfunc_give_the_same_numbers(
    registered: Registered, workspace: Workspace, model: Model, tmp_path: Path
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
    environment = {**os.environ, "MLFLOW_TRACKING_URI": workspace.tracking_uri}
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
    command = ["predict", "in.csv", "-o", "out.csv", "--workspace", str(workspace.root)]
    subprocess.run(
        [sys.executable, "-m", "perovshell", *command], cwd=tmp_path, check=True,
        capture_output=True,
    )  # fmt: skip
    with (tmp_path / "out.csv").open(newline="") as file:
        written = [{name: row[name] for name in expected[0]} for row in csv.DictReader(file)]
    assert written == expected


def test_a_registered_model_loads_by_its_uri(
    registered: Registered, workspace: Workspace, model: Model
) -> None:
    loaded = perovshell.load("models:/perovshell@champion", workspace=workspace.root)
    assert loaded.info.model_id == model.info.model_id


def test_an_unknown_model_of_the_registry_is_named(
    registered: Registered, workspace: Workspace
) -> None:
    with pytest.raises(TrackingError, match="models:/perovshell@nobody cannot be loaded from"):
        perovshell.load("models:/perovshell@nobody", workspace=workspace.root)


def test_a_failure_leaves_the_surroundings_as_they_were(
    trained: TrainedModel, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, uri = dict(os.environ), mlflow.get_tracking_uri()
    monkeypatch.setattr("perovshell.training.tracking.write_plots", lambda *_: 1 / 0)
    with pytest.raises(TrackingError, match="division by zero"):
        track(trained, workspace)
    assert (dict(os.environ), mlflow.get_tracking_uri()) == (before, uri)


def test_a_server_that_is_away_leaves_the_folder_whole(
    trained: TrainedModel, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match=r"http://127\.0\.0\.1:9 failed"):
        track(trained, workspace)
    assert Model.from_folder(trained.folder).info.model_id == trained.model_id
