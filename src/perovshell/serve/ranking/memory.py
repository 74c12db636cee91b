"""Memory of arrays that is kept for the next ones."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3
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
    if sys.platform == "win32":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, size in _KEPT.items():
            mallopt(name, size)
