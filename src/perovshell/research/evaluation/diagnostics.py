"""What the out-of-fold predictions and the final model say beyond the headline.

Each function returns the rows of one table of `perovshell evaluate`, as JSON data.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.data.dataset import Dataset
from perovshell.models.evidence import Literature
from perovshell.models.predictor import Predictor
from perovshell.models.stability import INTERVAL_INFLATION
from perovshell.targets.declared import GAIN, LIFETIME, PL, PLQY, POINTS
from perovshell.training.fit.domains import is_inside
from perovshell.training.fit.problems import PointProblem, combination_of
from perovshell.training.validation.calibration import (
    calibration_rows,
    coverage_at,
    covered_rows,
    lower_bounds,
)
from perovshell.training.validation.figures import Figures, PaperBootstrap
from perovshell.training.validation.headline import bound_figures, bound_gain, errors
from perovshell.training.validation.nested import OutOfFold, Problems

Floats = npt.NDArray[np.float64]

LEVELS: Final = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
BOUND_LEVELS: Final = (0.7, 0.8, 0.85, 0.9, 0.925)
FEWEST_REPLICATES: Final = 3
"""Papers on one combination from which their spread is shown."""
DISTANCES: Final = (0.05, 0.6, 1.1)
"""Ends of the bins of distance from the nearest sample of another paper: the same combination,
another shell of a class in common or a slightly other core, another class, beyond."""
STRANGE: Final[tuple[dict[str, Any], ...]] = (
    {"core": "CsSnI3", "shell": "SiO2"},
    {"core": "Cs3Bi2I9", "shell": "ZnS"},
    {"core": "CsPbCl3", "shell": "Au"},
    {"core": "MAPbI3", "shell": "PVDF", "core_size_nm": 2},
    {"core": "Cs0.2FA0.3MA0.5Pb(Cl0.2Br0.3I0.5)3", "shell": "SiO2"},
    {"core": "RbPbBr3", "shell": "TiO2"},
    {"core": "GAPbI3", "shell": "none"},
    {"core": "CsPbBr3", "shell": "graphene"},
    {"core": "CsPbBr3", "shell": "SiO2|Au|PMMA"},
    {"core": "FAPbI3", "shell": "NaCl", "structure": "matrix"},
)
"""Requests at or beyond the edge of the data."""


# The ladder ----------------------------------------------------------------------------------


def random_split(figures: Figures) -> list[dict[str, Any]]:
    """Put the random split beside the grouped one."""
    keys = (
        *((PL.name, f"{subset}.mae") for subset in ("all", "lead_no_cspbcl3", "coated")),
        *((PLQY.name, f"{subset}.mae") for subset in ("all", "coated")),
        (PLQY.name, "all.r2"),
        *((LIFETIME.name, f"all.concordance{end}") for end in ("", "_within", "_coated")),
        (GAIN.name, "all.concordance"),
    )
    return [
        {
            "figure": f"{target}.{key}",
            "by_paper": figures.get(f"{target}.paper.{key}"),
            "random": figures.get(f"{target}.random.{key}"),
        }
        for target, key in keys
    ]


def left_out(
    problems: Problems, results: dict[str, OutOfFold], runs: dict[str, dict[str, OutOfFold]]
) -> list[dict[str, Any]]:
    """Compare errors of the same rows with and without their kind in the training data."""
    rows = []
    for target, problem in problems.points.items():
        usual = errors(problem, results[target])
        for split in ("shell_class", "halide", "element"):
            if target not in runs[split]:
                continue
            tested = runs[split][target].tested
            strict = errors(problem, runs[split][target])[tested]
            bootstrap = PaperBootstrap.of(problem.papers[tested])
            rows.append(
                {
                    "target": target,
                    "left_out": split,
                    "n": len(tested),
                    "papers": len(set(problem.papers[tested].tolist())),
                    "in_domain": list(bootstrap.mean(usual[tested])),
                    "out_of_domain": list(bootstrap.mean(strict)),
                    "difference": list(bootstrap.mean(strict - usual[tested])),
                }
            )
    return rows


def by_year(
    problems: Problems, dataset: Dataset, runs: dict[str, OutOfFold]
) -> list[dict[str, Any]]:
    """Return the error of each year's papers, trained on the years before."""
    rows = []
    for target, problem in problems.points.items():
        samples = [dataset.samples[sample_id] for sample_id in problem.sample_ids]
        years = [dataset.papers[sample.paper_id].year for sample in samples]
        unknown = sum(year is None for year in years)
        error = errors(problem, runs[target])
        for train, tested in runs[target].splits:
            rows.append(
                {
                    "target": target,
                    "year": years[tested[0]],
                    "n": len(tested),
                    "trained_papers": len(set(problem.papers[train].tolist())),
                    "mae": float(error[tested].mean()),
                    "median": float(np.median(error[tested])),
                    "rows_without_year": unknown,
                }
            )
    return rows


