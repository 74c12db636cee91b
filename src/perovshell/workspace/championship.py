"""Which model is the champion: promotions in the workspace, and their copy in the model registry.

The champion is the model that `models/champions.json` of the workspace names. The alias `champion`
of the model registry is a copy, which a team that shares a tracking server shares: a promotion
moves the alias first and the file last, each in one step, so whatever ends a promotion half-way
leaves both at whole models. `align` takes over what the alias says, and so finishes an interrupted
promotion and follows the promotions of others.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from perovshell.errors import (
    ModelFolderError,
    OutdatedModelError,
    TrackingError,
    WorkspaceError,
)
from perovshell.files import hidden_folder
from perovshell.models.folder import read_dataset_of, read_folder
from perovshell.workspace.folder import WorkspaceFolder
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

_UNCHANGED = "the champion is unchanged"


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
        verdict: Of the promotion check, where it was a challenger; else empty.
    """

    model_id: str
    version: str | None
    aliases: tuple[str, ...]
    is_here: bool
    dataset_hash: str
    papers: int | None
    verdict: str

    def __str__(self) -> str:
        """Return it on one line."""
        version = f"version {self.version}" if self.version else "not registered"
        papers = f", {self.papers} papers" if self.papers is not None else ""
        data = f"data {self.dataset_hash[:12] or 'unknown'}{papers}"
        where = "" if self.is_here else "  (in the registry alone)"
        aliases = f"  @{' @'.join(self.aliases)}" if self.aliases else ""
        return f"{self.model_id}  {version}  {data}{aliases}{where}"

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return asdict(self)


def known_models(workspace: WorkspaceFolder) -> list[KnownModel]:
    """Return the models of the workspace and of its registry, the newest version first.

    Raises:
        TrackingError: The registry cannot be reached.
    """
    registered: dict[str, Version] = {}
    for version in _registered(workspace, "nothing is changed", read_only=True):
        registered.setdefault(version.model_id, version)
    here = workspace.model_ids()
    names = [*registered, *(name for name in here if name not in registered)]
    return [_known(workspace, name, registered.get(name), is_here=name in here) for name in names]


def _known(
    workspace: WorkspaceFolder, model_id: str, version: Version | None, *, is_here: bool
) -> KnownModel:
    dataset = read_dataset_of(workspace.models / model_id) if is_here else {}
    tags = version.tags if version else {}
    return KnownModel(
        model_id=model_id,
        version=version.number if version else None,
        aliases=version.aliases if version else (),
        is_here=is_here,
        dataset_hash=dataset.get("hash", tags.get("dataset_hash", "")),
        papers=dataset.get("papers"),
        verdict=tags.get("verdict", ""),
    )


def align(workspace: WorkspaceFolder) -> str:
    """Follow the champion of the registry; return what was taken over, or an empty text.

    Raises:
        TrackingError: The registry cannot be reached, or its champion cannot be fetched.
        ModelFolderError: Its champion is damaged or of another format.
    """
    version = _registered_champion(workspace)
    if version is None or version.model_id == workspace.champion_id:
        return ""
    fetch(workspace, version)
    why = f"follows the registry's champion, version {version.number}"
    if workspace.comes_after(version.model_id):
        workspace.roll_back(why)
    else:
        workspace.set_champion(version.model_id, why, version.number)
    return f"The champion is now {version.model_id}: version {version.number} of the registry."


def ensure_champion(workspace: WorkspaceFolder, model_id: str, version: str | None) -> str:
    """Make a newly trained model champion where there is none that this Perovshell reads.

    The champion of the registry is followed first.

    Args:
        workspace: The workspace; the caller holds its lock `models`.
        model_id: The model.
        version: Its version in the registry; None leaves the registry alone.

    Returns:
        Why it became champion; empty where another stays.

    Raises:
        TrackingError: The registry cannot be reached.
    """
    why = "the first model of the workspace"
    champion, outdated = workspace.champion_id, False
    try:
        if version is not None:
            align(workspace)
            champion = workspace.champion_id
        outdated = champion is not None and is_outdated(workspace.models / champion)
    except OutdatedModelError:
        outdated = True
    if outdated:
        why = "the champion before was written by an older Perovshell and cannot be read"
    elif champion not in {None, model_id}:
        return ""
    if version is not None:
        _move_alias(workspace, version)
    if champion != model_id:
        workspace.set_champion(model_id, why, version)
    return why


def is_outdated(folder: Path) -> bool:
    """Whether a model folder was written by an older Perovshell than can be read."""
    try:
        read_folder(folder)
    except OutdatedModelError:
        return True
    except ModelFolderError:
        return False
    return False


def fetch(workspace: WorkspaceFolder, version: Version) -> Path:
    """Return the folder of a registered model, fetched into the workspace if it is not there.

    Raises:
        TrackingError: The registry cannot be reached or has no such model.
        OutdatedModelError: It was written by an older Perovshell.
        ModelFolderError: It is damaged or of a newer format.
    """
    folder = workspace.models / version.model_id
    if version.model_id not in workspace.model_ids():
        workspace.prepare()
        with hidden_folder(workspace.models) as incoming:
            fetched = download(f"models:/{NAME}/{version.number}", workspace, incoming)
            _refuse_outdated(workspace, version, fetched)
            _, info = read_folder(fetched)
            if info.model_id != version.model_id:
                msg = (
                    f"{_named(workspace, version)}: its tag model_id is {version.model_id!r}, but "
                    f"it holds model {info.model_id}; {_UNCHANGED}"
                )
                raise TrackingError(msg)
            fetched.rename(folder)
    _refuse_outdated(workspace, version, folder)
    return folder


