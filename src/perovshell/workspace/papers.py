"""The papers of a workspace: one checked file each, never half-written, nothing thrown away.

A paper stands in `papers/NAME.yaml`, its first line holds the checksum of the rest. What it was
before it was replaced or removed stands in `papers/history/NAME.N.yaml`. A file that is damaged or
was changed by hand is named, left alone and not used; the other papers are.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from perovshell.data.dataset import Dataset
from perovshell.data.paper_entry import PaperEntry
from perovshell.data.paper_file import read_yaml, reason_text
from perovshell.data.paper_writing import to_yaml
from perovshell.errors import DatasetError, DocumentError, Fault, InputError, WorkspaceError
from perovshell.files import write_atomically
from perovshell.texts import excerpt
from perovshell.workspace.folder import WorkspaceFolder

_SEAL: Final = "# perovshell paper, SHA-256 of the lines below: "
_SEALED: Final = re.compile(rf"{_SEAL}([0-9a-f]{{64}})\n(.*)", re.DOTALL)
_LONGEST: Final = 95
"""Longest name of a paper, as it stands in a file name."""
_CHANGED = (
    "the file is damaged, or was changed by hand; add the paper again with replace=True, or "
    "remove it"
)


@dataclass(frozen=True)
class StoredPapers:
    """The papers of a workspace.

    Attributes:
        entries: Those that can be read.
        faults: What is wrong with the others, whose files are left alone.
    """

    entries: tuple[PaperEntry, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class MergedDataset:
    """The dataset in use: a base and the papers of a workspace.

    Attributes:
        dataset: The dataset.
        entries: The papers of the workspace in it.
        faults: Why other papers of the workspace are left out.
    """

    dataset: Dataset
    entries: tuple[PaperEntry, ...]
    faults: tuple[Fault, ...]


@dataclass(frozen=True)
class EarlierPaper:
    """What a paper was before.

    Attributes:
        path: Its file; adding it brings it back.
        what: When and why it was replaced or removed.
    """

    path: Path
    what: str

    @classmethod
    def of(cls, path: Path) -> EarlierPaper:
        """Read the remark that stands below it."""
        *_, last = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return cls(path, last.removeprefix("# "))

    def __str__(self) -> str:
        """Say both on one line."""
        return f"{self.path} ({self.what})"


@dataclass(frozen=True)
class Removal:
    """What the removal of a paper changed in the dataset: paper_ids.

    Attributes:
        file: Where the rows of the paper are kept.
        out: Papers that are no longer in the dataset.
        restored: Papers that are in it again, since nothing replaces them any more.
        original: Papers that are as they were before they were corrected.
    """

    file: Path
    out: tuple[str, ...]
    restored: tuple[str, ...]
    original: tuple[str, ...]

    @classmethod
    def between(cls, file: Path, before: Mapping[str, str], after: Mapping[str, str]) -> Removal:
        """Compare the digests of the papers before and after."""
        both = before.keys() & after.keys()
        return cls(
            file,
            tuple(sorted(before.keys() - after.keys())),
            tuple(sorted(after.keys() - before.keys())),
            tuple(sorted(name for name in both if before[name] != after[name])),
        )

    def lines(self) -> list[str]:
        """Return the changes, a line each."""
        lines = [f"Removed from the data: {name}" for name in self.out]
        lines += [f"In the data again, as nothing replaces it: {name}" for name in self.restored]
        lines += [f"Restored to its original version: {name}" for name in self.original]
        return [*lines, f"Kept: {self.file}"]

    def __str__(self) -> str:
        """Return the lines as text."""
        return "\n".join(self.lines())

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {**asdict(self), "file": str(self.file)}


@dataclass(frozen=True)
class PaperStore:
    """The papers of a workspace on disk.

    Attributes:
        workspace: The workspace.
    """

    workspace: WorkspaceFolder

    @property
    def history(self) -> Path:
        """Folder of what papers were before."""
        return self.workspace.papers / "history"

    def path_of(self, paper_id: str) -> Path:
        """Return where a paper stands; its name is safe on every file system.

        Raises:
            InputError: The paper_id is too long for one.
        """
        if fault := file_name_fault(paper_id):
            msg = f"paper_id {excerpt(paper_id)!r}: {fault}"
            raise InputError(msg)
        return self.workspace.papers / f"{_file_name(paper_id)}.yaml"

    def stored(self) -> StoredPapers:
        """Read every paper; a file that is at fault does not keep the others from being used."""
        entries: list[PaperEntry] = []
        faults: list[Fault] = []
        for path in sorted(self.workspace.papers.glob("[!.]*.yaml")):
            try:
                entries.append(_read(path))
            except DocumentError as error:
                faults += error.faults
        return StoredPapers(tuple(entries), tuple(faults))

    def merged(self, base: Dataset) -> MergedDataset:
        """Return a base dataset with the papers; those that break a rule are left out and named.

        Raises:
            DatasetError: Faults that are of no paper of the workspace.
        """
        stored = self.stored()
        entries, faults = list(stored.entries), list(stored.faults)
        while True:
            try:
                return MergedDataset(base.with_papers(entries), tuple(entries), tuple(faults))
            except DatasetError as error:
                wrong = {fault.file for fault in error.faults}
                kept = [entry for entry in entries if entry.file not in wrong]
                if len(kept) == len(entries):
                    raise
                entries, faults = kept, [*faults, *error.faults]

    def put(self, entry: PaperEntry, *, replace: bool = False) -> Path:
        """Write a paper in one step; the version it replaces is kept.

        Raises:
            InputError: It is there already and is not to be replaced, or its name is too long.
            WorkspaceError: The workspace is not writable.
        """
        path = self.path_of(entry.paper_id)
        if path.exists() and not replace:
            msg = (
                f"paper {entry.paper_id}: in the workspace already; a correction needs replace=True"
            )
            raise InputError(msg)
        self._keep(path, "replaced")
        _write(path, _sealed(to_yaml(entry)))
        return path

    def remove(self, paper_id: str, why: str, base: Dataset) -> Path:
        """Take a paper out of the data; its rows are kept.

        A paper of the workspace goes to the history. One of the base dataset, which is never
        written, gets a file that withdraws it; that file goes to the history if it is removed for
        another reason. The same removal given again, since nobody knows whether it was done, is
        refused.

        Raises:
            InputError: There is no such paper, it was removed for this reason already, or the
                reason is empty.
            WorkspaceError: The workspace is not writable.
        """
        why = reason_text(why)
        path = self.path_of(paper_id)
        if self._is_removed(path, why) and paper_id in base.papers:
            msg = (
                f"paper {paper_id!r}: removed already for this reason; to remove it again, or to "
                "take that back, give another reason"
            )
            raise InputError(msg)
        if path.exists():
            kept = self._keep(path, f"removed: {why}")
            _unlink(path)
            return kept
        if paper_id not in base.papers:
            raise InputError(_unknown(paper_id, base, self.stored().entries))
        entry = base.entry(paper_id)
        return self.put(PaperEntry(entry.paper, (), (), withdrawn=why))

    def _is_removed(self, path: Path, why: str) -> bool:
        """Whether the last that was done to a paper is its removal for a reason."""
        if path.exists():
            with suppress(DocumentError):
                return _read(path).withdrawn == why
            return False
        versions = list(self._versions(path.stem).values())
        return bool(versions) and EarlierPaper.of(versions[-1]).what.endswith(f" removed: {why}")

    def versions(self, paper_id: str) -> list[EarlierPaper]:
        """Return what a paper was before, the oldest first."""
        versions = self._versions(self.path_of(paper_id).stem)
        return [EarlierPaper.of(path) for path in versions.values()]

    def _versions(self, name: str) -> dict[int, Path]:
        versions = {}
        for path in self.history.glob("[!.]*.yaml"):
            version = re.fullmatch(rf"{re.escape(name)}\.([0-9]+)\.yaml", path.name)
            if version:
                versions[int(version[1])] = path
        return {number: versions[number] for number in sorted(versions)}

    def _keep(self, path: Path, why: str) -> Path:
        """Copy a file into the history, with the reason as a comment at its end."""
        if not path.exists():
            return path
        _make(self.history)
        content, note = path.read_bytes(), " ".join(why.split())
        versions = self._versions(path.stem)
        if versions and _is_kept(last := versions[max(versions)], content, note):
            return last
        kept = self.history / f"{path.stem}.{max(versions, default=0) + 1}.yaml"
        when = datetime.now(UTC).isoformat(timespec="seconds")
        _write(kept, content + f"# {when} {note}\n".encode())
        return kept


def file_name_fault(paper_id: str) -> str:
    """Return what is allowed where a paper_id is too long for a file name; else an empty text."""
    if len(_file_name(paper_id)) <= _LONGEST:
        return ""
    return f"too long for a file name; at most {_LONGEST} letters or digits, other signs count more"


def _file_name(paper_id: str) -> str:
    name = quote(paper_id, safe="", errors="surrogatepass")
    # A dot in front would hide the file, among what is half-written.
    return f"%2E{name[1:]}" if name.startswith(".") else name


def _unknown(paper_id: str, base: Dataset, entries: Iterable[PaperEntry]) -> str:
    """Say that there is no such paper, with the paper_ids most like it."""
    names = sorted({*base.papers, *(entry.paper_id for entry in entries)})
    near = get_close_matches(paper_id, names, n=3)
    hint = f"nearest: {', '.join(near)}; " if near else ""
    return f"paper {paper_id!r}: not in the data; {hint}Workspace.dataset().papers lists all"


def _read(path: Path) -> PaperEntry:
    """Read a paper whose checksum fits.

    Raises:
        DocumentError: The file is damaged or breaks a rule.
    """
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError([Fault(path.name, 0, "", None, f"cannot be read: {error}")]) from error
    match = _SEALED.fullmatch(text)
    if match is None or hashlib.sha256(match[2].encode()).hexdigest() != match[1]:
        raise DocumentError([Fault(path.name, 0, "", None, _CHANGED)])
    return read_yaml(text, path.name)


def _is_kept(kept: Path, content: bytes, reason: str) -> bool:
    """Whether a process that was then killed has kept a version already, for the same reason."""
    note = kept.read_bytes().removeprefix(content)
    return re.fullmatch(rf"# \S+ {re.escape(reason)}\n", note.decode(errors="replace")) is not None


def _sealed(text: str) -> bytes:
    return f"{_SEAL}{hashlib.sha256(text.encode()).hexdigest()}\n{text}".encode()


def _write(path: Path, content: bytes) -> None:
    _make(path.parent)
    try:
        write_atomically(path, content)
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror}); nothing is changed"
        raise WorkspaceError(msg) from error


def _unlink(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        msg = f"{path}: cannot be removed ({error.strerror}); nothing is changed"
        raise WorkspaceError(msg) from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made ({error.strerror}); nothing is changed"
        raise WorkspaceError(msg) from error
