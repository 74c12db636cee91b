"""Rows of requests as dictionaries or DataFrames; other things are refused."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from perovshell.errors import InputError
from perovshell.model import Model
from perovshell.models.frames import to_record, to_records

ROW = {"core": "CsPbBr3", "shell": "SiO2"}
FRAME = pd.DataFrame([ROW])


class Frame:
    """A table like that of polars."""

    columns = ("core",)

    def to_dicts(self) -> list[dict[str, str]]:
        return [ROW]


class ArrowTable:
    """A table like that of pyarrow."""

    def to_pylist(self) -> list[dict[str, str]]:
        return [ROW]


NO_TABLES: dict[str, tuple[Any, str]] = {
    "dictionary": (ROW, r"rows: a single dictionary; write \[row\]"),
    "row of a frame": (FRAME.iloc[0], r"rows: a Series; write \[row.to_dict\(\)\]"),
    "column of a frame": (FRAME["core"], "rows: a Series"),
    "string": (
        "CsPbBr3",
        "rows: 'CsPbBr3'; a list of dictionaries or a pandas DataFrame is needed",
    ),
    "none": (None, "rows: None; a list of dictionaries"),
    "number": (5, "rows: 5; a list of dictionaries"),
    "tuples": ([("CsPbBr3", "SiO2")], r"rows\[0\]: a tuple; a list of dictionaries"),
    "strings": ([ROW, "CsPbBr3"], r"rows\[1\]: 'CsPbBr3'; a list of dictionaries"),
    "rows of a frame": ([FRAME.iloc[0]], r"rows\[0\]: a Series; a list of dictionaries"),
    "array": (np.zeros((2, 2)), r"rows\[0\]: a ndarray; a list of dictionaries"),
    "array of no axis": (np.array(5.0), "rows: a ndarray; a list of dictionaries"),
    "structured array": (FRAME.to_records(), r"rows: a recarray; write pandas.DataFrame\(rows\)"),
    "columns": ({"core": ["CsPbBr3"]}, r"rows: a single dictionary; write pandas.DataFrame"),
    "set": ({"CsPbBr3"}, r"rows\[0\]: 'CsPbBr3'; a list of dictionaries"),
    "named tuples": (list(FRAME.itertuples()), r"rows\[0\]: a Pandas; a list of dictionaries"),
    "another frame": (Frame(), r"rows: a Frame; write rows.to_dicts\(\)"),
    "another table": (ArrowTable(), r"rows: a ArrowTable; write rows.to_pylist\(\)"),
    "huge number": (10**5000, "rows: a whole number of .* bits"),
    "long text": ("x" * 5000, r"rows: 'x{39}\.\.\.; a list"),
}


@pytest.mark.parametrize(("rows", "message"), NO_TABLES.values(), ids=NO_TABLES)
def test_what_is_no_table_of_rows_is_refused(model: Model, rows: Any, message: str) -> None:
    for ask in (model.predict, model.answer):
        with pytest.raises(InputError, match=message):
            ask(rows)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([ROW, {**ROW, "Medium": "film"}], "column 'Medium': not an input; rename it to 'medium'"),
        (
            [{**ROW, "core_size": 8}],
            "column 'core_size': not an input; rename it to 'core_size_nm'",
        ),
        (FRAME.assign(bare_plqy=50), "column 'bare_plqy': .* 'bare_plqy_percent'"),
        (
            FRAME.rename(columns={"core": "Core"}),
            "column 'Core': not an input; rename it to 'core'",
        ),
        (FRAME[["core"]], "column 'shell' is missing; needed: core, shell"),
        (pd.concat([FRAME, FRAME[["core"]]], axis=1), "column 'core' occurs 2 times"),
    ],
)
def test_a_column_that_would_be_ignored_silently_is_refused(
    model: Model, rows: Any, message: str
) -> None:
    for ask in (model.predict, model.answer):
        with pytest.raises(InputError, match=message):
            ask(rows)


def test_a_row_to_explain_is_a_dictionary_of_inputs(model: Model) -> None:
    with pytest.raises(InputError, match="row: a Series; a dictionary is needed"):
        model.explain(FRAME.iloc[0])
    with pytest.raises(InputError, match="row: a list; a dictionary is needed"):
        model.explain([ROW])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="rename it to 'temperature_c'"):
        model.explain({**ROW, "temperature": 60})


def test_other_columns_are_ignored(model: Model) -> None:
    rows = [{**ROW, "sample": "A7", 5: "x", ("a", "b"): 1}]
    assert model.predict(rows) == model.predict([ROW])
    assert to_record(rows[0]) is rows[0]
    assert model.predict(FRAME.assign(sample="A7")).equals(model.predict(FRAME))


def test_any_iterable_of_dictionaries_is_a_table() -> None:
    assert to_records(row for row in (ROW, ROW)) == [ROW, ROW]
    assert to_records(()) == []


def test_lists_are_one_text_in_a_frame(model: Model) -> None:
    [answer] = model.predict([ROW], stressors=["sonication"])
    cells = model.predict(FRAME, stressors=["sonication"]).iloc[0]
    for name in ("domain_reasons", "notes", "measured"):
        assert answer[name]
        assert cells[name].split(" | ") == answer[name]
    assert model.predict(FRAME, stressors=["water"])["domain_reasons"].tolist() == [""]
