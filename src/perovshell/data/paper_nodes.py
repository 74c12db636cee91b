"""The text of a paper file as YAML nodes: each value is its own text, and has a line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import yaml

from perovshell.data import nodes
from perovshell.data.nodes import QUOTE
from perovshell.data.validation import FaultList
from perovshell.errors import DatasetError, DocumentError

EMPTY = frozenset({"", "~", "null"})
"""Plain values that stand for nothing; in quotes they are texts."""
PROSE = frozenset({"title", "source", "note", "condition", "withdrawn"})
"""Keys whose text may be a YAML block."""


@dataclass(frozen=True)
class Cell:
    """A text and the line it stands in."""

    text: str
    line: int


def parse_yaml(text: str, name: str) -> yaml.Node:
    """Return the root node of a text of one YAML document; see `nodes.parse_yaml`.

    Raises:
        DatasetError: It is not YAML, empty, has several documents, or uses anchors or tags.
    """
    return _root(nodes.parse_yaml, text, name)


def parse_json(text: str, name: str) -> yaml.Node:
    """Return the root node of a JSON text; its numbers stay as they are written.

    Raises:
        DatasetError: It is not JSON.
    """
    return _root(nodes.parse_json, text, name)


def _root(parse: Callable[[str, str], nodes.Node], text: str, name: str) -> yaml.Node:
    try:
        root = parse(text, name).raw
    except DocumentError as error:
        raise DatasetError(list(error.faults)) from error
    return cast("yaml.Node", root)


class NodeReader:
    """Takes nodes apart and collects what is wrong with them.

    Args:
        name: Name of the file, for messages.
    """

    def __init__(self, name: str) -> None:
        """Begin without faults."""
        self.faults = FaultList(name)

    def add(self, node: yaml.Node, key: str, rule: str) -> None:
        """Note a fault of a node."""
        value = node.value if isinstance(node, yaml.ScalarNode) else ""
        self.faults.add(line_of(node), key, value, rule)

    def need(self, node: yaml.Node, cells: Mapping[str, Cell], key: str, rule: str) -> None:
        """Note a fault of a mapping where a key is missing among its cells."""
        if key not in cells:
            self.add(node, key, rule)

    def mapping(self, node: yaml.Node, what: str, keys: Sequence[str]) -> dict[str, yaml.Node]:
        """Return the values of a mapping by key, without those that are left empty.

        Args:
            node: The node that must be a mapping.
            what: Its own key, for messages.
            keys: The allowed keys.
        """
        if not isinstance(node, yaml.MappingNode):
            self.add(node, what, f"a mapping is needed; its keys: {', '.join(keys)}")
            return {}
        lines: dict[str, int] = {}
        found: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            if key not in keys:
                near = difflib.get_close_matches(key, keys, n=1)
                hint = f"; nearest: {near[0]}" if near else ""
                rule = f"unknown key{hint}; allowed: {', '.join(keys)}"
                self.faults.add(line_of(key_node), key, "", rule)
            elif key in lines:
                self.add(value, key, f"this key stands already in row {lines[key]}")
            elif not _is_empty(value, key):
                found[key] = value
            lines.setdefault(key, line_of(key_node))
        return found

    def items(self, node: yaml.Node, key: str) -> list[yaml.Node]:
        """Return the nodes of a list."""
        if not isinstance(node, yaml.SequenceNode):
            self.add(node, key, "a list is needed: one item a line, each after '- '")
            return []
        return list(node.value)

    def texts(self, node: yaml.Node, key: str) -> tuple[str, ...]:
        """Return the texts of a list, or a single text."""
        nodes = self.items(node, key) if isinstance(node, yaml.SequenceNode) else [node]
        return tuple(filter(None, (self.text(item, key) for item in nodes)))

    def cells(self, nodes: Mapping[str, yaml.Node], keys: Sequence[str]) -> dict[str, Cell]:
        """Return the texts of some keys of a mapping with their lines, where not empty."""
        found = {
            key: Cell(self.text(nodes[key], key), line_of(nodes[key]))
            for key in keys
            if key in nodes
        }
        return {key: cell for key, cell in found.items() if cell.text}

    def text(self, node: yaml.Node, key: str) -> str:
        """Return the text of one value without outer blanks; empty where it is none."""
        if not isinstance(node, yaml.ScalarNode):
            self.add(node, key, "one value is needed, not a list or a mapping")
            return ""
        text = str(node.value).strip()
        if node.style in {"|", ">"} and not (key in PROSE and text):
            # `percent: >5` is a YAML block without text: its number would be lost.
            self.add(node, key, f"'{node.style}' begins a YAML block; {QUOTE}")
            return ""
        if _is_empty(node, key):
            return ""
        try:
            # JSON escapes a character beyond U+FFFF as two halves.
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            self.faults.add(line_of(node), key, ascii(text), "half of a character is escaped")
            return ""


def line_of(node: yaml.Node) -> int:
    """Return the line a node begins in, from 1."""
    return int(node.start_mark.line) + 1


def _is_empty(node: yaml.Node, key: str) -> bool:
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:
        return False
    # As a bound, `~` is the sign for about.
    return node.value in EMPTY and not (node.value == "~" and key.endswith("bound"))
