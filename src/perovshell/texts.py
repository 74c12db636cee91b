"""Small pieces of text: counted nouns, lists in a sentence, lists in a cell of a table."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Final

_PASSWORD: Final = re.compile(r"(?<=://)([^/?#:@\s]*:)[^/?#@\s]*(?=@)")


def counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    Examples:
        >>> counted(1, "paper"), counted(3, "paper")
        ('1 paper', '3 papers')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def number(value: float | None) -> str:
    """Return a number for reading: three digits, no limit as words.

    Examples:
        >>> number(0.12345), number(12345.6), number(float("inf"))
        ('0.123', '12,346', 'no limit')
    """
    if value is None or math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "no limit"
    if abs(value) >= 10_000:  # noqa: PLR2004
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004


def listed(words: Iterable[str], joint: str = "and") -> str:
    """Return words as a list in a sentence.

    Examples:
        >>> listed(["water", "light", "heat"])
        'water, light and heat'
    """
    *first, last = words
    return f"{', '.join(first)} {joint} {last}" if first else last


def table_cell(value: Any) -> Any:
    """Return a list of texts as one text, its entries joined by ` | `; other values as they are.

    No entry has ` | ` inside, so that the text can be split again.

    Examples:
        >>> table_cell(["heat: baseline prediction", "shell CdS | ZnS"])
        'heat: baseline prediction | shell CdS|ZnS'
        >>> table_cell(5)
        5
    """
    if not isinstance(value, list):
        return value
    return " | ".join(re.sub(r"\s*\|\s*", "|", entry) for entry in value)


def excerpt(text: str, longest: int = 100) -> str:
    """Return a text for a message, shortened where it is long.

    Examples:
        >>> excerpt("SiO2"), excerpt("a" * 4000, 3)
        ('SiO2', 'aaa...')
    """
    return text if len(text) <= longest else f"{text[:longest]}..."


def error_line(error: Exception) -> str:
    """Return the text of an error on one line, without passwords.

    Examples:
        >>> error_line(ValueError("two   lines of http://me:secret@lab/"))
        'two lines of http://me:***@lab/'
    """
    return without_passwords(" ".join(str(error).split()))


def without_passwords(text: str) -> str:
    """Return a text in which the passwords of addresses are not shown.

    Examples:
        >>> without_passwords("postgresql://me:secret@lab:5432/mlflow")
        'postgresql://me:***@lab:5432/mlflow'
    """
    return _PASSWORD.sub(r"\1***", text)
