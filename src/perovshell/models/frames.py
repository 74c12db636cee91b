"""Rows as they are given and given back: dictionaries, or a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from perovshell.errors import InputError
from perovshell.models.outputs import Thresholds, output_columns

REQUIRED: Final = ("core", "shell")
"""Columns that every row needs."""


def to_records(rows: Any) -> list[Mapping[str, Any]]:
    """Return dictionaries, or the rows of a DataFrame, as a list.

    Raises:
        InputError: A DataFrame has no column `core` or `shell`, or a single row stands in no list.
    """
    if isinstance(rows, Mapping):
        msg = "rows: a single row stands in a list; write [row]"
        raise InputError(msg)
    if not _is_frame(rows):
        return list(rows)
    for name in REQUIRED:
        if name not in rows.columns:
            msg = f"column {name!r} is missing; needed: {', '.join(REQUIRED)}"
            raise InputError(msg)
    found: list[Mapping[str, Any]] = rows.to_dict(orient="records")
    return found


def to_input_type(
    values: list[dict[str, Any]], rows: Any, stressors: Sequence[str], thresholds: Thresholds
) -> Any:
    """Return values as a DataFrame with the index of the rows where these are one."""
    if not _is_frame(rows):
        return values
    columns = list(output_columns(tuple(stressors), thresholds))
    return type(rows)(values, index=rows.index, columns=columns)


def _is_frame(rows: Any) -> bool:
    # RequestMetrics by what it has: pandas is not loaded to predict.
    return hasattr(rows, "to_dict") and hasattr(rows, "columns")
