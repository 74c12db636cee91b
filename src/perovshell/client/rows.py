"""Rows on their way to the service, and answers on their way back."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any

from perovshell.data.formula import FormulaReader
from perovshell.data.vocabulary import TREATMENTS, is_nothing
from perovshell.errors import InputError
from perovshell.models.evidence import Neighbour
from perovshell.models.inputs import INPUT_COLUMNS, INPUT_NUMBERS, INPUT_WORDS, REQUIRED
from perovshell.models.outputs import Answer, Evidence
from perovshell.models.requests import Requests

_OPEN = "_open"
_READING_ORDER = (*REQUIRED, *INPUT_NUMBERS, *INPUT_WORDS)
_READABLE = {"core": "CsPbBr3", "shell": "SiO2"}
_NEEDED = tuple(own.name for own in fields(Neighbour) if own.default is MISSING)
_OPTIONAL = tuple(own.name for own in fields(Neighbour) if own.default is not MISSING)


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

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> Limits:
        """Read them from what a service says of its model.

        Raises:
            KeyError: One is missing.
            TypeError: They are not whole numbers by name.
        """
        said = {field.name: card["limits"][field.name] for field in fields(cls)}
        if not all(isinstance(value, int) for value in said.values()):
            msg = f"limits {said}: whole numbers are needed"
            raise TypeError(msg)
        return cls(**said)


@dataclass(frozen=True)
class Written:
    """A row as it is sent.

    Attributes:
        content: The row as JSON; empty where nothing of it can be sent.
        fault: What a model says to a cell that JSON cannot carry as it is; empty where there is
            none. Then only what a model reads before that cell is sent: a fault in it comes first.
    """

    content: bytes
    fault: str = ""


def written(row: Mapping[str, Any], limits: Limits) -> Written:
    """Return a row as it is sent, its cells as `models.inputs` reads them.

    Args:
        row: The row; what is no column of a request is left out.
        limits: The limits of the service.
    """
    texts = {name: _text(row.get(name)) for name in INPUT_COLUMNS}
    cells: dict[str, str | float] = {}
    for name in _READING_ORDER:
        text = texts[name]
        if name in INPUT_NUMBERS and text:
            cells[name] = value = _number(text)
            low, high = INPUT_NUMBERS[name]
            # The service would name the number that it was sent, not the text that was given.
            is_sendable = low <= value <= high
        else:
            cells[name] = text
            is_sendable = len(text) <= limits.text and _is_unicode(text)
        if not is_sendable:
            return _cut_short(cells, texts, name)
    # What was used is not looked at, only whether anything was.
    cells |= {name: "used" for name in TREATMENTS if not is_nothing(texts[name])}
    return Written(_json(cells))


def _cut_short(cells: dict[str, str | float], texts: Mapping[str, str], name: str) -> Written:
    """Return a row up to a cell that cannot be sent."""
    asked = {**_READABLE, name: texts[name]}
    if name == "core":
        return Written(b"", _fault({**asked, "shell": texts["shell"]}, name))
    # A core without any shell would be read as a whole sample.
    before = {**cells, name: "none" if name == "shell" else ""}
    return Written(_json(before), _fault(asked, name))


def _fault(row: Mapping[str, Any], column: str) -> str:
    """Return what a model says to a row that has one cell which cannot be sent."""
    try:
        Requests.read_one(row, _reader())
    except InputError as error:
        return str(error)
    return f"{column} {row[column][:20]!r}...: too long for the service"


def _json(cells: Mapping[str, str | float]) -> bytes:
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


def _neighbour(told: Mapping[str, Any]) -> Neighbour:
    needed = {part: told[part] for part in _NEEDED}
    return Neighbour(**needed, **{part: told[part] for part in _OPTIONAL if part in told})


def answer_of(answer: dict[str, Any]) -> Answer:
    """Return an answer with details; what a later service tells of a sample besides is left out.

    Raises:
        KeyError: A member is missing.
    """
    nearest, measured = (
        [_neighbour(one) for one in answer.pop(name)] for name in ("nearest", "measured")
    )
    evidence = Evidence(nearest, measured, answer.pop("conditions"))
    del answer["reasons"]
    return Answer(values_of(answer), lambda: evidence)
