"""The table of inputs, and all that follows from it."""

import re
from pathlib import Path

import pytest

from perovshell.data.columns import TABLES
from perovshell.data.vocabulary import (
    STRESSORS,
    TREATMENTS,
    WORDS,
    column_name,
)
from perovshell.errors import InputError
from perovshell.models.input_names import near_input, refuse_near_names
from perovshell.models.inputs import (
    INPUT_COLUMNS,
    INPUT_WORDS,
    INPUTS,
    REQUIRED,
    Input,
)
from perovshell.models.outputs import Thresholds, output_columns

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "columns.md").read_text()
NEAR = {
    "Core": "core", "cores": "core", " shell ": "shell", "SHELL": "shell",
    "Medium": "medium", "encapsulaton": "encapsulation", "Structure": "structure",
    "Ligands": "ligand", "core_size": "core_size_nm", "core size nm": "core_size_nm",
    "core size (nm)": "core_size_nm", "CoreSize": "core_size_nm",
    "bare_plqy_percent.1": "bare_plqy_percent", "PLQY without shell (%)": "bare_plqy_percent",
    "shell_thickness": "shell_thickness_nm",
    "bare_PL_peak_nm": "bare_pl_peak_nm", "bare_plqy": "bare_plqy_percent",
    "bare PLQY [%]": "bare_plqy_percent", "temperature": "temperature_c",
    "morpholgy": "morphology",
    "PLQY_bare": "bare_plqy_percent", "peak bare PL": "bare_pl_peak_nm",
    "size_core_nm": "core_size_nm", "bare_pl": "bare_pl_peak_nm", "bare_peak_nm": "bare_pl_peak_nm",
    "\u200bcore": "core",
}  # fmt: skip
ABOUT = {
    "size": "core_size_nm", "size_nm": "core_size_nm", "Particle size (nm)": "core_size_nm",
    "diameter": "core_size_nm", "thickness_nm": "shell_thickness_nm", "temp": "temperature_c",
    "T (\u00b0C)": "temperature_c", "ligand_name": "ligand", "surface ligand": "ligand",
    "ligand_1": "ligand", "Ligand/treatment": "ligand", "Doping": "dopant",
    "structure_type": "structure", "encapsulation type": "encapsulation",
    "Medium (solution/film)": "medium", "Core formula": "core", "Shell material": "shell",
}  # fmt: skip
CONVERTED = {
    "core_size_angstrom": ("angstrom", "nm", "core_size_nm"),
    "core_size_\u00c5": ("angstrom", "nm", "core_size_nm"),
    "size (A)": ("angstrom", "nm", "core_size_nm"),
    "peak bare PL (eV)": ("eV", "nm", "bare_pl_peak_nm"),
    "temperature_K": ("K", "deg C", "temperature_c"),
    "T_K": ("K", "deg C", "temperature_c"),
}
UNRELATED = [
    *("sample", "my note", "score", "shell_class", "core_id", "ligand_2", "medium notes", ""),
    *("", "size", "temp", "shell_note", "T", "synthesis_temperature", "core_formula", "Cores used"),
]


