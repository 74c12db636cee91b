"""The rules of the dataset files; all faults of all files are found in one go."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from perovshell.data import vocabulary as words
from perovshell.data.formula import FormulaReader
from perovshell.data.shells import is_none, shell_text
from perovshell.data.tables import Row, plain_number
from perovshell.data.targets import TIME_TO_FAILURE
from perovshell.errors import Fault, FormulaError

PAPERS, SAMPLES, STABILITY = "papers.csv", "samples.csv", "stability.csv"
_DOI = re.compile(r"10\.\d{4,9}/\S+")
_IDENTIFIER = re.compile(r"[^\s,;|]+")
_MAX_PERCENT = 1000.0
_SAME_STUDY = "if it is the same study, name it in supersedes"
_ANSWER = f"{_SAME_STUDY}; if not, in distinct_from"

Locate: TypeAlias = Callable[[str, int, str], tuple[str, int]]
"""Tells the file and line where a cell was read, by table, row and column (empty: the row)."""


def in_table(table: str, row: int, _column: str) -> tuple[str, int]:
    """Locate a cell in the table itself."""
    return table, row


@dataclass
class FaultList:
    """Collects the faults of one file; `row` is the line in the file."""

    file: str
    faults: list[Fault] = field(default_factory=list)
    locate: Locate = in_table

    def add(self, row: int, column: str, value: str, rule: str) -> None:
        """Note one fault."""
        file, line = self.locate(self.file, row, column)
        self.faults.append(Fault(file, line, column, value, rule))

    def told(self, row: int, beside: int) -> str:
        """Return where a row stands, in words; its file where that is not the one of `beside`."""
        file, line = self.locate(self.file, row, "")
        named = [] if file == self.locate(self.file, beside, "")[0] else [file]
        return ", ".join([*named, *([f"row {line}"] if line else [])]) or file

    def columns(self, header: Sequence[str], wanted: Sequence[str]) -> bool:
        """Check the header; return whether the rows can be read at all."""
        for column in wanted:
            if column not in header:
                self.add(1, column, "", "this column is missing")
        for column in header:
            if column not in wanted:
                self.add(1, column, "", f"unknown column; allowed: {', '.join(wanted)}")
        return all(column in header for column in wanted)

    def one_of(self, row: int, cells: Row, column: str, allowed: Sequence[str]) -> None:
        """Check a word against its vocabulary."""
        if cells[column] not in allowed:
            shown = ", ".join(word or "(empty)" for word in allowed)
            self.add(row, column, cells[column], f"allowed: {shown}")

    def number(self, row: int, cells: Row, column: str, low: float, high: float) -> float:
        """Check a number cell; return it, or NaN where it is empty or at fault."""
        text = cells[column]
        if not text:
            return math.nan
        value = plain_number(text)
        if not low <= value <= high:
            self.add(row, column, text, f"a number from {low:g} to {high:g}, or empty")
            return math.nan
        return value

    def unique(self, row: int, cells: Row, column: str, seen: dict[str, int]) -> None:
        """Check that an identity is given and stands once."""
        text = cells[column]
        if not _IDENTIFIER.fullmatch(text):
            self.add(row, column, text, "an identity without blanks, commas, ';' or '|' is needed")
        elif text in seen:
            self.add(row, column, text, f"stands already in {self.told(seen[text], row)}")
        seen.setdefault(text, row)


def numbered(rows: Iterable[Row]) -> Iterable[tuple[int, Row]]:
    """Count rows as lines of the file, the header being line 1."""
    return enumerate(rows, start=2)


def check_papers(
    header: Sequence[str], rows: Sequence[Row], *, locate: Locate = in_table
) -> list[Fault]:
    """Return all faults of papers.csv."""
    faults = FaultList(PAPERS, locate=locate)
    if not faults.columns(header, words.PAPER_COLUMNS):
        return faults.faults
    seen: dict[str, int] = {}
    dois: dict[str, tuple[int, str]] = {}
    for row, cells in numbered(rows):
        faults.unique(row, cells, "paper_id", seen)
        year = faults.number(row, cells, "year", 1990, 2100)
        if not math.isnan(year) and not cells["year"].isdigit():
            faults.add(row, "year", cells["year"], "a whole year such as 2021, or empty")
        for column in ("doi", "via_doi"):
            if cells[column] and not _DOI.fullmatch(cells[column]):
                faults.add(row, column, cells[column], "a DOI such as 10.1021/jacs.7b11003")
        doi = cells["doi"].casefold()
        if doi and doi in dois:
            first, paper = dois[doi]
            rule = f"stands already in {faults.told(first, row)} (paper {paper!r}); {_SAME_STUDY}"
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
        distinct: Pairs of paper_ids that are said not to be copies of one another.
        locate: Where the rows were read.
    """
    faults = FaultList(SAMPLES, locate=locate)
    if not faults.columns(header, words.SAMPLE_COLUMNS):
        return faults.faults
    seen: dict[str, int] = {}
    by_id = {cells["sample_id"]: cells for cells in rows}
    for row, cells in numbered(rows):
        faults.unique(row, cells, "sample_id", seen)
        if paper_ids and cells["paper_id"] not in paper_ids:
            faults.add(row, "paper_id", cells["paper_id"], f"no such paper_id in {PAPERS}")
        _check_words(faults, row, cells)
        _check_formulas(faults, row, cells, reader)
        _check_optics(faults, row, cells)
        _check_bare(faults, row, cells, by_id)
    if not rows:
        faults.add(0, "", "", "no rows; at least one sample is needed")
    _report_copies(faults, _copied_samples(rows, reader), distinct, "core, shell and numbers")
    return faults.faults


