"""Nested cross-validation by paper: every choice is made inside the training papers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.data.targets import EV_NM
from perovshell.models.censored import fit_intervals, interval_log_likelihood
from perovshell.models.conformal import Scores, censored_scores
from perovshell.training import learners
from perovshell.training.baselines import BASELINES, predict_baselines
from perovshell.training.figures import (
    LEVEL,
    WIDENED,
    Figures,
    PaperBootstrap,
    by_paper_slope,
    concordance,
    coverage_figures,
    put,
    regression_figures,
)
from perovshell.training.folds import folds_of
from perovshell.training.problems import (
    SUBSETS,
    GainProblem,
    LifetimeProblem,
    RegressionProblem,
    unit_weights,
)

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.intp]
CONFIGS = {
    "pl": learners.PL_CONFIGS,
    "plqy": learners.PLQY_CONFIGS,
    "lifetime": learners.LIFETIME_CONFIGS,
}


@dataclass(frozen=True)
class Settings:
    """How a training run validates.

    Attributes:
        seed: Seed of the final models and first of the repeats.
        folds: Outer folds by paper.
        repeats: Model seeds of the headline.
        jobs: Processes that fit folds side by side; the result does not depend on it.
        configs: How many of the candidate settings are compared.
    """

    seed: int = 0
    folds: int = 20
    repeats: int = 3
    jobs: int = 2
    configs: int = 4


@dataclass(frozen=True)
class Problems:
    """The training problems of all targets."""

    pl: RegressionProblem
    plqy: RegressionProblem
    lifetime: LifetimeProblem
    gain: GainProblem


@dataclass
class OutOfFold:
    """Predictions of rows whose papers were not trained on.

    Attributes:
        model: Predictions, shape (repeats, n).
        others: Predictions of baselines and null models by name, each of shape (n,).
        fold: Outer fold of each row.
        chosen: Settings chosen in each outer fold.
    """

    model: Floats
    others: dict[str, Floats]
    fold: Rows
    chosen: dict[int, str] = field(default_factory=dict)


def out_of_fold(
    problems: Problems, settings: Settings, advance: Callable[[], None]
) -> dict[str, OutOfFold]:
    """Run the outer folds of all targets.

    Args:
        problems: The training problems.
        settings: Folds, repeats, processes.
        advance: Called when a fold of a target is done.
    """
    from joblib import Parallel, delayed

    tasks = [(name, fold) for name in CONFIGS for fold in range(settings.folds)]
    results: dict[str, OutOfFold] = {}
    for name in CONFIGS:
        problem = getattr(problems, name)
        count = len(problem.papers)
        results[name] = OutOfFold(
            np.full((settings.repeats, count), np.nan),
            {},
            folds_of(problem.papers.tolist(), settings.folds),
        )
    work = Parallel(n_jobs=settings.jobs, return_as="generator")(
        delayed(_one_fold)(name, getattr(problems, name), results[name].fold, fold, settings)
        for name, fold in tasks
    )
    for (name, fold), done in zip(tasks, work, strict=True):
        _store(results[name], fold, done)
        advance()
    results["gain"] = _gain_folds(problems.gain, settings)
    return results


def _store(result: OutOfFold, fold: int, done: dict[str, Any]) -> None:
    rows = done["rows"]
    if not len(rows):
        return
    result.model[:, rows] = done["model"]
    for name, values in done["others"].items():
        result.others.setdefault(name, np.full(result.model.shape[1], np.nan))[rows] = values
    result.chosen[fold] = done["chosen"]


def _one_fold(
    name: str,
    problem: RegressionProblem | LifetimeProblem,
    fold_of_row: Rows,
    fold: int,
    settings: Settings,
) -> dict[str, Any]:
    train, test = np.flatnonzero(fold_of_row != fold), np.flatnonzero(fold_of_row == fold)
    if not len(test):
        return {"rows": test}
    configs = CONFIGS[name][: settings.configs]
    seeds = range(settings.seed, settings.seed + settings.repeats)
    if isinstance(problem, LifetimeProblem):
        config = learners.choose_lifetimes(problem, train, configs, settings.seed)
        fits = [learners.fit_lifetimes(problem, train, config, seed) for seed in seeds]
        model = np.array([fit.predict(problem, test) for fit in fits])
        others = {
            "null": fits[0].predict_null(problem, test),
            "sigma": np.full(len(test), fits[0].null.sigma),
        }
    else:
        config = learners.choose_regression(name, problem, train, configs, settings.seed)
        fitted = [learners.fit_regression(name, problem, train, config, seed) for seed in seeds]
        model = np.array([fit.predict(problem, test) for fit in fitted])
        others = predict_baselines(name, problem, train, test)
    chosen = f"config {configs.index(config)}"
    return {"rows": test, "model": model, "others": others, "chosen": chosen}


def _gain_folds(problem: GainProblem, settings: Settings) -> OutOfFold:
    fold = folds_of(problem.papers.tolist(), settings.folds)
    result = OutOfFold(np.full((1, len(fold)), np.nan), {}, fold)
    for number in np.unique(fold):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        pooled, null = learners.fit_gain(problem, train)
        _store(
            result,
            int(number),
            {
                "rows": test,
                "model": np.array([[pooled.predict(problem.labels[row]) for row in test]]),
                "others": {
                    "null": np.full(len(test), null.intercept),
                    "sigma": np.full(len(test), pooled.sigma),
                    "null_sigma": np.full(len(test), null.sigma),
                },
                "chosen": "pooled",
            },
        )
    return result


# Figures -------------------------------------------------------------------------------------


def to_unit(name: str, values: Floats) -> Floats:
    """Convert predictions to the reported unit: PL energies (eV) to nm."""
    return EV_NM / values if name == "pl" else values


def bound_in_unit(name: str, bounds: tuple[str, ...]) -> list[str]:
    """Turn bounds of energies into bounds of wavelengths."""
    turned = {">": "<", "<": ">"} if name == "pl" else {}
    return [turned.get(bound, bound) for bound in bounds]


def regression_report(name: str, problem: RegressionProblem, result: OutOfFold) -> Figures:
    """Return the headline figures of PL or PLQY, with the baselines and paired differences."""
    figures: Figures = {}
    observed = to_unit(name, problem.target)
    bounds = bound_in_unit(name, problem.bounds)
    runs = to_unit(name, np.clip(result.model, 0.0 if name == "plqy" else 0.5, 100.0))
    errors = np.array([learners.bounded_error(observed, bounds, run) for run in runs])
    covered, width = _covered(name, problem, result)
    for subset in SUBSETS:
        rows = np.flatnonzero(problem.subsets[subset])
        papers, prefix = problem.papers[rows], f"{name}.paper.{subset}"
        error = errors[:, rows].mean(axis=0)
        figures |= regression_figures(prefix, papers, observed[rows], runs[0][rows], error)
        if not len(rows):
            continue
        figures[f"{prefix}.median"] = float(np.median(errors[:, rows], axis=1).mean())
        figures |= coverage_figures(prefix, papers, covered[rows], width[rows])
        for baseline in BASELINES[name]:
            other = to_unit(name, result.others[baseline])
            other_error = learners.bounded_error(observed, bounds, other)[rows]
            figures |= regression_figures(
                f"{baseline}.{prefix}", papers, observed[rows], other[rows], other_error
            )
            put(
                figures,
                f"{baseline}.{prefix}.mae_difference",
                PaperBootstrap.of(papers).mean(other_error - error),
            )
            put(
                figures,
                f"{baseline}.{prefix}.mae_by_paper_difference",
                PaperBootstrap.of(papers).mean_by_paper(other_error - error),
            )
    return figures


def residual_scores(problem: RegressionProblem, predicted: Floats, rows: Rows) -> Scores:
    """Return the absolute residuals of rows as scores; a bound counts to its far end.

    A PLQY above 80 % may be as high as 100 %: the score is the largest residual it allows.
    """
    target, guess = problem.target[rows], predicted[rows]
    score = np.abs(guess - target)
    for place, row in enumerate(rows):
        if problem.bounds[row] == ">":
            score[place] = max(score[place], abs(100.0 - guess[place]))
        elif problem.bounds[row] == "<":
            score[place] = max(score[place], abs(guess[place]))
    return Scores.of(score, problem.weight_groups[rows].tolist())


def calibration_rows(name: str, problem: RegressionProblem) -> Rows:
    """Return the rows that calibrate intervals: a PL bound has no far end, so it is left out."""
    known = [bound not in {">", "<"} or name == "plqy" for bound in problem.bounds]
    return np.flatnonzero(known)


def coverage_at(name: str, problem: RegressionProblem, result: OutOfFold, level: float) -> float:
    """Return the coverage counted by paper of intervals at a level."""
    covered, _ = _covered(name, problem, result, level)
    return PaperBootstrap.of(problem.papers).mean_by_paper(covered.astype(float))[0]


def _covered(
    name: str, problem: RegressionProblem, result: OutOfFold, level: float = LEVEL
) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Return whether each row lies in its interval, calibrated on the other folds only."""
    predicted = result.model[0]
    usable = calibration_rows(name, problem)
    covered, width = np.zeros(len(predicted), dtype=bool), np.zeros(len(predicted))
    for fold in np.unique(result.fold):
        test = np.flatnonzero(result.fold == fold)
        others = usable[result.fold[usable] != fold]
        within = residual_scores(problem, predicted, others).quantile(level)
        low, high = predicted[test] - within, predicted[test] + within
        target = problem.target[test]
        bounds = np.array([problem.bounds[row] for row in test])
        above, below = (target >= low) | (bounds == ">"), (target <= high) | (bounds == "<")
        inside_high = np.where(bounds == ">", high >= target, below)
        inside_low = np.where(bounds == "<", low <= target, above)
        covered[test] = inside_low & inside_high
        width[test] = _width(name, low, high)
    return covered, width


