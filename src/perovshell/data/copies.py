"""One study under two papers: rows that are equal but for their spelling."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

from perovshell.data.fault_list import FaultList
from perovshell.data.formula import FormulaReader
from perovshell.data.shells import shell_text
from perovshell.data.tables import Row, numbered, plain_number
from perovshell.errors import FormulaError

SAME_STUDY: Final = "if it is the same study, name it in supersedes"
_ANSWER: Final = f"{SAME_STUDY}; if not, in distinct_from"
Keyed: TypeAlias = tuple[int, Row, str, Hashable]
"""Row number, cells, paper_id, and what is equal for copies."""


def copied_samples(rows: Sequence[Row], reader: FormulaReader) -> Iterator[Keyed]:
    """The same core and shell with three equal numbers under two papers is one study read twice."""
    numbers = ("core_size_nm", "pl_peak_nm", "fwhm_nm", "plqy_percent", "shell_thickness_nm")
    for row, cells in numbered(rows):
        if sum(bool(cells[column]) for column in numbers) >= 3:  # noqa: PLR2004
            values = tuple(_value(cells[column]) for column in numbers)
            yield row, cells, cells["paper_id"], (*_combination(cells, reader), *values)


def copied_tests(
    rows: Sequence[Row], samples: dict[str, Row], reader: FormulaReader
) -> Iterator[Keyed]:
    """The same core, shell, stressor, durations and percents under two papers is a fault."""
    numbers = ("coated_duration_h", "coated_percent", "bare_duration_h", "bare_percent")
    for row, cells in numbered(rows):
        sample = samples.get(cells["sample_id"])
        if sample is not None and sum(bool(cells[column]) for column in numbers) >= 2:  # noqa: PLR2004
            values = tuple(_value(cells[column]) for column in numbers)
            key = (*_combination(sample, reader), cells["stressor"], *values)
            yield row, cells, sample["paper_id"], key


def report_copies(
    faults: FaultList, rows: Iterable[Keyed], are_apart: Callable[[str, str], bool], what: str
) -> None:
    """Note a row once for each other paper that has an equal row above it."""
    seen: dict[Hashable, dict[str, int]] = defaultdict(dict)
    for row, cells, paper, key in rows:
        for other, first in seen[key].items():
            if other != paper and not are_apart(paper, other):
                rule = f"same {what} as {faults.row_text(first, row)} of paper {other!r}; {_ANSWER}"
                faults.add(row, "sample_id", cells["sample_id"], rule)
        seen[key].setdefault(paper, row)


def _combination(cells: Row, reader: FormulaReader) -> tuple[Hashable, Hashable]:
    """Return core and shell, equal for all their spellings; else the texts."""
    core: Hashable = cells["core"]
    shell: Hashable = cells["shell"]
    read = reader.read_open if cells["composition"] == "open" else reader.read_core
    with suppress(FormulaError):
        core = read(cells["core"]).key
    with suppress(FormulaError):
        shell = shell_text(reader.read_shell(cells["shell"]))
    return core, shell


def _value(text: str) -> float | str:
    """Return a number cell as a number, so that `168` and `168.0` are equal."""
    value = plain_number(text)
    return text if math.isnan(value) else value
