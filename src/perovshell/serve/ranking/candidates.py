"""Predictions for named combinations: the top candidates of a ranking, and those of papers.

They come from the same path as the scores of a ranking: `models.product`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perovshell.data.shells import NONE
from perovshell.features.combinations import Combination
from perovshell.models.outputs import DEFAULT_COVERAGE
from perovshell.models.product import predict_items
from perovshell.serve.ranking.objective import Predicted
from perovshell.serve.ranking.objectives import Objectives
from perovshell.serve.ranking.point_objectives import measured_plqy


@dataclass(frozen=True)
class CandidatePredictions:
    """What is predicted of n combinations.

    Attributes:
        items: The combinations.
        predicted: Their predictions, each column of shape (n,), with the values that rank.
    """

    items: Sequence[Combination]
    predicted: Predicted

    @classmethod
    def of(cls, objectives: Objectives, items: Sequence[Combination]) -> CandidatePredictions:
        """Predict combinations and pool what papers measured of them."""
        space, predictor = objectives.space, objectives.model.predictor
        columns, categories = predict_items(
            predictor,
            items,
            space.stressors,
            coverage=DEFAULT_COVERAGE,
            thresholds=space.thresholds,
        )
        predicted = Predicted(columns, categories)
        shells = [item.layers for item in items]
        for objective in objectives.every:
            objective.add_values(predicted, objective.shell_terms(shells))
        for row, item in enumerate(items):
            measured = measured_plqy(predictor.literature.measured(item))
            if measured is not None:
                objectives.plqy.pool(predicted, row, measured)
        objectives.plqy.add_probability(predicted)
        return cls(items, predicted)

    def rows(self, rows: Sequence[int]) -> CandidatePredictions:
        """Return those of some of the combinations."""
        chosen = list(rows)
        number = {row: index for index, row in enumerate(chosen)}
        categories = {
            target: {
                name: np.array([number[row] for row in index.tolist() if row in number], np.intp)
                for name, index in members.items()
            }
            for target, members in self.predicted.categories.items()
        }
        columns = {name: column[chosen] for name, column in self.predicted.columns.items()}
        items = [self.items[row] for row in chosen]
        return CandidatePredictions(items, Predicted(columns, categories))


@dataclass(frozen=True)
class MeasuredCandidate:
    """A measured coated combination that fits the objectives.

    Attributes:
        score: Its score, measured where that is possible and predicted otherwise.
        row: The sample, as in `Literature.samples`.
    """

    score: float
    row: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Core and shell."""
        return f"{self.row['core']} / {self.row['shell']}"


def measured_candidates(
    objectives: Objectives, satisfies: Callable[[Combination], bool]
) -> tuple[MeasuredCandidate, ...]:
    """Return the measured coated combinations that fit objectives and constraints, best first.

    Args:
        objectives: The objectives.
        satisfies: Whether a combination satisfies the constraints.
    """
    literature = objectives.model.predictor.literature
    fitting = [
        (row, literature.item(row))
        for row in literature.samples
        if row["shell"] != NONE and all(one.fits(row) for one in objectives.active)
    ]
    known = [(row, item) for row, item in fitting if satisfies(item)]
    if not known:
        return ()
    rows = [row for row, _ in known]
    predictions = CandidatePredictions.of(objectives, [item for _, item in known])
    predicted = objectives.desirabilities(predictions.predicted)
    desirable = {
        one.name: one.desirability_of_measured(predicted[one.name], rows)
        for one in objectives.active
    }
    score = np.exp(objectives.log_score(desirable))
    order = np.argsort(-score, kind="stable")
    return tuple(MeasuredCandidate(float(score[index]), rows[index]) for index in order)
