"""Writing a draft as YAML: each value below the sentence that it was read in."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Final

from perovshell.drafting.assembly import (
    DraftSample,
    DraftTest,
    DraftValue,
    Facts,
    fault_of,
    plain_duration,
)
from perovshell.drafting.mentions import UNKNOWN_SHELL
from perovshell.drafting.stability import Remnant
from perovshell.drafting.statements import Statement

_WIDTH: Final = 96
_PLAIN: Final = re.compile(r"[A-Za-z0-9][\w()./%^+@\u00b0 -]*")
_HEAD: Final = (
    "# A draft. Check every value against the sentence above it; fill in what is unclear, or "
    "delete it."
)


@dataclass(frozen=True)
class DraftPaper:
    """What a draft holds.

    Attributes:
        paper_id: A short name of the paper; empty where it is open.
        doi: Its DOI; empty where it is open.
        year: Year of publication; empty where it is open.
        title: Its title.
        source: What was read.
        facts: What its sentences state.
    """

    paper_id: str
    doi: str
    year: str
    title: str
    source: str
    facts: Facts


@dataclass
class Written:
    """A paper file, and what it holds.

    Attributes:
        lines: Its lines.
        samples: Number of samples.
        values: Number of values of samples.
        tests: Number of stability tests.
        doubts: What is open, each once.
        open_keys: Required keys that are empty.
    """

    lines: list[str] = field(default_factory=list)
    samples: int = 0
    values: int = 0
    tests: int = 0
    doubts: dict[str, None] = field(default_factory=dict)
    open_keys: dict[str, None] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The file."""
        return "\n".join(self.lines) + "\n"

    def comment(self, text: str, indent: str = "") -> None:
        """Write a text as lines of comment."""
        printable = "".join(letter if letter.isprintable() else " " for letter in text)
        self.lines += [f"{indent}# {line}" for line in wrap(printable, _WIDTH - len(indent))]

    def key(self, name: str, value: str, indent: str = "", doubt: str = "") -> None:
        """Write a key, or an empty key with what is not clear."""
        if value:
            self.lines.append(f"{indent}{name}: {quoted(value)}")
            return
        plain = " ".join("".join(c if c.isprintable() else " " for c in doubt).split())
        self.lines.append(f"{indent}{name}:  # unclear: {plain}")

    def required(self, name: str, value: str, indent: str, doubt: str) -> None:
        """Write a required key, and note it where it is empty."""
        if not value:
            self.open_keys[name.removeprefix("- ")] = None
        self.key(name, value, indent, doubt)


def write_paper(paper: DraftPaper) -> Written:
    """Write a draft as a paper file."""
    written = Written([_HEAD])
    written.required("paper_id", paper.paper_id, "", "first author and year, such as smith2026")
    written.key("doi", paper.doi, "", "no DOI, or several, in the text")
    written.key("year", paper.year, "", "no year of publication, or several, in the text")
    written.comment("The first line of the text:")
    written.key("title", paper.title, "", "no title in the text")
    written.key("source", paper.source)
    entries = paper.facts.entries()
    written.lines.append("samples:" if entries else "samples: []")
    written.samples = len(entries)
    for entry in entries:
        _write_sample(written, entry)
    _write_unclear(written, paper.facts, entries)
    return written


def quoted(text: str) -> str:
    """Return a text as a YAML value, in quotes where it needs them.

    Examples:
        >>> quoted("CsPbBr3"), quoted(">90 %")
        ('CsPbBr3', '">90 %"')
    """
    if _PLAIN.fullmatch(text) and text == text.strip():
        return text
    inner = "".join(letter if letter.isprintable() else " " for letter in text)
    return '"' + inner.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _write_sample(written: Written, entry: DraftSample) -> None:
    indent = "    "
    material = entry.material
    written.lines.append("")
    written.comment(entry.sentence, "  ")
    written.key("- name", entry.name, "  ")
    written.key("core", material.core, indent)
    written.key("composition", "open" if material.is_open else "exact", indent)
    shell = "|".join(material.layers) or "none"
    is_known = UNKNOWN_SHELL not in material.layers
    written.required("shell", shell if is_known else "", indent, "no shell of a known name")
    if material.layers:
        kinds = "core/shell, janus, core/island, matrix or other"
        written.required("structure", entry.structure, indent, kinds)
    for value in entry.values:
        _write_value(written, value, indent)
    if entry.bare:
        written.key("bare", entry.bare, indent)
    if entry.tests:
        written.lines.append(f"{indent}stability:")
    for test in entry.tests:
        _write_test(written, test, indent + "  ")


def _write_value(written: Written, value: DraftValue, indent: str) -> None:
    for sentence in value.sentences:
        written.comment(sentence, indent)
    written.key(value.key, value.value, indent, value.doubt)
    written.values += bool(value.value)
    if not value.value:
        written.doubts[f"{value.key}: {value.doubt}"] = None


def _write_test(written: Written, test: DraftTest, indent: str) -> None:
    inner = indent + "  "
    first = test.first
    for text in dict.fromkeys(side.text for side in (test.coated, test.bare) if side):
        written.comment(text, indent)
    doubts = dict(first.doubts)
    choices = doubts.get("stressor") or "the sentence names none"
    written.required("- stressor", first.stressor, indent, choices)
    written.key("measure", first.measure, inner)
    for key, text in first.conditions:
        fault = fault_of(key, text)
        written.key(key, "" if fault else text, inner, fault)
        if fault:
            written.doubts[f"{key}: {fault}"] = None
    quality = next((side.quality for side in (test.coated, test.bare) if side and side.quality), "")
    if quality:
        written.key("quality", quality, inner)
    if test.shared_group:
        written.key("shared_group", test.shared_group, inner)
    for name, side in (("coated", test.coated), ("bare", test.bare)):
        if side:
            _write_side(written, name, side, inner)
    written.tests += 1
    if not first.stressor:
        written.doubts[f"stressor: {first.text}"] = None


def _write_side(written: Written, name: str, side: Remnant, indent: str) -> None:
    parts, doubts = [], []
    for key, text in (("duration", plain_duration(side)), ("percent", side.percent)):
        fault = fault_of(key, text) if text else ""
        if text and not fault:
            parts.append(f"{key}: {quoted(text)}")
        elif fault:
            doubts.append(fault)
        elif key == "duration":
            stated = dict(side.doubts).get("duration")
            doubts.append(f"duration: {stated}?" if stated else "the duration is not stated")
    comment = f"  # unclear: {'; '.join(doubts)}" if doubts else ""
    written.lines.append(f"{indent}{name}: {{{', '.join(parts)}}}{comment}")
    if doubts:
        written.doubts[f"{name}: {side.text}"] = None


def _write_unclear(written: Written, facts: Facts, entries: Sequence[DraftSample]) -> None:
    """Write what belongs to no sample for certain, and is at no key of one."""
    shown = {value.key for entry in entries for value in entry.values if not value.value}
    facts_left = [
        fact for fact in facts.unclear if isinstance(fact, Remnant) or fact.key not in shown
    ]
    if not facts_left:
        return
    written.lines.append("")
    written.comment("Unclear statements; enter them by hand:")
    for fact in facts_left:
        statement = f"{_fact_text(fact)}: {fact.text}"
        written.comment(f"- {statement}")
        written.doubts[statement] = None


def _fact_text(fact: Statement | Remnant) -> str:
    if isinstance(fact, Statement):
        return f"{fact.key} {fact.value}"
    parts = (fact.stressor or "stressor?", fact.duration or "duration?", fact.percent)
    return ", ".join(filter(None, parts))
