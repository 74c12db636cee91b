"""Requests are read in columns as they are read one by one, whatever their cells hold."""

import decimal
import math
import re

import numpy as np
import pandas as pd
import pytest

from perovshell.data.formula import FormulaReader
from perovshell.errors import InputError
from perovshell.features.featurizer import Featurizer
from perovshell.models.request import INPUT_COLUMNS, INPUT_NUMBERS, Request
from perovshell.models.requests import Requests

UNKNOWN = [None, "", "  ", math.nan, np.float64("nan"), pd.NA, pd.NaT]
FAULTY = ["1_0", "٥", "1e999", "nan", "inf", math.inf, -math.inf, 10**400, True, "5 nm", [5], 0.0]
READ = [5, "5", " 5.0 ", 5.0, np.float64(5), np.int64(5), decimal.Decimal(5)]
ROW = {"core": "CsPbBr3", "shell": "SiO2"}


@pytest.fixture(scope="module")
def reader(featurizer: Featurizer) -> FormulaReader:
    return featurizer.reader


@pytest.mark.parametrize("column", INPUT_COLUMNS)
@pytest.mark.parametrize("cell", [*UNKNOWN, *FAULTY, *READ], ids=repr)
def test_a_cell_is_read_among_others_as_it_is_read_alone(
    reader: FormulaReader, column: str, cell: object
) -> None:
    row = {**ROW, column: cell}
    many, errors = Requests.read([ROW, row, {**ROW, column: None}], reader)
    if 1 in errors:
        with pytest.raises(InputError, match=f"^{re.escape(errors[1])}$"):
            Request.read(row, reader)
        return
    alone = Request.read(row, reader)
    for name, numbers in many.numbers.items():
        assert numbers[1] == pytest.approx(getattr(alone, name), nan_ok=True)
    assert many.items.contexts.sizes[1] == pytest.approx(alone.item.core_size_nm, nan_ok=True)


@pytest.mark.parametrize("column", INPUT_NUMBERS)
@pytest.mark.parametrize("cell", UNKNOWN, ids=repr)
def test_what_is_unknown_is_no_number(reader: FormulaReader, column: str, cell: object) -> None:
    requests, errors = Requests.read([{**ROW, column: cell}], reader)
    assert not errors
    known = {**requests.numbers, "core_size_nm": requests.items.contexts.sizes}
    assert math.isnan(known[column][0])


@pytest.mark.parametrize("cell", FAULTY, ids=repr)
def test_what_is_no_number_in_plain_digits_is_refused(reader: FormulaReader, cell: object) -> None:
    _, errors = Requests.read([{**ROW, "core_size_nm": cell}], reader)
    assert "a number from 0.3 to 10000, or empty" in errors[0]


@pytest.mark.parametrize("cell", READ, ids=repr)
def test_numbers_are_read_from_any_type(reader: FormulaReader, cell: object) -> None:
    requests, _ = Requests.read([{**ROW, "core_size_nm": cell}], reader)
    assert requests.items.contexts.sizes[0] == 5
