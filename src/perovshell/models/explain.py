"""Why a prediction is what it is: how far each group of descriptors moved it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.data.targets import EV_NM
from perovshell.data.vocabulary import column_name
from perovshell.features.featurizer import Combination
from perovshell.models.contributions import ForestContributions
from perovshell.models.stability import shell_labels
from perovshell.models.targets import LifetimeModel, RegressionModel

Floats = npt.NDArray[np.float64]
_KINDS = {
    "class": "shell class",
    "shell": "shell",
    "structure": "structure",
    "encapsulation": "encapsulation",
}
"""In words, the kinds of effects of the linear model of the lifetime."""
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


def pl_reason(
    model: RegressionModel,
    trees: ForestContributions,
    row: Floats,
    groups: Sequence[str],
    carried: float,
) -> Reason:
    """Say what moved the PL energy (eV) of a descriptor row, in words as nm.

    Args:
        model: The model.
        trees: Contributions of its trees.
        row: Descriptors.
        groups: Group of each of them.
        carried: What a measured bare value moves, 0 where none was given.
    """
    start, moved = _regression_moves(model, trees, row, groups, carried)
    # To first order a step in energy moves the peak by -peak / energy times that step.
    energy = start + sum(moved.values())
    nm = {group: f"{-step * EV_NM / (start * energy):+.0f} nm" for group, step in moved.items()}
    head = f"PL peak, from the literature's mean of {EV_NM / start:.0f} nm"
    return Reason("pl_peak_nm", "eV", start, moved, _in_words(head, nm))


def plqy_reason(
    model: RegressionModel,
    trees: ForestContributions,
    row: Floats,
    groups: Sequence[str],
    carried: float,
) -> Reason:
    """Say what moved the PLQY (percent) of a descriptor row; arguments as for `pl_reason`."""
    start, moved = _regression_moves(model, trees, row, groups, carried)
    points = {group: f"{step:+.1f} points" for group, step in moved.items()}
    head = f"PLQY, from the literature's mean of {start:.0f} %"
    return Reason("plqy_percent", "percent", start, moved, _in_words(head, points))


def null_reason(target: str, unit: str, value: float, why: str) -> Reason:
    """Say that the null model answered a target, and why."""
    return Reason(target, unit, value, {}, f"{target}: answered from the null model, {why}")


def lifetime_reason(
    model: LifetimeModel,
    trees: ForestContributions,
    row: Floats,
    groups: Sequence[str],
    test: tuple[str, Combination],
) -> Reason:
    """Say what moved the log lifetime (h) of a row with test columns, in words as factors.

    Args:
        model: The model.
        trees: Contributions of its trees.
        row: Descriptors and test columns.
        groups: Group of each of them.
        test: Stressor and combination.
    """
    stressor, item = test
    amounts = trees.of_row(model.forest, row[model.columns])
    moved = _by_group(amounts, [groups[column] for column in model.columns])
    labels = shell_labels(item)
    kinds = [_KINDS[label.split(":", 1)[0]] for label in labels]
    effects = np.array([model.effects.effects.get(label, 0.0) for label in labels])
    for kind, amount in _by_group(effects, kinds).items():
        moved[kind] = moved.get(kind, 0.0) + amount
    moved = _largest_first(moved)
    whole = float(model.predict_effects(stressor, [item])[0])
    start = whole - float(effects.sum()) + trees.expected
    factors = {group: f"x {math.exp(step):.2g}" for group, step in moved.items()}
    half = math.exp(start) * math.log(2.0)
    head = f"Half-life under {stressor}, from a mean of {half:.3g} h"
    column = f"half_life_h_{column_name(stressor)}"
    return Reason(column, "log h", start, moved, _in_words(head, factors))


def _regression_moves(
    model: RegressionModel,
    trees: ForestContributions,
    row: Floats,
    groups: Sequence[str],
    carried: float,
) -> tuple[float, dict[str, float]]:
    """Return the mean and what each descriptor group adds to it, in units of the target."""
    mean, terms = model.prior.contributions(row[None, :])
    prior_columns = [model.prior.base_column, *model.prior.columns]
    moved = _by_group(terms[0], [groups[column] for column in prior_columns])
    from_trees = trees.of_row(model.forest, row[model.columns])
    for group, amount in _by_group(from_trees, [groups[c] for c in model.columns]).items():
        moved[group] = moved.get(group, 0.0) + amount
    moved["measured bare value"] = carried
    return mean + trees.expected, _largest_first(moved)


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
