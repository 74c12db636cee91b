"""Equality of objects whose unknown numbers are NaN."""

from __future__ import annotations

import math
from typing import Any


class EqualUnknowns:
    """Base of a frozen dataclass, made with `eq=False`, whose unknown numbers are equal.

    All fields are compared; the numbers among them may be NaN, which differs from itself. Up to
    Python 3.12 dataclasses compare tuples, in which the same NaN is equal; later ones compare field
    by field.

    Examples:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True, eq=False)
        ... class Size(EqualUnknowns):
        ...     nm: float = float("nan")
        >>> Size() == Size(), Size() == Size(9.0), len({Size(), Size()})
        (True, False, 1)
    """

    def __eq__(self, other: object) -> bool:
        """Return whether all fields are equal, or unknown in both."""
        if other.__class__ is not self.__class__:
            return NotImplemented
        return _comparable(self) == _comparable(other)

    def __hash__(self) -> int:
        """Return the same for equal ones."""
        return hash(_comparable(self))


def _comparable(one: Any) -> tuple[object, ...]:
    """Return the fields of a dataclass, unknown numbers as None."""
    values = (getattr(one, name) for name in one.__dataclass_fields__)
    return tuple(
        None if isinstance(value, float) and math.isnan(value) else value for value in values
    )