def _check_words(faults: FaultList, row: int, cells: Row) -> None:
    faults.one_of(row, cells, "composition", ("exact", "open"))
    faults.one_of(row, cells, "structure", words.STRUCTURES)
    faults.one_of(row, cells, "encapsulation", words.ENCAPSULATIONS)
    faults.one_of(row, cells, "medium", words.MEDIA)
    faults.one_of(row, cells, "role", words.ROLES)
    faults.one_of(row, cells, "pl_peak_bound", words.BOUNDS)
    faults.one_of(row, cells, "plqy_bound", words.BOUNDS)
    if (is_none(cells["shell"])) != (cells["structure"] == "bare"):
        faults.add(row, "structure", cells["structure"], "bare if, and only if, shell is none")


def _check_formulas(faults: FaultList, row: int, cells: Row, reader: FormulaReader) -> None:
    if cells["composition"] != "open":
        _check_reading(faults, row, cells, "core", reader.read_core)
    elif not cells["core"]:
        faults.add(row, "core", "", "a core is needed, also where its composition is open")
    _check_reading(faults, row, cells, "shell", reader.read_shell)


def _check_reading(
    faults: FaultList, row: int, cells: Row, column: str, read: Callable[[str], object]
) -> None:
    try:
        read(cells[column])
    except FormulaError as error:
        faults.add(row, column, cells[column], str(error))


def _check_optics(faults: FaultList, row: int, cells: Row) -> None:
    faults.number(row, cells, "core_size_nm", 0.3, 10_000)
    faults.number(row, cells, "shell_thickness_nm", 0.1, 100_000)
    faults.number(row, cells, "pl_peak_nm", 200, 2000)
    faults.number(row, cells, "fwhm_nm", 1, 1000)
    highest = 300 if cells["role"] == "dopant" else 100
    text = cells["plqy_percent"]
    value = faults.number(row, cells, "plqy_percent", 0, highest)
    is_number = not math.isnan(plain_number(text))
    if math.isnan(value) and is_number and cells["role"] != "dopant":
        rule = "a PLQY from 0 to 100 percent; above 100 only with role dopant"
        faults.faults[-1] = replace(faults.faults[-1], rule=rule)
    for column, bound in (("pl_peak_nm", "pl_peak_bound"), ("plqy_percent", "plqy_bound")):
        if cells[bound] and not cells[column]:
            faults.add(row, bound, cells[bound], f"a bound needs a value in {column}")


