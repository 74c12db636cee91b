"""The connection to MLflow: the database of the workspace, or the server of MLFLOW_TRACKING_URI."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from perovshell.environment import environment
from perovshell.errors import PerovshellError, TrackingError
from perovshell.optional import import_optional
from perovshell.texts import error_line
from perovshell.workspace.database import EXPERIMENT
from perovshell.workspace.folder import WorkspaceFolder

NAME = EXPERIMENT
"""Name of the registered model, too."""
CHAMPION, CHALLENGER = "champion", "challenger"
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
}
"""A server that cannot be reached is reported within seconds, unless the user asks for more."""


@contextmanager
def connect(workspace: WorkspaceFolder, *, read_only: bool = False) -> Iterator[Any]:
    """Import mlflow and point it to the workspace; at the end all is as it was before.

    Args:
        workspace: The workspace; the caller holds its lock `models` unless it only reads.
        read_only: Whether nothing is changed: what is written is lost where the embedded database
            is of a workspace that was moved or is read-only.

    Raises:
        MissingExtraError: mlflow is not installed.
        sqlite3.Error: The embedded database cannot be used.
    """
    patience = {name: os.environ.get(name, value) for name, value in _PATIENCE.items()}
    with _address(workspace, read_only=read_only) as uri:
        settings = {"MLFLOW_TRACKING_URI": uri, **_QUIET, **patience}
        if is_embedded(workspace):
            # Else the embedded store makes a folder in the current one.
            settings["_MLFLOW_SERVER_ARTIFACT_ROOT"] = workspace.database.artifacts_uri
        if uri != workspace.tracking_uri:
            settings["MLFLOW_SQLALCHEMYSTORE_POOLCLASS"] = "NullPool"  # It keeps no file open.
        with environment(settings):
            mlflow = import_optional("mlflow", "the model registry", "train")
            with _quiet():
                mlflow.set_tracking_uri(uri)
                try:
                    yield mlflow
                finally:
                    # None clears the copy of mlflow; the variable itself is restored below.
                    mlflow.set_tracking_uri(None)


@contextmanager
def _address(workspace: WorkspaceFolder, *, read_only: bool) -> Iterator[str]:
    if not is_embedded(workspace):
        yield workspace.tracking_uri
    elif read_only:
        with workspace.database.reading() as uri:
            yield uri
    else:
        workspace.database.relocate()
        yield workspace.database.uri


def download(uri: str, workspace: WorkspaceFolder, into: Path | None = None) -> Path:
    """Fetch the model folder of a registered model, such as `models:/perovshell@champion`.

    Args:
        uri: The model.
        workspace: The workspace.
        into: Folder to fetch it into; else that of the registry, or of mlflow, which lasts.

    Raises:
        MissingExtraError: mlflow is not installed.
        TrackingError: There is no such model, or the server cannot be reached.
    """
    is_local = is_embedded(workspace)
    try:
        with connect(workspace, read_only=True) as mlflow:
            source = _artifacts_of(uri) if is_local else uri
            folder = mlflow.artifacts.download_artifacts(artifact_uri=source, dst_path=into)
    except PerovshellError:
        raise
    except Exception as error:
        msg = f"{uri} cannot be loaded from {workspace.tracking_shown}: {error_line(error)}"
        raise TrackingError(msg) from error
    manifests = sorted(Path(folder).glob("**/manifest.json"))
    if not manifests:
        msg = f"{uri} holds no Perovshell model folder"
        raise TrackingError(msg)
    return manifests[0].parent


def _artifacts_of(uri: str) -> str:
    """Return where the artifacts of a model are; of the model itself mlflow would note a download.

    A workspace that is only read cannot take that note.
    """
    from mlflow.store.artifact.models_artifact_repo import ModelsArtifactRepository

    if not ModelsArtifactRepository.is_models_uri(uri):
        return uri
    model, path = ModelsArtifactRepository.split_models_uri(uri)
    return "/".join(filter(None, [ModelsArtifactRepository.get_underlying_uri(model), path]))


@dataclass(frozen=True)
class Version:
    """A version of the registered model.

    Attributes:
        number: Its number.
        model_id: The model folder that it holds.
        tags: All its tags.
        aliases: Names that point to it.
    """

    number: str
    model_id: str
    tags: Mapping[str, str]
    aliases: tuple[str, ...]


def is_tracked(workspace: WorkspaceFolder) -> bool:
    """Whether the workspace has a registry: a server, or its database."""
    return not is_embedded(workspace) or workspace.database.file.exists()


def is_installed() -> bool:
    """Whether MLflow is installed: a machine that only serves models needs none."""
    found = find_spec("mlflow")
    return found is not None and found.origin is not None  # None: a folder of that name.


def versions(mlflow: Any) -> list[Version]:
    """Return the registered versions, the newest first; none where nothing is registered."""
    client = mlflow.MlflowClient()
    rows = client.search_model_versions(f"name = '{NAME}'")
    # The search does not tell the aliases.
    aliases: dict[str, list[str]] = {}
    for model in client.search_registered_models(f"name = '{NAME}'"):
        for alias, number in sorted(model.aliases.items()):
            aliases.setdefault(str(number), []).append(alias)
    made = [
        Version(
            str(row.version),
            row.tags.get("model_id", ""),
            dict(row.tags),
            tuple(aliases.get(str(row.version), ())),
        )
        for row in rows
    ]
    return sorted(made, key=lambda version: int(version.number), reverse=True)


def version_with(mlflow: Any, alias: str) -> Version | None:
    """Return the version that an alias points to, or None."""
    return next((version for version in versions(mlflow) if alias in version.aliases), None)


def version_of(mlflow: Any, model_id: str) -> Version | None:
    """Return the newest version that holds a model, or None."""
    return next((one for one in versions(mlflow) if one.model_id == model_id), None)


@contextmanager
def tracking(workspace: WorkspaceFolder, undone: str, *, read_only: bool = False) -> Iterator[Any]:
    """Connect as `connect` does; any fault becomes one error that names what is undone.

    Raises:
        MissingExtraError: mlflow is not installed.
        TrackingError: MLflow refused or cannot be reached.
    """
    try:
        with connect(workspace, read_only=read_only) as mlflow:
            yield mlflow
    except PerovshellError:
        raise
    except Exception as error:
        msg = f"tracking at {workspace.tracking_shown} failed ({error_line(error)}); {undone}"
        raise TrackingError(msg) from error


def is_embedded(workspace: WorkspaceFolder) -> bool:
    """Whether tracking goes to the database of the workspace."""
    return workspace.tracking_uri == workspace.database.uri


@contextmanager
def _quiet() -> Iterator[None]:
    """Messages of mlflow on type hints, input examples and databases are for its users."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            # For itself, mlflow turns warnings on again.
            warnings.showwarning = lambda *_, **__: None
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
