"""Materials that a sentence names: cores, shells, and whole samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from perovshell.data.formula import FormulaReader
from perovshell.data.grammar import split_outside_brackets
from perovshell.data.open_formula import leaves_open
from perovshell.errors import InputError

_TOKEN: Final = re.compile(
    r"(?<![\w@/])[A-Z(\[][A-Za-z0-9()\[\]{}.,@/|+\u2013\u2014_:-]{2,80}(?![a-z])"
)
_TAIL: Final = re.compile(
    r"[-\u2013\u2014_](?:P?NCs?|NPs?|NRs?|NWs?|P?QDs?|NPLs?|nano\w+|quantum|based|coated|doped\w*"
    r"|dots?|films?|core\w*).*$"
)
_A_SITES: Final = {
    r"c(?:a?e)sium": "Cs",
    "formamidinium": "FA",
    "methylammonium": "MA",
    "rubidium": "Rb",
}
_B_SITES: Final = {"lead": "Pb", "tin": "Sn"}
_X_SITES: Final = {
    r"tri-?bromide|bromide": "Br3",
    r"tri-?iodide|iodide": "I3",
    r"tri-?chloride|chloride": "Cl3",
    r"tri-?halide|halide": "X3",
}
_NAME: Final = re.compile(
    rf"\b(?:{'|'.join(_A_SITES)})[ -](?:{'|'.join(_B_SITES)})[ -](?:{'|'.join(_X_SITES)})s?\b",
    re.IGNORECASE,
)
_WORD_LETTERS: Final = re.compile(r"[a-z]{3}")
_LONGEST_NAME: Final = 60
UNKNOWN_SHELL: Final = "?"
"""The layer of a coated sample whose shell has no known name."""


@dataclass(frozen=True)
class Material:
    """A core, with its shell where one is named.

    Attributes:
        core: Its formula; empty where a shell alone is named.
        layers: Standard names of the layers, from the inside out.
        is_open: Whether the formula leaves amounts open.
    """

    core: str
    layers: tuple[str, ...] = ()
    is_open: bool = False


@dataclass(frozen=True)
class Mention:
    """A material where a sentence names it.

    Attributes:
        start: Where it begins in the sentence.
        end: Where it ends.
        material: The material.
    """

    start: int
    end: int
    material: Material


@dataclass(frozen=True)
class MaterialFinder:
    """Finds the materials that sentences name.

    Attributes:
        formulas: Reads formulas, and knows the names of shells.
    """

    formulas: FormulaReader
    _cores: dict[str, Material | None] = field(default_factory=dict, compare=False, repr=False)
    _layers: dict[str, str] = field(default_factory=dict, compare=False, repr=False)

    def find(self, text: str) -> list[Mention]:
        """Return the cores, shells and whole samples of a sentence, in order.

        Args:
            text: The sentence.

        Examples:
            >>> finder = MaterialFinder(FormulaReader.bundled())
            >>> [mention.material.core for mention in finder.find("MAPbBr3 QDs and CsPbI3@SiO2")]
            ['MAPbBr3', 'CsPbI3']
        """
        mentions = [*self._formulas(text), *self._names(text)]
        taken = [range(mention.start, mention.end) for mention in mentions]
        mentions.extend(
            mention
            for mention in self._shells(text)
            if not any(mention.start in span for span in taken)
        )
        return sorted(mentions, key=lambda mention: mention.start)

    def core(self, text: str) -> Material | None:
        """Return the core that a formula names, None where it names none."""
        if text not in self._cores:
            self._cores[text] = self._read_core(text)
        return self._cores[text]

    def _read_core(self, text: str) -> Material | None:
        formula = self._formula(text)
        if formula:
            return Material(formula)
        return Material(text, is_open=True) if self._is_open(text) else None

    def _is_open(self, text: str) -> bool:
        """Whether a text is a core that leaves amounts or ions open."""
        if not leaves_open(text):
            return False
        try:
            self.formulas.read_open(text)
        except InputError:
            return False
        return True

    def _formula(self, text: str) -> str:
        """Return the standard formula of a core; empty where a text names none."""
        try:
            composition = self.formulas.read_core(text)
        except InputError:
            return ""
        return "" if composition.is_metal else composition.formula

    def class_of(self, layer: str) -> str:
        """Return the class of a shell material; empty where it is not listed."""
        material = self.formulas.shells.find(layer)
        return "" if material is None else material.material_class

    def turned(self, sample: Material) -> Material | None:
        """Return a sample with core and shell exchanged, where the shell is the perovskite ABX3."""
        if len(sample.layers) != 1 or self.class_of(sample.layers[0]) != "perovskite-like":
            return None
        layer = self.core(sample.layers[0])
        if layer is None or not _is_abx3(layer.core) or _is_abx3(sample.core):
            return None
        return Material(layer.core, (sample.core,))

    # Formulas and whole samples ----------------------------------------------------------------

    def _formulas(self, text: str) -> Iterator[Mention]:
        for match in _TOKEN.finditer(text):
            written = _trimmed(match[0])
            start = match.start() + match[0].index(written) if written else match.start()
            material = self._material(written)
            if material:
                yield Mention(start, start + len(written), material)

    def _material(self, written: str) -> Material | None:
        """Read a formula, or a whole sample such as `CsPbBr3@SiO2` or `CsPbBr3/CdS`."""
        parts = split_outside_brackets(written.replace("|", "/"), "@/")
        core = self.core(parts[0]) or self.core(_TAIL.sub("", parts[0]))
        if core is None:
            return self._joined(written) if len(parts) == 1 else None
        layers = tuple(self._layer(_TAIL.sub("", part)) for part in parts[1:])
        return Material(core.core, layers if all(layers) else (UNKNOWN_SHELL,), core.is_open)

    def _joined(self, written: str) -> Material | None:
        """Read a core and a shell with a dash between them."""
        for joint in re.finditer(r"[-\u2013\u2014]", written):
            core = self.core(written[: joint.start()])
            if core is not None:
                layer = self._layer(_TAIL.sub("", written[joint.end() :]))
                return Material(core.core, (layer,) if layer else (), core.is_open)
        return None

    def _layer(self, written: str) -> str:
        """Return the standard name of a layer; a perovskite is one too. Empty where it is none."""
        if written not in self._layers:
            try:
                self._layers[written] = self.formulas.read_shell(written)[0].name
            except (InputError, IndexError):
                self._layers[written] = ""
        return self._layers[written]

    # Names -------------------------------------------------------------------------------------

    def _names(self, text: str) -> Iterator[Mention]:
        for match in _NAME.finditer(text):
            words = re.split(r"[ -]", match[0], maxsplit=2)
            sites = zip((_A_SITES, _B_SITES, _X_SITES), words, strict=True)
            formula = "".join(_symbol(symbols, word) for symbols, word in sites)
            material = self.core(formula)
            if material:
                yield Mention(match.start(), match.end(), material)

    def _shells(self, text: str) -> Iterator[Mention]:
        mentions: list[Mention] = []
        for match in self._shell_names.finditer(text):
            name = self._shell_of(match[0])
            before = mentions[-1] if mentions else None
            if before and text[before.end : match.start()] in {"/", "-", "\u2013"}:
                # "silica/alumina" is one material.
                written = f"{text[before.start : before.end]}-{match[0]}"
                name = self._shell_of(written) or UNKNOWN_SHELL
                mentions[-1] = Mention(before.start, match.end(), Material("", (name,)))
            elif name:
                mentions.append(Mention(match.start(), match.end(), Material("", (name,))))
        yield from mentions

    def _shell_of(self, written: str) -> str:
        material = self.formulas.shells.find(written)
        if material is None or material.material_class == "perovskite-like":
            return ""
        is_word = _WORD_LETTERS.search(written) is not None
        exact = written in self._spellings
        return material.name if exact or is_word else ""

    @cached_property
    def _spellings(self) -> Mapping[str, str]:
        """The names and aliases of the shell table as they are written there."""
        rows = self.formulas.shells.shell_rows
        return {
            spelling.strip(): row["name"]
            for row in rows
            for spelling in (row["name"], *row["aliases"].split(";"))
            if 1 < len(spelling.strip()) <= _LONGEST_NAME
        }

    @cached_property
    def _shell_names(self) -> re.Pattern[str]:
        """The spellings, the longest first; words in any case."""
        longest_first = sorted(self._spellings, key=len, reverse=True)
        forms = [
            f"(?i:{re.escape(name)})" if _WORD_LETTERS.search(name) else re.escape(name)
            for name in longest_first
        ]
        return re.compile(rf"(?<!\w)(?:{'|'.join(forms)})(?![\w@])")


def _is_abx3(formula: str) -> bool:
    """Whether a formula is that of a perovskite: three halides a metal, one A site."""
    return re.search(r"\d", formula.rstrip("0123456789.")) is None and formula.endswith("3")


def _symbol(symbols: Mapping[str, str], word: str) -> str:
    word = word.casefold()
    return next(
        (symbol for name, symbol in symbols.items() if re.fullmatch(rf"(?:{name})s?", word)), ""
    )


def _trimmed(written: str) -> str:
    """Return a token without the punctuation and the brackets of the sentence around it."""
    pairs = {"(": ")", "[": "]"}
    while written:
        last, first = written[-1], written[0]
        if last in ".,:-/@|\u2013\u2014_+" or (
            last in ")]" and written.count(last) > written.count("(["[")]".index(last)])
        ):
            written = written[:-1]
        elif first in pairs and written.count(first) > written.count(pairs[first]):
            written = written[1:]
        elif first == "(" and last == ")" and _closes(written):
            written = written[1:-1]
        else:
            break
    return written


def _closes(written: str) -> bool:
    """Whether the first bracket of a token is closed by its last sign."""
    depth = 0
    for index, letter in enumerate(written):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return index == len(written) - 1
    return False
