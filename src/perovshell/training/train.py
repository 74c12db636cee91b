"""A training run: problems, nested validation, final fit, model folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.data.dataset import Dataset
from perovshell.errors import WorkspaceError
from perovshell.features.elements import ElementTable
from perovshell.features.featurizer import Featurizer
from perovshell.features.gaps import BulkGaps
from perovshell.files import hidden_folder
from perovshell.models.card import FORWARD, POINT_TARGETS
from perovshell.models.evidence import Literature
from perovshell.models.folder import write_folder
from perovshell.models.point import PointModel
from perovshell.models.predictor import Predictor
from perovshell.models.reached import Reached, evidence_keys
from perovshell.models.shell_evidence import shrinkage
from perovshell.models.stability import SHARED_KINDS
from perovshell.models.stability_model import StabilityModel
from perovshell.targets.declared import GAIN, LIFETIME, PLQY, POINTS
from perovshell.training.cost import Cost
from perovshell.training.fit import learners
from perovshell.training.fit.domains import domains_of, literature_rows
from perovshell.training.fit.problems import (
    GainProblem,
    LifetimeProblem,
    PointProblem,
    StabilityProblem,
    median_conditions,
    papers_by,
    point_problem,
    stability_problem,
)
from perovshell.training.fit.shell_evidence import fit_shell_evidence
from perovshell.training.fit.specs import SPECS
from perovshell.training.validation import nested
from perovshell.training.validation.baselines import weighted_median
from perovshell.training.validation.calibration import (
    calibrated,
    calibration_rows,
    floor_scores,
    interval_scores,
    residual_scores,
    signed_scores,
)
from perovshell.training.validation.effects import Pairs, pair_counts
from perovshell.training.validation.figures import Figures
from perovshell.training.validation.forward import forward_runs, forward_steps
from perovshell.training.validation.headline import headline, report, skill
from perovshell.training.validation.model_selection import (
    ModelVariant,
    choose_variants,
    in_variant,
    sentences_of,
)
from perovshell.training.validation.out_of_fold_scores import ValidationRecord, validated

QUICK = nested.Settings(
    folds=4, repeats=1, jobs=1, boosters=1, baseline_trees=20, assignments=2, years=3
)
"""A smoke-sized validation: for trying things, not for figures."""


@dataclass(frozen=True)
class TrainedModel:
    """The result of a training run.

    Attributes:
        folder: The model folder.
        model_id: Its content-addressed name.
        info: Dataset, settings, figures, skill: what the folder says of itself.
        results: Out-of-fold predictions by target.
        problems: The training problems.
        validated: The out-of-fold scores of the validation, as in the folder.
        dataset: What it was trained on.
        cost: Time and memory.
    """

    folder: Path
    model_id: str
    info: dict[str, Any]
    results: dict[str, nested.OutOfFold]
    problems: nested.Problems
    validated: ValidationRecord
    dataset: Dataset
    cost: Cost


def train(
    dataset: Dataset,
    models: Path,
    settings: nested.Settings,
    advance: Callable[[], None] = lambda: None,
) -> TrainedModel:
    """Validate, fit and write a model folder named by its contents.

    Args:
        dataset: The dataset in use.
        models: Folder that model folders are written into.
        settings: Folds, repeats, seed, processes.
        advance: Called when a fit of the validation is done, `validation_steps(dataset, settings)`
            times.

    Returns:
        The trained model; a folder of the same contents is left as it is.

    Raises:
        LeakError: A paper is on both sides of a split, or a descriptor holds the target.
        InputError: The papers of a target lie in one fold.
        WorkspaceError: The folder cannot be written.
    """
    started = time.time()
    problems = problems_of(dataset)
    tried = nested.out_of_fold(problems, settings, advance)
    variants = choose_variants(problems, tried)
    results = in_variant(tried, variants)
    figures = headline(problems, results) | pair_counts(problems.points)
    figures |= forward_figures(dataset, problems, variants, settings, advance)
    verdicts = skill(problems, results, figures)
    factor = shrinkage(verdicts[PLQY.name])
    predictor, native = final_fit(dataset, problems, results, variants, settings, factor)
    info = {
        "dataset": {"hash": dataset.content_hash, **dataset.counts},
        "settings": recorded_settings(settings),
        "figures": figures,
        "skill": verdicts,
        "variants": sentences_of(variants),
    }
    record = validated(dataset, problems, results)
    folder, model_id = _write(models, predictor, info, native, record)
    cost = Cost.since(started)
    return TrainedModel(folder, model_id, info, results, problems, record, dataset, cost)


def validation_steps(dataset: Dataset, settings: nested.Settings) -> int:
    """Return how often `train` calls `advance`: once a fold, year and calibration fold of a fit."""
    problems = problems_of(dataset)
    by_paper = [nested.paper_splits(fit, settings.folds) for fit in problems.fits.values()]
    return sum(map(len, by_paper)) + forward_steps(problems, dataset, settings)


def problems_of(dataset: Dataset) -> nested.Problems:
    """Return the training problems of a dataset."""
    gaps = BulkGaps.fit(dataset.reader, dataset.cores, dataset.gaps)
    featurizer = Featurizer(dataset.reader, ElementTable.from_matminer(), gaps)
    return nested.Problems(
        featurizer=featurizer,
        points={name: point_problem(spec, dataset, featurizer) for name, spec in SPECS.items()},
        stability=stability_problem(dataset, featurizer),
    )


def forward_figures(
    dataset: Dataset,
    problems: nested.Problems,
    variants: Mapping[str, ModelVariant],
    settings: nested.Settings,
    advance: Callable[[], None],
) -> Figures:
    """Return the figures of all targets forward in time, against median and null model alone."""
    runs = in_variant(forward_runs(problems, dataset, settings, advance), variants)
    figures: Figures = {}
    for name, run in runs.items():
        figures |= report(name, problems[name], run, FORWARD)
    return figures


def recorded_settings(settings: nested.Settings) -> dict[str, Any]:
    """Return what the result of training depends on, versions included."""
    means = {name: spec.boosters for name, spec in SPECS.items()}
    boosters = {
        name: [asdict(booster) for booster in mean[: settings.boosters]]
        for name, mean in {**means, LIFETIME.name: learners.STABILITY_BOOSTERS}.items()
    }
    recorded = {
        **asdict(settings),
        "averaged": boosters,
        POINT_TARGETS: {
            name: {
                "title": spec.target.title,
                "error_unit": spec.target.error_unit,
            }
            for name, spec in SPECS.items()
        },
        "versions": _versions(),
    }
    del recorded["jobs"], recorded["assignments"]
    return recorded


def _versions() -> dict[str, str]:
    names = ("perovshell", "numpy", "scikit-learn", "scipy", "matminer")
    versions = {name: metadata.version(name) for name in names}
    import xgboost

    return {**versions, "xgboost": xgboost.__version__}


def _write(
    models: Path,
    predictor: Predictor,
    info: dict[str, Any],
    native: dict[str, bytes],
    record: ValidationRecord,
) -> tuple[Path, str]:
    """Write into a temporary folder and rename it: no half-written folder has a model's name."""
    try:
        models.mkdir(parents=True, exist_ok=True)
        with hidden_folder(models) as temporary:
            model_id = write_folder(temporary / "model", predictor, info, native, record.arrays())
            folder = models / model_id
            if not folder.exists():
                (temporary / "model").rename(folder)
    except OSError as error:
        msg = f"model folder in {models}: cannot be written ({error.strerror})"
        raise WorkspaceError(msg) from error
    return folder, model_id


