"""Physical facts of a shell on a core that constraints ask about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Mask
from perovshell.data.grammar import element_amounts
from perovshell.features.coating import METALLIC, SOLUBLE, gap_of
from perovshell.features.combinations import Layers

ALIGNMENTS: Final = ("wider gap", "narrower gap", "metallic", "unknown")
"""How the innermost layer's gap lies to the core's. A wider gap is what a type I alignment needs;
the band edges themselves are known for too few cores to tell type I from type II."""


def is_insoluble(layers: Layers) -> bool:
    """Whether water meets a layer known as insoluble first, and none within that dissolves."""
    outermost = layers[-1].in_water == "insoluble"
    return outermost and not any(layer.in_water in SOLUBLE for layer in layers)


def has_element(layers: Layers, element: str) -> bool:
    """Whether a layer's formula has an element."""
    return any(layer.formula and element in element_amounts(layer.formula) for layer in layers)


def alignment_allowed(layers: Layers, core_gaps: Floats, allowed: Sequence[str]) -> Mask:
    """Whether how a shell's gap lies to each core's is among the allowed words, shape (n,)."""
    if layers[0].material_class in METALLIC:
        return np.full(len(core_gaps), "metallic" in allowed)
    above = gap_of(layers) - core_gaps
    wider, narrower = above >= 0.0, above < 0.0
    is_allowed = np.where(wider, "wider gap" in allowed, "narrower gap" in allowed)
    return np.where(wider | narrower, is_allowed, "unknown" in allowed)
