"""Engines give the same ranking, lose nothing, and a stopped ranking goes on."""

import contextlib
import dataclasses
import importlib.metadata
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from perovshell.errors import ClusterError, PerovshellWarning, WorkspaceError
from perovshell.model import Model
from perovshell.serve.ranking.job import Job
from perovshell.serve.ranking.progress import Progress
from perovshell.serve.ranking.ranking import Run, rank
from perovshell.serve.ranking.results import Ranking
from perovshell.serve.ranking.scoring import Options
from perovshell.serve.space.file import read_space
from perovshell.workspace.folder import WorkspaceFolder

UNMEASURED_PROCESSES = True

SPACE: dict[str, Any] = {
    "name": "engines",
    "cores": {
        "A": {"ions": ["Cs", "FA", "MA"], "step": 0.125, "at_most": 3},
        "B": {"ions": ["Pb", "Sn"], "step": 0.25},
        "X": {"ions": ["Cl", "Br", "I"], "step": 0.125, "at_most": 3},
    },
    "shells": {"names": "all known"},
    "pl_window_nm": [510, 540],
    "constraints": {"insoluble_in_water": True},
}
TASK = 40_000
"""So small that there are some tens of tasks."""


def result(ranking: Ranking) -> tuple[Any, ...]:
    front = [(line.core, line.shell, line.score) for line in ranking.front]
    rows = [[str(cell) for cell in row] for row in ranking.table()[1][:100]]
    return rows, front, dict(ranking.removed), ranking.total, ranking.overview.shells


def run(**options: Any) -> Run:
    return Run(task_size=TASK, **options)


@pytest.fixture(scope="module")
def alone(model: Model) -> tuple[Any, ...]:
    return result(rank(SPACE, model=model, run=run()))


def test_two_processes_give_the_same(model: Model, alone: tuple[Any, ...]) -> None:
    assert result(rank(SPACE, model=model, run=run(jobs=2))) == alone


def test_the_size_of_tasks_does_not_matter(model: Model, alone: tuple[Any, ...]) -> None:
    assert result(rank(SPACE, model=model)) == alone


