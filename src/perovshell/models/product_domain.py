"""Applicability domain of a product of cores, shells and contexts at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
        known: Whether ions, structure type and mixing are known to a target, shape (n_domains, n).
        gaps: Distance from each distinct literature core, shape (n_literature_cores, n).
        of_class: Nearest distances that shells of one class share, filled on demand.
    """

    known: Mask
    gaps: Floats
    of_class: dict[Any, Floats]


class ProductDomain:
    """The domains of all targets, for products.

    The verdict is that of `DomainIndex`; the distance is that of the
    nearest sample over the distance within which 95 % of the papers have one: above 1 is outside.

    Args:
        literature: The samples.
        domains: Domain by its label.
        domain_index: Both, laid out for many cores at once.

    Attributes:
        labels: The labels, in the order of all that has a row a domain.
    """

    def __init__(
        self, literature: Literature, domains: Mapping[str, Domain], domain_index: DomainIndex
    ) -> None:
        self._literature = literature
        self.labels = tuple(domains)
        self._domains = list(domains.values())
        self._reaches = np.array([domain.reach for domain in self._domains])
        self._domain_index = domain_index
        cores, self._core_of_sample = literature.distinct_cores
        self._count = len(cores)

    def cores(self, batch: CompositionBatch) -> CoreReach:
        """Compute the domain data of cores once, for any shells."""
        hits = self._domain_index.cores(batch)
        known = ~hits.unseen.any(axis=2) & ~hits.is_odd_type
        known &= hits.reach <= MIXING_REACH + ROUNDING
        gaps = np.ascontiguousarray(hits.summed[:, : self._count].T)
        return CoreReach(np.ascontiguousarray(known.T), gaps, {})

    def known_shells(self, shells: Sequence[Layers]) -> Mask:
        """Return which shells have classes that a target knows, shape (n_domains, n_shells)."""
        return np.array(
            [[not one.describe_shell(layers) for layers in shells] for one in self._domains]
        )

    def known_sizes(self, contexts: Sequence[Combination]) -> Mask:
        """Return which core sizes are none below those of a target, (n_domains, n_contexts)."""
        sizes = np.array([context.core_size_nm for context in contexts])
        smallest = np.array([domain.smallest_nm for domain in self._domains])
        return ~(sizes < smallest[:, None])

    def distance(self, reach: CoreReach, layers: Layers, structure: str) -> Floats:
        """Return the relative distance of a shell on all cores, shape (n_domains, n)."""
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
        return np.asarray(nearest / self._reaches[:, None])

    def _nearest(self, gaps: Floats, apart: Floats) -> Floats:
        """Return the distance to the nearest sample of each domain, shape (n_domains, n)."""
        distances = np.full((len(self.labels), gaps.shape[1]), np.inf)
        for row, label in enumerate(self.labels):
            measured = self._literature.measured_of[label]
            least = np.full(len(gaps), np.inf)
            np.minimum.at(least, self._core_of_sample[measured], apart[measured])
            near = np.flatnonzero(np.isfinite(least))
            if len(near):
                distances[row] = (gaps[near] + least[near, None]).min(axis=0)
        return distances
