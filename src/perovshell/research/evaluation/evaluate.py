"""`perovshell evaluate`: the whole validation in one run.

The headline, the other rungs of the ladder, rivals of the stability models, the noise floor, what
errors do with distance, with the number of papers and with the decay exponent, and how the product
answers strange requests. Everything it returns is JSON data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.data.dataset import Dataset
from perovshell.models.predictor import Predictor
from perovshell.research.evaluation import diagnostics
from perovshell.research.evaluation.rivals import compare_gains, compare_lifetimes
from perovshell.research.evaluation.simulation import simulated_bounds, simulated_coverage
from perovshell.research.evaluation.split_schemes import SPLITS, rung_splits
from perovshell.training.fit import problems as made
from perovshell.training.fit.problems import PointProblem
from perovshell.training.train import final_fit, problems_of, recorded_settings
from perovshell.training.validation.effects import pair_counts, shell_effect
from perovshell.training.validation.figures import Figures, PaperBootstrap
from perovshell.training.validation.folds import folds_of
from perovshell.training.validation.headline import errors, headline, report, skill
from perovshell.training.validation.leaks import check_split
from perovshell.training.validation.model_selection import (
    ModelVariant,
    choose_variants,
    in_variant,
    sentences_of,
)
from perovshell.training.validation.nested import (
    OutOfFold,
    Problems,
    Settings,
    Split,
    out_of_fold,
    paper_splits,
    run_splits,
)

Floats = npt.NDArray[np.float64]
Step = Callable[[int], None]

EXPONENTS: Final = (1.0, 0.7, 0.5)
EXPONENT_FIGURES: Final = (
    *(f"lifetime.paper.all.concordance{end}" for end in ("", "_within", "_coated")),
    "null.lifetime.paper.all.log_likelihood_difference",
    "gain.paper.all.concordance",
    "null.gain.paper.all.log_likelihood_difference",
    *(f"gain.paper.all.coverage_{kind}" for kind in ("certain", "possible")),
)
SHARES: Final = (0.2, 0.4, 0.6, 0.8, 1.0)
"""Shares of the training papers on the learning curve."""
CURVE_REPEATS: Final = 2
DEALS: Final = 5
"""Other deals of the papers into folds beside the headline's."""
DEALT_FIGURES: Final = (
    *(f"pl.paper.lead_no_cspbcl3.{end}" for end in ("mae", "median", "coverage", "width")),
    "pl.paper.all.coverage",
    *(f"plqy.paper.all.{end}" for end in ("mae", "r2", "coverage")),
    "plqy.paper.all.width",
    "dummy.plqy.paper.all.mae_difference",
    "dummy.plqy.paper.all.width_difference",
    *(f"lifetime.paper.all.{end}" for end in ("coverage_certain", "coverage_possible")),
    "null.lifetime.paper.all.log_likelihood_difference",
    "null.lifetime.paper.all.log_lower_bound_difference",
    "null.gain.paper.all.log_likelihood_difference",
)
SIMULATED_PAPERS: Final = (10, 20, 45, 100)
BOUNDED_PAPERS: Final = (18, 54)
"""Papers that calibrate the lower bounds of gain and lifetime."""
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
        variants: Whether each model uses trees, and why, a sentence a target.
        settings: Folds, repeats, seed, versions.
        problems: The training problems.
        results: The headline's out-of-fold predictions.
    """

    figures: Figures
    skill: dict[str, dict[str, Any]]
    tables: dict[str, Any]
    dataset: dict[str, Any]
    variants: dict[str, str]
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
            "variants": self.variants,
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
        InputError: The papers of a target lie in one fold.
    """
    problems = problems_of(dataset)
    once = replace(settings, repeats=1)
    tried = out_of_fold(problems, settings)
    variants = choose_variants(problems, tried)
    results = in_variant(tried, variants)
    advance(2)
    figures = headline(problems, results) | pair_counts(problems.points)
    advance(1)
    tester = _Tester(problems, dataset, variants, once, advance)
    runs = {name: tester.rung(name) for name in SPLITS}
    for name, found in runs.items():
        figures |= rung_figures(name, problems, found, results)
    predictor, _ = final_fit(dataset, problems, results, variants, settings)
    tables = {
        "random_split": diagnostics.random_split(figures),
        **_tables_of_rows(dataset, problems, results, runs, predictor),
        "lifetime_models": compare_lifetimes(
            problems, once, has_trees=variants["lifetime"].has_trees
        ),
        "gain_models": compare_gains(problems, once),
    }
    advance(1)
    tables |= _simulations(settings.seed)
    tables["fold_deals"] = tester.fold_deals(results)
    tables["learning_curve"] = tester.learning_curve()
    tables["decay_exponent"] = tester.decay_exponents()
    tables["strange_requests"] = diagnostics.strange_requests(predictor)
    advance(1)
    return Evaluation(
        figures=figures,
        skill=skill(problems, results, figures),
        tables=tables,
        dataset={"hash": dataset.content_hash, **dataset.counts},
        variants=sentences_of(variants),
        settings=recorded_settings(settings),
        problems=problems,
        results=results,
    )


