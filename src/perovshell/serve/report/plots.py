"""The charts of a report: the scatter of all candidates, and the map of shells and cores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from perovshell.serve.ranking.point_objectives import PLQY_POOLED
from perovshell.serve.ranking.results import Candidate, Overview, Ranking
from perovshell.serve.report.charts import (
    STOPS,
    Scale,
    chance,
    colour,
    ink,
    padded,
)
from perovshell.serve.report.orders import order_text
from perovshell.serve.report.rows import context
from perovshell.serve.report.words import known_at_least
from perovshell.texts import number

FAMILIES: Final = 40
SHELLS: Final = 60
"""Most rows and columns of the map."""
PLOTTED: Final = 2000
"""Most lines of the list that are plotted; those of the front and the batch come on top."""
WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 62, 742, 14, 372
_LEAST_SHOWN: Final = 0.1
"""Maps whose best score is below this one have no numbers in their cells."""
_NEGLIGIBLE: Final = 1e-6
"""Smaller scores are written as 0."""


@dataclass(frozen=True)
class Axis:
    """A number of each line that may stand on an axis.

    Attributes:
        key: Its column.
        label: Its name for reading.
        log: Whether its axis is logarithmic.
    """

    key: str
    label: str
    log: bool = False

    def value(self, line: Candidate) -> float:
        """Return the number of a line; NaN where there is none."""
        return line.score if self.key == "score" else line.values.get(self.key, math.nan)

    def scale(self, lines: Sequence[Candidate], first: float, last: float) -> Scale:
        """Return a scale with room for some lines."""
        values = [self.value(line) for line in lines]
        return Scale(*padded(values, log=self.log), first, last, log=self.log)


@dataclass(frozen=True)
class Scatter:
    """The scatter of lines as drawn without a script, and the data a script draws it by.

    Attributes:
        lines: The lines plotted: those of the list, then those of front and batch alone.
        points: What is drawn of each, worst first: the best are on top.
        across: Axis from left to right, with its ticks.
        up: Axis from bottom to top, with its ticks.
        legend: Name, lowest and highest value of the colour.
        data: Data for the script.
    """

    lines: tuple[Candidate, ...]
    points: list[dict[str, Any]]
    across: tuple[str, list[tuple[float, str]]]
    up: tuple[str, list[tuple[float, str]]]
    legend: tuple[str, str, str]
    data: dict[str, Any]
    width: int = WIDTH
    height: int = HEIGHT
    box: tuple[int, int, int, int] = (LEFT, RIGHT, TOP, BOTTOM)


def axes(ranking: Ranking) -> list[Axis]:
    """Return the numbers that may stand on an axis."""
    every = ranking.objectives.every
    axes = [Axis(*axis) for objective in every for axis in objective.axes]
    return [*axes, Axis("score", order_text(ranking).number)]


def scatter(ranking: Ranking, places: Mapping[int, str]) -> Scatter:
    """Return the scatter of all lines.

    Args:
        ranking: The ranking.
        places: Element of the page with a line, by the identity of the line.
    """
    lines = _plotted(ranking)
    known = axes(ranking)
    keys = [axis.key for axis in known]
    peak, plqy, gain, *_ = ranking.objectives.every
    # The last axis of the PL is the probability of its window, where there is one.
    shown = (peak.axes[-1][0], plqy.axes[0][0], gain.axes[0][0])
    chosen = [keys.index(key) for key in shown]
    across, up, tint = (known[index] for index in chosen)
    x, y = across.scale(lines, LEFT, RIGHT), up.scale(lines, BOTTOM, TOP)
    shades = [tint.value(line) for line in lines if tint.value(line) > 0]
    least, most = map(number, _ends(shades))
    points = [
        {
            "number": index,
            "x": x(across.value(line)),
            "y": y(up.value(line)),
            "colour": colour(_share(tint.value(line), shades)),
            "front": line.is_pareto,
            "place": places.get(id(line), ""),
            "text": "; ".join(_label(ranking, line)),
        }
        for index, line in enumerate(lines)
    ]
    return Scatter(
        lines=lines,
        points=points[::-1],
        across=(across.label, x.ticks()),
        up=(up.label, y.ticks()),
        legend=(tint.label, least, most),
        data={
            "axes": [{"label": axis.label, "log": axis.log} for axis in known],
            "chosen": chosen,
            "window": ranking.space.pl_window_nm,
            "peak": keys.index("pl_peak_nm"),
            "stops": STOPS,
            "points": [
                {
                    "label": _label(ranking, line),
                    "values": [_known(axis.value(line)) for axis in known],
                }
                for line in lines
            ],
        },
    )


def _plotted(ranking: Ranking) -> tuple[Candidate, ...]:
    """Return the lines of list, front and batch, each once."""
    lines = [*ranking.candidates[:PLOTTED], *ranking.front, *ranking.batch]
    return tuple({id(line): line for line in lines}.values())


def _share(value: float, values: Sequence[float]) -> float:
    """Return the position of a value between the ends of positive ones, in logarithms."""
    low, high = _ends(values)
    return math.log(value / low) / math.log(high / low) if value > 0 and high > low else 0.5


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return (min(values), max(values)) if values else (math.nan, math.nan)


def _known(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _label(ranking: Ranking, line: Candidate) -> list[str]:
    """Describe a candidate in a few words, for a tooltip."""
    values, space = line.values, ranking.space
    head = f"{line.rank}. " if line.rank else "Not listed: "
    window = ""
    if space.pl_window_nm is not None:
        window = f", P(in the window) {chance(values['p_pl_in_window'])}"
    return [
        f"{head}{line.core} / {line.shell}",
        context(line),
        f"PL {_interval(values, 'pl_peak_nm')} nm{window}",
        f"PLQY {_interval(values, 'plqy_percent')} %",
        f"PLQY pooled with papers: {number(values[PLQY_POOLED])} %",
        *(f"known at least: {text}" for text in known_at_least(ranking, line)),
        f"{order_text(ranking).number} {number(line.score)}, P(Pareto) {chance(line.p_pareto)}",
    ]


def _interval(values: Mapping[str, float], column: str) -> str:
    value, low, high = (number(values[f"{column}{end}"]) for end in ("", "_lower", "_upper"))
    return f"{value} ({low} to {high})"


# The map -------------------------------------------------------------------------------------


def heat_map(overview: Overview, quantity: str = "score") -> dict[str, Any]:
    """Return the map of the best scores of shells (columns) with families of cores (rows).

    Args:
        overview: The best scores.
        quantity: Name of the number that they are, as in `OrderText`.
    """
    score = overview.score[:FAMILIES, :SHELLS]
    families, shells = overview.families[:FAMILIES], overview.shells[:SHELLS]
    known = score[~np.isnan(score)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    rows = [
        {
            "family": family,
            "cells": [
                _heat_cell(f"{family} / {shell}: best {quantity}", float(value), (low, high))
                for shell, value in zip(shells, row, strict=True)
            ],
        }
        for family, row in zip(families, score, strict=True)
    ]
    cut = [
        f"{shown} of {every:,} {name}"
        for name, shown, every in (
            ("families of cores", len(families), len(overview.families)),
            ("shells", len(shells), len(overview.shells)),
        )
        if shown < every
    ]
    return {
        "shells": shells,
        "rows": rows,
        "low": _score_text(low),
        "high": _score_text(high),
        "cut": " and ".join(cut),
    }


def _heat_cell(label: str, value: float, ends: tuple[float, float]) -> dict[str, str] | None:
    """Return a cell, or None where nothing was ranked."""
    if math.isnan(value):
        return None
    low, high = ends
    share = (value - low) / (high - low) if high > low else 1.0
    text = f"{value:.2f}".removeprefix("0") if high >= _LEAST_SHOWN else ""
    return {
        "text": text,
        "label": f"{label} {_score_text(value)}",
        "colour": colour(share),
        "ink": ink(share),
    }


def _score_text(score: float) -> str:
    return number(score) if score >= _NEGLIGIBLE else "0"
