"""Answers as JSON, by whichever process has computed them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from perovshell.targets.target import IN_DOMAIN


@dataclass(frozen=True)
class Written:
    """The answers to some rows.

    Attributes:
        answers: The answers as JSON objects with commas between them.
        rows: How many there are.
        failed: Place and error of each row that could not be answered.
        outside: How many of the answered rows are outside the domain of PL or PLQY.
    """

    answers: bytes
    rows: int
    failed: tuple[tuple[int, str], ...]
    outside: int


def write(
    values: Sequence[Mapping[str, Any]], written: Sequence[Mapping[str, Any]] | None = None
) -> Written:
    """Write answers.

    Args:
        values: Output columns of at least one answer; all have the same.
        written: JSON data of each; their output columns if None.
    """
    data = _columns(values) if written is None else written
    failed = [(row, one["error"]) for row, one in enumerate(values) if one["error"]]
    outside = len(values) - sum(one[IN_DOMAIN] for one in values) - len(failed)
    return Written(orjson.dumps(data)[1:-1], len(values), tuple(failed), outside)


def _columns(values: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the output columns; the encoder writes what is no number as null."""
    ends = [name for name in values[0] if name.endswith("_upper")]
    columns: list[Mapping[str, Any]] = []
    for one in values:
        limitless = [f"{name}_open" for name in ends if one[name] == math.inf]
        columns.append({**one, **dict.fromkeys(limitless, True)} if limitless else one)
    return columns


def joined(parts: Sequence[Written]) -> Written:
    """Join the answers of parts in order."""
    failed: list[tuple[int, str]] = []
    first = 0
    for part in parts:
        failed += [(first + row, error) for row, error in part.failed]
        first += part.rows
    answers = b",".join(part.answers for part in parts)
    return Written(answers, first, tuple(failed), sum(part.outside for part in parts))
