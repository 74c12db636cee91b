"""Who is champion, who was, and the way back."""

import json
from pathlib import Path

import pytest

from perovshell.errors import WorkspaceError
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.promotions import promoted, rolled_back

A, B, C = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"


@pytest.fixture
def workspace(tmp_path: Path) -> WorkspaceFolder:
    made = WorkspaceFolder(tmp_path)
    made.prepare()
    for name in (A, B, C):
        (made.models / name).mkdir()
    return made


def test_each_promotion_remembers_the_champion_before(workspace):
    for name in (A, B, C):
        workspace.set_champion(name, f"why {name}", version=name[0])
    assert [(one.model_id, one.previous) for one in workspace.promotions] == [
        (A, None),
        (B, A),
        (C, B),
    ]
    assert workspace.promotions[-1].why == f"why {C}"
    assert workspace.champion_id == C


def test_rolled_back_twice_it_goes_two_champions_back(workspace):
    for name in (A, B, C):
        workspace.set_champion(name, "better", version=name[0])
    assert workspace.before_champion() == B
    assert workspace.roll_back("worse in use").model_id == B
    assert workspace.promotions[-1].version == "b"
    assert workspace.roll_back("worse still").model_id == A
    with pytest.raises(WorkspaceError, match="no champion before"):
        workspace.roll_back("why")
    assert len(workspace.promotions) == 5


def test_after_a_rollback_a_promotion_starts_from_there():
    history = rolled_back(promoted(promoted((), A, "first"), B, "second"), "no")
    history = promoted(history, C, "third")
    assert history[-1].previous == A
    assert rolled_back(history, "no")[-1].model_id == A


@pytest.mark.parametrize(
    "content", ["{", "[]x", '[{"model_id": 3}]', '[{"model": "x"}]', '"text"', "[1]"]
)
def test_a_damaged_file_is_named(workspace, content):
    (workspace.models / "champions.json").write_text(content)
    with pytest.raises(WorkspaceError, match=r"champions\.json: cannot be read"):
        workspace.champion()


def test_a_path_is_no_champion(workspace):
    workspace.set_champion(A, "first")
    path = workspace.models / "champions.json"
    entries = json.loads(path.read_text())
    entries[-1]["model_id"] = "../../elsewhere"
    path.write_text(json.dumps(entries))
    with pytest.raises(WorkspaceError, match="is no model id"):
        workspace.champion()


def test_a_lock_is_told_and_let_go(workspace):
    with (
        workspace.locked("models"),
        pytest.raises(WorkspaceError, match=r"changing its models; wait until it is done$"),
        workspace.locked("models"),
    ):
        pass
    with workspace.locked("models"), workspace.locked("papers"):
        pass


def test_what_else_can_be_done_is_said_by_who_can_do_it(workspace):
    with (
        workspace.locked("models"),
        pytest.raises(WorkspaceError, match=r"wait until it is done, or give --wait$"),
        workspace.locked("models", hint="give --wait"),
    ):
        pass


def test_a_read_that_fails_under_a_lock_is_not_said_to_be_a_write(workspace):
    with (
        pytest.raises(WorkspaceError, match=r"cannot be read or written .*nowhere.*: No such"),
        workspace.locked("models"),
    ):
        (workspace.root / "nowhere").read_bytes()
