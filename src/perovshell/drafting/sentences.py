"""A text as sentences and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from perovshell.data.tokenizer import to_ascii

LONGEST: Final = 1500
"""Longest sentence, in characters; a longer one is cut at a blank."""
_LETTERS: Final = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u00ad", "-"),
        **dict.fromkeys("\u00a0\u2007\u2009\u200a\u202f", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", None),
        **dict.fromkeys("\u00ba\u02da\u25e6", "\u00b0"),
        "\ufb01": "fi",
        "\ufb02": "fl",
        "\u2215": "/",
    }
)
_MARKUP: Final = re.compile(r"</?(?:sub|sup|i|b|em|strong|p|jats:\w+)>")
_BROKEN_WORD: Final = re.compile(r"(?<=[a-z])-\n(?=[a-z])")
_BROKEN_FORMULA: Final = re.compile(r"(?<=(?:Br|Cl|bI|nI|iI)) (?=[3-9]\b(?![.%\u00b0]))")
"""A subscript that a PDF sets apart: `CsPbBr 3`."""
_ABBREVIATIONS: Final = (
    "et al|e\\.g|i\\.e|ca|approx|Fig|Figs|Ref|Refs|vs|cf|resp|Eq|Dr|Prof|No|max|min|wt|mol|St"
)
_END: Final = re.compile(
    r"(?<=[.!?])(?:(?<=[a-z)%][.!?])\d{1,3}(?:[,\u2013\u2212-]\d{1,3}){0,4}(?=\s+[A-Z]))?"
    r"[\"')\]]?\s+(?=[A-Z0-9(\[\"'])"
)
"""The end of a sentence, with the numbers of references behind its full stop."""
_NO_END: Final = re.compile(rf"(?:\b(?:{_ABBREVIATIONS})|(?<![\w\u00b0])(?<!\u00b0 )[A-Z])\.$")
_SPELLED_SIGNS: Final = (
    (re.compile(r"\b(?:approximate to|similar to) ?(?=\d)"), "~"),
    (re.compile(r"(?<=\d) ?(?:degrees?|deg) C\b"), " \u00b0C"),
    (re.compile(r"(?<=\d) ?mu m\b"), " \u00b5m"),
    (re.compile(r"\bcm\(-2\)"), "cm-2"),
)
"""Signs as indexes of the literature spell them."""
_REFERENCES: Final = re.compile(
    r"^\W{0,3}(?:\d{1,2}\.? )?(?:references|bibliography|literature cited)\W{0,3}$",
    re.IGNORECASE | re.MULTILINE,
)
"""The heading of the list of references, which is not read."""
_SECTION: Final = re.compile(r"^#+\s*", re.MULTILINE)


@dataclass(frozen=True)
class Sentence:
    """A sentence, or the title of a text.

    Attributes:
        text: Its words on one line.
        is_title: Whether it is the first line of the text.
    """

    text: str
    is_title: bool = False


@dataclass(frozen=True)
class TextTable:
    """A table in a text.

    Attributes:
        header: The cells of its first row.
        rows: The cells of the other rows, as many each.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def plain_text(text: str) -> str:
    r"""Return a text in plain letters: no markup, soft hyphens, subscripts or words cut in two.

    Examples:
        >>> plain_text("CsPbBr<sub>3</sub> nano-\ncrystals")
        'CsPbBr3 nanocrystals'
    """
    text = to_ascii(text.translate(_LETTERS)).replace("\r\n", "\n").replace("\r", "\n")
    text = _SECTION.sub("", _MARKUP.sub("", text))
    for form, sign in _SPELLED_SIGNS:
        text = form.sub(sign, text)
    text = _REFERENCES.split(text, maxsplit=1)[0]
    return _BROKEN_FORMULA.sub("", _BROKEN_WORD.sub("", text))


def split_text(text: str) -> tuple[Sentence | TextTable, ...]:
    r"""Split a text into its title, sentences and tables.

    Args:
        text: The text as `plain_text` returns it.

    Examples:
        >>> [part.text for part in split_text("A title\n\nFirst. Second, e.g. CsPbBr3.")]
        ['A title', 'First.', 'Second, e.g. CsPbBr3.']
    """
    first, _, rest = text.strip().partition("\n")
    title, *others = [*_sentences([" ".join(first.split())])] or [Sentence("")]
    parts: list[Sentence | TextTable] = [Sentence(title.text, is_title=True), *others]
    cells = map(_cells, rest.split("\n"))
    for width, block in groupby(cells, key=len):
        rows = [*block]
        if width > 1 and len(rows) > 1:
            kept = [row for row in rows if any(re.search(r"[^-:=\s]", cell) for cell in row)]
            parts.append(TextTable(kept[0], tuple(kept[1:])) if kept else Sentence(""))
        else:
            parts.extend(_sentences(" | ".join(row) for row in rows))
    return tuple(part for part in parts if isinstance(part, TextTable) or part.text)


def _cells(line: str) -> tuple[str, ...]:
    """Return the cells of a line of a table; one cell where it is none."""
    if "\t" in line.strip():
        cells = line.strip().split("\t")
    elif line.count("|") > 1 or line.strip().startswith("|"):
        cells = line.strip().strip("|").split("|")
    else:
        cells = [line]
    return tuple(" ".join(cell.split()) for cell in cells)


def _sentences(lines: Iterable[str]) -> Iterator[Sentence]:
    for is_blank, block in groupby(lines, key=lambda line: not line):
        text = "" if is_blank else " ".join(block)
        begin = 0
        for end in _END.finditer(text):
            if not _NO_END.search(text[max(begin, end.start() - 12) : end.start()]):
                yield from map(Sentence, _cut(text[begin : end.end()].strip()))
                begin = end.end()
        yield from map(Sentence, _cut(text[begin:].strip()))


def _cut(text: str) -> list[str]:
    """Return a sentence in pieces of bounded length."""
    pieces = []
    while len(text) > LONGEST:
        end = text.rfind(" ", 1, LONGEST)
        end = end if end > 0 else LONGEST
        pieces.append(text[:end])
        text = text[end:].strip()
    return [*pieces, text]
