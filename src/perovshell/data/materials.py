"""Shells and ions of the user beside the bundled ones: the same columns, each with a source."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from perovshell.data.formula import FormulaReader
from perovshell.data.grammar import element_amounts
from perovshell.data.ions import ELEMENTS, Ions
from perovshell.data.shells import WATER_WORDS, Shells
from perovshell.data.tables import Row, bundled_rows, read_table
from perovshell.errors import FormulaError, InputError

FOLDER: Final = "materials"
"""Folder of a workspace with the tables of its materials."""
_NAME: Final = re.compile(r"[^\s,;|@][^,;|@]*")
_SYMBOL: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,11}")


@dataclass(frozen=True)
class Materials:
    """Shells and ions that are not bundled.

    Attributes:
        shells: Rows with the columns of `materials/shells.csv`.
        ions: Rows with the columns of `materials/ions.csv`.
    """

    shells: tuple[Row, ...] = ()
    ions: tuple[Row, ...] = ()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.shells or self.ions)

    @property
    def tables(self) -> dict[str, tuple[Row, ...]]:
        """The rows by the name of their table."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def joined(self, tables: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
        """Return tables with the materials that they lack.

        Args:
            tables: Rows by table; `shells` and `ions` at least.
        """
        return {
            "shells": [*tables["shells"], *_missing(self.shells, tables["shells"], "name")],
            "ions": [*tables["ions"], *_missing(self.ions, tables["ions"], "symbol")],
        }

    def with_row(self, table: str, row: Row) -> Materials:
        """Return them with another material.

        Raises:
            InputError: The name or an alias is that of another material.
        """
        more = replace(self, **{table: (*self.tables[table], row)})
        more.check()
        return more

    def check(self) -> None:
        """Refuse names of two materials, and rows that cannot be read.

        Raises:
            InputError: There are some.
        """
        tables = {"shells": bundled("shells"), "ions": bundled("ions")}
        for table, name in (("shells", "name"), ("ions", "symbol")):
            seen = {row[name] for row in tables[table]}
            for row in self.tables[table]:
                if row[name] in seen:
                    msg = f"{table}: {row[name]!r} is known already"
                    raise InputError(msg)
                seen.add(row[name])
        every = self.joined(tables)
        Shells(every["shells"], bundled_rows("materials", "shell_materials.csv"))
        _ = Ions(every["ions"]).by_abbreviation


def bundled(table: str) -> list[Row]:
    """Return the bundled rows of a table of materials."""
    return bundled_rows("materials", f"{table}.csv")


def _missing(rows: Sequence[Row], others: Sequence[Row], name: str) -> list[Row]:
    known = {row[name] for row in others}
    return [row for row in rows if row[name] not in known]


def with_shells(reader: FormulaReader, rows: Sequence[Row]) -> FormulaReader:
    """Return a formula reader that also knows other shells.

    Raises:
        InputError: A name is that of two materials.
    """
    shells = Shells([*reader.shells.shell_rows, *rows], reader.shells.property_rows)
    return FormulaReader(reader.ions, shells, reader.known_cores)


# New materials -------------------------------------------------------------------------------


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
    rows = bundled("shells")
    classes = sorted({row["class"] for row in rows})
    _need("shell", "name", name, _NAME.fullmatch(name) is not None, "a name without , ; | @")
    _need("shell", "class", material_class, material_class in classes, ", ".join(classes))
    _need("shell", "source", source, bool(source.strip()), "a DOI or an address")
    allowed = f"{', '.join(WATER_WORDS)}, or empty"
    _need("shell", "in_water", in_water, in_water in {*WATER_WORDS, ""}, allowed)
    _elements("shell", formula)
    exact = "repeat unit" if material_class == "polymer" else "exact"
    cells = {
        "name": name,
        "aliases": ";".join(aliases),
        "class": material_class,
        "formula": formula,
        "composition": exact if formula else "open",
        "in_water": in_water,
        "source": source,
    }
    return dict.fromkeys(rows[0], "") | cells


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
    _need("ion", "source", source, bool(source.strip()), "a DOI or an address")
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


def _elements(what: str, formula: str) -> None:
    try:
        symbols = element_amounts(formula) if formula else {}
    except FormulaError as error:
        msg = f"{what} {error}"
        raise InputError(msg) from error
    wrong = [symbol for symbol in symbols if symbol not in ELEMENTS]
    _need(what, "formula", formula, not wrong, f"element symbols; not {', '.join(wrong)}")


# Files ---------------------------------------------------------------------------------------


def read_materials(folder: Path) -> Materials:
    """Read the materials of a folder; none where there is no such folder or file.

    Raises:
        InputError: A table cannot be read, or names two materials.
    """
    tables: dict[str, Any] = {}
    for field in fields(Materials):
        path = folder / f"{field.name}.csv"
        if not path.is_file():
            continue
        header, rows = read_table(path)
        expected = list(bundled(field.name)[0])
        if list(header) != expected:
            msg = f"{path}: columns {', '.join(header)}; needed: {', '.join(expected)}"
            raise InputError(msg)
        tables[field.name] = tuple(rows)
    materials = Materials(**tables)
    if materials:
        materials.check()
    return materials


def to_csv(rows: Sequence[Row]) -> bytes:
    """Return rows as the content of a table."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()
