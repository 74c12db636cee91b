"""Model selection: with boosted trees, or the simpler variant without them.

For PL and PLQY the simpler variant is the prior alone, for lifetimes and gains their effects alone.
Both are fitted in every fold. Trees are used unless the paired comparison by paper shows them to be
worse: its 90 % interval excludes 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from perovshell.models.stability import INTERVAL_INFLATION
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.training.fit.problems import GainProblem, LifetimeProblem, PointProblem
from perovshell.training.validation.figures import PaperBootstrap, Triple
from perovshell.training.validation.headline import errors, row_likelihood
from perovshell.training.validation.nested import OutOfFold, Problems


@dataclass(frozen=True)
class ModelVariant:
    """The variant of a target's model, and why it was chosen.

    Attributes:
        has_trees: Whether boosted trees are used.
        trees_better_by: What they improve, a mean over papers, with its 90 % interval: the error in
            the unit of errors, or the log likelihood.
        error_unit: Unit of errors; empty where the log likelihood is compared.
    """

    has_trees: bool
    trees_better_by: Triple
    error_unit: str

    @property
    def sentence(self) -> str:
        """The comparison and the choice in words."""
        value, low, high = self.trees_better_by
        simpler, what, verbs, unit = "a linear model", "log likelihood", ("raise", "lower"), ""
        if self.error_unit:
            simpler, what, verbs = "the prior alone", "MAE", ("reduce", "raise")
            unit = f" {self.error_unit}"
        used = "boosted trees" if self.has_trees else f"{simpler}, without trees"
        tie = ", not significant" if low <= 0 <= high else ""
        verb = verbs[0] if value >= 0 else verbs[1]
        interval = f"90 % CI of the difference {low:.2g} to {high:.2g}{tie}"
        return f"{used}: trees {verb} the {what} by {abs(value):.2g}{unit} per paper ({interval})"


def choose_variants(
    problems: Problems, results: Mapping[str, OutOfFold]
) -> dict[str, ModelVariant]:
    """Compare both variants on their out-of-fold predictions.

    Args:
        problems: The training problems.
        results: Predictions with trees.
    """
    variants = {}
    for name, problem in problems.points.items():
        better = _errors_lower_by(problem, results[name])
        unit = problem.spec.target.error_unit
        variants[name] = ModelVariant(better[2] >= 0, better, unit)
    better = _likelihood_higher_by(problems.stability.lifetime, results[LIFETIME.name])
    of_gain = _likelihood_higher_by(problems.stability.gain, results[GAIN.name])
    # One model answers both: the lifetime, with more papers, decides.
    has_trees = better[2] >= 0
    return {
        **variants,
        LIFETIME.name: ModelVariant(has_trees, better, ""),
        GAIN.name: ModelVariant(has_trees, of_gain, ""),
    }


def _errors_lower_by(problem: PointProblem, trees: OutOfFold) -> Triple:
    worse = errors(problem, without_trees(trees)) - errors(problem, trees)
    return PaperBootstrap.of(problem.weight_groups).mean_by_paper(worse)


def _likelihood_higher_by(problem: LifetimeProblem | GainProblem, trees: OutOfFold) -> Triple:
    ends = problem.low / INTERVAL_INFLATION, problem.high * INTERVAL_INFLATION
    runs = (trees, without_trees(trees))
    chances = [row_likelihood(run.model[0], run.others["sigma"], *ends) for run in runs]
    bootstrap = PaperBootstrap.of(problem.papers, problem.share)
    return bootstrap.mean_by_paper(chances[0] - chances[1])


def sentences_of(variants: Mapping[str, ModelVariant]) -> dict[str, str]:
    """Return a sentence per target."""
    return {name: variant.sentence for name, variant in variants.items()}


def in_variant(
    results: Mapping[str, OutOfFold], variants: Mapping[str, ModelVariant]
) -> dict[str, OutOfFold]:
    """Return results in which each target is predicted by its variant."""
    return {
        name: result if name not in variants or variants[name].has_trees else without_trees(result)
        for name, result in results.items()
    }


def without_trees(result: OutOfFold) -> OutOfFold:
    """Return the predictions of the simpler variant; those with trees are kept as `trees`."""
    simpler, spread = ("linear", "sigma") if "linear" in result.others else ("prior", "difficulty")
    others = {**result.others, "trees": result.mean, spread: result.others[f"{simpler}_{spread}"]}
    del others[simpler]
    steps = dict(result.steps)
    if simpler in steps:
        steps["model"] = steps.pop(simpler)
    return replace(
        result,
        model=result.predicted_by(simpler).model,
        others=others,
        steps=steps,
        calibration=[without_trees(one) for one in result.calibration],
    )
