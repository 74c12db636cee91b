"""The top candidates, the Pareto front and the overview of one task, block by block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices, Integers, Mask
from perovshell.models.product import CoreSide
from perovshell.serve.ranking.task_result import (
    FRONT_STEP,
    STRONG,
    TaskResult,
    TopList,
    non_dominated,
    not_dominated,
)

_AMONG: Final = 4
"""The best so many times the lines of a list are looked at first."""


@dataclass(frozen=True)
class CoreBlock:
    """Cores of a unit that satisfy the constraints on cores.

    Attributes:
        cores: Their descriptors and predictions.
        numbers: Their numbers in the space, shape (n,).
        family: Their families, shape (n,).
    """

    cores: CoreSide
    numbers: Integers
    family: Indices


class TopK:
    """Collects the top candidates of one task.

    Args:
        empty: An empty result, of the shape of the ranking.
        top: How much is kept.
        shells: Number of each shell that may be ranked among those of the space.
    """

    def __init__(self, empty: TaskResult, top: TopList, shells: Sequence[int]) -> None:
        self._list = top
        self._shells = np.asarray(shells, dtype=np.int64)
        self._removed: Counter[str] = Counter()
        self._ranked = 0
        self._result = empty
        self._top = (self._result.top_score, self._result.top_index)
        self._lines = 0
        self._front = (self._result.front, self._result.front_score, self._result.front_index)

    def remove(self, name: str, count: int) -> None:
        """Count what a constraint removed."""
        if count:
            self._removed[name] += count

    def add(
        self,
        part: CoreBlock,
        shells: range,
        score: Floats,
        desirable: Mapping[str, Floats],
        ranked: int,
    ) -> None:
        """Take in the scores of a block.

        Args:
            part: Its cores.
            shells: Its shells.
            score: Scores, -inf where a constraint removed it, shape (n_shells, n_contexts,
                n_cores).
            desirable: Desirability by objective, broadcasting to the same shape.
            ranked: Number of combinations that are ranked, tied ones included.
        """
        self._ranked += ranked
        self._add_top(part, shells, score)
        self._add_front(part, shells, score, desirable)
        self._add_cells(part, shells, score)

    def _number(self, shell: Any, context: Any, core: Any) -> Integers:
        """Return the numbers of combinations: contexts run fastest, then shells, then cores."""
        row = core * self._list.shells + self._shells[shell]
        return np.asarray(row * self._list.contexts + context)

    def _numbers(
        self, part: CoreBlock, shells: range, flat: Indices, shape: tuple[int, ...]
    ) -> Integers:
        shell, context, core = np.unravel_index(flat, shape)
        return self._number(shell + shells.start, context, part.numbers[core])

    def _add_top(self, part: CoreBlock, shells: range, score: Floats) -> None:
        flat, among = score.ravel(), _AMONG * self._list.lines
        if self._lowest == -np.inf and len(flat) > among:
            # Most of a block is below this. Where its best are of few lines, others follow.
            limit = float(np.partition(flat, -among)[-among])
            self._join(part, shells, score, flat >= limit)
            self._join(part, shells, score, (flat >= self._lowest) & (flat < limit))
        else:
            self._join(part, shells, score, flat >= self._lowest)

    @property
    def _lowest(self) -> float:
        """Score below which nothing is kept."""
        return float(self._top[0][-1]) if self._lines == self._list.lines else -np.inf

    def _join(self, part: CoreBlock, shells: range, score: Floats, chosen: Mask) -> None:
        """Join some combinations of a block with the top list."""
        flat = np.flatnonzero(chosen & (score.ravel() > -np.inf))
        if len(flat):
            scores, index = self._top
            joined = (
                np.concatenate([scores, score.ravel()[flat]]),
                np.concatenate([index, self._numbers(part, shells, flat, score.shape)]),
            )
            scores, index, self._lines = self._list.best(*joined)
            self._top = scores, index

    def _add_front(
        self, part: CoreBlock, shells: range, score: Floats, desirable: Mapping[str, Floats]
    ) -> None:
        points = [
            np.broadcast_to(np.rint(value / FRONT_STEP).astype(np.int16), score.shape).ravel()
            for value in desirable.values()
        ]
        alive = score.ravel() > -np.inf
        good = np.flatnonzero(not_dominated(points, self._strong(points, alive)) & alive)
        if len(good):
            rows = np.stack([values[good] for values in points], axis=1)
            numbers = self._numbers(part, shells, good, score.shape)
            front, scores, index = self._front
            self._front = non_dominated(
                np.concatenate([front, rows]),
                np.concatenate([scores, score.ravel()[good]]),
                np.concatenate([index, numbers]),
            )

    def _strong(
        self, points: Sequence[npt.NDArray[np.int16]], alive: Mask
    ) -> npt.NDArray[np.int16]:
        """Return the points with the largest sums: of the front, or of the first block."""
        front = self._front[0]
        if len(front):
            return front[np.argsort(-front.sum(axis=1, dtype=np.int64))]
        total = np.where(alive, np.sum(points, axis=0, dtype=np.int64), -1)
        largest = np.argsort(-total, kind="stable")[:STRONG]
        return np.stack([values[largest] for values in points], axis=1)[alive[largest]]

    def _add_cells(self, part: CoreBlock, shells: range, score: Floats) -> None:
        cells, index = self._result.cell_score, self._result.cell_index
        rows = np.arange(len(shells))
        first = self._number(np.array(shells), 0, 0)
        column = first // self._list.contexts
        for family in np.unique(part.family):
            members = np.flatnonzero(part.family == family)
            scores = score[:, :, members].reshape(len(rows), -1)
            best_of_row = scores.argmax(axis=1)
            value = scores[rows, best_of_row]
            better = value > cells[family, column]
            if better.any():
                context, core = np.divmod(best_of_row, len(members))
                number = self._number(np.array(shells), context, part.numbers[members[core]])
                cells[family, column[better]] = value[better]
                index[family, column[better]] = number[better]

    def result(self) -> TaskResult:
        """Return what was collected."""
        return TaskResult(
            ranked=self._ranked,
            removed=dict(self._removed),
            top_score=self._top[0],
            top_index=self._top[1],
            front=self._front[0],
            front_score=self._front[1],
            front_index=self._front[2],
            cell_score=self._result.cell_score,
            cell_index=self._result.cell_index,
        )
