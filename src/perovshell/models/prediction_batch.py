"""A batch of requests on its way to an answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.composition import CompositionBatch
from perovshell.data.formula import FormulaReader
from perovshell.data.shells import shell_text
from perovshell.features.combinations import Layers
from perovshell.models.evidence import NAME_JOINT
from perovshell.models.point import BareSide, PointModel, PointPrediction
from perovshell.models.requests import Requests

_ROUNDING: Final = 1e-9
"""Difference of shares of ions that is rounding."""
_FAR: Final = 0.99
"""Coverage of the interval of a bare value outside of which a measured one is noted."""


@dataclass(frozen=True)
class CategoryCores:
    """The cores of the Mondrian categories of models.

    Attributes:
        cores: Species, as in `CompositionBatch`, and shares of the ions of each core, by its name.
    """

    cores: Mapping[str, tuple[Any, Floats]]

    @classmethod
    def of(cls, models: Iterable[PointModel], reader: FormulaReader) -> CategoryCores:
        """Read the cores of all categories of models."""
        names = sorted({name.split(NAME_JOINT)[0] for model in models for name in model.mondrian})
        read = {name: reader.read_many([name]) for name in names}
        return cls(
            {
                name: (one.species[0], one.amounts[0] / one.amounts.sum())
                for name, one in read.items()
            }
        )

    def equal(self, batch: CompositionBatch) -> dict[str, Mask]:
        """Return which of n compositions have the ions and the shares of each core, (n,) each."""
        return {name: _equal(batch, *core) for name, core in self.cores.items()}


def _equal(batch: CompositionBatch, species: Any, share: Floats) -> Mask:
    known, count = batch.species, len(species)
    if known.shape[1] < count:
        return np.zeros(len(known), dtype=bool)
    equal = np.asarray((known[:, :count] == species).all(axis=1))
    if known.shape[1] > count:
        equal &= known[:, count] < 0  # Padding: there is no further ion.
    alike = equal.nonzero()[0]
    if len(alike):
        amounts = batch.amounts[alike, :count]
        shares = amounts / amounts.sum(axis=1, keepdims=True)
        equal[alike] = np.abs(shares - share).max(axis=1) < _ROUNDING
    return equal


class PredictionBatch:
    """What all targets need of n requests that are answered at once.

    Args:
        requests: The requests.
        both: Descriptor rows of the combinations, then of the bare cores, shape (2 n, p).
        is_metal: Whether the core is a metal, shape (n,).
        category_cores: Cores of the models' Mondrian categories.

    Attributes:
        notes: What is doubtful about the measured bare values, by row, after the predictions.
    """

    def __init__(
        self,
        requests: Requests,
        both: Floats,
        is_metal: Mask,
        category_cores: CategoryCores,
    ) -> None:
        self.requests = requests
        self.items = requests.items
        self.size = len(requests)
        self.both = both
        self.coated = both[: self.size]
        self.has_shell = self.items.has_shell
        self.is_metal = is_metal
        self._category_cores = category_cores
        self.notes: dict[int, list[str]] = {}

    def predict(self, model: PointModel, measured: Floats) -> PointPrediction:
        """Return what a point model predicts, with the bare side.

        Args:
            model: The model.
            measured: Measured values of the bare cores, as reported; NaN where unknown, (n,).
        """
        predicted = model.predict(self.both)
        scale = model.difficulty_of(self.both, predicted)
        count = self.size
        bare = BareSide(
            predicted=predicted[count:],
            scale=scale[count:],
            categories=self._categories(model, [()], np.zeros(count, dtype=np.intp)),
            measured=model.target.scale.to_model(measured),
            has_shell=self.has_shell,
            is_metal=self.is_metal,
        )
        categories = self._categories(model, self.items.shells, self.items.shell)
        self._note_far_bare_value(model, bare)
        return PointPrediction(model, predicted[:count], scale[:count], categories, bare)

    def _note_far_bare_value(self, model: PointModel, bare: BareSide) -> None:
        """Note where a measured bare value is farther from its prediction than any paper's."""
        effect, to_unit = model.target.effect, model.target.scale.to_unit
        if effect is None or not effect.shares_whole_residual:
            return
        limit = min(model.scores.quantile(_FAR), model.scores.largest) * bare.scale
        far = ~self.is_metal & (np.abs(bare.measured - bare.predicted) > limit)
        for row in far.nonzero()[0].tolist():
            measured, usual = (float(to_unit(one[row])) for one in (bare.measured, bare.predicted))
            unit = model.target.unit
            self.notes.setdefault(row, []).append(
                f"{effect.anchor} {measured:.4g} is far from the {usual:.0f} {unit} predicted for "
                "the bare core: another sample, or another unit?"
            )

    def _categories(
        self, model: PointModel, shells: Sequence[Layers], shell: Indices
    ) -> dict[str, Mask]:
        """Return which cores with shells belong to each of the model's Mondrian categories."""
        categories: dict[str, Mask] = {}
        if not model.mondrian:
            return categories
        names = [shell_text(layers) for layers in shells]
        for name in sorted(model.mondrian):
            core, wanted = name.split(NAME_JOINT)
            is_core = self._category_members[core]
            if wanted in names and is_core.any():
                member = is_core.take(self.items.core) & (shell == names.index(wanted))
                categories |= {name: member} if member.any() else {}
        return categories

    @cached_property
    def _category_members(self) -> dict[str, Mask]:
        """Which of the distinct cores are those of Mondrian categories, by name."""
        return self._category_cores.equal(self.items.cores)
