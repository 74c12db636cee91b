"""The declaration of the tables' columns, and what follows from it."""

from pathlib import Path

import pytest

from perovshell.data.columns import COMPANIONS, PAPERS, SAMPLES, TABLES, TESTS, Column
from perovshell.data.records import Measurement, Sample
from perovshell.data.tables import bundled, read_table

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "columns.md"
EVERY = [(table, column) for table in TABLES.values() for column in table.columns]


def test_names_stand_once_in_a_table() -> None:
    for table in TABLES.values():
        assert len(set(table.names)) == len(table.names)


@pytest.mark.parametrize("file", TABLES)
def test_the_bundled_tables_have_the_declared_columns(file: str) -> None:
    header, _ = read_table(bundled("literature", file))
    assert tuple(header) == TABLES[file].names


def test_the_numbers_of_a_sample_that_were_measured_have_companions() -> None:
    assert {column.name: column.stem for column in SAMPLES.measured} == {
        "core_size_nm": "core_size",
        "shell_thickness_nm": "shell_thickness",
        "pl_peak_nm": "pl_peak",
        "fwhm_nm": "fwhm",
        "plqy_percent": "plqy",
    }
    for column in SAMPLES.measured:
        assert Sample.__annotations__[column.stem] == Measurement.__name__
        assert [name.rpartition("_")[2] for name in column.companions.values()] == [*COMPANIONS]
        assert set(column.companions.values()) <= SAMPLES.by_name.keys()
        for end in ("low", "high"):
            assert SAMPLES[column.companions[end]].limits == column.limits


@pytest.mark.parametrize(
    ("column", "text", "rule"),
    [
        (PAPERS["doi"], "jacs.7b11003", "a DOI such as 10.1021/jacs.7b11003"),
        (PAPERS["year"], "2018", ""),
        (PAPERS["year"], "2018.0", "a whole number from 1990 to 2100, or empty"),
        (SAMPLES["medium"], "", "one of solution, film, powder, water, unknown"),
        (SAMPLES["morphology"], "", ""),
        (SAMPLES["pl_peak_nm"], "", ""),
        (SAMPLES["pl_peak_nm"], "1e3", ""),
        (SAMPLES["pl_peak_nm"], "nan", "a number from 200 to 2000 nm, or empty"),
        (SAMPLES["monolayers"], "101", "a whole number from 1 to 100, or empty"),
        (TESTS["quality"], "verbal", ""),
        (TESTS["note"], "anything", ""),
    ],
)
def test_the_rule_that_a_cell_breaks(column: Column, text: str, rule: str) -> None:
    assert column.fault(text) == rule


def test_rows_are_filled_with_empty_cells() -> None:
    (row,) = PAPERS.filled([{"paper_id": "smith2026"}])
    assert row == {**dict.fromkeys(PAPERS.names, ""), "paper_id": "smith2026"}


def test_the_page_of_columns_names_every_column() -> None:
    text = PAGE.read_text()
    assert [c.name for _, c in EVERY if f"`{c.name}`" not in text] == []


@pytest.mark.parametrize(
    ("column", "text", "word"),
    [
        (TESTS["stressor"], "acid", "other"),
        (TESTS["stressor"], "UV", "light"),
        (TESTS["stressor"], "UV light", "light"),
        (TESTS["stressor"], "isopropanol", "polar-solvent"),
        (TESTS["stressor"], "RH", "humidity"),
        (TESTS["stressor"], "thermal", "heat"),
        (TESTS["stressor"], "shelf", "ambient"),
        (TESTS["stressor"], "ultrasound", "sonication"),
        (TESTS["stressor"], "water vapor", "water or humidity"),
        (TESTS["measure"], "PLQY", "remnant PLQY"),
        (TESTS["measure"], "T80", "time to failure"),
        (SAMPLES["structure"], "composite", "matrix"),
        (SAMPLES["structure"], "Core-Shell", "core/shell"),
        (SAMPLES["encapsulation"], "single", "single-particle"),
        (SAMPLES["medium"], "toluene", "solution"),
        (SAMPLES["morphology"], "quantum dots", "nanocrystal"),
        (SAMPLES["morphology"], "rod", "nanowire"),
        (SAMPLES["role"], "STE", "other"),
        (SAMPLES["plqy_quality"], "up to", "best value"),
        (SAMPLES["composition"], "unstated", "open"),
    ],
)
def test_word_of_a_paper_is_answered_with_the_word_of_the_column(column, text, word):
    assert column.fault(text) == f"{column.allowed}; write {word}"


def test_word_without_a_meaning_gets_no_advice():
    assert TESTS["stressor"].fault("colour") == TESTS["stressor"].allowed
