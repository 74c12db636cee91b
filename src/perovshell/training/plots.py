"""Plots of a training run: predicted against measured, and calibration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from perovshell.training.calibration import coverage_at
from perovshell.training.learners import to_unit
from perovshell.training.train import TrainedModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_UNITS = {"pl": "PL peak (nm)", "plqy": "PLQY (%)"}


def write_plots(trained: TrainedModel, folder: Path) -> list[Path]:
    """Write parity.png and calibration.png into a folder; return their paths."""
    from matplotlib.figure import Figure

    parity = Figure(figsize=(9, 4.2), layout="constrained")
    for axes, name in zip(parity.subplots(1, 2), _UNITS, strict=True):
        _parity(axes, trained, name)
    calibration = Figure(figsize=(5, 4.2), layout="constrained")
    _calibration(calibration.subplots(), trained)
    paths = [folder / "parity.png", folder / "calibration.png"]
    parity.savefig(paths[0], dpi=120)
    calibration.savefig(paths[1], dpi=120)
    return paths


def _parity(axes: Axes, trained: TrainedModel, name: str) -> None:
    problem = getattr(trained.problems, name)
    measured = to_unit(name, problem.target)
    predicted = to_unit(name, trained.results[name].model[0])
    ends = [min(measured.min(), predicted.min()), max(measured.max(), predicted.max())]
    axes.plot(ends, ends, color="0.7", linewidth=1)
    coated = problem.subsets["coated"]
    for mask, label, color in ((~coated, "bare", "0.45"), (coated, "coated", "tab:orange")):
        axes.scatter(measured[mask], predicted[mask], s=14, alpha=0.7, label=label, color=color)
    axes.set(xlabel=f"measured {_UNITS[name]}", ylabel=f"predicted, paper left out {_UNITS[name]}")
    axes.legend(frameon=False)


def _calibration(axes: Axes, trained: TrainedModel) -> None:
    levels = np.linspace(0.1, 0.95, 18)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for name in _UNITS:
        problem, result = getattr(trained.problems, name), trained.results[name]
        axes.plot(levels, [coverage_at(name, problem, result, x) for x in levels], label=name)
    axes.set(xlabel="asked coverage", ylabel="coverage counted by paper")
    axes.legend(frameon=False)
