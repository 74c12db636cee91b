"""Plots of an evaluation: width, distance, learning curve, years, exponents of the decay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from perovshell.training.validation.calibration import covered_rows
from perovshell.training.validation.nested import OutOfFold, Problems
from perovshell.training.validation.plots import (
    as_svg,
    calibration_figure,
    coloured,
    parity_figure,
    side_by_side,
    single,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from perovshell.research.evaluation.evaluate import Evaluation

Table = Sequence[dict[str, Any]]


def evaluation_plots(evaluation: Evaluation) -> dict[str, str]:
    """Return the plots of an evaluation as SVG by caption; those of empty tables are left out."""
    problems, results, tables = evaluation.problems, evaluation.results, evaluation.tables
    figures = {
        "Predicted against measured, the paper left out": parity_figure(problems, results),
        "Coverage by level, counted by paper": calibration_figure(problems, results),
        "Width of the 90 % intervals": _width_figure(problems, results),
    }
    panels = {
        "Error by distance from the nearest sample of another paper": (
            "by_distance",
            _draw_distance,
        ),
        "Learning curve: error by number of training papers": ("learning_curve", _draw_curve),
        "Error by year, trained on the years before": ("by_year", _draw_years),
    }
    for caption, (name, draw) in panels.items():
        if tables[name]:
            figures[caption] = _panels(problems, tables[name], draw)
    exponents = tables["decay_exponent"]
    figures["Concordance by the exponent of the decay"] = _exponent_figure(exponents)
    return {caption: as_svg(figure) for caption, figure in figures.items()}


def _width_figure(problems: Problems, results: dict[str, OutOfFold]) -> Figure:
    figure, panels = side_by_side(len(problems.points))
    for axes, (name, colour) in zip(panels, coloured(problems.points), strict=True):
        problem = problems.points[name]
        _, width = covered_rows(problem, results[name])
        axes.hist(width[np.isfinite(width)], bins=20, color=colour, alpha=0.8)
        target = problem.spec.target
        axes.set(xlabel=f"width, {target.title} ({target.error_unit})", ylabel="rows")
    return figure


def _panels(problems: Problems, table: Table, draw: Callable[[Axes, Table, str], None]) -> Figure:
    """Draw the errors of a table, in one panel for each target."""
    figure, panels = side_by_side(len(problems.points))
    for axes, (name, colour) in zip(panels, coloured(problems.points), strict=True):
        target = problems.points[name].spec.target
        draw(axes, [row for row in table if row["target"] == name], colour)
        axes.set(title=target.title, ylabel=target.error_label)
    return figure


def _draw_distance(axes: Axes, rows: Table, colour: str) -> None:
    ranges = [
        f"> {row['above']:g}" if row["to"] is None else f"{row['above'] or 0:g} to {row['to']:g}"
        for row in rows
    ]
    labels = [f"{text}\nn = {row['n']}" for text, row in zip(ranges, rows, strict=True)]
    value, low, high = np.array([row["mae"] for row in rows]).T
    axes.bar(labels, value, color=colour, alpha=0.8)
    axes.errorbar(labels, value, [value - low, high - value], fmt="none", color="0.2")
    axes.set(xlabel="distance")


def _draw_curve(axes: Axes, rows: Table, colour: str) -> None:
    points = np.array([(row["share"], row["papers"], row["value"][0]) for row in rows])
    axes.scatter(points[:, 1], points[:, 2], s=14, color="0.6")
    shares = np.unique(points[:, 0])
    means = [points[points[:, 0] == share, 1:].mean(axis=0) for share in shares]
    axes.plot(*np.array(means).T, color=colour)
    axes.set(xlabel="training papers")


def _draw_years(axes: Axes, rows: Table, colour: str) -> None:
    labels = [f"{row['year']}\nn = {row['n']}" for row in rows]
    axes.bar(labels, [row["mae"] for row in rows], color=colour, alpha=0.8)
    axes.tick_params(axis="x", labelsize=7)


def _exponent_figure(rows: Table) -> Figure:
    figure, axes = single()
    exponents = [row["exponent"] for row in rows]
    for key, label in (
        ("lifetime.paper.all.concordance", "lifetime, pooled"),
        ("lifetime.paper.all.concordance_within", "lifetime, within a stressor"),
        ("lifetime.paper.all.concordance_coated", "lifetime, coated against coated"),
        ("gain.paper.all.concordance", "gain"),
    ):
        axes.plot(exponents, [row[key] for row in rows], marker="o", label=label)
    axes.axhline(0.5, color="0.7", linewidth=1)
    axes.set(xlabel="exponent of the decay", ylabel="concordance")
    axes.legend(frameon=False, fontsize=8)
    return figure
