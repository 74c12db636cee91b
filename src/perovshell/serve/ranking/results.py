"""A ranking: its candidates, the overview and the statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any

from perovshell.arrays import Floats
from perovshell.data.shells import shell_text
from perovshell.features.combinations import Combination
from perovshell.model import Model
from perovshell.models.evidence import Neighbour
from perovshell.models.outputs import Thresholds, bound_columns
from perovshell.optional import import_optional
from perovshell.serve.ranking.next_experiments import Experiment
from perovshell.serve.ranking.objectives import Objectives
from perovshell.serve.ranking.point_objectives import PLQY_SHRUNK, PLQY_SHRUNK_LOWER
from perovshell.serve.ranking.scoring import Options
from perovshell.serve.ranking.stability_objectives import StabilityObjective
from perovshell.serve.space.space import DesignSpace
from perovshell.targets.declared import POINTS, STABILITY
from perovshell.targets.target import ENDS
from perovshell.texts import table_cell


@dataclass(frozen=True)
class Candidate:
    """One line of a ranking.

    Attributes:
        rank: Rank in the list, from 1; 0 for a candidate of the Pareto front outside the list.
        item: The combination.
        score: The ordering value: a weighted geometric mean of desirabilities, of lower bounds
            or of values, or an expected improvement.
        desirabilities: Desirability of each objective, at its value.
        values: Numeric output columns of the prediction, `p_pl_in_window` if a
            window is given, and `plqy_shrunk`, `plqy_shrunk_lower`,
            `stability_gain_shrunk_S` and `half_life_shrunk_S` (used for ordering).
        bounds: Signs of the half-lives and gains, by `outputs.bound_columns`.
        p_pareto: P(Pareto): that no top candidate is better in all objectives; NaN for others.
        is_pareto: Whether it is on the Pareto front, in steps of 0.01; the best of equal ones.
        p_above_next: Probability that it is better than the next candidate; NaN for the last.
        n_ties: Number of other combinations with the same score.
        reasons: Why it is outside the domain; empty inside.
        evidence: Summary of the evidence.
        nearest: The nearest literature samples.
        measured: Literature samples of the same core and shell.
        bare: Literature samples of its core without a shell.
    """

    rank: int
    item: Combination
    score: float
    desirabilities: Mapping[str, float]
    values: Mapping[str, float]
    bounds: Mapping[str, str]
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
        batch: The candidates of a diverse batch, if one was requested.
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

    def __repr__(self) -> str:
        """Return the space, how many combinations were ranked, and the top candidate."""
        return f"<Ranking of {'; '.join(self._about())}>"

    def _repr_html_(self) -> str:
        title, *about = map(escape, self._about())
        return "<br>".join([f"<b>Ranking of {title}</b>", *about])

    def _about(self) -> list[str]:
        best = self.candidates[0]
        counts = f"{self.total:,} of {self.space.size:,} combinations ranked"
        model = f"{counts} by model {self.model.info.model_id}"
        return [self.space.name, model, f"top candidate: {best.core} / {best.shell}"]

    def to_frame(self) -> Any:
        """Return the candidates as a pandas DataFrame with the columns of ranking.csv.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        pandas = import_optional("pandas", "a DataFrame", "train")
        header, rows = self.table()
        cells = [list(map(table_cell, row)) for row in rows]
        return pandas.DataFrame(cells, columns=header)

    def table(self) -> tuple[list[str], list[list[Any]]]:
        """Return the header and a row per candidate: numbers to six digits, texts and lists."""
        numbers = self._number_columns()
        objectives = [f"desirability_{name}" for name in self._objectives]
        scored = "expected_improvement" if self.options.order_by == "explore" else "score"
        header = [
            "rank", "core", "shell", "structure", "encapsulation", "medium", "core_size_nm", scored,
            *objectives, "p_above_next", "n_ties", "p_pareto", "is_pareto", *numbers,
            *bound_columns(self.space.stressors), "in_domain", "domain_reasons",
            "evidence", "measured_papers", "nearest_papers",
        ]  # fmt: skip
        return header, [self._row(candidate, numbers) for candidate in self.candidates]

    @property
    def _objectives(self) -> list[str]:
        return [name for name, weight in self.space.weights.items() if weight > 0]

    def _number_columns(self) -> list[str]:
        with_ends = [point.column for point in POINTS]
        with_ends += [
            target.column(stressor) for stressor in self.space.stressors for target in STABILITY
        ]
        columns = [f"{column}{end}" for column in with_ends for end in ENDS]
        thresholds = Thresholds(self.space.pl_window_nm, self.space.plqy_above)
        columns += [*thresholds.columns(()), PLQY_SHRUNK, PLQY_SHRUNK_LOWER]
        stability = [o for o in self.objectives.every if isinstance(o, StabilityObjective)]
        for shrunk in zip(*(objective.value_columns for objective in stability), strict=True):
            columns += shrunk
        return [*columns, "domain_distance"]

    def _row(self, candidate: Candidate, numbers: Sequence[str]) -> list[Any]:
        item = candidate.item
        return [
            candidate.rank,
            candidate.core,
            candidate.shell,
            item.structure,
            item.encapsulation,
            item.medium,
            _rounded(item.core_size_nm),
            _rounded(candidate.score),
            *(_rounded(candidate.desirabilities[name]) for name in self._objectives),
            _rounded(candidate.p_above_next),
            candidate.n_ties,
            _rounded(candidate.p_pareto),
            candidate.is_pareto,
            *(_rounded(candidate.values[column]) for column in numbers),
            *(candidate.bounds[column] for column in bound_columns(self.space.stressors)),
            not candidate.reasons,
            list(candidate.reasons),
            candidate.evidence,
            ";".join(dict.fromkeys(row.paper for row in candidate.measured)),
            ";".join(row.paper for row in candidate.nearest),
        ]

    @property
    def groups(self) -> list[tuple[Candidate, ...]]:
        """The candidates, those of one core and one score together."""
        groups: list[list[Candidate]] = []
        for line in self.candidates:
            first = groups[-1][0] if groups else None
            if first is not None and (first.core, first.score) == (line.core, line.score):
                groups[-1].append(line)
            else:
                groups.append([line])
        return [tuple(group) for group in groups]

    @cached_property
    def objectives(self) -> Objectives:
        """The objectives it was ranked by."""
        return Objectives(self.space, self.model, shrink=self.options.shrink)

    @property
    def is_complete(self) -> bool:
        """Whether all combinations of the space were enumerated."""
        return self.seen == self.space.size


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
