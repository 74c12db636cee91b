"""The service with several workers, as processes: what they share, and what ends them."""

import asyncio
import ctypes
import errno
import json
import os
import re
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx2
import pytest

from perovshell.model import Model
from perovshell.serve.service import supervisor
from perovshell.serve.service.commons import Commons
from perovshell.serve.service.places import Places
from perovshell.serve.service.rates import Rate
from perovshell.serve.service.server import listen
from perovshell.serve.service.supervisor import Supervisor
from perovshell.training.train import TrainedModel
from perovshell.workspace.folder import WorkspaceFolder
from servers import Server, runs, serving, workspace_of

UNMEASURED_PROCESSES = True

ROW = {"core": "CsPbBr3", "shell": "SiO2"}
TWO = ("--workers", "2")


@pytest.fixture
def workspace(trained: TrainedModel, other_model: Path, tmp_path: Path) -> WorkspaceFolder:
    made = workspace_of(trained, tmp_path / "workspace")
    shutil.copytree(other_model, made.models / Model.from_folder(other_model).info.model_id)
    return made


@pytest.fixture
def server(workspace: WorkspaceFolder, tmp_path: Path) -> Iterator[Server]:
    with serving(workspace.root, tmp_path / "log", *TWO) as made:
        _await_workers(made)
        yield made


def _predict(url: str, rows: int = 1) -> httpx2.Response:
    return httpx2.post(f"{url}/v1/predict", json={"rows": [ROW] * rows}, timeout=30)


def _figures(server: Server) -> dict[str, float]:
    text = httpx2.get(f"{server.url}/metrics").text
    return {
        name: float(value) for name, value in re.findall(r"^([a-z]\S*) (\S+)$", text, re.MULTILINE)
    }


def _events(server: Server, event: str) -> list[dict[str, Any]]:
    return [line for line in server.events() if line["event"] == event]


def _await_workers(server: Server) -> None:
    _wait_for(lambda: len(_events(server, "worker started")) == 2)


def _wait_for(what: Callable[[], Any], seconds: float = 20.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.02)
    raise AssertionError(what)


def test_all_workers_answer_alike_and_count_together(server: Server, model: Model) -> None:
    connections = [HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(8)]
    headers, body = {"Content-Type": "application/json"}, json.dumps({"rows": [ROW, ROW]})
    answers = []
    for connection in connections:  # All are open at a time, so both workers have some.
        connection.request("POST", "/v1/predict", body, headers)
        answers.append(json.loads(connection.getresponse().read()))
    for connection in connections:
        connection.close()
    wanted = model.predict([ROW])[0]["pl_peak_nm"]
    assert {one["pl_peak_nm"] for answer in answers for one in answer["answers"]} == {wanted}
    assert all(answer == answers[0] for answer in answers)
    workers = [event["worker"] for event in _events(server, "request")]
    assert set(workers) == {0, 1}
    figures = _figures(server)
    assert figures["perovshell_rows_total"] == 16
    assert figures['perovshell_requests_total{path="/v1/predict",status="200"}'] == 8
    assert figures['perovshell_request_seconds_count{path="/v1/predict"}'] == 8
    assert figures["perovshell_workers"] == 2
    assert figures["process_cpu_seconds_total"] > 0


def test_a_killed_worker_takes_its_own_connections_alone(server: Server) -> None:
    over = threading.Event()
    faults: list[float] = []
    answered: list[int] = []

    def ask() -> None:
        with httpx2.Client(timeout=30) as client:
            while not over.is_set():
                try:
                    reply = client.post(f"{server.url}/v1/predict", json={"rows": [ROW]})
                    answered.append(reply.status_code)
                except httpx2.TransportError:
                    faults.append(time.monotonic())

    asking = [threading.Thread(target=ask, daemon=True) for _ in range(4)]
    for thread in asking:
        thread.start()
    _wait_for(lambda: len({event["worker"] for event in _events(server, "request")}) == 2)
    before, started = _figures(server), _events(server, "worker started")
    killed = started[0]
    os.kill(killed["pid"], signal.SIGKILL)
    again = _wait_for(lambda: _events(server, "worker started")[2:])

    def answers_again() -> bool:
        _predict(server.url)  # A new connection: it has the fewest.
        lines = server.events()
        later = lines[lines.index(again[0]) :]
        return any((one["event"], one["worker"]) == ("request", killed["worker"]) for one in later)

    _wait_for(answers_again)
    over.set()
    for thread in asking:
        thread.join()
    after = _figures(server)
    ended = _events(server, "worker ended")
    assert [(one["worker"], one["pid"], one["exit"]) for one in ended] == [
        (killed["worker"], killed["pid"], "SIGKILL")
    ]
    assert again[0]["worker"] == killed["worker"]
    assert len(faults) <= 4  # Once each at most: nobody meets a closed door afterwards.
    assert not [name for name in before if "_total" in name and after[name] < before[name]]
    assert set(answered) == {200}
    # What the killed one was about may be counted or not.
    assert abs(after["perovshell_rows_total"] - len(answered)) <= 4
    assert server.stop() == 0


