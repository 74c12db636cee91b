"""Why a prediction is what it is: how far each group of descriptors moved it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, Protocol

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.shells import ShellMaterial
from perovshell.features.combinations import Combination
from perovshell.features.featurizer import Featurizer
from perovshell.models.contributions import ForestContributions
from perovshell.models.mixed import kind_of
from perovshell.models.outputs import DEFAULT_COVERAGE
from perovshell.models.point import PointModel
from perovshell.models.prediction_batch import PredictionBatch
from perovshell.models.reason import Reason
from perovshell.models.stability import (
    TEST_DESCRIPTORS,
    base_effects,
    difference,
    side_effects,
)
from perovshell.models.stability_model import LN2, StabilityModel
from perovshell.models.stability_prediction import StabilityPrediction
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.targets.target import StabilityTarget
from perovshell.texts import number

_KINDS = {
    "side": "coated",
    "both": "coated",
    "class": "shell class",
    "shell": "shell",
    "structure": "structure",
    "encapsulation": "encapsulation",
    "treatment": "treatment",
    "heat": "stressor",
    "irradiance": "stressor",
    "humidity": "stressor",
}
"""In words, the kinds of effects on the lifetime."""
_METAL = "the core is a metal"
_OPEN = "median not reached"
_SHOWN = 4
"""Groups named in a sentence; that of a gain names all."""


class Explained(Protocol):
    """The models whose predictions are explained: a `Predictor`."""

    @property
    def featurizer(self) -> Featurizer:
        """The descriptors."""

    @property
    def points(self) -> Mapping[str, PointModel]:
        """Models of the PL peak and the PLQY, by target name."""

    @property
    def stability(self) -> StabilityModel:
        """Model of lifetimes and gains."""

    @property
    def contributions(self) -> Mapping[str, ForestContributions]:
        """Contributions of the trees of each target."""


def reasons_of(
    predictor: Explained, batch: PredictionBatch, stability: StabilityPrediction
) -> list[Reason]:
    """Return the reasons of one request that is answered already.

    Args:
        predictor: The predictor.
        batch: The request.
        stability: What is predicted of its lifetimes.
    """
    reasons = [_point_reason(model, predictor, batch) for model in predictor.points.values()]
    for stressed in _stressed(predictor, batch, stability):
        reasons += stressed.reasons()
    return reasons


def _point_reason(model: PointModel, predictor: Explained, batch: PredictionBatch) -> Reason:
    """Return the feature contributions of a point target, as modelled, in words as reported."""
    target, scale, item = model.target, model.target.scale, batch.requests.item(0)
    described = (target.column, scale.unit, target.title)
    if item.core is not None and item.core.is_metal:
        return _null_reason(described, model.null_value, _METAL)
    groups = [descriptor.group for descriptor in predictor.featurizer.descriptors]
    trees = predictor.contributions[target.name]
    start, moved = _point_contributions(model, trees, batch.both[0], groups)
    if target.effect is not None:
        measured = float(scale.to_model(batch.requests.numbers[target.effect.anchor])[0])
        if not math.isnan(measured):
            missed = measured - float(model.predict(batch.both[1:])[0])
            moved["measured bare value"] = missed * (model.residual_share if item.layers else 1.0)
    moved = _largest_first(moved)
    mean = float(scale.to_unit(np.asarray(start)))
    slope = scale.slope(start, start + sum(moved.values()))
    head = f"{target.title}, from the literature's mean of {mean:.0f} {target.unit}"
    sentence = _in_words(
        head, moved, lambda step: f"{slope * step:+.{target.error_digits}f} {target.error_unit}"
    )
    return Reason(target.column, scale.unit, start, moved, sentence)


def _null_reason(of: tuple[str, str, str], value: float, why: str) -> Reason:
    """Return the reason of a null model; `of` is column, unit and name of the target."""
    column, unit, name = of
    return Reason(column, unit, value, {}, f"{name}: baseline prediction, {why}")


def _stressed(
    predictor: Explained, batch: PredictionBatch, stability: StabilityPrediction
) -> list[_Stressed]:
    """Return one request under each stressor."""
    model, item, stressors = predictor.stability, batch.requests.item(0), stability.stressors
    answers = stability.columns(DEFAULT_COVERAGE)
    temperature = batch.requests.numbers["temperature_c"]
    rows = model.tree_rows(batch.both, model.tests(stressors, temperature.repeat(2)))
    return [
        _Stressed(predictor, item, stressor, float(temperature[0]), answers, rows[at])
        for at, stressor in enumerate(stressors)
    ]


@dataclass(frozen=True)
class _Stressed:
    """One request under a stressor.

    Attributes:
        predictor: The predictor.
        item: The combination.
        stressor: The stressor.
        temperature: Temperature of the test in deg C, NaN where unknown.
        answers: Output columns of the half-lives and the gains.
        rows: What the trees see of the combination and of its bare core, shape (2, n_columns).
    """

    predictor: Explained
    item: Combination
    stressor: str
    temperature: float
    answers: Mapping[str, Any]
    rows: Floats

    @property
    def model(self) -> StabilityModel:
        """The model."""
        return self.predictor.stability

    def reasons(self) -> list[Reason]:
        """Return the contributions to gain and half-life, as logarithms, in words as factors."""
        floor, bare_floor = self._floor(self.item.layers), self._floor(())
        gain, life = {_OPEN: floor - bare_floor}, {_OPEN: floor}
        if self._why_null:
            bare, coated = self.model.null_values(self.stressor)
            side = coated if self.item.layers else bare
            why = f"baseline prediction, {self._why_null}"
            return [
                self._reason(GAIN, side - bare, gain, why),
                self._reason(LIFETIME, side, life, why),
            ]
        start, moved = self._life_contributions()
        gain = _largest_first(self._gain_contributions() | gain)
        life = _largest_first(moved | life)
        mean = f"from a mean of {LIFETIME.shown(math.exp(start) * LN2)}"
        made_by = _in_words("made by", gain, _factor, len(gain))
        return [
            self._reason(GAIN, 0.0, gain, made_by if self.item.layers else "it is the bare core"),
            self._reason(LIFETIME, start, life, _in_words(mean, life, _factor)),
        ]

    def _reason(
        self, target: StabilityTarget, start: float, moved: Mapping[str, float], why: str
    ) -> Reason:
        """Return a reason whose sentence begins with the value and its sign."""
        column = target.column(self.stressor)
        name = f"{target.quantity[0].upper()}{target.quantity[1:]} under {self.stressor}"
        sentence = f"{name} {self._shown(target)}, {why}"
        return Reason(column, target.scale.unit, start, _largest_first(moved), sentence)

    def _shown(self, target: StabilityTarget) -> str:
        """Return the predicted value with its sign and unit."""
        sign = self.model.bounds([self.stressor], self.item.layers)
        value = float(self.answers[target.column(self.stressor)][0])
        return target.shown(value, sign[target.bound_column(self.stressor)])

    @cached_property
    def _why_null(self) -> str:
        """Why the null model answers; empty where it does not."""
        if self.item.core is not None and self.item.core.is_metal:
            return _METAL
        (is_thin,) = self.model.under([self.stressor]).is_thin
        return f"{self.stressor} has few papers" if is_thin else ""

    def _floor(self, layers: Sequence[ShellMaterial]) -> float:
        """Return what turns the model's log lifetime of a side into the bound that is shown."""
        reached = self.model.reached
        return reached.floors[bool(layers)] if reached.is_open(self.stressor, layers) else 0.0

    def _side_effects(self, item: Combination) -> dict[str, float]:
        test = {"temperature_c": self.temperature}
        return side_effects(self.stressor, test, item, coated=bool(item.layers))

    def _life_contributions(self) -> tuple[float, dict[str, float]]:
        """Return the mean log lifetime under the stressor and what each group adds to it."""
        model, descriptors = self.model, (*self.predictor.featurizer.descriptors, *TEST_DESCRIPTORS)
        trees = self.predictor.contributions[LIFETIME.name]
        amounts = trees.of_row(model.forest, self.rows[0])
        moved = _by_group(amounts, [descriptors[column].group for column in model.columns])
        effects = self._effects_in_words(
            difference(self._side_effects(self.item), base_effects(self.stressor, {}))
        )
        for kind, amount in effects.items():
            moved[kind] = moved.get(kind, 0.0) + amount
        return model.base(self.stressor) + trees.expected, moved

    def _gain_contributions(self) -> dict[str, float]:
        """Return what makes the log gain: the effects of the shell, and the trees."""
        if not self.item.layers:
            return {}
        amounts = difference(self._side_effects(self.item), self._side_effects(self.item.bare))
        coated, bare = self.model.forest.predict(self.rows).tolist()
        return self._effects_in_words(amounts) | {"trees": coated - bare}

    def _effects_in_words(self, amounts: Mapping[str, float]) -> dict[str, float]:
        """Return what effects add to the log lifetime, by their kinds in words."""
        steps = [self.model.effects.predict({name: amount}) for name, amount in amounts.items()]
        return _by_group(np.array(steps), [_KINDS[kind_of(name)] for name in amounts])


