"""`perovshell evaluate`: the whole validation in one run.

The headline, the other rungs of the ladder, rivals of the stability models, the noise floor, what
errors do with distance, with the number of papers and with the decay exponent, and how the product
answers strange requests. Everything it returns is JSON data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.data.dataset import Dataset
from perovshell.models.evidence import Literature
from perovshell.models.predictor import Predictor
from perovshell.training import problems as made
from perovshell.training.calibration import coverage_at, covered_rows
from perovshell.training.figures import Figures, PaperBootstrap
from perovshell.training.folds import folds_of
from perovshell.training.headline import (
    dummy_width,
    errors,
    gain_report,
    headline,
    lifetime_report,
    regression_report,
    skill,
)
from perovshell.training.learners import bounds_in_unit, to_unit
from perovshell.training.nested import (
    FITTED,
    OutOfFold,
    Problems,
    Settings,
    Split,
    only_tested,
    out_of_fold,
    paper_splits,
    run_splits,
)
from perovshell.training.problems import RegressionProblem
from perovshell.training.rivals import compare_gains, compare_lifetimes
from perovshell.training.rungs import SPLITS, rung_splits
from perovshell.training.train import final_fit, literature_rows, problems_of, recorded_settings

Floats = npt.NDArray[np.float64]
Step = Callable[[int], None]

TARGETS: Final = (*FITTED, "gain")
UNITS: Final = {"pl": "nm", "plqy": "points"}
LEVELS: Final = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
EXPONENTS: Final = (1.0, 0.7, 0.5)
SHARES: Final = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the training papers on the learning curve."""
CURVE_REPEATS: Final = 2
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


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        figures: Figures by `TARGET.SPLIT.SUBSET.FIGURE`.
        skill: As in the model folder.
        tables: The rest, by name: rows of JSON data.
        dataset: Content hash and counts of the dataset.
        settings: Folds, repeats, seed, versions.
        problems: The training problems.
        results: The headline's out-of-fold predictions.
    """

    figures: Figures
    skill: dict[str, dict[str, Any]]
    tables: dict[str, Any]
    dataset: dict[str, Any]
    settings: dict[str, Any]
    problems: Problems
    results: dict[str, OutOfFold]

    def about(self) -> dict[str, Any]:
        """Return what a model card is made of."""
        return {
            "dataset": self.dataset,
            "settings": self.settings,
            "figures": self.figures,
            "skill": self.skill,
        }

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {**self.about(), "tables": self.tables}


def evaluate(dataset: Dataset, settings: Settings, advance: Step = lambda _: None) -> Evaluation:
    """Validate everything that the product says.

    Args:
        dataset: The dataset in use.
        settings: Folds, repeats, seed, processes of the headline; the other rungs use one repeat.
        advance: Called with the number of steps done, of `STEPS` in all.

    Raises:
        LeakError: A paper stands on both sides of a split, or a descriptor holds the target.
    """
    problems, featurizer = problems_of(dataset)
    once = replace(settings, repeats=1)
    results = out_of_fold(problems, settings)
    advance(2)
    figures = headline(problems, results)
    advance(1)
    rungs = {name: _rung(name, problems, dataset, once, advance) for name in SPLITS}
    for found, _ in rungs.values():
        figures |= found
    predictor, _ = final_fit(dataset, featurizer, problems, results, settings)
    literature = Literature(literature_rows(dataset), featurizer.reader)
    tables = {
        "random_split": _random_split(figures),
        "left_out": _left_out(problems, results, {name: runs for name, (_, runs) in rungs.items()}),
        "by_year": _by_year(problems, dataset, rungs["time"][1]),
        "intervals": _intervals(problems, results),
        "noise_floor": _noise_floor(problems),
        "shell_effect": _shell_effect(problems.plqy, predictor),
        "by_distance": _by_distance(problems, results, literature, dataset),
        "lifetime_models": compare_lifetimes(problems, dataset, once),
        "gain_models": compare_gains(problems, dataset, once),
    }
    advance(1)
    tables["learning_curve"] = _learning_curve(problems, once, advance)
    tables["decay_exponent"] = _decay_exponents(problems, dataset, featurizer, once)
    tables["strange_requests"] = _strange_requests(predictor)
    advance(1)
    about = {"hash": dataset.content_hash, **dataset.counts}
    verdicts = skill(problems, results, figures)
    recorded = recorded_settings(settings)
    return Evaluation(figures, verdicts, tables, about, recorded, problems, results)


STEPS: Final = 2 + 1 + len(SPLITS) + 1 + CURVE_REPEATS * len(SHARES) + 1


# The ladder ----------------------------------------------------------------------------------


def _rung(
    name: str, problems: Problems, dataset: Dataset, settings: Settings, advance: Step
) -> tuple[Figures, dict[str, OutOfFold]]:
    """Return the figures and predictions of one rung; a target without a split is left out."""
    plans = {
        target: rung_splits(name, getattr(problems, target), dataset, settings.folds)
        for target in TARGETS
    }
    work = [(target, problems, splits) for target, splits in plans.items() if splits]
    runs = run_splits(work, settings)
    figures: Figures = {}
    for target, result in runs.items():
        if target in UNITS:
            figures |= regression_report(target, getattr(problems, target), result, name)
        else:
            report = lifetime_report if target == "lifetime" else gain_report
            figures |= report(*only_tested(getattr(problems, target), result), name)
    advance(1)
    return figures, runs


def _random_split(figures: Figures) -> list[dict[str, Any]]:
    """Put the random split beside the grouped one."""
    keys = (
        *(("pl", f"{subset}.mae") for subset in ("all", "lead_no_cspbcl3", "coated")),
        *(("plqy", f"{subset}.mae") for subset in ("all", "coated")),
        ("plqy", "all.r2"),
        *(("lifetime", f"all.concordance{end}") for end in ("", "_within", "_coated")),
        ("gain", "all.concordance"),
    )
    return [
        {
            "figure": f"{target}.{key}",
            "by_paper": figures.get(f"{target}.paper.{key}"),
            "random": figures.get(f"{target}.random.{key}"),
        }
        for target, key in keys
    ]


def _left_out(
    problems: Problems, results: dict[str, OutOfFold], runs: dict[str, dict[str, OutOfFold]]
) -> list[dict[str, Any]]:
    """Compare errors of the same rows with and without their kind in the training data."""
    rows = []
    for target in UNITS:
        problem: RegressionProblem = getattr(problems, target)
        usual = errors(target, problem, results[target])
        for split in ("shell_class", "halide", "element"):
            if target not in runs[split]:
                continue
            tested = np.flatnonzero(runs[split][target].fold >= 0)
            strict = errors(target, problem, runs[split][target])[tested]
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


def _by_year(
    problems: Problems, dataset: Dataset, runs: dict[str, OutOfFold]
) -> list[dict[str, Any]]:
    """Return the error of each year's papers, trained on the years before."""
    rows = []
    for target in UNITS:
        problem: RegressionProblem = getattr(problems, target)
        samples = [dataset.samples[sample_id] for sample_id in problem.sample_ids]
        years = [dataset.papers[sample.paper_id].year for sample in samples]
        unknown = sum(year is None for year in years)
        error = errors(target, problem, runs[target])
        for fold in np.unique(runs[target].fold[runs[target].fold >= 0]):
            tested = np.flatnonzero(runs[target].fold == fold)
            rows.append(
                {
                    "target": target,
                    "year": years[tested[0]],
                    "n": len(tested),
                    "mae": float(error[tested].mean()),
                    "median": float(np.median(error[tested])),
                    "rows_without_year": unknown,
                }
            )
    return rows


