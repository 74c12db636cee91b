"""Where the truth is known: how often lower bounds hold, and what the best by them are worth.

Bounds are those of groups, which `evidence.pooling` pools apart, and those of combinations, by
which a ranking orders: there combination, shell, class and paper are one model.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np

from perovshell.arrays import Floats
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
RANKED: Final[Mapping[str, Mapping[str, float]]] = {
    "all alike": {"class": 0.3, "shell": 0.3, "combination": 0.3, "paper": 1.2},
    "as the prior": {"class": 1.0, "shell": 1.0, "combination": 1.0, "paper": 1.0},
    "classes differ": {"class": 2.0, "shell": 0.5, "combination": 0.3, "paper": 1.2},
    "shells differ": {"class": 0.5, "shell": 2.0, "combination": 0.3, "paper": 1.2},
    "combinations differ": {"class": 0.5, "shell": 0.3, "combination": 2.0, "paper": 1.2},
}
"""Standard deviations of the effects on a combination in log units, by what differs most."""
CORES: Final = 4
CLASSES: Final = 5
TRIED_SHELLS: Final = 16
"""Shells of `MANY_SHELLS` that any paper tried."""
RANKED_TESTS, RANKED_PAPERS = 60, 40
Name: TypeAlias = tuple[str, str, str]
"""Core, shell, and the class of the shell."""


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
        about = ("CsPbBr3", shell, "oxide", f"paper {paper}", f"test {number}")
        values.append(Value(*_seen(random, log, open_from), *about))
    return values, means


def _seen(random: np.random.Generator, log: float, open_from: float) -> tuple[float, float]:
    """Return the ends of a value, of which a test that ends before shows the lower one."""
    end = open_from + random.normal(0.0, 1.5)
    return math.exp(min(log, end)), math.inf if log > end else math.exp(log)


def drawn_combinations(
    random: np.random.Generator, spreads: Mapping[str, float], open_from: float
) -> tuple[list[Value], dict[Name, float]]:
    """Return values of combinations, and the logarithms of the true medians of all of them.

    Args:
        random: The source of chance.
        spreads: One of `RANKED`.
        open_from: One of `OPEN_FROM`.
    """

    def effects(kind: str, count: int) -> Floats:
        return random.normal(0.0, spreads[kind], count)

    class_of = random.integers(CLASSES, size=MANY_SHELLS)
    of_shell = effects("class", CLASSES)[class_of] + effects("shell", MANY_SHELLS)
    logs = 4.0 + of_shell + effects("combination", CORES * MANY_SHELLS).reshape(CORES, -1)
    names = {
        (core, shell): (f"core {core}", f"shell {shell}", f"class {class_of[shell]}")
        for core in range(CORES)
        for shell in range(MANY_SHELLS)
    }
    of_paper, values = effects("paper", RANKED_PAPERS), []
    for number in range(RANKED_TESTS):
        core, shell = int(random.integers(CORES)), int(random.integers(TRIED_SHELLS))
        paper = int(random.integers(RANKED_PAPERS))
        log = logs[core, shell] + of_paper[paper] + random.normal(0.0, NOISE)
        about = (*names[core, shell], f"paper {paper}", f"test {number}")
        values.append(Value(*_seen(random, log, open_from), *about))
    return values, {name: float(logs[at]) for at, name in names.items()}


def shares_of_ranking(
    datasets: int, spreads: Mapping[str, float], open_from: float, seed: int = 0
) -> dict[str, float]:
    """Return the share of the bounds of combinations that are below the truth.

    Args:
        datasets: Data sets drawn.
        spreads: One of `RANKED`.
        open_from: One of `OPEN_FROM`.
        seed: Seed of the draws.

    Returns:
        Shares of tested combinations, of those whose shell was tested on other cores, of those
        whose shell nobody tested, and of the first five by their bounds of the tested ones and of
        all others.
    """
    random = np.random.default_rng(seed)
    below: dict[str, list[bool]] = {}
    for _ in range(datasets):
        values, truth = drawn_combinations(random, spreads, open_from)
        fit = fit_logarithms([value.at_least for value in values])
        bounds = {name: fit.known_of(*name).at_least for name in truth}
        tested = {(one.core, one.shell, one.material_class) for one in values}
        shells = {one.shell for one in values}
        groups: dict[str, Collection[Name]] = {
            "tested": tested,
            "shell tested": {name for name in truth.keys() - tested if name[1] in shells},
            "shell not tested": {name for name in truth if name[1] not in shells},
            "first tested": _first(bounds, tested),
            "first others": _first(bounds, truth.keys() - tested),
        }
        for group, names in groups.items():
            below.setdefault(group, []).extend(bounds[name] < truth[name] for name in names)
    return {group: float(np.mean(some)) for group, some in below.items()}


def _first(bounds: Mapping[Name, float], names: Collection[Name]) -> list[Name]:
    """Return the best five by their bounds."""
    return sorted(names, key=lambda name: (-bounds[name], name))[:_BEST]


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
