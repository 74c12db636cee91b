"""Paper files: one paper as YAML, as JSON, or as rows in a folder of the dataset's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

import yaml

from perovshell.data.columns import PAPERS, SAMPLES, TABLES, TESTS
from perovshell.data.paper_cells import (
    SIDE_KEYS,
    SIDES,
    read_measured,
    read_side,
    write_measured,
    write_side,
)
from perovshell.data.paper_entry import PaperEntry
from perovshell.data.paper_nodes import EMPTY, Cell, NodeReader, line_of, parse_json, parse_yaml
from perovshell.data.paper_tables import read_folder
from perovshell.data.shells import is_none
from perovshell.data.tables import Row
from perovshell.data.vocabulary import MEASURES, STRESSORS, STRUCTURES
from perovshell.errors import DatasetError, Fault, InputError

__all__ = ["PaperEntry", "read_papers", "read_yaml", "template_text", "to_yaml"]

MAX_BYTES = 1_000_000
"""Largest paper file; a paper has some kilobytes."""
_YAML, _JSON = {".yaml", ".yml"}, {".json"}
_ALLOWED = (
    "a paper is a .yaml or .yml file, a .json file (one paper or a list of papers), or a folder "
    "with papers.csv, samples.csv and stability.csv"
)
_OTHERS: Final = ("supersedes", "distinct_from")
_NAMES: Final = {"name": "sample_id", "bare": "bare_sample_id"}
"""Keys that hold an identity without its paper, and those that hold it as it is."""
_SHORT: Final = {column: short for short, column in _NAMES.items()}
_SAMPLE_KEYS: Final = tuple(
    key
    for column in SAMPLES.names
    if column != "paper_id"
    for key in ([_SHORT[column], column] if column in _SHORT else [column])
)
_TEST_KEYS: Final = tuple(
    name for name in TESTS.names if name != "sample_id" and not name.startswith(SIDES)
)
NO_REASON: Final = frozenset({"true", "false", "yes", "no", "on", "off"})
"""Words that are no reason, in any case: what YAML takes for true and false."""


def read_papers(path: Path) -> list[PaperEntry]:
    """Read the papers of a file or a folder.

    Args:
        path: A YAML file (one paper), a JSON file (one paper or a list) with the same keys, or a
            folder with the dataset's tables (one entry a paper).

    Raises:
        DatasetError: The text cannot be read as papers; all faults are listed.
        InputError: There is nothing at the path, or nothing of these kinds.
    """
    suffix = path.suffix.casefold()
    if suffix in _YAML:
        return [read_yaml(_read_text(path), path.name)]
    if suffix in _JSON:
        return _read_json(_read_text(path), path.name)
    if path.is_dir() and (path / PAPERS.file).exists():
        return read_folder(path)
    msg = f"{path}: {_ALLOWED}"
    raise InputError(msg)


def read_yaml(text: str, name: str) -> PaperEntry:
    """Read one paper of YAML.

    Every value is taken as the text it is: `none` and `NA` are no special words, `168.0` keeps
    its last digit. Empty values, `null` and `~` are left out.

    Args:
        text: The YAML text.
        name: Name of the file, for messages.

    Raises:
        DatasetError: The text cannot be read as a paper; all faults are listed.
    """
    root = parse_yaml(text, name)
    (entry,) = _entries([root], NodeReader(name))
    return entry


def to_yaml(entry: PaperEntry) -> str:
    """Write an entry as YAML that is read as the same entry; empty cells are left out."""
    data: dict[str, object] = {key: entry.paper[key] for key in PAPERS.names if entry.paper[key]}
    data |= {key: list(other) for key in _OTHERS if (other := getattr(entry, key))}
    data |= {"withdrawn": entry.withdrawn} if entry.withdrawn else {}
    if entry.samples or not entry.withdrawn:
        data["samples"] = [_sample_keys(entry, row) for row in entry.samples]
    return yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=float("inf"),
    )


def template_text() -> str:
    """Return a commented example of a paper file."""
    source = resources.files("perovshell.data") / "example_paper.yaml"
    return source.read_text(encoding="utf-8")


# Reading -------------------------------------------------------------------------------------


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        msg = f"{path}: no such file; {_ALLOWED}"
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror})"
        raise InputError(msg) from error
    if len(content) > MAX_BYTES:
        rule = f"larger than {MAX_BYTES:,} bytes, which no paper needs"
        raise DatasetError([Fault(path.name, 0, "", "", rule)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        rule = f"not UTF-8 text (byte {error.start}); save it in UTF-8"
        raise DatasetError([Fault(path.name, 0, "", "", rule)]) from error


def _read_json(text: str, name: str) -> list[PaperEntry]:
    root = parse_json(text, name)
    nodes = NodeReader(name)
    if not isinstance(root, yaml.SequenceNode):
        return _entries([root], nodes)
    if not root.value:
        nodes.add(root, "papers", "the list is empty; at least one paper is needed")
    return _entries(root.value, nodes)


def _entries(papers: Sequence[yaml.Node], nodes: NodeReader) -> list[PaperEntry]:
    """Read papers; entries are made where all of them are without faults."""
    drafts = [_read_paper(node, nodes) for node in papers]
    if nodes.faults.faults:
        raise DatasetError(nodes.faults.faults)
    return [draft.entry(nodes.faults.file) for draft in drafts]


@dataclass
class _Draft:
    """Collects the parts of an entry and the lines of its cells."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in TABLES})
    lines: dict[tuple[str, int, str], int] = field(default_factory=dict)
    others: dict[str, tuple[str, ...]] = field(default_factory=dict)
    withdrawn: str = ""

    def add(self, table: str, line: int, cells: Mapping[str, Cell]) -> None:
        """Add a row; columns without a cell are empty."""
        index = len(self.rows[table])
        row = dict.fromkeys(TABLES[table].names, "")
        self.lines[table, index, ""] = line
        for column, cell in cells.items():
            row[column] = cell.text
            self.lines[table, index, column] = cell.line
        self.rows[table].append(row)

    def entry(self, file: str) -> PaperEntry:
        """Make the entry."""
        return PaperEntry(
            paper=self.rows[PAPERS.file][0],
            samples=tuple(self.rows[SAMPLES.file]),
            tests=tuple(self.rows[TESTS.file]),
            withdrawn=self.withdrawn,
            file=file,
            lines=self.lines,
            **self.others,
        )


