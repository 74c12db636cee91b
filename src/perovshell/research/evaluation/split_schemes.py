"""The other rungs of the ladder: splits that are looser or stricter than the headline's.

Each test set leaves out its papers too, but for the random split, which is there to show how much
rosier it looks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.data.dataset import Dataset
from perovshell.data.records import Sample
from perovshell.training.fit.problems import PointProblem
from perovshell.training.validation.nested import Problem, Split

Rows = npt.NDArray[np.intp]

SPLITS: Final = ("random", "shell_class", "halide", "element", "time")
_FEWEST_TRAINED: Final = 10
"""A split with fewer training papers (a collection counts as one) says nothing."""
_SEED: Final = 20_240_229


def rung_splits(name: str, problem: Problem, dataset: Dataset, folds: int) -> list[Split]:
    """Return the splits of a rung.

    Args:
        name: One of `SPLITS`.
        problem: The problem.
        dataset: The dataset it was made of.
        folds: Folds of the random split.
    """
    samples = [dataset.samples[sample_id] for sample_id in problem.sample_ids]
    if name == "random":
        return _random(len(samples), folds)
    if name == "time":
        return _by_year(problem, [dataset.papers[s.paper_id].year for s in samples])
    traits = [_TRAITS[name](sample) for sample in samples]
    return _leave_trait_out(problem, traits)


def _random(count: int, folds: int) -> list[Split]:
    fold = np.random.default_rng(_SEED).permutation(count) % folds
    used = range(min(folds, count))
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in used]


def _by_year(problem: Problem, years: Sequence[int | None]) -> list[Split]:
    """Train on the papers before a year, test on those of the year; no year, no part in it."""
    year = np.array([np.nan if value is None else value for value in years])
    splits = []
    for now in np.unique(year[~np.isnan(year)]):
        split = (np.flatnonzero(year < now), np.flatnonzero(year == now))
        if _papers(problem, split[0]) >= _FEWEST_TRAINED:
            splits.append(split)
    return splits


def _leave_trait_out(problem: Problem, traits: Sequence[frozenset[str]]) -> list[Split]:
    """Leave out all rows with a trait and their papers; a row is tested for its rarest trait."""
    papers = {trait: set[str]() for row in traits for trait in row}
    for row, paper in zip(traits, problem.papers.tolist(), strict=True):
        for trait in row:
            papers[trait].add(paper)
    rarest = [min(row, key=lambda t: (len(papers[t]), t)) if row else "" for row in traits]
    splits = []
    for trait in sorted(papers):
        test = np.array([k for k, own in enumerate(rarest) if own == trait], dtype=np.intp)
        tested = set(problem.papers[test].tolist())
        train = np.array(
            [
                k
                for k, paper in enumerate(problem.papers.tolist())
                if trait not in traits[k] and paper not in tested
            ],
            dtype=np.intp,
        )
        if len(test) and _papers(problem, train) >= _FEWEST_TRAINED:
            splits.append((train, test))
    return splits


def _papers(problem: Problem, rows: Rows) -> int:
    groups = problem.weight_groups if isinstance(problem, PointProblem) else problem.papers
    return len(set(groups[rows].tolist()))


def _shell_classes(sample: Sample) -> frozenset[str]:
    return frozenset(layer.material_class for layer in sample.layers)


def _main_halide(sample: Sample) -> frozenset[str]:
    shares = sample.core.site_fractions("X") if sample.core and not sample.core.is_metal else {}
    return frozenset([max(sorted(shares), key=lambda ion: shares[ion])]) if shares else frozenset()


def _ions(sample: Sample) -> frozenset[str]:
    return frozenset(symbol for symbol, _ in sample.core.amounts) if sample.core else frozenset()


_TRAITS: Final[dict[str, Callable[[Sample], frozenset[str]]]] = {
    "shell_class": _shell_classes,
    "halide": _main_halide,
    "element": _ions,
}
