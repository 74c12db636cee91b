"""Papers as rows of the dataset's tables in a folder of their own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from perovshell.data.columns import PAPERS, SAMPLES, TABLES, TESTS
from perovshell.data.paper_entry import PaperEntry, in_sample_order
from perovshell.data.tables import Row, read_table
from perovshell.data.validation import FaultList, numbered
from perovshell.errors import DatasetError, Fault, InputError

_Numbered = list[tuple[int, Row]]


def read_folder(folder: Path) -> list[PaperEntry]:
    """Read papers.csv, samples.csv and, where there is one, stability.csv.

    Args:
        folder: The folder.

    Returns:
        One entry a paper, in the order of papers.csv.

    Raises:
        DatasetError: A table cannot be read, or a row belongs to no paper or sample of the folder.
    """
    file = f"{folder.name}/"
    tables: dict[str, _Numbered] = {}
    faults: list[Fault] = []
    for name, table in TABLES.items():
        tables[name] = []
        if name == TESTS.file and not (folder / name).exists():
            continue
        own = FaultList(f"{file}{name}")
        try:
            header, rows = read_table(folder / name)
        except InputError as error:
            own.add(0, "", "", str(error).removeprefix(name).lstrip(":, "))
        else:
            if own.columns(header, table):
                tables[name] = list(numbered(table.filled(rows)))
        faults += own.faults
    if faults:
        raise DatasetError(faults)
    _check_identities(file, tables)
    return _entries(file, tables)


def _check_identities(file: str, tables: Mapping[str, _Numbered]) -> None:
    """Refuse what cannot be sorted by paper: identities that stand twice, or nowhere."""
    papers, samples, tests = (FaultList(f"{file}{name}") for name in TABLES)
    paper_ids: dict[str, int] = {}
    for line, row in tables[PAPERS.file]:
        papers.unique(line, row, "paper_id", paper_ids)
    sample_ids: dict[str, int] = {}
    for line, row in tables[SAMPLES.file]:
        samples.unique(line, row, "sample_id", sample_ids)
        if row["paper_id"] not in paper_ids:
            rule = f"no such paper_id in {papers.file}"
            samples.add(line, "paper_id", row["paper_id"], rule)
    for line, row in tables[TESTS.file]:
        if row["sample_id"] not in sample_ids:
            rule = f"no such sample_id in {samples.file}"
            tests.add(line, "sample_id", row["sample_id"], rule)
    if not paper_ids:
        papers.add(0, "", "", "no rows; at least one paper is needed")
    faults = papers.faults + samples.faults + tests.faults
    if faults:
        raise DatasetError(faults)


def _entries(file: str, tables: Mapping[str, _Numbered]) -> list[PaperEntry]:
    paper_of = {row["sample_id"]: row["paper_id"] for _, row in tables[SAMPLES.file]}
    own: dict[str, dict[str, _Numbered]] = defaultdict(lambda: {name: [] for name in TABLES})
    for name, rows in tables.items():
        for line, row in rows:
            paper_id = row["paper_id"] if "paper_id" in row else paper_of[row["sample_id"]]
            own[paper_id][name].append((line, row))
    return [_entry(file, parts) for parts in own.values()]


def _entry(file: str, parts: Mapping[str, Sequence[tuple[int, Row]]]) -> PaperEntry:
    samples = [row for _, row in parts[SAMPLES.file]]
    line_of = {id(row): line for rows in parts.values() for line, row in rows}
    tests = in_sample_order(samples, [row for _, row in parts[TESTS.file]])
    return PaperEntry(
        paper=parts[PAPERS.file][0][1],
        samples=tuple(samples),
        tests=tuple(tests),
        file=file,
        lines={
            (name, index, ""): line_of[id(row)]
            for name, rows in (
                (PAPERS.file, [parts[PAPERS.file][0][1]]),
                (SAMPLES.file, samples),
                (TESTS.file, tests),
            )
            for index, row in enumerate(rows)
        },
    )