def _check_bare(faults: FaultList, row: int, cells: Row, by_id: dict[str, Row]) -> None:
    name = cells["bare_sample_id"]
    if not name:
        return
    bare = by_id.get(name)
    if bare is None:
        faults.add(row, "bare_sample_id", name, f"no such sample_id in {faults.file}")
    elif not is_none(bare["shell"]) or bare["paper_id"] != cells["paper_id"]:
        faults.add(row, "bare_sample_id", name, "must name an uncoated sample of the same paper")


def check_stability(
    header: Sequence[str],
    rows: Sequence[Row],
    samples: dict[str, Row],
    reader: FormulaReader,
    *,
    distinct: Collection[frozenset[str]] = (),
    locate: Locate = in_table,
) -> list[Fault]:
    """Return all faults of stability.csv.

    Args:
        header: The columns of the table.
        rows: Its rows.
        samples: The rows of samples.csv by sample_id; empty where they cannot be read.
        reader: Reads cores and shells.
        distinct: Pairs of paper_ids that are said not to be copies of one another.
        locate: Where the rows were read.
    """
    faults = FaultList(STABILITY, locate=locate)
    if not faults.columns(header, words.STABILITY_COLUMNS):
        return faults.faults
    for row, cells in numbered(rows):
        sample = samples.get(cells["sample_id"])
        if samples and sample is None:
            faults.add(row, "sample_id", cells["sample_id"], f"no such sample_id in {SAMPLES}")
        faults.one_of(row, cells, "stressor", words.STRESSORS)
        faults.one_of(row, cells, "measure", words.MEASURES)
        faults.number(row, cells, "temperature_c", -273.15, 2000)
        faults.number(row, cells, "humidity_percent", 0, 100)
        faults.number(row, cells, "irradiance_mw_cm2", 0, 1e9)
        faults.number(row, cells, "wavelength_nm", 100, 20_000)
        for side in ("coated", "bare"):
            _check_side(faults, row, cells, side)
        _check_sides(faults, row, cells)
        if sample is not None and is_none(sample["shell"]) and _given(cells, "coated"):
            rule = "empty for an uncoated sample: its readings stand in the bare columns"
            faults.add(row, "coated_duration_h", cells["coated_duration_h"], rule)
    copied = _copied_tests(rows, samples, reader)
    _report_copies(faults, copied, distinct, "core, shell, stressor and readings")
    return faults.faults


def _given(cells: Row, side: str) -> bool:
    return bool(cells[f"{side}_duration_h"] or cells[f"{side}_percent"])


def _check_side(faults: FaultList, row: int, cells: Row, side: str) -> None:
    faults.one_of(row, cells, f"{side}_bound", words.BOUNDS)
    faults.number(row, cells, f"{side}_duration_h", 1e-6, 1e7)
    percent = faults.number(row, cells, f"{side}_percent", 0, _MAX_PERCENT)
    low = faults.number(row, cells, f"{side}_percent_low", 0, _MAX_PERCENT)
    high = faults.number(row, cells, f"{side}_percent_high", 0, _MAX_PERCENT)
    low_text, high_text = cells[f"{side}_percent_low"], cells[f"{side}_percent_high"]
    if bool(low_text) != bool(high_text):
        faults.add(row, f"{side}_percent_low", low_text, "a range needs both its low and its high")
    elif low > high:
        rule = f"low must not be above high ({high_text})"
        faults.add(row, f"{side}_percent_low", low_text, rule)
    elif not math.isnan(low) and not low <= percent <= high:
        rule = f"must lie within the printed range {low_text} to {high_text}"
        faults.add(row, f"{side}_percent", cells[f"{side}_percent"], rule)
    fails = cells["measure"] == TIME_TO_FAILURE
    if fails and cells[f"{side}_percent"]:
        rule = "empty for a time to failure, which is a duration"
        faults.add(row, f"{side}_percent", cells[f"{side}_percent"], rule)
    elif cells[f"{side}_bound"] == "<" and percent == 0:
        faults.add(row, f"{side}_percent", cells[f"{side}_percent"], "less than 0 is impossible")
    if not fails and cells[f"{side}_duration_h"] and not cells[f"{side}_percent"]:
        faults.add(row, f"{side}_percent", "", "a remnant needs its percent")
    if cells[f"{side}_bound"] and not _given(cells, side):
        faults.add(row, f"{side}_bound", cells[f"{side}_bound"], "a bound needs a reading")


