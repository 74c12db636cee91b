"""The objectives of stability gain and half-life: logarithms, averaged over the stressors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.vocabulary import column_name
from perovshell.models.conformal import ConformityScores
from perovshell.models.stability import thin_stressors
from perovshell.models.stability_model import LN2
from perovshell.serve.ranking.objective import (
    Layers,
    Levels,
    Objective,
    Predicted,
    log_desirability,
    log_residual,
)
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.targets.target import StabilityTarget
from perovshell.texts import listed

GAIN_SCALE: Final = 1000.0
"""A gain of this size has the desirability 1, a gain of 1 or less the desirability 0."""
HALF_LIFE_SCALE_H: Final = 10_000.0
"""A half-life of this many hours (14 months) has the desirability 1, one of 1 h or less 0."""


class StabilityObjective(Objective):
    """An objective under stressors: combinations of one shell share a residual."""

    target: ClassVar[StabilityTarget]
    desirable: ClassVar[float]
    """Value with the desirability 1."""
    level_row: ClassVar[int]
    """Row of `Levels.shell`."""
    shrunk_stem: ClassVar[str]
    """Column of the value that ranks, without the stressor."""
    aim: ClassVar[str]
    """What is desired, in words."""

    @property
    def phrase(self) -> str:
        """The aim and the stressors in words."""
        return f"{self.aim} ({listed(self.space.stressors)})"

    @property
    def value_columns(self) -> list[str]:
        """Columns of the values that rank, by stressor."""
        return [f"{self.shrunk_stem}_{column_name(name)}" for name in self.space.stressors]

    @property
    def axes(self) -> list[tuple[str, str, bool]]:
        """The values that rank, by stressor."""
        unit = f" ({self.target.unit})" if self.target.unit else ""
        pairs = zip(self.value_columns, self.space.stressors, strict=True)
        return [(column, f"{self.label}, {name}{unit}", True) for column, name in pairs]

    def desirability(self, predicted: Predicted, *, at_lower_bound: bool = False) -> Floats:
        """Return the geometric mean over the stressors; all intervals are equally wide."""
        del at_lower_bound
        values = [predicted.columns[name] for name in self.value_columns]
        return log_desirability(values, self.desirable)

    def outcomes(self, predicted: Predicted, levels: Levels) -> Floats:
        """Return the desirabilities of drawn values."""
        off = np.exp(log_residual(self.scores, levels.shell[self.level_row]))
        values = np.stack([predicted.columns[name] for name in self.value_columns])
        return log_desirability(values[:, :, None] * off, self.desirable)

    @property
    def scores(self) -> ConformityScores:
        """Residuals of the logarithm."""
        raise NotImplementedError

    def null(self, stressor: str) -> float:
        """Return the logarithm of a coated core by the null model."""
        raise NotImplementedError

    def add_values(self, predicted: Predicted, terms: Floats) -> None:
        """Add the values that rank: shrunk to the null model without skill.

        Args:
            predicted: Predictions; the columns are added.
            terms: What tests of a shell itself add to the logarithm, with what turns the value
                shown into the model's, by stressor.
        """
        for stressor, name, term in zip(
            self.space.stressors, self.value_columns, terms, strict=True
        ):
            null = self.null(stressor)
            log_value = np.log(predicted.columns[self.target.column(stressor)])
            predicted.columns[name] = np.exp(null + self.slope * (log_value - null) + term)

    def shell_terms(self, shells: Sequence[Layers]) -> Floats:
        """Return the terms of `add_values`, shape (n_stressors, n_shells)."""
        rows = [[self.term(layers, name) for layers in shells] for name in self.space.stressors]
        return np.array(rows, dtype=float).reshape(len(self.space.stressors), len(shells))

    def term(self, layers: Layers, stressor: str) -> float:
        """Return the term of one shell."""
        model = self.predictor.stability
        reached = model.reached
        # Where a median was not reached the value shown is a bound, which is no order of shells.
        floor = reached.floors[1] if reached.is_open(stressor, layers) else 0.0
        if thin_stressors(model.papers, [stressor])[0]:
            return -self.slope * floor
        return (1.0 - self.slope) * model.material_effect(layers) - self.slope * floor


class GainObjective(StabilityObjective):
    """A high stability gain."""

    name = "gain"
    label = "gain"
    shrunk_stem = "stability_gain_shrunk"
    target = GAIN
    desirable = GAIN_SCALE
    level_row = 0
    aim = "a high stability gain"

    @property
    def scores(self) -> ConformityScores:
        """Residuals of the log gain."""
        return self.predictor.stability.gain_scores

    def null(self, stressor: str) -> float:
        """Return the log gain by the null model."""
        bare, coated = self.predictor.stability.null_values(stressor)
        return coated - bare

    def term(self, layers: Layers, stressor: str) -> float:
        """Return the term of one shell."""
        reached = self.predictor.stability.reached
        bare = reached.floors[0] if reached.is_open(stressor, ()) else 0.0
        return super().term(layers, stressor) + self.slope * bare


class HalfLifeObjective(StabilityObjective):
    """A long half-life."""

    name = "half_life"
    label = "half-life"
    shrunk_stem = "half_life_shrunk"
    target = LIFETIME
    desirable = HALF_LIFE_SCALE_H
    level_row = 1
    aim = "a long half-life"

    @property
    def scores(self) -> ConformityScores:
        """Residuals of the log lifetime."""
        return self.predictor.stability.lifetime_scores

    def null(self, stressor: str) -> float:
        """Return the log half-life in log h by the null model."""
        return self.predictor.stability.null_values(stressor)[1] + math.log(LN2)