def _read_paper(node: yaml.Node, nodes: NodeReader) -> _Draft:
    draft = _Draft()
    found = nodes.mapping(node, "paper", (*PAPERS.names, *_OTHERS, "withdrawn", "samples"))
    paper = nodes.cells(found, PAPERS.names)
    draft.add(PAPERS.file, line_of(node), paper)
    for key in _OTHERS:
        if key in found:
            draft.others[key] = nodes.texts(found[key], key)
            draft.lines[PAPERS.file, 0, key] = line_of(found[key])
    if "withdrawn" in found:
        draft.withdrawn = _read_reason(found["withdrawn"], nodes)
    if isinstance(node, yaml.MappingNode):
        nodes.need(node, paper, "paper_id", "an identity such as smith2026 is needed")
        if "samples" not in found and not draft.withdrawn:
            nodes.add(node, "samples", "a list of samples is needed ([] where there is none)")
    paper_id = draft.rows[PAPERS.file][0]["paper_id"]
    for sample in nodes.items(found["samples"], "samples") if "samples" in found else ():
        _read_sample(sample, paper_id, nodes, draft)
    _refuse_twice(draft, nodes)
    return draft


def _read_reason(node: yaml.Node, nodes: NodeReader) -> str:
    reason = nodes.text(node, "withdrawn")
    if reason.casefold() in NO_REASON:
        rule = "say in words why the results no longer count, or leave it out where they do"
        nodes.add(node, "withdrawn", rule)
    return reason


def _refuse_twice(draft: _Draft, nodes: NodeReader) -> None:
    seen: dict[str, int] = {}
    for index, row in enumerate(draft.rows[SAMPLES.file]):
        name = row["sample_id"]
        line = draft.lines.get((SAMPLES.file, index, "sample_id"), 0)
        if name and name in seen:
            nodes.faults.add(line, "sample_id", name, f"stands already in row {seen[name]}")
        seen.setdefault(name, line)


