"""Who is champion, who was, and the way back."""

import json
from pathlib import Path

import pytest

from perovshell.errors import WorkspaceError
from perovshell.workspace.promotions import promoted, rolled_back
from perovshell.workspace.workspace import Workspace

A, B, C = "aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path)
    made.prepare()
    for name in (A, B, C):
        (made.models / name).mkdir()
    return made


def test_each_promotion_remembers_the_champion_before(place):
    for name in (A, B, C):
        place.set_champion(name, f"why {name}", version=name[0])
    assert [(one.model_id, one.previous) for one in place.promotions] == [(A, None), (B, A), (C, B)]
    assert place.promotions[-1].why == f"why {C}"
    assert place.champion_id == C


def test_rolled_back_twice_it_goes_two_champions_back(place):
    for name in (A, B, C):
        place.set_champion(name, "better", version=name[0])
    assert place.before_champion() == B
    assert place.roll_back("worse in use").model_id == B
    assert place.promotions[-1].version == "b"
    assert place.roll_back("worse still").model_id == A
    with pytest.raises(WorkspaceError, match="no champion before"):
        place.roll_back("why")
    assert len(place.promotions) == 5


def test_after_a_rollback_a_promotion_starts_from_there():
    history = rolled_back(promoted(promoted((), A, "first"), B, "second"), "no")
    history = promoted(history, C, "third")
    assert history[-1].previous == A
    assert rolled_back(history, "no")[-1].model_id == A


@pytest.mark.parametrize(
    "content", ["{", "[]x", '[{"model_id": 3}]', '[{"model": "x"}]', '"text"', "[1]"]
)
def test_a_damaged_file_is_named(place, content):
    (place.models / "champions.json").write_text(content)
    with pytest.raises(WorkspaceError, match=r"champions\.json: cannot be read"):
        place.champion()


def test_a_path_is_no_champion(place):
    place.set_champion(A, "first")
    path = place.models / "champions.json"
    entries = json.loads(path.read_text())
    entries[-1]["model_id"] = "../../elsewhere"
    path.write_text(json.dumps(entries))
    with pytest.raises(WorkspaceError, match="is no model id"):
        place.champion()


def test_a_lock_is_told_and_let_go(place):
    with (
        place.locked("models"),
        pytest.raises(WorkspaceError, match=r"changing its models; wait until it is done$"),
        place.locked("models"),
    ):
        pass
    with place.locked("models"), place.locked("papers"):
        pass


def test_what_else_can_be_done_is_said_by_who_can_do_it(place):
    with (
        place.locked("models"),
        pytest.raises(WorkspaceError, match=r"wait until it is done, or give --wait$"),
        place.locked("models", hint="give --wait"),
    ):
        pass


def test_a_read_that_fails_under_a_lock_is_not_said_to_be_a_write(place):
    with (
        pytest.raises(WorkspaceError, match=r"cannot be read or written .*nowhere.*: No such"),
        place.locked("models"),
    ):
        (place.root / "nowhere").read_bytes()
