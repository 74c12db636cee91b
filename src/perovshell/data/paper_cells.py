"""Values of a paper file that fill several cells: bounds, durations, ranges; both ways."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from perovshell.data.columns import SAMPLES, TESTS, Column
from perovshell.data.paper_nodes import Cell
from perovshell.data.tables import Row
from perovshell.data.targets import TIME_TO_FAILURE
from perovshell.data.validation import FaultList

SIDES = ("coated", "bare")
_SIDE_COLUMNS = tuple(
    name.removeprefix("coated_") for name in TESTS.names if name.startswith("coated_")
)
SIDE_KEYS = ("duration", *_SIDE_COLUMNS)
_PERCENTS = {"value": "percent", "low": "percent_low", "high": "percent_high"}
_SECONDS = {
    "s": 1,
    "min": 60,
    "h": 3600,
    "hr": 3600,
    "hrs": 3600,
    "hour": 3600,
    "hours": 3600,
    "d": 86_400,
    "day": 86_400,
    "days": 86_400,
    "week": 604_800,
    "weeks": 604_800,
}
_BOUND = r"(?P<bound>[~<>]?)\s*"
_NUMBER = r"(?P<number>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
_PRINTED = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_DURATION = re.compile(rf"{_BOUND}{_NUMBER}\s*(?P<unit>{'|'.join(_SECONDS)}|)")
_VALUE = re.compile(_BOUND + _NUMBER)
_RANGE = re.compile(rf"(?P<low>{_PRINTED})\s*[-–]\s*(?P<high>{_PRINTED})")


# Values of a sample ---------------------------------------------------------------------------


def read_measured(cells: dict[str, Cell], faults: FaultList) -> None:
    """Move signs and ranges that are written with the numbers of a sample into their own columns.

    Args:
        cells: Cells of a sample by column; changed.
        faults: Where parts given twice are noted.
    """
    for column in SAMPLES.measured:
        cell = cells.get(column.name)
        parts = _parts(cell.text) if cell else None
        if cell is None or parts is None:
            continue  # What is no number is a fault of the value, and found with all others.
        cells[column.name] = Cell(parts.pop("value"), cell.line)
        for part, text in parts.items():
            name = column.companions[part]
            if name in cells:
                rule = f"a {part} stands already in {name}"
                faults.add(cell.line, column.name, cell.text, rule)
            cells.setdefault(name, Cell(text, cell.line))


def write_measured(cells: Mapping[str, str], column: Column) -> dict[str, str]:
    """Return the keys that write a number of a sample and its companions.

    The short form is taken where it is read as the same cells, else one key a cell.

    Args:
        cells: The cells of the sample that are not empty, by column.
        column: The number.
    """
    names = {"value": column.name, **column.companions}
    own = {part: cells[name] for part, name in names.items() if name in cells}
    keys = {names[part]: text for part, text in own.items()}
    quality = own.pop("quality", "")
    short = _short(own)
    if not short:
        return keys
    return {column.name: short} | ({names["quality"]: quality} if quality else {})


def _parts(text: str) -> dict[str, str] | None:
    """Return value, bound, low and high of a value as printed; None where it is none."""
    printed = _RANGE.fullmatch(text)
    if printed is not None:
        low, high = printed["low"], printed["high"]
        middle = ((Decimal(low) + Decimal(high)) / 2).normalize()
        return {"value": f"{middle:f}", "low": low, "high": high}
    match = _VALUE.fullmatch(text)
    if match is None:
        return None
    return {"value": match["number"]} | ({"bound": match["bound"]} if match["bound"] else {})


def _short(parts: Mapping[str, str]) -> str:
    """Return what is read as these parts of a value; empty where nothing is."""
    texts = (
        f"{parts.get('low', '')}-{parts.get('high', '')}",
        parts.get("bound", "") + parts.get("value", ""),
    )
    return next((text for text in texts if _parts(text) == parts), "")


# Sides of a stability test -------------------------------------------------------------------


def read_side(
    side: str, given: Mapping[str, Cell], measure: str, faults: FaultList
) -> dict[str, Cell]:
    """Read one side of a stability test.

    Args:
        side: One of `SIDES`.
        given: Texts by the keys of `SIDE_KEYS`, in any order.
        measure: The measure of the test.
        faults: Where contradictions and unreadable values are noted.

    Returns:
        The cells of the side by column of stability.csv.
    """
    found: dict[str, Cell] = {}
    bounds: list[tuple[str, Cell]] = []
    for key in (key for key in SIDE_KEYS if key in given):
        cell, rule = given[key], ""
        if key == "duration":
            rule = _read_duration(cell, measure, found, bounds)
        elif key == "percent":
            rule = _read_percent(cell, found, bounds)
        elif key == "bound":
            bounds.append((key, cell))
        elif key in found:
            rule = f"given already by {key.partition('_')[0]}; leave one of them out"
        else:
            found[key] = cell
        if rule:
            faults.add(cell.line, f"{side}.{key}", cell.text, rule)
    for key, cell in bounds[1:]:
        rule = f"a bound stands already in {bounds[0][0]}"
        faults.add(cell.line, f"{side}.{key}", given[key].text, rule)
    if bounds:
        found["bound"] = bounds[0][1]
    return {f"{side}_{name}": cell for name, cell in found.items()}


def write_side(row: Row, side: str) -> dict[str, str]:
    """Return the keys that write one side of a test; empty where it has no cell.

    The short form is taken where it is read as the same cells, else one key a cell.
    """
    cells = {name: row[f"{side}_{name}"] for name in _SIDE_COLUMNS if row[f"{side}_{name}"]}
    fails = row["measure"] == TIME_TO_FAILURE
    bound = cells.get("bound", "")
    short = {}
    if "duration_h" in cells:
        short["duration"] = (bound if fails else "") + cells["duration_h"]
    if "percent_low" in cells:
        short["percent"] = f"{cells['percent_low']}-{cells.get('percent_high', '')}"
    elif "percent" in cells:
        short["percent"] = ("" if fails else bound) + cells["percent"]
    faults = FaultList(side)
    given = {key: Cell(text, 0) for key, text in short.items()}
    read = read_side(side, given, row["measure"], faults)
    same = {name: cell.text for name, cell in read.items()}
    if not faults.faults and same == {f"{side}_{name}": text for name, text in cells.items()}:
        return short
    return cells


def _read_duration(
    cell: Cell, measure: str, found: dict[str, Cell], bounds: list[tuple[str, Cell]]
) -> str:
    """Read a duration into hours; return the rule it breaks, or an empty text."""
    match = _DURATION.fullmatch(cell.text)
    if match is None:
        return f"a number of hours, or one with a unit ({', '.join(_SECONDS)}), such as 30 d"
    if match["bound"]:
        bounds.append(("duration", Cell(match["bound"], cell.line)))
    hours = match["number"]
    if match["unit"]:
        hours = f"{float(hours) * _SECONDS[match['unit']] / 3600:.6g}"
    found["duration_h"] = Cell(hours, cell.line)
    if match["bound"] and measure != TIME_TO_FAILURE:
        return f"only the duration of a test of {TIME_TO_FAILURE!r} has a bound"
    return ""


def _read_percent(cell: Cell, found: dict[str, Cell], bounds: list[tuple[str, Cell]]) -> str:
    """Read a percent or a range; return the rule it breaks, or an empty text."""
    parts = _parts(cell.text)
    if parts is None:
        return "a percent is 80, ~85, >90, <5 or a range such as 52-64"
    if "bound" in parts:
        bounds.append(("percent", Cell(parts["bound"], cell.line)))
    for part, name in _PERCENTS.items():
        if part in parts:
            found[name] = Cell(parts[part], cell.line)
    return ""
