"""The figures of a validation, and what has skill."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.models.card import FORWARD
from perovshell.models.censored import fit_intervals, interval_log_likelihood
from perovshell.models.stability import INTERVAL_INFLATION
from perovshell.training.fit.problems import (
    SUBSETS,
    GainProblem,
    LifetimeProblem,
    PointProblem,
    unit_weights,
)
from perovshell.training.validation.baselines import MEDIAN
from perovshell.training.validation.calibration import covered_rows, lower_bounds
from perovshell.training.validation.figures import (
    Figures,
    PaperBootstrap,
    Triple,
    by_paper_slope,
    concordance,
    coverage_figures,
    put,
    regression_figures,
)
from perovshell.training.validation.nested import OutOfFold, Problem, Problems

_ROUNDING = 1e-9


def headline(problems: Problems, results: dict[str, OutOfFold]) -> Figures:
    """Return all headline figures."""
    figures: Figures = {}
    for name, result in results.items():
        figures |= report(name, problems[name], result)
    return figures


def report(
    name: str,
    problem: Problem,
    result: OutOfFold,
    split: str = "paper",
) -> Figures:
    """Return the figures of one target.

    Args:
        name: Name of the target.
        problem: The problem.
        result: Out-of-fold predictions; rows that no split tests are left out and counted.
        split: Name of the split in the keys.
    """
    if isinstance(problem, PointProblem):
        figures = _regression_report(name, problem, result, split)
    else:
        figures = _interval_report(name, problem, result, split)
    untested = len(problem.papers) - len(result.tested)
    return figures | {f"{name}.{split}.all.untested": float(untested)}


def errors(problem: PointProblem, result: OutOfFold) -> Floats:
    """Return absolute errors in the unit of the target's, the mean over the repeats, shape (n,)."""
    return np.asarray(np.mean([problem.errors(run) for run in result.model], axis=0))


def _regression_report(name: str, problem: PointProblem, result: OutOfFold, split: str) -> Figures:
    """Return the figures of a point target, with those of baselines and paired differences."""
    figures: Figures = {}
    intervals = covered_rows(problem, result)
    model = _Predictions(
        problem.spec.target.scale.to_unit(result.mean), errors(problem, result), *intervals
    )
    baselines = {
        baseline: _baseline(problem, result, baseline)
        for baseline in (*problem.spec.baselines, "prior", "trees")
        if baseline in result.others
    }
    tested = np.isin(np.arange(len(problem.target)), result.tested)
    for subset in SUBSETS:
        rows = np.flatnonzero(problem.subsets[subset] & tested)
        prefix = f"{name}.{split}.{subset}"
        figures |= _figures_of(prefix, problem, model, rows)
        if not len(rows):
            continue
        groups = PaperBootstrap.of(problem.weight_groups[rows])
        by_group = groups.mean_by_paper(model.covered[rows].astype(float))
        put(figures, f"{prefix}.coverage_by_group", by_group)
        for baseline, other in baselines.items():
            figures |= _figures_of(f"{baseline}.{prefix}", problem, other, rows)
            figures |= _differences(f"{baseline}.{prefix}", problem, model, other, rows)
    return figures


@dataclass(frozen=True)
class _Predictions:
    """Predictions of all rows by a model or a baseline: values, errors, intervals; each (n,)."""

    value: Floats
    error: Floats
    covered: Mask
    width: Floats


def _baseline(problem: PointProblem, result: OutOfFold, baseline: str) -> _Predictions:
    """Return the predictions of a baseline, with intervals of one width for all rows."""
    intervals = covered_rows(problem, result.predicted_by(baseline), normalised=False)
    other = result.others[baseline]
    return _Predictions(problem.spec.target.scale.to_unit(other), problem.errors(other), *intervals)


