"""The fields of a paper file: which cells of the tables each key fills, in both directions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from itertools import combinations
from typing import Final

from perovshell.data.columns import PAPERS, SAMPLES, TESTS, Column
from perovshell.data.schema import Check, Reader, text
from perovshell.errors import InputError

SIDES: Final = ("coated", "bare")
NAMES: Final = {"name": "sample_id", "bare": "bare_sample_id"}
"""Keys of an identity without its paper, and the columns of the whole identities."""
_UNITS: Final = {
    3600: ("h", "hr", "hrs", "hour", "hours"),
    1: ("s",),
    60: ("min",),
    86_400: ("d", "day", "days"),
    604_800: ("week", "weeks"),
}
_SECONDS: Final = {unit: seconds for seconds, units in _UNITS.items() for unit in units}
_BOUND = r"(?P<bound>[~<>]?)\s*"
_NUMBER = r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_PRINTED = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_DURATION: Final = re.compile(rf"{_BOUND}{_NUMBER}\s*(?P<unit>{'|'.join(_SECONDS)}|)")
_VALUE: Final = re.compile(_BOUND + _NUMBER)
_RANGE: Final = re.compile(rf"(?P<low>{_PRINTED})\s*[-–]\s*(?P<high>{_PRINTED})")


def split_number(written: str) -> dict[str, str]:
    """Return the parts of a printed number; the text itself as `value` where it is none.

    Examples:
        >>> split_number("~84")
        {'value': '84', 'bound': '~'}
        >>> split_number("52-64")
        {'value': '58', 'low': '52', 'high': '64'}
    """
    printed = _RANGE.fullmatch(written)
    if printed is not None:
        low, high = printed["low"], printed["high"]
        middle = ((Decimal(low) + Decimal(high)) / 2).normalize()
        return {"value": f"{middle:f}", "low": low, "high": high}
    match = _VALUE.fullmatch(written)
    return _parts(match["number"], match["bound"]) if match else {"value": written}


def split_duration(written: str) -> dict[str, str]:
    """Return the parts of a duration in hours; the text itself as `value` where it is none.

    Example:
        >>> split_duration("> 30 d")
        {'value': '720', 'bound': '>'}
    """
    match = _DURATION.fullmatch(written)
    if match is None:
        return {"value": written}
    hours = match["number"]
    if match["unit"]:
        hours = f"{float(hours) * _SECONDS[match['unit']] / 3600:.6g}"
    return _parts(hours, match["bound"])


def _parts(value: str, bound: str) -> dict[str, str]:
    return {"value": value} | ({"bound": bound} if bound else {})


def _whole(written: str) -> dict[str, str]:
    return {"value": written}


@dataclass(frozen=True)
class Field:
    """One key of a paper file that fills cells of a table.

    Attributes:
        key: The key.
        columns: The column of each part of its text: value, bound, low, high.
        split: Returns the parts of a text.
        hint: What is allowed beyond what the column says.
    """

    key: str
    columns: Mapping[str, Column]
    split: Callable[[str], Mapping[str, str]] = _whole
    hint: str = ""

    @classmethod
    def of(cls, column: Column, key: str = "") -> Field:
        """Return the field of one column; its key is the name of the column, if not given."""
        return cls(key or column.name, {"value": column})

    @property
    def names(self) -> set[str]:
        """Names of the columns."""
        return {column.name for column in self.columns.values()}

    @property
    def reader(self) -> Reader[dict[str, str]]:
        """Declares the value; reads it as cells by column."""
        column = self.columns["value"]
        prose, allowed = column.kind == "text", column.allowed + self.hint
        nulls = frozenset(column.words)
        return text(allowed, prose=prose, nulls=nulls, omits=column.is_unknown).then(self.cells)

    def cells(self, written: str) -> dict[str, str]:
        """Return the cells that a text fills, by column.

        Raises:
            InputError: A cell breaks the rule of its column.
        """
        parts = self.split(written)
        for part, cell in parts.items():
            rule = self.columns[part].fault(cell)
            if rule:
                raise InputError(rule + self.hint)
        return {self.columns[part].name: cell for part, cell in parts.items()}

    def write(self, cells: dict[str, str]) -> str:
        """Take cells out of a row and return the text that is read as these; or an empty text."""
        parts = {part: cells.get(column.name, "") for part, column in self.columns.items()}
        value = parts["value"]
        texts = (f"{parts.get('low')}-{parts.get('high')}", f"{parts.get('bound', '')}{value}")
        for written in texts if value else ():
            read = self.split(written)
            if read.items() <= parts.items():
                for part in read:
                    del cells[self.columns[part].name]
                return written
        return cells.pop(self.columns["value"].name, "")


def clashes(fields: Iterable[Field]) -> Iterator[Check]:
    """Yield the rules that no two keys fill the same cell."""
    for first, second in combinations(fields, 2):
        if first.names & second.names:
            yield Check((second.key, first.key), partial(_clash, first.key))


def _clash(key: str, cells: Mapping[str, str] | None, others: Mapping[str, str] | None) -> str:
    both = (cells or {}).keys() & (others or {}).keys()
    return f"{min(both)} is given by {key} already; leave one of them out" if both else ""


def write_cells(fields: Iterable[Field], row: Mapping[str, str]) -> dict[str, str]:
    """Return the texts by key that are read as the cells of a row."""
    cells = {column: cell for column, cell in row.items() if cell}
    texts = {field.key: field.write(cells) for field in fields}
    return {key: written for key, written in texts.items() if written}


# The fields of each table --------------------------------------------------------------------


def paper_fields() -> tuple[Field, ...]:
    """Return the fields of a paper."""
    return tuple(map(Field.of, PAPERS.columns))


def sample_fields() -> tuple[Field, ...]:
    """Return the fields of a sample."""
    keys = {column: key for key, column in NAMES.items()}
    fields: list[Field] = []
    for column in SAMPLES.columns:
        if column.name in keys:
            fields.append(Field.of(column, keys[column.name]))
        if column.stem:
            parts = {part: SAMPLES[name] for part, name in column.companions.items()}
            del parts["quality"]
            fields.append(_number(column, parts))
        elif column.name != "paper_id":
            fields.append(Field.of(column))
    return tuple(fields)


def stability_fields() -> tuple[Field, ...]:
    """Return the fields of a stability test but for its sides."""
    names = (name for name in TESTS.names if name != "sample_id" and not name.startswith(SIDES))
    return tuple(Field.of(TESTS[name]) for name in names)


def side_fields(*, bounded: bool = True) -> tuple[Field, ...]:
    """Return the fields of one side of a stability test.

    Args:
        bounded: Whether the duration has a bound, as a time to failure has.
    """
    columns = [column for column in TESTS.columns if column.name.startswith(SIDES[0])]
    names = [column.name.removeprefix(f"{SIDES[0]}_") for column in columns]
    side = {name: replace(column, name=name) for name, column in zip(names, columns, strict=True)}
    parts = {part: side[f"percent_{part}"] for part in ("low", "high")}
    bound = {"bound": side["bound"]}
    duration = {"value": side["duration_h"]} | (bound if bounded else {})
    hint = f"; units: {', '.join(_SECONDS)}, such as 30 d"
    fields = {name: Field.of(column) for name, column in side.items()}
    fields["percent"] = _number(side["percent"], parts | bound)
    return (Field("duration", duration, split_duration, hint), *fields.values())


def _number(column: Column, parts: Mapping[str, Column]) -> Field:
    hint = "; with a bound as ~85, >90 or <5, a range as 52-64"
    return Field(column.name, {"value": column, **parts}, split_number, hint)
