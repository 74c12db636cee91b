"""The workspace: where things are, and what is never half-written."""

from pathlib import Path

import pytest

from perovshell.errors import WorkspaceError
from perovshell.files import refuse_unwritable, write_atomically, write_file
from perovshell.workspace.folder import WorkspaceFolder


def test_the_place_is_as_given_else_of_the_environment_else_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PEROVSHELL_HOME", raising=False)
    assert WorkspaceFolder.locate().root == Path("perovshell-workspace")
    monkeypatch.setenv("PEROVSHELL_HOME", "/some/where")
    assert WorkspaceFolder.locate().root == Path("/some/where")
    assert WorkspaceFolder.locate(Path("mine")).root == Path("mine")


def test_the_champion_is_a_known_model(tmp_path: Path) -> None:
    workspace = WorkspaceFolder(tmp_path)
    workspace.prepare()
    assert workspace.champion_id is None
    with pytest.raises(WorkspaceError, match="no champion model"):
        workspace.champion()
    with pytest.raises(WorkspaceError, match="no model '0123456789ab'"):
        workspace.set_champion("0123456789ab", "why")
    (workspace.models / "0123456789ab").mkdir()
    (workspace.models / ".tmp-0123").mkdir()
    workspace.set_champion("0123456789ab", "why")
    assert workspace.champion() == workspace.models / "0123456789ab"
    assert workspace.model_ids() == ["0123456789ab"]


def test_an_unreadable_champion_file_is_named(tmp_path: Path) -> None:
    workspace = WorkspaceFolder(tmp_path)
    (workspace.models / "champions.json").mkdir(parents=True)
    with pytest.raises(WorkspaceError, match=r"champions\.json: cannot be read"):
        workspace.champion()


def test_a_file_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"first")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"second")
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_written_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    refuse_unwritable(tmp_path / "new" / "deep")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match="cannot be written"):
        refuse_unwritable(tmp_path / "file" / "below")


def test_a_file_is_written_with_its_folders(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a" / "b.json", "{}")
    assert path.read_text() == "{}\n"
    with pytest.raises(WorkspaceError, match="cannot be written"):
        write_file(path / "c.json", "{}")