def final_fit(
    dataset: Dataset,
    problems: nested.Problems,
    results: dict[str, nested.OutOfFold],
    variants: Mapping[str, ModelVariant],
    settings: nested.Settings,
    plqy_factor: float = 1.0,
) -> tuple[Predictor, dict[str, bytes]]:
    """Fit all targets on all rows, with intervals from out-of-fold residuals.

    Args:
        dataset: The dataset.
        problems: Its training problems.
        results: Out-of-fold predictions by target.
        variants: Which targets have trees.
        settings: Seed and number of boosters.
        plqy_factor: Factor on differences of the PLQY in rankings: what papers measured beyond it
            is fitted.

    Returns:
        The predictor, and the native file of each booster by name.
    """
    native: dict[str, bytes] = {}
    points: dict[str, PointModel] = {}
    for name in (point.name for point in POINTS):
        problem = problems.points[name]
        boosters = problem.spec.boosters[: settings.boosters]
        rows = np.arange(len(problem.target))
        fitted = learners.fit_point(problem, rows, boosters, settings.seed)
        fitted = fitted if variants[name].has_trees else fitted.without_trees
        points[name] = _point_model(problem, fitted, results[name])
        native |= _named(name, fitted.trees.native)
    stability, trees = _stability_model(
        dataset, problems.stability, results, variants[LIFETIME.name], settings
    )
    native |= _named(nested.STABILITY_FIT, trees)
    predictor = Predictor(
        featurizer=problems.featurizer,
        points=points,
        stability=stability,
        domains={},
        literature=Literature(literature_rows(dataset), problems.featurizer.reader),
        shell_evidence=fit_shell_evidence(
            dataset,
            problems.points[PLQY.name],
            points[PLQY.name].shrunk(results[PLQY.name].model[0], plqy_factor),
        ),
    )
    return replace(predictor, domains=domains_of(dataset, predictor.literature)), native


