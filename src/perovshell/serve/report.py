"""The report of a ranking: one self-contained HTML file, and ranking.csv beside it."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

from perovshell.data.vocabulary import column_name
from perovshell.errors import WorkspaceError
from perovshell.pages import card_page, environment
from perovshell.serve.charts import Scale, colour, light_colour, padded
from perovshell.serve.ranking import GAIN_SCALE, Candidate, Ranking, table
from perovshell.workspace import write_atomically

_WIDTH, _HEIGHT = 760, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 740, 20, 335
SHOWN = 50
"""Lines in the table of the report; ranking.csv has all."""


def write_report(ranking: Ranking, folder: Path) -> tuple[Path, Path]:
    """Write ranking.csv and report.html into a folder; return their paths.

    Raises:
        WorkspaceError: The folder is not writable.
    """
    text = io.StringIO(newline="")
    header, rows = table(ranking)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "ranking.csv", text.getvalue().encode())
        write_atomically(folder / "report.html", render(ranking).encode())
    except OSError as error:
        msg = f"report folder {folder}: cannot be written ({error.strerror})"
        raise WorkspaceError(msg) from error
    return folder / "ranking.csv", folder / "report.html"


def render(ranking: Ranking) -> str:
    """Return the report as HTML."""
    pages = environment("perovshell.serve")
    pages.filters["number"] = number
    return pages.get_template("report.html").render(
        ranking=ranking,
        space=ranking.space,
        info=ranking.model.info,
        lines=[_line(ranking, line) for line in ranking.candidates[:SHOWN]],
        scatter=_scatter(ranking),
        card=card_page(vars(ranking.model.info)),
    )


def number(value: float | None) -> str:
    """Write a number for reading: three digits, no limit as a word."""
    if value is None or math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "no limit"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004


def _line(ranking: Ranking, line: Candidate) -> dict[str, Any]:
    name = column_name(ranking.space.stressor)
    keys = {
        "pl": "pl_peak_nm",
        "plqy": "plqy_percent",
        "gain": f"stability_gain_{name}",
        "life": f"half_life_h_{name}",
    }
    cells = {
        key: [number(line.values[column + end]) for end in ("", "_lower", "_upper")]
        for key, column in keys.items()
    }
    return {
        "line": line,
        "light": light_colour(line.values["pl_peak_nm"]),
        "papers": list(dict.fromkeys(row.paper for row in line.nearest)),
        "measured": [_measured(row) for row in line.measured],
        **cells,
    }


def _measured(row: Any) -> str:
    parts = [f"PL {number(row.pl_peak_nm)} nm"] if row.pl_peak_nm is not None else []
    parts += [f"PLQY {number(row.plqy_percent)} %"] if row.plqy_percent is not None else []
    return f"{', '.join(parts) or 'stability only'} ({row.paper})"


def _scatter(ranking: Ranking) -> dict[str, Any]:
    """PL against PLQY with the stability gain as colour."""
    lines = ranking.candidates
    peaks = [line.values["pl_peak_nm"] for line in lines]
    yields = [line.values["plqy_ranked"] for line in lines]
    across = Scale(*padded(peaks), _LEFT, _RIGHT)
    up = Scale(*padded(yields), _BOTTOM, _TOP)
    window = [min(max(across(end), _LEFT), _RIGHT) for end in ranking.space.pl_window_nm]
    points = [
        {
            "x": across(line.values["pl_peak_nm"]),
            "y": up(line.values["plqy_ranked"]),
            "colour": colour(math.log(max(line.values["gain_ranked"], 1)) / math.log(GAIN_SCALE)),
            "text": (
                f"{line.rank}. {line.core} / {line.shell}: "
                f"PL {number(line.values['pl_peak_nm'])} nm, "
                f"PLQY {number(line.values['plqy_ranked'])} %, "
                f"gain {number(line.values['gain_ranked'])}"
            ),
        }
        for line in reversed(lines)
    ]
    legend = [
        {"x": 480 + 40 * k, "colour": colour(k / 6), "text": number(GAIN_SCALE ** (k / 6))}
        for k in range(7)
    ]
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "window": window,
        "points": points,
        "legend": legend,
        "across": across.ticks(),
        "up": up.ticks(),
        "left": _LEFT,
        "right": _RIGHT,
        "top": _TOP,
        "bottom": _BOTTOM,
    }
