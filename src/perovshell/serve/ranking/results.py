"""The lines of a ranking, and all that is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from perovshell.data.shells import shell_text
from perovshell.features.combinations import Combination
from perovshell.model import Model
from perovshell.models.evidence import Neighbour
from perovshell.serve.ranking.next_experiments import Experiment
from perovshell.serve.ranking.objectives import Objectives
from perovshell.serve.ranking.scoring import Options
from perovshell.serve.space.space import DesignSpace

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candidate:
    """One line of a ranking.

    Attributes:
        rank: Place in the list, from 1; 0 for a line of the front that is not in the list.
        item: The combination.
        score: What orders the list: a weighted geometric mean of desirabilities, of lower bounds
            or of values, or an expected improvement.
        desirabilities: Desirability of each objective, at its value.
        values: Numeric output columns of the prediction, `p_pl_in_window` where a
            window is asked for, and `plqy_shrunk`, `plqy_shrunk_lower`,
            `stability_gain_shrunk_S` and `half_life_shrunk_S` (what the order rests on).
        p_pareto: Chance that none of the first lines beats it in all objectives; NaN further down.
        is_pareto: Whether it is on the Pareto front, in steps of 0.01; the best of several alike.
        p_above_next: Chance that it is better than the next line; NaN for the last.
        n_ties: Number of other combinations found with the same score: nothing tells them apart.
        reasons: Why it is outside the domain; empty inside.
        evidence: What the line rests on.
        nearest: The nearest literature samples.
        measured: Literature samples of the very combination.
        bare: Literature samples of its core without a shell.
    """

    rank: int
    item: Combination
    score: float
    desirabilities: Mapping[str, float]
    values: Mapping[str, float]
    p_pareto: float
    is_pareto: bool
    p_above_next: float
    n_ties: int
    reasons: tuple[str, ...]
    evidence: str
    nearest: tuple[Neighbour, ...]
    measured: tuple[Neighbour, ...]
    bare: tuple[Neighbour, ...]

    @property
    def core(self) -> str:
        """Standard formula of the core."""
        return self.item.core.formula if self.item.core else ""

    @property
    def shell(self) -> str:
        """The layers joined by `|`."""
        return shell_text(self.item.layers)


@dataclass(frozen=True)
class Overview:
    """The best score of each family of cores with each shell.

    Attributes:
        families: Names of the families of cores with any score, best first.
        shells: Names of the shells with any score, best first.
        score: Best score, NaN where no combination was ranked, shape (n_families, n_shells).
    """

    families: tuple[str, ...]
    shells: tuple[str, ...]
    score: Floats


@dataclass(frozen=True)
class Ranking:
    """A ranked design space.

    Attributes:
        space: The design space.
        model: The model that ranked it.
        options: How it was ranked.
        candidates: The best lines.
        front: The lines that no other combination beats in all objectives, best score first.
        batch: The lines of a diverse batch, where one was asked for.
        overview: Best scores by family of cores and shell.
        suggest_experiments: Experiments that would help to choose, most worth first.
        total: Number of combinations ranked.
        seen: Number of combinations looked at, those that constraints removed included.
        removed: How many combinations each constraint removed.
        statements: What orders the list, what was shrunk, and why.
    """

    space: DesignSpace
    model: Model
    options: Options
    candidates: tuple[Candidate, ...]
    front: tuple[Candidate, ...]
    batch: tuple[Candidate, ...]
    overview: Overview
    suggest_experiments: tuple[Experiment, ...]
    total: int
    seen: int
    removed: Mapping[str, int]
    statements: tuple[str, ...]

    @property
    def groups(self) -> list[tuple[Candidate, ...]]:
        """The lines, those that nothing known tells apart together."""
        found: list[list[Candidate]] = []
        for line in self.candidates:
            first = found[-1][0] if found else None
            if first is not None and (first.core, first.score) == (line.core, line.score):
                found[-1].append(line)
            else:
                found.append([line])
        return [tuple(group) for group in found]

    @cached_property
    def objectives(self) -> Objectives:
        """The objectives it was ranked by."""
        return Objectives(self.space, self.model, shrink=self.options.shrink)

    @property
    def is_complete(self) -> bool:
        """Whether all combinations of the space were looked at."""
        return self.seen == self.space.size
