"""Predictions for CSV files."""

import csv
from pathlib import Path

import pytest

from perovshell.errors import InputError
from perovshell.model import Model
from perovshell.models.outputs import output_columns
from perovshell.serve.batch import cell, predict_file


def run(
    model: Model, folder: Path, text: str, *, rename_clashes: bool = False
) -> list[dict[str, str]]:
    (folder / "in.csv").write_text(text)
    predict_file(
        model, folder / "in.csv", folder / "out.csv",
        stressors=["water"], coverage=0.9, rename_clashes=rename_clashes,
    )  # fmt: skip
    with (folder / "out.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_given_columns_pass_through_in_front(model: Model, tmp_path: Path) -> None:
    rows = run(model, tmp_path, 'my note,core,shell\n"a, b",CsPbBr3,SiO2\n')
    assert list(rows[0]) == ["my note", "core", "shell", *output_columns(["water"])]
    assert rows[0]["my note"] == "a, b"


def test_numbers_survive_the_file(model: Model, tmp_path: Path) -> None:
    row = run(model, tmp_path, "core,shell\nCsPbBr3,SiO2\n")[0]
    answer = model.predict([{"core": "CsPbBr3", "shell": "SiO2"}], stressors=["water"])[0]
    for name, value in answer.items():
        if isinstance(value, float):
            assert float(row[name] or "nan") == pytest.approx(value, rel=0, nan_ok=True)


def test_a_row_that_cannot_be_answered_has_an_error_and_no_number(
    model: Model, tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("core,shell\nCsPbBr3,SiO2\nCsPbBr4,SiO2\nCsPbI3,PMMA\n")
    counts = predict_file(
        model, tmp_path / "in.csv", tmp_path / "out.csv",
        stressors=["water"], coverage=0.9, rename_clashes=False,
    )  # fmt: skip
    assert counts == (3, 1)
    with (tmp_path / "out.csv").open(newline="") as file:
        good, bad, last = csv.DictReader(file)
    assert "CsPbBr4" in bad["error"]
    assert not bad["pl_peak_nm"]
    assert not bad["half_life_h_water"]
    for row in (good, last):
        assert not row["error"]
        assert float(row["pl_peak_nm"]) > 300


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("core\nCsPbBr3\n", "in.csv, row 1, column shell: this column is missing"),
        ("core|shell\nCsPbBr3|SiO2\n", "missing; commas, semicolons or tabs separate cells"),
        ("core,shell\n", "in.csv, row 1: no rows below the header"),
        ("core;shell\n;\n", "in.csv, row 1: no rows below the header"),
        ("", "in.csv"),
        ("core,shell,error\nCsPbBr3,SiO2,x\n", "column error: has the name of an output"),
        ("Core,shell\nCsPbBr3,SiO2\n", "in.csv, row 1, column 'Core': .* rename it to 'core'"),
        ("sep=;\nCore;shell\n", "in.csv, row 2, column 'Core': .* rename it to 'core'"),
        ("Core,Medium,shell\n", "row 1, columns 'Core', 'Medium': not inputs; rename 'Core' to"),
        ("core,shell,core size\nCsPbBr3,SiO2,8\n", "'core size': .* rename it to 'core_size_nm'"),
    ],
)
def test_a_faulty_file_is_refused_and_nothing_written(
    model: Model, tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        run(model, tmp_path, text)
    assert not (tmp_path / "out.csv").exists()


def test_a_table_of_a_spreadsheet_is_answered_as_a_plain_one(model: Model, tmp_path: Path) -> None:
    (row,) = run(model, tmp_path, "core,shell,bare_plqy_percent,note\nCsPbBr3,SiO2,62.5,a\n")
    sheets = (
        "core;shell;bare_plqy_percent;note\nCsPbBr3;SiO2;62,5;a\n",
        "sep=;\r\ncore;shell;bare_plqy_percent;note;;\r\nCsPbBr3;SiO2;62,5;a;;\r\n;;;;;\r\n",
        "Batch 3\n\ncore\tshell\tbare_plqy_percent\tnote\nCsPbBr3\tSiO2\t62,5\ta\n",
    )
    for text in sheets:
        assert run(model, tmp_path, text) == [row]


def test_a_word_for_nothing_is_no_treatment(model: Model, tmp_path: Path) -> None:
    cells = ["", "none", "NA", "n/a", "-", "0", "FALSE", "DDAB"]
    text = "core,shell,ligand\n" + "".join(f"CsPbBr3,SiO2,{cell}\n" for cell in cells)
    *nothing, treated = [row["plqy_percent"] for row in run(model, tmp_path, text)]
    assert len(set(nothing)) == 1
    assert treated != nothing[0]


def test_a_clashing_column_is_kept_under_another_name(model: Model, tmp_path: Path) -> None:
    row = run(model, tmp_path, "core,shell,pl_peak_nm\nCsPbBr3,SiO2,515\n", rename_clashes=True)[0]
    assert row["given_pl_peak_nm"] == "515"
    assert float(row["pl_peak_nm"]) > 300


def test_two_columns_cannot_become_one(model: Model, tmp_path: Path) -> None:
    text = "core,shell,pl_peak_nm,given_pl_peak_nm\nCsPbBr3,SiO2,515,1\n"
    with pytest.raises(InputError, match=r"cannot be kept, given_\.\.\. stands already"):
        run(model, tmp_path, text, rename_clashes=True)


def test_a_target_that_cannot_be_written_is_named(model: Model, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("core,shell\nCsPbBr3,SiO2\n")
    with pytest.raises(InputError, match=r"nowhere/out\.csv: cannot be written"):
        predict_file(
            model, tmp_path / "in.csv", tmp_path / "nowhere" / "out.csv",
            stressors=["water"], coverage=0.9, rename_clashes=False,
        )  # fmt: skip


def test_lists_are_one_cell_that_can_be_split_again(model: Model, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("core,shell\nCsPbBr3,SiO2\nXX,SiO2\n")
    predict_file(
        model, tmp_path / "in.csv", tmp_path / "out.csv",
        stressors=["sonication"], coverage=0.9, rename_clashes=False, reasons=True,
    )  # fmt: skip
    with (tmp_path / "out.csv").open(newline="") as file:
        row, unread = csv.DictReader(file)
    request = {"core": "CsPbBr3", "shell": "SiO2"}
    [answer] = model.predict([request], stressors=["sonication"])
    for name in ("domain_reasons", "notes", "measured"):
        assert row[name].split(" | ") == answer[name]
        assert unread[name] == ""
    sentences = [reason.sentence for reason in model.explain(request, stressors=["sonication"])]
    assert row["reasons"].split(" | ") == sentences


def test_cells() -> None:
    given = [True, float("nan"), float("inf"), 0.1, 5, "text", ["a", "b"], []]
    assert [cell(value) for value in given] == ["true", "", "inf", "0.1", "5", "text", "a | b", ""]


def test_the_input_or_a_file_of_the_model_is_no_output(model: Model, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("core,shell\nCsPbBr3,SiO2\n")
    (tmp_path / "link.csv").symlink_to(source)
    for target in (source, tmp_path / "link.csv", model.folder / "model.json"):
        before = target.read_bytes()
        with pytest.raises(InputError, match=r"is an input .* and would be overwritten"):
            predict_file(
                model, source, target, stressors=["water"], coverage=0.9, rename_clashes=False
            )
        assert target.read_bytes() == before


def test_answers_follow_a_link_and_keep_a_mode(model: Model, tmp_path: Path) -> None:
    (tmp_path / "private.csv").touch(0o600)
    (tmp_path / "out.csv").symlink_to("private.csv")
    run(model, tmp_path, "core,shell\nCsPbBr3,SiO2\n")
    assert (tmp_path / "out.csv").is_symlink()
    assert (tmp_path / "private.csv").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "private.csv").read_text().startswith("core,shell,")
