"""What a laboratory measures systematically higher or lower than the literature.

A residual of a laboratory's measurement is its offset, the model's error of the combination, which
all replicates share, and noise. Combinations are groups with a random effect (DerSimonian and
Laird, 10.1016/0197-2456(86)90046-2), so that ten replicates of one combination tell little more
than one. The offset has a normal prior as wide as papers differ from the model: few measurements
move it little.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats
from perovshell.errors import InputError

LEAST_COMBINATIONS: Final = 3
"""Combinations that a laboratory's offset needs: with two, it cannot be told from their errors."""


@dataclass(frozen=True)
class Offset:
    """A systematic offset.

    Attributes:
        value: The offset, in the unit of the target: what is added to a prediction.
        low: Lower end of its interval.
        high: Upper end of its interval.
        combinations: Combinations it was estimated from.
        rows: Measurements it was estimated from.
    """

    value: float
    low: float
    high: float
    combinations: int
    rows: int

    @property
    def is_clear(self) -> bool:
        """Whether its interval excludes 0."""
        return self.low > 0.0 or self.high < 0.0


def estimate_offset(
    residuals: npt.ArrayLike, groups: Sequence[object], prior_sd: float, coverage: float = 0.9
) -> Offset:
    """Estimate the offset of a laboratory.

    Args:
        residuals: Measured minus predicted, shape (n,).
        groups: The combination of each, (n,).
        prior_sd: Standard deviation of the offsets of papers, in the unit of the residuals.
        coverage: Coverage of the interval.

    Raises:
        InputError: There are fewer than three combinations, or a number is not finite.

    Examples:
        >>> offset = estimate_offset([5, 6, 4, 5, 7, 3], "AABBCC", prior_sd=10)
        >>> round(offset.value, 1), offset.is_clear
        (4.9, True)
    """
    values = np.asarray(residuals, dtype=float)
    if not np.isfinite(values).all() or not (math.isfinite(prior_sd) and prior_sd > 0):
        msg = "offset: residuals and prior_sd must be finite numbers, prior_sd above 0"
        raise InputError(msg)
    members = [values[[group == one for group in groups]] for one in dict.fromkeys(groups)]
    if len(members) < LEAST_COMBINATIONS:
        msg = f"offset: {len(members)} combinations; at least {LEAST_COMBINATIONS} are needed"
        raise InputError(msg)
    means = np.array([rows.mean() for rows in members])
    within = _within(members)
    noise = np.array([within / len(rows) for rows in members])
    between = max(_between(means, noise), within / len(values))
    weights = 1.0 / (noise + between)
    data = float(weights.sum())
    mean = float(means @ weights) / data
    precision = data + prior_sd**-2
    half = _half(coverage, len(members) - 1) / math.sqrt(precision)
    value = mean * data / precision
    return Offset(value, value - half, value + half, len(members), len(values))


def _within(members: Sequence[Floats]) -> float:
    """Return the variance between replicates; a small part of all where there are none."""
    squares = sum(float(((rows - rows.mean()) ** 2).sum()) for rows in members)
    freedom = sum(len(rows) - 1 for rows in members)
    everything = np.concatenate(members)
    return squares / freedom if freedom and squares else float(everything.var()) * _TINY + _TINY


_TINY: Final = 1e-9


def _between(means: Floats, noise: Floats) -> float:
    """Return the variance between combinations beyond that of their means."""
    weights = 1.0 / noise
    center = float(means @ weights) / float(weights.sum())
    excess = float(weights @ (means - center) ** 2) - (len(means) - 1)
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    return max(excess / scale, 0.0)


def _half(coverage: float, freedom: int) -> float:
    """Return the two-sided quantile of Student's t (Abramowitz and Stegun, 26.7.5).

    Prediction needs numpy only, so scipy is not asked.
    """
    normal = NormalDist().inv_cdf((1.0 + coverage) / 2.0)
    square = normal**2
    terms = (
        (square + 1.0) / 4.0,
        (5.0 * square**2 + 16.0 * square + 3.0) / 96.0,
        (3.0 * square**3 + 19.0 * square**2 + 17.0 * square - 15.0) / 384.0,
        (79.0 * square**4 + 776.0 * square**3 + 1482.0 * square**2 - 1920.0 * square - 945.0)
        / 92160.0,
    )
    return float(
        normal + normal * sum(term / freedom ** (power + 1) for power, term in enumerate(terms))
    )


def offsets_of(
    measured: Mapping[str, Floats],
    predicted: Mapping[str, Floats],
    groups: Sequence[object],
    prior_sds: Mapping[str, float],
    coverage: float,
) -> dict[str, Offset]:
    """Return the offsets of the targets that enough combinations were measured of.

    Args:
        measured: Measured values by column, NaN where there is none, each (n,).
        predicted: Predicted values by column, each (n,).
        groups: The combination of each row, (n,).
        prior_sds: Standard deviation of the offsets of papers, by column.
        coverage: Coverage of the intervals.
    """
    offsets = {}
    for column, values in measured.items():
        residuals = values - predicted[column]
        known = np.isfinite(residuals)
        of_rows = [group for group, is_known in zip(groups, known, strict=True) if is_known]
        if len({*of_rows}) >= LEAST_COMBINATIONS:
            offsets[column] = estimate_offset(
                residuals[known], of_rows, prior_sds[column], coverage
            )
    return offsets
