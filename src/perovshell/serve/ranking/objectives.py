"""The objectives of a ranking, and the score they make.

The PL peak counts with the probability that it lies in the window; the PLQY with its value over
100 %, or the probability that it exceeds a threshold; gain and half-life with their logarithms over
those of `GAIN_SCALE` and `HALF_LIFE_SCALE_H`, over all stressors asked for; `domain` with the
nearness to the training data. The score is the weighted geometric mean of the desirabilities
(Derringer and Suich, 10.1080/00224065.1980.11980968): a weighted sum of their logarithms.

A target without skill over its null model has its differences shrunk by the by-paper slope of
observed on predicted, so that noise orders nothing; what papers measured of the combination or the
shell still counts, by partial pooling.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.shells import NONE, shell_text
from perovshell.data.vocabulary import column_name
from perovshell.model import Model
from perovshell.models.evidence import Neighbour
from perovshell.models.lifetime import LN2
from perovshell.models.stability import thin_stressors
from perovshell.serve.ranking.objective import (
    MIN_DESIRABILITY,
    Branches,
    Layers,
    Levels,
    Objective,
    PointObjective,
    Predicted,
    log_desirability,
    log_residual,
)
from perovshell.serve.space.space import DesignSpace
from perovshell.targets.declared import GAIN, LIFETIME, PL, PLQY
from perovshell.targets.scales import probability_between
from perovshell.targets.target import StabilityTarget

ORDERS: Final = ("lower-bound", "value", "explore")
"""Ways to order a ranking: by a lower bound, by the value, by the expected improvement."""
GAIN_SCALE: Final = 1000.0
"""A gain of this size has the desirability 1, a gain of 1 or less the desirability 0."""
HALF_LIFE_SCALE_H: Final = 10_000.0
"""A half-life of this many hours (14 months) has the desirability 1, one of 1 h or less 0."""
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


class StabilityObjective(Objective):
    """An objective under stressors: combinations of one shell share a residual."""

    target: ClassVar[StabilityTarget]
    desirable: ClassVar[float]
    """Value with the desirability 1."""
    level_row: ClassVar[int]
    """Row of `Levels.shell`."""
    shrunk_stem: ClassVar[str]
    """Column of the value that ranks, without the stressor."""

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

    @property
    def _stressors_text(self) -> str:
        *first, last = self.space.stressors
        return f"{', '.join(first)} and {last}" if first else last


class GainObjective(StabilityObjective):
    """A high stability gain."""

    name = "gain"
    label = "gain"
    shrunk_stem = "stability_gain_shrunk"
    target = GAIN
    desirable = GAIN_SCALE
    level_row = 0

    @property
    def phrase(self) -> str:
        """The stressors in words."""
        return f"a high stability gain ({self._stressors_text})"

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

    @property
    def phrase(self) -> str:
        """The stressors in words."""
        return f"a long half-life ({self._stressors_text})"

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


class DomainObjective(Objective):
    """Similarity to the training data."""

    name = "domain"
    label = "near the data"
    phrase = "similarity to the training data"
    axes: ClassVar = [("domain_distance", "distance from the data", False)]

    def desirability(self, predicted: Predicted, *, at_lower_bound: bool = False) -> Floats:
        """Return 0.5 to the power of the distance in units of the domain's reach."""
        del at_lower_bound
        return np.asarray(0.5 ** predicted.columns["domain_distance"])

    def outcomes(self, predicted: Predicted, levels: Levels) -> Floats:
        """Return the similarity, which is certain, in each draw."""
        near = self.desirability(predicted)[:, None]
        return np.broadcast_to(near, levels.combination.shape[1:])


CLASSES: Final[tuple[type[Objective], ...]] = (
    PeakObjective,
    YieldObjective,
    GainObjective,
    HalfLifeObjective,
    DomainObjective,
)
"""The objectives, in the order in which they are listed."""


class Objectives:
    """The objectives of a design space, for a model.

    Args:
        space: The design space.
        model: The model.
        shrink: Whether differences of a target without skill are shrunk and measurements pooled.

    Attributes:
        every: All objectives; the values they rank by are part of every table.
        active: Those with a weight.
    """

    def __init__(self, space: DesignSpace, model: Model, *, shrink: bool = True) -> None:
        self.space = space
        self.model = model
        self.shrink = shrink
        self.every = tuple(make(space, model, shrink=shrink) for make in CLASSES)
        self.active = tuple(o for o in self.every if space.weights[o.name] > 0)
        total = sum(space.weights[o.name] for o in self.active)
        self._shares = {o.name: space.weights[o.name] / total for o in self.active}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the objectives with a weight."""
        return tuple(o.name for o in self.active)

    @cached_property
    def plqy(self) -> YieldObjective:
        """The PLQY objective, which pools predictions with measurements."""
        return next(o for o in self.every if isinstance(o, YieldObjective))

    def share(self, name: str) -> float:
        """Return the share of an objective in the weights of all."""
        return self._shares[name]

    def desirabilities(
        self, predicted: Predicted, *, at_lower_bound: bool = False
    ) -> dict[str, Floats]:
        """Return the desirability of each objective with a weight."""
        return {
            o.name: o.desirability(predicted, at_lower_bound=at_lower_bound) for o in self.active
        }

    def log_score(self, desirable: Mapping[str, Floats]) -> Floats:
        """Return the logarithm of the weighted geometric mean of desirabilities."""
        total: Any = 0.0
        for name, value in desirable.items():
            total = total + self.share(name) * np.log(np.maximum(value, MIN_DESIRABILITY))
        return np.asarray(total)

    def improvement(self, predicted: Predicted, best_known: float) -> Floats:
        """Return the expected improvement of the score over the best known combination.

        The expectation is over the branches of the objectives, taken as independent.

        Args:
            predicted: The predictions.
            best_known: Score of the best measured combination.
        """
        total: Any = 0.0
        parts = [[(o.name, *branch) for branch in o.branches(predicted)] for o in self.active]
        for branches in itertools.product(*parts):
            score = np.exp(self.log_score({name: value for name, _, value in branches}))
            gain = np.maximum(score - best_known, 0.0)
            for _, probability, _ in branches:
                gain = gain * probability
            total = total + gain
        return np.asarray(total)


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
