"""Pairs are compared by models that saw neither paper."""

import numpy as np
import numpy.typing as npt

from perovshell.training.validation.pairs import paired_steps

Rows = npt.NDArray[np.intp]
VALUES = np.array([3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0])
ROWS = np.arange(len(VALUES))


def folds(count: int) -> list[tuple[Rows, Rows]]:
    fold = ROWS % count
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(count)]


def training_mean(train: Rows, test: Rows) -> dict[str, npt.NDArray[np.float64]]:
    return {"model": np.full(len(test), VALUES[train].mean())}


def test_a_model_that_says_the_same_of_all_ties_every_pair() -> None:
    """Over folds such a mean would lean away from what each leaves out."""
    step = paired_steps(training_mean, folds(4), len(VALUES), jobs=1)["model"]
    assert (step == 0.0).all()


def test_no_pair_is_compared_by_a_model_that_saw_one_of_it() -> None:
    seen: list[tuple[set[int], set[int]]] = []

    def scorer(train: Rows, test: Rows) -> dict[str, npt.NDArray[np.float64]]:
        seen.append((set(train.tolist()), set(test.tolist())))
        return {"model": VALUES[test]}

    step = paired_steps(scorer, folds(4), len(VALUES), jobs=1)["model"]
    assert all(not train & test for train, test in seen)
    assert np.array_equal(step, np.subtract.outer(VALUES, VALUES))


def test_untested_rows_and_pairs_without_training_rows_are_unknown() -> None:
    first = (np.array([0, 1]), np.array([2, 3]))
    second = (np.array([2, 3]), np.array([0, 1]))
    step = paired_steps(training_mean, [first, second], 5, jobs=1)["model"]
    known = ~np.isnan(step)
    expected = np.zeros((5, 5), dtype=bool)
    expected[:2, :2] = expected[2:4, 2:4] = True
    assert np.array_equal(known, expected)
