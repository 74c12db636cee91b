"""A service in a process of its own, and a workspace for it, for tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from perovshell.training.train import TrainedModel
from perovshell.workspace.folder import WorkspaceFolder


def workspace_of(trained: TrainedModel, root: Path, version: str | None = None) -> WorkspaceFolder:
    """Make a workspace of its own whose champion is a copy of a trained model."""
    made = WorkspaceFolder(root)
    made.prepare()
    shutil.copytree(trained.folder, made.models / trained.model_id)
    made.set_champion(trained.model_id, "the first", version)
    return made


def runs(process: int | str) -> bool:
    """Return whether a process runs; one that has ended may wait long for who is to know of it."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@dataclass
class Server:
    """A running service.

    Attributes:
        url: Where it answers.
        process: Its process.
        log: What it writes to its error stream.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def events(self) -> list[dict[str, object]]:
        """Return the lines of the log that are JSON."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def stop(self, how: int = signal.SIGTERM) -> int:
        """Stop it; return its exit code."""
        self.process.send_signal(how)
        return self.process.wait(30)


@contextmanager
def serving(
    workspace: Path,
    log: Path,
    *options: str,
    preexec_fn: Callable[[], None] | None = None,
    before: str = "",
) -> Iterator[Server]:
    """Run `perovshell serve` on a free port until the block ends; `before` is Python run first."""
    program = ["-c", f"{before}\nfrom perovshell.cli import main\nmain()"]
    command = [sys.executable, *(program if before else ["-m", "perovshell"])]
    command += ["serve", "--workspace", str(workspace)]
    if "--port" not in options:
        command += ["--port", "0"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, *options],
            stderr=file,
            env=os.environ,
            preexec_fn=preexec_fn,  # noqa: PLW1509
        )
    try:
        yield Server(_url(process, log), process, log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _url(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until it listens; return its address."""
    for _ in range(600):
        for line in log.read_text().splitlines():
            if line.startswith("Serving model"):
                return line.split()[-1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())
