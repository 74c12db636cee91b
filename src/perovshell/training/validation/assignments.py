"""Figures over several assignments of papers to folds: choices flatter the one they had in view."""

from __future__ import annotations

from collections.abc import Sequence

from perovshell.training.validation.figures import Figures


def fold_seed(number: int) -> str:
    """Return the fold seed of an assignment; that of the fixed one, number 0, is empty."""
    return f"assignment {number}:" if number else ""


def mean_figures(assignments: Sequence[Figures]) -> Figures:
    """Return the mean of each figure over fold assignments, and so of the ends of its interval.

    A figure that some assignment lacks is None.

    Example:
        >>> mean_figures([{"mae": 9.0}, {"mae": 10.0}])
        {'mae': 9.5}
    """
    means: Figures = {}
    for key in assignments[0]:
        values = [figures.get(key) for figures in assignments]
        known = [value for value in values if value is not None]
        means[key] = sum(known) / len(known) if len(known) == len(values) else None
    return means


def spread(assignments: Sequence[Figures], key: str) -> tuple[float | None, float | None]:
    """Return the smallest and the largest value of a figure over fold assignments."""
    known = [value for figures in assignments if (value := figures.get(key)) is not None]
    return min(known, default=None), max(known, default=None)
