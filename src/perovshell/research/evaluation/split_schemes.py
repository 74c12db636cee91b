"""Split schemes that are looser or stricter than the headline's folds by paper.

Papers are never shared by training and test rows, except in the random split, which shows how much
sharing them flatters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from perovshell.data.dataset import Dataset
from perovshell.data.records import Sample
from perovshell.models.card import FORWARD
from perovshell.training.validation.forward import large_enough
from perovshell.training.validation.nested import Fitted, Problem, Split

_SEED: Final = 20_240_229


def _shell_classes(sample: Sample) -> frozenset[str]:
    return frozenset(layer.material_class for layer in sample.layers)


def _main_halide(sample: Sample) -> frozenset[str]:
    shares = sample.core.site_fractions("X") if sample.core and not sample.core.is_metal else {}
    return frozenset([max(sorted(shares), key=lambda ion: shares[ion])]) if shares else frozenset()


def _ions(sample: Sample) -> frozenset[str]:
    return frozenset(symbol for symbol, _ in sample.core.amounts) if sample.core else frozenset()


TRAITS: Final[dict[str, Callable[[Sample], frozenset[str]]]] = {
    "shell_class": _shell_classes,
    "halide": _main_halide,
    "element": _ions,
}
"""Traits of a sample by the scheme that leaves each of them out."""
SCHEMES: Final = ("random", *TRAITS, FORWARD)


def scheme_splits(scheme: str, problem: Fitted, dataset: Dataset, folds: int) -> list[Split]:
    """Return the splits of a scheme.

    Args:
        scheme: One of `SCHEMES`, but that forward in time.
        problem: The training problem.
        dataset: The dataset it was made from.
        folds: Folds of the random split.
    """
    if scheme == "random":
        return _random(len(problem.papers), folds)
    return _leave_trait_out(problem, [TRAITS[scheme](s) for s in samples_of(problem, dataset)])


def samples_of(problem: Problem | Fitted, dataset: Dataset) -> list[Sample]:
    """Return the sample of each row of a problem."""
    return [dataset.samples[sample_id] for sample_id in problem.sample_ids]


def _random(count: int, folds: int) -> list[Split]:
    fold = np.random.default_rng(_SEED).permutation(count) % folds
    used = range(min(folds, count))
    return [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in used]


def _leave_trait_out(problem: Fitted, traits: Sequence[frozenset[str]]) -> list[Split]:
    """Leave out all rows with a trait, and their papers; a row is tested for its rarest trait."""
    names = sorted(frozenset().union(*traits))
    has_trait = {name: np.array([name in row for row in traits]) for name in names}
    papers = {name: len(set(problem.papers[mask].tolist())) for name, mask in has_trait.items()}
    rarest = np.array([min(row, key=lambda t: (papers[t], t), default="") for row in traits])
    splits = []
    for name in names:
        is_test = rarest == name
        is_train = ~has_trait[name] & ~np.isin(problem.papers, problem.papers[is_test])
        splits.append((np.flatnonzero(is_train), np.flatnonzero(is_test)))
    return large_enough(problem, splits)
