"""The candidates of a ranking from its result: probabilities, evidence, a batch, an overview."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.shells import shell_text
from perovshell.features.combinations import Combination
from perovshell.models.evidence import Neighbour
from perovshell.serve.ranking.candidates import CandidatePredictions
from perovshell.serve.ranking.caveats import statements
from perovshell.serve.ranking.next_experiments import LOOKED_AT, Experiment, experiments
from perovshell.serve.ranking.objectives import Objectives
from perovshell.serve.ranking.rank_probabilities import p_above_next, p_pareto
from perovshell.serve.ranking.results import Candidate, Overview, Ranking
from perovshell.serve.ranking.scoring import POOL, Scorer
from perovshell.serve.ranking.stability_objectives import StabilityObjective
from perovshell.serve.ranking.task_result import TaskResult
from perovshell.serve.space.space import Layers
from perovshell.texts import counted, number

FRONT_SHOWN: Final = 100
"""Candidates of the Pareto front that are shown, best score first."""
_DIVERSE: Final = 0.6
"""Least distance of two combinations of a batch: three tenths of a site exchanged, or a shell of
another class."""
_DRAWN: Final = 200
"""Top combinations among which the probability of being Pareto-optimal is drawn, pair by pair."""


class RankingBuilder:
    """Makes candidates with their evidence from the result of all tasks."""

    def __init__(self, scorer: Scorer, result: TaskResult) -> None:
        self.scorer = scorer
        self.result = result
        self.space = scorer.space
        self.model = scorer.model
        self.objectives: Objectives = scorer.objectives

    def ranking(self, top: int, batch: int) -> Ranking:
        """Return the ranking with at most `top` lines a list and a batch of `batch` ones."""
        result, space = self.result, self.space
        tied = dict(islice(self._tied.items(), top))
        index = list(tied)
        front = np.lexsort((result.front_index, -result.front_score))[:FRONT_SHOWN]
        others = [n for n in result.front_index[front].tolist() if n not in set(index)]
        chosen = self._batch(batch)
        extra = list(dict.fromkeys([*others, *(n for n in chosen if n not in set(index))]))
        predictions = CandidatePredictions.of(
            self.objectives, [space.item(n) for n in (*index, *extra)]
        )
        lines = self._lines(predictions, [*index, *extra], tied)
        by_index = dict(zip((*index, *extra), lines, strict=True))
        candidates, measured = tuple(lines[: len(index)]), tuple(self._measured(top))
        return Ranking(
            space=space,
            model=self.model,
            options=self.scorer.options,
            measured=measured,
            n_measured=len(self.scorer.measured.items),
            candidates=candidates,
            front=tuple(by_index[n] for n in result.front_index[front].tolist()),
            batch=tuple(by_index[n] for n in chosen),
            overview=self._overview(),
            suggest_experiments=self._experiments(),
            total=result.ranked,
            seen=result.seen,
            removed=result.removed,
            statements=statements(self.scorer, result, measured, candidates),
        )

    @cached_property
    def _tied(self) -> dict[int, list[int]]:
        """The first combination of each line, with all of its shell and score.

        They are best first; of equal scores, shells that papers have come first.
        """
        contexts, shells = len(self.space.contexts), len(self.space.shells)
        groups: dict[tuple[float, int], list[int]] = {}
        pairs = zip(self.result.top_score.tolist(), self.result.top_index.tolist(), strict=True)
        for score, at in pairs:
            groups.setdefault((score, at // contexts % shells), []).append(at)
        papers_of = self.model.predictor.shell_evidence.papers_of

        def place(key: tuple[float, int]) -> tuple[float, bool]:
            score, shell = key
            return -score, not papers_of(self.space.shells[shell])

        return {groups[key][0]: groups[key] for key in sorted(groups, key=place)}

    def _measured(self, top: int) -> Iterator[Candidate]:
        """Yield the lines of what was measured, best first."""
        measured = self.scorer.measured
        ranks = _ranks(measured.scores)
        for row, item in enumerate(measured.items[:top]):
            yield self._candidate(
                item,
                rank=ranks[row],
                score=math.exp(measured.scores[row]),
                desirabilities=_row_of(measured.desirable, row),
                values=_row_of(measured.predictions.predicted.columns, row),
                p_pareto=math.nan,
                is_pareto=False,
                p_above_next=math.nan,
                ties=(),
            )

    def _lines(
        self,
        predictions: CandidatePredictions,
        index: Sequence[int],
        tied: Mapping[int, Sequence[int]],
    ) -> list[Candidate]:
        if not predictions.items:
            return []
        desirable = self.objectives.desirabilities(predictions.predicted)
        pareto, above = self._probabilities(predictions, index, len(tied))
        front, score = set(self.result.front_index.tolist()), self._scores()
        ranks = _ranks([score[number] for number in tied])
        return [
            self._candidate(
                item,
                rank=ranks[row] if row < len(tied) else 0,
                score=math.exp(score[number]),
                desirabilities=_row_of(desirable, row),
                values=_row_of(predictions.predicted.columns, row),
                p_pareto=pareto.get(number, math.nan),
                is_pareto=number in front,
                p_above_next=above[row],
                ties=self._ties(item, tied.get(number, [number])),
            )
            for row, (number, item) in enumerate(zip(index, predictions.items, strict=True))
        ]

    def _scores(self) -> dict[int, float]:
        """Return the scores of the combinations that are kept, as logarithms."""
        result = self.result
        pairs = [
            (result.cell_index.ravel(), result.cell_score.ravel()),
            (result.front_index, result.front_score),
            (result.top_index, result.top_score),
        ]
        return {
            number: score
            for numbers, scores in pairs
            for number, score in zip(numbers.tolist(), scores.tolist(), strict=True)
        }

    def _ties(self, item: Combination, numbers: Sequence[int]) -> tuple[str, ...]:
        """Return what nothing known tells apart from a combination, the same core left out."""
        shells, per_core = self.space.shells, len(self.space.shells)
        contexts = len(self.space.contexts)
        others = [
            (self.space.item(number), shells[member])
            for number in numbers
            for member in self.scorer.ties[number // contexts % per_core]
        ]
        names = [_name(other, layers, item) for other, layers in others]
        return tuple(name for name in dict.fromkeys(names) if name != shell_text(item.layers))

    def _probabilities(
        self, predictions: CandidatePredictions, index: Sequence[int], listed: int
    ) -> tuple[dict[int, float], list[float]]:
        """Return P(Pareto) by number of the combination, and P(better than next) by row.

        The first is drawn among the top lines and the Pareto front of their values,
        whatever the number of lines.
        """
        above = p_above_next(self.objectives, predictions.rows(range(listed)))
        among = list(dict.fromkeys((*islice(self._tied, _DRAWN), *index[listed:])))
        by_number = dict(zip(index, predictions.items, strict=True))
        items = [by_number.get(number) or self.space.item(number) for number in among]
        pareto = p_pareto(self.objectives, CandidatePredictions.of(self.objectives, items))
        rest = [math.nan] * (len(index) - len(above))
        return dict(zip(among, pareto.tolist(), strict=True)), [*above.tolist(), *rest]

    def _candidate(self, item: Combination, **parts: Any) -> Candidate:
        predictor = self.model.predictor
        literature = predictor.literature
        measured = sorted(literature.measured(item), key=self._is_off_topic)
        bare = literature.measured(item.bare)
        of_shell = predictor.shell_evidence.papers_of(item.layers)
        return Candidate(
            item=item,
            bounds=predictor.stability.bounds(self.space.stressors, item.layers),
            flags=tuple(flag.text for flag in predictor.flags(item, self.space.stressors)),
            combination_papers=tuple(dict.fromkeys(row.paper for row in measured)),
            shell_papers=of_shell,
            domain=predictor.verdict(item, self.space.stressors),
            evidence=self._evidence(item, measured, bare, of_shell),
            nearest=tuple(literature.nearest(literature.distances(item))),
            measured=tuple(measured),
            bare=tuple(bare),
            **parts,
        )

    def _experiments(self) -> tuple[Experiment, ...]:
        """Return experiments on the first lines, whatever the number of lines asked for."""
        items = [self.space.item(number) for number in islice(self._tied, LOOKED_AT)]
        return experiments(self.objectives, CandidatePredictions.of(self.objectives, items))

    def _is_off_topic(self, row: Neighbour) -> tuple[bool, bool]:
        """Whether a sample was not tested under a stressor asked for, and has no PLQY."""
        is_tested = any(f"{name}:" in row.stability for name in self.space.stressors)
        return not is_tested, row.plqy_percent is None

    def _evidence(
        self,
        item: Combination,
        measured: Sequence[Neighbour],
        bare: Sequence[Neighbour],
        of_shell: Sequence[str],
    ) -> str:
        parts = [f"combination measured in {_papers_of(measured)}"] if measured else []
        parts.append(
            f"shell in {counted(len(of_shell), 'paper')}" if of_shell else "shell in no paper"
        )
        if bare:
            parts.append(f"bare core in {_papers_of(bare)}")
        parts += self._tests(item)
        return "; ".join(parts)

    def _tests(self, item: Combination) -> list[str]:
        """Return what is known at least of gains and half-lives, by the tests that it is from."""
        pair = (item.core.formula if item.core else "", item.layers)
        texts: dict[str, list[str]] = {}
        for objective in self.objectives.every:
            if isinstance(objective, StabilityObjective) and self.space.weights[objective.name]:
                unit = f" {objective.target.unit}" if objective.target.unit else ""
                for stressor, fit in zip(self.space.stressors, objective.fits, strict=True):
                    if fit is not None:
                        least = number(_short(fit.known(*pair).at_least))
                        text = f"{objective.label} under {stressor} {least}{unit}"
                        texts.setdefault(fit.level(*pair), []).append(text)
        return [f"at least {', '.join(some)} (nearest: {level})" for level, some in texts.items()]

    # A batch ---------------------------------------------------------------------------------

    def _batch(self, count: int) -> list[int]:
        """Choose combinations by score, each at a distance from the others; nearer ones if too few.

        They are from the top list and from the best of each family of cores with each shell.
        """
        if not count:
            return []
        result = self.result
        cells = result.cell_index[result.cell_index >= 0]
        score = np.concatenate([result.top_score, result.cell_score[result.cell_index >= 0]])
        index = np.concatenate([result.top_index, cells])
        index, first = np.unique(index, return_index=True)
        order = np.lexsort((index, -score[first]))
        pool = index[order][: 4 * POOL].tolist()
        items = {number: self.space.item(number) for number in pool}
        chosen: list[int] = []
        distance, least = self.model.predictor.literature.apart, _DIVERSE
        while len(chosen) < min(count, len(pool)):
            for at in pool:
                if len(chosen) == count:
                    break
                if at not in chosen and all(
                    distance(items[at], items[other]) >= least for other in chosen
                ):
                    chosen.append(at)
            least = least / 2 if least > 0.01 else 0.0  # noqa: PLR2004
        return chosen

    # The overview ------------------------------------------------------------------------------

    def _overview(self) -> Overview:
        score = np.exp(self.result.cell_score)
        score[self.result.cell_index < 0] = math.nan
        filled = ~np.isnan(score)
        rows, columns = (np.flatnonzero(filled.any(axis=axis)) for axis in (1, 0))
        best = np.where(filled, score, -np.inf)
        rows = rows[np.argsort(-best[rows].max(axis=1, initial=-np.inf), kind="stable")]
        columns = columns[np.argsort(-best[:, columns].max(axis=0), kind="stable")]
        return Overview(
            tuple(self.scorer.families[row] for row in rows),
            tuple(shell_text(self.space.shells[column]) for column in columns),
            score[np.ix_(rows, columns)],
        )


def _papers_of(rows: Sequence[Neighbour]) -> str:
    return counted(len({row.paper for row in rows}), "paper")


def _ranks(scores: Sequence[float] | Floats) -> list[int]:
    """Return ranks from 1 of falling scores; equal ones share the first of theirs."""
    ranks: list[int] = []
    for place, score in enumerate(scores):
        is_tie = place > 0 and score == scores[place - 1]
        ranks.append(ranks[-1] if is_tie else place + 1)
    return ranks


def _row_of(columns: Mapping[str, Any], row: int) -> dict[str, float]:
    return {name: float(column[row]) for name, column in columns.items()}


def _name(other: Combination, layers: Layers, first: Combination) -> str:
    """Return what differs of a tied combination: its shell, and core and context where they do."""
    core = f"{other.core.formula} / " if other.core and other.core != first.core else ""
    words = ((one.structure, one.encapsulation, one.medium) for one in (other, first))
    context = [new for new, old in zip(*words, strict=True) if new != old]
    size = other.core_size_nm
    if f"{size:g}" != f"{first.core_size_nm:g}":
        context.append("size unknown" if math.isnan(size) else f"core of {size:g} nm")
    return core + shell_text(layers) + (f" ({', '.join(context)})" if context else "")


def _short(log_value: float) -> float:
    return float(f"{math.exp(log_value):.2g}")
