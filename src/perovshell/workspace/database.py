"""The embedded MLflow database of a workspace, wherever the workspace is now.

MLflow stores absolute addresses of artifacts. After a workspace was moved or copied they lead to
where it was, so writing first replaces them in the database, and reading uses a temporary copy in
which they are replaced: a copy of a workspace never writes into the original, and reading needs
neither write access nor locks.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

EXPERIMENT = "perovshell"
"""Name of the experiment, whose address is that of the artifacts."""
_ARTIFACTS = "mlartifacts"
_WAIT_S = 20.0


@dataclass(frozen=True)
class Database:
    """The embedded database of a workspace.

    Attributes:
        file: The file; it need not exist yet.
        artifacts: Folder of the artifacts.
    """

    file: Path
    artifacts: Path

    @classmethod
    def of(cls, root: Path) -> Database:
        """Return the database of a workspace folder."""
        root = root.resolve()
        return cls(root / "mlflow.db", root / _ARTIFACTS)

    @property
    def uri(self) -> str:
        """Its address for MLflow.

        >>> Database.of(Path("/lab")).uri
        'sqlite:////lab/mlflow.db'
        >>> Database.of(Path("/what?")).uri
        'sqlite+pysqlite:////what%3F/mlflow.db'
        """
        quoted = quote(str(self.file))
        # For a plain `sqlite:` MLflow makes the folder of the quoted path, too.
        scheme = "sqlite" if quoted == str(self.file) else "sqlite+pysqlite"
        return f"{scheme}:///{quoted}"

    @property
    def artifacts_uri(self) -> str:
        """Address of the artifacts."""
        return self.artifacts.as_uri()

    def is_at(self, uri: str) -> bool:
        """Whether an address leads to the file."""
        path = re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+)", uri)
        return path is not None and self.file in {
            Path(spelling).resolve() for spelling in (path[1], unquote(path[1]))
        }

    @contextmanager
    def reading(self) -> Iterator[str]:
        """Yield the address of the database, or of a copy with the present addresses of artifacts.

        Raises:
            sqlite3.Error: The database cannot be read.
        """
        if self._is_at_home() and (self._is_writable or not self.file.exists()):
            yield self.uri
            return
        with tempfile.TemporaryDirectory(prefix="perovshell-") as folder:
            copy = Database(Path(folder) / self.file.name, self.artifacts)
            with self._opened() as source, copy._opened() as target:
                source.backup(target)
            copy.relocate()
            yield copy.uri

    def relocate(self) -> None:
        """Replace addresses of artifacts that lead to where the workspace was.

        The caller holds the lock `models` of the workspace.

        Raises:
            sqlite3.Error: The database cannot be read or written.
        """
        if self._is_at_home():
            return
        with self._opened() as opened:
            opened.execute("BEGIN IMMEDIATE")
            before = _recorded(opened)
            if before is not None:
                _replace_prefix(opened, before, self.artifacts_uri)
            opened.commit()

    def _is_at_home(self) -> bool:
        """Whether no address of artifacts leads elsewhere."""
        if not self.file.exists():
            return True
        with self._opened() as opened:
            return _recorded(opened) in {self.artifacts_uri, None}

    @property
    def _is_writable(self) -> bool:
        return os.access(self.file, os.W_OK) and os.access(self.file.parent, os.W_OK)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        is_new = not self.file.exists()
        mode = "rwc" if is_new else "rw" if self._is_writable else "ro"
        address = f"file:{quote(str(self.file))}?mode={mode}"
        with closing(sqlite3.connect(address, _WAIT_S, uri=True)) as opened:
            yield opened


def _recorded(opened: sqlite3.Connection) -> str | None:
    """Return the address of the artifacts that MLflow knows, or None where it knows none."""
    if not opened.execute("SELECT 1 FROM sqlite_master WHERE name = 'experiments'").fetchone():
        return None
    asked = "SELECT artifact_location FROM experiments WHERE name = ? OR experiment_id = 0"
    rows = opened.execute(f"{asked} ORDER BY name = ? DESC", (EXPERIMENT, EXPERIMENT))
    found = (re.fullmatch(rf"(file:.*/{_ARTIFACTS})(/0)?", str(row[0])) for row in rows)
    return next((match[1] for match in found if match), None)


def _replace_prefix(opened: sqlite3.Connection, before: str, after: str) -> None:
    """Replace the beginning of every text that is an address below another."""
    tables = opened.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        for _, column, *_ in opened.execute(f'PRAGMA table_info("{table}")').fetchall():
            opened.execute(
                f'UPDATE "{table}" SET "{column}" = :after || substr("{column}", :size + 1) '  # noqa: S608
                f'WHERE typeof("{column}") = \'text\' AND ("{column}" = :before '
                f"OR substr(\"{column}\", 1, :size + 1) = :before || '/')",
                {"before": before, "after": after, "size": len(before)},
            )
