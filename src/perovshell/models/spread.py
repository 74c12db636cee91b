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

    A value spreads as the model's left-out papers did, times its difficulty; with a measured bare
    value no wider than that, nor than pairs of one paper do. A step from bare to coated spreads as
    such pairs do, and no wider than its two ends; from a measured bare value, as its coated end.

    Attributes:
        model: The model of the target.
        scale: Difficulty of each combination.
        bare_scale: Difficulty of the same core bare.
        has_shell: Whether a shell may change the value.
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
        pairs = self.model.step_scores.quantile(coverage)
        step = np.minimum(pairs, own + quantile * self.bare_scale)
        carried = np.minimum(own, self.model.carried_scores.quantile(coverage) * self.scale)
        value, step = np.where(self.anchored, carried, own), np.where(self.anchored, carried, step)
        step = np.where(self.has_shell, step, 0.0)
        return np.where(self.anchored & ~self.has_shell, 0.0, value), step

    def cdf(self, residual: Floats) -> Floats:
        """Return the probability that value minus prediction is at most the residual, shape (n,).

        It agrees with `half_widths`: an interval's ends have the probabilities that its coverage
        says.
        """
        model, share = self.model, residual / self.scale
        own = np.where(self.is_metal, model.null_scores.cdf(residual), model.scores.cdf(share))
        above = residual >= 0
        carried = model.carried_scores.cdf(share)
        narrower = np.where(above, np.maximum(own, carried), np.minimum(own, carried))
        known = np.where(self.has_shell, narrower, above.astype(float))
        return np.where(self.anchored, known, own)
