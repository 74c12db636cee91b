"""`perovshell evaluate`: the whole validation in one run.

The headline, the other split schemes, baselines of the stability models, the noise floor, errors by
distance, number of papers and decay exponent, and answers to requests at the edge of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.data.dataset import Dataset
from perovshell.models.card import FORWARD
from perovshell.models.predictor import Predictor
from perovshell.research.evaluation import diagnostics, over_assignments
from perovshell.research.evaluation.ceiling import ceilings
from perovshell.research.evaluation.simulation import simulated_bounds, simulated_coverage
from perovshell.research.evaluation.split_schemes import SCHEMES, scheme_splits
from perovshell.research.evaluation.stability_models import compare_stability
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.training.fit.problems import PointProblem, stability_problem
from perovshell.training.train import final_fit, problems_of, recorded_settings
from perovshell.training.validation.assignments import fold_seed, mean_figures
from perovshell.training.validation.effects import pair_counts, shell_effect
from perovshell.training.validation.figures import Figures, PaperBootstrap
from perovshell.training.validation.folds import folds_of
from perovshell.training.validation.forward import forward_runs
from perovshell.training.validation.headline import (
    errors,
    headline,
    likelihood_figures,
    report,
    skill,
)
from perovshell.training.validation.leaks import check_split
from perovshell.training.validation.model_selection import (
    ModelVariant,
    choose_variants,
    in_variant,
    sentences_of,
)
from perovshell.training.validation.nested import (
    STABILITY_FIT,
    Fitted,
    OutOfFold,
    Problem,
    Problems,
    Settings,
    Split,
    out_of_fold,
    paper_splits,
    run_splits,
)

Step = Callable[[int], None]
Table = list[dict[str, Any]]

EXPONENTS: Final = (1.0, 0.7, 0.5)
EXPONENT_FIGURES: Final = (
    *(f"lifetime.paper.all.concordance{end}" for end in ("", "_within", "_coated")),
    "null.lifetime.paper.all.log_likelihood_difference",
    "gain.paper.all.concordance",
    "null.gain.paper.all.log_likelihood_difference",
    *(f"gain.paper.all.coverage_{kind}" for kind in ("certain", "possible")),
)
_CURVE: Final = (*((share, draw) for share in (0.2, 0.4, 0.6, 0.8) for draw in (0, 1)), (1.0, 0))
"""Shares of the training papers on the learning curve, each with the number of a random draw."""
SIMULATED_PAPERS: Final = (10, 20, 45, 100)
BOUNDED_PAPERS: Final = (22, 82)
"""Papers that calibrate the lower bounds of gain and lifetime."""
SIMULATIONS: Final = 2000
"""Simulated datasets for each number of papers."""


@dataclass(frozen=True)
class Evaluation:
    """Results of `evaluate`.

    Attributes:
        figures: Metrics by `TARGET.SPLIT.SUBSET.FIGURE`.
        skill: As in the model folder.
        tables: All other results, by name: rows of JSON data.
        dataset: Content hash and counts of the dataset.
        variants: For each target, whether the model uses trees, and why.
        settings: Folds, repeats, seed, versions.
        problems: The training problems.
        results: Out-of-fold predictions of the headline.
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
        """Return the contents of a model card."""
        names = ("dataset", "settings", "figures", "skill", "variants")
        return {name: getattr(self, name) for name in names}

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {**self.about(), "tables": self.tables}


def steps_of(settings: Settings) -> int:
    """Return the number of steps that `evaluate` announces."""
    return 4 + len(SCHEMES) + settings.assignments + len(_CURVE) + len(EXPONENTS)