def test_a_worker_that_hangs_is_replaced(workspace: WorkspaceFolder, tmp_path: Path) -> None:
    impatient = "from perovshell.serve.service import pulse\npulse.PATIENCE_SECONDS = 6.0"
    with serving(workspace.root, tmp_path / "log", *TWO, before=impatient) as server:
        _await_workers(server)
        hung, other = [event["pid"] for event in _events(server, "worker started")]
        os.kill(hung, signal.SIGSTOP)
        _wait_for(lambda: _events(server, "worker started")[2:], 40)
        assert [event["pid"] for event in _events(server, "worker hangs")] == [hung]
        assert [event["exit"] for event in _events(server, "worker ended")] == ["SIGKILL"]
        assert _figures(server)["perovshell_workers"] == 2
        os.kill(other, 0)
        assert server.stop() == 0


def _adopt_orphans() -> None:
    """Have this process get the children of those that end, as the first one of a container."""
    set_child_subreaper = 36
    ctypes.CDLL(None).prctl(set_child_subreaper, 1, 0, 0, 0)


def test_killed_workers_leave_no_processes(workspace: WorkspaceFolder, tmp_path: Path) -> None:
    def children() -> list[str]:
        return Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()

    with serving(workspace.root, tmp_path / "log", *TWO, preexec_fn=_adopt_orphans) as server:
        _await_workers(server)
        supervisor = server.process.pid
        assert _predict(server.url, 600).status_code == 200
        (large,) = [event for event in _events(server, "request") if event["rows"] == 600]
        started = {event["worker"]: event["pid"] for event in _events(server, "worker started")}
        os.kill(started[large["worker"]], signal.SIGKILL)
        _wait_for(lambda: len(children()) > 2)
        _wait_for(lambda: len(children()) == 2 and _events(server, "worker started")[2:])
        assert _figures(server)["perovshell_workers"] == 2
        assert server.stop() == 0


def test_all_workers_change_the_model_at_a_time(
    server: Server, workspace: WorkspaceFolder, trained: TrainedModel
) -> None:
    first = trained.model_id
    second = next(name for name in workspace.model_ids() if name != first)
    kept = [HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(4)]
    headers, body = {"Content-Type": "application/json"}, json.dumps({"rows": [ROW]})

    def ask(connection: HTTPConnection) -> Any:
        connection.request("POST", "/v1/predict", body, headers)
        return json.loads(connection.getresponse().read())["model"]["id"]

    assert [ask(connection) for connection in kept] == [first] * 4
    sockets = [connection.sock for connection in kept]
    asked: list[tuple[float, float, str]] = []
    over = threading.Event()

    def poll() -> None:
        while not over.is_set():
            began = time.monotonic()
            model_id = _predict(server.url).json()["model"]["id"]
            asked.append((began, time.monotonic(), model_id))

    polling = [threading.Thread(target=poll, daemon=True) for _ in range(3)]
    for thread in polling:
        thread.start()
    workspace.set_champion(second, "a trial")
    _wait_for(lambda: _events(server, "model changed"))
    time.sleep(1)
    over.set()
    for thread in polling:
        thread.join()
    changed = min(ended for _, ended, model_id in asked if model_id == second)
    # Workers that looked for themselves would differ for up to two seconds.
    late = [began - changed for began, _, model_id in asked if model_id == first]
    assert max(late) < 0.5
    assert [ask(connection) for connection in kept] == [second] * 4
    assert [connection.sock for connection in kept] == sockets
    assert len(_events(server, "model changed")) == 1
    broken = workspace.models / "0badbadbadba"
    shutil.copytree(workspace.models / first, broken)
    (broken / "pl.npz").write_bytes(b"PK")
    workspace.set_champion(broken.name, "a trial")
    _wait_for(lambda: _events(server, "new champion cannot be served, the old one stays"))
    for connection in kept:
        assert ask(connection) == second
        connection.request("GET", "/readyz")
        assert "pl.npz" in json.loads(connection.getresponse().read())["fault"]
        connection.request("GET", "/metrics")
        assert b"perovshell_model_fault 1.0" in connection.getresponse().read()
        connection.close()


def test_told_to_stop_all_answer_what_they_have_begun(server: Server) -> None:
    replies: list[int] = []
    asking = [
        threading.Thread(target=lambda: replies.append(_predict(server.url, 3000).status_code))
        for _ in range(2)
    ]
    for thread in asking:
        thread.start()
    time.sleep(0.5)
    assert server.stop() == 0
    for thread in asking:
        thread.join()
    assert replies == [200, 200]
    assert _events(server, "stopped")
    assert not _events(server, "worker ended")