# Intervals, noise, effects -------------------------------------------------------------------


def intervals(problems: Problems, results: dict[str, OutOfFold]) -> list[dict[str, Any]]:
    """Return coverage by level and the width against that of the dummy."""
    rows = []
    for target, problem in problems.points.items():
        result = results[target]
        _, width = covered_rows(problem, result)
        _, constant = covered_rows(problem, result, normalised=False)
        _, dummy = covered_rows(problem, result.predicted_by("dummy"), normalised=False)
        groups = problem.weight_groups[calibration_rows(problem)]
        rows.append(
            {
                "target": target,
                "K": len(set(groups.tolist())),
                "coverage": {f"{level:g}": coverage_at(problem, result, level) for level in LEVELS},
                "width": float(width.mean()),
                "width_not_normalised": float(constant.mean()),
                "width_of_dummy": float(dummy.mean()),
            }
        )
    return rows


def bounds_by_level(problems: Problems, results: dict[str, OutOfFold]) -> list[dict[str, Any]]:
    """Return how often lower bounds of lifetime and gain hold, by level, beside the null's."""
    rows = []
    for target, problem in problems.stability.items():
        result = results[target]
        bootstrap = PaperBootstrap.of(problem.papers, problem.share)
        low, high = problem.low / INTERVAL_INFLATION, problem.high * INTERVAL_INFLATION
        for level in BOUND_LEVELS:
            own = lower_bounds(problem, result, level)
            null = lower_bounds(problem, result.predicted_by("null"), level)
            row: dict[str, Any] = {
                "target": target,
                "K": len(set(problem.papers.tolist())),
                "level": level,
            }
            for name, bound in (("", own), ("null_", null)):
                kept = bound_figures("x", bootstrap, bound, low, high)
                row[f"{name}certain"] = kept["x.coverage_certain"]
                row[f"{name}possible"] = kept["x.coverage_possible"]
            gain = [None if np.isnan(end) else end for end in bound_gain(bootstrap, own, null, low)]
            row["log bound over null"] = gain if gain[0] is not None else None
            rows.append(row)
    return rows


def noise_floor(problems: Problems, results: dict[str, OutOfFold]) -> list[dict[str, Any]]:
    """Return how far papers on one combination lie from each other, in nm and points.

    Predicting a paper by the median of the others on the same core and shell is the reference for
    a model that sees only these; the model's own error stands beside it, on the same papers.
    """
    rows = []
    for target, problem in problems.points.items():
        values, error = problem.values, errors(problem, results[target])
        found: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for row, paper in enumerate(problem.papers.tolist()):
            if problem.cores[row] and problem.is_exact[row]:
                found[f"{problem.cores[row]} / {problem.shells[row]}"][paper].append(row)
        for combination, papers in sorted(found.items(), key=lambda pair: -len(pair[1])):
            if len(papers) < FEWEST_REPLICATES:
                continue
            means = np.array([values[own].mean() for own in papers.values()])
            others = [np.median(np.delete(means, k)) for k in range(len(means))]
            rows.append(
                {
                    "target": target,
                    "combination": combination,
                    "papers": len(means),
                    "sd": float(means.std(ddof=1)),
                    "by_the_others": float(np.abs(means - others).mean()),
                    "by_the_model": float(np.mean([error[own].mean() for own in papers.values()])),
                }
            )
    return rows


