"""What the stability models see of a combination under a stressor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from perovshell.arrays import Floats, Mask
from perovshell.data.shells import ShellMaterial
from perovshell.data.vocabulary import CONDITIONS, STRESSORS
from perovshell.features.combinations import Combination
from perovshell.features.descriptor import REQUEST, Descriptor
from perovshell.models.mixed import MixedEffects, Normal, kind_of

TEST_DESCRIPTORS = (
    *(Descriptor(f"stressor is {name}", "1", REQUEST, "stressor", "context") for name in STRESSORS),
    *(Descriptor(name, unit, REQUEST, "stressor", "context") for name, unit in CONDITIONS.items()),
)
"""Columns that a lifetime row has behind those of its combination."""
EFFECT_PRIORS: Mapping[str, Normal] = {
    # A lifetime of a week, within a factor of 150 either way.
    "mean": Normal(5.0, 5.0),
    "stressor": Normal(0.0, 2.0),
    "side": Normal(0.0, 1.5),
    "both": Normal(0.0, 1.0),
    # Between two classes, and between two shells of one class, lifetimes differ by about a factor
    # of 2; so they do with structure and encapsulation.
    "class": Normal(0.0, 0.7),
    "shell": Normal(0.0, 0.7),
    "structure": Normal(0.0, 0.5),
    "encapsulation": Normal(0.0, 0.5),
    "treatment": Normal(0.0, 1.0),
    # Half an eV of activation energy shortens a life by a factor of 3 to 6 over 50 K near 350 K; a
    # dose acts at most in proportion to the irradiance (ISOS: 10.1038/s41560-019-0529-5).
    "heat": Normal(-1.2, 0.6),
    "irradiance": Normal(-1.2, 0.8),
    "humidity": Normal(-0.3, 0.3),
    "paper": Normal(0.0, 1.0),
    "test": Normal(0.0, 0.8),
}
"""Priors of effects on the log lifetime, by kind."""
LEARNED_SPREADS = ("class", "shell", "paper", "test")
"""Kinds of effects whose spread the literature tells."""
SHARED_KINDS = ("paper", "test")
"""Kinds that predict nothing of another paper."""
NULL_KINDS = ("mean", "stressor", "side", "both", *SHARED_KINDS)
"""Kinds of the null model: stressor and side."""
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
    known = np.array(columns, dtype=float).reshape(len(matrix), len(TEST_DESCRIPTORS))
    return np.concatenate([matrix, known], axis=1)


def side_effects(
    stressor: str, conditions: Mapping[str, float], item: Combination, *, coated: bool
) -> dict[str, float]:
    """Return the amount of each effect on the log lifetime of one side of a test.

    Args:
        stressor: The stressor.
        conditions: Stated numbers of the test by the names of `vocabulary.CONDITIONS`.
        item: The combination.
        coated: Whether the side is that with the shell.
    """
    effects = base_effects(stressor, conditions) | treatment_effects(item)
    return effects | shell_effects(stressor, item) if coated else effects


def base_effects(stressor: str, conditions: Mapping[str, float]) -> dict[str, float]:
    """Return the effects that both sides of a test share: mean, stressor and conditions."""
    effects = {"mean:all": 1.0, f"stressor:{stressor}": 1.0}
    for stress in _STRESSES:
        value = conditions.get(stress.condition, math.nan)
        if stressor in stress.stressors and not math.isnan(value):
            effects[f"{stress.kind}:stated"] = stress.amount(value)
    return effects


def treatment_effects(item: Combination) -> dict[str, float]:
    """Return the effects of ligand and dopant, which both sides share."""
    return {f"treatment:{kind}": 1.0 for kind in item.treatments}


def shell_effects(stressor: str, item: Combination) -> dict[str, float]:
    """Return the effects that a shell adds to those of the bare core; none for a bare core."""
    if not item.layers:
        return {}
    return coating_effects(stressor, item.layers) | form_effects(item.structure, item.encapsulation)


def coating_effects(stressor: str, layers: Sequence[ShellMaterial]) -> dict[str, float]:
    """Return the effects of being coated, of the classes and of the materials of a shell."""
    names = (
        "side:coated",
        f"both:{stressor}",
        *(f"class:{layer.material_class}" for layer in layers),
        *(f"shell:{layer.name}" for layer in layers),
    )
    return dict.fromkeys(names, 1.0)


def form_effects(structure: str, encapsulation: str) -> dict[str, float]:
    """Return the effects of the structure and the encapsulation of a coated sample."""
    return {f"structure:{structure}": 1.0, f"encapsulation:{encapsulation}": 1.0}


def difference(coated: Mapping[str, float], bare: Mapping[str, float]) -> dict[str, float]:
    """Return the amounts of effects in the log gain: those of the coated side less the bare's."""
    amounts = {
        name: coated.get(name, 0.0) - bare.get(name, 0.0)
        for name in dict.fromkeys([*coated, *bare])
    }
    return {name: amount for name, amount in amounts.items() if amount != 0.0}


