"""How the C library of this process takes and keeps memory."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping
from typing import Final

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8
_KEPT: Final = {
    _M_TRIM_THRESHOLD: 256 * 2**20,
    _M_TOP_PAD: 16 * 2**20,
    # The largest that is allowed.
    _M_MMAP_THRESHOLD: 32 * 2**20,
}
"""Settings of `mallopt` of the GNU C library, in bytes."""


def keep_memory() -> None:
    """Keep freed memory in this process instead of returning it to the system at once.

    Dask starts its workers with an environment in which memory is returned, which makes scoring
    several times slower; an environment of one's own has no effect there. Where the C library has
    no `mallopt`, nothing happens.
    """
    _set(_KEPT)


def share_memory() -> None:
    """Have all threads that start from here on share the memory that is free.

    By default each has its own, and what one frees the others cannot use: a service in which some
    threads check papers takes more memory from hour to hour, although nothing is kept.
    """
    _set({_M_ARENA_MAX: 1})


def _set(settings: Mapping[int, int]) -> None:
    if sys.platform == "win32":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in settings.items():
            mallopt(name, value)
