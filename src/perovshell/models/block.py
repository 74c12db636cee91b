"""A block of requests on its way to an answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from perovshell.features.featurizer import Combination
from perovshell.models.evidence import combination_name
from perovshell.models.outputs import Wishes
from perovshell.models.spread import Spread
from perovshell.models.targets import RegressionModel

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Block:
    """What all targets need of n requests that are answered at once.

    Args:
        items: The combinations.
        bare_items: The same cores bare.
        both: Descriptor rows of the combinations, then of the bare cores, shape (2 n, p).
        coverage: Coverage of the intervals.
        wishes: Thresholds whose probability is asked.
    """

    def __init__(
        self,
        items: Sequence[Combination],
        bare_items: Sequence[Combination],
        both: Floats,
        coverage: float,
        wishes: Wishes,
    ) -> None:
        self.items = items
        self.bare_items = bare_items
        self.size = len(items)
        self.both = both
        self.coated = both[: len(items)]
        self.coverage = coverage
        self.wishes = wishes
        self.has_shell = np.array([bool(item.layers) for item in items])
        self.is_metal = np.array([item.core is not None and item.core.is_metal for item in items])
        self.may_change = self.has_shell & ~self.is_metal

    def sides(self, values: Floats) -> tuple[Floats, Floats]:
        """Return the coated and the bare part of values of `both`."""
        return values[: self.size], values[self.size :]

    def spread(self, model: RegressionModel, predicted: Floats, anchored: Mask) -> Spread:
        """Return how far values may lie from what a model predicts of `both`."""
        scale = model.difficulty.of(model.prior, self.both, predicted)
        own, bare = self.sides(scale)
        return Spread(
            model=model,
            scale=own,
            bare_scale=bare,
            places=self._places(model, self.items),
            bare_places=self._places(model, self.bare_items),
            has_shell=self.has_shell,
            is_metal=self.is_metal,
            anchored=anchored,
        )

    def _places(self, model: RegressionModel, items: Sequence[Combination]) -> dict[str, Mask]:
        """Return which items are each of the model's replicated combinations."""
        if not model.replicated:
            return {}
        names = [combination_name(item) for item in items]
        found = model.replicated.keys() & set(names)
        return {name: np.array([own == name for own in names]) for name in sorted(found)}

    def carried(
        self, model: RegressionModel, measured: Floats, bare: Floats, coated: Floats
    ) -> Floats:
        """Return coated values where what the model missed of the bare sample is carried over."""
        return np.where(self.may_change, coated + model.carry * (measured - bare), measured)
