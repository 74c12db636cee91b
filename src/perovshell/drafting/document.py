"""A drafted paper as the mapping of a paper file: each value with the sentence it was read in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

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
from perovshell.drafting.statements import OPTICS, Statement

_DERIVED: Final = frozenset({"name", "composition", "bare", "measure", "quality", "shared_group"})
"""Keys whose values follow from others: no sentence has them."""
_STRUCTURES: Final = "core/shell, janus, core/island, matrix or other"


@dataclass(frozen=True)
class Section:
    """A mapping of a paper file.

    Attributes:
        values: Its values, in the order of a paper file.
        sentences: Where it was read.
        sides: The sides of a stability test, by key.
        lists: Lists of mappings, by key.
    """

    values: tuple[DraftValue, ...]
    sentences: tuple[str, ...] = ()
    sides: Mapping[str, Section] = field(default_factory=dict)
    lists: Mapping[str, tuple[Section, ...]] = field(default_factory=dict)

    @property
    def mapping(self) -> dict[str, Any]:
        """The keys with their values; those that are open are left out."""
        return {
            **{value.key: value.value for value in self.values if value.value},
            **{key: side.mapping for key, side in self.sides.items()},
            **{key: [item.mapping for item in items] for key, items in self.lists.items()},
        }

    def located(self, pointer: str = "") -> Iterator[tuple[str, DraftValue, tuple[str, ...]]]:
        """Yield each value with its JSON pointer and its sentences.

        Args:
            pointer: The JSON pointer of this mapping.
        """
        for value in self.values:
            inherited = () if value.key in _DERIVED else self.sentences
            yield f"{pointer}/{value.key}", value, value.sentences or inherited
        for key, side in self.sides.items():
            yield from side.located(f"{pointer}/{key}")
        for key, items in self.lists.items():
            for index, item in enumerate(items):
                yield from item.located(f"{pointer}/{key}/{index}")


@dataclass(frozen=True)
class DraftPaper:
    """What a draft is made of.

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


def document_of(paper: DraftPaper) -> Section:
    """Return the mapping of a paper file with what was read."""
    required = DraftValue(
        "paper_id", paper.paper_id, "first author and year, such as smith2026", is_required=True
    )
    return Section(
        values=(
            required,
            DraftValue("doi", paper.doi, "no DOI, or several, in the text"),
            DraftValue("year", paper.year, "no year of publication, or several, in the text"),
            DraftValue(
                "title", paper.title, "no title in the text", ("The first line of the text.",)
            ),
            DraftValue("source", paper.source),
        ),
        lists={"samples": tuple(map(_sample, paper.facts.entries()))},
    )


def unclear_statements(paper: DraftPaper, document: Section) -> list[str]:
    """Return what belongs to no sample for certain, and is at no key of one."""
    samples = document.lists["samples"]
    shown = {value.key for sample in samples for value in sample.values if not value.value}
    return [
        f"{_fact_text(fact)}: {fact.text}"
        for fact in paper.facts.unclear
        if isinstance(fact, Remnant) or fact.key not in shown
    ]


def _sample(entry: DraftSample) -> Section:
    material = entry.material
    shell = "|".join(material.layers) or "none"
    is_known = UNKNOWN_SHELL not in material.layers
    values = [
        DraftValue("name", entry.name),
        DraftValue("core", material.core),
        DraftValue("composition", "open" if material.is_open else "exact"),
        DraftValue(
            "shell", shell if is_known else "", "no shell of a known name", is_required=True
        ),
    ]
    if material.layers:
        values.append(DraftValue("structure", entry.structure, _STRUCTURES, is_required=True))
    values += entry.values
    values += [DraftValue("bare", entry.bare)] if entry.bare else []
    lists = {"stability": tuple(map(_test, entry.tests))} if entry.tests else {}
    return Section(tuple(values), tuple(filter(None, [entry.sentence])), lists=lists)


def _test(test: DraftTest) -> Section:
    first = test.first
    sides = {name: side for name, side in (("coated", test.coated), ("bare", test.bare)) if side}
    choices = dict(first.doubts).get("stressor") or "the sentence names none"
    quality = next((side.quality for side in sides.values() if side.quality), "")
    stressor = f"stressor: {first.text}"
    values = [
        DraftValue("stressor", first.stressor, choices, is_required=True, statement=stressor),
        DraftValue("measure", first.measure),
        *(_checked(key, text) for key, text in first.conditions),
    ]
    optional = {"quality": quality, "shared_group": test.shared_group}
    values += [DraftValue(key, text) for key, text in optional.items() if text]
    return Section(
        tuple(values),
        tuple(dict.fromkeys(side.text for side in sides.values())),
        sides={name: _side(name, side) for name, side in sides.items()},
    )


def _checked(key: str, text: str, statement: str = "") -> DraftValue:
    """Return a value, or an empty one where a paper file cannot hold it."""
    fault = fault_of(key, text)
    value = "" if fault else text
    return DraftValue(key, value, fault, statement=statement or f"{key}: {fault}")


def _side(name: str, side: Remnant) -> Section:
    statement, duration = f"{name}: {side.text}", plain_duration(side)
    texts = {"duration": duration, "percent": side.percent}
    values = [_checked(key, text, statement) for key, text in texts.items() if text]
    if not duration:
        stated = dict(side.doubts).get("duration")
        doubt = f"duration: {stated}?" if stated else "the duration is not stated"
        values.insert(0, DraftValue("duration", "", doubt, statement=statement))
    return Section(tuple(values), (side.text,))


def values_of(samples: Sequence[Section]) -> int:
    """Return the number of optical values and sizes of samples."""
    return sum(bool(value.value) and value.key in OPTICS for one in samples for value in one.values)


def _fact_text(fact: Statement | Remnant) -> str:
    if isinstance(fact, Statement):
        return f"{fact.key} {fact.value}"
    parts = (fact.stressor or "stressor?", fact.duration or "duration?", fact.percent)
    return ", ".join(filter(None, parts))
