"""Exact contributions of descriptors to the prediction of a forest.

The Shapley values of a tree with weighted training rows as background (path-dependent TreeSHAP,
10.1038/s42256-019-0138-9). The part of a leaf depends on a row only through which of the leaf's few
descriptors the row satisfies, so all values are computed once and looked up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.models.forest import Forest


@dataclass(frozen=True)
class ForestContributions:
    """The leaves of a forest as conditions on a row; k is the largest depth.

    Attributes:
        nodes: Nodes on the path to each leaf, padded, shape (n_leaves, k).
        right: Whether the path goes right there, shape (n_leaves, k).
        slot: Which of the leaf's descriptors a node tests, k where padded, shape (n_leaves, k).
        column: Column of each descriptor of a leaf, shape (n_leaves, k).
        values: Contribution of each descriptor by which of them a row satisfies (as bits),
            shape (n_leaves, 2**k, k).
        expected: Mean of the forest over its training rows.
    """

    nodes: Indices
    right: Mask
    slot: Indices
    column: Indices
    values: Floats
    expected: float

    @classmethod
    def of(cls, forest: Forest) -> ForestContributions:
        """Compute the leaves of a forest."""
        paths = _paths(forest)
        width = max(forest.depth, 1)
        shape = (len(paths), width)
        nodes, slot = np.zeros(shape, np.intp), np.full(shape, width, np.intp)
        right, column = np.zeros(shape, bool), np.zeros(shape, np.intp)
        share = np.ones(shape)
        leaf_value = np.empty(len(paths))
        for row, (leaf, path) in enumerate(paths):
            leaf_value[row] = forest.value[leaf]
            slots: dict[int, int] = {}
            for step, (node, goes_right) in enumerate(path):
                feature = int(forest.feature[node])
                index = slots.setdefault(feature, len(slots))
                child = forest.children[node, int(goes_right)]
                nodes[row, step], right[row, step], slot[row, step] = node, goes_right, index
                column[row, index] = feature
                share[row, index] *= forest.cover[child] / forest.cover[node]
        expected = float((leaf_value * share.prod(axis=1)).sum())
        return cls(nodes, right, slot, column, _shapley(leaf_value, share), expected)

    def of_row(self, forest: Forest, row: Floats) -> Floats:
        """Return the contribution of each column for a row, beyond `expected`, (n_columns,)."""
        value = row.astype(np.float32).take(forest.feature)
        goes_right = np.where(np.isnan(value), ~forest.default_left, value >= forest.threshold)
        misses, starts, columns = self._lookup
        missed = np.where(goes_right.take(self.nodes) == self.right, 0, misses)
        at = starts - np.bitwise_or.reduce(missed, axis=1)
        parts = self.values.reshape(-1, self.values.shape[2]).take(at, axis=0)
        return np.bincount(columns, parts.ravel(), minlength=len(row)).astype(float)

    @cached_property
    def _lookup(self) -> tuple[Indices, Indices, Indices]:
        """What a miss at each node takes off the pattern of a leaf, patterns, and columns.

        A row that satisfies all descriptors of a leaf has its last pattern; padding takes nothing.
        """
        leaves, width = self.nodes.shape
        misses = np.where(self.slot < width, 1 << self.slot, 0)
        return misses, np.arange(1, leaves + 1) * (1 << width) - 1, self.column.ravel()


def _paths(forest: Forest) -> list[tuple[int, list[tuple[int, bool]]]]:
    """Return each leaf with the (node, goes right) steps that lead to it."""
    leaves = []
    waiting: list[tuple[int, list[tuple[int, bool]]]] = [(int(r), []) for r in forest.roots]
    while waiting:
        node, path = waiting.pop()
        left, right = (int(child) for child in forest.children[node])
        if left == node:
            leaves.append((node, path))
        else:
            waiting += [(left, [*path, (node, False)]), (right, [*path, (node, True)])]
    return leaves


def _shapley(leaf_value: Floats, share: Floats) -> Floats:
    """Return the Shapley values of each leaf's descriptors for every pattern of satisfied ones.

    With a known descriptor, a leaf counts fully or not at all; with an unknown one, by its share of
    the training rows. Padding has the share 1 and is always satisfied: it adds nothing.
    """
    leaves, width = share.shape
    patterns = (np.arange(1 << width)[:, None] >> np.arange(width)) & 1
    values = np.zeros((leaves, 1 << width, width))
    for index in range(width):
        others = [k for k in range(width) if k != index]
        total = np.zeros((leaves, 1 << width))
        for size in range(width):
            weight = math.factorial(size) * math.factorial(width - size - 1)
            for known in combinations(others, size):
                unknown = [k for k in others if k not in known]
                met = patterns[:, list(known)].prod(axis=1)
                by_share = share[:, unknown].prod(axis=1)
                total += weight / math.factorial(width) * by_share[:, None] * met[None, :]
        step = patterns[None, :, index] - share[:, index, None]
        values[:, :, index] = leaf_value[:, None] * step * total
    return values
