"""The literature dataset: loading, checking, content hash."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from perovshell.data import notes
from perovshell.data import validation as rules
from perovshell.data import vocabulary as words
from perovshell.data.formula import FormulaReader
from perovshell.data.ions import Ions
from perovshell.data.records import Paper, Sample, StabilityTest
from perovshell.data.shells import Shells
from perovshell.data.tables import Row, Source, bundled, read_table
from perovshell.data.targets import Reading
from perovshell.errors import DatasetError, Fault, InputError

COLLECTIONS = {"10.1038/s41598-025-08110-2": "cspbcl3-collection"}
"""Data sets (not reviews) whose rows together weigh as much as one paper, by `via_doi`."""
TABLES = (rules.PAPERS, rules.SAMPLES, rules.STABILITY)


@dataclass(frozen=True)
class Dataset:
    """A checked dataset with the reference tables it was read by.

    Attributes:
        papers: Papers by paper_id.
        samples: Samples by sample_id.
        tests: Stability tests in the order of the table.
        reader: The formula reader with the ion and shell tables.
        content_hash: SHA-256 of the cells of all tables, in hexadecimal.
    """

    papers: Mapping[str, Paper]
    samples: Mapping[str, Sample]
    tests: tuple[StabilityTest, ...]
    reader: FormulaReader
    content_hash: str

    @classmethod
    def bundled(cls) -> Dataset:
        """Load the dataset that is shipped with the package."""
        return cls._read({name: bundled("literature", name) for name in TABLES})

    @classmethod
    def from_folder(cls, folder: Path) -> Dataset:
        """Load papers.csv, samples.csv and stability.csv of a folder.

        Raises:
            DatasetError: The files break the rules; all faults are listed.
            InputError: The folder does not exist.
        """
        if not folder.is_dir():
            msg = f"{folder}: no such folder; it must hold {', '.join(TABLES)}"
            raise InputError(msg)
        return cls._read({name: folder / name for name in TABLES})

    @classmethod
    def _read(cls, sources: Mapping[str, Source]) -> Dataset:
        tables: dict[str, tuple[list[str], list[Row]]] = {}
        unreadable: list[Fault] = []
        for name, source in sources.items():
            try:
                tables[name] = read_table(source)
            except InputError as error:
                rule = str(error).removeprefix(name).lstrip(":, ")
                unreadable.append(Fault(name, 0, "", "", rule))
        if unreadable:
            raise DatasetError(unreadable)
        reader = FormulaReader(Ions.bundled(), Shells.bundled())
        faults = _all_faults(tables, reader)
        if faults:
            raise DatasetError(faults)
        return _build({name: rows for name, (_, rows) in tables.items()}, reader)

    def group_of(self, paper_id: str) -> str:
        """Return the group that shares one unit of training and calibration weight."""
        paper = self.papers[paper_id]
        return COLLECTIONS.get(paper.via_doi, paper_id)

    def in_collection(self, paper_id: str) -> bool:
        """Whether a paper is known only through a data set that is a collection."""
        return self.papers[paper_id].via_doi in COLLECTIONS

    @cached_property
    def known_cores(self) -> tuple[str, ...]:
        """Standard formulas of the exact cores, in the order of the table."""
        cores = (s.core.formula for s in self.samples.values() if s.core is not None)
        return tuple(dict.fromkeys(cores))

    @cached_property
    def counts(self) -> dict[str, int]:
        """Numbers of papers, samples and tests."""
        return {
            "papers": len(self.papers),
            "samples": len(self.samples),
            "stability_tests": len(self.tests),
        }


def _all_faults(
    tables: Mapping[str, tuple[list[str], list[Row]]], reader: FormulaReader
) -> list[Fault]:
    papers, samples, stability = (tables[name] for name in TABLES)
    paper_ids = {cells["paper_id"] for cells in papers[1] if "paper_id" in cells}
    by_id = {cells.get("sample_id", ""): cells for cells in samples[1]}
    faults = rules.check_papers(*papers)
    sample_faults = rules.check_samples(*samples, paper_ids, reader)
    faults += sample_faults
    columns_fine = all(column in samples[0] for column in words.SAMPLE_COLUMNS)
    return faults + rules.check_stability(*stability, by_id if columns_fine else {})


def _build(tables: Mapping[str, list[Row]], reader: FormulaReader) -> Dataset:
    papers = {cells["paper_id"]: _paper(cells) for cells in tables[rules.PAPERS]}
    samples = {cells["sample_id"]: _sample(cells, reader) for cells in tables[rules.SAMPLES]}
    tests = tuple(
        _test(number, cells, samples) for number, cells in enumerate(tables[rules.STABILITY])
    )
    cores = tuple(dict.fromkeys(s.core.formula for s in samples.values() if s.core is not None))
    named = FormulaReader(reader.ions, reader.shells, cores)
    return Dataset(papers, samples, tests, named, _hash(tables))


def _hash(tables: Mapping[str, list[Row]]) -> str:
    """Hash the cells, whatever the order of rows and columns in the files."""
    content = {
        name: sorted(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)
        for name, rows in tables.items()
    }
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _paper(cells: Row) -> Paper:
    year = int(cells["year"]) if cells["year"] else None
    return Paper(cells["paper_id"], cells["doi"], cells["via_doi"], year, cells["title"])


def _number(text: str) -> float:
    return float(text) if text else math.nan


def _sample(cells: Row, reader: FormulaReader) -> Sample:
    exact, note = cells["composition"] == "exact", cells["note"]
    return Sample(
        sample_id=cells["sample_id"],
        paper_id=cells["paper_id"],
        core_text=cells["core"],
        core=reader.read_core(cells["core"]) if exact else None,
        layers=reader.read_shell(cells["shell"]),
        structure=cells["structure"],
        encapsulation=cells["encapsulation"],
        medium=cells["medium"],
        core_size_nm=_number(cells["core_size_nm"])
        if cells["core_size_nm"]
        else notes.platelet_thickness_nm(note),
        shell_thickness_nm=_number(cells["shell_thickness_nm"]),
        pl_peak_nm=_number(cells["pl_peak_nm"]),
        pl_bound=cells["pl_peak_bound"],
        plqy_percent=_number(cells["plqy_percent"]),
        plqy_bound=cells["plqy_bound"],
        bare_sample_id=cells["bare_sample_id"],
        role=cells["role"],
        note=note,
        morphology=notes.morphology(note),
        treatments=notes.treatments(note),
    )


def _test(number: int, cells: Row, samples: Mapping[str, Sample]) -> StabilityTest:
    return StabilityTest(
        number=number,
        sample=samples[cells["sample_id"]],
        stressor=cells["stressor"],
        conditions={name: _number(cells[name]) for name in words.CONDITIONS},
        coated=_reading(cells, "coated"),
        bare=_reading(cells, "bare"),
        shared_group=cells["shared_group"],
    )


def _reading(cells: Row, side: str) -> Reading:
    return Reading(
        measure=cells["measure"],
        duration_h=_number(cells[f"{side}_duration_h"]),
        percent=_number(cells[f"{side}_percent"]),
        percent_low=_number(cells[f"{side}_percent_low"]),
        percent_high=_number(cells[f"{side}_percent_high"]),
        bound=cells[f"{side}_bound"],
    )
