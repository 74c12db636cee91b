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
        most: How many are kept.

    Examples:
        >>> squares = Remembered(most=2)
        >>> [squares.made(number, lambda number: number**2) for number in (2, 3, 2)], len(squares)
        ([4, 9, 4], 2)
        >>> squares.made(4, lambda number: number**2), len(squares)
        (16, 1)
    """

    def __init__(self, most: int = MOST) -> None:
        super().__init__()
        self._most = most

    def made(self, key: K, make: Callable[[K], V]) -> V:
        """Return the value of a key, which is made where it is not there.

        What makes it is not kept: that would tie these values and their owner to each other.
        """
        value = self.get(key)
        if value is None:
            value = make(key)
            if len(self) >= self._most:
                self.clear()
            self[key] = value
        return value

    def __reduce__(self) -> tuple[Any, ...]:
        """Return what makes it, without its values."""
        return Remembered, (self._most,)
