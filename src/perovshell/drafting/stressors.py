"""What was done to a sample in a stability test."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from perovshell.data.vocabulary import STRESSORS
from perovshell.drafting.quantities import TEMPERATURE, Quantity

_FORMS: Final = {
    "water": r"\bwater\b(?![-/]\w|[- ](?:proof|resist\w*|stab\w*|/))|\baqueous\b|\bunderwater\b",
    "humidity": r"\bhumid\w*|(?-i:\bRH\b)|\bmoisture\b|\bmoist\b",
    "light": (
        r"(?-i:\bUV\b)(?!-?[Vv]is)|\bultraviolet\b|\birradiat\w+|\billuminat\w+|\blamps?\b"
        r"|\b(?:blue|laser|sun|white|continuous|strong|intense|room) ?-?light\b|\bsunlight\b"
        r"|\blight exposure\b"
        r"|\bexposed to light\b|(?<=under )light\b|(?<=under a )light\b|\bsolar simulator\b"
        r"|\b\d{3} ?nm (?:\w+ )?(?:light|lamp|(?-i:LED)|laser|excitation)\b|\bphoto-?irradiat\w+"
    ),
    "heat": (
        r"\bheat(?:ed|ing)?\b|\banneal\w*"
        r"|\bthermal (?:treatment|cycl\w+|test|aging|ageing|stress)|\bbaked?\b"
    ),
    "polar-solvent": (
        r"\bethanol\b|\bmethanol\b|\bisopropanol\b|\b2-propanol\b|\b(?-i:IPA)\b|\bacetone\b"
        r"|\bpolar solvents?\b"
        r"|\bn?-?butanol\b|\b(?-i:DMF|DMSO)\b|\bacetonitrile\b|\balcohols?\b|\bisopropyl alcohol\b"
    ),
    "sonication": r"\bsonicat\w*|\bultrasonic\w*|\bultrasound\b",
    "ambient": (
        r"\bambient (?:conditions?|air|atmosphere|environment)|\bin (?:the )?(?:open )?air\b"
        r"|\bopen air\b"
        r"|\bambient storage\b|\bstorage in air\b|\bexposed to air\b|\bair exposure\b"
    ),
    "anion-exchange": r"\banion[- ]exchange\b",
}
_STRESSOR: Final = re.compile(
    "|".join(f"(?P<{name.replace('-', '_')}>{form})" for name, form in _FORMS.items()),
    re.IGNORECASE,
)
_HOT_C: Final = 40.0
_WEAK: Final = {"ambient"}
"""What another stressor of the same words outweighs."""
assert {*_FORMS} <= {*STRESSORS}


@dataclass(frozen=True)
class Stress:
    """Words of a sentence that name a stressor.

    Attributes:
        start: Where they begin.
        end: Where they end.
        stressor: Its name in the vocabulary.
    """

    start: int
    end: int
    stressor: str


def find_stresses(text: str, quantities: Iterable[Quantity]) -> list[Stress]:
    """Return the words of a sentence that name stressors, in order.

    Args:
        text: The sentence.
        quantities: Its numbers: a temperature above 40 deg C is heat.

    Examples:
        >>> [stress.stressor for stress in find_stresses("30 d in water, 2 h of UV light", [])]
        ['water', 'light']
    """
    stresses = [
        Stress(match.start(), match.end(), str(match.lastgroup).replace("_", "-"))
        for match in _STRESSOR.finditer(text)
    ]
    for quantity in quantities:
        degrees = re.search(r"\d+(?:\.\d+)?(?=\s\u00b0)", quantity.text)
        if quantity.kind == TEMPERATURE and degrees and float(degrees[0]) >= _HOT_C:
            stresses.append(Stress(quantity.start, quantity.end, "heat"))
    return sorted(stresses, key=lambda stress: stress.start)


def distinct(stresses: Iterable[Stress]) -> tuple[str, ...]:
    """Return the stressors that words name, without those that others outweigh."""
    names = tuple(dict.fromkeys(stress.stressor for stress in stresses))
    strong = tuple(name for name in names if name not in _WEAK)
    return strong or names
