"""A ranking: its candidates, the overview and the statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Any, Final

from perovshell.arrays import Floats
from perovshell.data.shells import shell_text
from perovshell.features.combinations import Combination
from perovshell.model import Model
from perovshell.models.domain_verdict import DomainVerdict, domain_columns
from perovshell.models.evidence import Neighbour
from perovshell.models.outputs import Thresholds, bound_columns
from perovshell.optional import import_optional
from perovshell.serve.ranking.next_experiments import Experiment
from perovshell.serve.ranking.objectives import Objectives
from perovshell.serve.ranking.point_objectives import P_PLQY_ABOVE, PLQY_AT_LEAST, PLQY_POOLED
from perovshell.serve.ranking.scoring import Options
from perovshell.serve.ranking.stability_objectives import StabilityObjective
from perovshell.serve.space.space import DesignSpace
from perovshell.targets.declared import POINTS, STABILITY
from perovshell.targets.target import ENDS
from perovshell.texts import counted, table_cell

MEASURED: Final = "measured"
CANDIDATES: Final = "candidates"
"""Names of the two lists of a ranking."""


@dataclass(frozen=True)
class Candidate:
    """One line of a ranking.

    Attributes:
        rank: Rank in its list, from 1; lines with one score share it. 0 for a candidate of the
            Pareto front outside the list.
        item: The combination.
        score: The ordering value: a weighted geometric mean of desirabilities, of lower bounds
            or of values, or an expected improvement.
        desirabilities: Desirability of each objective, at its value.
        values: Numeric output columns of the prediction, `p_pl_in_window` if a
            window is given, and the values that order: `plqy_pooled`, `plqy_at_least`, and for
            each stressor S `stability_gain_pooled_S`, `stability_gain_at_least_S`,
            `half_life_h_pooled_S`, `half_life_h_at_least_S`.
        bounds: Signs of the half-lives and gains, by `outputs.bound_columns`.
        p_pareto: P(Pareto): that no top candidate is better in all objectives; NaN for others.
        is_pareto: Whether it is on the Pareto front, in steps of 0.01; the best of equal ones.
        p_above_next: Probability that it is better than the next candidate; NaN for the last.
        ties: Other shells, or combinations, that nothing known tells apart from it.
        flags: What speaks against the coating.
        combination_papers: Papers that measured the combination.
        shell_papers: Papers that measured the shell on any core.
        domain: Which targets of it are out of domain, and why.
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
    ties: tuple[str, ...]
    flags: tuple[str, ...]
    combination_papers: tuple[str, ...]
    shell_papers: tuple[str, ...]
    domain: DomainVerdict
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

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why targets of it are out of domain."""
        return tuple(self.domain.texts)

    @property
    def papers(self) -> tuple[str, ...]:
        """The papers behind it: on the combination, else on the shell, else the nearest ones."""
        nearest = tuple(row.paper for row in self.nearest)
        return self.combination_papers or self.shell_papers or nearest


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
    """A ranked design space: what was measured in it, and what is worth trying.

    Attributes:
        space: The design space.
        model: The model that ranked it.
        options: How it was ranked.
        measured: The best combinations that papers measured.
        n_measured: Number of all combinations that papers measured.
        candidates: The best lines of combinations of which no paper measured what is asked, each
            with those that nothing known tells apart from it.
        front: The lines that no other combination beats in all objectives, best score first.
        batch: The candidates of a diverse batch, if one was requested.
        overview: Best scores by family of cores and shell.
        suggest_experiments: Experiments that would help to choose, the most telling first.
        total: Number of combinations ranked.
        seen: Number of combinations looked at, those that constraints removed included.
        removed: How many combinations each constraint removed.
        statements: What orders the list, what was shrunk, and why.
    """

    space: DesignSpace
    model: Model
    options: Options
    measured: tuple[Candidate, ...]
    n_measured: int
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
        counts = (
            f"{counted(len(self.measured), 'combination')} measured, "
            f"{self.total:,} of {self.space.size:,} others ranked"
        )
        model = f"{counts} by model {self.model.info.model_id}"
        firsts = [
            f"{title}: {lines[0].core} / {lines[0].shell}" if lines else f"{title}: none"
            for title, lines in (("best measured", self.measured), ("to try", self.candidates))
        ]
        return [self.space.name, model, *firsts]

    def to_frame(self) -> Any:
        """Return both lists as a pandas DataFrame with the columns of ranking.csv.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        pandas = import_optional("pandas", "a DataFrame", "train")
        header, rows = self.table()
        cells = [list(map(table_cell, row)) for row in rows]
        return pandas.DataFrame(cells, columns=header)

    def table(self) -> tuple[list[str], list[list[Any]]]:
        """Return the header and a row a line, those that were measured first.

        Numbers have six digits; texts and lists are as they are.
        """
        numbers = self._number_columns()
        objectives = [f"desirability_{name}" for name in self._objectives]
        scored = "expected_improvement" if self.options.order_by == "explore" else "score"
        header = [
            "list", "rank", "core", "shell", "structure", "encapsulation", "medium",
            "core_size_nm", scored, *objectives, "ties", "flags", "combination_papers",
            "shell_papers", "evidence", "p_above_next", "p_pareto", "is_pareto", *numbers,
            *bound_columns(self.space.stressors), *domain_columns(self.space.stressors),
            "domain_reasons", "nearest_papers",
        ]  # fmt: skip
        lists = ((MEASURED, self.measured), (CANDIDATES, self.candidates))
        return header, [self._row(name, one, numbers) for name, lines in lists for one in lines]

    @property
    def _objectives(self) -> list[str]:
        return [name for name, weight in self.space.weights.items() if weight > 0]

    def _number_columns(self) -> list[str]:
        with_ends = [point.column for point in POINTS]
        with_ends += [
            target.column(stressor) for stressor in self.space.stressors for target in STABILITY
        ]
        columns = [f"{column}{end}" for column in with_ends for end in ENDS]
        columns += Thresholds(self.space.pl_window_nm).columns(())
        columns += [P_PLQY_ABOVE] if self.space.plqy_above is not None else []
        columns += [PLQY_POOLED, PLQY_AT_LEAST]
        stability = [o for o in self.objectives.every if isinstance(o, StabilityObjective)]
        for pairs in zip(*(objective.columns() for objective in stability), strict=True):
            columns += [name for pair in pairs for name in pair]
        return [*columns, "domain_distance"]

    def _row(self, name: str, candidate: Candidate, numbers: Sequence[str]) -> list[Any]:
        item = candidate.item
        return [
            name,
            candidate.rank,
            candidate.core,
            candidate.shell,
            item.structure,
            item.encapsulation,
            item.medium,
            _rounded(item.core_size_nm),
            _rounded(candidate.score),
            *(_rounded(candidate.desirabilities[name]) for name in self._objectives),
            list(candidate.ties),
            list(candidate.flags),
            list(candidate.combination_papers),
            list(candidate.shell_papers),
            candidate.evidence,
            _rounded(candidate.p_above_next),
            _rounded(candidate.p_pareto),
            candidate.is_pareto,
            *(_rounded(candidate.values[column]) for column in numbers),
            *(candidate.bounds[column] for column in bound_columns(self.space.stressors)),
            *candidate.domain.values,
            list(candidate.reasons),
            ";".join(row.paper for row in candidate.nearest),
        ]

    @cached_property
    def objectives(self) -> Objectives:
        """The objectives it was ranked by."""
        return Objectives(self.space, self.model)

    @property
    def papers(self) -> tuple[str, ...]:
        """The papers behind its lines, DOIs where they are known.

        Those on the combination, else those on the shell, else the nearest ones.
        """
        lines = (*self.measured, *self.candidates)
        return tuple(dict.fromkeys(paper for line in lines for paper in line.papers))

    @property
    def is_complete(self) -> bool:
        """Whether all combinations of the space were enumerated."""
        return self.seen == self.space.size


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
