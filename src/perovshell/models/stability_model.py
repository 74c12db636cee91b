"""Lifetimes and stability gains under a stressor: one model of both sides of a test.

The log lifetime of a side is a sum of effects and of boosted trees. The stability gain is the ratio
of the lifetimes of the coated and of the bare side of one core under one stressor, so half-lives
and gains agree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.shells import ShellMaterial
from perovshell.data.vocabulary import STRESSORS, TREATMENTS
from perovshell.features.combinations import Combinations
from perovshell.models.conformal import ConformityScores
from perovshell.models.forest import Forest
from perovshell.models.mixed import MixedEffects
from perovshell.models.parts import (
    Arrays,
    forest_from_arrays,
    forest_to_arrays,
    scores_from_arrays,
    scores_to_arrays,
)
from perovshell.models.stability import (
    answer_or_null,
    base_effects,
    coating_effects,
    form_effects,
    test_columns,
    thin_stressors,
)
from perovshell.targets.declared import GAIN, LIFETIME

LN2: Final = math.log(2.0)
MIN_EVIDENCE: Final = 3
"""Papers from which the tests of a shell, or of its class, tell whether its median was reached."""
_HALF: Final = 0.5
_OF_OPEN_BARE: Final = {"": "<", ">": "~"}
"""Sign of a gain whose bare median was not reached, by that of the coated half-life."""
_SCORES: Final = ("lifetime_scores", "gain_scores", "gain_floors")


@dataclass(frozen=True)
class Reached:
    """Where the medians of lifetimes were reached by the tests of the literature.

    Attributes:
        papers: Papers with tests, by `evidence_key`.
        open_share: Share of these tests whose lifetime has no upper end.
        floors: Median distance of the lower ends of the lifetimes, widened as in scoring, from
            their predictions, in log units, of bare and of coated sides; at most 0.
    """

    papers: Mapping[str, int]
    open_share: Mapping[str, float]
    floors: tuple[float, float]

    def is_open(self, stressor: str, layers: Sequence[ShellMaterial]) -> bool:
        """Whether more than half of the tests have no upper end: the median was not reached.

        The tests are those of the same shells under the stressor, if enough papers have some; else
        those of their classes; else all of the side under the stressor; else all of the side.
        """
        for keys in evidence_keys(stressor, layers):
            known = [(self.papers.get(key, 0), self.open_share.get(key, 0.0)) for key in keys]
            papers = sum(count for count, _ in known)
            if papers >= MIN_EVIDENCE:
                return sum(count * share for count, share in known) / papers > _HALF
        return False

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "papers": dict(self.papers),
            "open_share": dict(self.open_share),
            "floors": list(self.floors),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Reached:
        """Rebuild from JSON data."""
        bare, coated = data["floors"]
        return cls(data["papers"], data["open_share"], (float(bare), float(coated)))


def evidence_keys(stressor: str, layers: Sequence[ShellMaterial]) -> list[list[str]]:
    """Return the keys of the tests that tell of a side, the most specific ones first."""
    if not layers:
        return [[f"bare, {stressor}"], ["bare"]]
    names = [f"shell:{layer.name}, {stressor}" for layer in layers]
    classes = [f"class:{layer.material_class}, {stressor}" for layer in layers]
    return [[*dict.fromkeys(names)], [*dict.fromkeys(classes)], [f"coated, {stressor}"], ["coated"]]


@dataclass(frozen=True)
class StabilityModel:
    """Equivalent lifetimes (h) of both sides under a stressor; answers are half-lives and gains.

    Attributes:
        null: Effects of stressor and side alone.
        effects: Those of stressor, conditions, side, shell, class, structure, encapsulation and
            treatment, which the forest starts from.
        forest: Trees on top of the effects; none where the effects alone are used.
        columns: Columns of the trees, test columns included.
        lifetime_scores: Residuals of log lifetime, estimated from intervals.
        gain_scores: Residuals of log gain, estimated from intervals.
        gain_floors: Lower ends of the residuals of log gain: the least that was measured.
        reached: Where medians were reached.
        conditions: Median stated conditions of each stressor in the literature.
        papers: Papers with a lifetime under each stressor.
        shell_papers: Papers with a two-sided test of each shell layer.
        shell_tests: The same under each stressor, by `test_key`.
    """

    null: MixedEffects
    effects: MixedEffects
    forest: Forest
    columns: Indices
    lifetime_scores: ConformityScores
    gain_scores: ConformityScores
    gain_floors: ConformityScores
    reached: Reached
    conditions: Mapping[str, Mapping[str, float]]
    papers: Mapping[str, int]
    shell_papers: Mapping[str, int]
    shell_tests: Mapping[str, int]

    @staticmethod
    def test_key(layer: str, stressor: str) -> str:
        """Return the name of tests of a layer under a stressor."""
        return f"{layer}, {stressor}"

    @property
    def has_trees(self) -> bool:
        """Whether trees are used."""
        return len(self.forest.roots) > 0

    # Effects ---------------------------------------------------------------------------------

    def linear(
        self, stressors: Sequence[str], items: Combinations, temperature: Floats
    ) -> tuple[Floats, Floats]:
        """Return what the forest starts from, in log h, of combinations and of their bare cores.

        Args:
            stressors: The stressors.
            items: n combinations.
            temperature: Temperature of the test in deg C, NaN where unknown, shape (n,).

        Returns:
            Two arrays of shape (n_stressors, n).
        """
        kinds, kind = items.kinds
        known, at = np.unique(temperature, return_inverse=True)
        base = [[self.base(name, float(one)) for one in known] for name in stressors]
        coats = [[self.coat(name, *one) for one in kinds] for name in stressors]
        bare = np.array(base).reshape(len(stressors), len(known))[:, at.ravel()]
        bare = bare + items.contexts.treatments @ self.treatments
        return bare + np.array(coats).reshape(len(stressors), len(kinds))[:, kind], bare

    def base(self, stressor: str, temperature: float = math.nan) -> float:
        """Return the log lifetime in log h of an untreated bare core."""
        return self.effects.predict(base_effects(stressor, {"temperature_c": temperature}))

    @cached_property
    def treatments(self) -> Floats:
        """What each of `vocabulary.TREATMENTS` adds to the log lifetime."""
        return np.array([self.effects.predict({f"treatment:{kind}": 1.0}) for kind in TREATMENTS])

    def coat(
        self, stressor: str, layers: Sequence[ShellMaterial], structure: str, encapsulation: str
    ) -> float:
        """Return what a shell adds to the log lifetime; 0 for a bare core."""
        if not layers:
            return 0.0
        return self.coating(stressor, layers) + self.form(structure, encapsulation)

    def coating(self, stressor: str, layers: Sequence[ShellMaterial]) -> float:
        """Return what the materials of a shell add to the log lifetime."""
        return self.effects.predict(coating_effects(stressor, layers))

    def own_effect(self, layers: Sequence[ShellMaterial]) -> float:
        """Return what tests of the same materials, beyond their classes, add."""
        return self.effects.predict({f"shell:{layer.name}": 1.0 for layer in layers})

    def form(self, structure: str, encapsulation: str) -> float:
        """Return what structure and encapsulation of a coated sample add to the log lifetime."""
        return self.effects.predict(form_effects(structure, encapsulation))

    def null_values(self, stressor: str) -> tuple[float, float]:
        """Return the log lifetimes in log h of the bare and the coated side by the null model."""
        if stressor not in self._null:
            bare = self.null.predict(base_effects(stressor, {}))
            coat = self.null.predict(coating_effects(stressor, ()))
            self._null[stressor] = bare, bare + coat
        return self._null[stressor]

    @cached_property
    def _null(self) -> dict[str, tuple[float, float]]:
        return {}

    def answered(
        self, stressors: Sequence[str], full: Floats, *, coated: Mask, is_metal: Mask | bool = False
    ) -> Floats:
        """Return log lifetimes: of the model, of the null model where it cannot answer.

        Args:
            stressors: Stressor of each entry of the first axis.
            full: Log lifetimes by effects and trees, shape (n_stressors, ...).
            coated: Which sides have a shell; broadcasts to the last axes of `full`.
            is_metal: Which cores are metals.
        """
        sides = np.array([self.null_values(name) for name in stressors]).reshape(-1, 2)
        shape = (-1, *(1,) * (full.ndim - 1))
        null = np.where(coated, sides[:, 1].reshape(shape), sides[:, 0].reshape(shape))
        return answer_or_null(thin_stressors(self.papers, stressors), null, full, is_metal=is_metal)

    def bounds(self, stressors: Sequence[str], layers: Sequence[ShellMaterial]) -> dict[str, str]:
        """Return the signs of the values of a shell, by `outputs.bound_columns`.

        A gain whose bare median was not reached is at most its value; where neither was reached it
        is rough, as both of its sides are bounds.

        Args:
            stressors: The stressors.
            layers: Layers of the shell; none is bare.
        """
        signs = {}
        for stressor in stressors:
            side = ">" if self.reached.is_open(stressor, layers) else ""
            gain = _OF_OPEN_BARE[side] if self.reached.is_open(stressor, ()) else side
            signs[GAIN.bound_column(stressor)] = gain if layers else ""
            signs[LIFETIME.bound_column(stressor)] = side
        return signs

    # Tests -----------------------------------------------------------------------------------

    def test_columns(self, stressor: str, temperature: float) -> list[float]:
        """Return the test columns under a stressor; the literature's conditions where unknown."""
        if math.isnan(temperature):
            return self._usual_tests[stressor]
        usual = self.conditions.get(stressor, {})
        return test_columns(stressor, {**usual, "temperature_c": float(temperature)})

    @cached_property
    def _usual_tests(self) -> dict[str, list[float]]:
        return {name: test_columns(name, self.conditions.get(name, {})) for name in STRESSORS}

    # Storage ---------------------------------------------------------------------------------

    def to_parts(self) -> tuple[dict[str, Any], Arrays]:
        """Return JSON data and arrays for storage."""
        data = {
            "null": self.null.to_json(),
            "effects": self.effects.to_json(),
            "reached": self.reached.to_json(),
            "conditions": {key: dict(value) for key, value in self.conditions.items()},
            "papers": dict(self.papers),
            "shell_papers": dict(self.shell_papers),
            "shell_tests": dict(self.shell_tests),
        }
        arrays = forest_to_arrays(self.forest, self.columns)
        arrays |= {
            "null_covariance": self.null.covariance,
            "effects_covariance": self.effects.covariance,
        }
        for name in _SCORES:
            arrays |= scores_to_arrays(name, getattr(self, name))
        return data, arrays

    @classmethod
    def from_parts(cls, data: Mapping[str, Any], arrays: Mapping[str, Any]) -> StabilityModel:
        """Rebuild from stored parts."""
        forest, columns = forest_from_arrays(arrays)
        return cls(
            null=MixedEffects.from_json(data["null"], arrays["null_covariance"]),
            effects=MixedEffects.from_json(data["effects"], arrays["effects_covariance"]),
            forest=forest,
            columns=columns,
            reached=Reached.from_json(data["reached"]),
            conditions=data["conditions"],
            papers=data["papers"],
            shell_papers=data["shell_papers"],
            shell_tests=data["shell_tests"],
            **{name: scores_from_arrays(name, arrays) for name in _SCORES},
        )


