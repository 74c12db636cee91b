"""Numbers as papers print them: with a sign, a range, a deviation and a unit.

One reader for all keys: `~ 20 nm`, `≥ 90 %`, `450–460`, `81 ± 3`, `2.42 eV` for a wavelength,
`> 2 weeks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from perovshell.data.targets import EV_NM
from perovshell.errors import InputError

BEST: Final = "best value"
"""Quality of a number that is printed as "up to"."""
_SIGNS: Final = {
    "~": "~ \u2248 \u223c \u2243 \u2245 about approximately approx. around ca. circa nearly almost",
    ">": ">= => > \u2265 \u2a7e more_than over above at_least beyond",
    "<": "<= =< < \u2264 \u2a7d less_than under below at_most within",
    BEST: "up_to as_high_as max. maximum",
}
_SIGN_OF: Final = {
    sign.replace("_", " "): bound for bound, signs in _SIGNS.items() for sign in signs.split()
}
_SIGN: Final = "|".join(re.escape(sign) for sign in sorted(_SIGN_OF, key=len, reverse=True))
"""Read with the capitals of ASCII alone: in Unicode a dotless i is an i in another case."""
_DIGITS: Final = r"(?:[0-9]{1,9}(?:\.[0-9]{0,9})?|\.[0-9]{1,9})(?:[eE][-+]?[0-9]{1,3})?"
_DASH: Final = r"(?:[-\u2010-\u2015~\u223c]|\bto\b|\.\.\.?|\u2026)"
_DEVIATION: Final = r"(?:\u00b1|\+\s?/?\s?-)"
_BRACKETS: Final = re.compile(rf"\(({_DIGITS}\s?(?:{_DEVIATION}|{_DASH})\s?{_DIGITS})\)")
_MOST: Final = 80
"""Longest text that is read as a number."""


@dataclass(frozen=True)
class Scale:
    """How a unit is converted into that of a column: value = factor x number + offset.

    Attributes:
        factor: The factor; 0 where a photon energy in eV becomes a wavelength in nm.
        offset: The offset.
    """

    factor: float
    offset: float = 0.0

    def __call__(self, number: str) -> str:
        """Return a number in the unit of the column, to six digits where it is another."""
        if self == _SAME:
            return number
        value = float(number)
        if self.factor == 0.0:
            return f"{EV_NM / value:.6g}" if value > 0 else "0"
        return f"{self.factor * value + self.offset:.6g}"

    @property
    def is_reversed(self) -> bool:
        """Whether a larger number is a smaller value."""
        return self.factor == 0.0


_SAME: Final = Scale(1.0)
_LENGTHS: Final = {
    **dict.fromkeys(("nm", "nanometer", "nanometers"), _SAME),
    **dict.fromkeys(("\u00e5", "\u212b", "a", "angstrom", "angstroms"), Scale(0.1)),
    **dict.fromkeys(("\u00b5m", "\u03bcm", "um", "micron", "microns"), Scale(1e3)),
}
_PERCENT: Final = dict.fromkeys(("%", "percent", "pct"), _SAME)
_CELSIUS: Final = dict.fromkeys(("\u00b0c", "\u2103", "degc", "deg c", "c", "celsius"), _SAME)
_PER_AREA: Final = [
    f"{joint}{area}"
    for joint, areas in {
        "/": ("cm2", "cm\u00b2"),
        "": ("cm-2", "cm\u207b\u00b2", "cm\u22122"),
    }.items()
    for area in areas
] + [" cm-2", " cm\u207b\u00b2", " cm\u22122", "\u00b7cm-2"]
_POWERS: Final = {"mw": 1.0, "w": 1e3, "\u00b5w": 1e-3, "\u03bcw": 1e-3, "uw": 1e-3}
UNITS: Final[Mapping[str, Mapping[str, Scale]]] = {
    "nm": _LENGTHS,
    "%": _PERCENT,
    "deg C": {**_CELSIUS, **dict.fromkeys(("k", "kelvin"), Scale(1.0, -273.15))},
    "mW/cm2": {
        **{f"{unit}{per}": Scale(by) for unit, by in _POWERS.items() for per in _PER_AREA},
        **dict.fromkeys(("w/m2", "w/m\u00b2", "w m-2", "w m\u207b\u00b2"), Scale(0.1)),
    },
    "1": dict.fromkeys(("ml", "monolayers", "monolayer"), _SAME),
    "h": {
        **dict.fromkeys(("s", "sec", "second", "seconds"), Scale(1 / 3600)),
        **dict.fromkeys(("min", "mins", "minute", "minutes"), Scale(1 / 60)),
        **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), _SAME),
        **dict.fromkeys(("d", "day", "days"), Scale(24.0)),
        **dict.fromkeys(("wk", "week", "weeks"), Scale(168.0)),
        **dict.fromkeys(("month", "months", "mo"), Scale(24 * 30.44)),
        **dict.fromkeys(("year", "years", "yr", "yrs", "y"), Scale(24 * 365.25)),
    },
}
"""Units by that of the column, in lower case without blanks, with their conversion."""
ENERGIES: Final = {"ev": Scale(0.0)}
"""Units of the peak of an emission beside those of its wavelength."""


_NAMES: Final = sorted({*ENERGIES, *(unit for units in UNITS.values() for unit in units)}, key=len)
_UNIT: Final = rf"(?:{'|'.join(map(re.escape, reversed(_NAMES)))})(?![^\W\d_])|[^\W\d_]+"
_PRINTED: Final = re.compile(
    rf"(?P<sign>(?ai:{_SIGN}))?\s?(?P<first>[-+\u2212]?{_DIGITS})\s?(?P<unit1>{_UNIT})?\s?"
    rf"(?:{_DEVIATION}\s?(?P<deviation>{_DIGITS})|{_DASH}\s?(?P<last>{_DIGITS}))?"
    rf"\s?(?P<unit2>{_UNIT})?",
    re.IGNORECASE,
)


def read_printed(text: str, units: Mapping[str, Scale]) -> dict[str, str]:
    """Return the parts of a printed number, in the unit of its column.

    Args:
        text: The text.
        units: The units it may have; `UNITS` by the unit of the column.

    Returns:
        `value`, and where they are printed `bound` (`~`, `>`, `<`), `low` and `high` of a range or
        a deviation, `quality` (best value) and `unit`. The value alone, as it is, where the text is
        no number: its column says what is allowed.

    Raises:
        InputError: The unit is not known, or a sign and a range contradict each other.

    Examples:
        >>> nm, percent, hours = (UNITS[unit] for unit in ("nm", "%", "h"))
        >>> read_printed("\u2248 20 nm", nm), read_printed("81 \u00b1 3", percent)
        ({'value': '20', 'bound': '~'}, {'value': '81', 'low': '78', 'high': '84'})
        >>> read_printed("2.42\u20132.48 eV", {**nm, **ENERGIES})
        {'value': '506.133', 'low': '499.935', 'high': '512.331'}
        >>> read_printed("> 2 weeks", hours)
        {'value': '336', 'bound': '>'}
    """
    plain = _BRACKETS.sub(r"\1", " ".join(text.split()))
    match = _PRINTED.fullmatch(plain) if len(text) <= _MOST else None
    if match is None:
        return {"value": text}
    scale = _scale(text, match, units)
    first, last, deviation = (
        match["first"].replace("\u2212", "-"),
        match["last"],
        match["deviation"],
    )
    parts = {"value": first}
    if last or deviation:
        parts = _ends(first, last, deviation)
    parts = {part: scale(number) for part, number in parts.items()}
    if scale.is_reversed and "low" in parts:
        low, high = parts["high"], parts["low"]
        middle = (Decimal(low) + Decimal(high)) / 2
        parts = {"value": f"{middle.normalize():f}", "low": low, "high": high}
    if "low" in parts and float(parts["low"]) > float(parts["high"]):
        msg = f"{text!r}: the smaller end of a range comes first"
        raise InputError(msg)
    return parts | _sign(text, match, scale, has_range="low" in parts)


def _scale(text: str, match: re.Match[str], units: Mapping[str, Scale]) -> Scale:
    given = [unit for unit in (match["unit1"], match["unit2"]) if unit]
    names = {unit.casefold() for unit in given}
    if not names:
        return _SAME
    if len(names) > 1 or not names <= {*units}:
        first = {scale: name for name, scale in reversed([*units.items()])}
        allowed = ", ".join(reversed(first.values()))
        msg = f"{text!r} has the unit {' and '.join(given)}; allowed: {allowed or 'none'}"
        raise InputError(msg)
    return units[names.pop()]


def _ends(first: str, last: str | None, deviation: str | None) -> dict[str, str]:
    """Return the middle and the ends of a range or of a deviation."""
    value, other = Decimal(first), Decimal(deviation or last or "0")
    low, high = (value - other, value + other) if deviation else (value, other)
    middle = value if deviation else (low + high) / 2
    ends = {"value": middle, "low": low, "high": high}
    return {name: f"{number.normalize():f}" for name, number in ends.items()}


def _sign(text: str, match: re.Match[str], scale: Scale, *, has_range: bool) -> dict[str, str]:
    if not match["sign"]:
        return {}
    bound = _SIGN_OF[match["sign"].casefold()]
    if bound == BEST:
        return {"quality": BEST}
    if has_range:
        if bound == "~":
            return {}
        msg = f"{text!r} has a sign and a range; write one of them"
        raise InputError(msg)
    if scale.is_reversed and bound in "<>":
        bound = "<" if bound == ">" else ">"
    return {"bound": bound}