def _width(name: str, low: Floats, high: Floats) -> Floats:
    if name == "pl":
        return np.where(low > 0, EV_NM / np.maximum(low, 1e-9) - EV_NM / high, np.inf)
    return np.clip(high, 0, 100) - np.clip(low, 0, 100)


def lifetime_report(problem: LifetimeProblem, result: OutOfFold) -> Figures:
    """Return concordances, likelihood against the null and coverage of the lower bound."""
    figures = _interval_report(
        "lifetime", problem, result, result.others["sigma"], result.others["sigma"]
    )
    same = problem.stressors[:, None] == problem.stressors[None, :]
    coated = problem.is_coated[:, None] & problem.is_coated[None, :]
    pairs = {
        "concordance": np.ones_like(same),
        "concordance_within": same,
        "concordance_coated": same & coated,
    }
    bootstrap = PaperBootstrap.of(problem.papers)
    rivals = {"": result.model[0], "duration.": np.log(problem.duration), "null.": None}
    for figure, allowed in pairs.items():
        for prefix, given in rivals.items():
            score = result.others["null"] if given is None else given

            def measure(
                weights: Floats, score: Floats = score, allowed: npt.NDArray[Any] = allowed
            ) -> float:
                share = weights * problem.share
                return concordance(score, problem.low, problem.high, allowed, share)

            key = f"{prefix}lifetime.paper.all.{figure}"
            put(figures, key, bootstrap.statistic(measure, resamples=200))
    return figures


