"""What each number of a sentence is a number of: its peak, its yield, a size, none that is kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from perovshell.drafting.quantities import (
    DURATION,
    FWHM,
    HUMIDITY,
    IRRADIANCE,
    LIGHT,
    OTHER,
    PL,
    PLQY,
    REMNANT,
    SIZE,
    TEMPERATURE,
    THICKNESS,
    Quantity,
    find_quantities,
)

_GAP: Final = 40
"""Most characters between a yield and the verb that tells it."""
_NEW_PART: Final = re.compile(r";|\band\b|\bwhile\b|\bwhereas\b")
_OF_BEFORE: Final = re.compile(r"\s?of (?:its|their|the)\b")
_LUMINESCENCE: Final = (
    r"(?:photo-?luminescence|luminescence|fluorescence|emission|PL(?!\s?QY)|intensity|brightness)"
)
_YIELD: Final = r"(?:PL\s?QYs?|QYs?|quantum (?:yields?|efficienc(?:y|ies)))"
_CUES: Final = {
    f"{OTHER}%": (
        r"\bEQEs?\b|external quantum efficienc\w+|\befficac\w+|\b(?:power|conversion|current) "
        r"efficienc\w+|\bPCE\b|NTSC|gamut|transmittance|transmission|reflect\w+|crystallinity"
        r"|\byield of\b|synthe\w+ yield|reaction yield|doping|dop(?:ed|ant)|concentration|loading"
        r"|\bby weight|\b(?:mol|wt|at|vol)\.?\s?%|\befficiency\b|increas\w+ (?:of|by)|enhance\w+ of"
        r"|(?:drop|decreas|reduc|declin)\w* (?:of|by)|\bloss of|\b(?:lost|loses?|losing)\b"
    ),
    f"{OTHER}nm": (
        r"absor\w+|\bexcit\w+|\bpump\w*|\blas(?:er|ing|es?|ed)\b|amplified spontaneous emission"
        r"|\bASE\b|electroluminescence|\bEL\b|\bchips?\b|[- ]?shift\w* (?:of|by)|\bStokes\b|lattice"
        r"|spacings?|\bplanes?\b|\bpores?\b|\bband ?-?gaps?\b|\bgaps?\b|offset|\bCIE\b|roughness"
        r"|\bBohr\b|wavelengths? of (?:the )?(?:light|laser|lamp)|transmittance|scan\w*"
        r"|\bbinding energy"
    ),
    LIGHT: (
        r"\bUV\b(?! ?-?vis)|ultraviolet|irradiat\w+|illuminat\w+|\blamps?\b|\blight\b"
        r"|\b(?-i:LED)s?\b|exposure"
    ),
    HUMIDITY: r"\bRH\b|\bhumidit\w+|\bhumid\b|\bmoisture",
    PLQY: rf"\b{_YIELD}",
    FWHM: (
        r"\bFWHMs?\b|full[- ]widths? at (?:the |a )?half[- ]max\w*|line-?\s?widths?"
        r"|half-?\s?widths?"
        r"|\bband-?\s?widths?"
    ),
    THICKNESS: (
        r"shells? thickness\w*|thickness\w* of (?:the |a )?(?:\S+ )?(?:shells?|coatings?|layers?)"
        r"|\b(?:shell|coating|overlayer)\b(?! (?:growth|formation|of (?:its|their)))"
    ),
    SIZE: (
        r"(?:\b(?:particle|core|crystal|dot|average|mean|lateral|nanocrystal|NC|QD|edge)s?[- ])"
        r"(?:sizes?|diameters?|lengths?)|\bsized?s?\b|\bdiameters?\b|edge[- ]lengths?"
    ),
    PL: (
        r"photo-?luminescence(?! (?:quantum|lifetime|decay|intensit\w+|QY))"
        r"|\bPL\b(?! ?(?:quantum|lifetime|decay|intensit|QY))|\bemi(?:t\w*|ssion\w*|ssive)\b"
        r"|(?<!photo)luminescence|fluorescence|peak wavelength|\bpeak(?:s|ed|ing)? at"
    ),
    REMNANT: (
        r"\bretain\w*|\bretention|\bmaintain\w*|\bpreserv\w+|\bke(?:ep\w*|pt)\b|\bremain\w*"
        r"|\bsustain\w*"
        r"|(?:drop|decreas|declin|fall|fell|quench|reduc|decay)\w* (?:\w+ )?to\b|\bleft\b"
        r"|\bstill ha[ds]\b"
        r"|\bhold\b|\bheld\b|\bconserv\w+"
        rf"|\bof (?:its|their|the) (?:(?:initial|original|starting) )?(?:{_YIELD}|{_LUMINESCENCE})"
        r"|\bof (?:its|their|the) (?:initial|original)\b"
    ),
}
_CUE: Final = re.compile(
    "|".join(f"(?P<k{index}>{form})" for index, form in enumerate(_CUES.values())), re.IGNORECASE
)
_NAMES: Final = [*_CUES]
_OF_UNIT: Final = {
    "nm": {f"{OTHER}nm", LIGHT, FWHM, THICKNESS, SIZE, PL},
    "eV": {f"{OTHER}nm", LIGHT, PL},
    "%": {f"{OTHER}%", HUMIDITY, PLQY, REMNANT},
}
_OF_UNIT_ALONE: Final = {"h": DURATION, "deg C": TEMPERATURE, "mW/cm2": IRRADIANCE}
_NEAR: Final = 14
"""Characters between a number and what it is a number of, where that stands behind it."""
_EMITTED: Final = 25
"""Most characters between `emits` and `light`."""
_OF_PARTICLES: Final = re.compile(
    r"particles?\b|spheres?\b|beads?\b|powders?\b|composites?\b|\bacross\b", re.IGNORECASE
)
_OF_CORES: Final = re.compile(
    r"nanocrystals?|\bNCs?\b|\bQDs?\b|dots?\b|cores?\b|cubes?\b|\bnanoplatelets?", re.IGNORECASE
)
_SHELL_WORD: Final = re.compile(r"shells?\b|coating|overlayer|\bcoat\b|layer", re.IGNORECASE)


@dataclass(frozen=True)
class Cue:
    """Words that name what a number is a number of.

    Attributes:
        start: Where they begin in their sentence.
        end: Where they end.
        name: Their kind, with the unit where they are none of a paper file.
    """

    start: int
    end: int
    name: str

    @property
    def kind(self) -> str:
        """The kind of a quantity."""
        return OTHER if self.name.startswith(OTHER) else self.name


def find_cues(text: str) -> list[Cue]:
    """Return the words of a sentence that name what its numbers are numbers of."""
    return [
        Cue(match.start(), match.end(), _NAMES[int(str(match.lastgroup)[1:])])
        for match in _CUE.finditer(text)
    ]


def named_quantities(text: str) -> list[Quantity]:
    """Return the quantities of a sentence with their kinds.

    Args:
        text: The sentence.

    Examples:
        >>> sentence = "The NCs emit at 515 nm (FWHM 20 nm) with an absorption peak at 505 nm."
        >>> [(quantity.kind, quantity.text) for quantity in named_quantities(sentence)]
        [('pl_peak_nm', '515 nm'), ('fwhm_nm', '20 nm'), ('other', '505 nm')]
    """
    return [*_named(text, find_quantities(text), find_cues(text))]


def _named(text: str, quantities: list[Quantity], cues: list[Cue]) -> Iterator[Quantity]:
    used: dict[Cue, Quantity] = {}
    before: dict[str, Quantity] = {}
    for index, quantity in enumerate(quantities):
        if quantity.unit not in _OF_UNIT:
            yield replace(quantity, kind=_OF_UNIT_ALONE.get(quantity.unit, OTHER))
            continue
        following = quantities[index + 1].start if index + 1 < len(quantities) else len(text)
        if _DIFFERENCE.search(text[max(0, quantity.start - 40) : quantity.start]):
            yield replace(quantity, kind=OTHER)
            continue
        cue = _cue_of(text, quantity, following, cues, used)
        kind = cue.kind if cue else _repeated(before.get(quantity.unit))
        if cue and cue.name == REMNANT and _is_yield(text, quantity, cue, cues):
            kind = PLQY
        kind = _checked(text, quantity, kind)
        if cue:
            used[cue] = quantity
        named = replace(quantity, kind=kind)
        before[quantity.unit] = named
        yield named


def _is_yield(text: str, quantity: Quantity, verb: Cue, cues: list[Cue]) -> bool:
    """Whether a verb such as `remains` tells a yield itself: "the PLQY remains at 88 %"."""
    if verb.end > quantity.start or _OF_BEFORE.match(text[quantity.end :]):
        return False
    yields = [cue for cue in cues if cue.name == PLQY and cue.end <= verb.start]
    between = text[yields[-1].end : verb.start] if yields else ";"
    return len(between) < _GAP and _NEW_PART.search(between) is None


def _repeated(before: Quantity | None) -> str:
    """Return the kind of a percentage without words of its own: that of the one before it."""
    is_alike = before is not None and before.unit == "%" and before.kind in {PLQY, REMNANT}
    return before.kind if is_alike and before else ""


_DIFFERENCE: Final = re.compile(
    r"(?:\b(?:lost|loses?|losing|by|loss(?:es)? of|(?:drop|decrease|reduction|decay|decline"
    r"|increase|enhancement"
    r"|improvement|quenching) of)|(?:increas|enhanc|improv|decreas|drop|reduc|declin)\w*"
    r"|\b\w+er than)\s"
    r"(?:only |just |merely |about |almost |nearly |up to |as much as )?$",
    re.IGNORECASE,
)
"""Words in front of a number that is a difference, and not what it is a difference of."""


def _is_told_before(text: str, earlier: Cue, cue: Cue) -> bool:
    """Whether words mean what others in front of them say: emits light, absorption peaks at."""
    gap = cue.start - earlier.end
    is_emitted = cue.name == LIGHT and earlier.name == PL and gap < _EMITTED
    is_peak = text.startswith(("peak", "Peak"), cue.start)
    return is_emitted or (is_peak and earlier.kind == OTHER and gap < _GAP)


def _cue_of(
    text: str, quantity: Quantity, following: int, cues: list[Cue], used: dict[Cue, Quantity]
) -> Cue | None:
    """Return the words behind a number that name it, or the nearest in front of it."""
    fitting = [cue for cue in cues if cue.name in _OF_UNIT[quantity.unit]]
    before = [cue for cue in fitting if cue.end <= quantity.start]
    if before and _DIRECT.fullmatch(text[before[-1].end : quantity.start]):
        is_told = len(before) > 1 and _is_told_before(text, before[-2], before[-1])
        return before[-2] if is_told else before[-1]
    behind = [
        cue for cue in fitting if quantity.end <= cue.start < min(following, quantity.end + _NEAR)
    ]
    if behind and _is_joined(text[quantity.end : behind[0].start]):
        return behind[0]
    for index in reversed(range(len(before))):
        cue, earlier = before[index], before[index - 1] if index else None
        if earlier is not None and _is_told_before(text, earlier, cue):
            continue
        if cue in used and not _is_listed(text, used[cue], quantity):
            continue
        return cue
    return None


_SOURCE: Final = re.compile(
    r"(?P<other>\b(?:EL|ASE)\b|(?:electro|radio|cathodo|chemi)luminescence"
    r"|[Aa]mplified spontaneous emission"
    r"|\blas(?:ing|er)\b|absorption|absorbance)"
    r"|(?P<own>\bPL\b|photoluminescence|\bemi(?:ts?|tted|tting|ssion|ssive)\b|fluorescence)"
)
"""Light of other kinds, and that of a PL peak, of which a peak and a width may be."""
_DIRECT: Final = re.compile(r"\s?(?:of|=|:|\(|is|was)\s?(?:only\s)?")
"""What joins words to the number right behind them: "PLQY of 80 %"."""
_BETWEEN_BEHIND: Final = re.compile(
    r"(?:[\s-]*|\s(?:in|thick|of|wide)(?:\s(?:the|its|their|average|mean))?\s"
    r"|\s(?:thick\s)?(?:\w+\s)?)",
    re.IGNORECASE,
)
_BARRIER: Final = re.compile(
    r"\b(?:and|with|an?|at|for|by|after|before|upon|on|under|to|from|while|than)\b|[,;:()]"
)


def _is_joined(between: str) -> bool:
    return _BARRIER.search(between) is None and _BETWEEN_BEHIND.fullmatch(between) is not None


def _is_listed(text: str, first: Quantity, second: Quantity) -> bool:
    """Whether a number continues a list, a change or a comparison that another begins."""
    between = text[first.end : second.start]
    if first.unit != second.unit:
        return False
    return first.unit == "%" or (
        re.search(
            r"^\s?(?:,|and|or|to|/)|\b(?:to|and|or|versus|vs|while|whereas|than)\s[^,;]{0,40}$",
            between,
        )
        is not None
        and re.search(r"\bwith\b|\bat\b", between) is None
    )


def _checked(text: str, quantity: Quantity, kind: str) -> str:
    """Return the kind of a length, after a look at whose length it is."""
    if kind in {PL, FWHM}:
        sources = [match.lastgroup for match in _SOURCE.finditer(text[: quantity.start])]
        if sources and sources[-1] == "other":
            return OTHER
    around = text[max(0, quantity.start - 60) : quantity.end + 40]
    behind = text[quantity.end : quantity.end + 30]
    if (
        re.match(r"[\s-]*(?:thick|in (?:size|diameter|thickness))\b", behind)
        and quantity.unit == "nm"
    ):
        kind = THICKNESS if re.match(r"[\s-]*(?:thick|in thick)", behind) else SIZE
    if kind == SIZE and (_OF_PARTICLES.search(around) or not _OF_CORES.search(text)):
        return ""
    if kind == THICKNESS and not _SHELL_WORD.search(around):
        return OTHER
    return kind
