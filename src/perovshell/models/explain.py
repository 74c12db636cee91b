"""Why a prediction is what it is: how far each group of descriptors moved it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perovshell.arrays import Floats
from perovshell.models.contributions import ForestContributions
from perovshell.models.mixed import kind_of
from perovshell.models.outputs import DEFAULT_COVERAGE, DEFAULT_STRESSORS, check_options
from perovshell.models.point import PointModel
from perovshell.models.predictor import Predictor
from perovshell.models.requests import Requests
from perovshell.models.stability import (
    TEST_DESCRIPTORS,
    base_effects,
    side_effects,
    thin_stressors,
    with_test_columns,
)
from perovshell.models.stability_model import LN2
from perovshell.targets.declared import LIFETIME

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
_SHOWN = 4
"""Groups named in a sentence."""


@dataclass(frozen=True)
class Reason:
    """Feature contributions to one target of one prediction.

    Attributes:
        target: Output column, such as `pl_peak_nm`.
        unit: Unit of `start` and `moved`: eV, percent, or log h.
        start: The mean over the training rows that the groups start from.
        moved: How far each descriptor group, and a measured bare value, moved it, largest first;
            start plus all of them is the prediction.
        sentence: The same in words.
    """

    target: str
    unit: str
    start: float
    moved: Mapping[str, float]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {**vars(self), "moved": dict(self.moved)}


def explain(
    predictor: Predictor, row: Mapping[str, Any], stressors: Sequence[str] = DEFAULT_STRESSORS
) -> list[Reason]:
    """Return the feature contributions to the prediction of one request, one reason per target.

    Raises:
        InputError: The request cannot be read, or a stressor is not allowed.
    """
    check_options(stressors, DEFAULT_COVERAGE)
    request = Requests.read_one(row, predictor.featurizer.reader)
    item = request.item(0)
    sides = [item, item.bare]
    matrix = predictor.featurizer.matrix(sides, elements_too=predictor.needs_elements)
    return [
        *(_point_reason(model, predictor, request, matrix) for model in predictor.points.values()),
        *(_half_life_reason(predictor, request, stressor, matrix[:1]) for stressor in stressors),
    ]


def _point_reason(
    model: PointModel, predictor: Predictor, request: Requests, matrix: Floats
) -> Reason:
    """Return the feature contributions of a point target, as modelled, in words as reported.

    The matrix has the descriptors of the combination, then of its bare core.
    """
    target, scale, item = model.target, model.target.scale, request.item(0)
    described = (target.column, scale.unit, target.title)
    if item.core is not None and item.core.is_metal:
        return _null_reason(described, model.null_value, _METAL)
    groups = [descriptor.group for descriptor in predictor.featurizer.descriptors]
    trees = predictor.contributions[target.name]
    start, moved = _point_contributions(model, trees, matrix[0], groups)
    if target.effect is not None:
        measured = float(scale.to_model(request.numbers[target.effect.anchor])[0])
        if not math.isnan(measured):
            missed = measured - float(model.predict(matrix[1:])[0])
            moved["measured bare value"] = missed * (model.residual_share if item.layers else 1.0)
    moved = _largest_first(moved)
    mean = float(scale.to_unit(np.asarray(start)))
    slope = scale.slope(start, start + sum(moved.values()))
    words = {
        group: f"{slope * step:+.{target.error_digits}f} {target.error_unit}"
        for group, step in moved.items()
    }
    head = f"{target.title}, from the literature's mean of {mean:.0f} {target.unit}"
    return Reason(target.column, scale.unit, start, moved, _in_words(head, words))


def _half_life_reason(
    predictor: Predictor, request: Requests, stressor: str, matrix: Floats
) -> Reason:
    """Return the contributions to the log lifetime (h) under a stressor, in words as factors."""
    model, item = predictor.stability, request.item(0)
    column, name = LIFETIME.column(stressor), f"Half-life under {stressor}"
    is_metal = item.core is not None and item.core.is_metal
    if is_metal or bool(thin_stressors(model.papers, [stressor])[0]):
        log_life = model.null_values(stressor)[bool(item.layers)]
        why = _METAL if is_metal else f"{stressor} has few papers"
        return _null_reason((column, "log h", name), log_life, why)
    temperature = float(request.numbers["temperature_c"][0])
    row = with_test_columns(matrix, [model.test_columns(stressor, temperature)])[0]
    descriptors = (*predictor.featurizer.descriptors, *TEST_DESCRIPTORS)
    trees = predictor.contributions[LIFETIME.name]
    amounts = trees.of_row(model.forest, row[model.columns])
    moved = _by_group(amounts, [descriptors[column].group for column in model.columns])
    test = {"temperature_c": temperature}
    effects = side_effects(stressor, test, item, coated=bool(item.layers))
    usual = base_effects(stressor, {})
    own = {name: amount for name, amount in effects.items() if name not in usual}
    steps = [model.effects.predict({name: amount}) for name, amount in own.items()]
    kinds = [_KINDS[kind_of(name)] for name in own]
    for kind, amount in _by_group(np.array(steps), kinds).items():
        moved[kind] = moved.get(kind, 0.0) + amount
    if model.reached.is_open(stressor, item.layers):
        moved["median not reached"] = model.reached.floors[bool(item.layers)]
    moved = _largest_first(moved)
    start = model.base(stressor) + trees.expected
    factors = {group: f"x {math.exp(step):.2g}" for group, step in moved.items()}
    half = math.exp(start) * LN2
    head = f"{name}, from a mean of {half:.3g} h"
    return Reason(column, "log h", start, moved, _in_words(head, factors))


def _null_reason(of: tuple[str, str, str], value: float, why: str) -> Reason:
    """Return the reason of a null model; `of` is column, unit and name of the target."""
    column, unit, name = of
    return Reason(column, unit, value, {}, f"{name}: baseline prediction, {why}")


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


def _in_words(head: str, moved: Mapping[str, str]) -> str:
    """Join the largest moves into a sentence."""
    parts = [f"{group} {amount}" for group, amount in list(moved.items())[:_SHOWN]]
    return f"{head}: {', '.join(parts) or 'nothing moves it'}"
