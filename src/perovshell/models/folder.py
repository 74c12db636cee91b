"""The model folder: JSON, CSV-free tables and arrays, with a format number and checksums.

No pickles, no times, no paths: the same data, seed and versions give the same bytes.

Format 8:
    manifest.json      format, kind, model id, SHA-256 of every other file
    model.json         JSON parts of the models, dataset, figures, settings
    tables.json        ion, shell and gap tables; literature samples; domains
    elements.npz       elemental properties
    MODEL.npz          trees and scores of a model
    MODEL.ubj          the trees in the format of the library, for audit
    validation.npz     out-of-fold scores of each row, to compare with a later model
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.data.materials import FOLDER as MATERIALS
from perovshell.data.materials import Materials, read_materials
from perovshell.errors import ModelFolderError, OutdatedModelError
from perovshell.features.elements import ElementTable
from perovshell.features.featurizer import Featurizer
from perovshell.models.domain import Domain
from perovshell.models.evidence import Literature
from perovshell.models.older import OLDEST, SHELLS, Parts, renew
from perovshell.models.point import PointModel
from perovshell.models.predictor import Predictor
from perovshell.models.shell_evidence import ShellEvidence
from perovshell.models.stability_model import StabilityModel
from perovshell.targets.declared import POINTS, TARGETS

FORMAT = 10
KIND = "perovshell-model"
MANIFEST = "manifest.json"
_VALIDATION = "validation.npz"
_UNFIT = (AttributeError, EOFError, LookupError, TypeError, ValueError, zipfile.BadZipFile)
"""What reading contents of another kind raises."""
_STABILITY = "stability"
"""Name of the model of lifetimes and gains."""


@dataclass(frozen=True)
class ModelInfo:
    """What a model says of itself.

    Attributes:
        model_id: First 12 digits of the hash of its contents.
        dataset: Content hash and counts of the dataset it was trained on.
        settings: Seed, folds, chosen settings, versions of the libraries.
        figures: Validation figures by `TARGET.SPLIT.SUBSET.FIGURE`.
        skill: For each target: whether it beats its null, the shrinkage slope and a sentence.
        variants: Whether each model uses trees, and why, a sentence a target.
    """

    model_id: str
    dataset: Mapping[str, Any]
    settings: Mapping[str, Any]
    figures: Mapping[str, float | None]
    skill: Mapping[str, Mapping[str, Any]]
    variants: Mapping[str, str]


def write_folder(
    folder: Path,
    predictor: Predictor,
    info: Mapping[str, Any],
    native: Mapping[str, bytes],
    validation: Mapping[str, npt.NDArray[Any]],
) -> str:
    """Write a model folder; return its model id.

    Args:
        folder: Folder to write; must not exist.
        predictor: The models.
        info: `dataset`, `settings`, `figures`, `skill` and `variants` of `ModelInfo`.
        native: The trees in the format of the library, by target.
        validation: The out-of-fold scores of each row; see
            `training.validation.out_of_fold_scores`.
    """
    models: dict[str, PointModel | StabilityModel | ShellEvidence] = {
        **predictor.points,
        _STABILITY: predictor.stability,
        SHELLS: predictor.shell_evidence,
    }
    parts = {name: model.to_parts() for name, model in models.items()}
    files: dict[str, bytes] = {
        "model.json": _json({"models": {n: p[0] for n, p in parts.items()}, **info}),
        "tables.json": _json(
            {
                **predictor.featurizer.tables(),
                "descriptors": list(predictor.featurizer.names),
                "literature": predictor.literature.samples,
                "domains": {name: d.to_json() for name, d in predictor.domains.items()},
            }
        ),
        "elements.npz": _npz({"values": predictor.featurizer.table.values}),
        **{f"{name}.npz": _npz(arrays) for name, (_, arrays) in parts.items()},
        **{f"{name}.ubj": content for name, content in native.items()},
        _VALIDATION: _npz(validation),
    }
    checksums = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    model_id = hashlib.sha256(_json(checksums)).hexdigest()[:12]
    manifest = {"format": FORMAT, "kind": KIND, "model_id": model_id, "checksums": checksums}
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / MANIFEST).write_bytes(_json(manifest))
    return model_id


def read_folder(folder: Path) -> tuple[Predictor, ModelInfo]:
    """Load a model folder.

    A model in a workspace also reads the shells and ions that the workspace has added since: a
    shell is then predicted from its class and its formula.

    Raises:
        InputError: The materials of the workspace cannot be read.
        ModelFolderError: The folder is missing, foreign, of another format or damaged.
    """
    files, manifest = _checked_files(folder)
    materials = read_materials(folder.parent.parent / MATERIALS)
    with _fitting(folder):
        return _rebuild(files, manifest, materials)


def read_validation(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the out-of-fold scores of each row in the validation of a model.

    Raises:
        ModelFolderError: The folder is missing, foreign, of another format or damaged.
    """
    files, _ = _checked_files(folder)
    with _fitting(folder):
        return _arrays(files[_VALIDATION])


def read_about(folder: Path) -> dict[str, Any]:
    """Return what a model says of its data and its validation, unchecked; empty if unreadable."""
    try:
        about = dict(json.loads((folder / "model.json").read_bytes()))
    except (OSError, TypeError, ValueError):
        return {}
    return {key: value for key, value in about.items() if isinstance(value, dict)}


