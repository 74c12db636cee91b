"""Descriptors of a shell: layers, classes, reference properties, composition."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.shells import PROPERTIES, ShellMaterial
from perovshell.features.elements import ElementTable
from perovshell.features.featurizer import Featurizer
from perovshell.features.shell import CLASSES, LAYERS, shell_descriptors, shell_matrix

NAMES = [descriptor.name for descriptor in shell_descriptors()]


@pytest.fixture(scope="module")
def featurizer() -> Featurizer:
    return Featurizer.bundled()


@pytest.fixture(scope="module")
def table() -> ElementTable:
    return ElementTable.from_matminer()


def row(table: ElementTable, *layers: ShellMaterial) -> dict[str, float]:
    [values] = shell_matrix(table, [layers]).tolist()
    return dict(zip(NAMES, values, strict=True))


def materials(featurizer: Featurizer) -> list[ShellMaterial]:
    return list(featurizer.reader.shells.materials.values())


@given(data=st.data())
def test_layers_and_classes_are_counted(
    featurizer: Featurizer, table: ElementTable, data: st.DataObject
) -> None:
    layers = data.draw(st.lists(st.sampled_from(materials(featurizer)), min_size=1, max_size=4))
    values = row(table, *layers)
    assert values["shell layers"] == len(layers)
    classes = {layer.material_class for layer in layers}
    assert {name for name in CLASSES if values[f"shell is {name}"] == 1.0} == classes & {*CLASSES}


@given(data=st.data())
def test_inner_and_outer_layer_are_the_first_and_the_last(
    featurizer: Featurizer, table: ElementTable, data: st.DataObject
) -> None:
    layers = data.draw(st.lists(st.sampled_from(materials(featurizer)), min_size=1, max_size=3))
    values = row(table, *layers)
    for name in PROPERTIES:
        for side, layer in zip(LAYERS, (layers[0], layers[-1]), strict=True):
            expected = layer.properties.get(name, math.nan)
            assert values[f"{side} {name}"] == pytest.approx(expected, nan_ok=True)


def test_a_bare_core_has_no_layer(table: ElementTable) -> None:
    values = row(table)
    assert values["shell layers"] == 0.0
    assert not any(values[f"shell is {name}"] for name in CLASSES)
    assert all(math.isnan(values[name]) for name in NAMES if name.startswith(LAYERS))


@pytest.mark.parametrize(
    ("in_water", "expected"),
    [("soluble", 0.0), ("reacts", 0.0), ("sparingly soluble", 0.5), ("insoluble", 1.0)],
)
def test_solubility_is_a_number(
    featurizer: Featurizer, table: ElementTable, in_water: str, expected: float
) -> None:
    layer = replace(featurizer.reader.read_shell("SiO2")[0], in_water=in_water)
    assert row(table, layer)["inner insoluble in water"] == expected


def test_an_unknown_property_is_missing(featurizer: Featurizer, table: ElementTable) -> None:
    layer = replace(
        featurizer.reader.read_shell("SiO2")[0], in_water="", crystalline="", properties={}
    )
    values = row(table, layer)
    names = ["insoluble in water", "crystalline", *PROPERTIES]
    assert all(math.isnan(values[f"outer {name}"]) for name in names)


def test_rows_do_not_depend_on_each_other(featurizer: Featurizer, table: ElementTable) -> None:
    shells = [(), *((material,) for material in materials(featurizer)[:12])]
    together = shell_matrix(table, shells)
    apart = np.vstack([shell_matrix(table, [layers]) for layers in shells])
    np.testing.assert_array_equal(together, apart)


def test_no_shell_at_all_is_an_empty_matrix(table: ElementTable) -> None:
    assert shell_matrix(table, []).shape == (0, len(NAMES))
