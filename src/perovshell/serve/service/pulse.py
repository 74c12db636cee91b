"""Workers that hang: each counts while it can answer, and the supervisor looks whether it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

BEAT_SECONDS: Final = 1.0
"""How often a worker counts."""
LOOK_SECONDS: Final = 5.0
"""How often the supervisor looks, at least."""
PATIENCE_SECONDS = 60.0
"""How long a worker may stand still: no request keeps it busy for more than some tenths of one."""


class Pulse:
    """Remembers when each worker has counted last."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[int, float]] = {}
        self._looked = 0.0

    def still(self, counts: Mapping[int, int], now: float) -> list[int]:
        """Return the workers that have stood still for too long.

        Where the supervisor has not looked for long, the whole machine may have stood still.

        Args:
            counts: The count of each worker, by its number.
            now: Seconds of a clock that does not jump.

        Examples:
            >>> pulse = Pulse()
            >>> [pulse.still({0: second, 1: 5}, float(second)) for second in (0, 30, 59, 61)]
            [[], [], [], [1]]
        """
        has_slept = now - self._looked > PATIENCE_SECONDS / 2
        self._looked = now
        for worker, count in counts.items():
            before, _ = self._seen.get(worker, (None, now))
            if has_slept or count != before:
                self._seen[worker] = (count, now)
        return [worker for worker in counts if now - self._seen[worker][1] > PATIENCE_SECONDS]
