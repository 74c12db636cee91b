"""The grammar of formulas: brackets, amounts, joints, and what is refused for its look."""

import pytest

from perovshell.data.formula import FormulaReader
from perovshell.data.grammar import (
    MAX_LENGTH,
    collect_terms,
    element_amounts,
    refuse_open_amounts,
    refuse_shape,
    split_outside_brackets,
)
from perovshell.errors import FormulaError

READER = FormulaReader.bundled()


# Brackets and amounts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("Cs(Pb)Br3", {"Cs": 1, "Pb": 1, "Br": 3}),
        ("[Cs0.5FA0.5]{Pb}(Br0.5I0.5)3", {"Cs": 0.5, "FA": 0.5, "Pb": 1, "Br": 1.5, "I": 1.5}),
        ("Cs([Br0.5I0.5]2Cl)Pb", {"Cs": 1, "Pb": 1, "Cl": 1, "Br": 1, "I": 1}),
        ("CsBrPbBr2", {"Cs": 1, "Pb": 1, "Br": 3}),
        ("((Cs0.5MA0.5)2Pb2)0.5Br3", {"Cs": 0.5, "MA": 0.5, "Pb": 1, "Br": 3}),
    ],
)
def test_amounts_multiply_into_brackets_and_add_up(text, amounts):
    assert dict(READER.read_core(text).amounts) == pytest.approx(amounts)


def test_each_number_is_named_where_it_multiplies():
    """Numbers are counted from the left: 0.5 and 0.5 inside, then the 3 around them."""
    signs = [("open", "("), ("species", "Br"), ("number", "0.5"), ("species", "I")]
    signs += [("number", "0.5"), ("close", ")"), ("number", "3"), ("species", "Br")]
    assert collect_terms("(Br0.5I0.5)3Br", signs) == {"Br": [(0, 2), ()], "I": [(1, 2)]}


def test_three_numbers_may_multiply_and_four_may_not():
    core = READER.read_core("Cs(Pb((Br0.5I0.5)2)1.5)")
    assert dict(core.amounts) == pytest.approx({"Cs": 1, "Pb": 1, "Br": 1.5, "I": 1.5})
    with pytest.raises(FormulaError, match="deeper than 3; multiply them out"):
        READER.read_core("CsPb(((Br0.5I0.5)2)1.5)1")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CsPb(Br0.5I0.5]3", r"bracket '\]' closes nothing"),
        ("CsPb(Br[0.5I)0.5]3", r"does not follow an ion or a bracket"),
        ("CsPb[(Br]3)", r"bracket '\]' closes nothing"),
        ("CsPbBr3)", r"bracket '\)' closes nothing"),
        ("CsPb()Br3", "empty brackets"),
        ("CsPb(Br", r"bracket '\(' is not closed"),
        ("CsPb[(Br)3", r"bracket '\[' is not closed"),
        ("3CsPbBr3", "number 3 does not follow an ion or a bracket"),
        ("CsPb(3Br)", "number 3 does not follow an ion or a bracket"),
    ],
)
def test_unsound_brackets_are_refused_with_the_reason(text, reason):
    with pytest.raises(FormulaError, match=reason) as caught:
        READER.read_core(text)
    assert str(caught.value).startswith(f"core {text!r}: ")


# Look ----------------------------------------------------------------------------------------


def test_the_longest_text_is_read_and_one_sign_more_is_not():
    refuse_shape("shell", "S" * MAX_LENGTH)
    with pytest.raises(FormulaError, match=r"^shell 'SSSSSSSSSSSSSSSSSSSS'\.\.\.: 201 characters"):
        refuse_shape("shell", "S" * (MAX_LENGTH + 1))


@pytest.mark.parametrize("sign", "=+-@")
@pytest.mark.parametrize("what", ["core", "shell"])
def test_what_a_spreadsheet_would_compute_is_refused(what, sign):
    with pytest.raises(FormulaError, match=f"^{what} .*begins with '[{sign}]' like a spreadsheet"):
        refuse_shape(what, f"{sign}CsPbBr3")


