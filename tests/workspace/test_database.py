"""A workspace is moved, copied and made read-only: its registry goes with it."""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

import perovshell
from perovshell.errors import TrackingError
from perovshell.model import Model
from perovshell.training.tracking import track
from perovshell.training.train import TrainedModel
from perovshell.workbench import Workspace
from perovshell.workspace.database import Database
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.registry import connect, is_embedded, versions
from privileges import run_unprivileged
from registries import variant, without_plots

UNMEASURED_PROCESSES = True

CHAMPION = "models:/perovshell@champion"
NAMES = ["plain", "with blank", "what?", "a#b", "a%20b", "%41", "ü/é", "a&b=c;d'\"", "pl+us:at@"]


def copied(tracked: WorkspaceFolder, root: Path) -> WorkspaceFolder:
    return WorkspaceFolder(Path(shutil.copytree(tracked.root, root)))


def state(root: Path) -> dict[str, str]:
    """Return a hash of each file."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def addresses(root: Path) -> str:
    """Return everything in the database as text."""
    with closing(sqlite3.connect(root / "mlflow.db")) as opened:
        return "\n".join(opened.iterdump())


def learn(workspace: WorkspaceFolder, trained: TrainedModel, seed: int) -> str:
    """Register another model; return its id."""
    made = variant(trained, workspace, seed=seed)
    with without_plots():
        track(made, workspace)
    return made.model_id


def registered(workspace: WorkspaceFolder) -> list[str]:
    with connect(workspace, read_only=True) as mlflow:
        return [version.model_id for version in versions(mlflow)]


# Moved and copied ----------------------------------------------------------------------------


def test_a_copy_and_the_original_learn_apart(
    tracked: WorkspaceFolder, trained: TrainedModel, tmp_path: Path
) -> None:
    first = copied(tracked, tmp_path / "first")
    one = learn(first, trained, seed=1)
    second = copied(first, tmp_path / "second")
    before = state(first.root)
    two = learn(second, trained, seed=2)
    assert state(first.root) == before
    assert str(first.root) not in addresses(second.root)
    three = learn(first, trained, seed=3)
    assert registered(first) == [three, one, trained.model_id]
    assert registered(second) == [two, one, trained.model_id]
    for workspace, own in ((first, three), (second, two)):
        # Its folder is fetched from the registry, of this workspace alone.
        shutil.rmtree(workspace.models / own)
        assert Workspace(workspace.root).load(own).info.model_id == own


def test_a_moved_workspace_does_not_make_its_old_folder_again(
    tracked: WorkspaceFolder, trained: TrainedModel, tmp_path: Path
) -> None:
    old = copied(tracked, tmp_path / "old")
    learn(old, trained, seed=1)
    moved = WorkspaceFolder(old.root.rename(tmp_path / "new"))
    assert Workspace(moved.root).load("2").info.model_id != trained.model_id
    learn(moved, trained, seed=2)
    Workspace(moved.root).promote("3", "better")
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    assert str(old.root) not in addresses(moved.root)


def test_what_reads_a_moved_workspace_changes_nothing(
    tracked: WorkspaceFolder, trained: TrainedModel, tmp_path: Path
) -> None:
    moved = copied(tracked, tmp_path / "new")
    before = state(moved.root)
    assert [model.version for model in Workspace(moved.root).models()] == ["1"]
    loaded = perovshell.load(CHAMPION, workspace=moved.root)
    assert loaded.info.model_id == trained.model_id
    assert not loaded.folder.is_relative_to(tracked.root)
    assert state(moved.root) == before


def test_other_experiments_keep_their_addresses(
    tracked: WorkspaceFolder, trained: TrainedModel, tmp_path: Path
) -> None:
    first = copied(tracked, tmp_path / "first")
    far, near = "s3://bucket/first/mlartifacts", f"{first.root.as_uri()}-2/mlartifacts"
    with connect(first) as mlflow:
        client = mlflow.MlflowClient()
        made = [client.create_experiment(uri, artifact_location=uri) for uri in (far, near)]
    second = copied(first, tmp_path / "second")
    learn(second, trained, seed=1)
    with connect(second) as mlflow:
        client = mlflow.MlflowClient()
        assert [client.get_experiment(one).artifact_location for one in made] == [far, near]


def test_a_run_that_was_killed_is_ended_after_a_move(
    tracked: WorkspaceFolder, trained: TrainedModel, tmp_path: Path
) -> None:
    first = copied(tracked, tmp_path / "first")
    learn(first, trained, seed=1)
    with connect(first) as mlflow:
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name("perovshell").experiment_id
        (run, *_) = client.search_runs([experiment])
        left = client.create_run(experiment, tags=run.data.tags).info.run_id
    moved = WorkspaceFolder(first.root.rename(tmp_path / "moved"))
    learn(moved, trained, seed=2)
    with connect(moved) as mlflow:
        assert mlflow.MlflowClient().get_run(left).info.status == "KILLED"


# Paths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_workspace_works_in_a_folder_of_any_name(
    tracked: WorkspaceFolder, trained: TrainedModel, tmp_path: Path, name: str
) -> None:
    workspace = copied(tracked, tmp_path / name / "ws")
    made = learn(workspace, trained, seed=1)
    assert registered(workspace) == [made, trained.model_id]
    for uri in ("models:/perovshell/2", "models:/perovshell/2/artifacts"):
        assert perovshell.load(uri, workspace=workspace.root).info.model_id == made
    top = Path(name).parts[0]
    assert [path.name for path in tmp_path.iterdir()] == [top]
    assert {path.name for path in workspace.root.iterdir()} == {
        "mlartifacts", "mlflow.db", "models", "papers", "reports",
    }  # fmt: skip


def test_a_first_training_makes_its_database_in_a_folder_of_any_name(
    trained: TrainedModel, tmp_path: Path
) -> None:
    workspace = WorkspaceFolder(tmp_path / "what?#%20 ü" / "ws")
    workspace.prepare()
    made = learn(workspace, trained, seed=1)
    assert (workspace.root / "mlflow.db").is_file()
    assert registered(workspace) == [made]
    assert [path.name for path in tmp_path.iterdir()] == ["what?#%20 ü"]


@pytest.mark.parametrize("name", ["plain", "with blank", "ü"])
def test_the_address_of_the_database_may_be_spelled_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    workspace = WorkspaceFolder(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for path in (f"/{tmp_path}/{name}", name, f"./{name}/../{name}"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}/mlflow.db")
        assert is_embedded(workspace)
    for uri in ("sqlite:///other.db", "http://127.0.0.1:5000", f"sqlite:///{name}/mlflow.db2"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert not is_embedded(workspace)
        assert workspace.tracking_uri == uri


def test_mlflow_itself_loads_a_model_of_a_moved_workspace(
    tracked: WorkspaceFolder, model: Model, tmp_path: Path
) -> None:
    moved = copied(tracked, tmp_path / "with blank")
    assert Workspace(moved.root).align() == ""
    script = (
        "import json, mlflow, perovshell\n"
        "uri = perovshell.Workspace('with blank').folder.tracking_uri\n"
        "mlflow.set_tracking_uri(uri)\n"
        f"model = mlflow.pyfunc.load_model({CHAMPION!r})\n"
        "rows = [{'core': 'CsPbBr3', 'shell': 'SiO2'}]\n"
        "print(json.dumps(model.predict(rows)['pl_peak_nm'].tolist()))\n"
    )
    away = tracked.root.rename(tracked.root.with_name("away"))  # So that nothing leads there.
    try:
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
    finally:
        away.rename(tracked.root)
    [answer] = model.predict([{"core": "CsPbBr3", "shell": "SiO2"}])
    assert json.loads(done.stdout.splitlines()[-1]) == [answer["pl_peak_nm"]]


# Read-only -----------------------------------------------------------------------------------


@contextmanager
def read_only(root: Path) -> Iterator[None]:
    paths = [root, *root.rglob("*")]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    yield
    for path in paths:
        path.chmod(path.stat().st_mode | 0o200)


COMMANDS = {
    "predict": ["predict", "in.csv", "-o", "out.csv"],
    "uri": ["predict", "in.csv", "-o", "out.csv", "--model", CHAMPION],
    "version": ["predict", "in.csv", "-o", "out.csv", "--model", "1"],
    "list": ["models", "list"],
    "rank": ["rank", "green-emitter", "-o", "ranked", "--top", "1", "--jobs", "1"],
    "data": ["data", "check"],
}


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_read_only_workspace_is_read(
    tracked: WorkspaceFolder, tmp_path: Path, command: list[str]
) -> None:
    workspace = copied(tracked, tmp_path / "backup")
    (tmp_path / "in.csv").write_text("core,shell\nCsPbBr3,SiO2\n")
    for model in workspace.root.glob("mlartifacts/models/*/artifacts"):
        (model / "registered_model_meta").write_text("of an earlier load by mlflow itself")
    before = state(workspace.root)
    with read_only(workspace.root):
        done = run_unprivileged("-m", "perovshell", *command, "--workspace", "backup", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert state(workspace.root) == before


@pytest.mark.parametrize(
    "command", [["models", "promote", "1", "--why", "x"], ["train"], ["rank", "green-emitter"]]
)
def test_what_writes_refuses_a_read_only_workspace_in_one_line(
    tracked: WorkspaceFolder, tmp_path: Path, command: list[str]
) -> None:
    workspace = copied(tracked, tmp_path / "backup")
    with read_only(workspace.root):
        done = run_unprivileged("-m", "perovshell", *command, "--workspace", "backup", cwd=tmp_path)
    assert done.returncode == 2
    *_, last = done.stderr.splitlines()
    assert last.startswith("perovshell: ")
    assert last.endswith("(Permission denied); choose another folder")
    assert "Traceback" not in done.stderr


def test_reading_waits_for_no_lock(tracked: WorkspaceFolder, tmp_path: Path) -> None:
    workspace = copied(tracked, tmp_path / "busy")
    with workspace.locked("models"):
        done = subprocess.run(
            [sys.executable, "-m", "perovshell", "models", "list", "--workspace", "busy"],
            cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
    assert "version 1" in done.stdout


# Damaged -------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_read_only", [True, False])
def test_a_damaged_database_is_named(
    tracked: WorkspaceFolder, tmp_path: Path, *, is_read_only: bool
) -> None:
    workspace = copied(tracked, tmp_path / "ws")
    (workspace.root / "mlflow.db").write_bytes(b"no database" * 100)
    home = Workspace(workspace.root)
    with pytest.raises(TrackingError, match=r"mlflow\.db failed \(file is not a database\)"):
        home.models() if is_read_only else home.align()


def test_an_empty_database_is_left_to_mlflow(tmp_path: Path) -> None:
    database = Database.of(tmp_path)
    database.file.touch()
    database.relocate()
    with database.reading() as uri:
        assert uri == database.uri
    assert database.file.stat().st_size == 0
    assert os.listdir(tmp_path) == ["mlflow.db"]  # noqa: PTH208
