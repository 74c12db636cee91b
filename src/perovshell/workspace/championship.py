"""Which model is the champion: promotions in the workspace, and their copy in the model registry.

The champion is the model that `models/champions.json` of the workspace names. The alias `champion`
of the model registry is a copy, which a team that shares a tracking server shares: a promotion
moves the alias first and the file last, each in one step, so whatever ends a promotion half-way
leaves both at whole models. `align` takes over what the alias says, and so finishes an interrupted
promotion and follows the promotions of others.

Where mlflow is not installed, a promotion changes the file alone and says so in it. `align` then
tells the registry, if its alias is where this workspace last left it; if somebody else has moved
it, a person decides.
"""

from __future__ import annotations

import warnings
from pathlib import Path

from perovshell.errors import (
    ModelFolderError,
    OutdatedModelError,
    PerovshellWarning,
    TrackingError,
    UntoldError,
    WorkspaceError,
)
from perovshell.files import hidden_folder
from perovshell.models.folder import read_folder
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.known_models import cannot_ask, registered_versions
from perovshell.workspace.promotions import Promotion, is_untold, last_told
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
)
from perovshell.workspace.version_notes import PROMOTION_CHECK, note_promotion

_UNCHANGED = "the champion is unchanged"


def align(workspace: WorkspaceFolder) -> str:
    """Follow the champion of the registry; return what was taken over, or an empty text.

    Where the workspace got another champion without the registry, that is told it instead.

    Raises:
        MissingExtraError: mlflow is not installed.
        TrackingError: The registry cannot be reached, or its champion cannot be fetched.
        ModelFolderError: Its champion is damaged or of another format.
        UntoldError: Both got another champion, or the registry does not know that of the workspace.
    """
    if not is_tracked(workspace):
        return ""
    version = _registered_champion(workspace)
    if is_untold(workspace.promotions):
        return _tell(workspace, version)
    if version is None or version.model_id == workspace.champion_id:
        return ""
    fetch(workspace, version)
    why = f"follows the registry's champion, version {version.number}"
    if workspace.comes_after(version.model_id):
        workspace.roll_back(why)
    else:
        workspace.set_champion(version.model_id, why, version.number)
    return f"The champion is now {version.model_id}: version {version.number} of the registry."


def _tell(workspace: WorkspaceFolder, registered: Version | None) -> str:
    """Move the alias to the champion of the workspace, which the registry was not told of.

    Args:
        workspace: The workspace; the caller holds its lock `models`.
        registered: The champion of the registry.
    """
    promotions = workspace.promotions
    model_id = promotions[-1].model_id
    if registered is not None and registered.model_id not in {model_id, last_told(promotions)}:
        other = registered.model_id
        msg = (
            f"two champions: {model_id} was promoted in the workspace {workspace.root} while the "
            f"registry was not told ({promotions[-1].why}), and version {registered.number} "
            f"({other}) has become champion of the registry; decide: "
            f"Workspace.promote('{model_id}', why=...) or Workspace.promote('{other}', why=...)"
        )
        raise UntoldError(msg)
    try:
        _, version = resolve(workspace, model_id)
    except WorkspaceError as error:
        msg = f"champion {model_id}: promoted while the registry was not told; {error}"
        raise UntoldError(msg) from error
    _move_alias(workspace, version, promotions[-1].why)
    workspace.note_told(version)
    return f"The registry is told that {model_id} is the champion."


