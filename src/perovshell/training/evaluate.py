"""`perovshell evaluate`: the whole validation in one run.

The headline, the other rungs of the ladder, rivals of the stability models, the noise floor, what
errors do with distance, with the number of papers and with the decay exponent, and how the product
answers strange requests. Everything it returns is JSON data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.data.dataset import Dataset
from perovshell.models.evidence import Literature
from perovshell.training import diagnostics
from perovshell.training import problems as made
from perovshell.training.figures import Figures
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
from perovshell.training.simulation import simulated_coverage
from perovshell.training.train import final_fit, literature_rows, problems_of, recorded_settings

Floats = npt.NDArray[np.float64]
Step = Callable[[int], None]

TARGETS: Final = (*FITTED, "gain")
EXPONENTS: Final = (1.0, 0.7, 0.5)
SHARES: Final = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the training papers on the learning curve."""
CURVE_REPEATS: Final = 2
DEALS: Final = 5
"""Other deals of the papers into folds beside the headline's."""
DEALT_FIGURES: Final = (
    *(f"pl.paper.lead_no_cspbcl3.{end}" for end in ("mae", "median", "coverage", "width")),
    "pl.paper.all.coverage",
    *(f"plqy.paper.all.{end}" for end in ("mae", "r2", "coverage")),
    "dummy.plqy.paper.all.mae_difference",
    *(f"lifetime.paper.all.{end}" for end in ("coverage_certain", "coverage_possible")),
    "null.lifetime.paper.all.log_likelihood_difference",
    "null.lifetime.paper.all.log_lower_bound_difference",
    "null.gain.paper.all.log_likelihood_difference",
)
SIMULATED_PAPERS: Final = (10, 20, 45, 100)
SIMULATIONS: Final = 2000
"""Simulated data sets for each number of papers."""


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
        "random_split": diagnostics.random_split(figures),
        "left_out": diagnostics.left_out(
            problems, results, {name: runs for name, (_, runs) in rungs.items()}
        ),
        "by_year": diagnostics.by_year(problems, dataset, rungs["time"][1]),
        "intervals": diagnostics.intervals(problems, results),
        "noise_floor": diagnostics.noise_floor(problems),
        "shell_effect": diagnostics.shell_effect(problems.plqy, results["plqy"]),
        "by_distance": diagnostics.by_distance(problems, results, literature, dataset),
        "lifetime_models": compare_lifetimes(problems, dataset, once),
        "gain_models": compare_gains(problems, dataset, once),
    }
    advance(1)
    tables["simulated_coverage"] = [
        asdict(simulated_coverage(papers, SIMULATIONS, settings.seed))
        for papers in SIMULATED_PAPERS
    ]
    tables["fold_deals"] = _fold_deals(problems, results, once, advance)
    tables["learning_curve"] = _learning_curve(problems, once, advance)
    tables["decay_exponent"] = _decay_exponents(problems, dataset, featurizer, once)
    tables["strange_requests"] = diagnostics.strange_requests(predictor)
    advance(1)
    about = {"hash": dataset.content_hash, **dataset.counts}
    verdicts = skill(problems, results, figures)
    recorded = recorded_settings(settings)
    return Evaluation(figures, verdicts, tables, about, recorded, problems, results)


STEPS: Final = 2 + 1 + len(SPLITS) + 1 + DEALS + CURVE_REPEATS * len(SHARES) + 1


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
        if target in diagnostics.UNITS:
            figures |= regression_report(target, getattr(problems, target), result, name)
        else:
            report = lifetime_report if target == "lifetime" else gain_report
            figures |= report(*only_tested(getattr(problems, target), result), name)
    advance(1)
    return figures, runs


# More data, other conventions ----------------------------------------------------------------


def _fold_deals(
    problems: Problems, results: dict[str, OutOfFold], settings: Settings, advance: Step
) -> list[dict[str, Any]]:
    """Return what the headline's figures would be with the papers dealt into other folds."""
    found = [_dealt_figures(problems, results)]
    for deal in range(1, DEALS + 1):
        splits = {
            target: paper_splits(getattr(problems, target), settings.folds, f"deal {deal}:")
            for target in TARGETS
        }
        work = [(target, problems, own) for target, own in splits.items()]
        found.append(_dealt_figures(problems, run_splits(work, settings)))
        advance(1)
    rows = []
    for name, usual in found[0].items():
        others = [deal[name] for deal in found[1:]]
        known = [value for value in others if value is not None]
        ends = {"least": min(known, default=None), "most": max(known, default=None)}
        rows.append({"figure": name, "headline": usual, **ends})
    return rows


def _dealt_figures(problems: Problems, results: dict[str, OutOfFold]) -> Figures:
    figures = headline(problems, results)
    found = {name: figures[name] for name in DEALT_FIGURES}
    width, dummy = (
        figures["plqy.paper.all.width"],
        dummy_width("plqy", problems.plqy, results["plqy"]),
    )
    found["plqy.paper.all.width over the median's"] = None if width is None else width / dummy
    return found


def _learning_curve(problems: Problems, settings: Settings, advance: Step) -> list[dict[str, Any]]:
    """Return the error by the share of the training papers that is used."""
    rows = []
    for share in SHARES:
        for repeat in range(CURVE_REPEATS):
            work = [
                (name, problems, _thinned(getattr(problems, name), settings, share, repeat))
                for name in diagnostics.UNITS
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
