"""Guards of the validation: what must never be on both sides of a split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices
from perovshell.errors import LeakError
from perovshell.features.featurizer import Featurizer
from perovshell.training.fit.problems import LifetimeProblem, PointProblem

Described = PointProblem | LifetimeProblem
_ENOUGH = 8
"""Distinct values from which a perfect order is no accident."""
_PERFECT = 0.99
"""Share of the variance of ranks that a descriptor may explain at the most."""


def check_split(
    name: str, papers: npt.NDArray[np.str_], splits: Sequence[tuple[Indices, Indices]]
) -> None:
    """Check that no paper is trained and tested on in one split.

    Raises:
        LeakError: Some paper is; the message names it.
    """
    for train, test in splits:
        shared = sorted(set(papers[train].tolist()) & set(papers[test].tolist()))
        if shared:
            msg = f"{name}: paper {shared[0]} is on both sides of a split"
            raise LeakError(msg)


def check_descriptors(name: str, problem: Described, featurizer: Featurizer) -> None:
    """Check that descriptors hold nothing but what a request can hold.

    They are computed again from the combinations alone, which hold no target, and must be the same:
    a target copied into a single row, in any form, is detected.

    Raises:
        LeakError: Some descriptor is not; the message names it and the first such sample.
    """
    again = featurizer.matrix(problem.items)
    held = problem.matrix[:, : again.shape[1]]
    same = (held == again) | (np.isnan(held) & np.isnan(again))
    if not same.all():
        row, column = np.argwhere(~same)[0]
        msg = (
            f"{name}: descriptor {problem.names[column]!r} of {problem.sample_ids[row]} is not "
            "what its composition, shell and context give: does it hold the target?"
        )
        raise LeakError(msg)


def check_order(name: str, matrix: Floats, names: Sequence[str], target: Floats) -> None:
    """Check that no descriptor puts all rows in the order of the target.

    Raises:
        LeakError: Some descriptor does over at least `_ENOUGH` of its values; the message names it.
    """
    for index, column in enumerate(matrix.T):
        known = ~np.isnan(column)
        if len(np.unique(column[known])) < _ENOUGH or len(np.unique(target[known])) < _ENOUGH:
            continue
        if np.corrcoef(_ranks(column[known]), _ranks(target[known]))[0, 1] ** 2 > _PERFECT:
            msg = f"{name}: descriptor {names[index]!r} is in the order of the target"
            raise LeakError(msg)


def _ranks(values: Floats) -> Floats:
    """Return ranks, equal values at their mean rank."""
    _, index, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[index])
