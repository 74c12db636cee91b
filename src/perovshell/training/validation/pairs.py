"""Which of two rows lies higher, by one model that was trained on the paper of neither.

A concordance over predictions of different folds compares different models: the mean of each leans
away from what its fold leaves out, so that even a constant ranks worse than chance. Here each pair
of rows is compared by a model trained without the test sets of both (leave-pair-out, Airola et al.,
10.1016/j.csda.2010.11.023; by folds of papers instead of single rows).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations_with_replacement

import numpy as np

from perovshell.arrays import Floats, Indices

Scores = Mapping[str, Mapping[str, Floats]]
"""Scores of the rows of each table that belong to a test set, by table and by model."""
Scorer = Callable[[Indices, Sequence[Indices]], Sequence[Scores]]
"""From a training set and test sets to the scores of each test set."""
RowsOf = Mapping[str, Callable[[Indices], Indices]]
"""By table, the rows that belong to a test set."""


def paired_steps(
    scorer: Scorer,
    splits: Sequence[tuple[Indices, Indices]],
    rows_of: RowsOf,
    counts: Mapping[str, int],
    jobs: int,
) -> dict[str, dict[str, Floats]]:
    """Return how far each row of each table is predicted above each other row.

    Args:
        scorer: Fits models on a training set and scores the rows of test sets.
        splits: Training and test sets; nothing is tested twice.
        rows_of: The rows of each table that belong to a test set.
        counts: Number of rows of each table.
        jobs: Processes; the result does not depend on it.

    Returns:
        By table and model, the score of a row minus that of a column, shape (count, count); NaN for
        rows that no split tests and where nothing is left to train on.
    """
    from joblib import Parallel, delayed

    pairs = list(combinations_with_replacement(splits, 2))
    done = Parallel(n_jobs=jobs)(delayed(_compare)(scorer, *pair) for pair in pairs)
    steps: dict[str, dict[str, Floats]] = {table: {} for table in rows_of}
    for ((_, one), (_, other)), scores in zip(pairs, done, strict=True):
        for table, rows in rows_of.items():
            first, second, count = rows(one), rows(other), counts[table]
            for model, (upper, lower) in scores.get(table, {}).items():
                step = steps[table].setdefault(model, np.full((count, count), np.nan))
                step[np.ix_(first, second)] = upper[:, None] - lower[None, :]
                step[np.ix_(second, first)] = lower[:, None] - upper[None, :]
    return steps


def _compare(
    scorer: Scorer, one: tuple[Indices, Indices], other: tuple[Indices, Indices]
) -> dict[str, dict[str, tuple[Floats, Floats]]]:
    """Return the scores of two test sets by models that saw neither."""
    train = np.intersect1d(one[0], other[0])
    if not len(train):
        return {}
    first, second = scorer(train, [one[1], other[1]])
    return {
        table: {model: (scores, second[table][model]) for model, scores in models.items()}
        for table, models in first.items()
    }
