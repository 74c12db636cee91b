"""Our evaluator against the library's, on rows with missing values."""

from dataclasses import replace

import numpy as np
import pytest
import xgboost

from perovshell.errors import ModelFolderError
from perovshell.models.boosting import BoostConfig, FittedForest, fit_bounded, fit_lifetime
from perovshell.models.contributions import ForestContributions
from perovshell.models.forest import Forest

COLUMNS = np.arange(12)


def rows(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(count, len(COLUMNS)))
    matrix[:, :3] = np.round(matrix[:, :3])  # ties with thresholds
    matrix[random.random(matrix.shape) < 0.2] = np.nan
    return matrix


def by_library(fitted: FittedForest, matrix: np.ndarray, offset: float) -> np.ndarray:
    booster = xgboost.Booster(model_file=bytearray(fitted.native[0]))
    margin = np.full(len(matrix), offset)
    data = xgboost.DMatrix(matrix[:, fitted.columns], base_margin=margin)
    return booster.predict(data, output_margin=True)


def config(depth: int, rounds: int = 120) -> BoostConfig:
    return BoostConfig(("all",), rounds=rounds, depth=depth, learning_rate=0.2)


def fit(depth: int, kind: str) -> FittedForest:
    matrix = rows(300, 1)
    known = np.nan_to_num(matrix)
    target = known[:, 0] * 2 + np.sin(known[:, 4]) * known[:, 5] - np.isnan(matrix[:, 6])
    weights, start = np.ones(300), np.full(300, 0.7)
    settings = (config(depth), COLUMNS, 3)
    if kind == "aft":
        low = np.exp(target - 0.3)
        high = np.where(known[:, 1] > 0.5, np.inf, np.exp(target + 0.3))
        names = [f"column {k}" for k in COLUMNS]
        return fit_lifetime(matrix, low, high, weights, start, ("normal", 1.0), names, settings)
    return fit_bounded(matrix, target, [""] * 300, weights, start, 1.0, settings)


@pytest.mark.parametrize("kind", ["bounded", "aft"])
@pytest.mark.parametrize("depth", [1, 2, 4, 6])
def test_equal_to_the_library_on_10000_rows_with_missing_values(depth: int, kind: str) -> None:
    fitted = fit(depth, kind)
    matrix = rows(10_000, 2)
    ours = 0.7 + fitted.predict(matrix)
    np.testing.assert_allclose(ours, by_library(fitted, matrix, 0.7), rtol=1e-5, atol=1e-5)


def test_a_tree_without_a_split_is_a_constant() -> None:
    matrix = rows(50, 4)
    fitted = fit_bounded(
        matrix, np.full(50, 2.0), [""] * 50, np.ones(50), np.zeros(50), 1.0, (config(2), COLUMNS, 0)
    )
    assert fitted.predict(matrix) == pytest.approx(by_library(fitted, matrix, 0.0), abs=1e-5)


def test_no_rows_give_no_predictions() -> None:
    assert fit(2, "bounded").predict(np.zeros((0, len(COLUMNS)))).shape == (0,)


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, matrix = fit(3, "bounded"), rows(500, 6)
    whole = fitted.predict(matrix)
    monkeypatch.setattr("perovshell.models.forest._ROWS_AT_ONCE", 33)
    np.testing.assert_array_equal(whole, fitted.predict(matrix))


def test_arrays_bring_the_same_forest_back() -> None:
    forest, matrix = fit(4, "bounded").forest, rows(100, 7)
    again = Forest.from_arrays(forest.arrays())
    assert again.depth == forest.depth == 4
    np.testing.assert_array_equal(again.predict(matrix), forest.predict(matrix))


