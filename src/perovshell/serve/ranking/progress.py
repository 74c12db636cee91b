"""How far a ranking is, for whoever waits for it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

_WINDOW_S: Final = 30.0
"""Time over which the rate is a mean: workers of a cluster come and go."""


@dataclass(frozen=True)
class Progress:
    """How far a ranking is.

    Attributes:
        done: Combinations done, with those of a resumed ranking.
        total: All combinations of the space.
        rate: Combinations per second during the last half minute; 0 until the first are done.
        workers: Processes that compute, or workers of the cluster; 0 until there is one.
        elapsed_s: Seconds since the ranking began.
        event: What has just happened on a cluster, such as a lost worker; empty as a rule.
    """

    done: int
    total: int
    rate: float
    workers: int
    elapsed_s: float
    event: str = ""

    @property
    def fraction(self) -> float:
        """The part that is done, from 0 to 1."""
        return self.done / self.total if self.total else 1.0

    @property
    def seconds_left(self) -> float | None:
        """Time left at this rate; None where there is no rate yet."""
        return (self.total - self.done) / self.rate if self.rate else None


class ProgressMeter:
    """Counts combinations and workers, and reports each change.

    Args:
        total: All combinations of the space.
        done: Those of a resumed ranking.
        report: Called at the beginning, with each result, and about once a second on a cluster.
        clock: Seconds, from any beginning.
    """

    def __init__(
        self,
        total: int,
        done: int,
        report: Callable[[Progress], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._done = done
        self._report = report
        self._clock = clock
        self._workers = 0
        self._start = clock()
        self._marks = deque([(self._start, done)])
        self._tell()

    def advance(self, count: int) -> None:
        """Report so many more combinations."""
        self._done += count
        self._marks.append((self._clock(), self._done))
        self._tell()

    def show_workers(self, count: int, events: Iterable[str] = ()) -> None:
        """Report the number of workers, and what happened to them."""
        if not self._workers:
            # The time without any, such as that of their start, is no part of the rate.
            self._marks = deque([(self._clock(), self._done)])
        self._workers = count
        for event in events or ("",):
            self._tell(event)

    def _tell(self, event: str = "") -> None:
        now = self._clock()
        while len(self._marks) > 1 and self._marks[1][0] <= now - _WINDOW_S:
            self._marks.popleft()
        then, before = self._marks[0]
        rate = (self._done - before) / (now - then) if now > then else 0.0
        elapsed = now - self._start
        self._report(Progress(self._done, self._total, rate, self._workers, elapsed, event))
