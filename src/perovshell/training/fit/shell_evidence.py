"""Fits what papers measured of shells: half-lives, gains, and the PLQY beyond its prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.dataset import Dataset
from perovshell.evidence.pooling import SETTINGS, Value, t_quantile
from perovshell.evidence.table import QUANTITIES, values
from perovshell.models.mixed import Normal, fit_mixed, shared_weights
from perovshell.models.shell_evidence import (
    LEVEL,
    MIN_PAPERS,
    PLQY,
    ShellEvidence,
    ShellFit,
    class_text,
    effect_row,
    number_key,
)
from perovshell.training.fit.problems import PointProblem

_KINDS: Final = ("class", "shell", "combination", "paper")
_LOG_PRIORS: Final = {
    # Any value at all.
    "mean": Normal(3.0, 100.0),
    **dict.fromkeys(_KINDS, Normal(0.0, 1.0)),
}
"""Of logarithms: classes, shells, combinations and papers each differ by a factor of e."""
_PERCENT_PRIORS: Final = {
    "mean": Normal(0.0, 100.0),
    **dict.fromkeys(_KINDS, Normal(0.0, 8.0)),
}
"""Of a PLQY in percent beyond its prediction."""
_PERCENT_SIGMA: Final = 10.0


def fit_shell_evidence(dataset: Dataset, plqy: PointProblem, predicted: Floats) -> ShellEvidence:
    """Fit what papers measured of shells.

    Args:
        dataset: The dataset.
        plqy: The rows of the PLQY.
        predicted: Their PLQY in percent, as rankings shrink it, with their papers left out, (n,).

    Raises:
        FitError: A fit did not converge.
    """
    fits: dict[str, ShellFit] = {}
    measured: dict[str, frozenset[str]] = {}
    for stressor in sorted({test.stressor for test in dataset.tests}):
        some = [test for test in dataset.tests if test.stressor == stressor]
        for quantity in QUANTITIES:
            known = [value.at_least for _, value in values(some, quantity)]
            key = number_key(quantity, stressor)
            if known:
                measured[key] = frozenset(value.name("combination") for value in known)
            if len({value.paper for value in known if not value.is_open_below}) >= MIN_PAPERS:
                fits[key] = fit_logarithms(known)
    papers = _papers(dataset)
    coated = [row for row, item in enumerate(plqy.items) if item.layers]
    if not coated:
        return ShellEvidence(fits, measured, papers)
    fits[PLQY] = _fit_plqy(plqy, predicted, coated)
    return ShellEvidence(fits, measured, papers, _usual_variance(fits[PLQY], plqy, coated))


def _papers(dataset: Dataset) -> dict[str, tuple[str, ...]]:
    """Return the papers that put each shell on any core, as answers name them."""
    papers: dict[str, dict[str, None]] = {}
    for sample in dataset.samples.values():
        if not sample.is_bare:
            papers.setdefault(sample.shell, {})[dataset.papers[sample.paper_id].label] = None
    return {shell: tuple(names) for shell, names in papers.items()}


def fit_logarithms(known: Sequence[Value]) -> ShellFit:
    """Fit the logarithms of values, by their lower ends where these are all that is known."""
    with np.errstate(divide="ignore"):
        low, high = np.log([one.low for one in known]), np.log([one.high for one in known])
    rows = [effect_row(one.core, one.shell, one.material_class, one.paper) for one in known]
    experiments = [one.experiment for one in known]
    return _fitted(rows, low, high, experiments, _LOG_PRIORS)


def _fit_plqy(problem: PointProblem, predicted: Floats, coated: Sequence[int]) -> ShellFit:
    """Fit how far coated samples lie beyond the prediction that left out their papers."""
    rows, experiments = [], []
    for row in coated:
        item, paper = problem.items[row], str(problem.papers[row])
        shell = problem.shells[row]
        # An open core is no other paper's core.
        core = problem.cores[row] or f"open core of {paper}"
        rows.append(effect_row(core, shell, class_text(item.layers), paper))
        experiments.append(f"{paper} {core} {shell}")
    beyond = (problem.target - predicted)[coated]
    is_most = np.array([problem.bounds[row] == "<" for row in coated])
    low = np.where(is_most, -np.inf, beyond)
    return _fitted(rows, low, beyond, experiments, _PERCENT_PRIORS, sigma=_PERCENT_SIGMA)


def _fitted(
    rows: Sequence[Mapping[str, float]],
    low: Floats,
    high: Floats,
    experiments: Sequence[str],
    priors: Mapping[str, Normal],
    sigma: float = 1.0,
) -> ShellFit:
    """Fit effects; the values of one experiment weigh 1 together."""
    effects = fit_mixed(
        rows,
        low,
        high,
        priors,
        learned=_KINDS,
        weights=shared_weights(experiments),
        sigma=sigma,
        settings=SETTINGS,
    )
    papers = len({name for row in rows for name in row if name.startswith("paper:")})
    return ShellFit.of(effects, t_quantile(LEVEL, max(papers - 1, 1)))


def _usual_variance(fit: ShellFit, problem: PointProblem, coated: Sequence[int]) -> float:
    """Return the variance of the mean of a coated sample in a new combination, by paper."""
    of_paper: dict[str, list[float]] = {}
    for row in coated:
        error = fit.known("", problem.items[row].layers).error
        of_paper.setdefault(str(problem.papers[row]), []).append(error**2)
    return float(np.mean([np.mean(some) for some in of_paper.values()]))
