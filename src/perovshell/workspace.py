"""The workspace: the folder that holds models, tracking data and reports."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from perovshell.errors import WorkspaceError

_ENVIRONMENT = "PEROVSHELL_HOME"
_DEFAULT = "perovshell-workspace"
_CHAMPION = "champion"


@dataclass(frozen=True)
class Workspace:
    """A workspace folder.

    Attributes:
        root: The folder; it need not exist yet.
    """

    root: Path

    @classmethod
    def locate(cls, given: Path | None = None) -> Workspace:
        """Return the workspace: as given, else PEROVSHELL_HOME, else ./perovshell-workspace."""
        return cls(Path(given or os.environ.get(_ENVIRONMENT) or _DEFAULT))

    @property
    def models(self) -> Path:
        """Folder of the model folders."""
        return self.root / "models"

    @property
    def reports(self) -> Path:
        """Folder of the reports."""
        return self.root / "reports"

    @property
    def tracking_uri(self) -> str:
        """MLFLOW_TRACKING_URI, else the embedded database of the workspace."""
        return os.environ.get("MLFLOW_TRACKING_URI") or self.database_uri

    @property
    def database_uri(self) -> str:
        """The embedded database."""
        return f"sqlite:///{(self.root / 'mlflow.db').resolve()}"

    def prepare(self) -> None:
        """Create the folders and try to write.

        Raises:
            WorkspaceError: The workspace is not writable.
        """
        try:
            for folder in (self.models, self.reports):
                folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.models, prefix=".probe-"):
                pass
        except OSError as error:
            msg = f"workspace {self.root}: not writable ({error.strerror}); choose another folder"
            raise WorkspaceError(msg) from error

    def model_ids(self) -> list[str]:
        """Return the ids of the model folders, sorted."""
        if not self.models.is_dir():
            return []
        found = (path.name for path in self.models.iterdir() if path.is_dir())
        return sorted(name for name in found if re.fullmatch(r"[0-9a-f]{12}", name))

    @property
    def champion_id(self) -> str | None:
        """Id of the champion, or None where none is set."""
        try:
            return (self.models / _CHAMPION).read_text(encoding="ascii").strip() or None
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            msg = f"workspace {self.root}: the file models/{_CHAMPION} cannot be read ({error})"
            raise WorkspaceError(msg) from error

    def champion(self) -> Path:
        """Return the champion's model folder.

        Raises:
            WorkspaceError: There is no workspace or no champion.
        """
        name = self.champion_id
        if name is None:
            msg = f"workspace {self.root}: no champion model; make one with 'perovshell train'"
            raise WorkspaceError(msg)
        return self.models / name

    def set_champion(self, model_id: str) -> None:
        """Point to another champion in one step."""
        if not (self.models / model_id).is_dir():
            msg = f"workspace {self.root}: no model {model_id!r}; known: {self.model_ids()}"
            raise WorkspaceError(msg)
        write_atomically(self.models / _CHAMPION, f"{model_id}\n".encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it: it is there whole, or not at all."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).chmod(0o644)
        Path(beside).replace(path)
    finally:
        Path(beside).unlink(missing_ok=True)


def write_file(path: Path, text: str) -> Path:
    """Write a text file with the folders it stands in; return its path.

    Raises:
        WorkspaceError: The folder is not writable.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"{text}\n".encode())
    except OSError as error:
        msg = f"{path}: cannot be written ({error.strerror})"
        raise WorkspaceError(msg) from error
    return path


def refuse_unwritable(folder: Path) -> None:
    """Refuse a folder that cannot be made or written into, before work begins for it.

    The nearest folder that is there is tried, and nothing is left behind.

    Raises:
        WorkspaceError: The folder is not writable.
    """
    nearest = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=nearest, prefix=".probe-"):
            pass
    except OSError as error:
        msg = f"folder {folder}: cannot be written ({error.strerror})"
        raise WorkspaceError(msg) from error
