"""The models of a workspace and of its registry, and whether the registry can be asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from perovshell.models.folder import read_about
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.registry import (
    Version,
    is_installed,
    is_tracked,
    tracking,
    versions,
)

_SHOWN = {"pl.paper.all.mae": "PL {:.1f} nm", "plqy.paper.all.mae": "PLQY {:.1f} points"}
"""Figures of a listed model, by their keys: mean absolute errors by paper."""


@dataclass(frozen=True)
class KnownModel:
    """A model that can be loaded or fetched.

    Attributes:
        model_id: Its id.
        version: Its version in the registry; None where it is not registered.
        aliases: Names that point to the version.
        is_here: Whether its folder is in the workspace.
        dataset_hash: Content hash of the dataset it was trained on; empty where unknown.
        papers: Number of papers it was trained on, or None where it is not here.
        figures: Mean absolute errors of PL peak and PLQY of papers left out, as far as known.
        verdict: Of the promotion check, where it was a challenger; else empty.
        is_asked: Whether the registry was asked for its version; where mlflow is not installed, the
            version is that of its promotion.
    """

    model_id: str
    version: str | None
    aliases: tuple[str, ...]
    is_here: bool
    dataset_hash: str
    papers: int | None
    figures: Mapping[str, float]
    verdict: str
    is_asked: bool = True

    def __str__(self) -> str:
        """Return it on one line."""
        unknown = "not registered" if self.is_asked else "version unknown"
        version = f"version {self.version}" if self.version else unknown
        papers = f", {self.papers} papers" if self.papers is not None else ""
        errors = ", ".join(_SHOWN[key].format(value) for key, value in self.figures.items())
        data = f"data {self.dataset_hash[:12] or 'unknown'}{papers}"
        data += f", errors {errors}" if errors else ""
        where = "" if self.is_here else "  (in the registry alone)"
        aliases = f"  @{' @'.join(self.aliases)}" if self.aliases else ""
        return f"{self.model_id}  {version}  {data}{aliases}{where}"

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return asdict(self)


def known_models(workspace: WorkspaceFolder) -> list[KnownModel]:
    """Return the models of the workspace and of its registry, the newest version first.

    Where mlflow is not installed, those of the workspace.

    Raises:
        TrackingError: The registry cannot be reached.
    """
    registered: dict[str, Version] = {}
    if not cannot_ask(workspace):
        for version in registered_versions(workspace, "nothing is changed", read_only=True):
            registered.setdefault(version.model_id, version)
    here = workspace.model_ids()
    names = [*registered, *(name for name in here if name not in registered)]
    return [_known(workspace, name, registered.get(name), is_here=name in here) for name in names]


def _known(
    workspace: WorkspaceFolder, model_id: str, version: Version | None, *, is_here: bool
) -> KnownModel:
    about = read_about(workspace.models / model_id) if is_here else {}
    dataset, figures = about.get("dataset", {}), about.get("figures", {})
    tags = version.tags if version else {}
    is_asked = not cannot_ask(workspace)
    number = None if is_asked else workspace.version_of(model_id)
    return KnownModel(
        model_id=model_id,
        version=version.number if version else number,
        aliases=version.aliases if version else (),
        is_here=is_here,
        dataset_hash=dataset.get("hash", tags.get("dataset_hash", "")),
        papers=dataset.get("papers"),
        figures={key: figures[key] for key in _SHOWN if isinstance(figures.get(key), float)},
        verdict=tags.get("verdict", ""),
        is_asked=is_asked,
    )


def cannot_ask(workspace: WorkspaceFolder) -> bool:
    """Whether there is a registry, and no mlflow to ask it.

    Where only models are served, that a champion has a version may be all that tells of it.
    """
    if is_installed():
        return False
    return is_tracked(workspace) or any(entry.version for entry in workspace.promotions)


def registered_versions(
    workspace: WorkspaceFolder, undone: str, *, read_only: bool = False
) -> list[Version]:
    """Return the registered versions, the newest first; none where nothing is tracked.

    Args:
        workspace: The workspace.
        undone: What is so if the registry refuses, for the message.
        read_only: Whether nothing is changed; see `registry.connect`.

    Raises:
        TrackingError: The registry cannot be reached.
    """
    if not is_tracked(workspace):
        return []
    with tracking(workspace, undone, read_only=read_only) as mlflow:
        return versions(mlflow)
