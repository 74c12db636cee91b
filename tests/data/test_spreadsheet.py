"""Tables as spreadsheets write them: read in one way, or refused with the line."""

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.spreadsheet import Sheet, read_sheet
from perovshell.errors import InputError

ROWS = [
    {"core": "CsPbBr3", "shell": "SiO2", "plqy": "62,5"},
    {"core": "CsPbI3", "shell": "none", "plqy": ""},
]
TEXT = "core;shell;plqy\nCsPbBr3;SiO2;62,5\nCsPbI3;none;\n"
EQUAL = {
    "semicolons": TEXT,
    "tabs": TEXT.replace(";", "\t"),
    "commas": 'core,shell,plqy\nCsPbBr3,SiO2,"62,5"\nCsPbI3,none,\n',
    "line with the separator": f"sep=;\n{TEXT}",
    "quoted line with the separator": f'"SEP=;"\r\n{TEXT}',
    "line with a tab": "sep=\t\n" + TEXT.replace(";", "\t"),
    "CRLF": TEXT.replace("\n", "\r\n"),
    "CR": TEXT.replace("\n", "\r"),
    "no last line end": TEXT.strip(),
    "empty lines at the end": f"{TEXT}\n\n;;\n",
    "empty rows inside": TEXT.replace("CsPbI3", ";;\n\nCsPbI3"),
    "empty columns": TEXT.replace("\n", ";;\n"),
    "empty column in front": re.sub("^(?=.)", ";", TEXT, flags=re.MULTILINE),
    "more empty cells than columns": TEXT.replace("62,5", "62,5;;"),
    "title": f"Candidates of batch 3\n{TEXT}",
    "title with empty cells, and an empty line": f"Candidates;;\n\n{TEXT}",
    "title below the line with the separator": f"sep=;\nCandidates, batch 3\n{TEXT}",
    "quotes": 'core;"shell";plqy\n"CsPbBr3";SiO2;"62,5"\nCsPbI3;none;""\n',
    "blanks": TEXT.replace(";", " ; "),
}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]


def is_header(cells: list[str]) -> bool:
    return {"core", "shell"} <= {cell.casefold() for cell in cells}


def sheet_of(folder: Path, content: str | bytes, encoding: str = "utf-8") -> Sheet:
    path = folder / "in.csv"
    path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
    return read_sheet(path, is_header)


@pytest.mark.parametrize("text", EQUAL.values(), ids=EQUAL)
def test_what_a_spreadsheet_writes_is_read(tmp_path: Path, text: str) -> None:
    sheet = sheet_of(tmp_path, text)
    assert (sheet.header, sheet.rows) == (["core", "shell", "plqy"], ROWS)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("text", [EQUAL["commas"], EQUAL["tabs"], EQUAL["title"]])
def test_encodings_are_told_apart(tmp_path: Path, text: str, encoding: str) -> None:
    noted = text.replace("none", "20 °C – Größe 8 Å")
    assert sheet_of(tmp_path, noted, encoding).rows[1]["shell"] == "20 °C – Größe 8 Å"


def test_the_row_of_the_header_is_counted_in_the_file(tmp_path: Path) -> None:
    assert sheet_of(tmp_path, TEXT).row == 1
    assert sheet_of(tmp_path, f"sep=;\nTitle\n\n{TEXT}").row == 4