def _read_sample(node: yaml.Node, paper_id: str, nodes: NodeReader, draft: _Draft) -> None:
    found = nodes.mapping(node, "samples", (*_SAMPLE_KEYS, "stability"))
    cells = nodes.cells(found, _SAMPLE_KEYS)
    for short, column in _NAMES.items():
        name = cells.pop(short, None)
        if name is not None and column in cells:
            nodes.faults.add(name.line, short, name.text, f"give {short} or {column}, not both")
        elif name is not None:
            cells[column] = Cell(f"{paper_id}-{name.text}", name.line)
    read_measured(cells, nodes.faults)
    if isinstance(node, yaml.MappingNode):
        nodes.need(node, cells, "sample_id", "a name (or a whole sample_id) is needed")
        nodes.need(node, cells, "core", "a core such as CsPbBr3 is needed")
        nodes.need(node, cells, "shell", "a shell is needed: layers, as CdS|Al2O3, or none")
    _fill_in(node, cells, nodes)
    cells["paper_id"] = Cell(paper_id, line_of(node))
    draft.add(SAMPLES.file, line_of(node), cells)
    sample_id = draft.rows[SAMPLES.file][-1]["sample_id"]
    for test in nodes.items(found["stability"], "stability") if "stability" in found else ():
        _read_test(test, sample_id, nodes, draft)


def _fill_in(node: yaml.Node, cells: dict[str, Cell], nodes: NodeReader) -> None:
    """Fill in what follows from the shell, and the words for what is not stated."""
    is_bare = "shell" in cells and is_none(cells["shell"].text)
    default = {"composition": "exact", "medium": "unknown", "role": "core"}
    default["encapsulation"] = "none" if is_bare else "unknown"
    if is_bare:
        default["structure"] = "bare"
    elif "shell" in cells:
        allowed = ", ".join(word for word in STRUCTURES if word != "bare")
        nodes.need(node, cells, "structure", f"a coated sample needs its structure: {allowed}")
    for column, text in default.items():
        cells.setdefault(column, Cell(text, line_of(node)))


def _read_test(node: yaml.Node, sample_id: str, nodes: NodeReader, draft: _Draft) -> None:
    found = nodes.mapping(node, "stability", (*_TEST_KEYS, *SIDES))
    cells = nodes.cells(found, _TEST_KEYS)
    if isinstance(node, yaml.MappingNode):
        nodes.need(node, cells, "stressor", f"a stressor is needed: {', '.join(STRESSORS)}")
    measure = cells.setdefault("measure", Cell(MEASURES[0], line_of(node))).text
    for side in SIDES:
        if side in found:
            given = nodes.cells(nodes.mapping(found[side], side, SIDE_KEYS), SIDE_KEYS)
            cells |= read_side(side, given, measure, nodes.faults)
    cells["sample_id"] = Cell(sample_id, line_of(node))
    draft.add(TESTS.file, line_of(node), cells)


# Writing -------------------------------------------------------------------------------------


class _Flow(dict[str, str]):
    """A mapping that is written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes every value as text, in quotes only where YAML's syntax needs them."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}  # noqa: RUF012

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        """Write equal values out each time."""
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # Quotes tell a text from an empty value; escapes keep blanks and line breaks as they are.
    style = "'" if text in EMPTY else None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _flow_node(dumper: yaml.SafeDumper, data: _Flow) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)


_Dumper.add_representer(str, _text_node)
_Dumper.add_representer(_Flow, _flow_node)


def _sample_keys(entry: PaperEntry, row: Row) -> dict[str, object]:
    cells = {column: text for column, text in row.items() if text}
    for short, column in _NAMES.items():
        name = row[column].removeprefix(f"{entry.paper_id}-")
        if name == name.strip() != "" and name != row[column]:
            cells[short] = name
            del cells[column]
    for number in SAMPLES.measured:
        written = write_measured(cells, number)
        for name in (number.name, *number.companions.values()):
            cells.pop(name, None)
        cells |= written
    keys: dict[str, object] = {key: cells[key] for key in _SAMPLE_KEYS if key in cells}
    tests = [_test_keys(own) for own in entry.tests if own["sample_id"] == row["sample_id"]]
    return keys | ({"stability": tests} if tests else {})


def _test_keys(row: Row) -> dict[str, object]:
    keys: dict[str, object] = {key: row[key] for key in _TEST_KEYS if row[key]}
    sides = {side: write_side(row, side) for side in SIDES}
    return keys | {side: _Flow(own) for side, own in sides.items() if own}
