"""Guards of the validation: what must never stand on both sides of a split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from perovshell.errors import PerovshellError

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
_ENOUGH = 8
"""Distinct values from which a perfect fit is no accident."""
_PERFECT = 1e-9


class LeakError(PerovshellError):
    """A split or a descriptor tells a model what it is tested on."""


def check_split(
    name: str, papers: npt.NDArray[np.str_], splits: Sequence[tuple[Rows, Rows]]
) -> None:
    """Check that no paper is trained and tested on in one split.

    Raises:
        LeakError: Some paper is; the message names it.
    """
    for train, test in splits:
        shared = sorted(set(papers[train].tolist()) & set(papers[test].tolist()))
        if shared:
            msg = f"{name}: paper {shared[0]} stands on both sides of a split"
            raise LeakError(msg)


def check_descriptors(
    name: str,
    matrix: Floats,
    names: Sequence[str],
    target: Floats,
    splits: Sequence[tuple[Rows, Rows]],
) -> None:
    """Check that no descriptor is the target itself, on any side of any split.

    A descriptor that is linear in the target to rounding, over at least `_ENOUGH` of its values,
    was made from it.

    Raises:
        LeakError: Some descriptor is; the message names it.
    """
    for train, test in splits:
        for rows in (train, test):
            place = _copy_of(target[rows], matrix[rows])
            if place is not None:
                msg = f"{name}: descriptor {names[place]!r} holds the target"
                raise LeakError(msg)


def _copy_of(target: Floats, columns: Floats) -> int | None:
    """Return the first column that is linear in the target, or None."""
    if len(np.unique(target)) < _ENOUGH:
        return None
    known = ~np.isnan(columns)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, columns, 0.0)
    x = np.where(known, filled - filled.sum(axis=0) / count, 0.0)
    of_column = np.where(known, target[:, None], 0.0)
    y = np.where(known, of_column - of_column.sum(axis=0) / count, 0.0)
    across, up, down = (x * y).sum(axis=0), (x * x).sum(axis=0), (y * y).sum(axis=0)
    left = down - across**2 / np.where(up > 0, up, 1.0)
    varied = (up > 0) & (down > 0)
    for place in np.flatnonzero(varied & (left <= _PERFECT * np.maximum(down, 1e-300))):
        values = columns[known[:, place], place]
        if len(np.unique(values)) >= _ENOUGH:
            return int(place)
    return None
