"""Which single experiment would help the choice most.

The worth of an experiment is its knowledge gradient (Frazier, Powell and Dayanik,
10.1137/070693424): how much better, in score, the best choice is expected to be once its outcome
is known. Beside it is the probability that the choice is another one then. Three kinds are
compared, all in the laboratory of the user: making a candidate; measuring the bare core, whose
residual a coated sample shares in part; and testing a shell under a stressor until it fails, which
changes what is known of all its combinations, most of the one tested. PL, PLQY and stability are
taken as independent, so that every expectation is a product of sums and none is a draw.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Mask
from perovshell.data.shells import shell_text
from perovshell.models.normal import normal_cdf, normal_quantile
from perovshell.models.point import PointModel
from perovshell.models.shell_evidence import ShellFit
from perovshell.serve.ranking.candidates import CandidatePredictions
from perovshell.serve.ranking.objective import (
    MIN_DESIRABILITY,
    Levels,
    Objective,
    PointObjective,
    Predicted,
)
from perovshell.serve.ranking.objectives import Objectives
from perovshell.serve.ranking.stability_objectives import StabilityObjective
from perovshell.texts import listed

LOOKED_AT: Final = 60
"""Top candidates among which the choice is made."""
_NODES: Final = 48
"""Equally likely outcomes of a sum."""
_LEAST: Final = 0.01
"""A choice whose score is higher by less is no other choice."""
_KNOWN: Final = 16
"""Equally likely outcomes of a bare core's PL, and of its PLQY."""


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
        kind: `combination`, `bare control` or `stability test`.
        what: What to make or test.
        worth: Expected rise of the score of the best choice.
        p_changes: Probability that it changes the best choice.
        choice: The best choice before: the candidate with the highest expected score.
        why: What it would settle.
    """

    kind: str
    what: str
    worth: float
    p_changes: float
    choice: str
    why: str

    @property
    def line(self) -> str:
        """The experiment as a line of text."""
        changes = f"changes the choice from {self.choice} with probability {self.p_changes:.0%}"
        return f"{self.kind}: {self.what}: {changes}; {self.why}"


def experiments(
    objectives: Objectives, predictions: CandidatePredictions
) -> tuple[Experiment, ...]:
    """Return experiments on the top candidates of a ranking, the most telling first.

    Args:
        objectives: The objectives.
        predictions: The candidates, at most `LOOKED_AT`.
    """
    if not predictions.items:
        return ()
    judge = _Judge(objectives, predictions)
    possible = [*judge.combinations(), *judge.bare_controls(), *judge.stability_tests()]
    return tuple(sorted(possible, key=lambda e: (-e.p_changes, -e.worth, e.kind, e.what)))


class _Judge:
    """Computes the value of experiments on the top candidates of a ranking."""

    def __init__(self, objectives: Objectives, predictions: CandidatePredictions) -> None:
        self.objectives = objectives
        self.predictions = predictions
        self._factor = objectives.flag_factors(predictions.items)
        self._cores = [item.core.formula if item.core else "" for item in predictions.items]
        self._shells = [shell_text(item.layers) for item in predictions.items]
        # Share of a bare core's residual in that of its coated sample, by point target.
        self._share = {
            model.target.name: shared_part(model)
            for model in objectives.model.predictor.points.values()
        }
        # The part of each objective in the score, by outcome: (n, outcomes).
        self._parts = {
            one.name: self._power(one, predictions.predicted, _normals(_NODES))
            for one in objectives.active
        }
        self._means = {name: part.mean(axis=1) for name, part in self._parts.items()}
        self._expected = self._product(self._means) * self._factor

    def _power(self, objective: Objective, predicted: Predicted, normal: Floats) -> Floats:
        """Return a desirability to the power of its weight, at outcomes (k,) or (n, k)."""
        count = len(predicted.columns["domain_distance"])
        level = np.broadcast_to(normal_cdf(normal), (count, normal.shape[-1]))
        stressors = len(self.objectives.space.stressors)
        levels = Levels(
            np.broadcast_to(level, (2, *level.shape)),
            np.broadcast_to(level, (2, stressors, *level.shape)),
        )
        value = np.maximum(objective.outcomes(predicted, levels), MIN_DESIRABILITY)
        return np.asarray(value ** self.objectives.share(objective.name))

    def _product(self, parts: Mapping[str, Floats]) -> Floats:
        total: Floats = np.ones(1)
        for part in parts.values():
            total = total * part
        return total

    def _experiment(
        self, kind: str, what: str, rows: list[int], known: Floats, why: str
    ) -> Experiment:
        """Return an experiment that makes the expectations (n_rows, k) of combinations known."""
        after = np.repeat(self._expected[:, None], known.shape[1], axis=1)
        after[rows] = known
        first = int(self._expected.argmax())
        rise = float(after.max(axis=0).mean() - self._expected[first])
        changes = (after > (1.0 + _LEAST) * after[first]).any(axis=0)
        choice = f"{self._cores[first]} / {self._shells[first]}"
        return Experiment(kind, what, max(rise, 0.0), float(changes.mean()), choice, why)

    def combinations(self) -> list[Experiment]:
        """Making and measuring each combination."""
        experiments = []
        for row, item in enumerate(self.predictions.items):
            known: Floats = np.ones(1)
            for part in self._parts.values():
                known = np.multiply.outer(known, _few(part[row])).ravel()
            known = self._centred([row], known[None])
            size = "" if math.isnan(item.core_size_nm) else f", {item.core_size_nm:g} nm"
            medium = "" if item.medium == "unknown" else f", {item.medium}"
            what = f"{self._cores[row]} / {self._shells[row]} ({item.structure}{size}{medium})"
            why = "settles its PL, PLQY and stability"
            experiments.append(self._experiment("combination", what, [row], known, why))
        return experiments

    def _centred(self, rows: list[int], known: Floats) -> Floats:
        """Return expectations moved to agree on average with those before the experiment."""
        known = known * self._factor[rows, None]
        shift = self._expected[rows, None] - known.mean(axis=1, keepdims=True)
        return np.asarray(known + shift)

    def bare_controls(self) -> list[Experiment]:
        """Measuring each core bare: its residual is known, the rest of a coated one's is not."""
        experiments = []
        for core in dict.fromkeys(self._cores):
            rows = [row for row, name in enumerate(self._cores) if name == core]
            known = self._centred(rows, self._given_bare(rows))
            shares = [
                f"{self._share[model.target.name]:.2f} in {model.target.title}"
                for model in self.objectives.model.predictor.points.values()
            ]
            why = (
                f"residuals of a bare and a coated sample correlate by {listed(shares)}; "
                f"{_lines(rows)}"
            )
            experiments.append(self._experiment("bare control", core, rows, known, why))
        return experiments

    def _given_bare(self, rows: list[int]) -> Floats:
        """Return expectations given the residuals of a bare core's targets, shape (n_rows, k)."""
        predicted = self.predictions.rows(rows).predicted
        expected = np.ones((len(rows), 1))
        for objective in self.objectives.active:
            given = self._means[objective.name][rows, None]
            if isinstance(objective, PointObjective):
                given = self._given_residual(objective, predicted)
            expected = (expected[:, :, None] * given[:, None, :]).reshape(len(rows), -1)
        return expected

    def _given_residual(self, objective: PointObjective, predicted: Predicted) -> Floats:
        """Return expectations of an objective given the bare core's residual, (n_rows, k)."""
        share = self._share[objective.target.name]
        rest = math.sqrt(1.0 - share**2) * _normals(_NODES)
        means = [
            self._power(objective, predicted, share * shared + rest).mean(axis=1)
            for shared in _normals(_KNOWN)
        ]
        return np.stack(means, axis=1)

    def stability_tests(self) -> list[Experiment]:
        """Testing each shell under each stressor until it fails, on its best core."""
        experiments = []
        for shell in dict.fromkeys(self._shells):
            rows = [row for row, name in enumerate(self._shells) if name == shell]
            for number, stressor in enumerate(self.objectives.space.stressors):
                moved = self._factors(rows[0], number)
                if not moved:
                    continue
                known = self._centred(rows, self._after_test(rows, number))
                texts = [f"{label} by a factor of about {factor:.2g}" for label, factor in moved]
                why = f"moves what is known of its {listed(texts)}; {_lines(rows)}"
                tested = f"{self._cores[rows[0]]} / {shell}"
                what = f"{tested} under {stressor}, coated against bare, until it fails"
                experiments.append(self._experiment("stability test", what, rows, known, why))
        return experiments

    @property
    def _stability(self) -> list[StabilityObjective]:
        return [one for one in self.objectives.active if isinstance(one, StabilityObjective)]

    def _factors(self, row: int, stressor: int) -> list[tuple[str, float]]:
        """Return by how much a test is expected to move each quantity of a combination."""
        predicted = self.predictions.rows([row]).predicted
        moves = []
        for objective in self._stability:
            fit, spread = objective.fits[stressor], objective.spread(predicted)[stressor]
            if fit is not None:
                moved, _ = settled(spread[1], fit, np.array([True]))
                moves.append((objective.label, math.exp(moved[0])))
        return moves

    def _after_test(self, rows: list[int], stressor: int) -> Floats:
        """Return expectations after the outcomes of a test, shape (n_rows, k)."""
        predicted = self.predictions.rows(rows).predicted
        is_tested = np.array([self._cores[row] == self._cores[rows[0]] for row in rows])
        expected = {name: mean[rows, None] for name, mean in self._means.items()}
        for objective in self._stability:
            fit = objective.fits[stressor]
            if fit is None:
                continue
            value, least = objective.columns()[stressor]
            moved, left = settled(objective.spread(predicted)[stressor][1], fit, is_tested)
            means = []
            for z in _normals(_KNOWN):
                after = predicted.columns[value] * np.exp(z * moved)
                columns = {value: after, least: after * np.exp(-fit.factor * left)}
                told = Predicted({**predicted.columns, **columns}, predicted.categories)
                means.append(self._power(objective, told, _normals(_NODES)).mean(axis=1))
            expected[objective.name] = np.stack(means, axis=1)
        # One test tells all quantities: a sample that lasts has a long half-life and a high gain.
        return np.broadcast_to(self._product(expected), (len(rows), _KNOWN))


