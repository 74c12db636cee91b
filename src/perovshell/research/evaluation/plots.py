"""Plots of an evaluation: width, distance, learning curve, years, exponents of the decay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from perovshell.targets.target import PointTarget
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
    from matplotlib.figure import Figure

    from perovshell.research.evaluation.evaluate import Evaluation

Targets = Mapping[str, PointTarget]
Rows = Sequence[dict[str, Any]]


def evaluation_plots(evaluation: Evaluation) -> dict[str, str]:
    """Return the plots of an evaluation as SVG by caption."""
    problems, results, tables = evaluation.problems, evaluation.results, evaluation.tables
    targets = {name: problem.spec.target for name, problem in problems.points.items()}
    figures = {
        "Predicted against measured, the paper left out": parity_figure(problems, results),
        "Coverage by level, counted by paper": calibration_figure(problems, results),
        "Width of the 90 % intervals": _width_figure(problems, results),
        "Error by distance from the nearest sample of another paper": _distance_figure(
            targets, tables["by_distance"]
        ),
        "Learning curve: error by number of training papers": _curve_figure(
            targets, tables["learning_curve"]
        ),
        "Error by year, trained on the years before": _year_figure(targets, tables["by_year"]),
        "Concordance by the exponent of the decay": _exponent_figure(tables["decay_exponent"]),
    }
    return {caption: as_svg(figure) for caption, figure in figures.items()}


def _width_figure(problems: Problems, results: dict[str, OutOfFold]) -> Figure:
    figure, axes = side_by_side(len(problems.points))
    for place, (name, colour) in zip(axes, coloured(problems.points), strict=True):
        problem = problems.points[name]
        _, width = covered_rows(problem, results[name])
        place.hist(width[np.isfinite(width)], bins=20, color=colour, alpha=0.8)
        target = problem.spec.target
        place.set(xlabel=f"width, {target.title} ({target.error_unit})", ylabel="rows")
    return figure


def _distance_figure(targets: Targets, rows: Rows) -> Figure:
    figure, axes = side_by_side(len(targets))
    for place, (name, colour) in zip(axes, coloured(targets), strict=True):
        own = [row for row in rows if row["target"] == name]
        labels = [_bin(row) for row in own]
        value, low, high = np.array([row["mae"] for row in own]).T
        place.bar(labels, value, color=colour, alpha=0.8)
        place.errorbar(labels, value, [value - low, high - value], fmt="none", color="0.2")
        place.set(title=targets[name].title, xlabel="distance", ylabel=targets[name].error_label)
    return figure


def _bin(row: dict[str, Any]) -> str:
    ends = f"{row['above'] or 0:g}", "" if row["to"] is None else f"{row['to']:g}"
    return f"{ends[0]} to {ends[1]}\nn = {row['n']}" if ends[1] else f"> {ends[0]}\nn = {row['n']}"


def _curve_figure(targets: Targets, rows: Rows) -> Figure:
    figure, axes = side_by_side(len(targets))
    for place, (name, colour) in zip(axes, coloured(targets), strict=True):
        own = [row for row in rows if row["target"] == name]
        place.scatter([r["papers"] for r in own], [r["mae"][0] for r in own], s=14, color="0.6")
        shares = sorted({row["share"] for row in own})
        means = [
            np.mean([(r["papers"], r["mae"][0]) for r in own if r["share"] == share], axis=0)
            for share in shares
        ]
        place.plot(*np.array(means).T, color=colour)
        title, error = targets[name].title, targets[name].error_label
        place.set(title=title, xlabel="training papers", ylabel=error)
    return figure


def _year_figure(targets: Targets, rows: Rows) -> Figure:
    figure, axes = side_by_side(len(targets))
    for place, (name, colour) in zip(axes, coloured(targets), strict=True):
        own = [row for row in rows if row["target"] == name]
        labels = [f"{row['year']}\nn = {row['n']}" for row in own]
        place.bar(labels, [row["mae"] for row in own], color=colour, alpha=0.8)
        place.tick_params(axis="x", labelsize=7)
        place.set(title=targets[name].title, ylabel=targets[name].error_label)
    return figure


def _exponent_figure(rows: Rows) -> Figure:
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
