"""What the stability models see of a combination under a stressor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from perovshell.arrays import Floats, Mask
from perovshell.data.shells import ShellMaterial
from perovshell.data.vocabulary import CONDITIONS, STRESSORS
from perovshell.features.combinations import Combination
from perovshell.features.descriptor import REQUEST, Descriptor

TEST_DESCRIPTORS = (
    *(Descriptor(f"stressor is {name}", "1", REQUEST, "stressor", "context") for name in STRESSORS),
    *(Descriptor(name, unit, REQUEST, "stressor", "context") for name, unit in CONDITIONS.items()),
)
"""Columns that a lifetime row has behind those of its combination."""
LIFETIME_PRIOR_SD = {"stressor": 2.0, "side": 1.0, "both": 1.0}
SHELL_PRIOR_SD = {"class": 0.7, "shell": 0.7, "structure": 0.5, "encapsulation": 0.5}
"""Of what a shell adds to the lifetime of a coated sample: about a factor of 2."""
GAIN_PRIOR_SD = {"stressor": 0.35, "class": 0.35, "shell": 0.35}
"""Prior standard deviations of log-scale effects: gains of one shell differ between papers by a
factor of 20, so what a stressor, class or shell adds is held to a factor of about 1.4."""
INTERVAL_INFLATION = 1.5
"""Factor by which finite ends of lifetime intervals are moved out in scoring and calibration."""
THIN_STRESSOR_PAPERS = 5
"""Stressors with fewer papers get the baseline prediction of the null model."""


def thin_stressors(papers: Mapping[str, int], stressors: Sequence[str]) -> Mask:
    """Return which stressors have too few papers for more than the null model, shape (n,).

    Args:
        papers: Number of papers by stressor.
        stressors: The stressors.
    """
    return np.array([papers.get(name, 0) < THIN_STRESSOR_PAPERS for name in stressors], bool)


def answer_or_null(is_thin: Mask, null: Floats, full: Floats, *, is_metal: Mask | bool) -> Floats:
    """Return the values of a model, those of its null model for thin stressors and metal cores.

    Args:
        is_thin: Which stressors have too few papers, shape (n_stressors,).
        is_metal: Which cores are metals; broadcasts to the last axes of `full`.
        null: Log values of the null model.
        full: Log values of the model, shape (n_stressors, ...).
    """
    thin = is_thin.reshape(-1, *(1,) * (full.ndim - 1))
    return np.where(thin | is_metal, null, full)


def test_columns(stressor: str, conditions: Mapping[str, float]) -> list[float]:
    """Return the values of `TEST_DESCRIPTORS`."""
    return [
        *(float(stressor == name) for name in STRESSORS),
        *(conditions.get(name, math.nan) for name in CONDITIONS),
    ]


def with_test_columns(matrix: Floats, columns: Sequence[Sequence[float]]) -> Floats:
    """Append test columns to descriptor rows."""
    return np.concatenate([matrix, np.array(columns, dtype=float)], axis=1)


def lifetime_labels(stressor: str, *, coated: bool) -> tuple[str, ...]:
    """Return the labels of the lifetime's null model."""
    side = "coated" if coated else "bare"
    return (f"stressor:{stressor}", f"side:{side}", f"both:{stressor}-{side}")


def shell_labels(item: Combination) -> tuple[str, ...]:
    """Return the labels that the linear model of the lifetime adds for a coated sample."""
    if not item.layers:
        return ()
    context = (f"structure:{item.structure}", f"encapsulation:{item.encapsulation}")
    return (*layer_labels(item.layers), *context)


def layer_labels(layers: Sequence[ShellMaterial]) -> tuple[str, ...]:
    """Return the labels of a shell's materials and of their classes."""
    return (*class_labels(layers), *name_labels(layers))


def class_labels(layers: Sequence[ShellMaterial]) -> tuple[str, ...]:
    """Return the labels of the classes of a shell's materials."""
    return tuple(dict.fromkeys(f"class:{layer.material_class}" for layer in layers))


def name_labels(layers: Sequence[ShellMaterial]) -> tuple[str, ...]:
    """Return the labels of a shell's materials."""
    return tuple(dict.fromkeys(f"shell:{layer.name}" for layer in layers))


def gain_labels(stressor: str, layers: Sequence[ShellMaterial]) -> tuple[str, ...]:
    """Return the labels of the gain model."""
    return (f"stressor:{stressor}", *layer_labels(layers))
