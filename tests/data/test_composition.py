"""What a formula means: amounts, charges, sites and atoms, by hand."""

import numpy as np
import pytest

from perovshell.data.composition import CompositionBatch, amount_text
from perovshell.data.formula import FormulaReader
from perovshell.data.grammar import element_amounts
from perovshell.errors import FormulaError

READER = FormulaReader.bundled()


def amounts_of(text):
    return dict(READER.read_core(text).amounts)


# Charges -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["CsPbBr2.95", "CsPbBr3.05", "Cs1.05PbBr3"])
def test_a_net_charge_of_up_to_0_05_is_neutral(text):
    assert amounts_of(text)["Pb"] == 1


@pytest.mark.parametrize(
    ("text", "charge"),
    [("CsPbBr2.94", r"\+0\.06"), ("CsPbBr3.06", r"-0\.06"), ("CsPbBr", r"\+2")],
)
def test_a_larger_net_charge_is_refused_and_told(text, charge):
    with pytest.raises(FormulaError, match=rf"net charge {charge} .*at most 0\.05 is allowed"):
        READER.read_core(text)


@pytest.mark.parametrize("text", ["CsSnI3", "Cs2SnI6", "CsEuBr3", "Cs3EuBr6"])
def test_an_ion_may_have_any_of_its_charges(text):
    assert READER.read_core(text).formula == text


def test_the_charge_told_is_the_one_nearest_to_0():
    """Tin of 2+ leaves -0.5, tin of 4+ leaves 1.5."""
    with pytest.raises(FormulaError, match=r"net charge -0\.5 with"):
        READER.read_core("Cs2SnI4.5")


# Amounts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("Cs2Pb2Br6", {"Cs": 1, "Pb": 1, "Br": 3}),
        ("Cs4Pb2Br8", {"Cs": 2, "Pb": 1, "Br": 4}),
        ("Cs0.5FA1.5Pb2Br6", {"Cs": 0.25, "FA": 0.75, "Pb": 1, "Br": 3}),
        ("Cs3Bi2Br9", {"Cs": 3, "Bi": 2, "Br": 9}),
        ("Cs1.5Pb1.5Br4.5", {"Cs": 1.5, "Pb": 1.5, "Br": 4.5}),
        ("Cs0.4Pb0.4Br1.2", {"Cs": 0.4, "Pb": 0.4, "Br": 1.2}),
        ("Cs2PbSnBr6", {"Cs": 1, "Pb": 0.5, "Sn": 0.5, "Br": 3}),
        ("Cs2PbMnBr6", {"Cs": 1, "Pb": 0.5, "Mn": 0.5, "Br": 3}),
        ("Cs2AgInCl6", {"Cs": 2, "Ag": 1, "In": 1, "Cl": 6}),
    ],
)
def test_a_multiple_of_a_formula_unit_is_reduced(text, amounts):
    assert amounts_of(text) == pytest.approx(amounts)


def test_amounts_of_metals_stay_as_written():
    assert amounts_of("Au50Cu50") == {"Au": 50, "Cu": 50}


def test_metals_without_a_known_charge_are_a_core_of_metals():
    """Neither is in the ion table; known metals stand before them."""
    core = READER.read_core("Tc3Pa2Au")
    assert core.is_metal
    assert core.formula == "AuPa2Tc3"
    assert READER.atoms(core) == {"Au": 1, "Pa": 2, "Tc": 3}


@pytest.mark.parametrize("text", ["Au1000Cu", "Au0.000001Cu"])
def test_the_smallest_and_the_largest_amount_are_read(text):
    assert READER.read_core(text).is_metal


@pytest.mark.parametrize(
    ("text", "told"),
    [("Au1000.1Cu", "amount 1000.1 of Au"), ("AuCu0.0000009", "amount 9e-07 of Cu")],
)
def test_smaller_and_larger_amounts_are_refused(text, told):
    with pytest.raises(FormulaError, match=f"{told}; amounts are from 1e-06 to 1000"):
        READER.read_core(text)


@pytest.mark.parametrize(
    ("amount", "text"),
    [(1.0, ""), (3.0, "3"), (10.0, "10"), (0.5, "0.5"), (1 / 3, "0.333333333"), (1.0 + 1e-12, "")],
)
def test_an_amount_is_written_as_it_stands_behind_an_ion(amount, text):
    assert amount_text(amount) == text


def test_a_key_is_the_share_of_each_ion_of_all():
    assert READER.read_core("CsPbBr3").key == (("Cs", 0.2), ("Pb", 0.2), ("Br", 0.6))


# Sites and atoms -----------------------------------------------------------------------------


def test_ions_of_one_site_stand_in_the_order_of_the_ion_table():
    formula = READER.read_core("I0.5Cl0.5Br2PbMn0.001MA0.1Cs0.9").formula
    assert formula == "Cs0.9MA0.1PbMn0.001Cl0.5Br2I0.5"