def gain_report(problem: GainProblem, result: OutOfFold) -> Figures:
    """Return concordance, likelihood against the null and coverage of the lower bound."""
    figures = _interval_report(
        "gain", problem, result, result.others["sigma"], result.others["null_sigma"]
    )
    everything = np.ones((len(problem.low), len(problem.low)), dtype=bool)

    def measure(weights: Floats) -> float:
        share = weights * problem.share
        return concordance(result.model[0], problem.low, problem.high, everything, share)

    bootstrap = PaperBootstrap.of(problem.papers)
    put(figures, "gain.paper.all.concordance", bootstrap.statistic(measure, resamples=200))
    return figures


def _interval_report(
    name: str,
    problem: LifetimeProblem | GainProblem,
    result: OutOfFold,
    sigma: Floats,
    null_sigma: Floats,
) -> Figures:
    """Figures shared by lifetimes and gains, on intervals widened by `WIDENED`."""
    low, high = problem.low / WIDENED, problem.high * WIDENED
    prefix, papers = f"{name}.paper.all", problem.papers
    figures: Figures = {
        f"{prefix}.n": float(problem.share.sum()),
        f"{prefix}.papers": float(len(set(papers.tolist()))),
    }
    bootstrap = PaperBootstrap.of(papers)
    chance = _row_likelihood(result.model[0], sigma, low, high)
    null = _row_likelihood(result.others["null"], null_sigma, low, high)
    put(figures, f"{prefix}.log_likelihood", bootstrap.mean_by_paper(chance))
    put(figures, f"null.{prefix}.log_likelihood", bootstrap.mean_by_paper(null))
    put(figures, f"null.{prefix}.log_likelihood_difference", bootstrap.mean_by_paper(chance - null))
    bound = np.empty(len(low))
    for fold in np.unique(result.fold):
        others, test = result.fold != fold, result.fold == fold
        scores = interval_scores(result.model[0][others], problem, np.flatnonzero(others))
        bound[test] = np.exp(result.model[0][test] + scores.lower_quantile(1 - LEVEL))
    put(
        figures, f"{prefix}.coverage_certain", bootstrap.mean_by_paper((bound <= low).astype(float))
    )
    put(
        figures,
        f"{prefix}.coverage_possible",
        bootstrap.mean_by_paper((bound <= high).astype(float)),
    )
    return figures


