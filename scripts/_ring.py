"""The ring of one trial: a copy of a workspace, and a command that is disturbed in it.

It is killed, or the disk gets full.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from _whole import OUTPUTS, State

import perovshell
from perovshell.workspace.folder import WorkspaceFolder

STAGES: Final = {
    "validating": 4.0, "comparing": 1.0, "registering": 4.0, "promoting": 0.3,
}  # fmt: skip
"""Stages of a retraining, and the seconds up to which a kill waits after one is told."""
_CHANGES: Final = {
    "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.link", "os.symlink",
    "os.truncate", "shutil.rmtree",
}  # fmt: skip
_POOL: Final = "MLFLOW_SQLALCHEMYSTORE_POOLCLASS"
_WRITING: Final = os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True)
class Command:
    """A command to kill.

    Attributes:
        name: What the table calls it.
        words: Its words; paths are below the ring.
        done: What it may refuse with where it had done its work before it was killed.
        is_swept: Whether it is killed before each of its disk operations, too.
    """

    name: str
    words: tuple[str, ...]
    done: str = ""
    is_swept: bool = True

    @property
    def is_staged(self) -> bool:
        """Whether it tells its stages."""
        return self.name == "retrain"


@dataclass(frozen=True)
class Rehearsal:
    """A command that nobody kills.

    Attributes:
        command: The command.
        seconds: How long it takes.
        writes: How often it changes the workspace or its outputs on disk.
        after: What it leads to.
    """

    command: Command
    seconds: float
    writes: int
    after: State


@dataclass
class Process:
    """A command in a process group of its own.

    Attributes:
        pid: Its number.
        code: Its exit code, negative where a signal ended it; None while it runs.
    """

    pid: int
    code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.code = os.waitstatus_to_exitcode(status) if pid else None
        return self.code

    def wait(self, seconds: float = float("inf")) -> int | None:
        """Wait for its end, or for some time."""
        until = time.monotonic() + seconds
        while self.poll() is None and time.monotonic() < until:
            time.sleep(0.002)
        return self.code

    def kill(self) -> int | None:
        """Kill the whole group; return the exit code."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self.wait()


