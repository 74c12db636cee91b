"""Conditions of the leaves of trees on one side of a combination, evaluated for many rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices, Mask

Singles = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Interval:
    """The condition of the nodes above a leaf on one column: low <= value < high.

    Attributes:
        column: The column among those of its side.
        low: Least value that passes.
        high: First value that does not.
        missing_passes: Whether a missing value passes.
    """

    column: int
    low: float = -np.inf
    high: float = np.inf
    missing_passes: bool = True

    def narrowed(self, threshold: float, *, left: bool, default_left: bool) -> Interval:
        """Return the interval behind one more node."""
        return Interval(
            self.column,
            self.low if left else max(self.low, threshold),
            min(self.high, threshold) if left else self.high,
            self.missing_passes and left == default_left,
        )


@dataclass(frozen=True)
class Conditions:
    """The distinct sets of intervals that are the conditions of leaves on one side.

    Attributes:
        column: Column of each distinct interval among those of its side, shape (n_intervals,).
        low: Least value that passes, float32, shape (n_intervals,).
        high: First value that does not, float32, shape (n_intervals,).
        missing_passes: Whether a missing value passes, shape (n_intervals,).
        members: The intervals of each set, padded by n_intervals, shape (n_sets, width).
        of_leaf: The set of each leaf, shape (n_leaves,).
    """

    column: Indices
    low: Singles
    high: Singles
    missing_passes: Mask
    members: Indices
    of_leaf: Indices

    @classmethod
    def of(cls, leaves: Sequence[frozenset[Interval]]) -> Conditions:
        """Number the intervals of leaves and their sets."""
        sets = {intervals: index for index, intervals in enumerate(dict.fromkeys(leaves))}
        index_of: dict[Interval, int] = {}
        for intervals in sets:
            for interval in sorted(intervals, key=lambda one: one.column):
                index_of.setdefault(interval, len(index_of))
        width = max((len(intervals) for intervals in sets), default=0)
        members = np.full((len(sets), max(width, 1)), len(index_of), dtype=np.intp)
        for row, intervals in enumerate(sets):
            members[row, : len(intervals)] = sorted(index_of[one] for one in intervals)
        return cls(
            np.array([one.column for one in index_of], dtype=np.intp),
            np.array([one.low for one in index_of], dtype=np.float32),
            np.array([one.high for one in index_of], dtype=np.float32),
            np.array([one.missing_passes for one in index_of], dtype=bool),
            members,
            np.array([sets[intervals] for intervals in leaves], dtype=np.intp),
        )

    def hold(self, rows: Floats) -> Mask:
        """Return which sets hold for rows, shape (n_sets, n).

        Args:
            rows: One row a descriptor of the side, NaN where missing, shape (n_columns, n).
        """
        # Thresholds are float32, and so is the comparison in the trees.
        value = rows.astype(np.float32).take(self.column, axis=0)
        passes = np.empty((len(self.column) + 1, rows.shape[1]), dtype=bool)
        passes[-1] = True
        inside = np.greater_equal(value, self.low[:, None], out=passes[:-1])
        inside &= value < self.high[:, None]
        if np.isnan(rows).any():
            inside |= np.isnan(value) & self.missing_passes[:, None]
        return self._of_sets(passes)

    def settled(self, rows: Floats) -> tuple[Mask, Mask]:
        """Return which sets hold for all rows, and which may hold for some, by their ranges alone.

        Args:
            rows: As in `hold`.
        """
        value = rows.astype(np.float32)
        is_missing = np.isnan(value)
        some, any_missing = ~is_missing.all(axis=1), is_missing.any(axis=1)
        least, most = np.fmin.reduce(value, axis=1), np.fmax.reduce(value, axis=1)
        least, most, some, any_missing = (
            of_column.take(self.column) for of_column in (least, most, some, any_missing)
        )
        all_pass, some_pass = np.ones((2, len(self.column) + 1), dtype=bool)
        all_pass[:-1] = (least >= self.low) & (most < self.high) | ~some
        all_pass[:-1] &= self.missing_passes | ~any_missing
        some_pass[:-1] = (most >= self.low) & (least < self.high)
        some_pass[:-1] |= self.missing_passes & any_missing
        return self._of_sets(all_pass), self._of_sets(some_pass)

    def _of_sets(self, passes: Mask) -> Mask:
        """Return which sets hold from which intervals are passed; the last one always is."""
        # A set holds where all its intervals do; padding points to the last row.
        holds = passes.take(self.members[:, 0], axis=0)
        for column in self.members.T[1:]:
            holds &= passes.take(column, axis=0)
        return holds

    def of_leaves(self, chosen: Mask) -> Conditions:
        """Return the conditions of some leaves alone."""
        return self.of_sets(self.of_leaf[chosen])

    def of_sets(self, of_leaf: Indices) -> Conditions:
        """Return the conditions of leaves with the given sets, without other sets and intervals."""
        sets, of_leaf = np.unique(of_leaf, return_inverse=True)
        padding = len(self.column)
        used = np.unique(self.members[sets])
        used = used[used < padding]
        number = np.full(padding + 1, len(used), dtype=np.intp)
        number[used] = np.arange(len(used))
        return Conditions(
            self.column[used],
            self.low[used],
            self.high[used],
            self.missing_passes[used],
            number[self.members[sets]],
            of_leaf,
        )
