"""The values of a YAML or JSON text, or of a Python mapping, with their lines and key paths."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from numbers import Real
from typing import Any, Final

import yaml

from perovshell.data.tables import float_of
from perovshell.errors import DocumentError, Fault

QUOTE: Final = 'put values that begin with a sign, or hold ": " or " #", in quotes, such as ">90"'
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_MOST_DIGITS: Final = 17
_TAG: Final = "tag:yaml.org,2002:"
_TOO_DEEP: Final = "lists or mappings nested too deeply"
_SHOWN: Final = 100
"""Longest text, in characters, that a message repeats."""


@dataclass(frozen=True)
class Node:
    """One value of a document.

    Attributes:
        raw: The YAML node, or the Python object.
        file: Name of the document, for messages.
        path: Path of its key, such as `cores.A.step`; empty for the document as a whole. Items of
            a list have the path of the list.
    """

    raw: object
    file: str
    path: str = ""

    @property
    def line(self) -> int:
        """Line in the text, from 1; 0 for a Python object."""
        return self.raw.start_mark.line + 1 if isinstance(self.raw, yaml.Node) else 0

    @property
    def lines(self) -> range:
        """Lines of the text, from 1; none for a Python object."""
        if not isinstance(self.raw, yaml.Node):
            return range(0)
        return range(self.line, max(self.line, self.raw.end_mark.line) + 1)

    @property
    def size(self) -> int:
        """Number of the values in it."""
        below = [*(self.items or ()), *(value for _, value in self.entries or ())]
        return 1 + sum(node.size for node in below)

    @cached_property
    def items(self) -> tuple[Node, ...] | None:
        """The items of a list, or None where it is no list."""
        raw = self.raw.value if isinstance(self.raw, yaml.SequenceNode) else self._object
        if not isinstance(raw, list | tuple):
            return None
        return tuple(Node(item, self.file, self.path) for item in raw)

    @cached_property
    def entries(self) -> tuple[tuple[Node, Node], ...] | None:
        """The keys and values of a mapping, or None where it is no mapping."""
        if isinstance(self.raw, yaml.MappingNode):
            pairs: Iterable[tuple[object, object]] = self.raw.value
        elif isinstance(self.raw, Mapping):
            pairs = self.raw.items()
        else:
            return None
        nodes = [(Node(key, self.file), value) for key, value in pairs]
        paths = [self._path_of("?" if key.text is None else key.text) for key, _ in nodes]
        return tuple(
            (replace(key, path=path), Node(value, self.file, path))
            for (key, value), path in zip(nodes, paths, strict=True)
        )

    @cached_property
    def text(self) -> str | None:
        """The text of a single value as it is written, without outer blanks, or None."""
        if isinstance(self.raw, yaml.ScalarNode):
            # JSON escapes a character beyond U+FFFF as two halves.
            halves = str(self.raw.value).strip().encode("utf-16-le", "surrogatepass")
            return halves.decode("utf-16-le", "surrogatepass")
        value = self._object
        return str(value).strip() if isinstance(value, str | bool | Real) else None

    @cached_property
    def value(self) -> object:
        """A single value as YAML takes it: a text, a number, true, false or None."""
        node = self.raw
        if not isinstance(node, yaml.ScalarNode):
            return self._object
        if node.style is not None:
            return self.text
        if node.tag == f"{_TAG}bool":
            return yaml.SafeLoader.bool_values[node.value.lower()]
        if not _NUMBER.fullmatch(node.value):
            return None if node.tag == f"{_TAG}null" else self.text
        is_whole = node.value.lstrip("+-").isdigit() and len(node.value) <= _MOST_DIGITS
        return int(node.value) if is_whole else float(node.value)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is given: None, a plain `null` or `~`, or a blank text."""
        if self.text is not None and not self.is_block:
            return self.value is None or not self.text
        return self.raw is None

    @property
    def is_block(self) -> bool:
        """Whether it is a text behind `|` or `>`."""
        return isinstance(self.raw, yaml.ScalarNode) and self.raw.style in {"|", ">"}

    def child(self, key: str) -> Node:
        """Return a node for a key that the mapping does not have."""
        return replace(self, path=self._path_of(key))

    def fault(self, rule: str, *, shown: bool = True) -> Fault:
        """Return a fault of this value.

        Args:
            rule: What is allowed.
            shown: Whether the message repeats the value.
        """
        value = _excerpt(self, 3) if shown else None
        return Fault(self.file, self.line, self.path, value, rule)

    def refusal(self, rule: str, *, shown: bool = True) -> DocumentError:
        """Return the error of one fault; see `fault`."""
        return DocumentError([self.fault(rule, shown=shown)])

    def without(self, places: Collection[tuple[int, str]]) -> Node:
        """Return a node of YAML without the keys, and the items of lists, at some places.

        Args:
            places: Line and path of each. An item of a list is left out where the place is its own,
                or that of a key that it does not have.
        """
        raw = self.raw
        if isinstance(raw, yaml.MappingNode):
            pairs = zip(raw.value, self.entries or (), strict=True)
            kept = [
                (key, value.without(places).raw)
                for (key, _), (name, value) in pairs
                if not {(name.line, name.path), (value.line, value.path)} & {*places}
            ]
            return replace(self, raw=yaml.MappingNode(raw.tag, kept, raw.start_mark, raw.end_mark))
        if isinstance(raw, yaml.SequenceNode):
            items = [one.without(places).raw for one in self.items or () if not one.is_at(places)]
            return replace(
                self, raw=yaml.SequenceNode(raw.tag, items, raw.start_mark, raw.end_mark)
            )
        return self

    def is_at(self, places: Collection[tuple[int, str]]) -> bool:
        """Return whether one of some places is this item, or a key that it does not have."""
        keys = {key.path for key, _ in self.entries or ()}
        return any(
            line == self.line and (path == self.path or self._is_missing(path, keys))
            for line, path in places
        )

    def _is_missing(self, path: str, keys: Collection[str]) -> bool:
        return (
            self.entries is not None and path not in keys and path.rpartition(".")[0] == self.path
        )

    def _path_of(self, key: str) -> str:
        key = key if key.isprintable() else repr(key)[1:-1]
        return f"{self.path}.{key}" if self.path else key

    @cached_property
    def _object(self) -> Any:
        """The Python object, with arrays and numbers of numpy as Python's; a YAML node is none."""
        value: Any = None if isinstance(self.raw, yaml.Node) else self.raw
        value = value.tolist() if hasattr(value, "tolist") else value
        if isinstance(value, int | Fraction) and math.isinf(float_of(value)):
            return float_of(value)
        return value


