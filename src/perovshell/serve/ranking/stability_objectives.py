"""The objectives of stability gain and half-life: what papers measured at least, under stressors.

Tests are few and models of them have little skill, so that a model orders nothing here: a
combination counts by the mean over papers that is pooled from its tests, those of its shell and
those of its class, and by the lower bound of that mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.vocabulary import column_name
from perovshell.models.evidence import Neighbour
from perovshell.models.normal import normal_quantile
from perovshell.models.shell_evidence import GAIN, HALF_LIFE, Known, ShellFit
from perovshell.serve.ranking.objective import (
    Branches,
    Levels,
    Objective,
    Pair,
    Predicted,
)
from perovshell.targets import declared
from perovshell.targets.target import StabilityTarget
from perovshell.texts import listed

GAIN_SCALE: Final = 10.0
"""A gain of this size has the desirability 0.5."""
HALF_LIFE_SCALE_H: Final = 1000.0
"""A half-life of this many hours (six weeks) has the desirability 0.5."""
_STEEPNESS: Final = 0.5
"""Odds of the desirability rise with this power of the value: a hundred times for ten times."""
_THREE_POINTS: Final = ((-1.2816, 0.3), (0.0, 0.4), (1.2816, 0.3))
"""Normal deviates and probabilities that stand for a distribution (10.1287/mnsc.29.5.595)."""


class StabilityObjective(Objective):
    """An objective under stressors, ordered by what papers measured."""

    target: ClassVar[StabilityTarget]
    quantity: ClassVar[str]
    """The number, as in `ShellEvidence.fit`."""
    half_desirable: ClassVar[float]
    """Value with the desirability 0.5."""
    level_row: ClassVar[int]
    """Row of `Levels.shell`."""
    stem: ClassVar[str]
    """Name of the columns of the value and its lower bound, without the stressor."""
    aim: ClassVar[str]
    """What is desired, in words."""

    @property
    def phrase(self) -> str:
        """The aim and the stressors in words."""
        return f"{self.aim} ({listed(self.space.stressors)})"

    @property
    def fits(self) -> list[ShellFit | None]:
        """What papers measured, by stressor; None where hardly any paper did."""
        evidence = self.predictor.shell_evidence
        return [evidence.fit(self.quantity, name) for name in self.space.stressors]

    @property
    def untested(self) -> tuple[str, ...]:
        """The stressors under which hardly any paper measured the quantity: they order nothing."""
        pairs = zip(self.space.stressors, self.fits, strict=True)
        return tuple(name for name, fit in pairs if fit is None)

    def columns(self) -> list[tuple[str, str]]:
        """Return the columns of the pooled value and of its lower bound, by stressor."""
        names = [column_name(name) for name in self.space.stressors]
        return [(f"{self.stem}_pooled_{name}", f"{self.stem}_at_least_{name}") for name in names]

    @property
    def axes(self) -> list[tuple[str, str, bool]]:
        """The lower bounds, by stressor."""
        unit = f" ({self.target.unit})" if self.target.unit else ""
        pairs = zip(self.columns(), self.space.stressors, strict=True)
        return [(least, f"{self.label} at least, {name}{unit}", True) for (_, least), name in pairs]

    def is_measured(self, samples: Sequence[Neighbour]) -> bool:
        """Whether a paper tested a combination under a stressor that is asked for."""
        evidence = self.predictor.shell_evidence
        return any(
            evidence.has(core, shell, self.quantity, stressor)
            for core, shell in {(sample.core, sample.shell) for sample in samples}
            for stressor in self.space.stressors
        )

    def known(self, pair: Pair) -> list[Known | None]:
        """Return what is known of the logarithm of a combination, by stressor."""
        return [fit.known(*pair) if fit else None for fit in self.fits]

    def terms(self, pairs: Sequence[Pair]) -> Floats:
        """Return the logarithms of the pooled value and of its bound, (2 n_stressors, n)."""
        unknown = Known(math.nan, math.nan, math.nan)
        rows = [
            [one for known in self.known(pair) for one in _ends(known or unknown)] for pair in pairs
        ]
        return np.array(rows, dtype=float).reshape(len(pairs), 2 * len(self.space.stressors)).T

    def add_values(self, predicted: Predicted, terms: Floats) -> None:
        """Add the pooled values and their lower bounds."""
        names = [name for pair in self.columns() for name in pair]
        for name, term in zip(names, terms, strict=True):
            predicted.columns[name] = np.exp(term)

    def desirability(self, predicted: Predicted, *, at_lower_bound: bool = False) -> Floats:
        """Return the geometric mean over the stressors."""
        return self._of_values([predicted.columns[pair[at_lower_bound]] for pair in self.columns()])

    def _of_values(self, values: Sequence[Floats]) -> Floats:
        """Return the geometric mean of the desirabilities of values; unknown ones are left out."""
        known = [
            value
            for value, fit in zip(values, self.fits, strict=True)
            if fit is not None  # The same for all: it orders nothing.
        ]
        if not known:
            return np.ones_like(values[0])
        odds = [(value / self.half_desirable) ** _STEEPNESS for value in known]
        product = np.prod([odd / (1.0 + odd) for odd in odds], axis=0)
        return np.asarray(product ** (1.0 / len(known)))

    def outcomes(self, predicted: Predicted, levels: Levels) -> Floats:
        """Return the desirabilities of means drawn from what is known of them."""
        deviates = normal_quantile(levels.shell[self.level_row])
        drawn = [
            value[:, None] * np.exp(error[:, None] * deviate)
            for (value, error), deviate in zip(self.spread(predicted), deviates, strict=True)
        ]
        return self._of_values(drawn)

    def branches(self, predicted: Predicted) -> Branches:
        """Return a low, a middle and a high outcome of what is known of the means."""
        spread = self.spread(predicted)
        for deviate, probability in _THREE_POINTS:
            values = [value * np.exp(deviate * error) for value, error in spread]
            yield probability, self._of_values(values)

    def spread(self, predicted: Predicted) -> list[tuple[Floats, Floats]]:
        """Return the pooled value and the error of its logarithm, by stressor."""
        columns, spread = predicted.columns, []
        for (value, least), fit in zip(self.columns(), self.fits, strict=True):
            ratio = columns[value] / columns[least]
            spread.append((columns[value], np.log(ratio) / (fit.factor if fit else 1.0)))
        return spread


def _ends(known: Known) -> tuple[float, float]:
    return known.mean, known.at_least


class GainObjective(StabilityObjective):
    """A high stability gain."""

    name = "gain"
    label = "gain"
    target = declared.GAIN
    quantity = GAIN
    half_desirable = GAIN_SCALE
    level_row = 0
    stem = "stability_gain"
    aim = "a high stability gain"


class HalfLifeObjective(StabilityObjective):
    """A long half-life."""

    name = "half_life"
    label = "half-life"
    target = declared.LIFETIME
    quantity = HALF_LIFE
    half_desirable = HALF_LIFE_SCALE_H
    level_row = 1
    stem = "half_life_h"
    aim = "a long half-life"