def _figures_of(
    prefix: str, problem: PointProblem, predicted: _Predictions, rows: Indices
) -> Figures:
    papers, observed = problem.papers[rows], problem.values[rows]
    figures = regression_figures(
        prefix, papers, observed, predicted.value[rows], predicted.error[rows]
    )
    if len(rows):
        figures |= coverage_figures(prefix, papers, predicted.covered[rows], predicted.width[rows])
    return figures


def _differences(
    prefix: str, problem: PointProblem, model: _Predictions, baseline: _Predictions, rows: Indices
) -> Figures:
    """Return how much worse and wider a baseline is, paired."""
    figures: Figures = {}
    bootstrap = PaperBootstrap.of(problem.papers[rows])
    groups = PaperBootstrap.of(problem.weight_groups[rows])
    worse = (baseline.error - model.error)[rows]
    put(figures, f"{prefix}.mae_difference", bootstrap.mean(worse))
    put(figures, f"{prefix}.mae_by_paper_difference", bootstrap.mean_by_paper(worse))
    put(figures, f"{prefix}.mae_by_group_difference", groups.mean_by_paper(worse))
    if np.isfinite([baseline.width[rows], model.width[rows]]).all():
        wider = (baseline.width - model.width)[rows]
        put(figures, f"{prefix}.width_difference", bootstrap.mean(wider))
    return figures


def _interval_report(
    name: str,
    problem: LifetimeProblem | GainProblem,
    result: OutOfFold,
    split: str,
) -> Figures:
    """Return concordances, likelihoods and lower bounds, with those of baselines."""
    prefix, rows = f"{name}.{split}.all", result.tested
    papers, share = problem.papers[rows], problem.share[rows]
    figures: Figures = {}
    for baseline in ("", *(f"{name}." for name in _interval_baselines(result)), "duration."):
        figures[f"{baseline}{prefix}.n"] = float(share.sum())
        figures[f"{baseline}{prefix}.papers"] = float(len(set(papers.tolist())))
    if not len(rows):
        return figures
    return {
        **figures,
        **_concordances(prefix, problem, result),
        **likelihood_figures(prefix, problem, result),
        **_bounds(prefix, problem, result),
    }


def _interval_baselines(result: OutOfFold) -> tuple[str, ...]:
    return ("null", "linear") if "linear" in result.others else ("null",)


def likelihood_figures(
    prefix: str, problem: LifetimeProblem | GainProblem, result: OutOfFold
) -> Figures:
    """Return the log likelihoods by paper of the model and of baselines, with their differences.

    Args:
        prefix: First part of the keys, after the name of a baseline.
        problem: The problem.
        result: Out-of-fold predictions; rows that no split tests are left out.
    """
    rows, figures = result.tested, Figures()
    bootstrap = PaperBootstrap.of(problem.papers[rows], problem.share[rows])
    ends = problem.low[rows] / INTERVAL_INFLATION, problem.high[rows] * INTERVAL_INFLATION
    chance = row_likelihood(result.model[0][rows], result.others["sigma"][rows], *ends)
    put(figures, f"{prefix}.log_likelihood", bootstrap.mean_by_paper(chance))
    for baseline in _interval_baselines(result):
        mean, sigma = result.others[baseline][rows], result.others[f"{baseline}_sigma"][rows]
        other = row_likelihood(mean, sigma, *ends)
        key = f"{baseline}.{prefix}.log_likelihood"
        put(figures, key, bootstrap.mean_by_paper(other))
        put(figures, f"{key}_difference", bootstrap.mean_by_paper(chance - other))
    return figures


