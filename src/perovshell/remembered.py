"""Values that are made once, in bounded memory: a service that runs for years sees every key."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
MOST: Final = 2048
"""More than the shells that are known, and few enough for arrays of some kilobytes."""


class Remembered(dict[K, V]):
    """Values by key, each made when it is first asked for; all are dropped when they are too many.

    A copy in another process begins empty.

    Args:
        make: Makes the value of a key.
        most: How many are kept.

    Examples:
        >>> squares = Remembered(lambda number: number**2, most=2)
        >>> squares[2], squares[3], squares[2], len(squares)
        (4, 9, 4, 2)
        >>> squares[4], len(squares)
        (16, 1)
    """

    def __init__(self, make: Callable[[K], V], most: int = MOST) -> None:
        super().__init__()
        self._make, self._most = make, most

    def __missing__(self, key: K) -> V:
        """Make the value of a key that is not there."""
        value = self._make(key)
        if len(self) >= self._most:
            self.clear()
        self[key] = value
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what makes it, without its values."""
        return Remembered, (self._make, self._most)
