"""The equivalent lifetime under a stressor: the fitted model, and the formula of its answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.vocabulary import STRESSORS
from perovshell.features.combinations import Combination
from perovshell.models.censored import PooledEffects
from perovshell.models.conformal import ConformityScores
from perovshell.models.forest import Forest
from perovshell.models.parts import (
    Arrays,
    forest_from_arrays,
    forest_to_arrays,
    scores_from_arrays,
    scores_to_arrays,
)
from perovshell.models.stability import (
    answer_or_null,
    lifetime_labels,
    shell_labels,
    test_columns,
    thin_stressors,
)
from perovshell.targets.target import StabilityTarget

LN2: Final = math.log(2.0)


@dataclass(frozen=True)
class LifetimeModel:
    """Equivalent lifetime (h) of a sample under a stressor; answers are half-lives.

    Attributes:
        target: The target.
        null: Mean log lifetime by stressor and side.
        effects: What the forest starts from: the null model itself, or a linear model that also
            knows shell, class and structure.
        forest: Trees on top of the effects; none where the linear model is used.
        columns: Columns of the trees, test columns included.
        scores: Residuals of log lifetime, estimated from intervals.
        conditions: Median stated conditions of each stressor in the literature.
        papers: Papers with a lifetime under each stressor.
    """

    target: StabilityTarget
    null: PooledEffects
    effects: PooledEffects
    forest: Forest
    columns: Indices
    scores: ConformityScores
    conditions: Mapping[str, Mapping[str, float]]
    papers: Mapping[str, int]

    @property
    def has_trees(self) -> bool:
        """Whether trees, which know the conditions of a test, are used."""
        return len(self.forest.roots) > 0

    def log_values(
        self,
        stressors: Sequence[str],
        null: Floats,
        full: Floats,
        *,
        is_metal: Mask | bool = False,
    ) -> Floats:
        """Return log lifetimes in log h: of the model, of the null model where it cannot answer.

        Args:
            stressors: Stressor of each entry of the first axis.
            null: Log lifetimes by the null model, shape (n_stressors, ...).
            full: Those by effects and trees; both broadcast.
            is_metal: Which cores are metals.
        """
        return answer_or_null(thin_stressors(self.papers, stressors), null, full, is_metal=is_metal)

    def output_columns(
        self, stressors: Sequence[str], log_lifetimes: Floats, coverage: float
    ) -> dict[str, Floats]:
        """Return half-life columns, with a lower bound at a coverage and no upper end.

        Args:
            stressors: The stressors.
            log_lifetimes: Log lifetimes in log h, shape (n_stressors, ...).
            coverage: Coverage of the interval.
        """
        # A bound of little coverage is no higher than the value.
        low = min(self.scores.lower_quantile(1.0 - coverage), 0.0)
        log_half_lives = log_lifetimes + math.log(LN2)
        upper = np.broadcast_to(np.inf, log_lifetimes.shape[1:])
        columns: dict[str, Floats] = {}
        for stressor, row in zip(stressors, log_half_lives, strict=True):
            name = self.target.column(stressor)
            columns[name] = np.exp(row)
            columns[f"{name}_lower"] = np.exp(row + low)
            columns[f"{name}_upper"] = upper
        return columns

    def predict_null(self, stressor: str, coated: Sequence[bool]) -> Floats:
        """Return log lifetimes in log h by stressor and side alone, shape (n,)."""
        return np.array([self._by_side(stressor)[0][side] for side in coated])

    def predict_effects(self, stressors: Sequence[str], items: Sequence[Combination]) -> Floats:
        """Return the log lifetimes in log h that the forest starts from, (n_stressors, n)."""
        sides = [(bool(item.layers), self._shell_effect(item)) for item in items]
        bases = [self._by_side(name)[1] for name in stressors]
        return np.array([[base[side] + effect for side, effect in sides] for base in bases])

    def _shell_effect(self, item: Combination) -> float:
        return sum(self.effects.effects.get(label, 0.0) for label in shell_labels(item))

    def _by_side(self, stressor: str) -> tuple[tuple[float, ...], ...]:
        """Return bare and coated log lifetime by the null model and by the effects."""
        if stressor not in self._sides:
            labels = [lifetime_labels(stressor, coated=side) for side in (False, True)]
            self._sides[stressor] = tuple(
                tuple(model.predict(one) for one in labels) for model in (self.null, self.effects)
            )
        return self._sides[stressor]

    @cached_property
    def _sides(self) -> dict[str, tuple[tuple[float, ...], ...]]:
        return {}

    def test_columns(self, stressor: str, temperature: float) -> list[float]:
        """Return the test columns under a stressor; the literature's conditions where unknown."""
        if math.isnan(temperature):
            return self._usual_tests[stressor]
        usual = self.conditions.get(stressor, {})
        return test_columns(stressor, {**usual, "temperature_c": float(temperature)})

    @cached_property
    def _usual_tests(self) -> dict[str, list[float]]:
        return {name: test_columns(name, self.conditions.get(name, {})) for name in STRESSORS}

    def to_parts(self) -> tuple[dict[str, Any], Arrays]:
        """Return JSON data and arrays for storage."""
        data = {
            "null": self.null.to_json(),
            "effects": self.effects.to_json(),
            "conditions": {key: dict(value) for key, value in self.conditions.items()},
            "papers": dict(self.papers),
        }
        arrays = forest_to_arrays(self.forest, self.columns)
        return data, arrays | scores_to_arrays("scores", self.scores)

    @classmethod
    def from_parts(
        cls, target: StabilityTarget, data: dict[str, Any], arrays: Mapping[str, Any]
    ) -> LifetimeModel:
        """Rebuild from stored parts."""
        forest, columns = forest_from_arrays(arrays)
        return cls(
            target,
            PooledEffects.from_json(data["null"]),
            PooledEffects.from_json(data["effects"]),
            forest,
            columns,
            scores_from_arrays("scores", arrays),
            data["conditions"],
            data["papers"],
        )
