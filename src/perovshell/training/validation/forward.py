"""Splits forward in time: a model of the papers before a year predicts those of the year."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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


def forward_runs(problems: Problems, dataset: Dataset, settings: Settings) -> dict[str, OutOfFold]:
    """Predict the papers of each year by models of the years before, with trees.

    Their intervals are calibrated as a model of that year's would have been: on papers of the years
    before, predicted with their own paper left out.

    Returns:
        Predictions by target; a fit without splits is left out.
    """
    single = replace(settings, repeats=1)
    plans = {name: forward_splits(fit, dataset) for name, fit in problems.fits.items()}
    plans = {name: plan for name, plan in plans.items() if plan}
    runs = run_splits(problems, plans, single, baselines=False, steps=False)
    calibration: dict[str, list[OutOfFold]] = {name: [] for name in runs}
    folds = min(settings.folds, _CALIBRATION_FOLDS)
    for name, plan in plans.items():
        for known, _ in plan:
            inner = {name: _paper_splits_of(problems.fits[name], known, folds)}
            one = run_splits(problems, inner, single, baselines=False, steps=False)
            for target, result in one.items():
                calibration[target].append(result)
    return {name: replace(run, calibration=calibration[name]) for name, run in runs.items()}


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