def _folder(worker: int) -> Path:
    """Return the folder of what a worker shares with the others."""
    files = [path.resolve() for path in Path(f"/proc/{worker}/fd").iterdir()]
    return next(path.parent for path in files if path.name == "locks")


def test_the_service_goes_on_where_its_folder_is_removed(server: Server) -> None:
    first, _ = _events(server, "worker started")
    shutil.rmtree(_folder(first["pid"]))
    os.kill(first["pid"], signal.SIGKILL)
    _wait_for(lambda: _events(server, "worker started")[2:])
    connections = [HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(4)]
    for connection in connections * 2:
        connection.request("GET", "/metrics")
        reply = connection.getresponse()
        assert reply.status == 200
        assert b"perovshell_workers 2" in reply.read()
    for connection in connections:
        connection.close()
    assert {event["worker"] for event in _events(server, "request")} == {0, 1}
    assert not [line for line in server.events() if line["level"] == "error"]
    assert server.stop() == 0


def test_workers_end_with_a_killed_supervisor(server: Server) -> None:
    workers = [event["pid"] for event in _events(server, "worker started")]
    folder = _folder(workers[0])
    assert server.stop(signal.SIGKILL) == -signal.SIGKILL
    _wait_for(lambda: not any(runs(pid) for pid in workers))
    assert not folder.exists()


def test_a_rate_is_that_of_the_service(workspace: WorkspaceFolder, tmp_path: Path) -> None:
    with serving(workspace.root, tmp_path / "log", *TWO, "--rate", "1") as server:
        _await_workers(server)
        connections = [HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(6)]
        statuses = []
        for connection in connections:
            connection.request("GET", "/v1/model")
            reply = connection.getresponse()
            reply.read()
            statuses.append(reply.status)
        for connection in connections:
            connection.close()
        # Two at once, and one a second: each of two workers would let two through.
        assert statuses.count(200) < 4
        assert statuses[-1] == 429
        assert {event["worker"] for event in _events(server, "request")} == {0, 1}


def test_buckets_in_shared_memory_are_those_of_one_process() -> None:
    now = 100.0
    with Commons(2) as commons, pytest.MonkeyPatch.context() as patch:
        patch.setattr("perovshell.serve.service.rates.time.monotonic", lambda: now)
        alone, shared = Rate(2.0), Rate(2.0, commons.buckets)
        for step, client in enumerate(["a", "b", "a", "a", "a", "a", "c", "a", "b", "a"] * 20):
            now += step % 3 / 10
            assert shared.seconds_to_wait(client) == alone.seconds_to_wait(client)


def test_what_a_killed_worker_held_is_free() -> None:
    with Commons(2) as commons:
        slots = commons.slots(2)
        reader, writer = os.pipe()
        worker = os.fork()
        if not worker:
            slots.take()
            os.write(writer, b"1")
            signal.pause()
        assert os.read(reader, 1) == b"1"
        assert slots.take() == 1
        assert slots.take() is None
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
        assert slots.take() == 0
    os.close(reader)
    os.close(writer)


def test_a_busy_worker_leaves_places_to_the_others() -> None:
    async def work(places: Places) -> None:
        async with places.one("busy", 1):
            await asyncio.sleep(0.1)

    async def stay_busy(places: Places) -> None:
        async def again() -> None:
            while True:
                await work(places)

        await asyncio.gather(again(), again())

    with Commons(2) as commons:
        places = Places(1, 4, commons.slots)
        worker = os.fork()
        if not worker:
            try:
                asyncio.run(stay_busy(places))
            finally:
                os._exit(1)
        try:
            time.sleep(0.3)
            asyncio.run(asyncio.wait_for(work(places), 3))
        finally:
            os.kill(worker, signal.SIGKILL)
            os.waitpid(worker, 0)


def test_workers_end_where_not_all_of_them_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    start = Supervisor._started

    def limited(self: Supervisor, number: int) -> Any:
        if started:
            raise OSError(errno.EAGAIN, "no more processes")
        started.append(start(self, number))
        return started[0]

    monkeypatch.setattr(Supervisor, "_started", limited)
    monkeypatch.setattr(Supervisor, "_work", lambda *_: time.sleep(60))
    monkeypatch.setattr(supervisor, "_END_SECONDS", 0.1)
    reader, writer = socket.socketpair()
    with Commons(2) as commons, listen("127.0.0.1", 0) as listener, reader, writer:
        nothing: Any = None
        made = Supervisor(nothing, nothing, listener, {}, commons)
        with pytest.raises(OSError, match="no more processes"):
            made.run(2, 60.0, reader)
        assert not Path(f"/proc/{started[0].process.pid}").exists()
