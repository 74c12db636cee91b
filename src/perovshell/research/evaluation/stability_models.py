"""Comparison of models of the stability data under the same folds.

Each is fitted to the same tests and judged by the same censored log likelihood per paper: the null
model of stressor and side, the effects alone, and boosted trees on the effects with several
settings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.models.boosting import BoostConfig
from perovshell.models.stability import INTERVAL_INFLATION, Logarithms
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.training.fit import learners
from perovshell.training.fit.problems import StabilityProblem
from perovshell.training.validation.figures import PaperBootstrap
from perovshell.training.validation.headline import row_likelihood
from perovshell.training.validation.nested import Settings, paper_splits

Table = list[dict[str, Any]]
_Fitter = Callable[[Indices], learners.FittedStability]
_Model = Callable[[Logarithms], tuple[Floats, Floats]]
"""What is compared of the logarithms of a fit: values and their standard deviations."""

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
    boosters = learners.STABILITY_BOOSTERS[: settings.boosters]
    fitters: dict[str, _Fitter] = {BOOSTED: partial(_fit, problem, boosters, settings.seed)}
    for share in _ROUNDS:
        changed = tuple(replace(one, rounds=round(share * one.rounds)) for one in boosters)
        fitters[f"{BOOSTED}, {share:g} x the trees"] = partial(
            _fit, problem, changed, settings.seed
        )
    in_use = BOOSTED if has_trees else LINEAR
    tables: dict[str, dict[str, Logarithms]] = {LIFETIME.name: {}, GAIN.name: {}}
    for name, fitter in fitters.items():
        for target, model in _out_of_fold(problem, fitter, settings).items():
            tables[target][name] = model
    linear = _out_of_fold(problem, lambda rows: fitters[BOOSTED](rows).without_trees, settings)
    for target, model in linear.items():
        tables[target][LINEAR] = model
        tables[target][NULL] = replace(model, value=model.null, sigma=model.null_sigma)
    return {
        f"{target}_models": _table(problem, target, models, in_use)
        for target, models in tables.items()
    }


def _fit(
    problem: StabilityProblem,
    boosters: tuple[BoostConfig, ...],
    seed: int,
    rows: Indices,
) -> learners.FittedStability:
    return learners.fit_stability(problem, rows, boosters, seed)


def _out_of_fold(
    problem: StabilityProblem, fitter: _Fitter, settings: Settings
) -> dict[str, Logarithms]:
    """Return the out-of-fold logarithms of lifetimes and gains of a model."""
    parts: dict[str, list[tuple[Indices, Logarithms]]] = {LIFETIME.name: [], GAIN.name: []}
    for train, test in paper_splits(problem, settings.folds):
        fit = fitter(train)
        sides, pairs = problem.sides(test), problem.pairs(test)
        parts[LIFETIME.name].append((sides, fit.lifetimes(problem.lifetime.take(sides))))
        parts[GAIN.name].append((pairs, fit.gains(problem.gain.take(pairs))))
    return {target: _joined(tested) for target, tested in parts.items()}


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
