"""The faults of one file of the dataset, collected with where they were read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from perovshell.data.columns import Table
from perovshell.data.paper_fields import key_path
from perovshell.data.spelling import near_name
from perovshell.data.tables import Row
from perovshell.errors import Fault, line_text

Locate: TypeAlias = Callable[[str, int, str], tuple[str, int]]
"""Returns the file and line where a cell was read, by table, row and column (empty: the row)."""


def in_table(table: str, row: int, _column: str) -> tuple[str, int]:
    """Locate a cell in the table itself."""
    return table, row


@dataclass
class FaultList:
    """Collects the faults of one file; `row` is the line in the file."""

    file: str
    faults: list[Fault] = field(default_factory=list)
    locate: Locate = in_table

    def add(self, row: int, column: str, value: str, rule: str) -> None:
        """Note one fault."""
        file, line = self.locate(self.file, row, column)
        name = column if file.endswith(".csv") else key_path(self.file, column)
        self.faults.append(Fault(file, line, name, value, rule))

    def row_text(self, row: int, other: int) -> str:
        """Return the position of a row in words, for a message about another row."""
        file, line = self.locate(self.file, row, "")
        files = [] if file == self.locate(self.file, other, "")[0] else [file]
        return ", ".join([*files, *([line_text(file, line)] if line else [])]) or file

    def columns(self, header: Sequence[str], table: Table) -> bool:
        """Check the header; return whether the rows can be read at all."""
        for name in table.missing(header):
            self.add(1, name, "", "this column is missing")
        for name in header:
            if name not in table.by_name:
                near = near_name(name, table.names)
                hint = f"; nearest: {near}" if near else ""
                self.add(1, name, "", f"unknown column{hint}; allowed: {', '.join(table.names)}")
        return not table.missing(header)

    def cells(self, row: int, cells: Row, table: Table) -> Mapping[str, float]:
        """Check each cell by itself; return the numbers, NaN where empty or at fault."""
        for column in table.columns:
            rule = column.fault(cells[column.name])
            if rule:
                self.add(row, column.name, cells[column.name], rule)
        numbers = (column for column in table.columns if column.kind == "number")
        return {column.name: column.number(cells[column.name]) for column in numbers}

    def unique(self, row: int, cells: Row, column: str, seen: dict[str, int]) -> None:
        """Check that no other row has the identity of this one."""
        text = cells[column]
        if text and text in seen:
            self.add(row, column, text, f"given already in {self.row_text(seen[text], row)}")
        seen.setdefault(text, row)
