"""Requests are read in columns: every cell by its input, one row as many."""

import decimal
import math
import re

import numpy as np
import pandas as pd
import pytest

from perovshell.data.formula import FormulaReader
from perovshell.errors import InputError
from perovshell.features.featurizer import Featurizer
from perovshell.models.inputs import INPUT_COLUMNS, INPUT_NUMBERS, INPUT_WORDS, cell_text
from perovshell.models.requests import Requests

UNKNOWN = [None, "", "  ", math.nan, np.float64("nan"), pd.NA, pd.NaT, decimal.Decimal("sNaN")]
FAULTY = ["1_0", "٥", "1e999", "inf", math.inf, -math.inf, 10**400, True, "5 nm", [5], 0.0,
          "no", "False", False, "nothing", "1,5", "x" * 5000, 10**5000]  # fmt: skip
READ = [5, "5", " 5.0 ", 5.0, np.float64(5), np.int64(5), decimal.Decimal(5)]
NOT_KNOWN = [
    *("none", "None", " NA ", "na", "n/a", "N/A", "NULL", "nan"),
    *("-", "--", "\u2013", "\u2212", "?"),
    *("unknown", "Unknown", "#N/A", "<NA>", "NaT", "n.d.", "not reported"),
]
NOTHING = [
    *NOT_KNOWN,
    *("FALSE", "no", "nothing", "undoped", "0", "0.00"),
    *(
        "no ligand",
        "not treated",
        "without",
        "w/o",
        "ohne",
        "keine",
        "\u65e0",
        "pristine",
        "(none)",
    ),
    *("None.", "none (control)", "as-synthesized", "un-doped", "0%", "0 mol%", "0 at.%", "0 % Mn"),
    *("k.A.", "#NV", "TBD", "\u2205", "[]", "/", "\u2026"),
    *(0, 0.0, -0.0, False, decimal.Decimal("0.00"), np.False_),
]
ROW = {"core": "CsPbBr3", "shell": "SiO2"}
CORE_FAULT = "core 'nonsense'"
IN_ORDER = {
    "core": ("nonsense", CORE_FAULT),
    "shell": ("unobtainium", "shell 'unobtainium': unknown shell"),
    "core_size_nm": (0.1, "core_size_nm '0.1': a number from 0.3 to 10000 nm, or empty"),
    "shell_thickness_nm": ("thin", "shell_thickness_nm 'thin': a number from 0.1 to 100000"),
    "bare_pl_peak_nm": (20, "bare_pl_peak_nm '20': a number from 200 to 2000 nm, or empty"),
    "bare_plqy_percent": (120, "bare_plqy_percent '120': a number from 0 to 100 %, or empty"),
    "temperature_c": (-300, "temperature_c '-300': a number from -273.15 to 2000 deg C, or empty"),
    "structure": ("layered", "structure 'layered': allowed: core/shell, janus"),
    "encapsulation": ("all", "encapsulation 'all': allowed: single-particle"),
    "medium": ("soup", "medium 'soup': allowed: solution, film"),
    "morphology": ("cube", "morphology 'cube': allowed: nanocrystal, nanoplatelet, nanowire"),
}
"""A faulty cell of each column that can have one, and its message, in the order of reading."""


def _id(cell: object) -> str:
    return cell_text(cell)[:20] + type(cell).__name__


@pytest.fixture(scope="module")
def reader(featurizer: Featurizer) -> FormulaReader:
    return featurizer.reader


@pytest.mark.parametrize("column", INPUT_COLUMNS)
@pytest.mark.parametrize("cell", [*UNKNOWN, *NOTHING, *FAULTY, *READ], ids=_id)
def test_a_cell_is_read_among_others_as_it_is_read_alone(
    reader: FormulaReader, column: str, cell: object
) -> None:
    row = {**ROW, column: cell}
    many, errors = Requests.read([ROW, row, {**ROW, column: None}], reader)
    if 1 in errors:
        with pytest.raises(InputError, match=f"^{re.escape(errors[1])}$"):
            Requests.read_one(row, reader)
        return
    alone = Requests.read_one(row, reader)
    place = 1 - (0 in errors)
    assert repr(many.item(place)) == repr(alone.item(0))
    for name, numbers in many.numbers.items():
        assert numbers[place] == pytest.approx(alone.numbers[name][0], nan_ok=True)


def test_the_first_fault_of_a_row_is_its_error(reader: FormulaReader) -> None:
    columns = list(IN_ORDER)
    rows = [
        ROW | {name: IN_ORDER[name][0] for name in columns[first:]} for first in range(len(columns))
    ]
    requests, errors = Requests.read([*rows, ROW], reader)
    assert len(requests) == 1
    for (_, message), error in zip(IN_ORDER.values(), errors.values(), strict=True):
        assert error.startswith(message)


