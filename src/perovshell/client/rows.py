"""Rows on their way to the service, and answers on their way back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from perovshell.data.formula import FormulaReader
from perovshell.data.vocabulary import TREATMENTS
from perovshell.errors import InputError
from perovshell.models.evidence import Neighbour
from perovshell.models.outputs import Answer
from perovshell.models.request import INPUT_NUMBERS, INPUT_WORDS, Request

_OPEN = "_open"
_REQUIRED = ("core", "shell")
_READ_AS_THEY_ARE = (*_REQUIRED, *INPUT_WORDS)


@dataclass(frozen=True)
class Limits:
    """What one request may hold, as the service says.

    Attributes:
        rows: Rows.
        detailed_rows: Rows that are asked for with details.
        text: Characters of one cell.
        body_bytes: Bytes.
    """

    rows: int
    detailed_rows: int
    text: int
    body_bytes: int


def records_of(rows: Any) -> list[Mapping[str, Any]]:
    """Return dictionaries, or the rows of a DataFrame, as a list.

    Raises:
        InputError: A DataFrame has no column `core` or `shell`.
    """
    if not is_frame(rows):
        return list(rows)
    for name in _REQUIRED:
        if name not in rows.columns:
            msg = f"column {name!r} is missing; needed: {', '.join(_REQUIRED)}"
            raise InputError(msg)
    found: list[Mapping[str, Any]] = rows.to_dict(orient="records")
    return found


def is_frame(rows: Any) -> bool:
    """Whether rows are a pandas DataFrame."""
    return hasattr(rows, "to_dict") and hasattr(rows, "columns")


def written(row: Mapping[str, Any], limits: Limits) -> bytes:
    """Return a row as JSON, as `models.request` reads its cells; unknown columns are left out.

    Raises:
        InputError: A cell is not allowed, and JSON cannot carry it as it is; the message is the
            one that a model gives.
    """
    cells: dict[str, str | float] = {}
    for name in _READ_AS_THEY_ARE:
        text = _text(row.get(name))
        if len(text) > limits.text or not _is_unicode(text):
            raise _fault(row, name)
        cells[name] = text
    for name, (low, high) in INPUT_NUMBERS.items():
        text = _text(row.get(name))
        if text:
            value = _number(text)
            # The service would name the number that it was sent, not the text that was given.
            if not low <= value <= high:
                raise _fault(row, name)
            cells[name] = value
    # What was used is not looked at, only whether anything was.
    cells |= {name: "used" for name in TREATMENTS if _text(row.get(name))}
    return json.dumps({name: cell for name, cell in cells.items() if cell != ""}).encode()


def _text(value: Any) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN, of whatever library
        return ""
    return str(value).strip()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _is_unicode(text: str) -> bool:
    """Whether a text has no half of a surrogate pair, which JSON readers refuse."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


def _fault(row: Mapping[str, Any], column: str) -> InputError:
    """Return what a model says to a row that cannot be sent."""
    try:
        Request.read(row, _reader())
    except InputError as error:
        return error
    return InputError(f"{column}: too long a text for the service; give core and shell apart")


@cache
def _reader() -> FormulaReader:
    return FormulaReader.bundled()


def parts_of(
    rows: Sequence[tuple[int, bytes]], most_rows: int, most_bytes: int
) -> Iterator[list[tuple[int, bytes]]]:
    """Split places and rows into parts of at most so many rows, and bytes with their commas."""
    part: list[tuple[int, bytes]] = []
    size = 0
    for place, row in rows:
        if part and (len(part) == most_rows or size + len(row) + 1 > most_bytes):
            yield part
            part, size = [], 0
        part.append((place, row))
        size += len(row) + 1
    if part:
        yield part


def values_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the output columns of an answer: null is NaN, or inf for an end without limit."""
    return {
        name: _cell(value, is_open=f"{name}{_OPEN}" in answer)
        for name, value in answer.items()
        if not name.endswith(_OPEN)
    }


def _cell(value: Any, *, is_open: bool) -> Any:
    if value is None:
        return math.inf if is_open else math.nan
    return value


def answer_of(answer: dict[str, Any]) -> Answer:
    """Return an answer with details."""
    nearest, measured = (
        [Neighbour(**one) for one in answer.pop(name)] for name in ("nearest", "measured")
    )
    conditions = answer.pop("conditions")
    del answer["reasons"]
    return Answer(values_of(answer), nearest, measured, conditions)
