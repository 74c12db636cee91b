"""What may happen when the first lines of a ranking are made: chances of being better.

Outcomes are drawn from the residuals of left-out papers: each combination has its own PL and PLQY
residual; combinations with one shell share the residual of its stability, since one prediction
speaks for all of them.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.data.shells import shell_text
from perovshell.data.targets import EV_NM
from perovshell.features.combinations import Combination
from perovshell.models.conformal import ConformityScores
from perovshell.models.outputs import percent
from perovshell.serve.ranking.candidates import CandidatePredictions
from perovshell.serve.ranking.objectives import (
    GAIN_SCALE,
    HALF_LIFE_SCALE_H,
    Objectives,
    log_share,
    plqy_share,
)

Floats = npt.NDArray[np.float64]
DRAWS: Final = 400
_SEED: Final = 0


def residual(scores: ConformityScores, level: Floats) -> Floats:
    """Return the signed residual over its difficulty that is passed with probability 1 - level.

    The unseen paper, which has no limit, counts as the largest residual seen.
    """
    if not len(scores.values):
        return np.zeros_like(level)
    reached = np.cumsum(scores.masses)
    place = np.searchsorted(reached, np.abs(2.0 * level - 1.0))
    size = scores.values[np.minimum(place, len(scores.values) - 1)]
    return np.asarray(np.sign(level - 0.5) * size)


def log_residual(scores: ConformityScores, level: Floats) -> Floats:
    """Return the signed residual of a logarithm at a level of those seen."""
    if not len(scores.values):
        return np.zeros_like(level)
    reached = np.cumsum(scores.masses) / scores.masses.sum()
    place = np.searchsorted(reached, level)
    return np.asarray(scores.values[np.minimum(place, len(scores.values) - 1)])


def outcomes(
    objectives: Objectives, predictions: CandidatePredictions, levels: Mapping[str, Floats]
) -> dict[str, Floats]:
    """Return the desirability of each objective in each draw.

    Args:
        objectives: The objectives.
        predictions: What is expected of n combinations.
        levels: Level of each residual between 0 and 1: `pl` and `plqy` of shape (n, draws), `gain`
            and `half_life` of shape (n_stressors, n, draws).

    Returns:
        By objective, an array of shape (n, draws).
    """
    predictor, space = objectives.model.predictor, objectives.space
    columns, ranked = predictions.columns, predictions.ranked
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
            found[name] = plqy_share(value, space.plqy_above)
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
    """Draw levels for `outcomes`; those of the stability are shared by combinations of a shell.

    The draws of a combination and of a shell are theirs, whatever list they stand in.
    """
    levels = {name: np.empty((len(items), draws)) for name in ("pl", "plqy")}
    levels |= {name: np.empty((stressors, len(items), draws)) for name in ("gain", "half_life")}
    for row, item in enumerate(items):
        shell = shell_text(item.layers)
        core = item.core.formula if item.core else ""
        own = _random(
            core, shell, item.structure, item.encapsulation, item.medium, f"{item.core_size_nm:g}"
        )
        levels["pl"][row], levels["plqy"][row] = own.random((2, draws))
        of_shell = _random(shell).random((2, stressors, draws))
        levels["gain"][:, row], levels["half_life"][:, row] = of_shell
    return levels


def _random(*names: str) -> np.random.Generator:
    return np.random.default_rng([_SEED, zlib.crc32("\0".join(names).encode())])


def p_above_next(objectives: Objectives, predictions: CandidatePredictions) -> Floats:
    """Return the chance that each score is above that of the next, shape (n - 1,).

    A tie counts half.
    """
    score = np.exp(objectives.log_score(_drawn(objectives, predictions)))
    above = (score[:-1] > score[1:]) + 0.5 * (score[:-1] == score[1:])
    return np.asarray(above.mean(axis=1))


def p_pareto(objectives: Objectives, predictions: CandidatePredictions) -> Floats:
    """Return P(Pareto): that no other of n combinations is better in all objectives, (n,)."""
    drawn = _drawn(objectives, predictions)
    return _on_front(np.stack([drawn[name] for name in objectives.names]))


def _drawn(objectives: Objectives, predictions: CandidatePredictions) -> dict[str, Floats]:
    levels = random_levels(predictions.items, len(objectives.space.stressors))
    return outcomes(objectives, predictions, levels)


def _on_front(points: Floats) -> Floats:
    """Return how often each of n combinations is beaten by none, from (n_objectives, n, draws)."""
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


def normal_quantile(level: Floats) -> Floats:
    """Return the standard normal value at a level, the inverse of `normal_cdf`."""
    return np.asarray(np.interp(level, _NORMAL, _GRID))
