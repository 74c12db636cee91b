"""A block of requests on its way to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from perovshell.data.composition import CompositionBatch
from perovshell.data.shells import shell_text
from perovshell.features.combinations import Layers, Places
from perovshell.models.evidence import NAME_JOINT
from perovshell.models.outputs import Thresholds
from perovshell.models.requests import Requests
from perovshell.models.spread import Spread
from perovshell.models.targets import RegressionModel

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class PredictionBatch:
    """What all targets need of n requests that are answered at once.

    Args:
        requests: The requests.
        both: Descriptor rows of the combinations, then of the bare cores, shape (2 n, p).
        is_metal: Whether the core is a metal, shape (n,).
        mondrian: Cores of the models' mondrian combinations.
        coverage: Coverage of the intervals.
        thresholds: Thresholds whose probability is asked.
    """

    def __init__(
        self,
        requests: Requests,
        both: Floats,
        is_metal: Mask,
        mondrian: Mapping[str, CompositionBatch],
        coverage: float,
        thresholds: Thresholds,
    ) -> None:
        self.requests = requests
        self.items = requests.items
        self.size = len(requests)
        self.both = both
        self.coated = both[: self.size]
        self.coverage = coverage
        self.thresholds = thresholds
        self.has_shell = self.items.has_shell
        self.is_metal = is_metal
        self.may_change = self.has_shell & ~self.is_metal
        self._mondrian = mondrian

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
            places=self._places(model, self.items.shells, self.items.shell),
            bare_places=self._places(model, [()], np.zeros(self.size, dtype=np.intp)),
            has_shell=self.has_shell,
            is_metal=self.is_metal,
            anchored=anchored,
        )

    def _places(
        self, model: RegressionModel, shells: Sequence[Layers], shell: Places
    ) -> dict[str, Mask]:
        """Return which cores with shells are each of the model's mondrian combinations."""
        found: dict[str, Mask] = {}
        if not model.mondrian:
            return found
        names = [shell_text(layers) for layers in shells]
        for name in sorted(model.mondrian):
            wanted = name.split(NAME_JOINT)[1]
            cores = self.requests.with_core(self._mondrian[name]) if wanted in names else []
            if cores:
                place = np.isin(self.items.core, cores) & (shell == names.index(wanted))
                found |= {name: place} if place.any() else {}
        return found

    def carried(
        self, model: RegressionModel, measured: Floats, bare: Floats, coated: Floats
    ) -> Floats:
        """Return coated values where what the model missed of the bare sample is carried over."""
        return np.where(
            self.may_change, coated + model.residual_share * (measured - bare), measured
        )
