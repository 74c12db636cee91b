"""The columns of the literature tables: readers, writers and checks follow this declaration."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final, Literal, TypeAlias

from perovshell.data import vocabulary as words
from perovshell.data.tables import Row, plain_number
from perovshell.texts import listed

Kind: TypeAlias = Literal["identity", "reference", "formula", "text", "doi", "word", "number"]
_DOI: Final = re.compile(r"10\.\d{4,9}/\S+")
_IDENTITY: Final = re.compile(r"[^\s,;|]+")
_RULES: Final = {
    "identity": "an identity without blanks, commas, ';' or '|', such as smith2026",
    "doi": "a DOI such as 10.1021/jacs.7b11003",
}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Its name, in a table and as a key of a paper file.
        kind: `identity` names the row, `reference` another row; a `formula` is that of a core or a
            shell; the other kinds tell the content of a cell.
        description: Its content, in one sentence.
        words: The allowed texts of a `word`; an empty text among them may be left out.
        limits: Smallest and largest value of a `number`.
        unit: Unit of a `number`.
        is_whole: Whether a `number` has no decimals.
        stem: Begins the names of the columns that say how well a `number` is known (see
            `companions`); empty where there are none.
        is_needed: Whether a table must have it; others may be left out, and are then empty.
    """

    name: str
    kind: Kind
    description: str
    words: tuple[str, ...] = ()
    limits: tuple[float, float] = (-math.inf, math.inf)
    unit: str = ""
    is_whole: bool = False
    stem: str = ""
    is_needed: bool = False

    @property
    def companions(self) -> dict[str, str]:
        """Names of the columns of bound, low, high and quality, by what they hold."""
        return {part: f"{self.stem}_{part}" for part in COMPANIONS} if self.stem else {}

    @property
    def allowed(self) -> str:
        """What a cell may hold, in words."""
        if self.kind == "word":
            return f"one of {', '.join(word or '(empty)' for word in self.words)}"
        if self.kind == "number":
            (low, high), unit = self.limits, "" if self.unit == "1" else f" {self.unit}"
            return f"a {'whole ' * self.is_whole}number from {low:g} to {high:g}{unit}, or empty"
        what = self.description[0].lower() + self.description[1:].rstrip(".")
        return _RULES.get(self.kind, what)

    def fault(self, text: str) -> str:
        """Return what is allowed where a cell breaks it by itself; else an empty text.

        Example:
            >>> SAMPLES["medium"].fault("space")
            'one of solution, film, powder, water, unknown'
            >>> SAMPLES["medium"].fault("toluene")
            'one of solution, film, powder, water, unknown; write solution'
            >>> SAMPLES["pl_peak_nm"].fault("2.4")
            'a number from 200 to 2000 nm, or empty'
        """
        if self._allows(text):
            return ""
        meant = words.meant_words(text, self.words) if self.kind == "word" else []
        return f"{self.allowed}; write {listed(meant, 'or')}" if meant else self.allowed

    def _allows(self, text: str) -> bool:
        if self.kind == "word":
            return text in self.words
        if self.kind == "identity":
            return _IDENTITY.fullmatch(text) is not None and not words.is_unknown(text)
        if self.kind == "doi" and text:
            return _DOI.fullmatch(text) is not None
        if self.kind == "number" and text:
            low, high = self.limits
            return low <= plain_number(text) <= high and (text.isdigit() or not self.is_whole)
        return True

    def is_unknown(self, text: str) -> bool:
        """Return whether a text only says that the cell is not known, as `n/a` does.

        Example:
            >>> [SAMPLES[name].is_unknown("none") for name in ("pl_peak_nm", "note")]
            [True, False]
        """
        has_rule = self.kind in {"word", "number", "doi", "reference"}
        return has_rule and text not in self.words and words.is_unknown(text)

    def number(self, text: str) -> float:
        """Return the number of a cell; NaN where it is empty or breaks a rule."""
        return math.nan if self.fault(text) else plain_number(text)


