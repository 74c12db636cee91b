"""Other models of the stability data, compared with the product's under the same folds.

Each is fitted to the same intervals and judged by the same censored log likelihood, a paper at a
time: boosted accelerated-failure-time models of three distributions, a linear one, a hierarchical
one with a paper effect (which the pair of one test cancels), partial pooling of the gain, and the
null models.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Indices
from perovshell.models.censored import PooledEffects
from perovshell.models.stability import INTERVAL_INFLATION, LIFETIME_PRIOR_SD, SHELL_PRIOR_SD
from perovshell.training.fit import learners
from perovshell.training.fit.problems import GainProblem, LifetimeProblem
from perovshell.training.validation.figures import PaperBootstrap, concordance
from perovshell.training.validation.headline import row_likelihood
from perovshell.training.validation.nested import Problems, Settings, paper_splits
from perovshell.training.validation.pairs import paired_steps

Floats = npt.NDArray[np.float64]
Predicted = tuple[Floats, Floats]
"""Mean and standard deviation of the logarithm, each of shape (n,)."""

_PRIOR_SD: Final = {**LIFETIME_PRIOR_SD, **SHELL_PRIOR_SD, "paper": 1.5}
"""Prior standard deviations of log-scale effects of the linear rivals."""
NULL: Final = "null: stressor and side"
BOOSTED: Final = "boosted AFT, normal"
LINEAR: Final = "linear AFT: shell, class, structure"
GAIN_NULL: Final = "null: one mean"
GAIN_OURS: Final = "partial pooling"
_SCALES: Final = (0.6, 0.8)
"""Scales of the boosted normal model beside that of the null model's residuals."""


def compare_lifetimes(
    problems: Problems, settings: Settings, *, has_trees: bool
) -> list[dict[str, Any]]:
    """Return a row of figures for each model of the lifetime; `has_trees` tells the product's."""
    problem = problems.lifetime
    models: dict[str, Callable[[Indices, Indices], Predicted]] = {
        NULL: partial(_linear, problem, problem.labels),
        LINEAR: partial(_linear, problem, _all_labels(problem)),
        "hierarchical AFT with paper effect": partial(_linear, problem, _paper_labels(problem)),
        BOOSTED: _boosted(problem, settings, "normal"),
    }
    for distribution in ("logistic", "extreme"):
        models[f"boosted AFT, {distribution}"] = _boosted(problem, settings, distribution)
    for scale in _SCALES:
        models[f"{BOOSTED}, scale x {scale:g}"] = _boosted(problem, settings, "normal", scale)
    everything = np.ones((len(problem.low), len(problem.low)), dtype=bool)
    same = problem.stressors[:, None] == problem.stressors[None, :]
    coated = problem.is_coated[:, None] & problem.is_coated[None, :]
    pairs = {"concordance": everything, "within": same, "coated": same & coated}
    return _table(problem, models, (NULL, BOOSTED if has_trees else LINEAR), pairs, settings)


def compare_gains(problems: Problems, settings: Settings) -> list[dict[str, Any]]:
    """Return a row of figures for each model of the gain."""
    problem, lives = problems.gain, problems.lifetime
    boosted = _boosted(lives, settings, "normal")
    hierarchical = partial(_linear, lives, _paper_labels(lives))
    models: dict[str, Callable[[Indices, Indices], Predicted]] = {
        GAIN_NULL: partial(_pooled, problem, null=True),
        GAIN_OURS: partial(_pooled, problem, null=False),
        "difference of boosted lifetimes": partial(_difference, problem, lives, boosted),
        "difference of hierarchical lifetimes (pairs)": partial(
            _difference, problem, lives, hierarchical
        ),
    }
    everything = np.ones((len(problem.low), len(problem.low)), dtype=bool)
    pairs = {"concordance": everything}
    return _table(problem, models, (GAIN_NULL, GAIN_OURS), pairs, settings)


