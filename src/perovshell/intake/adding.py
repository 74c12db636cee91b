"""Taking papers in: everything is checked and shown before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from difflib import get_close_matches
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any, Final

from perovshell.data.columns import PAPERS
from perovshell.data.dataset import Dataset
from perovshell.data.formula import FormulaReader
from perovshell.data.lab_table import read_lab_table, read_mapping
from perovshell.data.materials import Materials
from perovshell.data.nodes import Node, parse_yaml
from perovshell.data.paper_entry import PaperEntry
from perovshell.data.paper_file import paper_nodes, paper_reader, read_papers, read_yaml
from perovshell.data.partial_paper import read_partly
from perovshell.data.tables import Row
from perovshell.errors import DatasetError, DocumentError, Fault, InputError, UnchangedError
from perovshell.intake.checks import Check
from perovshell.intake.review import Review, review
from perovshell.models.predictor import Predictor
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.materials import MaterialStore
from perovshell.workspace.papers import MergedDataset, PaperStore, file_name_fault

Source = Path | str | Mapping[str, Any]
"""Papers to add: a file or folder, the text of a YAML file (several lines), or its mapping."""
SOURCE: Final = "paper"
"""Name of a text or a mapping, for messages."""
IN_THE_DATA: Final = "in the data already; a correction of it needs replace=True"


@dataclass(frozen=True)
class Proposal:
    """Papers that may be taken in.

    Attributes:
        source: Name of the file or folder, for messages.
        entries: The papers.
        reviews: What a person should know of each.
        unchanged: Papers that are in the workspace already, word for word.
        dataset: The dataset with them.
        left_out: Faults of papers of the workspace, which are not used.
        changes: What a correction changes, a line each.
        materials: Shells that the papers introduce.
    """

    source: str
    entries: tuple[PaperEntry, ...]
    reviews: tuple[Review, ...]
    unchanged: tuple[str, ...]
    dataset: Dataset
    left_out: tuple[Fault, ...]
    changes: tuple[str, ...]
    materials: Materials = field(default_factory=Materials)

    @property
    def checks(self) -> tuple[Check, ...]:
        """Values that a person should look at, outliers included."""
        return tuple(check for each in self.reviews for check in each.checks)

    @property
    def outliers(self) -> tuple[Check, ...]:
        """Values that need an explicit acceptance."""
        return tuple(check for check in self.checks if check.is_outlier)

    def refuse_outliers(self) -> None:
        """Refuse values that need an explicit acceptance.

        Raises:
            InputError: There are some; all are listed.
        """
        if self.outliers:
            checks = "\n".join(f"  {check}" for check in self.outliers)
            msg = f"{self.source}: nothing is added; values need accept_outliers=True\n{checks}"
            raise InputError(msg)

    def lines(self) -> list[str]:
        """Return how the papers were understood and what a person should look at."""
        lines = [f"not used: {fault}" for fault in self.left_out]
        lines += [f"{name}: in the workspace already, word for word" for name in self.unchanged]
        for each in self.reviews:
            lines.append(f"{each.paper_id}: understood as")
            lines += [f"  {line}" for line in each.understood]
            lines += [f"  {line}" for line in self._superseded(each.paper_id)]
            lines += [f"  known: {line}" for line in each.known]
            lines += [f"  {check}" for check in each.checks if not check.is_outlier]
        lines += [
            f"new shell: {row['name']}, {row['class']}, {row['source']}"
            for row in self.materials.shells
        ]
        lines += [f"changed: {line}" for line in self.changes]
        withdrawn = [entry for entry in self.entries if entry.withdrawn]
        return lines + [f"{entry.paper_id}: withdrawn ({entry.withdrawn})" for entry in withdrawn]

    def _superseded(self, paper_id: str) -> Iterator[str]:
        for entry in self.entries:
            if entry.paper_id == paper_id and entry.supersedes:
                names = ", ".join(entry.supersedes)
                yield f"replaces {names}: the same study, whose rows leave the data"


@dataclass(frozen=True)
class Addition:
    """Papers that were added, or would be.

    Attributes:
        proposal: How they were understood.
        files: Their files in the workspace; empty of a dry run.
    """

    proposal: Proposal
    files: tuple[Path, ...]

    @property
    def papers(self) -> tuple[str, ...]:
        """Their paper_ids."""
        return tuple(entry.paper_id for entry in self.proposal.entries)

    def lines(self) -> list[str]:
        """Return the files and the dataset with the papers."""
        data = self.proposal.dataset.summary
        if not self.files:
            return [f"Dry run, nothing is added: {', '.join(self.papers)}", f"With it, {data}"]
        return [*(f"Added: {path}" for path in self.files), f"The data has {data}"]

    def __str__(self) -> str:
        """Return the lines as text."""
        return "\n".join(self.lines())

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "added": list(self.papers) if self.files else [],
            "files": [str(path) for path in self.files],
            "unchanged": list(self.proposal.unchanged),
            "checks": [asdict(check) for check in self.proposal.checks],
            "dataset_hash": self.proposal.dataset.content_hash,
        }


def propose(
    source: Source,
    workspace: WorkspaceFolder,
    base: Dataset,
    predictor: Predictor | None,
    *,
    replace: bool = False,
    columns: Path | str | None = None,
) -> Proposal:
    """Read papers, check them with all others, and review them.

    Args:
        source: A file or a folder with the tables of a set (see `data.paper_file.read_papers`),
            the text of a YAML file, or its mapping.
        workspace: The workspace.
        base: The dataset that the papers of the workspace are added to.
        predictor: The champion, where there is one.
        replace: Whether the papers correct papers of the same names.
        columns: The mapping file of a table of any columns; see `data.lab_table`.

    Raises:
        DocumentError: They break rules, alone or with the others; all faults are listed.
        InputError: The file cannot be read.
        UnchangedError: All papers are in the workspace already.
    """
    store = PaperStore(workspace)
    try:
        name, entries = _read(source, base.reader, columns)
    except DocumentError as error:
        nodes = () if columns is not None else _nodes(source)
        faults = _all_faults(nodes, store, base, replace=replace)
        raise (DocumentError(faults) if faults else error) from error
    materials = _introduced(entries, base)
    base = base.with_materials(materials)
    merged = store.merged(base)
    known = {entry.paper_id: entry for entry in merged.entries}
    unchanged = tuple(one.paper_id for one in entries if known.get(one.paper_id) == one)
    changed = [one for one in entries if one.paper_id not in unchanged]
    if not changed:
        raise UnchangedError(name, unchanged)
    dataset, wrong = _checked(changed, store, base, merged, replace=replace)
    if wrong:
        raise DatasetError(wrong)
    reviews = [
        review(dataset, one.paper_id, predictor, one.durations)
        for one in changed
        if not one.withdrawn
    ]
    before = merged.dataset
    changes = [line for one in changed for line in _changes(one, before)] if replace else []
    return Proposal(
        name,
        tuple(changed),
        tuple(reviews),
        unchanged,
        dataset,
        merged.faults,
        tuple(changes),
        materials,
    )


def _checked(
    entries: Sequence[PaperEntry],
    store: PaperStore,
    base: Dataset,
    merged: MergedDataset,
    *,
    replace: bool,
) -> tuple[Dataset, list[Fault]]:
    """Return the dataset with papers, or that without them and what is wrong with them."""
    names = {entry.paper_id for entry in entries}
    kept = [entry for entry in merged.entries if entry.paper_id not in names]
    # One that is damaged, and so not in use, can be replaced too.
    there = [name for name in names if not file_name_fault(name) and store.path_of(name).exists()]
    added = {*(entry.paper_id for entry in merged.entries), *there}
    faults = list(_identity_faults(entries, merged.dataset, added, replace=replace))
    try:
        return base.with_papers([*kept, *entries]), faults
    except DatasetError as error:
        return merged.dataset, [*faults, *error.faults]


def _all_faults(
    nodes: Sequence[Node], store: PaperStore, base: Dataset, *, replace: bool
) -> list[Fault]:
    """Return the faults of papers with faults: those of the text, and of what could be read."""
    partial = [read_partly(node, base.reader) for node in nodes]
    entries = [one.entry for one in partial if one.entry is not None]
    base = base.with_materials(_introduced(entries, base))
    _, further = _checked(entries, store, base, store.merged(base), replace=replace)
    for one in partial:
        further = list(one.further(further))
    return [*(fault for one in partial for fault in one.faults), *further]


def _introduced(entries: Sequence[PaperEntry], base: Dataset) -> Materials:
    """Return the shells of papers that the data does not know, each once."""
    rows = {row["name"]: row for entry in entries for row in entry.shells}
    return Materials(
        shells=tuple(row for name, row in rows.items() if not base.reader.shells.find(name))
    )


def _nodes(source: Source) -> tuple[Node, ...]:
    """Return the nodes of the papers of a source; none of one that is no YAML or JSON."""
    if isinstance(source, Mapping):
        return (Node(source, "paper"),)
    try:
        if isinstance(source, str) and "\n" in source:
            return (parse_yaml(source, "paper"),)
        return paper_nodes(Path(source))
    except DocumentError:
        return ()


def _read(
    source: Source, formulas: FormulaReader, columns: Path | str | None
) -> tuple[str, list[PaperEntry]]:
    """Return the name of a source and its papers."""
    if columns is not None:
        if isinstance(source, Mapping):
            msg = "columns: only a table has a mapping of its columns"
            raise InputError(msg)
        table = read_lab_table(Path(source), read_mapping(Path(columns)), formulas)
        return str(source), [table]
    if isinstance(source, Mapping):
        return SOURCE, [paper_reader(formulas).read(Node(source, SOURCE))]
    if isinstance(source, str) and "\n" in source:
        return SOURCE, [read_yaml(source, SOURCE, formulas)]
    return str(source), read_papers(Path(source), formulas)


def _changes(entry: PaperEntry, before: Dataset) -> Iterator[str]:
    """Yield what a correction changes in the rows of its paper."""
    if entry.paper_id not in before.papers:
        return
    old = before.entry(entry.paper_id)
    for table, rows in entry.rows.items():
        new, gone = _without_equal(rows, old.rows[table])
        for row, was in _pairs(new, gone):
            for column in (name for name in row if row[name] != was[name]):
                change = f"{was[column] or '(empty)'} -> {row[column] or '(empty)'}"
                yield f"{_key(was)}: {column} {change}"
        yield from (f"{table}: {_key(row)} is new" for row in new)
        yield from (f"{table}: {_key(row)} is gone" for row in gone)


def _pairs(new: list[Row], gone: list[Row]) -> Iterator[tuple[Row, Row]]:
    """Take the rows that were changed out of both lists, and yield each with what it was.

    A row is first looked for by all that identifies it, then without the condition of a test.
    """
    for identify in (_key, _key_without_condition):
        for row in list(new):
            same = [other for other in gone if identify(other) == identify(row)]
            if same:
                was = max(same, key=partial(_n_equal, row))
                new.remove(row)
                gone.remove(was)
                yield row, was


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
    """Return what identifies a row: its paper, its sample, or sample, stressor and condition."""
    parts = [row.get(name, "") for name in ("sample_id", "stressor", "condition")]
    return " ".join(part for part in parts if part) or row["paper_id"]


def _n_equal(row: Row, other: Row) -> int:
    return sum(map(eq, row.items(), other.items()))


def _key_without_condition(row: Mapping[str, str]) -> str:
    return _key({**row, "condition": ""})


def _identity_faults(
    entries: Sequence[PaperEntry], dataset: Dataset, added: Iterable[str], *, replace: bool
) -> Iterator[Fault]:
    """Yield what is wrong with the names of papers, and those of papers they replace."""
    names = {*dataset.papers, *added}

    def fault(entry: PaperEntry, column: str, name: str, rule: str) -> Fault:
        return Fault(*entry.locate(PAPERS.file, 0, column), column, name, rule)

    for entry in entries:
        paper_id = entry.paper_id
        if rule := file_name_fault(paper_id):
            yield fault(entry, "paper_id", paper_id, rule)
        if paper_id in names and not replace:
            yield fault(entry, "paper_id", paper_id, IN_THE_DATA)
        if paper_id not in names and replace:
            rule = (
                f"no such paper to replace; without replace it is added{_nearest(paper_id, names)}"
            )
            yield fault(entry, "paper_id", paper_id, rule)
        for column in ("supersedes", "distinct_from"):
            for name in getattr(entry, column):
                if name not in names or name == paper_id:
                    rule = f"no such other paper in the data{_nearest(name, names)}"
                    yield fault(entry, column, name, rule)


def _nearest(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name, sorted(names), n=3)
    return f"; nearest: {', '.join(close)}" if close else ""


def accept(
    proposal: Proposal, workspace: WorkspaceFolder, base: Dataset, *, replace: bool = False
) -> Addition:
    """Write proposed papers, each in one step.

    Raises:
        DatasetError: They break a rule together with what somebody else added in the meantime.
        InputError: Somebody else added one of them in the meantime.
        WorkspaceError: The workspace is not writable.
    """
    store = PaperStore(workspace)
    names = {entry.paper_id for entry in proposal.entries}
    MaterialStore(workspace).add(proposal.materials)
    base = base.with_materials(proposal.materials)
    with workspace.locked("papers", wait=True):
        others = [entry for entry in store.merged(base).entries if entry.paper_id not in names]
        base.with_papers([*others, *proposal.entries])
        files = [store.put(entry, replace=replace) for entry in proposal.entries]
    return Addition(proposal, tuple(files))
