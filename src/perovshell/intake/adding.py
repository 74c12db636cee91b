"""Taking papers in: everything is checked and shown before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from perovshell.data.columns import PAPERS
from perovshell.data.dataset import Dataset
from perovshell.data.paper_file import PaperEntry, read_papers
from perovshell.data.tables import Row
from perovshell.errors import DatasetError, Fault, InputError, UnchangedError
from perovshell.intake.review import Review, review
from perovshell.intake.samples import Check
from perovshell.models.predictor import Predictor
from perovshell.workspace.papers import LONGEST_ID, PaperStore
from perovshell.workspace.workspace import Workspace


@dataclass(frozen=True)
class Proposal:
    """Papers that may be taken in.

    Attributes:
        entries: The papers.
        reviews: What a person should know of each.
        unchanged: Papers that are in the workspace already, word for word.
        dataset: The dataset with them.
        left_out: Faults of papers of the workspace, which are not used.
        changes: What a correction changes, a line each.
    """

    entries: tuple[PaperEntry, ...]
    reviews: tuple[Review, ...]
    unchanged: tuple[str, ...]
    dataset: Dataset
    left_out: tuple[Fault, ...]
    changes: tuple[str, ...]

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
    before = in_use.dataset
    changes = [line for one in changed for line in _changes(one, before)] if replace else []
    return Proposal(
        tuple(changed), tuple(reviews), unchanged, dataset, in_use.faults, tuple(changes)
    )


def _changes(entry: PaperEntry, before: Dataset) -> Iterator[str]:
    """Yield what a correction changes in the rows of its paper."""
    if entry.paper_id not in before.papers:
        return
    old = before.entry(entry.paper_id)
    for table, rows in entry.rows.items():
        new, gone = _without_equal(rows, old.rows[table])
        for row in new:
            key = _key(row)
            was = next((other for other in gone if _key(other) == key), None)
            if was is None:
                yield f"{table}: {key} is new"
                continue
            gone.remove(was)
            for column in (name for name in row if row[name] != was[name]):
                yield f"{key}: {column} {was[column] or '(empty)'} -> {row[column] or '(empty)'}"
        yield from (f"{table}: {_key(row)} is gone" for row in gone)


def _without_equal(rows: Sequence[Row], others: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Return the rows of each side that have no equal row on the other; each row counts once."""
    left, right = [], list(others)
    for row in rows:
        if row in right:
            right.remove(row)
        else:
            left.append(row)
    return left, right


def _key(row: Mapping[str, str]) -> str:
    """Return what a row is known by: its paper, its sample, or sample, stressor and condition."""
    parts = [row.get(name, "") for name in ("sample_id", "stressor", "condition")]
    return " ".join(part for part in parts if part) or row["paper_id"]


def _identity_faults(
    entries: Sequence[PaperEntry], dataset: Dataset, added: Iterable[str], *, replace: bool
) -> list[Fault]:
    """Return what is wrong with the names of papers, and those of papers they replace."""
    names = {*dataset.papers, *added}
    faults = []
    for entry in entries:
        file, line = entry.place(PAPERS.file, 0, "paper_id")
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
