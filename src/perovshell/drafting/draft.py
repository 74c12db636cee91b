"""A draft of a paper file from the text of an abstract or a paper."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from perovshell.data.formula import FormulaReader
from perovshell.data.tables import read_bytes
from perovshell.drafting.assembly import Facts
from perovshell.drafting.binding import Reading, read_sentences
from perovshell.drafting.document import (
    DraftPaper,
    Section,
    document_of,
    unclear_statements,
    values_of,
)
from perovshell.drafting.mentions import Material, MaterialFinder
from perovshell.drafting.references import Samples
from perovshell.drafting.sentences import Sentence, TextTable, plain_text, split_text
from perovshell.drafting.stability import Remnant, StabilityReader
from perovshell.drafting.statements import Statement, statements_of
from perovshell.drafting.tables import table_readings
from perovshell.drafting.writing import write_draft
from perovshell.errors import InputError
from perovshell.files import refuse_output, write_file
from perovshell.optional import import_optional
from perovshell.texts import counted

_DOI: Final = re.compile(r"\b10\.\d{4,9}/[^\s\"<>]+")
_YEAR: Final = re.compile(
    r"\(((?:199|20[0-4])\d)\)|(?:\u00a9|\bcopyright|\bpublished)\D{0,40}((?:199|20[0-4])\d)\b"
    r"|\b((?:199|20[0-4])\d),\s\d{1,4},\s",
    re.IGNORECASE,
)
_MOST_CHARACTERS: Final = 2_000_000
_ABSTRACT: Final = 4_000
"""Longest text, in characters, that is taken for an abstract."""
_TITLE: Final = 300


@dataclass(frozen=True)
class Draft:
    """A paper file to be checked by a person.

    Attributes:
        paper: What it holds.
    """

    paper: DraftPaper

    @cached_property
    def document(self) -> Section:
        """The mapping of the paper file, each value with its sentences."""
        return document_of(self.paper)

    @cached_property
    def unclear(self) -> tuple[str, ...]:
        """Statements that belong to no sample for certain."""
        return tuple(unclear_statements(self.paper, self.document))

    @property
    def yaml(self) -> str:
        """The paper file: each value below the sentence that it was read in."""
        return write_draft(self.document, self.unclear)

    @property
    def summary(self) -> str:
        """What was found and what is open, on one line."""
        samples = self.document.lists["samples"]
        tests = sum(len(sample.lists.get("stability", ())) for sample in samples)
        empty = [value for _, value, _ in self.document.located() if not value.value]
        doubts = dict.fromkeys([*filter(None, (one.statement for one in empty)), *self.unclear])
        opened = ", ".join(dict.fromkeys(one.key for one in empty if one.is_required))
        return (
            f"{counted(len(samples), 'sample')}, {counted(values_of(samples), 'value')}, "
            f"{counted(tests, 'stability test')}; "
            f"{counted(len(doubts), 'unclear statement')}; "
            f"{f'to be filled in: {opened}' if opened else 'no required key is empty'}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return JSON data: the paper, the sentence of each value, and what is open or unclear."""
        located = [*self.document.located()]
        return {
            "paper": self.document.mapping,
            "sentences": {path: list(sentences) for path, _, sentences in located if sentences},
            "open": [
                {"pointer": path, "detail": value.doubt}
                for path, value, _ in located
                if not value.value
            ],
            "unclear": list(self.unclear),
            "summary": self.summary,
        }


def draft(text: str, *, paper_id: str = "", formulas: FormulaReader | None = None) -> Draft:
    """Draft a paper file from the text of an abstract or a paper.

    Rules read it, without a network. A value that is not certain to be of one sample stays open.

    Args:
        text: The text; its first line is the title.
        paper_id: A short name of the paper; left open if not given.
        formulas: Reads formulas and names of shells; else those of the bundled tables.

    Returns:
        The draft.

    Raises:
        InputError: The text is too long.

    Examples:
        >>> import perovshell
        >>> text = "A title. The CsPbBr3@SiO2 NCs emit at 518 nm with a PLQY of 84%."
        >>> print(perovshell.draft(text).summary)
        1 sample, 2 values, 0 stability tests; 0 unclear statements; to be filled in: ...
    """
    if len(text) > _MOST_CHARACTERS:
        msg = f"text: {len(text):,} characters; at most {_MOST_CHARACTERS:,} are read"
        raise InputError(msg)
    plain = plain_text(text)
    parts = split_text(plain)
    finder = MaterialFinder(formulas or FormulaReader.bundled())
    doi = _doi(plain)
    title = parts[0].text if parts and isinstance(parts[0], Sentence) else ""
    return Draft(
        DraftPaper(
            paper_id=paper_id,
            doi=doi,
            year=_year(plain),
            title=title[:_TITLE],
            source="primary abstract" if len(plain) <= _ABSTRACT else "primary text",
            facts=_facts(parts, finder),
        )
    )


