"""The folder of a workspace: where models, papers, tracking data and reports are, and its locks."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from perovshell.errors import WorkspaceError
from perovshell.files import remove_abandoned, write_atomically
from perovshell.texts import without_passwords
from perovshell.workspace.database import Database
from perovshell.workspace.promotions import (
    Promotion,
    promoted,
    read_promotions,
    rolled_back,
    to_bytes,
    told,
)

if TYPE_CHECKING:
    from filelock import BaseFileLock

_ENVIRONMENT = "PEROVSHELL_HOME"
_DEFAULT = "perovshell-workspace"
_LOCK_SECONDS = 1.0
"""How long a lock is tried: another process may be just about to let go."""
_HALF_WRITTEN: Final = {
    "keys": (".api-keys.json-????????",),
    "papers": (
        "papers/.*.yaml-????????",
        "papers/history/.*.yaml-????????",
        "materials/.*.csv-????????",
    ),
    "models": (
        "models/.champions.json-????????",
        "models/.writing-????????",
        "reports/retrain-*/.promotion.*-????????",
        "mlartifacts/**/.artifact.uploading.*",
    ),
}
"""What is written under each lock before it gets its name."""


@dataclass(frozen=True)
class WorkspaceFolder:
    """A workspace folder.

    Attributes:
        root: The folder; it need not exist yet.
    """

    root: Path

    @classmethod
    def locate(cls, path: Path | str | None = None) -> WorkspaceFolder:
        """Return the workspace of a path, else PEROVSHELL_HOME, else ./perovshell-workspace."""
        return cls(Path(path or os.environ.get(_ENVIRONMENT) or _DEFAULT))

    @property
    def models(self) -> Path:
        """Folder of the model folders."""
        return self.root / "models"

    @property
    def papers(self) -> Path:
        """Folder of the added papers."""
        return self.root / "papers"

    @property
    def request_logs(self) -> tuple[Path, Path]:
        """Log of the prediction service, and the older one that it becomes when it is full.

        One JSON object a line; see `training.promotion.drift`.
        """
        logs = self.root / "logs"
        return logs / "requests.jsonl", logs / "requests.old.jsonl"

    @property
    def keys_file(self) -> Path:
        """Hashes of the API keys of the prediction service."""
        return self.root / "api-keys.json"

    @property
    def reports(self) -> Path:
        """Folder of the reports."""
        return self.root / "reports"

    @property
    def database(self) -> Database:
        """The embedded database of MLflow."""
        return Database.of(self.root)

    @property
    def tracking_uri(self) -> str:
        """MLFLOW_TRACKING_URI, else the embedded database."""
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        return uri if uri and not self.database.is_at(uri) else self.database.uri

    @property
    def tracking_shown(self) -> str:
        """The same for messages: without a password."""
        return without_passwords(self.tracking_uri)

    def prepare(self) -> None:
        """Create the folders and try to write.

        Raises:
            WorkspaceError: The workspace is not writable.
        """
        try:
            for folder in (self.models, self.papers, self.reports):
                folder.mkdir(parents=True, exist_ok=True)
            # Where the system can, it has no name, and so a killed process leaves none.
            with tempfile.TemporaryFile(dir=self.models, prefix=".probe-"):
                pass
        except OSError as error:
            msg = f"workspace {self.root}: not writable ({error.strerror}); choose another folder"
            raise WorkspaceError(msg) from error

    def model_ids(self) -> list[str]:
        """Return the ids of the model folders, sorted."""
        if not self.models.is_dir():
            return []
        names = (path.name for path in self.models.iterdir() if path.is_dir())
        return sorted(name for name in names if re.fullmatch(r"[0-9a-f]{12}", name))

    @property
    def promotions_file(self) -> Path:
        """File that says which model is the champion, and which were; replaced in one step."""
        return self.models / "champions.json"

    @property
    def promotions(self) -> tuple[Promotion, ...]:
        """Every promotion, the present champion's last.

        Raises:
            WorkspaceError: The file that says so is damaged.
        """
        return read_promotions(self.promotions_file)

    @property
    def champion_id(self) -> str | None:
        """Id of the champion, or None where none is set.

        Raises:
            WorkspaceError: The file that says so is damaged.
        """
        promotions = self.promotions
        return promotions[-1].model_id if promotions else None

    def version_of(self, model_id: str) -> str | None:
        """Return the registered version under which a model became champion, as far as known."""
        numbers = [entry.version for entry in self.promotions if entry.model_id == model_id]
        return numbers[-1] if numbers else None

    def champion(self) -> Path:
        """Return the champion's model folder.

        Raises:
            WorkspaceError: There is no workspace or no champion.
        """
        name = self.champion_id
        if name is None:
            msg = f"workspace {self.root}: no champion model; make one with Workspace.train()"
            raise WorkspaceError(msg)
        return self.models / name

    def set_champion(
        self, model_id: str, why: str, version: str | None = None, *, untold: bool = False
    ) -> None:
        """Point to another champion in one step.

        Args:
            model_id: A model of the workspace.
            why: The reason, kept with it.
            version: Its version in the model registry.
            untold: Whether the registry is not told, though there is one.

        Raises:
            WorkspaceError: There is no such model, or the workspace is not writable.
        """
        if not (self.models / model_id).is_dir():
            msg = f"workspace {self.root}: no model {model_id!r}; known: {self.model_ids()}"
            raise WorkspaceError(msg)
        self._write_promotions(promoted(self.promotions, model_id, why, version, untold=untold))

    def before_champion(self) -> str:
        """Return the model id that a rollback leads to.

        Raises:
            WorkspaceError: There was no champion before the present one.
        """
        return rolled_back(self.promotions, "")[-1].model_id

    def comes_after(self, model_id: str) -> bool:
        """Whether a rollback leads to a model."""
        promotions = self.promotions
        return bool(promotions) and promotions[-1].previous == model_id

    def roll_back(self, why: str, *, untold: bool = False) -> Promotion:
        """Point to the champion before the present one in one step.

        Args:
            why: The reason, kept with it.
            untold: Whether the registry is not told, though there is one.

        Raises:
            WorkspaceError: There is none, or the workspace is not writable.
        """
        promotions = rolled_back(self.promotions, why, untold=untold)
        self._write_promotions(promotions)
        return promotions[-1]

    def note_told(self, version: str | None) -> None:
        """Note that the registry has been told of the champion.

        Args:
            version: The champion's version there.

        Raises:
            WorkspaceError: The workspace is not writable.
        """
        self._write_promotions(told(self.promotions, version))

    def _write_promotions(self, promotions: Sequence[Promotion]) -> None:
        path = self.promotions_file
        try:
            write_atomically(path, to_bytes(promotions))
        except OSError as error:
            msg = f"{path}: cannot be written ({error.strerror}); the champion is unchanged"
            raise WorkspaceError(msg) from error

    @contextmanager
    def locked(self, what: str, *, wait: bool = False, hint: str = "") -> Iterator[None]:
        """Hold one of the locks of the workspace; it goes with the process, however that ends.

        What a killed process left half-written is removed first.

        Args:
            what: What is kept to one process: `papers`, `models`, `inbox` or `keys`.
            wait: Whether to wait for another process that holds it.
            hint: What else can be done where another process holds it.

        Raises:
            WorkspaceError: Another process holds it, or the workspace cannot be read or written:
                now, or at any time while it is held (a full disk).
        """
        self.prepare()
        lock = self._lock(what, wait=wait, hint=hint)
        try:
            self._sweep(what)
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            msg = (
                f"workspace {self.root}: cannot be read or written{where}: "
                f"{error.strerror or error}; each of its files is whole, old or new"
            )
            raise WorkspaceError(msg) from error
        finally:
            lock.release()

    def _lock(self, what: str, *, wait: bool, hint: str) -> BaseFileLock:
        from filelock import FileLock, Timeout

        path = self.root / f".{what}.lock"
        try:
            lock = FileLock(path, timeout=-1 if wait else _LOCK_SECONDS)
            lock.acquire()
        except Timeout as error:
            msg = (
                f"workspace {self.root}: another process is changing its {what}; wait until it is "
                f"done{f', or {hint}' if hint else ''}"
            )
            raise WorkspaceError(msg) from error
        except OSError as error:
            msg = f"workspace {self.root}: {path.name} cannot be locked ({error.strerror})"
            raise WorkspaceError(msg) from error
        return lock

    def _sweep(self, what: str) -> None:
        """Remove what killed processes left half-written; the caller holds the lock."""
        patterns = _HALF_WRITTEN.get(what, ())
        for path in [path for pattern in patterns for path in self.root.glob(pattern)]:
            remove_abandoned(path)