def test_equal_cells_of_other_types_are_named_as_they_are(reader: FormulaReader) -> None:
    rows = [ROW | {"medium": cell} for cell in (1, True, 1.0)]
    _, errors = Requests.read(rows, reader)
    assert [error.partition(":")[0] for error in errors.values()] == [
        "medium '1'", "medium 'True'", "medium '1.0'",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"core": "nonsense", "shell": ""}, "core 'nonsense': a name is no formula"),
        ({"core": "CsPbBr3@ice", "shell": ""}, "shell 'ice': unknown shell"),
        (ROW | {"structure": "bare"}, "structure 'bare' with shell 'SiO2': bare if, and only if"),
        (
            {"core": "CsPbBr3", "shell": "none", "structure": "janus", "medium": "soup"},
            "structure 'janus' with shell 'none'",
        ),
        (
            {"core": "CsPbBr3", "shell": "none", "encapsulation": "multi-particle"},
            "encapsulation 'multi-particle' with shell 'none': a bare core is in no particle",
        ),
    ],
)
def test_core_shell_and_structure_must_fit(
    reader: FormulaReader, row: dict[str, str], message: str
) -> None:
    _, errors = Requests.read([row], reader)
    assert errors[0].startswith(message)


@pytest.mark.parametrize("column", INPUT_NUMBERS)
@pytest.mark.parametrize("cell", [*UNKNOWN, *NOT_KNOWN], ids=repr)
def test_what_is_unknown_is_no_number(reader: FormulaReader, column: str, cell: object) -> None:
    requests, errors = Requests.read([{**ROW, column: cell}], reader)
    assert not errors
    known = {**requests.numbers, "core_size_nm": requests.items.contexts.sizes}
    assert math.isnan(known[column][0])


@pytest.mark.parametrize("cell", FAULTY, ids=_id)
def test_what_is_no_number_in_plain_digits_is_refused(reader: FormulaReader, cell: object) -> None:
    _, errors = Requests.read([{**ROW, "core_size_nm": cell}], reader)
    assert "a number from 0.3 to 10000 nm, or empty" in errors[0]


@pytest.mark.parametrize("cell", READ, ids=repr)
def test_numbers_are_read_from_any_type(reader: FormulaReader, cell: object) -> None:
    requests, _ = Requests.read([{**ROW, "core_size_nm": cell}], reader)
    assert requests.items.contexts.sizes[0] == 5


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("SiO2", ["core/shell", "unknown", "unknown", "nanocrystal"]),
        ("none", ["bare", "none", "unknown", "nanocrystal"]),
    ],
)
def test_an_empty_word_is_the_default_of_its_side(
    reader: FormulaReader, shell: str, words: list[str]
) -> None:
    item = Requests.read_one({"core": "CsPbBr3", "shell": shell}, reader).item(0)
    assert [getattr(item, name) for name in INPUT_WORDS] == words


@pytest.mark.parametrize("column", INPUT_WORDS)
@pytest.mark.parametrize("shell", ["SiO2", "none"])
def test_a_word_that_is_not_known_is_an_empty_cell(
    reader: FormulaReader, column: str, shell: str
) -> None:
    row = {"core": "CsPbBr3", "shell": shell}
    empty = getattr(Requests.read_one(row, reader).item(0), column)
    for cell in NOT_KNOWN:
        word = getattr(Requests.read_one({**row, column: cell}, reader).item(0), column)
        is_a_word = cell.casefold() in INPUT_WORDS[column]
        if column == "encapsulation" and shell != "none":
            is_a_word = False  # No shell material holds a core only where there is none.
        assert word == (cell.casefold() if is_a_word else empty)


@pytest.mark.parametrize("column", INPUT_WORDS)
@pytest.mark.parametrize("cell", ["no", "FALSE", "0", 0, False, "nothing"])
def test_there_is_none_is_no_word(reader: FormulaReader, column: str, cell: object) -> None:
    with pytest.raises(InputError, match=f"^{column} '{cell}': allowed: "):
        Requests.read_one({**ROW, column: cell}, reader)


@pytest.mark.parametrize("column", ["ligand", "dopant"])
@pytest.mark.parametrize("cell", [*UNKNOWN, *NOTHING], ids=repr)
def test_words_for_nothing_are_no_treatment(
    reader: FormulaReader, column: str, cell: object
) -> None:
    item = Requests.read_one({**ROW, column: cell}, reader).item(0)
    assert item.treatments == ()


