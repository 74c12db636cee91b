"""Small pieces of running text: counted nouns, lists."""

from __future__ import annotations

from collections.abc import Iterable


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    Examples:
        >>> counted(1, "paper"), counted(3, "paper")
        ('1 paper', '3 papers')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def listed(words: Iterable[str], joint: str = "and") -> str:
    """Return words as a list in a sentence.

    Examples:
        >>> listed(["water", "light", "heat"])
        'water, light and heat'
    """
    *first, last = words
    return f"{', '.join(first)} {joint} {last}" if first else last


def excerpt(text: str, longest: int = 100) -> str:
    """Return a text for a message, shortened where it is long.

    Examples:
        >>> excerpt("SiO2"), excerpt("a" * 4000, 3)
        ('SiO2', 'aaa...')
    """
    return text if len(text) <= longest else f"{text[:longest]}..."
