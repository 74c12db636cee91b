"""The ceiling of a target: the R2 that a perfect model of the descriptors could reach.

Papers differ on samples that are described alike. What they differ by can be predicted from no
description, so it bounds the R2 of any model.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.dataset import Dataset
from perovshell.data.records import Sample
from perovshell.models.mixed import Normal, fit_mixed
from perovshell.research.evaluation.split_schemes import samples_of
from perovshell.targets.declared import LIFETIME
from perovshell.training.fit.problems import LifetimeProblem, PointProblem, papers_by
from perovshell.training.validation.nested import Problems

Table = list[dict[str, Any]]

_RESAMPLES: Final = 1000
_SEED: Final = 20_240_229
_SIZE_STEP_NM: Final = 2.0
_PRIORS: Final = {
    "mean": Normal(5.0, 5.0),
    "stressor": Normal(0.0, 3.0),
    "alike": Normal(0.0, 1.0),
    "paper": Normal(0.0, 1.0),
}
"""Priors of the logarithms of lifetimes in h; the spreads of the last two are learned."""
_ALIKE: Final[Mapping[str, Callable[[Sample], Hashable]]] = {
    "core and shell": lambda sample: sample.shell,
    "core, shell, treatment, morphology and medium": lambda sample: (
        sample.shell,
        sample.treatments,
        sample.morphology,
        sample.medium,
    ),
    "core, shell, morphology and size": lambda sample: (
        sample.shell,
        sample.morphology,
        None if np.isnan(sample.core_size_nm) else round(sample.core_size_nm / _SIZE_STEP_NM),
    ),
}
"""What samples described alike have in common."""


def ceilings(problems: Problems, dataset: Dataset) -> Table:
    """Return the ceiling of R2 of each target, by what samples described alike have in common."""
    table = []
    for target, problem in problems.points.items():
        samples = samples_of(problem, dataset)
        for words, others in _ALIKE.items():
            keys = [
                (core, others(sample)) if core else None
                for core, sample in zip(problem.cores, samples, strict=True)
            ]
            row = {"target": target, "alike in": words}
            table.append({**row, **_of_values(problem, keys)})
    lives = problems.stability.lifetime
    return [*table, _of_lifetimes(lives)] if len(lives.low) else table


def _of_values(problem: PointProblem, keys: Sequence[Hashable]) -> dict[str, Any]:
    """Compare the differences between papers on samples alike with the spread of all values."""
    values, exact = problem.values, problem.is_exact
    by_key: dict[Hashable, dict[str, list[float]]] = {}
    for key, paper, value, is_exact in zip(
        keys, problem.papers.tolist(), values.tolist(), exact.tolist(), strict=True
    ):
        if is_exact and key is not None:
            by_key.setdefault(key, {}).setdefault(paper, []).append(value)
    groups = [
        np.array([np.mean(of_paper) for of_paper in papers.values()])
        for papers in by_key.values()
        if len(papers) > 1
    ]
    total = float(values[exact].var()) if exact.any() else 0.0
    if not groups or not total:
        return {"groups": 0, "papers": 0, "sd": None, "ceiling of R2": None}
    squares = np.array([((means - means.mean()) ** 2).sum() for means in groups])
    freedom = np.array([len(means) - 1.0 for means in groups])
    return {
        "groups": len(groups),
        "papers": sum(len(means) for means in groups),
        "sd": float(np.sqrt(squares.sum() / freedom.sum())),
        "ceiling of R2": _share_left(squares, freedom, total),
    }


def _share_left(squares: Floats, freedom: Floats, total: float) -> list[float]:
    """Return the share of the variance that is not between papers, with its 90 % interval."""
    random = np.random.default_rng(_SEED)
    drawn = random.integers(len(squares), size=(_RESAMPLES, len(squares)))
    within = squares[drawn].sum(axis=1) / freedom[drawn].sum(axis=1)
    low, high = np.quantile(1.0 - within / total, [0.05, 0.95])
    return [float(1.0 - squares.sum() / freedom.sum() / total), float(low), float(high)]


def _of_lifetimes(problem: LifetimeProblem) -> dict[str, Any]:
    """Return the share of the variance within a stressor that sides described alike share.

    A random-effects model of the intervals: stressor, stressor with shell and structure, paper.
    """
    stressors, papers = problem.stressors.tolist(), problem.papers.tolist()
    sides = _sides(problem)
    effects = [
        dict.fromkeys(("mean:all", f"stressor:{stressor}", f"alike:{side}", f"paper:{paper}"), 1.0)
        for stressor, side, paper in zip(stressors, sides, papers, strict=True)
    ]
    with np.errstate(divide="ignore"):
        ends = np.log(problem.low), np.log(problem.high)
    learned = ("alike", "paper")
    fit = fit_mixed(effects, *ends, _PRIORS, learned=learned)
    alike, between = (fit.spreads[kind] ** 2 for kind in learned)
    unexplained = between + fit.sigma**2
    repeated = [count for count in papers_by(sides, papers).values() if count > 1]
    return {
        "target": LIFETIME.name,
        "alike in": "stressor, shell and structure (natural logarithm)",
        "groups": len(repeated),
        "papers": sum(repeated),
        "sd": float(np.sqrt(unexplained)),
        "ceiling of R2": [float(alike / (alike + unexplained)), None, None],
    }


def _sides(problem: LifetimeProblem) -> list[str]:
    """Return stressor, shell and structure of each side of a test."""
    sides = []
    for item, stressor, is_coated in zip(
        problem.items, problem.stressors.tolist(), problem.is_coated.tolist(), strict=True
    ):
        layers = "|".join(layer.name for layer in item.layers)
        sides.append(f"{stressor}, {f'{layers}, {item.structure}' if is_coated else 'bare'}")
    return sides
