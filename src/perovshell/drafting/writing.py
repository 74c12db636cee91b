"""Writing a draft as YAML: each value below the sentence that it was read in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Final

from perovshell.drafting.assembly import DraftValue
from perovshell.drafting.document import Section

_WIDTH: Final = 96
_PLAIN: Final = re.compile(r"[A-Za-z0-9][\w()./%^+@\u00b0 -]*")
_HEAD: Final = (
    "# A draft. Check every value against the sentence above it; fill in what is unclear, or "
    "delete it."
)


def write_draft(document: Section, unclear: Sequence[str]) -> str:
    """Return a draft as the text of a paper file.

    Args:
        document: What was read.
        unclear: Statements that belong to no sample for certain.
    """
    lines = [_HEAD, *_lines(document)]
    if unclear:
        lines += ["", *_comment("Unclear statements; enter them by hand:")]
        lines += [line for statement in unclear for line in _comment(f"- {statement}")]
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Return a text as a YAML value, in quotes where it needs them.

    Examples:
        >>> quoted("CsPbBr3"), quoted(">90 %")
        ('CsPbBr3', '">90 %"')
    """
    if _PLAIN.fullmatch(text) and text == text.strip():
        return text
    return '"' + _printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _lines(section: Section, indent: str = "", item: str = "") -> Iterator[str]:
    """Yield the lines of a mapping; `item` is what begins the first key of a list's item."""
    outer = indent.removesuffix("  ") if item else indent
    for sentence in section.sentences:
        yield from _comment(sentence, outer)
    for index, value in enumerate(section.values):
        for sentence in value.sentences:
            yield from _comment(sentence, indent)
        yield f"{outer}{item}{_value(value)}" if item and not index else f"{indent}{_value(value)}"
    for key, side in section.sides.items():
        yield f"{indent}{key}: {_side(side)}"
    for key, sections in section.lists.items():
        yield f"{indent}{key}:{'' if sections else ' []'}"
        for one in sections:
            yield from [""] if not indent else []
            yield from _lines(one, f"{indent}    ", "- ")


def _value(value: DraftValue) -> str:
    """Return a key with its value, or an empty key with what is not clear."""
    if value.value:
        return f"{value.key}: {quoted(value.value)}"
    return f"{value.key}:  # unclear: {' '.join(_printable(value.doubt).split())}"


def _side(side: Section) -> str:
    """Return one side of a stability test on one line."""
    parts = [f"{one.key}: {quoted(one.value)}" for one in side.values if one.value]
    doubts = [one.doubt for one in side.values if not one.value]
    comment = f"  # unclear: {'; '.join(doubts)}" if doubts else ""
    return f"{{{', '.join(parts)}}}{comment}"


def _comment(text: str, indent: str = "") -> list[str]:
    return [f"{indent}# {line}" for line in wrap(_printable(text), _WIDTH - len(indent))]


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)
