"""What the benchmarks share: a trained model, and timing."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import perovshell
from perovshell.model import Model
from perovshell.workspace.folder import WorkspaceFolder


def trained_workspace(folder: str) -> tuple[WorkspaceFolder, Model]:
    """Train and register the model of the bundled data, in a folder."""
    command = ["-m", "perovshell", "train", "--workspace", folder]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    workspace = WorkspaceFolder(Path(folder))
    return workspace, perovshell.load(workspace.champion())


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def median_ms(calls: list[Callable[[], object]]) -> float:
    """Return the median time of calls in ms."""
    return statistics.median(seconds(call) for call in calls) * 1e3
