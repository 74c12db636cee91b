"""Collecting the best of the blocks of one task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.models.product import CoreSide
from perovshell.serve.ranking.task_result import (
    FRONT_STEP,
    STRONG,
    TaskResult,
    best,
    non_dominated,
    not_beaten,
)

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class CoreBlock:
    """Cores of a unit that satisfy what is asked of cores.

    Attributes:
        cores: What their combinations need of them.
        numbers: Their numbers in the space, shape (n,).
        family: Their families, shape (n,).
    """

    cores: CoreSide
    numbers: npt.NDArray[np.int64]
    family: npt.NDArray[np.intp]


class TopK:
    """Collects the best of one task.

    Args:
        empty: An empty result, of the shape of the ranking.
        keep: Length of the list of the best.
        shells: Number of each shell that may be ranked among those of the space.
        n_shells: Number of shells of the space.
        n_contexts: Number of contexts of the space.
    """

    def __init__(
        self, empty: TaskResult, keep: int, shells: Sequence[int], n_shells: int, n_contexts: int
    ) -> None:
        self._keep = keep
        self._shells = np.asarray(shells, dtype=np.int64)
        self._n_shells, self._n_contexts = n_shells, n_contexts
        self._removed: Counter[str] = Counter()
        self._ranked = 0
        self._found = empty
        self._top = (self._found.top_score, self._found.top_index)
        self._front = (self._found.front, self._found.front_score, self._found.front_index)
        self._width = [np.inf, -np.inf]

    def remove(self, name: str, count: int) -> None:
        """Count what a constraint removed."""
        if count:
            self._removed[name] += count

    def add(
        self, part: CoreBlock, shells: range, score: Floats, desirable: Mapping[str, Floats]
    ) -> None:
        """Take in the scores of a block, shape (n_shells, n_contexts, n_cores); -inf is out."""
        self._ranked += int((score > -np.inf).sum())
        self._add_top(part, shells, score)
        self._add_front(part, shells, score, desirable)
        self._add_cells(part, shells, score)

    def add_widths(self, scale: Floats, alive: Mask) -> None:
        """Note how hard the PLQY of the combinations of a block is that are ranked."""
        low = float(scale.min(where=alive, initial=np.inf))
        high = float(scale.max(where=alive, initial=-np.inf))
        self._width = [min(self._width[0], low), max(self._width[1], high)]

    def _number(self, shell: Any, context: Any, core: Any) -> npt.NDArray[np.int64]:
        """Return the numbers of combinations: contexts run fastest, then shells, then cores."""
        row = core * self._n_shells + self._shells[shell]
        return np.asarray(row * self._n_contexts + context)

    def _numbers(
        self, part: CoreBlock, shells: range, flat: npt.NDArray[np.intp], shape: tuple[int, ...]
    ) -> npt.NDArray[np.int64]:
        shell, context, core = np.unravel_index(flat, shape)
        return self._number(shell + shells.start, context, part.numbers[core])

    def _add_top(self, part: CoreBlock, shells: range, score: Floats) -> None:
        known, index = self._top
        limit = known[-1] if len(known) == self._keep else -np.inf
        flat = score.ravel()
        if len(flat) > 4 * self._keep and len(known) < self._keep:
            limit = max(limit, float(np.partition(flat, -self._keep)[-self._keep]))
        good = np.flatnonzero((flat >= limit) & (flat > -np.inf))
        if len(good):
            own = self._numbers(part, shells, good, score.shape)
            joined = np.concatenate([known, flat[good]]), np.concatenate([index, own])
            self._top = best(*joined, self._keep)

    def _add_front(
        self, part: CoreBlock, shells: range, score: Floats, desirable: Mapping[str, Floats]
    ) -> None:
        points = [
            np.broadcast_to(np.rint(value / FRONT_STEP).astype(np.int16), score.shape).ravel()
            for value in desirable.values()
        ]
        alive = score.ravel() > -np.inf
        good = np.flatnonzero(not_beaten(points, self._strong(points, alive)) & alive)
        if len(good):
            rows = np.stack([own[good] for own in points], axis=1)
            own = self._numbers(part, shells, good, score.shape)
            front, known, index = self._front
            self._front = non_dominated(
                np.concatenate([front, rows]),
                np.concatenate([known, score.ravel()[good]]),
                np.concatenate([index, own]),
            )

    def _strong(
        self, points: Sequence[npt.NDArray[np.int16]], alive: Mask
    ) -> npt.NDArray[np.int16]:
        """Return the strongest points so far, of the first block where there are none yet."""
        front = self._front[0]
        if len(front):
            return front[np.argsort(-front.sum(axis=1, dtype=np.int64))]
        total = np.where(alive, np.sum(points, axis=0, dtype=np.int64), -1)
        place = np.argsort(-total, kind="stable")[:STRONG]
        return np.stack([own[place] for own in points], axis=1)[alive[place]]

    def _add_cells(self, part: CoreBlock, shells: range, score: Floats) -> None:
        cells, index = self._found.cell_score, self._found.cell_index
        rows = np.arange(len(shells))
        first = self._number(np.array(shells), 0, 0)
        column = first // self._n_contexts
        for own in np.unique(part.family):
            members = np.flatnonzero(part.family == own)
            scores = score[:, :, members].reshape(len(rows), -1)
            place = scores.argmax(axis=1)
            value = scores[rows, place]
            better = value > cells[own, column]
            if better.any():
                context, core = np.divmod(place, len(members))
                number = self._number(np.array(shells), context, part.numbers[members[core]])
                cells[own, column[better]] = value[better]
                index[own, column[better]] = number[better]

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
            cell_score=self._found.cell_score,
            cell_index=self._found.cell_index,
            width=np.array(self._width),
        )
