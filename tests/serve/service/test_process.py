"""The service as a process: start, end, and what stops it from starting."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from typer.main import get_command

from perovshell.cli import app
from perovshell.cli.options import SETTINGS
from perovshell.model import Model
from perovshell.training.train import TrainedModel
from perovshell.workspace.folder import WorkspaceFolder
from servers import Server, runs, serving, workspace_of

UNMEASURED_PROCESSES = True

ROW = {"core": "CsPbBr3", "shell": "SiO2"}


@pytest.fixture(scope="module")
def workspace(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> WorkspaceFolder:
    return workspace_of(trained, tmp_path_factory.mktemp("served"))


@pytest.fixture
def server(workspace: WorkspaceFolder, tmp_path: Path) -> Iterator[Server]:
    with serving(workspace.root, tmp_path / "log") as made:
        yield made


def _predict(url: str, count: int = 1) -> httpx2.Response:
    return httpx2.post(f"{url}/v1/predict", json={"rows": [ROW] * count}, timeout=30)


def _refused(*options: str) -> tuple[int, str]:
    """Run `perovshell serve` that cannot start; return its exit code and what it says."""
    command = [sys.executable, "-m", "perovshell", "serve", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr.strip()


def test_killed_it_starts_again_at_the_same_port(
    workspace: WorkspaceFolder, server: Server, tmp_path: Path
) -> None:
    before = _predict(server.url).json()
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    with serving(workspace.root, tmp_path / "again", "--port", str(server.port)) as again:
        assert _predict(again.url).json() == before


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_told_to_stop_it_answers_what_it_has_begun(server: Server, how: int) -> None:
    _predict(server.url)
    replies = []
    asking = threading.Thread(target=lambda: replies.append(_predict(server.url, 10_000)))
    asking.start()
    time.sleep(0.3)
    assert server.stop(how) == 0
    asking.join()
    assert replies[0].status_code == 200
    assert len(replies[0].json()["answers"]) == 10_000
    events = server.events()
    assert [event["event"] for event in events] == ["serving", "request", "request", "stopped"]
    assert events[-2]["rows"] == 10_000


def test_settings_come_from_the_environment(
    workspace: WorkspaceFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEROVSHELL_ACCESS_LOG", "0")
    monkeypatch.setenv("PEROVSHELL_ROOT_PATH", "/lab")
    monkeypatch.setenv("PEROVSHELL_PROT", "80")
    with serving(workspace.root, tmp_path / "log") as server:
        assert _predict(server.url).status_code == 200
        assert httpx2.get(f"{server.url}/lab/healthz").status_code == 200
        server.stop()
        assert [event["event"] for event in server.events()] == ["serving", "stopped"]
        assert "PEROVSHELL_PROT in the environment is no setting" in server.log.read_text()
    monkeypatch.setenv("PEROVSHELL_LOG_LEVEL", "warning")
    with serving(workspace.root, tmp_path / "quiet") as server:
        server.stop()
        assert server.events() == []


def test_an_option_comes_before_the_environment(
    workspace: WorkspaceFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEROVSHELL_ACCESS_LOG", "0")
    with serving(workspace.root, tmp_path / "log", "--access-log") as server:
        _predict(server.url)
        server.stop()
        assert "request" in [event["event"] for event in server.events()]


def test_settings_are_those_of_the_options_and_of_the_page() -> None:
    serve = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    variables = {option.envvar for option in serve.params if option.envvar}
    assert variables | {"PEROVSHELL_HOME"} == set(SETTINGS)
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "serve.md").read_text()
    assert re.findall(r"^\| `(PEROVSHELL_\w+)`", page, re.MULTILINE) == list(SETTINGS)


def test_a_ranking_ends_with_its_client(server: Server) -> None:
    body = (
        b'{"space": {"cores": {"A": {"ions": ["Cs", "FA", "MA"], "step": 0.05}, "B": {"ions":'
        b' ["Pb"], "step": 1}, "X": {"ions": ["Cl", "Br", "I"], "step": 0.1}}, "shells":'
        b' "all known", "pl_window_nm": [510, 540]}}'
    )
    head = (
        "POST /v1/rank HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as asking:
        asking.sendall(head.encode() + body)
        assert _wait_for(lambda: _children(server.process.pid))
        assert _predict(server.url).status_code == 200
    assert _wait_for(lambda: not _children(server.process.pid))
    assert _wait_for(lambda: [event["status"] for event in server.events()[1:]] == [200, 499])


def test_a_client_that_leaves_in_the_middle_of_its_request_is_no_fault(server: Server) -> None:
    head = (
        "POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        "content-length: 1000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as asking:
        asking.sendall(head.encode() + b'{"rows": [')
    assert _wait_for(lambda: len(server.events()) > 1)
    (event,) = server.events()[1:]
    assert (event["level"], event["status"]) == ("info", 499)


def _children(parent: int) -> list[str]:
    return Path(f"/proc/{parent}/task/{parent}/children").read_text().split()


def _wait_for(what: object, seconds: float = 10.0) -> bool:
    assert callable(what)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.02)
    return False


def test_a_workspace_without_a_model_is_refused(tmp_path: Path) -> None:
    code, said = _refused("--workspace", str(tmp_path / "nowhere"), "--port", "0")
    assert code == 2
    assert said.endswith("no champion model; make one with 'perovshell train'")
    assert not (tmp_path / "nowhere").exists()


def test_a_bad_model_folder_is_refused(
    workspace: WorkspaceFolder, trained: TrainedModel, tmp_path: Path
) -> None:
    bad = tmp_path / "model"
    shutil.copytree(trained.folder, bad)
    (bad / "pl.npz").write_bytes(b"PK")
    code, said = _refused("--workspace", str(workspace.root), "--model", str(bad), "--port", "0")
    assert code == 2
    assert "pl.npz" in said
    assert len(said.splitlines()) == 1


def test_a_port_in_use_is_refused(workspace: WorkspaceFolder, server: Server) -> None:
    code, said = _refused("--workspace", str(workspace.root), "--port", str(server.port))
    assert code == 2
    assert f"127.0.0.1:{server.port}: another process listens there" in said


def test_an_open_door_is_refused(workspace: WorkspaceFolder) -> None:
    code, said = _refused("--workspace", str(workspace.root), "--host", "0.0.0.0")
    assert code == 2
    assert "or give --insecure" in said


def test_without_the_extra_it_says_what_to_install(workspace: WorkspaceFolder) -> None:
    script = (
        "import sys; sys.modules['fastapi'] = None; sys.argv = ['perovshell', 'serve', "
        f"'--workspace', {str(workspace.root)!r}]; from perovshell.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert "pip install 'perovshell[serve]'" in done.stderr


def test_a_folder_is_served_without_mlflow(trained: TrainedModel, tmp_path: Path) -> None:
    with serving(tmp_path, tmp_path / "log", "--model", str(trained.folder)) as server:
        assert _predict(server.url).json()["model"]["id"] == trained.model_id
        maps = Path(f"/proc/{server.process.pid}/maps").read_text()
        assert "numpy" in maps
        assert not [name for name in ("pandas", "xgboost", "/scipy/", "pyarrow") if name in maps]
    assert not (tmp_path / "logs").exists()


def test_keys_by_the_command_line(workspace: WorkspaceFolder) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "perovshell", "keys", *words]
        command += ["--workspace", str(workspace.root)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    key = run("add", "lab").stdout.strip()
    assert key.startswith("pvs_")
    assert run("list").stdout == "lab\n"
    assert run("remove", "other").returncode == 2
    assert run("remove", "lab").stdout == "Removed lab\n"
    assert run("list").stdout == ""


def test_a_large_batch_has_processes_of_its_own_that_end_with_the_service(
    workspace: WorkspaceFolder, server: Server
) -> None:
    rows = [
        {"core": f"CsPb(Br0.{n:04}I0.{9999 - n + 1:04})3", "shell": "SiO2"} for n in range(1, 1400)
    ]
    rows[1300] = {"core": "XX", "shell": "none"}
    asked = httpx2.post(f"{server.url}/v1/predict", json={"rows": rows}, timeout=60).json()
    wanted = Model.from_folder(workspace.champion()).predict(rows)
    assert [one["pl_peak_nm"] for one in asked["answers"] if not one["error"]] == [
        one["pl_peak_nm"] for one in wanted if not one["error"]
    ]
    assert [one["pointer"] for one in asked["problems"]] == ["#/rows/1300"]
    first = _children(server.process.pid)
    workers = [pid for pid in first if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
    assert len(workers) == 2
    os.kill(int(workers[0]), signal.SIGKILL)
    again = httpx2.post(f"{server.url}/v1/predict", json={"rows": rows}, timeout=60).json()
    assert again == asked
    second = _children(server.process.pid)
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    assert _wait_for(lambda: not any(runs(pid) for pid in {*first, *second}))