def _excerpt(node: Node, depth: int) -> object:
    """Return the first parts of a value, for messages."""
    if depth and node.entries is not None:
        return {str(key.text): _excerpt(value, depth - 1) for key, value in node.entries[:4]}
    if depth and node.items is not None:
        return [_excerpt(item, depth - 1) for item in node.items[:4]]
    if node.text is None:
        return None if node.value is None else f"<{type(node.raw).__name__}>"
    long = len(node.text) > _SHOWN
    return f"{node.text[:_SHOWN]}..." if long else node.value


class _Loader(yaml.SafeLoader):
    """Refuses what refers to another part of the file, and tags."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node, unless it has an anchor or a tag."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if event.anchor is not None or getattr(event, "tag", None) is not None:
            problem = "anchors, aliases and tags (&, *, !) are not allowed"
            raise yaml.composer.ComposerError(None, None, problem, event.start_mark)
        return super().compose_node(parent, index)


def parse_yaml(text: str, name: str) -> Node:
    """Return the root node of a text of one YAML document.

    Args:
        text: The text.
        name: Name of the file, for messages.

    Raises:
        DocumentError: It is not YAML, empty, has several documents, or uses anchors or tags.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        what = error.problem if error.context is None else f"{error.context}: {error.problem}"
        raise _unreadable(name, f"not YAML ({what}); {QUOTE}", line) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        rule = f"not YAML ({error.reason}: U+{ord(text[error.position]):04X})"
        raise _unreadable(name, rule, line) from error
    except (ValueError, OverflowError) as error:
        # An escape such as \U00110000 is of no character.
        raise _unreadable(name, f"not YAML ({error})") from error
    except RecursionError as error:
        raise _unreadable(name, _TOO_DEEP) from error
    if node is None:
        raise _unreadable(name, "the file is empty")
    return Node(node, name)


def parse_json(text: str, name: str) -> Node:
    """Return the root node of a JSON text; see `parse_yaml`.

    Raises:
        DocumentError: It is not JSON.
    """
    try:
        json.loads(text, parse_int=str, parse_float=str)
    except json.JSONDecodeError as error:
        raise _unreadable(name, f"not JSON ({error.msg})", error.lineno) from error
    except RecursionError as error:
        raise _unreadable(name, _TOO_DEEP) from error
    # Valid JSON is YAML but for tabs, which can occur between its tokens only.
    return parse_yaml(text.replace("\t", " "), name)


def _unreadable(name: str, rule: str, line: int = 0) -> DocumentError:
    return DocumentError([Fault(name, line, "", None, rule)])
