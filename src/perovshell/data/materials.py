"""Shells and ions of the user beside the bundled ones: the same columns, each with a source."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final

from perovshell.data.formula import FormulaReader
from perovshell.data.ions import Ions
from perovshell.data.material_rows import bundled, corrections, property_of
from perovshell.data.shells import FACTS, Shells
from perovshell.data.tables import Row, read_table
from perovshell.errors import InputError

FOLDER: Final = "materials"
"""Folder of a workspace with the tables of its materials."""
_NAMES: Final = {"shells": "name", "ions": "symbol"}
"""The columns that name a material."""


@dataclass(frozen=True)
class Materials:
    """Shells, ions and properties of the user.

    Attributes:
        shells: Rows with the columns of `materials/shells.csv`: new shells, and corrections of
            bundled ones.
        ions: Rows with the columns of `materials/ions.csv`.
        shell_materials: Rows with the columns of `materials/shell_materials.csv`, each with one
            property of the shell that it names.
    """

    shells: tuple[Row, ...] = ()
    ions: tuple[Row, ...] = ()
    shell_materials: tuple[Row, ...] = ()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return any(self.tables.values())

    @property
    def tables(self) -> dict[str, tuple[Row, ...]]:
        """The rows by the name of their table."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def corrections(self) -> dict[str, str]:
        """What is corrected of bundled shells, in words, by their names."""
        known = {row["name"]: row for row in bundled("shells")}
        return {
            row["name"]: corrections(row, known[row["name"]])
            for row in self.shells
            if row["name"] in known
        }

    def joined(self, tables: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
        """Return tables with the materials that they lack; what they have is not corrected.

        Args:
            tables: Rows by table: `shells`, `ions` and `shell_materials`.
        """
        shells = {row["name"] for row in tables["shells"]}
        ions = {row["symbol"] for row in tables["ions"]}
        return {
            "shells": [*tables["shells"], *_others(self.shells, "name", shells)],
            "ions": [*tables["ions"], *_others(self.ions, "symbol", ions)],
            "shell_materials": [
                *tables["shell_materials"],
                *_others(self.shell_materials, "name", shells),
            ],
        }

    def applied(self, tables: Mapping[str, Sequence[Row]]) -> dict[str, list[Row]]:
        """Return tables with the materials that they lack and with all corrections.

        Args:
            tables: Rows by table: `shells`, `ions` and `shell_materials`.
        """
        corrected = {row["name"]: row for row in self.shells}
        shells = [corrected.get(row["name"], row) for row in tables["shells"]]
        joined = self.joined({**tables, "shells": shells})
        more = [row for row in self.shell_materials if row not in joined["shell_materials"]]
        return {**joined, "shell_materials": [*joined["shell_materials"], *more]}

    def with_row(self, table: str, row: Row) -> Materials:
        """Return them with another shell or ion.

        Raises:
            InputError: The name or an alias is that of another material.
        """
        name = _NAMES[table]
        if row[name] in {known[name] for known in (*bundled(table), *self.tables[table])}:
            correct = "; correct_shell corrects its facts" if table == "shells" else ""
            msg = f"{table}: {row[name]!r} is known already{correct}"
            raise InputError(msg)
        return self._with(table, (*self.tables[table], row))

    def with_correction(self, row: Row) -> Materials:
        """Return them with a row of a known shell instead of the one that it has.

        A row with the bundled facts takes a correction back.

        Raises:
            InputError: The row cannot be read.
        """
        others = tuple(_others(self.shells, "name", {row["name"]}))
        known = next((one for one in bundled("shells") if one["name"] == row["name"]), None)
        is_as_bundled = known is not None and not corrections(row, known)
        return self._with("shells", others if is_as_bundled else (*others, row))

    def with_property(self, row: Row) -> Materials:
        """Return them with a property of a shell; it replaces one that they have.

        Raises:
            InputError: The row cannot be read, or no shell has its name.
        """
        rows = [one for one in self.shell_materials if property_of(one) != property_of(row)]
        return self._with("shell_materials", (*rows, row))

    def _with(self, table: str, rows: tuple[Row, ...]) -> Materials:
        more = replace(self, **{table: rows})
        more.check()
        return more

    def check(self) -> None:
        """Refuse names of two materials, and rows that cannot be read.

        Raises:
            InputError: There are some.
        """
        tables = {name: bundled(name) for name in self.tables}
        _refuse_twice("shells", [row["name"] for row in self.shells])
        symbols = [row["symbol"] for row in self.ions]
        _refuse_twice("ions", symbols, {row["symbol"] for row in tables["ions"]})
        _refuse_twice(
            "shell_materials", [" ".join(property_of(row)) for row in self.shell_materials]
        )
        if any(not what for what in self.corrections.values()):
            msg = "shells: a correction changes nothing"
            raise InputError(msg)
        every = self.applied(tables)
        shells = Shells(every["shells"], every["shell_materials"])
        for row in self.shell_materials:
            if row["name"] not in shells.materials:
                msg = f"shell_materials: no shell is named {row['name']!r}"
                raise InputError(msg)
        _ = Ions(every["ions"]).by_abbreviation


def _others(rows: Sequence[Row], name: str, known: Collection[str]) -> list[Row]:
    return [row for row in rows if row[name] not in known]


def _refuse_twice(table: str, names: Sequence[object], known: Collection[object] = ()) -> None:
    for number, name in enumerate(names):
        if name in known or name in names[:number]:
            msg = f"{table}: {name!r} is known already"
            raise InputError(msg)


def with_shells(reader: FormulaReader, rows: Sequence[Row]) -> FormulaReader:
    """Return a formula reader that also knows other shells.

    Raises:
        InputError: A name is that of two materials.
    """
    shells = Shells([*reader.shells.shell_rows, *rows], reader.shells.property_rows)
    return FormulaReader(reader.ions, shells, reader.known_cores)


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
        # A table from before a fact had a column states nothing about it.
        if list(header) != [name for name in expected if name in header or name not in FACTS]:
            msg = f"{path}: columns {', '.join(header)}; needed: {', '.join(expected)}"
            raise InputError(msg)
        tables[field.name] = tuple({name: row.get(name, "") for name in expected} for row in rows)
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
