"""The candidates of a ranking from its result: probabilities, evidence, a batch, an overview."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from perovshell.data.shells import shell_text
from perovshell.data.vocabulary import STRESSORS
from perovshell.features.combinations import Combination
from perovshell.models.evidence import Neighbour
from perovshell.serve.ranking.candidates import CandidatePredictions
from perovshell.serve.ranking.caveats import statements
from perovshell.serve.ranking.next_experiments import experiments
from perovshell.serve.ranking.objectives import Objectives
from perovshell.serve.ranking.rank_probabilities import p_above_next, p_pareto
from perovshell.serve.ranking.results import Candidate, Overview, Ranking
from perovshell.serve.ranking.scoring import POOL, Scorer
from perovshell.serve.ranking.task_result import TaskResult
from perovshell.targets.declared import PL
from perovshell.texts import counted

FRONT_SHOWN: Final = 100
"""Candidates of the Pareto front that are shown, best score first."""
_WET: Final = frozenset({"water", "humidity"})
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
        """Return the ranking with `top` candidates and a batch of `batch` ones."""
        result = self.result
        index = result.top_index[:top].tolist()
        front = np.lexsort((result.front_index, -result.front_score))[:FRONT_SHOWN]
        others = [n for n in result.front_index[front].tolist() if n not in set(index)]
        chosen = self._batch(batch)
        extra = list(dict.fromkeys([*others, *(n for n in chosen if n not in set(index))]))
        score = dict(zip(result.top_index.tolist(), result.top_score.tolist(), strict=True))
        score |= dict(zip(result.front_index.tolist(), result.front_score.tolist(), strict=True))
        score |= dict(
            zip(result.cell_index.ravel().tolist(), result.cell_score.ravel(), strict=True)
        )
        predictions = CandidatePredictions.of(
            self.objectives, [self.space.item(n) for n in (*index, *extra)]
        )
        lines = self._lines(predictions, [*index, *extra], len(index), score)
        by_index = dict(zip((*index, *extra), lines, strict=True))
        return Ranking(
            space=self.space,
            model=self.model,
            options=self.scorer.options,
            candidates=tuple(lines[: len(index)]),
            front=tuple(by_index[n] for n in result.front_index[front].tolist()),
            batch=tuple(by_index[n] for n in chosen),
            overview=self._overview(),
            suggest_experiments=experiments(self.objectives, predictions.rows(range(len(index)))),
            total=result.ranked,
            seen=result.seen,
            removed=result.removed,
            statements=statements(self.scorer, result, lines[: len(index)]),
        )

    def _lines(
        self,
        predictions: CandidatePredictions,
        index: Sequence[int],
        listed: int,
        score: Mapping[int, float],
    ) -> list[Candidate]:
        desirable = self.objectives.desirabilities(predictions.predicted)
        pareto, above = self._probabilities(predictions, index, listed)
        front = set(self.result.front_index.tolist())
        equal = Counter(self.result.top_score.tolist())
        lines = []
        for row, (number, item) in enumerate(zip(index, predictions.items, strict=True)):
            desirabilities = {name: float(column[row]) for name, column in desirable.items()}
            lines.append(
                self._candidate(
                    item,
                    rank=row + 1 if row < listed else 0,
                    score=math.exp(score[number]),
                    desirabilities=desirabilities,
                    values={
                        name: float(column[row])
                        for name, column in predictions.predicted.columns.items()
                    },
                    p_pareto=pareto.get(number, math.nan),
                    is_pareto=number in front,
                    p_above_next=above[row],
                    n_ties=max(equal[score[number]] - 1, 0) if row < listed else 0,
                )
            )
        return lines

    def _probabilities(
        self, predictions: CandidatePredictions, index: Sequence[int], listed: int
    ) -> tuple[dict[int, float], list[float]]:
        """Return P(Pareto) by number of the combination, and P(better than next) by row.

        The first is drawn among the top combinations and the Pareto front of their values,
        whatever the number of candidates.
        """
        above = p_above_next(self.objectives, predictions.rows(range(listed)))
        top_scores = dict(zip(self.result.top_index.tolist(), self.result.top_score, strict=True))
        score = np.array([top_scores[number] for number in index[:listed]])
        above[score[:-1] == score[1:]] = 0.5  # Their scores are equal.
        among = list(dict.fromkeys((*self.result.top_index[:_DRAWN].tolist(), *index[listed:])))
        by_number = dict(zip(index, predictions.items, strict=True))
        items = [by_number.get(number) or self.space.item(number) for number in among]
        pareto = p_pareto(self.objectives, CandidatePredictions.of(self.objectives, items))
        rest = [math.nan] * (len(index) - len(above))
        return dict(zip(among, pareto.tolist(), strict=True)), [*above.tolist(), *rest]

    def _candidate(self, item: Combination, **parts: Any) -> Candidate:
        predictor = self.model.predictor
        literature = predictor.literature
        measured, bare = literature.measured(item), literature.measured(item.bare)
        return Candidate(
            item=item,
            bounds=predictor.stability.bounds(self.space.stressors, item.layers),
            reasons=tuple(predictor.outside(item, self.space.stressors)),
            evidence=self._evidence(item, measured, bare),
            nearest=tuple(literature.nearest(literature.distances(item))),
            measured=tuple(measured),
            bare=tuple(bare),
            **parts,
        )

    def _evidence(
        self, item: Combination, measured: Sequence[Neighbour], bare: Sequence[Neighbour]
    ) -> str:
        parts = ["PL from the model"] if PL.name in self.objectives.names else []
        if measured:
            parts.append(f"combination measured in {_papers_of(measured)}")
        if bare:
            parts.append(f"bare core measured in {_papers_of(bare)}")
        of_shell = self.objectives.plqy.shell_papers(item.layers)
        parts.append(f"{reports(of_shell)} the PLQY of the shell")
        parts.append(self._tests(item))
        unseen = self.model.predictor.literature.unseen_layers(item)
        if unseen:
            parts.append(
                f"{', '.join(unseen)} not in the training data, predicted from its material class"
            )
        if not _WET.isdisjoint(self.space.stressors):
            in_water = dict.fromkeys(layer.in_water or "unknown" for layer in item.layers)
            parts.append(f"layers in water, inner to outer: {', '.join(in_water)}")
        return "; ".join(parts)

    def _tests(self, item: Combination) -> str:
        """Return how many papers report the gain of the shell, by stressor."""
        model = self.model.predictor.stability
        tested = sum(model.shell_papers.get(layer.name, 0) for layer in item.layers)
        if not tested:
            return f"{reports(0)} the gain of the shell"
        under = {
            stressor: sum(
                model.shell_tests.get(model.test_key(layer.name, stressor), 0)
                for layer in item.layers
            )
            for stressor in STRESSORS
        }
        of_which = ", ".join(f"{name} {count}" for name, count in under.items() if count)
        missing = [name for name in self.space.stressors if not under[name]]
        none = f"; none under {' or '.join(missing)}" if missing else ""
        return f"{reports(tested)} the gain of the shell ({of_which}{none})"

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
            for number in pool:
                if len(chosen) == count:
                    break
                if number not in chosen and all(
                    distance(items[number], items[other]) >= least for other in chosen
                ):
                    chosen.append(number)
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


def reports(papers: int) -> str:
    """Return that so many papers report something, as the beginning of a sentence."""
    if papers > 1:
        return f"{counted(papers, 'paper')} report"
    return "1 paper reports" if papers else "no paper reports"
