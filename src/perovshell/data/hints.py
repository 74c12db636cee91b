"""Why a text is no formula of a core or no name of a shell, and what to write instead."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from perovshell.data.vocabulary import NATIVE_LIGANDS

_PHASE_WORD: Final = (
    "(?P<phase>[αβγδ]|alpha|beta|gamma|delta|cubic|tetragonal|orthorhombic|hexagonal|monoclinic"
    "|black|yellow|2H|3C)"
)
_PHASES: Final = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"{_PHASE_WORD}[-\u2010-\u2015\s]+(?P<core>.+)",
        rf"(?P<core>\S+?)\s*\(?{_PHASE_WORD}(?:[-\s]phase)?\)?",
    )
]
_NO_PEROVSKITES: Final = frozenset({"δ", "delta", "hexagonal", "yellow", "2h"})
"""Phases of other structures than the perovskite's."""
_MARKUP: Final = re.compile(
    r"</?sub>|\\(?:ce|mathrm|rm)|[\s$_^*\\{}\u2020\u2021\u00ad\u200b-\u200d\u2060\ufeff]|^['\"]|['\"]$"
)
"""What a page, a spreadsheet or TeX writes around symbols and amounts."""
_SUPERSCRIPT: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_DOPANT: Final = re.compile(
    r"(?P<left>.+?)(?:\s*[:\uff1a]\s*|[-\s](?P<how>doped|alloyed)[-\s]+(?:with\s+)?)(?P<right>.+)",
    re.IGNORECASE,
)
_DOPED_SHELL: Final = re.compile(
    r"(?P<host>\S+?)\s*:\s*(?P<dopant>[A-Z][a-z]?(?:[\d+]*\s?[,/]\s?[A-Z][a-z]?)*[\d+]*)"
)
_EXPONENT: Final = re.compile(r"\d(?:\.\d+)?[eE][-+\u2212]?\d+")
_LAYERS: Final = re.compile(r"(?<![A-Za-z])?n\s*[-+\u2212\u2010-\u2015]\s*1(?!\d)")
_CHARGE: Final = re.compile(
    r"[A-Z][a-z]?(?:\d[+]|[+]{1,3}|[\u00b9\u00b2\u00b3\u2070-\u2079]*\u207a)"
)
_IN: Final = "embedded in|encapsulated (?:in|by|with)|coated (?:by|with)|capped with|in|on|with|and"
_JOINTS: Final = re.compile(
    rf",?\s+then\s+|\s*(?:[\s-](?:{_IN})[\s-]"
    r"|[-\u2010-\u2015\u2212|@/\\&+:#\u00b7\u2022\u2192\u2282\u2283\u2229,;])\s*"
)
"""What stands between two materials."""
_COATED: Final = re.compile(
    r"(?P<shell>.+)[-\s](?:coated|capped|encapsulated|embedded|passivated|wrapped)\s+(?P<core>\S+).*"
)
_SOLVATE: Final = re.compile(
    r"(?P<core>.+?)\s*(?:[\u00b7\u2022\u22c5*.]\s*(?P<rest>[\d.]*[A-Z].*)"
    r"|\((?P<ligand>H2O|DMF|DMSO)\)\d*)"
)
_UNKNOWN_AMOUNT: Final = re.compile(r"\b(?P<sign>[xyznm])\s*=")
_IDENTIFIER: Final = re.compile(r"(?:mp|mvc|oqmd|icsd|cod|aflow)[-:\s]?\d+", re.IGNORECASE)
_NO_ZERO: Final = re.compile(r"(?<![\d)\]}])\.\d+|(?<=[A-Za-z)\]}])\.\d+")
_GROUP_CHARGE: Final = re.compile(r"[)\]}]\s*\d*[-+\u2212\u207a\u207b]$")
_SEPARATORS: Final = re.compile(r"[-\u2010-\u2015\u2212\u00b7:;,.!?](?!\d)")
_SPLIT: Final = re.compile(r"[\s/\u2010-\u2015-]+")
_KINDS: Final = re.compile(
    r"P?(?:NC|NP|NR|NS|NW|QD|NPL)s?|nano.*|quantum|dots?|films?|powders?|[0-3]D", re.IGNORECASE
)
"""Words that tell the kind of a sample, often joined to its formula."""
_NAME: Final = re.compile(r"(?:[A-Z]?[a-z]{4,}+[\s-]*+)+")
"""Words such as `cesium lead bromide`. Nothing is tried twice, which would take for ever."""
_SAY_NOTHING: Final = re.compile(
    r"core|shell(?:s|ed)?|coat(?:s|ings?|ed)?|(?:bi|tri|mono)?layer(?:s|ed)?|matri(?:x|ces)|hosts?"
    r"|films?|(?:nano)?composites?|nano(?:particle|crystal|sphere)s?|(?:NC|NP|QD)s?"
    r"|encapsula(?:nt|ted|tion)|protective|ultra-?thin|thin|thick|inner|outer|an?|the|of"
    r"|\d+\s*[x\u00d7]",
    re.IGNORECASE,
)
"""Words beside the name of a shell that say nothing about its material."""
_BETWEEN: Final = re.compile(r"[\s/]+|-(?=(?:shell|coating|coated|layer|film|matrix|host)\b)")
_SEVERAL: Final = {"CDs": "CdS or carbon dots", "PI": "polyimide or polyisoprene"}
"""Abbreviations of two materials."""
# fmt: off
_LIGANDS: Final = frozenset({
    "aptes", "aptms", "apts", "ctab", "ctac", "dbsa", "ddab", "ddac", "dodab", "doda", "dppa",
    "hda", "mptes", "mptms", "oda", "odpa", "olam", "opa", "peabr", "peai", "sds", "tbp", "tbpo",
    "tdpa", "toab", "top", "topo",
}) | NATIVE_LIGANDS
# fmt: on
"""Abbreviations of molecules that bind to the surface of a core, in lower case."""
_LIGAND: Final = re.compile(
    r"(?!poly|.*resin).+(?:amine| acid|yl ?ammonium (?:bromide|chloride|iodide)|thiol|phosphine"
    r"|phosphine oxide)",
    re.IGNORECASE,
)
"""Names of such molecules."""
_GENERAL: Final = {
    "MOF glass": re.compile(r"(?:MOF|ZIF).*glass|metal.organic.*glass", re.IGNORECASE),
    "zeolite": re.compile(r"zeolit|\bZSM-?\d", re.IGNORECASE),
    "COF": re.compile(r"\bCOFs?\b|-COF|covalent.organic", re.IGNORECASE),
    "MOF": re.compile(
        r"\bMOFs?\b|metal.organic|\b(?:ZIF|UiO|MIL|PCN|NU|DUT|BIF|CAU)-?\d", re.IGNORECASE
    ),
    "glass": re.compile(r"\bglass(?:es)?\b", re.IGNORECASE),
    "paraffin": re.compile(r"\bwax(?:es)?\b", re.IGNORECASE),
    "polymer": re.compile(
        r"(?i:\bpoly(?!oxo|crystal|hedr|morph|sul[fp]|iodide)|polymer|resin|rubber|elastomer|plastic\b)"
        r"|-(?:b|co|g|alt|ran|r|block)-"
    ),
}
"""General names of the table, each with the words of an unlisted material of its kind."""
_PLATELETS: Final = re.compile(r"NPLs?|nano-?platelets?|nano-?sheets?", re.IGNORECASE)
_WIRES: Final = re.compile(r"NWs?|nano-?wires?|nano-?rods?", re.IGNORECASE)


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
                blend = self.shell_of("+".join(parts))
                other = f", and a blend as {blend}" if blend else ""
                layers = "|".join(parts)
                return f"two materials; write layers from the inside out, as {layers}{other}"
        doped = _DOPED_SHELL.fullmatch(layer)
        if doped and (host := self.shell_of(doped["host"])):
            return f"{doped['dopant']!r} is a dopant of the shell; write {host}, and it in the note"
        names = self._among_words(layer)
        if names:
            return f"a name is needed, without other words; write {'|'.join(names)}"
        if layer in _SEVERAL:
            return f"an abbreviation of two materials; write {_SEVERAL[layer]}"
        if layer.casefold() in _LIGANDS or _LIGAND.fullmatch(layer):
            return "a ligand; write it in the key or column ligand"
        return ""

    def general(self, layer: str) -> str:
        """Return the general name of an unknown shell's kind, such as glass; empty if none fits."""
        kinds = (name for name, words in _GENERAL.items() if words.search(layer))
        return next(filter(self.shell_of, kinds), "")

    def _among_words(self, layer: str) -> list[str]:
        """Return the shells of a text once the words that say nothing are left out.

        All other words must be names: reduced graphene is no graphene.
        """
        words = _BETWEEN.split(layer)
        kept = [word for word in words if not _SAY_NOTHING.fullmatch(word)]
        if len(words) == 1 or not kept:
            return []
        whole = self.shell_of(" ".join(kept))
        names = [whole] if whole else [*map(self.shell_of, kept)]
        return names if all(names) else []

    def _of_core(self, text: str) -> Iterator[str]:
        yield from _strange_letters(text)
        yield from self._phase(text)
        yield from self._two_materials(text)
        yield from self._dopant(text)
        yield from _signs(text)
        yield from self._solvate(text)
        yield from self._words(text)
        plain = _MARKUP.sub("", text.translate(_SUPERSCRIPT))
        for other in (plain, _SEPARATORS.sub("", plain)):
            if other != text and self.is_core(other):
                yield f"blanks or signs that are no part of a formula; write {other}"
        if text.casefold() in self.known_cores:
            yield f"capitals count in a formula; write {self.known_cores[text.casefold()]}"
        if _NAME.fullmatch(text):
            yield "a name is no formula; write the formula, as CsPbBr3"

    def _phase(self, text: str) -> Iterator[str]:
        """γ-CsPbI3, cubic CsPbBr3; δ-CsPbI3 and 2H-FAPbI3 are no perovskites."""
        matches = [form.fullmatch(text) for form in _PHASES]
        for phase in filter(None, matches):
            if not self.is_core(phase["core"]):
                continue
            if phase["phase"].lower() in _NO_PEROVSKITES:
                yield f"phase {phase['phase']!r} is no perovskite and not answered"
            yield f"phase {phase['phase']!r} is no part of a formula; write {phase['core']}"

    def _dopant(self, text: str) -> Iterator[str]:
        """Mn:CsPbCl3, CsPbCl3:Mn2+, Mn-doped CsPbCl3."""
        match = _DOPANT.fullmatch(text)
        if match:
            for core, dopant in ((match["right"], match["left"]), (match["left"], match["right"])):
                if self.is_core(core):
                    if (match["how"] or "").lower() == "alloyed":
                        yield "an alloy; write each ion with its amount, as CsPb0.9Mn0.1Cl3"
                    yield (
                        f"{dopant!r} is written as a dopant; write core {core}, and "
                        f"{_elements(dopant)} as its dopant"
                    )

    def _two_materials(self, text: str) -> Iterator[str]:
        """CsPbBr3-SiO2, SiO2@CsPbBr3, CsPbBr3 | CsPb2Br5, SiO2-coated CsPbBr3 NCs."""
        coated = _COATED.fullmatch(text)
        if coated and self.is_core(coated["core"]) and self.shell_of(coated["shell"]):
            shell = self.shell_of(coated["shell"])
            yield f"two materials; write core {coated['core']} and shell {shell}"
        for joint in _JOINTS.finditer(text):
            left, right = text[: joint.start()], text[joint.end() :]
            if self.is_core(left) and self.shell_of(right):
                shell = self.shell_of(right)
                yield f"two materials; write core {left} and shell {shell}"
            elif self.is_core(right) and self.shell_of(left):
                shell = self.shell_of(left)
                yield f"the core comes first; write core {right} and shell {shell}"

    def _solvate(self, text: str) -> Iterator[str]:
        """CsPbBr3·DMF, MA4PbI6·2H2O."""
        solvate = _SOLVATE.fullmatch(text)
        if solvate and self.is_core(solvate["core"]):
            rest = solvate["rest"] or solvate["ligand"]
            yield f"{rest!r} is beside the core; write {solvate['core']}"

    def _words(self, text: str) -> Iterator[str]:
        """CsPbBr3 NCs, colloidal CsPbBr3, CsPbBr3-NPLs."""
        words, parts = text.split(), _SPLIT.split(text)
        cores = [*filter(self.is_core, parts)]
        shells = [*filter(None, (self.shell_of(part) for part in parts if part not in cores))]
        if len(cores) == 1 and len(shells) == 1 and parts.index(cores[0]) == 0:
            yield f"two materials; write core {cores[0]} and shell {shells[0]}"
        kinds = [part for part in parts if _KINDS.fullmatch(part)]
        if len(kinds) == len(parts) - 1:
            words = parts
        formulas = [*filter(self.is_core, words)]
        if len(words) > 1 and len(formulas) == 1:
            shape = next((shape for word in words if (shape := _morphology(word))), "")
            beside = f", and morphology {shape}" if shape else ""
            yield f"a formula is needed, without other words; write {formulas[0]}{beside}"


