"""Intervals by paper: known answers, and coverage by simulation with known paper effects."""

import math

import numpy as np
import pytest

from perovshell.models.conformal import Scores, censored_scores, group_masses


def test_masses_leave_room_for_one_unseen_paper() -> None:
    masses = group_masses(["a", "a", "b", "c", "c", "c"])
    assert masses.sum() == pytest.approx(3 / 4)
    assert masses.tolist() == pytest.approx([1 / 8, 1 / 8, 1 / 4, 1 / 12, 1 / 12, 1 / 12])


@pytest.mark.parametrize(("papers", "expected"), [(8, math.inf), (9, 9.0), (19, 18.0)])
def test_quantile_at_90_percent(papers: int, expected: float) -> None:
    scores = Scores.of(np.arange(1.0, papers + 1), [f"p{k}" for k in range(papers)])
    assert scores.quantile(0.9) == expected


def test_a_paper_with_many_rows_counts_once() -> None:
    values = np.concatenate([np.full(1000, 50.0), np.arange(1.0, 20)])
    groups = ["big"] * 1000 + [f"p{k}" for k in range(19)]
    assert Scores.of(values, groups).quantile(0.9) == 19.0


def test_no_scores_give_no_bound() -> None:
    assert Scores.of(np.zeros(0), []).quantile(0.9) == math.inf


def test_points_are_estimated_as_themselves() -> None:
    values = np.array([3.0, 1.0, 2.0, 2.0])
    scores = censored_scores(values, values, ["a", "b", "c", "c"])
    assert scores.values.tolist() == [1.0, 2.0, 3.0]
    assert scores.masses.tolist() == pytest.approx([0.25, 0.25, 0.25])


def test_a_known_interval_censored_sample() -> None:
    # Intervals [0, 1], [0, 2], [1, 3], [2, 3]: mass can sit at [0, 1], [1, 1], [2, 2]... By
    # symmetry the likelihood is largest with half of the mass at 1 and half at 2.
    low, high = np.array([0.0, 0.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0, 3.0])
    scores = censored_scores(low, high, list("abcd"))
    assert dict(zip(scores.values, scores.masses, strict=True)) == pytest.approx(
        {1.0: 0.4, 2.0: 0.4}, abs=1e-4
    )


def test_lower_quantile_gives_the_unseen_paper_the_far_end() -> None:
    values = np.arange(1.0, 20)
    scores = Scores.of(values, [f"p{k}" for k in range(19)])
    assert scores.lower_quantile(0.1) == 2.0
    assert Scores.of(values[:5], list("abcde")).lower_quantile(0.1) == -math.inf


def test_a_lower_bound_holds_under_censoring() -> None:
    """The truth is seen as intervals; the bound must hold for a new paper's truth."""
    random = np.random.default_rng(4)
    kept = []
    for _ in range(200):
        truth = random.normal(size=31)
        width = random.uniform(0.1, 1.5, size=31)
        low = truth - width * random.random(31)
        high = low + width
        low[random.random(31) < 0.2] = -np.inf
        high[random.random(31) < 0.4] = np.inf
        scores = censored_scores(low[:30], high[:30], [f"p{k}" for k in range(30)])
        kept.append(truth[30] >= scores.lower_quantile(0.1))
    assert np.mean(kept) >= 0.9 - 3 * 0.3 / math.sqrt(200)
