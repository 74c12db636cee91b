"""Rows and options as JSON, and answers from JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from perovshell.data.tables import float_of
from perovshell.models.evidence import Neighbour
from perovshell.models.inputs import INPUT_COLUMNS, cell_text
from perovshell.models.outputs import Answer, Evidence, Found, Thresholds, check_options
from perovshell.models.reason import Reason

_OPEN: Final = "_open"


def options_json(
    stressors: Sequence[str],
    coverage: float,
    thresholds: Thresholds,
    shells: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return options as JSON.

    Raises:
        InputError: An option is not allowed, in the words of the model.
    """
    check_options(stressors, coverage, thresholds)
    window = thresholds.pl_window_nm
    return {
        "stressors": list(stressors),
        "coverage": float(coverage),
        "thresholds": {
            "pl_window_nm": window and [float(end) for end in window],
            "plqy_above": _number(thresholds.plqy_above),
            "gain_above": _number(thresholds.gain_above),
        },
        "shells": [dict(shell) for shell in shells],
    }


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def row_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of a row as JSON can hold them; the service says which can be read."""
    return {name: _cell(row[name]) for name in INPUT_COLUMNS if name in row}


def _cell(cell: Any) -> str | float | bool | None:
    is_whole = type(cell) is int and math.isfinite(float_of(cell))
    if type(cell) in {str, bool} or is_whole or (type(cell) is float and math.isfinite(cell)):
        return cell  # type: ignore[no-any-return]
    return cell_text(cell) or None


def values_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the output columns of an answer: null is NaN, or inf for an end without limit."""
    return {
        name: value if value is not None else math.inf if name + _OPEN in answer else math.nan
        for name, value in answer.items()
        if not name.endswith(_OPEN)
    }


def answer_of(answer: dict[str, Any]) -> Answer:
    """Return an answer with details.

    Raises:
        KeyError: A member is missing.
        TypeError: A sample lacks a member.
    """
    details = answer.pop("details")
    nearest, measured = (
        [_neighbour(sample) for sample in details[name]] for name in ("nearest", "measured")
    )
    evidence = Evidence(nearest, measured, details["conditions"], details["domain"])
    reasons = [_reason(one) for one in details["reasons"]]
    return Answer(values_of(answer), Found(evidence, reasons))


def _reason(reason: Mapping[str, Any]) -> Reason:
    """Return a reason; what a later service tells of it besides is left out."""
    return Reason(**{part.name: reason[part.name] for part in fields(Reason)})


def _neighbour(sample: Mapping[str, Any]) -> Neighbour:
    """Return a sample; what a later service tells of it besides is left out."""
    return Neighbour(
        **{part.name: sample[part.name] for part in fields(Neighbour) if part.name in sample}
    )