# Intervals, noise, effects -------------------------------------------------------------------


def _intervals(problems: Problems, results: dict[str, OutOfFold]) -> list[dict[str, Any]]:
    """Return coverage by level and the width against that of the dummy."""
    rows = []
    for target in UNITS:
        problem, result = getattr(problems, target), results[target]
        _, width = covered_rows(target, problem, result)
        flat = np.ones(len(width))
        _, constant = covered_rows(target, problem, result, difficulty=flat)
        rows.append(
            {
                "target": target,
                "papers": len(set(problem.weight_groups.tolist())),
                "coverage": {
                    f"{level:g}": coverage_at(target, problem, result, level) for level in LEVELS
                },
                "width": float(width.mean()),
                "width_not_normalised": float(constant.mean()),
                "width_of_dummy": dummy_width(problem, result, target),
            }
        )
    return rows


def _noise_floor(problems: Problems) -> list[dict[str, Any]]:
    """Return how far papers on one combination lie from each other, in nm and points.

    The floor is the mean error of predicting a paper by the median of the others on the same core
    and shell: no model that sees only these can do better on them.
    """
    rows = []
    for target in UNITS:
        problem: RegressionProblem = getattr(problems, target)
        values = to_unit(target, problem.target)
        exact = [bound not in {">", "<"} for bound in bounds_in_unit(target, problem.bounds)]
        found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row, paper in enumerate(problem.papers.tolist()):
            if problem.cores[row] and exact[row]:
                combination = f"{problem.cores[row]} / {problem.shells[row]}"
                found[combination][paper].append(float(values[row]))
        for combination, papers in sorted(found.items(), key=lambda pair: -len(pair[1])):
            if len(papers) < 3:  # noqa: PLR2004
                continue
            means = np.array([np.mean(own) for own in papers.values()])
            others = [np.median(np.delete(means, k)) for k in range(len(means))]
            rows.append(
                {
                    "target": target,
                    "combination": combination,
                    "papers": len(means),
                    "sd": float(means.std(ddof=1)),
                    "floor": float(np.abs(means - others).mean()),
                }
            )
    return rows


