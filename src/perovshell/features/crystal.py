"""Descriptors of the core from its ions: site fractions, radii, factors, bulk gap."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from perovshell.data.composition import CompositionBatch
from perovshell.data.formula import FormulaReader
from perovshell.data.tables import Row
from perovshell.features.descriptor import (
    GOLDSCHMIDT,
    OCTAHEDRAL,
    REFERENCE_TABLE,
    Descriptor,
)

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

NAMED_FRACTIONS = {"A": ("Cs", "FA", "MA"), "B": ("Pb", "Sn"), "X": ("Cl", "Br", "I")}
SITES = "ABX"
_NAMED = tuple(ion for ions in NAMED_FRACTIONS.values() for ion in ions)
_SITE_OF_NAMED = [SITES.index(site) for site, ions in NAMED_FRACTIONS.items() for ion in ions]
_SPLITS = [len(NAMED_FRACTIONS["A"]), len(NAMED_FRACTIONS["A"]) + len(NAMED_FRACTIONS["B"])]
# What is summed over the ions of a formula: amounts of the named ions, then of each site, then
# amounts times radii of each site.
_TOTALS = slice(len(_NAMED), len(_NAMED) + 3)
_RADIUS_SUMS = slice(len(_NAMED) + 3, len(_NAMED) + 6)
_N_SUMS = len(_NAMED) + 6
_N_DERIVED = 18
_ABX3 = np.array([1.0, 1.0, 3.0])
_RATIO_WITHIN = 0.03
_ROUNDING = 1e-9
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
        Descriptor("B guessed as Pb", "1", REFERENCE_TABLE, "core gap", "core"),
    ]
    return columns


class CrystalTable:
    """Ion-based descriptors of many cores at once.

    Args:
        reader: Reader whose species index the batches use.
        core_rows: Rows with the columns of `materials/cores.csv`, for bulk gaps.
    """

    def __init__(self, reader: FormulaReader, core_rows: Iterable[Row]) -> None:
        """Lay out what each species adds to the sums, over the species index.

        The last row is that of the padding index -1: it adds nothing.
        """
        self._per_ion = np.zeros((len(reader.species) + 1, _N_SUMS))
        for symbol, ion in reader.ions.by_symbol.items():
            row = self._per_ion[reader.species_index[symbol]]
            site = SITES.index(ion.site)
            row[_TOTALS][site] = 1.0
            row[_RADIUS_SUMS][site] = ion.radius_pm[0]
            if symbol in NAMED_FRACTIONS[ion.site]:
                row[_NAMED.index(symbol)] = 1.0
        gaps, self._other_gaps = _bulk_gaps(reader, core_rows)
        self._gaps = np.nan_to_num(gaps.ravel())
        self._known_gaps = (~np.isnan(gaps.ravel())).astype(float)

    def matrix(self, batch: CompositionBatch) -> Floats:
        """Return the descriptors, shape (n, len(core_descriptors())); NaN where unknown."""
        per_ion = self._per_ion[batch.species]
        sums = np.einsum("nk,nkt->nt", batch.amounts, per_ion)
        totals = sums[:, _TOTALS]
        is_core = (totals > 0).all(axis=1)
        on_site = np.where(is_core[:, None], totals, np.nan)
        fractions = sums[:, : len(_NAMED)] / on_site.take(_SITE_OF_NAMED, axis=1)
        chloride, bromide, iodide = fractions[:, -3:].T
        squares = np.einsum("nk,nkt->nt", batch.amounts**2, per_ion[:, :, _TOTALS])
        mixing = 1.0 - squares / on_site**2
        ratio = on_site / on_site[:, 1:2]
        radius = sums[:, _RADIUS_SUMS] / on_site
        a, b, x = radius.T
        is_abx3 = np.abs(ratio - _ABX3).max(axis=1) < _RATIO_WITHIN
        out = np.empty((len(sums), len(_NAMED) + _N_DERIVED))
        out[:, : len(_NAMED)] = fractions
        derived = out[:, len(_NAMED) :].T
        derived[0] = chloride * bromide
        derived[1] = bromide * iodide
        derived[2] = chloride * iodide
        derived[3:5] = mixing[:, :2].T
        derived[5], derived[6] = ratio[:, 0], ratio[:, 2]
        derived[7:10] = radius.T
        derived[10] = (a + x) / (math.sqrt(2) * (b + x))
        derived[11] = b / x
        derived[12] = 2.0 * (b + x) / 100.0
        derived[13] = self._gap(batch, fractions, is_abx3)
        derived[14] = np.where(batch.amounts.any(axis=1), ~is_core, np.nan)
        derived[15], derived[16:18] = derived[13], 0.0
        guessed = np.isnan(derived[13])
        if guessed.any():
            derived[15:18, guessed] = self._guessed_gap(fractions[guessed])
        return out

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
            place = tuple(
                ions.index(symbol)
                for symbol, ions in zip(symbols, NAMED_FRACTIONS.values(), strict=True)
            )
            members[place] = float(row["band_gap_ev"])
        else:
            indices = np.array([reader.species_index[symbol] for symbol in symbols], np.int16)
            others[_key(indices, amounts)] = float(row["band_gap_ev"])
    return members, others