def _bounds(prefix: str, problem: LifetimeProblem | GainProblem, result: OutOfFold) -> Figures:
    """Return the figures of lower bounds, with those of the null model."""
    rows, figures = result.tested, Figures()
    bootstrap = PaperBootstrap.of(problem.papers[rows], problem.share[rows])
    low, high = problem.low[rows] / INTERVAL_INFLATION, problem.high[rows] * INTERVAL_INFLATION
    bounds = {
        "": lower_bounds(problem, result)[rows],
        "null.": lower_bounds(problem, result.predicted_by("null"))[rows],
    }
    for baseline, bound in bounds.items():
        figures |= bound_figures(f"{baseline}{prefix}", bootstrap, bound, low, high)
    key = f"null.{prefix}.log_lower_bound_difference"
    put(figures, key, bound_gain(bootstrap, bounds[""], bounds["null."], low))
    return figures


def _concordances(
    prefix: str, problem: LifetimeProblem | GainProblem, result: OutOfFold
) -> Figures:
    """Return concordances, with those of the null model and of the test's duration."""
    figures: Figures = {}
    low, high = problem.low / INTERVAL_INFLATION, problem.high * INTERVAL_INFLATION
    if not result.steps:
        return figures
    bootstrap, model = PaperBootstrap.of(problem.papers), result.steps["model"]

    def measured(step: Floats, allowed: Mask, weights: Floats) -> Floats:
        return concordance(step, low, high, allowed, weights * problem.share)

    def difference(step: Floats, allowed: Mask, weights: Floats) -> Floats:
        both = allowed & ~np.isnan(step)
        return measured(model, both, weights) - measured(step, both, weights)

    for figure, pairs in compared_pairs(problem).items():
        allowed = pairs & ~np.isnan(model)
        whole = bootstrap.statistic(partial(measured, model, allowed))
        put(figures, f"{prefix}.{figure}", whole)
        for baseline, step in _baseline_steps(problem, result).items():
            key = f"{baseline}{prefix}.{figure}"
            put(figures, key, bootstrap.statistic(partial(measured, step, allowed)))
            better = bootstrap.statistic(partial(difference, step, allowed))
            put(figures, f"{key}_difference", better)
    return figures


def _baseline_steps(problem: LifetimeProblem | GainProblem, result: OutOfFold) -> dict[str, Floats]:
    """Return the steps of other models, and of the test's duration, by the prefix of their keys."""
    duration = np.log(problem.duration)
    return {
        **{f"{name}.": step for name, step in result.steps.items() if name != "model"},
        "duration.": duration[:, None] - duration[None, :],
    }


def compared_pairs(problem: LifetimeProblem | GainProblem) -> dict[str, Mask]:
    """Return which pairs of rows each concordance compares, by its name, each of shape (n, n)."""
    same = problem.stressors[:, None] == problem.stressors[None, :]
    pairs = {"concordance": np.ones_like(same)}
    if isinstance(problem, LifetimeProblem):
        coated = problem.is_coated[:, None] & problem.is_coated[None, :]
        pairs |= {"concordance_within": same, "concordance_coated": same & coated}
    return pairs


def bound_figures(
    prefix: str, bootstrap: PaperBootstrap, bound: Floats, low: Floats, high: Floats
) -> Figures:
    """Return how often log lower bounds certainly and possibly hold, and their mean."""
    figures: Figures = {}
    with np.errstate(divide="ignore"):
        certain, possible = bound <= np.log(low), bound <= np.log(high)
    put(figures, f"{prefix}.coverage_certain", bootstrap.mean_by_paper(certain.astype(float)))
    put(figures, f"{prefix}.coverage_possible", bootstrap.mean_by_paper(possible.astype(float)))
    mean = bootstrap.mean_by_paper(bound) if np.isfinite(bound).all() else (math.nan,) * 3
    put(figures, f"{prefix}.log_lower_bound", mean)
    return figures


