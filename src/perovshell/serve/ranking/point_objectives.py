"""The objectives of PL peak and PLQY.

The PL peak has the probability that it lies in the window; the PLQY its value over 100 %, or the
probability that it exceeds a threshold. Measurements of a shell or a combination are pooled with
the predicted PLQY by partial pooling.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.shells import NONE, shell_text
from perovshell.models.evidence import Neighbour
from perovshell.serve.ranking.objective import (
    Branches,
    Layers,
    Levels,
    PointObjective,
    Predicted,
)
from perovshell.targets.declared import PL, PLQY
from perovshell.targets.scales import probability_between

SHELL_PSEUDO_COUNT: Final = 4.0
"""Pseudo-count of papers of the mean PLQY of a shell: papers on one combination spread
by about 18 points, shells by about half of that, and (18 / 9)^2 = 4."""
SHELL_SHARE: Final = 0.25
"""Part of the variance of a paper's PLQY that is its shell's: (9 / 18)^2."""
COMBINATION_PSEUDO_COUNT: Final = 8.0
"""Pseudo-count of papers of the model against measurements of the combination: papers on one
spread as widely as the errors of the model, which was also fitted to them."""
BOUND_LEVEL: Final = 0.1
"""The lower bound of a PLQY is exceeded by all but this share of new papers."""
_OUTCOMES: Final = 9
"""Equally likely PLQY outcomes that an expected improvement is the mean over."""
PLQY_SHRUNK: Final = "plqy_shrunk"
PLQY_SHRUNK_LOWER: Final = "plqy_shrunk_lower"


@dataclass(frozen=True)
class Measured:
    """Measured PLQY of one combination: the number of papers and the mean over papers."""

    papers: int
    plqy_percent: float


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
        null = self.model.null_value
        energy = null + self.slope * (self._energy(predicted) - null)
        return probability_between(
            PL.scale, lambda residual: self.cdf(predicted, residual), energy, *self._window
        )

    @staticmethod
    def _energy(predicted: Predicted) -> Floats:
        return PL.scale.to_model(predicted.columns[PL.column])

    def desirability_of_measured(
        self, desirability: Floats, rows: Sequence[Mapping[str, Any]]
    ) -> Floats:
        """Return 1: the samples that fit have their peak in the window."""
        del desirability
        return np.ones(len(rows))

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether a sample's measured peak lies in the window."""
        peak, (low, high) = row[PL.column], self._window
        return peak is not None and low <= peak <= high

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
        axes = [(PLQY_SHRUNK, "PLQY used for ranking (%)", False)]
        axes.append((PLQY.column, "PLQY, predicted (%)", False))
        if self.space.plqy_above is not None and PLQY.threshold is not None:
            label = f"P(PLQY above {self.space.plqy_above:g} %)"
            axes.append((PLQY.threshold.column, label, False))
        return axes

    # Shells ----------------------------------------------------------------------------------

    def shell_papers(self, layers: Layers) -> int:
        """Return how many papers measured the PLQY of a shell."""
        return self._shells.get(shell_text(layers), (0, 0.0))[0]

    def shell_effect(self, layers: Layers) -> float:
        """Return the shrunk mean of the PLQY of a shell beyond the prediction, in percent.

        Beyond the shrunk prediction: a shell tested on poor cores is not penalised for them, and
        what the model learned on a shell does not count twice.
        """
        if not self.shrink:
            return 0.0
        papers, beyond = self._shells.get(shell_text(layers), (0, 0.0))
        return papers / (papers + SHELL_PSEUDO_COUNT) * beyond

    def shell_width(self, layers: Layers) -> float:
        """Return the factor of the papers on a shell on the width of its PLQY interval.

        The variance of shells is a part of the variance of left-out papers; more papers on a shell
        leave less of it. The factor is 1 on average over the coated samples of the literature.
        """
        if not self.shrink:
            return 1.0
        left = _unknown_share(self.shell_papers(layers)) - self._usual_unknown_share
        return math.sqrt(1.0 + SHELL_SHARE * left)

    def shell_terms(self, shells: Sequence[Layers]) -> Floats:
        """Return effect and width factor of each shell, shape (2, n_shells)."""
        pairs = [(self.shell_effect(layers), self.shell_width(layers)) for layers in shells]
        return np.array(pairs, dtype=float).reshape(len(shells), 2).T

    @cached_property
    def _shells(self) -> dict[str, tuple[int, float]]:
        """By shell, how many papers measured its PLQY and how far beyond the prediction."""
        predictor = self.predictor
        rows = [
            row
            for row in predictor.literature.samples
            if row[PLQY.column] is not None and row["shell"] != NONE
        ]
        if not rows:
            return {}
        items = [predictor.literature.item(row) for row in rows]
        matrix = predictor.featurizer.matrix(items, elements_too=predictor.needs_elements)
        expected = self._shrunk(self.model.predict(matrix)).tolist()
        beyond: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row, value in zip(rows, expected, strict=True):
            beyond[row["shell"]][row["paper"]].append(row[PLQY.column] - value)
        return {shell: (len(papers), _mean_of_means(papers)) for shell, papers in beyond.items()}

    @cached_property
    def _usual_unknown_share(self) -> float:
        """Unknown share of the shell of a left-out paper, on average over coated papers."""
        papers = [count for count, _ in self._shells.values()]
        if not papers:
            return 1.0
        return sum(count * _unknown_share(count - 1) for count in papers) / sum(papers)

    def _shrunk(self, predicted: Floats) -> Floats:
        center = self.model.null_value
        return np.asarray(center + self.slope * (predicted - center))

    # Values ----------------------------------------------------------------------------------

    def add_values(self, predicted: Predicted, terms: Floats) -> None:
        """Add the shrunk PLQY, pooled by shell, and the value exceeded by 90 % of new papers."""
        effect, width = terms
        columns = predicted.columns
        value = PLQY.scale.hold(self._shrunk(columns[PLQY.column]) + effect)
        columns[PLQY_SHRUNK] = value
        columns[PLQY_SHRUNK_LOWER] = value + self.bound * width * self.scale(predicted)

    @cached_property
    def bound(self) -> float:
        """Signed residual over difficulty that 90 % of new papers exceed."""
        return self.model.signed_scores.lower_quantile(BOUND_LEVEL)

    def pool(self, predicted: Predicted, index: Any, measured: Measured) -> None:
        """Pool the PLQY of combinations with their measurements; change `predicted`."""
        if not self.shrink:
            return
        value, low = (predicted.columns[name] for name in (PLQY_SHRUNK, PLQY_SHRUNK_LOWER))
        share = measured.papers / (measured.papers + COMBINATION_PSEUDO_COUNT)
        step = share * (measured.plqy_percent - value[index])
        low[index] += step
        value[index] += step

    def add_probability(self, predicted: Predicted) -> None:
        """Add the probability to exceed the threshold, where there is one."""
        if self.space.plqy_above is not None and PLQY.threshold is not None:
            predicted.columns[PLQY.threshold.column] = self.desirability(predicted)

    def desirability(self, predicted: Predicted, *, at_lower_bound: bool = False) -> Floats:
        """Return the share of 100 %, or the probability to exceed the threshold."""
        above, columns = self.space.plqy_above, predicted.columns
        if above is not None:
            return probability_between(
                PLQY.scale,
                lambda residual: self.cdf(predicted, residual),
                columns[PLQY_SHRUNK],
                above,
                math.inf,
            )
        value = columns[PLQY_SHRUNK_LOWER if at_lower_bound else PLQY_SHRUNK]
        return np.asarray(np.maximum(value, 0.0) / 100.0)

    def _of_percent(self, percent: Floats) -> Floats:
        """Return the desirability of known PLQYs in percent."""
        above = self.space.plqy_above
        return percent / 100.0 if above is None else (percent > above).astype(float)

    def desirability_of_measured(
        self, desirability: Floats, rows: Sequence[Mapping[str, Any]]
    ) -> Floats:
        """Return the desirabilities of the measured PLQYs."""
        del desirability
        return self._of_percent(np.array([row[PLQY.column] for row in rows]))

    def fits(self, row: Mapping[str, Any]) -> bool:
        """Whether a sample's PLQY was measured."""
        return row[PLQY.column] is not None

    def outcomes(self, predicted: Predicted, levels: Levels) -> Floats:
        """Return the desirabilities of drawn PLQYs."""
        value = predicted.columns[PLQY_SHRUNK][:, None] + self.residuals(predicted, levels)
        return self._of_percent(PLQY.scale.hold(value))

    def branches(self, predicted: Predicted) -> Branches:
        """Return equally likely PLQYs, spread by the residuals of left-out papers."""
        value, scale = predicted.columns[PLQY_SHRUNK], self.scale(predicted)
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


def plqy_by_paper(rows: Sequence[Neighbour]) -> dict[str, float]:
    """Return the mean PLQY in percent of each paper's samples."""
    values: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if row.plqy_percent is not None:
            values[row.paper].append(row.plqy_percent)
    return {paper: sum(plqy) / len(plqy) for paper, plqy in values.items()}


def measured_plqy(rows: Sequence[Neighbour]) -> Measured | None:
    """Return the measured PLQY of the samples of one combination, or None."""
    papers = plqy_by_paper(rows)
    return Measured(len(papers), sum(papers.values()) / len(papers)) if papers else None


def _unknown_share(papers: int) -> float:
    """Return the share of a shell's variance that remains with so many papers on it."""
    return SHELL_PSEUDO_COUNT / (papers + SHELL_PSEUDO_COUNT)


def _mean_of_means(papers: Mapping[str, Sequence[float]]) -> float:
    return sum(sum(values) / len(values) for values in papers.values()) / len(papers)
