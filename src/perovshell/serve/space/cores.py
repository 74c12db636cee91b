"""The cores of a design space: a list of formulas, or a mixing grid that is never written out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.composition import Composition, CompositionBatch
from perovshell.data.formula import FormulaReader
from perovshell.data.formula_templates import NEUTRAL_WITHIN
from perovshell.data.ions import SITES
from perovshell.serve.space.mixtures import Mixture, SiteGrid

_AMOUNT = {"A": 1, "B": 1, "X": 3}
_ROUNDING = 1e-9
_THIRDS = 3
"""Cores are grouped by the majority on A and B and by the nearest third on X, as in CsPbBr2I."""


class Cores(Protocol):
    """Numbered cores; see `CoreList` and `CoreGrid`."""

    @property
    def reader(self) -> FormulaReader:
        """Reader with the ion table."""

    @property
    def size(self) -> int:
        """Number of cores, including those that are not neutral."""

    @property
    def neutral(self) -> int:
        """Number of neutral cores."""

    @property
    def families(self) -> tuple[str, ...]:
        """Names of the groups of similar cores."""

    def batch(self, start: int, stop: int) -> tuple[CompositionBatch, Mask]:
        """Return cores as arrays, and which of them are neutral."""

    def family(self, start: int, stop: int) -> Indices:
        """Return the group of each core."""

    def composition(self, index: int) -> Composition:
        """Return one core."""

    def find(self, core: Composition) -> int | None:
        """Return the number of a core in any spelling, or None."""

    def holds(self, core: Composition) -> bool:
        """Whether a core is one of them, or lies between the steps of a grid."""

    def has_ion(self, ion: str) -> bool:
        """Whether any of them has an ion."""

    def to_mapping(self) -> dict[str, Any]:
        """Return the keys of a design space that are read as these cores."""


@dataclass(frozen=True)
class CoreList:
    """Listed cores, all different and neutral.

    Attributes:
        formulas: Formulas of the cores, as given.
        reader: Reads the formulas; the batches use its species index.
    """

    formulas: tuple[str, ...]
    reader: FormulaReader = field(compare=False, repr=False)

    @classmethod
    def distinct(cls, formulas: Iterable[str], reader: FormulaReader) -> CoreList:
        """Return a list with the first formula of each composition."""
        first: dict[object, str] = {}
        for formula in formulas:
            first.setdefault(reader.read_core(formula).key, formula)
        return cls(tuple(first.values()), reader)

    @cached_property
    def cores(self) -> tuple[Composition, ...]:
        """The cores."""
        return tuple(map(self.reader.read_core, self.formulas))

    @property
    def size(self) -> int:
        """Number of cores."""
        return len(self.formulas)

    @property
    def neutral(self) -> int:
        """Number of neutral cores: all."""
        return self.size

    @cached_property
    def families(self) -> tuple[str, ...]:
        """Names of the groups: one for each core."""
        return tuple(core.formula for core in self.cores)

    def batch(self, start: int, stop: int) -> tuple[CompositionBatch, Mask]:
        """Return cores as arrays; all are neutral."""
        cores = self.cores[start:stop]
        batch = self.reader.batch([core.amounts for core in cores])
        return batch, np.ones(len(cores), dtype=bool)

    def family(self, start: int, stop: int) -> Indices:
        """Return the group of each core: itself."""
        return np.arange(start, stop)

    def composition(self, index: int) -> Composition:
        """Return one core."""
        return self.cores[index]

    def find(self, core: Composition) -> int | None:
        """Return the number of a core in any spelling, or None."""
        return self._index_of.get(core.key)

    def holds(self, core: Composition) -> bool:
        """Whether a core is one of them."""
        return self.find(core) is not None

    def has_ion(self, ion: str) -> bool:
        """Whether any of them has an ion."""
        return any(ion in dict(core.amounts) for core in self.cores)

    def to_mapping(self) -> dict[str, Any]:
        """Return the keys of a design space that are read as these cores."""
        return {"cores": list(self.formulas)}

    @cached_property
    def _index_of(self) -> dict[object, int]:
        return {core.key: index for index, core in enumerate(self.cores)}


@dataclass(frozen=True)
class CoreGrid:
    """All ABX3 cores of the mixtures of three sites; A runs fastest, X slowest.

    Attributes:
        sites: The sites A, B and X.
        reader: Reader with the ion table.
    """

    sites: Mapping[str, SiteGrid]
    reader: FormulaReader = field(compare=False, repr=False)

    @property
    def size(self) -> int:
        """Number of cores, including those that are not neutral."""
        return math.prod(len(self._mixtures[site]) for site in SITES)

    def to_mapping(self) -> dict[str, Any]:
        """Return the keys of a design space that are read as these cores."""
        dopants = {
            dopant: [float(level) for level in levels]
            for site in SITES
            for dopant, levels in self.sites[site].dopants.items()
        }
        cores = {site: self.sites[site].to_mapping() for site in SITES}
        return {"cores": cores} | ({"dopants": dopants} if dopants else {})

    @cached_property
    def _mixtures(self) -> dict[str, tuple[Mixture, ...]]:
        return {site: grid.mixtures for site, grid in self.sites.items()}

    @property
    def neutral(self) -> int:
        """Number of neutral cores."""
        classes = [np.bincount(self._charge_class[site]) for site in SITES]
        return int(np.einsum("a,b,x,abx->", *classes, self._is_neutral))

    def batch(self, start: int, stop: int) -> tuple[CompositionBatch, Mask]:
        """Return cores as arrays, and which of them are neutral."""
        indices = self._site_indices(start, stop)
        parts = [self._arrays[site] for site in SITES]
        species = np.hstack([part[0][index] for part, index in zip(parts, indices, strict=True)])
        amounts = np.hstack([part[1][index] for part, index in zip(parts, indices, strict=True)])
        charges = [self._charge_class[s][index] for s, index in zip(SITES, indices, strict=True)]
        return CompositionBatch(species, amounts, {}), self._is_neutral[tuple(charges)]

    def _site_indices(self, start: int, stop: int) -> tuple[Indices, ...]:
        index = np.arange(start, stop)
        n_a, n_b = len(self._mixtures["A"]), len(self._mixtures["B"])
        return index % n_a, index // n_a % n_b, index // (n_a * n_b)

    @cached_property
    def _arrays(self) -> dict[str, tuple[npt.NDArray[np.int16], Floats]]:
        """Species and amounts of each mixture of a site, padded."""
        order = {ion: rank for rank, ion in enumerate(self.reader.ions.by_symbol)}
        by_site = {}
        for site, members in self._mixtures.items():
            width = max(len(mixture.shares) for mixture in members)
            species = np.full((len(members), width), -1, dtype=np.int16)
            amounts = np.zeros((len(members), width))
            for row, mixture in enumerate(members):
                # In the order of a formula, which decides between charges that are equally neutral.
                shares = sorted(mixture.shares, key=lambda part: order[part[0]])
                for column, (ion, share) in enumerate(shares):
                    species[row, column] = self.reader.species_index[ion]
                    amounts[row, column] = float(share * _AMOUNT[site])
            by_site[site] = species, amounts
        return by_site

    # Neutrality ------------------------------------------------------------------------------

    @cached_property
    def _charges(self) -> dict[str, tuple[list[tuple[float, ...]], list[int]]]:
        """The distinct charge sets of the mixtures of a site, and the index of each mixture."""
        by_site = {}
        for site, members in self._mixtures.items():
            sets = [self._charge_set(site, mixture) for mixture in members]
            distinct = list(dict.fromkeys(sets))
            by_site[site] = distinct, [distinct.index(charges) for charges in sets]
        return by_site

    def _charge_set(self, site: str, mixture: Mixture) -> tuple[float, ...]:
        ions = [self.reader.ions.by_symbol[ion] for ion, _ in mixture.shares]
        amounts = [float(share * _AMOUNT[site]) for _, share in mixture.shares]
        totals = {
            round(math.fsum(q * amount for q, amount in zip(choice, amounts, strict=True)), 9)
            for choice in itertools.product(*(ion.charges for ion in ions))
        }
        return tuple(sorted(totals))

    @cached_property
    def _charge_class(self) -> dict[str, Indices]:
        return {
            site: np.array(indices, dtype=np.intp) for site, (_, indices) in self._charges.items()
        }

    @cached_property
    def _is_neutral(self) -> Mask:
        """Whether any choice of charges is neutral, by the charge sets of A, B and X."""
        sets = [self._charges[site][0] for site in SITES]
        table = np.zeros([len(charges) for charges in sets], dtype=bool)
        for cell in np.ndindex(table.shape):
            choices = itertools.product(
                *(charges[k] for charges, k in zip(sets, cell, strict=True))
            )
            table[cell] = any(abs(sum(q)) <= NEUTRAL_WITHIN + _ROUNDING for q in choices)
        return table

    # Names -----------------------------------------------------------------------------------

    @cached_property
    def _family_names(self) -> dict[str, tuple[list[str], Indices]]:
        by_site = {}
        for site, members in self._mixtures.items():
            names = [mixture.family(_THIRDS if site == "X" else 1) for mixture in members]
            distinct = list(dict.fromkeys(names))
            by_site[site] = distinct, np.array([distinct.index(name) for name in names])
        return by_site

    @cached_property
    def families(self) -> tuple[str, ...]:
        """Names of the groups of similar cores."""
        names = [self._family_names[site][0] for site in SITES]
        return tuple(a + b + x for x in names[2] for b in names[1] for a in names[0])

    def family(self, start: int, stop: int) -> Indices:
        """Return the group of each core."""
        n_a, n_b = (len(self._family_names[site][0]) for site in ("A", "B"))
        a, b, x = (
            self._family_names[site][1][index]
            for site, index in zip(SITES, self._site_indices(start, stop), strict=True)
        )
        return np.asarray(a + n_a * (b + n_b * x))

    def composition(self, index: int) -> Composition:
        """Return one core."""
        indices = [int(index[0]) for index in self._site_indices(index, index + 1)]
        parts = zip(SITES, indices, strict=True)
        return self.reader.read_core(
            "".join(self._mixtures[site][number].text(_AMOUNT[site]) for site, number in parts)
        )

    def find(self, core: Composition) -> int | None:
        """Return the number of a core in any spelling, or None."""
        if core.is_metal:
            return None
        index = 0
        for site in reversed(SITES):
            shares = core.site_fractions(site)
            key = tuple(sorted((ion, round(share, 6)) for ion, share in shares.items()))
            number = self._mixture_numbers[site].get(key)
            if number is None:
                return None
            index = index * len(self._mixtures[site]) + number
        # The same mixtures in other proportions, as in Cs3Bi2Br9, are no ABX3.
        _, neutral = self.batch(index, index + 1)
        same = neutral[0] and self.composition(index).key == core.key
        return index if same else None

    def holds(self, core: Composition) -> bool:
        """Whether a core is one of them, or lies between the steps."""
        if core.is_metal or not self._is_abx3(core):
            return False
        return all(self.sites[site].holds(core.site_fractions(site)) for site in SITES)

    def has_ion(self, ion: str) -> bool:
        """Whether any of them has an ion."""
        return any(ion in grid.ions or ion in grid.dopants for grid in self.sites.values())

    @staticmethod
    def _is_abx3(core: Composition) -> bool:
        amounts = dict.fromkeys(SITES, 0.0)
        for ion, (_, amount) in zip(core.ions, core.amounts, strict=True):
            amounts[ion.site] += amount
        return all(
            abs(amounts[site] - _AMOUNT[site] * amounts["B"]) < _ROUNDING * amounts["X"]
            for site in SITES
        )

    @cached_property
    def _mixture_numbers(self) -> dict[str, dict[tuple[tuple[str, float], ...], int]]:
        return {
            site: {mixture.key: number for number, mixture in enumerate(members)}
            for site, members in self._mixtures.items()
        }
