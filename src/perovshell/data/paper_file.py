"""Paper files, read: one paper as YAML, as JSON, or as rows in a folder of the dataset's tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from perovshell.data.columns import PAPERS, SAMPLES, TABLES, TESTS, Table
from perovshell.data.formula import FormulaReader
from perovshell.data.material_rows import shell_row
from perovshell.data.materials import with_shells
from perovshell.data.nodes import Node, parse_json, parse_yaml
from perovshell.data.paper_entry import PaperEntry, split_papers
from perovshell.data.paper_fields import (
    DURATION_BOUND,
    NAMES,
    SIDES,
    Field,
    clashes,
    joined_side,
    paper_fields,
    sample_fields,
    side_fields,
    stability_fields,
)
from perovshell.data.schema import (
    Check,
    Key,
    Reader,
    Values,
    all_faults,
    listing,
    one_or_many,
    record,
    text,
)
from perovshell.data.shells import WATER_WORDS, is_none
from perovshell.data.tables import Row
from perovshell.data.validation import core_fault, read_tables, shell_fault
from perovshell.data.vocabulary import MEASURES
from perovshell.errors import DocumentError, Fault, InputError

MAX_BYTES = 1_000_000
"""Largest paper file; a paper has some kilobytes."""
_YAML, _JSON = {".yaml", ".yml"}, {".json"}
_ALLOWED = (
    "a paper is a .yaml or .yml file, a .json file (one paper or a list of papers), or a folder "
    "with papers.csv, samples.csv and stability.csv"
)
OTHERS: Final = {
    "supersedes": "The paper_ids whose rows it replaces: the same study, read in a review.",
    "distinct_from": "The paper_ids of papers with the same numbers that are other studies.",
}
"""Keys that name other papers, with their descriptions."""
_DEFAULTS: Final = {
    "composition": "exact",
    "medium": "unknown",
    "role": "core",
    "measure": MEASURES[0],
}
"""What needed cells are where a paper file leaves them out."""
_DERIVED: Final = frozenset({"sample_id", "structure", "encapsulation"})
"""Needed cells that may follow from other keys."""
_NO_REASON: Final = frozenset({"", "true", "false", "yes", "no", "on", "off"})
"""Words that are no reason, in any case: what YAML takes for true and false."""


def read_papers(path: Path, formulas: FormulaReader) -> list[PaperEntry]:
    """Read the papers of a file or a folder.

    Args:
        path: A YAML file (one paper), a JSON file (one paper or a list) with the same keys, or a
            folder with the dataset's tables (one entry a paper).
        formulas: Reads cores and shells.

    Raises:
        DocumentError: It cannot be read as papers; all faults are listed.
        InputError: There is nothing at the path, or nothing of these kinds.
    """
    if path.suffix.casefold() in _YAML | _JSON:
        return list(one_or_many(paper_reader(formulas)).read(_root(path)))
    if path.is_dir() and (path / PAPERS.file).exists():
        files = {name: path / name for name in TABLES}
        if not files[TESTS.file].exists():
            del files[TESTS.file]
        folder = f"{path.name}/"
        tables = read_tables(files, formulas, folder, unknown_words=True)
        return list(split_papers(tables, folder).values())
    missing = "" if os.path.lexists(path) else "no such file; "
    msg = f"{path}: {missing}{_ALLOWED}"
    raise InputError(msg)


def _root(path: Path) -> Node:
    parse = parse_yaml if path.suffix.casefold() in _YAML else parse_json
    return parse(_read_text(path), path.name)


def paper_nodes(path: Path) -> tuple[Node, ...]:
    """Return the nodes of the papers of a YAML or JSON file; none of a folder.

    Raises:
        DocumentError: It is no YAML or JSON.
        InputError: There is nothing at the path.
    """
    if path.suffix.casefold() not in _YAML | _JSON:
        return ()
    root = _root(path)
    return (root,) if root.items is None else root.items


def read_yaml(text: str, name: str, formulas: FormulaReader | None = None) -> PaperEntry:
    """Read one paper of YAML.

    Every value is taken as the text it is: `none` and `NA` are no special words, `168.0` keeps
    its last digit. Empty values, `null` and `~` are left out.

    Args:
        text: The YAML text.
        name: Name of the file, for messages.
        formulas: Reads cores and shells; without it, they are not checked.

    Raises:
        DocumentError: The text cannot be read as a paper; all faults are listed.
    """
    return paper_reader(formulas).read(parse_yaml(text, name))


def template_text() -> str:
    """Return a commented example of a paper file."""
    source = resources.files("perovshell.data") / "example_paper.yaml"
    return source.read_text(encoding="utf-8")


def reason_text(written: str) -> str:
    """Return the reason of a withdrawal on one line.

    Raises:
        InputError: It is empty, or a word such as `yes`.
    """
    reason = " ".join(written.split())
    if reason.casefold() in _NO_REASON:
        msg = f"reason {written!r}: say in words why the results no longer count"
        raise InputError(msg)
    return reason


# The keys ------------------------------------------------------------------------------------


def paper_reader(formulas: FormulaReader | None = None) -> Reader[PaperEntry]:
    """Declare a paper file; its keys follow from the columns of the tables.

    Args:
        formulas: Reads cores and shells, together with the shells that the paper introduces;
            without it, they are not checked.
    """
    declared = _declared(formulas)

    def read(node: Node) -> PaperEntry:
        rows = [] if formulas is None else _introduced(node, formulas)
        return (_declared(with_shells(formulas, rows)) if formulas and rows else declared).read(
            node
        )

    return replace(declared, read=read)


def _introduced(node: Node, formulas: FormulaReader) -> list[Row]:
    """Return the shells of a paper that are not known; those at fault are left out."""
    written = dict(node.entries or ()) if node.entries else {}
    items = next((value.items for key, value in written.items() if key.text == "shells"), None)
    rows = []
    for item in items or ():
        with suppress(DocumentError):
            row = _shell_reader().read(item)
            rows += [] if formulas.shells.find(row["name"]) else [row]
    return rows


@lru_cache(maxsize=4)
def _declared(formulas: FormulaReader | None) -> Reader[PaperEntry]:
    name = text("a paper_id")
    names = one_or_many(
        Reader(lambda node: "" if node.is_empty else name.read(node), name.allowed), at_least=0
    ).then(lambda written: tuple(filter(None, written)))
    reason = text("why its results no longer count", prose=True).then(reason_text)
    return record(
        *_keys(paper_fields()),
        *(Key(key, names, help=what) for key, what in OTHERS.items()),
        Key("withdrawn", reason, help="Why its results no longer count, as after a retraction."),
        Key("shells", listing(_shell_reader(), at_least=0), help="Shells that no table has yet."),
        Key("samples", listing(_sample_reader(formulas), at_least=0), help="Its samples."),
        checks=(Check(("samples", "withdrawn"), _samples_rule),),
    ).then(_entry)


def _shell_reader() -> Reader[Row]:
    """Declare a new shell: its name, class and source, and what is known of it."""
    names = one_or_many(text("another name"), at_least=0)
    return record(
        Key("name", text("a name"), required=True, help="Its standard name."),
        Key("class", text("a class such as polymer"), required=True, help="Its class."),
        Key("source", text("a DOI or an address"), required=True, help="Where that is stated."),
        Key("formula", text("a formula or a repeat unit"), help="Its formula."),
        Key("aliases", names, help="Other names."),
        Key("in_water", text(", ".join(WATER_WORDS)), help="Its behaviour in water."),
    ).then(_shell_of)


def read_shells(shells: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Return the rows of shells that are described as a paper file introduces them.

    Raises:
        DocumentError: They break the declaration; all faults are listed.
    """
    given = list(shells) if isinstance(shells, Iterable) else shells
    return list(listing(_shell_reader(), at_least=0).read(Node(given, "shells", "shells")))


