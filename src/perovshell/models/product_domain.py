"""Domain verdicts for a product of cores, shells and contexts at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.data.shells import ShellMaterial, shell_text
from perovshell.features.combinations import Combination
from perovshell.models.domain import MIXING_REACH, ROUNDING, Domain
from perovshell.models.domain_index import DomainIndex
from perovshell.models.evidence import Literature

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Layers = tuple[ShellMaterial, ...]


@dataclass(frozen=True)
class CoreReach:
    """What the domain knows of n cores.

    Attributes:
        known: Whether ions and mixing are known to all targets, shape (n,).
        gaps: Distance from each distinct literature core, shape (n_literature_cores, n).
        of_class: Nearest distances that shells of a class share, filled as they are asked for.
    """

    known: Mask
    gaps: Floats
    of_class: dict[Any, Floats]


class ProductDomain:
    """The domains of all targets, for products.

    The verdict is that of `DomainIndex`, whatever the reason; the distance is that of the
    nearest sample over the distance within which 95 % of the papers have one, for the target for
    which it is largest: above 1 is outside.

    Args:
        literature: The samples.
        domains: Domain by target name.
        surroundings: Both, laid out for many cores at once.
    """

    def __init__(
        self, literature: Literature, domains: Mapping[str, Domain], surroundings: DomainIndex
    ) -> None:
        self._literature = literature
        self._domains = dict(domains)
        self._surroundings = surroundings
        cores, self._core_of_sample = literature.distinct_cores
        self._count = len(cores)

    def cores(self, fractions: Floats) -> CoreReach:
        """Look at cores once, whatever shells they meet.

        Args:
            fractions: Site fractions over the ion table, shape (n, n_ions).
        """
        found = self._surroundings.cores(fractions)
        known = ~found.unseen.any(axis=(1, 2))
        known &= (found.reach <= MIXING_REACH + ROUNDING).all(axis=1)
        gaps = np.ascontiguousarray(found.summed[:, : self._count].T)
        return CoreReach(np.asarray(known), gaps, {})

    def shell_is_known(self, layers: Layers) -> bool:
        """Return whether the classes of a shell are known to all targets."""
        return not any(domain.shell_outside(layers) for domain in self._domains.values())

    def size_is_known(self, context: Combination) -> bool:
        """Return whether the core size is none smaller than any known one."""
        domains = self._domains.values()
        return not any(context.core_size_nm < domain.smallest_nm for domain in domains)

    def distance(self, reach: CoreReach, layers: Layers, structure: str) -> Floats:
        """Return the relative distance of a shell on all cores, shape (n,)."""
        apart = self._literature.shell_distances(layers, structure)
        own = self._literature.shell_names == shell_text(layers)
        classes = frozenset(layer.material_class for layer in layers)
        key = (classes, structure)
        if key not in reach.of_class:
            others = np.where(own, apart + 0.5, apart)
            reach.of_class[key] = self._nearest(reach.gaps, others)
        nearest = reach.of_class[key]
        if own.any():
            nearest = np.minimum(nearest, self._nearest(reach.gaps, np.where(own, apart, np.inf)))
        reaches = np.array([domain.reach for domain in self._domains.values()])
        return np.asarray((nearest / reaches[:, None]).max(axis=0))

    def _nearest(self, gaps: Floats, apart: Floats) -> Floats:
        """Return the distance to the nearest sample of each target, shape (n_targets, n)."""
        found = np.full((len(self._domains), gaps.shape[1]), np.inf)
        for row, target in enumerate(self._domains):
            measured = self._literature.measured_of[target]
            least = np.full(len(gaps), np.inf)
            np.minimum.at(least, self._core_of_sample[measured], apart[measured])
            near = np.flatnonzero(np.isfinite(least))
            if len(near):
                found[row] = (gaps[near] + least[near, None]).min(axis=0)
        return found
