"""How hard a prediction is: what residuals are divided by before they calibrate an interval.

The size of a residual is modelled as log-linear in a few plain facts (is the size stated, is it a
chloride, is it coated) and, for a share of 0-100 %, in the logarithm of the room that its ends
leave, sqrt(p (100 - p)); times what the uncertainty of the prior adds for combinations far from all
data. It need not be right for the intervals to cover, only roughly so for them to be narrow where
narrow is due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices
from perovshell.models.prior import LinearPrior, times

TERMS: Final = (
    "FA fraction on A",
    "MA fraction on A",
    "Cl fraction on X",
    "I fraction on X",
    "core size unknown",
    "platelet, thickness unknown",
    "shell layers",
    "ligand treatment",
    "dopant treatment",
)
SHARE_TERMS: Final = ("medium is film",)
"""Those of a share of 0-100 % in addition: energy passes between the particles of a film to the
quenched ones, more in some films than in others."""
_EFFECT_SD: Final = 0.7
"""Expected size of an effect: a factor of 2."""
_LOG_NORMAL_SD: Final = 1.11
"""Standard deviation of the logarithm of a normal residual's size."""
_FLOOR: Final = 0.3
"""Share of the noise that is added to a residual's size: none is much easier than the noise."""
_LEAST_ROOM: Final = 5.0
"""Percent from either end at which the room of a share stops shrinking."""


@dataclass(frozen=True)
class Difficulty:
    """A fitted difficulty.

    Attributes:
        columns: Column of each of `TERMS`, then of `SHARE_TERMS` for a share, in a descriptor row.
        effects: Log size at 0, then the effect of each term.
        room_effect: Effect of the logarithm of the room; 0 for a target without ends.
    """

    columns: tuple[int, ...]
    effects: Floats
    room_effect: float

    @classmethod
    def fit(
        cls,
        prior: LinearPrior,
        matrix: Floats,
        names: Sequence[str],
        target: Floats,
        weights: Floats,
        *,
        is_share: bool,
    ) -> Difficulty:
        """Fit to the residuals that a prior leaves of its training rows.

        Args:
            prior: The prior.
            matrix: Descriptor rows, shape (n, p).
            names: Column names.
            target: Target, shape (n,).
            weights: Weights that add up to the number of papers, shape (n,).
            is_share: Whether the target is a share of 0-100 %.
        """
        used = (*TERMS, *SHARE_TERMS) if is_share else TERMS
        columns = tuple(names.index(term) for term in used)
        expected = prior.predict(matrix)
        size = np.log(np.abs(target - expected) + _FLOOR * prior.noise)
        room = _log_room(expected) if is_share else np.zeros(len(target))
        terms = np.column_stack([np.nan_to_num(matrix[:, columns]), room])
        center = np.average(terms, axis=0, weights=weights)
        level = float(np.average(size, weights=weights))
        weighted = (terms - center) * weights[:, None]
        hessian = weighted.T @ (terms - center)
        hessian += np.eye(terms.shape[1]) * (_LOG_NORMAL_SD / _EFFECT_SD) ** 2
        slope = np.linalg.solve(hessian, weighted.T @ (size - level))
        return cls(columns, np.array([level - center @ slope, *slope[:-1]]), float(slope[-1]))

    def of(self, prior: LinearPrior, matrix: Floats, predicted: Floats) -> Floats:
        """Return the difficulty of descriptor rows in units of the target, shape (n,).

        Args:
            prior: The prior that it was fitted with.
            matrix: Descriptor rows, shape (n, p).
            predicted: The model's predictions of the rows, shape (n,).
        """
        terms = matrix.take(self._places, axis=1)
        np.copyto(terms, 0.0, where=np.isnan(terms))
        size = np.exp(self.effects[0] + times(terms, self.effects[1:]))
        if self.room_effect:
            size = size * self.room_factor(predicted)
        return np.asarray(size * prior.spread(matrix) / prior.noise)

    def room_factor(self, predicted: Floats) -> Floats:
        """Return what the room around predictions of a share multiplies their difficulty by."""
        return np.asarray(np.exp(self.room_effect * _log_room(predicted)))

    @cached_property
    def _places(self) -> Indices:
        return np.array(self.columns, dtype=np.intp)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays for storage."""
        return {
            "difficulty_columns": np.array(self.columns, dtype=np.int32),
            "difficulty_effects": self.effects,
            "difficulty_room": np.array(self.room_effect),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> Difficulty:
        """Rebuild from stored arrays."""
        columns = tuple(int(column) for column in arrays["difficulty_columns"])
        effects = np.asarray(arrays["difficulty_effects"], dtype=float)
        return cls(columns, effects, float(arrays["difficulty_room"]))


def _log_room(share: Floats) -> Floats:
    """Return log sqrt(p (100 - p)): a share has less room to vary near its ends."""
    inside = np.clip(share, _LEAST_ROOM, 100.0 - _LEAST_ROOM)
    return np.asarray(0.5 * np.log(inside * (100.0 - inside)))
