"""Splits forward in time: a model of the papers before a year predicts those of the year."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from perovshell.data.dataset import Dataset
from perovshell.training.fit.problems import PointProblem
from perovshell.training.validation.nested import Fitted, Split

_MIN_TRAINING_PAPERS: Final = 10
"""Training papers (a collection counts as one) below which a split is left out."""


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
