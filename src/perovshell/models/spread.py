"""How far a value may lie from its prediction: where intervals and chances come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.models.targets import RegressionModel

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Spread:
    """The spread of n values of PL or PLQY and of the shell's effect on them.

    A value spreads as the model's left-out papers did, times its difficulty; with a measured bare
    value no wider than that, nor than pairs of one paper do. A step from bare to coated spreads as
    such pairs do, and no wider than its two ends; from a measured bare value, as its coated end.

    Attributes:
        model: The model of the target.
        scale: Difficulty of each combination.
        bare_scale: Difficulty of the same core bare.
        places: By mondrian combination of the model, which values are of it.
        bare_places: The same of the bare cores.
        has_shell: Whether there is a shell that may change the value.
        is_metal: Whether the core is a metal, which the null model answers.
        anchored: Whether the bare value was measured.
    """

    model: RegressionModel
    scale: Floats
    bare_scale: Floats
    places: Mapping[str, Mask]
    bare_places: Mapping[str, Mask]
    has_shell: Mask
    is_metal: Mask
    anchored: Mask

    def half_widths(self, coverage: float) -> tuple[Floats, Floats]:
        """Return half the widths of the intervals of values and of steps, each of shape (n,)."""
        model = self.model
        own = np.where(
            self.is_metal,
            model.null_scores.quantile(coverage),
            self._quantiles(coverage, self.places) * self.scale,
        )
        bare = self._quantiles(coverage, self.bare_places) * self.bare_scale
        pairs = np.minimum(model.effect_scores.quantile(coverage), own + bare)
        step = np.where(self.is_metal, own, pairs)
        if not self.anchored.any():
            return own, np.where(self.has_shell, step, 0.0)
        carried = np.minimum(own, model.anchored_scores.quantile(coverage) * self.scale)
        value, step = np.where(self.anchored, carried, own), np.where(self.anchored, carried, step)
        step = np.where(self.has_shell, step, 0.0)
        return np.where(self.anchored & ~self.has_shell, 0.0, value), step

    def cdf(self, residual: Floats) -> Floats:
        """Return the probability that value minus prediction is at most the residual, shape (n,).

        It agrees with `half_widths`: an interval's ends have the probabilities that its coverage
        says.
        """
        model, share = self.model, residual / self.scale
        chance = normalised_cdf(model, share, self.places)
        own = np.where(self.is_metal, model.null_scores.cdf(residual), chance)
        above = residual >= 0
        carried = model.anchored_scores.cdf(share)
        narrower = np.where(above, np.maximum(own, carried), np.minimum(own, carried))
        known = np.where(self.has_shell, narrower, above.astype(float))
        return np.where(self.anchored, known, own)

    def _quantiles(self, coverage: float, places: Mapping[str, Mask]) -> Floats:
        return normalised_quantiles(self.model, coverage, places, self.scale.shape)


def normalised_quantiles(
    model: RegressionModel, coverage: float, places: Mapping[str, Any], shape: tuple[int, ...]
) -> Floats:
    """Return half widths over difficulty, of the given shape, or () where all are alike.

    Args:
        model: The model of the target.
        coverage: Coverage of the interval.
        places: By mondrian combination of the model, where its values stand (an index).
        shape: Shape of the values.
    """
    usual = model.scores.quantile(coverage)
    if not places:
        return np.array(usual)
    quantile = np.full(shape, usual)
    for name, place in places.items():
        quantile[place] = model.mondrian[name].quantile(coverage)
    return quantile


def normalised_cdf(model: RegressionModel, share: Floats, places: Mapping[str, Any]) -> Floats:
    """Return the probability that a residual over its difficulty is at most `share`.

    Args:
        model: The model of the target.
        share: Residuals over their difficulty, of any shape.
        places: As in `normalised_quantiles`.
    """
    chance = model.scores.cdf(share)
    for name, place in places.items():
        chance[place] = model.mondrian[name].cdf(share[place])
    return chance
