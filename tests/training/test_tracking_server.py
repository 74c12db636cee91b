"""Two people who share a tracking server, and a server that goes away: real processes throughout.

The fixtures tell one story, and most of them train: a first model; a paper comes and the server
dies; the same again when it is back; a third person joins; two people retrain at once.
"""

import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import mlflow
import pytest

import perovshell
from perovshell.data.dataset import Dataset
from perovshell.errors import TrackingError
from perovshell.model import Model
from perovshell.training.tracking import track
from perovshell.training.train import TrainedModel
from perovshell.workspace.championship import align
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.registry import (
    CHALLENGER,
    CHAMPION,
    NAME,
    Version,
    connect,
    versions,
)

UNMEASURED_PROCESSES = True

ROWS = [{"core": "CsPbBr3", "shell": "SiO2"}, {"core": "CsPbI3", "shell": "none"}]
REFUSED = 2


@dataclass
class Server:
    """A tracking server with folders of its own, which can be killed and started again."""

    root: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, if it does not run, and wait until it answers."""
        if self.process is not None:
            return
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1",
            "--port", str(self.port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{self.root / 'server.db'}",
            "--artifacts-destination", str(self.root / "artifacts"),
        ]  # fmt: skip
        with (self.root / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=self.root, stdout=log, stderr=log, start_new_session=True,
                env={
                    **os.environ,
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                },
            )  # fmt: skip
        self._await_answer(seconds=60)

    def kill(self) -> None:
        """End it and its workers at once."""
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def _await_answer(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with suppress(OSError), urllib.request.urlopen(f"{self.uri}/health", timeout=5):
                return
            time.sleep(0.1)
        pytest.fail((self.root / "server.log").read_text())


@dataclass(frozen=True)
class Person:
    """One who works in a workspace of their own, with the data and the server that all share."""

    workspace: WorkspaceFolder
    data: Path
    server: Server

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command line."""
        return subprocess.Popen(
            [sys.executable, "-m", "perovshell", *arguments],
            cwd=self.workspace.root.parent, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={
                **os.environ,
                "PEROVSHELL_HOME": str(self.workspace.root),
                "MLFLOW_TRACKING_URI": self.server.uri,
            },
        )  # fmt: skip

    def run(self, *arguments: str) -> "Done":
        """Run a command line to its end."""
        return Done.of(self.start(*arguments))

    def remove(self, paper: str) -> None:
        """Take a paper out of the data, or a withdrawn one in again."""
        # The same removal for the same reason, given again, is refused.
        why = f"a test, {time.monotonic_ns()}"
        self.run("data", "remove", paper, "--why", why, "--data", str(self.data)).succeeded()

    def retrain(self) -> subprocess.Popen[str]:
        """Start a retraining; one process trains on so few papers as fast as two."""
        return self.start("retrain", "--data", str(self.data), "--jobs", "1", "--json")


@dataclass(frozen=True)
class Done:
    """How a command line ended."""

    code: int
    out: str
    err: str
    seconds: float

    @classmethod
    def of(cls, process: subprocess.Popen[str]) -> "Done":
        start = time.monotonic()
        out, err = process.communicate(timeout=300)
        return cls(process.returncode, out, err, time.monotonic() - start)

    def succeeded(self) -> "Done":
        assert self.code == 0, self.out + self.err
        return self

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.out))

    @property
    def error(self) -> str:
        """The one line that says what is wrong."""
        assert "Traceback" not in self.err
        (line,) = [line for line in self.err.splitlines() if line.startswith("perovshell: ")]
        assert self.err.endswith(f"{line}\n")
        return line


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    made = Server(tmp_path_factory.mktemp("server"), port)
    made.start()
    try:
        yield made
    finally:
        made.kill()


@pytest.fixture(scope="module")
def papers(dataset: Dataset) -> list[str]:
    """A fourth of the papers: trained on sooner."""
    return sorted(dataset.papers)[::4]


