"""The materials of a workspace: `materials/shells.csv` and `materials/ions.csv`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from perovshell.data.materials import FOLDER, Materials, ion_row, read_materials, shell_row, to_csv
from perovshell.data.tables import Row
from perovshell.errors import WorkspaceError
from perovshell.files import write_atomically
from perovshell.workspace.folder import WorkspaceFolder


@dataclass(frozen=True)
class MaterialStore:
    """Shells and ions that a workspace adds to the bundled ones.

    They take part in the content hash of its data and in the models trained from then on. Models
    that are there already read them too: a new shell of a known class can be asked for at once.

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
        """Add a shell; the arguments are those of `perovshell.data.materials.shell_row`.

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
        """Add an ion; the arguments are those of `perovshell.data.materials.ion_row`.

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
        with self.folder.locked("papers", wait=True):
            known = self.read()
            more = known
            for table, rows in materials.tables.items():
                for row in rows:
                    more = more if row in more.tables[table] else more.with_row(table, row)
            for table, rows in more.tables.items():
                if rows != known.tables[table]:
                    self._write(table, rows)

    def _write(self, table: str, rows: Sequence[Row]) -> None:
        path = self._path_of(table)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, to_csv(rows))
        except OSError as error:
            msg = f"{path}: not writable ({error.strerror})"
            raise WorkspaceError(msg) from error

    def _path_of(self, table: str) -> Path:
        return self.folder.root / FOLDER / f"{table}.csv"
