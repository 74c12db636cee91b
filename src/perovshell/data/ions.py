"""The ions a formula is made of: charges, radii, sites.

The only charges Perovshell knows are those of the ion table; it never guesses an oxidation
state.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from perovshell.data.grammar import element_amounts
from perovshell.data.spelling import Spellings
from perovshell.data.tables import Row, bundled_rows
from perovshell.errors import FormulaError, InputError
from perovshell.texts import listed

A_SITE_METALS = frozenset({"Li", "Na", "K", "Rb", "Cs", "Tl"})
"""Monovalent metals read as A-site ions; an organic cation always is one."""

SITES = ("A", "B", "X")
"""The sites of a perovskite, in the order of a formula."""

# fmt: off
ELEMENTS: tuple[str, ...] = (
    "H", "He", "Li", "Be", "B", "C", "N", "O", "F", "Ne", "Na", "Mg", "Al", "Si", "P", "S", "Cl",
    "Ar", "K", "Ca", "Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Ga", "Ge", "As",
    "Se", "Br", "Kr", "Rb", "Sr", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag", "Cd", "In",
    "Sn", "Sb", "Te", "I", "Xe", "Cs", "Ba", "La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb",
    "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl",
    "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk",
    "Cf", "Es", "Fm", "Md", "No", "Lr",
)
"""Element symbols by atomic number (1 to 103)."""

NONMETALS = frozenset({
    "H", "He", "B", "C", "N", "O", "F", "Ne", "Si", "P", "S", "Cl", "Ar", "As", "Se", "Br", "Kr",
    "Te", "I", "Xe", "At", "Rn",
})
# fmt: on

_OFFERED = 3
"""Names offered for one that is not known."""
_FROM_SUBSCRIPT = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_TO_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True)
class Ion:
    """One symbol of a formula.

    Attributes:
        symbol: An element, or the abbreviation of an ion of several atoms; digits of it are
            subscripts here (NH₄), so that they are no amounts.
        site: `A`, `B` or `X`.
        charges: Allowed charges in units of e.
        radius_pm: Effective ionic radius for each charge, in pm; NaN where it is unknown.
        elements: Atoms in the ion.
        name: Name of an ion of several atoms.
        formula: Its formula; that of an element is its symbol.
        in_brackets: Whether it is read within brackets of its own only, since its letters could
            be several symbols (GABA is GA and BA) or begin with no capital letter.
    """

    symbol: str
    site: str
    charges: tuple[int, ...]
    radius_pm: tuple[float, ...]
    elements: dict[str, float]
    name: str = ""
    formula: str = ""
    in_brackets: bool = False

    @property
    def written(self) -> str:
        """The symbol as a standard formula has it."""
        symbol = self.symbol.translate(_FROM_SUBSCRIPT)
        return f"({symbol})" if self.in_brackets else symbol

    def __str__(self) -> str:
        """Return the symbol, and the name where there is one."""
        symbol = self.symbol.translate(_FROM_SUBSCRIPT)
        return f"{symbol} ({self.name}, {self.formula})" if self.name else symbol


class Ions:
    """The ion table.

    Args:
        rows: Rows with the columns of `materials/ions.csv`.

    Raises:
        InputError: A formula or a charge cannot be read.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        """Group the rows (one a charge) by symbol."""
        self.rows = [dict(row) for row in rows]
        groups: dict[str, list[Row]] = {}
        for row in self.rows:
            groups.setdefault(row["symbol"], []).append(row)
        self.by_symbol: dict[str, Ion] = {}
        for symbol, group in groups.items():
            ion = _ion(group, in_brackets=needs_brackets(symbol, groups))
            self.by_symbol[ion.symbol] = ion

    @classmethod
    def bundled(cls) -> Ions:
        """Read the table that is shipped with the package."""
        return cls(bundled_rows("materials", "ions.csv"))

    @cached_property
    def polyatomic(self) -> tuple[str, ...]:
        """Symbols of more than one atom, longest first."""
        many = (s for s, ion in self.by_symbol.items() if sum(ion.elements.values()) > 1)
        return tuple(sorted(many, key=len, reverse=True))

    @cached_property
    def by_abbreviation(self) -> dict[str, list[Ion]]:
        """The ions of several atoms by their abbreviations; an ambiguous one has several."""
        found: dict[str, list[Ion]] = {}
        for spelling, ion in self._spellings:
            if not _is_written_out(spelling, ion) or ion.symbol == _symbol(spelling):
                found.setdefault(spelling, []).append(ion)
        return found

    def find(self, name: str) -> Ion:
        """Return the ion of an element symbol, an abbreviation or a formula.

        Raises:
            FormulaError: No ion has the name, or several have it.

        Examples:
            >>> Ions.bundled().find("GU").name
            'guanidinium'
        """
        written = self.written_out.get(name)
        known = self.by_symbol.get(written or name)
        named = self.by_abbreviation.get(name, []) if known is None else [known]
        if len(named) != 1:
            several = f"names {listed(map(str, named), 'or')}" if named else "no known ion"
            near = self._names.nearest(name, count=_OFFERED, cutoff=0.5)
            offered = f"; nearest: {', '.join(near)}" if near and not named else ""
            msg = f"ion {name!r}: {several}{offered}"
            raise FormulaError(msg)
        return named[0]

    @cached_property
    def _names(self) -> Spellings:
        return Spellings([*self.by_symbol, *self.by_abbreviation])

    @cached_property
    def written_out(self) -> dict[str, str]:
        """The symbols of ions by the ways in which papers write them out, longest first."""
        found = {
            spelling: ion.symbol
            for spelling, ion in self._spellings
            if _is_written_out(spelling, ion)
        }
        return {spelling: found[spelling] for spelling in sorted(found, key=len, reverse=True)}

    @cached_property
    def _spellings(self) -> list[tuple[str, Ion]]:
        rows = {row["symbol"]: row for row in self.rows}
        return [
            (spelling, self.by_symbol[_symbol(symbol)])
            for symbol, row in rows.items()
            if row.get("name")
            for spelling in (symbol, *filter(None, row.get("aliases", "").split(";")))
        ]

    def with_elements(self, elements: Mapping[str, float]) -> list[Ion]:
        """Return the organic ions that are made of some elements: isomers."""
        return [ion for ion in self.by_symbol.values() if ion.name and ion.elements == elements]


