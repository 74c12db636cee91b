"""Convert rows of requests, and their results, between dictionaries and pandas DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Number
from typing import Any, Final

from perovshell.errors import InputError
from perovshell.models.input_names import refuse_near_names
from perovshell.models.inputs import INPUTS, REQUIRED, cell_text
from perovshell.models.outputs import Thresholds, output_columns
from perovshell.texts import excerpt, table_cell

_WANTED: Final = "a list of dictionaries or a pandas DataFrame is needed"
_SHOWN: Final = 40
"""Characters of a text that a message shows."""


def to_records(rows: Any) -> list[Mapping[str, Any]]:
    """Return the rows of a table as a list of dictionaries.

    Args:
        rows: Dictionaries, or a pandas DataFrame.

    Raises:
        InputError: It is no table of rows, a DataFrame has no column `core` or `shell` or an input
            twice, or a column nearly has the name of an input.

    Examples:
        >>> to_records([{"core": "CsPbBr3", "shell": "SiO2"}])
        [{'core': 'CsPbBr3', 'shell': 'SiO2'}]
    """
    if _is_frame(rows):
        _check_columns(list(rows.columns))
        records: list[Mapping[str, Any]] = rows.to_dict(orient="records")
        return records
    remedy = _remedy(rows)
    if remedy:
        msg = f"rows: {_kind(rows)}; {remedy}"
        raise InputError(msg)
    records = list(rows)
    for index, row in enumerate(records):
        if type(row) is not dict and not isinstance(row, Mapping):
            msg = f"rows[{index}]: {_kind(row)}; {_WANTED}"
            raise InputError(msg)
    refuse_near_names(set().union(*records))
    return records


def _remedy(rows: Any) -> str:
    """Return what to write for what is no table of rows; empty for a series of any things."""
    if isinstance(rows, Mapping):
        is_table = any(isinstance(cells, list | tuple) for cells in rows.values())
        return "write pandas.DataFrame(rows)" if is_table else "write [row]"
    if hasattr(rows, "iloc"):
        return "write [row.to_dict()] or frame.loc[[label]]"
    for method in ("to_dicts", "to_pylist"):  # Tables of polars and pyarrow.
        if hasattr(rows, method):
            return f"write rows.{method}()"
    if getattr(getattr(rows, "dtype", None), "names", None):
        return "write pandas.DataFrame(rows)"
    is_scalar = getattr(rows, "ndim", 1) == 0  # An array of numpy without an axis.
    is_series = isinstance(rows, Iterable) and not is_scalar and not isinstance(rows, str | bytes)
    return "" if is_series else _WANTED


def _kind(thing: Any) -> str:
    """Return what a thing is, for a message."""
    if isinstance(thing, Mapping):
        return "a single dictionary"
    if isinstance(thing, Number):
        return excerpt(cell_text(thing), _SHOWN)
    is_shown = thing is None or isinstance(thing, str | bytes)
    return excerpt(repr(thing), _SHOWN) if is_shown else f"a {type(thing).__name__}"


def to_record(row: Any) -> Mapping[str, Any]:
    """Return a single row as a dictionary.

    Raises:
        InputError: It is no dictionary, or a key nearly has the name of an input.
    """
    if not isinstance(row, Mapping):
        msg = f"row: {_kind(row)}; a dictionary is needed"
        raise InputError(msg)
    return to_records([row])[0]


def to_input_type(
    values: list[dict[str, Any]], rows: Any, stressors: Sequence[str], thresholds: Thresholds
) -> Any:
    """Return values as a DataFrame with the index of the rows where these are one.

    In a DataFrame the entries of a list are one text.
    """
    if not _is_frame(rows):
        return values
    columns = list(output_columns(tuple(stressors), thresholds))
    cells = [{name: table_cell(value) for name, value in row.items()} for row in values]
    return type(rows)(cells, index=rows.index, columns=columns)


def _check_columns(columns: Sequence[object]) -> None:
    refuse_near_names(columns)
    for name in REQUIRED:
        if name not in columns:
            msg = f"column {name!r} is missing; needed: {', '.join(REQUIRED)}"
            raise InputError(msg)
    twice = [name for name in INPUTS if columns.count(name) > 1]
    if twice:
        msg = f"column {twice[0]!r} occurs {columns.count(twice[0])} times; one is allowed"
        raise InputError(msg)


def _is_frame(rows: Any) -> bool:
    # Recognised by its attributes: pandas is not loaded to predict.
    return hasattr(rows, "iloc") and hasattr(rows, "columns")
