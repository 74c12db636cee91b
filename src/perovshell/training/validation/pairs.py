"""Which of two rows lies higher, by one model that was trained on the paper of neither.

A concordance over predictions of different folds compares different models: the mean of each leans
away from what its fold leaves out, so that even a constant ranks worse than chance. Here each pair
of rows is compared by a model trained without the test sets of both (leave-pair-out, Airola et al.,
10.1016/j.csda.2010.11.023; by folds of papers instead of single rows).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations_with_replacement

import numpy as np

from perovshell.arrays import Floats, Indices

Scorer = Callable[[Indices, Indices], dict[str, Floats]]
"""From training rows and test rows to scores of the test rows, by name of the model."""


def paired_steps(
    scorer: Scorer, splits: Sequence[tuple[Indices, Indices]], count: int, jobs: int
) -> dict[str, Floats]:
    """Return how far each row is predicted above each other row.

    Args:
        scorer: Fits models on training rows and scores test rows.
        splits: Training and test rows; no row is tested twice.
        count: Number of rows.
        jobs: Processes; the result does not depend on it.

    Returns:
        By name of the model, the score of a row minus that of a column, shape (count, count);
        NaN for rows that no split tests and where nothing is left to train on.
    """
    from joblib import Parallel, delayed

    pairs = list(combinations_with_replacement(splits, 2))
    done = Parallel(n_jobs=jobs)(delayed(_compare)(scorer, *pair) for pair in pairs)
    steps: dict[str, Floats] = {}
    for ((_, first), (_, second)), scores in zip(pairs, done, strict=True):
        for name, (upper, lower) in scores.items():
            step = steps.setdefault(name, np.full((count, count), np.nan))
            step[np.ix_(first, second)] = upper[:, None] - lower[None, :]
            step[np.ix_(second, first)] = lower[:, None] - upper[None, :]
    return steps


def _compare(
    scorer: Scorer, one: tuple[Indices, Indices], other: tuple[Indices, Indices]
) -> dict[str, tuple[Floats, Floats]]:
    """Return the scores of two test sets by models that saw neither."""
    train = np.intersect1d(one[0], other[0])
    if not len(train):
        return {}
    first, second = one[1], other[1]
    scores = scorer(train, np.concatenate([first, second]))
    return {name: (both[: len(first)], both[len(first) :]) for name, both in scores.items()}
