"""One paper as it enters the dataset: its rows, and how it relates to other papers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from perovshell.data.columns import PAPERS, SAMPLES, TABLES, TESTS
from perovshell.data.tables import Row, numbered
from perovshell.errors import InputError


@dataclass(frozen=True)
class PaperEntry:
    """One paper as it enters the dataset.

    Attributes:
        paper: Its row, with all columns of papers.csv.
        samples: Its samples, with all columns of samples.csv and texts as there.
        tests: Its stability tests, with all columns of stability.csv, in the order of the samples.
        supersedes: The paper_ids whose rows it replaces: the same study, read in a review.
        distinct_from: The paper_ids it resembles and is no copy of.
        shells: Rows of the shell table that it introduces.
        withdrawn: Why its results no longer count (retraction, removal); empty where they count.
        file: Where it was read, for messages; a folder of tables ends with `/`.
        lines: Line in the file by table, index of the row in the entry, and column (empty for the
            row as a whole).
        printed: Numbers and durations as the file has them, by the same keys, where that differs
            from the cell: `160 min` of 2.66667.

    Raises:
        InputError: A row has other columns than its table, or belongs to another paper or sample.
    """

    paper: Row
    samples: tuple[Row, ...]
    tests: tuple[Row, ...]
    supersedes: tuple[str, ...] = ()
    distinct_from: tuple[str, ...] = ()
    withdrawn: str = ""
    shells: tuple[Row, ...] = field(default=(), compare=False)
    file: str = field(default="", compare=False)
    lines: Mapping[tuple[str, int, str], int] = field(
        default_factory=dict, compare=False, repr=False
    )
    printed: Mapping[tuple[str, int, str], str] = field(
        default_factory=dict, compare=False, repr=False
    )

    def __post_init__(self) -> None:
        for name, rows in self.rows.items():
            for row in rows:
                wrong = ", ".join(sorted(row.keys() ^ TABLES[name].by_name.keys()))
                if wrong:
                    msg = f"paper entry: a row of {name} with missing or unknown columns: {wrong}"
                    raise InputError(msg)
        for row in self.samples:
            if row["paper_id"] != self.paper_id:
                msg = f"paper {self.paper_id}: sample of another paper, {row['paper_id']!r}"
                raise InputError(msg)
        if list(self.tests) != _in_sample_order(self.samples, self.tests):
            msg = f"paper {self.paper_id}: its tests are not in the order of its samples"
            raise InputError(msg)

    @property
    def paper_id(self) -> str:
        """Identity of the paper."""
        return self.paper["paper_id"]

    @property
    def rows(self) -> dict[str, tuple[Row, ...]]:
        """Its rows by table."""
        return {PAPERS.file: (self.paper,), SAMPLES.file: self.samples, TESTS.file: self.tests}

    def printed_row(self, table: str, index: int) -> dict[str, str]:
        """Return what the numbers of a row were read from, by column; see `printed`."""
        return {
            column: text
            for (name, row, column), text in self.printed.items()
            if (name, row) == (table, index)
        }

    @property
    def durations(self) -> tuple[dict[str, str], ...]:
        """How the durations of each test are printed, by side; see `printed`."""
        end = "_duration_h"
        return tuple(
            {
                column.removesuffix(end): text
                for column, text in self.printed_row(TESTS.file, index).items()
                if column.endswith(end)
            }
            for index in range(len(self.tests))
        )

    def locate(self, table: str, index: int, column: str) -> tuple[str, int]:
        """Return the file and the line of a cell, or of its row if the cell has no line."""
        if not self.file:
            return f"paper {self.paper_id}", 0
        file = f"{self.file}{table}" if self.file.endswith("/") else self.file
        return file, self.lines.get((table, index, column), self.lines.get((table, index, ""), 0))


def split_papers(rows: Mapping[str, Sequence[Row]], folder: str = "") -> dict[str, PaperEntry]:
    """Return the papers of checked tables by paper_id, in the order of papers.csv.

    Args:
        rows: Rows by file name.
        folder: Folder of the files with a `/` behind it, for messages.
    """
    paper_of = {row["sample_id"]: row["paper_id"] for row in rows[SAMPLES.file]}
    rank_of = {name: rank for rank, name in enumerate(paper_of)}
    parts: dict[str, dict[str, list[tuple[int, Row]]]] = {
        row["paper_id"]: {name: [] for name in TABLES} for row in rows[PAPERS.file]
    }
    for name in TABLES:
        for line, row in numbered(rows[name]):
            paper_id = paper_of[row["sample_id"]] if name == TESTS.file else row["paper_id"]
            parts[paper_id][name].append((line, row))
    entries = {}
    for paper_id, part in parts.items():
        part[TESTS.file].sort(key=lambda numbered: rank_of[numbered[1]["sample_id"]])
        ((_, paper),), samples, tests = part.values()
        lines = {
            (name, index, ""): line
            for name, table in part.items()
            for index, (line, _) in enumerate(table)
        }
        entries[paper_id] = PaperEntry(
            paper,
            tuple(row for _, row in samples),
            tuple(row for _, row in tests),
            file=folder,
            lines=lines,
        )
    return entries


def _in_sample_order(samples: Iterable[Row], tests: Iterable[Row]) -> list[Row]:
    """Return tests in the order of their samples; those of one sample keep their order.

    Raises:
        InputError: A test belongs to none of the samples.
    """
    ranks = {row["sample_id"]: rank for rank, row in enumerate(samples)}
    for test in tests:
        if test["sample_id"] not in ranks:
            msg = f"stability test of {test['sample_id']!r}: no such sample_id in its paper"
            raise InputError(msg)
    return sorted(tests, key=lambda test: ranks[test["sample_id"]])