def draft_file(source: Path, output: Path, *, paper_id: str = "") -> Draft:
    """Draft a paper file from a text file or a PDF, and write it.

    Args:
        source: The text; `-` is the standard input.
        output: The paper file.
        paper_id: A short name of the paper; left open if not given.

    Returns:
        The draft.

    Raises:
        InputError: The text cannot be read, or the output is the input.
        WorkspaceError: The output cannot be written.
        MissingExtraError: The text is a PDF, and pypdf is not installed.
    """
    refuse_output(output, [] if str(source) == "-" else [source])
    drafted = draft(read_text(source), paper_id=paper_id)
    write_file(output, drafted.yaml)
    return drafted


def _facts(parts: Sequence[Sentence | TextTable], finder: MaterialFinder) -> Facts:
    """Return what the sentences and the tables of a text state."""
    samples = Samples.of(parts, finder)
    reader = StabilityReader()
    statements: list[Statement] = []
    remnants: list[Remnant] = []
    named_in: dict[Material, list[str]] = {}
    for reading in _readings(parts, samples, finder):
        statements += statements_of(reading)
        remnants += reader.read(reading)
        for sample in reading.definite:
            named_in.setdefault(sample, []).append(reading.text)
    return Facts(samples.all, named_in, tuple(statements), tuple(remnants))


def _readings(
    parts: Sequence[Sentence | TextTable], samples: Samples, finder: MaterialFinder
) -> Iterator[Reading]:
    sentences = [part.text for part in parts if isinstance(part, Sentence)]
    referring = [(text, samples.references(text, finder.find(text))) for text in sentences]
    yield from read_sentences(referring, samples)
    for part in parts:
        if isinstance(part, TextTable):
            yield from table_readings(part, samples, finder)


def _doi(text: str) -> str:
    """Return the DOI of a text, empty where its beginning has none or several."""
    dois = {doi.rstrip(".,;)]") for doi in _DOI.findall(text[:_ABSTRACT])}
    return dois.pop() if len(dois) == 1 else ""


def _year(text: str) -> str:
    """Return the year of publication, empty where the beginning of a text has none or several."""
    years = {year for match in _YEAR.finditer(text[:_ABSTRACT]) for year in match.groups() if year}
    return years.pop() if len(years) == 1 else ""


def read_text(path: Path) -> str:
    """Return the text of a text file, or of a PDF.

    Args:
        path: The file; `-` is the standard input.

    Raises:
        InputError: It cannot be read as text, or has none.
        MissingExtraError: It is a PDF, and pypdf is not installed.
    """
    content = sys.stdin.buffer.read() if str(path) == "-" else read_bytes(path)
    if content.startswith(b"%PDF"):
        return _pdf_text(path, content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path}: not UTF-8 text (byte {error.start}), and not a PDF; save it in UTF-8"
        raise InputError(msg) from error
    if not text.strip():
        msg = f"{path}: no text in it"
        raise InputError(msg)
    return text


def _pdf_text(path: Path, content: bytes) -> str:
    pypdf = import_optional("pypdf", "reading a PDF", "pdf")
    try:
        pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages]
    except Exception as error:
        # pypdf raises errors of many kinds where a file is damaged.
        msg = f"{path}: cannot be read as a PDF ({error})"
        raise InputError(msg) from error
    text = "\n".join(pages)
    if not text.strip():
        msg = f"{path}: no text in this PDF (a scan?); copy the text into a .txt file"
        raise InputError(msg)
    return text
