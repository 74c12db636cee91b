"""Formulas that leave amounts or ions open: CsPbX3, CsPb(Br/I)3, CsxFA1-xPbI3."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias

from perovshell.data.composition import Composition
from perovshell.data.grammar import MAX_LENGTH, refuse_shape, split_outside_brackets
from perovshell.data.ions import ELEMENTS, SITES, Ion, Ions
from perovshell.data.spelling import Spellings
from perovshell.data.tokenizer import to_ascii
from perovshell.errors import FormulaError
from perovshell.texts import listed

_ANY: Final = {"A": "any A-site ion", "B": "any metal", "X": "any halide"}
"""What a letter for a whole site means."""
_STAND_INS: Final = {"A": ("Cs", "Rb", "K"), "X": ("Br", "I", "Cl", "F")}
"""Ions by which the letter of a site is read; one that the formula does not name."""
_LETTERS: Final = {
    "A": re.compile(r"^A(?=\d|[xyz]|[A-Z][a-z])"),
    "X": re.compile(r"X(?!e)"),
}
_TRIALS: Final = 4
"""Sets of amounts that are put in: equal parts, unequal ones, and two of traces."""
_VALUES: Final[Mapping[str, tuple[float, ...]]] = {
    "x": (0.5, 0.25, 0.02, 0.01),
    "y": (0.25, 0.125, 0.01, 0.005),
    "z": (0.125, 0.0625, 0.005, 0.0025),
    "δ": (0.04, 0.03, 0.02, 0.01),
    "n": (2.0, 3.0, 4.0, 5.0),
    "m": (2.0, 3.0, 4.0, 5.0),
}
"""What is put in for each letter of an amount."""
_FEW: Final = (0.02, 0.01)
_NUMBER: Final = r"(?:\d+(?:\.\d*)?|\.\d+)"
_TERM: Final = rf"(?:{_NUMBER}?[xyzδnm]|\d+(?:\.\d+)?)"
_LINEAR: Final = rf"{_TERM}(?:[+-]{_TERM})*"
_AMOUNT: Final = re.compile(
    rf"(?<=[A-Za-z)\]}}])(?:(?P<factor>\d+(?:\.\d+)?)?\((?P<inner>{_LINEAR})\)|(?P<outer>{_LINEAR}))"
    r"(?![a-z0-9.])"
)
"""`x`, `1-x`, `3n+1`, `3(1-x)` behind an ion or a bracket."""
_PARTS: Final = re.compile(rf"([+-]?)({_NUMBER}?)([xyzδnm]?)")
_LAYERS: Final = re.compile(r"[nm][+-]1(?!\d)")
_MIXED: Final = re.compile(
    r"[(\[{]((?:[^()\[\]{}]|\([^()]*\))*?[/,](?:[^()\[\]{}]|\([^()]*\))*)[)\]}]"
)
"""`(Br/I)`, `(Cs,FA)`."""
_DASHES: Final = re.compile("[\u2010-\u2015\u2212]")
_BLANKS: Final = re.compile(r"(?<=[/,+-])\s+|\s+(?=[/,+-])")
_HEAD: Final = re.compile(r"core(?: '[^']*'| \"[^\"]*\")?: ")
_EXAMPLES: Final = ("CsPbX3", "CsPb(Br/I)3", "MAPbX3", "FAPbX3", "APbX3", "Cs2SnX6")
_LIKENESS: Final = 0.5
_KEY_DIGITS: Final = 6

Compose: TypeAlias = Callable[[str], Composition]
"""Reads a formula that leaves nothing open."""


@dataclass(frozen=True)
class OpenSite:
    """What a formula says of one site.

    Attributes:
        name: `A`, `B` or `X`.
        ions: Ions whose share of the site is stated.
        open_ions: Ions whose share is not.
        has_any: Whether other ions may be on it, as the halides of CsPbX3.
    """

    name: str
    ions: tuple[str, ...]
    open_ions: tuple[str, ...] = ()
    has_any: bool = False

    def __str__(self) -> str:
        """Return its ions in words."""
        amounts = "unstated amounts" if len(self.open_ions) > 1 else "an unstated amount"
        parts = [listed(list(self.ions))] if self.ions else []
        parts += [f"{listed(list(self.open_ions))} in {amounts}"] if self.open_ions else []
        return ", and ".join([*parts, *([_ANY[self.name]] if self.has_any else [])])


@dataclass(frozen=True)
class OpenFormula:
    """A core whose paper leaves amounts or ions open: what is known of each site.

    Attributes:
        text: The formula as it is written.
        sites: The sites with ions, in the order A, B, X.
        definite: The composition of a text that leaves nothing open itself; else None.
        stand_in: The composition by which descriptors see it: equal parts of what shares a site,
            and for any ion Cs or Br, the usual ones (another where the text names these).

    Raises:
        FormulaError: It names no ion.

    Examples:
        >>> from perovshell.data.formula import FormulaReader
        >>> formula = FormulaReader.bundled().read_open("CsPb(Br/I)3")
        >>> print(formula)
        Cs; Pb; Br and I in unstated amounts
        >>> formula.stand_in.formula
        'CsPbBr1.5I1.5'
    """

    text: str
    sites: tuple[OpenSite, ...]
    definite: Composition | None
    stand_in: Composition

    def __post_init__(self) -> None:
        if not any(site.ions or site.open_ions for site in self.sites):
            msg = f"core {self.text!r}: names no ion; write a formula such as CsPbX3"
            raise FormulaError(msg)

    def __str__(self) -> str:
        """Return the ions of each site, and what is open, in words."""
        return "; ".join(map(str, self.sites))

    @property
    def key(self) -> tuple[object, ...]:
        """Equal for all spellings of one formula."""
        if self.definite is not None:
            return self.definite.key
        # Cs4Pb(Br/I)6 has the sites of CsPb(Br/I)3.
        return (*self.sites, self._ratio)

    @property
    def _ratio(self) -> tuple[float, ...]:
        """How many of the ions are on each site."""
        amounts = [amount for _, amount in self.stand_in.amounts]
        sites = [ion.site for ion in self.stand_in.ions]
        of_site = {
            name: sum(one for one, site in zip(amounts, sites, strict=True) if site == name)
            for name in SITES
        }
        return tuple(round(one / sum(amounts), _KEY_DIGITS) for one in of_site.values())


def read_open(text: str, ions: Ions, compose: Compose, known_cores: Spellings) -> OpenFormula:
    """Read a formula that may leave amounts, or the ions of a site, open.

    Amounts are put in for what is open, and the formula is read as any other: it must be neutral
    with some amounts. What differs between two sets of amounts is open.

    Args:
        text: The formula.
        ions: The ion table.
        compose: Reads a formula that leaves nothing open.
        known_cores: Formulas offered where the text cannot be read.

    Raises:
        FormulaError: It is no halide perovskite or related halide for any amounts.
    """
    text = text.strip()
    if len(text) > MAX_LENGTH:
        refuse_shape("core", text)
    plain = _DASHES.sub("-", _BLANKS.sub("", to_ascii(text)))
    letters = [site for site, letter in _LETTERS.items() if letter.search(plain)]
    stand_ins = {site: _stand_in(plain, site) for site in letters}
    for site, symbol in stand_ins.items():
        plain = _LETTERS[site].sub(symbol, plain)
    readings, fault = _readings(plain, compose)
    if not readings:
        readings, _ = _readings(_shared(plain, ions), compose)
    if not readings:
        raise _refusal(text, fault, compose, known_cores)
    return _formula(text, readings, stand_ins)


def leaves_open(text: str) -> bool:
    """Return whether a text has signs of an open formula; whether it is one, `read_open` says.

    Examples:
        >>> [leaves_open(text) for text in ("CsPbX3", "CsPb(Br/I)3", "CsPbBr3", "CsSnBr3")]
        [True, True, False, False]
    """
    return _filled(text, 0) != text or any(letter.search(text) for letter in _LETTERS.values())


def _is_open(text: str, match: re.Match[str]) -> bool:
    """Return whether what follows an ion is an amount with a letter: not the `n` of Sn."""
    amount = match["inner"] or match["outer"]
    letters = {*re.findall(r"[xyzδnm]", amount)}
    is_element = text[match.start() - 1] + amount[0] in ELEMENTS
    return bool(letters) and not is_element and (letters <= {*"xyzδ"} or bool(_LAYERS.search(text)))


def _stand_in(text: str, site: str) -> str:
    """Return the ion by which the letter of a site is read.

    Raises:
        FormulaError: The formula names all of them beside the letter.
    """
    free = [symbol for symbol in _STAND_INS[site] if symbol not in text]
    if not free:
        named = listed(list(_STAND_INS[site]))
        msg = f"core {text!r}: {site} stands for {_ANY[site]}, but {named} are named beside it"
        raise FormulaError(msg)
    return free[0]


def _shared(text: str, ions: Ions) -> str:
    """Return a formula in which ions of one site that follow each other share it.

    `CsPbMnX3` has Pb and Mn on one site.
    """
    for site in ("A", "B"):
        names = [ion.written for ion in ions.by_symbol.values() if ion.site == site]
        one = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        run = re.compile(rf"(?<![A-Z])(?:(?:{one})(?![a-z])){{2,}}(?![\d.xyz(])")
        each = re.compile(one)
        text = run.sub(partial(_joined, each), text)
    return text


def _joined(ion: re.Pattern[str], run: re.Match[str]) -> str:
    return f"({'/'.join(ion.findall(run[0]))})"


def _readings(text: str, compose: Compose) -> tuple[list[Composition], str]:
    """Return compositions with two sets of amounts, fewer where none fit, and the first fault."""
    readings: list[Composition] = []
    fault = ""
    # A text that leaves nothing open is read once.
    for filled in dict.fromkeys(_filled(text, trial) for trial in range(_TRIALS)):
        try:
            readings.append(compose(filled))
        except FormulaError as error:
            fault = fault or _HEAD.sub("", str(error), count=1)
    return readings[:2], fault


def _filled(text: str, trial: int) -> str:
    """Return a formula with amounts for what it leaves open."""

    def amount(match: re.Match[str]) -> str:
        if not _is_open(text, match):
            return match[0]
        value = _value(match["inner"] or match["outer"], trial) * float(match["factor"] or 1)
        return _digits(value)

    def group(match: re.Match[str]) -> str:
        parts = split_outside_brackets(match[1], "/,")
        shares = _shares(len(parts), trial)
        pairs = zip(parts, shares, strict=True)
        return f"({''.join(f'({part}){_digits(share)}' for part, share in pairs)})"

    return _MIXED.sub(group, _AMOUNT.sub(amount, text))


def _value(linear: str, trial: int) -> float:
    """Return the value of an amount such as 1-x."""
    total = 0.0
    for sign, number, letter in _PARTS.findall(linear):
        if number or letter:
            size = float(number or 1) * (_VALUES[letter][trial] if letter else 1.0)
            total += -size if sign == "-" else size
    return total


def _shares(count: int, trial: int) -> list[float]:
    """Return parts of 1: equal, unequal, or a trace of all but the first."""
    if trial >= len(_FEW):
        few = _FEW[trial - len(_FEW)]
        return [1.0 - few * (count - 1), *[few] * (count - 1)]
    weights = [1.0 + trial * index**2 for index in range(count)]
    return [weight / sum(weights) for weight in weights]


def _digits(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")


def _formula(text: str, readings: list[Composition], stand_ins: Mapping[str, str]) -> OpenFormula:
    """Return what two readings of a formula have in common."""
    first, last = readings[0], readings[-1]
    sites = tuple(
        site for name in SITES if (site := _site(name, first, last, stand_ins.get(name, "")))
    )
    is_definite = not any(site.open_ions or site.has_any for site in sites)
    return OpenFormula(text, sites, first if is_definite else None, first)


def _site(name: str, first: Composition, last: Composition, stand_in: str) -> OpenSite | None:
    ions = [ion for ion in first.ions if ion.site == name]
    named = [ion for ion in ions if ion.symbol != stand_in]
    is_open = {ion.symbol: _share(first, ion) != _share(last, ion) for ion in named}
    site = OpenSite(
        name,
        tuple(_name(ion) for ion in named if not is_open[ion.symbol]),
        tuple(_name(ion) for ion in named if is_open[ion.symbol]),
        has_any=bool(stand_in),
    )
    return site if ions else None


def _share(composition: Composition, ion: Ion) -> float:
    return round(composition.fractions.get(ion.symbol, 1.0), 6)


def _name(ion: Ion) -> str:
    return ion.written.strip("()")


def _refusal(text: str, fault: str, compose: Compose, known_cores: Spellings) -> FormulaError:
    """Return why no amounts make a core of a text, with the nearest spelling."""
    if leaves_open(text) and "not neutral" in fault:
        fault = "not neutral for any amounts, with the charges of the ion table"
    near = Spellings((*_EXAMPLES, *known_cores.known)).nearest(text, count=1, cutoff=_LIKENESS)
    if _is_read(text.replace("x", "X"), compose):
        fault = f"capitals count in a formula; write {text.replace('x', 'X')}"
    elif near and "nearest known" not in fault:
        fault += f"; nearest known: {near[0]}"
    return FormulaError(f"core {text!r}: {fault}")


def _is_read(text: str, compose: Compose) -> bool:
    return bool(_readings(_LETTERS["X"].sub(_stand_in(text, "X"), text), compose)[0])
