"""The workspace: the folder that holds models, tracking data and reports."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from perovshell.errors import WorkspaceError
from perovshell.promotions import Promotion, promoted, read_promotions, rolled_back, to_bytes

_ENVIRONMENT = "PEROVSHELL_HOME"
_DEFAULT = "perovshell-workspace"
_CHAMPIONS = "champions.json"
_LOCK_SECONDS = 1.0
"""How long a lock is tried: another process may be just about to let go."""


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
    def papers(self) -> Path:
        """Folder of the added papers."""
        return self.root / "papers"

    @property
    def request_log(self) -> Path:
        """Log of the prediction service: one JSON object a line; see `training.drift`."""
        return self.root / "logs" / "requests.jsonl"

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
            for folder in (self.models, self.papers, self.reports):
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
    def promotions(self) -> tuple[Promotion, ...]:
        """Every promotion, the present champion's last.

        Raises:
            WorkspaceError: The file that says so is damaged.
        """
        return read_promotions(self.models / _CHAMPIONS)

    @property
    def champion_id(self) -> str | None:
        """Id of the champion, or None where none is set.

        Raises:
            WorkspaceError: The file that says so is damaged.
        """
        promotions = self.promotions
        return promotions[-1].model_id if promotions else None

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

    def set_champion(self, model_id: str, why: str, version: str | None = None) -> None:
        """Point to another champion in one step.

        Args:
            model_id: A model of the workspace.
            why: The reason, kept with it.
            version: Its version in the model registry.

        Raises:
            WorkspaceError: There is no such model, or the workspace is not writable.
        """
        if not (self.models / model_id).is_dir():
            msg = f"workspace {self.root}: no model {model_id!r}; known: {self.model_ids()}"
            raise WorkspaceError(msg)
        self._write_promotions(promoted(self.promotions, model_id, why, version))

    def before_champion(self) -> str:
        """Return the model id that a rollback leads to.

        Raises:
            WorkspaceError: There was no champion before the present one.
        """
        return rolled_back(self.promotions, "")[-1].model_id

    def roll_back(self, why: str) -> Promotion:
        """Point to the champion before the present one in one step.

        Raises:
            WorkspaceError: There is none, or the workspace is not writable.
        """
        promotions = rolled_back(self.promotions, why)
        self._write_promotions(promotions)
        return promotions[-1]

    def _write_promotions(self, promotions: Sequence[Promotion]) -> None:
        path = self.models / _CHAMPIONS
        try:
            write_atomically(path, to_bytes(promotions))
        except OSError as error:
            msg = f"{path}: cannot be written ({error.strerror}); the champion is unchanged"
            raise WorkspaceError(msg) from error

    @contextmanager
    def locked(self, what: str, *, wait: bool = False) -> Iterator[None]:
        """Hold one of the locks of the workspace; it goes with the process, however that ends.

        Args:
            what: What is kept to one process: `papers` or `models`.
            wait: Whether to wait for another process that holds it.

        Raises:
            WorkspaceError: Another process holds it, or the workspace is not writable.
        """
        from filelock import FileLock, Timeout

        self.prepare()
        try:
            with FileLock(self.root / f".{what}.lock", timeout=-1 if wait else _LOCK_SECONDS):
                yield
        except Timeout as error:
            msg = (
                f"workspace {self.root}: another process is changing its {what}; wait until it is "
                "done, or give --wait"
            )
            raise WorkspaceError(msg) from error


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
