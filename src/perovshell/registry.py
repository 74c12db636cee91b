"""The way to MLflow: the workspace's own database, or the server of MLFLOW_TRACKING_URI."""

from __future__ import annotations

import io
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

from perovshell.errors import MissingExtraError, PerovshellError
from perovshell.workspace import Workspace

_QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false"}


class TrackingError(PerovshellError):
    """The tracking server cannot be reached or refused, or has no such model."""


@contextmanager
def connect(workspace: Workspace) -> Iterator[Any]:
    """Import mlflow and point it to the workspace; at the end all is as it was before.

    Raises:
        MissingExtraError: mlflow is not installed.
    """
    settings = {"MLFLOW_TRACKING_URI": workspace.tracking_uri, **_QUIET}
    if is_embedded(workspace):
        # Else the embedded store makes a folder of its own in the current one.
        settings["_MLFLOW_SERVER_ARTIFACT_ROOT"] = artifacts_uri(workspace)
    with _environment(settings):
        try:
            import mlflow
        except ImportError as error:
            msg = "the model registry needs mlflow: pip install 'perovshell[train]'"
            raise MissingExtraError(msg) from error
        with _quiet():
            mlflow.set_tracking_uri(workspace.tracking_uri)
            try:
                yield mlflow
            finally:
                # None clears mlflow's own copy; the variable itself is put back below.
                mlflow.set_tracking_uri(None)


def download(uri: str, workspace: Workspace) -> Path:
    """Fetch the model folder of a registered model, such as `models:/perovshell@champion`.

    Raises:
        MissingExtraError: mlflow is not installed.
        TrackingError: There is no such model, or the server cannot be reached.
    """
    with connect(workspace) as mlflow:
        try:
            root = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri))
        except Exception as error:
            msg = f"{uri} cannot be loaded from {workspace.tracking_uri}: {error}"
            raise TrackingError(msg) from error
    manifests = sorted(root.glob("**/manifest.json"))
    if not manifests:
        msg = f"{uri} holds no Perovshell model folder"
        raise TrackingError(msg)
    return manifests[0].parent


def is_embedded(workspace: Workspace) -> bool:
    """Whether tracking goes to the workspace's own database."""
    return workspace.tracking_uri == workspace.database_uri


def artifacts_uri(workspace: Workspace) -> str:
    """Where the embedded registry keeps its files."""
    return (workspace.root / "mlartifacts").resolve().as_uri()


@contextmanager
def _environment(settings: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _quiet() -> Iterator[None]:
    """What mlflow says of type hints, input examples and databases is for its own users."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
