"""Predictions for a CSV file: `perovshell predict IN.csv -o OUT.csv`."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perovshell.data.spreadsheet import read_sheet
from perovshell.data.tables import Row
from perovshell.errors import InputError
from perovshell.files import refuse_output, write_output
from perovshell.model import Model
from perovshell.models.input_names import near_input, refuse_near_names
from perovshell.models.inputs import INPUT_NUMBERS, REQUIRED
from perovshell.models.outputs import NO_THRESHOLDS, Thresholds, output_columns
from perovshell.texts import table_cell


def predict_file(
    model: Model,
    source: Path,
    target: Path,
    *,
    stressors: Sequence[str],
    coverage: float,
    rename_clashes: bool,
    thresholds: Thresholds = NO_THRESHOLDS,
    reasons: bool = False,
) -> tuple[int, int]:
    """Answer the rows of a CSV file and write them, with all given columns, to another.

    Args:
        model: The model.
        source: Input with the columns `core` and `shell`; others pass through.
        target: Output; see `perovshell.files.write_output`.
        stressors: Stressors to answer for.
        coverage: Coverage of the intervals.
        rename_clashes: Keep input columns named like an output, as `given_NAME`.
        thresholds: Thresholds whose probability is asked.
        reasons: Add a column `reasons` with the feature contributions of each prediction.

    Returns:
        How many rows there were, and how many could not be answered.

    Raises:
        InputError: The file is unreadable, empty, misses a column, has one of an output or one that
            nearly has the name of an input; or the output is an input or cannot be written.
        WorkspaceError: The folder of the output is not writable.
    """
    refuse_output(target, [source, model.folder])
    if not target.parent.is_dir():
        msg = f"{target}: cannot be written ({target.parent} is no folder)"
        raise InputError(msg)
    sheet = read_sheet(source, _is_header).with_decimal_points(INPUT_NUMBERS)
    header, rows = sheet.header, sheet.rows
    where = f"{source.name}, row {sheet.row}"
    outputs = list(output_columns(stressors, thresholds))
    if reasons:
        outputs.insert(-1, "reasons")
    kept = _checked_header(where, header, rows, outputs, rename_clashes=rename_clashes)
    options: Any = {"stressors": stressors, "coverage": coverage, "thresholds": thresholds}
    if reasons:
        answers = [
            one.values | {"reasons": [reason.sentence for reason in one.reasons]}
            for one in model.answer(rows, **options)
        ]
    else:
        answers = model.predict(rows, **options)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*kept, *outputs])
    for row, answer in zip(rows, answers, strict=True):
        writer.writerow(
            [*(row[name] for name in header), *(cell(answer[name]) for name in outputs)]
        )
    try:
        write_output(target, text.getvalue().encode())
    except OSError as error:
        msg = f"{target}: cannot be written ({error.strerror})"
        raise InputError(msg) from error
    return len(rows), sum(bool(answer["error"]) for answer in answers)


def _is_header(cells: Sequence[str]) -> bool:
    """Return whether cells are column names: all needed inputs are among them, or nearly."""
    return {near_input(cell) for cell in cells} >= {*REQUIRED}


def _checked_header(
    where: str, header: list[str], rows: list[Row], outputs: Sequence[str], *, rename_clashes: bool
) -> list[str]:
    try:
        refuse_near_names(header)
    except InputError as error:
        msg = f"{where}, {error}"
        raise InputError(msg) from error
    for column in REQUIRED:
        if column not in header:
            hint = "; commas, semicolons or tabs separate cells" if len(header) == 1 else ""
            msg = f"{where}, column {column}: this column is missing{hint}"
            raise InputError(msg)
    if not rows:
        msg = f"{where}: no rows below the header"
        raise InputError(msg)
    clash = [column for column in header if column in outputs]
    if clash and not rename_clashes:
        msg = (
            f"{where}, column {clash[0]}: has the name of an output; rename it, or give "
            f"rename_clashes=True to keep it as given_{clash[0]}"
        )
        raise InputError(msg)
    renamed = [f"given_{column}" if column in clash else column for column in header]
    if len(set(renamed)) < len(renamed):
        msg = f"{where}: columns {', '.join(clash)} cannot be kept, given_... stands already"
        raise InputError(msg)
    return renamed


def cell(value: Any) -> str:
    """Write a value into a CSV cell: unknown is empty, infinity is `inf`, lists are one text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:g}" if math.isinf(value) else repr(value)
    return str(table_cell(value))
