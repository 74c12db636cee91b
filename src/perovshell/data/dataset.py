"""The literature dataset: loading, checking, content hash, and papers added to it."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from perovshell.data.columns import PAPERS, SAMPLES, TABLES, TESTS, Column
from perovshell.data.formula import FormulaReader
from perovshell.data.ions import Ions
from perovshell.data.materials import Materials
from perovshell.data.merging import merge
from perovshell.data.paper_entry import PaperEntry, split_papers
from perovshell.data.records import Measurement, Paper, Sample, StabilityTest
from perovshell.data.shells import Shells
from perovshell.data.tables import Row, Source, bundled, bundled_rows
from perovshell.data.targets import Reading
from perovshell.data.validation import check_tables, read_tables
from perovshell.data.vocabulary import CONDITIONS, MORPHOLOGIES, is_unknown, treatment
from perovshell.errors import DatasetError, InputError
from perovshell.texts import counted

COLLECTIONS = {"10.1038/s41598-025-08110-2": "cspbcl3-collection"}
"""Data sets (not reviews) whose rows together weigh as much as one paper, by `via_doi`."""


@dataclass(frozen=True)
class Dataset:
    """A checked dataset with the reference tables it was read by.

    Attributes:
        papers: Papers by paper_id.
        samples: Samples by sample_id.
        tests: Stability tests in the order of the table.
        reader: The formula reader with the ion and shell tables.
        cores: The table of bulk properties of cores, such as band gaps.
        gaps: The table of measured band gaps by composition.
        rows: The rows of the literature tables, by file name.
        distinct: Pairs of paper_ids that are declared not to be copies of one another.
        older: For a paper that supersedes others, their names.
    """

    papers: Mapping[str, Paper]
    samples: Mapping[str, Sample]
    tests: tuple[StabilityTest, ...]
    reader: FormulaReader
    cores: tuple[Row, ...]
    gaps: tuple[Row, ...]
    rows: Mapping[str, tuple[Row, ...]]
    distinct: frozenset[frozenset[str]] = frozenset()
    older: Mapping[str, frozenset[str]] = field(default_factory=dict)

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
        reader = FormulaReader(Ions.bundled(), Shells.bundled())
        rows = {name: tuple(table) for name, table in read_tables(sources, reader).items()}
        cores, gaps = (
            tuple(bundled_rows("materials", f"{name}.csv")) for name in ("cores", "gaps")
        )
        return _build(rows, reader, cores, gaps)

    def __repr__(self) -> str:
        """Return its counts and its hash."""
        return f"<Dataset {self.summary}>"

    def _repr_html_(self) -> str:
        return f"<b>Dataset</b><br>{self.summary}"

    @property
    def counts_text(self) -> str:
        """Numbers of papers, samples and tests, in words."""
        names = ((name.removesuffix("s").replace("_", " "), n) for name, n in self.counts.items())
        return ", ".join(counted(count, noun) for noun, count in names)

    @property
    def summary(self) -> str:
        """Its counts and the first digits of its content hash."""
        return f"{self.counts_text}; content hash {self.content_hash[:12]}"

    # Materials -------------------------------------------------------------------------------

    def with_materials(self, materials: Materials) -> Dataset:
        """Return the dataset with further shells and ions, and with facts of shells corrected.

        Raises:
            InputError: Names are those of two materials.
        """
        if not materials:
            return self
        ions, shells = self.reader.ions, self.reader.shells
        tables = materials.applied(
            {
                "shells": shells.shell_rows,
                "ions": ions.rows,
                "shell_materials": shells.property_rows,
            }
        )
        reader = FormulaReader(
            Ions(tables["ions"]), Shells(tables["shells"], tables["shell_materials"])
        )
        more = _build(self.rows, reader, self.cores, self.gaps, self.distinct)
        return replace(more, older=self.older)

    # Papers ----------------------------------------------------------------------------------

    def with_papers(self, entries: Sequence[PaperEntry]) -> Dataset:
        """Return the dataset in use: this one with papers added, replaced or left out.

        A paper whose paper_id an entry has is replaced by it; what an entry supersedes or
        withdraws is left out. The rows do not depend on the order of the entries.

        Args:
            entries: The entries; without any, it is this dataset. A fault of two of them is
                reported for the later one.

        Raises:
            DatasetError: The tables and the entries together break the rules; all faults are
                listed, those of entries with their file and line.
        """
        if not entries:
            return self
        merged = merge(self.rows, entries)
        distinct = self.distinct | merged.distinct
        tables = {name: (TABLES[name].names, rows) for name, rows in merged.rows.items()}
        faults = [*merged.faults, *check_tables(tables, self.reader, distinct, merged.locate)]
        if faults:
            raise DatasetError(faults)
        in_order = merge(self.rows, sorted(entries, key=lambda entry: entry.paper_id))
        return replace(
            _build(in_order.rows, self.reader, self.cores, self.gaps, distinct),
            older={**self.older, **merged.older},
        )

    def subset(self, paper_ids: Collection[str]) -> Dataset:
        """Return the part of some papers; its tests keep their numbers.

        Raises:
            InputError: A paper is not in the dataset.
        """
        wanted = frozenset(paper_ids)
        for name in sorted(wanted - self.papers.keys()):
            self._refuse(name)
        samples = {
            name: sample for name, sample in self.samples.items() if sample.paper_id in wanted
        }
        rows = {
            PAPERS.file: tuple(r for r in self.rows[PAPERS.file] if r["paper_id"] in wanted),
            SAMPLES.file: tuple(r for r in self.rows[SAMPLES.file] if r["paper_id"] in wanted),
            TESTS.file: tuple(r for r in self.rows[TESTS.file] if r["sample_id"] in samples),
        }
        return Dataset(
            papers={name: paper for name, paper in self.papers.items() if name in wanted},
            samples=samples,
            tests=tuple(test for test in self.tests if test.sample.paper_id in wanted),
            reader=_naming(self.reader, samples),
            cores=self.cores,
            gaps=self.gaps,
            rows=rows,
            distinct=self.distinct,
            older={name: older for name, older in self.older.items() if name in wanted},
        )

    def entry(self, paper_id: str) -> PaperEntry:
        """Return the rows of a paper as an entry.

        Raises:
            InputError: The paper is not in the dataset.
        """
        if paper_id not in self._entries:
            self._refuse(paper_id)
        return self._entries[paper_id]

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """The first 16 hexadecimal digits of the SHA-256 of each paper's rows, by paper_id.

        Rows are in the order of their table, tests in that of their samples.
        """
        return {
            name: _sha256(json.dumps(entry.rows, sort_keys=True, ensure_ascii=False))[:16]
            for name, entry in self._entries.items()
        }

    @cached_property
    def _entries(self) -> Mapping[str, PaperEntry]:
        return split_papers(self.rows)

    def _refuse(self, paper_id: str) -> NoReturn:
        near = difflib.get_close_matches(paper_id, self.papers, n=1)
        hint = f"; nearest: {near[0]}" if near else ""
        msg = f"paper {paper_id!r}: no such paper_id in the dataset{hint}"
        raise InputError(msg)

    def group_of(self, paper_id: str) -> str:
        """Return the group that shares one unit of training and calibration weight."""
        paper = self.papers[paper_id]
        return COLLECTIONS.get(paper.via_doi, paper_id)

    def in_collection(self, paper_id: str) -> bool:
        """Whether a paper is known only through a data set that is a collection."""
        return self.papers[paper_id].via_doi in COLLECTIONS

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the cells of all tables in hexadecimal; the order of rows does not matter.

        All tables are those of the literature, and the reference tables that a model is trained
        with: ions, shells, their properties, cores, gaps.
        """
        ions, shells = self.reader.ions, self.reader.shells
        tables: dict[str, Sequence[Row]] = {
            **self.rows,
            "ions.csv": ions.rows,
            "shells.csv": shells.shell_rows,
            "shell_materials.csv": shells.property_rows,
            "cores.csv": self.cores,
            "gaps.csv": self.gaps,
        }
        content = {
            name: sorted(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows)
            for name, rows in tables.items()
        }
        return _sha256(json.dumps(content, sort_keys=True, ensure_ascii=False))

    @cached_property
    def known_cores(self) -> tuple[str, ...]:
        """Standard formulas of the exact cores, in the order of the table."""
        return _cores(self.samples)

    @cached_property
    def counts(self) -> dict[str, int]:
        """Numbers of papers, samples and tests."""
        return {
            "papers": len(self.papers),
            "samples": len(self.samples),
            "stability_tests": len(self.tests),
        }


