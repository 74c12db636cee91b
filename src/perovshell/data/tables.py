"""Reading CSV tables as text: `none` and `NA` stay what they are."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TypeAlias

from perovshell.errors import InputError

Row: TypeAlias = dict[str, str]
Source: TypeAlias = Path | Traversable


def bundled(folder: str, name: str) -> Traversable:
    """Return a table that is shipped with the package.

    Args:
        folder: `literature` or `materials`.
        name: File name, such as `shells.csv`.
    """
    return resources.files("perovshell.data") / folder / name


def read_table(source: Source) -> tuple[list[str], list[Row]]:
    """Read a CSV file as text.

    Args:
        source: File to read, UTF-8 (a byte order mark is allowed).

    Returns:
        The column names, and one dictionary a row; cells are stripped of outer blanks.

    Raises:
        InputError: The file is missing, unreadable, empty, has a column twice or a row of
            another length than the header.
    """
    name = source.name or str(source)
    text = _decoded(name, read_bytes(source))
    lines = split_cells(name, text)
    return _header_and_rows(name, lines)


def read_bytes(source: Source) -> bytes:
    """Return the bytes of a file.

    Raises:
        InputError: It is missing or cannot be read.
    """
    name = source.name or str(source)
    try:
        return source.read_bytes()
    except FileNotFoundError as error:
        msg = f"{name}: no such file"
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{name}: cannot be read ({error.strerror})"
        raise InputError(msg) from error


def split_cells(name: str, text: str, separator: str = ",") -> list[list[str]]:
    """Split a text into the cells of its lines, stripped of outer blanks.

    Raises:
        InputError: A quote is not closed, or followed by other signs.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        return [[cell.strip() for cell in line] for line in reader]
    except csv.Error as error:
        msg = f"{name}: not a CSV table (line {reader.line_num}: {error})"
        raise InputError(msg) from error


def _decoded(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{name}: not UTF-8 text (byte {error.start}); save it as CSV in UTF-8"
        raise InputError(msg) from error


def _header_and_rows(name: str, lines: list[list[str]]) -> tuple[list[str], list[Row]]:
    if not lines or not any(lines[0]):
        msg = f"{name}: the file is empty; a header line with column names is needed"
        raise InputError(msg)
    header = lines[0]
    refuse_twice(name, header)
    while not lines[-1]:
        lines.pop()
    rows: list[Row] = []
    for number, cells in enumerate(lines[1:], start=2):
        if not cells:
            # Skipped, it would shift the row numbers of all messages below it.
            msg = f"{name}, row {number}: an empty line inside the table; remove it"
            raise InputError(msg)
        if len(cells) != len(header):
            msg = f"{name}, row {number}: {len(cells)} cells where the header has {len(header)}"
            raise InputError(msg)
        rows.append(dict(zip(header, cells, strict=True)))
    return header, rows


def refuse_twice(name: str, header: Sequence[str]) -> None:
    """Refuse a header with a column twice.

    Raises:
        InputError: A column occurs twice.
    """
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        msg = f"{name}: column {twice[0]!r} is given twice in the header"
        raise InputError(msg)


def numbered(rows: Iterable[Row]) -> Iterable[tuple[int, Row]]:
    """Count rows as lines of the file, the header being line 1."""
    return enumerate(rows, start=2)


def float_of(number: int | Fraction) -> float:
    """Return a whole number or a fraction as a float, one that no float holds as infinity.

    Examples:
        >>> float_of(-(10**400))
        -inf
    """
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def plain_number(text: str) -> float:
    """Return a finite number in plain digits, NaN for any other text.

    Python also reads `1_000` and the digits of other scripts. A minus sign may be that of print.
    """
    if text.startswith("\u2212"):
        text = f"-{text[1:]}"
    if "_" in text or not text.isascii():
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def bundled_rows(folder: str, name: str) -> list[Row]:
    """Return the rows of a bundled table."""
    return read_table(bundled(folder, name))[1]
