"""Boosted trees as flat arrays, and their evaluation with numpy alone.

A tree has at most 64 leaves, numbered from left to right, so a set of leaves is one 64-bit mask.
Every node that a row would pass to the right rules out the leaves on its left; the first leaf that
no node rules out is the one the row reaches, whatever the order in which nodes are looked at
(QuickScorer, 10.1145/2766462.2767733).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.errors import InputError

Floats = npt.NDArray[np.float64]
_NODES_AT_ONCE = 200_000
"""Nodes times rows that are looked at in one go: what a processor's cache holds."""
MAX_LEAVES = 64
_ALL = np.uint64(2**64 - 1)
_ONE = np.uint64(1)
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
        if not len(self.roots):
            return np.zeros(len(matrix))
        rows = np.asarray(matrix, dtype=np.float32)
        step = max(1, _NODES_AT_ONCE // max(len(self._splits.threshold), 1))
        if len(rows) <= step:
            return self._block(rows)
        parts = [self._block(rows[start : start + step]) for start in range(0, len(rows), step)]
        return np.concatenate(parts)

    def _block(self, rows: npt.NDArray[np.float32]) -> Floats:
        """Look at all nodes at once.

        Each row is laid down twice, with missing values as -inf and as +inf, and a node reads the
        copy that sends a missing value to its default side: so missing needs no case of its own.
        """
        splits = self._splits
        missing = np.isnan(rows)
        both = np.concatenate([np.where(missing, _LOW, rows), np.where(missing, _HIGH, rows)], 1)
        goes_right = both.take(splits.cells(rows.shape[1]), axis=1) >= splits.threshold
        ruled_in = np.where(goes_right, splits.ruled_in, _ALL)
        left_over = np.bitwise_and.reduceat(ruled_in, splits.tree_starts, axis=1)
        first = left_over & (~left_over + _ONE)
        leaf = np.frexp(first.astype(np.float64))[1] - 1
        values = splits.leaf_values.take(splits.leaf_starts + leaf)
        return np.asarray(values.sum(axis=1, dtype=np.float64))

    @cached_property
    def _splits(self) -> _Splits:
        return _Splits.of(self)

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
    def none(cls) -> Forest:
        """Return a forest without trees."""
        return cls(
            feature=np.zeros(0, np.int32),
            threshold=np.zeros(0, np.float32),
            children=np.zeros((0, 2), np.int32),
            default_left=np.zeros(0, np.bool_),
            value=np.zeros(0, np.float32),
            cover=np.zeros(0, np.float32),
            roots=np.zeros(0, np.int32),
            depth=0,
        )

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


@dataclass(frozen=True)
class _Splits:
    """The inner nodes of a forest, tree after tree, and its leaves from left to right.

    Attributes:
        feature: Column of each inner node; a tree without one has an idle node.
        default_left: Whether a missing value goes left.
        threshold: Threshold, float32.
        ruled_in: Mask of the leaves that are left when a row goes right.
        tree_starts: First inner node of each tree.
        leaf_values: Values of the leaves, float32.
        leaf_starts: First leaf of each tree.
    """

    feature: npt.NDArray[np.intp]
    default_left: npt.NDArray[np.bool_]
    threshold: npt.NDArray[np.float32]
    ruled_in: npt.NDArray[np.uint64]
    tree_starts: npt.NDArray[np.intp]
    leaf_values: npt.NDArray[np.float32]
    leaf_starts: npt.NDArray[np.intp]

    @classmethod
    def of(cls, forest: Forest) -> _Splits:
        """Number the leaves of a forest."""
        children = forest.children.tolist()
        nodes: list[int] = []
        masks: list[int] = []
        leaves: list[int] = []
        tree_starts, leaf_starts = [], []
        for root in forest.roots.tolist():
            tree_starts.append(len(nodes))
            leaf_starts.append(len(leaves))
            _number(root, children, nodes, masks, leaves, leaf_starts[-1])
            if len(leaves) - leaf_starts[-1] > MAX_LEAVES:
                msg = f"forest: a tree has more than {MAX_LEAVES} leaves (a depth of 6)"
                raise InputError(msg)
            if len(nodes) == tree_starts[-1]:
                nodes.append(root)
                masks.append(0)
        return cls(
            forest.feature[nodes].astype(np.intp),
            forest.default_left[nodes],
            forest.threshold[nodes],
            ~np.array(masks, dtype=np.uint64),
            np.array(tree_starts, dtype=np.intp),
            forest.value[leaves],
            np.array(leaf_starts, dtype=np.intp),
        )

    def cells(self, width: int) -> npt.NDArray[np.intp]:
        """Return the cell that each node reads in a row of the given width, laid down twice."""
        if width not in self._cells:
            self._cells[width] = self.feature + np.where(self.default_left, 0, width)
        return self._cells[width]

    @cached_property
    def _cells(self) -> dict[int, npt.NDArray[np.intp]]:
        return {}


def _number(
    node: int,
    children: list[list[int]],
    nodes: list[int],
    masks: list[int],
    leaves: list[int],
    first: int,
) -> None:
    """Append the inner nodes, the masks of the leaves on their left, and the leaves."""
    left, right = children[node]
    if left == node:
        leaves.append(node)
        return
    place, before = len(nodes), len(leaves) - first
    nodes.append(node)
    masks.append(0)
    _number(left, children, nodes, masks, leaves, first)
    masks[place] = (1 << (len(leaves) - first)) - (1 << before)
    _number(right, children, nodes, masks, leaves, first)


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