def _check_sides(faults: FaultList, row: int, cells: Row) -> None:
    coated, bare = _given(cells, "coated"), _given(cells, "bare")
    durations = [bool(cells[f"{side}_duration_h"]) for side in ("coated", "bare")]
    if not coated and not bare:
        faults.add(row, "coated_percent", "", "a test needs at least one reading")
    elif coated != bare and not any(durations):
        side = "coated" if coated else "bare"
        faults.add(row, f"{side}_duration_h", "", "a one-sided test needs a duration")
    elif coated and bare and durations[0] != durations[1]:
        side = "bare" if durations[0] else "coated"
        faults.add(row, f"{side}_duration_h", "", "a two-sided test states both durations or none")


# One study under two papers ------------------------------------------------------------------

_Keyed: TypeAlias = tuple[int, Row, str, Hashable]
"""Row number, cells, paper_id, and what is equal for copies."""


def _copied_samples(rows: Sequence[Row], reader: FormulaReader) -> Iterator[_Keyed]:
    """The same core and shell with three equal numbers under two papers is one study read twice."""
    numbers = ("core_size_nm", "pl_peak_nm", "fwhm_nm", "plqy_percent", "shell_thickness_nm")
    for row, cells in numbered(rows):
        if sum(bool(cells[column]) for column in numbers) >= 3:  # noqa: PLR2004
            given = tuple(_value(cells[column]) for column in numbers)
            yield row, cells, cells["paper_id"], (*_combination(cells, reader), *given)


def _copied_tests(
    rows: Sequence[Row], samples: dict[str, Row], reader: FormulaReader
) -> Iterator[_Keyed]:
    """The same core, shell, stressor, durations and percents under two papers is a fault."""
    numbers = ("coated_duration_h", "coated_percent", "bare_duration_h", "bare_percent")
    for row, cells in numbered(rows):
        sample = samples.get(cells["sample_id"])
        if sample is not None and sum(bool(cells[column]) for column in numbers) >= 2:  # noqa: PLR2004
            given = tuple(_value(cells[column]) for column in numbers)
            key = (*_combination(sample, reader), cells["stressor"], *given)
            yield row, cells, sample["paper_id"], key


def _report_copies(
    faults: FaultList, rows: Iterable[_Keyed], distinct: Collection[frozenset[str]], what: str
) -> None:
    """Note a row once for each other paper that has an equal row above it."""
    seen: dict[Hashable, dict[str, int]] = defaultdict(dict)
    for row, cells, paper, key in rows:
        for other, first in seen[key].items():
            if other != paper and frozenset((other, paper)) not in distinct:
                rule = f"same {what} as {faults.told(first, row)} of paper {other!r}; {_ANSWER}"
                faults.add(row, "sample_id", cells["sample_id"], rule)
        seen[key].setdefault(paper, row)


def _combination(cells: Row, reader: FormulaReader) -> tuple[Hashable, Hashable]:
    """Return core and shell, equal for all their spellings; texts that cannot be read as given."""
    core: Hashable = cells["core"]
    shell: Hashable = cells["shell"]
    if cells["composition"] == "exact":
        with suppress(FormulaError):
            core = reader.read_core(cells["core"]).key
    with suppress(FormulaError):
        shell = shell_text(reader.read_shell(cells["shell"]))
    return core, shell


def _value(text: str) -> float | str:
    """Return a number cell as a number, so that `168` and `168.0` are equal."""
    value = plain_number(text)
    return text if math.isnan(value) else value
