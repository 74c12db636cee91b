"""The ring of one trial: a copy of a workspace, and a command that is killed in it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from _whole import State

from perovshell.workspace.folder import WorkspaceFolder

STAGES: Final = {
    "validating": 4.0, "comparing": 1.0, "registering": 4.0, "promoting": 0.3,
}  # fmt: skip
"""Stages of a retraining, and the seconds up to which a kill waits after one is told."""
HOWS: Final = {"retrain": ("moment", "stage", "stage", "write"), "else": ("moment", "write")}
LONG_AGO: Final = 7200.0
"""Seconds after which a hidden model folder counts as abandoned, with room."""

WATCHED: Final = """
import atexit, os, pathlib, runpy, signal, sys
root, log = os.environ.pop("KILLS_ROOT"), pathlib.Path(os.environ.pop("KILLS_LOG"))
at, count = int(os.environ.pop("KILLS_AT")), 0
changes = {"os.rename", "os.remove", "os.mkdir", "os.chmod", "sqlite3.connect"}
def watch(event, given):
    global count
    writes = event == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR)
    if (writes or event in changes) and root in str(given[0]):
        count += 1
        if count == at:
            os.killpg(0, signal.SIGKILL)
sys.addaudithook(watch)
atexit.register(lambda: log.write_text(str(count)))
runpy.run_module("perovshell", run_name="__main__", alter_sys=True)
"""
"""The command line; counts what changes the workspace on disk and is killed before the nth."""


@dataclass(frozen=True)
class Command:
    """A command to kill.

    Attributes:
        name: What the table calls it.
        words: Its words, without the workspace.
        done: What it may refuse with where it had done its work before it was killed.
    """

    name: str
    words: tuple[str, ...]
    done: str


@dataclass(frozen=True)
class Rehearsal:
    """A command that nobody kills.

    Attributes:
        command: The command.
        seconds: How long it takes.
        writes: How often it changes the workspace on disk.
        after: What it leads to.
    """

    command: Command
    seconds: float
    writes: int
    after: State


@dataclass(frozen=True)
class Ring:
    """A copy of the workspace in a folder of its own."""

    folder: Path

    @classmethod
    def of(cls, root: Path) -> Ring:
        """Copy the workspace."""
        ring = cls(Path(tempfile.mkdtemp(dir=root, prefix="trial-")).resolve())
        (ring.folder / "tmp").mkdir()
        shutil.copytree(root / "workspace", ring.workspace.root)
        _relocate(
            ring.workspace.root / "mlflow.db",
            str((root / "workspace").resolve()),
            str(ring.workspace.root),
        )
        return ring

    @property
    def workspace(self) -> WorkspaceFolder:
        """The copied workspace."""
        return WorkspaceFolder(self.folder / "workspace")

    @property
    def log(self) -> Path:
        """Where a watched command leaves its number of writes."""
        return self.folder / "writes"

    @property
    def said(self) -> str:
        """What the latest command said."""
        return (self.folder / "said").read_text()

    def start(self, command: Command, kill_at: int = 0) -> subprocess.Popen[bytes]:
        """Start a command in a process group of its own; watched, where `kill_at` is not 0."""
        temporary = str(self.folder / "tmp")
        environment = {**os.environ, "TMPDIR": temporary, "JOBLIB_TEMP_FOLDER": temporary}
        program = ["-m", "perovshell"]
        if kill_at:
            program = ["-c", WATCHED]
            environment |= {"KILLS_ROOT": str(self.workspace.root), "KILLS_LOG": str(self.log)}
            environment["KILLS_AT"] = str(kill_at)
        with (self.folder / "said").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, *program, *command.words, "--workspace", str(self.workspace.root)],
                cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip

    def killed(self, rehearsal: Rehearsal, draw: random.Random) -> str:
        """Start a command and kill it; return its stage, empty where it came to its end."""
        command = rehearsal.command
        how = draw.choice(HOWS.get(command.name, HOWS["else"]))
        at = draw.randint(1, rehearsal.writes) if how == "write" else 0
        process = self.start(command, at)
        if how == "moment":
            _wait(process, draw.uniform(0, rehearsal.seconds))
        elif how == "stage":
            stage, longest = draw.choice(list(STAGES.items()))
            while process.poll() is None and f"retrain: {stage}" not in self.said:
                time.sleep(0.01)
            _wait(process, draw.uniform(0, longest))
        else:
            process.wait()
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            return ""
        told = [stage for stage in STAGES if f"retrain: {stage}" in self.said]
        if command.name == "retrain":
            return told[-1] if told else "starting"
        return "at a write" if how == "write" else "at a random moment"

    def let_time_pass(self) -> None:
        """Make hidden folders old enough to count as abandoned."""
        then = time.time() - LONG_AGO
        for path in self.workspace.models.glob(".*/"):
            os.utime(path, (then, then))


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)


def _relocate(database: Path, old: str, new: str) -> None:
    """Let a copied database name the files beside it, not those it was copied from."""
    with closing(sqlite3.connect(database)) as opened, opened:
        for (name,) in _rows(opened, "SELECT name FROM sqlite_master WHERE type = 'table'"):
            for _, column, *_ in _rows(opened, f'PRAGMA table_info("{name}")'):
                cell = f'"{column}"'
                opened.execute(
                    f'UPDATE "{name}" SET {cell} = replace({cell}, ?, ?) WHERE instr({cell}, ?)',
                    (old, new, old),
                )


def _rows(opened: sqlite3.Connection, statement: str) -> list[Any]:
    return opened.execute(statement).fetchall()
