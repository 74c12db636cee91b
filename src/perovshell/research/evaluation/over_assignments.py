"""Tables over several assignments of papers to folds: means, and how far the assignments differ."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats, Mask
from perovshell.data.dataset import Dataset
from perovshell.data.records import Sample
from perovshell.research.evaluation.split_schemes import samples_of
from perovshell.targets.declared import GAIN, LIFETIME, PL, PLQY
from perovshell.training.fit.problems import PointProblem
from perovshell.training.validation.assignments import spread
from perovshell.training.validation.calibration import covered_rows
from perovshell.training.validation.figures import Figures, PaperBootstrap
from perovshell.training.validation.headline import errors
from perovshell.training.validation.nested import OutOfFold, Problems

Table = list[dict[str, Any]]

_LEAD: Final = f"{PL.name}.paper.lead_no_cspbcl3"
_PLQY: Final = f"{PLQY.name}.paper.all"
_LIFE: Final = f"{LIFETIME.name}.paper.all"
_GAIN: Final = f"{GAIN.name}.paper.all"
FIGURES: Final = (
    *(f"{_LEAD}.{end}" for end in ("mae", "median", "mae_by_paper", "r2", "coverage", "width")),
    *(f"{PL.name}.paper.all.{end}" for end in ("mae", "coverage")),
    *(f"{_PLQY}.{end}" for end in ("mae", "mae_by_paper", "r2", "coverage", "width")),
    *(f"dummy.{_PLQY}.{end}_difference" for end in ("mae", "width")),
    *(f"{_LIFE}.concordance{end}" for end in ("", "_within", "_coated")),
    *(f"{_LIFE}.coverage_{end}" for end in ("certain", "possible")),
    *(f"null.{_LIFE}.log_{end}_difference" for end in ("likelihood", "lower_bound")),
    f"{_GAIN}.concordance",
    *(f"{_GAIN}.coverage_{end}" for end in ("certain", "possible")),
    f"null.{_GAIN}.log_likelihood_difference",
)
"""The figures whose range is shown."""
_WITHOUT_TREES: Final = (
    *(f"prior.{key}" for key in (f"{_LEAD}.mae", f"{PL.name}.paper.all.mae", f"{_PLQY}.mae")),
    *(
        f"linear.{_LIFE}.{end}"
        for end in ("log_likelihood", "concordance_within", "concordance_coated")
    ),
    *(f"linear.{_GAIN}.{end}" for end in ("log_likelihood", "concordance")),
)
"""Figures of the simpler form of a model that are compared with those of the model with trees."""
_SMALL_NM: Final = 5.0


def fold_assignments(assignments: Sequence[Figures], means: Figures) -> Table:
    """Return the mean of figures, their value on the fixed assignment, and their range."""
    table = []
    for name in FIGURES:
        low, high = spread(assignments, name)
        fixed = assignments[0].get(name)
        table.append({"figure": name, "mean": means[name], "fixed": fixed, "min": low, "max": high})
    return table


def without_trees(means: Figures) -> Table:
    """Compare models with trees with their simpler form, by means over the assignments.

    The difference is by how much the MAE of the simpler form is larger, or its other figure
    smaller, with its 90 % interval by paper. A model without trees has no rows.
    """
    table = []
    for other in _WITHOUT_TREES:
        simpler, figure = other.split(".", 1)
        if means.get(other) is not None:
            ends = [means.get(f"{other}_difference{end}") for end in ("", "_lo", "_hi")]
            row = {"figure": figure, "with_trees": means[figure], "without_trees": means[other]}
            table.append({**row, "simpler": simpler, "difference": ends})
    return table


def by_kind(problems: Problems, runs: Sequence[Mapping[str, OutOfFold]], dataset: Dataset) -> Table:
    """Return errors and coverage of kinds of samples, means over the assignments.

    Args:
        problems: The training problems.
        runs: Out-of-fold predictions by target, for each assignment.
        dataset: The dataset in use.
    """
    table = []
    for target, problem in problems.points.items():
        accuracy = [
            (errors(problem, run[target]), covered_rows(problem, run[target])[0].astype(float))
            for run in runs
        ]
        for kind, mask in _kinds(target, problem, dataset).items():
            rows = np.flatnonzero(mask)
            if len(rows):
                row = {"target": target, "kind": kind, **_accuracy(problem, rows, accuracy)}
                table.append(row)
    return table


def _accuracy(
    problem: PointProblem, rows: np.ndarray[Any, Any], accuracy: Sequence[tuple[Floats, Floats]]
) -> dict[str, float]:
    papers = PaperBootstrap.of(problem.papers[rows])
    figures = [
        (
            error[rows].mean(),
            np.median(error[rows]),
            papers.mean_by_paper(error[rows])[0],
            papers.mean_by_paper(covered[rows])[0],
        )
        for error, covered in accuracy
    ]
    names = ("mae", "median", "mae_by_paper", "coverage")
    means = dict(zip(names, np.mean(figures, axis=0).tolist(), strict=True))
    return {"n": float(len(rows)), "papers": float(papers.counts.shape[1]), **means}


def _kinds(target: str, problem: PointProblem, dataset: Dataset) -> dict[str, Mask]:
    """Return the rows of each kind of samples of a target."""
    samples, first_hand = samples_of(problem, dataset), problem.subsets["first_hand"]
    base = problem.subsets["lead_no_cspbcl3" if target == PL.name else "all"]
    kinds: dict[str, Callable[[Sample], bool]] = {
        "coated": lambda sample: not sample.is_bare,
        "nanowires": lambda sample: sample.morphology == "nanowire",
        "nanoplatelets": lambda sample: sample.morphology == "nanoplatelet",
        f"nanocrystals below {_SMALL_NM:g} nm": lambda sample: (
            sample.morphology == "nanocrystal" and sample.core_size_nm < _SMALL_NM
        ),
        f"nanocrystals from {_SMALL_NM:g} nm": lambda sample: (
            sample.morphology == "nanocrystal" and sample.core_size_nm >= _SMALL_NM
        ),
        "nanocrystals of unstated size": lambda sample: (
            sample.morphology == "nanocrystal" and bool(np.isnan(sample.core_size_nm))
        ),
        "with a special ligand or a treatment": lambda sample: bool(sample.treatments),
    }
    which = "lead halides outside the CsPbCl3 collection" if target == PL.name else "all"
    masks = {which: base, "first-hand": base & first_hand, "second-hand": base & ~first_hand}
    for kind, belongs in kinds.items():
        masks[kind] = base & np.array([belongs(sample) for sample in samples], dtype=bool)
    masks["coated, first-hand"] = masks["coated"] & first_hand
    return masks