def evaluate(dataset: Dataset, settings: Settings, advance: Step = lambda _: None) -> Evaluation:
    """Validate all models under all split schemes.

    The headline is the mean over several assignments of papers to folds.

    Args:
        dataset: The dataset in use.
        settings: Folds, repeats, seed, processes and assignments; all but the fixed assignment use
            one repeat.
        advance: Called with the number of steps done, of `steps_of(settings)` in all.

    Raises:
        LeakError: A paper is on both sides of a split, or a descriptor holds the target.
        InputError: The papers of a target lie in one fold.
    """
    problems = problems_of(dataset)
    candidates = out_of_fold(problems, settings)
    variants = choose_variants(problems, candidates)
    results = in_variant(candidates, variants)
    advance(2)
    runner = _SplitRunner(problems, dataset, variants, replace(settings, repeats=1), advance)
    assigned = [results, *runner.assignments()]
    assignments = [headline(problems, run) for run in assigned]
    advance(1)
    runs = {scheme: runner.scheme(scheme, results) for scheme in SCHEMES}
    figures = mean_figures(assignments) | pair_counts(problems.points)
    for scheme, run in runs.items():
        figures |= _scheme_figures(scheme, problems, run)
    predictor, _ = final_fit(dataset, problems, results, variants, settings)
    tables = _tables_of_rows(dataset, problems, results, runs, predictor)
    advance(1)
    tables |= _tables_of_figures(assignments, figures) | _simulations(settings.seed)
    tables |= {"by_kind": over_assignments.by_kind(problems, assigned, dataset), **runner.tables()}
    advance(1)
    return Evaluation(
        figures=figures,
        skill=skill(problems, results, figures),
        tables=tables,
        dataset={"hash": dataset.content_hash, **dataset.counts},
        variants=sentences_of(variants),
        settings={**recorded_settings(settings), "assignments": settings.assignments},
        problems=problems,
        results=results,
    )


def _scheme_figures(scheme: str, problems: Problems, run: Mapping[str, OutOfFold]) -> Figures:
    """Return the metrics of a split scheme; n is 0 for a target that no split tests."""
    figures: Figures = {}
    for target in problems:
        if target in run:
            figures |= report(target, problems[target], run[target], scheme)
        else:
            figures[f"{target}.{scheme}.all.n"] = 0.0
    return figures


def _tables_of_rows(
    dataset: Dataset,
    problems: Problems,
    results: dict[str, OutOfFold],
    runs: dict[str, dict[str, OutOfFold]],
    predictor: Predictor,
) -> dict[str, Table]:
    """Return the tables of rows and their out-of-fold predictions, and of requests, by name."""
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
        "ceiling": ceilings(problems, dataset),
        "edge_requests": diagnostics.edge_requests(predictor),
    }


def _tables_of_figures(assignments: Sequence[Figures], figures: Figures) -> dict[str, Table]:
    """Return the tables that rearrange figures, by name."""
    return {
        "random_split": diagnostics.random_split(figures),
        "fold_assignments": over_assignments.fold_assignments(assignments, figures),
        "without_trees": over_assignments.without_trees(figures),
    }


def _simulations(seed: int) -> dict[str, Table]:
    """Return the coverage of intervals and lower bounds where the truth is known."""
    coverage = [simulated_coverage(papers, SIMULATIONS, seed) for papers in SIMULATED_PAPERS]
    bounds = [simulated_bounds(papers, SIMULATIONS, seed) for papers in BOUNDED_PAPERS]
    return {"simulated_coverage": coverage, "simulated_bounds": bounds}


