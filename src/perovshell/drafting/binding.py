"""Which sample a number of a sentence belongs to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Final

from perovshell.drafting.mentions import Material
from perovshell.drafting.naming import named_quantities
from perovshell.drafting.quantities import SIZE, Quantity
from perovshell.drafting.references import Reference, Samples
from perovshell.drafting.stressors import find_stresses

_CONTRAST: Final = re.compile(
    r"(?:,?\s)?\b(?:whereas|while|but|although|though|(?:in|by) contrast(?! (?:to|with)))\b|;|:\s"
    r"|,\sand\s(?=(?:the\s)?(?:bare|pristine|uncoated)\b)",
    re.IGNORECASE,
)
_FIRST_PART: Final = re.compile(r"(?:While|Whereas|Although|Though)\b[^,;]*(?=,)")
"""A sentence that begins with a contrast, up to its comma."""
_COMPARISON: Final = re.compile(
    r"\((?:as )?(?:compared|against|versus|vs|than|instead|up from|bare|pristine|uncoated)\b"
    r"[^()]*\d[^()]*\)"
    r"|(?:\b(?:than(?!\s?[~\d])|versus|vs\b\.?|unlike|as opposed to|(?:as )?compared (?:with|to)"
    r"|as against|in (?:comparison|contrast) (?:with|to)|up from|relative to)"
    r"|(?<=,\s)(?:against|and (?:that|those)))\b(?:[^,;()]|\([^()]*\))*",
    re.IGNORECASE,
)
"""What the rest of a sentence is compared with, up to the next comma."""
_BY_OTHERS: Final = re.compile(
    r"\b(?:previous(?:ly)?|earlier|literature|others|et al|prior (?:work|art|reports?)"
    r"|state[- ]of[- ]the[- ]art"
    r"|(?:are|is|was|were|has been|have been) reported (?:for|by|in|to)|reported (?:values?|by"
    r"|so far)"
    r"|usual(?:ly)?|typical(?:ly)?|often|commonly|generally|in general|theoretical\w*|calculated"
    r"|not (?:reach|exceed|show|obtain)|commercial\w*|conventional\w*)\b|\[\d+\]",
    re.IGNORECASE,
)
_TO_BEHIND: Final = re.compile(
    r"(?:\s?\()?[\s,]*(?:of (?:its|their|the)(?: [\w-]+){1,4})?\s?"
    r"(?:(?:(?:was|were|is|are) \w+ )?(?:for|of|in|from|by|with|on)\s)?(?:the\s"
    r"|that of (?:the\s)?|those of (?:the\s)?|only\s)*"
    r"(?:green\s|red\s|blue\s)?",
    re.IGNORECASE,
)
_WITH_PREPOSITION: Final = re.compile(r"\b(?:for|of|in|from|by|on)\b|\(\s?$", re.IGNORECASE)
_STATE: Final = re.compile(r"(?:after|before|upon|on|without|by|with|prior)\b", re.IGNORECASE)
_FROM: Final = re.compile(r"\bfrom\s$", re.IGNORECASE)
_TO: Final = re.compile(r"\s(?:[^,;.]{0,50}\s)?to\s", re.IGNORECASE)
_AFTER_COATING: Final = re.compile(
    r"\b(?:after|upon|on|by|with|following|through|when|once)\b[^,;.]{0,30}"
    r"\b(?:coat\w*|encapsulat\w+|embedd\w+|shell\w*|overgrowth)\b",
    re.IGNORECASE,
)
_AND: Final = re.compile(r"\s?(?:,|,?\s?and|or)?\s?")
_RESPECTIVELY: Final = re.compile(r"\brespectively\b", re.IGNORECASE)
_NEAR: Final = 75
"""Most characters between a number and the sample behind it."""
_PERSISTENCE: Final = 3
"""Sentences without a sample for which the sample before them stays the subject."""
_PRONOUN: Final = re.compile(r"(?:they|their|these|it|its|this|both)\b", re.IGNORECASE)
"""What begins a sentence on the bare sample of the sentence before it."""
_DEVICE: Final = re.compile(
    r"(?:An?\s(?:white|blue|green|red)\b|(?:(?:the|an?|our|these|such)\s)?(?:[\w-]+\s){0,2}?"
    r"(?:solar cells?|devices?|w?-?LEDs?|diodes?|displays?|lasers?|chips?|photodetectors?)\b)",
    re.IGNORECASE,
)
"""A device as the subject of a sentence: its numbers are those of no sample."""


@dataclass(frozen=True)
class Clause:
    """A part of a sentence between words of contrast.

    Attributes:
        start: Where it begins.
        end: Where it ends.
        is_contrast: Whether a word of contrast begins it.
        is_compared: Whether it names what the rest of the sentence is compared with.
        holes: Begins and ends of comparisons in brackets within it.
    """

    start: int
    end: int
    is_contrast: bool = False
    is_compared: bool = False
    holes: tuple[tuple[int, int], ...] = ()

    def __contains__(self, position: int) -> bool:
        """Whether a position is in this part, and in no comparison in brackets within it."""
        in_hole = any(start <= position < end for start, end in self.holes)
        return self.start <= position < self.end and not in_hole


@dataclass(frozen=True)
class Reading:
    """A sentence with what it refers to.

    Attributes:
        text: The sentence.
        references: Words that refer to samples.
        quantities: Numbers with their kinds.
        samples: The samples of the text.
        focus: The samples that the sentences before it are about.
    """

    text: str
    references: tuple[Reference, ...]
    quantities: tuple[Quantity, ...]
    samples: Samples
    focus: tuple[Material, ...] = ()

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        """The parts between words of contrast."""
        holes = tuple(match.span() for match in _COMPARISON.finditer(self.text))
        starts = [match.start() for match in _CONTRAST.finditer(self.text)]
        first = _FIRST_PART.match(self.text)
        starts += [first.end()] if first else []
        starts = sorted({start for start in starts if start > 0 and not _is_in(start, holes)})
        edges = pairwise([0, *starts, len(self.text)])
        outer = [Clause(start, end, start > 0, holes=holes) for start, end in edges]
        return (*outer, *(Clause(*hole, is_contrast=True, is_compared=True) for hole in holes))

    def clause_at(self, position: int) -> Clause:
        """Return the clause around a position."""
        return next((clause for clause in self.clauses if position in clause), self.clauses[0])

    def is_by_others(self, position: int) -> bool:
        """Whether the clause around a position tells of other works, or of what is usual."""
        clause = self.clause_at(position)
        matches = _BY_OTHERS.finditer(self.text, clause.start, clause.end)
        return any(match.start() in clause for match in matches)

    @cached_property
    def is_of_a_device(self) -> bool:
        """Whether a device is the subject of the sentence."""
        return _DEVICE.match(self.text) is not None

    @cached_property
    def is_listed(self) -> bool:
        """Whether the sentence lists values "respectively"."""
        return _RESPECTIVELY.search(self.text) is not None

    @cached_property
    def definite(self) -> tuple[Material, ...]:
        """The samples that it names for certain, in order."""
        samples = [reference.sample for reference in self.references]
        return tuple(dict.fromkeys(sample for sample in samples if sample is not None))

    @cached_property
    def subjects(self) -> tuple[Material, ...]:
        """The samples that it is about: the definite ones but those of comparisons."""
        samples = [
            reference.sample
            for reference in self.references
            if not self.clause_at(reference.start).is_compared
        ]
        return tuple(dict.fromkeys(sample for sample in samples if sample is not None))

    @cached_property
    def _by_list(self) -> dict[Quantity, Material]:
        """The samples of values that are listed in the order of the samples."""
        lists: dict[Quantity, Material] = {}
        for alike in self._coordinated:
            samples = self._named_before(alike[0]) if self.references else self.focus
            if self.is_listed and len(samples) != len(alike):
                samples = self.definite
            if len(alike) == len(samples):
                lists |= dict(zip(alike, samples, strict=True))
        return lists

    @cached_property
    def _coordinated(self) -> list[list[Quantity]]:
        """The numbers of one kind that are listed: "5 % and 90 %", or all in a list of lists."""
        groups: list[list[Quantity]] = []
        for kind in {quantity.kind for quantity in self.quantities}:
            alike = [quantity for quantity in self.quantities if quantity.kind == kind]
            groups.append(alike[:1])
            for first, second in pairwise(alike):
                between = self.text[first.end : second.start]
                if self.is_listed or _AND.fullmatch(between):
                    groups[-1].append(second)
                else:
                    groups.append([second])
        return [group for group in groups if len(group) > 1]

    def _named_before(self, quantity: Quantity) -> tuple[Material, ...]:
        """Return the samples that the clause of a number names in front of it."""
        clause = self.clause_at(quantity.start)
        samples = [
            reference.sample
            for reference in self.references
            if reference.start in clause and reference.end <= quantity.start
        ]
        return tuple(dict.fromkeys(sample for sample in samples if sample is not None))

    # Samples -----------------------------------------------------------------------------------

    def sample_of(self, quantity: Quantity) -> Material | None:
        """Return the sample of a number; None where it is not clear."""
        if quantity in self._by_list:
            return self._by_list[quantity]
        if len(self._named_before(quantity)) > 1 and self._is_in_list(quantity):
            return None
        changed = self._changed(quantity)
        if changed is not None:
            return changed
        return self.sample_at(quantity.start, quantity.end, quantity.kind)

    def _is_in_list(self, quantity: Quantity) -> bool:
        return any(quantity in group for group in self._coordinated)

    def _changed(self, quantity: Quantity) -> Material | None:
        """Return the sample of a value that coating changes: "from 62 % to 84 % after coating"."""
        alike = [other for other in self.quantities if other.kind == quantity.kind]
        for first, second in pairwise(alike):
            is_change = _FROM.search(self.text[: first.start]) and _TO.fullmatch(
                self.text[first.end : second.start]
            )
            if quantity in {first, second} and is_change and self._is_coating:
                coated = self.samples.coated[0]
                return coated if quantity == second else replace(coated, layers=())
        return None

    @property
    def _is_coating(self) -> bool:
        """Whether the sentence tells of coating, and of nothing else that changes a sample."""
        is_stress = find_stresses(self.text, self.quantities)
        has_one = len(self.samples.coated) == 1
        return has_one and not is_stress and _AFTER_COATING.search(self.text) is not None

    def sample_at(self, start: int, end: int, kind: str = "") -> Material | None:
        """Return the sample that words of the sentence are about; None where it is not clear.

        Args:
            start: Where they begin.
            end: Where they end.
            kind: The kind of a quantity.
        """
        clause = self.clause_at(start)
        reference = self._behind(end, clause) or self._in_clause(start, clause)
        if reference is not None:
            return reference.sample or self._plain(reference, clause, kind)
        return None if clause.is_compared else self._in_sentence(kind)

    def _behind(self, end: int, clause: Clause) -> Reference | None:
        """Return the reference right behind a number: "62 % for the pristine NCs"."""
        for reference in self.references:
            if not end <= reference.start < end + _NEAR or reference.start not in clause:
                continue
            between = self.text[end : reference.start]
            words = self.text[reference.start : reference.end]
            is_joined = _TO_BEHIND.fullmatch(between) is not None
            is_state = _STATE.match(words) is not None and not between.strip(" ")
            if is_joined and (is_state or _WITH_PREPOSITION.search(between)):
                return reference
            return None
        return None

    def _in_clause(self, start: int, clause: Clause) -> Reference | None:
        """Return the nearest reference in front of a number, or the only one of its clause."""
        inside = [reference for reference in self.references if reference.start in clause]
        before = [reference for reference in inside if reference.end <= start]
        definite = [reference for reference in before if reference.sample is not None]
        if definite and before[-1].is_plain and before[-1].sample is None:
            return definite[-1] if self._is_of(before[-1], definite[-1]) else before[-1]
        if before:
            return before[-1]
        others = {reference.sample for reference in inside if not reference.is_plain}
        return inside[0] if inside and (len(others) == 1 or len(inside) == 1) else None

    def _is_of(self, plain: Reference, definite: Reference) -> bool:
        return definite.sample in plain.samples

    def _plain(self, reference: Reference, clause: Clause, kind: str) -> Material | None:
        """Return the sample that the name of a core alone means."""
        if not reference.is_plain:
            return None
        coated = [sample for sample in reference.samples if sample.layers]
        bare = [sample for sample in reference.samples if not sample.layers]
        if kind == SIZE and len(coated) == 1:
            return coated[0]
        outside = [
            other
            for other in self.references
            if other.start not in clause and other.sample in coated
        ]
        return bare[0] if outside and len(bare) == 1 and self._is_compared else None

    @property
    def _is_compared(self) -> bool:
        """Whether a word of contrast divides the sentence."""
        return len(self.clauses) > 1 and any(other.is_contrast for other in self.clauses)

    def _in_sentence(self, kind: str) -> Material | None:
        main = [
            reference
            for reference in self.references
            if not self.clause_at(reference.start).is_compared
        ]
        if not main:
            return self.focus[0] if len(self.focus) == 1 else None
        if len(self.subjects) == 1:
            return self.subjects[0]
        return self._plain(main[0], self.clauses[0], kind) if len(main) == 1 else None


def _is_in(position: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(start <= position < end for start, end in spans)


def read_sentences(
    sentences: Iterable[tuple[str, Sequence[Reference]]], samples: Samples
) -> Iterator[Reading]:
    """Yield the sentences of a text with the samples that each may be about.

    Args:
        sentences: Sentences and their references, in order.
        samples: The samples of the text.
    """
    focus: tuple[Material, ...] = ()
    age = 0
    only = samples.all if len(samples.all) == 1 else ()
    for text, references in sentences:
        is_new = _DEVICE.match(text) is not None
        is_kept = age < _PERSISTENCE and not is_new
        is_bare = bool(samples.coated) and not all(sample.layers for sample in focus)
        kept = focus if is_kept and (not is_bare or _PRONOUN.match(text)) else ()
        reading = Reading(
            text, tuple(references), tuple(named_quantities(text)), samples, kept or only
        )
        yield reading
        definite = [reference for reference in references if reference.sample is not None]
        if definite:
            focus, age = reading.subjects, 0
        elif references:
            focus = ()
        else:
            age += 1
