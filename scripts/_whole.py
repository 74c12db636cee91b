"""Whether a workspace is whole: papers, models, champion, registry, materials, keys, reports.

So are the files that commands write beside it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from perovshell.errors import PerovshellError
from perovshell.model import Model
from perovshell.models.folder import read_folder
from perovshell.workspace.championship import align
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.papers import PaperStore
from perovshell.workspace.promotions import Promotion
from perovshell.workspace.registry import (
    CHAMPION,
    NAME,
    Version,
    download,
    tracking,
    version_with,
    versions,
)

_TAGS = {"model_id", "dataset_hash"}
_VERDICT_TAGS = {"promote", "verdict"}
_LOCKS = {".models.lock", ".papers.lock", ".inbox.lock", ".keys.lock"}
OUTPUTS = "out"
"""Folder beside the workspace that commands write into."""
KEPT_KEY = "kept"
"""Name of a key that no command changes."""
_PART = "ranking.part.npz"
"""How far a ranking is: what it holds depends on when it was saved."""


@dataclass(frozen=True)
class State:
    """What a workspace holds.

    Attributes:
        papers: Contents of the papers' files by name.
        history: Contents of what they were before, by name.
        promotions: The promotions, the champion's last.
        models: Ids of the model folders.
        versions: Tags of the registered versions by number.
        files: Contents of other files that commands write, by path: materials, keys, reports and
            outputs.
    """

    papers: Mapping[str, bytes]
    history: Mapping[str, bytes]
    promotions: tuple[Promotion, ...]
    models: frozenset[str]
    versions: Mapping[str, Mapping[str, str]]
    files: Mapping[str, bytes]

    @property
    def champion(self) -> str:
        """Id of the champion."""
        return self.promotions[-1].model_id

    @classmethod
    def of(cls, workspace: WorkspaceFolder) -> State:
        """Read a workspace.

        Raises:
            PerovshellError: It is not whole.
        """
        with tracking(workspace, "nothing is changed") as mlflow:
            registered = {one.number: one.tags for one in versions(mlflow)}
        return cls(
            papers=_files(workspace.papers),
            history=_files(workspace.papers / "history"),
            promotions=workspace.promotions,
            models=frozenset(workspace.model_ids()),
            versions=registered,
            files=_other_files(workspace),
        )


@dataclass
class Found:
    """What is wrong with a workspace: what is lost, and what is half-written."""

    lost: list[str] = field(default_factory=list)
    half_written: list[str] = field(default_factory=list)


def check(workspace: WorkspaceFolder, before: State, after: State) -> Found:
    """Say what of a workspace is lost or half-written.

    Args:
        workspace: The workspace, after a command was killed in it.
        before: What it held before.
        after: What it holds where the command is not killed.
    """
    found = Found()
    _check_papers(workspace, before, after, found)
    _check_champion(workspace, before, after, found)
    _check_models(workspace, before, found)
    _check_registry(workspace, before, after, found)
    _check_files(_other_files(workspace), before, after, found)
    return found


def check_finished(workspace: WorkspaceFolder, after: State) -> Found:
    """Say what is left over or undone once the command has run again to its end."""
    found = Found()
    for folder in (workspace.root, workspace.root.parent / OUTPUTS):
        for path in folder.rglob(".*"):
            if path.name not in _LOCKS:
                found.half_written.append(f"left over: {path.relative_to(folder)}")
    now = State.of(workspace)
    if dict(now.papers) != dict(after.papers):
        found.lost.append("the papers are not those that the command leads to")
    unlike = {name for name, _ in now.files.items() ^ after.files.items()}
    found.lost += [f"{name} is not what the command leads to" for name in sorted(unlike)]
    missing = after.models - set(workspace.model_ids())
    found.lost += [f"model {name} was not made" for name in missing]
    with tracking(workspace, "nothing is changed") as mlflow:
        client = mlflow.MlflowClient()
        experiment = client.get_experiment_by_name(NAME).experiment_id
        running = client.search_runs([experiment], "attributes.status = 'RUNNING'")
        found.half_written += [f"run {run.info.run_name} is still RUNNING" for run in running]
        known = versions(mlflow)
    held = {one.model_id: one for one in known}
    found.lost += [f"model {name} is not registered" for name in after.models - held.keys()]
    # Whether a challenger is promoted depends on times that were measured, too.
    refused = any(one.tags.get("promote") == "false" for one in known)
    if workspace.champion_id != after.champion and not refused:
        found.lost.append(f"the champion is {workspace.champion_id}, not {after.champion}")
    align(workspace)
    with tracking(workspace, "nothing is changed") as mlflow:
        champion = version_with(mlflow, CHAMPION)
    if champion is None or champion.model_id != workspace.champion_id:
        found.lost.append("the registry's champion is not the workspace's")
    return found


def _check_papers(workspace: WorkspaceFolder, before: State, after: State, found: Found) -> None:
    now, history = _files(workspace.papers), _files(workspace.papers / "history")
    for name, content in before.papers.items():
        is_kept = any(one.startswith(content) for one in history.values())
        if name not in now:
            if name in after.papers or not is_kept:
                found.lost.append(f"papers/{name}")
        elif now[name] not in {content, after.papers.get(name)}:
            found.half_written.append(f"papers/{name}")
        elif now[name] != content and not is_kept:
            found.lost.append(f"what papers/{name} was before")
    for name in now.keys() - before.papers.keys():
        if now[name] != after.papers.get(name):
            found.half_written.append(f"papers/{name}")
    found.half_written += [str(fault) for fault in PaperStore(workspace).stored().faults]
    _check_history(history, before, found)


def _check_history(history: Mapping[str, bytes], before: State, found: Found) -> None:
    for name, content in before.history.items():
        if history.get(name) != content:
            found.lost.append(f"papers/history/{name}")
    for name in history.keys() - before.history.keys():
        if not any(history[name].startswith(one) for one in before.papers.values()):
            found.half_written.append(f"papers/history/{name}")


def _check_champion(workspace: WorkspaceFolder, before: State, after: State, found: Found) -> None:
    try:
        promotions = workspace.promotions
        Model.from_folder(workspace.champion())
    except PerovshellError as error:
        found.half_written.append(str(error))
        return
    if promotions[: len(before.promotions)] != before.promotions:
        found.lost.append("promotions")
    if promotions[-1].model_id not in {before.champion, after.champion}:
        found.lost.append(f"the champion: {promotions[-1].model_id} is neither of both")


def _check_models(workspace: WorkspaceFolder, before: State, found: Found) -> None:
    names = workspace.model_ids()
    found.lost += [f"models/{name}" for name in before.models - set(names)]
    for name in names:
        try:
            read_folder(workspace.models / name)
        except PerovshellError as error:
            found.half_written.append(str(error))


def _check_files(now: Mapping[str, bytes], before: State, after: State, found: Found) -> None:
    """Each file is as before or as after."""
    for name in sorted({*now, *before.files, *after.files}):
        if now.get(name) in (before.files.get(name), after.files.get(name)):
            continue
        if name not in now:
            found.lost.append(name)
        elif not name.endswith(_PART):
            found.half_written.append(name)


def _check_registry(workspace: WorkspaceFolder, before: State, after: State, found: Found) -> None:
    with tracking(workspace, "nothing is changed") as mlflow:
        known = {one.number: one for one in versions(mlflow)}
        aliases = dict(mlflow.MlflowClient().get_registered_model(NAME).aliases)
    for number, tags in before.versions.items():
        if number not in known or dict(known[number].tags) != dict(tags):
            found.lost.append(f"version {number} or its tags")
    for name, number in aliases.items():
        if str(number) not in known:
            found.lost.append(f"alias {name} points to version {number}, which is not there")
    champion = known.get(str(aliases.get(CHAMPION)))
    if champion is None or champion.model_id not in {before.champion, after.champion}:
        found.lost.append("the registry's champion")
    for version in known.values():
        _check_version(workspace, version, found)


def _check_version(workspace: WorkspaceFolder, version: Version, found: Found) -> None:
    tags = set(version.tags)
    if not tags >= _TAGS or tags & _VERDICT_TAGS not in (set(), _VERDICT_TAGS):
        found.half_written.append(f"version {version.number} has the tags {sorted(tags)}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            _, info = read_folder(
                download(f"models:/{NAME}/{version.number}", workspace, Path(folder))
            )
    except PerovshellError as error:
        found.half_written.append(str(error))
        return
    if info.model_id != version.model_id:
        found.half_written.append(f"version {version.number} holds another model")


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*") if path.is_file()}


def _other_files(workspace: WorkspaceFolder) -> dict[str, bytes]:
    """Return the files beside papers, models and registry; of new keys the names alone."""
    root, found = workspace.root, {}
    for folder in (root / "materials", workspace.reports, root.parent / OUTPUTS):
        for path in folder.rglob("[!.]*"):
            # How long predictions took, as these tell, is never the same.
            if path.is_file() and not path.parent.name.startswith("retrain-"):
                found[str(path.relative_to(root.parent))] = path.read_bytes()
    if workspace.keys_file.exists():
        hashes = json.loads(workspace.keys_file.read_bytes())
        known = [(name, value if name == KEPT_KEY else "") for name, value in hashes.items()]
        found[workspace.keys_file.name] = json.dumps(known).encode()
    return found