def _tables_of_rows(
    dataset: Dataset,
    problems: Problems,
    results: dict[str, OutOfFold],
    runs: dict[str, dict[str, OutOfFold]],
    predictor: Predictor,
) -> dict[str, list[dict[str, Any]]]:
    """Return the tables that are made of what is known already, by name."""
    return {
        "left_out": diagnostics.left_out(problems, results, runs),
        "by_year": diagnostics.by_year(problems, dataset, runs["time"]),
        "intervals": diagnostics.intervals(problems, results),
        "lower_bounds": diagnostics.bounds_by_level(problems, results),
        "noise_floor": diagnostics.noise_floor(problems, results),
        "shell_effect": [
            shell_effect(problem, results[name]) for name, problem in problems.points.items()
        ],
        "by_distance": diagnostics.by_distance(problems, results, predictor.literature, dataset),
        "by_domain": diagnostics.by_domain(problems, results, predictor, dataset),
    }


def _simulations(seed: int) -> dict[str, list[dict[str, Any]]]:
    """Return the coverage of intervals and bounds where the truth is known."""
    return {
        "simulated_coverage": [
            asdict(simulated_coverage(papers, SIMULATIONS, seed)) for papers in SIMULATED_PAPERS
        ],
        "simulated_bounds": [
            asdict(simulated_bounds(papers, SIMULATIONS, seed)) for papers in BOUNDED_PAPERS
        ],
    }


STEPS: Final = 2 + 1 + len(SPLITS) + 1 + DEALS + CURVE_REPEATS * len(SHARES) + len(EXPONENTS) + 1
"""Steps that `evaluate` announces."""


def rung_figures(
    name: str, problems: Problems, runs: Mapping[str, OutOfFold], results: Mapping[str, OutOfFold]
) -> Figures:
    """Return the figures of one rung; a target that no split tests has the figure n = 0."""
    figures: Figures = {}
    for target in problems:
        if target in runs:
            usual = results[target]
            figures |= report(target, problems[target], runs[target], name, usual)
        else:
            figures[f"{target}.{name}.all.n"] = 0.0
    return figures


@dataclass(frozen=True)
class _Tester:
    """Runs of the models on other splits than the headline's, in the headline's variants."""

    problems: Problems
    dataset: Dataset
    variants: Mapping[str, ModelVariant]
    settings: Settings
    advance: Step

    def _run(
        self, problems: Problems, splits: Mapping[str, list[Split]], *, baselines: bool = True
    ) -> dict[str, OutOfFold]:
        plans = {target: own for target, own in splits.items() if own}
        runs = run_splits(problems, plans, self.settings, baselines=baselines)
        self.advance(1)
        return in_variant(runs, self.variants)

    def rung(self, name: str) -> dict[str, OutOfFold]:
        """Run one rung of the ladder; a target without a split is left out."""
        splits = {
            target: rung_splits(name, self.problems[target], self.dataset, self.settings.folds)
            for target in self.problems
        }
        if name != "random":
            for target, own in splits.items():
                check_split(target, self.problems[target].papers, own)
        return self._run(self.problems, splits)

    def fold_deals(self, results: Mapping[str, OutOfFold]) -> list[dict[str, Any]]:
        """Return what the headline's figures would be with the papers dealt into other folds."""
        first = {name: replace(one, model=one.model[:1]) for name, one in results.items()}
        found = [headline(self.problems, first)]
        for deal in range(1, DEALS + 1):
            splits = {
                target: paper_splits(self.problems[target], self.settings.folds, f"deal {deal}:")
                for target in self.problems
            }
            found.append(headline(self.problems, self._run(self.problems, splits)))
        rows = []
        for name in DEALT_FIGURES:
            values = [deal[name] for deal in found[1:]]
            known = [value for value in values if value is not None]
            ends = {"least": min(known, default=None), "most": max(known, default=None)}
            rows.append({"figure": name, "headline": found[0][name], **ends})
        return rows

    def learning_curve(self) -> list[dict[str, Any]]:
        """Return the error by the share of the training papers that is used."""
        rows = []
        for share in SHARES:
            for repeat in range(CURVE_REPEATS):
                splits = {
                    name: self._thinned(problem, share, repeat)
                    for name, problem in self.problems.points.items()
                }
                for name, result in self._run(self.problems, splits, baselines=False).items():
                    problem = self.problems.points[name]
                    subset = problem.subsets[problem.spec.curve_subset]
                    error, papers = errors(problem, result)[subset], problem.papers[subset]
                    groups = [len(set(problem.weight_groups[train])) for train, _ in splits[name]]
                    rows.append(
                        {
                            "target": name,
                            "share": share,
                            "papers": round(float(np.mean(groups))),
                            "n": len(error),
                            "mae": list(PaperBootstrap.of(papers).mean(error)),
                        }
                    )
        return rows

    def _thinned(self, problem: PointProblem, share: float, repeat: int) -> list[Split]:
        """Keep a fixed share of the training papers of each fold; a collection goes as one."""
        groups = problem.weight_groups.tolist()
        draw = folds_of(groups, 1000, fold_seed=f"curve {repeat}:")
        splits = paper_splits(problem, self.settings.folds)
        return [(train[draw[train] < 1000 * share], test) for train, test in splits]

    def decay_exponents(self) -> list[dict[str, Any]]:
        """Return how the stability figures move with the exponent of the decay."""
        rows = []
        for exponent in EXPONENTS:
            moved = replace(
                self.problems,
                lifetime=made.lifetime_problem(self.dataset, self.problems.featurizer, exponent),
                gain=made.gain_problem(self.dataset, exponent),
            )
            splits = {
                name: paper_splits(moved[name], self.settings.folds)
                for name in ("lifetime", "gain")
            }
            runs = self._run(moved, splits)
            figures = headline(moved, runs)
            rows.append(
                {
                    "exponent": exponent,
                    "median_gain": float(np.median(np.exp(runs["gain"].mean))),
                    **{name: figures[name] for name in EXPONENT_FIGURES},
                }
            )
        return rows