def _shell_of(values: Values) -> Row:
    return shell_row(
        values["name"],
        values["class"],
        source=values["source"],
        formula=values["formula"] or "",
        aliases=values["aliases"] or (),
        in_water=values["in_water"] or "",
    )


def _sample_reader(formulas: FormulaReader | None) -> Reader[Values]:
    fields = sample_fields()
    return record(
        *_keys(fields),
        Key("stability", listing(_test_reader(), at_least=0), help="Its stability tests."),
        checks=(
            *clashes(fields),
            Check(("name", "sample_id"), _name_rule),
            Check(("structure", "shell"), _structure_rule),
            *(_formula_checks(formulas) if formulas else ()),
        ),
    )


def _test_reader() -> Reader[Values]:
    fields = side_fields()
    side = record(*_keys(fields), checks=tuple(clashes(fields)))
    return record(
        *_keys(stability_fields()),
        *(Key(name, side, help=f"The reading of the {name} sample.") for name in SIDES),
        checks=tuple(Check((name, "measure"), _side_rule) for name in SIDES),
    )


def _keys(fields: Iterable[Field]) -> Iterator[Key]:
    for field_ in fields:
        column = field_.columns["value"]
        default = _DEFAULTS.get(column.name)
        required = column.is_needed and default is None and column.name not in _DERIVED
        yield Key(field_.key, field_.reader, default, required, column.description)


def _samples_rule(samples: object, withdrawn: str | None) -> str:
    is_missing = samples is None and not withdrawn
    return "missing; a list of samples is needed ([] where there is none)" if is_missing else ""


def _name_rule(*names: object) -> str:
    return "" if any(names) else "missing; a name (or a whole sample_id) is needed"


