"""A paper as text: what is read back is what was written, and each line leads to its value."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.nodes import Node, parse_yaml
from perovshell.errors import Fault
from perovshell.serve.service.paper_text import PaperText, Path

KEYS = st.text("abc\u00e9\U0001d4b3-:#'\"\\{}[],&*!", min_size=1, max_size=5)
SCALARS = st.booleans() | st.integers() | KEYS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def scalars(node: Node, path: Path = ()) -> list[tuple[Path, Node]]:
    """Return the single values of a document with their paths."""
    if node.entries is not None:
        pairs = [(str(key.text), value) for key, value in node.entries]
        return [one for key, value in pairs for one in scalars(value, (*path, key))]
    if node.items is not None:
        return [one for k, item in enumerate(node.items) for one in scalars(item, (*path, k))]
    return [(path, node)]


def at(paper: Any, path: Path) -> Any:
    for part in path:
        paper = paper[part]
    return paper


@given(paper=st.dictionaries(KEYS, VALUES, max_size=4))
def test_each_value_is_read_back_and_its_line_leads_to_it(paper: dict[str, Any]) -> None:
    text = PaperText.of(paper)
    for path, node in scalars(parse_yaml(str(text), "paper")):
        value = at(paper, path)
        assert node.text == (value if isinstance(value, str) else json.dumps(value))
        assert text.paths[node.line - 1] == path


def test_a_key_that_is_missing_is_in_the_mapping_that_lacks_it() -> None:
    text = PaperText.of({"paper_id": "a", "samples": [{"name": "S1"}, {"name": "S2"}]})
    line = text.lines.index('"name": "S2",')  # Lines count from 1: this is the one before.
    fault = Fault("paper", line, "samples.stability.coated", None, "missing")
    assert text.path_of(fault) == ("samples", 1, "stability", "coated")
    assert text.path_of(Fault("paper", 0, "", None, "empty")) == ()
