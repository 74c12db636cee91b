"""Rows of materials of the user: new shells and ions, properties and corrections of shells."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from perovshell.data.grammar import MAX_LENGTH, SPREADSHEET, element_amounts
from perovshell.data.ions import ELEMENTS
from perovshell.data.shells import PROPERTIES, ROUTES, WATER_WORDS, YES_NO, is_none
from perovshell.data.tables import Row, bundled_rows, plain_number
from perovshell.data.vocabulary import is_unknown
from perovshell.errors import FormulaError, InputError

_NAME: Final = re.compile(r"[^\s,;|@][^,;|@]*")
_NAME_RULE: Final = (
    "a name without , ; | @ that does not begin with = + - and is no word for none or unknown"
)
_MOST_ATOMS: Final = 10_000.0
"""Largest amount of an element in a formula."""
_SYMBOL: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,11}")
_WORDS: Final = {
    "in_water": WATER_WORDS,
    "route": ROUTES,
    "electron_acceptor": YES_NO,
    "single_particle": YES_NO,
}
"""Columns of the shell table that hold words."""
CORRECTABLE: Final = ("class", "formula", *_WORDS, "solvent", "process_temperature_c")
"""Columns of the shell table that a correction may change."""
_LIMITS: Final[Mapping[str, tuple[float, float]]] = {
    "band_gap_ev": (0.0, 20.0),
    "valence_band_max_ev_vs_vacuum": (-20.0, 5.0),
    "conduction_band_min_ev_vs_vacuum": (-20.0, 5.0),
    "lattice_a_angstrom": (1.0, 200.0),
    "refractive_index": (0.01, 10.0),
    "relative_permittivity_static": (1.0, 10_000.0),
    "density_g_cm3": (0.01, 30.0),
    "melting_point_c": (-273.15, 4500.0),
    "water_contact_angle_deg": (0.0, 180.0),
}
"""Smallest and largest value of each property, in its unit."""


def bundled(table: str) -> list[Row]:
    """Return the bundled rows of a table of materials."""
    return bundled_rows("materials", f"{table}.csv")


def property_row(shell: str, name: str, value: float | str, *, source: str) -> Row:
    """Return the row of a property of a shell.

    Args:
        shell: The standard name of the shell.
        name: One of the properties of the shell table, such as `band_gap_ev`.
        value: Its value, in the unit that the name tells.
        source: DOI or address of what is stated.

    Raises:
        InputError: A value is missing or not allowed.

    Examples:
        >>> property_row("PVK", "refractive_index", 1.68, source="10.1000/x")["refractive_index"]
        '1.68'
    """
    _need("property", "name", name, name in PROPERTIES, ", ".join(PROPERTIES))
    low, high = _LIMITS[name]
    number = plain_number(str(value))
    limits = f"a number from {low:g} to {high:g} {PROPERTIES[name]}"
    _need("property", name, value, low <= number <= high, limits)
    _need_source("property", source)
    cells = {"name": shell, name: f"{number:g}", "source_url": source}
    return dict.fromkeys(bundled("shell_materials")[0], "") | cells


def property_of(row: Row) -> tuple[str, str]:
    """Return the shell and the property of a row that `property_row` returns.

    Raises:
        InputError: The row has no property, several, or one that is not allowed.
    """
    names = [name for name in PROPERTIES if row[name]]
    what = f"shell_materials {row['name']!r}"
    _need(what, "properties", ", ".join(names), len(names) == 1, "one property a row")
    property_row(row["name"], names[0], row[names[0]], source=row["source_url"])
    return row["name"], names[0]


def corrected_row(row: Row, facts: Mapping[str, str], *, source: str) -> Row:
    """Return the row of a shell with facts corrected.

    Args:
        row: The row as it is.
        facts: The facts by column, one or more of `CORRECTABLE`; an empty text is unknown.
        source: DOI or address of what is stated; it joins the sources of the row.

    Raises:
        InputError: A value is not allowed, or nothing changes.
    """
    name = row["name"]
    _need_source("shell", source)
    wrong = [column for column in facts if column not in CORRECTABLE]
    _need("shell", "facts", ", ".join(wrong), not wrong, ", ".join(CORRECTABLE))
    changed = {column: text for column, text in facts.items() if text != row[column]}
    if not changed:
        msg = f"shell {name!r}: nothing to correct; its facts are these already"
        raise InputError(msg)
    _check_facts(changed)
    if "formula" in changed:
        changed["composition"] = _composition(
            changed.get("class", row["class"]), changed["formula"]
        )
    sources = [*filter(None, row["source"].split(";")), source]
    return {**row, **changed, "source": ";".join(dict.fromkeys(sources))}


def corrections(row: Row, known: Row) -> str:
    """Return what a row of the shell table corrects in another, in words.

    Examples:
        >>> known = bundled("shells")[0]
        >>> corrections({**known, "in_water": "reacts"}, known)
        'in_water insoluble -> reacts'
    """
    pairs = ((column, known[column], cell) for column, cell in row.items() if column != "source")
    changes = [
        f"{column} {before or '(empty)'} -> {after or '(empty)'}"
        for column, before, after in pairs
        if before != after
    ]
    return ", ".join(changes)


def _is_name(text: str) -> bool:
    """Return whether a text can be the name of a shell: one that is read as that shell."""
    return (
        _NAME.fullmatch(text) is not None
        and text.isprintable()
        and len(text) <= MAX_LENGTH
        and not text.startswith(tuple(SPREADSHEET))
        and not is_none(text)
        and not is_unknown(text)
    )


def _composition(material_class: str, formula: str) -> str:
    exact = "repeat unit" if material_class == "polymer" else "exact"
    return exact if formula else "open"


def _check_facts(facts: Mapping[str, str]) -> None:
    """Refuse facts of a shell that are not allowed."""
    classes = sorted({row["class"] for row in bundled("shells")})
    material_class = facts.get("class", classes[0])
    _need("shell", "class", material_class, material_class in classes, ", ".join(classes))
    for column, words in _WORDS.items():
        text = facts.get(column, "")
        _need("shell", column, text, text in {*words, ""}, f"{', '.join(words)}, or empty")
    temperature = facts.get("process_temperature_c", "")
    is_number = not temperature or math.isfinite(plain_number(temperature))
    _need("shell", "process_temperature_c", temperature, is_number, "a number in deg C, or empty")
    solvent = facts.get("solvent", "")
    _need("shell", "solvent", solvent, solvent.isprintable(), "a text on one line, or empty")
    _elements("shell", facts.get("formula", ""))


def shell_row(
    name: str,
    material_class: str,
    *,
    source: str,
    formula: str = "",
    aliases: Sequence[str] = (),
    in_water: str = "",
) -> Row:
    """Return the row of a new shell material.

    Args:
        name: Its standard name.
        material_class: One of the classes of the shell table, such as `polymer`.
        source: DOI or address of what is stated.
        formula: Formula or repeat unit; empty where it is open.
        aliases: Other names.
        in_water: `insoluble`, `sparingly soluble`, `soluble` or `reacts`; empty where unknown.

    Raises:
        InputError: A value is missing or not allowed.

    Examples:
        >>> shell_row("PVK", "polymer", source="10.1000/x", formula="C14H11N")["composition"]
        'repeat unit'
    """
    for key, text in [("name", name), *(("alias", alias) for alias in aliases)]:
        _need("shell", key, text, _is_name(text), _NAME_RULE)
    _need_source("shell", source)
    _check_facts({"class": material_class, "in_water": in_water, "formula": formula})
    cells = {
        "name": name,
        "aliases": ";".join(aliases),
        "class": material_class,
        "formula": formula,
        "composition": _composition(material_class, formula),
        "in_water": in_water,
        "source": source,
    }
    return dict.fromkeys(bundled("shells")[0], "") | cells


def ion_row(
    symbol: str,
    *,
    formula: str,
    charge: int,
    source: str,
    name: str = "",
    radius_pm: float | None = None,
    aliases: Sequence[str] = (),
) -> Row:
    """Return the row of a new ion of several atoms, such as an organic cation.

    Args:
        symbol: Its abbreviation in formulas.
        formula: Its formula, such as `C4H12N`.
        charge: Its charge in e.
        source: DOI or address of what is stated.
        name: Its name.
        radius_pm: Its effective ionic radius in pm.
        aliases: Other abbreviations.

    Raises:
        InputError: A value is missing or not allowed.

    Examples:
        >>> row = ion_row("AZ", formula="C2H6N", charge=1, source="10.21203/rs.3.rs-3671642/v1")
        >>> row["ion"], row["charges"]
        ('AZ+', '1')
    """
    is_free = _SYMBOL.fullmatch(symbol) is not None and symbol not in ELEMENTS
    _need("ion", "symbol", symbol, is_free, "a capital and up to 11 letters or digits, no element")
    _need("ion", "charge", charge, charge in {-2, -1, 1, 2, 3}, "-2, -1, 1, 2 or 3")
    _need("ion", "formula", formula, bool(formula), "a formula such as C4H12N")
    _need_source("ion", source)
    for key, text in [("name", name), *(("alias", alias) for alias in aliases)]:
        _need("ion", key, text, text.isprintable(), "a text on one line")
    radius_fits = radius_pm is None or 50 <= radius_pm <= 1000  # noqa: PLR2004
    _need("ion", "radius_pm", radius_pm, radius_fits, "50 to 1000 pm, or nothing")
    _elements("ion", formula)
    size = "" if abs(charge) == 1 else str(abs(charge))
    cells = {
        "ion": f"{symbol}{size}{'+' if charge > 0 else '-'}",
        "symbol": symbol,
        "aliases": ";".join(aliases),
        "name": name or symbol,
        "formula": formula,
        "charges": str(charge),
        "effective_ionic_radius_pm": "" if radius_pm is None else f"{radius_pm:g}",
        "source_url": source,
    }
    return dict.fromkeys(bundled("ions")[0], "") | cells


def _need(what: str, key: str, given: object, is_allowed: bool, allowed: str) -> None:  # noqa: FBT001
    if not is_allowed:
        msg = f"{what} {key} {given!r}: allowed: {allowed}"
        raise InputError(msg)


def _need_source(what: str, source: str) -> None:
    is_source = bool(source.strip()) and source.isprintable()
    _need(what, "source", source, is_source, "a DOI or an address")


def _elements(what: str, formula: str) -> None:
    try:
        amounts = element_amounts(formula) if formula else {}
    except FormulaError as error:
        msg = f"{what} {error}"
        raise InputError(msg) from error
    wrong = [symbol for symbol in amounts if symbol not in ELEMENTS]
    _need(what, "formula", formula, not wrong, f"element symbols; not {', '.join(wrong)}")
    is_possible = all(0.0 < amount <= _MOST_ATOMS for amount in amounts.values())
    _need(what, "formula", formula, is_possible, f"amounts above 0, and up to {_MOST_ATOMS:,.0f}")
