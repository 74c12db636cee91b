"""Predictions as a laboratory would measure: a model, and the laboratory's offsets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.columns import SAMPLES
from perovshell.errors import InputError
from perovshell.models.folder import read_validation
from perovshell.models.frames import to_records
from perovshell.models.inputs import INPUT_COLUMNS, cell_text
from perovshell.models.laboratory import Offset, offsets_of
from perovshell.models.outputs import check_options
from perovshell.targets.declared import PL, PLQY
from perovshell.texts import excerpt, listed


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
    check_options((), coverage)
    rows = to_records(measured)
    if rows and not any(name in row for row in rows for name in _COLUMNS):
        msg = f"rows: no measured values; needed: {listed(_COLUMNS, 'or')}"
        raise InputError(msg)
    given = {name: _values(rows, name) for name in _COLUMNS}
    # The number of a sample makes no combination of its own.
    requests = [{name: row[name] for name in INPUT_COLUMNS if name in row} for row in rows]
    answers = model.predict(requests)
    faults = [f"rows[{at}]: {one['error']}" for at, one in enumerate(answers) if one["error"]]
    if faults:
        raise InputError("\n".join(faults))
    predicted = {name: np.array([answer[name] for answer in answers]) for name in _COLUMNS}
    groups = [tuple((name, cell_text(row.get(name))) for name in INPUT_COLUMNS) for row in rows]
    priors = {column: _prior(model, target) for column, (target, _) in _COLUMNS.items()}
    return Laboratory(model, offsets_of(given, predicted, groups, priors, coverage))


def _values(rows: Sequence[Mapping[str, Any]], name: str) -> Floats:
    """Return the measured values of a column, NaN where there is none.

    Raises:
        InputError: One is no such value.
    """
    column = SAMPLES[name]
    texts = [cell_text(row.get(name)) for row in rows]
    known = ["" if column.is_unknown(text) else text for text in texts]
    faults = [
        f"rows[{at}]: {name} {excerpt(text)!r}: {rule}"
        for at, text in enumerate(known)
        if (rule := column.fault(text))
    ]
    if faults:
        raise InputError("\n".join(faults))
    return np.array([column.number(text) for text in known])


def _prior(model: Predicting, target: str) -> float:
    """Return how far papers are from the model: the root mean square of their mean errors."""
    validation = read_validation(model.folder)
    papers, losses = validation[f"{target}_papers"], validation[f"{target}_loss"]
    means = [losses[papers == paper].mean() for paper in dict.fromkeys(papers.tolist())]
    return float(np.sqrt(np.mean(np.square(means))))
