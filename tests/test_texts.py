"""Small pieces of text."""

from hypothesis import given
from hypothesis import strategies as st

from perovshell.texts import table_cell


@given(st.lists(st.text("a| ;", min_size=1), min_size=1))
def test_a_cell_can_be_split_into_its_entries(entries: list[str]) -> None:
    parts = table_cell(entries).split(" | ")
    assert len(parts) == len(entries)
    bare = [entry.replace(" ", "") for entry in entries]
    assert [part.replace(" ", "") for part in parts] == bare


def test_other_values_stay_as_they_are() -> None:
    assert table_cell("a; b") == "a; b"
    assert table_cell(None) is None
    assert table_cell([]) == ""
