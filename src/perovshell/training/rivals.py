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

from perovshell.data.dataset import Dataset
from perovshell.data.records import StabilityTest
from perovshell.models.censored import PooledEffects
from perovshell.models.stability import LIFETIME_PRIOR_SD, lifetime_labels
from perovshell.training import learners
from perovshell.training.figures import WIDENED, PaperBootstrap, concordance
from perovshell.training.headline import row_likelihood
from perovshell.training.nested import Problems, Rows, Settings, paper_splits
from perovshell.training.pairs import paired_steps
from perovshell.training.problems import GainProblem, LifetimeProblem, group_weights

Floats = npt.NDArray[np.float64]
Predicted = tuple[Floats, Floats]
"""Mean and standard deviation of the logarithm, each of shape (n,)."""

_PRIOR_SD: Final = {
    **LIFETIME_PRIOR_SD,
    "class": 0.7,
    "shell": 0.7,
    "encapsulation": 0.5,
    "structure": 0.5,
    "paper": 1.5,
}
"""Prior standard deviations of log-scale effects of the linear rivals."""
NULL: Final = "null: stressor and side"
OURS: Final = "boosted AFT, normal (the product's)"
GAIN_NULL: Final = "null: one mean"
GAIN_OURS: Final = "partial pooling (the product's)"
_SCALES: Final = (0.6, 0.8)
"""Scales of the boosted normal model beside that of the null model's residuals."""


def compare_lifetimes(
    problems: Problems, dataset: Dataset, settings: Settings
) -> list[dict[str, Any]]:
    """Return a row of figures for each model of the lifetime."""
    problem = problems.lifetime
    linear = _shell_labels(problem, dataset, paper=False)
    hierarchical = _shell_labels(problem, dataset, paper=True)
    models: dict[str, Callable[[Rows, Rows], Predicted]] = {
        NULL: lambda train, test: _linear(problem, problem.labels, train, test),
        "linear AFT: shell, class, structure": lambda train, test: _linear(
            problem, linear, train, test
        ),
        "hierarchical AFT with paper effect": lambda train, test: _linear(
            problem, hierarchical, train, test
        ),
    }
    for distribution in ("normal", "logistic", "extreme"):
        name = OURS if distribution == "normal" else f"boosted AFT, {distribution}"
        models[name] = _boosted(problem, settings, distribution)
    for scale in _SCALES:
        models[f"boosted AFT, normal, scale x {scale:g}"] = _boosted(
            problem, settings, "normal", scale
        )
    everything = np.ones((len(problem.low), len(problem.low)), dtype=bool)
    same = problem.stressors[:, None] == problem.stressors[None, :]
    coated = problem.is_coated[:, None] & problem.is_coated[None, :]
    pairs = {"concordance": everything, "within": same, "coated": same & coated}
    return _table(problem, models, (NULL, OURS), pairs, settings)


def compare_gains(problems: Problems, dataset: Dataset, settings: Settings) -> list[dict[str, Any]]:
    """Return a row of figures for each model of the gain."""
    problem, lives = problems.gain, problems.lifetime
    boosted, hierarchical = (
        _boosted(lives, settings, "normal"),
        lambda train, test: _linear(lives, _shell_labels(lives, dataset, paper=True), train, test),
    )
    models: dict[str, Callable[[Rows, Rows], Predicted]] = {
        GAIN_NULL: lambda train, test: _pooled(problem, train, test, null=True),
        GAIN_OURS: lambda train, test: _pooled(problem, train, test, null=False),
        "difference of boosted lifetimes": lambda train, test: _difference(
            problem, lives, boosted, train, test
        ),
        "difference of hierarchical lifetimes (pairs)": lambda train, test: _difference(
            problem, lives, hierarchical, train, test
        ),
    }
    everything = np.ones((len(problem.low), len(problem.low)), dtype=bool)
    pairs = {"concordance": everything}
    return _table(problem, models, (GAIN_NULL, GAIN_OURS), pairs, settings)