@dataclass(frozen=True)
class _Stress:
    """How a condition of a test enters: its distance from a usual value, in usual steps."""

    kind: str
    condition: str
    stressors: tuple[str, ...]
    usual: float
    step: float
    is_logarithm: bool = False

    def amount(self, value: float) -> float:
        """Return the number of steps above the usual value."""
        if self.is_logarithm:
            return math.log10(max(value, _LEAST_IRRADIANCE) / self.usual) / self.step
        return (value - self.usual) / self.step


_LEAST_IRRADIANCE = 1e-3
"""mW/cm2; a stated darkness is no light."""
_STRESSES = (
    _Stress("heat", "temperature_c", ("heat",), 80.0, 50.0),
    _Stress("irradiance", "irradiance_mw_cm2", ("light",), 100.0, 1.0, is_logarithm=True),
    _Stress("humidity", "humidity_percent", ("humidity", "ambient"), 60.0, 20.0),
)
"""Stated conditions that act on the lifetime; an unstated one is taken for usual."""


@dataclass(frozen=True)
class Logarithms:
    """Predicted logarithms of lifetimes or gains, each of shape (n,).

    Attributes:
        value: By the model.
        null: By the null model.
        sigma: Standard deviation about `value`, of an observation in a new paper.
        null_sigma: Standard deviation about `null`.
    """

    value: Floats
    null: Floats
    sigma: Floats
    null_sigma: Floats

    @classmethod
    def of(
        cls,
        models: tuple[MixedEffects, MixedEffects],
        rows: Sequence[Mapping[str, float]],
        trees: Floats,
        *,
        is_null: Mask,
        is_gain: bool,
    ) -> Logarithms:
        """Predict rows.

        Args:
            models: Null model, and all effects.
            rows: Amount of each effect.
            trees: What trees add, shape (n,).
            is_null: Which rows the null model answers, shape (n,).
            is_gain: Whether rows are differences of two sides: what a test shares cancels.
        """
        null_model, effects = models
        null = effect_sums(null_model, rows)
        null_sigma = _spread(null_model, rows, is_gain=is_gain)
        return cls(
            value=np.where(is_null, null, effect_sums(effects, rows) + trees),
            null=null,
            sigma=np.where(is_null, null_sigma, _spread(effects, rows, is_gain=is_gain)),
            null_sigma=null_sigma,
        )


def effect_sums(effects: MixedEffects, rows: Sequence[Mapping[str, float]]) -> Floats:
    """Return the sum of the effects of each row, shape (n,)."""
    return np.array([effects.predict(row) for row in rows])


def _spread(effects: MixedEffects, rows: Sequence[Mapping[str, float]], *, is_gain: bool) -> Floats:
    """Return the standard deviation of observations of a new paper, shape (n,)."""
    variance = effects.sigma**2 * (2.0 if is_gain else 1.0)
    variance += (
        0.0 if is_gain else sum(effects.spreads.get(kind, 0.0) ** 2 for kind in SHARED_KINDS)
    )
    known = [
        {name: amount for name, amount in row.items() if kind_of(name) in effects.spreads}
        for row in rows
    ]
    return np.asarray(np.sqrt(np.array([effects.variance(row) for row in known]) + variance))
