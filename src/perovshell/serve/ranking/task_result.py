"""The result of a part of a ranking; parts join to the same result in any order."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Integers, Mask

FRONT_STEP: Final = 0.01
"""Step in which the Pareto front compares desirabilities: it stays short and stable."""
STRONG: Final = 16
"""Strong points with which all others are compared first."""
_NONE: Final = -np.inf


@dataclass(frozen=True)
class TopList:
    """How much of a ranking is kept: lines, each of one shell with one score.

    Cores and contexts that a score does not tell apart would fill a list of combinations.

    Attributes:
        lines: Most lines.
        alike: Most combinations of a line; of more, those with the lowest numbers are kept.
        shells: Number of shells of the space.
        contexts: Number of contexts of the space.
    """

    lines: int
    alike: int
    shells: int
    contexts: int

    def best(self, score: Floats, index: Integers) -> tuple[Floats, Integers, int]:
        """Return what is kept of n combinations, best first, and the number of lines.

        Of equal scores, lines come by the number of their shell, and combinations by their own.

        Args:
            score: Scores, shape (n,).
            index: Numbers of the combinations, shape (n,).
        """
        if not len(score):
            return score, index, 0
        shell = index // self.contexts % self.shells
        order = np.lexsort((index, shell, -score))
        score, index, shell = score[order], index[order], shell[order]
        is_first = np.r_[True, (np.diff(score) != 0) | (np.diff(shell) != 0)]
        line = np.cumsum(is_first) - 1
        place = np.arange(len(score)) - np.flatnonzero(is_first)[line]
        kept = np.flatnonzero((line < self.lines) & (place < self.alike))
        return score[kept], index[kept], int(min(line[-1] + 1, self.lines))


@dataclass(frozen=True)
class TaskResult:
    """The best of a part of a design space.

    Attributes:
        ranked: Number of combinations ranked.
        removed: How many combinations each constraint removed.
        top_score: Score (a logarithm) of the best combinations, falling, shape (n_top,).
        top_index: Their numbers, in the order of `TopList.best`.
        front: Desirabilities of the combinations on the Pareto front, in whole steps of
            `FRONT_STEP`, shape (n_front, n_objectives).
        front_score: Their scores.
        front_index: Their numbers.
        cell_score: Best score of each family of cores with each shell, -inf where none was
            ranked, shape (n_families, n_shells).
        cell_index: The number of that combination.
    """

    ranked: int
    removed: Mapping[str, int]
    top_score: Floats
    top_index: Integers
    front: npt.NDArray[np.int16]
    front_score: Floats
    front_index: Integers
    cell_score: Floats
    cell_index: Integers

    @classmethod
    def empty(cls, objectives: int, families: int, shells: int) -> TaskResult:
        """Return an empty result."""
        return cls(
            ranked=0,
            removed={},
            top_score=np.zeros(0),
            top_index=np.zeros(0, np.int64),
            front=np.zeros((0, objectives), np.int16),
            front_score=np.zeros(0),
            front_index=np.zeros(0, np.int64),
            cell_score=np.full((families, shells), _NONE),
            cell_index=np.full((families, shells), -1, np.int64),
        )

    @property
    def seen(self) -> int:
        """Number of combinations enumerated, with those that constraints removed."""
        return self.ranked + sum(self.removed.values())

    def joined(self, other: TaskResult, top: TopList) -> TaskResult:
        """Join two parts: associative and commutative, so that any tree of parts gives the same.

        Args:
            other: Another part of the same ranking.
            top: How much is kept.
        """
        score, index, _ = top.best(
            np.concatenate([self.top_score, other.top_score]),
            np.concatenate([self.top_index, other.top_index]),
        )
        front = non_dominated(
            np.concatenate([self.front, other.front]),
            np.concatenate([self.front_score, other.front_score]),
            np.concatenate([self.front_index, other.front_index]),
        )
        better = (other.cell_score > self.cell_score) | (
            (other.cell_score == self.cell_score) & (other.cell_index < self.cell_index)
        )
        names = dict.fromkeys((*self.removed, *other.removed))
        return TaskResult(
            ranked=self.ranked + other.ranked,
            removed={n: self.removed.get(n, 0) + other.removed.get(n, 0) for n in names},
            top_score=score,
            top_index=index,
            front=front[0],
            front_score=front[1],
            front_index=front[2],
            cell_score=np.where(better, other.cell_score, self.cell_score),
            cell_index=np.where(better, other.cell_index, self.cell_index),
        )

    # Storage ---------------------------------------------------------------------------------

    def to_bytes(self, extra: Mapping[str, npt.NDArray[Any]]) -> bytes:
        """Return all arrays, and `extra` ones, as an npz file."""
        file = io.BytesIO()
        names = np.array(list(self.removed), dtype=np.str_)
        counts = np.array(list(self.removed.values()), dtype=np.int64)
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        np.savez(
            file,
            allow_pickle=False,
            ranked=np.array(self.ranked),
            removed_names=names,
            removed_counts=counts,
            **arrays,
            **extra,
        )
        return file.getvalue()

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> TaskResult:
        """Rebuild from the arrays of `to_bytes`."""
        names, counts = arrays["removed_names"].tolist(), arrays["removed_counts"].tolist()
        return cls(
            ranked=int(arrays["ranked"]),
            removed=dict(zip(names, counts, strict=True)),
            **{name: arrays[name] for name in _ARRAYS},
        )


_ARRAYS: Final = (
    "top_score", "top_index", "front", "front_score", "front_index", "cell_score", "cell_index",
)  # fmt: skip


def non_dominated(
    points: npt.NDArray[np.int16], score: Floats, index: Integers
) -> tuple[npt.NDArray[np.int16], Floats, Integers]:
    """Return the non-dominated points; of equal points the one with the best score.

    Args:
        points: Whole numbers, larger is better, shape (n, m).
        score: Decides between equal points, then the lower number, shape (n,).
        index: Number of each point, shape (n,).
    """
    order = np.lexsort((index, -score))
    _, first = np.unique(_keys(points[order]), return_index=True)
    kept = order[np.sort(first)]
    candidates = points[kept]
    alive = np.ones(len(candidates), dtype=bool)
    for row in np.argsort(-candidates.sum(axis=1, dtype=np.int64), kind="stable"):
        if alive[row]:
            no_better = (candidates <= candidates[row]).all(axis=1)
            worse = (candidates < candidates[row]).any(axis=1)
            alive &= ~(no_better & worse)
    kept = kept[alive]
    return points[kept], score[kept], index[kept]


def _keys(points: npt.NDArray[np.int16]) -> Integers:
    """Return one number per point: desirabilities are at most 100 steps."""
    base = np.int64(round(1 / FRONT_STEP) + 1)
    return np.asarray(points.astype(np.int64) @ base ** np.arange(points.shape[1]))


def not_dominated(objectives: Sequence[npt.NDArray[np.int16]], by: npt.NDArray[np.int16]) -> Mask:
    """Return which points no strong point dominates, shape (n,).

    Args:
        objectives: One array per objective, shape (n,).
        by: The strong points, shape (k, m).
    """
    alive = np.ones(len(objectives[0]), dtype=bool)
    for strong in by[:STRONG]:
        no_better = alive.copy()
        worse = np.zeros(len(alive), dtype=bool)
        for values, limit in zip(objectives, strong.tolist(), strict=True):
            no_better &= values <= limit
            worse |= values < limit
        alive &= ~(no_better & worse)
    return alive
