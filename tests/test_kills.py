"""Commands killed at any moment lose nothing; and what was lost would be seen."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest

from perovshell.data.dataset import Dataset
from perovshell.serve.service.keys import add_key
from perovshell.training.tracking import track
from perovshell.training.train import TrainedModel
from perovshell.workspace.championship import ensure_champion
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.materials import MaterialStore
from perovshell.workspace.papers import PaperStore
from perovshell.workspace.registry import NAME, tracking

UNMEASURED_PROCESSES = True

SCRIPTS = Path(__file__).parent.parent / "scripts"


QUICK = ("add", "keys remove", "materials add-shell", "predict", "promote")


@pytest.fixture(scope="module")
def arena(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first campaign makes the workspace that all copy."""
    return tmp_path_factory.mktemp("arena") / "arena"


def campaign(name: str, arena: Path, *options: str) -> dict[str, int]:
    """Run a campaign to its end; return its figures."""
    done = subprocess.run(
        [sys.executable, SCRIPTS / f"{name}.py", "--folder", arena, *options],
        cwd=arena.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    figures: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return figures


def test_commands_killed_at_any_moment_lose_nothing(arena: Path) -> None:
    said = campaign("kills", arena, "--kills", "8", "--seed", "1", "--only", *QUICK)
    assert (said["kills"], said["lost"], said["half_written"]) == (8, 0, 0)
    assert said["operations"] > said["operations_hit"] == 6


def test_a_disk_that_gets_full_at_any_moment_loses_nothing(arena: Path, tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", tmp_path], check=False).returncode:
        pytest.skip("a disk of its own cannot be mounted")
    subprocess.run(["umount", tmp_path], check=True)
    said = campaign("full_disk", arena, "--trials", "5", "--only", *QUICK)
    assert (said["trials"], said["faults"]) == (5, 0)


def test_a_clock_put_back_by_a_day_changes_nothing(arena: Path) -> None:
    said = campaign("clock_jumps", arena, "--hours", "-24", "--no-retrain", "--patience", "60")
    assert (said["jumps"], said["faults"]) == (1, 0)
    assert said["commands"] == 8


# What is lost is seen ------------------------------------------------------------------------


def loaded(name: str) -> ModuleType:
    """Load a module of the scripts."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def whole() -> ModuleType:
    """The checks of the script."""
    return loaded("_whole")


@pytest.fixture(scope="module")
def built(
    trained: TrainedModel, dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> WorkspaceFolder:
    """A workspace with a registered champion and a corrected paper; no test changes it."""
    workspace = WorkspaceFolder(tmp_path_factory.mktemp("kills") / "workspace")
    workspace.prepare()
    folder = Path(shutil.copytree(trained.folder, workspace.models / trained.model_id))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("perovshell.training.tracking.write_plots", lambda *_: [])
        version = track(replace(trained, folder=folder), workspace).version
    ensure_champion(workspace, trained.model_id, version)
    entry = dataset.entry("hu2018")
    PaperStore(workspace).put(replace(entry, withdrawn="first"))
    PaperStore(workspace).put(entry, replace=True)
    MaterialStore(workspace).add_shell("Newglass", "oxide", source="10.1000/new")
    add_key(workspace, "kept")
    (workspace.reports / "small").mkdir()
    (workspace.reports / "small" / "ranking.csv").write_text("rank,core\n1,CsPbBr3\n")
    return workspace


@dataclass(frozen=True)
class Loss:
    """Something that must be seen."""

    spoil: Callable[[WorkspaceFolder], object]
    seen: str


def only(folder: Path) -> Path:
    """Return the only folder of a folder."""
    (path,) = [path for path in folder.iterdir() if path.is_dir()]
    return path


def change_registry(workspace: WorkspaceFolder, change: Callable[[object], object]) -> None:
    with tracking(workspace, "") as mlflow:
        change(mlflow.MlflowClient())


LOST = {
    "a paper": Loss(lambda own: (own.papers / "hu2018.yaml").unlink(), "papers/hu2018.yaml"),
    "a version of a paper": Loss(
        lambda own: (own.papers / "history" / "hu2018.1.yaml").unlink(), "history/hu2018.1.yaml"
    ),
    "a model": Loss(lambda own: shutil.rmtree(only(own.models)), "models/"),
    "the reasons of promotions": Loss(
        lambda own: rewrite(own.models / "champions.json", b"the first model", b"a change of it"),
        "promotions",
    ),
    "a table of materials": Loss(
        lambda own: (own.root / "materials" / "shells.csv").unlink(), "materials/shells.csv"
    ),
    "the keys": Loss(lambda own: own.keys_file.unlink(), "api-keys.json"),
    "a report": Loss(lambda own: shutil.rmtree(own.reports / "small"), "small/ranking.csv"),
    "a tag of a version": Loss(
        lambda own: change_registry(
            own, lambda client: client.delete_model_version_tag(NAME, "1", "dataset_hash")
        ),
        "version 1 or its tags",
    ),
    "the alias of the champion": Loss(
        lambda own: change_registry(
            own, lambda client: client.delete_registered_model_alias(NAME, "champion")
        ),
        "the registry's champion",
    ),
}
HALF_WRITTEN = {
    "a paper": Loss(lambda own: cut(own.papers / "hu2018.yaml"), "hu2018.yaml"),
    "a version of a paper": Loss(
        lambda own: (own.papers / "history" / "hu2018.2.yaml").write_text("#"), "hu2018.2.yaml"
    ),
    "a table of materials": Loss(
        lambda own: cut(own.root / "materials" / "shells.csv"), "materials/shells.csv"
    ),
    "a key": Loss(lambda own: rewrite(own.keys_file, b'": "', b'": "0'), "api-keys.json"),
    "a report": Loss(lambda own: cut(own.reports / "small" / "ranking.csv"), "small/ranking.csv"),
    "a model": Loss(lambda own: cut(only(own.models) / "pl.npz"), "pl.npz is damaged"),
    "a model without a manifest": Loss(
        lambda own: (own.models / "0123456789ab").mkdir(), "no manifest.json"
    ),
    "the champion": Loss(lambda own: cut(own.models / "champions.json"), "cannot be read"),
    "an artifact": Loss(
        lambda own: cut(next(own.root.glob("mlartifacts/**/model.json"))), "model.json is damaged"
    ),
}


def rewrite(path: Path, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


@pytest.fixture
def copied(built: WorkspaceFolder, whole: ModuleType) -> WorkspaceFolder:
    """A copy to spoil."""
    return loaded("_ring").Ring.of(built.root.parent).workspace


def test_a_whole_workspace_is_found_whole(copied: WorkspaceFolder, whole: ModuleType) -> None:
    state = whole.State.of(copied)
    assert whole.check(copied, state, state) == whole.Found()
    assert whole.check_finished(copied, state) == whole.Found()


@pytest.mark.parametrize("loss", LOST.values(), ids=LOST.keys())
def test_what_is_lost_is_seen(copied: WorkspaceFolder, whole: ModuleType, loss: Loss) -> None:
    state = whole.State.of(copied)
    loss.spoil(copied)
    assert any(loss.seen in one for one in whole.check(copied, state, state).lost)


@pytest.mark.parametrize("loss", HALF_WRITTEN.values(), ids=HALF_WRITTEN.keys())
def test_what_is_half_written_is_seen(
    copied: WorkspaceFolder, whole: ModuleType, loss: Loss
) -> None:
    state = whole.State.of(copied)
    loss.spoil(copied)
    assert any(loss.seen in one for one in whole.check(copied, state, state).half_written)


@pytest.mark.parametrize("name", [".writing-0a1b2c3d", ".champions.json-0a1b2c3d", ".probe-0a1b2c"])
def test_what_is_left_over_is_seen(copied: WorkspaceFolder, whole: ModuleType, name: str) -> None:
    state = whole.State.of(copied)
    (copied.models / name).mkdir()
    assert whole.check_finished(copied, state).half_written == [f"left over: models/{name}"]


def test_a_run_left_running_is_seen(copied: WorkspaceFolder, whole: ModuleType) -> None:
    state = whole.State.of(copied)
    change_registry(
        copied,
        lambda client: client.create_run(client.get_experiment_by_name(NAME).experiment_id),
    )
    (found,) = whole.check_finished(copied, state).half_written
    assert found.endswith("is still RUNNING")
