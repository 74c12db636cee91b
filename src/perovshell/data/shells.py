"""Shell materials: every known name, its class, formula, behaviour in water and properties."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from perovshell.data.ions import ELEMENTS
from perovshell.data.spelling import Spellings
from perovshell.data.tables import Row, bundled_rows
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

WATER_WORDS = ("soluble", "reacts", "sparingly soluble", "insoluble")
"""How the bulk material behaves in water; an empty text is unknown."""


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
    """

    name: str
    material_class: str
    formula: str
    in_water: str
    crystalline: str = ""
    listed: bool = True
    properties: dict[str, float] = field(default_factory=dict, hash=False, compare=False)


class Shells:
    """The shell table joined with the reference properties.

    Args:
        shell_rows: Rows with the columns of `materials/shells.csv`.
        property_rows: Rows with the columns of `materials/shell_materials.csv`.

    Raises:
        InputError: A spelling names two materials, or a word is not allowed.
    """

    def __init__(self, shell_rows: Iterable[Row], property_rows: Iterable[Row]) -> None:
        """Index names and aliases in lower case."""
        self.shell_rows = [dict(row) for row in shell_rows]
        self.property_rows = [dict(row) for row in property_rows]
        reference = {row["name"]: row for row in self.property_rows}
        self.materials: dict[str, ShellMaterial] = {}
        self._by_spelling: dict[str, str] = {}
        self._spelling_of: dict[str, str] = {}
        for row in self.shell_rows:
            self.materials[row["name"]] = _material(row, reference.get(row["reference"], {}))
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

        Names are read in any case, but capitals that could be an abbreviation are not read as a
        formula: PBS is no PbS.
        """
        name = self._by_spelling.get(spelling.casefold())
        return None if name is None or self.collision(spelling) else self.materials[name]

    def collision(self, spelling: str) -> str:
        """Return the formula that capitals without a digit may stand for, or an empty text.

        Examples:
            >>> shells = Shells.bundled()
            >>> [shells.collision(text) for text in ("PBS", "PbS", "PMMA", "SIO2")]
            ['PbS', '', '', '']
        """
        known = self._spelling_of.get(spelling.casefold(), spelling)
        is_formula = all(symbol in ELEMENTS for symbol in _SYMBOLS.findall(known))
        is_read = _FORMULA.fullmatch(known) and is_formula and known != spelling
        return known if is_read and spelling.isalpha() and spelling.isupper() else ""

    def nearest(self, spelling: str) -> list[str]:
        """Return the standard names whose spellings look most like a text."""
        close = self._spellings.nearest(spelling.casefold(), count=8, cutoff=0.5)
        return list(dict.fromkeys(self._by_spelling[key] for key in close))[:_OFFERED]


def _material(row: Row, reference: Row) -> ShellMaterial:
    if row["in_water"] not in {*WATER_WORDS, ""}:
        msg = (
            f"shells.csv: {row['name']}: in_water {row['in_water']!r}; "
            f"allowed: {', '.join(WATER_WORDS)}, or empty"
        )
        raise InputError(msg)
    exact = row["composition"] in {"exact", "repeat unit"}
    return ShellMaterial(
        name=row["name"],
        material_class=row["class"],
        formula=row["formula"] if exact else "",
        in_water=row["in_water"],
        crystalline=reference.get("crystalline", ""),
        properties={key: _number(reference.get(key, "")) for key in PROPERTIES},
    )


def _number(text: str) -> float:
    return float(text) if text else math.nan


def is_none(text: str) -> bool:
    """Whether a text is a word for no shell, in any case and between any blanks."""
    return _NO_SHELL.fullmatch(text.strip()) is not None


def shell_text(layers: Sequence[ShellMaterial]) -> str:
    """Write layers as `inner|outer`; `none` where there are none."""
    return "|".join(layer.name for layer in layers) or NONE
