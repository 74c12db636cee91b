"""Trees factored by side, so that a product space is scored without writing out its rows.

A leaf is reached where its conditions on core, shell, context and the contrast of core and shell
all hold. For one shell the contrast is a matter of the core alone. So the trees of all cores and
contexts are a sum over leaves of (does the core side hold) x (value where the other sides hold): a
matrix product of an indicator matrix with a matrix of leaf values, exact up to the order of its
sums. Leaves of any tree with the same conditions on the core share one row of the matrix.
Conditions on which all cores of a block agree (a contrast that all of them pass) are settled before
the product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.models.conditions import Conditions, Interval
from perovshell.models.forest import Forest

_CELLS: Final = 4_000_000
"""Values by shell, context and core set that are held at once."""
SIDES: Final = ("core", "shell", "context", "contrast")
"""The parts of a combination that vary on their own, and the contrast of the first two; the size
belongs to the context."""


@dataclass(frozen=True)
class Sides:
    """The side of each descriptor, and its column among those of that side.

    Attributes:
        side: Side of each descriptor.
        column: Column among the descriptors of that side.
    """

    side: tuple[str, ...]
    column: Indices

    @classmethod
    def of(cls, blocks: Sequence[str], extra: int = 0) -> Sides:
        """Sort descriptors by their blocks; columns of a stability test follow the context.

        Args:
            blocks: Block of each descriptor; one of `descriptor.BLOCKS`.
            extra: Number of columns behind the descriptors.
        """
        side = tuple("context" if block == "size" else block for block in blocks)
        side += ("context",) * extra
        count = dict.fromkeys(SIDES, 0)
        columns = []
        for name in side:
            columns.append(count[name])
            count[name] += 1
        return cls(side, np.array(columns, dtype=np.intp))

    def split(self, columns: Sequence[int] | Indices) -> dict[str, tuple[Indices, Indices]]:
        """Return by side the entries of a list of descriptor columns, and their columns there."""
        sides = np.array([self.side[column] for column in columns], dtype=object)
        entries = {name: np.flatnonzero(sides == name) for name in SIDES}
        in_side = self.column.take(np.asarray(columns, dtype=np.intp))
        return {name: (chosen, in_side[chosen]) for name, chosen in entries.items()}


@dataclass(frozen=True)
class FactoredForest:
    """The leaves of a forest with their conditions on each side.

    Leaves are ordered by their pair (the set of conditions on the core, the set on the contrast),
    pairs by their core set: sums over a pair or a core set are sums over a run of leaves.

    Attributes:
        value: Value of each leaf, shape (n_leaves,).
        core: Conditions on the core.
        shell: Conditions on the shell.
        context: Conditions on the context and the size.
        contrast: Conditions on the contrast of core and shell.
        pair_starts: First leaf of each pair, shape (n_pairs,).
        core_starts: First pair of each core set, shape (n_core_sets,).
    """

    value: Floats
    core: Conditions
    shell: Conditions
    context: Conditions
    contrast: Conditions
    pair_starts: Indices
    core_starts: Indices

    @classmethod
    def of(cls, forest: Forest, columns: Sequence[int] | Indices, sides: Sides) -> FactoredForest:
        """Take a forest apart.

        Args:
            forest: The trees.
            columns: Descriptor column of each of its columns.
            sides: Side of each descriptor.
        """
        side = [sides.side[column] for column in columns]
        in_side = sides.column.take(np.asarray(columns, dtype=np.intp)).tolist()
        leaves = [leaf for root in forest.roots.tolist() for leaf in _leaves(forest, root)]
        parts = {
            name: [
                frozenset(
                    Interval(in_side[one.column], one.low, one.high, one.missing_passes)
                    for one in path
                    if side[one.column] == name
                )
                for _, path in leaves
            ]
            for name in SIDES
        }
        first = {name: list(dict.fromkeys(parts[name])) for name in ("core", "contrast")}
        rank = {name: {one: k for k, one in enumerate(sets)} for name, sets in first.items()}
        pairs = [
            (rank["core"][core], rank["contrast"][contrast])
            for core, contrast in zip(parts["core"], parts["contrast"], strict=True)
        ]
        order = sorted(range(len(leaves)), key=lambda leaf: pairs[leaf])
        conditions = {name: Conditions.of([parts[name][leaf] for leaf in order]) for name in SIDES}
        core, contrast = conditions["core"].of_leaf, conditions["contrast"].of_leaf
        # One number per pair, so that a change of it is where the next pair begins.
        pair_starts = _changes(core * (contrast.max(initial=0) + 1) + contrast)
        value = np.array([leaves[leaf][0] for leaf in order], dtype=float)
        core_starts = _changes(core[pair_starts])
        return cls(value, **conditions, pair_starts=pair_starts, core_starts=core_starts)

    def on_cores(self, rows: Floats) -> ForestOnCores:
        """Return the trees on n cores.

        Args:
            rows: One row a descriptor of the core, shape (n_columns, n).
        """
        holds = self.core.hold(rows)
        reached = np.asarray(holds.any(axis=1))
        return ForestOnCores(self._of_leaves(reached[self.core.of_leaf]), holds[reached])

    def _of_leaves(self, chosen: Mask) -> FactoredForest:
        """Return the forest without the other leaves."""
        if chosen.all():
            return self
        pair = np.repeat(np.arange(len(self.pair_starts)), self._leaves_of_pair)[chosen]
        parts = {name: getattr(self, name).of_leaves(chosen) for name in SIDES}
        pair_starts = _changes(pair)
        core_starts = _changes(parts["core"].of_leaf[pair_starts])
        return FactoredForest(
            self.value[chosen], **parts, pair_starts=pair_starts, core_starts=core_starts
        )

    @cached_property
    def _leaves_of_pair(self) -> Indices:
        return np.diff(self.pair_starts, append=len(self.value))


@dataclass(frozen=True)
class ForestOnCores:
    """The trees of a product on n cores: the leaves that any of them may reach.

    Attributes:
        forest: The forest without the other leaves.
        holds: Which of its core sets hold, shape (n_core_sets, n).
    """

    forest: FactoredForest
    holds: Mask

    @cached_property
    def _of_all(self) -> Mask:
        """Which core sets hold for all cores."""
        return np.asarray(self.holds.all(axis=1))

    @cached_property
    def _of_some(self) -> Floats:
        """Whether the other core sets hold, as 0 and 1."""
        return self.holds[~self._of_all].astype(np.float64)

    def predict(
        self, shells: Floats, contexts: Floats, contrast_rows: Callable[[int], Floats]
    ) -> Floats:
        """Sum the leaves that each member of a product reaches.

        Args:
            shells: Shell descriptors, shape (n_shells, n_columns).
            contexts: Context descriptors, shape (n_contexts, n_columns).
            contrast_rows: Returns the contrast descriptors of one shell, by its index, with all
                cores, shape (n_columns, n_cores), or (n_columns, 1) where they are equal.

        Returns:
            The margin without its offset, shape (n_shells, n_contexts, n_cores).
        """
        forest, n_shells, n_contexts = self.forest, len(shells), len(contexts)
        total = np.zeros((n_shells, n_contexts, self.holds.shape[1]))
        if not len(forest.value):
            return total
        shell_on, context_on = forest.shell.hold(shells.T), forest.context.hold(contexts.T)
        # (n_leaves, n_contexts): the value of a leaf where its context condition holds, else 0.
        by_context = forest.value[:, None] * context_on[forest.context.of_leaf]
        step = max(1, _CELLS // (n_contexts * len(self.holds)))
        for first in range(0, n_shells, step):
            chosen = range(first, min(first + step, n_shells))
            parts = [
                self._one_shell(
                    by_context * shell_on[forest.shell.of_leaf, shell, None], contrast_rows(shell)
                )
                for shell in chosen
            ]
            # (shells x contexts, core sets) @ (core sets, cores): all that no contrast decides.
            settled = np.concatenate([part.settled for part in parts])
            of_all = settled[:, self._of_all].sum(axis=1)
            of_some = settled[:, ~self._of_all] @ self._of_some
            total[first : chosen.stop] = (of_some + of_all[:, None]).reshape(
                -1, n_contexts, self.holds.shape[1]
            )
            for shell, part in zip(chosen, parts, strict=True):
                if len(part.core):
                    total[shell] += part.weight.T @ (self.holds[part.core] & part.holds)
        return total

    def _one_shell(self, value: Floats, contrast_rows: Floats) -> _OneShell:
        """Sum the leaves of one shell, apart for pairs whose contrast differs between cores.

        Args:
            value: Values of the leaves by context, 0 where shell or context rule them out, shape
                (n_leaves, n_contexts).
            contrast_rows: Contrast descriptors of the shell with the cores.
        """
        forest = self.forest
        weight = np.add.reduceat(value, forest.pair_starts, axis=0)
        contrast = forest.contrast.of_leaf[forest.pair_starts]
        # The contrasts of neighbouring cores are alike: few conditions tell them apart.
        always, possible = forest.contrast.settled(contrast_rows)
        pairs = np.flatnonzero((possible & ~always)[contrast] & weight.any(axis=1))
        open_sets = forest.contrast.of_sets(contrast[pairs])
        settled = weight * always[contrast, None]
        return _OneShell(
            settled=np.add.reduceat(settled, forest.core_starts, axis=0).T,
            weight=weight[pairs],
            core=forest.core.of_leaf[forest.pair_starts[pairs]],
            holds=open_sets.hold(contrast_rows)[open_sets.of_leaf],
        )


@dataclass(frozen=True)
class _OneShell:
    """The leaf values of the combinations of one shell.

    Attributes:
        settled: Values by context and core set where all cores share the contrast, shape
            (n_contexts, n_core_sets).
        weight: Values of pairs whose contrast some cores pass, shape (n_open, n_contexts).
        core: Core set of these pairs, shape (n_open,).
        holds: Which cores pass their contrast, shape (n_open, n_cores).
    """

    settled: Floats
    weight: Floats
    core: Indices
    holds: Mask


def _leaves(forest: Forest, root: int) -> list[tuple[float, tuple[Interval, ...]]]:
    """Return the leaves under a node with the intervals on the way to each."""
    leaves = []
    waiting: list[tuple[int, dict[int, Interval]]] = [(root, {})]
    while waiting:
        node, path = waiting.pop()
        left, right = forest.children[node].tolist()
        if left == node:
            leaves.append((float(forest.value[node]), tuple(path.values())))
            continue
        column, threshold = int(forest.feature[node]), float(forest.threshold[node])
        default_left = bool(forest.default_left[node])
        interval = path.get(column, Interval(column))
        for child, goes_left in ((right, False), (left, True)):
            narrowed = interval.narrowed(threshold, left=goes_left, default_left=default_left)
            waiting.append((child, {**path, column: narrowed}))
    return leaves


def _changes(values: Indices) -> Indices:
    """Return where a run of equal values begins."""
    if not len(values):
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(np.concatenate([[True], np.diff(values) != 0]))
