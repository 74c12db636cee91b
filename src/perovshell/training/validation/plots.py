"""Plots of a validation, for the tracking and for reports: parity and calibration."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perovshell.training.validation.calibration import coverage_at
from perovshell.training.validation.nested import OutOfFold, Problems

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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


def parity_figure(problems: Problems, results: dict[str, OutOfFold]) -> Figure:
    """Draw predicted against measured values."""
    figure, axes = side_by_side(len(problems.points))
    for panel, (name, problem) in zip(axes, problems.points.items(), strict=True):
        measured, predicted = problem.values, problem.spec.target.scale.to_unit(results[name].mean)
        ends = [min(measured.min(), predicted.min()), max(measured.max(), predicted.max())]
        panel.plot(ends, ends, color="0.7", linewidth=1)
        coated = problem.subsets["coated"]
        for mask, label, colour in ((~coated, "bare", "0.45"), (coated, "coated", "tab:orange")):
            panel.scatter(
                measured[mask], predicted[mask], s=14, alpha=0.7, label=label, color=colour
            )
        label = problem.spec.target.label
        panel.set(xlabel=f"measured {label}", ylabel=f"predicted {label}")
        panel.legend(frameon=False)
    return figure


def calibration_figure(problems: Problems, results: dict[str, OutOfFold]) -> Figure:
    """Draw coverage counted by paper against the level asked for."""
    figure, axes = single()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for name, colour in coloured(problems.points):
        problem = problems.points[name]
        covered = [coverage_at(problem, results[name], level) for level in _LEVELS]
        axes.plot(_LEVELS, covered, label=problem.spec.target.title, color=colour)
    axes.set(xlabel="nominal coverage", ylabel="empirical coverage")
    axes.legend(frameon=False)
    return figure


def coloured(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the names of targets, each with its colour."""
    for number, name in enumerate(names):
        yield name, f"C{number}"


def side_by_side(count: int) -> tuple[Figure, list[Axes]]:
    """Make a figure with a panel for each target."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 * count, 3.8), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def single() -> tuple[Figure, Axes]:
    """Make a figure of one panel."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    return figure, figure.subplots()


def as_svg(figure: Figure) -> str:
    """Return a figure as SVG for a page; without a date, so that runs are comparable."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    content = text.getvalue()
    return content[content.index("<svg") :]