def _table(
    problem: LifetimeProblem | GainProblem,
    models: dict[str, Callable[[Rows, Rows], Predicted]],
    names: tuple[str, str],
    pairs: dict[str, npt.NDArray[Any]],
    settings: Settings,
) -> list[dict[str, Any]]:
    """Compare models; `names` are those of the null and of the product's model."""
    bootstrap = PaperBootstrap.of(problem.papers, problem.share)
    low, high = problem.low / WIDENED, problem.high * WIDENED
    splits = paper_splits(problem, settings.folds)
    found = {name: _out_of_fold(model, splits, len(low)) for name, model in models.items()}
    chance = {name: row_likelihood(*one, low, high) for name, one in found.items()}
    null, ours = names
    rows = []
    for name, model in models.items():
        step = paired_steps(partial(_means, model), splits, len(low), settings.jobs)["model"]
        row: dict[str, Any] = {"model": name}
        for figure, allowed in pairs.items():
            row[figure] = concordance(step, low, high, allowed, problem.share)
        row["log_likelihood"] = bootstrap.mean_by_paper(chance[name])[0]
        row["over_null"] = list(bootstrap.mean_by_paper(chance[name] - chance[null]))
        row["over_the_product's"] = list(bootstrap.mean_by_paper(chance[name] - chance[ours]))
        rows.append(row)
    return rows


def _means(model: Callable[[Rows, Rows], Predicted], train: Rows, test: Rows) -> dict[str, Floats]:
    return {"model": model(train, test)[0]}


def _out_of_fold(
    model: Callable[[Rows, Rows], Predicted], splits: Sequence[tuple[Rows, Rows]], count: int
) -> Predicted:
    mean, sigma = np.empty(count), np.empty(count)
    for train, test in splits:
        mean[test], sigma[test] = model(train, test)
    return mean, sigma


def _boosted(
    problem: LifetimeProblem, settings: Settings, distribution: str, scale: float = 1.0
) -> Callable[[Rows, Rows], Predicted]:
    boosters = learners.BOOSTERS["lifetime"][: settings.boosters]

    def model(train: Rows, test: Rows) -> Predicted:
        fit = learners.fit_lifetimes(problem, train, boosters, settings.seed, (distribution, scale))
        return fit.predict(problem, test), np.full(len(test), scale * fit.null.sigma)

    return model


def _linear(
    problem: LifetimeProblem, labels: Sequence[tuple[str, ...]], train: Rows, test: Rows
) -> Predicted:
    """Fit a linear model of labels; a paper never seen adds the spread of papers to sigma."""
    chosen = [labels[row] for row in train]
    weights = group_weights(problem.papers[train], problem.share[train])
    fit = PooledEffects.fit(chosen, problem.low[train], problem.high[train], weights, _PRIOR_SD)
    has_papers = any(label.startswith("paper:") for label in chosen[0])
    sigma = math.hypot(fit.sigma, _PRIOR_SD["paper"]) if has_papers else fit.sigma
    mean = np.array([fit.predict(labels[row]) for row in test])
    return mean, np.full(len(test), sigma)


def _pooled(problem: GainProblem, train: Rows, test: Rows, *, null: bool) -> Predicted:
    fit = learners.fit_gain(problem, train)
    if null:
        return np.full(len(test), fit.null.intercept), np.full(len(test), fit.null.sigma)
    return fit.predict(problem, test), np.full(len(test), fit.pooled.sigma)


def _difference(
    problem: GainProblem,
    lives: LifetimeProblem,
    model: Callable[[Rows, Rows], Predicted],
    train: Rows,
    test: Rows,
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


def _shell_labels(
    problem: LifetimeProblem, dataset: Dataset, *, paper: bool
) -> list[tuple[str, ...]]:
    tests = {test.number: test for test in dataset.tests}
    return [
        (
            *_side_labels(tests[int(number)], coated=bool(coated)),
            *((f"paper:{of_paper}",) if paper else ()),
        )
        for number, coated, of_paper in zip(
            problem.tests, problem.is_coated, problem.papers, strict=True
        )
    ]


def _side_labels(test: StabilityTest, *, coated: bool) -> tuple[str, ...]:
    labels = list(lifetime_labels(test.stressor, coated=coated))
    sample = test.sample
    if coated:
        labels += dict.fromkeys(f"class:{layer.material_class}" for layer in sample.layers)
        labels += dict.fromkeys(f"shell:{layer.name}" for layer in sample.layers)
        labels += [f"structure:{sample.structure}", f"encapsulation:{sample.encapsulation}"]
    return tuple(labels)
