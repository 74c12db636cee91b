"""Making the lines of a ranking of what was found: chances, evidence, a batch, an overview."""

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

FRONT_SHOWN: Final = 100
"""Lines of the Pareto front that are shown, best score first."""
_WET: Final = frozenset({"water", "humidity"})
_DIVERSE: Final = 0.6
"""Least distance of two combinations of a batch: three tenths of a site exchanged, or a shell of
another class."""
_WEIGHED: Final = 200
"""First combinations among which chances on the front are drawn: each is compared with each."""


class Finisher:
    """Makes lines with their evidence of what was found."""

    def __init__(self, scorer: Scorer, found: TaskResult) -> None:
        self.scorer = scorer
        self.found = found
        self.space = scorer.space
        self.model = scorer.model
        self.objectives: Objectives = scorer.objectives

    def ranking(self, top: int, batch: int) -> Ranking:
        """Return the ranking with so many lines, and a batch of so many."""
        found = self.found
        index = found.top_index[:top].tolist()
        front = np.lexsort((found.front_index, -found.front_score))[:FRONT_SHOWN]
        others = [own for own in found.front_index[front].tolist() if own not in set(index)]
        chosen = self._batch(batch)
        extra = list(dict.fromkeys([*others, *(own for own in chosen if own not in set(index))]))
        score = dict(zip(found.top_index.tolist(), found.top_score.tolist(), strict=True))
        score |= dict(zip(found.front_index.tolist(), found.front_score.tolist(), strict=True))
        score |= dict(zip(found.cell_index.ravel().tolist(), found.cell_score.ravel(), strict=True))
        predictions = CandidatePredictions.of(
            self.objectives, [self.space.item(own) for own in (*index, *extra)]
        )
        lines = self._lines(predictions, [*index, *extra], len(index), score)
        by_index = dict(zip((*index, *extra), lines, strict=True))
        return Ranking(
            space=self.space,
            model=self.model,
            options=self.scorer.options,
            candidates=tuple(lines[: len(index)]),
            front=tuple(by_index[own] for own in found.front_index[front].tolist()),
            batch=tuple(by_index[own] for own in chosen),
            overview=self._overview(),
            suggest_experiments=experiments(self.objectives, predictions.rows(range(len(index)))),
            total=found.ranked,
            seen=found.seen,
            removed=found.removed,
            statements=statements(self.scorer, found, lines[: len(index)]),
        )

    def _lines(
        self,
        predictions: CandidatePredictions,
        index: Sequence[int],
        listed: int,
        score: Mapping[int, float],
    ) -> list[Candidate]:
        desirable = self.objectives.desirabilities(predictions.predicted)
        fronts, above = self._chances(predictions, index, listed)
        front = set(self.found.front_index.tolist())
        equal = Counter(self.found.top_score.tolist())
        lines = []
        for row, (own, item) in enumerate(zip(index, predictions.items, strict=True)):
            own_desirable = {name: float(column[row]) for name, column in desirable.items()}
            lines.append(
                self._candidate(
                    item,
                    rank=row + 1 if row < listed else 0,
                    score=math.exp(score[own]),
                    desirabilities=own_desirable,
                    values={
                        name: float(column[row])
                        for name, column in predictions.predicted.columns.items()
                    },
                    p_pareto=fronts.get(own, math.nan),
                    is_pareto=own in front,
                    p_above_next=above[row],
                    n_ties=max(equal[score[own]] - 1, 0) if row < listed else 0,
                )
            )
        return lines

    def _chances(
        self, predictions: CandidatePredictions, index: Sequence[int], listed: int
    ) -> tuple[dict[int, float], list[float]]:
        """Return the chance on the front by number, and that above the next line by row.

        The front is looked for among the first combinations found and the front at their values,
        however many lines are asked for.
        """
        above = p_above_next(self.objectives, predictions.rows(range(listed)))
        known_score = dict(zip(self.found.top_index.tolist(), self.found.top_score, strict=True))
        own = np.array([known_score[number] for number in index[:listed]])
        above[own[:-1] == own[1:]] = 0.5  # Nothing tells them apart.
        among = list(dict.fromkeys((*self.found.top_index[:_WEIGHED].tolist(), *index[listed:])))
        known = dict(zip(index, predictions.items, strict=True))
        items = [known.get(own) or self.space.item(own) for own in among]
        alone = p_pareto(self.objectives, CandidatePredictions.of(self.objectives, items))
        rest = [math.nan] * (len(index) - len(above))
        return dict(zip(among, alone.tolist(), strict=True)), [*above.tolist(), *rest]

    def _candidate(self, item: Combination, **parts: Any) -> Candidate:
        predictor = self.model.predictor
        literature = predictor.literature
        measured, bare = literature.measured(item), literature.measured(item.bare)
        return Candidate(
            item=item,
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
        parts = ["PL: model"] if PL.name in self.objectives.names else []
        if measured:
            parts.append(f"combination measured in {_papers_of(measured)}")
        if bare:
            parts.append(f"bare core measured in {_papers_of(bare)}")
        of_shell = self.objectives.plqy.shell_papers(item.layers)
        parts.append(f"PLQY of the shell: {papers_text(of_shell)}")
        parts.append(f"gain of the shell: {self._tests(item)}")
        unseen = self.model.predictor.literature.unseen_layers(item)
        if unseen:
            parts.append(f"no paper has {', '.join(unseen)}: the class speaks for it")
        if not _WET.isdisjoint(self.space.stressors):
            known = dict.fromkeys(layer.in_water or "unknown" for layer in item.layers)
            parts.append(f"in water, from the inside out: {', '.join(known)}")
        return "; ".join(parts)

    def _tests(self, item: Combination) -> str:
        """Say how many papers tested a shell against bare cores, and under what."""
        gain = self.model.predictor.gain
        tested = sum(gain.shell_papers.get(layer.name, 0) for layer in item.layers)
        if not tested:
            return papers_text(0)
        under = {
            stressor: sum(
                gain.shell_tests.get(gain.test_key(layer.name, stressor), 0)
                for layer in item.layers
            )
            for stressor in STRESSORS
        }
        of_which = ", ".join(f"{name} {count}" for name, count in under.items() if count)
        missing = [name for name in self.space.stressors if not under[name]]
        none = f"; none under {' or '.join(missing)}" if missing else ""
        return f"{papers_text(tested)} ({of_which}{none})"

    # A batch ---------------------------------------------------------------------------------

    def _batch(self, count: int) -> list[int]:
        """Choose combinations best first, none near another; nearer ones where there are no more.

        They come from the best list and from the best of each family of cores with each shell.
        """
        if not count:
            return []
        found = self.found
        cells = found.cell_index[found.cell_index >= 0]
        score = np.concatenate([found.top_score, found.cell_score[found.cell_index >= 0]])
        index = np.concatenate([found.top_index, cells])
        index, first = np.unique(index, return_index=True)
        order = np.lexsort((index, -score[first]))
        pool = index[order][: 4 * POOL].tolist()
        items = {own: self.space.item(own) for own in pool}
        chosen: list[int] = []
        least, apart = _DIVERSE, self.model.predictor.literature.apart
        while len(chosen) < min(count, len(pool)):
            for own in pool:
                if len(chosen) == count:
                    break
                if own not in chosen and all(
                    apart(items[own], items[other]) >= least for other in chosen
                ):
                    chosen.append(own)
            least = least / 2 if least > 0.01 else 0.0  # noqa: PLR2004
        return chosen

    # Said of it ------------------------------------------------------------------------------

    def _overview(self) -> Overview:
        score = np.exp(self.found.cell_score)
        score[self.found.cell_index < 0] = math.nan
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
    return papers_text(len({row.paper for row in rows}))


def papers_text(papers: int) -> str:
    """Return a number of papers in words."""
    return f"{papers} paper{'' if papers == 1 else 's'}"
