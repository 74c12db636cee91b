"""Measurements of a laboratory: a table of any column names, read by a mapping of its columns.

The mapping is a small file. What it calls a paper is one campaign of the laboratory: all rows of
the table. The rows of one campaign share the weight of one paper, so replicates do not outvote the
literature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from perovshell.data.columns import SAMPLES, TESTS
from perovshell.data.formula import FormulaReader
from perovshell.data.nodes import Node, parse_yaml
from perovshell.data.paper_entry import PaperEntry
from perovshell.data.paper_fields import SIDES, paper_fields, sample_fields, stability_fields
from perovshell.data.paper_file import paper_reader
from perovshell.data.schema import Key, Values, record, text
from perovshell.data.shells import is_none
from perovshell.data.spelling import near_name
from perovshell.data.spreadsheet import Sheet, read_sheet
from perovshell.data.tables import Row
from perovshell.data.vocabulary import STRESSORS
from perovshell.errors import DocumentError, Fault, InputError

_OF_SIDE: Final = ("duration", "percent")
_OF_TEST: Final = tuple(field.key for field in stability_fields() if field.key != "stressor")
_OF_COATED: Final = frozenset({"structure", "encapsulation"})
"""Keys whose value for all rows is that of the coated ones."""
_OF_SAMPLE: Final = tuple(field.key for field in sample_fields())


@dataclass(frozen=True)
class ColumnMap:
    """How the columns of a table are read.

    Attributes:
        paper: Keys of the campaign: paper_id, title, year, source, ...
        columns: Columns of the table by key.
        same: Values that all rows have, by key.
    """

    paper: Mapping[str, str]
    columns: Mapping[str, str]
    same: Mapping[str, str]


def allowed_keys() -> tuple[str, ...]:
    """Return the keys that a column may have: those of a sample, and of its tests by stressor.

    Example:
        >>> "water.coated.percent" in allowed_keys(), "plqy_percent" in allowed_keys()
        (True, True)
    """
    of_tests = [
        f"{stressor}.{key}"
        for stressor in STRESSORS
        for key in (*_OF_TEST, *(f"{side}.{key}" for side in SIDES for key in _OF_SIDE))
    ]
    return (*_OF_SAMPLE, *of_tests)


def read_mapping(path: Path) -> ColumnMap:
    """Read a mapping file.

    Raises:
        DocumentError: It breaks its declaration; all faults are listed.
        InputError: It cannot be read.
    """
    try:
        written = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read ({error})"
        raise InputError(msg) from error
    cell = text("a name or a value")
    values = record(*(Key(key, cell, help=key) for key in allowed_keys()))
    declared = record(
        *(
            Key(field.key, cell, required=field.key == "paper_id", help=field.key)
            for field in paper_fields()
        ),
        Key("columns", values, required=True, help="Columns of the table by key."),
        Key("same", values, help="Values that all rows have, by key."),
    ).read(parse_yaml(written, path.name))
    given = {key: value for key, value in declared.items() if isinstance(value, str)}
    return ColumnMap(given, _texts(declared["columns"]), _texts(declared["same"]))


def _texts(values: Values | None) -> dict[str, str]:
    return {key: value for key, value in (values or {}).items() if value}


def read_lab_table(path: Path, mapping: ColumnMap, formulas: FormulaReader) -> PaperEntry:
    """Read the rows of a table as the samples of one campaign.

    Args:
        path: A table with separators and decimal signs as a spreadsheet writes them, or an Excel
            workbook.
        mapping: How its columns are read.
        formulas: Reads cores and shells.

    Raises:
        DocumentError: A cell breaks a rule; all faults are listed, by row and column.
        InputError: The table cannot be read, or lacks a column of the mapping.
    """
    wanted = [*mapping.columns.values()]
    sheet = read_sheet(path, lambda cells: {*wanted} <= {*cells})
    lost = [column for column in wanted if column not in sheet.header]
    if lost:
        near = near_name(lost[0], sheet.header)
        hint = f"; nearest: {near}" if near else ""
        msg = f"{path.name}: no column {', '.join(map(repr, lost))}{hint}"
        raise InputError(msg)
    numbers = [column for key, column in mapping.columns.items() if key not in {"core", "shell"}]
    sheet = sheet.with_decimal_points(numbers)
    samples = [_sample(row, number, mapping) for number, row in enumerate(sheet.rows, start=1)]
    document = {**mapping.paper, "samples": samples}
    try:
        entry = paper_reader(formulas).read(Node(document, path.name))
    except DocumentError as error:
        raise DocumentError(_by_row(path, sheet, mapping, formulas, error)) from error
    row_of = {
        row["sample_id"]: number for row, number in zip(entry.samples, sheet.numbers, strict=True)
    }
    tables = {SAMPLES.file: entry.samples, TESTS.file: entry.tests}
    lines = {
        (table, index, ""): row_of[row["sample_id"]]
        for table, rows in tables.items()
        for index, row in enumerate(rows)
    }
    return replace(entry, lines=lines)


def _sample(row: Row, number: int, mapping: ColumnMap) -> dict[str, Any]:
    """Return a row as a sample of a paper file."""
    given = {key: row[column] for key, column in mapping.columns.items() if row[column]}
    is_bare = is_none(given.get("shell", mapping.same.get("shell", "")))
    sample: dict[str, Any] = {"name": f"row{number}"}
    tests: dict[str, dict[str, Any]] = {}
    for key, cell in {**mapping.same, **given}.items():
        stressor, *path = key.split(".")
        if not path:
            # What all coated rows have is none of an uncoated one.
            sample |= {key: cell} if key in given or not (is_bare and key in _OF_COATED) else {}
        elif len(path) == 1:
            tests.setdefault(stressor, {})[path[0]] = cell
        elif any(other.startswith(f"{stressor}.{path[0]}.") for other in given):
            # The readings of an uncoated row are its own.
            side = "bare" if is_bare else path[0]
            tests.setdefault(stressor, {}).setdefault(side, {})[path[1]] = cell
    measured = [
        {"stressor": stressor, **test} for stressor, test in tests.items() if {*SIDES} & {*test}
    ]
    return sample | ({"stability": measured} if measured else {})


def _by_row(
    path: Path, sheet: Sheet, mapping: ColumnMap, formulas: FormulaReader, error: DocumentError
) -> Iterator[Fault]:
    """Yield the faults of each row with its row and its column."""
    column_of = dict(mapping.columns)
    found = False
    for number, (row, line) in enumerate(zip(sheet.rows, sheet.numbers, strict=True), start=1):
        document = {**mapping.paper, "samples": [_sample(row, number, mapping)]}
        try:
            paper_reader(formulas).read(Node(document, path.name))
        except DocumentError as alone:
            for fault in alone.faults:
                key = fault.column.removeprefix("samples.")
                name = next((c for k, c in column_of.items() if _same_key(k, key)), key)
                found = True
                yield Fault(f"{path.name}", line, name, fault.value, fault.rule)
    if not found:
        yield from error.faults


def _same_key(key: str, path: str) -> bool:
    """Whether a key of the mapping is that of a path such as `stability.coated.percent`."""
    _, *inner = key.split(".")
    return key == path or (bool(inner) and path == ".".join(["stability", *inner]))