def _build(
    rows: Mapping[str, tuple[Row, ...]],
    reader: FormulaReader,
    cores: tuple[Row, ...],
    gaps: tuple[Row, ...],
    distinct: frozenset[frozenset[str]] = frozenset(),
) -> Dataset:
    papers = {cells["paper_id"]: _paper(cells) for cells in rows[PAPERS.file]}
    samples = {cells["sample_id"]: _sample(cells, reader) for cells in rows[SAMPLES.file]}
    tests = tuple(_test(number, cells, samples) for number, cells in enumerate(rows[TESTS.file]))
    return Dataset(papers, samples, tests, _naming(reader, samples), cores, gaps, rows, distinct)


def _naming(reader: FormulaReader, samples: Mapping[str, Sample]) -> FormulaReader:
    """Return a reader that offers the cores of some samples where a text cannot be read."""
    return FormulaReader(reader.ions, reader.shells, _cores(samples))


def _cores(samples: Mapping[str, Sample]) -> tuple[str, ...]:
    cores = (sample.core.formula for sample in samples.values() if sample.core is not None)
    return tuple(dict.fromkeys(cores))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _paper(cells: Row) -> Paper:
    return Paper(
        paper_id=cells["paper_id"],
        doi=cells["doi"],
        via_doi=cells["via_doi"],
        year=int(cells["year"]) if cells["year"] else None,
        title=cells["title"],
        authors=cells["authors"],
        journal=cells["journal"],
        round=int(cells["round"]) if cells["round"] else None,
    )


