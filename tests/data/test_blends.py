"""Blends: one layer of several materials."""

from __future__ import annotations

import math
from itertools import permutations

import pytest

from perovshell.data.blends import blend_of
from perovshell.data.formula import FormulaReader
from perovshell.data.shells import PROPERTIES, ShellMaterial
from perovshell.errors import FormulaError

READER = FormulaReader.bundled()


def layer_of(text: str) -> ShellMaterial:
    (layer,) = READER.read_shell(text)
    return layer


@pytest.mark.parametrize("order", permutations(("PMMA", "PVDF", "polystyrene")))
def test_order_and_spelling_do_not_count(order: tuple[str, ...]) -> None:
    assert layer_of(" + ".join(order)) == layer_of("PMMA+PS+PVDF")
    assert layer_of("+".join(order)).name == "PMMA+PS+PVDF"


def test_standard_name_is_read_as_itself() -> None:
    assert READER.read_shell("SiO2|PVDF+PMMA")[1].name == "PMMA+PVDF"
    assert READER.read_shell("SiO2|PMMA+PVDF") == READER.read_shell("SiO2|PVDF+PMMA")


def test_properties_are_means_where_all_parts_have_them() -> None:
    first, second, blend = map(layer_of, ("ZnS", "CdS", "ZnS+CdS"))
    for name in PROPERTIES:
        mean = (first.properties[name] + second.properties[name]) / 2
        assert blend.properties[name] == pytest.approx(mean, nan_ok=True)
    assert math.isnan(layer_of("ZnS+PbS").properties["refractive_index"]) == any(
        math.isnan(layer_of(name).properties["refractive_index"]) for name in ("ZnS", "PbS")
    )


def test_formula_needs_those_of_all_parts() -> None:
    assert layer_of("PVDF+PMMA").formula == "C5H8O2C2H2F2"
    assert layer_of("PMMA+polyurethane").formula == ""


def test_word_that_parts_do_not_share_is_unknown() -> None:
    assert layer_of("PMMA+PVDF").in_water == "insoluble"
    assert layer_of("PMMA+PVP").in_water == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("PMMA+PMMA", "PMMA twice; a blend has different materials"),
        ("PMMA+SiO2", "a blend of the classes oxide and polymer"),
        ("PMMA+fooo", "shell 'fooo': unknown shell"),
        ("PMMA+", "unknown shell"),
        ("PMMA+OA", "shell 'OA': a ligand"),
        ("PS/PMMA", "as PS|PMMA, and a blend as PMMA+PS"),
        ("PMMA:PVDF", "as PMMA|PVDF, and a blend as PMMA+PVDF"),
    ],
)
def test_refusal_says_what_to_write(text: str, reason: str) -> None:
    with pytest.raises(FormulaError) as error:
        READER.read_shell(text)
    assert reason in str(error.value)


def test_two_classes_are_not_offered_as_a_blend() -> None:
    with pytest.raises(FormulaError) as error:
        READER.read_shell("SiO2/PMMA")
    assert str(error.value).endswith("as SiO2|PMMA")


def test_parts_are_checked_where_a_blend_is_made() -> None:
    with pytest.raises(FormulaError, match="classes oxide and polymer"):
        blend_of([layer_of("SiO2"), layer_of("PMMA")])