def table_of(heading: str) -> list[list[str]]:
    """Return the rows of the table below a heading of the page of columns, without its header."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.*) \|$", section, re.MULTILINE)
    return [re.split(r"(?<!\\) ?\| ?", row) for row in rows[1:]]


def empty_cell(column: Input) -> str:
    """Return how the page says what an empty cell means."""
    if column.kind == "word" and column.default_bare != column.default_coated:
        return f"{column.default_coated}; {column.default_bare} without a shell"
    empty = {"core": "an error", "shell": "see `core`", "number": "unknown", "treatment": "none"}
    return column.default_coated or empty[column.kind]


def test_the_page_of_columns_has_the_table_of_inputs() -> None:
    expected = [
        [
            f"`{name}`",
            column.description.replace("|", r"\|"),
            column.allowed,
            empty_cell(column),
        ]
        for name, column in INPUTS.items()
    ]
    assert table_of("The rows of a request") == expected


def test_the_page_of_columns_has_all_outputs() -> None:
    names = [name for row in table_of("The answer") for name in re.findall(r"`(\w+)`", row[0])]
    thresholds = Thresholds((500, 540), 70, 3)
    stressor = column_name(STRESSORS[4])
    expected = {
        name.removesuffix("_lower").removesuffix("_upper")
        for name in output_columns([STRESSORS[4]], thresholds)
    }
    assert {re.sub(r"_S(?=$|_)", f"_{stressor}", name) for name in names} == expected


def test_the_words_of_the_descriptors_are_those_of_the_inputs() -> None:
    assert list(INPUT_WORDS.items()) == list(WORDS.items())
    assert [name for name, one in INPUTS.items() if one.kind == "treatment"] == list(TREATMENTS)
    assert REQUIRED == ("core", "shell")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "word", "words": ("a", "b"), "default_coated": "a", "default_bare": "c"},
        {"kind": "word", "words": ("a", "b")},
        {"kind": "number", "low": 2.0, "high": 1.0},
    ],
)
def test_an_input_that_contradicts_itself_is_refused(fault: dict) -> None:
    with pytest.raises(ValueError, match="input size: "):
        Input("size", description="", **fault)


@pytest.mark.parametrize(("name", "column"), NEAR.items())
def test_a_name_that_nearly_is_an_input_is_refused(name: str, column: str) -> None:
    others = [known for known in INPUT_COLUMNS if known != column]
    with pytest.raises(InputError, match=f"not an input; rename it to '{column}'"):
        refuse_near_names([*others, name])
    with pytest.raises(InputError, match=f"not an input; '{column}' and .* both mean '{column}'"):
        refuse_near_names([*INPUT_COLUMNS, name])


@pytest.mark.parametrize(("name", "column"), ABOUT.items())
def test_a_name_about_a_missing_input_is_refused(name: str, column: str) -> None:
    others = [known for known in INPUT_COLUMNS if known != column]
    with pytest.raises(InputError, match=f"not an input; rename it to '{column}'"):
        refuse_near_names([*others, name])


@pytest.mark.parametrize("name", ["size_nm", "ligand_2", "doping", "medium (film)", "shell_class"])
def test_a_name_about_an_input_beside_it_is_a_column_of_its_own(name: str) -> None:
    refuse_near_names([*INPUT_COLUMNS, name])


@pytest.mark.parametrize(("name", "said"), CONVERTED.items())
def test_numbers_of_another_unit_are_to_be_converted(name: str, said: tuple[str, ...]) -> None:
    unit, own, column = said
    expected = f"not an input; convert it from {unit} to {own} and rename it to '{column}'"
    others = [known for known in INPUT_COLUMNS if known != column]
    with pytest.raises(InputError, match=expected):
        refuse_near_names([*others, name])


def test_all_names_that_nearly_are_inputs_are_named_at_once() -> None:
    names = ["core", "Shell", "Medium", "medium", "sample", "Ligand", "ligands"]
    with pytest.raises(InputError) as refused:
        refuse_near_names(names)
    assert str(refused.value) == (
        "columns 'Ligand', 'Medium', 'Shell', 'ligands': not inputs; "
        "rename 'Ligand' to 'ligand', rename 'Shell' to 'shell'; "
        "'medium' and 'Medium' both mean 'medium', 'Ligand' and 'ligands' both mean 'ligand': "
        "keep one"
    )


def test_a_long_name_is_shortened_in_a_message() -> None:
    with pytest.raises(InputError) as refused:
        refuse_near_names(["core" + " " * 5000])
    assert len(str(refused.value)) < 200


def test_other_columns_are_no_matter() -> None:
    outputs = output_columns(STRESSORS, Thresholds((500, 540), 70, 3))
    literature = [name for table in TABLES.values() for name in table.names]
    tables = {*literature, *outputs, *UNRELATED}
    near = {name: near_input(name) for name in tables - INPUTS.keys()}
    assert {name: column for name, column in near.items() if column} == {}
    refuse_near_names([*tables, 5, None, ("core", "size")])
