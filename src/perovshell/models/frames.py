"""Convert rows of requests, and their results, between dictionaries and pandas DataFrames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from perovshell.errors import InputError
from perovshell.models.inputs import INPUTS, REQUIRED, refuse_near_names
from perovshell.models.outputs import Thresholds, output_columns
from perovshell.texts import table_cell

_WANTED: Final = "a list of dictionaries or a pandas DataFrame is needed"


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
    if isinstance(rows, Mapping):
        msg = "rows: a single dictionary; write [row]"
        raise InputError(msg)
    if hasattr(rows, "iloc"):
        msg = "rows: a pandas Series; write [row.to_dict()] or frame.loc[[label]]"
        raise InputError(msg)
    if isinstance(rows, str | bytes) or not isinstance(rows, Iterable):
        msg = f"rows: {rows!r:.40}; {_WANTED}"
        raise InputError(msg)
    records = list(rows)
    for index, row in enumerate(records):
        if type(row) is not dict and not isinstance(row, Mapping):
            msg = f"rows[{index}]: a {type(row).__name__}; {_WANTED}"
            raise InputError(msg)
    refuse_near_names(set().union(*records))
    return records


def to_record(row: Any) -> Mapping[str, Any]:
    """Return a single row as a dictionary.

    Raises:
        InputError: It is no dictionary, or a key nearly has the name of an input.
    """
    if not isinstance(row, Mapping):
        msg = f"row: a {type(row).__name__}; a dictionary is needed"
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
