"""Cells of an Excel workbook as the texts that a person sees in it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from perovshell.errors import InputError
from perovshell.optional import import_optional

ZIP: Final = b"PK\x03\x04"
"""How an `.xlsx` file begins."""
OLD: Final = b"\xd0\xcf\x11\xe0"
"""How an `.xls` file begins, and an encrypted `.xlsx` file."""

_MOST_CELLS: Final = 2_000_000
"""Most cells of a sheet, the empty ones among them: each takes time and memory."""

Lines = list[tuple[int, list[str]]]
"""Numbered rows of cells."""


def read_workbook(name: str, content: bytes) -> Mapping[str, Lines]:
    """Return the rows of each sheet of a workbook, by the name of the sheet.

    A number is written as Python writes it, one that is shown as a percent with its sign, and a
    formula as its stored value.

    Args:
        name: Name of the file, for messages.
        content: The file.

    Raises:
        InputError: It is no workbook, a sheet is too large, or a formula has no stored value.
        MissingExtraError: openpyxl is not installed.
    """
    openpyxl = import_optional("openpyxl", "reading an Excel workbook", "excel")
    try:
        values = openpyxl.load_workbook(io.BytesIO(content), data_only=True)
        formulas = openpyxl.load_workbook(io.BytesIO(content))
    except Exception as error:
        # openpyxl raises errors of many kinds where a file is damaged.
        msg = f"{name}: cannot be read as an Excel workbook ({error}); save it as CSV in UTF-8"
        raise InputError(msg) from error
    for sheet in values.worksheets:
        if sheet.max_row * sheet.max_column > _MOST_CELLS:
            msg = (
                f"{name}, sheet {sheet.title!r}: {sheet.max_row:,} rows and {sheet.max_column:,} "
                f"columns up to the last cell, at most {_MOST_CELLS:,} cells are read; delete the "
                f"rows and columns beyond the table"
            )
            raise InputError(msg)
    return {
        sheet.title: [
            (row, [_text(f"{name}, sheet {sheet.title!r}", *pair) for pair in pairs])
            for row, pairs in enumerate(
                (zip(*rows, strict=True) for rows in _rows(sheet, formulas[sheet.title])), start=1
            )
        ]
        for sheet in values.worksheets
    }


def _rows(values: Any, formulas: Any) -> Iterable[tuple[Any, Any]]:
    """Return the rows of a sheet with its values, and with its formulas."""
    return zip(values.iter_rows(min_row=1), formulas.iter_rows(min_row=1), strict=True)


def _text(where: str, cell: Any, formula: Any) -> str:
    """Return a cell as the text that is seen."""
    value = cell.value
    if value is None:
        if formula.value is None:
            return ""
        msg = (
            f"{where}, cell {cell.coordinate}: a formula without a stored value; open the workbook "
            "in a spreadsheet program and save it"
        )
        raise InputError(msg)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        is_percent = "%" in str(cell.number_format)
        return f"{_number(value * 100)} %" if is_percent else _number(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else str(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value).strip()


def _number(value: float) -> str:
    """Return a number with the 15 digits that a spreadsheet keeps, without an exponent."""
    return f"{Decimal(f'{value:.15g}'):f}"
