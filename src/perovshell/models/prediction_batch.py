"""A batch of requests on its way to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.composition import CompositionBatch
from perovshell.data.shells import shell_text
from perovshell.features.combinations import Layers
from perovshell.models.evidence import NAME_JOINT
from perovshell.models.point import BareSide, PointModel, PointPrediction
from perovshell.models.requests import Requests

_FAR: Final = 0.99
"""Coverage of the interval of a bare value outside of which a measured one is noted."""


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
        category_cores: Mapping[str, CompositionBatch],
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
            wanted = name.split(NAME_JOINT)[1]
            cores = self.requests.with_core(self._category_cores[name]) if wanted in names else []
            if cores:
                member = np.isin(self.items.core, cores) & (shell == names.index(wanted))
                categories |= {name: member} if member.any() else {}
        return categories
