"""Lifetimes and stability gains under a stressor: one model of both sides of a test.

The log lifetime of a side is a sum of effects and of boosted trees. The stability gain is the ratio
of the lifetimes of the coated and of the bare side of one core under one stressor, so half-lives
and gains agree.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.vocabulary import TREATMENTS
from perovshell.features.combinations import Combinations, Layers
from perovshell.models.conformal import ConformityScores
from perovshell.models.forest import Forest
from perovshell.models.mixed import MixedEffects
from perovshell.models.outputs import bound_columns
from perovshell.models.parts import (
    Arrays,
    forest_from_arrays,
    forest_to_arrays,
    scores_from_arrays,
    scores_to_arrays,
)
from perovshell.models.reached import Reached
from perovshell.models.stability import (
    TEST_DESCRIPTORS,
    answer_or_null,
    base_effects,
    coating_effects,
    form_effects,
    test_columns,
    thin_stressors,
)
from perovshell.remembered import Remembered

LN2: Final = math.log(2.0)
_OF_OPEN_BARE: Final = {"": "<", ">": "~"}
"""Sign of a gain whose bare median was not reached, by that of the coated half-life."""
_STRESSORS_KEPT: Final = 64
"""Sets of stressors that are remembered."""
_TEMPERATURE: Final = [one.name for one in TEST_DESCRIPTORS].index("temperature_c")
"""Test column of the temperature."""
_SCORES: Final = ("lifetime_scores", "gain_scores", "gain_floors")


Kind = tuple[Layers, str, str]
"""Layers, structure and encapsulation; a bare core has no layers."""


class ShellSide(NamedTuple):
    """What the effects and the tests say of a shell, or of none, under n stressors.

    Attributes:
        adds: What it adds to the log lifetime of the bare core, shape (n,).
        is_open: Whether its median was not reached, shape (n,).
        signs: Signs of its values, in the order of `outputs.bound_columns`.
    """

    adds: Floats
    is_open: Mask
    signs: tuple[str, ...]


@dataclass(frozen=True)
class UnderStressors:
    """What all answers about n stressors share.

    Attributes:
        is_thin: Which have too few papers for more than the null model, shape (n,).
        null: Log lifetimes in log h of bare and coated sides by the null model, shape (n, 2).
        base: Those of an untreated bare core by the effects, usual conditions, shape (n,).
        bare_open: Whether the median of bare cores was not reached, shape (n,).
        tests: Test columns under the conditions of the literature, shape (n, n_test_columns).
    """

    is_thin: Mask
    null: Floats
    base: Floats
    bare_open: Mask
    tests: Floats


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

    def under(self, stressors: Sequence[str]) -> UnderStressors:
        """Return what all answers about the stressors share."""
        return self._under.made(tuple(stressors), self._under_these)

    @cached_property
    def _under(self) -> Remembered[tuple[str, ...], UnderStressors]:
        return Remembered(_STRESSORS_KEPT)

    def _under_these(self, stressors: tuple[str, ...]) -> UnderStressors:
        is_open, conditions = self.reached.is_open, self.conditions
        return UnderStressors(
            is_thin=thin_stressors(self.papers, stressors),
            null=np.array([self._null_values(name) for name in stressors]).reshape(-1, 2),
            base=np.array([self.base(name) for name in stressors]),
            bare_open=np.array([is_open(name, ()) for name in stressors], dtype=bool),
            tests=np.array(
                [test_columns(name, conditions.get(name, {})) for name in stressors]
            ).reshape(-1, len(TEST_DESCRIPTORS)),
        )

    def shell_side(self, stressors: Sequence[str], kind: Kind) -> ShellSide:
        """Return what the effects and the tests say of a shell under the stressors."""
        return self._shell_sides.made((tuple(stressors), kind), self._shell_side)

    @cached_property
    def _shell_sides(self) -> Remembered[tuple[tuple[str, ...], Kind], ShellSide]:
        return Remembered()

    def _shell_side(self, key: tuple[tuple[str, ...], Kind]) -> ShellSide:
        stressors, (layers, structure, encapsulation) = key
        form = self.form(structure, encapsulation) if layers else 0.0
        adds = [self.coating(name, layers) + form if layers else 0.0 for name in stressors]
        is_open = [self.reached.is_open(name, layers) for name in stressors]
        return ShellSide(
            np.array(adds), np.array(is_open, dtype=bool), tuple(self._signs(stressors, layers))
        )

    def _signs(self, stressors: Sequence[str], layers: Layers) -> Iterator[str]:
        """Yield the signs of gain and half-life under each stressor.

        A gain whose bare median was not reached is at most its value; where neither was reached it
        is rough, as both of its sides are bounds.
        """
        for stressor in stressors:
            side = ">" if self.reached.is_open(stressor, layers) else ""
            gain = _OF_OPEN_BARE[side] if self.reached.is_open(stressor, ()) else side
            yield gain if layers else ""
            yield side

    def bounds(self, stressors: Sequence[str], layers: Layers) -> dict[str, str]:
        """Return the signs of the values of a shell, by `outputs.bound_columns`.

        Args:
            stressors: The stressors.
            layers: Layers of the shell; none is bare.
        """
        return dict(zip(bound_columns(stressors), self._signs(stressors, layers), strict=True))

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
        adds = np.array([self.shell_side(stressors, one).adds for one in kinds])
        adds = adds.reshape(len(kinds), len(stressors)).T
        bare = self._bases(stressors, temperature)
        bare = bare + items.contexts.treatments @ self.treatments
        return bare + adds.take(kind, axis=1), bare

    def _bases(self, stressors: Sequence[str], temperature: Floats) -> Floats:
        """Return the log lifetimes of untreated bare cores; broadcasts to (n_stressors, n)."""
        if np.isnan(temperature).all():
            return self.under(stressors).base[:, None]
        known, at = np.unique(temperature, return_inverse=True)
        base = [[self.base(name, float(one)) for one in known] for name in stressors]
        return np.array(base).reshape(len(stressors), len(known))[:, at.ravel()]

    def base(self, stressor: str, temperature: float = math.nan) -> float:
        """Return the log lifetime in log h of an untreated bare core."""
        return self.effects.predict(base_effects(stressor, {"temperature_c": temperature}))

    @cached_property
    def treatments(self) -> Floats:
        """What each of `vocabulary.TREATMENTS` adds to the log lifetime."""
        return np.array([self.effects.predict({f"treatment:{kind}": 1.0}) for kind in TREATMENTS])

    def coating(self, stressor: str, layers: Layers) -> float:
        """Return what the materials of a shell add to the log lifetime."""
        return self.effects.predict(coating_effects(stressor, layers))

    def material_effect(self, layers: Layers) -> float:
        """Return what tests of the same materials, beyond their classes, add."""
        return self.effects.predict({f"shell:{layer.name}": 1.0 for layer in layers})

    def form(self, structure: str, encapsulation: str) -> float:
        """Return what structure and encapsulation of a coated sample add to the log lifetime."""
        return self.effects.predict(form_effects(structure, encapsulation))

    def null_values(self, stressor: str) -> tuple[float, float]:
        """Return the log lifetimes in log h of the bare and the coated side by the null model."""
        bare, coated = self.under([stressor]).null[0].tolist()
        return bare, coated

    def _null_values(self, stressor: str) -> tuple[float, float]:
        bare = self.null.predict(base_effects(stressor, {}))
        return bare, bare + self.null.predict(coating_effects(stressor, ()))

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
        under = self.under(stressors)
        bare, side = under.null.T.reshape(2, -1, *(1,) * (full.ndim - 1))
        null = np.where(coated, side, bare)
        return answer_or_null(under.is_thin, null, full, is_metal=is_metal)

    # Trees -----------------------------------------------------------------------------------

    def tests(self, stressors: Sequence[str], temperature: Floats) -> Floats:
        """Return the test columns; the conditions are the literature's where they are unknown.

        Args:
            stressors: The stressors.
            temperature: Temperature of the test in deg C, NaN where unknown, shape (n,).

        Returns:
            An array of shape (n_stressors, n, n_test_columns).
        """
        usual = self.under(stressors).tests[:, None].repeat(len(temperature), axis=1)
        known = ~np.isnan(temperature)
        if known.any():
            usual[:, known, _TEMPERATURE] = temperature[known]
        return usual

    def tree_rows(self, matrix: Floats, tests: Floats) -> Floats:
        """Return the columns that the trees see, shape (n_stressors, n, n_columns).

        Args:
            matrix: Descriptor rows, shape (n, p).
            tests: Test columns, shape (n_stressors, n, n_test_columns).
        """
        # The columns rise, so those of the tests are the last.
        at = int(np.searchsorted(self.columns, matrix.shape[1]))
        rows = np.empty((*tests.shape[:2], len(self.columns)), dtype=np.float32)
        rows[:, :, :at] = matrix.take(self.columns[:at], axis=1)
        rows[:, :, at:] = tests.take(self.columns[at:] - matrix.shape[1], axis=2)
        return rows

    def trees(self, matrix: Floats, tests: Floats) -> Floats:
        """Return what the trees add to log lifetimes, (n_stressors, n); arguments as above."""
        if not self.has_trees:
            return np.zeros(tests.shape[:2])
        rows = self.tree_rows(matrix, tests)
        return self.forest.predict(rows.reshape(-1, rows.shape[2])).reshape(tests.shape[:2])

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
