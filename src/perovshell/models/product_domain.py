"""Applicability domain of a product of cores, shells and contexts at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from perovshell.arrays import Floats, Mask
from perovshell.data.composition import CompositionBatch
from perovshell.data.shells import ShellMaterial, shell_text
from perovshell.features.combinations import Combination
from perovshell.models.domain import MIXING_REACH, ROUNDING, Domain
from perovshell.models.domain_index import DomainIndex
from perovshell.models.evidence import Literature

Layers = tuple[ShellMaterial, ...]


@dataclass(frozen=True)
class CoreReach:
    """Domain data of n cores, independent of their shells.

    Attributes:
        known: Whether ions, structure type and mixing are known to all targets, shape (n,).
        gaps: Distance from each distinct literature core, shape (n_literature_cores, n).
        of_class: Nearest distances that shells of one class share, filled on demand.
    """

    known: Mask
    gaps: Floats
    of_class: dict[Any, Floats]


class ProductDomain:
    """The domains of all targets, for products.

    The verdict is that of `DomainIndex`; the distance is that of the
    nearest sample over the distance within which 95 % of the papers have one, for the target for
    which it is largest: above 1 is outside.

    Args:
        literature: The samples.
        domains: Domain by target name.
        domain_index: Both, laid out for many cores at once.
    """

    def __init__(
        self, literature: Literature, domains: Mapping[str, Domain], domain_index: DomainIndex
    ) -> None:
        self._literature = literature
        self._domains = dict(domains)
        self._domain_index = domain_index
        cores, self._core_of_sample = literature.distinct_cores
        self._count = len(cores)

    def cores(self, batch: CompositionBatch) -> CoreReach:
        """Compute the domain data of cores once, for any shells."""
        hits = self._domain_index.cores(batch)
        known = ~hits.unseen.any(axis=(1, 2)) & ~hits.is_odd_type.any(axis=1)
        known &= (hits.reach <= MIXING_REACH + ROUNDING).all(axis=1)
        gaps = np.ascontiguousarray(hits.summed[:, : self._count].T)
        return CoreReach(np.asarray(known), gaps, {})

    def shell_is_known(self, layers: Layers) -> bool:
        """Return whether the classes of a shell are known to all targets."""
        return not any(domain.describe_shell(layers) for domain in self._domains.values())

    def size_is_known(self, context: Combination) -> bool:
        """Return whether the core size is none smaller than any known one."""
        domains = self._domains.values()
        return not any(context.core_size_nm < domain.smallest_nm for domain in domains)

    def distance(self, reach: CoreReach, layers: Layers, structure: str) -> Floats:
        """Return the relative distance of a shell on all cores, shape (n,)."""
        apart = self._literature.shell_distances(layers, structure)
        same = self._literature.shell_names == shell_text(layers)
        classes = frozenset(layer.material_class for layer in layers)
        key = (classes, structure)
        if key not in reach.of_class:
            # Here, samples with this shell count as another shell of its class; see below.
            others = np.where(same, apart + 0.5, apart)
            reach.of_class[key] = self._nearest(reach.gaps, others)
        nearest = reach.of_class[key]
        if same.any():
            of_shell = self._nearest(reach.gaps, np.where(same, apart, np.inf))
            nearest = np.minimum(nearest, of_shell)
        reaches = np.array([domain.reach for domain in self._domains.values()])
        return np.asarray((nearest / reaches[:, None]).max(axis=0))

    def _nearest(self, gaps: Floats, apart: Floats) -> Floats:
        """Return the distance to the nearest sample of each domain, shape (n_domains, n)."""
        distances = np.full((len(self._domains), gaps.shape[1]), np.inf)
        for row, target in enumerate(self._domains):
            measured = self._literature.measured_of[target]
            least = np.full(len(gaps), np.inf)
            np.minimum.at(least, self._core_of_sample[measured], apart[measured])
            near = np.flatnonzero(np.isfinite(least))
            if len(near):
                distances[row] = (gaps[near] + least[near, None]).min(axis=0)
        return distances