@pytest.mark.parametrize(("bound", "expected"), [(">", 9.0), ("<", 5.0)])
def test_a_bound_pulls_only_from_its_wrong_side(bound: str, expected: float) -> None:
    matrix = np.zeros((4, len(COLUMNS)))
    matrix[2:, 0] = 1.0
    target = np.array([5.0, 5.0, 9.0, 9.0])
    start = np.full(4, 5.0 if bound == ">" else 9.0)
    bounds = ["", "", ">", ">"] if bound == ">" else ["<", "<", "", ""]
    settings = (BoostConfig(("all",), 400, 2, row_share=1.0, column_share=1.0), COLUMNS, 0)
    fitted = fit_bounded(matrix, target, bounds, np.full(4, 50.0), start, np.inf, settings)
    predicted = start + fitted.predict(matrix)
    assert predicted[2 if bound == ">" else 0] == pytest.approx(expected, abs=0.1)
    kept = fit_bounded(matrix, np.full(4, 7.0), [bound] * 4, np.ones(4), start, np.inf, settings)
    free = fit_bounded(
        matrix, np.full(4, 7.0), [{">": "<", "<": ">"}[bound]] * 4, np.ones(4), start, np.inf,
        settings,
    )  # fmt: skip
    assert np.abs(kept.predict(matrix)).max() > 1.0
    assert np.abs(free.predict(matrix)).max() == 0.0


def chain(leaves: int) -> dict[str, np.ndarray]:
    """Arrays of a constant, and of a tree whose every node has a leaf on its left."""
    inner = leaves - 1
    left = [0, *(1 + inner + k for k in range(inner)), *range(1 + inner, 1 + inner + leaves)]
    right = [0, *range(2, 1 + inner), inner + leaves, *range(1 + inner, 1 + inner + leaves)]
    count = len(left)
    return {
        "feature": np.zeros(count, np.int32),
        "threshold": np.arange(count, dtype=np.float32),
        "children": np.array([left, right], dtype=np.int32).T,
        "default_left": np.zeros(count, dtype=bool),
        "value": np.ones(count, np.float32),
        "cover": np.ones(count, np.float32),
        "roots": np.array([0, 1], dtype=np.int32),
    }


def test_a_tree_of_too_many_leaves_is_refused_when_it_is_read() -> None:
    assert Forest.from_arrays(chain(64)).predict(np.zeros((1, 1))) == pytest.approx([2.0])
    with pytest.raises(ModelFolderError, match="a tree of 65 leaves; at most 64"):
        Forest.from_arrays(chain(65))


def by_the_rule(forest: Forest, row: np.ndarray) -> float:
    """Walk down each tree."""
    total = 0.0
    for node in forest.roots.tolist():
        while forest.children[node, 0] != node:
            value = np.float32(row[forest.feature[node]])
            goes_left = value < forest.threshold[node]
            if np.isnan(value):
                goes_left = forest.default_left[node]
            node = int(forest.children[node, 0 if goes_left else 1])  # noqa: PLW2901
        total += float(forest.value[node])
    return total


def test_missing_values_go_their_way_at_thresholds_without_limit() -> None:
    fitted, matrix = fit(4, "bounded").forest, rows(200, 8)
    random = np.random.default_rng(9)
    matrix[random.random(matrix.shape) < 0.05] = np.inf
    # Where a column is known matters, and its value does not, a threshold is -inf.
    limit = random.choice(np.array([-np.inf, np.inf], np.float32), len(fitted.threshold))
    chosen = random.random(len(limit)) < 0.3
    forest = replace(
        fitted,
        threshold=np.where(chosen, limit, fitted.threshold),
        default_left=random.random(len(limit)) < 0.5,
    )
    expected = [by_the_rule(forest, row) for row in matrix]
    np.testing.assert_allclose(forest.predict(matrix), expected, rtol=1e-5, atol=1e-6)
    contributions = ForestContributions.of(forest)
    added = [contributions.expected + contributions.of_row(forest, row).sum() for row in matrix]
    np.testing.assert_allclose(added, expected, rtol=1e-4, atol=1e-5)