def _ion(rows: Sequence[Row], *, in_brackets: bool) -> Ion:
    """Return the ion of a group of rows, one a charge."""
    first = rows[0]
    charges = tuple(int(part) for part in first["charges"].split(";"))
    elements = element_amounts(first["formula"])
    radius_by_charge = {_charge_of(row["ion"]): row for row in rows}
    return Ion(
        symbol=_symbol(first["symbol"]),
        site=_site(first["symbol"], charges, elements),
        charges=charges,
        radius_pm=tuple(_radius(radius_by_charge.get(charge)) for charge in charges),
        elements=elements,
        name=first.get("name", ""),
        formula=first["formula"],
        in_brackets=in_brackets,
    )


def _symbol(text: str) -> str:
    return text.translate(_TO_SUBSCRIPT)


def _is_written_out(spelling: str, ion: Ion) -> bool:
    """Return whether a spelling is the formula of an ion, such as CH3NH3, not an abbreviation."""
    return spelling == ion.formula or re.search(r"H\d", spelling) is not None


def needs_brackets(spelling: str, symbols: Collection[str]) -> bool:
    """Return whether a name of an ion is one only where it stands in brackets of its own.

    It has a digit or a sign, begins with no capital letter, or is made of symbols.

    Examples:
        >>> [needs_brackets(name, {"GA", "BA"}) for name in ("GA", "GABA", "mPDA", "4AMP")]
        [False, True, True, True]
    """
    is_word = re.fullmatch("[A-Z][A-Za-z]*", spelling)
    return not is_word or _is_made_of(spelling, {*symbols} - {spelling})


def _is_made_of(text: str, symbols: Collection[str]) -> bool:
    """Return whether a text is symbols one after another."""
    ends = {0}
    for end in range(1, len(text) + 1):
        if any(text[start:end] in symbols for start in ends):
            ends.add(end)
    return len(text) in ends


def _site(symbol: str, charges: tuple[int, ...], elements: dict[str, float]) -> str:
    if charges[0] < 0:
        return "X"
    return "A" if symbol in A_SITE_METALS or sum(elements.values()) > 1 else "B"


def _charge_of(ion: str) -> int:
    digits = re.search(r"(\d*)([+-])$", ion)
    if digits is None:
        msg = f"ions.csv: ion {ion!r} does not end in a charge such as 2+"
        raise InputError(msg)
    size = int(digits[1] or 1)
    return size if digits[2] == "+" else -size


def _radius(row: Row | None) -> float:
    text = row["effective_ionic_radius_pm"] if row else ""
    return float(text) if text else math.nan
