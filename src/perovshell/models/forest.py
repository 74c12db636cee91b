"""Boosted trees as flat arrays, and their evaluation with numpy alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_CELLS_AT_ONCE = 1_000_000
_LOW, _HIGH = np.float32(-np.inf), np.float32(np.inf)


@dataclass(frozen=True)
class Forest:
    """The trees of one booster, node after node.

    A row goes left where its value is below the threshold (both as float32), right otherwise,
    and to the default side where the value is missing. A leaf points to itself.

    Attributes:
        feature: Column that a node looks at, shape (n_nodes,).
        threshold: Threshold of a node, float32, shape (n_nodes,).
        children: Left and right child of a node, shape (n_nodes, 2).
        default_left: Whether a missing value goes left, shape (n_nodes,).
        value: Value of a leaf, 0 elsewhere, float32, shape (n_nodes,).
        cover: Weight of the training rows that passed a node, float32, shape (n_nodes,).
        roots: First node of each tree, shape (n_trees,).
        depth: Most steps from a root to a leaf.
    """

    feature: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float32]
    children: npt.NDArray[np.int32]
    default_left: npt.NDArray[np.bool_]
    value: npt.NDArray[np.float32]
    cover: npt.NDArray[np.float32]
    roots: npt.NDArray[np.int32]
    depth: int

    def predict(self, matrix: Floats) -> Floats:
        """Sum the leaves that each row reaches.

        Args:
            matrix: Descriptor rows, NaN where missing, shape (n, n_columns).

        Returns:
            The margin without its offset, shape (n,).
        """
        rows = np.asarray(matrix, dtype=np.float32)
        step = max(1, _CELLS_AT_ONCE // max(len(self.roots), 1))
        if len(rows) <= step:
            return self._block(rows)
        parts = [self._block(rows[start : start + step]) for start in range(0, len(rows), step)]
        return np.concatenate(parts)

    def _block(self, rows: npt.NDArray[np.float32]) -> Floats:
        """Walk all trees at once.

        Each row is laid down twice, with missing values as -inf and as +inf, and a node reads the
        copy that sends a missing value to its default side: so missing needs no case of its own.
        """
        missing = np.isnan(rows)
        both = np.concatenate([np.where(missing, _LOW, rows), np.where(missing, _HIGH, rows)], 1)
        values, width = both.ravel(), rows.shape[1]
        look_at = self._look_at(width)
        start = (np.arange(len(rows)) * (2 * width))[:, None]
        children = self.children.ravel()
        node = np.repeat(self.roots[None, :], len(rows), axis=0)
        for _ in range(self.depth):
            right = values.take(look_at.take(node) + start) >= self.threshold.take(node)
            node = children.take(2 * node + right)
        return np.asarray(self.value.take(node).sum(axis=1, dtype=np.float64))

    def _look_at(self, width: int) -> npt.NDArray[np.intp]:
        """Return the cell that each node reads in a row of the given width, laid down twice."""
        if width not in self._cells:
            shift = np.where(self.default_left, 0, width)
            self._cells[width] = np.asarray(self.feature + shift, dtype=np.intp)
        return self._cells[width]

    @cached_property
    def _cells(self) -> dict[int, npt.NDArray[np.intp]]:
        return {}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays for storage."""
        return {
            "feature": self.feature,
            "threshold": self.threshold,
            "children": self.children,
            "default_left": self.default_left,
            "value": self.value,
            "cover": self.cover,
            "roots": self.roots,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> Forest:
        """Rebuild from stored arrays."""
        return cls(**arrays, depth=_depth(arrays["children"], arrays["roots"]))

    def on_columns(self, places: npt.NDArray[np.intp]) -> Forest:
        """Return the same trees where column k stands in column `places[k]`."""
        return replace(self, feature=places[self.feature].astype(np.int32))

    @classmethod
    def mean(cls, forests: Sequence[Forest]) -> Forest:
        """Join forests on the same columns into the one whose sum is the mean of theirs."""
        starts = np.cumsum([0, *(len(forest.value) for forest in forests)])[:-1]
        joined = {
            name: np.concatenate([forest.arrays()[name] for forest in forests])
            for name in forests[0].arrays()
        }
        for name in ("children", "roots"):
            joined[name] = np.concatenate(
                [
                    getattr(forest, name) + np.int32(start)
                    for forest, start in zip(forests, starts, strict=True)
                ]
            )
        joined["value"] = joined["value"] / np.float32(len(forests))
        return cls.from_arrays(joined)

    @classmethod
    def from_xgboost_json(cls, text: str | bytes) -> Forest:
        """Read the trees out of a booster saved as JSON by xgboost 3."""
        trees = json.loads(text)["learner"]["gradient_booster"]["model"]["trees"]
        roots = np.cumsum([0, *(len(tree["left_children"]) for tree in trees)])[:-1]
        parts = [_tree_arrays(tree, root) for tree, root in zip(trees, roots, strict=True)]
        arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return cls.from_arrays({**arrays, "roots": roots.astype(np.int32)})


def _tree_arrays(tree: dict[str, Any], root: int) -> dict[str, npt.NDArray[Any]]:
    left = np.array(tree["left_children"], dtype=np.int32)
    right = np.array(tree["right_children"], dtype=np.int32)
    condition = np.array(tree["split_conditions"], dtype=np.float32)
    leaf = left < 0
    itself = np.arange(len(left), dtype=np.int32)
    children = np.stack([np.where(leaf, itself, left), np.where(leaf, itself, right)], axis=1)
    return {
        "feature": np.where(leaf, 0, tree["split_indices"]).astype(np.int32),
        "threshold": np.where(leaf, np.float32(0), condition),
        "children": (children + root).astype(np.int32),
        "default_left": np.array(tree["default_left"], dtype=bool),
        "value": np.where(leaf, condition, np.float32(0)),
        "cover": np.array(tree["sum_hessian"], dtype=np.float32),
    }


def _depth(children: npt.NDArray[np.int32], roots: npt.NDArray[np.int32]) -> int:
    node, depth = roots, 0
    while True:
        inner = node[children[node, 0] != node]
        if not len(inner):
            return depth
        node, depth = np.unique(children[inner]), depth + 1
