"""Predictions of all requests, computed together, in turns.

Rows cost much less in one call than in many, and the more requests wait, the more rows there are.
So the requests that arrive during a turn are computed in the next. A turn is small, so that nobody
waits long; short requests go first, and the one that waits longest has a part of each turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from perovshell.models.outputs import Answer, Thresholds
from perovshell.serve.service import limits
from perovshell.serve.service.problems import busy
from perovshell.serve.service.source import Served

ROWS_A_TURN: Final = 256
_OLDEST_SHARE: Final = 4
"""One row of so many of a turn is kept for the request that waits longest: many short ones would
else keep a long one waiting for as long as they come."""
_QUIET_PASSES, _MOST_PASSES = 2, 12
"""A turn begins when so many passes of the event loop in a row have brought no request, or so many
have gone by: requests that came together are on their way through it together."""
Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Asked:
    """How rows are to be answered, and by which model.

    Attributes:
        served: The model: all rows of a request are answered by the same.
        stressors: Stressors to answer for.
        coverage: Coverage of the intervals.
        thresholds: Thresholds whose probability is asked.
    """

    served: Served
    stressors: tuple[str, ...]
    coverage: float
    thresholds: Thresholds

    def answer(self, rows: Rows) -> list[Answer]:
        """Answer rows."""
        return self.served.model.answer(
            rows, stressors=self.stressors, coverage=self.coverage, thresholds=self.thresholds
        )


@dataclass(eq=False)
class _Waiting:
    """A request that waits for its answers."""

    asked: Asked
    rows: Rows
    done: asyncio.Future[list[Answer]]
    answers: list[Answer] = field(default_factory=list)

    @property
    def left(self) -> int:
        return len(self.rows) - len(self.answers)

    def next_rows(self, count: int) -> Rows:
        return self.rows[len(self.answers) : len(self.answers) + count]


class Batcher:
    """Answers the requests of one event loop."""

    def __init__(self) -> None:
        self._waiting: list[_Waiting] = []
        self._is_called = False
        self._passes = self._quiet_passes = 0

    async def answer(self, asked: Asked, rows: Rows) -> list[Answer]:
        """Answer rows together with those of other requests.

        Args:
            asked: How, and by which model.
            rows: At least one row.

        Raises:
            Problem: Too many rows wait.
        """
        waiting_rows = sum(request.left for request in self._waiting)
        if waiting_rows > limits.WAITING_ROWS:
            raise busy(f"{waiting_rows} rows wait.", 1)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(asked, rows, loop.create_future())
        self._waiting.append(waiting)
        self._quiet_passes = 0
        self._call(loop)
        return await waiting.done

    def _call(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._waiting and not self._is_called:
            self._is_called = True
            loop.call_soon(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_called = False
        self._passes += 1
        self._quiet_passes += 1
        if self._quiet_passes <= _QUIET_PASSES and self._passes <= _MOST_PASSES:
            self._call(loop)
            return
        self._passes = 0
        alike: dict[Asked, list[tuple[_Waiting, Rows]]] = {}
        for waiting, rows in self._next_rows():
            alike.setdefault(waiting.asked, []).append((waiting, rows))
        for asked, parts in alike.items():
            _answer(asked, parts)
        self._waiting = [request for request in self._waiting if not request.done.done()]
        self._call(loop)

    def _next_rows(self) -> Iterator[tuple[_Waiting, Rows]]:
        """Yield the requests of a turn, each with its rows that are computed in it."""
        oldest, *others = self._waiting  # In the order in which they came.
        kept = min(oldest.left, ROWS_A_TURN // _OLDEST_SHARE)
        room = ROWS_A_TURN - kept
        for waiting in sorted(others, key=lambda request: request.left):
            if room == 0:
                break
            rows = waiting.next_rows(room)
            room -= len(rows)
            yield waiting, rows
        yield oldest, oldest.next_rows(kept + room)


def _answer(asked: Asked, parts: Sequence[tuple[_Waiting, Rows]]) -> None:
    """Answer the rows of requests with equal options in one call, and give each its answers."""
    try:
        answers = iter(asked.answer([row for _, rows in parts for row in rows]))
    except Exception as error:  # noqa: BLE001 - it belongs to the one whose rows made it
        if len(parts) > 1:
            for part in parts:
                _answer(asked, [part])
        elif not parts[0][0].done.done():
            parts[0][0].done.set_exception(error)
        return
    for waiting, rows in parts:
        waiting.answers += [next(answers) for _ in rows]
        if not waiting.left and not waiting.done.done():
            waiting.done.set_result(waiting.answers)