# Dask ----------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(*arguments: str, path: Path | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
    paths = [str(path)] if path else []
    found = os.pathsep.join([*paths, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": found},
    )  # fmt: skip


@pytest.fixture
def cluster() -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """A real scheduler and three real workers, each a process without a nanny to revive it."""
    port = free_port()
    address = f"tcp://127.0.0.1:{port}"
    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", str(port))
    kind = ("--no-nanny", "--nthreads", "1", "--host", "127.0.0.1", "--local-directory", "/tmp")
    workers = [start("worker", address, *kind) for _ in range(3)]
    try:
        yield address, workers
    finally:
        for process in (*workers, scheduler):
            process.kill()
            process.wait()


def test_a_cluster_that_loses_a_worker_half_way_gives_the_same(
    model: Model, alone: tuple[Any, ...], cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    from distributed import Client

    address, workers = cluster
    with Client(address, timeout=30) as client:
        client.wait_for_workers(3, timeout=60)
    seen: list[Progress] = []

    def progress(now: Progress) -> None:
        if now.done and not any(before.done for before in seen):
            workers[0].send_signal(signal.SIGKILL)
        seen.append(now)

    found = rank(SPACE, model=model, run=run(engine="dask", scheduler=address), progress=progress)
    assert workers[0].wait(timeout=10) == -signal.SIGKILL
    assert 0 < next(now.done for now in seen if now.done) < seen[-1].done == found.space.size
    assert seen[0].workers == 0
    assert seen[1].workers == 3
    assert result(found) == alone
    assert result(rank(SPACE, model=model, run=run(engine="dask", scheduler=address))) == alone


def test_a_worker_of_another_version_is_refused(model: Model) -> None:
    found = read_space(SPACE, model.predictor.featurizer.reader)
    job = dataclasses.replace(Job.of(found, model, Options()), version="0.0.1")
    with pytest.raises(ClusterError, match=r"the ranking 0\.0\.1: install the same"):
        job.run_tasks([0])


OTHERWISE = """
import importlib.metadata
real = importlib.metadata.version
def version(name):
    if name != "perovshell":
        return real(name)
    if INSTALLED is None:
        raise importlib.metadata.PackageNotFoundError(name)
    return INSTALLED
importlib.metadata.version = version
if INSTALLED is None:
    import sys
    sys.modules["perovshell"] = None
"""
"""Makes a Python that has another Perovshell, or none."""
OTHER_NUMPY = """
import importlib.metadata
real = importlib.metadata.version
importlib.metadata.version = lambda name: "1.0.0" if name == "numpy" else real(name)
"""


@pytest.mark.parametrize("who", ["the scheduler", "worker"])
@pytest.mark.parametrize("installed", [None, "0.0.1"])
def test_a_cluster_with_another_perovshell_or_none_is_refused_in_one_line(
    model: Model, tmp_path: Path, who: str, installed: str | None
) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"INSTALLED = {installed!r}\n{OTHERWISE}")
    paths = {who: tmp_path}
    port = free_port()
    address, here = f"tcp://127.0.0.1:{port}", ("--host", "127.0.0.1")
    processes = [
        start("scheduler", *here, "--port", str(port), path=paths.get("the scheduler")),
        start("worker", address, *here, "--no-nanny", path=paths.get("worker")),
    ]
    try:
        with pytest.raises(ClusterError) as caught:
            rank(SPACE, model=model, run=run(engine="dask", scheduler=address))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    has = "has no Perovshell" if installed is None else "has Perovshell 0.0.1"
    name = r"worker tcp://127\.0\.0\.1:\d+" if who == "worker" else who
    here_version = re.escape(importlib.metadata.version("perovshell"))
    assert re.fullmatch(
        f"scheduler {address}: {name} {has}; scheduler and workers need that of the ranking: "
        f"pip install perovshell=={here_version}",
        str(caught.value),
    )


WORKER = ("--no-nanny", "--nthreads", "2", "--host", "127.0.0.1", "--local-directory", "/tmp")


def test_late_workers_take_part_if_they_can_and_a_lost_scheduler_loses_no_result(
    model: Model, alone: tuple[Any, ...], tmp_path: Path
) -> None:
    """The only worker is lost; one without Perovshell joins, then one with another numpy."""
    without, other = tmp_path / "without", tmp_path / "other"
    for folder, text in ((without, f"INSTALLED = None\n{OTHERWISE}"), (other, OTHER_NUMPY)):
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(text)
    port, kept = free_port(), tmp_path / "ranking.part.npz"
    address = f"tcp://127.0.0.1:{port}"
    scheduler = start("scheduler", "--host", "127.0.0.1", "--port", str(port))
    processes = [scheduler, start("worker", address, *WORKER)]
    events: list[str] = []

    def progress(now: Progress) -> None:
        events.extend([now.event] if now.event else [])
        if now.done and len(events) == 0 and len(processes) == 2:
            processes[1].kill()
            processes.append(start("worker", address, *WORKER, path=without))
        elif len(events) == 1 and len(processes) == 3:
            processes.append(start("worker", address, *WORKER, path=other))
        elif len(events) == 2:
            scheduler.kill()

    cluster = run(engine="dask", scheduler=address, keep_in=kept)
    try:
        with (
            pytest.warns(PerovshellWarning) as warned,
            pytest.raises(ClusterError) as caught,
        ):
            rank(SPACE, model=model, run=cluster, progress=progress)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert str(caught.value) == f"scheduler {address}: the connection was lost; try resume=True"
    worker = r"worker tcp://127\.0\.0\.1:\d+"
    assert re.fullmatch(f"lost {worker}; others repeat its tasks", events[0])
    assert re.fullmatch(f"{worker} joined", events[1])
    texts = "\n".join(str(warning.message) for warning in warned)
    assert "no worker is left: the ranking waits for one" in texts
    assert re.search(f"{worker} has no Perovshell, not [0-9.]+ of the ranking: it gets no", texts)
    assert re.search(f"{worker} has numpy 1.0.0, here it is [0-9.]+: last digits may", texts)
    assert result(rank(SPACE, model=model, run=run(keep_in=kept, resume=True))) == alone


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-x\r\n"])
def test_another_program_at_the_address_of_a_scheduler_is_named(
    model: Model, monkeypatch: pytest.MonkeyPatch, greeting: bytes
) -> None:
    """An old scheduler does the same: it can be reached, and is not understood."""
    monkeypatch.setattr("perovshell.serve.ranking.cluster._CONNECT_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"

        def answer() -> None:
            with contextlib.suppress(OSError):  # Until it is closed.
                while True:
                    connection, _ = listener.accept()
                    connection.sendall(greeting)
                    if greeting:
                        connection.close()

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(ClusterError, match=r"answers, but not as Dask [\d.]+ expects: install"):
            rank(SPACE, model=model, run=run(engine="dask", scheduler=address))


UNGUARDED_SCRIPT = """
import sys
import perovshell
from perovshell.serve.ranking.progress import Progress
from perovshell.serve.ranking.ranking import Run

space = {"cores": ["CsPbBr3", "CsPbI3"], "shells": ["SiO2", "ZrO2"], "pl_window_nm": [510, 540]}
try:
    perovshell.rank(space, run=Run(sys.argv[1], jobs=2, task_size=1))
except perovshell.errors.PerovshellError as error:
    print(error)
"""


@pytest.mark.parametrize("engine", ["local", "dask"])
def test_a_script_without_a_guard_is_told_so_in_one_line(
    model: Model, session_workspace: WorkspaceFolder, tmp_path: Path, engine: str
) -> None:
    (tmp_path / "script.py").write_text(UNGUARDED_SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py", engine],
        cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, "PEROVSHELL_HOME": str(session_workspace.root)},
    )  # fmt: skip
    assert done.stdout.count("\n") == 1
    assert "needs its code below `if __name__ == '__main__':`" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_local_cluster_is_started_where_none_is_named(
    model: Model, alone: tuple[Any, ...]
) -> None:
    assert result(rank(SPACE, model=model, run=run(engine="dask", jobs=2))) == alone


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "ftp://here:80"])
def test_a_scheduler_that_is_not_there_is_named_before_work_begins(
    model: Model, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("perovshell.serve.ranking.cluster._CONNECT_S", 1.0)
    with pytest.raises(ClusterError, match=f"scheduler '{address}': cannot be reached"):
        rank(SPACE, model=model, run=run(engine="dask", scheduler=address))


# Stopping and going on -----------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _interrupts_are_heard() -> Iterator[None]:
    """A process that a shell starts in the background ignores them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def stop_after(tasks: int) -> Callable[[Progress], None]:
    """Interrupt a ranking as Ctrl-C does, after so many tasks."""
    done: set[int] = set()

    def progress(now: Progress) -> None:
        if now.done:
            done.add(now.done)
        if len(done) == tasks:
            done.clear()
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.01)  # The interpreter raises before the next task is done.

    return progress


def test_an_interrupted_ranking_keeps_what_it_found_and_goes_on(
    model: Model, alone: tuple[Any, ...], tmp_path: Path
) -> None:
    kept = tmp_path / "ranking.part.npz"
    part = rank(SPACE, model=model, run=run(keep_in=kept), progress=stop_after(3))
    assert not part.is_complete
    assert 0 < part.seen < part.space.size
    assert "Stopped after" in part.statements[0]
    assert kept.is_file()
    seen: list[Progress] = []
    whole = rank(SPACE, model=model, run=run(keep_in=kept, resume=True), progress=seen.append)
    assert (seen[0].done, seen[-1].done) == (part.seen, whole.space.size)
    assert result(whole) == alone
    # What comes after a ranking, as its report, cannot lose it: it only has to be finished again.
    again: list[Progress] = []
    finished = rank(SPACE, model=model, run=run(keep_in=kept, resume=True), progress=again.append)
    assert [now.done for now in again] == [whole.space.size]
    assert result(finished) == alone


def test_processes_can_be_interrupted_too(
    model: Model, alone: tuple[Any, ...], tmp_path: Path
) -> None:
    kept = tmp_path / "ranking.part.npz"
    part = rank(SPACE, model=model, run=run(jobs=2, keep_in=kept), progress=stop_after(2))
    assert 0 < part.seen < part.space.size
    again = run(jobs=2, keep_in=kept, resume=True)
    assert result(rank(SPACE, model=model, run=again)) == alone


def test_an_interrupt_before_anything_is_found_is_passed_on(model: Model) -> None:
    nothing = {"pl_window_nm": [1900, 1950], "constraints": {"pl_in_window": True}}
    space = {**SPACE, **nothing}
    with pytest.raises(KeyboardInterrupt):
        rank(space, model=model, run=run(), progress=stop_after(1))


def test_there_must_be_something_to_resume(model: Model, tmp_path: Path) -> None:
    kept = tmp_path / "ranking.part.npz"
    with pytest.raises(WorkspaceError, match="nothing to go on from"):
        rank(SPACE, model=model, run=run(keep_in=kept, resume=True))
    kept.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(WorkspaceError, match=r"cannot be read .*rank again without it"):
        rank(SPACE, model=model, run=run(keep_in=kept, resume=True))


def test_another_space_or_order_is_not_gone_on_with(model: Model, tmp_path: Path) -> None:
    kept = tmp_path / "ranking.part.npz"
    rank(SPACE, model=model, run=run(keep_in=kept), progress=stop_after(2))
    for changed in ({"order_by": "value"}, {"order_by": "explore"}):
        with pytest.raises(WorkspaceError, match="of another space, model, order"):
            rank(SPACE, model=model, run=run(keep_in=kept, resume=True), **changed)


def test_a_failure_keeps_what_was_found(model: Model, tmp_path: Path) -> None:
    kept = tmp_path / "ranking.part.npz"

    def progress(now: Progress) -> None:
        if now.done:
            msg = "the screen is gone"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="the screen is gone"):
        rank(SPACE, model=model, run=run(keep_in=kept), progress=progress)
    assert rank(SPACE, model=model, run=run(keep_in=kept, resume=True)).is_complete
