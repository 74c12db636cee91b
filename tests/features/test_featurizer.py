"""Descriptor rows: known values by hand, and what a row does not depend on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.dataset import Dataset
from perovshell.errors import InputError
from perovshell.features.combinations import Combination
from perovshell.features.descriptor import BLOCKS, Descriptor
from perovshell.features.featurizer import Featurizer
from perovshell.remembered import Remembered
from perovshell.training.fit.problems import combination_of

MANY_CHARGES = (
    *("CsPbBr3", "Cs2SnCl6", "CsSnBr3", "Cs4Sn2Cl12", "Cs2Sn0.5Pt0.5Br6", "CsCuCl3", "Cs2CuCl3"),
    *("FA0.8Cs0.2Sn0.5Pb0.5I3", "Cs2AgInCl6", "Cs2PtI6", "CsEuCl3", "Cs3Bi2Br9", "Cs2SnBr1.5Cl4.5"),
)


def combination(featurizer: Featurizer, core: str, shell: str, **known: object) -> Combination:
    read = featurizer.reader.read_sample(core, shell)
    words = {"structure": "core/shell", "encapsulation": "unknown", "medium": "film"} | known
    return Combination(read.core, read.layers, **words)


def value(featurizer: Featurizer, item: Combination, name: str) -> float:
    return float(featurizer.matrix([item])[0, featurizer.names.index(name)])


@pytest.mark.parametrize(
    ("core", "name", "expected"),
    [
        ("CsPbBr3", "tolerance factor", (188 + 196) / (math.sqrt(2) * (119 + 196))),
        ("CsPbBr3", "octahedral factor", 119 / 196),
        ("CsPbBr3", "bulk gap by Vegard", 2.36),
        ("CsPbBr1.5I1.5", "bulk gap by Vegard", (2.36 + 1.73) / 2),
        ("CsPbBr1.5I1.5", "Br-I mixing", 0.25),
        ("Cs0.2FA0.8PbI3", "bulk gap by Vegard", 0.2 * 1.73 + 0.8 * 1.48),
        ("Cs0.2FA0.8PbI3", "A-site mixing", 1 - 0.04 - 0.64),
        ("Cs3Bi2Br9", "bulk gap by Vegard", 2.707),
        ("Cs2AgInCl6", "bulk gap by Vegard", 3.3),
        ("Cs4PbBr6", "A per B", 4.0),
        ("Cs4PbBr6", "X per B", 6.0),
        ("CsPbCl2Br", "Cl fraction on X", 2 / 3),
        ("CsPb0.9Mn0.1Cl3", "Pb fraction on B", 0.9),
        ("AuCu", "metal core", 1.0),
        ("CsPbBr3", "metal core", 0.0),
    ],
)
def test_known_values_of_the_core(
    featurizer: Featurizer, core: str, name: str, expected: float
) -> None:
    item = combination(featurizer, core, "SiO2")
    assert value(featurizer, item, name) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("core", "name"),
    [
        ("EAPbBr3", "mean A radius"),
        ("Cs4PbBr6", "bulk gap by Vegard"),
        ("AuCu", "tolerance factor"),
        ("CsPb0.9Mn0.1Cl3", "bulk gap by Vegard"),
    ],
)
def test_what_is_unknown_stays_missing(featurizer: Featurizer, core: str, name: str) -> None:
    assert math.isnan(value(featurizer, combination(featurizer, core, "SiO2"), name))


@pytest.mark.parametrize(
    ("core", "like", "guessed"),
    [
        ("CsPbI3", "CsPbI3", (0, 0, 0)),
        ("EAPbI3", "CsPbI3", (1, 0, 0)),
        ("Cs0.5EA0.5PbI3", "CsPbI3", (0.5, 0, 0)),
        ("Rb0.5Cs0.5Pb0.5Ge0.5I3", "CsPbI3", (0.5, 0.5, 0)),
        ("CsPb0.9Mn0.1I3", "CsPbI3", (0, 0.1, 0)),
        ("EAPb0.5Sn0.5I3", "CsPb0.5Sn0.5I3", (1, 0, 0)),
        ("CsGeI3", "CsGeI3", (0, 0, 0)),
        ("CsMnI3", "CsPbI3", (0, 0, 1)),
        ("RbGeI3", "CsPbI3", (1, 0, 1)),
    ],
)
def test_an_ion_without_a_tabulated_gap_counts_as_caesium_or_lead(
    featurizer: Featurizer, core: str, like: str, guessed: tuple[float, ...]
) -> None:
    item = combination(featurizer, core, "none")
    gap = value(featurizer, combination(featurizer, like, "none"), "bulk gap estimate")
    on_b = ("B guessed as Pb, with Pb", "B guessed as Pb, without Pb")
    names = ("bulk gap estimate", "A guessed as Cs", *on_b)
    assert [value(featurizer, item, name) for name in names] == pytest.approx([gap, *guessed])


def test_contrasts_compare_core_and_innermost_layer(featurizer: Featurizer) -> None:
    item = combination(featurizer, "CsPbBr3", "CdS|Al2O3")
    assert value(featurizer, item, "shell gap above core gap") == pytest.approx(2.42 - 2.36)
    lattice = 2 * (119 + 196) / 100
    assert value(featurizer, item, "lattice mismatch") == pytest.approx(4.1348 / lattice - 1)


def test_size_enters_as_the_inverse_square_of_size_and_leakage(featurizer: Featurizer) -> None:
    item = combination(featurizer, "CsPbBr3", "none", structure="bare", core_size_nm=4.0)
    assert value(featurizer, item, "confinement") == pytest.approx(1 / 4.5**2)


def test_a_bare_core_has_no_layers_and_no_shell_properties(featurizer: Featurizer) -> None:
    item = combination(featurizer, "CsPbBr3", "none", structure="bare")
    assert value(featurizer, item, "shell layers") == 0
    assert math.isnan(value(featurizer, item, "inner band_gap_ev"))


def test_every_descriptor_says_what_it_is(featurizer: Featurizer) -> None:
    assert len(set(featurizer.names)) == len(featurizer.names)
    for descriptor in featurizer.descriptors:
        assert descriptor.unit, descriptor
        assert descriptor.source, descriptor
        assert descriptor.group, descriptor
        assert descriptor.block in BLOCKS


def test_every_shell_of_the_table_gives_a_row(featurizer: Featurizer) -> None:
    materials = featurizer.reader.shells.materials.values()
    block = featurizer.shell_block([(material,) for material in materials])
    assert len(block) == len(featurizer.reader.shells.materials)
    names = [d.name for d in featurizer.descriptors if d.block == "shell"]
    known = ~np.isnan(block[:, names.index("inner mean Number")])
    assert known.tolist() == [bool(material.formula) for material in materials]


def test_a_row_does_not_depend_on_the_batch(featurizer: Featurizer, dataset: Dataset) -> None:
    items = [combination_of(sample) for sample in list(dataset.samples.values())[::9]]
    together = featurizer.matrix(items)
    alone = np.vstack([featurizer.matrix([item]) for item in items])
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_an_open_core_leaves_the_shell_known(featurizer: Featurizer, dataset: Dataset) -> None:
    sample = dataset.samples["review2021_ref27-CsPbMnX3-SiO2"]
    row = dict(zip(featurizer.names, featurizer.matrix([combination_of(sample)])[0], strict=True))
    cores = [d.name for d in featurizer.descriptors if d.block == "core"]
    assert all(math.isnan(row[name]) for name in cores)
    assert row["shell is oxide"] == 1


def test_leaving_elements_out_changes_nothing_else(featurizer: Featurizer) -> None:
    items = [combination(featurizer, "CsPbBr3", "ZnS"), combination(featurizer, "FAPbI3", "PMMA")]
    groups = np.array([d.group for d in featurizer.descriptors])
    whole, part = featurizer.matrix(items), featurizer.matrix(items, elements_too=False)
    np.testing.assert_array_equal(
        whole[:, groups != "core elements"], part[:, groups != "core elements"]
    )


def test_tables_bring_the_same_rows_back(featurizer: Featurizer, dataset: Dataset) -> None:
    again = Featurizer.from_tables(featurizer.tables(), featurizer.table)
    items = [combination_of(sample) for sample in list(dataset.samples.values())[::20]]
    np.testing.assert_array_equal(featurizer.matrix(items), again.matrix(items))


def test_the_radius_is_that_of_the_charge_that_makes_a_core_neutral(
    featurizer: Featurizer,
) -> None:
    tin = {"Cs2SnCl6": 69.0, "CsSnCl3": 110.0, "CsCuCl3": 73.0, "Cs2CuCl3": 77.0}
    for core, radius in tin.items():
        item = combination(featurizer, core, "none")
        assert value(featurizer, item, "mean B radius") == radius, core
    mixed = combination(featurizer, "Cs2Sn0.5Pt0.5Cl6", "none")
    assert value(featurizer, mixed, "mean B radius") == pytest.approx((69.0 + 62.5) / 2)


@given(st.lists(st.sampled_from(range(len(MANY_CHARGES))), min_size=1, max_size=40))
def test_a_core_of_any_charges_is_the_same_in_every_batch(
    featurizer: Featurizer, places: list[int]
) -> None:
    reader, texts = featurizer.reader, [MANY_CHARGES[place] for place in places]
    many = featurizer.core_block(reader.read_many(texts))
    for text, row in zip(texts, many, strict=True):
        core = reader.read_core(text)
        np.testing.assert_allclose(row, featurizer.core_block(reader.batch([core.amounts]))[0])
        item = combination(featurizer, text, "SiO2")
        np.testing.assert_allclose(row, featurizer.matrix([item])[0, : len(row)])


def test_derived_columns_are_named_once_and_in_order(featurizer: Featurizer) -> None:
    """Each column holds what its name says, wherever the description stands."""
    row = dict(zip(featurizer.names, featurizer.matrix([
        combination(featurizer, "CsPb(Br0.6I0.4)3", "none")])[0], strict=True))  # fmt: skip
    a, b, x = (row[f"mean {site} radius"] for site in "ABX")
    assert row["Br-I mixing"] == pytest.approx(0.24)
    assert row["Cl-Br mixing"] == row["A-site mixing"] == row["B-site mixing"] == 0.0
    assert (row["A per B"], row["X per B"], row["metal core"]) == (1.0, 3.0, 0.0)
    assert row["tolerance factor"] == pytest.approx((a + x) / (2**0.5 * (b + x)))
    assert row["octahedral factor"] == pytest.approx(b / x)
    assert row["pseudo-cubic lattice"] == pytest.approx((b + x) / 50)
    assert row["bulk gap estimate"] < row["bulk gap by Vegard"]


def test_no_more_shells_are_remembered_than_a_limit(featurizer: Featurizer) -> None:
    own = Featurizer.from_tables(featurizer.tables(), featurizer.table)
    own._shell_rows = Remembered(most=5)
    shells = [own.reader.read_shell(f"CsPbBr{3 - k / 100:g}Cl{k / 100:g}") for k in range(1, 20)]
    rows = own.shell_block(shells)
    assert len(own._shell_rows) <= 5
    np.testing.assert_array_equal(rows, [own.shell_block([one])[0] for one in shells])


def test_a_descriptor_of_no_block_is_refused() -> None:
    with pytest.raises(InputError, match="block 'crust'; allowed: core, size"):
        Descriptor("depth", "nm", "here", "core size", "crust")
