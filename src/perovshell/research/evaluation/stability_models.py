"""Comparison of models of the stability data under the same folds.

Each is fitted to the same tests and judged by the same censored log likelihood per paper: the null
model of stressor and side, the effects alone, and boosted trees on the effects with several
settings.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from perovshell.arrays import Indices
from perovshell.models.stability import INTERVAL_INFLATION, Logarithms
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.training.fit import learners
from perovshell.training.fit.problems import StabilityProblem
from perovshell.training.validation.figures import PaperBootstrap
from perovshell.training.validation.headline import row_likelihood
from perovshell.training.validation.nested import Settings, paper_splits

Table = list[dict[str, Any]]
Fit = learners.FittedStability

BOOSTED: Final = "effects and boosted trees"
LINEAR: Final = "effects alone"
NULL: Final = "null: stressor and side"
_ROUNDS: Final = (0.5, 2.0)
"""Numbers of trees, relative to those in use."""


def compare_stability(
    problem: StabilityProblem, settings: Settings, *, has_trees: bool
) -> dict[str, Table]:
    """Return tables of models of lifetimes and gains, a row of figures each.

    Args:
        problem: The stability tests.
        settings: Folds, boosters, seed.
        has_trees: Whether the model in use has trees.
    """
    tables = _out_of_fold(problem, settings)
    for models in tables.values():
        full = models[LINEAR]
        models[NULL] = replace(full, value=full.null, sigma=full.null_sigma)
    in_use = BOOSTED if has_trees else LINEAR
    return {
        f"{target}_models": _table(problem, target, models, in_use)
        for target, models in tables.items()
    }


def _fits(problem: StabilityProblem, rows: Indices, settings: Settings) -> dict[str, Fit]:
    """Fit the models that are compared, by their names, to some tests."""
    in_use = learners.STABILITY_BOOSTERS[: settings.boosters]
    boosters = {BOOSTED: in_use}
    for share in _ROUNDS:
        boosters[f"{BOOSTED}, {share:g} x the trees"] = tuple(
            replace(one, rounds=round(share * one.rounds)) for one in in_use
        )
    fits = {
        name: learners.fit_stability(problem, rows, some, settings.seed)
        for name, some in boosters.items()
    }
    return fits | {LINEAR: fits[BOOSTED].without_trees}


def _out_of_fold(problem: StabilityProblem, settings: Settings) -> dict[str, dict[str, Logarithms]]:
    """Return the out-of-fold logarithms of lifetimes and gains by each model."""
    parts: dict[str, dict[str, list[tuple[Indices, Logarithms]]]] = {
        target: defaultdict(list) for target in (LIFETIME.name, GAIN.name)
    }
    for train, test in paper_splits(problem, settings.folds):
        sides, pairs = problem.sides(test), problem.pairs(test)
        lifetime, gain = problem.lifetime.take(sides), problem.gain.take(pairs)
        for name, fit in _fits(problem, train, settings).items():
            parts[LIFETIME.name][name].append((sides, fit.lifetimes(lifetime)))
            parts[GAIN.name][name].append((pairs, fit.gains(gain)))
    return {
        target: {name: _joined(tested) for name, tested in models.items()}
        for target, models in parts.items()
    }


def _joined(tested: Sequence[tuple[Indices, Logarithms]]) -> Logarithms:
    rows = np.concatenate([at for at, _ in tested])
    order = np.argsort(rows, kind="stable")
    columns = (
        np.concatenate([getattr(one, name) for _, one in tested])[order]
        for name in ("value", "null", "sigma", "null_sigma")
    )
    return Logarithms(*columns)


def _table(
    problem: StabilityProblem, target: str, models: Mapping[str, Logarithms], in_use: str
) -> Table:
    """Compare models with the null model and with the one in use by their likelihood."""
    rows = problem.lifetime if target == LIFETIME.name else problem.gain
    bootstrap = PaperBootstrap.of(rows.papers, rows.share)
    low, high = rows.low / INTERVAL_INFLATION, rows.high * INTERVAL_INFLATION
    likelihood = {
        name: row_likelihood(one.value, one.sigma, low, high) for name, one in models.items()
    }
    table = []
    for name in (NULL, LINEAR, *(name for name in models if name not in {NULL, LINEAR})):
        row: dict[str, Any] = {"model": f"{name} (in use)" if name == in_use else name}
        row["log_likelihood"] = bootstrap.mean_by_paper(likelihood[name])[0]
        for column, other in (("over_null", NULL), ("over_model_in_use", in_use)):
            row[column] = list(bootstrap.mean_by_paper(likelihood[name] - likelihood[other]))
        table.append(row)
    return table
