"""The inbox: a folder whose paper files are taken in while nobody watches."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Final

from perovshell.data.dataset import Dataset
from perovshell.errors import InputError, UnchangedError, WorkspaceError
from perovshell.files import write_file
from perovshell.intake.adding import accept, propose
from perovshell.models.predictor import Predictor
from perovshell.workspace.folder import WorkspaceFolder

SETTLED_SECONDS: Final = 2.0
"""What changed more recently may still be on its way, and waits."""
_SUFFIXES: Final = {".yaml", ".yml", ".json"}
_DONE: Final = {"added", "rejected"}


@dataclass(frozen=True)
class Taken:
    """What became of one file of an inbox.

    Attributes:
        file: Its name.
        outcome: `added`, `rejected`, `waiting` or `ignored`.
        papers: The papers taken in.
        reason: Why it was not; empty where it was.
        checks: What a person should look at, in papers that were taken in.
    """

    file: str
    outcome: str
    papers: tuple[str, ...] = ()
    reason: str = ""
    checks: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return it on one line with the first reason; and below, what should be looked at."""
        what = ", ".join(self.papers) or self.reason.splitlines()[0]
        return "\n".join([f"{self.file}: {self.outcome}: {what}", *(f"  {c}" for c in self.checks)])


def take_in(
    inbox: Path, workspace: WorkspaceFolder, base: Dataset, predictor: Predictor
) -> list[Taken]:
    """Take in the papers of a folder: files, and folders with the tables of a set.

    What is taken in (or was, before the file could be moved) is moved to `added/` in the folder;
    what is not, to `rejected/`, with a file of the reasons. Nothing is accepted that a person would
    have to accept: an outlier is a reason to reject. What changed within the last seconds waits.

    Args:
        inbox: The folder.
        workspace: The workspace.
        base: The dataset that the papers of the workspace are added to.
        predictor: The champion.

    Raises:
        InputError: There is no such folder.
        WorkspaceError: A folder is not writable.
    """
    if not inbox.is_dir():
        msg = f"inbox {inbox}: no such folder"
        raise InputError(msg)
    with workspace.locked("inbox", wait=True):
        paths = sorted(
            path for path in inbox.iterdir() if path.name not in _DONE and path.name[0] != "."
        )
        return [_take_in(path, workspace, base, predictor) for path in paths]


def _take_in(path: Path, workspace: WorkspaceFolder, base: Dataset, predictor: Predictor) -> Taken:
    is_paper = path.suffix.lower() in _SUFFIXES or (path / "papers.csv").is_file()
    if not is_paper:
        return Taken(path.name, "ignored", reason="neither a YAML or JSON file nor a set of tables")
    if not _is_settled(path):
        return Taken(path.name, "waiting", reason="just changed; the next time takes it")
    try:
        papers, checks = _accepted(path, workspace, base, predictor)
    except InputError as error:
        target = _free(path.parent / "rejected" / path.name)
        write_file(target.with_name(f"{target.name}.reasons.txt"), str(error))
        _move(path, target)
        return Taken(path.name, "rejected", reason=str(error))
    _move(path, _free(path.parent / "added" / path.name))
    return Taken(path.name, "added", papers, checks=checks)


def _is_settled(path: Path) -> bool:
    """Whether a file, or all files of a folder, have not changed for some seconds."""
    before = _changes(path)
    age = time.time() - max(before)
    if age >= 0:
        return age >= SETTLED_SECONDS
    # The clock was put back, or the file is of another machine: it is looked at for as long.
    time.sleep(SETTLED_SECONDS)
    return _changes(path) == before


def _changes(path: Path) -> list[float]:
    inside = sorted(path.iterdir()) if path.is_dir() else []
    return [file.stat().st_mtime for file in (path, *inside)]


def _accepted(
    path: Path, workspace: WorkspaceFolder, base: Dataset, predictor: Predictor
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Take in one file; return its papers, those in the workspace already too, and the checks."""
    try:
        proposal = propose(path, workspace, base, predictor)
    except UnchangedError as error:
        return error.papers, ()
    proposal.refuse_outliers()
    addition = accept(proposal, workspace, base)
    return (*proposal.unchanged, *addition.papers), tuple(map(str, proposal.checks))


def _free(path: Path) -> Path:
    """Return a path, with a number where an earlier file has its name."""
    names = (path.with_name(f"{path.stem}.{number}{path.suffix}") for number in count(2))
    return next(other for other in chain([path], names) if not other.exists())


def _move(path: Path, target: Path) -> None:
    try:
        target.parent.mkdir(exist_ok=True)
        shutil.move(path, target)
    except OSError as error:
        msg = f"inbox: {path.name} cannot be moved to {target.parent} ({error.strerror})"
        raise WorkspaceError(msg) from error
