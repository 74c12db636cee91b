"""Descriptors of the core from its ions: site fractions, radii, factors, bulk gap."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from perovshell.data.formula import CompositionBatch, FormulaReader
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
    ]
    return columns


class CrystalTable:
    """Ion-based descriptors of many cores at once.

    Args:
        reader: Reader whose species index the batches use.
        core_rows: Rows with the columns of `materials/cores.csv`, for bulk gaps.
    """

    def __init__(self, reader: FormulaReader, core_rows: Iterable[Row]) -> None:
        """Lay out the ion table as arrays over the species index."""
        size = len(reader.species) + 1  # the last row is the padding index -1
        self._site = {site: np.zeros(size) for site in "ABX"}
        self._radius = np.full(size, np.nan)
        self._radius[-1] = 0.0
        for symbol, ion in reader.ions.by_symbol.items():
            index = reader.species_index[symbol]
            self._site[ion.site][index] = 1.0
            self._radius[index] = ion.radius_pm[0]
        self._named = {
            site: [reader.species_index[ion] for ion in ions]
            for site, ions in NAMED_FRACTIONS.items()
        }
        self._gaps, self._other_gaps = _bulk_gaps(reader, core_rows)

    def matrix(self, batch: CompositionBatch) -> Floats:
        """Return the descriptors, shape (n, len(core_descriptors())); NaN where unknown."""
        species, amounts = batch.species, batch.amounts
        on_site = {site: amounts * self._site[site][species] for site in "ABX"}
        totals = {site: part.sum(axis=1) for site, part in on_site.items()}
        is_core = (totals["A"] > 0) & (totals["B"] > 0) & (totals["X"] > 0)
        shares = {
            site: part / np.where(is_core, totals[site], np.nan)[:, None]
            for site, part in on_site.items()
        }
        fractions = {
            site: np.stack(
                [(share * (species == ion)).sum(axis=1) for ion in self._named[site]], axis=1
            )
            for site, share in shares.items()
        }
        chloride, bromide, iodide = fractions["X"].T
        radius = {
            site: (share * self._radius_of(species, share)).sum(axis=1)
            for site, share in shares.items()
        }
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = {site: totals[site] / totals["B"] for site in "AX"}
            is_abx3 = (np.abs(ratio["A"] - 1.0) < 0.01) & (np.abs(ratio["X"] - 3.0) < 0.03)  # noqa: PLR2004
        known = amounts.sum(axis=1) > 0
        columns = [
            *(column for site in "ABX" for column in fractions[site].T),
            chloride * bromide,
            bromide * iodide,
            chloride * iodide,
            1.0 - (shares["A"] ** 2).sum(axis=1),
            1.0 - (shares["B"] ** 2).sum(axis=1),
            np.where(is_core, ratio["A"], np.nan),
            np.where(is_core, ratio["X"], np.nan),
            radius["A"],
            radius["B"],
            radius["X"],
            (radius["A"] + radius["X"]) / (math.sqrt(2) * (radius["B"] + radius["X"])),
            radius["B"] / radius["X"],
            2.0 * (radius["B"] + radius["X"]) / 100.0,
            self._gap(batch, fractions, is_abx3),
            np.where(known, (~is_core).astype(float), np.nan),
        ]
        return np.stack(columns, axis=1)

    def _radius_of(self, species: npt.NDArray[np.int16], share: Floats) -> Floats:
        return np.where(share > 0, self._radius[species], 0.0)

    def _gap(self, batch: CompositionBatch, fractions: dict[str, Floats], is_abx3: Mask) -> Floats:
        """Vegard's rule between bulk gaps of ABX3 end members; NaN where one is unknown."""
        weight = np.einsum("na,nb,nx->nabx", *(fractions[site] for site in "ABX"))
        flat, gaps = weight.reshape(len(weight), -1), self._gaps.ravel()
        known = np.where(np.isnan(gaps), 0.0, flat).sum(axis=1) > 1.0 - 1e-9
        gap = np.where(known & is_abx3, flat @ np.nan_to_num(gaps), np.nan)
        for row in np.flatnonzero(np.isnan(gap) & ~is_abx3):
            # Compounds that are no ABX3, such as Cs3Bi2Br9.
            key = _key(batch.species[row], batch.amounts[row])
            gap[row] = self._other_gaps.get(key, math.nan)
        return gap


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