@dataclass(frozen=True)
class _SplitRunner:
    """Runs the headline's model variants on other splits, problems or settings."""

    problems: Problems
    dataset: Dataset
    variants: Mapping[str, ModelVariant]
    settings: Settings
    advance: Step

    def _run(
        self,
        problems: Problems,
        splits: Mapping[str, list[Split]],
        *,
        baselines: bool = True,
        steps: bool = True,
    ) -> dict[str, OutOfFold]:
        """Return out-of-fold predictions by target; a fit without splits is left out."""
        plans = {name: plan for name, plan in splits.items() if plan}
        runs = run_splits(problems, plans, self.settings, baselines=baselines, steps=steps)
        self.advance(1)
        return in_variant(runs, self.variants)

    def _by_paper(self, problem: Fitted, fold_seed: str = "") -> list[Split]:
        return paper_splits(problem, self.settings.folds, fold_seed)

    def scheme(self, scheme: str, usual: Mapping[str, OutOfFold]) -> dict[str, OutOfFold]:
        """Run a split scheme.

        Args:
            scheme: One of `SCHEMES`.
            usual: The headline's predictions: they calibrate all schemes but that forward in time.
        """
        if scheme == FORWARD:
            runs = forward_runs(self.problems, self.dataset, self.settings)
            self.advance(1)
            return in_variant(runs, self.variants)
        fits = self.problems.fits
        splits = {
            name: scheme_splits(scheme, fit, self.dataset, self.settings.folds)
            for name, fit in fits.items()
        }
        if scheme != "random":
            for name, plan in splits.items():
                check_split(name, fits[name].papers, plan)
        runs = self._run(self.problems, splits)
        return {name: run.calibrated_by(usual[name]) for name, run in runs.items()}

    def tables(self) -> dict[str, Table]:
        """Return the tables that need further fits, by name."""
        has_trees = self.variants[LIFETIME.name].has_trees
        return {
            **compare_stability(self.problems.stability, self.settings, has_trees=has_trees),
            "learning_curve": self.learning_curve(),
            "decay_exponent": self.decay_exponents(),
        }

    def assignments(self) -> list[dict[str, OutOfFold]]:
        """Run the other assignments of papers to folds."""
        seeds = [fold_seed(number) for number in range(1, self.settings.assignments)]
        fits = self.problems.fits.items()
        return [
            self._run(self.problems, {name: self._by_paper(fit, seed) for name, fit in fits})
            for seed in seeds
        ]

    def learning_curve(self) -> Table:
        """Return errors, and likelihoods over the null model, by the share of papers trained on."""
        table = []
        for share, draw in _CURVE:
            splits = {
                name: self._subsampled(fit, share, draw) for name, fit in self.problems.fits.items()
            }
            runs = self._run(self.problems, splits, baselines=False, steps=False)
            for target, result in runs.items():
                fit = STABILITY_FIT if target in self.problems.intervals else target
                groups = _groups_of(self.problems.fits[fit])
                counts = [len(set(groups[train].tolist())) for train, _ in splits[fit]]
                row = {"target": target, "share": share, "papers": round(float(np.mean(counts)))}
                table.append({**row, **_curve_figure(self.problems[target], result)})
        return table

    def _subsampled(self, fit: Fitted, share: float, draw: int) -> list[Split]:
        """Keep a share of the training papers of each fold; a collection counts as one."""
        order = folds_of(_groups_of(fit).tolist(), 1000, fold_seed=f"curve {draw}:")
        splits = self._by_paper(fit)
        parts = [(train[order[train] < 1000 * share], test) for train, test in splits]
        return [(train, test) for train, test in parts if len(train)]

    def decay_exponents(self) -> Table:
        """Return the stability metrics by the exponent of the decay."""
        table = []
        for exponent in EXPONENTS:
            stability = stability_problem(self.dataset, self.problems.featurizer, exponent)
            problems = replace(self.problems, stability=stability)
            splits = {STABILITY_FIT: self._by_paper(stability)}
            runs = self._run(problems, splits)
            figures = headline(problems, runs)
            table.append(
                {
                    "exponent": exponent,
                    "median_gain": float(np.median(np.exp(runs[GAIN.name].mean))),
                    **{name: figures[name] for name in EXPONENT_FIGURES},
                }
            )
        return table


def _groups_of(fit: Fitted) -> npt.NDArray[np.str_]:
    """Return what counts as one paper in training, of each row."""
    return fit.weight_groups if isinstance(fit, PointProblem) else fit.papers


def _curve_figure(problem: Problem, result: OutOfFold) -> dict[str, Any]:
    """Return the figure of a target on the learning curve, with the number of its rows."""
    if isinstance(problem, PointProblem):
        subset = problem.subsets[problem.spec.curve_subset]
        error, papers = errors(problem, result)[subset], problem.papers[subset]
        triple = PaperBootstrap.of(papers).mean(error)
        return {"n": len(error), "figure": "mae", "value": list(triple)}
    figures = likelihood_figures("x", problem, result)
    key = "null.x.log_likelihood_difference"
    value = [figures[f"{key}{end}"] for end in ("", "_lo", "_hi")]
    return {"n": len(result.tested), "figure": "log likelihood over the null model", "value": value}