def test_atoms_of_all_ions_add_up():
    """FA is CH5N2, MA is CH6N."""
    atoms = READER.atoms(READER.read_core("FA0.5MA0.5PbBr3"))
    assert atoms == pytest.approx({"C": 1, "H": 5.5, "N": 1.5, "Pb": 1, "Br": 3})


@pytest.mark.parametrize("text", ["FAPbBr2Cl", "CsBr", "Cs0.5MA0.5PbBr2Cl"])
def test_an_unlisted_halide_shell_is_written_in_elements(text):
    (layer,) = READER.read_shell(text)
    composition = READER._compose(text, need_a_site=False)
    assert element_amounts(layer.formula) == pytest.approx(READER.atoms(composition))
    assert READER.read_shell(layer.name) == (layer,)


# Names ---------------------------------------------------------------------------------------


def test_a_listed_halide_is_known_in_any_order_of_its_ions():
    assert READER.read_shell("Br3PbCs") == READER.read_shell("CsPbBr3")
    assert READER.read_shell("Br3PbCs")[0].listed


@pytest.mark.parametrize("text", ["AuCu", "CsPbBr", "Br2PbO"])
def test_a_shell_that_is_no_neutral_halide_is_refused_by_its_name(text):
    with pytest.raises(FormulaError, match=f"^shell '{text}': unknown shell and not a neutral"):
        READER.read_shell(text)


def test_nearest_known_shells_are_offered_with_commas():
    with pytest.raises(FormulaError, match=r"; nearest known: PbBr2, Pb4S3Br2, PbO$"):
        READER.read_shell("led bromide")


def test_layers_of_a_whole_name_keep_their_order():
    name = READER.read_sample(" CsPbBr3@SiO2/ZnS ", " ")
    assert (name.core.formula, name.shell) == ("CsPbBr3", "SiO2|ZnS")


def test_blanks_around_names_do_not_matter():
    name = READER.read_sample(" CsPbBr3\t", "\tCdS | Al2O3 ")
    assert (name.core.formula, name.shell) == ("CsPbBr3", "CdS|Al2O3")
    few, many = READER.read_many([" CsPbBr3 "]), READER.read_many([" CsPbBr3 "] * 40)
    assert few.errors == many.errors == {}


def test_subscripts_are_read_in_shells():
    assert READER.read_shell("SiO₂") == READER.read_shell("SiO2")


# The bulk path -------------------------------------------------------------------------------


def test_a_batch_has_the_species_in_order_and_its_padding_behind_them():
    batch = READER.batch([READER.read_core("CsPbBr3").amounts, None, (("Au", 2.0),)])
    symbols = [[READER.species[k] if k >= 0 else "" for k in row] for row in batch.species]
    assert symbols == [["Cs", "Pb", "Br"], ["", "", ""], ["Au", "", ""]]
    assert batch.amounts.tolist() == [[1, 1, 3], [0, 0, 0], [2, 0, 0]]
    assert batch.errors == {}


def test_a_row_of_a_batch_has_the_key_of_its_core():
    texts = ["CsPbBr3", "Cs0.1FA0.9Pb1I2.7Br0.3", "Br3CsPb", "Cs2AgBiBr6"]
    cores = [READER.read_core(text) for text in texts]
    batch = READER.batch([None, *(core.amounts for core in cores)])
    assert batch.key(0, READER.species) == ()
    for row, core in enumerate(cores, start=1):
        assert batch.key(row, READER.species) == core.key


@pytest.mark.parametrize("cores", [[], [None, None]])
def test_a_batch_of_nothing_has_one_column(cores):
    assert READER.batch(cores).amounts.shape == (len(cores), 1)


@pytest.mark.parametrize("count", [1, 40])
def test_errors_of_many_formulas_stand_in_the_order_of_rows(count):
    texts = [*["CsPbBr", "Au2000Cu", "CsPbBr3", "Q", "Cs2SnI6"] * count]
    batch = READER.read_many(texts)
    rows = [row for row, text in enumerate(texts) if text in {"CsPbBr", "Au2000Cu", "Q"}]
    assert list(batch.errors) == rows
    filled = (batch.species >= 0).sum(axis=1)
    assert filled.tolist() == [0, 0, 3, 0, 3] * count
    assert batch.amounts.sum(axis=1).tolist() == [0, 0, 5, 0, 9] * count


def test_a_key_has_six_digits():
    key = READER.read_core("MAPb(Br0.1234599I0.8765401)3").key
    assert key == (("MA", 0.2), ("Pb", 0.2), ("Br", 0.074076), ("I", 0.525924))


def test_the_first_ion_of_the_table_is_part_of_the_key():
    first = READER.species[0]
    batch = CompositionBatch(np.array([[0, -1]], np.int16), np.array([[2.0, 0.0]]), {})
    assert batch.key(0, READER.species) == ((first, 1.0),)