def settled(error: Floats, fit: ShellFit, is_tested: Mask) -> tuple[Floats, Floats]:
    """Return how far a test of the first combination moves each mean, and the errors it leaves.

    Combinations with other cores share the error of the shell and its class with it.

    Args:
        error: Errors of the logarithms of the means before, shape (n,).
        fit: What papers measured of the quantity.
        is_tested: Whether the core is the one that is tested, shape (n,).
    """
    own = fit.effects.spreads["combination"] ** 2
    shared = np.where(is_tested, error**2, np.maximum(error**2 - own, 0.0))
    moved = shared / np.sqrt(error[0] ** 2 + fit.noise_variance)
    return moved, np.sqrt(np.maximum(error**2 - moved**2, 0.0))


def shared_part(model: PointModel) -> float:
    """Return the correlation of residuals of bare and coated samples of one core and paper.

    It is derived from how much the bare sample's residual narrows the median interval of left-out
    papers.
    """
    predicted, carried = (part.quantile(0.5) for part in (model.scores, model.anchored_scores))
    if not 0.0 < carried < predicted < math.inf:
        return 0.0
    return math.sqrt(1.0 - (carried / predicted) ** 2)


def _few(values: Floats) -> Floats:
    """Return a few quantiles of equally likely values."""
    if np.ptp(values) == 0.0:
        return values[:1]
    step = len(values) // _KNOWN
    return np.sort(values)[step // 2 :: step]


def _lines(rows: list[int]) -> str:
    return f"it concerns {len(rows)} of the top candidates"


def _normals(count: int) -> Floats:
    return normal_quantile((np.arange(count) + 0.5) / count)
