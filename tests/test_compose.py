"""The commands of deploy/compose.yaml, run by hand: PostgreSQL, MLflow, a retraining, the service.

There is no Docker here. What a container gets from its image, its network and its volumes
(programs, names of other machines, folders) is replaced; the rest is run as it stands in the file.
"""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from databases import postgres
from perovshell.client import Client
from perovshell.serve.service.keys import add_key
from perovshell.training.tracking import track
from perovshell.training.train import TrainedModel
from perovshell.workspace.championship import ensure_champion
from perovshell.workspace.folder import WorkspaceFolder
from registries import without_plots
from shared import copied

UNMEASURED_PROCESSES = True

SERVICES = yaml.safe_load((Path(__file__).parents[1] / "deploy" / "compose.yaml").read_text())[
    "services"
]
PROGRAMS = {
    name: [sys.executable, "-m", module]
    for name, module in (("perovshell", "perovshell"), ("mlflow", "mlflow"))
} | {"python": [sys.executable]}


@dataclass(frozen=True)
class Machine:
    """What the containers have here.

    Attributes:
        folder: Where their folders are.
        database: How PostgreSQL is reached.
        ports: The port here of each port in the file.
    """

    folder: Path
    database: dict[str, str]
    ports: dict[str, str]

    def here(self, word: str) -> str:
        """Return a word of a command with what is of this machine."""
        for port, own in self.ports.items():
            word = word.replace(f":{port}", f":{own}") if word != port else own
        for name in ("/workspace", "/artifacts"):
            word = word.replace(name, f"{self.folder}{name}")
        return word.replace("0.0.0.0", "127.0.0.1")

    def command(self, words: list[str]) -> list[str]:
        program, *rest = words
        return [*PROGRAMS.get(program, [program]), *map(self.here, rest)]

    def environment(self, name: str) -> dict[str, str]:
        own = {
            key: self.here(value.replace("http://mlflow:", "http://127.0.0.1:"))
            for key, value in SERVICES[name].get("environment", {}).items()
        }
        if "PGHOST" in own:
            own["PGHOST"] = self.database["PGHOST"]
        return {**os.environ, **own}

    def run(self, name: str, words: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command of a service."""
        return subprocess.run(
            self.command(words), env=self.environment(name), cwd=self.folder,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def is_healthy(self, name: str) -> bool:
        """Run the check of a service."""
        return self.run(name, SERVICES[name]["healthcheck"]["test"][1:]).returncode == 0

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Run a service until the block ends."""
        log = self.folder / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self.command(SERVICES[name]["command"]), env=self.environment(name),
                cwd=self.folder, stdout=output, stderr=output,
            )  # fmt: skip
        try:
            end = time.monotonic() + 120
            while not self._is_open(SERVICES[name]["ports"][0].split(":")[-1]):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, log.read_text()
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(30)

    def _is_open(self, port: str) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", int(self.ports[port])), 1):
            return True
        return False


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("compose")
    ports = {}
    for port in ("8000", "5000"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports[port] = str(free.getsockname()[1])
    with postgres() as database:
        made = Machine(folder, database, ports)
        own = SERVICES["postgres"]["environment"]
        user, name = own["POSTGRES_USER"], own["POSTGRES_DB"]
        for command in (["createuser", user], ["createdb", "-O", user, name]):
            subprocess.run(command, env={**os.environ, **database}, check=True)
        yield made


@pytest.fixture(scope="module")
def tracking(machine: Machine) -> Iterator[str]:
    """The address of the tracking server that the file starts."""
    with machine.running("mlflow"):
        yield f"http://127.0.0.1:{machine.ports['5000']}"


@pytest.fixture(scope="module")
def workspace(machine: Machine, tracking: str, trained: TrainedModel) -> WorkspaceFolder:
    """What 'perovshell train' leaves there."""
    made = WorkspaceFolder(machine.folder / "workspace")
    made.prepare()
    with pytest.MonkeyPatch.context() as patched, without_plots():
        patched.setenv("MLFLOW_TRACKING_URI", tracking)
        version = track(copied(trained, made), made).version
        ensure_champion(made, trained.model_id, version)
    return made


def test_database_and_tracking_server_are_healthy(machine: Machine, tracking: str) -> None:
    # The database of the containers is that of their environment.
    environment = {**os.environ, "PGHOST": machine.database["PGHOST"]}
    command = SERVICES["postgres"]["healthcheck"]["test"][1:]
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert machine.is_healthy("mlflow")


@pytest.mark.parametrize(("host", "status"), [("mlflow:5000", 200), ("elsewhere:5000", 403)])
def test_other_services_reach_the_tracking_server_by_its_name(
    machine: Machine, tracking: str, host: str, status: int
) -> None:
    request = urllib.request.Request(
        f"{tracking}/api/2.0/mlflow/experiments/search?max_results=1",
        headers={"Host": machine.here(host)},
    )
    try:
        with urllib.request.urlopen(request) as answer:
            found = answer.status
    except urllib.error.HTTPError as error:
        found = error.code
    assert found == status


def test_artifacts_pass_through_the_server(machine: Machine, workspace: WorkspaceFolder) -> None:
    assert list((machine.folder / "artifacts").rglob("manifest.json"))
    assert not workspace.database.file.exists()
    asked = ["psql", "-At", "-U", "mlflow", "-c", "select name, version from model_versions"]
    environment = {**os.environ, **machine.database}
    done = subprocess.run(
        [*asked, "mlflow"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "perovshell|1\n"


def test_the_retraining_asks_the_registry(
    machine: Machine, workspace: WorkspaceFolder, trained: TrainedModel
) -> None:
    done = machine.run("retrain", SERVICES["retrain"]["command"])
    assert done.returncode == 0, done.stderr
    assert f"The champion {trained.model_id} was trained on this very data" in done.stdout


def test_the_service_starts_with_a_key_and_answers(
    machine: Machine, workspace: WorkspaceFolder, trained: TrainedModel
) -> None:
    # As it stands in the file, to be reached from other machines.
    words = [
        word.replace("/workspace", str(workspace.root)) for word in SERVICES["serve"]["command"]
    ]
    refused = subprocess.run(
        [*PROGRAMS["perovshell"], *words[1:]], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "make one with 'perovshell keys add NAME'" in refused.stderr
    key = add_key(workspace, "lab")
    with machine.running("serve"):
        assert machine.is_healthy("serve")
        with Client(f"http://127.0.0.1:{machine.ports['8000']}", key=key) as client:
            assert client.model()["model"]["id"] == trained.model_id
            assert client.predict([{"core": "CsPbBr3", "shell": "SiO2"}])[0]["error"] == ""
    assert not machine.is_healthy("serve")
