"""Promotions where mlflow is not installed, and how the registry is told of them later.

Those are made by a Python that has the packages for serving alone; the registry is a real one.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

import serving_only
from perovshell.errors import PerovshellWarning, UntoldError
from perovshell.training.tracking import track
from perovshell.training.train import TrainedModel
from perovshell.workspace.championship import (
    align,
    ensure_champion,
    promote,
    roll_back,
)
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.known_models import known_models
from perovshell.workspace.registry import CHAMPION, connect, version_with
from registries import variant, without_plots

UNMEASURED_PROCESSES = True


@pytest.fixture(scope="module")
def three(
    trained: TrainedModel, tracked: WorkspaceFolder, tmp_path_factory: pytest.TempPathFactory
) -> tuple[WorkspaceFolder, str, str, str]:
    """A workspace with three models, the first its champion; no test changes it."""
    folder = tmp_path_factory.mktemp("three") / "workspace"
    workspace = WorkspaceFolder(Path(shutil.copytree(tracked.root, folder)))
    others = [variant(trained, workspace, seed=seed) for seed in (7, 8)]
    with without_plots():
        for other in others:
            track(other, workspace)
    return workspace, trained.model_id, others[0].model_id, others[1].model_id


@dataclass(frozen=True)
class Home:
    """A workspace with three models, used with MLflow and without."""

    folder: WorkspaceFolder
    first: str
    second: str
    third: str
    without: dict[str, str]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the models where mlflow is not installed."""
        return subprocess.run(
            [*serving_only.COMMAND, "models", *words, "--workspace", str(self.folder.root)],
            env=self.without, capture_output=True, text=True, check=False,
        )  # fmt: skip

    def did(self, *words: str) -> str:
        """Run one that succeeds; return what it prints and says."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    @property
    def champions(self) -> tuple[str | None, str | None]:
        """The champion of the workspace, and that of the registry."""
        with connect(self.folder) as mlflow:
            version = version_with(mlflow, CHAMPION)
        return self.folder.champion_id, version.model_id if version else None

    def move_alias(self, version: str) -> None:
        """Do what somebody else does who shares the registry."""
        with connect(self.folder) as mlflow:
            mlflow.MlflowClient().set_registered_model_alias("perovshell", CHAMPION, version)


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return serving_only.environment(tmp_path_factory.mktemp("packages"))


@pytest.fixture
def home(
    three: tuple[WorkspaceFolder, str, str, str], without: dict[str, str], tmp_path: Path
) -> Home:
    workspace, *models = three
    copy = WorkspaceFolder(Path(shutil.copytree(workspace.root, tmp_path / "workspace")))
    return Home(copy, *models, without)


@pytest.fixture
def promoted(home: Home) -> Home:
    """The second model is the champion of the workspace, and the registry does not know it."""
    home.folder.set_champion(home.second, "better in use", untold=True)
    return home


# Without mlflow ------------------------------------------------------------------------------


def test_mlflow_is_really_not_there(without: dict[str, str]) -> None:
    code = "import fastapi, perovshell.serve.service.app, mlflow"
    done = subprocess.run(
        [*serving_only.COMMAND[:2], "-c", code], env=without, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "No module named 'mlflow'" in done.stderr


def test_models_are_listed_by_their_folders(home: Home, trained: TrainedModel) -> None:
    home.did("promote", home.second, "--why", "better in use")
    about, figures = trained.info["dataset"], trained.info["figures"]
    data = (
        f"data {about['hash'][:12]}, {about['papers']} papers, errors "
        f"PL {figures['pl.paper.all.mae']:.1f} nm, PLQY {figures['plqy.paper.all.mae']:.1f} points"
    )
    said = home.did("list")
    assert f"{home.first}  version 1  {data}\n" in said
    assert f"{home.second}  version unknown  {data}  champion\n" in said
    assert f"{home.second} became champion: better in use (the registry was not told)\n" in said
    listed = json.loads(home.did("list", "--json"))
    assert {one["model_id"] for one in listed["models"]} == {home.first, home.second, home.third}
    assert [one["untold"] for one in listed["promotions"]] == [False, True]


def test_a_model_is_promoted_and_rolled_back_and_that_the_registry_is_not_told_is_said(
    home: Home,
) -> None:
    said = home.did("promote", home.second, "--why", "better in use")
    assert said == (
        f"Champion: {home.second} (before: {home.first})\n"
        "mlflow is not installed: the registry is not told; the next train, retrain, promote or "
        "rollback in this workspace where it is installed tells it\n"
    )
    assert home.champions == (home.second, home.first)
    assert "is not told" in home.did("rollback")
    assert home.champions == (home.first, home.first)
    assert align(home.folder) == ""


def test_a_registry_of_a_team_is_named(home: Home) -> None:
    home.without["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
    try:
        said = home.did("promote", home.third, "--why", "better")
    finally:
        del home.without["MLFLOW_TRACKING_URI"]
    assert "the registry of MLFLOW_TRACKING_URI is not told" in said
    assert home.folder.promotions[-1].untold


def test_a_registry_is_known_from_the_version_of_a_champion(home: Home) -> None:
    home.folder.database.file.unlink()
    home.did("promote", home.third, "--why", "better")
    assert home.folder.promotions[-1].untold


def test_a_version_is_known_from_its_promotion(home: Home) -> None:
    home.did("promote", home.second, "--why", "better")
    home.did("promote", "1", "--why", "better")
    assert home.folder.champion_id == home.first
    for words in (("promote", "9", "--why", "x"), ("show", "9")):
        done = home.run(*words)
        assert done.returncode == 2
        assert "the registry is not asked, since mlflow is not installed" in done.stderr
        assert f"1 ({home.first})" in done.stderr


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (("promote", "FIRST", "--why", "x"), "is the champion already"),
        (("rollback",), "no champion before"),
        (("promote", "SECOND", "--why", "x"), "model folder"),
    ],
)
def test_what_cannot_be_served_is_refused(home: Home, words: tuple[str, ...], fault: str) -> None:
    (home.folder.models / home.second / "model.json").write_text("{}")
    names = {"FIRST": home.first, "SECOND": home.second}
    done = home.run(*(names.get(word, word) for word in words))
    assert (done.returncode, fault in done.stderr) == (2, True), done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert home.champions == (home.first, home.first)


def test_without_a_registry_there_is_nobody_to_tell(home: Home) -> None:
    home.folder.database.file.unlink()
    home.folder.promotions_file.unlink()
    home.folder.set_champion(home.first, "trained without tracking")
    assert "mlflow" not in home.did("promote", home.second, "--why", "better")
    assert not home.folder.promotions[-1].untold


# With mlflow, later --------------------------------------------------------------------------


def test_an_alias_that_has_not_moved_is_brought_to_the_champion(promoted: Home) -> None:
    assert align(promoted.folder) == f"The registry is told that {promoted.second} is the champion."
    assert promoted.champions == (promoted.second, promoted.second)
    last = promoted.folder.promotions[-1]
    assert (last.version, last.untold, last.previous) == ("2", False, promoted.first)
    assert align(promoted.folder) == ""


def test_an_older_perovshell_reads_what_the_registry_knows(promoted: Home) -> None:
    align(promoted.folder)
    assert "untold" not in promoted.folder.promotions_file.read_text()


def test_an_alias_that_was_moved_to_the_same_model_agrees(promoted: Home) -> None:
    promoted.move_alias("2")
    align(promoted.folder)
    assert promoted.champions == (promoted.second, promoted.second)
    assert not promoted.folder.promotions[-1].untold


def test_where_both_moved_a_person_decides(promoted: Home) -> None:
    promoted.move_alias("3")
    for attempt in (align, lambda folder: roll_back(folder, "why")):
        with pytest.raises(UntoldError) as caught:
            attempt(promoted.folder)
        assert str(caught.value) == (
            f"two champions: {promoted.second} was promoted in the workspace "
            f"{promoted.folder.root} while the registry was not told (better in use), and version "
            f"3 ({promoted.third}) has become champion of the registry; decide: "
            f"Workspace.promote('{promoted.second}', why=...) or "
            f"Workspace.promote('{promoted.third}', why=...)"
        )
        assert promoted.champions == (promoted.second, promoted.third)


@pytest.mark.parametrize("is_own", [True, False])
def test_either_champion_can_be_decided_for(promoted: Home, *, is_own: bool) -> None:
    promoted.move_alias("3")
    name = promoted.second if is_own else promoted.third
    promote(promoted.folder, name, "decided")
    assert promoted.champions == (name, name)
    assert align(promoted.folder) == ""
    before = promoted.first if is_own else promoted.second
    assert roll_back(promoted.folder, "back").model_id == before
    assert promoted.champions == (before, before)


def test_back_at_the_champion_that_the_registry_knew_its_new_one_is_followed(
    promoted: Home,
) -> None:
    promoted.folder.roll_back("worse in use", untold=True)
    promoted.move_alias("3")
    align(promoted.folder)
    assert promoted.champions == (promoted.third, promoted.third)


def test_a_rollback_takes_back_what_the_registry_was_not_told(promoted: Home) -> None:
    assert roll_back(promoted.folder, "worse in use").model_id == promoted.first
    assert promoted.champions == (promoted.first, promoted.first)
    assert align(promoted.folder) == ""


def test_a_rollback_without_mlflow_is_told(home: Home) -> None:
    promote(home.folder, "2", "better")
    home.did("rollback", "--why", "worse in use")
    assert home.champions == (home.first, home.second)
    align(home.folder)
    assert home.champions == (home.first, home.first)


def test_a_model_without_a_version_is_told_by_taking_the_alias_away(
    home: Home, trained: TrainedModel
) -> None:
    untracked = variant(trained, home.folder, seed=9).model_id
    home.did("promote", untracked, "--why", "better")
    align(home.folder)
    assert home.champions == (untracked, None)


def test_a_shared_registry_that_does_not_know_the_champion_is_not_told(
    home: Home, trained: TrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", home.folder.database.uri)
    mine = WorkspaceFolder(tmp_path / "mine")
    align(mine)
    untracked = variant(trained, mine, seed=9).model_id
    mine.set_champion(untracked, "better in use", untold=True)
    said = f"champion {untracked}: promoted while the registry was not told; .*not in the registry"
    with pytest.raises(UntoldError, match=said):
        align(mine)
    promote(mine, "2", "known to all")
    assert mine.champion_id == home.second


def test_a_training_goes_on_and_says_that_a_person_has_to_decide(promoted: Home) -> None:
    promoted.move_alias("3")
    with pytest.warns(PerovshellWarning, match="^two champions: "):
        assert ensure_champion(promoted.folder, promoted.first, "1") == ""
    assert promoted.champions == (promoted.second, promoted.third)


def test_a_list_with_mlflow_changes_nothing(promoted: Home) -> None:
    listed = {model.model_id: model for model in known_models(promoted.folder)}
    assert listed[promoted.second].version == "2"
    assert promoted.champions == (promoted.second, promoted.first)
