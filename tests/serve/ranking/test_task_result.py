"""Results of parts join to that of the whole, whatever the order and the tree."""

import io
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perovshell.serve.ranking.job import joined
from perovshell.serve.ranking.task_result import (
    TaskResult,
    TopList,
    non_dominated,
    not_dominated,
)
from perovshell.serve.ranking.top_k import CoreBlock, TopK

TOP = TopList(lines=5, alike=2, shells=3, contexts=2)


def run_task(rows: list[tuple[int, int, list[int]]]) -> TaskResult:
    """Return the result of combinations of (number, score, desirabilities in hundredths)."""
    index = np.array([row[0] for row in rows], dtype=np.int64)
    score = np.array([row[1] for row in rows], dtype=float) / 10
    points = np.array([row[2] for row in rows], dtype=np.int16).reshape(-1, 2)
    *top, _ = TOP.best(score, index)
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
    assert same(joined(parts, TOP), whole)
    one_by_one = parts[-1]
    for part in parts[:-1]:
        one_by_one = one_by_one.joined(part, TOP)
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


def test_a_line_is_a_shell_with_a_score() -> None:
    """Shells 0 to 2 of cores 0 to 9, one context: numbers are 3 x core + shell."""
    top = TopList(lines=3, alike=2, shells=3, contexts=1)
    number = np.arange(30)
    score, index, lines = top.best(np.where(number % 3 == 1, 2.0, 1.0), number)
    assert lines == 3
    assert index.tolist() == [1, 4, 0, 3, 2, 5]
    assert score.tolist() == [2.0, 2.0, 1.0, 1.0, 1.0, 1.0]
    assert top.best(np.array([]), np.array([], dtype=np.int64))[2] == 0


@settings(max_examples=200, deadline=None)
@given(data=st.data(), levels=st.integers(1, 30), alike=st.integers(1, 3), lines=st.integers(1, 9))
def test_blocks_give_the_best_lines_of_all(
    data: st.DataObject, levels: int, alike: int, lines: int
) -> None:
    """Scores of few levels: many combinations share a line, within blocks and across them."""
    top = TopList(lines, alike, shells=4, contexts=3)
    random = np.random.default_rng(data.draw(st.integers(0, 9999)))
    cores = 40
    score = random.integers(0, levels, (4, 3, cores)).astype(float)
    score[random.random(score.shape) < 0.2] = -np.inf
    kept = TopK(TaskResult.empty(1, 1, 4), top, range(4))
    ends = [0, *sorted(data.draw(st.lists(st.integers(0, cores), max_size=3))), cores]
    for first, last in pairwise(ends):
        if first < last:
            numbers = np.arange(first, last)
            block = CoreBlock(None, numbers, np.zeros(last - first, dtype=np.intp))  # type: ignore[arg-type]
            part = score[:, :, first:last]
            kept.add(block, range(4), part, {"pl": np.zeros_like(part)}, part.size)
    shell, context, core = np.nonzero(score > -np.inf)
    wanted = top.best(score[shell, context, core], (core * 4 + shell) * 3 + context)
    assert kept.result().top_score.tolist() == wanted[0].tolist()
    assert kept.result().top_index.tolist() == wanted[1].tolist()


def test_bytes_bring_the_same_result_back() -> None:
    found = run_task([(3, 5, [1, 2]), (4, 1, [9, 0])])
    content = found.to_bytes({"done": np.array([1, 0])})
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        assert same(TaskResult.from_arrays(arrays), found)
        assert arrays["done"].tolist() == [1, 0]


def test_nothing_joins_to_anything() -> None:
    found = run_task([(3, 5, [1, 2])])
    assert same(TaskResult.empty(2, 2, 2).joined(found, TOP), found)
    with pytest.raises(IndexError):
        joined([], TOP)