@pytest.mark.parametrize("column", ["ligand", "dopant"])
@pytest.mark.parametrize("cell", ["Na", "Mn", "DDAB", "yes", True], ids=repr)
def test_any_other_text_is_a_treatment(reader: FormulaReader, column: str, cell: object) -> None:
    item = Requests.read_one({**ROW, column: cell}, reader).item(0)
    assert item.treatments == (column,)


def test_combinations_alone_are_requests_without_numbers(reader: FormulaReader) -> None:
    rows = [ROW, {"core": "CsPbI3", "shell": "none", "core_size_nm": 8}]
    items = [Requests.read_one(row, reader).item(0) for row in rows]
    requests = Requests.of_items(items, reader)
    assert repr([requests.item(place) for place in range(2)]) == repr(items)
    assert all(np.isnan(numbers).all() for numbers in requests.numbers.values())


@pytest.mark.parametrize("column", INPUT_COLUMNS)
@pytest.mark.parametrize("cell", ["x" * 5000, 10**5000, [0] * 5000], ids=["text", "number", "list"])
def test_an_error_does_not_repeat_a_long_cell(
    reader: FormulaReader, column: str, cell: object
) -> None:
    _, errors = Requests.read([{**ROW, column: cell}], reader)
    is_name = column in {"ligand", "dopant"} and not isinstance(cell, list)
    assert bool(errors) != is_name
    assert all(len(error) < 300 for error in errors.values())


@pytest.mark.parametrize(
    ("core", "notes"),
    [
        ("CsPbBr3/SiO2", ["CsPbBr3/SiO2 is read as core CsPbBr3 under shell SiO2"]),
        ("CsPbBr3@ZnS/SiO2", ["CsPbBr3@ZnS/SiO2 is read as core CsPbBr3 under shell ZnS|SiO2"]),
        ("CsPbBr3@SiO2", []),
        ("CsPb(Br/Cl)3@SiO2", []),
    ],
)
def test_a_sample_without_an_order_of_its_own_is_noted(
    reader: FormulaReader, core: str, notes: list[str]
) -> None:
    requests, errors = Requests.read([{"core": "no"}, ROW, {"core": core}], reader)
    assert [requests.notes.get(row, []) for row in range(1, len(requests))] in ([notes], [])
    assert len(requests) == 3 - len(errors)


def test_an_empty_row_lacks_its_core(reader: FormulaReader) -> None:
    _, errors = Requests.read([{}], reader)
    assert errors[0].startswith("core: no core given")


@pytest.mark.parametrize(
    ("column", "cell", "note"),
    [
        ("bare_plqy_percent", 0.62, "bare_plqy_percent 0.62 is below 1 %: a fraction?"),
        ("bare_plqy_percent", 0, ""),
        ("bare_plqy_percent", 1, ""),
        ("core_size_nm", 80, "core_size_nm 80 is above 50 nm: angstrom?"),
        ("core_size_nm", 12, ""),
        ("temperature_c", 333, "temperature_c 333 is above 250 deg C: kelvin?"),
        ("temperature_c", 85, ""),
    ],
)
def test_a_doubtful_number_is_noted(
    reader: FormulaReader, column: str, cell: float, note: str
) -> None:
    requests, errors = Requests.read([{"core": "no"}, ROW, {**ROW, column: cell}], reader)
    assert [*errors] == [0]
    assert requests.notes == ({1: [note]} if note else {})


@pytest.mark.parametrize(
    "ligand", ["oleic acid", "OA/OAm", "Oleylamine", "oleic acid and oleylamine", "OA, OAm"]
)
def test_the_native_ligands_are_no_treatment(ligand: str, reader: FormulaReader) -> None:
    requests, errors = Requests.read([{**ROW, "ligand": ligand}], reader)
    assert not errors
    assert not requests.items.contexts.treatments.any()


@pytest.mark.parametrize("kind", ["ligand", "dopant"])
@pytest.mark.parametrize("name", ["film", "518", "5%", 9.5, "0.05", 1, "matrix", "8.5 nm"])
def test_what_can_be_no_name_is_no_treatment(
    kind: str, name: object, reader: FormulaReader
) -> None:
    _, errors = Requests.read([{**ROW, kind: name}], reader)
    assert errors[0].startswith(f"{kind} {str(name)!r}: a name is needed, or an empty cell")


@pytest.mark.parametrize("name", ["DDAB", "Mn", "Mn2+", "5% Mn", "nonanoic acid", "noble", "Na"])
def test_names_of_treatments_are_treatments(name: str, reader: FormulaReader) -> None:
    requests, errors = Requests.read([{**ROW, "dopant": name, "ligand": name}], reader)
    assert not errors
    assert requests.items.contexts.treatments.all()