# Domain --------------------------------------------------------------------------------------


def by_distance(
    problems: Problems, results: dict[str, OutOfFold], literature: Literature, dataset: Dataset
) -> list[dict[str, Any]]:
    """Return error and coverage by the distance from the nearest sample of another paper."""
    rows = []
    for target, problem in problems.points.items():
        distance = nearest_other_paper(problem, literature, dataset)
        error = errors(problem, results[target])
        covered, _ = covered_rows(problem, results[target])
        ends = (-np.inf, *DISTANCES, np.inf)
        for low, high in pairwise(ends):
            place = np.flatnonzero((distance > low) & (distance <= high))
            if len(place):
                bootstrap = PaperBootstrap.of(problem.papers[place])
                rows.append(
                    {
                        "target": target,
                        "above": None if np.isinf(low) else low,
                        "to": None if np.isinf(high) else high,
                        "n": len(place),
                        "mae": list(bootstrap.mean(error[place])),
                        "coverage": list(bootstrap.mean_by_paper(covered[place].astype(float))),
                    }
                )
    return rows


def nearest_other_paper(problem: PointProblem, literature: Literature, dataset: Dataset) -> Floats:
    """Return each row's distance to the nearest sample of another paper; NaN for open cores."""
    known = {sample_id: k for k, sample_id in enumerate(problem.sample_ids)}
    usable = np.array([row["sample_id"] in known for row in literature.samples])
    papers = np.array([row["paper_id"] for row in literature.samples])
    found = np.full(len(problem.sample_ids), np.nan)
    for row, sample_id in enumerate(problem.sample_ids):
        sample = dataset.samples[sample_id]
        if sample.core is not None and not sample.core.is_metal:
            distance = literature.distances(combination_of(sample))
            found[row] = distance[usable & (papers != sample.paper_id)].min()
    return found


def by_domain(
    problems: Problems, results: dict[str, OutOfFold], predictor: Predictor, dataset: Dataset
) -> list[dict[str, Any]]:
    """Return error and coverage inside and outside the domain that the other papers make."""
    rows = []
    for target, domain in ((point.name, point.domain.label) for point in POINTS):
        problem = problems.points[target]
        samples = [dataset.samples[sample_id] for sample_id in problem.sample_ids]
        known = np.flatnonzero([s.core is not None and not s.core.is_metal for s in samples])
        reach = predictor.domains[domain].reach
        inside = np.array(
            [
                is_inside(domain, samples[row], dataset, predictor.literature, reach)
                for row in known
            ],
            dtype=bool,
        )
        error = errors(problem, results[target])
        covered, width = covered_rows(problem, results[target])
        for verdict, mask in (("inside", inside), ("outside", ~inside)):
            place = known[mask]
            bootstrap = PaperBootstrap.of(problem.papers[place])
            rows.append(
                {
                    "target": target,
                    "verdict": verdict,
                    "n": len(place),
                    "papers": len(set(problem.papers[place].tolist())),
                    "mae": list(bootstrap.mean(error[place])),
                    "coverage": list(bootstrap.mean_by_paper(covered[place].astype(float))),
                    "width": list(bootstrap.mean(width[place])),
                }
            )
    return rows


def strange_requests(predictor: Predictor) -> list[dict[str, Any]]:
    """Return what is said of requests at or beyond the edge of the data."""
    answers = predictor.answer(STRANGE, ("water",))
    shown = ("pl_peak_nm", "plqy_percent", "stability_gain_water")
    rows = []
    for request, answer in zip(STRANGE, answers, strict=True):
        said = answer.to_json()
        row: dict[str, Any] = {"request": ", ".join(str(part) for part in request.values())}
        for name in shown:
            row[name] = [said[name], said[f"{name}_lower"], said[f"{name}_upper"]]
        rows.append(
            {
                **row,
                "in_domain": said["in_domain"],
                "reason": said["domain_reason"] or said["error"],
            }
        )
    return rows
