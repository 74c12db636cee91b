"""The figures of a validation, and what has skill."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.models.censored import fit_intervals, interval_log_likelihood
from perovshell.training.baselines import BASELINES
from perovshell.training.calibration import covered_rows, lower_bounds
from perovshell.training.figures import (
    WIDENED,
    Figures,
    PaperBootstrap,
    by_paper_slope,
    concordance,
    coverage_figures,
    put,
    regression_figures,
)
from perovshell.training.learners import bounded_error, bounds_in_unit, to_unit
from perovshell.training.nested import OutOfFold, Problems
from perovshell.training.problems import (
    SUBSETS,
    GainProblem,
    LifetimeProblem,
    RegressionProblem,
    unit_weights,
)

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]


def headline(problems: Problems, results: dict[str, OutOfFold]) -> Figures:
    """Return all headline figures."""
    figures: Figures = {}
    figures |= regression_report("pl", problems.pl, results["pl"])
    figures |= regression_report("plqy", problems.plqy, results["plqy"])
    figures |= lifetime_report(problems.lifetime, results["lifetime"])
    figures |= gain_report(problems.gain, results["gain"])
    return figures


def errors(name: str, problem: RegressionProblem, result: OutOfFold) -> Floats:
    """Return the absolute errors in nm or points, the mean over the repeats, shape (n,)."""
    observed, bounds = to_unit(name, problem.target), bounds_in_unit(name, problem.bounds)
    runs = [bounded_error(observed, bounds, to_unit(name, run)) for run in result.model]
    return np.asarray(np.mean(runs, axis=0))


def regression_report(
    name: str, problem: RegressionProblem, result: OutOfFold, split: str = "paper"
) -> Figures:
    """Return the figures of PL or PLQY, with baselines and paired differences where they ran.

    Args:
        name: `pl` or `plqy`.
        problem: The problem.
        result: Out-of-fold predictions; rows that no split tests are left out.
        split: Name of the split in the keys.
    """
    figures: Figures = {}
    observed, bounds = to_unit(name, problem.target), bounds_in_unit(name, problem.bounds)
    predicted, error = to_unit(name, result.mean), errors(name, problem, result)
    covered, width = covered_rows(name, problem, result)
    for subset in SUBSETS:
        rows = np.flatnonzero(problem.subsets[subset] & (result.fold >= 0))
        papers, prefix = problem.papers[rows], f"{name}.{split}.{subset}"
        figures |= regression_figures(prefix, papers, observed[rows], predicted[rows], error[rows])
        if not len(rows):
            continue
        figures |= coverage_figures(prefix, papers, covered[rows], width[rows])
        bootstrap = PaperBootstrap.of(papers)
        for baseline in BASELINES[name]:
            if baseline not in result.others:
                continue
            other = to_unit(name, result.others[baseline])
            other_error = bounded_error(observed, bounds, other)[rows]
            against = f"{baseline}.{prefix}"
            figures |= regression_figures(against, papers, observed[rows], other[rows], other_error)
            worse = other_error - error[rows]
            put(figures, f"{against}.mae_difference", bootstrap.mean(worse))
            put(figures, f"{against}.mae_by_paper_difference", bootstrap.mean_by_paper(worse))
    return figures


def dummy_width(name: str, problem: RegressionProblem, result: OutOfFold) -> float:
    """Return the mean width of intervals about the median, calibrated the same way."""
    flat = np.ones(len(problem.target))
    dummy = OutOfFold(result.others["dummy"][None, :], result.others, result.fold)
    _, width = covered_rows(name, problem, dummy, difficulty=flat)
    return float(width[result.fold >= 0].mean())


def lifetime_report(problem: LifetimeProblem, result: OutOfFold, split: str = "paper") -> Figures:
    """Return concordances, likelihood against the null and coverage of the lower bound.

    Every row must have been tested.
    """
    prefix = f"lifetime.{split}.all"
    sigma = result.others["sigma"]
    figures = _interval_report(prefix, problem, result, sigma, sigma)
    same = problem.stressors[:, None] == problem.stressors[None, :]
    coated = problem.is_coated[:, None] & problem.is_coated[None, :]
    pairs = {
        "concordance": np.ones_like(same),
        "concordance_within": same,
        "concordance_coated": same & coated,
    }
    rivals = {
        "": result.steps["model"],
        "duration.": _steps(np.log(problem.duration)),
        "null.": result.steps["null"],
    }
    for figure, allowed in pairs.items():
        for rival, step in rivals.items():
            key = f"{rival}{prefix}.{figure}"
            put(figures, key, _concordance(problem, step, allowed))
    return figures


def gain_report(problem: GainProblem, result: OutOfFold, split: str = "paper") -> Figures:
    """Return concordance, likelihood against the null and coverage of the lower bound.

    Every row must have been tested.
    """
    prefix = f"gain.{split}.all"
    sigmas = result.others["sigma"], result.others["null_sigma"]
    figures = _interval_report(prefix, problem, result, *sigmas)
    everything = np.ones((len(problem.low), len(problem.low)), dtype=bool)
    rivals = {
        "": result.steps["model"],
        "duration.": _steps(problem.duration),
        "null.": result.steps["null"],
    }
    for rival, step in rivals.items():
        put(figures, f"{rival}{prefix}.concordance", _concordance(problem, step, everything))
    return figures


def _steps(values: Floats) -> Floats:
    """Return each value minus each other one, shape (n, n)."""
    return np.asarray(values[:, None] - values[None, :])


def _concordance(
    problem: LifetimeProblem | GainProblem, step: Floats, allowed: npt.NDArray[np.bool_]
) -> list[float]:
    def measure(weights: Floats) -> float:
        return concordance(step, problem.low, problem.high, allowed, weights * problem.share)

    return PaperBootstrap.of(problem.papers).statistic(measure, resamples=200)


def _interval_report(
    prefix: str,
    problem: LifetimeProblem | GainProblem,
    result: OutOfFold,
    sigma: Floats,
    null_sigma: Floats,
) -> Figures:
    """Figures shared by lifetimes and gains, on intervals widened by `WIDENED`."""
    low, high = problem.low / WIDENED, problem.high * WIDENED
    papers = problem.papers
    figures: Figures = {
        f"{prefix}.n": float(problem.share.sum()),
        f"{prefix}.papers": float(len(set(papers.tolist()))),
    }
    bootstrap = PaperBootstrap.of(papers)
    chance = row_likelihood(result.model[0], sigma, low, high)
    null = row_likelihood(result.others["null"], null_sigma, low, high)
    put(figures, f"{prefix}.log_likelihood", bootstrap.mean_by_paper(chance))
    put(figures, f"null.{prefix}.log_likelihood", bootstrap.mean_by_paper(null))
    put(figures, f"null.{prefix}.log_likelihood_difference", bootstrap.mean_by_paper(chance - null))
    bounds = {
        rival: lower_bounds(predicted, problem, result.fold)
        for rival, predicted in (("", result.model[0]), ("null.", result.others["null"]))
    }
    with np.errstate(divide="ignore"):
        log_low, log_high = np.log(low), np.log(high)
    for rival, bound in bounds.items():
        certain, possible = (bound <= log_low).astype(float), (bound <= log_high).astype(float)
        put(figures, f"{rival}{prefix}.coverage_certain", bootstrap.mean_by_paper(certain))
        put(figures, f"{rival}{prefix}.coverage_possible", bootstrap.mean_by_paper(possible))
        if np.isfinite(bound).all():
            put(figures, f"{rival}{prefix}.log_lower_bound", bootstrap.mean_by_paper(bound))
    if all(np.isfinite(bound).all() for bound in bounds.values()):
        step = bounds[""] - bounds["null."]
        key = f"null.{prefix}.log_lower_bound_difference"
        put(figures, key, bootstrap.mean_by_paper(step))
    return figures


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
    """Say for each target whether it beats its null model, and by what slope to shrink it."""
    found: dict[str, dict[str, Any]] = {}
    for name, unit in (("pl", "nm"), ("plqy", "points")):
        problem: RegressionProblem = getattr(problems, name)
        predicted = results[name].mean
        weights = problem.weights(np.arange(len(predicted)))
        key = f"dummy.{name}.paper.all.mae_by_paper_difference"
        slope = by_paper_slope(problem.target, predicted, weights)
        found[name] = _verdict(figures, key, slope, ("mean error smaller by", f" {unit}"))
    for name in ("lifetime", "gain"):
        censored: LifetimeProblem | GainProblem = getattr(problems, name)
        null = results[name].others["null"]
        # What a ranking compares is how far the model departs from its null.
        design = np.stack([np.ones(len(null)), results[name].mean - null], axis=1)
        weights = unit_weights(censored.papers, censored.share)
        ends = censored.low / np.exp(null), censored.high / np.exp(null)
        fit = fit_intervals(design, *ends, weights, np.array([0.0, 1e-6]))
        slope = float(np.clip(fit.coefficients[1], 0.0, 1.0))
        key = f"null.{name}.paper.all.log_likelihood_difference"
        found[name] = _verdict(figures, key, slope, ("log likelihood higher by", ""))
    return found


def _verdict(figures: Figures, key: str, slope: float, words: tuple[str, str]) -> dict[str, Any]:
    low, value, high = figures[f"{key}_lo"], figures[key], figures[f"{key}_hi"]
    has_skill = low is not None and low > 0.0
    verdict = "better than the null model" if has_skill else "no skill over the null model"
    numbers = " to ".join("?" if end is None else f"{end:.3g}" for end in (low, high))
    what, unit = words
    sentence = f"{verdict}: {what} {value:.3g}{unit} a paper (90 % interval {numbers})"
    return {"has_skill": has_skill, "slope": slope, "sentence": sentence, "figure": key}
