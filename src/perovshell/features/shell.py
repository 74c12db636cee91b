"""Descriptors of a shell: how many layers, their classes, reference properties, composition."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.grammar import element_amounts
from perovshell.data.ions import ELEMENTS
from perovshell.data.shells import PROPERTIES, ShellMaterial
from perovshell.features import elements
from perovshell.features.descriptor import REFERENCE_TABLE, Descriptor

CLASSES = (
    "oxide",
    "sulfide",
    "selenide",
    "halide",
    "perovskite-like",
    "sulfate",
    "metal",
    "polymer",
    "cellulose",
    "mof",
    "zeolite",
    "glass",
    "organosilica",
)
"""Classes with their own column; the others are described by their properties alone."""
_IN_WATER = {"soluble": 0.0, "reacts": 0.0, "sparingly soluble": 0.5, "insoluble": 1.0}
_CRYSTALLINE = {"yes": 1.0, "semi": 0.5, "no": 0.0}
LAYERS = ("inner", "outer")
_N_OF_LAYER = len(PROPERTIES) + 2 + elements.N_COLUMNS
_N_COLUMNS = 1 + len(CLASSES) + len(LAYERS) * _N_OF_LAYER


def shell_descriptors() -> list[Descriptor]:
    """Describe the columns of `shell_matrix`."""

    def column(name: str, unit: str, group: str, source: str = REFERENCE_TABLE) -> Descriptor:
        return Descriptor(name, unit, source, group, "shell")

    columns = [column("shell layers", "1", "shell class")]
    columns += [column(f"shell is {name}", "1", "shell class") for name in CLASSES]
    for layer in LAYERS:
        columns += [
            column(f"{layer} {name}", unit, "shell properties") for name, unit in PROPERTIES.items()
        ]
        columns.append(column(f"{layer} insoluble in water", "1", "shell properties"))
        columns.append(column(f"{layer} crystalline", "1", "shell properties"))
        columns += [
            column(f"{layer} {name}", unit, "shell composition", source)
            for name, unit, source in elements.labels()
        ]
    return columns


def shell_matrix(
    table: elements.ElementTable, shells: Sequence[tuple[ShellMaterial, ...]]
) -> Floats:
    """Compute shell descriptors.

    Args:
        table: Elemental properties.
        shells: Layers from the inside out, a tuple for each shell; empty is bare.

    Returns:
        Matrix of shape (n, len(shell_descriptors())); a bare core has 0 layers, 0 in the class
        columns and NaN in the properties of layers it does not have.
    """
    rows = []
    for layers in shells:
        classes = {layer.material_class for layer in layers}
        row = [float(len(layers)), *(float(name in classes) for name in CLASSES)]
        for layer in (layers[0], layers[-1]) if layers else (None, None):
            row += _layer_row(table, layer)
        rows.append(row)
    return np.array(rows, dtype=float).reshape(len(shells), _N_COLUMNS)


def _layer_row(table: elements.ElementTable, layer: ShellMaterial | None) -> list[float]:
    if layer is None:
        return [math.nan] * _N_OF_LAYER
    properties = [layer.properties.get(name, math.nan) for name in PROPERTIES]
    in_water = _IN_WATER.get(layer.in_water, math.nan)
    crystalline = _CRYSTALLINE.get(layer.crystalline, math.nan)
    return [*properties, in_water, crystalline, *_composition_row(table, layer.formula)]


def _composition_row(table: elements.ElementTable, formula: str) -> list[float]:
    if not formula:
        return [math.nan] * elements.N_COLUMNS
    amounts = element_amounts(formula)
    places = [ELEMENTS.index(symbol) for symbol in amounts]
    values = np.array([list(amounts.values())])
    return [float(value) for value in elements.composition_matrix(table, values, places)[0]]
