"""The objectives of PL peak and PLQY.

The PL peak has the probability that it lies in the window; the PLQY its value over 100 %, or the
probability that it exceeds a threshold. What papers measured of a combination or its shell is
pooled with the predicted PLQY.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.models.evidence import Neighbour
from perovshell.models.shell_evidence import PLQY as EVIDENCE
from perovshell.serve.ranking.objective import (
    Branches,
    Levels,
    Pair,
    PointObjective,
    Predicted,
)
from perovshell.targets.declared import PL, PLQY
from perovshell.targets.scales import probability_between

BOUND_LEVEL: Final = 0.1
"""The lower bound of a PLQY is exceeded by all but this share of new papers."""
_OUTCOMES: Final = 9
"""Equally likely PLQY outcomes that an expected improvement is the mean over."""
PLQY_POOLED: Final = "plqy_pooled"
PLQY_AT_LEAST: Final = "plqy_at_least"
P_PLQY_ABOVE: Final = "p_plqy_pooled_above"
"""Column of the probability to exceed the threshold, by the pooled PLQY."""
_SPREAD: Final = "plqy_pooled_scale"


class PeakObjective(PointObjective):
    """The PL peak in a window."""

    name = "pl"
    label = "PL in window"
    target = PL
    level_row = 0

    @property
    def _window(self) -> tuple[float, float]:
        assert self.space.pl_window_nm is not None
        return self.space.pl_window_nm

    @property
    def phrase(self) -> str:
        """The window in words."""
        low, high = self._window
        return f"a PL peak within {low:g} to {high:g} nm"

    @property
    def axes(self) -> list[tuple[str, str, bool]]:
        """The peak, and the probability of the window."""
        axes = [(PL.column, PL.label, False)]
        if self.space.pl_window_nm is not None and PL.threshold is not None:
            low, high = self._window
            label = f"P(PL within {low:g} to {high:g} nm)"
            axes.append((PL.threshold.column, label, False))
        return axes

    def desirability(self, predicted: Predicted, *, at_lower_bound: bool = False) -> Floats:
        """Return the probability that the peak lies in the window, at the shrunk energy."""
        del at_lower_bound
        if self.slope == 1.0 and PL.threshold is not None:
            return np.asarray(predicted.columns[PL.threshold.column])
        return probability_between(
            PL.scale,
            lambda residual: self.cdf(predicted, residual),
            self._energy(predicted),
            *self._window,
        )

    def _energy(self, predicted: Predicted) -> Floats:
        return self.shrunk(PL.scale.to_model(predicted.columns[PL.column]))

    def is_measured(self, samples: Sequence[Neighbour]) -> bool:
        """Whether a paper measured the peak of a combination."""
        return any(one.pl_peak_nm is not None for one in samples)

    def outcomes(self, predicted: Predicted, levels: Levels) -> Floats:
        """Return 1 where a drawn peak lies in the window, else 0."""
        energy = self._energy(predicted)[:, None] + self.residuals(predicted, levels)
        first, last = (PL.scale.to_model(np.asarray(end)) for end in self._window)
        return ((energy <= first) & (energy >= last)).astype(float)

    def branches(self, predicted: Predicted) -> Branches:
        """Return the outcome in the window; outside there is no improvement."""
        return [(self.desirability(predicted), 1.0)]


class YieldObjective(PointObjective):
    """A high PLQY, or one above a threshold."""

    name = "plqy"
    label = PLQY.title
    target = PLQY
    level_row = 1

    @property
    def phrase(self) -> str:
        """The threshold in words, where there is one."""
        above = self.space.plqy_above
        return "a high PLQY" if above is None else f"a PLQY above {above:g} %"

    @property
    def axes(self) -> list[tuple[str, str, bool]]:
        """The PLQY that ranks, as predicted, and the probability of the threshold."""
        axes = [(PLQY_POOLED, "PLQY used for ranking (%)", False)]
        axes.append((PLQY.column, "PLQY, predicted (%)", False))
        if self.space.plqy_above is not None:
            label = f"P(PLQY above {self.space.plqy_above:g} %)"
            axes.append((P_PLQY_ABOVE, label, False))
        return axes

    # What papers measured --------------------------------------------------------------------

    def terms(self, pairs: Sequence[Pair]) -> Floats:
        """Return what papers measured beyond the prediction in percent, and the width of intervals.

        The second is a factor on the usual width: less where papers measured the combination or
        its shell, more where nobody did. It is 1 for what left-out papers had on average.
        """
        evidence = self.predictor.shell_evidence
        fit = evidence.fit(EVIDENCE)
        if fit is None:
            return np.array([[0.0], [1.0]]) * np.ones(len(pairs))
        known = [fit.known(*pair) for pair in pairs]
        errors = np.array([one.error for one in known])
        more = (errors**2 - evidence.usual_variance) / fit.total_variance
        return np.array([[one.mean for one in known], np.sqrt(1.0 + more)]).reshape(2, len(pairs))

    # Values ----------------------------------------------------------------------------------

    def add_values(self, predicted: Predicted, terms: Floats) -> None:
        """Add the PLQY pooled with what papers measured, and what 90 % of new papers exceed."""
        beyond, width = terms
        columns = predicted.columns
        value = PLQY.scale.hold(self.shrunk(columns[PLQY.column]) + beyond)
        columns[PLQY_POOLED] = value
        columns[_SPREAD] = width * columns[PLQY.scale_column]
        columns[PLQY_AT_LEAST] = value + self.bound * columns[_SPREAD]

    def scale(self, predicted: Predicted) -> Any:
        """Return the difficulty of the predictions, by how little papers measured of the shell."""
        return predicted.columns[_SPREAD]

    @cached_property
    def bound(self) -> float:
        """Signed residual over difficulty that 90 % of new papers exceed."""
        return self.model.signed_scores.lower_quantile(BOUND_LEVEL)

    def add_probability(self, predicted: Predicted) -> None:
        """Add the probability to exceed the threshold, where there is one."""
        if self.space.plqy_above is not None:
            predicted.columns[P_PLQY_ABOVE] = self.desirability(predicted)

    def desirability(self, predicted: Predicted, *, at_lower_bound: bool = False) -> Floats:
        """Return the share of 100 %, or the probability to exceed the threshold.

        A lower bound counts as its share of what is asked: for a probability, the less is known
        of a poor shell the better.
        """
        above, columns = self.space.plqy_above, predicted.columns
        if at_lower_bound:
            asked = 100.0 if above is None else above
            return np.asarray(np.clip(columns[PLQY_AT_LEAST] / asked, 0.0, 1.0))
        value = columns[PLQY_POOLED]
        if above is None:
            return np.asarray(np.maximum(value, 0.0) / 100.0)
        return probability_between(
            PLQY.scale, lambda residual: self.cdf(predicted, residual), value, above, math.inf
        )

    def _of_percent(self, percent: Floats) -> Floats:
        """Return the desirability of known PLQYs in percent."""
        above = self.space.plqy_above
        return percent / 100.0 if above is None else (percent > above).astype(float)

    def is_measured(self, samples: Sequence[Neighbour]) -> bool:
        """Whether a paper measured the PLQY of a combination."""
        return any(one.plqy_percent is not None for one in samples)

    def outcomes(self, predicted: Predicted, levels: Levels) -> Floats:
        """Return the desirabilities of drawn PLQYs."""
        value = predicted.columns[PLQY_POOLED][:, None] + self.residuals(predicted, levels)
        return self._of_percent(PLQY.scale.hold(value))

    def branches(self, predicted: Predicted) -> Branches:
        """Return equally likely PLQYs, spread by the residuals of left-out papers."""
        value, scale = predicted.columns[PLQY_POOLED], self.scale(predicted)
        for outcome in self._outcomes:
            percent = PLQY.scale.hold(value + outcome * scale)
            yield 1.0 / len(self._outcomes), self._of_percent(percent)

    @cached_property
    def _outcomes(self) -> Floats:
        """Equally likely residuals of the PLQY over their difficulty."""
        levels = (np.arange(_OUTCOMES) + 0.5) / _OUTCOMES
        scores = self.model.scores
        largest = float(scores.values[-1]) if len(scores.values) else 1.0
        size = [min(scores.quantile(abs(2 * level - 1)), largest) for level in levels]
        return np.asarray(np.sign(levels - 0.5) * size)
