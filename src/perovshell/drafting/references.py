"""The samples of a text, and the words of a sentence that refer to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from perovshell.drafting.mentions import UNKNOWN_SHELL, Material, MaterialFinder, Mention
from perovshell.drafting.sentences import Sentence, TextTable

_WRAPPED: Final = (
    r"coat\w*|capp(?:ed|ing)|cover\w*|encapsulat\w*|embed\w*|wrapp\w*|enclos\w*|confin\w*"
    r"|incorporat\w*|precipitat\w*|dispers\w*|infus\w*|protect\w*|overgr\w+|grown|immobili\w+"
    r"|impregnat\w*|entrap\w*|trapp\w*|shell\w*|decorat\w*|loaded|integrat\w+|enwrap\w*|armou?r\w*"
)
_BEFORE_SHELL: Final = re.compile(
    rf"(?:\b(?:{_WRAPPED})\s(?:\S+\s){{0,4}}?(?:with|by|in|into|inside|within|of|from|onto)\s"
    r"|\b(?:inside|within|into|in)\s)(?:(?:an?|the|one|two)\s)?(?:[a-z-]+\s){0,2}$",
    re.IGNORECASE,
)
_BEHIND: Final = re.compile(
    r"[-\s](?:coat\w*|capped|encapsulat\w*|embedded|wrapped|protected|covered|shell\w*|overlayers?"
    r"|layers?|matri(?:x|ces)|hosts?|composites?|microspheres?|beads?|was loaded|is loaded"
    r"|frameworks?|film)\b"
    r"|(?=\s+(?:aerogel|glass)\b)",
    re.IGNORECASE,
)
_JOINED_NAME: Final = re.compile(
    r"(?:dots?|crystals?|cubes?|NCs?|QDs?)\s?[/@\u2013-]\s?(?:inorganic\s)?$", re.IGNORECASE
)
"""The name of a kind and a joint: `CsPbBr3 QDs/PMMA`."""
_ON_CORE: Final = re.compile(r"[-\s](?:shell\s)?(?:on|around|over)\s(?:\w+\s){0,2}$", re.IGNORECASE)
_COAT_WORDS: Final = re.compile(
    r"\b(?<!un)(?:coat(?:ed|ings?)|encapsulat\w+|embedd\w+|core[-/\u2013@]shell|hosts?|matri(?:x"
    r"|ces)"
    r"|(?:nano)?composites?|(?:nano)?-?(?-i:MOFs?)|frameworks?|confine\w*|mesoporous|glass(?:es)?"
    r"|heterostructures?|overlayers?|monoliths?|incorporated (?:in|into|within)|infiltrated"
    r"|impregnated"
    r"|loaded (?:in|into|with))\b|(?<!\bno )(?<!\bany )(?<!\bout a )\bshells?\b",
    re.IGNORECASE,
)
_KIND: Final = (
    r"(?:nano-?crystals?|nano-?cubes?|nano-?particles?|nano-?platelets?|quantum dots?|dots?"
    r"|cores?|P?NCs?"
    r"|P?QDs?|NPLs?|ones|films?|samples?|counterparts?|perovskites?|powders?|particles?)"
)
_BARE: Final = re.compile(
    rf"\b(?:bare|pristine|uncoated|unprotected|unencapsulated|un-encapsulated|naked|unshelled"
    rf"|untreated|unmodified"
    rf"|core-only|non-?coated|(?:pure|starting|original|parent|initial"
    rf"|control)(?=\s(?:\S+\s)?{_KIND}\b))\b"
    rf"|\b{_KIND}\salone\b"
    r"|\b(?:without|before|prior to|in the absence of)\s(?:(?:an?|the|any|its|their)\s)?(?:\S+\s)?"
    r"(?:shells?|coating|encapsulation|embedding|framework|matrix|protection|shell growth"
    r"|overgrowth)\b",
    re.IGNORECASE,
)
_COATED: Final = re.compile(
    r"(?<!un)(?<!-)\b(?:\w+ly\s)?(?:coated|encapsulated|embedded|protected)\b"
    r"|\bcore[-/\u2013@]shell\b|\bcomposites?\b"
    r"|\b(?:after|upon|on|by|following|through|with)\s(?:(?:the|a|its|their)\s)?(?:\S+\s)?"
    r"(?:coating|encapsulation|embedding|shell growth|overgrowth|shell formation"
    r"|passivation shell)\b"
    r"|\bJanus (?:nano)?particles?\b|\bwith (?:it\b|(?:the|a) (?:shell|coating|framework)\b)",
    re.IGNORECASE,
)
_TOGETHER: Final = re.compile(
    rf"[\s\-\u2013,/@]*(?:(?:{_WRAPPED}|{_KIND}|in|into|inside|with|by|an?|the|were|was|are|is|on"
    rf"|as|of|matrix|host"
    rf"|composites?|janus|core/shell|core-shell|green|red|blue|\w+ly|quantum|inorganic)[\s\-/@]*)*",
    re.IGNORECASE,
)
_GENERAL: Final = {
    "polymer": "polymer",
    "glass": "glass",
    "zeolite": "zeolite",
    "porous metal oxide": "oxide",
}
"""Names of shells that are words for a class of materials, with the class."""
_GAP: Final = 60
"""Most characters between words of one reference."""


@dataclass(frozen=True)
class Reference:
    """Words of a sentence that refer to samples.

    Attributes:
        start: Where they begin.
        end: Where they end.
        samples: The samples that they may mean; exactly one where they are definite.
        is_plain: Whether they name the core alone, which may be coated or not.
    """

    start: int
    end: int
    samples: tuple[Material, ...]
    is_plain: bool = False

    @property
    def sample(self) -> Material | None:
        """The sample where it is definite."""
        return self.samples[0] if len(self.samples) == 1 else None


@dataclass(frozen=True)
class Samples:
    """The samples of a text.

    Attributes:
        coated: Cores with their shells.
        cores: The cores of these, or all where there are none.
        others: Cores that no coated sample has.
    """

    coated: tuple[Material, ...]
    cores: tuple[Material, ...]
    others: tuple[Material, ...] = ()

    @classmethod
    def of(cls, parts: Sequence[Sentence | TextTable], finder: MaterialFinder) -> Samples:
        """Return the samples that the sentences and tables of a text name."""
        sentences = [part for part in parts if isinstance(part, Sentence)]
        mentions = [finder.find(sentence.text) for sentence in sentences]
        listed = [
            finder.find(row[0])
            for part in parts
            if isinstance(part, TextTable)
            for row in part.rows
        ]
        materials = [mention.material for found in (*mentions, *listed) for mention in found]
        named = [material for material in materials if material.core]
        whole = _distinct(material for material in named if material.layers)
        cores = _distinct(replace(material, layers=()) for material in named)
        pairs: list[Material] = []
        for sentence, in_sentence in zip(sentences, mentions, strict=True):
            pairs += _pairs(sentence.text, in_sentence, cores)
        known = {layer for material in whole for layer in material.layers}
        pairs = [pair for pair in _distinct(pairs) if pair.layers[0] not in known]
        coated = _specific(_in_order([*whole, *pairs], finder), finder.class_of)
        if not coated and any(map(_COAT_WORDS.search, _texts(sentences))):
            coated = [replace(core, layers=(UNKNOWN_SHELL,)) for core in cores]
        used = _distinct(replace(material, layers=()) for material in coated)
        layers = {layer for material in coated for layer in material.layers}
        others = [core for core in cores if used and core not in used and core.core not in layers]
        return cls(tuple(coated), tuple(used or cores), tuple(others))

    @property
    def all(self) -> tuple[Material, ...]:
        """Coated samples, then bare ones."""
        return (*self.coated, *self.cores, *self.others)

    def references(self, text: str, mentions: Iterable[Mention]) -> list[Reference]:
        """Return the words of a sentence that refer to samples, in order.

        Args:
            text: The sentence.
            mentions: The materials that it names.
        """
        references = [*self._bare(text), *self._of_mentions(mentions), *self._coated(text)]
        references.sort(key=lambda reference: (reference.start, -reference.end))
        joined: list[Reference] = []
        for reference in references:
            if joined and reference.start < joined[-1].end:
                both = _intersection(joined[-1], reference)
                joined[-1] = both or joined[-1]
                continue
            both = _joined(text, joined[-1], reference) if joined else None
            joined[-1:] = [both] if both else [*joined[-1:], reference]
        any_bare = (*self.cores, *self.others)
        return [
            replace(reference, samples=self.cores) if reference.samples == any_bare else reference
            for reference in joined
        ]

    def _bare(self, text: str) -> list[Reference]:
        bare = (*self.cores, *self.others)
        return [Reference(match.start(), match.end(), bare) for match in _BARE.finditer(text)]

    def _coated(self, text: str) -> list[Reference]:
        found = _COATED.finditer(text) if self.coated else ()
        return [Reference(match.start(), match.end(), self.coated) for match in found]

    def _of_mentions(self, mentions: Iterable[Mention]) -> list[Reference]:
        references = []
        for mention in mentions:
            samples = self._meant(mention.material)
            is_plain = bool(mention.material.core) and not mention.material.layers
            if samples:
                references.append(Reference(mention.start, mention.end, samples, is_plain=is_plain))
        return references

    def _meant(self, material: Material) -> tuple[Material, ...]:
        if material in self.coated:
            return (material,)
        if material.layers and material.core:
            cores = {material.core, *material.layers}
            return tuple(sample for sample in self.coated if sample.core in cores)
        if material in self.others:
            return (material, replace(material, layers=(UNKNOWN_SHELL,)))
        if material.core:
            return tuple(sample for sample in self.all if sample.core == material.core)
        return tuple(sample for sample in self.coated if material.layers[0] in sample.layers)


def _joined(text: str, first: Reference, second: Reference) -> Reference | None:
    """Return two references as one where their words belong together."""
    between = text[first.end : second.start]
    if len(between) > _GAP or _TOGETHER.fullmatch(between) is None:
        return None
    if not first.is_plain and not second.is_plain and "," in between:
        return None
    return _intersection(first, second)


def _intersection(first: Reference, second: Reference) -> Reference | None:
    samples = tuple(sample for sample in first.samples if sample in second.samples)
    is_plain = first.is_plain and second.is_plain
    start, end = min(first.start, second.start), max(first.end, second.end)
    return Reference(start, end, samples, is_plain=is_plain) if samples else None


def _pairs(text: str, mentions: Sequence[Mention], cores: Sequence[Material]) -> list[Material]:
    """Return the coated samples that a sentence describes in words."""
    named = _distinct(
        replace(mention.material, layers=()) for mention in mentions if mention.material.core
    )
    candidates = named or (cores if len(cores) == 1 else [])
    layers = [
        mention.material.layers[0]
        for mention in mentions
        if not mention.material.core and _is_shell(text, mention, mentions)
    ]
    if len(candidates) != 1 and len(set(layers)) != 1:
        return []
    return [
        replace(core, layers=(layer,)) for layer in dict.fromkeys(layers) for core in candidates
    ]


def _specific(coated: Sequence[Material], class_of: Callable[[str], str]) -> list[Material]:
    """Return samples without those whose shell is the general word for that of another."""
    classes = {
        (material.core, class_of(layer))
        for material in coated
        for layer in material.layers
        if layer not in _GENERAL
    }
    return [
        material
        for material in coated
        if material.layers[0] not in _GENERAL
        or (material.core, _GENERAL[material.layers[0]]) not in classes
    ]


def _in_order(coated: Iterable[Material], finder: MaterialFinder) -> list[Material]:
    """Return samples with the emitter as the core, as CsPbBr3 of `Cs4PbBr6/CsPbBr3`."""
    samples = [*coated]
    turned = [finder.turned(sample) for sample in samples]
    known = {*samples}
    return _distinct(
        sample
        if other is None
        else other
        if other in known
        else replace(other, layers=(UNKNOWN_SHELL,))
        for sample, other in zip(samples, turned, strict=True)
    )


def _is_shell(text: str, mention: Mention, mentions: Sequence[Mention]) -> bool:
    """Whether the words around a material say that it is a shell or a host."""
    before, behind = text[max(0, mention.start - 70) : mention.start], text[mention.end :]
    if any(other.start == mention.end + 1 and not other.material.core for other in mentions):
        return False  # "silica aerogel" is an aerogel.
    if re.search(r"\b(?:without|no)\s(?:an?\s|the\s)?$", before):
        return False
    if _BEHIND.match(behind) or _BEFORE_SHELL.search(before) or _JOINED_NAME.search(before):
        return True
    return any(
        other.material.core and _ON_CORE.fullmatch(text[mention.end : other.start])
        for other in mentions
        if mention.end < other.start <= mention.end + _GAP
    )


def _distinct(materials: Iterable[Material]) -> list[Material]:
    return list(dict.fromkeys(materials))


def _texts(sentences: Iterable[Sentence]) -> list[str]:
    return [sentence.text for sentence in sentences]
