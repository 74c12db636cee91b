"""Places for heavy work: a few run at a time, a few wait, and the others are asked to come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from perovshell.serve.service.problems import busy

_LOOK_SECONDS: Final = 0.05
"""How often a place is asked for that another process has."""
_PAUSE_SECONDS: Final = 2 * _LOOK_SECONDS
"""How long a process leaves a place to others that may wait for it: it would else take the place
again before they look, as long as it has work of its own."""


class Slots:
    """Numbered slots, each of which is taken by one piece of work at a time.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int) -> None:
        self._free = list(range(count))

    def take(self) -> int | None:
        """Take a slot; return its number, or None where there is none."""
        for number in self._free:
            if self._take(number):
                self._free.remove(number)
                return number
        return None

    def give_back(self, number: int) -> None:
        """Give a slot back."""
        self._give_back(number)
        self._free.append(number)

    @property
    def are_taken_elsewhere(self) -> bool:
        """Whether other processes have some of the slots."""
        for number in self._free:
            if not self._take(number):
                return True
            self._give_back(number)
        return False

    def _take(self, _: int) -> bool:
        """Take a slot from the other processes, where there are some."""
        return True

    def _give_back(self, number: int) -> None:
        """Give a slot back to the other processes."""


MakeSlots = Callable[[int], Slots]


class Places:
    """Places for one kind of work.

    Args:
        at_a_time: Pieces of work that run at a time.
        waiting: Pieces of work that may wait.
        slots: Makes the slots: those of this process, or those that the workers share.
    """

    def __init__(self, at_a_time: int, waiting: int = 0, slots: MakeSlots = Slots) -> None:
        self._inside = slots(at_a_time + waiting)
        self._running = slots(at_a_time)
        self._turns = asyncio.Semaphore(at_a_time)

    @asynccontextmanager
    async def one(self, detail: str, seconds: int) -> AsyncIterator[None]:
        """Hold a place while a block runs, once it is free.

        Args:
            detail: What is said where too many wait.
            seconds: When to come back.

        Raises:
            Problem: Too many wait.
        """
        seat = self._inside.take()
        if seat is None:
            raise busy(detail, seconds)
        try:
            await self._turns.acquire()  # Within a process, who came first goes first.
            try:
                while (place := self._running.take()) is None:  # noqa: ASYNC110 - of a process
                    await asyncio.sleep(_LOOK_SECONDS)
                try:
                    yield
                finally:
                    self._running.give_back(place)
            finally:
                self._end_turn()
        finally:
            self._inside.give_back(seat)

    def _end_turn(self) -> None:
        """Let the next one of this process go, after those of other processes."""
        if self._inside.are_taken_elsewhere:
            asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._turns.release)
        else:
            self._turns.release()
