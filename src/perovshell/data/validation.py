"""The rules of the dataset files; all faults of all files are listed at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType

from perovshell.data.columns import PAPERS, SAMPLES, TABLES, TESTS, Column
from perovshell.data.copies import SAME_STUDY, copied_samples, copied_tests, report_copies
from perovshell.data.fault_list import FaultList, Locate, in_table
from perovshell.data.formula import FormulaReader
from perovshell.data.shells import is_none
from perovshell.data.tables import Row, Source, numbered, read_table
from perovshell.data.targets import TIME_TO_FAILURE
from perovshell.data.vocabulary import PLATELET, TREATMENTS, treatment, treatment_fault
from perovshell.errors import DatasetError, Fault, FormulaError, InputError

_HIGHEST_OF_CORE = 100.0
"""Largest PLQY in percent; quantum cutting by a dopant passes it."""


def read_tables(
    sources: Mapping[str, Source],
    formulas: FormulaReader,
    folder: str = "",
    *,
    unknown_words: bool = False,
) -> dict[str, list[Row]]:
    """Read the literature tables and check them.

    Args:
        sources: Their files by name; a table without a file has no rows.
        formulas: Reads cores and shells.
        folder: Put before the names of the files in messages.
        unknown_words: Whether a word such as `n/a` is an empty cell, where a cell may be empty.

    Raises:
        DatasetError: A table cannot be read or breaks a rule; all faults are listed.
    """
    tables: dict[str, tuple[Sequence[str], list[Row]]] = {}
    faults: list[Fault] = []
    for name, table in TABLES.items():
        try:
            header, rows = read_table(sources[name]) if name in sources else (table.names, [])
        except InputError as error:
            rule = str(error).removeprefix(name).lstrip(":, ")
            faults.append(Fault(f"{folder}{name}", 0, "", None, rule))
        else:
            known = table.without_unknown_words(rows) if unknown_words else rows
            tables[name] = header, table.filled(known)
    faults = faults or check_tables(
        tables, formulas, locate=lambda table, row, _: (f"{folder}{table}", row)
    )
    if faults:
        raise DatasetError(faults)
    return {name: rows for name, (_, rows) in tables.items()}


def check_tables(
    tables: Mapping[str, tuple[Sequence[str], Sequence[Row]]],
    reader: FormulaReader,
    distinct: Collection[frozenset[str]] = (),
    locate: Locate = in_table,
) -> list[Fault]:
    """Return all faults of the literature tables.

    Args:
        tables: Columns and rows by file name.
        reader: Reads cores and shells.
        distinct: Pairs of paper_ids that are declared not to be copies of one another.
        locate: Where the rows were read.
    """
    papers, samples, stability = (tables[name] for name in TABLES)
    # Without its needed columns, a table cannot show what is wrong with the others.
    names = () if PAPERS.missing(papers[0]) else papers[1]
    known = () if SAMPLES.missing(samples[0]) else samples[1]
    faults = check_papers(*papers, locate=locate)
    faults += check_samples(
        *samples, {cells["paper_id"] for cells in names}, reader, distinct=distinct, locate=locate
    )
    by_id = {cells["sample_id"]: cells for cells in known}
    dois = {cells["paper_id"]: cells["doi"] for cells in names}
    return faults + check_stability(
        *stability, by_id, reader, dois=dois, distinct=distinct, locate=locate
    )


def check_papers(
    header: Sequence[str], rows: Sequence[Row], *, locate: Locate = in_table
) -> list[Fault]:
    """Return all faults of papers.csv."""
    faults = FaultList(PAPERS.file, locate=locate)
    if not faults.columns(header, PAPERS):
        return faults.faults
    seen: dict[str, int] = {}
    dois: dict[str, tuple[int, str]] = {}
    for row, cells in numbered(rows):
        faults.unique(row, cells, "paper_id", seen)
        faults.cells(row, cells, PAPERS)
        doi = cells["doi"].casefold()
        if doi and doi in dois:
            first, paper = dois[doi]
            rule = f"given already in {faults.row_text(first, row)} (paper {paper!r}); {SAME_STUDY}"
            faults.add(row, "doi", cells["doi"], rule)
        dois.setdefault(doi, (row, cells["paper_id"]))
    if not rows:
        faults.add(0, "", "", "no rows; at least one paper is needed")
    return faults.faults


def check_samples(
    header: Sequence[str],
    rows: Sequence[Row],
    paper_ids: set[str],
    reader: FormulaReader,
    *,
    distinct: Collection[frozenset[str]] = (),
    locate: Locate = in_table,
) -> list[Fault]:
    """Return all faults of samples.csv.

    Args:
        header: The columns of the table.
        rows: Its rows.
        paper_ids: The papers there are; empty where this is not to be checked.
        reader: Reads cores and shells.
        distinct: Pairs of paper_ids that are declared not to be copies of one another.
        locate: Where the rows were read.
    """
    faults = FaultList(SAMPLES.file, locate=locate)
    if not faults.columns(header, SAMPLES):
        return faults.faults
    seen: dict[str, int] = {}
    by_id = {cells["sample_id"]: cells for cells in rows}
    for row, cells in numbered(rows):
        faults.unique(row, cells, "sample_id", seen)
        if paper_ids and cells["paper_id"] not in paper_ids:
            faults.add(row, "paper_id", cells["paper_id"], f"no such paper_id in {PAPERS.file}")
        values = faults.cells(row, cells, SAMPLES)
        _check_shape(faults, row, cells)
        _check_formulas(faults, row, cells, reader)
        for column in SAMPLES.measured:
            _check_measured(faults, row, cells, values, column)
        _check_plqy(faults, row, cells, values)
        _check_bare(faults, row, cells, by_id)
    if not rows:
        faults.add(0, "", "", "no rows; at least one sample is needed")
    copied = copied_samples(rows, reader)

    def are_apart(paper: str, other: str) -> bool:
        return frozenset((paper, other)) in distinct

    report_copies(faults, copied, are_apart, "core, shell and numbers")
    return faults.faults


def _check_shape(faults: FaultList, row: int, cells: Row) -> None:
    if (is_none(cells["shell"])) != (cells["structure"] == "bare"):
        faults.add(row, "structure", cells["structure"], "bare if, and only if, shell is none")
    if is_none(cells["shell"]) and cells["encapsulation"] not in {"none", "unknown"}:
        faults.add(row, "encapsulation", cells["encapsulation"], "none where shell is none")
    if cells["monolayers"] and cells["morphology"] != PLATELET:
        faults.add(row, "monolayers", cells["monolayers"], f"only of morphology {PLATELET}")
    for kind in TREATMENTS:
        name = treatment(kind, cells[kind])
        if name and treatment_fault(name):
            faults.add(row, kind, name, treatment_fault(name))


def _check_formulas(faults: FaultList, row: int, cells: Row, reader: FormulaReader) -> None:
    rules = {
        "shell": shell_fault(reader, cells["shell"]),
        "core": core_fault(reader, cells["core"], cells["composition"]),
    }
    for column, rule in rules.items():
        if rule:
            faults.add(row, column, cells[column], rule)


def formula_fault(read: Callable[[str], object], text: str) -> str:
    """Return why a formula cannot be read; an empty text if it can."""
    try:
        read(text)
    except FormulaError as error:
        return str(error)
    return ""


def shell_fault(reader: FormulaReader, shell: str) -> str:
    """Return why a shell cannot be read, with the way to introduce one; an empty text if it can."""
    fault = formula_fault(reader.read_shell, shell)
    is_new = "unknown shell" in fault
    return fault + "; introduce a new one in the key shells of a paper file" if is_new else fault


def core_fault(reader: FormulaReader, core: str, composition: str) -> str:
    """Return why a core cannot be read, exact or open; an empty text if it can."""
    if composition == "open":
        return formula_fault(reader.read_open, core)
    fault = formula_fault(reader.read_core, core)
    if "nor a known ion" in fault:
        fault += "; Workspace.materials.add_ion adds an ion"
    if fault and not formula_fault(reader.read_open, core):
        fault += "; where the paper leaves it open, write composition: open"
    return fault


def _check_measured(
    faults: FaultList, row: int, cells: Row, values: Mapping[str, float], column: Column
) -> None:
    """Check what says how well a number is known: its bound, its printed range, its quality."""
    bound, low, high, quality = column.companions.values()
    for name, what in ((bound, "bound"), (quality, "quality")):
        if cells[name] and not cells[column.name]:
            faults.add(row, name, cells[name], f"a {what} needs a value in {column.name}")
    _check_range(faults, row, cells, values, (column.name, low, high))
    if cells[bound] in {">", "<"} and cells[low]:
        faults.add(row, bound, cells[bound], "empty, or ~, with a range")


def _check_range(
    faults: FaultList,
    row: int,
    cells: Row,
    values: Mapping[str, float],
    columns: tuple[str, str, str],
) -> None:
    """Check a printed range, by the columns of value, low and high."""
    value, low, high = columns
    if bool(cells[low]) != bool(cells[high]):
        faults.add(row, low, cells[low], "a range needs both its low and its high")
    elif values[low] > values[high]:
        faults.add(row, low, cells[low], f"low must not be above high ({cells[high]})")
    elif not math.isnan(values[low]) and not values[low] <= values[value] <= values[high]:
        rule = f"must lie within the printed range {cells[low]} to {cells[high]}"
        faults.add(row, value, cells[value], rule)


def _check_plqy(faults: FaultList, row: int, cells: Row, values: Mapping[str, float]) -> None:
    for name in ("plqy_percent", "plqy_high"):
        if values[name] > _HIGHEST_OF_CORE and cells["role"] != "dopant":
            rule = "a PLQY from 0 to 100 percent; above 100 only with role dopant"
            faults.add(row, name, cells[name], rule)


def _check_bare(faults: FaultList, row: int, cells: Row, by_id: dict[str, Row]) -> None:
    name = cells["bare_sample_id"]
    if not name:
        return
    bare = by_id.get(name)
    if bare is None:
        faults.add(row, "bare_sample_id", name, "no such sample_id in its table or paper")
    elif not is_none(bare["shell"]) or bare["paper_id"] != cells["paper_id"]:
        faults.add(row, "bare_sample_id", name, "must name an uncoated sample of the same paper")


def check_stability(
    header: Sequence[str],
    rows: Sequence[Row],
    samples: dict[str, Row],
    reader: FormulaReader,
    *,
    dois: Mapping[str, str] = MappingProxyType({}),
    distinct: Collection[frozenset[str]] = (),
    locate: Locate = in_table,
) -> list[Fault]:
    """Return all faults of stability.csv.

    Args:
        header: The columns of the table.
        rows: Its rows.
        samples: The rows of samples.csv by sample_id; empty where they cannot be read.
        reader: Reads cores and shells.
        dois: DOIs by paper_id: the commonest readings (80 % after 30 d in water) are those of many
            papers, so tests of two papers with a DOI each are no copies.
        distinct: Pairs of paper_ids that are declared not to be copies of one another.
        locate: Where the rows were read.
    """
    faults = FaultList(TESTS.file, locate=locate)
    if not faults.columns(header, TESTS):
        return faults.faults
    for row, cells in numbered(rows):
        sample = samples.get(cells["sample_id"])
        if samples and sample is None:
            faults.add(row, "sample_id", cells["sample_id"], f"no such sample_id in {SAMPLES.file}")
        values = faults.cells(row, cells, TESTS)
        for side in ("coated", "bare"):
            _check_side(faults, row, cells, values, side)
        _check_sides(faults, row, cells)
        if sample is not None and is_none(sample["shell"]) and _has_reading(cells, "coated"):
            rule = "empty for an uncoated sample: its readings belong in the bare columns"
            faults.add(row, "coated_duration_h", cells["coated_duration_h"], rule)
    copied = copied_tests(rows, samples, reader)

    def are_apart(paper: str, other: str) -> bool:
        both = dois.get(paper, ""), dois.get(other, "")
        return frozenset((paper, other)) in distinct or ("" not in both and both[0] != both[1])

    report_copies(faults, copied, are_apart, "core, shell, stressor and readings")
    return faults.faults


def _has_reading(cells: Row, side: str) -> bool:
    return bool(cells[f"{side}_duration_h"] or cells[f"{side}_percent"])


def _check_side(
    faults: FaultList, row: int, cells: Row, values: Mapping[str, float], side: str
) -> None:
    percent = f"{side}_percent"
    _check_range(faults, row, cells, values, (percent, f"{percent}_low", f"{percent}_high"))
    fails = cells["measure"] == TIME_TO_FAILURE
    if fails and cells[percent]:
        rule = "empty for a time to failure, which is a duration"
        faults.add(row, percent, cells[percent], rule)
    elif cells[f"{side}_bound"] == "<" and values[percent] == 0:
        faults.add(row, percent, cells[percent], "less than 0 is impossible")
    if not fails and cells[f"{side}_duration_h"] and not cells[percent]:
        faults.add(row, percent, "", "a remnant needs its percent")
    if cells[f"{side}_bound"] and not _has_reading(cells, side):
        faults.add(row, f"{side}_bound", cells[f"{side}_bound"], "a bound needs a reading")


def _check_sides(faults: FaultList, row: int, cells: Row) -> None:
    coated, bare = _has_reading(cells, "coated"), _has_reading(cells, "bare")
    durations = [bool(cells[f"{side}_duration_h"]) for side in ("coated", "bare")]
    if not coated and not bare:
        faults.add(row, "coated_percent", "", "a test needs at least one reading")
    elif coated != bare and not any(durations):
        side = "coated" if coated else "bare"
        faults.add(row, f"{side}_duration_h", "", "a one-sided test needs a duration")
    elif coated and bare and durations[0] != durations[1]:
        side = "bare" if durations[0] else "coated"
        faults.add(row, f"{side}_duration_h", "", "a two-sided test states both durations or none")
