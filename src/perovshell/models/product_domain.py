"""Domain verdicts for a product of cores, shells and contexts at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.data.shells import ShellMaterial, shell_text
from perovshell.features.featurizer import Combination
from perovshell.models.evidence import (
    FEW_PAPERS,
    MIXING_REACH,
    ROUNDING,
    Domain,
    Literature,
)

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]
Layers = tuple[ShellMaterial, ...]
_TINY = 1e-12


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

    The verdict is that of `Domain.outside`, whatever the reason; the distance is that of the
    nearest sample over the distance within which 95 % of the papers have one, for the target for
    which it is largest: above 1 is outside.

    Args:
        literature: The samples.
        domains: Domain by target name.
    """

    def __init__(self, literature: Literature, domains: Mapping[str, Domain]) -> None:
        self._literature = literature
        self._domains = dict(domains)
        self._cores, self._core_of_sample = literature.distinct_cores

    def cores(self, fractions: Floats) -> CoreReach:
        """Look at cores once, whatever shells they meet.

        Args:
            fractions: Site fractions over the ion table, shape (n, n_ions).
        """
        own = np.flatnonzero(fractions.any(axis=0))
        gaps = _apart(self._cores, fractions, own, np.add)
        known = np.ones(len(fractions), dtype=bool)
        for domain in self._domains.values():
            unseen = own[~self._seen(domain)[own]]
            known &= ~(fractions[:, unseen] > 0.0).any(axis=1)
            apart = _apart(domain.fractions, fractions, own, np.maximum)
            known &= apart.min(axis=0) <= MIXING_REACH + ROUNDING
        return CoreReach(known, gaps, {})

    def _seen(self, domain: Domain) -> Mask:
        symbols = self._literature.symbols
        return np.array([domain.ion_papers.get(symbol, 0) >= FEW_PAPERS for symbol in symbols])

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


def _apart(known: Floats, fractions: Floats, own: Places, add: np.ufunc) -> Floats:
    """Return the sums or the largest of the differences of site fractions, shape (n_known, n).

    Args:
        known: Site fractions of known cores.
        fractions: Site fractions of n cores.
        own: The ions that these have: of the others, the difference is the known fraction.
        add: `np.add` for sums, `np.maximum` for the largest.
    """
    rest = np.ones(known.shape[1], dtype=bool)
    rest[own] = False
    found = np.repeat(add.reduce(known[:, rest], axis=1, initial=0.0)[:, None], len(fractions), 1)
    for ion in own:
        add(found, np.abs(known[:, ion, None] - fractions[:, ion]), out=found)
    return found


def site_fractions(
    species: npt.NDArray[np.int16],
    amounts: Floats,
    ion_of_species: Places,
    site_of_ion: Places,
) -> Floats:
    """Return the fraction of each ion on its own site, shape (n, n_ions).

    Args:
        species: Species of each entry, -1 where padded, shape (n, k).
        amounts: Their amounts, shape (n, k).
        ion_of_species: Ion of each species; the last entry is that of the padding.
        site_of_ion: Site of each ion.
    """
    ions = ion_of_species[species]
    rows = np.arange(len(species))[:, None]
    found = np.zeros((len(species), len(site_of_ion)))
    np.add.at(found, (np.broadcast_to(rows, ions.shape), ions), amounts)
    for site in np.unique(site_of_ion):
        own = site_of_ion == site
        total = found[:, own].sum(axis=1, keepdims=True)
        found[:, own] /= np.maximum(total, _TINY)
    return found
