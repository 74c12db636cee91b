"""The stability gain of a shell under a stressor: the fitted model, and its answers' formula."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perovshell.arrays import Floats, Mask
from perovshell.data.shells import ShellMaterial
from perovshell.models.censored import PooledEffects
from perovshell.models.conformal import ConformityScores
from perovshell.models.parts import Arrays, scores_from_arrays, scores_to_arrays
from perovshell.models.stability import (
    answer_or_null,
    class_labels,
    name_labels,
    thin_stressors,
)
from perovshell.targets.target import StabilityTarget


@dataclass(frozen=True)
class GainModel:
    """Stability gain by partial pooling over stressors, shell classes and shells.

    Attributes:
        target: The target.
        effects: Mean log gain and its effects.
        scores: Residuals of log gain, estimated from intervals.
        floors: Lower ends of the residuals: the least that was measured.
        papers: Papers with a two-sided test under each stressor.
        shell_papers: Papers with a two-sided test of each shell layer.
        shell_tests: The same under each stressor, by `test_key`.
    """

    target: StabilityTarget
    effects: PooledEffects
    scores: ConformityScores
    floors: ConformityScores
    papers: Mapping[str, int]
    shell_papers: Mapping[str, int]
    shell_tests: Mapping[str, int]

    @staticmethod
    def test_key(layer: str, stressor: str) -> str:
        """Return the name of tests of a layer under a stressor."""
        return f"{layer}, {stressor}"

    def log_values(
        self, stressors: Sequence[str], shell: Floats, *, is_metal: Mask | bool = False
    ) -> Floats:
        """Return log gains: of the model, or the mean of all tests where it cannot answer.

        Args:
            stressors: Stressor of each entry of the first axis.
            shell: Effects of shells by `shell_effect`; the last axes of the result.
            is_metal: Which cores are metals, of the shape of `shell`.

        Returns:
            Shape (n_stressors, *shell.shape).
        """
        effects = np.array([self.stressor_effect(name) for name in stressors])
        full = self.null + effects.reshape(-1, *(1,) * shell.ndim) + shell
        is_thin = thin_stressors(self.papers, stressors)
        return answer_or_null(is_thin, np.asarray(self.null), full, is_metal=is_metal)

    def output_columns(
        self,
        stressors: Sequence[str],
        log_gains: Floats,
        coverage: float,
        threshold: float | None = None,
        *,
        has_shell: Mask | bool = True,
    ) -> dict[str, Floats]:
        """Return gain columns, with a lower bound at a coverage; the gain of a bare core is 1.

        Args:
            stressors: The stressors.
            log_gains: Log gains, shape (n_stressors, ...).
            coverage: Coverage of the interval.
            threshold: Gain whose probability is asked; the least that it can be is given.
            has_shell: Which combinations have a shell.
        """
        low = min(self.scores.lower_quantile(1.0 - coverage), 0.0)
        upper = np.broadcast_to(np.where(has_shell, np.inf, 1.0), log_gains.shape[1:])
        columns: dict[str, Floats] = {}
        for stressor, row in zip(stressors, log_gains, strict=True):
            name = self.target.column(stressor)
            columns[name] = np.where(has_shell, np.exp(row), 1.0)
            columns[f"{name}_lower"] = np.where(has_shell, np.exp(row + low), 1.0)
            columns[f"{name}_upper"] = upper
            if threshold is not None:
                above = self.floors.share_above(math.log(threshold) - row)
                columns[self.target.threshold_column(stressor)] = np.where(has_shell, above, 0.0)
        return columns

    def predict(self, stressor: str, layers: Sequence[ShellMaterial]) -> float:
        """Return the log gain of a shell under a stressor."""
        return float(self.log_values([stressor], np.asarray(self.shell_effect(layers)))[0])

    def stressor_effect(self, stressor: str) -> float:
        """Return what a stressor adds to the log gain."""
        return self.effects.effects.get(f"stressor:{stressor}", 0.0)

    def shell_effect(self, layers: Sequence[ShellMaterial]) -> float:
        """Return what tests of the shell and of its class add to the log gain, partially pooled."""
        return self.class_effect(layers) + self.name_effect(layers)

    def class_effect(self, layers: Sequence[ShellMaterial]) -> float:
        """Return what tests of all shells of its classes add to the log gain."""
        return self._sum(class_labels(layers))

    def name_effect(self, layers: Sequence[ShellMaterial]) -> float:
        """Return what tests of the same materials add to the log gain."""
        return self._sum(name_labels(layers))

    def _sum(self, labels: Sequence[str]) -> float:
        return sum(self.effects.effects.get(label, 0.0) for label in labels)

    @property
    def null(self) -> float:
        """Log gain of the null model: the mean over all tests."""
        return self.effects.intercept

    def to_parts(self) -> tuple[dict[str, Any], Arrays]:
        """Return JSON data and arrays for storage."""
        data = {
            "effects": self.effects.to_json(),
            "papers": dict(self.papers),
            "shell_papers": dict(self.shell_papers),
            "shell_tests": dict(self.shell_tests),
        }
        arrays = scores_to_arrays("scores", self.scores)
        return data, arrays | scores_to_arrays("floors", self.floors)

    @classmethod
    def from_parts(
        cls, target: StabilityTarget, data: dict[str, Any], arrays: Mapping[str, Any]
    ) -> GainModel:
        """Rebuild from stored parts."""
        return cls(
            target,
            PooledEffects.from_json(data["effects"]),
            scores_from_arrays("scores", arrays),
            scores_from_arrays("floors", arrays),
            data["papers"],
            data["shell_papers"],
            data["shell_tests"],
        )
