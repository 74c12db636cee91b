"""Boosted trees as flat arrays, and their evaluation with numpy alone.

A tree has at most 64 leaves, numbered from left to right, so a set of leaves is one 64-bit mask.
Every node that sends a row to the right excludes the leaves on its left; the row reaches the first
leaf that no node excludes, in any order of evaluation
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

from perovshell.arrays import Floats, Indices, Mask
from perovshell.errors import ModelFolderError

Masks = npt.NDArray[Any]
_ROWS_AT_ONCE = 128
"""Rows of a block: they fit a processor's cache."""
_BITS = 8
_SHIFTS = np.arange(_BITS, dtype=np.uint64)[:, None, None]
MAX_LEAVES = 64
_SHORT = 32
"""Largest number of leaves for which a 32-bit mask suffices, which takes half the memory."""
_HIGH = np.float32(np.inf)


@dataclass(frozen=True)
class Forest:
    """The trees of one booster, node after node.

    A row goes left where its value is below the threshold (both as float32), right otherwise,
    and to the default side where the value is missing. A leaf points to itself.

    Attributes:
        feature: Column that a node tests, shape (n_nodes,).
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
    default_left: Mask
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
        starts = range(0, len(rows), _ROWS_AT_ONCE)
        parts = [self._block(rows[start : start + _ROWS_AT_ONCE]) for start in starts]
        return parts[0] if len(parts) == 1 else np.concatenate([*parts, np.zeros(0)])

    def _block(self, rows: npt.NDArray[np.float32]) -> Floats:
        """Evaluate each condition once, and eight nodes of a tree at a time, as a byte.

        Each row is stored twice, with missing values as NaN, which is at or above no threshold, and
        as +inf, which is at or above each; a condition reads the copy that sends a missing value to
        its default side, so missing values need no branch. Some thresholds are -inf: they send each
        known value to the right. A table holds the leaves that remain for each value of a byte.

        The results of eight rows, bytes of 0 or 1, are moved as one word: no bit leaves its byte.
        """
        splits, size, count = self._splits, len(rows), rows.shape[1]
        both = np.zeros((2 * count, size + -size % _BITS), dtype=np.float32)
        both[:count, :size] = rows.T
        np.fmin(rows.T, _HIGH, out=both[count:, :size])
        read = both.take(splits.cells(count), axis=0)
        goes_right = (read >= splits.threshold[:, None]).view(np.uint64)
        words = (goes_right << _SHIFTS).reshape(-1, goes_right.shape[1])
        bits = words.take(splits.nodes, axis=0)
        byte = np.bitwise_or.reduce(bits, axis=0).view(np.uint8)[:, :size]
        masks = splits.remaining_leaves.take(splits.first_mask[:, None] + byte)
        remaining = masks[: splits.bytes_each[0]]
        start = len(remaining)
        for count in splits.bytes_each[1:]:
            remaining[:count] &= masks[start : start + count]
            start += count
        unit = remaining.dtype.type(1)
        nth = np.bitwise_count(remaining ^ (remaining - unit))  # First remaining leaf, from 1.
        values = splits.leaf_values.take(splits.leaf_starts[:, None] + nth)
        return np.asarray(values.sum(axis=0, dtype=np.float64))

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
        """Rebuild from stored arrays.

        Raises:
            ModelFolderError: A tree has too many leaves.
        """
        forest = cls(**arrays, depth=_depth(arrays["children"], arrays["roots"]))
        _refuse_leaves(forest.most_leaves)
        return forest

    @property
    def most_leaves(self) -> int:
        """Leaves of the largest tree."""
        if not len(self.roots):
            return 0
        is_leaf = self.children[:, 0] == np.arange(len(self.children))
        return int(np.add.reduceat(is_leaf, np.sort(self.roots), dtype=np.intp).max())

    def on_columns(self, columns: Indices) -> Forest:
        """Return the same trees with column k of them in column `columns[k]`."""
        return replace(self, feature=columns[self.feature].astype(np.int32))

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
    """The inner nodes of a forest in bytes of eight, and its leaves from left to right.

    Trees are sorted by falling number of nodes: those with a second byte, a third, ... come first.
    Equal conditions of all trees are evaluated once.

    Attributes:
        feature: Column of each condition.
        default_left: Whether a missing value goes left.
        threshold: Threshold, float32.
        nodes: Index of the condition of each node, in conditions repeated for each bit, shape
            (8, n_bytes): the first bytes of all trees, then the second ones, and so on.
        bytes_each: How many trees have a first byte, a second, ...
        first_mask: Start of the masks of each byte in `remaining_leaves`.
        remaining_leaves: Mask of the remaining leaves, for each byte and each of its 256 values.
        leaf_values: Values of the leaves, float32.
        leaf_starts: Index before the first leaf of each tree.
    """

    feature: Indices
    default_left: Mask
    threshold: npt.NDArray[np.float32]
    nodes: Indices
    bytes_each: tuple[int, ...]
    first_mask: Indices
    remaining_leaves: Masks
    leaf_values: npt.NDArray[np.float32]
    leaf_starts: Indices

    @classmethod
    def of(cls, forest: Forest) -> _Splits:
        """Number the leaves of a forest."""
        children = forest.children.tolist()
        trees = [_Tree.of(root, children) for root in forest.roots.tolist()]
        trees.sort(key=lambda tree: -len(tree.nodes))
        levels = range(0, max(len(trees[0].nodes), 1), _BITS)
        of_level = [[tree for tree in trees if at == 0 or len(tree.nodes) > at] for at in levels]
        parts = [(tree, at) for at, deep in zip(levels, of_level, strict=True) for tree in deep]
        read = zip(forest.feature, forest.threshold, forest.default_left, strict=True)
        conditions = [(int(column), float(limit), bool(left)) for column, limit, left in read]
        index: dict[tuple[int, float, bool], int] = {}
        nodes = np.zeros((_BITS, len(parts)), dtype=np.intp)
        word = np.uint32 if max(len(tree.leaves) for tree in trees) <= _SHORT else np.uint64
        masks = np.full((_BITS, len(parts)), np.iinfo(word).max, dtype=word)
        for byte, (tree, at) in enumerate(parts):
            for bit, node in enumerate(tree.nodes[at : at + _BITS]):
                nodes[bit, byte] = index.setdefault(conditions[node], len(index))
                masks[bit, byte] ^= word(tree.masks[at + bit])
        idle = (0, 0.0, True)
        feature, threshold, default_left = zip(*(index or [idle]), strict=True)
        return cls(
            np.array(feature, dtype=np.intp),
            np.array(default_left, dtype=bool),
            np.array(threshold, dtype=np.float32),
            nodes + len(feature) * np.arange(_BITS)[:, None],
            tuple(map(len, of_level)),
            np.arange(len(parts)) * 2**_BITS,
            _joined(masks),
            forest.value[[leaf for tree in trees for leaf in tree.leaves]],
            np.cumsum([0, *(len(tree.leaves) for tree in trees[:-1])]) - 1,
        )

    def cells(self, width: int) -> Indices:
        """Return the cell that each condition reads in a doubled row of the given width."""
        if width not in self._cells:
            self._cells[width] = self.feature + np.where(self.default_left, 0, width)
        return self._cells[width]

    @cached_property
    def _cells(self) -> dict[int, Indices]:
        return {}


def _joined(masks: Masks) -> Masks:
    """Return the mask for each value of each byte, from the mask of each of its bits."""
    joined = np.full((masks.shape[1], 1), np.iinfo(masks.dtype).max, dtype=masks.dtype)
    for of_bit in masks:
        joined = np.concatenate([joined, joined & of_bit[:, None]], axis=1)
    return joined.ravel()


@dataclass(frozen=True)
class _Tree:
    """A tree: inner nodes, the mask of the leaves on the left of each, and the leaves."""

    nodes: list[int]
    masks: list[int]
    leaves: list[int]

    @classmethod
    def of(cls, root: int, children: list[list[int]]) -> _Tree:
        """Number the leaves of the tree of a root from left to right."""
        tree = cls([], [], [])
        tree.add(root, children)
        _refuse_leaves(len(tree.leaves))
        return tree

    def add(self, node: int, children: list[list[int]]) -> None:
        """Append a node and its subtree."""
        left, right = children[node]
        if left == node:
            self.leaves.append(node)
            return
        index, before = len(self.nodes), len(self.leaves)
        self.nodes.append(node)
        self.masks.append(0)
        self.add(left, children)
        self.masks[index] = (1 << len(self.leaves)) - (1 << before)
        self.add(right, children)


def _refuse_leaves(count: int) -> None:
    if count > MAX_LEAVES:
        msg = f"forest: a tree of {count} leaves; at most {MAX_LEAVES} are read (a depth of 6)"
        raise ModelFolderError(msg)


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
