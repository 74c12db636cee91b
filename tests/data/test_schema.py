"""Declarations of documents: what they take, and that all faults come at once."""

import doctest
import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from perovshell.data import schema
from perovshell.data.nodes import Node, parse_yaml
from perovshell.data.schema import (
    Check,
    Key,
    Reader,
    by_shape,
    flag,
    key_table,
    listing,
    number,
    one_or_many,
    record,
    text,
    word,
)
from perovshell.errors import DocumentError, Fault, InputError


def half(value: float) -> float:
    if value == 13:
        msg = "13 brings no luck"
        raise InputError(msg)
    return value / 2


def above_limit(ends: tuple[float, float] | None, limit: float) -> str:
    return "above limit" if ends and max(ends) > limit else ""


def without_a(a: str | None, b: str | None) -> str:
    return "b needs a" if b and not a else ""


SAMPLE = record(
    Key("name", text(), required=True),
    Key("size_nm", number(1, 99, unknown="unknown").then(half), 8, help="core size"),
    Key("layers", number(1, 3, whole=True)),
    Key("media", one_or_many(word("film", "water")), "film", also="medium"),
    Key("note", text(prose=True)),
)
CORES = by_shape("all, or a mapping", value=word("all"), mapping=record(Key("A", text())))
PAPER = record(
    Key("open", flag(), default=False),
    Key("samples", listing(SAMPLE), required=True),
    Key("levels", record(*(Key(ion, listing(number(0, 1))) for ion in ("Mn", "Bi")))),
    Key("range", listing(number(0, 9), 2, 2)),
    Key("cores", CORES),
    Key("limit", number(0, 9), 9),
    checks=(Check(("range", "limit"), above_limit),),
)


def read(reader: Reader[Any], written: str) -> Any:
    return reader.read(parse_yaml(written, "a.yaml"))


def faults(reader: Reader[Any], written: str) -> list[tuple[int, str, str]]:
    with pytest.raises(DocumentError) as caught:
        read(reader, written)
    return [(fault.row, fault.column, fault.rule) for fault in caught.value.faults]


def test_the_example_of_the_module() -> None:
    failed, tried = doctest.testmod(schema, optionflags=doctest.ELLIPSIS)
    assert (failed, tried > 0) == (0, True)


def test_a_document_is_read_with_its_defaults() -> None:
    found = read(PAPER, "samples: [{name: 5, size_nm: 4}, {name: b, media: [film, water]}]")
    first, second = found["samples"]
    assert first == {"name": "5", "size_nm": 2, "layers": None, "media": ("film",), "note": None}
    assert (second["size_nm"], second["media"]) == (4, ("film", "water"))
    assert (found["open"], found["levels"], found["limit"]) == (False, None, 9)


FAULTY = """\
opne: true
samples:
  - {name: a, size_nm: 13}
  - size_nm: 100
    layers: 2.5
    media: [film, beer]
  - plain
levels: {Mn: [0.5, 2], Pb: [1]}
range: [5, 3, 1]
cores: [CsPbBr3]
limit:
limit: 3
"""


def test_all_faults_come_at_once_with_their_lines() -> None:
    keys = ", ".join(key.name for key in PAPER.keys)
    assert faults(PAPER, FAULTY) == [
        (1, "opne", f"unknown key; nearest: open; allowed: {keys}"),
        (3, "samples.size_nm", "13 brings no luck"),
        (4, "samples.name", "missing; a text"),
        (4, "samples.size_nm", "a number from 1 to 99 or unknown"),
        (5, "samples.layers", "a whole number from 1 to 3"),
        (6, "samples.media", "one of film, water"),
        (7, "samples", "a mapping with the keys name, size_nm, layers, media, note"),
        (8, "levels.Pb", "unknown key; allowed: Mn, Bi"),
        (8, "levels.Mn", "a number from 0 to 1"),
        (9, "range", "a list of 2, each a number from 0 to 9"),
        (10, "cores", "all, or a mapping"),
        (12, "limit", "this key is given already in line 11"),
    ]  # fmt: skip


def test_a_message_shows_each_value_once() -> None:
    with pytest.raises(DocumentError) as caught:
        read(PAPER, "open: maybe\nsamples: [{name: [a], size_nm: 13}]")
    assert str(caught.value).split("\n") == [
        "a.yaml, line 1, key open: 'maybe': true or false",
        "a.yaml, line 2, key samples.name: ['a']: a text, not a list or a mapping",
        "a.yaml, line 2, key samples.size_nm: 13: 13 brings no luck",
    ]
    reader = text().then(lambda name: half(13) if name == "a" else int(f"{name}"))
    assert faults(reader, "a") == [(1, "", "13 brings no luck")]