def _named(workspace: WorkspaceFolder, version: Version) -> str:
    return f"version {version.number} of {NAME} in {workspace.tracking_uri}"


def _refuse_outdated(workspace: WorkspaceFolder, version: Version, folder: Path) -> None:
    if is_outdated(folder):
        msg = (
            f"{_named(workspace, version)}: written by an older Perovshell, cannot be read; "
            "replace it with Workspace.train()"
        )
        raise OutdatedModelError(msg)


def promote(
    workspace: WorkspaceFolder, name: str, why: str, *, over: str | None = None
) -> Promotion:
    """Make a model champion.

    Args:
        workspace: The workspace; the caller holds its lock `models`.
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
    model_id, version = resolve(workspace, name)
    if model_id == workspace.champion_id:
        msg = f"model {model_id}: is the champion already"
        raise WorkspaceError(msg)
    read_folder(workspace.models / model_id)
    if over is not None:
        _refuse_if_changed(workspace, model_id, over)
    _move_alias(workspace, version)
    workspace.set_champion(model_id, why, version)
    return workspace.promotions[-1]


def roll_back(workspace: WorkspaceFolder, why: str) -> Promotion:
    """Make the champion before the present one champion again.

    The present one is that of the registry, which somebody else may have promoted. Where the
    registry is back already, since a rollback was killed on its way, that one is finished.

    Args:
        workspace: The workspace; the caller holds its lock `models`.
        why: The reason, which is kept.

    Raises:
        WorkspaceError: There was none before.
        ModelFolderError: Its folder is damaged.
        TrackingError: The registry cannot be reached; nothing is changed.
    """
    registered = _registered_champion(workspace)
    if registered is None or not workspace.comes_after(registered.model_id):
        align(workspace)
    target = workspace.before_champion()
    _, version = resolve(workspace, target)
    read_folder(workspace.models / target)
    _move_alias(workspace, version)
    return workspace.roll_back(why)


def resolve(workspace: WorkspaceFolder, name: str) -> tuple[str, str | None]:
    """Return model id and registered version of a model, its folder being in the workspace.

    A model that was trained without tracking has no version: where others share the registry, it
    is refused.

    Raises:
        WorkspaceError: There is no such model, or the registry does not know it.
        TrackingError: The registry cannot be reached.
    """
    registered = _registered(workspace, _UNCHANGED, read_only=True)
    version = next((one for one in registered if name in {one.number, one.model_id}), None)
    if version is not None:
        fetch(workspace, version)
        return version.model_id, version.number
    if is_embedded(workspace) and name in workspace.model_ids():
        return name, None
    if is_tracked(workspace):
        numbers = ", ".join(f"{one.number} ({one.model_id})" for one in registered) or "none"
        msg = f"model {name!r}: not in the registry {workspace.tracking_uri}; known: {numbers}"
    else:
        known = ", ".join(workspace.model_ids()) or "none"
        msg = f"model {name!r}: not in the workspace {workspace.root}; known: {known}"
    raise WorkspaceError(msg)


def _registered(
    workspace: WorkspaceFolder, undone: str, *, read_only: bool = False
) -> list[Version]:
    """Return the registered versions, the newest first; none where nothing is tracked."""
    if not is_tracked(workspace):
        return []
    with tracking(workspace, undone, read_only=read_only) as mlflow:
        return versions(mlflow)


def _registered_champion(workspace: WorkspaceFolder) -> Version | None:
    registered = _registered(workspace, _UNCHANGED)
    return next((version for version in registered if CHAMPION in version.aliases), None)


def _refuse_if_changed(workspace: WorkspaceFolder, model_id: str, over: str) -> None:
    """Refuse a challenger whose comparison is out of date.

    MLflow cannot compare and set an alias in one step; what is left between is milliseconds.
    """
    now = _registered_champion(workspace)
    if now is not None and now.model_id not in {over, model_id}:
        msg = (
            f"model {model_id}: it was compared with {over}, but {now.model_id} (version "
            f"{now.number}) has become champion since; retrain again to compare with that"
        )
        raise WorkspaceError(msg)


def _move_alias(workspace: WorkspaceFolder, version: str | None) -> None:
    """Move the alias to a version; for a model without one, nothing is left that it points to."""
    if not is_tracked(workspace):
        return
    with tracking(workspace, _UNCHANGED) as mlflow:
        client = mlflow.MlflowClient()
        if version is None:
            if version_with(mlflow, CHAMPION) is not None:
                client.delete_registered_model_alias(NAME, CHAMPION)
            return
        client.set_registered_model_alias(NAME, CHAMPION, version)
        challenger = version_with(mlflow, CHALLENGER)
        if challenger is not None and challenger.number == version:
            client.delete_registered_model_alias(NAME, CHALLENGER)
