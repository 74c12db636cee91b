"""Predictions as a laboratory would measure: a model, and the laboratory's offsets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from perovshell.models.folder import read_validation
from perovshell.models.frames import to_records
from perovshell.models.inputs import cell_number, cell_text
from perovshell.models.laboratory import Offset, offsets_of
from perovshell.targets.declared import PL, PLQY


class Predicting(Protocol):
    """What a laboratory needs of a model."""

    @property
    def folder(self) -> Path:
        """Where it was loaded from."""

    def predict(self, rows: Any) -> Any:
        """Return the answers to rows."""


_COLUMNS: Final = {"pl_peak_nm": (PL.name, "nm"), "plqy_percent": (PLQY.name, "points")}
"""Targets and units of the columns that a laboratory's offset shifts."""
_LIMITS: Final = {"plqy_percent": (0.0, 100.0)}


@dataclass(frozen=True)
class Laboratory:
    """A model with the offsets of a laboratory; see `Model.calibrate`.

    Attributes:
        model: The model.
        offsets: The offset of each column that enough combinations were measured of: PL peak in
            nm, PLQY in points.
    """

    model: Predicting
    offsets: Mapping[str, Offset]

    def predict(self, rows: Any) -> list[dict[str, Any]]:
        """Predict what the laboratory would measure.

        Values and both ends of their intervals are shifted by the offset; what a shell changes and
        the stability are not.

        Args:
            rows: As of `Model.predict`.

        Raises:
            InputError: As of `Model.predict`.
        """
        answers = self.model.predict(to_records(rows))
        return [self._shifted(answer) for answer in answers]

    def _shifted(self, answer: dict[str, Any]) -> dict[str, Any]:
        shifted = dict(answer)
        for column, offset in self.offsets.items():
            low, high = _LIMITS.get(column, (-np.inf, np.inf))
            for name in (column, f"{column}_lower", f"{column}_upper"):
                moved = min(max(answer[name] + offset.value, low), high)
                shifted[name] = float(f"{moved:.6g}")
        return shifted | {"notes": [*answer["notes"], *self.lines()]}

    def lines(self) -> list[str]:
        """Return the offsets, a line each.

        Examples:
            >>> from perovshell.models.laboratory import Offset
            >>> [line] = Laboratory(None, {"pl_peak_nm": Offset(3.2, 1.1, 5.3, 4, 12)}).lines()
            >>> line.partition(" (")[0]
            'pl_peak_nm: laboratory offset +3.2 nm'
        """
        return [
            f"{column}: laboratory offset {offset.value:+.2g} {_COLUMNS[column][1]} "
            f"({offset.low:+.2g} to {offset.high:+.2g}; {offset.rows} measurements of "
            f"{offset.combinations} combinations)"
            for column, offset in self.offsets.items()
        ]


def calibrate(model: Predicting, measured: Any, coverage: float) -> Laboratory:
    """Return a model with the offsets of a laboratory; see `Model.calibrate`."""
    rows = to_records(measured)
    given = {name: np.array([cell_number(row.get(name)) for row in rows]) for name in _COLUMNS}
    requests = [{key: cell for key, cell in row.items() if key not in _COLUMNS} for row in rows]
    answers = model.predict(requests)
    predicted = {
        name: np.array([np.nan if answer["error"] else answer[name] for answer in answers])
        for name in _COLUMNS
    }
    groups = [
        tuple(sorted((key, cell_text(cell)) for key, cell in row.items())) for row in requests
    ]
    priors = {column: _prior(model, target) for column, (target, _) in _COLUMNS.items()}
    return Laboratory(model, offsets_of(given, predicted, groups, priors, coverage))


def _prior(model: Predicting, target: str) -> float:
    """Return how far papers are from the model: the root mean square of their mean errors."""
    validation = read_validation(model.folder)
    papers, losses = validation[f"{target}_papers"], validation[f"{target}_loss"]
    means = [losses[papers == paper].mean() for paper in dict.fromkeys(papers.tolist())]
    return float(np.sqrt(np.mean(np.square(means))))