def _table(
    problem: LifetimeProblem | GainProblem,
    models: dict[str, Callable[[Indices, Indices], Predicted]],
    names: tuple[str, str],
    pairs: dict[str, npt.NDArray[Any]],
    settings: Settings,
) -> list[dict[str, Any]]:
    """Compare models; `names` are those of the null and of the product's model."""
    bootstrap = PaperBootstrap.of(problem.papers, problem.share)
    low, high = problem.low / INTERVAL_INFLATION, problem.high * INTERVAL_INFLATION
    splits = paper_splits(problem, settings.folds)
    found = {name: _out_of_fold(model, splits, len(low)) for name, model in models.items()}
    chance = {name: row_likelihood(*one, low, high) for name, one in found.items()}
    null, ours = names
    rows = []
    for name, model in models.items():
        step = paired_steps(partial(_means, model), splits, len(low), settings.jobs)["model"]
        row: dict[str, Any] = {"model": f"{name} (the product's)" if name == ours else name}
        for figure, allowed in pairs.items():
            row[figure] = concordance(step, low, high, allowed, problem.share)
        row["log_likelihood"] = bootstrap.mean_by_paper(chance[name])[0]
        row["over_null"] = list(bootstrap.mean_by_paper(chance[name] - chance[null]))
        row["over_the_product's"] = list(bootstrap.mean_by_paper(chance[name] - chance[ours]))
        rows.append(row)
    return rows


def _means(
    model: Callable[[Indices, Indices], Predicted], train: Indices, test: Indices
) -> dict[str, Floats]:
    return {"model": model(train, test)[0]}


def _out_of_fold(
    model: Callable[[Indices, Indices], Predicted],
    splits: Sequence[tuple[Indices, Indices]],
    count: int,
) -> Predicted:
    mean, sigma = np.empty(count), np.empty(count)
    for train, test in splits:
        mean[test], sigma[test] = model(train, test)
    return mean, sigma


def _boosted(
    problem: LifetimeProblem, settings: Settings, distribution: str, scale: float = 1.0
) -> Callable[[Indices, Indices], Predicted]:
    boosters = learners.LIFETIME_BOOSTERS[: settings.boosters]

    def model(train: Indices, test: Indices) -> Predicted:
        fit = learners.fit_lifetimes(problem, train, boosters, settings.seed, (distribution, scale))
        return fit.predict(problem, test), np.full(len(test), scale * fit.null.sigma)

    return model


def _linear(
    problem: LifetimeProblem, labels: Sequence[tuple[str, ...]], train: Indices, test: Indices
) -> Predicted:
    """Fit a linear model of labels; a paper never seen adds the spread of papers to sigma."""
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
    lives: LifetimeProblem,
    model: Callable[[Indices, Indices], Predicted],
    train: Indices,
    test: Indices,
) -> Predicted:
    """Predict a gain as coated minus bare log lifetime; the null's where a side has no duration.

    The spread is that of the pooled gains: the two sides of one test share most of theirs.
    """
    mean, sigma = _pooled(problem, train, test, null=True)
    tested = set(problem.papers[test].tolist())
    others = np.array([k for k, p in enumerate(lives.papers.tolist()) if p not in tested])
    sides = {
        (int(number), bool(coated)): row
        for row, (number, coated) in enumerate(zip(lives.tests, lives.is_coated, strict=True))
    }
    wanted = [
        (place, sides[number, True], sides[number, False])
        for place, number in enumerate(problem.tests[test].tolist())
        if (number, True) in sides and (number, False) in sides
    ]
    if wanted:
        rows = np.array([row for _, coated, bare in wanted for row in (coated, bare)])
        log_life, _ = model(others, rows)
        for number, (place, _, _) in enumerate(wanted):
            mean[place] = log_life[2 * number] - log_life[2 * number + 1]
    return mean, sigma


def _all_labels(problem: LifetimeProblem) -> list[tuple[str, ...]]:
    return learners.linear_labels(problem, np.arange(len(problem.low)))


def _paper_labels(problem: LifetimeProblem) -> list[tuple[str, ...]]:
    papers = problem.papers.tolist()
    labels = _all_labels(problem)
    return [(*own, f"paper:{paper}") for own, paper in zip(labels, papers, strict=True)]
