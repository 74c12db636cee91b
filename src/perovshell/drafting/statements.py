"""Facts of a text: which number belongs to which sample, from which sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from perovshell.drafting.binding import Reading
from perovshell.drafting.mentions import Material
from perovshell.drafting.quantities import FWHM, PL, PLQY, REMNANT, SIZE, THICKNESS, Quantity

OPTICS: Final = (SIZE, THICKNESS, PL, FWHM, PLQY)
"""The keys of a sample that are numbers of a sentence, in the order of a paper file."""
_LASTING: Final = re.compile(r"[^.,;]{0,20}\b(?:after|for|under|in water|upon)\b[^,;]{0,60}")
_LASTS: Final = re.compile(
    r"\b(?:retain|maintain|preserv|remain|keep|kept|drop|decreas|declin|fall|fell|decay)\w*",
    re.IGNORECASE,
)
_TUNED: Final = re.compile(
    r"\b(?:tun(?:ed|able|ing|ability)|span\w*|rang(?:e|es|ed|ing) from|cover(?:s|ing|ed)? (?:the "
    r"|a )?"
    r"(?:\w+ )?(?:range|spectr\w+|visible|\d)|visible (?:range|region|spectrum))\b",
    re.IGNORECASE,
)
_CORE_WORD: Final = re.compile(r"\bcores?\b(?![-/@]shell)", re.IGNORECASE)
_AT_ONCE: Final = re.compile(r"\b(?:coat|encapsulat|embed|shell|passivat|treat)\w*", re.IGNORECASE)


@dataclass(frozen=True)
class Statement:
    """A number that a sentence states.

    Attributes:
        sample: The sample that it belongs to; None where it is not clear.
        key: The key of a paper file.
        value: The number as printed.
        text: The sentence.
    """

    sample: Material | None
    key: str
    value: str
    text: str


def statements_of(reading: Reading) -> Iterator[Statement]:
    """Yield the optical values and the sizes of a sentence.

    Args:
        reading: The sentence.
    """
    for quantity in () if reading.is_of_a_device else reading.quantities:
        if quantity.kind not in OPTICS or reading.is_by_others(quantity.start):
            continue
        sample = reading.sample_of(quantity)
        if quantity.kind == THICKNESS and not reading.clause_at(quantity.start).is_compared:
            sample = _coated(reading, sample)
        if quantity.kind == SIZE and not _is_of_the_core(reading, quantity, sample):
            sample = None
        if _is_tuned(reading, quantity) or _is_of_a_test(reading, quantity):
            sample = None
        yield Statement(sample, quantity.kind, quantity.text, reading.text)


def _coated(reading: Reading, sample: Material | None) -> Material | None:
    """Return the sample of a shell thickness: the only coated one, where none is named."""
    coated = reading.samples.coated
    if sample is None or not sample.layers:
        return coated[0] if len(coated) == 1 else None
    return sample


def _is_of_the_core(reading: Reading, quantity: Quantity, sample: Material | None) -> bool:
    """Whether a size is that of a core, and not of a core with its shell."""
    clause = reading.clause_at(quantity.start)
    has_plain = any(
        reference.is_plain for reference in reading.references if reference.start in clause
    )
    around = reading.text[max(0, quantity.start - 30) : quantity.end + 30]
    is_bare = sample is None or not sample.layers
    return is_bare or has_plain or _CORE_WORD.search(around) is not None


def _is_tuned(reading: Reading, quantity: Quantity) -> bool:
    """Whether a peak or a yield is one end of what several samples cover."""
    clause = reading.clause_at(quantity.start)
    words = reading.text[clause.start : clause.end]
    return quantity.kind in {PL, PLQY, FWHM} and _TUNED.search(words) is not None


def _is_of_a_test(reading: Reading, quantity: Quantity) -> bool:
    """Whether a value was read after a stability test, and is none of a fresh sample."""
    clause = reading.clause_at(quantity.start)
    before = reading.text[clause.start : quantity.start]
    behind = reading.text[quantity.end : clause.end]
    cue = [other for other in reading.quantities if other.kind in {REMNANT, "duration"}]
    inside = [other for other in cue if clause.start <= other.start < clause.end]
    nearest = before.rpartition("PLQY")[2] if "PLQY" in before else before[-60:]
    is_kept = _LASTS.search(nearest) is not None and _AT_ONCE.search(behind) is None
    durations = [other for other in inside if other.kind == "duration"]
    follows = any(
        quantity.end <= other.start <= quantity.end + 40 and _LASTING.match(behind)
        for other in durations
    )
    return (is_kept and bool(durations)) or follows
