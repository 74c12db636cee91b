"""The model folder: whole, or a clear error."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from perovshell.errors import ModelFolderError
from perovshell.features.featurizer import Featurizer
from perovshell.model import Model
from perovshell.models.folder import FORMAT, MANIFEST, read_folder, read_validation, write_folder
from perovshell.models.older import OLDEST

INFO = ("dataset", "settings", "figures", "skill", "variants")


@pytest.fixture
def copy(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "copy"))


def change_manifest(folder: Path, **changes: object) -> None:
    data = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(data | changes))


@pytest.mark.parametrize(
    "name",
    ["model.json", "tables.json", "elements.npz", "pl.npz", "stability.npz", "pl-1.ubj"],
)
def test_a_changed_byte_is_named(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(ModelFolderError, match=f"{name} is damaged"):
        read_folder(copy)


def test_a_missing_file_is_named(copy: Path) -> None:
    (copy / "plqy.npz").unlink()
    with pytest.raises(ModelFolderError, match=r"plqy\.npz is missing"):
        read_folder(copy)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        (FORMAT + 1, "is newer .* update Perovshell"),
        (OLDEST - 1, "is older .* train again"),
        ("8", "is newer"),
    ],
)
def test_another_format_says_what_to_do(copy: Path, version: object, words: str) -> None:
    change_manifest(copy, format=version)
    with pytest.raises(ModelFolderError, match=words):
        read_folder(copy)


def test_a_foreign_folder_is_refused(copy: Path) -> None:
    change_manifest(copy, kind="something-else")
    with pytest.raises(ModelFolderError, match="not that of a Perovshell model"):
        read_folder(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"checksums": 3}'])
def test_a_damaged_manifest_is_named(copy: Path, text: str) -> None:
    (copy / MANIFEST).write_text(text)
    with pytest.raises(ModelFolderError, match=MANIFEST):
        read_folder(copy)


def test_a_changed_model_id_is_found(copy: Path) -> None:
    change_manifest(copy, model_id="000000000000")
    with pytest.raises(ModelFolderError, match="model id differs"):
        read_folder(copy)


def test_no_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelFolderError, match="this is no model folder"):
        read_folder(tmp_path / "nowhere")


def test_a_manifest_cannot_reach_outside_its_folder(copy: Path) -> None:
    (copy.parent / "secret.txt").write_text("x")
    data = json.loads((copy / MANIFEST).read_text())
    change_manifest(copy, checksums=data["checksums"] | {"../secret.txt": "0" * 64})
    with pytest.raises(ModelFolderError, match="missing"):
        read_folder(copy)


def test_written_again_it_is_the_same_byte_for_byte(model: Model, tmp_path: Path) -> None:
    native = dict.fromkeys(("pl", "plqy", "lifetime"), b"trees")
    info = {key: vars(model.info)[key] for key in INFO}
    ids = [write_folder(tmp_path / name, model.predictor, info, native, {}) for name in "ab"]
    assert ids[0] == ids[1]
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_read_back_it_predicts_the_same(model: Model, tmp_path: Path) -> None:
    info = {key: vars(model.info)[key] for key in INFO}
    write_folder(tmp_path / "again", model.predictor, info, {}, {})
    rows = [{"core": "CsPbBr3", "shell": "SiO2"}, {"core": "FAPbI3", "shell": "none"}]
    assert Model.from_folder(tmp_path / "again").predict(rows) == model.predict(rows)


def test_nothing_in_it_is_pickled(model_folder: Path) -> None:
    for path in model_folder.glob("*.npz"):
        with np.load(path, allow_pickle=False) as archive:
            assert all(archive[name].dtype != object for name in archive.files)


def test_it_names_no_place_of_the_machine(model_folder: Path) -> None:
    for path in model_folder.iterdir():
        assert str(Path.home()).encode() not in path.read_bytes()
        assert str(model_folder.parent).encode() not in path.read_bytes()


@pytest.mark.parametrize("missing", ["checksums", "model_id"])
def test_a_manifest_that_lacks_a_part_is_damaged(copy: Path, missing: str) -> None:
    data = json.loads((copy / MANIFEST).read_text())
    del data[missing]
    (copy / MANIFEST).write_text(json.dumps(data))
    for read in (read_folder, read_validation):
        with pytest.raises(ModelFolderError, match=MANIFEST):
            read(copy)


@pytest.mark.parametrize("content", [None, b"", b"no archive", b"PK\x03\x04"])
def test_what_the_validation_found_cannot_be_read(copy: Path, content: bytes | None) -> None:
    """A manifest that fits contents that do not: of another kind, or not there."""
    data = json.loads((copy / MANIFEST).read_text())
    if content is None:
        del data["checksums"]["validation.npz"]
    else:
        (copy / "validation.npz").write_bytes(content)
        data["checksums"]["validation.npz"] = hashlib.sha256(content).hexdigest()
    text = json.dumps(data["checksums"], sort_keys=True, ensure_ascii=False, indent=1) + "\n"
    data["model_id"] = hashlib.sha256(text.encode()).hexdigest()[:12]
    (copy / MANIFEST).write_text(json.dumps(data))
    with pytest.raises(ModelFolderError, match="do not fit format"):
        read_validation(copy)


def test_a_model_of_other_descriptors_is_refused(
    model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It knows descriptors by their place: with one more in front it would mix them up."""
    names = Featurizer.__dict__["names"].func
    monkeypatch.setattr(Featurizer, "names", property(lambda own: ("new", *names(own)[1:])))
    with pytest.raises(ModelFolderError, match=r"here without \S.*; with new\); train again"):
        read_folder(model_folder)