def test_blanks_are_refused_inside_a_core_alone():
    refuse_shape("shell", "porous metal oxide")
    with pytest.raises(FormulaError, match=r"^core 'CsPb Br3': blanks inside a formula"):
        refuse_shape("core", "CsPb Br3")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("CsPbBr3|SiO2", r"'\|' joins shell layers"),
        ("CsPbBr3@SiO2", "'@' joins core and shell"),
        ("CsPbBr-3", "negative amount '-3'"),
        ("CsPbBr3-xIx", "'-' leaves an amount open"),
        ("CsPbBr3-2xI2x", "'-' leaves an amount open"),
        ("CsPbBr3-0.5xI", "'-' leaves an amount open"),
        ("CsPb(Br/I)3", "'/' leaves an amount open"),
        ("CsPb(Br,I)3", "',' leaves an amount open"),
        ("CsPbBr;I", "';' is no sign of a formula"),
        ("CsPbBr:I", "':' is no sign of a formula"),
        ("CsPbBr~3", "'~' leaves an amount open"),
        ("CsPbBr3±1", "'±' leaves an amount open"),
        ("CsPbBr<3", "'<' leaves an amount open"),
        ("CsPbBr>3", "'>' leaves an amount open"),
        ("CsPbBr2–3", "'–' leaves an amount open"),
        ("CsPbX3", "'X' is no element"),
        ("CsPbBrxI", "'x' is no element"),
        ("CsPbBryI", "'y' is no element"),
        ("CsPbBrzI", "'z' is no element"),
        ("CsPbBrδ", "'δ' is no element"),
        ("BA2(MA)n", "'n' is no element"),
        ("BA2(MA)m", "'m' is no element"),
        ("XeF2", None),
    ],
)
def test_the_sign_that_leaves_an_amount_open_is_named(text, named):
    if named is None:
        refuse_open_amounts(text)
        return
    with pytest.raises(FormulaError, match=named) as caught:
        refuse_open_amounts(text)
    assert str(caught.value).startswith(f"core {text!r}: ")


def test_an_open_amount_is_named_in_a_whole_sample_too():
    with pytest.raises(FormulaError, match=r"^core 'CsPbX3': 'X' is no element"):
        READER.read_sample("CsPbX3@SiO2", "")


def test_a_shell_is_named_where_its_look_is_refused():
    with pytest.raises(FormulaError, match=r"^shell '=SiO2': begins with '='"):
        READER.read_shell("=SiO2")


# Joints --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("CsPbBr3", ["CsPbBr3"]),
        ("CsPbBr3@SiO2/ZnS", ["CsPbBr3", "SiO2", "ZnS"]),
        ("CsPb(Br/I)3@SiO2", ["CsPb(Br/I)3", "SiO2"]),
        ("Cs[Pb{Br/I}]3/ZnS", ["Cs[Pb{Br/I}]3", "ZnS"]),
        ("@SiO2/", ["", "SiO2", ""]),
    ],
)
def test_a_text_is_split_where_no_brackets_are_open(text, parts):
    assert split_outside_brackets(text, "@/") == parts


# Formulas of the shell table -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "amounts"),
    [
        ("SiO2", {"Si": 1, "O": 2}),
        ("Zn(C4H5N2)2", {"Zn": 1, "C": 8, "H": 10, "N": 4}),
        ("CH3(CH2)2OH", {"C": 3, "H": 8, "O": 1}),
        ("Al0.5O1.5", {"Al": 0.5, "O": 1.5}),
        ("C10H8O4", {"C": 10, "H": 8, "O": 4}),
    ],
)
def test_elements_are_counted(formula, amounts):
    assert element_amounts(formula) == pytest.approx(amounts)


@pytest.mark.parametrize("formula", ["ZnS-CdS", "Zn[O]", "ZnS?", "zNS"])
def test_other_signs_are_refused(formula):
    with pytest.raises(FormulaError, match="only elements, decimals and brackets are read"):
        element_amounts(formula)


def test_every_formula_of_the_shell_table_is_counted():
    formulas = [material.formula for material in READER.shells.materials.values()]
    assert all(min(element_amounts(one).values()) > 0 for one in formulas if one)
