"""The fitted models of the targets, as they stand in a model folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.data.shells import ShellMaterial
from perovshell.features.combinations import Combination
from perovshell.models.censored import PooledEffects
from perovshell.models.conformal import ConformityScores
from perovshell.models.difficulty import Difficulty
from perovshell.models.forest import Forest
from perovshell.models.prior import LinearPrior
from perovshell.models.stability import (
    class_labels,
    lifetime_labels,
    name_labels,
    shell_labels,
)

Floats = npt.NDArray[np.float64]
Arrays = dict[str, npt.NDArray[Any]]
_SCORES = ("scores", "signed_scores", "effect_scores", "anchored_scores", "null_scores")


@dataclass(frozen=True)
class RegressionModel:
    """PL energy (eV) or PLQY (percent): a prior plus trees, with intervals by paper.

    Attributes:
        prior: What is known before any tree.
        difficulty: How hard a prediction is.
        forest: The trees on what the prior leaves.
        columns: Descriptor columns of the trees.
        scores: Absolute out-of-fold residuals over their difficulty.
        signed_scores: Residuals over their difficulty, with their sign; a bound counts to its lower
            end. What is passed by so many new papers follows from these.
        mondrian: Those of each combination that many papers measured, which `scores` leaves out.
        effect_scores: Absolute errors of the shell's effect, over pairs of one core and paper.
        residual_share: Share of a measured bare sample's residual that its coated sample shares.
        anchored_scores: Residuals over their difficulty of predictions that carry it over.
        null_value: Prediction of the null model (the median).
        null_scores: Absolute residuals of the null model.
    """

    prior: LinearPrior
    difficulty: Difficulty
    forest: Forest
    columns: npt.NDArray[np.intp]
    scores: ConformityScores
    signed_scores: ConformityScores
    mondrian: Mapping[str, ConformityScores]
    effect_scores: ConformityScores
    residual_share: float
    anchored_scores: ConformityScores
    null_value: float
    null_scores: ConformityScores

    def predict(self, matrix: Floats) -> Floats:
        """Return predictions of descriptor rows (n, p)."""
        trees = self.forest.predict(matrix.take(self.columns, axis=1))
        return np.asarray(self.prior.predict(matrix) + trees)

    def to_parts(self) -> tuple[dict[str, Any], Arrays]:
        """Return JSON data and arrays for storage."""
        prior, arrays = self.prior.to_parts()
        data = {
            "prior": prior,
            "mondrian": list(self.mondrian),
            "residual_share": self.residual_share,
            "null_value": self.null_value,
        }
        arrays |= self.difficulty.arrays() | _forest_parts(self.forest, self.columns)
        for name in _SCORES:
            arrays |= _score_parts(name, getattr(self, name))
        for number, scores in enumerate(self.mondrian.values()):
            arrays |= _score_parts(f"replicated_{number}", scores)
        return data, arrays

    @classmethod
    def from_parts(cls, data: dict[str, Any], arrays: Mapping[str, Any]) -> RegressionModel:
        """Rebuild from stored parts."""
        forest, columns = _forest(arrays)
        return cls(
            prior=LinearPrior.from_parts(data["prior"], arrays),
            difficulty=Difficulty.from_arrays(arrays),
            forest=forest,
            columns=columns,
            mondrian={
                name: _scores(f"replicated_{number}", arrays)
                for number, name in enumerate(data["mondrian"])
            },
            residual_share=float(data["residual_share"]),
            null_value=float(data["null_value"]),
            **{name: _scores(name, arrays) for name in _SCORES},
        )


@dataclass(frozen=True)
class LifetimeModel:
    """Equivalent lifetime (h) of a sample under a stressor.

    Attributes:
        null: Mean log lifetime by stressor and side.
        effects: What the forest starts from: the null model itself, or a linear model that also
            knows shell, class and structure.
        forest: Trees on top of the effects; none where the linear model is used.
        columns: Columns of the trees, test columns included.
        scores: Residuals of log lifetime, estimated from intervals.
        conditions: Median stated conditions of each stressor in the literature.
        papers: Papers with a lifetime under each stressor.
    """

    null: PooledEffects
    effects: PooledEffects
    forest: Forest
    columns: npt.NDArray[np.intp]
    scores: ConformityScores
    conditions: Mapping[str, Mapping[str, float]]
    papers: Mapping[str, int]

    @property
    def has_trees(self) -> bool:
        """Whether trees, which know the conditions of a test, are used."""
        return len(self.forest.roots) > 0

    def predict_null(self, stressor: str, coated: Sequence[bool]) -> Floats:
        """Return log lifetimes in log h by stressor and side alone, shape (n,)."""
        return np.array([self._by_side(stressor)[0][side] for side in coated])

    def predict_effects(self, stressors: Sequence[str], items: Sequence[Combination]) -> Floats:
        """Return the log lifetimes in log h that the forest starts from, (n_stressors, n)."""
        own = [(bool(item.layers), self._of_shell(item)) for item in items]
        bases = [self._by_side(name)[1] for name in stressors]
        return np.array([[base[side] + of_shell for side, of_shell in own] for base in bases])

    def _of_shell(self, item: Combination) -> float:
        return sum(self.effects.effects.get(label, 0.0) for label in shell_labels(item))

    def _by_side(self, stressor: str) -> tuple[tuple[float, ...], ...]:
        """Return bare and coated log lifetime by the null model and by the effects."""
        if stressor not in self._sides:
            labels = [lifetime_labels(stressor, coated=side) for side in (False, True)]
            self._sides[stressor] = tuple(
                tuple(model.predict(own) for own in labels) for model in (self.null, self.effects)
            )
        return self._sides[stressor]

    @cached_property
    def _sides(self) -> dict[str, tuple[tuple[float, ...], ...]]:
        return {}

    def to_parts(self) -> tuple[dict[str, Any], Arrays]:
        """Return JSON data and arrays for storage."""
        data = {
            "null": self.null.to_json(),
            "effects": self.effects.to_json(),
            "conditions": {key: dict(value) for key, value in self.conditions.items()},
            "papers": dict(self.papers),
        }
        return data, _forest_parts(self.forest, self.columns) | _score_parts("scores", self.scores)

    @classmethod
    def from_parts(cls, data: dict[str, Any], arrays: Mapping[str, Any]) -> LifetimeModel:
        """Rebuild from stored parts."""
        forest, columns = _forest(arrays)
        return cls(
            PooledEffects.from_json(data["null"]),
            PooledEffects.from_json(data["effects"]),
            forest,
            columns,
            _scores("scores", arrays),
            data["conditions"],
            data["papers"],
        )


@dataclass(frozen=True)
class GainModel:
    """Stability gain by partial pooling over stressors, shell classes and shells.

    Attributes:
        effects: Mean log gain and its effects.
        scores: Residuals of log gain, estimated from intervals.
        floors: Lower ends of the residuals: what was seen at least.
        papers: Papers with a two-sided test under each stressor.
        shell_papers: Papers with a two-sided test of each shell layer.
        shell_tests: The same under each stressor, by `test_key`.
    """

    effects: PooledEffects
    scores: ConformityScores
    floors: ConformityScores
    papers: Mapping[str, int]
    shell_papers: Mapping[str, int]
    shell_tests: Mapping[str, int]

    @staticmethod
    def test_key(layer: str, stressor: str) -> str:
        """Return the name of tests of a layer under a stressor."""
        return f"{layer}, {stressor}"

    def predict(self, stressor: str, layers: Sequence[ShellMaterial]) -> float:
        """Return the log gain of a shell under a stressor."""
        return self.null + self.of_stressor(stressor) + self.of_shell(layers)

    def of_stressor(self, stressor: str) -> float:
        """Return what a stressor adds to the log gain."""
        return self.effects.effects.get(f"stressor:{stressor}", 0.0)

    def of_shell(self, layers: Sequence[ShellMaterial]) -> float:
        """Return what tests of the shell and of its class add to the log gain, partially pooled."""
        return self.of_class(layers) + self.of_names(layers)

    def of_class(self, layers: Sequence[ShellMaterial]) -> float:
        """Return what tests of all shells of its classes add to the log gain."""
        return self._sum(class_labels(layers))

    def of_names(self, layers: Sequence[ShellMaterial]) -> float:
        """Return what tests of the very materials add to the log gain."""
        return self._sum(name_labels(layers))

    def _sum(self, labels: Sequence[str]) -> float:
        return sum(self.effects.effects.get(label, 0.0) for label in labels)

    @property
    def null(self) -> float:
        """Log gain of the null model: the mean over all tests."""
        return self.effects.intercept

    def to_parts(self) -> tuple[dict[str, Any], Arrays]:
        """Return JSON data and arrays for storage."""
        data = {
            "effects": self.effects.to_json(),
            "papers": dict(self.papers),
            "shell_papers": dict(self.shell_papers),
            "shell_tests": dict(self.shell_tests),
        }
        return data, _score_parts("scores", self.scores) | _score_parts("floors", self.floors)

    @classmethod
    def from_parts(cls, data: dict[str, Any], arrays: Mapping[str, Any]) -> GainModel:
        """Rebuild from stored parts."""
        return cls(
            PooledEffects.from_json(data["effects"]),
            _scores("scores", arrays),
            _scores("floors", arrays),
            data["papers"],
            data["shell_papers"],
            data["shell_tests"],
        )


def _forest_parts(forest: Forest, columns: npt.NDArray[np.intp]) -> Arrays:
    return {**forest.arrays(), "columns": np.asarray(columns, dtype=np.int32)}


def _forest(arrays: Mapping[str, Any]) -> tuple[Forest, npt.NDArray[np.intp]]:
    names = ("feature", "threshold", "children", "default_left", "value", "cover", "roots")
    forest = Forest.from_arrays({name: arrays[name] for name in names})
    return forest, np.asarray(arrays["columns"], dtype=np.intp)


def _score_parts(name: str, scores: ConformityScores) -> Arrays:
    return {
        f"{name}_values": scores.values,
        f"{name}_masses": scores.masses,
        f"{name}_groups": np.array(scores.groups),
    }


def _scores(name: str, arrays: Mapping[str, Any]) -> ConformityScores:
    return ConformityScores(
        np.asarray(arrays[f"{name}_values"], dtype=float),
        np.asarray(arrays[f"{name}_masses"], dtype=float),
        int(arrays[f"{name}_groups"]),
    )
