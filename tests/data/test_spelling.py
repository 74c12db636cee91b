"""The nearest spellings are those that a full comparison finds, or as near."""

import difflib

import pytest

from perovshell.data.formula import FormulaReader
from perovshell.data.spelling import Spellings

KNOWN = Spellings(
    spelling.casefold()
    for row in FormulaReader.bundled().shells.shell_rows
    for spelling in (row["name"], *row["aliases"].split(";"))
)


@pytest.mark.parametrize("text", ["silica1", "siox", "zns2", "alumnia", "pmma2", "titanai", "zif9"])
def test_the_nearest_is_that_of_a_full_comparison(text: str) -> None:
    (first, *_) = difflib.get_close_matches(text, KNOWN.known, n=3, cutoff=0.3)
    assert KNOWN.nearest(text, count=3, cutoff=0.3)[0] == first


def test_what_is_like_nothing_has_no_near_one() -> None:
    assert KNOWN.nearest("qqqq", count=3, cutoff=0.5) == []
    assert KNOWN.nearest("", count=3, cutoff=0.5) == []
    assert len(KNOWN.nearest("", count=1, cutoff=0.0)) == 1
