"""Declarations of what a document may hold: a mapping by its keys, each with what it may be.

A `Reader` declares what one value may be and reads it from a `Node`; `record` declares a mapping by
a table of keys. A document that breaks its declaration raises one `DocumentError` with all faults.

Example:
    >>> from perovshell.data.nodes import parse_yaml
    >>> sizes = record(Key("size_nm", number(1, 99), required=True), Key("medium", text(), "film"))
    >>> dict(sizes.read(parse_yaml("size_nm: 8", "a.yaml")))
    {'size_nm': 8.0, 'medium': 'film'}
    >>> sizes.read(parse_yaml("{size_nm: big, media: film}", "a.yaml"))
    Traceback (most recent call last):
    perovshell.errors.DocumentError: a.yaml, line 1, key media: unknown key; nearest: medium; ...
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from typing import Any, Generic, TypeVar

import yaml

from perovshell.data.nodes import QUOTE, Node
from perovshell.data.spelling import near_name
from perovshell.data.vocabulary import is_unknown, read_word
from perovshell.errors import DocumentError, Fault, PerovshellError

T = TypeVar("T")
U = TypeVar("U")


# Readers of single values --------------------------------------------------------------------


@contextmanager
def collecting(faults: list[Fault]) -> Iterator[None]:
    """Add the faults of a `DocumentError` to a list instead of raising it."""
    try:
        yield
    except DocumentError as error:
        faults += error.faults


@contextmanager
def all_faults() -> Iterator[list[Fault]]:
    """Give a list for faults, and raise them together at the end, if there are any."""
    faults: list[Fault] = []
    yield faults
    if faults:
        raise DocumentError(faults)


def _nothing(_text: str) -> bool:
    return False


@dataclass(frozen=True)
class Reader(Generic[T]):
    """Declares what a value may be.

    Attributes:
        read: Returns the value of a node; raises `DocumentError` with all of its faults.
        allowed: What is allowed, in words, for messages and documentation.
        keys: The keys of a mapping, for documentation.
        nulls: Plain texts that YAML takes for nothing, and this reader for a text, such as `~`.
        omits: Whether a text counts as left out.
    """

    read: Callable[[Node], T]
    allowed: str
    keys: tuple[Key, ...] = ()
    nulls: frozenset[str] = frozenset()
    omits: Callable[[str], bool] = _nothing

    def leaves_out(self, node: Node) -> bool:
        """Whether a value counts as left out."""
        if node.text and not node.is_block and self.omits(node.text):
            return True
        return node.is_empty and (not node.text or node.text not in self.nulls)

    def then(self, convert: Callable[[T], U]) -> Reader[U]:
        """Return a reader that converts each value; a `PerovshellError` becomes a fault of it."""

        def read(node: Node) -> U:
            value = self.read(node)
            try:
                return convert(value)
            except DocumentError:
                raise
            except PerovshellError as error:
                shown = node.text is not None and repr(node.text) not in str(error)
                raise node.refusal(str(error), shown=shown) from error

        return Reader(read, self.allowed, self.keys, self.nulls, self.omits)

    def with_node(self) -> Reader[tuple[Node, T]]:
        """Return a reader of each value together with its node, for checks that come later."""
        return Reader(lambda node: (node, self.read(node)), self.allowed, self.keys)


def text(
    allowed: str = "a text",
    *,
    prose: bool = False,
    nulls: frozenset[str] = frozenset(),
    omits: Callable[[str], bool] = _nothing,
) -> Reader[str]:
    """Declare a text; numbers and true or false count as the text they are written as.

    Args:
        allowed: What is allowed, in words.
        prose: Whether it may be a YAML block.
        nulls: See `Reader`.
        omits: See `Reader`.
    """

    def read(node: Node) -> str:
        if node.text is None or reader.leaves_out(node):
            raise node.refusal(f"{allowed}, not a list or a mapping")
        if node.is_block and not (prose and node.text):
            # `percent: >5` is a YAML block without text: its number would be lost.
            style = getattr(node.raw, "style", "")
            raise node.refusal(f"'{style}' begins a YAML block; {QUOTE}")
        if any("\ud800" <= sign <= "\udfff" for sign in node.text):
            raise node.refusal("half of a character is escaped")
        return node.text

    reader = Reader(read, allowed, nulls=nulls, omits=omits)
    return reader


def word(*words: str, unknown: str = "") -> Reader[str]:
    """Declare one of some words.

    Args:
        *words: The words.
        unknown: What a text such as `n/a` is read as; empty refuses it.
    """
    allowed = f"one of {', '.join(words)}"

    def read(node: Node) -> str:
        value = read_word(node.text or "", words, unknown)
        if not value:
            raise node.refusal(allowed)
        return value

    return Reader(read, allowed)


def number(
    low: float,
    high: float,
    *,
    unit: str = "",
    unknown: str = "",
    whole: bool = False,
) -> Reader[Any]:
    """Declare a number.

    Args:
        low: Least value.
        high: Largest value.
        unit: Its unit, for messages.
        unknown: How a number that is not known is written; it is read as NaN, and so are other
            words for it. Empty allows none.
        whole: Whether it is a whole number, which is read as an int.
    """
    kind = "a whole number" if whole else "a number"
    limits = f"{kind} from {low:g} to {high:g}{f' {unit}' if unit else ''}"
    allowed = f"{limits} or {unknown}" if unknown else limits

    def read(node: Node) -> float:
        value: Any = node.value
        is_number = isinstance(value, Real) and not isinstance(value, bool)
        is_nan = math.isnan(value) if is_number else is_unknown(node.text or "?")
        if unknown and is_nan and node.text:
            return math.nan
        if not is_number or not low <= value <= high or (whole and value % 1):
            raise node.refusal(allowed)
        return int(value) if whole else float(value)

    return Reader(read, allowed)


def flag() -> Reader[bool]:
    """Declare true or false."""

    def read(node: Node) -> bool:
        if not isinstance(node.value, bool):
            raise node.refusal("true or false")
        return node.value

    return Reader(read, "true or false")


# Readers of lists and mappings ---------------------------------------------------------------


def listing(
    reader: Reader[T], at_least: int = 1, at_most: float = math.inf
) -> Reader[tuple[T, ...]]:
    """Declare a list of values.

    Args:
        reader: Declares each item.
        at_least: Fewest items.
        at_most: Most items.
    """
    count = f"{at_least}" if at_least == at_most else "one or more" if at_least else "any number"
    allowed = f"a list of {count}, each {reader.allowed}"

    def read(node: Node) -> tuple[T, ...]:
        if node.items is None or not at_least <= len(node.items) <= at_most:
            raise node.refusal(allowed)
        values = []
        with all_faults() as faults:
            for item in node.items:
                with collecting(faults):
                    values.append(reader.read(item))
        return tuple(values)

    return Reader(read, allowed, reader.keys)


def one_or_many(reader: Reader[T], at_least: int = 1) -> Reader[tuple[T, ...]]:
    """Declare one value, or a list; see `listing`."""
    many = listing(reader, at_least)

    def read(node: Node) -> tuple[T, ...]:
        return (reader.read(node),) if node.items is None else many.read(node)

    return Reader(read, f"{reader.allowed}, or a list", reader.keys)


def by_shape(
    allowed: str,
    *,
    value: Reader[Any] | None = None,
    items: Reader[Any] | None = None,
    mapping: Reader[Any] | None = None,
) -> Reader[Any]:
    """Declare what a single value, a list and a mapping are read by.

    Args:
        allowed: What is allowed, in words.
        value: Reads a single value; None allows none.
        items: Reads a list.
        mapping: Reads a mapping.
    """

    def read(node: Node) -> Any:
        is_mapping, is_list = node.entries is not None, node.items is not None
        reader = mapping if is_mapping else items if is_list else value
        if reader is None:
            raise node.refusal(allowed)
        return reader.read(node)

    return Reader(read, allowed, mapping.keys if mapping else ())


@dataclass(frozen=True)
class Key:
    """One key of a mapping.

    Attributes:
        name: The key.
        reader: Declares its value.
        default: What is read where the document leaves it out, as it would be written; None
            for nothing.
        required: Whether the key is needed.
        help: What it is, for documentation.
        also: Another spelling of the key.
    """

    name: str
    reader: Reader[Any]
    default: object = None
    required: bool = False
    help: str = ""
    also: str = ""


@dataclass(frozen=True)
class Check:
    """A rule that several keys of a mapping must keep together.

    Attributes:
        keys: The keys; the fault is one of the first. Not checked where one of them is at fault.
        rule: Takes the values of the keys; returns the rule that is broken, or an empty text. Or
            raises a `DocumentError` of a key further inside.
    """

    keys: tuple[str, ...]
    rule: Callable[..., str]

    def run(self, values: Values) -> None:
        """Raise the fault of some values."""
        rule = self.rule(*(values[key] for key in self.keys))
        if rule:
            raise values.refusal(self.keys[0], rule)


class Values(dict[str, Any]):
    """The values of a mapping by key, with their nodes.

    Attributes:
        node: The mapping.
        nodes: The node of each key that the document has.
    """

    def __init__(self, node: Node, nodes: Mapping[str, Node]) -> None:
        """Begin without values."""
        super().__init__()
        self.node = node
        self.nodes = nodes

    def refusal(self, key: str, rule: str, *, shown: bool = True) -> DocumentError:
        """Return the error of a fault of one key."""
        node = self.nodes.get(key)
        if node is None:
            return self.node.child(key).refusal(rule, shown=False)
        return node.refusal(rule, shown=shown)


def record(*keys: Key, checks: Sequence[Check] = ()) -> Reader[Values]:
    """Declare a mapping by its keys; a key that is left empty counts as left out.

    Args:
        keys: The keys.
        checks: Rules of several keys.
    """
    allowed = f"a mapping with the keys {', '.join(key.name for key in keys)}"

    def read(node: Node) -> Values:
        if node.entries is None:
            raise node.refusal(allowed)
        with all_faults() as faults:
            values = Values(node, _nodes_by_key(node.entries, keys, faults))
            for key in keys:
                with collecting(faults):
                    values[key.name] = _read_key(key, values)
            for check in checks:
                if all(name in values for name in check.keys):
                    with collecting(faults):
                        check.run(values)
        return values

    return Reader(read, allowed, keys)


def _read_key(key: Key, values: Values) -> Any:
    node = values.nodes.get(key.name)
    if node is not None:
        return key.reader.read(node)
    if key.required:
        raise values.refusal(key.name, f"missing; {key.reader.allowed}")
    if key.default is None:
        return None
    return key.reader.read(Node(key.default, values.node.file, values.node.child(key.name).path))


def _nodes_by_key(
    entries: Iterable[tuple[Node, Node]], keys: Sequence[Key], faults: list[Fault]
) -> dict[str, Node]:
    """Return the nodes that are not empty; note keys that are unknown or given twice."""
    by_spelling = {word: key for key in keys for word in (key.name, key.also) if word}
    first: dict[str, Node] = {}
    nodes: dict[str, Node] = {}
    for key_node, value in entries:
        spelling = str(key_node.text)
        key = by_spelling.get(spelling)
        if key is None:
            near = near_name(spelling, by_spelling)
            hint = f"; nearest: {near}" if near else ""
            rule = f"unknown key{hint}; allowed: {', '.join(by_spelling)}"
            faults.append(key_node.fault(rule, shown=False))
        elif key.name in first:
            faults.append(key_node.fault(_twice(first[key.name], spelling), shown=False))
        else:
            first[key.name] = key_node
            if not key.reader.leaves_out(value):
                nodes[key.name] = value
    return nodes


def _twice(first: Node, spelling: str) -> str:
    if first.text != spelling:
        return f"give {first.text} or {spelling}, not both"
    return f"this key is given already in line {first.line}"


# Documentation -------------------------------------------------------------------------------


def key_table(reader: Reader[Any]) -> str:
    """Return the keys of a declaration as a Markdown table."""
    head = [("key", "value", "default", "what"), ("---",) * 4]
    return "\n".join(f"| {' | '.join(row)} |" for row in (*head, *_key_rows(reader)))


def _key_rows(reader: Reader[Any], prefix: str = "") -> Iterator[tuple[str, ...]]:
    """Yield each key with what is allowed, its default as YAML, and what it is."""
    for key in reader.keys:
        path = f"{prefix}{key.name}"
        default = yaml.safe_dump(
            key.default, default_flow_style=True, sort_keys=False, width=math.inf
        )
        shown = "" if key.default is None else default.removesuffix("...\n").strip()
        yield f"`{path}`", key.reader.allowed, "needed" if key.required else shown, key.help
        yield from _key_rows(key.reader, f"{path}.")
