"""Pairs are compared by models that saw neither paper."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from perovshell.training.validation.pairs import Scorer, Scores, paired_steps

Rows = npt.NDArray[np.intp]
VALUES = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
TESTS = np.arange(len(VALUES))
SIDES = np.repeat(TESTS, 2)
"""Test of each row of a second table, in which each test has two rows."""


def folds(count: int) -> list[tuple[Rows, Rows]]:
    fold = TESTS % count
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(count)]


def steps_of(
    scorer: Scorer, splits: Sequence[tuple[Rows, Rows]], count: int = len(VALUES)
) -> npt.NDArray[np.float64]:
    return paired_steps(scorer, splits, {"gain": lambda rows: rows}, {"gain": count}, 1)["gain"][
        "model"
    ]


def training_mean(train: Rows, tests: Sequence[Rows]) -> list[Scores]:
    return [{"gain": {"model": np.full(len(test), VALUES[train].mean())}} for test in tests]


def test_a_model_that_says_the_same_of_all_ties_every_pair() -> None:
    """Over folds such a mean would lean away from what each leaves out."""
    assert (steps_of(training_mean, folds(4)) == 0.0).all()


def test_no_pair_is_compared_by_a_model_that_saw_one_of_it() -> None:
    seen: list[tuple[set[int], set[int]]] = []

    def scorer(train: Rows, tests: Sequence[Rows]) -> list[Scores]:
        seen.extend((set(train.tolist()), set(test.tolist())) for test in tests)
        return [{"gain": {"model": VALUES[test]}} for test in tests]

    step = steps_of(scorer, folds(4))
    assert seen
    assert all(not train & test for train, test in seen)
    assert np.array_equal(step, np.subtract.outer(VALUES, VALUES))


def test_each_pair_of_test_sets_is_one_fit() -> None:
    fits: list[Rows] = []

    def scorer(train: Rows, tests: Sequence[Rows]) -> list[Scores]:
        fits.append(train)
        return training_mean(train, tests)

    steps_of(scorer, folds(4))
    assert len(fits) == 4 * 5 / 2


def test_the_rows_of_each_table_follow_from_the_tests() -> None:
    """As a test has a gain and two sides, each with its lifetime."""

    def sides(rows: Rows) -> Rows:
        return np.flatnonzero(np.isin(SIDES, rows))

    lives = VALUES[SIDES] + np.tile([0.0, 0.5], len(VALUES))

    def scorer(_: Rows, tests: Sequence[Rows]) -> list[Scores]:
        return [
            {
                "gain": {"model": VALUES[test], "null": np.zeros(len(test))},
                "lifetime": {"model": lives[sides(test)]},
            }
            for test in tests
        ]

    rows_of = {"gain": lambda rows: rows, "lifetime": sides}
    counts = {"gain": len(VALUES), "lifetime": len(SIDES)}
    steps = paired_steps(scorer, folds(3), rows_of, counts, 1)
    assert np.array_equal(steps["gain"]["model"], np.subtract.outer(VALUES, VALUES))
    assert np.array_equal(steps["gain"]["null"], np.zeros((8, 8)))
    assert np.array_equal(steps["lifetime"]["model"], np.subtract.outer(lives, lives))
    assert set(steps["lifetime"]) == {"model"}


def test_untested_rows_and_pairs_without_training_rows_are_unknown() -> None:
    first = (np.array([0, 1]), np.array([2, 3]))
    second = (np.array([2, 3]), np.array([0, 1]))
    known = ~np.isnan(steps_of(training_mean, [first, second], 5))
    expected = np.zeros((5, 5), dtype=bool)
    expected[:2, :2] = expected[2:4, 2:4] = True
    assert np.array_equal(known, expected)
