"""Plots of a validation: parity, calibration, width, distance, learning curve, years, exponents."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perovshell.training.fit.learners import to_unit
from perovshell.training.validation.calibration import coverage_at, covered_rows
from perovshell.training.validation.nested import OutOfFold, Problems

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from perovshell.training.evaluation.evaluate import Evaluation

_UNITS = {"pl": "PL peak (nm)", "plqy": "PLQY (%)"}
_ERRORS = {"pl": "mean error (nm)", "plqy": "mean error (points)"}
_COLOURS = {"pl": "tab:blue", "plqy": "tab:orange"}
_LEVELS = np.linspace(0.1, 0.95, 18)


def write_plots(problems: Problems, results: dict[str, OutOfFold], folder: Path) -> list[Path]:
    """Write parity.png and calibration.png into a folder; return their paths."""
    figures = {
        "parity": parity_figure(problems, results),
        "calibration": calibration_figure(problems, results),
    }
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=120)
    return [folder / f"{name}.png" for name in figures]


def evaluation_plots(evaluation: Evaluation) -> dict[str, str]:
    """Return the plots of an evaluation as SVG by caption."""
    problems, results, tables = evaluation.problems, evaluation.results, evaluation.tables
    figures = {
        "Predicted against measured, the paper left out": parity_figure(problems, results),
        "Coverage by level, counted by paper": calibration_figure(problems, results),
        "Width of the 90 % intervals": _width_figure(problems, results),
        "Error by distance from the nearest sample of another paper": _distance_figure(
            tables["by_distance"]
        ),
        "Learning curve: error by number of training papers": _curve_figure(
            tables["learning_curve"]
        ),
        "Error by year, trained on the years before": _year_figure(tables["by_year"]),
        "Concordance by the exponent of the decay": _exponent_figure(tables["decay_exponent"]),
    }
    return {caption: as_svg(figure) for caption, figure in figures.items()}


def parity_figure(problems: Problems, results: dict[str, OutOfFold]) -> Figure:
    """Draw predicted against measured values."""
    figure, axes = _pair()
    for place, name in zip(axes, _UNITS, strict=True):
        problem = getattr(problems, name)
        measured, predicted = to_unit(name, problem.target), to_unit(name, results[name].mean)
        ends = [min(measured.min(), predicted.min()), max(measured.max(), predicted.max())]
        place.plot(ends, ends, color="0.7", linewidth=1)
        coated = problem.subsets["coated"]
        for mask, label, colour in ((~coated, "bare", "0.45"), (coated, "coated", "tab:orange")):
            place.scatter(
                measured[mask], predicted[mask], s=14, alpha=0.7, label=label, color=colour
            )
        place.set(xlabel=f"measured {_UNITS[name]}", ylabel=f"predicted {_UNITS[name]}")
        place.legend(frameon=False)
    return figure


def calibration_figure(problems: Problems, results: dict[str, OutOfFold]) -> Figure:
    """Draw coverage counted by paper against the level asked for."""
    figure, axes = _single()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for name, label in _UNITS.items():
        problem, result = getattr(problems, name), results[name]
        found = [coverage_at(name, problem, result, level) for level in _LEVELS]
        axes.plot(_LEVELS, found, label=label, color=_COLOURS[name])
    axes.set(xlabel="coverage asked for", ylabel="coverage found")
    axes.legend(frameon=False)
    return figure


def _width_figure(problems: Problems, results: dict[str, OutOfFold]) -> Figure:
    figure, axes = _pair()
    for place, name in zip(axes, _UNITS, strict=True):
        _, width = covered_rows(name, getattr(problems, name), results[name])
        place.hist(width[np.isfinite(width)], bins=20, color=_COLOURS[name], alpha=0.8)
        place.set(xlabel=f"width, {_UNITS[name]}", ylabel="rows")
    return figure


def _distance_figure(rows: Sequence[dict[str, Any]]) -> Figure:
    figure, axes = _pair()
    for place, name in zip(axes, _UNITS, strict=True):
        own = [row for row in rows if row["target"] == name]
        labels = [_bin(row) for row in own]
        value, low, high = np.array([row["mae"] for row in own]).T
        place.bar(labels, value, color=_COLOURS[name], alpha=0.8)
        place.errorbar(labels, value, [value - low, high - value], fmt="none", color="0.2")
        place.set(xlabel="distance", ylabel=_ERRORS[name])
    return figure


def _bin(row: dict[str, Any]) -> str:
    ends = f"{row['above'] or 0:g}", "" if row["to"] is None else f"{row['to']:g}"
    return f"{ends[0]} to {ends[1]}\nn = {row['n']}" if ends[1] else f"> {ends[0]}\nn = {row['n']}"


def _curve_figure(rows: Sequence[dict[str, Any]]) -> Figure:
    figure, axes = _pair()
    for place, name in zip(axes, _UNITS, strict=True):
        own = [row for row in rows if row["target"] == name]
        place.scatter([r["papers"] for r in own], [r["mae"][0] for r in own], s=14, color="0.6")
        shares = sorted({row["share"] for row in own})
        means = [
            np.mean([(r["papers"], r["mae"][0]) for r in own if r["share"] == share], axis=0)
            for share in shares
        ]
        place.plot(*np.array(means).T, color=_COLOURS[name])
        place.set(xlabel="training papers", ylabel=_ERRORS[name])
    return figure


def _year_figure(rows: Sequence[dict[str, Any]]) -> Figure:
    figure, axes = _pair()
    for place, name in zip(axes, _UNITS, strict=True):
        own = [row for row in rows if row["target"] == name]
        labels = [f"{row['year']}\nn = {row['n']}" for row in own]
        place.bar(labels, [row["mae"] for row in own], color=_COLOURS[name], alpha=0.8)
        place.tick_params(axis="x", labelsize=7)
        place.set(ylabel=_ERRORS[name])
    return figure


def _exponent_figure(rows: Sequence[dict[str, Any]]) -> Figure:
    figure, axes = _single()
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


def _pair() -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.8), layout="constrained")
    return figure, figure.subplots(1, 2)


def _single() -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    return figure, figure.subplots()


def as_svg(figure: Figure) -> str:
    """Return a figure as SVG to stand in a page; without a date, so that runs are comparable."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    content = text.getvalue()
    return content[content.index("<svg") :]
