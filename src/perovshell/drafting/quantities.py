"""Numbers with a unit in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

PL, FWHM, PLQY = "pl_peak_nm", "fwhm_nm", "plqy_percent"
SIZE, THICKNESS = "core_size_nm", "shell_thickness_nm"
REMNANT, HUMIDITY, LIGHT = "percent", "humidity_percent", "wavelength_nm"
DURATION, TEMPERATURE, IRRADIANCE = "duration", "temperature_c", "irradiance_mw_cm2"
OTHER: Final = "other"
"""What no key of a paper file holds: an absorption peak, an efficiency of a device, ..."""

_NUMBER: Final = r"\d{1,6}(?:,\d{3})*(?:\.\d{1,6})?"
_SIGN: Final = (
    r"(?:[~\u2248\u223c<>\u2264\u2265]=?|up to|as high as|more than|less than|over|above|below"
    r"|at least|at most|about|approximately|approx\.|around|ca\.|nearly|almost|beyond|within)"
)
_JOINT: Final = r"\s?[-\u2013\u2014~]\s?|\s?\u00b1\s?|(?<!%)\sto\s"
_UNITS: Final = {
    "%": r"%|percent\b",
    "eV": r"eV\b",
    "meV": r"meV\b",
    "nm": r"nm\b|\u00c5|nanometers?\b",
    "um": r"(?:\u00b5|\u03bc|u)m\b",
    "deg C": r"\u00b0\s?C\b|\u2103|K\b",
    "mW/cm2": r"(?:m|\u00b5|\u03bc)?W\s?(?:/\s?cm2|/\s?cm\u00b2|cm-2|cm\u22122|\u00b7cm-2)",
    "h": r"(?:s|seconds?|min|mins|minutes?|h|hr|hrs|hours?|d|days?|weeks?|months?|years?|yr)\b",
}
_UNIT: Final = "|".join(f"(?:{form})" for form in _UNITS.values())
_WORDS: Final = dict(
    zip(
        [
            "one",
            "two",
            "three",
            "four",
            "five",
            "six",
            "seven",
            "eight",
            "nine",
            "ten",
            "eleven",
            "twelve",
        ],
        map(str, range(1, 13)),
        strict=True,
    )
) | {"a": "1", "an": "1", "half a": "0.5"}
_QUANTITY: Final = re.compile(
    rf"(?P<sign>(?<![\w])(?i:{_SIGN})\s?)?(?<![\w.\u00d7^])(?P<number>{_NUMBER})"
    rf"(?P<inner>\s?%(?={_JOINT}\d))?"
    rf"(?:(?P<joint>{_JOINT})(?P<last>{_NUMBER}))?(?:\s|\s?-)?(?P<unit>{_UNIT})(?![/\u00b7^]\s?[A-Za-z])",
)
_SPELLED: Final = re.compile(
    rf"(?P<sign>\b(?i:{_SIGN})\s)?\b"
    rf"(?P<number>(?ai:{'|'.join(sorted(_WORDS, key=len, reverse=True))}))"
    r"[\s-](?P<unit>(?ai:(?:second|minute|hour|day|week|month|year)s?))\b",
)
"""In capitals too, but of ASCII alone: in Unicode a dotless i is an i in another case."""
_BEFORE: Final = re.compile(rf"(?<![\w.]){_NUMBER}(?=(?:,|,?\s(?:and|or)\s|,\s|\s?/\s?)\s?$)")
_WINDOW: Final = 24
"""Characters in front of a number in which one without a unit is looked for."""
_MOST_LISTED: Final = 6


@dataclass(frozen=True)
class Quantity:
    """A number with its unit.

    Attributes:
        start: Where it begins in its sentence.
        end: Where it ends.
        text: The number as `read_printed` reads it.
        unit: Its unit: nm, eV, %, h, ... (any unit of time is h).
        kind: The key of a paper file that it fills; `other` where there is none, empty where it is
            not clear.
    """

    start: int
    end: int
    text: str
    unit: str
    kind: str = ""


def find_quantities(text: str) -> list[Quantity]:
    """Return the numbers with a unit of a sentence, in order.

    Args:
        text: The sentence.

    Examples:
        >>> [quantity.text for quantity in find_quantities("514 and 516 nm, > 90% for two weeks")]
        ['514 nm', '516 nm', '> 90 %', '2 weeks']
    """
    quantities: list[Quantity] = []
    for match in _numbers(text):
        quantity = _quantity(match, match["number"])
        floor = quantities[-1].end if quantities else 0
        quantities += [*_listed_before(text, quantity, match["unit"], floor), quantity]
    taken = [range(quantity.start, quantity.end) for quantity in quantities]
    for match in _SPELLED.finditer(text):
        if not any(match.start() in span for span in taken):
            quantities.append(_quantity(match, _WORDS[match["number"].casefold()]))
    return sorted(quantities, key=lambda quantity: quantity.start)


def _numbers(text: str) -> Iterator[re.Match[str]]:
    """Yield the numbers with a unit; the two of "from 62 to 84 %" are no range."""
    position = 0
    while match := _QUANTITY.search(text, position):
        position = match.end()
        is_change = match["joint"] and match["joint"].strip() == "to"
        if is_change and text[: match.start()].rstrip().endswith("from"):
            match = _QUANTITY.search(text, match.start("last")) or match
        yield match


def _quantity(match: re.Match[str], number: str) -> Quantity:
    parts = match.groupdict()
    last = parts.get("last") or ""
    joint = (parts.get("joint") or "").strip()
    rest = f" {joint} {last}" if last else ""
    written = f"{parts['sign'] or ''}{number}{rest} {match['unit']}".replace(",", "")
    text = " ".join(written.replace("\u00b0 C", "\u00b0C").split())
    if _unit_of(match["unit"]) == "mW/cm2":
        text = re.sub(r"W\s?(?:\u00b7|/\s?)?cm(?:-2|\u22122|2|\u00b2)", "W/cm2", text)
    return Quantity(match.start(), match.end(), text, _unit_of(match["unit"]))


def _listed_before(text: str, last: Quantity, unit: str, floor: int) -> list[Quantity]:
    """Return the numbers of a list whose unit stands behind its last number only."""
    listed: list[Quantity] = []
    start = last.start
    while len(listed) < _MOST_LISTED:
        window = max(floor, start - _WINDOW)
        match = _BEFORE.search(text[window:start])
        if match is None:
            break
        number = f"{match[0]} {unit}".replace(",", "")
        start = window + match.start()
        listed.insert(0, replace(last, start=start, end=window + match.end(), text=number))
    return listed


def _unit_of(written: str) -> str:
    # No two of them differ in capitals alone.
    return next(unit for unit, form in _UNITS.items() if re.fullmatch(form, written, re.IGNORECASE))
