"""Fitting boosted trees: bounded regression and accelerated failure time (needs xgboost)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.data.vocabulary import CONDITIONS
from perovshell.models.forest import Forest
from perovshell.optional import import_optional


@dataclass(frozen=True)
class BoostConfig:
    """One choice of settings.

    Attributes:
        groups: Descriptor groups that the trees may see.
        rounds: Number of trees.
        depth: Depth of a tree.
        learning_rate: Step of a tree.
        column_share: Share of the columns a tree sees.
        row_share: Share of the rows a tree sees.
        leaf_weight: Least weight of the rows of a leaf.
        shrinkage: L2 penalty of the leaf values.
    """

    groups: tuple[str, ...]
    rounds: int
    depth: int
    learning_rate: float = 0.05
    column_share: float = 0.5
    row_share: float = 0.8
    leaf_weight: float = 1.0
    shrinkage: float = 2.0

    def params(self, seed: int) -> dict[str, Any]:
        """Return xgboost's parameters; one thread, so that folds can run side by side."""
        return {
            "tree_method": "hist",
            "max_bin": 64,
            "max_depth": self.depth,
            "eta": self.learning_rate,
            "colsample_bytree": self.column_share,
            "subsample": self.row_share,
            "lambda": self.shrinkage,
            "min_child_weight": self.leaf_weight,
            "base_score": 0.0,
            "seed": seed,
            "nthread": 1,
            "verbosity": 0,
        }

    def columns(self, groups: Sequence[str]) -> Indices:
        """Return the columns whose group it may see."""
        return np.flatnonzero([group in self.groups for group in groups])


@dataclass(frozen=True)
class FittedForest:
    """Trees with their columns, and the file of the library for audit."""

    forest: Forest
    columns: Indices
    native: tuple[bytes, ...]

    def predict(self, matrix: Floats) -> Floats:
        """Sum the leaves of each row of a full descriptor matrix."""
        return self.forest.predict(matrix[:, self.columns])


def mean_forest(fits: Sequence[FittedForest]) -> FittedForest:
    """Join forests into the one whose sum is the mean of theirs; none make an empty one."""
    if not fits:
        return FittedForest(Forest.none(), np.zeros(0, dtype=np.intp), ())
    columns = np.unique(np.concatenate([fit.columns for fit in fits]))
    placed = [fit.forest.on_columns(np.searchsorted(columns, fit.columns)) for fit in fits]
    native = tuple(content for fit in fits for content in fit.native)
    return FittedForest(Forest.mean(placed), columns, native)


def fit_bounded(
    matrix: Floats,
    target: Floats,
    bounds: Sequence[str],
    weights: Floats,
    offset: Floats,
    scale: float,
    config: tuple[BoostConfig, Indices, int],
) -> FittedForest:
    """Fit trees to what an offset leaves of a target, with one-sided rows as bounds.

    The loss is pseudo-Huber: quadratic within `scale`, linear beyond. A row with bound `>` costs
    nothing where the prediction lies above it, one with `<` nothing below.

    Args:
        matrix: Descriptor rows, shape (n, p).
        target: Target, shape (n,).
        bounds: Bound of each row, of `vocabulary.BOUNDS`.
        weights: Row weights, shape (n,).
        offset: What the trees start from, shape (n,).
        scale: Where the loss turns linear, in units of the target; inf is squared error.
        config: Settings, the columns they select and the seed.

    Returns:
        The fitted trees; the prediction is offset + trees.
    """
    xgboost = _xgboost()
    settings, columns, seed = config
    above = np.array([bound == ">" for bound in bounds])
    below = np.array([bound == "<" for bound in bounds])

    def loss(margin: Floats, _: object) -> tuple[Floats, Floats]:
        residual = np.asarray(margin, dtype=float) - target
        free = (above & (residual > 0)) | (below & (residual < 0))
        root = np.sqrt(1.0 + (residual / scale) ** 2) if math.isfinite(scale) else 1.0
        gradient = np.where(free, 0.0, residual / root)
        return gradient * weights, np.where(free, 1e-6, 1.0 / root) * weights

    data = xgboost.DMatrix(matrix[:, columns], label=target, base_margin=offset)
    return _boost(xgboost, data, {**settings.params(seed)}, settings, columns, loss)


def fit_lifetime(
    matrix: Floats,
    low_h: Floats,
    high_h: Floats,
    weights: Floats,
    offset: Floats,
    noise: tuple[str, float],
    names: Sequence[str],
    config: tuple[BoostConfig, Indices, int],
) -> FittedForest:
    """Fit an accelerated-failure-time model to intervals of lifetime.

    Args:
        matrix: Descriptor rows, shape (n, p).
        low_h: Lower ends in h, 0 where there is none, shape (n,).
        high_h: Upper ends in h, inf where there is none, shape (n,).
        weights: Row weights, shape (n,).
        offset: Log lifetime that the trees start from, shape (n,).
        noise: Distribution of log lifetime given the descriptors (`normal`, `logistic` or
            `extreme`) and its scale.
        names: Names of the columns: harsher conditions may not lengthen a life.
        config: Settings, the columns they select and the seed.

    Returns:
        The fitted trees; the log lifetime is offset + trees.
    """
    xgboost = _xgboost()
    settings, columns, seed = config
    data = xgboost.DMatrix(matrix[:, columns], weight=weights, base_margin=offset)
    data.set_float_info("label_lower_bound", low_h.astype(np.float32))
    data.set_float_info("label_upper_bound", high_h.astype(np.float32))
    signs = [-1 if names[column] in CONDITIONS else 0 for column in columns]
    params = {
        **settings.params(seed),
        "monotone_constraints": str(tuple(signs)).replace(" ", ""),
        "objective": "survival:aft",
        "aft_loss_distribution": noise[0],
        "aft_loss_distribution_scale": noise[1],
        "base_score": 1.0,
    }
    return _boost(xgboost, data, params, settings, columns, None)


def _boost(
    xgboost: Any,
    data: Any,
    params: dict[str, Any],
    settings: BoostConfig,
    columns: Indices,
    loss: Callable[[Floats, object], tuple[Floats, Floats]] | None,
) -> FittedForest:
    booster = xgboost.train(params, data, num_boost_round=settings.rounds, obj=loss)
    forest = Forest.from_xgboost_json(bytes(booster.save_raw("json")))
    return FittedForest(forest, columns, (bytes(booster.save_raw("ubj")),))


def _xgboost() -> Any:
    return import_optional("xgboost", "training", "train")