@pytest.fixture(scope="module")
def data(dataset: Dataset, papers: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name, rows in dataset.subset(papers).rows.items():
        with (folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return folder


@contextmanager
def on(server: Server) -> Iterator[mlflow.MlflowClient]:
    """Work with the server as Perovshell does in this process."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MLFLOW_TRACKING_URI", server.uri)
        with connect(WorkspaceFolder(server.root)):
            yield mlflow.MlflowClient()


def registered(server: Server) -> list[Version]:
    """Return the versions on the server, the newest first."""
    with on(server):
        return versions(mlflow)


def champion_of(found: list[Version]) -> Version:
    (champion,) = [version for version in found if CHAMPION in version.aliases]
    return champion


def statuses(server: Server) -> list[str]:
    """Return the status of each run, the newest first."""
    with on(server) as client:
        experiment = client.get_experiment_by_name(NAME)
        return [run.info.status for run in client.search_runs([experiment.experiment_id])]


# The story -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ann(server: Server, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return Person(WorkspaceFolder(tmp_path_factory.mktemp("ann") / "workspace"), data, server)


@pytest.fixture(scope="module")
def first(ann: Person, papers: list[str]) -> dict[str, Any]:
    """Ann's first model knows all papers but one."""
    ann.remove(papers[0])
    done = ann.run("train", "--quick", "--data", str(ann.data), "--jobs", "1", "--json")
    return done.succeeded().json


@dataclass(frozen=True)
class Outage:
    """What Ann was told while the server was away, and what was on it when it came back."""

    killed: Done
    retrained: Done
    promoted: Done
    champion: str | None
    versions: list[Version]


@pytest.fixture(scope="module")
def outage(ann: Person, server: Server, first: dict[str, Any], papers: list[str]) -> Outage:
    """Ann takes the paper in and retrains; the server dies when the model is to be registered."""
    ann.remove(papers[0])
    process = ann.retrain()
    assert process.stderr is not None
    for line in process.stderr:
        if line == "retrain: registering\n":
            break
    server.kill()
    try:
        killed = Done.of(process)
        retrained = Done.of(ann.retrain())
        promoted = ann.run("models", "promote", "1", "--why", "a test")
        champion = ann.workspace.champion_id
    finally:
        server.start()
    return Outage(killed, retrained, promoted, champion, registered(server))


@dataclass(frozen=True)
class Retrained:
    """What a retraining said, and what was on the server then."""

    done: Done
    versions: list[Version]


@pytest.fixture(scope="module")
def resumed(ann: Person, server: Server, outage: Outage) -> Retrained:
    """Ann retrains when the server is back."""
    done = Done.of(ann.retrain()).succeeded()
    return Retrained(done, registered(server))


@dataclass(frozen=True)
class Joined:
    """A third person, whose workspace was empty, and what they were told."""

    cleo: Person
    done: Done


@pytest.fixture(scope="module")
def joined(ann: Person, resumed: Retrained, tmp_path_factory: pytest.TempPathFactory) -> Joined:
    """Cleo has no model and retrains."""
    cleo = replace(ann, workspace=WorkspaceFolder(tmp_path_factory.mktemp("cleo") / "workspace"))
    return Joined(cleo, Done.of(cleo.retrain()))


@dataclass(frozen=True)
class Both:
    """What two people were told who retrained at once, and what was on the server then."""

    people: tuple[Person, Person]
    told: tuple[Done, Done]
    before: list[Version]
    versions: list[Version]
    statuses: list[str]


@pytest.fixture(scope="module")
def both(
    ann: Person,
    server: Server,
    joined: Joined,
    papers: list[str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Both:
    """Ann leaves out another paper than Bob, who has a copy of her workspace."""
    root = shutil.copytree(ann.workspace.root, tmp_path_factory.mktemp("bob") / "workspace")
    bob = replace(ann, workspace=WorkspaceFolder(root))
    ann.remove(papers[1])
    bob.remove(papers[2])
    before = registered(server)
    processes = ann.retrain(), bob.retrain()
    told = Done.of(processes[0]), Done.of(processes[1])
    return Both((ann, bob), told, before, registered(server), statuses(server))


# One person ----------------------------------------------------------------------------------


def test_a_first_training_is_champion_here_and_on_the_server(
    first: dict[str, Any], outage: Outage
) -> None:
    assert (first["version"], first["champion"]) == ("1", first["model_id"])
    (version,) = outage.versions
    assert (version.number, version.model_id) == ("1", first["model_id"])
    assert version.aliases == (CHAMPION,)


def test_a_retraining_is_on_the_server_as_its_verdict_says(
    first: dict[str, Any], resumed: Retrained
) -> None:
    said = resumed.done.json
    newest, oldest = resumed.versions
    assert (newest.number, newest.model_id) == (said["version"], said["challenger"])
    assert newest.tags["verdict"] == said["verdict"]["sentence"]
    assert said["now_champion"] == champion_of(resumed.versions).model_id
    is_promoted = said["verdict"]["promote"]
    assert newest.aliases == ((CHAMPION,) if is_promoted else (CHALLENGER,))
    assert oldest.aliases == (() if is_promoted else (CHAMPION,))


def test_report_and_plots_of_a_retraining_are_on_the_server(
    server: Server, resumed: Retrained
) -> None:
    with on(server) as client:
        version = client.get_model_version(NAME, resumed.done.json["version"])
        run = client.get_logged_model(version.source.removeprefix("models:/")).source_run_id
        kept = {
            item.path for name in ("plots", "report") for item in client.list_artifacts(run, name)
        }
    assert {"plots/parity.png", "plots/calibration.png"} < kept
    assert [path for path in kept if path.startswith("report/") and path.endswith(".html")]


def test_python_loads_the_numbers_of_the_workspace_from_the_server(
    ann: Person, server: Server, first: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    loaded = perovshell.load("models:/perovshell/1")
    here = Model.from_folder(ann.workspace.models / first["model_id"])
    assert loaded.folder != here.folder
    assert loaded.predict(ROWS) == here.predict(ROWS)


def test_a_third_person_starts_from_the_champion_of_the_server(
    resumed: Retrained, joined: Joined
) -> None:
    champion = champion_of(resumed.versions)
    followed = joined.cleo.workspace.promotions[0]
    assert joined.done.code == 0, joined.done.err
    assert followed.model_id == champion.model_id
    assert followed.why == f"follows the registry's champion, version {champion.number}"


# The server goes away ------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["killed", "retrained", "promoted"])
def test_a_server_that_is_away_is_one_line_and_exit_code_2(
    outage: Outage, server: Server, command: str
) -> None:
    done: Done = getattr(outage, command)
    assert (done.code, done.out) == (REFUSED, "")
    assert done.error.startswith(f"perovshell: tracking at {server.uri} failed (")
    undone = " is whole" if command == "killed" else "; the champion is unchanged"
    assert done.error.endswith(undone)


@pytest.mark.parametrize("command", ["killed", "retrained", "promoted"])
def test_a_server_that_is_away_is_told_within_half_a_minute(outage: Outage, command: str) -> None:
    assert getattr(outage, command).seconds < 30


def test_a_server_that_is_away_changes_no_champion(first: dict[str, Any], outage: Outage) -> None:
    assert outage.champion == first["model_id"]
    assert champion_of(outage.versions).model_id == first["model_id"]


def test_retraining_goes_on_when_the_server_is_back(resumed: Retrained) -> None:
    assert [version.number for version in resumed.versions] == ["2", "1"]
    assert resumed.done.json["version"] == "2"


def test_a_server_that_dies_within_a_run_gets_no_version_until_it_is_back(
    server: Server,
    resumed: Retrained,
    trained: TrainedModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workspace = WorkspaceFolder(tmp_path / "workspace")
    before, ended = [version.number for version in registered(server)], statuses(server)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setattr("perovshell.training.tracking.write_plots", lambda *_: server.kill() or [])
    try:
        with pytest.raises(TrackingError, match=f"{server.uri} failed .* is whole$"):
            track(trained, workspace)
    finally:
        server.start()
    assert [version.number for version in registered(server)] == before
    assert sorted(statuses(server)) == sorted([*ended, "RUNNING"])
    monkeypatch.setattr("perovshell.training.tracking.write_plots", lambda *_: [])
    track(trained, workspace)
    assert sorted(statuses(server)) == sorted([*ended, "FINISHED", "KILLED"])
    assert len(registered(server)) == len(before) + 1


# Two people at once --------------------------------------------------------------------------


def test_both_are_told_what_became_of_their_challenger(both: Both) -> None:
    for done in both.told:
        if done.code == 0:
            assert done.json["version"] in {version.number for version in both.versions}
        else:
            assert done.code == REFUSED
            assert "has become champion since; retrain again" in done.error


def test_both_challengers_are_registered_with_their_tags(both: Both) -> None:
    known = {version.number for version in both.before}
    new = [version for version in both.versions if version.number not in known]
    assert len(new) == len({version.model_id for version in new}) == 2
    for version in new:
        named = {"model_id", "dataset_hash", "PL MAE in nm", "promote", "verdict"}
        assert named < version.tags.keys()


def test_every_version_can_be_loaded_from_the_server(
    both: Both, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    for version in both.versions:
        loaded = perovshell.load(f"models:/{NAME}/{version.number}")
        assert loaded.info.model_id == version.model_id
        assert loaded.info.dataset["hash"] == version.tags["dataset_hash"]


def test_an_alias_points_to_one_version(both: Both) -> None:
    pointing = [name for version in both.versions for name in version.aliases]
    assert pointing.count(CHAMPION) == 1
    assert set(pointing) <= {CHAMPION, CHALLENGER}
    assert len(set(pointing)) == len(pointing)


def test_no_run_is_left_running(both: Both) -> None:
    assert "RUNNING" not in both.statuses
    assert both.statuses[:2] == ["FINISHED", "FINISHED"]


def test_both_list_the_same_models(both: Both) -> None:
    lists = []
    for person in both.people:
        models = person.run("models", "list", "--json").succeeded().json["models"]
        lists.append([(one["version"], one["model_id"]) for one in models])
    assert lists[0] == lists[1]
    assert {(version.number, version.model_id) for version in both.versions} <= set(lists[0])


def test_both_follow_the_champion_of_the_server(
    both: Both, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri)
    champion = champion_of(both.versions).model_id
    for person in both.people:
        align(person.workspace)
        assert person.workspace.champion_id == champion
        assert Model.from_folder(person.workspace.champion()).info.model_id == champion
