"""What a measured bare sample says of its coated one."""

from dataclasses import replace

import numpy as np
import pytest

from perovshell.training.fit.problems import PointProblem
from perovshell.training.validation.effects import Pairs, shell_effect
from perovshell.training.validation.nested import OutOfFold, Problems

CHANGES = (-7.6, 9.25, -25.84, 6.77, -18.5, 9.29, 11.53, 4, 6, 4, -8.7, 25.6, 48, 50)
"""PLQY of coated less bare samples of one core in one paper, in points."""


@pytest.fixture(scope="module")
def plqy(problems: Problems) -> PointProblem:
    return problems.points["plqy"]


def predicted_with(problem: PointProblem, residual: np.ndarray) -> OutOfFold:
    ones = {"difficulty": np.ones(len(residual))}
    rows = np.arange(len(residual))
    return OutOfFold((problem.target - residual)[None, :], ones, [(rows, rows)])


def test_the_share_that_pairs_have_in_common_is_found(plqy: PointProblem) -> None:
    """Residuals of a paper's effect and as much noise: half of a residual is shared."""
    random = np.random.default_rng(3)
    found = []
    for _ in range(200):
        effect = dict(zip(set(plqy.papers.tolist()), random.normal(size=200), strict=False))
        shared = np.array([effect[paper] for paper in plqy.papers.tolist()])
        result = predicted_with(plqy, shared + random.normal(size=len(shared)))
        found.append(Pairs.of(plqy, result).residual_share())
    assert np.mean(found) == pytest.approx(0.5, abs=0.1)


def test_a_paper_effect_is_carried_over_in_full(plqy: PointProblem) -> None:
    shared = np.array([len(paper) - 7.0 for paper in plqy.papers.tolist()])
    pairs = Pairs.of(plqy, predicted_with(plqy, shared))
    assert pairs.residual_share() == pytest.approx(1.0)
    assert pairs.anchored_residuals() == pytest.approx(np.zeros(len(pairs.first)))


def test_of_the_peak_all_is_carried_over(problems: Problems) -> None:
    pl = problems.points["pl"]
    residual = np.random.default_rng(1).normal(size=len(pl.target))
    assert Pairs.of(pl, predicted_with(pl, residual)).residual_share() == 1.0


def test_a_pair_never_calibrates_itself(plqy: PointProblem) -> None:
    """One wild pair widens the intervals of the others, not its own."""
    residual = np.ones(len(plqy.target))
    pairs = Pairs.of(plqy, predicted_with(plqy, residual))
    wild = pairs.first[0]
    residual[wild] = 1000.0
    effect = shell_effect(plqy, predicted_with(plqy, residual))
    assert effect["coverage"][0] == pytest.approx(1.0 - 1.0 / effect["in_papers_all"], abs=0.05)


def test_errors_are_those_of_coatings(plqy: PointProblem) -> None:
    effect = shell_effect(plqy, predicted_with(plqy, np.zeros(len(plqy.target))))
    assert (effect["coatings"], effect["in_papers"]) == (14, 8)
    assert effect["errors"]["bare_value_carried_over"] == pytest.approx(0.0)
    assert effect["errors"]["nothing_changes"] == pytest.approx(np.abs(CHANGES).mean(), abs=1e-3)


def test_no_pairs_carry_nothing(plqy: PointProblem) -> None:
    one = replace(plqy.take(np.arange(1)))
    pairs = Pairs.of(one, predicted_with(one, np.ones(1)))
    assert pairs.residual_share() == 0.0
    assert pairs.anchored_scores().groups == 0
