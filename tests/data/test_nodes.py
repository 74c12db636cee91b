"""Nodes: the values of YAML, JSON and Python with their lines and paths."""

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.nodes import Node, parse_json, parse_yaml
from perovshell.errors import DocumentError

TEXT = """\
name: a
cores:
  A:
    - Cs
    - {step: 1/3}
"""


def only(text: str) -> Node:
    """The value of the key `k`."""
    entries = parse_yaml(f"k: {text}", "a.yaml").entries
    assert entries is not None
    return entries[0][1]


def plain(node: Node) -> Any:
    """What a node holds."""
    if node.entries is not None:
        return {key.text: plain(value) for key, value in node.entries}
    return [plain(item) for item in node.items] if node.items is not None else node.value


def test_values_of_a_text_know_their_lines_and_paths() -> None:
    root = parse_yaml(TEXT, "a.yaml")
    assert root.entries is not None
    (_, name), (key, cores) = root.entries
    assert (name.path, name.line, name.text) == ("name", 1, "a")
    assert (key.path, key.line, key.text) == ("cores", 2, "cores")
    assert cores.entries is not None
    items = cores.entries[0][1].items
    assert items is not None
    assert [(item.path, item.line) for item in items] == [("cores.A", 4), ("cores.A", 5)]
    assert items[1].entries is not None
    assert items[1].entries[0][1].path == "cores.A.step"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("off", False),
        ("5", 5),
        ("010", 10),
        ("-0.5", -0.5),
        ("1e-3", 0.001),
        ("168.0", 168.0),
        ("1/3", "1/3"),
        ("'5'", "5"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("2024-13-45", "2024-13-45"),
        ("=", "="),
        (".nan", ".nan"),
        ("~", None),
        ("null", None),
        ("", None),
        ("''", ""),
        ("9" * 5000, math.inf),
    ],
)
def test_a_value_is_what_it_reads_like(text: str, value: object) -> None:
    node = only(text)
    assert (node.value, type(node.value)) == (value, type(value))
    assert node.is_empty == (value is None or value == "")
    assert node.text == text.strip("'")


@pytest.mark.parametrize(
    ("value", "found", "text"),
    [
        (np.float64(0.5), 0.5, "0.5"),
        (np.int64(5), 5, "5"),
        (np.bool_(True), True, "True"),
        (np.array([1, 2]), [1, 2], None),
        ((1, 2), [1, 2], None),
        (Fraction(1, 3), Fraction(1, 3), "1/3"),
        (-(10**400), -math.inf, "-inf"),
        (" a ", " a ", "a"),
    ],
)
def test_objects_of_python_are_read_too(value: object, found: object, text: str | None) -> None:
    node = Node(value, "")
    assert plain(node) == found
    assert node.text == text


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
_DATA = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text('ab \u00e9"\\', max_size=5).map(str.strip), inner, max_size=3)
    ),
)


@given(data=_DATA)
def test_json_gives_the_nodes_of_its_values(data: object) -> None:
    written = plain(parse_json(json.dumps(data), "a.json"))
    assert as_text(written) == as_text(_stripped(data))


def as_text(data: object) -> str:
    return json.dumps(data, sort_keys=True)


def _stripped(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _stripped(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_stripped(item) for item in data]
    return data.strip() if isinstance(data, str) else data


@given(data=_DATA)
def test_yaml_that_is_dumped_gives_the_same_nodes(data: Any) -> None:
    text = yaml.safe_dump({"k": data})
    written = plain(parse_yaml(text, "a.yaml"))["k"]
    assert as_text(written) == as_text(_stripped(data))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "the file is empty"),
        ("a: [1", "line 1: not YAML"),
        ("a: 1\nb: &x 2", "line 2: not YAML .anchors, aliases and tags"),
        ("a: 1\nb: *x", "line 2: not YAML"),
        ("a: !!python/name:os.system x", "line 1: not YAML"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("a: \x00", "U.0000"),
        ("[" * 5000, "nested too deeply"),
        ('a: "\\U00110000"', "not YAML"),
        ('a: "\\UFFFFFFFF"', "not YAML"),
    ],
)
def test_what_is_no_document_is_refused(text: str, rule: str) -> None:
    with pytest.raises(DocumentError, match=rf"^a\.yaml.*{rule}"):
        parse_yaml(text, "a.yaml")


@pytest.mark.parametrize("text", ["", "{'a': 1}", '{"a": 1', "[" * 10**5])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(DocumentError, match=r"^a\.json"):
        parse_json(text, "a.json")


def test_json_may_be_indented_by_tabs_and_escape_characters_in_halves() -> None:
    text = '{\n\t"k": "\\ud83d\\ude00"\n}'
    assert plain(parse_json(text, "a.json")) == {"k": "\U0001f600"}


def test_a_fault_stays_on_one_line_whatever_the_key_and_the_value() -> None:
    node = Node({"a\n\ud800": ["x\ny" * 1000, {"b": object()}]}, "space")
    assert node.entries is not None
    ((_, value),) = node.entries
    said = str(value.fault("no"))
    assert said.startswith(r"space, key a\n\ud800: ['x\ny")
    assert "<object>" in said
    assert "\n" not in said
    assert len(said) < 500


def test_a_list_that_holds_itself_is_shown_in_part() -> None:
    loop: list[object] = []
    loop += [loop, loop]
    assert len(str(Node(loop, "space").child("k").fault("no"))) < 200
