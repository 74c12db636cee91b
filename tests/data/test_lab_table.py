"""A laboratory's table of any columns, read by a mapping of them."""

from pathlib import Path

import pytest

from perovshell.data.formula import FormulaReader
from perovshell.data.lab_table import allowed_keys, read_lab_table, read_mapping
from perovshell.data.paper_entry import PaperEntry
from perovshell.errors import DocumentError, InputError

TABLE = """Batch;Kern;Hülle;QY (%);λ em;Wasser (%);ohne Hülle (%)
1;CsPbBr3;SiO2;71,5;2.42 eV;80 ± 3;20
2;CsPbBr3;SiO2;~68;513,5;77;
3;CsPbBr3;none;55;511;15;
"""
MAP = """
paper_id: ourlab2026
year: 2026
title: "Silica batches of spring 2026"
columns:
  core: Kern
  shell: Hülle
  plqy_percent: QY (%)
  pl_peak_nm: λ em
  water.coated.percent: Wasser (%)
  water.bare.percent: ohne Hülle (%)
same:
  medium: solution
  structure: core/shell
  water.condition: stirred
  water.coated.duration: 7 d
  water.bare.duration: 7 d
"""
READER = FormulaReader.bundled()


def read(folder: Path, table: str = TABLE, mapping: str = MAP) -> PaperEntry:
    (folder / "lab.csv").write_text(table, encoding="utf-8")
    (folder / "map.yaml").write_text(mapping, encoding="utf-8")
    return read_lab_table(folder / "lab.csv", read_mapping(folder / "map.yaml"), READER)


def test_each_row_is_a_sample_of_one_campaign(tmp_path: Path) -> None:
    entry = read(tmp_path)
    assert entry.paper_id == "ourlab2026"
    assert [row["sample_id"] for row in entry.samples] == [
        f"ourlab2026-row{number}" for number in (1, 2, 3)
    ]
    first, second, bare = entry.samples
    assert (first["plqy_percent"], first["pl_peak_nm"]) == ("71.5", "512.331")
    assert (second["plqy_percent"], second["plqy_bound"]) == ("68", "~")
    assert (first["medium"], first["structure"]) == ("solution", "core/shell")
    assert (bare["structure"], bare["shell"]) == ("bare", "none")


def test_the_readings_of_a_row_are_those_it_has(tmp_path: Path) -> None:
    first, second, bare = read(tmp_path).tests
    assert (first["coated_percent"], first["coated_percent_low"]) == ("80", "77")
    assert (first["bare_percent"], first["condition"]) == ("20", "stirred")
    assert (second["coated_percent"], second["bare_duration_h"]) == ("77", "")
    assert (bare["coated_percent"], bare["bare_percent"]) == ("", "15")


def test_a_fault_has_the_row_and_the_column_of_the_table(tmp_path: Path) -> None:
    table = TABLE.replace("2;CsPbBr3;SiO2;~68", "2;CsPbBr;mud;much")
    with pytest.raises(DocumentError) as caught:
        read(tmp_path, table)
    places = {(fault.row, fault.column) for fault in caught.value.faults}
    assert places == {(3, "Kern"), (3, "Hülle"), (3, "QY (%)")}


def test_a_fault_of_a_test_has_the_column_of_its_side(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as caught:
        read(tmp_path, TABLE.replace("80 ± 3", "gone"))
    (fault,) = caught.value.faults
    assert (fault.row, fault.column, fault.value) == (2, "Wasser (%)", "gone")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("core: Kern", "core: Kerne", "lab.csv: no column 'Kerne'"),
        ("  core: Kern", "  cores: Kern", "unknown key; nearest: core"),
        ("paper_id: ourlab2026", "", "key paper_id: missing"),
        ("  water.condition", "  wasser.condition", "unknown key"),
    ],
)
def test_a_mapping_at_fault_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, mapping=MAP.replace(old, new, 1))
    assert message in str(caught.value)


def test_a_mapping_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.yaml: cannot be read"):
        read_mapping(tmp_path / "none.yaml")


def test_all_keys_of_samples_and_tests_are_allowed() -> None:
    keys = {*allowed_keys()}
    assert {"core", "ligand", "core_size_nm", "fwhm_nm", "polar-solvent.bare.duration"} <= keys
    assert "water.coated" not in keys


def test_a_workbook_is_a_table_too(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for line in TABLE.replace(",", ".").splitlines():
        book.active.append(line.split(";"))
        book.active.append([])
    book.save(tmp_path / "lab.xlsx")
    (tmp_path / "map.yaml").write_text(MAP, encoding="utf-8")
    mapping = read_mapping(tmp_path / "map.yaml")
    entry = read_lab_table(tmp_path / "lab.xlsx", mapping, READER)
    assert entry.rows == read(tmp_path).rows
    assert sorted(set(entry.lines.values())) == [3, 5, 7]


def test_empty_rows_count_as_rows_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(DocumentError) as refused:
        read(tmp_path, TABLE.replace("3;CsPbBr3;none", "\n\n3;CsPbBr9;none"))
    assert refused.value.faults[0].row == 6
