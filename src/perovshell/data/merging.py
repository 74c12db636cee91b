"""The tables of a dataset together with papers that were added one by one."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from perovshell.data.columns import PAPERS, SAMPLES, TABLES, TESTS
from perovshell.data.paper_entry import PaperEntry
from perovshell.data.tables import Row
from perovshell.errors import Fault, line_text

_Origin: TypeAlias = tuple[PaperEntry | None, int]
"""The entry a row comes from (None: the dataset) and its index there."""


@dataclass(frozen=True)
class Merged:
    """Tables and entries as one.

    Attributes:
        rows: Rows by table: those of the dataset that stay, then those of the entries.
        origins: For each row by table, the entry it comes from and its index there.
        distinct: Pairs of paper_ids that the entries declare to be no copies.
        older: For each entry that supersedes papers, their names, and those of what they supersede.
        faults: What the entries contradict one another in.
    """

    rows: Mapping[str, tuple[Row, ...]]
    origins: Mapping[str, Sequence[_Origin]]
    distinct: frozenset[frozenset[str]]
    older: Mapping[str, frozenset[str]]
    faults: tuple[Fault, ...]

    def locate(self, table: str, row: int, column: str) -> tuple[str, int]:
        """Return the file and line a cell was read in, by its row in the merged table."""
        if row <= _HEADER:
            return table, row
        entry, index = self.origins[table][row - _HEADER - 1]
        if entry is None:
            return table, index + _HEADER + 1
        return entry.locate(table, index, column)


_HEADER = 1
"""Row of the header; those of a table are counted from there."""


def merge(rows: Mapping[str, Sequence[Row]], entries: Sequence[PaperEntry]) -> Merged:
    """Merge entries into the rows of a dataset.

    A paper whose paper_id an entry has is replaced by it. A paper that an entry supersedes is left
    out, also where it is an entry itself. So is a withdrawn one, with what it supersedes: the same
    study, read in a review, is no better than the study.

    Args:
        rows: Rows of the dataset by table.
        entries: The entries; a fault of two of them is reported for the later one.
    """
    chosen: dict[str, PaperEntry] = {}
    faults: list[Fault] = []
    for entry in entries:
        first = chosen.setdefault(entry.paper_id, entry)
        if first is not entry:
            file, line = first.locate(PAPERS.file, 0, "paper_id")
            rule = f"given already in {file}" + (f", {line_text(file, line)}" if line else "")
            faults.append(_fault(entry, "paper_id", entry.paper_id, rule))
    older = {entry.paper_id: entry.supersedes for entry in chosen.values()}
    for name in older:
        if name in _all_older(name, older):
            rule = "supersedes itself, or is superseded by a paper it supersedes"
            entry = chosen[name]
            faults.append(_fault(entry, "supersedes", ", ".join(entry.supersedes), rule))
    superseded = {name for names in older.values() for name in names}
    counting = [entry for entry in chosen.values() if not entry.withdrawn]
    kept = [entry for entry in counting if entry.paper_id not in superseded]
    sources = _sources(rows, {*chosen, *superseded}, kept)
    return Merged(
        rows={name: tuple(row for row, _ in rows) for name, rows in sources.items()},
        origins={name: [origin for _, origin in rows] for name, rows in sources.items()},
        distinct=frozenset(frozenset((e.paper_id, name)) for e in kept for name in e.distinct_from),
        older={e.paper_id: frozenset(_all_older(e.paper_id, older)) for e in kept if e.supersedes},
        faults=tuple(faults),
    )


def _fault(entry: PaperEntry, column: str, value: str, rule: str) -> Fault:
    file, line = entry.locate(PAPERS.file, 0, column)
    return Fault(file, line, column, value, rule)


def _all_older(name: str, older: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the papers that one supersedes, and those that these supersede, and so on."""
    names: set[str] = set()
    open_names = list(older[name])
    while open_names:
        other = open_names.pop()
        if other not in names:
            names.add(other)
            open_names += older.get(other, ())
    return names


def _sources(
    rows: Mapping[str, Sequence[Row]], left_out: Collection[str], kept: Sequence[PaperEntry]
) -> dict[str, list[tuple[Row, _Origin]]]:
    """Return the rows of each table with their origins."""
    paper_of = {row["sample_id"]: row["paper_id"] for row in rows[SAMPLES.file]}
    sources: dict[str, list[tuple[Row, _Origin]]] = {}
    for name in TABLES:
        sources[name] = [
            (row, (None, index))
            for index, row in enumerate(rows[name])
            if (paper_of[row["sample_id"]] if name == TESTS.file else row["paper_id"])
            not in left_out
        ]
        for entry in kept:
            sources[name] += [(row, (entry, i)) for i, row in enumerate(entry.rows[name])]
    return sources
