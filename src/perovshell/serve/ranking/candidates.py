"""What is expected of named combinations: the first lines of a ranking, and those of papers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.data.shells import shell_text
from perovshell.features.combinations import Combination
from perovshell.models.predictor import Predictor
from perovshell.models.requests import Requests
from perovshell.serve.ranking.objectives import Objectives, Ranked, measured_plqy, plqy_share

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CandidatePredictions:
    """What is expected of n combinations.

    Attributes:
        items: The combinations.
        columns: Their output columns, and `pl_scale` (eV), `plqy_scale` (percent) and
            `domain_distance`.
        ranked: What orders them.
    """

    items: Sequence[Combination]
    columns: Mapping[str, Floats]
    ranked: Ranked

    @classmethod
    def of(cls, objectives: Objectives, items: Sequence[Combination]) -> CandidatePredictions:
        """Predict combinations and pool what papers say of them."""
        space, predictor = objectives.space, objectives.model.predictor
        requests = Requests.of_items(items, predictor.featurizer.reader)
        columns = predictor.columns(requests, space.stressors, thresholds=space.thresholds)
        columns |= {f"{name}_scale": own for name, own in predictor.difficulties(items).items()}
        columns["domain_distance"] = np.array([_distance(predictor, item) for item in items])
        of_shell = np.array([objectives.of_shell_plqy(item.layers) for item in items])
        width = np.array([objectives.shell_width(item.layers) for item in items])
        gain = [
            np.exp([objectives.log_gain(item.layers, name) for item in items])
            for name in space.stressors
        ]
        ranked = objectives.ranked(columns, (of_shell, width), gain)
        return cls(items, columns, _pooled(objectives, ranked, items))

    def rows(self, rows: Sequence[int]) -> CandidatePredictions:
        """Return those of some of the combinations."""
        own, ranked = list(rows), self.ranked
        return CandidatePredictions(
            [self.items[row] for row in own],
            {name: column[own] for name, column in self.columns.items()},
            Ranked(
                ranked.plqy[own],
                ranked.plqy_low[own],
                [values[own] for values in ranked.gain],
                [values[own] for values in ranked.half_life],
            ),
        )


def _distance(predictor: Predictor, item: Combination) -> float:
    apart = predictor.literature.distances(item)
    return max(
        predictor.literature.nearest_of(name, apart) / domain.reach
        for name, domain in predictor.domains.items()
    )


def _pooled(objectives: Objectives, ranked: Ranked, items: Sequence[Combination]) -> Ranked:
    """Pool the PLQY of combinations with what papers measured of the very ones."""
    if not objectives.shrink:
        return ranked
    value, low = ranked.plqy.copy(), ranked.plqy_low.copy()
    for row, item in enumerate(items):
        measured = measured_plqy(objectives.model.predictor.literature.measured(item))
        if measured is not None:
            value[row] = objectives.pooled(value[row], measured)
            low[row] += value[row] - ranked.plqy[row]
    return replace(ranked, plqy=value, plqy_low=low)


@dataclass(frozen=True)
class MeasuredCandidate:
    """A measured coated combination whose PL lies in the window.

    Attributes:
        score: Its score, with the PLQY as measured and the rest as predicted.
        row: The sample, as in `Literature.samples`.
    """

    score: float
    row: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Core and shell."""
        return f"{self.row['core']} / {self.row['shell']}"


def known_within(
    objectives: Objectives, satisfies: Callable[[Combination], bool]
) -> tuple[MeasuredCandidate, ...]:
    """Return the measured coated combinations that fit objectives and constraints, the best first.

    Args:
        objectives: The objectives.
        satisfies: Whether a combination satisfies the constraints.
    """
    predictor = objectives.model.predictor
    known = [row for row in predictor.literature.samples if _fits(objectives, row)]
    rows = [row for row in known if satisfies(predictor.literature.item(row))]
    if not rows:
        return ()
    items = [predictor.literature.item(row) for row in rows]
    predictions = CandidatePredictions.of(objectives, items)
    desirable = objectives.desirabilities(predictions.columns, predictions.ranked)
    if "pl" in desirable:
        desirable["pl"] = np.ones(len(rows))
    if "plqy" in desirable:
        measured = np.array([row["plqy_percent"] for row in rows])
        desirable["plqy"] = plqy_share(measured, objectives.space.plqy_above)
    score = np.exp(objectives.log_score(desirable))
    order = np.argsort(-score, kind="stable")
    return tuple(MeasuredCandidate(float(score[place]), rows[place]) for place in order)


def _fits(objectives: Objectives, row: Mapping[str, object]) -> bool:
    """Return whether a sample is coated, has all that is wished, and its PL in the window."""
    if shell_text(()) == row["shell"]:
        return False
    if "plqy" in objectives.names and row["plqy_percent"] is None:
        return False
    window, peak = objectives.space.pl_window_nm, row["pl_peak_nm"]
    if "pl" not in objectives.names or window is None:
        return True
    return isinstance(peak, float | int) and window[0] <= peak <= window[1]
