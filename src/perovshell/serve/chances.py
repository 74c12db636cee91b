"""What may happen when the first lines of a ranking are made: chances of being better.

Outcomes are drawn from the residuals of left-out papers: each combination has its own PL and PLQY
residual; combinations with one shell share the residual of its stability, since one prediction
speaks for all of them. Errors of neighbours on a mixing grid are in truth alike, so their order is
surer than these chances say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.data.formula import shell_text
from perovshell.data.targets import EV_NM
from perovshell.features.featurizer import Combination
from perovshell.models.conformal import Scores
from perovshell.models.outputs import percent
from perovshell.serve.objectives import (
    GAIN_SCALE,
    HALF_LIFE_SCALE_H,
    Objectives,
    log_share,
)
from perovshell.serve.prospects import Prospects

Floats = npt.NDArray[np.float64]
DRAWS: Final = 400
_SEED: Final = 0


def residual(scores: Scores, level: Floats) -> Floats:
    """Return the signed residual over its difficulty that is passed with probability 1 - level.

    The unseen paper, which has no limit, counts as the largest residual seen.
    """
    if not len(scores.values):
        return np.zeros_like(level)
    reached = np.cumsum(scores.masses)
    place = np.searchsorted(reached, np.abs(2.0 * level - 1.0))
    size = scores.values[np.minimum(place, len(scores.values) - 1)]
    return np.asarray(np.sign(level - 0.5) * size)


def log_residual(scores: Scores, level: Floats) -> Floats:
    """Return the signed residual of a logarithm at a level of those seen."""
    if not len(scores.values):
        return np.zeros_like(level)
    reached = np.cumsum(scores.masses) / scores.masses.sum()
    place = np.searchsorted(reached, level)
    return np.asarray(scores.values[np.minimum(place, len(scores.values) - 1)])


def outcomes(
    objectives: Objectives, prospects: Prospects, levels: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Return the desirability of each wish in each draw.

    Args:
        objectives: The wishes.
        prospects: What is expected of n combinations.
        levels: Level of each residual between 0 and 1: `pl` and `plqy` of shape (n, draws), `gain`
            and `half_life` of shape (n_stressors, n, draws).

    Returns:
        By wish, an array of shape (n, draws).
    """
    predictor, space = objectives.model.predictor, objectives.space
    columns, ranked = prospects.columns, prospects.ranked
    found: dict[str, Floats] = {}
    for name in objectives.names:
        if name == "pl" and space.pl_window_nm is not None:
            error = residual(predictor.pl.scores, levels["pl"]) * columns["pl_scale"][:, None]
            energy = EV_NM / columns["pl_peak_nm"][:, None] + error
            low, high = (EV_NM / end for end in space.pl_window_nm)
            found[name] = ((energy <= low) & (energy >= high)).astype(float)
        elif name == "plqy":
            error = residual(predictor.plqy.scores, levels["plqy"])
            value = percent(ranked.plqy[:, None] + error * columns["plqy_scale"][:, None])
            bar = space.plqy_above
            found[name] = value / 100.0 if bar is None else (value > bar).astype(float)
        elif name == "gain":
            off = np.exp(log_residual(predictor.gain.scores, levels["gain"]))
            found[name] = log_share(np.stack(ranked.gain)[:, :, None] * off, GAIN_SCALE)
        elif name == "half_life":
            off = np.exp(log_residual(predictor.lifetime.scores, levels["half_life"]))
            lives = np.stack(ranked.half_life)[:, :, None] * off
            found[name] = log_share(lives, HALF_LIFE_SCALE_H)
        else:
            near = 0.5 ** columns["domain_distance"][:, None]
            found[name] = np.broadcast_to(near, levels["pl"].shape)
    return found


def random_levels(
    items: Sequence[Combination], stressors: int, draws: int = DRAWS
) -> dict[str, Floats]:
    """Draw levels for `outcomes`; those of the stability are shared by combinations of a shell."""
    random = np.random.default_rng(_SEED)
    own = {name: random.random((len(items), draws)) for name in ("pl", "plqy")}
    shells = list(dict.fromkeys(shell_text(item.layers) for item in items))
    place = [shells.index(shell_text(item.layers)) for item in items]
    shared = {
        name: random.random((stressors, len(shells), draws))[:, place]
        for name in ("gain", "half_life")
    }
    return own | shared


@dataclass(frozen=True)
class Chances:
    """Chances of n combinations.

    Attributes:
        on_front: Chance that no other one of the n beats it in all wishes, shape (n,).
        above_next: Chance that its score is above that of the next one, shape (n - 1,); a tie
            counts half.
    """

    on_front: Floats
    above_next: Floats


def chances(objectives: Objectives, prospects: Prospects) -> Chances:
    """Draw outcomes of combinations in the order of a ranking and compare them."""
    levels = random_levels(prospects.items, len(objectives.space.stressors))
    drawn = outcomes(objectives, prospects, levels)
    score = np.exp(objectives.log_score(drawn))
    above = (score[:-1] > score[1:]) + 0.5 * (score[:-1] == score[1:])
    points = np.stack([drawn[name] for name in objectives.names])
    return Chances(_on_front(points), above.mean(axis=1))


def _on_front(points: Floats) -> Floats:
    """Return how often each of n combinations is beaten by none, from (n_wishes, n, draws)."""
    alone = np.empty(points.shape[1])
    for row in range(points.shape[1]):
        own = points[:, row, None, :]
        beaten = (points >= own).all(axis=0) & (points > own).any(axis=0)
        alone[row] = 1.0 - beaten.any(axis=0).mean()
    return alone


_GRID: Final = np.linspace(-6.0, 6.0, 1201)
_NORMAL: Final = np.array([0.5 * (1.0 + math.erf(z / math.sqrt(2.0))) for z in _GRID])


def normal_cdf(value: Floats) -> Floats:
    """Return the standard normal distribution function, to about 1e-5."""
    return np.asarray(np.interp(value, _GRID, _NORMAL))


def even_normals(random: np.random.Generator, rows: int, count: int) -> Floats:
    """Return standard normal values, evenly spread in each row and in random order, (rows, count).

    Means over them are far steadier than over independent draws.
    """
    even = np.interp((np.arange(count) + 0.5) / count, _NORMAL, _GRID)
    return random.permuted(np.tile(even, (rows, 1)), axis=1)
