"""Descriptors of the core from its ions: site fractions, radii, factors, bulk gap."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Mask
from perovshell.data.composition import CompositionBatch
from perovshell.data.formula import FormulaReader
from perovshell.data.formula_templates import NEUTRAL_WITHIN
from perovshell.data.ions import SITES
from perovshell.data.tables import Row
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
    member_weights,
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
        core_rows: Rows with the columns of `materials/cores.csv`, for bulk gaps.
        gaps: Bulk gaps by composition.
    """

    def __init__(self, reader: FormulaReader, core_rows: Iterable[Row], gaps: BulkGaps) -> None:
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
        members, self._other_gaps = _bulk_gaps(reader, core_rows)
        self._members = np.nan_to_num(members.ravel())
        self._known_members = (~np.isnan(members.ravel())).astype(float)
        self._gaps = gaps
        self._compounds = {
            tuple(sorted((reader.species_index[ion], share) for ion, share in key)): ev
            for key, ev in gaps.compounds.items()
        }

    def matrix(self, batch: CompositionBatch) -> Floats:
        """Return the descriptors, shape (n, len(core_descriptors())); NaN where unknown."""
        per_ion = self._per_ion.take(batch.species, axis=0)
        sums = np.einsum("nk,nkt->nt", batch.amounts, per_ion)
        squares = np.einsum("nk,nkt->nt", batch.amounts**2, per_ion[:, :, _TOTALS])
        totals = sums[:, _TOTALS]
        is_core = (totals > 0).all(axis=1)
        net = np.abs(sums[:, _NET])
        if net.max(initial=0.0) > NEUTRAL_WITHIN + _ROUNDING:
            other = np.flatnonzero(is_core & (net > NEUTRAL_WITHIN + _ROUNDING))
            species, amounts = batch.species[other], batch.amounts[other]
            sums[other, _RADIUS_SUMS] = self._radius_sums(species, amounts)
        if is_core.all():
            on_site, metal = totals, np.zeros(len(totals))
        else:
            on_site = np.where(is_core[:, None], totals, np.nan)
            metal = np.where(batch.amounts.any(axis=1), ~is_core, np.nan)
        fractions = sums[:, : len(NAMED)] / on_site.take(_SITE_OF_NAMED, axis=1)
        chloride, bromide, iodide = fractions[:, -3:].T
        mixing = (1.0 - squares / on_site**2).T
        ratio = on_site / on_site[:, 1:2]
        a, b, x = (sums[:, _RADIUS_SUMS] / on_site).T
        is_abx3 = np.abs(ratio - _ABX3).max(axis=1) < ABX3_WITHIN
        gap = self._vegard(batch, fractions, is_abx3)
        estimate, uncertainty, guessed_a, guessed_b = self._estimate(batch, fractions, is_abx3)
        has_lead = fractions[:, SITE_SPLITS[0]] > 0
        bond = b + x
        derived = {
            "Cl-Br mixing": chloride * bromide,
            "Br-I mixing": bromide * iodide,
            "Cl-I mixing": chloride * iodide,
            "A-site mixing": mixing[0],
            "B-site mixing": mixing[1],
            "A per B": ratio[:, 0],
            "X per B": ratio[:, 2],
            "mean A radius": a,
            "mean B radius": b,
            "mean X radius": x,
            "tolerance factor": (a + x) / (math.sqrt(2) * bond),
            "octahedral factor": b / x,
            "pseudo-cubic lattice": 2.0 * bond / 100.0,
            "bulk gap by Vegard": gap,
            "metal core": metal,
            "bulk gap estimate": estimate,
            "bulk gap uncertainty": uncertainty,
            "A guessed as Cs": guessed_a,
            "B guessed as Pb, with Pb": guessed_b * has_lead,
            "B guessed as Pb, without Pb": guessed_b * ~has_lead,
        }
        # One call for all of them, in the order of their descriptions.
        columns = np.concatenate([derived[name] for name in _DERIVED]).reshape(len(_DERIVED), -1)
        return np.concatenate([fractions, columns.T], axis=1)

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

    def _estimate(
        self, batch: CompositionBatch, fractions: Floats, is_abx3: Mask
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """Return the gap, its standard deviation, and the shares taken for Cs and for Pb.

        A compound that was measured has its gap. Of others, an ion without a tabulated gap on A is
        taken for Cs and on B for Pb: the edges of the bands are made of B and X, so A matters
        little; B is a rough guess. That of another structure is taken for A B X3.
        """
        first, second = SITE_SPLITS
        filled = fractions.copy()
        on_a = _rest(fractions[:, :first])
        on_b = _rest(fractions[:, first:second])
        filled[:, 0] += on_a
        filled[:, first] += on_b
        gap, sd = self._gaps.mixtures(filled)
        sd[~is_abx3 & ~np.isnan(sd)] = OTHER_STRUCTURE_SD
        for row in np.flatnonzero(~is_abx3 | (on_a > 0) | (on_b > 0)):
            measured = self._compounds.get(_key(batch.species[row], batch.amounts[row]))
            if measured is not None:
                gap[row], sd[row], on_a[row], on_b[row] = measured, COMPOUND_SD, 0.0, 0.0
        return gap, sd, on_a, on_b

    def _vegard(self, batch: CompositionBatch, fractions: Floats, is_abx3: Mask) -> Floats:
        """Vegard's rule between bulk gaps of ABX3 end members; NaN where one is unknown."""
        weights = member_weights(fractions)
        known = weights @ self._known_members > 1.0 - _ROUNDING
        gap = np.where(known & is_abx3, weights @ self._members, np.nan)
        for row in np.flatnonzero(~known | ~is_abx3):
            # Compounds that are no ABX3 of these ions, such as Cs3Bi2Br9 and Cs2AgInCl6.
            key = _key(batch.species[row], batch.amounts[row])
            gap[row] = self._other_gaps.get(key, math.nan)
        return gap


def _rest(shares: Floats) -> Floats:
    """Return the share of a site that its ions (n, k) leave, 0 where rounding leaves it."""
    rest = 1.0 - shares.sum(axis=1)
    return np.asarray(np.where(rest < _ROUNDING, 0.0, rest))


def _key(species: npt.NDArray[np.int16], amounts: Floats) -> tuple[tuple[int, float], ...]:
    total = float(amounts.sum())
    pairs = zip(species.tolist(), amounts.tolist(), strict=True)
    return tuple(sorted((s, round(a / total, 6)) for s, a in pairs if s >= 0))


def _bulk_gaps(
    reader: FormulaReader, rows: Iterable[Row]
) -> tuple[Floats, dict[tuple[tuple[int, float], ...], float]]:
    """Sort bulk gaps into ABX3 end members (A, B, X of `NAMED_FRACTIONS`) and other compounds."""
    members = np.full([len(ions) for ions in NAMED_FRACTIONS.values()], np.nan)
    others: dict[tuple[tuple[int, float], ...], float] = {}
    for row in rows:
        if not row["band_gap_ev"]:
            continue
        core = reader.read_core(row["formula"])
        symbols = tuple(symbol for symbol, _ in core.amounts)
        amounts = np.array([amount for _, amount in core.amounts])
        if tuple(amounts) == (1.0, 1.0, 3.0):
            key = tuple(
                ions.index(symbol)
                for symbol, ions in zip(symbols, NAMED_FRACTIONS.values(), strict=True)
            )
            members[key] = float(row["band_gap_ev"])
        else:
            indices = np.array([reader.species_index[symbol] for symbol in symbols], np.int16)
            others[_key(indices, amounts)] = float(row["band_gap_ev"])
    return members, others
