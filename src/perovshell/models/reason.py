"""How far each group of descriptors moved a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Reason:
    """Feature contributions to one target of one prediction.

    Attributes:
        target: Output column, such as `pl_peak_nm`.
        unit: Unit of `start` and `moved`: eV, percent, log h, or log.
        start: The mean over the training rows that the groups start from.
        moved: How far each descriptor group, and a measured bare value, moved it, largest first;
            start plus all of them is the prediction.
        sentence: The same in words.
    """

    target: str
    unit: str
    start: float
    moved: Mapping[str, float]
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {**vars(self), "moved": dict(self.moved)}
