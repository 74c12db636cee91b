"""Why a prediction is what it is: how far each group of descriptors moved it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.data.targets import EV_NM, energy_ev
from perovshell.data.vocabulary import column_name
from perovshell.models.contributions import ForestContributions
from perovshell.models.outputs import DEFAULT_COVERAGE, DEFAULT_STRESSORS, check_options
from perovshell.models.predictor import Predictor
from perovshell.models.requests import Requests
from perovshell.models.stability import (
    TEST_DESCRIPTORS,
    THIN_STRESSOR_PAPERS,
    shell_labels,
    with_test_columns,
)
from perovshell.models.targets import RegressionModel

Floats = npt.NDArray[np.float64]
_KINDS = {
    "class": "shell class",
    "shell": "shell",
    "structure": "structure",
    "encapsulation": "encapsulation",
}
"""In words, the kinds of effects of the linear model of the lifetime."""
_OUTPUTS = {"pl": ("pl_peak_nm", "eV", "PL peak"), "plqy": ("plqy_percent", "percent", "PLQY")}
_METAL = "the core is a metal"
_SHOWN = 4
"""Groups named in a sentence."""


@dataclass(frozen=True)
class Reason:
    """What moved one target of one prediction.

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
    """Return what moved the prediction of one request, a reason a target.

    Raises:
        InputError: The request cannot be read, or a stressor is not allowed.
    """
    check_options(stressors, DEFAULT_COVERAGE)
    request = Requests.read_one(row, predictor.featurizer.reader)
    item = request.item(0)
    sides = [item, item.bare]
    matrix = predictor.featurizer.matrix(sides, elements_too=predictor.needs_elements)
    return [
        _regression_reason("pl", predictor, request, matrix),
        _regression_reason("plqy", predictor, request, matrix),
        *(_half_life_reason(predictor, request, stressor, matrix[:1]) for stressor in stressors),
    ]


def _regression_reason(
    name: str, predictor: Predictor, request: Requests, matrix: Floats
) -> Reason:
    """Say what moved the PL energy (`pl`: eV, in words nm) or the PLQY (`plqy`: percent).

    The matrix has the descriptors of the combination, then of its bare core.
    """
    model: RegressionModel = getattr(predictor, name)
    target, unit, said = _OUTPUTS[name]
    item = request.item(0)
    if item.core is not None and item.core.is_metal:
        return _null_reason((target, unit, said), model.null_value, _METAL)
    groups = [descriptor.group for descriptor in predictor.featurizer.descriptors]
    start, moved = _regression_moves(model, predictor.contributions[name], matrix[0], groups)
    if name == "pl":
        bare = energy_ev(float(request.numbers["bare_pl_peak_nm"][0]))
    else:
        bare = float(request.numbers["bare_plqy_percent"][0])
    if not math.isnan(bare):
        missed = bare - float(model.predict(matrix[1:])[0])
        moved["measured bare value"] = missed * (model.residual_share if item.layers else 1.0)
    moved = _largest_first(moved)
    if name == "pl":
        # To first order a step in energy moves the peak by -peak / energy times that step.
        slope = -EV_NM / (start * (start + sum(moved.values())))
        words = {group: f"{step * slope:+.0f} nm" for group, step in moved.items()}
        head = f"{said}, from the literature's mean of {energy_ev(start):.0f} nm"
    else:
        words = {group: f"{step:+.1f} points" for group, step in moved.items()}
        head = f"{said}, from the literature's mean of {start:.0f} %"
    return Reason(target, unit, start, moved, _in_words(head, words))


def _half_life_reason(
    predictor: Predictor, request: Requests, stressor: str, matrix: Floats
) -> Reason:
    """Say what moved the log lifetime (h) under a stressor, in words as factors."""
    model, item = predictor.lifetime, request.item(0)
    column, said = f"half_life_h_{column_name(stressor)}", f"Half-life under {stressor}"
    is_metal = item.core is not None and item.core.is_metal
    if is_metal or model.papers.get(stressor, 0) < THIN_STRESSOR_PAPERS:
        log_life = float(model.predict_null(stressor, [bool(item.layers)])[0])
        why = _METAL if is_metal else f"{stressor} has few papers"
        return _null_reason((column, "log h", said), log_life, why)
    test = predictor.test_columns(stressor, float(request.numbers["temperature_c"][0]))
    row = with_test_columns(matrix, [test])[0]
    descriptors = (*predictor.featurizer.descriptors, *TEST_DESCRIPTORS)
    trees = predictor.contributions["lifetime"]
    amounts = trees.of_row(model.forest, row[model.columns])
    moved = _by_group(amounts, [descriptors[column].group for column in model.columns])
    labels = shell_labels(item)
    kinds = [_KINDS[label.split(":", 1)[0]] for label in labels]
    effects = np.array([model.effects.effects.get(label, 0.0) for label in labels])
    for kind, amount in _by_group(effects, kinds).items():
        moved[kind] = moved.get(kind, 0.0) + amount
    moved = _largest_first(moved)
    whole = float(model.predict_effects([stressor], [item])[0, 0])
    start = whole - float(effects.sum()) + trees.expected
    factors = {group: f"x {math.exp(step):.2g}" for group, step in moved.items()}
    half = math.exp(start) * math.log(2.0)
    head = f"{said}, from a mean of {half:.3g} h"
    return Reason(column, "log h", start, moved, _in_words(head, factors))


def _null_reason(of: tuple[str, str, str], value: float, why: str) -> Reason:
    """Return the reason of a null model; `of` is column, unit and name of the target."""
    column, unit, said = of
    return Reason(column, unit, value, {}, f"{said}: answered from the null model, {why}")


def _regression_moves(
    model: RegressionModel,
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
