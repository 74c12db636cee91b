"""Paper files, written: an entry, or the mapping of a paper, as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from perovshell.data.columns import SAMPLES, TESTS
from perovshell.data.nodes import Node
from perovshell.data.paper_entry import PaperEntry
from perovshell.data.paper_fields import (
    DURATION_BOUND,
    NAMES,
    SIDES,
    paper_fields,
    sample_fields,
    side_fields,
    stability_fields,
    write_cells,
)
from perovshell.data.paper_file import OTHERS, whole_name
from perovshell.data.tables import Row
from perovshell.data.targets import TIME_TO_FAILURE


def to_yaml(entry: PaperEntry) -> str:
    """Write an entry as YAML that is read as the same entry; empty cells are left out."""
    data: dict[str, object] = dict(write_cells(paper_fields(), entry.paper, {}))
    data |= {key: list(names) for key in OTHERS if (names := getattr(entry, key))}
    data |= {"withdrawn": entry.withdrawn} if entry.withdrawn else {}
    if entry.samples or not entry.withdrawn:
        data["samples"] = [_sample_data(entry, index) for index in range(len(entry.samples))]
    return _yaml_text(data)


def mapping_to_yaml(paper: Mapping[str, Any]) -> str:
    """Write the mapping of a paper as YAML, valid or not; empty values are left out."""
    return _yaml_text(_as_text(paper))


def _yaml_text(data: object) -> str:
    return yaml.dump(
        data,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=float("inf"),
    )


def _as_text(value: object) -> object:
    """Return a value with its numbers as text, and without what is empty."""
    if isinstance(value, Mapping):
        texts = {str(key): _as_text(inner) for key, inner in value.items()}
        return {key: text for key, text in texts.items() if text not in ("", {})}
    if isinstance(value, list | tuple):
        return [_as_text(item) for item in value]
    return Node(value, "").text or ""


class _Flow(dict[str, str]):
    """A mapping that is written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes every value as text, in quotes only where it would be read as something else."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {  # noqa: RUF012
        sign: [(tag, form) for tag, form in pairs if tag.endswith(":null")]
        for sign, pairs in yaml.SafeDumper.yaml_implicit_resolvers.items()
    }

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        """Write equal values out each time."""
        return True


def _text_node(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # Escapes keep blanks and line breaks as they are.
    style = None if text.isprintable() else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _flow_node(dumper: yaml.SafeDumper, data: _Flow) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", data, flow_style=True)


_Dumper.add_representer(str, _text_node)
_Dumper.add_representer(_Flow, _flow_node)


def _sample_data(entry: PaperEntry, index: int) -> dict[str, object]:
    row, printed = entry.samples[index], entry.printed_row(SAMPLES.file, index)
    short = {column: key for key, column in NAMES.items()}
    fields = [field for field in sample_fields() if field.key not in NAMES]
    data: dict[str, object] = {}
    for key, cell in write_cells(fields, row, printed).items():
        name = cell.removeprefix(f"{entry.paper_id}-")
        is_whole = name == name.strip() != "" and whole_name(entry.paper_id, name) == cell
        is_short = key in short and is_whole and name != cell
        data |= {short[key]: name} if is_short else {key: cell}
    tests = [
        _test_data(test, entry.printed_row(TESTS.file, number))
        for number, test in enumerate(entry.tests)
        if test["sample_id"] == row["sample_id"]
    ]
    return data | ({"stability": tests} if tests else {})


def _test_data(row: Row, printed: Mapping[str, str]) -> dict[str, object]:
    bound = "bound" if row["measure"] == TIME_TO_FAILURE else DURATION_BOUND
    fields = side_fields(bound=bound)
    data: dict[str, object] = dict(write_cells(stability_fields(), row, printed))
    for side in SIDES:
        cells, texts = _of_side(row, side), _of_side(printed, side)
        if written := write_cells(fields, cells, texts):
            data |= {side: _Flow(written)}
    return data


def _of_side(cells: Mapping[str, str], side: str) -> dict[str, str]:
    """Return the cells of one side, by column without it."""
    head = f"{side}_"
    return {name.removeprefix(head): cell for name, cell in cells.items() if name.startswith(head)}