def _named(name: str, trees: tuple[bytes, ...]) -> dict[str, bytes]:
    return {f"{name}-{number}": content for number, content in enumerate(trees, start=1)}


def _point_model(
    problem: PointProblem, fitted: learners.FittedPoint, result: nested.OutOfFold
) -> PointModel:
    usable = calibration_rows(problem)
    median = weighted_median(problem.target, problem.weights(np.arange(len(problem.target))))
    null, flat = np.full(len(problem.target), median), np.ones(len(problem.target))
    groups = problem.weight_groups
    predicted, difficulty = result.model[0], result.others["difficulty"]
    pairs = Pairs.of(problem, result)
    scores, mondrian = calibrated(problem, predicted, difficulty, usable)
    return PointModel(
        target=problem.spec.target,
        prior=fitted.prior,
        difficulty=fitted.difficulty,
        forest=fitted.trees.forest,
        columns=fitted.trees.columns,
        scores=scores,
        signed_scores=signed_scores(problem, predicted, difficulty, usable),
        mondrian=mondrian,
        effect_scores=pairs.effect_scores(),
        residual_share=pairs.residual_share(),
        anchored_scores=pairs.anchored_scores(),
        null_value=median,
        null_scores=residual_scores(problem, null, flat, usable, groups),
    )


def _stability_model(
    dataset: Dataset,
    problem: StabilityProblem,
    results: Mapping[str, nested.OutOfFold],
    variant: ModelVariant,
    settings: nested.Settings,
) -> tuple[StabilityModel, tuple[bytes, ...]]:
    lifetime, gain = problem.lifetime, problem.gain
    boosters = learners.STABILITY_BOOSTERS[: settings.boosters]
    fitted = learners.fit_stability(problem, np.arange(len(problem.tests)), boosters, settings.seed)
    fitted = fitted if variant.has_trees else fitted.without_trees
    lives, gains = results[LIFETIME.name].model[0], results[GAIN.name].model[0]
    model = StabilityModel(
        null=fitted.null.without(SHARED_KINDS),
        effects=fitted.effects.without(SHARED_KINDS),
        forest=fitted.trees.forest,
        columns=fitted.trees.columns,
        lifetime_scores=interval_scores(lives, lifetime, np.arange(len(lives))),
        gain_scores=interval_scores(gains, gain, np.arange(len(gains))),
        gain_floors=floor_scores(gains, gain, np.arange(len(gains))),
        reached=_reached(lifetime, lives),
        conditions=median_conditions(dataset),
        papers=fitted.papers,
        **_papers_of_shells(gain),
    )
    return model, fitted.trees.native


def _papers_of_shells(gain: GainProblem) -> dict[str, dict[str, int]]:
    """Return the papers of each shell of two-sided tests, and of each shell under a stressor."""
    layers = [
        (name, StabilityModel.test_key(name, stressor), paper)
        for names, stressor, paper in zip(
            gain.shells, gain.stressors.tolist(), gain.papers.tolist(), strict=True
        )
        for name in names
    ]
    papers = [paper for *_, paper in layers]
    return {
        "shell_papers": papers_by([name for name, *_ in layers], papers),
        "shell_tests": papers_by([test for _, test, _ in layers], papers),
    }


def _reached(problem: LifetimeProblem, predicted: Floats) -> Reached:
    """Return where medians were reached, and how far lower ends lie below out-of-fold lifetimes."""
    keys, rows = [], []
    sides = zip(problem.stressors.tolist(), problem.items, problem.is_coated.tolist(), strict=True)
    for row, (stressor, item, coated) in enumerate(sides):
        for some in evidence_keys(stressor, item.layers if coated else ()):
            keys += some
            rows += [row] * len(some)
    at, named = np.array(rows, dtype=np.intp), np.array(keys, dtype=np.str_)
    papers = papers_by(keys, problem.papers[at].tolist())
    is_open = np.isinf(problem.high)
    share = {
        key: float(np.average(is_open[one], weights=problem.share[one]))
        for key in papers
        for one in [at[named == key]]
    }
    is_open &= problem.low > 0.0
    bare, coated = (
        _floor(predicted, problem, np.flatnonzero(is_open & side))
        for side in (~problem.is_coated, problem.is_coated)
    )
    return Reached(papers, share, (bare, coated))


def _floor(predicted: Floats, problem: LifetimeProblem, rows: Indices) -> float:
    """Return the median distance of lower ends from predictions, at most 0; 0 without rows."""
    median = floor_scores(predicted, problem, rows).quantile(0.5) if len(rows) else 0.0
    return min(median, 0.0)