def _shell_effect(problem: RegressionProblem, predictor: Predictor) -> dict[str, Any]:
    """Return how the change of PLQY by a coating is known: pairs of one paper, paper left out."""
    coated = problem.subsets["coated"]
    pairs = [(a, b) for a, b in made.same_core_pairs(problem) if coated[a] and not coated[b]]
    changes = np.array([problem.target[a] - problem.target[b] for a, b in pairs])
    papers = np.array([problem.papers[a] for a, _ in pairs])
    matrix = problem.matrix
    models = {
        "no change": np.zeros(len(pairs)),
        "mean of the other papers": np.array(
            [
                changes[papers != paper].mean() if (papers != paper).any() else 0.0
                for paper in papers
            ]
        ),
        "difference of two predictions": np.array(
            [np.diff(predictor.plqy.predict(matrix[[b, a]]))[0] for a, b in pairs]
        ),
    }
    return {
        "pairs": len(pairs),
        "papers": len(set(papers.tolist())),
        "mean_change": float(changes.mean()) if pairs else None,
        "said": predictor.plqy.step,
        "mean_error": {
            name: float(np.abs(changes - guess).mean()) for name, guess in models.items()
        },
    }


# Domain --------------------------------------------------------------------------------------


def _by_distance(
    problems: Problems, results: dict[str, OutOfFold], literature: Literature, dataset: Dataset
) -> list[dict[str, Any]]:
    """Return error and coverage by the distance from the nearest sample of another paper."""
    rows = []
    for target in UNITS:
        problem: RegressionProblem = getattr(problems, target)
        distance = nearest_other_paper(problem, literature, dataset)
        error = errors(target, problem, results[target])
        covered, _ = covered_rows(target, problem, results[target])
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


def nearest_other_paper(
    problem: RegressionProblem, literature: Literature, dataset: Dataset
) -> Floats:
    """Return each row's distance to the nearest sample of another paper; NaN for open cores."""
    known = {sample_id: k for k, sample_id in enumerate(problem.sample_ids)}
    usable = np.array([row["sample_id"] in known for row in literature.samples])
    papers = np.array([row["paper_id"] for row in literature.samples])
    found = np.full(len(problem.sample_ids), np.nan)
    for row, sample_id in enumerate(problem.sample_ids):
        sample = dataset.samples[sample_id]
        if sample.core is not None and not sample.core.is_metal:
            distance = literature.distances(made.combination_of(sample))
            found[row] = distance[usable & (papers != sample.paper_id)].min()
    return found


# More data, other conventions ----------------------------------------------------------------


def _learning_curve(problems: Problems, settings: Settings, advance: Step) -> list[dict[str, Any]]:
    """Return the error by the share of the training papers that is used."""
    rows = []
    for share in SHARES:
        for repeat in range(CURVE_REPEATS):
            work = [
                (name, problems, _thinned(getattr(problems, name), settings, share, repeat))
                for name in UNITS
            ]
            runs = run_splits(work, settings, baselines=False)
            for name, result in runs.items():
                problem: RegressionProblem = getattr(problems, name)
                subset = problem.subsets["lead_no_cspbcl3" if name == "pl" else "all"]
                rows.append(
                    {
                        "target": name,
                        "share": share,
                        "papers": round(share * len(set(problem.weight_groups.tolist()))),
                        "mae": float(errors(name, problem, result)[subset].mean()),
                    }
                )
            advance(1)
    return rows


def _thinned(
    problem: RegressionProblem, settings: Settings, share: float, repeat: int
) -> list[Split]:
    """Keep a fixed share of the training papers of each fold; a collection goes as one."""
    splits = paper_splits(problem, settings.folds)
    groups = problem.weight_groups.tolist()
    draw = folds_of(groups, 1000, salt=f"curve {repeat}:")
    return [(train[draw[train] < 1000 * share], test) for train, test in splits]


def _decay_exponents(
    problems: Problems, dataset: Dataset, featurizer: Any, settings: Settings
) -> list[dict[str, Any]]:
    """Return how the stability figures move with the exponent of the decay."""
    rows = []
    for exponent in EXPONENTS:
        moved = replace(
            problems,
            lifetime=made.lifetime_problem(dataset, featurizer, exponent),
            gain=made.gain_problem(dataset, exponent),
        )
        work = [
            (name, moved, paper_splits(getattr(moved, name), settings.folds))
            for name in ("lifetime", "gain")
        ]
        runs = run_splits(work, settings)
        figures = lifetime_report(moved.lifetime, runs["lifetime"])
        figures |= gain_report(moved.gain, runs["gain"])
        rows.append(
            {
                "exponent": exponent,
                "median_gain": float(np.median(np.exp(runs["gain"].mean))),
                **{
                    f"{name}.{figure}": figures[f"{prefix}{name}.paper.all.{figure}"]
                    for name, prefix, figure in (
                        ("lifetime", "", "concordance"),
                        ("lifetime", "", "concordance_within"),
                        ("lifetime", "", "concordance_coated"),
                        ("lifetime", "null.", "log_likelihood_difference"),
                        ("gain", "", "concordance"),
                        ("gain", "null.", "log_likelihood_difference"),
                        ("gain", "", "coverage_certain"),
                        ("gain", "", "coverage_possible"),
                    )
                },
            }
        )
    return rows


def _strange_requests(predictor: Predictor) -> list[dict[str, Any]]:
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
