"""A block of requests on its way to an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from perovshell.data.composition import CompositionBatch
from perovshell.data.shells import shell_text
from perovshell.features.combinations import Layers, Places
from perovshell.models.evidence import NAME_JOINT
from perovshell.models.outputs import Wishes
from perovshell.models.requests import Requests
from perovshell.models.spread import Spread
from perovshell.models.targets import RegressionModel

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Block:
    """What all targets need of n requests that are answered at once.

    Args:
        requests: The requests.
        both: Descriptor rows of the combinations, then of the bare cores, shape (2 n, p).
        is_metal: Whether the core is a metal, shape (n,).
        replicated: Cores of the models' replicated combinations.
        coverage: Coverage of the intervals.
        wishes: Thresholds whose probability is asked.
    """

    def __init__(
        self,
        requests: Requests,
        both: Floats,
        is_metal: Mask,
        replicated: Mapping[str, CompositionBatch],
        coverage: float,
        wishes: Wishes,
    ) -> None:
        self.requests = requests
        self.items = requests.items
        self.size = len(requests)
        self.both = both
        self.coated = both[: self.size]
        self.coverage = coverage
        self.wishes = wishes
        self.has_shell = self.items.has_shell
        self.is_metal = is_metal
        self.may_change = self.has_shell & ~self.is_metal
        self._replicated = replicated

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
        """Return which cores with shells are each of the model's replicated combinations."""
        found: dict[str, Mask] = {}
        if not model.replicated:
            return found
        names = [shell_text(layers) for layers in shells]
        for name in sorted(model.replicated):
            wanted = name.split(NAME_JOINT)[1]
            cores = self.requests.with_core(self._replicated[name]) if wanted in names else []
            if cores:
                place = np.isin(self.items.core, cores) & (shell == names.index(wanted))
                found |= {name: place} if place.any() else {}
        return found

    def carried(
        self, model: RegressionModel, measured: Floats, bare: Floats, coated: Floats
    ) -> Floats:
        """Return coated values where what the model missed of the bare sample is carried over."""
        return np.where(self.may_change, coated + model.carry * (measured - bare), measured)
