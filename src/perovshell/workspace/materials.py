"""The materials of a workspace: tables in `materials/`, with the columns of the bundled ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from perovshell.data.material_rows import (
    bundled,
    corrected_row,
    ion_row,
    property_row,
    shell_row,
)
from perovshell.data.materials import FOLDER, Materials, read_materials, to_csv
from perovshell.data.shells import Shells
from perovshell.data.tables import Row
from perovshell.errors import InputError, WorkspaceError
from perovshell.files import write_atomically
from perovshell.workspace.folder import WorkspaceFolder


@dataclass(frozen=True)
class MaterialStore:
    """Shells, ions and properties that a workspace adds to the bundled ones, and corrections.

    They take part in the content hash of its data and in the models trained from then on. Models
    that are there already read new shells and ions too: a new shell of a known class can be asked
    for at once. The facts with which they were trained stay as they were.

    Attributes:
        folder: The workspace.
    """

    folder: WorkspaceFolder

    @property
    def paths(self) -> tuple[Path, ...]:
        """Their tables; they need not exist."""
        return tuple(self._path_of(table) for table in Materials().tables)

    def read(self) -> Materials:
        """Return them.

        Raises:
            InputError: A table cannot be read, or names two materials.
        """
        return read_materials(self.folder.root / FOLDER)

    def add_shell(
        self,
        name: str,
        material_class: str,
        *,
        source: str,
        formula: str = "",
        aliases: Sequence[str] = (),
        in_water: str = "",
    ) -> Row:
        """Add a shell; the arguments are those of `perovshell.data.material_rows.shell_row`.

        Raises:
            InputError: A value is not allowed, or a name is that of another material.
            WorkspaceError: The workspace is not writable.
        """
        row = shell_row(
            name,
            material_class,
            source=source,
            formula=formula,
            aliases=aliases,
            in_water=in_water,
        )
        self.add(Materials(shells=(row,)))
        return row

    def add_ion(
        self,
        symbol: str,
        *,
        formula: str,
        charge: int,
        source: str,
        name: str = "",
        radius_pm: float | None = None,
        aliases: Sequence[str] = (),
    ) -> Row:
        """Add an ion; the arguments are those of `perovshell.data.material_rows.ion_row`.

        Raises:
            InputError: A value is not allowed, or a name is that of another ion.
            WorkspaceError: The workspace is not writable.
        """
        row = ion_row(
            symbol,
            formula=formula,
            charge=charge,
            source=source,
            name=name,
            radius_pm=radius_pm,
            aliases=aliases,
        )
        self.add(Materials(ions=(row,)))
        return row

    def add(self, materials: Materials) -> None:
        """Add materials; those that are here already, word for word, stay as they are.

        Raises:
            InputError: A name is that of another material.
            WorkspaceError: The workspace is not writable.
        """

        def joined(known: Materials) -> Materials:
            for table, rows in materials.tables.items():
                for row in rows:
                    known = known if row in known.tables[table] else known.with_row(table, row)
            return known

        self._change(joined)

    def add_property(self, shell: str, name: str, value: float | str, *, source: str) -> Row:
        """Add a property of a shell, bundled or of the workspace; it replaces what is known.

        Args:
            shell: A name of the shell.
            name: One of `perovshell.data.shells.PROPERTIES`, such as `refractive_index`.
            value: Its value, in the unit that the name tells.
            source: DOI or address of what is stated.

        Raises:
            InputError: A value is not allowed, or no shell has the name.
            WorkspaceError: The workspace is not writable.
        """
        row = property_row(self._shell(shell)["name"], name, value, source=source)
        self._change(lambda known: known.with_property(row))
        return row

    def correct_shell(self, name: str, *, source: str, **facts: str) -> Row:
        """Correct facts of a shell, bundled or of the workspace.

        Args:
            name: A name of the shell.
            source: DOI or address of what is stated.
            **facts: The facts by column, those of `perovshell.data.material_rows.CORRECTABLE`;
                `class_` is the column `class`. An empty text is unknown.

        Raises:
            InputError: A value is not allowed, nothing changes, or no shell has the name.
            WorkspaceError: The workspace is not writable.
        """
        by_column = {column.removesuffix("_"): text for column, text in facts.items()}
        row = corrected_row(self._shell(name), by_column, source=source)
        self._change(lambda known: known.with_correction(row))
        return row

    def _shell(self, name: str) -> Row:
        """Return the row of a shell by one of its names."""
        tables = self.read().applied({table: bundled(table) for table in Materials().tables})
        shells = Shells(tables["shells"], tables["shell_materials"])
        material = shells.find(name)
        if material is None:
            near = shells.nearest(name)
            offered = f"; nearest: {', '.join(near)}" if near else ""
            msg = f"shell {name!r}: no such shell{offered}"
            raise InputError(msg)
        return next(row for row in shells.shell_rows if row["name"] == material.name)

    def _change(self, change: Callable[[Materials], Materials]) -> None:
        with self.folder.locked("papers", wait=True):
            known = self.read()
            more = change(known)
            for table, rows in more.tables.items():
                if rows != known.tables[table]:
                    self._write(table, rows)

    def _write(self, table: str, rows: Sequence[Row]) -> None:
        path = self._path_of(table)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if rows:
                write_atomically(path, to_csv(rows))
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            msg = f"{path}: not writable ({error.strerror})"
            raise WorkspaceError(msg) from error

    def _path_of(self, table: str) -> Path:
        return self.folder.root / FOLDER / f"{table}.csv"