def _structure_rule(structure: object, shell: Mapping[str, str]) -> str:
    if structure or is_none(shell["shell"]):
        return ""
    words = ", ".join(word for word in SAMPLES["structure"].words if word != "bare")
    return f"missing; a coated sample needs its structure: {words}"


def _formula_checks(formulas: FormulaReader) -> Iterator[Check]:
    def core_rule(core: Row, composition: Row) -> str:
        return core_fault(formulas, core["core"], composition["composition"])

    yield Check(("core", "composition"), core_rule)
    yield Check(("shell",), lambda shell: shell_fault(formulas, shell["shell"]))


def _side_rule(side: Values | None, measure: Row) -> str:
    if side:
        try:
            joined_side(_flat(side), measure["measure"])
        except InputError as error:
            raise side.refusal("duration", str(error)) from error
    return ""


def _flat(values: Values) -> dict[str, str]:
    """Return the cells of a mapping by column."""
    return {column: cell for cells in values.values() if cells for column, cell in cells.items()}


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
        raise DocumentError([Fault(path.name, 0, "", None, rule)])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        rule = f"not UTF-8 text (byte {error.start}); save it in UTF-8"
        raise DocumentError([Fault(path.name, 0, "", None, rule)]) from error


@dataclass
class _Rows:
    """Rows by table, with the lines of their cells, and what numbers were read from."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {name: [] for name in TABLES})
    lines: dict[tuple[str, int, str], int] = field(default_factory=dict)
    printed: dict[tuple[str, int, str], str] = field(default_factory=dict)

    def add(self, table: Table, values: Values, **known: str) -> Row:
        """Add the row of a mapping, with what its cells are where it leaves them out."""
        row = dict.fromkeys(table.names, "") | known
        rows = self.rows[table.file]
        self.lines[table.file, len(rows), ""] = values.node.line
        for column, cell, node in _cells(values):
            if column in table.by_name:
                row[column] = cell
                place = table.file, len(rows), column
                self.lines[place] = node.line
                if table[column].kind == "number" and node.text and node.text != cell:
                    self.printed[place] = node.text
        rows.append(row)
        return row


def _cells(values: Values, prefix: str = "") -> Iterator[tuple[str, str, Node]]:
    """Yield column, text and node of each cell of a mapping."""
    for key, cells in values.items():
        if isinstance(cells, Values):
            yield from _cells(cells, f"{key}_")
        elif isinstance(cells, dict):
            node = values.nodes.get(key, values.node)
            yield from ((f"{prefix}{column}", cell, node) for column, cell in cells.items())


def _entry(values: Values) -> PaperEntry:
    """Return the entry of a paper."""
    rows = _Rows()
    paper = rows.add(PAPERS, values)
    for key in OTHERS.keys() & values.nodes.keys():
        rows.lines[PAPERS.file, 0, key] = values.nodes[key].line
    seen: dict[str, int] = {}
    with all_faults() as faults:
        for number, sample in enumerate(values["samples"] or (), 1):
            row = _add_sample(rows, paper["paper_id"], sample)
            first = seen.setdefault(row["sample_id"], number)
            if first != number:
                key = "name" if sample["name"] else "sample_id"
                rule = f"sample {first} has this name already"
                faults.extend(sample.refusal(key, rule).faults)
    return PaperEntry(
        paper=paper,
        samples=tuple(rows.rows[SAMPLES.file]),
        tests=tuple(rows.rows[TESTS.file]),
        supersedes=values["supersedes"] or (),
        distinct_from=values["distinct_from"] or (),
        withdrawn=values["withdrawn"] or "",
        shells=tuple(values["shells"] or ()),
        file=values.node.file,
        lines=rows.lines,
        printed=rows.printed,
    )


def _add_sample(rows: _Rows, paper_id: str, values: Values) -> Row:
    is_bare = is_none(values["shell"]["shell"])
    row = rows.add(
        SAMPLES,
        values,
        paper_id=paper_id,
        structure="bare" if is_bare else "",
        encapsulation="none" if is_bare else "unknown",
    )
    for key, column in NAMES.items():
        if values[key]:
            row[column] = whole_name(paper_id, row[column])
    for test in values["stability"] or ():
        reading = rows.add(TESTS, test, sample_id=row["sample_id"])
        for side in filter(test.get, SIDES):
            joined = joined_side(_flat(test[side]), reading["measure"])
            reading |= {f"{side}_{column}": cell for column, cell in joined.items()}
            gone = _flat(test[side]).keys() - joined.keys() - {DURATION_BOUND}
            reading |= {f"{side}_{column}": "" for column in gone}
    return row


def whole_name(paper_id: str, name: str) -> str:
    """Return the identity of a sample: its paper is put before a name that does not begin with it.

    Examples:
        >>> whole_name("smith2026", "S1"), whole_name("smith2026", "smith2026-S1")
        ('smith2026-S1', 'smith2026-S1')
    """
    head = f"{paper_id}-"
    return name if name.startswith(head) and name != head else head + name
