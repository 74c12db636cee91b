"""The prediction service against `mlflow models serve` of the same model and outputs.

Both answer the same all-different rows, one a request, over eight connections, in turns of one
run. Then the service alone: batches of 10,000 rows, memory after 1,000 and 100,000 requests whose
cores are all different, memory at rest and the time from its start to the first /readyz.

The generator of the load is a process of its own, on the machine that it measures. Every answer is
checked: its status, its length, that it holds an answer to every row and no error.
"""

import contextlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from _bench import trained_workspace
from _load import Load, Reply, apart, drive, free_port, memory_mb, post, row, running

from perovshell.workspace.folder import WorkspaceFolder

ROUNDS, OURS, THEIRS = 5, 4000, 300
"""Rounds, and single requests of a round."""
BATCH, BATCHES = 10_000, 6
FEW, MANY, SLICE = 1000, 100_000, 5000
COLD = 5
MOST_SECONDS = 200
"""Longest time that the many requests may take; growth is told for those that were answered."""

Call = Callable[..., Load]


@dataclass(frozen=True)
class Side:
    """One of the two servers.

    Attributes:
        port: Where it listens.
        path: Where it answers.
        member: What holds the rows in its requests.
    """

    port: int
    path: str
    member: str

    def request(self, numbers: Sequence[int]) -> bytes:
        """Return the request for rows of some numbers."""
        return post(self.path, json.dumps({self.member: [row(one) for one in numbers]}).encode())

    def single(self, first: int, count: int) -> Load:
        """Send rows from a number on, one a request."""
        return self.send([[first + one] for one in range(count)])

    def batch(self, first: int) -> Load:
        """Send rows from a number on, all in one request."""
        return self.send([range(first, first + BATCH)], connections=1)

    def send(self, asked: Sequence[Sequence[int]], connections: int = 8) -> Load:
        """Send requests that are made beforehand; leave the process where an answer is wrong."""
        sizes = [len(numbers) for numbers in asked]
        requests = [self.request(numbers) for numbers in asked]
        return drive(self.port, requests, lambda reply: check(reply, sizes), connections)


def check(reply: Reply, sizes: Sequence[int]) -> None:
    """Refuse an answer that is not 200, or does not answer all of its rows without an error."""
    body, rows = reply.body.replace(b'": ', b'":'), sizes[reply.number]
    found = body.count(b'"pl_peak_nm":'), body.count(b'"error":""')
    if reply.status != 200 or found != (rows, rows):
        msg = f"request {reply.number}: {reply.status}, {found} of {rows} rows: {body[:300]!r}"
        raise ValueError(msg)


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        workspace, _ = trained_workspace(folder)
        figures = measured(workspace, Path(folder))
    for name, value in figures.items():
        print(f"{name}: {value:,.4g}")
    print(json.dumps(figures))


def measured(workspace: WorkspaceFolder, folder: Path) -> dict[str, float]:
    """Return the figures for the champion of a workspace; logs go to a folder."""
    figures = {"cold_start_s": cold_start(workspace, folder)}
    numbers = itertools.count(0, 2 * MANY)  # Every part of the run has rows of its own.
    with apart() as call, perovshell(workspace, folder) as (ours, pid):
        call(ours.single, next(numbers), FEW)
        with mlflow(workspace, folder) as theirs:
            call(theirs.single, next(numbers), 50)
            figures |= both(call, ours, theirs, next(numbers))
        figures |= batches(call, ours, next(numbers))
        # Shared pages count once: batches may be computed by processes of their own.
        figures["memory_after_batches_mb"] = memory_mb(pid, "Pss")
    # A process that no batch has made large.
    with apart() as call, perovshell(workspace, folder) as (ours, pid):
        figures |= memory(call, ours, next(numbers), pid)
    return figures


def both(call: Call, ours: Side, theirs: Side, first: int) -> dict[str, float]:
    """Return figures of single requests to both sides in turns; theirs are rows that ours had."""
    rounds = [
        (call(ours.single, start, OURS), call(theirs.single, start, THEIRS))
        for start in range(first, first + ROUNDS * OURS, OURS)
    ]
    mine, other = zip(*rounds, strict=True)
    rate, their_rate = (statistics.median(one.per_second for one in side) for side in (mine, other))
    return {
        "requests_per_s": rate,
        "requests_per_s_worst_round": min(one.per_second for one in mine),
        "p50_ms": statistics.median(one.percentile_ms(50) for one in mine),
        "p99_ms": statistics.median(one.percentile_ms(99) for one in mine),
        "p99_ms_worst_round": max(one.percentile_ms(99) for one in mine),
        "mlflow_requests_per_s": their_rate,
        "mlflow_p99_ms": statistics.median(one.percentile_ms(99) for one in other),
        "ratio_mlflow_serve": rate / their_rate,
        "generator_ms_per_request": 1e3 * sum(one.own_seconds for one in mine) / (ROUNDS * OURS),
    }


def batches(call: Call, ours: Side, first: int) -> dict[str, float]:
    """Return rows/s of batches, one after another; the first warms up."""
    starts = range(first, first + (BATCHES + 1) * BATCH, BATCH)
    _, *loads = [call(ours.batch, start) for start in starts]
    rates = [BATCH / one.seconds for one in loads]
    return {"rows_per_s": statistics.median(rates), "rows_per_s_worst": min(rates)}


def memory(call: Call, ours: Side, first: int, pid: int) -> dict[str, float]:
    """Return the memory of a fresh service at rest, and its growth under single requests."""
    idle = memory_mb(pid, "Rss")
    call(ours.single, first, FEW)
    few = {name: memory_mb(pid, name) for name in ("Rss", "Pss")}
    asked, until = FEW, time.monotonic() + MOST_SECONDS
    while asked < MANY and time.monotonic() < until:
        asked += len(call(ours.single, first + asked, min(SLICE, MANY - asked)).latencies)
    many = {name: memory_mb(pid, name) for name in few}
    return {
        "idle_memory_mb": idle,
        "memory_mb": many["Rss"],
        "memory_growth": many["Rss"] / few["Rss"] - 1,
        "memory_growth_pss": many["Pss"] / few["Pss"] - 1,
        "memory_requests": asked,
    }


def cold_start(workspace: WorkspaceFolder, folder: Path) -> float:
    """Return the shortest time from the start of a process to its first 200 of /readyz."""

    def once() -> float:
        start = time.perf_counter()
        with perovshell(workspace, folder):
            return time.perf_counter() - start

    return min(once() for _ in range(COLD))


@contextlib.contextmanager
def perovshell(workspace: WorkspaceFolder, folder: Path) -> Iterator[tuple[Side, int]]:
    """Run the service; its log goes to a file, as a user would have it."""
    port, log = free_port(), folder / "perovshell.log"
    command = [sys.executable, "-m", "perovshell", "serve", "--workspace", str(workspace.root)]
    with running([*command, "--port", str(port)], port, "/readyz", log) as process:
        yield Side(port, "/v1/predict", "rows"), process.pid


@contextlib.contextmanager
def mlflow(workspace: WorkspaceFolder, folder: Path) -> Iterator[Side]:
    """Run MLflow's server of the registered champion."""
    port, log = free_port(), folder / "mlflow.log"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["--model-uri", "models:/perovshell@champion", "--port", str(port)]
    around = {"MLFLOW_TRACKING_URI": workspace.database_uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    # It starts uvicorn by its name, which stands beside this Python.
    around["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with running(command, port, "/ping", log, **around):
        yield Side(port, "/invocations", "dataframe_records")


if __name__ == "__main__":
    main()