@contextmanager
def _fitting(folder: Path) -> Iterator[None]:
    """Say of what cannot be read of a folder that it does not fit its format."""
    try:
        yield
    except ModelFolderError as error:
        msg = f"model folder {folder}: {error}"
        raise type(error)(msg) from error
    except _UNFIT as error:
        msg = f"model folder {folder}: its contents do not fit format {FORMAT} ({error!r})"
        raise ModelFolderError(msg) from error


def _checked_files(folder: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the files of a folder by name, and its manifest."""
    manifest = _manifest(folder)
    if manifest.get("kind") != KIND:
        msg = f"model folder {folder}: {MANIFEST} is not that of a Perovshell model"
        raise ModelFolderError(msg)
    version = manifest.get("format")
    if not isinstance(version, int) or not OLDEST <= version <= FORMAT:
        older = isinstance(version, int) and version < OLDEST
        age, what = ("older", "train again") if older else ("newer", "update Perovshell")
        msg = (
            f"model folder {folder}: format {version!r} is {age} than this Perovshell reads "
            f"({OLDEST} to {FORMAT}); {what}"
        )
        raise OutdatedModelError(msg) if older else ModelFolderError(msg)
    checksums, model_id = manifest.get("checksums"), manifest.get("model_id")
    if not isinstance(checksums, dict) or not isinstance(model_id, str):
        msg = f"model folder {folder}: {MANIFEST} is damaged (no checksums or no model id)"
        raise ModelFolderError(msg)
    files: dict[str, bytes] = {}
    for name, expected in checksums.items():
        try:
            files[name] = (folder / Path(name).name).read_bytes()
        except (OSError, ValueError) as error:
            msg = f"model folder {folder}: {name} is missing or unreadable"
            raise ModelFolderError(msg) from error
        if hashlib.sha256(files[name]).hexdigest() != expected:
            msg = f"model folder {folder}: {name} is damaged (its checksum differs)"
            raise ModelFolderError(msg)
    if hashlib.sha256(_json(checksums)).hexdigest()[:12] != model_id:
        msg = f"model folder {folder}: {MANIFEST} is damaged (its model id differs)"
        raise ModelFolderError(msg)
    return files, manifest


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except OSError as error:
        msg = f"model folder {folder}: no {MANIFEST}; this is no model folder"
        raise ModelFolderError(msg) from error
    except ValueError as error:
        msg = f"model folder {folder}: {MANIFEST} is damaged ({error})"
        raise ModelFolderError(msg) from error
    if not isinstance(manifest, dict):
        msg = f"model folder {folder}: {MANIFEST} is damaged"
        raise ModelFolderError(msg)
    return manifest


def _rebuild(
    files: Mapping[str, bytes], manifest: Mapping[str, Any], materials: Materials
) -> tuple[Predictor, ModelInfo]:
    model = json.loads(files["model.json"])
    skill = model["skill"]
    tables = json.loads(files["tables.json"])
    parts: Parts = {
        name: (data, _arrays(files[f"{name}.npz"])) for name, data in model["models"].items()
    }
    if manifest["format"] < FORMAT:
        renew(manifest["format"], parts, tables)
    tables |= materials.joined(tables)
    table = ElementTable(_arrays(files["elements.npz"])["values"])
    featurizer = Featurizer.from_tables(tables, table)
    _refuse_others(tables["descriptors"], featurizer.names)
    predictor = Predictor(
        featurizer=featurizer,
        points={point.name: PointModel.from_parts(point, *parts[point.name]) for point in POINTS},
        stability=StabilityModel.from_parts(*parts[_STABILITY]),
        domains={
            name: Domain.from_json(data).with_ions(len(featurizer.reader.ions.by_symbol))
            for name, data in tables["domains"].items()
        },
        literature=Literature(tables["literature"], featurizer.reader),
        notes=_notes(skill),
        shell_evidence=ShellEvidence.from_parts(*parts[SHELLS]),
    )
    keys = ("dataset", "settings", "figures", "skill", "variants")
    return predictor, ModelInfo(manifest["model_id"], **{key: model[key] for key in keys})


def _notes(skill: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """Return what every answer with a shell says of targets without skill."""
    answered = [name for name in sorted(skill) if name in TARGETS]
    return tuple(TARGETS[name].no_skill for name in answered if not skill[name]["has_skill"])


def _refuse_others(trained: Sequence[str], here: Sequence[str]) -> None:
    """Refuse a model with other descriptors: it uses them by position."""
    if list(trained) == list(here):
        return
    gone, new = sorted({*trained} - {*here}), sorted({*here} - {*trained})
    parts = [
        f"{word} {', '.join(names)}" for word, names in (("without", gone), ("with", new)) if names
    ]
    what = "; ".join(parts) or "in another order"
    msg = f"it was trained with other descriptors than this Perovshell's (here {what}); train again"
    raise OutdatedModelError(msg)


def _json(data: object) -> bytes:
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False)
    return (text + "\n").encode()


def _npz(arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """Write arrays as npz with a fixed order and a fixed time stamp."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in sorted(arrays.items()):
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, content.getvalue())
    return buffer.getvalue()


def _arrays(content: bytes) -> dict[str, npt.NDArray[Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
