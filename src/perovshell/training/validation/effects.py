"""The shell's effect, learned from pairs of samples of one core in one paper.

Pairs of a coated and a bare sample are few, so every pair of one core counts that differs in
something named: it says how far two preparations lie apart when one laboratory makes both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices, Mask
from perovshell.models.card import PAIRS
from perovshell.models.conformal import ConformityScores
from perovshell.training.fit.problems import PointProblem, same_core_pairs, unit_weights
from perovshell.training.validation.calibration import calibrated, calibration_rows
from perovshell.training.validation.figures import LEVEL, PaperBootstrap
from perovshell.training.validation.nested import OutOfFold


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows of one core in one paper with their out-of-fold residuals.

    Attributes:
        problem: The problem.
        first: First row of each pair, the coated one where one is coated, shape (m,).
        second: Second row, shape (m,).
        papers: Paper of each pair.
        residual: Target minus prediction of each row of the problem, its paper left out.
        difficulty: Difficulty of each row of the problem.
    """

    problem: PointProblem
    first: Indices
    second: Indices
    papers: npt.NDArray[np.str_]
    residual: Floats
    difficulty: Floats

    @classmethod
    def of(cls, problem: PointProblem, result: OutOfFold) -> Pairs:
        """Collect the pairs of a problem."""
        pairs = np.array(same_core_pairs(problem), dtype=np.intp).reshape(-1, 2)
        first, second = pairs.T
        residual = problem.target - result.model[0]
        difficulty = result.others["difficulty"]
        return cls(problem, first, second, problem.papers[first], residual, difficulty)

    @property
    def is_coating(self) -> Mask:
        """Which pairs are of a coated and a bare sample, shape (m,)."""
        coated = self.problem.subsets["coated"]
        return np.asarray(coated[self.first] & ~coated[self.second])

    def residual_share(self, without: str = "") -> float:
        """Return the share of the second sample's residual that the first one shares.

        The correlation of the residuals, a paper counting once, held within 0 and 1.

        Args:
            without: Paper that is left out.
        """
        effect = self.problem.spec.target.effect
        if effect is not None and effect.shares_whole_residual:
            return 1.0
        kept = self.papers != without
        if not kept.any():
            return 0.0
        first, second = self.residual[self.first[kept]], self.residual[self.second[kept]]
        weights = unit_weights(self.papers[kept])
        shared = (weights * first * second).sum()
        total = (weights * (first**2 + second**2)).sum() / 2
        return float(np.clip(shared / max(total, 1e-12), 0.0, 1.0))

    def anchored_residuals(self) -> Floats:
        """Return what is left of the first residual when the other papers' share is carried over.

        Shape (m,).
        """
        share = {paper: self.residual_share(paper) for paper in dict.fromkeys(self.papers.tolist())}
        carried = np.array([share[paper] for paper in self.papers.tolist()], dtype=float)
        return np.asarray(self.residual[self.first] - carried * self.residual[self.second])

    def anchored_scores(self) -> ConformityScores:
        """Return the sizes of those over their difficulty."""
        sizes = np.abs(self.anchored_residuals()) / self.difficulty[self.first]
        return ConformityScores.of(sizes, self.papers.tolist())

    def effect_scores(self) -> ConformityScores:
        """Return errors of the difference of two predictions where nothing was measured."""
        error = self.residual[self.first] - self.residual[self.second]
        return ConformityScores.of(np.abs(error), self.papers.tolist())


def pair_counts(problems: Mapping[str, PointProblem]) -> dict[str, float]:
    """Return how many pairs of a coated and a bare sample each target has, as figures.

    Args:
        problems: Regression problems by target.
    """
    counts = {}
    for name, problem in problems.items():
        coated = problem.subsets["coated"]
        pairs = same_core_pairs(problem)
        counts[PAIRS.format(name)] = float(sum(coated[a] and not coated[b] for a, b in pairs))
    return counts


def shell_effect(problem: PointProblem, result: OutOfFold) -> dict[str, Any]:
    """Return how well a coated sample is known from the bare one of its core and paper.

    Mean errors (nm, points) are those of pairs of a coated and a bare sample. Coverage is that of
    all pairs: the 90 % interval of the first sample where the second one was measured.
    """
    pairs = Pairs.of(problem, result)
    named, papers = pairs.is_coating, pairs.papers
    seen, bare = problem.target[pairs.first], problem.target[pairs.second]
    predicted = seen - pairs.residual[pairs.first]
    ways = {
        "nothing_changes": bare,
        "mean_change_of_other_papers": bare + _mean_change_of_others(pairs),
        "difference_of_predictions": predicted + pairs.residual[pairs.second],
        "bare_value_unknown": predicted,
        "bare_value_carried_over": seen - pairs.anchored_residuals(),
    }
    to_unit = problem.spec.target.scale.to_unit
    errors = {
        way: float(np.abs(to_unit(seen) - to_unit(expected))[named].mean())
        for way, expected in ways.items()
    }
    covered = PaperBootstrap.of(papers).mean_by_paper(_covered(pairs, result).astype(float))
    return {
        "target": problem.spec.target.name,
        "coatings": int(named.sum()),
        "in_papers": len(set(papers[named].tolist())),
        "all_pairs": len(papers),
        "in_papers_all": len(set(papers.tolist())),
        "carried_share": pairs.residual_share(),
        "errors": errors,
        "coverage": list(covered),
    }


def _mean_change_of_others(pairs: Pairs) -> Floats:
    """Return the mean change by a coating in the other papers; 0 where there is none."""
    change = (pairs.problem.target[pairs.first] - pairs.problem.target[pairs.second])[
        pairs.is_coating
    ]
    papers = pairs.papers[pairs.is_coating]
    means = {paper: float(change[papers == paper].mean()) for paper in dict.fromkeys(papers)}
    return np.array(
        [
            np.mean([mean for other, mean in means.items() if other != paper] or [0.0])
            for paper in pairs.papers
        ]
    )


def _covered(pairs: Pairs, result: OutOfFold) -> Mask:
    """Return which pairs lie in the interval that the other papers make."""
    usable = calibration_rows(pairs.problem)
    sizes = np.abs(pairs.anchored_residuals()) / pairs.difficulty[pairs.first]
    covered = np.zeros(len(sizes), dtype=bool)
    for paper in dict.fromkeys(pairs.papers.tolist()):
        same = pairs.papers == paper
        rows = usable[pairs.problem.papers[usable] != paper]
        usual, _ = calibrated(pairs.problem, result.model[0], pairs.difficulty, rows)
        anchored = ConformityScores.of(sizes[~same], pairs.papers[~same].tolist())
        covered[same] = sizes[same] <= min(usual.quantile(LEVEL), anchored.quantile(LEVEL))
    return covered
