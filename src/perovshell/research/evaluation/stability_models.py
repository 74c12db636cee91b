"""Comparison of models of the stability data under the same folds.

Each is fitted to the same intervals and judged by the same censored log likelihood per paper:
boosted accelerated-failure-time (AFT) models of three distributions, a linear one, a hierarchical
one with a paper effect (which cancels within a two-sided test), partial pooling of the gain, and
the null models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.models.censored import PooledEffects
from perovshell.models.stability import INTERVAL_INFLATION, LIFETIME_PRIOR_SD, SHELL_PRIOR_SD
from perovshell.training.fit import learners
from perovshell.training.fit.problems import GainProblem, LifetimeProblem
from perovshell.training.validation.figures import PaperBootstrap, concordance
from perovshell.training.validation.headline import row_likelihood
from perovshell.training.validation.nested import Problems, Settings, paper_splits
from perovshell.training.validation.pairs import paired_steps

Table = list[dict[str, Any]]
Predicted = tuple[Floats, Floats]
"""Mean and standard deviation of the logarithm, each of shape (n_test,)."""
StabilityModel = Callable[[Indices, Indices], Predicted]
"""Fits training rows and predicts test rows."""

_PRIOR_SD: Final = {**LIFETIME_PRIOR_SD, **SHELL_PRIOR_SD, "paper": 1.5}
"""Prior standard deviations of log-scale effects of the linear models."""
BOOSTED: Final = "boosted AFT, normal"
LINEAR: Final = "linear AFT: shell, class, structure"
POOLED: Final = "partial pooling"
_SCALES: Final = (0.6, 0.8)
"""Scales of the boosted normal model, relative to the residuals of the null model."""


def compare_lifetimes(problems: Problems, settings: Settings, *, has_trees: bool) -> Table:
    """Return a row of metrics for each model of the lifetime.

    Args:
        problems: The training problems.
        settings: Folds, boosters, seed, processes.
        has_trees: Whether the model in use has trees.
    """
    problem = problems.lifetime
    labels = learners.linear_labels(problem, np.arange(len(problem.low)))
    boosted = partial(_boosted, problem, settings)
    models: dict[str, StabilityModel] = {
        "null: stressor and side": partial(_linear, problem, problem.labels),
        LINEAR: partial(_linear, problem, labels),
        "hierarchical AFT with paper effect": partial(_linear, problem, _with_papers(problem)),
        BOOSTED: partial(boosted, "normal", 1.0),
        **{f"boosted AFT, {name}": partial(boosted, name, 1.0) for name in ("logistic", "extreme")},
        **{f"{BOOSTED}, scale x {x:g}": partial(boosted, "normal", x) for x in _SCALES},
    }
    same = problem.stressors[:, None] == problem.stressors[None, :]
    coated = problem.is_coated[:, None] & problem.is_coated[None, :]
    pairs = {"concordance": np.ones_like(same), "within": same, "coated": same & coated}
    return _compare(problem, models, BOOSTED if has_trees else LINEAR, pairs, settings)


def compare_gains(problems: Problems, settings: Settings) -> Table:
    """Return a row of metrics for each model of the gain."""
    problem, lifetime = problems.gain, problems.lifetime
    boosted = partial(_boosted, lifetime, settings, "normal", 1.0)
    hierarchical = partial(_linear, lifetime, _with_papers(lifetime))
    models: dict[str, StabilityModel] = {
        "null: one mean": partial(_pooled, problem, null=True),
        POOLED: partial(_pooled, problem, null=False),
        "difference of boosted lifetimes": partial(_difference, problem, lifetime, boosted),
        "difference of hierarchical lifetimes (pairs)": partial(
            _difference, problem, lifetime, hierarchical
        ),
    }
    pairs = {"concordance": np.ones((len(problem.low), len(problem.low)), dtype=bool)}
    return _compare(problem, models, POOLED, pairs, settings)


def _compare(
    problem: LifetimeProblem | GainProblem,
    models: Mapping[str, StabilityModel],
    in_use: str,
    pairs: Mapping[str, Mask],
    settings: Settings,
) -> Table:
    """Compare models with the first one, the null model, and with the one in use.

    Args:
        problem: The training problem.
        models: The models by name.
        in_use: Name of the model that predictions use.
        pairs: Comparable pairs of rows of each concordance, shape (n, n).
        settings: Folds and processes.
    """
    bootstrap = PaperBootstrap.of(problem.papers, problem.share)
    low, high = problem.low / INTERVAL_INFLATION, problem.high * INTERVAL_INFLATION
    splits = paper_splits(problem, settings.folds)
    likelihood = {}
    for name, model in models.items():
        mean, sigma = np.empty(len(low)), np.empty(len(low))
        for train, test in splits:
            mean[test], sigma[test] = model(train, test)
        likelihood[name] = row_likelihood(mean, sigma, low, high)
    null = next(iter(models))
    table = []
    for name, model in models.items():
        step = paired_steps(partial(_means, model), splits, len(low), settings.jobs)["model"]
        row: dict[str, Any] = {"model": f"{name} (in use)" if name == in_use else name}
        for figure, allowed in pairs.items():
            row[figure] = concordance(step, low, high, allowed, problem.share)
        row["log_likelihood"] = bootstrap.mean_by_paper(likelihood[name])[0]
        for column, other in (("over_null", null), ("over_model_in_use", in_use)):
            row[column] = list(bootstrap.mean_by_paper(likelihood[name] - likelihood[other]))
        table.append(row)
    return table


def _means(model: StabilityModel, train: Indices, test: Indices) -> dict[str, Floats]:
    return {"model": model(train, test)[0]}


def _boosted(
    problem: LifetimeProblem,
    settings: Settings,
    distribution: str,
    scale: float,
    train: Indices,
    test: Indices,
) -> Predicted:
    boosters = learners.LIFETIME_BOOSTERS[: settings.boosters]
    fit = learners.fit_lifetimes(problem, train, boosters, settings.seed, (distribution, scale))
    return fit.predict(problem, test), np.full(len(test), scale * fit.null.sigma)


def _linear(
    problem: LifetimeProblem, labels: Sequence[tuple[str, ...]], train: Indices, test: Indices
) -> Predicted:
    """Fit a linear model of labels; an unseen paper adds the spread of papers to sigma."""
    chosen = [labels[row] for row in train]
    weights = problem.weights_by_paper(train)
    fit = PooledEffects.fit(chosen, problem.low[train], problem.high[train], weights, _PRIOR_SD)
    has_papers = any(label.startswith("paper:") for label in chosen[0])
    sigma = math.hypot(fit.sigma, _PRIOR_SD["paper"]) if has_papers else fit.sigma
    mean = np.array([fit.predict(labels[row]) for row in test])
    return mean, np.full(len(test), sigma)


def _pooled(problem: GainProblem, train: Indices, test: Indices, *, null: bool) -> Predicted:
    fit = learners.fit_gain(problem, train)
    if null:
        return np.full(len(test), fit.null.intercept), np.full(len(test), fit.null.sigma)
    return fit.predict(problem, test), np.full(len(test), fit.pooled.sigma)


def _difference(
    problem: GainProblem,
    lifetime: LifetimeProblem,
    model: StabilityModel,
    train: Indices,
    test: Indices,
) -> Predicted:
    """Predict a gain as coated minus bare log lifetime; by the null model without a duration.

    The spread is that of the pooled gains: the two sides of a test share most of theirs.
    """
    mean, sigma = _pooled(problem, train, test, null=True)
    sides = zip(lifetime.tests.tolist(), lifetime.is_coated.tolist(), strict=True)
    row_of = {side: row for row, side in enumerate(sides)}
    # Index in `test` -> rows of the coated and the bare side among the lifetimes.
    pairs = {
        index: (row_of[number, True], row_of[number, False])
        for index, number in enumerate(problem.tests[test].tolist())
        if (number, True) in row_of and (number, False) in row_of
    }
    if pairs:
        others = np.flatnonzero(~np.isin(lifetime.papers, problem.papers[test]))
        log_lifetime, _ = model(others, np.array(list(pairs.values())).ravel())
        mean[list(pairs)] = log_lifetime[::2] - log_lifetime[1::2]
    return mean, sigma


def _with_papers(problem: LifetimeProblem) -> list[tuple[str, ...]]:
    """Return the labels of the linear model and the paper of each row."""
    labels = learners.linear_labels(problem, np.arange(len(problem.low)))
    papers = problem.papers.tolist()
    return [(*row, f"paper:{paper}") for row, paper in zip(labels, papers, strict=True)]
