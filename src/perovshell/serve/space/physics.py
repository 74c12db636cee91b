"""Physical facts of a shell on a core that constraints ask about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Mask
from perovshell.data.grammar import element_amounts
from perovshell.data.shells import ShellMaterial

Layers = tuple[ShellMaterial, ...]

ALIGNMENTS: Final = ("wider gap", "narrower gap", "metallic", "unknown")
"""How the innermost layer's gap lies to the core's. A wider gap is what a type I alignment needs;
the band edges themselves are known for too few cores to tell type I from type II."""
SOLUBLE: Final = frozenset({"soluble", "reacts", "sparingly soluble"})
METALLIC: Final = frozenset({"metal", "carbon"})

SEMICONDUCTORS: Final = frozenset({"sulfide", "selenide", "telluride"})
"""Classes whose gaps run from far below a core's to far above: one without a known gap cannot be
shown not to quench."""


def is_insoluble(layers: Layers) -> bool:
    """Whether water meets a layer known as insoluble first, and none within that dissolves."""
    outermost = layers[-1].in_water == "insoluble"
    return outermost and not any(layer.in_water in SOLUBLE for layer in layers)


def has_element(layers: Layers, element: str) -> bool:
    """Whether a layer's formula has an element."""
    return any(layer.formula and element in element_amounts(layer.formula) for layer in layers)


def gap_above(layers: Layers, core_gaps: Floats) -> Floats:
    """Return the innermost layer's gap less each core's in eV, NaN where one is unknown."""
    return np.asarray(gap_of(layers) - core_gaps)


def gap_of(layers: Layers) -> float:
    """Return the gap of the innermost layer in eV, NaN where it is unknown."""
    return layers[0].properties.get("band_gap_ev", math.nan)


def quenches(layers: Layers, core_gaps: Floats) -> Mask:
    """Whether the innermost layer may take carriers, shape (n,).

    It does where it is a metal or its gap is below the core's; a sulfide, selenide or telluride of
    unknown gap may.

    Args:
        layers: The shell.
        core_gaps: Estimated bulk gap of each core in eV, NaN where unknown, shape (n,).
    """
    if layers[0].material_class in METALLIC:
        return np.ones(len(core_gaps), dtype=bool)
    above = gap_above(layers, core_gaps)
    may = np.isnan(above) & (layers[0].material_class in SEMICONDUCTORS)
    return np.asarray((above < 0.0) | may)


def alignment_allowed(layers: Layers, core_gaps: Floats, allowed: Sequence[str]) -> Mask:
    """Whether how a shell's gap lies to each core's is among the allowed words, shape (n,)."""
    if layers[0].material_class in METALLIC:
        return np.full(len(core_gaps), "metallic" in allowed)
    above = gap_above(layers, core_gaps)
    wider, narrower = above >= 0.0, above < 0.0
    is_allowed = np.where(wider, "wider gap" in allowed, "narrower gap" in allowed)
    return np.where(wider | narrower, is_allowed, "unknown" in allowed)
