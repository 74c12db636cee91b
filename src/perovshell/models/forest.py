"""Boosted trees as flat arrays, and their evaluation with numpy alone."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_CELLS_AT_ONCE = 1_000_000


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
        roots: First node of each tree, shape (n_trees,).
        depth: Most steps from a root to a leaf.
    """

    feature: npt.NDArray[np.int32]
    threshold: npt.NDArray[np.float32]
    children: npt.NDArray[np.int32]
    default_left: npt.NDArray[np.bool_]
    value: npt.NDArray[np.float32]
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
        parts = [self._block(rows[start : start + step]) for start in range(0, len(rows), step)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _block(self, rows: npt.NDArray[np.float32]) -> Floats:
        node = np.broadcast_to(self.roots, (len(rows), len(self.roots)))
        index = np.arange(len(rows))[:, None]
        for _ in range(self.depth):
            seen = rows[index, self.feature[node]]
            right = ~(seen < self.threshold[node])
            missing = np.isnan(seen)
            if missing.any():
                right[missing] = ~self.default_left[node][missing]
            node = self.children[node, right.astype(np.intp)]
        return np.asarray(self.value[node].sum(axis=1, dtype=np.float64))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays for storage."""
        return {
            "feature": self.feature,
            "threshold": self.threshold,
            "children": self.children,
            "default_left": self.default_left,
            "value": self.value,
            "roots": self.roots,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, npt.NDArray[Any]]) -> Forest:
        """Rebuild from stored arrays."""
        return cls(**arrays, depth=_depth(arrays["children"], arrays["roots"]))

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
    }


def _depth(children: npt.NDArray[np.int32], roots: npt.NDArray[np.int32]) -> int:
    node, depth = roots, 0
    while True:
        inner = node[children[node, 0] != node]
        if not len(inner):
            return depth
        node, depth = np.unique(children[inner]), depth + 1