def test_a_python_mapping_has_paths_and_no_lines() -> None:
    with pytest.raises(DocumentError) as caught:
        PAPER.read(Node({"samples": [{"name": None}], "range": (1, "2")}, "paper"))
    assert str(caught.value).split("\n") == [
        "paper, key samples.name: missing; a text",
        "paper, key range: '2': a number from 0 to 9",
    ]


def test_a_rule_of_two_keys_is_checked_where_both_are_without_fault() -> None:
    start = "samples: [{name: a}]\n"
    assert faults(PAPER, f"{start}range: [1, 5]\nlimit: 3") == [(2, "range", "above limit")]
    assert faults(PAPER, f"{start}range: [1, 5]\nlimit: x") == [
        (3, "limit", "a number from 0 to 9")
    ]
    needs = record(Key("a", text()), Key("b", text()), checks=(Check(("a", "b"), without_a),))
    assert faults(needs, "b: x") == [(1, "a", "b needs a")]


def test_a_key_has_two_spellings_and_one_of_them_is_used() -> None:
    assert read(SAMPLE, "{name: a, medium: water}")["media"] == ("water",)
    assert faults(SAMPLE, "name: a\nmedium: water\nmedia: film") == [
        (3, "media", "give medium or media, not both")
    ]


@pytest.mark.parametrize("empty", ["", "~", "null", "NULL", "''"])
def test_an_empty_key_counts_as_left_out(empty: str) -> None:
    assert read(SAMPLE, f"name: a\nsize_nm: {empty}")["size_nm"] == 4
    assert faults(SAMPLE, f"name: {empty}") == [(1, "name", "missing; a text")]


def test_a_block_is_prose_only() -> None:
    assert read(SAMPLE, "name: a\nnote: |\n  two\n  lines")["note"] == "two\nlines"
    ((line, key, rule),) = faults(SAMPLE, "name: >\n  a")
    assert (line, key) == (1, "name")
    assert rule.startswith("'>' begins a YAML block; put values")
    ((_, _, rule),) = faults(SAMPLE, "name: a\nnote: >5")
    assert rule.startswith(("not YAML", "'>' begins"))


def test_values_may_keep_their_nodes() -> None:
    ((node, value),) = read(listing(text().with_node()), "- a")
    assert (value, node.line) == ("a", 1)
    assert str(node.refusal("not in the list")) == "a.yaml, line 1: not in the list"


def test_half_a_character_is_refused() -> None:
    assert faults(text(), r'"\ud83d"') == [(1, "", "half of a character is escaped")]


def test_keys_are_documented_with_what_is_allowed() -> None:
    rows = [row.strip("| ").split(" | ") for row in key_table(PAPER).splitlines()]
    assert [row[0] for row in rows[2:6]] == [
        "`open`",
        "`samples`",
        "`samples.name`",
        "`samples.size_nm`",
    ]
    assert rows[5] == ["`samples.size_nm`", "a number from 1 to 99 or unknown", "8", "core size"]
    lines = {row[0]: row for row in rows}
    assert (lines["`samples.name`"][2], lines["`open`"][2]) == ("needed", "false")
    assert lines["`cores.A`"][1] == "a text"


def faults_of(node: Node) -> tuple[Fault, ...]:
    """The faults of a document that may have none."""
    try:
        PAPER.read(node)
    except DocumentError as error:
        return error.faults
    return ()


_KEYS = st.sampled_from(
    ["open", "samples", "levels", "range", "cores", "limit", "name", "size_nm", "media", "Mn", "A"]
)
_JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(object()),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(_KEYS | st.text() | st.integers() | st.none(), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=300)
@given(junk=_JUNK)
def test_junk_gives_faults_on_a_line_each_and_no_other_error(junk: object) -> None:
    found = faults_of(Node(junk, "paper"))
    lines = str(DocumentError(found)).split("\n") if found else []
    assert len(lines) == len(found)
    assert all(line.startswith("paper") for line in lines)
    "".join(lines).encode()


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200)
@given(junk=_PLAIN)
def test_junk_as_yaml_gives_faults_with_lines(junk: object) -> None:
    written = yaml.safe_dump(junk, allow_unicode=True)
    # YAML also ends a line at these.
    count = len(re.split("\r\n|[\n\r\x85\u2028\u2029]", written))
    assert all(0 < fault.row <= count for fault in faults_of(parse_yaml(written, "a.yaml")))
