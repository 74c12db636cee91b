"""The prediction service against `mlflow models serve` of the same model and outputs.

wrk sends both the same all-different rows, one a request, over eight connections, in turns of one
run. Then the service alone: batches of 10,000 rows; its memory after the first second of single
requests and after 100,000, whose cores are all different; memory at rest; and the time from its
start to the first /readyz.

The generator of the load runs on the machine that it measures. Every answer is checked: its
status, that it holds an answer to every row, and no error.
"""

import contextlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from _bench import trained_workspace
from _load import Load, free_port, memory_mb, row, running, wrk

from perovshell.workspace.folder import WorkspaceFolder

ROUNDS, SECONDS = 5, 3
"""Rounds, and seconds of each side in a round."""
BATCH, BATCH_SECONDS = 10_000, 8
MANY, SLICE_SECONDS = 100_000, 5
COLD = 5
MOST_SECONDS = 200
"""Longest time that the many requests may take; growth is told for those that were answered."""
MOST_PER_SECOND, MOST_BATCHES_PER_SECOND = 5000, 8
"""Requests a second that no side reaches: so many bodies are made."""


@dataclass
class Side:
    """One of the two servers.

    Attributes:
        url: Where it answers.
        member: What holds the rows in its requests.
    """

    url: str
    member: str

    def body(self, first: int, count: int) -> str:
        """Return the request for rows from a number on."""
        return json.dumps({self.member: [row(first + one) for one in range(count)]})

    def singles(self, first: int, seconds: int) -> Load:
        """Send rows from a number on, one a request."""
        numbers = range(first, first + MOST_PER_SECOND * seconds)
        return wrk(self.url, (self.body(number, 1) for number in numbers), seconds=seconds)

    def batches(self, first: int, seconds: int) -> Load:
        """Send rows from a number on in large requests, one after another."""
        starts = range(first, first + MOST_BATCHES_PER_SECOND * BATCH * seconds, BATCH)
        bodies = (self.body(start, BATCH) for start in starts)
        return wrk(self.url, bodies, seconds=seconds, rows=BATCH, connections=1)


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
    numbers = itertools.count(0, MOST_PER_SECOND * MOST_SECONDS)  # Every part has its own rows.
    with perovshell(workspace, folder) as (ours, pid):
        ours.singles(next(numbers), 1)
        with mlflow(workspace, folder) as theirs:
            theirs.singles(next(numbers), 1)
            figures |= both(ours, theirs, next(numbers))
        figures |= batches(ours, next(numbers))
        # Shared pages count once: batches may be computed by processes of their own.
        figures["memory_after_batches_mb"] = memory_mb(pid, "Pss")
    # A process that no batch has made large.
    with perovshell(workspace, folder) as (ours, pid):
        figures |= memory(ours, next(numbers), pid)
    return figures


def both(ours: Side, theirs: Side, first: int) -> dict[str, float]:
    """Return figures of single requests to both sides in turns, of the same rows."""
    step = MOST_PER_SECOND * SECONDS
    rounds = [
        (ours.singles(start, SECONDS), theirs.singles(start, SECONDS))
        for start in range(first, first + ROUNDS * step, step)
    ]
    mine, other = zip(*rounds, strict=True)
    rate, their_rate = (statistics.median(one.per_second for one in side) for side in (mine, other))
    return {
        "requests_per_s": rate,
        "requests_per_s_worst_round": min(one.per_second for one in mine),
        "p50_ms": statistics.median(one.p50_ms for one in mine),
        "p99_ms": statistics.median(one.p99_ms for one in mine),
        "p99_ms_worst_round": max(one.p99_ms for one in mine),
        "mlflow_requests_per_s": their_rate,
        "mlflow_p99_ms": statistics.median(one.p99_ms for one in other),
        "ratio_mlflow_serve": rate / their_rate,
    }


def batches(ours: Side, first: int) -> dict[str, float]:
    """Return rows/s of batches, one after another, once some have warmed up the service."""
    ours.batches(first, 1)
    load = ours.batches(first + MOST_BATCHES_PER_SECOND * BATCH, BATCH_SECONDS)
    return {
        "rows_per_s": 1e3 * BATCH / load.p50_ms,
        "rows_per_s_worst": 1e3 * BATCH / load.max_ms,
    }


def memory(ours: Side, first: int, pid: int) -> dict[str, float]:
    """Return the memory of a fresh service at rest, and its growth under single requests."""
    idle = memory_mb(pid, "Rss")
    asked = ours.singles(first, 1).requests
    few = {name: memory_mb(pid, name) for name in ("Rss", "Pss")}
    until = time.monotonic() + MOST_SECONDS
    while asked < MANY and time.monotonic() < until:
        first += MOST_PER_SECOND * SLICE_SECONDS
        asked += ours.singles(first, SLICE_SECONDS).requests
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
        yield Side(f"http://127.0.0.1:{port}/v1/predict", "rows"), process.pid


@contextlib.contextmanager
def mlflow(workspace: WorkspaceFolder, folder: Path) -> Iterator[Side]:
    """Run MLflow's server of the registered champion."""
    port, log = free_port(), folder / "mlflow.log"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local"]
    command += ["--model-uri", "models:/perovshell@champion", "--port", str(port)]
    around = {"MLFLOW_TRACKING_URI": workspace.database.uri, "MLFLOW_DISABLE_TELEMETRY": "true"}
    # It starts uvicorn by its name, which stands beside this Python.
    around["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with running(command, port, "/ping", log, **around):
        yield Side(f"http://127.0.0.1:{port}/invocations", "dataframe_records")


if __name__ == "__main__":
    main()