def _point_contributions(
    model: PointModel,
    trees: ForestContributions,
    row: Floats,
    groups: Sequence[str],
) -> tuple[float, dict[str, float]]:
    """Return the mean and what each descriptor group adds to it, in units of the target."""
    mean, terms = model.prior.contributions(row[None, :])
    prior_columns = [model.prior.base_column, *model.prior.columns]
    moved = _by_group(terms[0], [groups[column] for column in prior_columns])
    from_trees = trees.of_row(model.forest, row[model.columns])
    for group, amount in _by_group(from_trees, [groups[c] for c in model.columns]).items():
        moved[group] = moved.get(group, 0.0) + amount
    return mean + trees.expected, moved


def _by_group(amounts: Floats, groups: Sequence[str]) -> dict[str, float]:
    total: dict[str, float] = {}
    for group, amount in zip(groups, amounts.tolist(), strict=True):
        total[group] = total.get(group, 0.0) + amount
    return total


def _largest_first(moved: Mapping[str, float]) -> dict[str, float]:
    kept = {group: amount for group, amount in moved.items() if amount != 0.0}
    return dict(sorted(kept.items(), key=lambda pair: -abs(pair[1])))


def _factor(step: float) -> str:
    """Return a step of a logarithm as a factor in words."""
    return f"x {number(float(f'{math.exp(step):.2g}'))}"


def _in_words(
    head: str, moved: Mapping[str, float], step: Callable[[float], str], most: int = _SHOWN
) -> str:
    """Join the largest moves into a sentence.

    Args:
        head: What the sentence begins with.
        moved: How far each group moved the prediction, largest first.
        step: Returns a move in words.
        most: How many groups are named.
    """
    parts = [f"{group} {step(moved[group])}" for group in islice(moved, most)]
    return f"{head}: {', '.join(parts) or 'nothing moves it'}"
