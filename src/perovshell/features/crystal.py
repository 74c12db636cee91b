"""Descriptors of the core from its ions: site fractions, radii, factors, bulk gap."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Mask
from perovshell.data.composition import CompositionBatch
from perovshell.data.formula import FormulaReader
from perovshell.data.formula_templates import NEUTRAL_WITHIN
from perovshell.data.ions import SITES
from perovshell.features.descriptor import (
    GOLDSCHMIDT,
    OCTAHEDRAL,
    REFERENCE_TABLE,
    Descriptor,
)
from perovshell.features.gaps import (
    ABX3_WITHIN,
    COMPOUND_SD,
    NAMED,
    NAMED_FRACTIONS,
    OTHER_STRUCTURE_SD,
    SITE_SPLITS,
    BulkGaps,
    design,
)

_SITE_OF_NAMED = [SITES.index(site) for site, ions in NAMED_FRACTIONS.items() for ion in ions]
# What is summed over the ions of a formula: amounts of the named ions, then of each site, then
# amounts times radii of each site, then charges.
_TOTALS = slice(len(NAMED), len(NAMED) + 3)
_RADIUS_SUMS = slice(len(NAMED) + 3, len(NAMED) + 6)
_NET = len(NAMED) + 6
_N_SUMS = _NET + 1
_ABX3 = np.array([1.0, 1.0, 3.0])
_ROUNDING = 1e-9
_LARGE = 2**40
_AT_ONCE = 2**21
"""Net charges that are computed at once: rows times choices of charges."""
_RADII = ("mean A radius", "mean B radius", "mean X radius")


def core_descriptors() -> list[Descriptor]:
    """Describe the columns of `CrystalTable.matrix`."""
    composition = "core composition"
    columns = [
        Descriptor(f"{ion} fraction on {site}", "1", REFERENCE_TABLE, composition, "core")
        for site, ions in NAMED_FRACTIONS.items()
        for ion in ions
    ]
    columns += [
        Descriptor(f"{pair} mixing", "1", REFERENCE_TABLE, composition, "core")
        for pair in ("Cl-Br", "Br-I", "Cl-I", "A-site", "B-site")
    ]
    crystal = "core crystal"
    columns += [
        Descriptor("A per B", "1", REFERENCE_TABLE, crystal, "core"),
        Descriptor("X per B", "1", REFERENCE_TABLE, crystal, "core"),
        *(Descriptor(name, "pm", REFERENCE_TABLE, crystal, "core") for name in _RADII),
        Descriptor("tolerance factor", "1", GOLDSCHMIDT, crystal, "core"),
        Descriptor("octahedral factor", "1", OCTAHEDRAL, crystal, "core"),
        Descriptor("pseudo-cubic lattice", "angstrom", GOLDSCHMIDT, crystal, "core"),
        Descriptor("bulk gap by Vegard", "eV", REFERENCE_TABLE, "core gap", "core"),
        Descriptor("metal core", "1", REFERENCE_TABLE, composition, "core"),
        Descriptor("lead-free", "1", REFERENCE_TABLE, composition, "core"),
        Descriptor("bulk gap estimate", "eV", REFERENCE_TABLE, "core gap", "core"),
        Descriptor("bulk gap uncertainty", "eV", REFERENCE_TABLE, "core gap", "core"),
        Descriptor("A guessed as Cs", "1", REFERENCE_TABLE, "core gap", "core"),
        Descriptor("B guessed as Pb, with Pb", "1", REFERENCE_TABLE, "core gap", "core"),
        Descriptor("B guessed as Pb, without Pb", "1", REFERENCE_TABLE, "core gap", "core"),
    ]
    return columns


_DERIVED = tuple(descriptor.name for descriptor in core_descriptors()[len(NAMED) :])


class CrystalTable:
    """Ion-based descriptors of many cores at once.

    Args:
        reader: Reader whose species index the batches use.
        gaps: Bulk gaps by composition.
    """

    def __init__(self, reader: FormulaReader, gaps: BulkGaps) -> None:
        """Make the table of the terms of each species in the sums, by species index.

        The last row is that of the padding index -1: all zeros.
        """
        self._ions = [reader.ions.by_symbol.get(symbol) for symbol in reader.species]
        self._per_ion = np.zeros((len(reader.species) + 1, _N_SUMS))
        for index, ion in enumerate(self._ions):
            if ion is None:
                continue
            row = self._per_ion[index]
            site = SITES.index(ion.site)
            row[_TOTALS][site] = 1.0
            row[_RADIUS_SUMS][site] = ion.radius_pm[0]
            row[_NET] = ion.charges[0]
            if ion.symbol in NAMED_FRACTIONS[ion.site]:
                row[NAMED.index(ion.symbol)] = 1.0
        self._gaps = gaps
        self._ends = np.nan_to_num(gaps.tabulated)
        self._known_ends = (~np.isnan(gaps.tabulated)).astype(float)
        self._compounds = {
            tuple(sorted((reader.species_index[ion], share) for ion, share in key)): ev
            for key, ev in gaps.compounds.items()
        }
        # Sums of these numbers tell sets of ions apart; the padding counts nothing.
        numbers = np.random.default_rng(0).integers(1, _LARGE, len(reader.species) + 1)
        numbers[-1] = 0
        self._ion_numbers = numbers
        sums = {sum(int(numbers[ion]) for ion, _ in key) for key in self._compounds}
        self._compound_numbers = np.array([*sorted(sums), np.iinfo(np.int64).max])

    def matrix(self, batch: CompositionBatch) -> Floats:
        """Return the descriptors, shape (n, len(core_descriptors())); NaN where unknown."""
        sums, squares = self._sums(batch)
        totals = sums[:, _TOTALS]
        is_core = np.asarray((totals > 0).all(axis=1))
        if is_core.all():
            on_site, metal = totals, np.zeros(len(totals))
        else:
            on_site = np.where(is_core[:, None], totals, np.nan)
            metal = np.where(batch.amounts.any(axis=1), ~is_core, np.nan)
        fractions = sums[:, : len(NAMED)] / on_site.take(_SITE_OF_NAMED, axis=1)
        ratio = on_site / on_site[:, 1:2]
        is_abx3 = np.abs(ratio - _ABX3).max(axis=1) < ABX3_WITHIN
        derived = {
            **_mixing(fractions, 1.0 - squares / on_site**2),
            "A per B": ratio[:, 0],
            "X per B": ratio[:, 2],
            **_geometry(sums[:, _RADIUS_SUMS] / on_site),
            "metal core": metal,
            **self._gaps_of(batch, fractions, is_abx3),
        }
        # One call for all of them, in the order of their descriptions.
        columns = np.concatenate([derived[name] for name in _DERIVED]).reshape(len(_DERIVED), -1)
        return np.concatenate([fractions, columns.T], axis=1)

    def _sums(self, batch: CompositionBatch) -> tuple[Floats, Floats]:
        """Return sums over the ions of each core, and sums of squared amounts by site."""
        per_ion = self._per_ion.take(batch.species, axis=0)
        sums = np.einsum("nk,nkt->nt", batch.amounts, per_ion)
        squares = np.einsum("nk,nkt->nt", batch.amounts**2, per_ion[:, :, _TOTALS])
        net = np.abs(sums[:, _NET])
        if net.max(initial=0.0) > NEUTRAL_WITHIN + _ROUNDING:
            is_core = (sums[:, _TOTALS] > 0).all(axis=1)
            other = np.flatnonzero(is_core & (net > NEUTRAL_WITHIN + _ROUNDING))
            species, amounts = batch.species[other], batch.amounts[other]
            sums[other, _RADIUS_SUMS] = self._radius_sums(species, amounts)
        return sums, squares

    def _radius_sums(self, species: npt.NDArray[np.int16], amounts: Floats) -> Floats:
        """Return amounts times radii of each site where the first charges are not neutral, (n, 3).

        Cs2SnCl6 holds Sn4+, not Sn2+. The charges are those nearest to neutral, the first of equal
        ones, for any multiple of the formula unit.
        """
        sums = np.empty((len(species), len(SITES)))
        kinds, kind = np.unique(species, axis=0, return_inverse=True)
        for number, members in enumerate(kinds):
            slots = np.flatnonzero(members >= 0)
            ions = [ion for at in members[slots] if (ion := self._ions[at]) is not None]
            charges = np.array([*itertools.product(*(ion.charges for ion in ions))], dtype=float)
            radii = np.array([*itertools.product(*(ion.radius_pm for ion in ions))])
            on_site = np.array([[ion.site == site for site in SITES] for ion in ions])
            rows = np.flatnonzero(kind.ravel() == number)
            step = max(_AT_ONCE // len(charges), 1)
            for start in range(0, len(rows), step):
                at = rows[start : start + step]
                given = amounts[np.ix_(at, slots)]
                net = np.abs(given @ charges.T) / given.sum(axis=1, keepdims=True)
                weighted = given * radii[net.round(9).argmin(axis=1)]
                sums[at] = np.where(on_site, weighted[:, :, None], 0.0).sum(axis=1)
        return sums

    def _gaps_of(
        self, batch: CompositionBatch, fractions: Floats, is_abx3: Mask
    ) -> dict[str, Floats]:
        """Return the gap by Vegard's rule, by all measurements, its sd, and the guessed shares.

        A compound that was measured has its gap. Of others, an ion without a tabulated gap on A is
        taken for Cs and on B for Pb: the edges of the bands are made of B and X, so A matters
        little; B is a rough guess. One on X is left out, another structure is taken for A B X3.
        By Vegard's rule nothing is guessed: NaN where the gap of an end member is unknown.
        """
        filled, on_a, on_b, is_named = _filled(fractions)
        terms = design(filled)
        weights = terms[:, : len(self._ends)]
        gap, sd = self._gaps.of_terms(terms)
        sd[~is_abx3 & ~np.isnan(sd)] = OTHER_STRUCTURE_SD
        is_known = is_abx3 & is_named & (weights @ self._known_ends > 1.0 - _ROUNDING)
        vegard = np.where(is_known, weights @ self._ends, np.nan)
        for row, measured in self._measured(batch):
            if not (is_abx3[row] and is_named[row]):
                vegard[row] = gap[row] = measured
                sd[row], on_a[row], on_b[row] = COMPOUND_SD, 0.0, 0.0
        has_lead = fractions[:, SITE_SPLITS[0]] > 0.0
        return {
            "bulk gap by Vegard": vegard,
            "bulk gap estimate": gap,
            "bulk gap uncertainty": sd,
            "A guessed as Cs": on_a,
            "B guessed as Pb, with Pb": on_b * has_lead,
            "B guessed as Pb, without Pb": on_b * ~has_lead,
        }

    def _measured(self, batch: CompositionBatch) -> Iterator[tuple[int, float]]:
        """Yield the rows of a batch whose compound was measured, with its gap."""
        numbers = np.where(batch.amounts > 0, self._ion_numbers.take(batch.species), 0).sum(axis=1)
        known = self._compound_numbers
        equal = known.take(known.searchsorted(numbers)) == numbers
        for row in equal.nonzero()[0].tolist():
            gap = self._compounds.get(_key(batch.species[row], batch.amounts[row]))
            if gap is not None:
                yield row, gap


def _mixing(fractions: Floats, mixing: Floats) -> dict[str, Floats]:
    """Return what mixes on the sites, and whether there is no lead.

    Args:
        fractions: Site fractions of `NAMED`, shape (n, 8).
        mixing: One less the sum of the squared shares on each site, shape (n, 3).
    """
    lead = fractions[:, SITE_SPLITS[0]]
    chloride, bromide, iodide = fractions[:, -3:].T
    return {
        "Cl-Br mixing": chloride * bromide,
        "Br-I mixing": bromide * iodide,
        "Cl-I mixing": chloride * iodide,
        "A-site mixing": mixing[:, 0],
        "B-site mixing": mixing[:, 1],
        "lead-free": np.where(np.isnan(lead), np.nan, lead == 0.0),
    }


def _geometry(radii: Floats) -> dict[str, Floats]:
    """Return what follows from the mean radii (pm) on A, B and X, shape (n, 3)."""
    a, b, x = radii.T
    bond = b + x
    return {
        "mean A radius": a,
        "mean B radius": b,
        "mean X radius": x,
        "tolerance factor": (a + x) / (math.sqrt(2) * bond),
        "octahedral factor": b / x,
        "pseudo-cubic lattice": 2.0 * bond / 100.0,
    }


def _filled(fractions: Floats) -> tuple[Floats, Floats, Floats, Mask]:
    """Return fractions with other ions on A as Cs and on B as Pb, and X of the named ions alone.

    Also the shares that were taken for Cs and for Pb, and which rows had named ions only.
    """
    first, second = SITE_SPLITS
    rest = 1.0 - np.add.reduceat(fractions, (0, *SITE_SPLITS), axis=1)
    rest = np.where(rest < _ROUNDING, 0.0, rest)
    on_a, on_b, _ = rest.T
    is_named = (rest == 0.0).all(axis=1)
    if is_named.all():
        return fractions, on_a, on_b, is_named
    filled = fractions.copy()
    filled[:, 0] += on_a
    filled[:, first] += on_b
    with np.errstate(invalid="ignore"):
        filled[:, second:] /= filled[:, second:].sum(axis=1, keepdims=True)
    return filled, on_a, on_b, is_named


def _key(species: npt.NDArray[np.int16], amounts: Floats) -> tuple[tuple[int, float], ...]:
    total = float(amounts.sum())
    pairs = zip(species.tolist(), amounts.tolist(), strict=True)
    return tuple(sorted((ion, round(amount / total, 6)) for ion, amount in pairs if amount > 0))
