"""How far a value may lie from its prediction: where intervals and chances come from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from perovshell.models.targets import RegressionModel

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Spread:
    """The spread of n values of PL or PLQY and of the shell's effect on them.

    A value spreads as the model's left-out papers did, times its difficulty. A step from bare to
    coated spreads as pairs of one paper do, and no wider than its two ends; where the bare end was
    measured, it is all that spreads the value.

    Attributes:
        model: The model of the target.
        scale: Difficulty of each combination.
        bare_scale: Difficulty of the same core bare.
        has_shell: Whether there is a step at all.
        is_metal: Whether the core is a metal, which the null model answers.
        anchored: Whether the bare value was measured.
    """

    model: RegressionModel
    scale: Floats
    bare_scale: Floats
    has_shell: Mask
    is_metal: Mask
    anchored: Mask

    def half_widths(self, coverage: float) -> tuple[Floats, Floats]:
        """Return half the widths of the intervals of values and of steps, each of shape (n,)."""
        quantile = self.model.scores.quantile(coverage)
        own = np.where(
            self.is_metal, self.model.null_scores.quantile(coverage), quantile * self.scale
        )
        ends = own + np.where(self.anchored, 0.0, quantile * self.bare_scale)
        step = np.minimum(self.model.step_scores.quantile(coverage), ends)
        step = np.where(self.has_shell, step, 0.0)
        return np.where(self.anchored, step, own), step

    def cdf(self, residual: Floats) -> Floats:
        """Return the probability that value minus prediction is at most the residual, shape (n,).

        It agrees with `half_widths`: an interval's ends have the probabilities that its coverage
        says.
        """
        scores, above = self.model.scores, residual >= 0
        own = np.where(
            self.is_metal, self.model.null_scores.cdf(residual), scores.cdf(residual / self.scale)
        )
        step = self.model.step_scores.cdf(residual)
        narrower = np.where(above, np.maximum(own, step), np.minimum(own, step))
        known = np.where(self.has_shell, narrower, above.astype(float))
        return np.where(self.anchored, known, own)
