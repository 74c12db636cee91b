"""Reading a table that a spreadsheet wrote, as far as it can be read in one way only.

Spreadsheets write `;` or tabs between cells, `sep=;` above them, titles, empty columns and rows,
and texts in UTF-16 or Windows-1252. What could be read in two ways is refused with the line.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from perovshell.data.tables import Row, Source, read_bytes, refuse_twice, split_cells
from perovshell.errors import InputError

_UTF8: Final = "save it as CSV in UTF-8"
_SEPARATORS: Final = {",": "commas", ";": "semicolons", "\t": "tabs"}
_SEP_LINE: Final = re.compile(r'"?sep=(?P<sign>[,;\t])"?[,;\t]*(?:\r\n?|\n|$)', re.IGNORECASE)
_LINE_END: Final = re.compile(r"\r\n?|\n")
_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Encodings by the mark that a file begins with; that of UTF-32 begins with one of UTF-16."""
_WORKBOOKS: Final = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
_NOT_WESTERN: Final = re.compile(rb"[\x80-\xff]{3}|[\x80-\xde][\x80-\xff]|[\x80-\xff][\x80-\xde]")
"""Bytes beyond ASCII that follow one another: in Western text but two small letters do, as in
`öß`; in the encodings of other scripts they come in long rows."""
_TITLE_LINES: Final = 20
"""Lines among which the header is looked for."""
_DECIMAL_COMMA: Final = re.compile(r"[-+]?[0-9]+,[0-9]+", re.ASCII)
_DOTTED_THOUSANDS: Final = re.compile(r"[-+]?[1-9][0-9]{0,2}\.[0-9]{3}", re.ASCII)
_THOUSANDS: Final = re.compile(r"[-+]?[1-9][0-9]{0,2},[0-9]{3}", re.ASCII)


@dataclass(frozen=True)
class Sheet:
    """A table of a spreadsheet.

    Attributes:
        header: The column names.
        rows: One dictionary a row; cells are stripped of outer blanks.
        separator: The sign between cells.
        row: Row of the file that the header is.
    """

    header: list[str]
    rows: list[Row]
    separator: str
    row: int

    def with_decimal_points(self, columns: Collection[str]) -> Sheet:
        """Return the table with decimal points in columns of numbers.

        Between commas or tabs, `1,234` may also be a thousand: it is left as it is, and refused
        where the number is read.

        Raises:
            InputError: `1.234` stands beside decimal commas, and may be a thousand.
        """
        cells = [(name, row[name]) for row in self.rows for name in columns if name in row]
        if any(_DECIMAL_COMMA.fullmatch(cell) for _, cell in cells):
            for name, cell in cells:
                if _DOTTED_THOUSANDS.fullmatch(cell):
                    msg = (
                        f"column {name!r}: {cell!r} beside decimal commas may be a thousand; "
                        f"write it without the point, or all decimals with one"
                    )
                    raise InputError(msg)
        rows = [
            {name: self._pointed(cell) if name in columns else cell for name, cell in row.items()}
            for row in self.rows
        ]
        return replace(self, rows=rows)

    def _pointed(self, cell: str) -> str:
        if self.separator != ";" and _THOUSANDS.fullmatch(cell):
            return cell
        return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def read_sheet(source: Source, is_header: Callable[[Sequence[str]], bool]) -> Sheet:
    """Read a table that a spreadsheet wrote.

    Args:
        source: The file: UTF-8, UTF-16, or Windows-1252 where its signs beyond ASCII are few;
            lines end in LF, CRLF or CR. Commas, semicolons or tabs are between the cells. Wholly
            empty rows and columns are left out, and so is a title above the header.
        is_header: Whether the cells of a line are the column names.

    Raises:
        InputError: The file cannot be read, or in more than one way; the line is named.
    """
    name = source.name or str(source)
    text = _text(name, read_bytes(source))
    if not text.strip():
        msg = f"{name}: the file is empty; a header line with column names is needed"
        raise InputError(msg)
    stated = _SEP_LINE.match(text)
    signs, start = (stated["sign"], stated.end()) if stated else ("".join(_SEPARATORS), 0)
    row = 2 if stated else 1
    first = _LINE_END.split(text[start:], _TITLE_LINES)[:_TITLE_LINES]
    separator = _separator(first, signs, is_header)
    if not separator:
        # The caller says which columns the header lacks.
        separator = max(signs, key=lambda sign: len(_cells(first[0], sign)))
        return Sheet(_cells(first[0], separator), [], separator, row)
    numbered = list(enumerate(split_cells(name, text[start:], separator), start=row))
    at = next(index for index, (_, cells) in enumerate(numbered) if is_header(cells))
    for above, cells in numbered[:at]:
        if sum(map(bool, cells)) > 1:
            where = f"the column names are in row {numbered[at][0]}"
            msg = f"{name}, row {above}: {where}; remove the rows above them"
            raise InputError(msg)
    header, rows = _table(name, numbered[at:], separator)
    return Sheet(header, rows, separator, numbered[at][0])


def _separator(lines: Sequence[str], signs: str, is_header: Callable[[Sequence[str]], bool]) -> str:
    """Return the sign that splits one of the first lines into column names; else an empty text."""
    candidates = (sign for line in lines for sign in signs if is_header(_cells(line, sign)))
    return next(candidates, "")


def _cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cells in csv.reader([line], delimiter=separator) for cell in cells]


def _table(
    name: str, lines: Sequence[tuple[int, list[str]]], separator: str
) -> tuple[list[str], list[Row]]:
    """Return the header and the rows of numbered lines, without empty rows and columns."""
    (first, names), *others = lines
    filled = [(row, cells) for row, cells in others if any(cells)]
    width = len(names)
    for row, cells in filled:
        if len(cells) < width or any(cells[width:]):
            msg = (
                f"{name}, row {row}: {len(cells)} cells where the header has {width}; "
                f"{_SEPARATORS[separator]} separate cells, and quotes enclose a cell with one"
            )
            raise InputError(msg)
    kept = [i for i, column in enumerate(names) if column or any(c[i] for _, c in filled)]
    header = [names[index] for index in kept]
    if header.count("") > 1:
        msg = f"{name}, row {first}: {header.count('')} columns with cells have no name; name them"
        raise InputError(msg)
    refuse_twice(name, header)
    return header, [{names[index]: cells[index] for index in kept} for _, cells in filled]


def _text(name: str, content: bytes) -> str:
    """Return the text of a file in the one encoding that it can be in.

    Raises:
        InputError: There is none, or several are possible.
    """
    if content.startswith(_WORKBOOKS):
        msg = f"{name}: a workbook of a spreadsheet; {_UTF8}"
        raise InputError(msg)
    encoding = next((code for mark, code in _MARKS.items() if content.startswith(mark)), "")
    if not encoding and b"\0" in content[:2]:
        encoding = "utf-16-be" if content.startswith(b"\0") else "utf-16-le"
    try:
        return content.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        if not encoding and not _NOT_WESTERN.search(content):
            with suppress(UnicodeDecodeError):
                return content.decode("cp1252")
        msg = f"{name}, row {row}: text of an unknown encoding (byte {error.start}); {_UTF8}"
        raise InputError(msg) from error