@dataclass(frozen=True)
class StabilityPrediction:
    """Log lifetimes of combinations and of their bare cores: the ingredients of an answer.

    Attributes:
        model: The model.
        stressors: Stressor of each entry of the first axis.
        side: Log lifetimes of the combinations in log h, shape (n_stressors, ...).
        bare: Those of their bare cores; broadcasts to the shape of `side`.
        has_shell: Which combinations have a shell; broadcasts to the last axes.
        side_open: Where the median of the combinations was not reached; broadcasts to `side`.
        bare_open: Where that of their bare cores was not reached.
    """

    model: StabilityModel
    stressors: tuple[str, ...]
    side: Floats
    bare: Floats
    has_shell: Mask | bool
    side_open: Mask
    bare_open: Mask

    def columns(self, coverage: float, gain_above: float | None = None) -> dict[str, Any]:
        """Return the columns of half-lives and gains with lower bounds; no upper end is known.

        Where a median was not reached, the half-life shown is a lower bound of it: what half of
        such tests showed at least. The gain is the ratio of the half-lives shown.

        Args:
            coverage: Coverage of the intervals.
            gain_above: Gain whose probability is asked; the least that it can be is given.
        """
        columns: dict[str, Any] = {}
        lowest = (
            min(scores.lower_quantile(1.0 - coverage), 0.0)
            for scores in (self.model.lifetime_scores, self.model.gain_scores)
        )
        low_life, low_gain = lowest
        shape = np.broadcast_shapes(self.side.shape, self.bare.shape)
        side, log_gain = self.shown_side, np.broadcast_to(self.shown_gain, shape)
        unknown = np.broadcast_to(np.inf, shape[1:])
        no_more = np.broadcast_to(np.where(self.has_shell, np.inf, 1.0), shape[1:])
        for at, stressor in enumerate(self.stressors):
            life, gain = LIFETIME.column(stressor), GAIN.column(stressor)
            columns[life] = LN2 * np.exp(side[at])
            columns[f"{life}_lower"] = LN2 * np.exp(np.minimum(self.side[at] + low_life, side[at]))
            columns[f"{life}_upper"] = unknown
            columns[gain] = np.where(self.has_shell, np.exp(log_gain[at]), 1.0)
            lower = np.minimum((self.side - self.bare)[at] + low_gain, log_gain[at])
            columns[f"{gain}_lower"] = np.where(self.has_shell, np.exp(lower), 1.0)
            columns[f"{gain}_upper"] = no_more
            if gain_above is not None:
                above = self.model.gain_floors.share_above(
                    math.log(gain_above) - (self.side - self.bare)[at]
                )
                columns[GAIN.threshold_column(stressor)] = np.where(self.has_shell, above, 0.0)
        return columns

    @property
    def shown_side(self) -> Floats:
        """Log lifetimes of the combinations as they are shown."""
        floors = np.where(self.has_shell, *reversed(self.model.reached.floors))
        return self.side + np.where(self.side_open, floors, 0.0)

    @property
    def shown_gain(self) -> Floats:
        """Log gains as they are shown: the difference of the lifetimes shown."""
        floor, _ = self.model.reached.floors
        return self.shown_side - (self.bare + np.where(self.bare_open, floor, 0.0))
