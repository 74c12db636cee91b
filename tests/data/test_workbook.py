"""Excel workbooks: the cells as a person sees them."""

import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.spreadsheet import Sheet, read_sheet
from perovshell.data.workbook import read_workbook
from perovshell.errors import InputError, MissingExtraError

openpyxl = pytest.importorskip("openpyxl")
HEADER = ["core", "shell", "plqy"]


def saved(path: Path, *sheets: list[list[Any]], percent: tuple[str, ...] = ()) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets):
        sheet = book.create_sheet(f"S{number}")
        for row in rows:
            sheet.append(row)
        for cell in percent:
            sheet[cell].number_format = "0.0%"
    book.save(path)
    return path


def read(path: Path) -> Sheet:
    return read_sheet(path, lambda cells: {"core", "shell"} <= {*cells})


def test_cells_are_read_as_they_are_seen(tmp_path: Path) -> None:
    rows = [HEADER, ["CsPbBr3", " SiO2 ", 0.62], ["CsPbI3", "none", 71.5], ["FAPbBr3", None, "~80"]]
    sheet = read(saved(tmp_path / "in.xlsx", rows, percent=("C2",)))
    assert sheet.header == HEADER
    assert [row["plqy"] for row in sheet.rows] == ["62 %", "71.5", "~80"]
    assert [row["shell"] for row in sheet.rows] == ["SiO2", "none", ""]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12.0, "12"),
        (0.1 + 0.2, "0.3"),
        (1e-7, "0.0000001"),
        (True, "true"),
        (date(2026, 3, 4), "2026-03-04"),
        (datetime.fromisoformat("2026-03-04T12:30"), "2026-03-04 12:30:00"),
    ],
)
def test_a_value_is_written_as_it_is_seen(tmp_path: Path, value: Any, text: str) -> None:
    sheet = read(saved(tmp_path / "in.xlsx", [HEADER, ["CsPbBr3", "SiO2", value]]))
    assert sheet.rows[0]["plqy"] == text


@given(value=st.floats(0, 100))
def test_a_number_keeps_its_value(tmp_path_factory: pytest.TempPathFactory, value: float) -> None:
    path = tmp_path_factory.mktemp("book") / "in.xlsx"
    sheet = read(saved(path, [HEADER, ["CsPbBr3", "SiO2", value]]))
    assert float(sheet.rows[0]["plqy"]) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize("far", ["A1048576", "XFD1048576"])
def test_a_stray_cell_far_away_is_refused_at_once(tmp_path: Path, far: str) -> None:
    path = saved(tmp_path / "in.xlsx", [HEADER, ["CsPbBr3", "SiO2", 1]], percent=(far,))
    with pytest.raises(InputError, match=r"sheet 'S0': 1,048,576 rows and .* delete the rows and"):
        read(path)


def test_rows_keep_their_numbers_below_a_title_and_empty_rows(tmp_path: Path) -> None:
    rows = [["Batch of May"], [], HEADER, ["CsPbBr3", "SiO2", 1], [], ["CsPbI3", "SiO2", 2]]
    sheet = read(saved(tmp_path / "in.xlsx", rows))
    assert (sheet.row, sheet.numbers) == (3, [4, 6])


def test_the_one_sheet_with_the_columns_is_read(tmp_path: Path) -> None:
    rows = [HEADER, ["CsPbBr3", "SiO2", 1]]
    path = saved(tmp_path / "in.xlsx", [["Notes"], ["none"]], rows)
    assert read(path).rows == [{"core": "CsPbBr3", "shell": "SiO2", "plqy": "1"}]
    with pytest.raises(InputError, match="sheets 'S0', 'S1' have these columns"):
        read(saved(path, rows, rows))
    assert read(saved(path, [["Notes"]])) == Sheet(["Notes"], [], ";", 1)


def test_a_formula_without_its_value_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "in.xlsx", [HEADER, ["CsPbBr3", "SiO2", "=1+1"]])
    with pytest.raises(InputError, match=r"sheet 'S0', cell C2: a formula without a stored value"):
        read(path)


def test_the_reader_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(MissingExtraError, match=r"perovshell\[excel\]"):
        read_workbook("in.xlsx", b"")
