"""Harvests of parts join to that of the whole, whatever the order and the tree."""

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perovshell.serve.ranking.engine import joined
from perovshell.serve.ranking.task_result import TaskResult, best, non_dominated, not_dominated

KEEP = 5


def run_task(rows: list[tuple[int, int, list[int]]]) -> TaskResult:
    """TaskResult combinations of (number, score, desirabilities in hundredths)."""
    index = np.array([row[0] for row in rows], dtype=np.int64)
    score = np.array([row[1] for row in rows], dtype=float) / 10
    points = np.array([row[2] for row in rows], dtype=np.int16).reshape(-1, 2)
    top = best(score, index, KEEP)
    front = non_dominated(points, score, index)
    cells, numbers = np.full((2, 2), -np.inf), np.full((2, 2), -1, np.int64)
    for number, value in sorted(zip(index.tolist(), score.tolist(), strict=True)):
        place = number % 2, number // 2 % 2
        if value > cells[place]:
            cells[place], numbers[place] = value, number
    return TaskResult(len(rows), {"odd": int((index % 2).sum())}, *top, *front, cells, numbers)


def same(one: TaskResult, other: TaskResult) -> bool:
    order, again = np.argsort(one.front_index), np.argsort(other.front_index)
    return (
        one.ranked == other.ranked
        and dict(one.removed) == dict(other.removed)
        and all(
            np.array_equal(getattr(one, name), getattr(other, name))
            for name in ("top_score", "top_index", "cell_score", "cell_index")
        )
        and np.array_equal(one.front[order], other.front[again])
        and np.array_equal(one.front_index[order], other.front_index[again])
        and np.array_equal(one.front_score[order], other.front_score[again])
    )


combinations = st.lists(
    st.tuples(
        st.integers(0, 40), st.integers(-9, 9), st.lists(st.integers(0, 9), min_size=2, max_size=2)
    ),
    min_size=1, max_size=30, unique_by=lambda row: row[0],
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(rows=combinations, data=st.data())
def test_parts_join_to_the_whole_in_any_order(rows: list, data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(rows))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(rows)), max_size=4)))
    ends = [0, *cuts, len(rows)]
    parts = [run_task(shuffled[first:last]) for first, last in pairwise(ends)]
    whole = run_task(rows)
    assert same(joined(parts, KEEP), whole)
    one_by_one = parts[-1]
    for part in parts[:-1]:
        one_by_one = one_by_one.joined(part, KEEP)
    assert same(one_by_one, whole)


@given(rows=combinations)
def test_the_front_is_what_no_other_beats(rows: list) -> None:
    found = run_task(rows)
    points = np.array([row[2] for row in rows])
    for own in found.front:
        assert not ((points >= own).all(axis=1) & (points > own).any(axis=1)).any()
    kept = {tuple(own) for own in found.front.tolist()}
    for own in points:
        if not ((points >= own).all(axis=1) & (points > own).any(axis=1)).any():
            assert tuple(own.tolist()) in kept
    assert len(kept) == len(found.front)


@given(rows=combinations)
def test_strong_points_beat_only_what_is_beaten(rows: list) -> None:
    points = np.array([row[2] for row in rows], dtype=np.int16)
    alive = not_dominated(list(points.T), points[:3])
    for own, kept in zip(points, alive, strict=True):
        beaten = ((points[:3] >= own).all(axis=1) & (points[:3] > own).any(axis=1)).any()
        assert kept != beaten


def test_equal_scores_stand_by_number() -> None:
    score, index = best(np.array([1.0, 2.0, 2.0, 2.0]), np.array([0, 9, 3, 5]), 3)
    assert index.tolist() == [3, 5, 9]
    assert score.tolist() == [2.0, 2.0, 2.0]


def test_bytes_bring_the_same_harvest_back() -> None:
    found = run_task([(3, 5, [1, 2]), (4, 1, [9, 0])])
    content = found.to_bytes({"done": np.array([1, 0])})
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        assert same(TaskResult.from_arrays(arrays), found)
        assert arrays["done"].tolist() == [1, 0]


def test_nothing_joins_to_anything() -> None:
    found = run_task([(3, 5, [1, 2])])
    assert same(TaskResult.empty(2, 2, 2).joined(found, KEEP), found)
    with pytest.raises(IndexError):
        joined([], KEEP)
