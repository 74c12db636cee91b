"""Taking papers in: everything is checked and shown before anything is written."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain, count
from pathlib import Path
from typing import Final

from perovshell.data.dataset import Dataset
from perovshell.data.paper_file import PaperEntry, read_papers
from perovshell.data.validation import PAPERS
from perovshell.errors import DatasetError, Fault, InputError, WorkspaceError
from perovshell.models.predictor import Predictor
from perovshell.papers import LONGEST_ID, PaperStore
from perovshell.serve.intake import Review, review
from perovshell.serve.intake_checks import Check
from perovshell.workspace import Workspace, write_file

_PATTERNS: Final = ("*.yaml", "*.yml", "*.json")
_SETTLED_SECONDS: Final = 2.0
"""A file of the inbox changed more recently may still be on its way."""


class UnchangedError(InputError):
    """All papers of a file are in the workspace already, word for word."""

    def __init__(self, path: Path, papers: tuple[str, ...]) -> None:
        """Name the papers."""
        self.papers = papers
        super().__init__(f"{path}: in the workspace already, word for word: {', '.join(papers)}")


@dataclass(frozen=True)
class Proposal:
    """Papers that may be taken in.

    Attributes:
        entries: The papers.
        reviews: What a person should know of each.
        unchanged: Papers that are in the workspace already, word for word.
        dataset: The dataset with them.
        left_out: Faults of papers of the workspace, which are not used.
    """

    entries: tuple[PaperEntry, ...]
    reviews: tuple[Review, ...]
    unchanged: tuple[str, ...]
    dataset: Dataset
    left_out: tuple[Fault, ...]

    @property
    def outliers(self) -> tuple[Check, ...]:
        """Values that need an explicit acceptance."""
        return tuple(check for one in self.reviews for check in one.outliers)

    def refuse_outliers(self, path: Path) -> None:
        """Refuse values that need an explicit acceptance.

        Raises:
            InputError: There are some; all are listed.
        """
        if self.outliers:
            checks = "\n".join(f"  {check}" for check in self.outliers)
            msg = f"{path}: nothing is added; values need --accept-outlier\n{checks}"
            raise InputError(msg)


def propose(
    path: Path,
    place: Workspace,
    base: Dataset,
    predictor: Predictor | None,
    *,
    replace: bool = False,
) -> Proposal:
    """Read papers, check them with all others, and review them.

    Args:
        path: A file, or a folder with the tables of a set; see `data.paper_file.read_papers`.
        place: The workspace.
        base: The dataset that the papers of the workspace are added to.
        predictor: The champion, where there is one.
        replace: Whether the papers correct papers of the same names.

    Raises:
        DatasetError: They break rules, alone or with the others; all faults are listed.
        InputError: The file cannot be read.
        UnchangedError: All papers are in the workspace already.
    """
    entries = read_papers(path)
    store = PaperStore(place)
    in_use = store.in_use(base)
    known = {entry.paper_id: entry for entry in in_use.entries}
    unchanged = tuple(one.paper_id for one in entries if known.get(one.paper_id) == one)
    changed = [one for one in entries if one.paper_id not in unchanged]
    if not changed:
        raise UnchangedError(path, unchanged)
    # One that is damaged, and so not in use, can be replaced too.
    there = [one.paper_id for one in changed if store.path_of(one.paper_id).exists()]
    faults = _identity_faults(changed, in_use.dataset, {*known, *there}, replace=replace)
    kept = [entry for name, entry in known.items() if name not in {o.paper_id for o in changed}]
    try:
        dataset = base.with_papers([*kept, *changed])
    except DatasetError as error:
        raise DatasetError([*faults, *error.faults]) from error
    if faults:
        raise DatasetError(faults)
    reviews = [review(dataset, one.paper_id, predictor) for one in changed if not one.withdrawn]
    return Proposal(tuple(changed), tuple(reviews), unchanged, dataset, in_use.faults)


def _identity_faults(
    entries: Sequence[PaperEntry], dataset: Dataset, added: Iterable[str], *, replace: bool
) -> list[Fault]:
    """Return what is wrong with the names of papers, and those of papers they replace."""
    names = {*dataset.papers, *added}
    faults = []
    for entry in entries:
        file, line = entry.place(PAPERS, 0, "paper_id")
        if len(entry.paper_id) > LONGEST_ID:
            rule = f"too long for a file name; at most {LONGEST_ID} characters"
            faults.append(Fault(file, line, "paper_id", entry.paper_id, rule))
        if entry.paper_id in names and not replace:
            rule = "in the data already; a correction of it needs --replace"
            faults.append(Fault(file, line, "paper_id", entry.paper_id, rule))
        if entry.paper_id not in names and replace:
            rule = f"no such paper to replace{_nearest(entry.paper_id, names)}"
            faults.append(Fault(file, line, "paper_id", entry.paper_id, rule))
        for column in ("supersedes", "distinct_from"):
            for name in getattr(entry, column):
                if name not in names or name == entry.paper_id:
                    rule = f"no such other paper in the data{_nearest(name, names)}"
                    faults.append(Fault(file, line, column, name, rule))
    return faults


def _nearest(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name, sorted(names), n=3)
    return f"; nearest: {', '.join(close)}" if close else ""


def accept(
    proposal: Proposal, place: Workspace, base: Dataset, *, replace: bool = False
) -> list[Path]:
    """Write proposed papers, each in one step; return their files.

    Raises:
        DatasetError: They break a rule beside what somebody else added in the meantime.
        InputError: Somebody else added one of them in the meantime.
        WorkspaceError: The workspace is not writable.
    """
    store = PaperStore(place)
    names = {entry.paper_id for entry in proposal.entries}
    with place.locked("papers", wait=True):
        others = [one for one in store.in_use(base).entries if one.paper_id not in names]
        base.with_papers([*others, *proposal.entries])
        return [store.put(entry, replace=replace) for entry in proposal.entries]


# The inbox -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Taken:
    """What became of one file of an inbox: the papers taken in, or why it was rejected."""

    file: str
    papers: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        """Say it on one line, the first of the reasons."""
        if self.papers:
            return f"{self.file}: added {', '.join(self.papers)}"
        return f"{self.file}: rejected: {self.reason.splitlines()[0]}"


def take_in(inbox: Path, place: Workspace, base: Dataset, predictor: Predictor) -> list[Taken]:
    """Take in the paper files of a folder that nobody watches.

    What is taken in (or was, before the file could be moved) is moved to `added/` in the folder;
    what is not, to `rejected/`, with the reasons beside it. Nothing is accepted that a person would
    have been asked about: a value outside the 99 % interval is a reason to reject.

    Raises:
        InputError: There is no such folder.
        WorkspaceError: A folder is not writable.
    """
    if not inbox.is_dir():
        msg = f"inbox {inbox}: no such folder"
        raise InputError(msg)
    with place.locked("inbox", wait=True):
        found = sorted(path for pattern in _PATTERNS for path in inbox.glob(pattern))
        now = time.time()
        settled = [path for path in found if now - path.stat().st_mtime >= _SETTLED_SECONDS]
        return [_take_in(path, place, base, predictor) for path in settled]


def _take_in(path: Path, place: Workspace, base: Dataset, predictor: Predictor) -> Taken:
    try:
        papers = _accepted(path, place, base, predictor)
    except InputError as error:
        target = _free(path.parent / "rejected" / path.name)
        write_file(target.with_name(f"{target.name}.reasons.txt"), str(error))
        _move(path, target)
        return Taken(path.name, (), str(error))
    _move(path, _free(path.parent / "added" / path.name))
    return Taken(path.name, papers, "")


def _accepted(path: Path, place: Workspace, base: Dataset, predictor: Predictor) -> tuple[str, ...]:
    """Take in one file; return its papers, those that are in the workspace already too."""
    try:
        proposal = propose(path, place, base, predictor)
    except UnchangedError as error:
        return error.papers
    proposal.refuse_outliers(path)
    accept(proposal, place, base)
    return (*proposal.unchanged, *(entry.paper_id for entry in proposal.entries))


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
