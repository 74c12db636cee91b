"""Point targets (PL peak, PLQY): the fitted model, and the formula of its answers.

Every interface answers by `PointPrediction.columns`: rows, products of cores and shells, rankings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.models.conformal import ConformityScores
from perovshell.models.difficulty import Difficulty
from perovshell.models.forest import Forest
from perovshell.models.parts import (
    Arrays,
    forest_from_arrays,
    forest_to_arrays,
    scores_from_arrays,
    scores_to_arrays,
)
from perovshell.models.prior import LinearPrior
from perovshell.targets.scales import probability_between, reported_interval
from perovshell.targets.target import ENDS, PointTarget

Columns = dict[str, Floats]
_SCORES = ("scores", "signed_scores", "effect_scores", "anchored_scores", "null_scores")


@dataclass(frozen=True)
class PointModel:
    """A point target: a prior plus trees, with intervals calibrated by paper.

    Attributes:
        target: The target.
        prior: The prediction before any tree.
        difficulty: Difficulty of a prediction.
        forest: The trees on the residual of the prior.
        columns: Descriptor columns of the trees.
        scores: Conformity scores: absolute out-of-fold residuals over their difficulty.
        signed_scores: Signed residuals over their difficulty; a bound counts to its lower end. The
            value that a share of new papers exceeds follows from these.
        mondrian: Conformity scores of each Mondrian category: a combination that many papers
            measured, which `scores` leaves out.
        effect_scores: Absolute errors of the shell's effect, over pairs of one core and paper.
        residual_share: Share of a measured bare sample's residual that its coated sample shares.
        anchored_scores: Conformity scores of predictions anchored at a measured bare sample.
        null_value: Prediction of the null model (the median).
        null_scores: Absolute residuals of the null model.
    """

    target: PointTarget
    prior: LinearPrior
    difficulty: Difficulty
    forest: Forest
    columns: Indices
    scores: ConformityScores
    signed_scores: ConformityScores
    mondrian: Mapping[str, ConformityScores]
    effect_scores: ConformityScores
    residual_share: float
    anchored_scores: ConformityScores
    null_value: float
    null_scores: ConformityScores

    def predict(self, matrix: Floats) -> Floats:
        """Return predictions of descriptor rows (n, p), as modelled, shape (n,)."""
        trees = self.forest.predict(matrix.take(self.columns, axis=1))
        return np.asarray(self.prior.predict(matrix) + trees)

    def difficulty_of(self, matrix: Floats, predicted: Floats) -> Floats:
        """Return the difficulty of predicted descriptor rows, as modelled, shape (n,)."""
        return self.difficulty.of(self.prior, matrix, predicted)

    def shrunk(self, predicted: Floats, factor: float) -> Floats:
        """Return predictions, as modelled, with their differences from the null model shrunk."""
        return np.asarray(self.null_value + factor * (predicted - self.null_value))

    def quantiles(
        self, coverage: float, categories: Mapping[str, Any], shape: tuple[int, ...]
    ) -> Floats:
        """Return half widths over difficulty, of the given shape, or () where all are equal.

        Args:
            coverage: Coverage of the interval.
            categories: By Mondrian category, where its values are (an index into the shape).
            shape: Shape of the values.
        """
        usual = self.scores.quantile(coverage)
        if not categories:
            return np.array(usual)
        quantile = np.full(shape, usual)
        for name, index in categories.items():
            quantile[index] = self.mondrian[name].quantile(coverage)
        return quantile

    def cdf(self, normalised: Floats, categories: Mapping[str, Any]) -> Floats:
        """Return the probability that a residual over its difficulty is at most `normalised`.

        Args:
            normalised: Residuals over their difficulty, of any shape.
            categories: As in `quantiles`.
        """
        probability = self.scores.cdf(normalised)
        for name, index in categories.items():
            probability[index] = self.mondrian[name].cdf(normalised[index])
        return probability

    def to_parts(self) -> tuple[dict[str, Any], Arrays]:
        """Return JSON data and arrays for storage."""
        prior, arrays = self.prior.to_parts()
        data = {
            "prior": prior,
            "mondrian": list(self.mondrian),
            "residual_share": self.residual_share,
            "null_value": self.null_value,
        }
        arrays |= self.difficulty.arrays() | forest_to_arrays(self.forest, self.columns)
        for name in _SCORES:
            arrays |= scores_to_arrays(name, getattr(self, name))
        for number, scores in enumerate(self.mondrian.values()):
            arrays |= scores_to_arrays(f"mondrian_{number}", scores)
        return data, arrays

    @classmethod
    def from_parts(
        cls, target: PointTarget, data: dict[str, Any], arrays: Mapping[str, Any]
    ) -> PointModel:
        """Rebuild from stored parts."""
        forest, columns = forest_from_arrays(arrays)
        return cls(
            target=target,
            prior=LinearPrior.from_parts(data["prior"], arrays),
            difficulty=Difficulty.from_arrays(arrays),
            forest=forest,
            columns=columns,
            mondrian={
                name: scores_from_arrays(f"mondrian_{number}", arrays)
                for number, name in enumerate(data["mondrian"])
            },
            residual_share=float(data["residual_share"]),
            null_value=float(data["null_value"]),
            **{name: scores_from_arrays(name, arrays) for name in _SCORES},
        )


@dataclass(frozen=True)
class BareSide:
    """The same n cores without a shell, and what was measured of them.

    Attributes:
        predicted: Predictions of the bare cores, as modelled, shape (n,).
        scale: Their difficulty, shape (n,).
        categories: Where the bare cores of Mondrian categories are.
        measured: Measured values of the bare cores, as modelled; NaN where unknown, shape (n,).
        has_shell: Whether the combination has a shell, shape (n,).
        is_metal: Whether the core is a metal, which the null model answers, shape (n,).
    """

    predicted: Floats
    scale: Floats
    categories: Mapping[str, Any]
    measured: Floats
    has_shell: Mask
    is_metal: Mask


@dataclass(frozen=True)
class PointPrediction:
    """What a point model predicts of combinations: the ingredients of an answer.

    Attributes:
        model: The model.
        predicted: Predictions, as modelled, of any shape.
        scale: Their difficulty, of the same shape.
        categories: By Mondrian category of the model, where its values are (an index).
        bare: The bare side, for the shell's effect; None answers values alone.
    """

    model: PointModel
    predicted: Floats
    scale: Floats
    categories: Mapping[str, Any]
    bare: BareSide | None = None

    def columns(self, coverage: float, threshold: Any = None) -> Columns:
        """Return the output columns: value, effect and the probability of a threshold.

        The value v is the prediction u; a measured bare value b of a core predicted as s shifts it
        to u + c (b - s), c being the residual share. With half widths w and w_e of `half_widths`
        and the reported unit's function f, the value has the interval f(v -+ w), the effect
        f(v) - f(b) has f(v -+ w_e) - f(b); b is s where nothing was measured.

        Args:
            coverage: Coverage of the intervals.
            threshold: What `target.threshold` is asked for; None is not asked.
        """
        target = self.model.target
        half, effect_half = self.half_widths(coverage)
        value = target.scale.to_unit(self.value)
        columns = _columns_of(target.column, value, *self._interval(half))
        if self.bare is not None and target.effect is not None:
            reference = target.scale.to_unit(self._reference)
            low, high = self._interval(effect_half)
            columns |= _columns_of(
                target.effect.column, value - reference, low - reference, high - reference
            )
        if threshold is not None and target.threshold is not None:
            limits = target.threshold.limits(threshold)
            columns[target.threshold.column] = probability_between(
                target.scale, self.cdf, self.value, *limits
            )
        return columns

    def _interval(self, half: Floats) -> tuple[Floats, Floats]:
        """Return the ends, as reported, of the intervals of half widths."""
        return reported_interval(self.model.target.scale, self.value, half)

    @cached_property
    def value(self) -> Floats:
        """Predicted values, as modelled: anchored where the bare value was measured."""
        hold, bare = self.model.target.scale.hold, self.bare
        if bare is None:
            return hold(self.predicted)
        usual = hold(np.where(bare.is_metal, self.model.null_value, self.predicted))
        if not self._is_anchored.any():
            return usual
        shared = self.model.residual_share * (bare.measured - bare.predicted)
        anchored = np.where(bare.has_shell, self.predicted + shared, bare.measured)
        return np.where(self._is_anchored, hold(anchored), usual)

    @cached_property
    def _is_anchored(self) -> Mask:
        """Whether a bare value was measured of a core that the model answers, shape (n,)."""
        assert self.bare is not None
        return ~np.isnan(self.bare.measured) & ~self.bare.is_metal

    @property
    def _reference(self) -> Floats:
        """The bare value that the effect starts from, as modelled, shape (n,)."""
        bare, hold = self.bare, self.model.target.scale.hold
        assert bare is not None
        changes = bare.has_shell & ~bare.is_metal
        usual = np.where(changes, hold(bare.predicted), self.value)
        return np.where(self._is_anchored, bare.measured, usual)

    def half_widths(self, coverage: float) -> tuple[Floats, Floats]:
        """Return half the widths of the intervals of values and of effects, as modelled.

        A value spreads as the model's left-out papers did, times its difficulty; with a measured
        bare value no wider than that, nor than pairs of one paper do. An effect spreads as such
        pairs do, and no wider than its two ends; from a measured bare value, as its coated end.
        """
        model, bare = self.model, self.bare
        usual = model.quantiles(coverage, self.categories, self.scale.shape) * self.scale
        if bare is None:
            return usual, usual
        value = np.where(bare.is_metal, model.null_scores.quantile(coverage), usual)
        of_bare = model.quantiles(coverage, bare.categories, bare.scale.shape) * bare.scale
        pairs = np.minimum(model.effect_scores.quantile(coverage), value + of_bare)
        effect = np.where(bare.is_metal, value, pairs)
        if self._is_anchored.any():
            anchored = np.minimum(value, model.anchored_scores.quantile(coverage) * self.scale)
            effect = np.where(self._is_anchored, anchored, effect)
            value = np.where(self._is_anchored, np.where(bare.has_shell, anchored, 0.0), value)
        return value, np.where(bare.has_shell, effect, 0.0)

    def cdf(self, residual: Floats) -> Floats:
        """Return the probability that true minus predicted value is at most the residual.

        It agrees with `half_widths`: the ends of an interval have the probabilities that its
        coverage states.
        """
        model, bare, normalised = self.model, self.bare, residual / self.scale
        usual = model.cdf(normalised, self.categories)
        if bare is None:
            return usual
        usual = np.where(bare.is_metal, model.null_scores.cdf(residual), usual)
        if not self._is_anchored.any():
            return usual
        above, anchored = residual >= 0, model.anchored_scores.cdf(normalised)
        narrower = np.where(above, np.maximum(usual, anchored), np.minimum(usual, anchored))
        known = np.where(bare.has_shell, narrower, above.astype(float))
        return np.where(self._is_anchored, known, usual)


def _columns_of(column: str, *values: Floats) -> Columns:
    """Return values with their lower and upper ends as columns."""
    return {f"{column}{end}": one for end, one in zip(ENDS, values, strict=True)}
