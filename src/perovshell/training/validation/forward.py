"""Splits forward in time: a model of the papers before a year predicts those of the year."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from perovshell.arrays import Indices
from perovshell.data.dataset import Dataset
from perovshell.training.fit.problems import PointProblem
from perovshell.training.validation.nested import (
    Fitted,
    OutOfFold,
    Problems,
    Settings,
    Split,
    paper_splits,
    run_splits,
)

_MIN_TRAINING_PAPERS: Final = 10
"""Training papers (a collection counts as one) below which a split is left out."""
_CALIBRATION_FOLDS: Final = 5
"""Folds by paper of the years before a split, whose left-out papers calibrate its intervals."""


def forward_runs(
    problems: Problems,
    dataset: Dataset,
    settings: Settings,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, OutOfFold]:
    """Predict the papers of each year by models of the years before, with trees.

    The intervals of a year are calibrated on out-of-fold predictions of the papers before it.

    Args:
        problems: The training problems.
        dataset: The dataset they were made from.
        settings: Folds, boosters, processes.
        advance: Called when a fit is done, `forward_steps(problems, dataset, settings)` times.

    Returns:
        Predictions by target; a fit without splits is left out.
    """
    run = partial(
        run_splits,
        problems,
        settings=replace(settings, repeats=1),
        advance=advance,
        baselines=False,
        steps=False,
    )
    years = _years(problems, dataset, settings)
    runs = run({name: [split for split, _ in plan] for name, plan in years.items()})
    calibration: dict[str, list[OutOfFold]] = {target: [] for target in runs}
    for name, plan in years.items():
        for _, inner in plan:
            for target, result in run({name: inner}).items():
                calibration[target].append(result)
    return {name: replace(one, calibration=calibration[name]) for name, one in runs.items()}


def forward_steps(problems: Problems, dataset: Dataset, settings: Settings) -> int:
    """Return how often `forward_runs` calls `advance`."""
    plans = _years(problems, dataset, settings).values()
    return sum(1 + len(inner) for plan in plans for _, inner in plan)


def _years(
    problems: Problems, dataset: Dataset, settings: Settings
) -> dict[str, list[tuple[Split, list[Split]]]]:
    """Return the split of each year, and the splits that calibrate it, by fit with any."""
    folds = min(settings.folds, _CALIBRATION_FOLDS)
    years = {
        name: [
            ((known, test), _paper_splits_of(fit, known, folds))
            for known, test in forward_splits(fit, dataset)[-settings.years :]
        ]
        for name, fit in problems.fits.items()
    }
    return {name: plan for name, plan in years.items() if plan}


def _paper_splits_of(fit: Fitted, rows: Indices, folds: int) -> list[Split]:
    """Return the folds by paper of some rows, as row numbers of the whole problem."""
    return [
        (np.intersect1d(train, rows), np.intersect1d(test, rows))
        for train, test in paper_splits(fit, folds)
        if np.isin(test, rows).any()
    ]


def forward_splits(problem: Fitted, dataset: Dataset) -> list[Split]:
    """Train on the papers before a year, test on those of the year; undated papers are left out."""
    # NaN, for an undated paper, is neither before nor in any year.
    year = np.array([dataset.papers[name].year for name in problem.papers.tolist()], dtype=float)
    splits = [
        (np.flatnonzero(year < now), np.flatnonzero(year == now))
        for now in np.unique(year[~np.isnan(year)])
    ]
    return large_enough(problem, splits)


def large_enough(problem: Fitted, splits: Sequence[Split]) -> list[Split]:
    """Return the splits with test rows and enough training papers."""
    groups = problem.weight_groups if isinstance(problem, PointProblem) else problem.papers
    return [
        (train, test)
        for train, test in splits
        if len(test) and len(set(groups[train].tolist())) >= _MIN_TRAINING_PAPERS
    ]
