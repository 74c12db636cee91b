"""The known spellings that look most like a text, soon enough for many faulty rows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import cached_property
from typing import Final

_LIKENESS: Final = 0.7
"""Likeness, from 0 to 1, from which a name is near."""
_COMPARED: Final = 12
"""Spellings that are compared letter by letter: those that share most pairs of letters."""


def near_name(text: str, names: Iterable[str]) -> str:
    """Return the name that looks most like a text, in any case; empty where none does.

    Examples:
        >>> near_name("Medium", ["medium", "morphology"]), near_name("colour", ["medium"])
        ('medium', '')
    """
    by_letters = {name.casefold(): name for name in names}
    close = difflib.get_close_matches(text.casefold(), by_letters, n=1, cutoff=_LIKENESS)
    return by_letters[close[0]] if close else ""


class Spellings:
    """Known spellings.

    Args:
        known: The spellings.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self.known = tuple(dict.fromkeys(known))

    def nearest(self, text: str, count: int, cutoff: float) -> list[str]:
        """Return the spellings most like a text, the most alike first.

        Args:
            text: The text.
            count: Most spellings returned.
            cutoff: Least likeness, from 0 to 1, as in `difflib.get_close_matches`.
        """
        pairs = _pairs(text)
        bits, size = self._bits(pairs), len(pairs)
        shares = [(bits & other).bit_count() / (size + others) for other, others in self._sets]
        order = sorted(range(len(self.known)), key=shares.__getitem__, reverse=True)
        compared = [self.known[index] for index in order[:_COMPARED]]
        return difflib.get_close_matches(text, compared, n=count, cutoff=cutoff)

    @cached_property
    def _sets(self) -> list[tuple[int, int]]:
        """The pairs of each spelling as a set of bits, and their number."""
        return [(self._bits(pairs), len(pairs)) for pairs in map(_pairs, self.known)]

    @cached_property
    def _bit_of(self) -> dict[str, int]:
        pairs = dict.fromkeys(pair for text in self.known for pair in sorted(_pairs(text)))
        return {pair: 1 << index for index, pair in enumerate(pairs)}

    def _bits(self, pairs: frozenset[str]) -> int:
        return sum(self._bit_of.get(pair, 0) for pair in pairs)


def _pairs(text: str) -> frozenset[str]:
    """Return the pairs of letters that follow each other, with the ends of the text."""
    around = f"^{text.casefold()}$"
    return frozenset(around[start : start + 2] for start in range(len(around) - 1))
