"""Why a text is no formula of a core, and what to write instead."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

_PHASE: Final = re.compile(
    r"(?P<phase>[αβγδ]|alpha|beta|gamma|delta|cubic|tetragonal|orthorhombic|hexagonal|monoclinic"
    r"|black|yellow|2H|3C)[-\u2010-\u2015\s]+(?P<core>.+)",
    re.IGNORECASE,
)
_NO_PEROVSKITES: Final = frozenset({"δ", "delta", "hexagonal", "yellow", "2h"})
"""Phases of other structures than the perovskite's."""
_MARKUP: Final = re.compile(
    r"</?sub>|\\(?:ce|mathrm|rm)|[\s$_^*\\{}\u2020\u2021\u00ad\u200b-\u200d\u2060\ufeff]|^['\"]|['\"]$"
)
"""What a page, a spreadsheet or TeX writes around symbols and amounts."""
_SUPERSCRIPT: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_DOPANT: Final = re.compile(
    r"(?P<left>.+?)(?:\s*[:\uff1a]\s*|[-\s]doped[-\s]+)(?P<right>.+)", re.IGNORECASE
)
_EXPONENT: Final = re.compile(r"\d(?:\.\d+)?[eE][-+\u2212]?\d+")
_LAYERS: Final = re.compile(r"(?<![A-Za-z])?n\s*[-+\u2212\u2010-\u2015]\s*1(?!\d)")
_CHARGE: Final = re.compile(
    r"[A-Z][a-z]?(?:\d[+]|[+]{1,3}|[\u00b9\u00b2\u00b3\u2070-\u2079]*\u207a)"
)
_JOINTS: Final = re.compile(
    r"\s*(?:[-\u2010-\u2015\u2212|@/\\&+:#\u00b7\u2022\u2192\u2282\u2283\u2229]|\s(?:in|on|with|and)\s)\s*"
)
"""What stands between two materials."""


@dataclass(frozen=True)
class Hints:
    """Finds what is meant by a text that cannot be read as a core.

    Attributes:
        is_core: Whether a text is the formula of a core.
        shell_of: The standard name of a shell, empty where a text names none.
        known_cores: Formulas of known cores by their letters in lower case.
    """

    is_core: Callable[[str], bool]
    shell_of: Callable[[str], str]
    known_cores: Mapping[str, str]

    def core(self, text: str) -> str:
        """Return why a text is no core and what to write; empty where it is not known."""
        return next(self._of_core(text), "")

    def shell(self, layer: str) -> str:
        """Return why a text is no shell layer and what to write; empty where it is not known."""
        for joint in _JOINTS.finditer(layer):
            parts = [*map(self.shell_of, (layer[: joint.start()], layer[joint.end() :]))]
            if all(parts):
                return f"two materials; write layers from the inside out, as {'|'.join(parts)}"
        return ""

    def _of_core(self, text: str) -> Iterator[str]:
        yield from _strange_letters(text)
        yield from self._phase(text)
        yield from self._two_materials(text)
        yield from self._dopant(text)
        exponent = _EXPONENT.search(text)
        if exponent:
            yield (
                f"amount {exponent[0]!r} has an exponent; write a decimal, and leave out an ion "
                f"that is not there"
            )
        if _LAYERS.search(text):
            yield "n is left open; write each amount as a number, as (PEA)2MAPb2I7 for n = 2"
        charge = _CHARGE.search(text)
        if charge:
            yield f"{charge[0]!r} has a charge; write the symbol of the ion alone"
        yield from self._words(text)
        plain = _MARKUP.sub("", text.translate(_SUPERSCRIPT))
        if plain != text and self.is_core(plain):
            yield f"blanks or signs that are no part of a formula; write {plain}"
        if text.casefold() in self.known_cores:
            yield f"capitals count in a formula; write {self.known_cores[text.casefold()]}"

    def _phase(self, text: str) -> Iterator[str]:
        """γ-CsPbI3, cubic CsPbBr3; δ-CsPbI3 and 2H-FAPbI3 are no perovskites."""
        phase = _PHASE.fullmatch(text)
        if phase and self.is_core(phase["core"]):
            if phase["phase"].lower() in _NO_PEROVSKITES:
                yield f"phase {phase['phase']!r} is no perovskite and not answered"
            yield f"phase {phase['phase']!r} is no part of a formula; write {phase['core']}"

    def _dopant(self, text: str) -> Iterator[str]:
        """Mn:CsPbCl3, CsPbCl3:Mn2+, Mn-doped CsPbCl3."""
        match = _DOPANT.fullmatch(text)
        if match:
            for core, dopant in ((match["right"], match["left"]), (match["left"], match["right"])):
                if self.is_core(core):
                    yield (
                        f"{dopant!r} is written as a dopant; write core {core} and "
                        f"{_element(dopant)} in the column dopant"
                    )

    def _two_materials(self, text: str) -> Iterator[str]:
        """CsPbBr3-SiO2, SiO2@CsPbBr3, CsPbBr3 | CsPb2Br5."""
        for joint in _JOINTS.finditer(text):
            left, right = text[: joint.start()], text[joint.end() :]
            if self.is_core(left) and self.shell_of(right):
                shell = self.shell_of(right)
                yield f"two materials; write core {left} and shell {shell}"
            elif self.is_core(right) and self.shell_of(left):
                shell = self.shell_of(left)
                yield f"the core comes first; write core {right} and shell {shell}"

    def _words(self, text: str) -> Iterator[str]:
        """CsPbBr3 NCs, colloidal CsPbBr3."""
        words = text.split()
        formulas = [word for word in words if self.is_core(word)]
        if len(words) > 1 and len(formulas) == 1:
            yield f"a formula is needed, without other words; write {formulas[0]}"


def _strange_letters(text: str) -> Iterator[str]:
    for letter in text:
        if letter.isalpha() and not letter.isascii() and letter not in "αβγδ":
            yield f"{letter!r} is {unicodedata.name(letter, 'unknown')}, not a Latin letter"


def _element(dopant: str) -> str:
    """Return the symbol of a dopant that is written with a charge or an amount."""
    match = re.match(r"[A-Z][a-z]?", dopant)
    return match[0] if match else dopant
