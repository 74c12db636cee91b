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
from dataclasses import dataclass, field, replace
from typing import Final

from perovshell.data import workbook
from perovshell.data.tables import Row, Source, read_bytes, refuse_twice, split_cells
from perovshell.errors import InputError

_CSV: Final = "as CSV in UTF-8"
_UTF8: Final = f"save it {_CSV}"
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
        numbers: Rows of the file that `rows` are: empty ones are left out.
    """

    header: list[str]
    rows: list[Row]
    separator: str
    row: int
    numbers: list[int] = field(default_factory=list)

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
            empty rows and columns are left out, and so is a title above the header. Or an Excel
            workbook (`.xlsx`), of which one sheet has the column names.
        is_header: Whether the cells of a line are the column names.

    Raises:
        InputError: The file cannot be read, or in more than one way; the line is named.
    """
    name = source.name or str(source)
    content = read_bytes(source)
    if content.startswith(workbook.ZIP):
        return _of_workbook(name, content, is_header)
    text = _text(name, content)
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
    return _below_title(name, numbered, separator, is_header)


def _of_workbook(name: str, content: bytes, is_header: Callable[[Sequence[str]], bool]) -> Sheet:
    """Read the one sheet of a workbook that has the column names.

    Raises:
        InputError: It cannot be read, or several sheets have them.
    """
    sheets = workbook.read_workbook(name, content)
    fitting = {
        title: lines
        for title, lines in sheets.items()
        if any(is_header(cells) for _, cells in lines[:_TITLE_LINES])
    }
    if len(fitting) > 1:
        msg = (
            f"{name}: sheets {', '.join(map(repr, fitting))} have these columns; leave one of them"
        )
        raise InputError(msg)
    for title, lines in fitting.items():
        return _below_title(f"{name}, sheet {title!r}", lines, ";", is_header)
    filled = [cells for lines in sheets.values() for _, cells in lines if any(cells)]
    # The caller says which columns the header lacks.
    return Sheet(filled[0] if filled else [], [], ";", 1)


def _below_title(
    name: str,
    lines: Sequence[tuple[int, list[str]]],
    separator: str,
    is_header: Callable[[Sequence[str]], bool],
) -> Sheet:
    """Return the table of numbered lines, of which the first may be a title.

    Raises:
        InputError: More than a title is above the column names, or a row does not fit them.
    """
    at = next((index for index, (_, cells) in enumerate(lines) if is_header(cells)), None)
    if at is None:
        msg = f"{name}: quotes enclose the line of the column names; remove those above it"
        raise InputError(msg)
    for above, cells in lines[:at]:
        if sum(map(bool, cells)) > 1:
            where = f"the column names are in row {lines[at][0]}"
            msg = f"{name}, row {above}: {where}; remove the rows above them"
            raise InputError(msg)
    header, table = _table(name, lines[at:], separator)
    return Sheet(header, [row for _, row in table], separator, lines[at][0], [n for n, _ in table])


def _separator(lines: Sequence[str], signs: str, is_header: Callable[[Sequence[str]], bool]) -> str:
    """Return the sign that splits one of the first lines into column names; else an empty text."""
    candidates = (sign for line in lines for sign in signs if is_header(_cells(line, sign)))
    return next(candidates, "")


def _cells(line: str, separator: str) -> list[str]:
    """Return the cells of a line; none where one is longer than the reader takes."""
    with suppress(csv.Error):
        return [cell.strip() for cells in csv.reader([line], delimiter=separator) for cell in cells]
    return []


def _table(
    name: str, lines: Sequence[tuple[int, list[str]]], separator: str
) -> tuple[list[str], list[tuple[int, Row]]]:
    """Return the header and the numbered rows of lines, without empty rows and columns."""
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
    return header, [(row, {names[index]: cells[index] for index in kept}) for row, cells in filled]


def _text(name: str, content: bytes) -> str:
    """Return the text of a file in the one encoding that it can be in.

    Raises:
        InputError: There is none, or several are possible.
    """
    if content.startswith(workbook.OLD):
        msg = f"{name}: an old or encrypted workbook; save it as .xlsx, or {_CSV}"
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
