"""Who is champion, in the workspace and in the model registry at once.

Predictions load the champion that the workspace names; a team that shares a tracking server shares
the alias `champion` there. A promotion moves the alias first and the workspace's own pointer last,
each in one step, so whatever ends a promotion half-way leaves both at whole models. `align` then
follows the alias, which is also how a workspace takes over what somebody else promoted.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from perovshell.errors import TrackingError, WorkspaceError
from perovshell.models.folder import read_dataset_of, read_folder
from perovshell.workspace.promotions import Promotion
from perovshell.workspace.registry import (
    CHALLENGER,
    CHAMPION,
    NAME,
    Version,
    download,
    is_embedded,
    is_tracked,
    tracking,
    version_with,
    versions,
)
from perovshell.workspace.workspace import Workspace

_UNCHANGED = "the champion is unchanged"


@dataclass(frozen=True)
class KnownModel:
    """A model that can be loaded or fetched.

    Attributes:
        model_id: Its id.
        version: Its version in the registry; None where it is not registered.
        aliases: Names that point to the version.
        is_here: Whether its folder is in the workspace.
        dataset_hash: Content hash of the dataset it was trained on; empty where it is not told.
        papers: Number of papers it was trained on, or None where it is not here.
        verdict: Of the gate, where it was a challenger; else empty.
    """

    model_id: str
    version: str | None
    aliases: tuple[str, ...]
    is_here: bool
    dataset_hash: str
    papers: int | None
    verdict: str

    def __str__(self) -> str:
        """Say all on one line."""
        version = f"version {self.version}" if self.version else "not registered"
        papers = f", {self.papers} papers" if self.papers is not None else ""
        data = f"data {self.dataset_hash[:12] or 'unknown'}{papers}"
        where = "" if self.is_here else "  (in the registry alone)"
        aliases = f"  @{' @'.join(self.aliases)}" if self.aliases else ""
        return f"{self.model_id}  {version}  {data}{aliases}{where}"


def known_models(place: Workspace) -> list[KnownModel]:
    """Return the models of the workspace and of its registry, the newest version first.

    Raises:
        TrackingError: The registry cannot be reached.
    """
    registered: dict[str, Version] = {}
    if is_tracked(place):
        with tracking(place, "nothing is changed") as mlflow:
            for version in versions(mlflow):
                registered.setdefault(version.model_id, version)
    here = place.model_ids()
    names = [*registered, *(name for name in here if name not in registered)]
    return [_known(place, name, registered.get(name), is_here=name in here) for name in names]


def _known(
    place: Workspace, model_id: str, version: Version | None, *, is_here: bool
) -> KnownModel:
    dataset = read_dataset_of(place.models / model_id) if is_here else {}
    told = version.tags.get("dataset_hash", "") if version else ""
    return KnownModel(
        model_id=model_id,
        version=version.number if version else None,
        aliases=version.aliases if version else (),
        is_here=is_here,
        dataset_hash=dataset.get("hash", told),
        papers=dataset.get("papers"),
        verdict=version.tags.get("verdict", "") if version else "",
    )


def align(place: Workspace) -> str:
    """Follow the champion of the registry; say what was taken over, or nothing.

    Raises:
        TrackingError: The registry cannot be reached, or its champion cannot be fetched.
    """
    version = _registered_champion(place)
    if version is None or version.model_id == place.champion_id:
        return ""
    fetch(place, version)
    why = f"follows the registry's champion, version {version.number}"
    if place.comes_after(version.model_id):
        place.roll_back(why)
    else:
        place.set_champion(version.model_id, why, version.number)
    return f"The champion is now {version.model_id}: version {version.number} of the registry."


def fetch(place: Workspace, version: Version) -> Path:
    """Return the folder of a registered model, fetched into the workspace if it is not there.

    Raises:
        TrackingError: The registry cannot be reached or has no such model.
        ModelFolderError: What it holds is damaged or of another format.
    """
    folder = place.models / version.model_id
    if version.model_id not in place.model_ids():
        place.prepare()
        beside = Path(tempfile.mkdtemp(dir=place.models, prefix=".writing-"))
        try:
            found = download(f"models:/{NAME}/{version.number}", place, beside)
            _, info = read_folder(found)
            if info.model_id != version.model_id:
                msg = (
                    f"version {version.number} of {NAME} in {place.tracking_uri}: its tag model_id "
                    f"is {version.model_id!r}, but it holds model {info.model_id}; "
                    f"{_UNCHANGED}"
                )
                raise TrackingError(msg)
            found.rename(folder)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return folder


def promote(place: Workspace, name: str, why: str, *, over: str | None = None) -> Promotion:
    """Make a model champion.

    Args:
        place: The workspace; the caller holds its lock `models`.
        name: Model id, or number of a version in the registry.
        why: The reason, which is kept.
        over: The champion that it was compared with: where the registry has got another since, it
            is not promoted.

    Raises:
        WorkspaceError: There is no such model, it is champion already, or it was compared with a
            champion of the past.
        ModelFolderError: Its folder is damaged.
        TrackingError: The registry cannot be reached; nothing is changed.
    """
    model_id, version = resolve(place, name)
    if model_id == place.champion_id:
        msg = f"model {model_id}: is the champion already"
        raise WorkspaceError(msg)
    read_folder(place.models / model_id)
    if over is not None:
        _refuse_if_changed(place, model_id, over)
    _move_alias(place, version)
    place.set_champion(model_id, why, version)
    return place.promotions[-1]


def roll_back(place: Workspace, why: str) -> Promotion:
    """Make the champion before the present one champion again.

    The present one is that of the registry, which somebody else may have promoted. Where the
    registry is back already, since a rollback was killed on its way, that one is finished.

    Args:
        place: The workspace; the caller holds its lock `models`.
        why: The reason, which is kept.

    Raises:
        WorkspaceError: There was none before.
        ModelFolderError: Its folder is damaged.
        TrackingError: The registry cannot be reached; nothing is changed.
    """
    registered = _registered_champion(place)
    if registered is None or not place.comes_after(registered.model_id):
        align(place)
    target = place.before_champion()
    _, version = resolve(place, target)
    read_folder(place.models / target)
    _move_alias(place, version)
    return place.roll_back(why)


def resolve(place: Workspace, name: str) -> tuple[str, str | None]:
    """Return model id and registered version of a model, its folder being in the workspace.

    A model that was trained without tracking has no version: where others share the registry, it
    is refused.

    Raises:
        WorkspaceError: There is no such model, or the registry does not know it.
        TrackingError: The registry cannot be reached.
    """
    if not is_tracked(place):
        if name not in place.model_ids():
            known = ", ".join(place.model_ids()) or "none"
            msg = f"model {name!r}: not in the workspace {place.root}; known: {known}"
            raise WorkspaceError(msg)
        return name, None
    with tracking(place, _UNCHANGED) as mlflow:
        registered = versions(mlflow)
    found = next((one for one in registered if name in {one.number, one.model_id}), None)
    if found is None and is_embedded(place) and name in place.model_ids():
        return name, None
    if found is None:
        numbers = ", ".join(f"{one.number} ({one.model_id})" for one in registered) or "none"
        msg = f"model {name!r}: not in the registry {place.tracking_uri}; known: {numbers}"
        raise WorkspaceError(msg)
    fetch(place, found)
    return found.model_id, found.number


def _registered_champion(place: Workspace) -> Version | None:
    if not is_tracked(place):
        return None
    with tracking(place, _UNCHANGED) as mlflow:
        return version_with(mlflow, CHAMPION)


def _refuse_if_changed(place: Workspace, model_id: str, over: str) -> None:
    """Refuse a challenger whose comparison is out of date.

    MLflow cannot compare and set an alias in one step; what is left between is milliseconds.
    """
    now = _registered_champion(place)
    if now is not None and now.model_id not in {over, model_id}:
        msg = (
            f"model {model_id}: it was compared with {over}, but {now.model_id} (version "
            f"{now.number}) has become champion since; retrain again to compare with that"
        )
        raise WorkspaceError(msg)


def _move_alias(place: Workspace, version: str | None) -> None:
    """Move the alias to a version; an unregistered model leaves the workspace's own without one."""
    if not is_tracked(place):
        return
    with tracking(place, _UNCHANGED) as mlflow:
        client = mlflow.MlflowClient()
        if version is None:
            if version_with(mlflow, CHAMPION) is not None:
                client.delete_registered_model_alias(NAME, CHAMPION)
            return
        client.set_registered_model_alias(NAME, CHAMPION, version)
        challenger = version_with(mlflow, CHALLENGER)
        if challenger is not None and challenger.number == version:
            client.delete_registered_model_alias(NAME, CHALLENGER)
