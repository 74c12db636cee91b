"""The objectives of stability gain and half-life: logarithms, averaged over the stressors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.vocabulary import column_name
from perovshell.models.lifetime import LN2
from perovshell.models.stability import thin_stressors
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
        scores = self.predictor.models[self.target.name].scores
        off = np.exp(log_residual(scores, levels.shell[self.level_row]))
        values = np.stack([predicted.columns[name] for name in self.value_columns])
        return log_desirability(values[:, :, None] * off, self.desirable)


class GainObjective(StabilityObjective):
    """A high stability gain."""

    name = "gain"
    label = "gain"
    shrunk_stem = "stability_gain_shrunk"
    target = GAIN
    desirable = GAIN_SCALE
    level_row = 0
    aim = "a high stability gain"

    def log_gain(self, layers: Layers, stressor: str) -> float:
        """Return the log gain that ranks: tests of the shell itself in full, the rest shrunk.

        Without shrinkage, it is that of the prediction.
        """
        gain = self.predictor.gain
        rest = gain.stressor_effect(stressor) + gain.class_effect(layers)
        if thin_stressors(gain.papers, [stressor])[0]:
            if not self.shrink:
                return gain.null
            rest = gain.class_effect(layers)
        return gain.null + self.slope * rest + gain.name_effect(layers)

    def shell_terms(self, shells: Sequence[Layers]) -> Floats:
        """Return the gain that ranks, shape (n_stressors, n_shells)."""
        logs = [[self.log_gain(layers, name) for layers in shells] for name in self.space.stressors]
        return np.asarray(np.exp(np.array(logs).reshape(len(self.space.stressors), len(shells))))

    def add_values(self, predicted: Predicted, terms: Floats) -> None:
        """Add the gains that rank."""
        predicted.columns.update(zip(self.value_columns, terms, strict=True))


class HalfLifeObjective(StabilityObjective):
    """A long half-life."""

    name = "half_life"
    label = "half-life"
    shrunk_stem = "half_life_shrunk"
    target = LIFETIME
    desirable = HALF_LIFE_SCALE_H
    level_row = 1
    aim = "a long half-life"

    def add_values(self, predicted: Predicted, terms: Floats) -> None:
        """Add the half-lives that rank: shrunk to the null model without skill."""
        del terms
        for stressor, name in zip(self.space.stressors, self.value_columns, strict=True):
            half_life = predicted.columns[LIFETIME.column(stressor)]
            predicted.columns[name] = self._shrunk(half_life, stressor)

    def _shrunk(self, half_life: Floats, stressor: str) -> Floats:
        if self.slope == 1.0:
            return half_life
        null = self.predictor.lifetime.predict_null(stressor, [True])[0] + math.log(LN2)
        return np.asarray(np.exp(null + self.slope * (np.log(half_life) - null)))
