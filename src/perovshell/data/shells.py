"""Shell materials: every known name, its class, formula, behaviour in water and properties."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from perovshell.data.ions import ELEMENTS
from perovshell.data.spelling import Spellings
from perovshell.data.tables import Row, bundled_rows, plain_number
from perovshell.errors import InputError

NONE = "none"
"""The word for no shell."""
_NO_SHELL = re.compile(
    r"none(?: \([^()]*\))?|bare|naked|un(?:coated|shelled)|not coated|core[- ]only"
    r"|(?:no|without|w/o) (?:a )?(?:shell|coating)",
    re.IGNORECASE,
)
"""Words that are read as it."""
_SYMBOLS = re.compile("[A-Z][a-z]?")
_FORMULA = re.compile(f"({_SYMBOLS.pattern})+")

PROPERTIES: dict[str, str] = {
    "band_gap_ev": "eV",
    "valence_band_max_ev_vs_vacuum": "eV",
    "conduction_band_min_ev_vs_vacuum": "eV",
    "lattice_a_angstrom": "angstrom",
    "refractive_index": "1",
    "relative_permittivity_static": "1",
    "density_g_cm3": "g/cm3",
    "melting_point_c": "deg C",
    "water_contact_angle_deg": "deg",
}
"""Reference properties carried as numbers, with their units."""

_OFFERED = 3
"""Names offered for one that is not known."""
_LIKENESS = 0.75
"""Likeness of spelling, from 0 to 1, from which a name is offered."""

WATER_WORDS = ("soluble", "reacts", "sparingly soluble", "insoluble")
"""How the bulk material behaves in water; an empty text is unknown."""
ROUTES = (
    "sol-gel",
    "ALD",
    "CVD",
    "evaporation",
    "ligand exchange",
    "phase transformation",
    "hot injection",
    "in-situ growth",
    "in-situ polymerisation",
    "solution mixing",
    "melt mixing",
    "melt quenching",
    "sintering",
)
"""How a shell is usually put on, or grown around, perovskite nanocrystals; an empty text is
unknown."""
YES_NO = ("yes", "no")
"""Answers to a question about a shell; an empty text is unknown."""
FACTS = ("route", "solvent", "process_temperature_c", "electron_acceptor", "single_particle")
"""Columns whose cells need a source."""
_COLDEST, _HOTTEST = -273.15, 3000.0


@dataclass(frozen=True)
class ShellMaterial:
    """One layer material.

    Attributes:
        name: Standard name.
        material_class: Class such as `oxide`, `polymer`, `metal`.
        formula: Formula or repeat unit; empty where it is open.
        in_water: One of `WATER_WORDS`, or empty where unknown.
        crystalline: `yes`, `no`, `semi` or empty.
        listed: Whether the name is in the shell table.
        properties: Reference properties by the names of `PROPERTIES`; NaN where unknown.
        route: The usual deposition route, one of `ROUTES`, or empty where unknown.
        solvent: What the route needs, such as toluene; alternatives are joined by `;`; `none`
            where it needs no solvent; empty where unknown.
        process_temperature_c: The usual temperature of the route, deg C; NaN where unknown.
        electron_acceptor: Whether it takes electrons from a core: one of `YES_NO`, or empty where
            unknown.
        single_particle: Whether single nanocrystals, each in a separate shell of it, were
            reported: one of `YES_NO`, or empty where unknown.
        source: DOI or address of these facts.
    """

    name: str
    material_class: str
    formula: str
    in_water: str
    crystalline: str = ""
    listed: bool = True
    properties: dict[str, float] = field(default_factory=dict, hash=False, compare=False)
    route: str = ""
    solvent: str = ""
    process_temperature_c: float = field(default=math.nan, hash=False, compare=False)
    electron_acceptor: str = ""
    single_particle: str = ""
    source: str = ""


class Shells:
    """The shell table joined with the reference properties.

    Args:
        shell_rows: Rows with the columns of `materials/shells.csv`.
        property_rows: Rows with the columns of `materials/shell_materials.csv`. A row belongs to
            the shell that names it as its reference, or that has its name; of several, the last
            one that states a property counts.

    Raises:
        InputError: A spelling names two materials, or a word is not allowed.
    """

    def __init__(self, shell_rows: Iterable[Row], property_rows: Iterable[Row]) -> None:
        """Index names and aliases in lower case."""
        self.shell_rows = [dict(row) for row in shell_rows]
        self.property_rows = [dict(row) for row in property_rows]
        reference: dict[str, dict[str, str]] = {}
        for row in self.property_rows:
            cells = {column: cell for column, cell in row.items() if cell}
            reference[row["name"]] = reference.get(row["name"], {}) | cells
        self.materials: dict[str, ShellMaterial] = {}
        self._by_spelling: dict[str, str] = {}
        self._spelling_of: dict[str, str] = {}
        for row in self.shell_rows:
            cells = reference.get(row["reference"], {}) | reference.get(row["name"], {})
            self.materials[row["name"]] = _material(row, cells)
            for spelling in (row["name"], *row["aliases"].split(";")):
                self._add_spelling(spelling.strip(), row["name"])
        self._spellings = Spellings(self._by_spelling)

    @classmethod
    def bundled(cls) -> Shells:
        """Read the tables that are shipped with the package."""
        return cls(
            bundled_rows("materials", "shells.csv"),
            bundled_rows("materials", "shell_materials.csv"),
        )

    def _add_spelling(self, spelling: str, name: str) -> None:
        if not spelling:
            return
        known = self._by_spelling.setdefault(spelling.casefold(), name)
        self._spelling_of.setdefault(spelling.casefold(), spelling)
        if known != name:
            msg = f"shells.csv: {spelling!r} names both {known!r} and {name!r}"
            raise InputError(msg)

    def find(self, spelling: str) -> ShellMaterial | None:
        """Return the material of a name or alias, or None.

        Names are read in any case, but a text whose capitals may mean another material is not:
        PBS is no PbS, and SbS no SBS.
        """
        name = self._by_spelling.get(spelling.casefold())
        return None if name is None or self.collision(spelling) else self.materials[name]

    def collision(self, spelling: str) -> str:
        """Return the known spelling that a text has in other capitals, where these count.

        They do where the known one is a formula and the text has more capitals, the first letter
        among them, or where the text is a formula itself. Empty where they do not.

        Examples:
            >>> shells = Shells.bundled()
            >>> [shells.collision(text) for text in ("PBS", "PbS", "CDs", "CoC", "PMMA", "SIO2")]
            ['PbS', '', 'CdS', 'COC', '', '']
        """
        known = self._spelling_of.get(spelling.casefold(), spelling)
        if known == spelling or not spelling.isalpha():
            return ""
        has_more = any(a.islower() and b.isupper() for a, b in zip(known, spelling, strict=False))
        is_abbreviation = _is_formula(known) and has_more and spelling[0].isupper()
        is_formula = _is_formula(spelling) and not spelling.isupper()
        return known if is_abbreviation or is_formula else ""

    def nearest(self, spelling: str, like: str = "") -> list[str]:
        """Return the standard names whose spellings look most like a text.

        Args:
            spelling: The text.
            like: Standard name of a material of the only class that is offered; empty offers all.
        """
        close = self._spellings.nearest(spelling.casefold(), count=8, cutoff=_LIKENESS)
        names = list(dict.fromkeys(self._by_spelling[key] for key in close))
        if like:
            kind = self.materials[like].material_class
            names = [name for name in names if self.materials[name].material_class == kind]
        return names[:_OFFERED]


def _is_formula(text: str) -> bool:
    """Whether a text is symbols of elements alone, without amounts."""
    symbols = _SYMBOLS.findall(text)
    return _FORMULA.fullmatch(text) is not None and all(symbol in ELEMENTS for symbol in symbols)


def _material(row: Row, reference: Row) -> ShellMaterial:
    exact = row["composition"] in {"exact", "repeat unit"}
    _refuse_facts_without_source(row)
    return ShellMaterial(
        name=row["name"],
        material_class=row["class"],
        formula=row["formula"] if exact else "",
        in_water=_word(row, "in_water", WATER_WORDS),
        crystalline=reference.get("crystalline", ""),
        properties={key: _number(reference.get(key, "")) for key in PROPERTIES},
        route=_word(row, "route", ROUTES),
        solvent=row.get("solvent", ""),
        process_temperature_c=_temperature(row),
        electron_acceptor=_word(row, "electron_acceptor", YES_NO),
        single_particle=_word(row, "single_particle", YES_NO),
        source=row.get("source", ""),
    )


def _word(row: Row, column: str, words: Sequence[str]) -> str:
    """Return the word of a column, empty where the table lacks it, as those of older models do."""
    text = row.get(column, "")
    if text not in {*words, ""}:
        msg = f"shells.csv: {row['name']}: {column} {text!r}; allowed: {', '.join(words)}, or empty"
        raise InputError(msg)
    return text


def _temperature(row: Row) -> float:
    text = row.get("process_temperature_c", "")
    value = plain_number(text)
    if text and not _COLDEST <= value <= _HOTTEST:
        msg = (
            f"shells.csv: {row['name']}: process_temperature_c {text!r}; "
            f"allowed: a number from {_COLDEST:g} to {_HOTTEST:g} deg C, or empty"
        )
        raise InputError(msg)
    return value


def _refuse_facts_without_source(row: Row) -> None:
    stated = [column for column in FACTS if row.get(column, "")]
    if stated and not row.get("source", ""):
        msg = f"shells.csv: {row['name']}: {', '.join(stated)} without a source"
        raise InputError(msg)


def _number(text: str) -> float:
    return float(text) if text else math.nan


def is_none(text: str) -> bool:
    """Whether a text is a word for no shell, in any case and between any blanks."""
    return _NO_SHELL.fullmatch(text.strip()) is not None


def shell_text(layers: Sequence[ShellMaterial]) -> str:
    """Write layers as `inner|outer`; `none` where there are none."""
    return "|".join(layer.name for layer in layers) or NONE