def _row_likelihood(mean: Floats, sigma: Floats, low: Floats, high: Floats) -> Floats:
    rows = [
        interval_log_likelihood(mean[k : k + 1], float(sigma[k]), low[k : k + 1], high[k : k + 1])
        for k in range(len(mean))
    ]
    return np.concatenate(rows)


def interval_scores(
    predicted: Floats, problem: LifetimeProblem | GainProblem, rows: Rows
) -> Scores:
    """Return the residuals of log values, known as widened intervals, as scores by paper."""
    with np.errstate(divide="ignore"):
        low = np.log(problem.low[rows] / WIDENED) - predicted
        high = np.log(problem.high[rows] * WIDENED) - predicted
    return censored_scores(low, high, problem.papers[rows].tolist())


def headline(problems: Problems, results: dict[str, OutOfFold]) -> Figures:
    """Return all headline figures."""
    figures: Figures = {}
    figures |= regression_report("pl", problems.pl, results["pl"])
    figures |= regression_report("plqy", problems.plqy, results["plqy"])
    figures |= lifetime_report(problems.lifetime, results["lifetime"])
    figures |= gain_report(problems.gain, results["gain"])
    return figures


# Skill ---------------------------------------------------------------------------------------


def skill(
    problems: Problems, results: dict[str, OutOfFold], figures: Figures
) -> dict[str, dict[str, Any]]:
    """Say for each target whether it beats its null model, and by what slope to shrink it."""
    found: dict[str, dict[str, Any]] = {}
    for name in ("pl", "plqy"):
        problem: RegressionProblem = getattr(problems, name)
        predicted = results[name].model[0]
        weights = problem.weights(np.arange(len(predicted)))
        key = f"dummy.{name}.paper.all.mae_by_paper_difference"
        found[name] = _verdict(figures, key, by_paper_slope(problem.target, predicted, weights))
    for name in ("lifetime", "gain"):
        censored: LifetimeProblem | GainProblem = getattr(problems, name)
        predicted = results[name].model[0]
        design = np.stack([np.ones(len(predicted)), predicted], axis=1)
        weights = unit_weights(censored.papers, censored.share)
        fit = fit_intervals(design, censored.low, censored.high, weights, np.array([0.0, 1e-6]))
        slope = float(np.clip(fit.coefficients[1], 0.0, 1.0))
        found[name] = _verdict(figures, f"null.{name}.paper.all.log_likelihood_difference", slope)
    return found


def _verdict(figures: Figures, key: str, slope: float) -> dict[str, Any]:
    low, value, high = figures[f"{key}_lo"], figures[key], figures[f"{key}_hi"]
    has_skill = low is not None and low > 0.0
    verdict = "better than the null model" if has_skill else "no skill over the null model"
    numbers = " to ".join("?" if end is None else f"{end:.3g}" for end in (low, high))
    sentence = f"{verdict}, by paper: difference {value:.3g} (90 % interval {numbers})"
    return {"has_skill": has_skill, "slope": slope, "sentence": sentence, "figure": key}


def pair_scores(problem: RegressionProblem, predicted: Floats, rows: Rows) -> Scores:
    """Return errors of differences between two samples of one paper: what a shift is known by."""
    scores, groups = [], []
    for paper in dict.fromkeys(problem.papers[rows].tolist()):
        members = [row for row in rows if problem.papers[row] == paper]
        for place, first in enumerate(members):
            for second in members[place + 1 :]:
                step = problem.target[first] - problem.target[second]
                guess = predicted[first] - predicted[second]
                scores.append(abs(step - guess))
                groups.append(str(paper))
    if not scores:
        return Scores(np.zeros(0), np.zeros(0), 0)
    return Scores.of(np.array(scores), groups)
