"""Where the truth is known: how often lower bounds hold, and what the best by them are worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from perovshell.evidence.pooling import Value, pool
from perovshell.models.shell_evidence import ShellFit
from perovshell.training.fit.shell_evidence import fit_logarithms

SHELLS: Final = 8
PAPERS: Final = 25
TESTS: Final = 36
MANY_SHELLS: Final = 24
_BEST: Final = 5
NOISE: Final = 0.8
SPREADS: Final = (0.4, 1.0, 2.0)
"""Standard deviations between papers, in log units."""
OPEN_FROM: Final = {"exact": 99.0, "half open": 4.5}
"""Mean log duration of the tests, which end at random, by what it makes of the values."""


def drawn(
    random: np.random.Generator, spread: float, open_from: float, count: int = SHELLS
) -> tuple[list[Value], dict[str, float]]:
    """Return values of shells, and the logarithms of their true medians.

    Args:
        random: The source of chance.
        spread: One of `SPREADS`.
        open_from: One of `OPEN_FROM`.
        count: Number of shells; some have many tests, others one.
    """
    shells = [f"shell {number}" for number in range(count)]
    means = dict(zip(shells, random.normal(4.0, 1.5, count).tolist(), strict=True))
    effects = random.normal(0.0, spread, PAPERS)
    values = []
    for number in range(TESTS):
        shell, paper = shells[int(random.integers(count))], int(random.integers(PAPERS))
        log = means[shell] + effects[paper] + random.normal(0.0, NOISE)
        end = open_from + random.normal(0.0, 1.5)
        low, high = math.exp(min(log, end)), math.inf if log > end else math.exp(log)
        about = ("CsPbBr3", shell, "oxide", f"paper {paper}", f"test {number}")
        values.append(Value(low, high, *about))
    return values, means


def share_below(datasets: int, spread: float, open_from: float, seed: int = 0) -> float:
    """Return the share of lower bounds of shells that are below the truth."""
    random = np.random.default_rng(seed)
    below = []
    for _ in range(datasets):
        values, means = drawn(random, spread, open_from)
        below += [one.at_least < math.exp(means[one.name]) for one in pool(values, "shell")]
    return float(np.mean(below))


def worth_of_best(
    datasets: int, spread: float, open_from: float, seed: int = 0
) -> dict[str, float]:
    """Return the mean true log half-life of the best shells by each order, less that of all shells.

    The lower bound is that of a ranking, which knows that shells are alike.

    Args:
        datasets: Data sets drawn.
        spread: One of `SPREADS`.
        open_from: One of `OPEN_FROM`.
        seed: Seed of the draws.

    Returns:
        The worth by lower bound, by value (the mean of what was measured), and the most that is
        possible. By chance it is 0.
    """
    random = np.random.default_rng(seed)
    worth: dict[str, list[float]] = {"lower bound": [], "value": [], "best possible": []}
    for _ in range(datasets):
        values, means = drawn(random, spread, open_from, MANY_SHELLS)
        tested = {value.shell: means[value.shell] for value in values}
        fit = fit_logarithms([value.at_least for value in values])
        orders = {
            "lower bound": {name: _at_least(fit, values, name) for name in tested},
            "value": {name: _mean_of_ends(values, name) for name in tested},
            "best possible": tested,
        }
        for name, score in orders.items():
            best = sorted(score, key=score.__getitem__, reverse=True)[:_BEST]
            gained = np.mean([tested[one] for one in best]) - np.mean([*tested.values()])
            worth[name].append(float(gained))
    return {name: float(np.mean(some)) for name, some in worth.items()}


def _at_least(fit: ShellFit, values: Sequence[Value], shell: str) -> float:
    one = next(value for value in values if value.shell == shell)
    return fit.known_of(one.core, one.shell, one.material_class).at_least


def _mean_of_ends(values: Sequence[Value], shell: str) -> float:
    """Return the mean log of what was measured of a shell, as a list of papers shows it."""
    ends = [one.low if one.is_open_above else one.high for one in values if one.shell == shell]
    return float(np.mean(np.log(ends)))