@dataclass(frozen=True)
class Table:
    """One table of the literature.

    Attributes:
        file: Its file name.
        columns: Its columns, in order.
    """

    file: str
    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}

    @cached_property
    def measured(self) -> tuple[Column, ...]:
        """The numbers that have companions."""
        return tuple(column for column in self.columns if column.stem)

    def __getitem__(self, name: str) -> Column:
        """Return a column by name."""
        return self.by_name[name]

    def missing(self, header: Sequence[str]) -> list[str]:
        """Return the needed columns that a header leaves out."""
        return [
            column.name for column in self.columns if column.is_needed and column.name not in header
        ]

    def without_unknown_words(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows with empty cells where an optional one only says that it is not known."""
        optional = {column.name: column for column in self.columns if not column.is_needed}
        return [
            {
                name: "" if name in optional and optional[name].is_unknown(cell) else cell
                for name, cell in row.items()
            }
            for row in rows
        ]

    def filled(self, rows: Sequence[Row]) -> list[Row]:
        """Return rows with an empty cell in each column that they leave out."""
        return [dict.fromkeys(self.names, "") | row for row in rows]


COMPANIONS: Final = ("bound", "low", "high", "quality")
"""What says how well a number is known: its sign, the ends of a printed range, its quality."""


def _word(name: str, allowed: tuple[str, ...], description: str, *, needed: bool = False) -> Column:
    return Column(name, "word", description, words=allowed, is_needed=needed)


def _number(name: str, unit: str, low: float, high: float, description: str) -> Column:
    return Column(name, "number", description, limits=(low, high), unit=unit)


def _whole(name: str, low: int, high: int, description: str) -> Column:
    return replace(_number(name, "1", low, high, description), is_whole=True)


def _measured(
    stem: str, suffix: str, unit: str, limits: tuple[float, float], what: str
) -> tuple[Column, ...]:
    """Return the columns of a number with its companions."""
    end = "The {} end of a printed range of the " + what + "."
    value = f"The {what}; the middle where a range is printed."
    return (
        replace(_number(f"{stem}_{suffix}", unit, *limits, value), stem=stem),
        _word(f"{stem}_bound", words.BOUNDS, f"The sign before the {what}."),
        _number(f"{stem}_low", unit, *limits, end.format("lower")),
        _number(f"{stem}_high", unit, *limits, end.format("upper")),
        _word(f"{stem}_quality", words.QUALITIES, f"How the {what} was stated; empty is printed."),
    )


def _side(side: str, what: str) -> tuple[Column, ...]:
    """Return the columns of one side of a stability test."""
    left = (0.0, 1000.0)
    return (
        _number(f"{side}_duration_h", "h", 1e-6, 1e7, f"How long the {what} was tested."),
        _number(f"{side}_percent", "%", *left, f"What was left of the {what}'s emission."),
        _number(f"{side}_percent_low", "%", *left, "The lower end of a printed range."),
        _number(f"{side}_percent_high", "%", *left, "The upper end of a printed range."),
        _word(f"{side}_bound", words.BOUNDS, "The sign before the percent, or time to failure."),
    )


PAPERS: Final = Table(
    "papers.csv",
    (
        Column("paper_id", "identity", "A short name of the paper.", is_needed=True),
        Column("doi", "doi", "The study's DOI."),
        Column("via_doi", "doi", "DOI of the review or data set that the numbers were read in."),
        _whole("year", 1990, 2100, "Year of publication."),
        Column("title", "text", "Its title."),
        Column(
            "authors", "text", "Its authors: Family, Given; Family, Given; et al. where cut short."
        ),
        Column("journal", "text", "The journal."),
        Column("source", "text", "What was read: primary text, primary abstract, ..."),
        _whole(
            "round", 1, 99, "The collection it was bundled with; empty for papers of a workspace."
        ),
        Column("note", "text", "Remarks; never read for facts."),
    ),
)
SAMPLES: Final = Table(
    "samples.csv",
    (
        Column("sample_id", "identity", "Its name in the dataset.", is_needed=True),
        Column("paper_id", "reference", "Its paper.", is_needed=True),
        Column("core", "formula", "Formula of the core, such as CsPbBr3.", is_needed=True),
        _word(
            "composition",
            words.COMPOSITIONS,
            "Whether the paper states all amounts of the core.",
            needed=True,
        ),
        Column(
            "shell", "formula", "Layers from the inside out, as CdS|Al2O3, or none.", is_needed=True
        ),
        _word("structure", words.STRUCTURES, "How core and shell are arranged.", needed=True),
        _word("encapsulation", words.ENCAPSULATIONS, "How many cores share a shell.", needed=True),
        _word("medium", words.MEDIA, "In what the emission was measured.", needed=True),
        _word("morphology", ("", *words.MORPHOLOGIES), "Its shape; empty is a nanocrystal."),
        *_measured("core_size", "nm", "nm", (0.3, 10_000.0), "core size"),
        _whole("monolayers", 1, 100, "Layers of octahedra in a nanoplatelet."),
        *_measured("shell_thickness", "nm", "nm", (0.1, 100_000.0), "shell thickness"),
        Column("ligand", "text", "A special ligand or post-treatment; empty is none."),
        Column("dopant", "text", "A dopant that the formula does not hold; empty is none."),
        *_measured("pl_peak", "nm", "nm", (200.0, 2000.0), "PL peak"),
        *_measured("fwhm", "nm", "nm", (1.0, 1000.0), "full width at half maximum"),
        *_measured("plqy", "percent", "%", (0.0, 300.0), "PL quantum yield"),
        Column("bare_sample_id", "reference", "The uncoated sample it is compared with."),
        _word("role", words.ROLES, "What emits.", needed=True),
        Column("note", "text", "Remarks; never read for facts."),
    ),
)
TESTS: Final = Table(
    "stability.csv",
    (
        Column("sample_id", "reference", "The sample that was tested.", is_needed=True),
        _word("stressor", words.STRESSORS, "What was done to it.", needed=True),
        _word("measure", words.MEASURES, "What was measured.", needed=True),
        Column("condition", "text", "The conditions in the paper's words."),
        _number("temperature_c", "deg C", -273.15, 2000.0, "Temperature."),
        _number("humidity_percent", "%", 0.0, 100.0, "Relative humidity."),
        _number("irradiance_mw_cm2", "mW/cm2", 0.0, 1e9, "Irradiance."),
        _number("wavelength_nm", "nm", 100.0, 20_000.0, "Wavelength of the light."),
        *_side("coated", "coated sample"),
        *_side("bare", "uncoated sample"),
        _word("quality", words.QUALITIES, "How the test was stated; empty is printed."),
        Column("shared_group", "text", "A name that tests of one experiment share."),
        Column("note", "text", "Remarks; never read for facts."),
    ),
)
GAPS: Final = Table(
    "gaps.csv",
    (
        Column("formula", "formula", "Formula of the halide.", is_needed=True),
        _number("band_gap_ev", "eV", 0.1, 15.0, "Its optical band gap."),
        Column("form", "text", "What was measured: thin film, single crystal, powder, ..."),
        Column("method", "text", "How it was measured."),
        Column("reference", "text", "The study: a DOI, or first author and year."),
        Column("source_url", "text", "Where the number was read.", is_needed=True),
        Column("licence", "text", "Licence of that table."),
    ),
)
"""The reference table of measured band gaps."""
TABLES: Final[Mapping[str, Table]] = {table.file: table for table in (PAPERS, SAMPLES, TESTS)}
"""The tables by file name."""