@dataclass(frozen=True)
class Ring:
    """A copy of the workspace and of the outputs beside it, in a folder of its own.

    Attributes:
        folder: The folder.
        side: Another one, of what is no part of the trial, such as what a command says.
    """

    folder: Path
    side: Path

    @classmethod
    def of(cls, root: Path, disk_mb: int = 0) -> Ring:
        """Copy what is in a folder, onto a disk of its own where a size in MB is given.

        Raises:
            CalledProcessError: Such a disk needs root, and the right to mount.
        """
        places = (tempfile.mkdtemp(dir=root, prefix=f"{kind}-") for kind in ("trial", "side"))
        ring = cls(*(Path(place).resolve() for place in places))
        if disk_mb:
            size = ["-t", "tmpfs", "-o", f"size={disk_mb}m", "tmpfs"]
            subprocess.run(["mount", *size, ring.folder], check=True)
        for name in ("workspace", OUTPUTS):
            if (root / name).is_dir():
                shutil.copytree(root / name, ring.folder / name)
        _relocate(
            ring.workspace.root / "mlflow.db",
            str((root / "workspace").resolve()),
            str(ring.workspace.root),
        )
        return ring

    def remove(self) -> None:
        """Remove all of it."""
        if self.folder.is_mount():
            subprocess.run(["umount", self.folder], check=True)
        for folder in (self.folder, self.side):
            shutil.rmtree(folder)

    @property
    def ballast(self) -> Path:
        """What fills the disk."""
        return self.folder / "ballast"

    @property
    def workspace(self) -> WorkspaceFolder:
        """The copied workspace."""
        return WorkspaceFolder(self.folder / "workspace")

    @property
    def log(self) -> Path:
        """Where a watched command leaves its number of writes."""
        return self.side / "writes"

    @property
    def said(self) -> str:
        """What the latest command said."""
        return (self.side / "said").read_text(errors="replace")

    def start(self, command: Command, at: int = 0, *, fill: bool = False) -> Process:
        """Start a command.

        It is forked, so that no time goes into importing what this process has imported.

        Args:
            command: The command.
            at: The disk operation before which it is killed; -1 only counts them, 0 does not.
            fill: Whether the disk is filled instead.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        (self.side / "said").write_bytes(b"")
        pid = os.fork()
        if pid:
            return Process(pid)
        code = 70
        try:
            self._enter()
            watch = Watch(self, at, fill)
            if at:
                watch.begin()
            code = _run(command)
            self.log.write_text(str(watch.count))
        finally:
            os._exit(code)

    def _enter(self) -> None:
        os.setsid()
        said = os.open(self.side / "said", os.O_WRONLY | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (said, 1), (said, 2)):
            os.dup2(source, target)
        os.chdir(self.folder)
        os.environ["TMPDIR"] = os.environ["JOBLIB_TEMP_FOLDER"] = str(self.side)
        os.environ.pop(_POOL, None)
        tempfile.tempdir = None

    def killed(self, rehearsal: Rehearsal, draw: random.Random, at: int) -> str:
        """Start a command and kill it; return its stage, empty where it came to its end.

        Args:
            rehearsal: The command.
            draw: Where the moment is drawn from.
            at: The write before which it is killed; 0 is a random moment.
        """
        command = rehearsal.command
        process = self.start(command, at)
        if at:
            process.wait()
        elif command.is_staged and draw.random() < 1 / 2:
            stage, longest = draw.choice(list(STAGES.items()))
            while process.poll() is None and f"retrain: {stage}" not in self.said:
                time.sleep(0.01)
            process.wait(draw.uniform(0, longest))
        else:
            process.wait(draw.uniform(0, rehearsal.seconds))
        if process.kill() != -signal.SIGKILL:
            return ""
        how = "before a disk operation" if at else "at a random moment"
        told = [stage for stage in STAGES if f"retrain: {stage}" in self.said]
        return f"{told[-1] if told else 'starting'}, {how}" if command.is_staged else how


@dataclass
class Watch:
    """Counts what a process changes on disk, and disturbs it before one of these operations.

    What counts are the calls by which files and folders below the ring are opened for writing,
    renamed, made or removed, and each transaction of a database.

    Attributes:
        ring: The ring.
        at: The operation; -1 is none.
        fill: Whether the disk is filled; else the process is killed.
        count: Operations so far.
    """

    ring: Ring
    at: int
    fill: bool
    count: int = 0

    def begin(self) -> None:
        """Watch this process from now on."""
        from sqlalchemy import Engine, event

        event.listen(Engine, "commit", lambda _: self._pass())
        sys.addaudithook(self._audit)

    def _audit(self, what: str, given: tuple[Any, ...]) -> None:
        writes = what == "open" and isinstance(given[2], int) and given[2] & _WRITING
        if not writes and what not in _CHANGES:
            return
        if not isinstance(given[0], (str, bytes, os.PathLike)):
            return
        path = os.path.abspath(os.fsdecode(given[0]))  # noqa: PTH100 - of bytes, too
        if any(path.startswith(f"{self.ring.folder}/{name}/") for name in ("workspace", OUTPUTS)):
            self._pass()

    def _pass(self) -> None:
        self.count += 1
        if self.count != self.at:
            return
        if self.fill:
            fill_disk(self.ring.ballast)
        else:
            os.killpg(0, signal.SIGKILL)


def fill_disk(ballast: Path) -> None:
    """Write until not one byte more fits."""
    size = 1 << 20
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2


def _run(command: Command) -> int:
    """Run the command line in this process; return its exit code."""
    from perovshell.cli import main

    sys.argv = ["perovshell", *command.words]
    try:
        main()
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else int(bool(left.code))
    except BaseException:  # noqa: BLE001 - as the interpreter does at the end of a program
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def import_all() -> None:
    """Import what the commands use, so that those that are forked need not do it."""
    # A connection that stays open must not be taken over by a fork.
    os.environ[_POOL] = "NullPool"
    for name in ("mlflow", "sqlalchemy", "xgboost", "matplotlib.figure", "pyarrow.parquet"):
        importlib.import_module(name)
    for module in pkgutil.walk_packages(perovshell.__path__, "perovshell."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


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
