"""Predictions for named combinations: the lines of a ranking, and what papers measured.

They come from the same path as the scores of a ranking: `models.product`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from perovshell.arrays import Floats, Mask
from perovshell.data.composition import Composition
from perovshell.data.shells import NONE
from perovshell.features.combinations import Combination
from perovshell.models.evidence import Neighbour
from perovshell.models.outputs import DEFAULT_COVERAGE
from perovshell.models.product import predict_items
from perovshell.serve.ranking.filters import Filters
from perovshell.serve.ranking.objective import Predicted
from perovshell.serve.ranking.objectives import Objectives
from perovshell.targets.declared import PL
from perovshell.targets.target import ENDS


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
        """Predict combinations, and add what papers measured of them."""
        if not items:
            return cls([], Predicted({}, {}))
        space, predictor = objectives.space, objectives.model.predictor
        columns, categories = predict_items(
            predictor,
            items,
            space.stressors,
            coverage=DEFAULT_COVERAGE,
            thresholds=space.thresholds,
        )
        predicted = Predicted(columns, categories)
        pairs = [(item.core.formula if item.core else "", item.layers) for item in items]
        for objective in objectives.every:
            objective.add_values(predicted, objective.terms(pairs))
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
class MeasuredCombinations:
    """The measured combinations of a space that satisfy its constraints, best first.

    Attributes:
        predictions: Their predictions, with what papers measured of them.
        desirable: By objective with a weight, their desirabilities; a measured peak counts as it
            is.
        scores: Logarithms of their scores, falling.
    """

    predictions: CandidatePredictions
    desirable: dict[str, Floats]
    scores: Floats

    @property
    def items(self) -> Sequence[Combination]:
        """The combinations."""
        return self.predictions.items

    @property
    def best(self) -> float:
        """Score of the best; 0 if there is none."""
        return float(np.exp(self.scores[0])) if len(self.scores) else 0.0

    @classmethod
    def of(cls, objectives: Objectives, filters: Filters, order_by: str) -> MeasuredCombinations:
        """Find and score them.

        Args:
            objectives: The objectives.
            filters: The constraints on cores and shells; the domain is none: what was measured
                needs no model.
            order_by: One of `objectives.ORDERS`.
        """
        found = list(_in_space(objectives, filters))
        if not found:
            return cls(CandidatePredictions.of(objectives, []), {}, np.zeros(0))
        predictions = CandidatePredictions.of(objectives, [item for item, _ in found])
        has_peak = np.array([bool(peaks) for _, peaks in found], dtype=bool)
        kept = np.flatnonzero(has_peak | _may_be_in_window(objectives, predictions))
        predictions, has_peak = predictions.rows(kept.tolist()), has_peak[kept]
        values, bounds = (
            objectives.desirabilities(predictions.predicted, at_lower_bound=at_lower_bound)
            for at_lower_bound in (False, True)
        )
        for desirable in (values, bounds):
            if PL.name in desirable:
                desirable[PL.name] = np.where(has_peak, 1.0, desirable[PL.name])
        # What is expected of new combinations is compared with what is expected of these.
        scores = objectives.log_score(bounds if order_by == "lower-bound" else values)
        scores = np.broadcast_to(scores, (len(kept),))
        order = np.argsort(-scores, kind="stable")
        desirable = {name: column[order] for name, column in values.items()}
        return cls(predictions.rows(order.tolist()), desirable, scores[order])


def _in_space(
    objectives: Objectives, filters: Filters
) -> Iterator[tuple[Combination, list[float]]]:
    """Yield the measured combinations of a space, with their measured peaks in nm.

    Those with a measured peak, but none in the window, are left out.
    """
    space, literature = objectives.space, objectives.model.predictor.literature
    shells = frozenset(space.shells)
    rows = {row["sample_id"]: row for row in literature.samples}
    for core, _, samples in answering_combinations(objectives):
        if not space.cores.holds(core):
            continue
        told, peaks = _with_peak(objectives, samples)
        item = literature.item(rows[told[0].sample_id]) if told else None
        if item is not None and item.layers in shells and filters.satisfies(item):
            yield replace(item, core=core), peaks


def answering_combinations(
    objectives: Objectives,
) -> Iterator[tuple[Composition, str, list[Neighbour]]]:
    """Yield the coated combinations of which papers measured what is asked.

    That is any objective, but for the peak where more is asked, or anything where papers measure
    no objective.
    """
    asked = [one for one in objectives.active if one.can_be_measured]
    wanted = [one for one in asked if one.name != PL.name] or asked
    wanted = wanted or [one for one in objectives.every if one.can_be_measured]
    for core, shell, samples in objectives.model.predictor.literature.combinations():
        if shell != NONE and any(one.is_measured(samples) for one in wanted):
            yield core, shell, samples


def _with_peak(
    objectives: Objectives, samples: Sequence[Neighbour]
) -> tuple[list[Neighbour], list[float]]:
    """Return the samples that a combination is told by, the best PLQY first, and their peaks.

    Of samples with a measured peak these are those in the window, where one is asked for.
    """
    known = [one for one in samples if one.pl_peak_nm is not None]
    fitting = known
    if objectives.ask_for_window:
        low, high = objectives.space.pl_window_nm or (-math.inf, math.inf)
        fitting = [one for one in known if low <= (one.pl_peak_nm or 0.0) <= high]
    told = fitting if known else list(samples)
    told = sorted(told, key=lambda one: -(one.plqy_percent or 0.0))
    return told, [one.pl_peak_nm for one in fitting if one.pl_peak_nm is not None]


def _may_be_in_window(objectives: Objectives, predictions: CandidatePredictions) -> Mask:
    """Return which predicted intervals of the peak reach into the window, shape (n,)."""
    columns = predictions.predicted.columns
    window = objectives.space.pl_window_nm if objectives.ask_for_window else None
    low, high = window or (-math.inf, math.inf)
    shortest, longest = (columns[f"{PL.column}{end}"] for end in ENDS[1:])
    return np.asarray((shortest <= high) & (longest >= low))
