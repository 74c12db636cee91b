"""Probabilities of ranks: to be better than the next candidate, to lie on the Pareto front.

Outcomes are drawn from the residuals of left-out papers: each combination has a PL and a PLQY
residual; combinations with one shell share the residual of its stability, since one
prediction answers for all of them.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.shells import shell_text
from perovshell.features.combinations import Combination
from perovshell.serve.ranking.candidates import CandidatePredictions
from perovshell.serve.ranking.objective import Levels, Predicted
from perovshell.serve.ranking.objectives import Objectives

DRAWS: Final = 400
_SEED: Final = 0


def outcomes(objectives: Objectives, predicted: Predicted, levels: Levels) -> dict[str, Floats]:
    """Return the desirability of each objective in each draw, arrays of shape (n, draws).

    Args:
        objectives: The objectives.
        predicted: Predictions of n combinations.
        levels: Levels of the residuals.
    """
    return {one.name: one.outcomes(predicted, levels) for one in objectives.active}


def random_levels(items: Sequence[Combination], stressors: int, draws: int = DRAWS) -> Levels:
    """Draw levels for `outcomes`; those of the stability are shared by combinations of a shell.

    The draws of a combination and of a shell are theirs, whatever list they are part of.
    """
    combination = np.empty((2, len(items), draws))
    of_shell = np.empty((2, stressors, len(items), draws))
    for row, item in enumerate(items):
        shell = shell_text(item.layers)
        core = item.core.formula if item.core else ""
        size = f"{item.core_size_nm:g}"
        random = _random(core, shell, item.structure, item.encapsulation, item.medium, size)
        combination[:, row] = random.random((2, draws))
        of_shell[:, :, row] = _random(shell).random((2, stressors, draws))
    return Levels(combination, of_shell)


def _random(*names: str) -> np.random.Generator:
    return np.random.default_rng([_SEED, zlib.crc32("\0".join(names).encode())])


def p_above_next(objectives: Objectives, predictions: CandidatePredictions) -> Floats:
    """Return the probability that each score is above that of the next, shape (n - 1,).

    Flags count as in the order. A tie counts half.
    """
    flags = objectives.flag_factors(predictions.items)
    score = np.exp(objectives.log_score(_drawn(objectives, predictions))) * flags[:, None]
    above = (score[:-1] > score[1:]) + 0.5 * (score[:-1] == score[1:])
    return np.asarray(above.mean(axis=1))


def p_pareto(objectives: Objectives, predictions: CandidatePredictions) -> Floats:
    """Return P(Pareto): that no other of n combinations dominates, shape (n,).

    One that dominates is at least as good in all objectives, and better in one.
    """
    drawn = _drawn(objectives, predictions)
    return non_dominated_share(np.stack([drawn[name] for name in objectives.names]))


def _drawn(objectives: Objectives, predictions: CandidatePredictions) -> dict[str, Floats]:
    levels = random_levels(predictions.items, len(objectives.space.stressors))
    return outcomes(objectives, predictions.predicted, levels)


def non_dominated_share(points: Floats) -> Floats:
    """Return how often each of n combinations is non-dominated, from (n_objectives, n, draws)."""
    alone = np.empty(points.shape[1])
    for row in range(points.shape[1]):
        one = points[:, row, None, :]
        beaten = (points >= one).all(axis=0) & (points > one).any(axis=0)
        alone[row] = 1.0 - beaten.any(axis=0).mean()
    return alone
