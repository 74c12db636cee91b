"""How often the lower bounds of pooled evidence hold where the truth is known."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from perovshell.evidence.pooling import Value, pool

SHELLS: Final = 8
PAPERS: Final = 25
TESTS: Final = 36
NOISE: Final = 0.8
SPREADS: Final = (0.4, 1.0, 2.0)
"""Standard deviations between papers, in log units."""
OPEN_FROM: Final = {"exact": 99.0, "half open": 4.5}
"""Mean log duration of the tests, which end at random, by what it makes of the values."""


def drawn(
    random: np.random.Generator, spread: float, open_from: float
) -> tuple[list[Value], dict[str, float]]:
    """Return values of shells, and the logarithms of their true medians.

    Args:
        random: The source of chance.
        spread: One of `SPREADS`.
        open_from: One of `OPEN_FROM`.
    """
    shells = [f"shell {number}" for number in range(SHELLS)]
    means = dict(zip(shells, random.normal(4.0, 1.5, SHELLS).tolist(), strict=True))
    effects = random.normal(0.0, spread, PAPERS)
    values = []
    for number in range(TESTS):
        shell, paper = shells[int(random.integers(SHELLS))], int(random.integers(PAPERS))
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