def _warn_untold(workspace: WorkspaceFolder) -> None:
    which = "registry" if is_embedded(workspace) else "registry of MLFLOW_TRACKING_URI"
    text = (
        f"mlflow is not installed: the {which} is not told; the next train, retrain, promote or "
        "rollback in this workspace where it is installed tells it"
    )
    warnings.warn(text, PerovshellWarning, stacklevel=4)


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
    except UntoldError as error:
        # It is no fault of the new model, and the champion of the workspace stays.
        warnings.warn(str(error), PerovshellWarning, stacklevel=2)
    if outdated:
        why = "the champion before was written by an older Perovshell and cannot be read"
    elif champion not in {None, model_id}:
        return ""
    if version is not None:
        _move_alias(workspace, version, why)
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
    return f"version {version.number} of {NAME} in {workspace.tracking_shown}"


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

    Where mlflow is not installed, the registry is not told, with a `PerovshellWarning`.

    Raises:
        WorkspaceError: There is no such model, it is champion already, or it was compared with a
            champion of the past.
        ModelFolderError: Its folder is damaged.
        TrackingError: The registry cannot be reached; nothing is changed.
    """
    model_id, version = resolve(workspace, name)
    untold = cannot_ask(workspace)
    # One that the registry was not told of may be promoted there, too.
    if model_id == workspace.champion_id and (untold or not is_untold(workspace.promotions)):
        msg = f"model {model_id}: is the champion already"
        raise WorkspaceError(msg)
    read_folder(workspace.models / model_id)
    if untold:
        workspace.set_champion(model_id, why, version, untold=True)
        _warn_untold(workspace)
        return workspace.promotions[-1]
    if over is not None:
        _refuse_if_changed(workspace, model_id, over)
    _move_alias(workspace, version, why, by="" if over is None else PROMOTION_CHECK)
    workspace.set_champion(model_id, why, version)
    return workspace.promotions[-1]


def roll_back(workspace: WorkspaceFolder, why: str) -> Promotion:
    """Make the champion before the present one champion again.

    The present one is that of the registry, which somebody else may have promoted. Where the
    registry is back already, since a rollback was killed on its way, that one is finished. Where
    mlflow is not installed, the registry is not told, with a `PerovshellWarning`.

    Args:
        workspace: The workspace; the caller holds its lock `models`.
        why: The reason, which is kept.

    Raises:
        WorkspaceError: There was none before.
        ModelFolderError: Its folder is damaged.
        TrackingError: The registry cannot be reached; nothing is changed.
    """
    if cannot_ask(workspace):
        read_folder(workspace.models / workspace.before_champion())
        promotion = workspace.roll_back(why, untold=True)
        _warn_untold(workspace)
        return promotion
    registered = _registered_champion(workspace)
    if registered is None or not workspace.comes_after(registered.model_id):
        align(workspace)
    target = workspace.before_champion()
    _, version = resolve(workspace, target)
    read_folder(workspace.models / target)
    _move_alias(workspace, version, why)
    return workspace.roll_back(why)


def resolve(workspace: WorkspaceFolder, name: str) -> tuple[str, str | None]:
    """Return model id and registered version of a model, its folder being in the workspace.

    A model that was trained without tracking has no version: where others share the registry, it
    is refused. Where mlflow is not installed, the versions of promotions are known.

    Raises:
        WorkspaceError: There is no such model, or the registry does not know it.
        TrackingError: The registry cannot be reached.
    """
    if cannot_ask(workspace):
        return _resolve_here(workspace, name)
    registered = registered_versions(workspace, _UNCHANGED, read_only=True)
    version = next((one for one in registered if name in {one.number, one.model_id}), None)
    if version is not None:
        fetch(workspace, version)
        return version.model_id, version.number
    if is_embedded(workspace) and name in workspace.model_ids():
        return name, None
    if is_tracked(workspace):
        numbers = ", ".join(f"{one.number} ({one.model_id})" for one in registered) or "none"
        msg = f"model {name!r}: not in the registry {workspace.tracking_shown}; known: {numbers}"
    else:
        known = ", ".join(workspace.model_ids()) or "none"
        msg = f"model {name!r}: not in the workspace {workspace.root}; known: {known}"
    raise WorkspaceError(msg)


def _resolve_here(workspace: WorkspaceFolder, name: str) -> tuple[str, str | None]:
    """Resolve a model of the workspace by its id, or by the version of a promotion."""
    known = {model_id: workspace.version_of(model_id) for model_id in workspace.model_ids()}
    for model_id, version in known.items():
        if name in {model_id, version}:
            return model_id, version
    names = [f"{version} ({one})" if version else one for one, version in known.items()]
    msg = (
        f"model {name!r}: not in the workspace {workspace.root}; known: "
        f"{', '.join(names) or 'none'}; the registry is not asked, since mlflow is not installed"
    )
    raise WorkspaceError(msg)


def _registered_champion(workspace: WorkspaceFolder) -> Version | None:
    registered = registered_versions(workspace, _UNCHANGED)
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


def _move_alias(workspace: WorkspaceFolder, version: str | None, why: str, *, by: str = "") -> None:
    """Move the alias to a version; for a model without one, nothing is left that it points to."""
    if not is_tracked(workspace):
        return
    with tracking(workspace, _UNCHANGED) as mlflow:
        client, before = mlflow.MlflowClient(), version_with(mlflow, CHAMPION)
        if version is None:
            if before is not None:
                client.delete_registered_model_alias(NAME, CHAMPION)
                note_promotion(client, None, before, why, by)
            return
        client.set_registered_model_alias(NAME, CHAMPION, version)
        challenger = version_with(mlflow, CHALLENGER)
        if challenger is not None and challenger.number == version:
            client.delete_registered_model_alias(NAME, CHALLENGER)
        note_promotion(client, version, before, why, by)
