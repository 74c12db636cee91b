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

NAMED_FRACTIONS = {"A": ("Cs", "FA", "MA"), "B": ("Pb", "Sn"), "X": ("Cl", "Br", "I")}
_NAMED = tuple(ion for ions in NAMED_FRACTIONS.values() for ion in ions)
_SITE_OF_NAMED = [SITES.index(site) for site, ions in NAMED_FRACTIONS.items() for ion in ions]
_SPLITS = [len(NAMED_FRACTIONS["A"]), len(NAMED_FRACTIONS["A"]) + len(NAMED_FRACTIONS["B"])]
# What is summed over the ions of a formula: amounts of the named ions, then of each site, then
# amounts times radii of each site, then charges.
_TOTALS = slice(len(_NAMED), len(_NAMED) + 3)
_RADIUS_SUMS = slice(len(_NAMED) + 3, len(_NAMED) + 6)
_NET = len(_NAMED) + 6
_N_SUMS = _NET + 1
_ABX3 = np.array([1.0, 1.0, 3.0])
_RATIO_WITHIN = 0.03
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
        Descriptor("A guessed as Cs", "1", REFERENCE_TABLE, "core gap", "core"),
        Descriptor("B guessed as Pb, with Pb", "1", REFERENCE_TABLE, "core gap", "core"),
        Descriptor("B guessed as Pb, without Pb", "1", REFERENCE_TABLE, "core gap", "core"),
    ]
    return columns


_DERIVED = tuple(descriptor.name for descriptor in core_descriptors()[len(_NAMED) :])


class CrystalTable:
    """Ion-based descriptors of many cores at once.

    Args:
        reader: Reader whose species index the batches use.
        core_rows: Rows with the columns of `materials/cores.csv`, for bulk gaps.
    """

    def __init__(self, reader: FormulaReader, core_rows: Iterable[Row]) -> None:
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
                row[_NAMED.index(ion.symbol)] = 1.0
        gaps, self._other_gaps = _bulk_gaps(reader, core_rows)
        self._gaps = np.nan_to_num(gaps.ravel())
        self._known_gaps = (~np.isnan(gaps.ravel())).astype(float)

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
        fractions = sums[:, : len(_NAMED)] / on_site.take(_SITE_OF_NAMED, axis=1)
        chloride, bromide, iodide = fractions[:, -3:].T
        mixing = (1.0 - squares / on_site**2).T
        ratio = on_site / on_site[:, 1:2]
        a, b, x = (sums[:, _RADIUS_SUMS] / on_site).T
        gap = self._gap(batch, fractions, np.abs(ratio - _ABX3).max(axis=1) < _RATIO_WITHIN)
        estimate, guessed_a, guessed_b = self._estimate(gap, fractions)
        has_lead = fractions[:, len(NAMED_FRACTIONS["A"])] > 0
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

    def _estimate(self, gap: Floats, fractions: Floats) -> tuple[Floats, Floats, Floats]:
        """Return the gap, guessed where it is unknown, and the shares taken for Cs and for Pb."""
        guessed = np.isnan(gap)
        if not guessed.any():
            none = np.zeros(len(gap))
            return gap, none, none
        parts = np.zeros((3, len(gap)))
        parts[0] = gap
        parts[:, guessed] = self._guessed_gap(fractions[guessed])
        return parts[0], parts[1], parts[2]

    def _guessed_gap(self, fractions: Floats) -> Floats:
        """Vegard's rule with other ions on A taken for Cs and on B for Pb, and their shares.

        The edges of the bands are made of B and X, so A matters little; B is a rough guess. End
        members without a tabulated gap are left out of the mean.
        """
        first, second = _SPLITS
        filled = fractions.copy()
        on_a = 1.0 - fractions[:, :first].sum(axis=1)
        on_b = 1.0 - fractions[:, first:second].sum(axis=1)
        filled[:, 0] += on_a
        filled[:, first] += on_b
        flat = _member_weights(filled)
        known = flat @ self._known_gaps
        gap = np.where(known > _ROUNDING, flat @ self._gaps / np.maximum(known, _ROUNDING), np.nan)
        return np.stack([gap, on_a, on_b])

    def _gap(self, batch: CompositionBatch, fractions: Floats, is_abx3: Mask) -> Floats:
        """Vegard's rule between bulk gaps of ABX3 end members; NaN where one is unknown."""
        flat = _member_weights(fractions)
        known = flat @ self._known_gaps > 1.0 - _ROUNDING
        gap = np.where(known & is_abx3, flat @ self._gaps, np.nan)
        for row in np.flatnonzero(~is_abx3):
            # Compounds that are no ABX3, such as Cs3Bi2Br9.
            key = _key(batch.species[row], batch.amounts[row])
            gap[row] = self._other_gaps.get(key, math.nan)
        return gap


def _member_weights(fractions: Floats) -> Floats:
    """Return the weight of each ABX3 end member, shape (n, n_A * n_B * n_X)."""
    first, second = _SPLITS
    on_a, on_b, on_x = (fractions[:, :first], fractions[:, first:second], fractions[:, second:])
    weight = on_a[:, :, None, None] * on_b[:, None, :, None] * on_x[:, None, None, :]
    return weight.reshape(len(weight), -1)


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
