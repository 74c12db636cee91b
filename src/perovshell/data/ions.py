"""The ions a formula is made of: charges, radii, sites.

The only charges Perovshell knows are those of the ion table; it never guesses an oxidation
state.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from perovshell.data.grammar import element_amounts
from perovshell.data.tables import Row, bundled_rows
from perovshell.errors import InputError

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

WRITTEN_OUT: dict[str, str] = {
    "HC(NH2)2": "FA",
    "CH(NH2)2": "FA",
    "NH2CHNH2": "FA",
    "CH5N2": "FA",
    "CH3NH3": "MA",
    "CH6N3": "GA",
    "CH6N": "MA",
    "C(NH2)3": "GA",
    "C2H5NH3": "EA",
    "CH3CH2NH3": "EA",
    "C2H8N": "EA",
    "C6H5C2H4NH3": "PEA",
    "C6H5CH2CH2NH3": "PEA",
    "C8H12N": "PEA",
    "C4H9NH3": "BA",
    "C4H12N": "BA",
}
"""Organic cations in the ways papers write them out."""


@dataclass(frozen=True)
class Ion:
    """One symbol of a formula.

    Attributes:
        symbol: As written in a formula: an element, or FA, MA, GA, EA, PEA, BA, SCN.
        site: `A`, `B` or `X`.
        charges: Allowed charges in units of e.
        radius_pm: Effective ionic radius for each charge, in pm; NaN where it is unknown.
        elements: Atoms in the ion.
    """

    symbol: str
    site: str
    charges: tuple[int, ...]
    radius_pm: tuple[float, ...]
    elements: dict[str, float]


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
        self.by_symbol: dict[str, Ion] = {}
        for row in self.rows:
            self.by_symbol.setdefault(row["symbol"], self._ion(row["symbol"]))

    @classmethod
    def bundled(cls) -> Ions:
        """Read the table that is shipped with the package."""
        return cls(bundled_rows("materials", "ions.csv"))

    def _ion(self, symbol: str) -> Ion:
        rows = [row for row in self.rows if row["symbol"] == symbol]
        charges = tuple(int(part) for part in rows[0]["charges"].split(";"))
        elements = element_amounts(rows[0]["formula"])
        radius_by_charge = {_charge_of(row["ion"]): row for row in rows}
        radii = tuple(_radius(radius_by_charge.get(charge)) for charge in charges)
        return Ion(symbol, _site(symbol, charges, elements), charges, radii, elements)

    @cached_property
    def organics(self) -> tuple[str, ...]:
        """Symbols of more than one atom, longest first."""
        many = (s for s, ion in self.by_symbol.items() if sum(ion.elements.values()) > 1)
        return tuple(sorted(many, key=len, reverse=True))


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
