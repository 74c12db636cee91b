"""What a training cost: time and memory."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """What a training cost.

    Attributes:
        started: When it began, in seconds since 1970.
        seconds: How long it took.
        peak_memory_mb: Peak memory of the process that trained until then, without the processes
            that it started; None where the system does not tell.
    """

    started: float
    seconds: float
    peak_memory_mb: float | None

    @property
    def ended(self) -> float:
        """When it ended, in seconds since 1970."""
        return self.started + self.seconds

    @classmethod
    def since(cls, started: float) -> Cost:
        """Return the cost of a training that ends now."""
        return cls(started, time.time() - started, _peak_memory_mb())


def _peak_memory_mb() -> float | None:
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
