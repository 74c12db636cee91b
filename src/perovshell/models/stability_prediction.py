"""Half-lives and stability gains that answers show, from log lifetimes of both sides."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from perovshell.arrays import Floats, Mask
from perovshell.models.stability_model import LN2, StabilityModel
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.targets.target import ENDS


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
        below_life, below_gain = (
            min(scores.lower_quantile(1.0 - coverage), 0.0)
            for scores in (self.model.lifetime_scores, self.model.gain_scores)
        )
        side, log_gain, gain = self.shown_side, self.shown_gain, self.side - self.bare
        shape = gain.shape
        lives = LN2 * np.exp(side), LN2 * np.exp(np.minimum(self.side + below_life, side))
        least = np.minimum(gain + below_gain, log_gain)
        gains = [np.where(self.has_shell, np.exp(one), 1.0) for one in (log_gain, least)]
        unknown = np.broadcast_to(np.inf, shape[1:])
        no_more = np.broadcast_to(np.where(self.has_shell, np.inf, 1.0), shape[1:])
        columns: dict[str, Any] = {}
        for at, stressor in enumerate(self.stressors):
            life_ends = (*(one[at] for one in lives), unknown)
            gain_ends = (*(one[at] for one in gains), no_more)
            for target, ends in ((LIFETIME, life_ends), (GAIN, gain_ends)):
                column = target.column(stressor)
                columns |= {f"{column}{end}": one for end, one in zip(ENDS, ends, strict=True)}
            if gain_above is not None:
                above = self.model.gain_floors.share_above(math.log(gain_above) - gain[at])
                columns[GAIN.threshold_column(stressor)] = np.where(self.has_shell, above, 0.0)
        return columns

    @cached_property
    def shown_side(self) -> Floats:
        """Log lifetimes of the combinations as they are shown."""
        floors = np.where(self.has_shell, *reversed(self.model.reached.floors))
        return self.side + np.where(self.side_open, floors, 0.0)

    @property
    def shown_gain(self) -> Floats:
        """Log gains as they are shown: the difference of the lifetimes shown."""
        floor, _ = self.model.reached.floors
        return self.shown_side - (self.bare + np.where(self.bare_open, floor, 0.0))
