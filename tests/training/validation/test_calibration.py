"""ConformityScores that calibrate intervals, by hand."""

from dataclasses import replace

import numpy as np
import pytest

from perovshell.models.conformal import group_masses
from perovshell.training.fit.problems import PointProblem
from perovshell.training.fit.specs import SPECS
from perovshell.training.validation.calibration import (
    calibrated,
    calibration_rows,
    covered_rows,
    floor_scores,
    residual_scores,
    signed_scores,
)
from perovshell.training.validation.nested import OutOfFold, Problems


@pytest.fixture(scope="module")
def plqy(problems: Problems) -> PointProblem:
    """Four PLQY rows of four papers: 60, above 80, below 20, 50 percent."""
    taken = problems.points["plqy"].take(np.arange(4))
    return replace(
        taken,
        target=np.array([60.0, 80.0, 20.0, 50.0]),
        bounds=["", ">", "<", ""],
        papers=np.array(list("abcd")),
        weight_groups=np.array(list("abcd")),
    )


def test_a_bound_counts_to_its_far_end(plqy: PointProblem) -> None:
    predicted, difficulty = np.array([70.0, 90.0, 30.0, 50.0]), np.array([1.0, 2.0, 1.0, 1.0])
    scores = residual_scores(plqy, predicted, difficulty, np.arange(4), plqy.papers)
    # |70 - 60|; the farther of |90 - 80| and |90 - 100| over 2; |30 - 0|; nothing.
    assert scores.values.tolist() == [0.0, 5.0, 10.0, 30.0]
    assert scores.masses.tolist() == pytest.approx([0.2] * 4)


def test_a_lower_bound_counts_a_bound_to_the_least_it_allows(plqy: PointProblem) -> None:
    predicted, difficulty = np.array([70.0, 90.0, 30.0, 50.0]), np.array([1.0, 2.0, 1.0, 1.0])
    scores = signed_scores(plqy, predicted, difficulty, np.arange(4))
    # 60 - 70; (80 - 90) over 2, as it is 80 at least; 0 - 30, as it may be 0; nothing.
    assert scores.values.tolist() == [-30.0, -10.0, -5.0, 0.0]
    # One of five is the unseen paper's, so four in five new papers stay above the lowest seen.
    assert scores.lower_quantile(0.2) == -30.0
    assert scores.lower_quantile(0.1) == -np.inf


def test_a_pl_bound_has_no_far_end(plqy: PointProblem) -> None:
    assert calibration_rows(plqy).tolist() == [0, 1, 2, 3]
    assert calibration_rows(replace(plqy, spec=SPECS["pl"])).tolist() == [0, 3]


def test_each_fold_is_covered_by_the_scores_of_the_others(plqy: PointProblem) -> None:
    predicted = np.array([70.0, 50.0, 5.0, 49.0])
    rows = np.arange(4)
    splits = [(np.delete(rows, k), rows[k : k + 1]) for k in rows]
    result = OutOfFold(predicted[None, :], {"difficulty": np.ones(4)}, splits)
    covered, width = covered_rows(plqy, result, level=0.5)
    # ConformityScores are 10, 50, 15, 1; the half of the others' mass is reached at 15, 10, 10, 15.
    assert width.tolist() == [30.0, 20.0, 15.0, 30.0]
    # 60 in 55-85; above 80 and 40-60 do not meet; below 20 and 0-15 do; 50 in 34-64.
    assert covered.tolist() == [True, False, True, True]


def test_a_combination_of_many_papers_is_calibrated_by_these_alone(problems: Problems) -> None:
    pl = problems.points["pl"]
    rows, ones = calibration_rows(pl), np.ones(len(pl.target))
    predicted = pl.target - np.where(np.array(pl.combinations) == "CsPbCl3 / none", 0.1, 1.0)
    usual, apart = calibrated(pl, predicted, ones, rows)
    groups = {name: scores.groups for name, scores in apart.items()}
    assert groups == {"CsPbCl3 / none": 60, "CsPbBr3 / none": 40}
    assert apart["CsPbCl3 / none"].quantile(0.9) == pytest.approx(0.1)
    assert usual.values == pytest.approx(np.ones(len(usual.values)))
    few, none = calibrated(pl, predicted, ones, rows[:20])
    assert not none
    assert len(few.values) == 20


def test_strict_splits_are_calibrated_by_the_headline(plqy: PointProblem) -> None:
    rows = np.arange(4)
    usual = OutOfFold(np.array([[60.0, 80.0, 20.0, 10.0]]), {"difficulty": np.ones(4)}, [])
    strict = OutOfFold(
        np.array([[50.0, np.nan, np.nan, np.nan]]),
        {"difficulty": np.ones(4)},
        [(rows[3:], rows[:1])],
    )
    covered, width = covered_rows(plqy, strict, level=0.5, usual=usual)
    assert width[0] == 80.0  # the headline was 40 points off for the row that was trained on
    assert covered[0]
    assert np.isnan(width[1:]).all()


def test_bounds_of_repeated_readings_count_once(problems: Problems) -> None:
    gain = problems.stability.gain
    scores = floor_scores(np.zeros(len(gain.low)), gain, np.arange(len(gain.low)))
    assert scores.masses.sum() == pytest.approx(22 / 23)
    shared = gain.share < 1
    assert shared.any()
    masses = group_masses(gain.papers.tolist(), gain.share)
    assert masses[shared].max() < masses[~shared].max()