def _sample(cells: Row, reader: FormulaReader) -> Sample:
    is_exact = cells["composition"] == "exact"
    measured = {column.stem: _measurement(cells, column) for column in SAMPLES.measured}
    return Sample(
        sample_id=cells["sample_id"],
        paper_id=cells["paper_id"],
        core_text=cells["core"],
        core=reader.read_core(cells["core"]) if is_exact else None,
        open_core=None if is_exact else reader.read_open(cells["core"]),
        layers=reader.read_shell(cells["shell"]),
        structure=cells["structure"],
        encapsulation=cells["encapsulation"],
        medium=cells["medium"],
        morphology=cells["morphology"] or MORPHOLOGIES[0],
        monolayers=SAMPLES["monolayers"].number(cells["monolayers"]),
        ligand=treatment("ligand", cells["ligand"]),
        dopant=treatment("dopant", cells["dopant"]),
        bare_sample_id=cells["bare_sample_id"],
        role=cells["role"],
        note=cells["note"],
        **measured,
    )


def _measurement(cells: Row, column: Column) -> Measurement:
    bound, low, high, quality = column.companions.values()
    return Measurement(
        value=column.number(cells[column.name]),
        bound=cells[bound],
        low=column.number(cells[low]),
        high=column.number(cells[high]),
        quality=cells[quality] or "printed",
    )


def _test(number: int, cells: Row, samples: Mapping[str, Sample]) -> StabilityTest:
    return StabilityTest(
        number=number,
        sample=samples[cells["sample_id"]],
        stressor=cells["stressor"],
        condition=cells["condition"],
        conditions={name: TESTS[name].number(cells[name]) for name in CONDITIONS},
        coated=_reading(cells, "coated"),
        bare=_reading(cells, "bare"),
        quality=cells["quality"] or "printed",
        shared_group="" if is_unknown(cells["shared_group"]) else cells["shared_group"],
    )


def _reading(cells: Row, side: str) -> Reading:
    names = ("duration_h", "percent", "percent_low", "percent_high")
    numbers = {name: TESTS[f"{side}_{name}"].number(cells[f"{side}_{name}"]) for name in names}
    return Reading(measure=cells["measure"], bound=cells[f"{side}_bound"], **numbers)
