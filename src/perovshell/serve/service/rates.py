"""How often a client may ask: a token bucket for each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

_BURST_SECONDS: Final = 2.0
_MOST_CLIENTS: Final = 10_000


class Bucket(NamedTuple):
    """The tokens of a client.

    Attributes:
        left: Tokens that were left.
        last: When, by the clock of the system.
    """

    left: float
    last: float


Change = Callable[[Bucket | None], tuple[Bucket, float]]
"""What makes of a bucket, or of none yet, the next one and an answer."""


class Buckets:
    """The buckets of clients in the memory of this process."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def exchange(self, client: str, change: Change) -> float:
        """Change the bucket of a client, and return the answer of what changes it."""
        self._buckets[client], answer = change(self._buckets.pop(client, None))
        if len(self._buckets) > _MOST_CLIENTS:
            # The least recently seen client: each moves to the end when it is seen.
            del self._buckets[next(iter(self._buckets))]
        return answer


@dataclass
class Rate:
    """A token bucket for each client.

    Attributes:
        per_second: Requests a second of one client in the long run; inf is no limit.
        buckets: Where the buckets are.
    """

    per_second: float = math.inf
    buckets: Buckets = field(default_factory=Buckets)

    def seconds_to_wait(self, client: str) -> float:
        """Take a token; return 0, or the seconds until there is one."""
        if math.isinf(self.per_second):
            return 0.0
        most, now = max(self.per_second * _BURST_SECONDS, 1.0), time.monotonic()

        def take(bucket: Bucket | None) -> tuple[Bucket, float]:
            left, last = bucket or (most, now)
            left = min(left + (now - last) * self.per_second, most)
            wait = max(1.0 - left, 0.0) / self.per_second
            return Bucket(left if wait else left - 1.0, now), wait

        return self.buckets.exchange(client, take)
