"""Which form of its model a target uses: the prior with trees, or the prior alone.

Both are fitted in every fold. The winner of the paired comparison by paper is used; a tie goes to
the trees for PL, and to the prior alone, the simpler model, for PLQY.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from perovshell.training.figures import PaperBootstrap
from perovshell.training.headline import errors
from perovshell.training.nested import OutOfFold, Problems

TIE_GOES_TO_TREES: Final = {"pl": True, "plqy": False}
_UNITS: Final = {"pl": "nm", "plqy": "points"}


@dataclass(frozen=True)
class Form:
    """The form that a target's model takes, and why.

    Attributes:
        has_trees: Whether trees are added to the prior.
        trees_better_by: Error of the prior alone minus that with trees, a mean over papers, in nm
            or points, with its 90 % interval.
    """

    has_trees: bool
    trees_better_by: tuple[float, float, float]

    def sentence(self, target: str) -> str:
        """Return what was compared and what follows."""
        value, low, high = self.trees_better_by
        found = "a tie" if low <= 0 <= high else "no tie"
        used = "prior with trees" if self.has_trees else "prior alone"
        return (
            f"{used}: trees lower the error by {value:.2g} {_UNITS[target]} a paper "
            f"[{low:.2g}, {high:.2g}], {found}"
        )


def choose_forms(problems: Problems, results: Mapping[str, OutOfFold]) -> dict[str, Form]:
    """Compare both forms of PL and PLQY on their out-of-fold predictions.

    Args:
        problems: The training problems.
        results: Predictions with trees.
    """
    forms = {}
    for name, ties in TIE_GOES_TO_TREES.items():
        problem, result = getattr(problems, name), results[name]
        worse = errors(name, problem, result.saying("prior")) - errors(name, problem, result)
        better = PaperBootstrap.of(problem.weight_groups).mean_by_paper(worse)
        forms[name] = Form(better[1] > 0 or (ties and better[2] >= 0), better)
    return forms


def said_of(forms: Mapping[str, Form]) -> dict[str, str]:
    """Return a sentence a target."""
    return {name: form.sentence(name) for name, form in forms.items()}


def in_form(results: Mapping[str, OutOfFold], forms: Mapping[str, Form]) -> dict[str, OutOfFold]:
    """Return results where a target that uses no trees is predicted by its prior."""
    return {
        name: result if name not in forms or forms[name].has_trees else _without_trees(result)
        for name, result in results.items()
    }


def _without_trees(result: OutOfFold) -> OutOfFold:
    others: dict[str, Any] = {**result.others, "trees": result.mean}
    others["difficulty"] = others.pop("prior_difficulty")
    return OutOfFold(result.saying("prior").model, others, result.splits, result.steps)
