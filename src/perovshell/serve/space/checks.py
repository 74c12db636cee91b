"""Checks of the values of a design space: each error names key, value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from perovshell.errors import DesignSpaceError


def check_keys(what: str, data: Mapping[Any, Any], allowed: set[str]) -> None:
    """Refuse keys that are not allowed."""
    for key in data:
        if key not in allowed:
            msg = f"{what}: unknown key {key!r}; allowed: {', '.join(sorted(allowed))}"
            raise DesignSpaceError(msg)


def entries_of(what: str, value: object) -> list[Any]:
    """Return a list that is not empty."""
    if not isinstance(value, list) or not value:
        msg = f"{what}: {value!r}: a list with at least one entry is needed"
        raise DesignSpaceError(msg)
    return value


def word_of(what: str, value: object, allowed: Sequence[str]) -> str:
    """Return one of the allowed words."""
    if value not in allowed:
        msg = f"{what}: {value!r}: allowed: {', '.join(allowed)}"
        raise DesignSpaceError(msg)
    return str(value)


def words_of(what: str, value: object, allowed: Sequence[str]) -> tuple[str, ...]:
    """Read one word or a list of words; a word named twice counts once."""
    given = [value] if isinstance(value, str) else entries_of(what, value)
    return tuple(dict.fromkeys(word_of(what, word, allowed) for word in given))


def number_of(what: str, value: object, low: float, high: float) -> float:
    """Return a number within limits."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        msg = f"{what}: {value!r}: a number from {low:g} to {high:g} is needed"
        raise DesignSpaceError(msg)
    return float(value)


def rising_of(what: str, value: object, low: float, high: float) -> tuple[float, float] | None:
    """Return two rising numbers within limits, or None where nothing is given."""
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2:  # noqa: PLR2004
        msg = f"{what}: {value!r}: two numbers are needed, as [0.8, 1.1]"
        raise DesignSpaceError(msg)
    first, last = (number_of(what, end, low, high) for end in value)
    if first >= last:
        msg = f"{what}: {value!r}: the first must be below the second"
        raise DesignSpaceError(msg)
    return first, last