def bound_gain(bootstrap: PaperBootstrap, bound: Floats, null: Floats, low: Floats) -> Triple:
    """Return how far log lower bounds lie above the null model's at equal coverage, by paper.

    The bounds are moved by one constant, to where they certainly hold as often as the null's.
    """
    if not (np.isfinite(bound).all() and np.isfinite(null).all()):
        return math.nan, math.nan, math.nan
    with np.errstate(divide="ignore"):
        over = bound - np.log(low)
        asked = bootstrap.mean_by_paper((null <= np.log(low)).astype(float))[0]
    for move in np.unique(over[np.isfinite(over)]):
        if bootstrap.mean_by_paper((over <= move).astype(float))[0] >= asked - _ROUNDING:
            return bootstrap.mean_by_paper(bound - move - null)
    return math.nan, math.nan, math.nan


def row_likelihood(mean: Floats, sigma: Floats, low: Floats, high: Floats) -> Floats:
    """Return the log likelihood of each row's interval, shape (n,)."""
    rows = [
        interval_log_likelihood(mean[k : k + 1], float(sigma[k]), low[k : k + 1], high[k : k + 1])
        for k in range(len(mean))
    ]
    return np.concatenate(rows)


# Skill ---------------------------------------------------------------------------------------


def skill(
    problems: Problems, results: dict[str, OutOfFold], figures: Figures
) -> dict[str, dict[str, Any]]:
    """Return for each target whether it beats its null model, and its shrinkage factor.

    It does where the 90 % interval of the paired difference excludes 0, and the difference forward
    in time has the same sign; without dated papers there is none.

    Args:
        problems: The training problems.
        results: Out-of-fold predictions, which the shrinkage factors come from.
        figures: Figures by paper and forward in time.
    """
    verdicts: dict[str, dict[str, Any]] = {}
    for name, problem in problems.points.items():
        predicted = results[name].mean
        weights = problem.weights(np.arange(len(predicted)))
        slope = by_paper_slope(problem.target, predicted, weights)
        unit = f" {problem.spec.target.error_unit}"
        key = f"{MEDIAN}.{name}.{{}}.all.mae_by_group_difference"
        words = ("the median", "MAE", "smaller", "larger", unit)
        verdicts[name] = _verdict(figures, key, slope, words)
    for name, censored in problems.intervals.items():
        null = results[name].others["null"]
        # A ranking compares how far the model departs from its null.
        design = np.stack([np.ones(len(null)), results[name].mean - null], axis=1)
        weights = unit_weights(censored.papers, censored.share)
        ends = censored.low / np.exp(null), censored.high / np.exp(null)
        fit = fit_intervals(design, *ends, weights, np.array([0.0, 1e-6]))
        slope = float(np.clip(fit.coefficients[1], 0.0, 1.0))
        key = f"null.{name}.{{}}.all.log_likelihood_difference"
        words = ("the null model", "log likelihood", "higher", "lower", "")
        verdicts[name] = _verdict(figures, key, slope, words)
    return verdicts


def _verdict(figures: Figures, key: str, slope: float, words: tuple[str, ...]) -> dict[str, Any]:
    """Return a verdict; papers count once in it, and a collection as one paper.

    Args:
        figures: The figures.
        key: Key of the difference, with braces for the split scheme.
        slope: The shrinkage factor.
        words: The null model, what is compared, better, worse, unit.
    """
    by_paper, forward = key.format("paper"), figures.get(key.format(FORWARD))
    low, value, high = (figures[f"{by_paper}{end}"] for end in ("_lo", "", "_hi"))
    null, what, more, less, unit = words
    has_skill = low is not None and low > 0.0 and (forward is None or forward > 0.0)
    verdict = "better than" if has_skill else "no skill over"

    def compared(size: float) -> str:
        return f"{more if size >= 0 else less} by {abs(size):.3g}{unit}"

    numbers = " to ".join("?" if end is None else f"{end:.3g}" for end in (low, high))
    later = "not known" if forward is None else compared(forward)
    sentence = (
        f"{verdict} {null}: {what} {compared(math.nan if value is None else value)}, papers "
        f"counting once (90 % interval of the difference {numbers}); forward in time {later}"
    )
    return {"has_skill": has_skill, "slope": slope, "sentence": sentence, "figure": by_paper}
