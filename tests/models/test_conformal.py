"""Intervals by paper: known answers, and coverage by simulation with known paper effects."""

import math

import numpy as np
import pytest

from perovshell.models.conformal import ConformityScores, censored_scores, group_masses


def test_masses_leave_room_for_one_unseen_paper() -> None:
    masses = group_masses(["a", "a", "b", "c", "c", "c"])
    assert masses.sum() == pytest.approx(3 / 4)
    assert masses.tolist() == pytest.approx([1 / 8, 1 / 8, 1 / 4, 1 / 12, 1 / 12, 1 / 12])


def test_rows_share_the_mass_of_their_paper() -> None:
    """Two papers have 1/3 each; three rows of one share it as 1 : 2 : 3."""
    masses = group_masses(list("aaab"), np.array([1.0, 2.0, 3.0, 7.0]))
    assert masses.tolist() == pytest.approx([1 / 18, 2 / 18, 3 / 18, 6 / 18])


def test_scores_rise_and_keep_their_masses() -> None:
    scores = ConformityScores.of(np.array([3.0, 1.0, 2.0]), list("aab"), np.array([3.0, 1.0, 1.0]))
    assert scores.values.tolist() == [1.0, 2.0, 3.0]
    assert scores.masses.tolist() == pytest.approx([1 / 12, 1 / 3, 1 / 4])
    assert scores.groups == 2


@pytest.mark.parametrize(("papers", "expected"), [(8, math.inf), (9, 9.0), (19, 18.0)])
def test_quantile_at_90_percent(papers: int, expected: float) -> None:
    scores = ConformityScores.of(np.arange(1.0, papers + 1), [f"p{k}" for k in range(papers)])
    assert scores.quantile(0.9) == expected


def test_a_paper_with_many_rows_counts_once() -> None:
    values = np.concatenate([np.full(1000, 50.0), np.arange(1.0, 20)])
    groups = ["big"] * 1000 + [f"p{k}" for k in range(19)]
    assert ConformityScores.of(values, groups).quantile(0.9) == 19.0


def test_no_scores_give_no_bound() -> None:
    assert ConformityScores.of(np.zeros(0), []).quantile(0.9) == math.inf


# Probabilities -------------------------------------------------------------------------------


@pytest.fixture
def nine() -> ConformityScores:
    """Nine papers with the scores 1 to 9: a mass of 0.1 each, and 0.1 for the unseen one."""
    return ConformityScores.of(np.arange(1.0, 10), list("abcdefghi"))


@pytest.mark.parametrize(
    ("residual", "chance"),
    [
        pytest.param(0.0, 0.5, id="median"),
        pytest.param(5.0, 0.75, id="half-of-what-lies-within-5"),
        pytest.param(-5.0, 0.25, id="the-same-below"),
        pytest.param(0.5, 0.525, id="straight-up-to-the-first-score"),
        pytest.param(5.5, 0.775, id="straight-between-two-scores"),
        pytest.param(9.0, 0.95, id="largest-score"),
        pytest.param(99.0, 0.95, id="the-unseen-paper-has-no-limit"),
        pytest.param(-99.0, 0.05, id="nor-below"),
    ],
)
def test_probability_of_a_residual(nine: ConformityScores, residual: float, chance: float) -> None:
    assert nine.cdf(np.array([residual])).tolist() == pytest.approx([chance])


def test_without_scores_either_side_is_as_likely() -> None:
    chances = ConformityScores.of(np.zeros(0), []).cdf(np.array([-3.0, 0.0, 4.0]))
    assert chances.tolist() == [0.5, 0.5, 0.5]


@pytest.mark.parametrize("coverage", [0.1, 0.5, 0.8, 0.9])
def test_an_interval_has_the_probability_of_its_coverage(
    nine: ConformityScores, coverage: float
) -> None:
    end = nine.quantile(coverage)
    below, up_to = nine.cdf(np.array([-end, end]))
    assert up_to - below == pytest.approx(coverage)


@pytest.mark.parametrize(
    ("value", "share"),
    [(0.5, 0.9), (1.0, 0.8), (5.0, 0.4), (5.5, 0.4), (8.9, 0.1), (9.0, 0.0), (99.0, 0.0)],
)
def test_share_above_a_value(nine: ConformityScores, value: float, share: float) -> None:
    assert nine.share_above(np.array([value])).tolist() == pytest.approx([share])


# Censored residuals --------------------------------------------------------------------------


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


def test_intervals_apart_have_the_masses_of_their_papers() -> None:
    low, high = np.array([0.0, 0.0, 5.0]), np.array([1.0, 2.0, 6.0])
    scores = censored_scores(low, high, list("abc"))
    assert scores.values.tolist() == [0.0, 5.0]
    assert scores.masses.tolist() == pytest.approx([2 / 4, 1 / 4])
    assert scores.groups == 3


def test_censored_rows_share_the_mass_of_their_paper() -> None:
    points = np.array([1.0, 2.0, 3.0])
    scores = censored_scores(points, points, list("aab"), np.array([1.0, 3.0, 5.0]))
    assert scores.masses.tolist() == pytest.approx([1 / 12, 3 / 12, 4 / 12])


def test_rows_that_say_nothing_change_nothing() -> None:
    low, high = np.array([0.0, 4.0, -np.inf]), np.array([1.0, 5.0, np.inf])
    scores = censored_scores(low, high, list("abc"))
    assert scores.masses.tolist() == pytest.approx([3 / 8, 3 / 8], abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_no_other_masses_are_more_likely(seed: int) -> None:
    """The conditions of Kuhn and Tucker, which a maximum of the likelihood alone fulfils.

    With weights w of the rows and the probability p of each row, the sum of w / p over the rows
    that cover a place is 1 where mass sits, and at most 1 elsewhere.
    """
    random = np.random.default_rng(seed)
    low = random.normal(size=40).round(1)
    high = low + random.exponential(size=40).round(1)
    low[random.random(40) < 0.2] = -np.inf
    high[random.random(40) < 0.3] = np.inf
    scores = censored_scores(low, high, [f"p{k % 25}" for k in range(40)])
    assert (scores.masses > 0).all()
    assert scores.masses.sum() == pytest.approx(25 / 26)
    weights = group_masses([f"p{k % 25}" for k in range(40)])
    chance = ((low[:, None] <= scores.values) & (scores.values <= high[:, None])) @ scores.masses
    every = np.unique(low)
    covered = (low[:, None] <= every) & (every <= high[:, None])
    pull = (weights / chance) @ covered
    sits = np.isin(every, scores.values[scores.masses > 1e-6])
    assert pull[sits] == pytest.approx(1, abs=1e-3)
    assert pull.max() <= 1 + 1e-3


# Lower bounds --------------------------------------------------------------------------------


def test_lower_quantile_gives_the_unseen_paper_the_far_end() -> None:
    values = np.arange(1.0, 20)
    scores = ConformityScores.of(values, [f"p{k}" for k in range(19)])
    assert scores.lower_quantile(0.1) == 2.0
    assert ConformityScores.of(values[:5], list("abcde")).lower_quantile(0.1) == -math.inf


def test_a_new_paper_is_the_lowest_of_ten_once_in_ten_times(nine: ConformityScores) -> None:
    assert nine.lower_quantile(0.1) == 1.0
    assert nine.lower_quantile(0.099) == -math.inf


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