def _signs(text: str) -> Iterator[str]:
    """Say what a sign or a number means that is none of a formula."""
    exponent = _EXPONENT.search(text)
    if exponent:
        yield (
            f"amount {exponent[0]!r} has an exponent; write a decimal, and leave out an ion "
            f"that is not there"
        )
    if _LAYERS.search(text):
        yield "n is left open; write each amount as a number, as (PEA)2MAPb2I7 for n = 2"
    unknown = _UNKNOWN_AMOUNT.search(text)
    if unknown:
        yield f"put {unknown['sign']} in, and write each amount as a number, as CsPb(Br0.6I0.4)3"
    charge = _CHARGE.search(text) or _GROUP_CHARGE.search(text)
    if charge:
        yield f"{charge[0]!r} has a charge; write the symbols of a neutral core alone"
    if _IDENTIFIER.fullmatch(text):
        yield "an identifier of a database; write the formula"
    if "%" in text:
        yield "amounts are no percentages; write decimals, as CsPb(Br0.6I0.4)3"
    point = _NO_ZERO.search(text)
    if point:
        yield f"amount {point[0]!r} begins with a point; write 0{point[0]}"


def _morphology(word: str) -> str:
    """Return the morphology that a word of a sample's name tells; empty where it tells none."""
    if _PLATELETS.fullmatch(word):
        return "nanoplatelet"
    return "nanowire" if _WIRES.fullmatch(word) else ""


def _strange_letters(text: str) -> Iterator[str]:
    for letter in text:
        if letter.isalpha() and not letter.isascii() and letter not in "αβγδ":
            yield f"{letter!r} is {unicodedata.name(letter, 'unknown')}, not a Latin letter"


def _elements(dopant: str) -> str:
    """Return the symbols of dopants that are written with charges or amounts."""
    return ", ".join(re.findall(r"[A-Z][a-z]?", dopant)) or dopant