def test_one_column_without_a_name_is_kept(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, ",core,shell\n0,CsPbBr3,SiO2\n")
    assert sheet.rows == [{"": "0", "core": "CsPbBr3", "shell": "SiO2"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"in\.csv: the file is empty"),
        ("\n\n", r"in\.csv: the file is empty"),
        ("core,shell,core\na,b,c\n", r"in\.csv: column 'core' is given twice in the header"),
        ("core,shell\na,b\nc\n", r"row 3: 1 cells where the header has 2; commas separate cells"),
        ("core;shell\na;b;c\n", r"row 2: 3 cells where the header has 2; semicolons separate"),
        ("sep=;\ncore;shell\na;b;c\n", r"row 3: 3 cells where the header has 2"),
        (",,core,shell\n1,2,a,b\n", r"row 1: 2 columns with cells have no name"),
        ("Batch 3,2024\ncore,shell\na,b\n", r"row 1: the column names are in row 2; remove the"),
        ('core,shell\n"a,b\n', r"in\.csv: not a CSV table \(line 2: unexpected end of data\)"),
        ("核,壳\ncore,shell\n".encode("gbk"), r"row 1: text of an unknown encoding \(byte 0\)"),
        ("core,shell\na,соль\n".encode("cp1251"), r"row 2: text of an unknown encoding"),
        (b"core,shell\na,b\nc,\x81\n", r"row 3: text of an unknown encoding \(byte 17\)"),
        (b"\xff\xfec\0o\0r", r"text of an unknown encoding"),
        (
            b"PK\x03\x04\x14\0",
            r"in\.csv: cannot be read as an Excel workbook .*; save it as CSV",
        ),
        ('"x\ncore,shell\n"\na,b\n', r"quotes enclose the line of the column names; remove those"),
        (b"\xd0\xcf\x11\xe0", r"in\.csv: an old or encrypted workbook; save it as \.xlsx"),
    ],
)
def test_what_can_be_read_in_several_ways_is_refused(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        sheet_of(tmp_path, content)
    assert "\n" not in str(refused.value)


def test_a_table_without_the_wanted_columns_has_a_header_alone(tmp_path: Path) -> None:
    sheet = sheet_of(tmp_path, "core;medium\nCsPbBr3;film\n")
    assert (sheet.header, sheet.rows, sheet.separator) == (["core", "medium"], [], ";")


def test_a_line_that_is_too_long_for_a_cell_is_no_header(tmp_path: Path) -> None:
    assert sheet_of(tmp_path, "a" * 200_000).header == []
    with pytest.raises(InputError, match=r"in\.csv: not a CSV table \(line 1: field larger"):
        sheet_of(tmp_path, f"{'a' * 200_000}\n{TEXT}")


@pytest.mark.parametrize(
    ("separator", "cell", "read"),
    [
        (";", "62,5", "62.5"),
        (";", "-3,125", "-3.125"),
        (";", "1.234,5", "1.234,5"),
        (";", "1,2,3", "1,2,3"),
        ("\t", "62,5", "62.5"),
        ("\t", "0,125", "0.125"),
        ("\t", "1,234", "1,234"),
        (",", "62,5", "62.5"),
        (",", "1,234", "1,234"),
        (",", "n/a", "n/a"),
    ],
)
def test_decimal_commas_become_points_where_they_are_no_thousands(
    separator: str, cell: str, read: str
) -> None:
    sheet = Sheet(["plqy", "note"], [{"plqy": cell, "note": cell}], separator, 1)
    assert sheet.with_decimal_points(["plqy"]).rows == [{"plqy": read, "note": cell}]


CELLS = st.text("abc ,;\t\"'°é", max_size=6).map(str.strip)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_rows_survive_any_separator(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], separator: str
) -> None:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([("core", "shell"), *cells])
    sheet = sheet_of(tmp_path_factory.mktemp("sheet"), text.getvalue(), "utf-16")
    assert [(row["core"], row["shell"]) for row in sheet.rows] == [c for c in cells if any(c)]


def test_a_dotted_thousand_beside_decimal_commas_is_refused() -> None:
    sheet = Sheet(["size", "plqy"], [{"size": "1.234", "plqy": "62,5"}], ";", 1)
    with pytest.raises(
        InputError, match=r"column 'size': .* beside decimal commas may be a thousa"
    ):
        sheet.with_decimal_points(["size", "plqy"])
    assert sheet.with_decimal_points(["size"]).rows[0]["size"] == "1.234"
