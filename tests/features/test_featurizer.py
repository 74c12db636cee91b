"""Descriptor rows: known values by hand, and what a row does not depend on."""

import math

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.features.descriptor import BLOCKS
from perovshell.features.featurizer import Combination, Featurizer
from perovshell.training.fit.problems import combination_of


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
    ("core", "gap", "guessed_a", "guessed_b"),
    [
        ("CsPbI3", 1.73, 0, 0),
        ("EAPbI3", 1.73, 1, 0),
        ("Cs0.5EA0.5PbI3", 1.73, 0.5, 0),
        ("Rb0.5Cs0.5Pb0.5Ge0.5I3", 1.73, 0.5, 0.5),
    ],
)
def test_an_ion_without_a_tabulated_gap_counts_as_caesium_or_lead(
    featurizer: Featurizer, core: str, gap: float, guessed_a: float, guessed_b: float
) -> None:
    item = combination(featurizer, core, "none")
    names = ("bulk gap estimate", "A guessed as Cs", "B guessed as Pb")
    found = [value(featurizer, item, name) for name in names]
    assert found == pytest.approx([gap, guessed_a, guessed_b])


def test_contrasts_compare_core_and_innermost_layer(featurizer: Featurizer) -> None:
    item = combination(featurizer, "CsPbBr3", "CdS|Al2O3")
    assert value(featurizer, item, "shell gap above core gap") == pytest.approx(2.42 - 2.36)
    lattice = 2 * (119 + 196) / 100
    assert value(featurizer, item, "lattice mismatch") == pytest.approx(4.1348 / lattice - 1)


def test_size_enters_as_its_inverse_square(featurizer: Featurizer) -> None:
    item = combination(featurizer, "CsPbBr3", "none", structure="bare", core_size_nm=4.0)
    assert value(featurizer, item, "confinement") == pytest.approx(1 / 16)


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
