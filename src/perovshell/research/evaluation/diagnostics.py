"""Tables of `perovshell evaluate` beyond the headline metrics.

Each function returns the rows of one table as JSON data.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.data.dataset import Dataset
from perovshell.files import finite
from perovshell.models.evidence import Literature
from perovshell.models.predictor import Predictor
from perovshell.models.stability import INTERVAL_INFLATION
from perovshell.research.evaluation.split_schemes import TRAITS, samples_of
from perovshell.targets.declared import GAIN, LIFETIME, PL, PLQY
from perovshell.texts import table_cell
from perovshell.training.fit.domains import are_inside
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

Table = list[dict[str, Any]]

LEVELS: Final = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
BOUND_LEVELS: Final = (0.7, 0.8, 0.85, 0.9, 0.925)
MIN_REPLICATES: Final = 3
"""Papers on a combination from which its spread is reported."""
DISTANCES: Final = (0.05, 0.6, 1.1)
"""Upper edges of the distance bins: same combination, other shell of the same class or slightly
different core, other class; the last bin is open."""
EDGE_REQUESTS: Final[tuple[dict[str, Any], ...]] = (
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
"""Requests at or beyond the edge of the training data."""

# Split schemes -------------------------------------------------------------------------------


def random_split(figures: Figures) -> Table:
    """Compare metrics of the random split with those of the grouped one."""
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
) -> Table:
    """Compare errors of the same rows with and without their kind in the training data."""
    table = []
    for target, problem in problems.points.items():
        for scheme in TRAITS:
            if target not in runs[scheme]:
                continue
            tested = runs[scheme][target].tested
            in_domain = errors(problem, results[target])[tested]
            out_of_domain = errors(problem, runs[scheme][target])[tested]
            bootstrap = PaperBootstrap.of(problem.papers[tested])
            table.append(
                {
                    "target": target,
                    "left_out": scheme,
                    "n": len(tested),
                    "papers": bootstrap.counts.shape[1],
                    "in_domain": list(bootstrap.mean(in_domain)),
                    "out_of_domain": list(bootstrap.mean(out_of_domain)),
                    "difference": list(bootstrap.mean(out_of_domain - in_domain)),
                }
            )
    return table


def by_year(problems: Problems, dataset: Dataset, runs: dict[str, OutOfFold]) -> Table:
    """Return the error on the papers of each year, trained on the years before."""
    table = []
    for target, problem in problems.points.items():
        if target not in runs:
            continue
        years = [dataset.papers[paper].year for paper in problem.papers.tolist()]
        error = errors(problem, runs[target])
        table += [
            {
                "target": target,
                "year": years[tested[0]],
                "n": len(tested),
                "trained_papers": len(set(problem.papers[train].tolist())),
                "mae": float(error[tested].mean()),
                "median": float(np.median(error[tested])),
                "rows_without_year": years.count(None),
            }
            for train, tested in runs[target].splits
        ]
    return table


# Intervals and noise -------------------------------------------------------------------------


def intervals(problems: Problems, results: dict[str, OutOfFold]) -> Table:
    """Return the coverage by level, and the width with and without difficulty and of the median."""
    table = []
    for target, problem in problems.points.items():
        result = results[target]
        widths = {
            "width": covered_rows(problem, result),
            "width_not_normalised": covered_rows(problem, result, normalised=False),
            "width_of_dummy": covered_rows(problem, result.predicted_by("dummy"), normalised=False),
        }
        table.append(
            {
                "target": target,
                "K": len(set(problem.weight_groups[calibration_rows(problem)].tolist())),
                "coverage": {f"{level:g}": coverage_at(problem, result, level) for level in LEVELS},
                **{name: float(width.mean()) for name, (_, width) in widths.items()},
            }
        )
    return table


def bounds_by_level(problems: Problems, results: dict[str, OutOfFold]) -> Table:
    """Return the coverage of lower bounds of lifetime and gain by level, and of the null model's.

    A bound certainly holds where it lies below the whole observed interval, and possibly holds
    where it lies below the upper end.
    """
    table = []
    for target, problem in problems.intervals.items():
        bootstrap = PaperBootstrap.of(problem.papers, problem.share)
        low, high = problem.low / INTERVAL_INFLATION, problem.high * INTERVAL_INFLATION
        for level in BOUND_LEVELS:
            bound = lower_bounds(problem, results[target], level)
            null = lower_bounds(problem, results[target].predicted_by("null"), level)
            row: dict[str, Any] = {
                "target": target,
                "K": bootstrap.counts.shape[1],
                "level": level,
            }
            for prefix, log_bound in (("", bound), ("null_", null)):
                coverage = bound_figures("x", bootstrap, log_bound, low, high)
                row |= {
                    f"{prefix}{kind}": coverage[f"x.coverage_{kind}"]
                    for kind in ("certain", "possible")
                }
            over_null = [finite(end) for end in bound_gain(bootstrap, bound, null, low)]
            row["log bound over null"] = None if over_null[0] is None else over_null
            table.append(row)
    return table


def noise_floor(problems: Problems, results: dict[str, OutOfFold]) -> Table:
    """Return how far papers on the same combination differ, in nm and points.

    Predicting a paper by the median of the other papers on the same core and shell is the reference
    for a model that uses these alone; the MAE of the model is that on the same papers.
    """
    import pandas as pd

    table = []
    for target, problem in problems.points.items():
        columns = {
            "core": problem.cores,
            "shell": problem.shells,
            "paper": problem.papers,
            "value": problem.spec.target.scale.to_unit(problem.target),
            "error": errors(problem, results[target]),
        }
        frame = pd.DataFrame(columns)[problem.is_exact & (np.array(problem.cores) != "")]
        by_paper = frame.groupby(["core", "shell", "paper"], sort=False).mean()
        groups = [(*key, group) for key, group in by_paper.groupby(["core", "shell"], sort=False)]
        for core, shell, papers in sorted(groups, key=lambda group: -len(group[2])):
            means = papers["value"].to_numpy()
            if len(means) < MIN_REPLICATES:
                continue
            others = [np.median(np.delete(means, row)) for row in range(len(means))]
            table.append(
                {
                    "target": target,
                    "combination": f"{core} / {shell}",
                    "papers": len(means),
                    "sd": float(means.std(ddof=1)),
                    "mae_median_of_others": float(np.abs(means - others).mean()),
                    "mae_model": float(papers["error"].mean()),
                }
            )
    return table


# Domain --------------------------------------------------------------------------------------


def by_distance(
    problems: Problems, results: dict[str, OutOfFold], literature: Literature, dataset: Dataset
) -> Table:
    """Return error and coverage by the distance to the nearest sample of another paper."""
    table = []
    for target, problem in problems.points.items():
        distance = nearest_other_paper(problem, literature, dataset)
        bins = [
            (
                {"above": finite(low), "to": finite(high)},
                np.flatnonzero((distance > low) & (distance <= high)),
            )
            for low, high in pairwise((-np.inf, *DISTANCES, np.inf))
        ]
        table += _accuracy(problem, results[target], bins)
    return table


def by_domain(
    problems: Problems, results: dict[str, OutOfFold], predictor: Predictor, dataset: Dataset
) -> Table:
    """Return error and coverage in and out of the domain spanned by the other papers."""
    table = []
    for target, problem in problems.points.items():
        label, samples = problem.spec.target.domain.label, samples_of(problem, dataset)
        reach = predictor.domains[label].reach
        has_core = np.flatnonzero([s.core is not None and not s.core.is_metal for s in samples])
        cored = [samples[row] for row in has_core]
        in_domain = np.array(are_inside(label, cored, dataset, predictor.literature, reach))
        groups = [
            ({"domain": "in domain"}, has_core[in_domain]),
            ({"domain": "out of domain"}, has_core[~in_domain]),
        ]
        table += _accuracy(problem, results[target], groups)
    return table


def _accuracy(
    problem: PointProblem, result: OutOfFold, groups: Iterable[tuple[dict[str, Any], Indices]]
) -> Table:
    """Return MAE, coverage and width of groups of rows, each with labels; empty ones left out."""
    error = errors(problem, result)
    covered, width = covered_rows(problem, result)
    table = []
    for labels, rows in groups:
        if not len(rows):
            continue
        bootstrap = PaperBootstrap.of(problem.papers[rows])
        table.append(
            {
                "target": problem.spec.target.name,
                **labels,
                "n": len(rows),
                "papers": bootstrap.counts.shape[1],
                "mae": list(bootstrap.mean(error[rows])),
                "coverage": list(bootstrap.mean_by_paper(covered[rows].astype(float))),
                "width": [finite(end) for end in bootstrap.mean_width(width[rows])],
            }
        )
    return table


def nearest_other_paper(problem: PointProblem, literature: Literature, dataset: Dataset) -> Floats:
    """Return the distance of each row to the nearest sample of another paper, shape (n,).

    Only samples that train the target count; rows with an open or metal core are NaN.
    """
    trains = np.isin([row["sample_id"] for row in literature.samples], problem.sample_ids)
    papers = np.array([row["paper_id"] for row in literature.samples])
    nearest = np.full(len(problem.sample_ids), np.nan)
    for row, sample in enumerate(samples_of(problem, dataset)):
        if sample.core is not None and not sample.core.is_metal:
            distance = literature.distances(combination_of(sample))
            nearest[row] = distance[trains & (papers != sample.paper_id)].min()
    return nearest


def edge_requests(predictor: Predictor) -> Table:
    """Return the answers to requests at or beyond the edge of the training data."""
    table = []
    for request, answer in zip(
        EDGE_REQUESTS, predictor.answer(EDGE_REQUESTS, ("water",)), strict=True
    ):
        values = answer.to_json()
        table.append(
            {
                "request": ", ".join(str(part) for part in request.values()),
                **{
                    name: [values[name], values[f"{name}_lower"], values[f"{name}_upper"]]
                    for name in ("pl_peak_nm", "plqy_percent", "stability_gain_water")
                },
                "in_domain": values["in_domain"],
                "reason": table_cell(values["domain_reasons"]) or values["error"],
            }
        )
    return table
