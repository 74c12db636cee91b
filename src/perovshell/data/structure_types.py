"""Structure types of halides, recognised by the ratio of their A, B and X sites."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.data.composition import CompositionBatch
from perovshell.data.ions import SITES, Ions

DOUBLE: Final = "A2BB'X6"
OTHER: Final = "none of the known types"
NO_SALT: Final = -1
"""Index of a core of metals alone, which has no structure type."""

_RATIOS: Final = {
    "ABX3": (1.0, 3.0),
    "A4BX6": (4.0, 6.0),
    "A3BX5": (3.0, 5.0),
    "A3BX6": (3.0, 6.0),
    "A2BX4": (2.0, 4.0),
    "A2BX5": (2.0, 5.0),
    "A2BX6": (2.0, 6.0),
    "A3B2X5": (1.5, 2.5),
    "A3B2X7": (1.5, 3.5),
    "A3B2X9": (1.5, 4.5),
    "A4B3X10": (4 / 3, 10 / 3),
    "A5B4X13": (1.25, 3.25),
    "ABX4": (1.0, 4.0),
    "AB2X3": (0.5, 1.5),
    "AB2X5": (0.5, 2.5),
    "AB2X7": (0.5, 3.5),
}
"""A and X per B. ABX3 is the perovskite; A4BX6 has isolated octahedra (Cs4PbBr6), A3B2X9 (Cs3Bi2I9)
and A2BX6 (Cs2SnI6) ordered vacancies; A2BX4, A3B2X7, A4B3X10, A5B4X13 and AB2X5 are layered."""
STRUCTURE_TYPES: Final = (*_RATIOS, DOUBLE, OTHER)
"""Every type, in the order of the indices of `StructureTypes.of_batch`."""

_PEROVSKITE: Final = STRUCTURE_TYPES.index("ABX3")
_WITHIN: Final = 0.05
"""Largest relative difference from a ratio: vacancies and rounding leave the type as it is."""
_DIVALENT: Final = 2
_SMALL: Final = frozenset({"Li", "Na", "K"})
"""A-site metals that may take a B site of a double perovskite, as in Cs2NaInCl6."""
_DOUBLE_FROM: Final = 0.25
"""Share of B-site ions that are not divalent from which it is a double perovskite, not doped."""


class StructureTypes:
    """Recognises the structure types of compositions.

    Args:
        ions: The ion table.
        species: Symbols by their index in a `CompositionBatch`.
    """

    def __init__(self, ions: Ions, species: Sequence[str]) -> None:
        """Note the site and the kind of each species; the last is that of the padding."""
        known = [ions.by_symbol.get(symbol) for symbol in species]
        table = np.zeros((len(species) + 1, len(SITES) + 3))
        for row, ion in enumerate(known):
            if ion is not None:
                table[row, SITES.index(ion.site)] = 1.0
                table[row, -3] = ion.site == "B" and ion.charges[0] == 1
                table[row, -2] = ion.site == "B" and _DIVALENT not in ion.charges
                table[row, -1] = ion.symbol in _SMALL
        self._table = table
        self._ratios = np.array([*_RATIOS.values()])

    def of_batch(self, batch: CompositionBatch) -> Indices:
        """Return the index of each composition's type in `STRUCTURE_TYPES`, shape (n,).

        It is `NO_SALT` for metals alone and for padding.
        """
        sums = np.einsum("nk,nkj->nj", batch.amounts, self._table[batch.species])
        a, b, x, monovalent, not_divalent, small = sums.T
        found = self._nearest(a, b, x)
        is_doped = np.zeros(len(found), dtype=bool)
        if monovalent.any():
            # Ag+ and Cu+ may dope the A site: Cs0.95Ag0.05PbBr3 is a perovskite.
            on_a = self._nearest(a + monovalent, b - monovalent, x)
            is_doped = (monovalent > 0.0) & (on_a == _PEROVSKITE)
            found = np.where(is_doped & (found == STRUCTURE_TYPES.index(OTHER)), _PEROVSKITE, found)
        is_perovskite = found == _PEROVSKITE
        is_double = is_perovskite & (not_divalent >= _DOUBLE_FROM * b) & ~is_doped
        if small.any():
            on_b = self._nearest(a - small, b + small, x)
            is_double |= (small > 0.0) & (on_b == _PEROVSKITE) & ~is_perovskite
        found = np.where(is_double, STRUCTURE_TYPES.index(DOUBLE), found)
        return np.where((b > 0.0) & (x > 0.0), found, NO_SALT)

    def _nearest(self, a: Floats, b: Floats, x: Floats) -> Indices:
        """Return the index of the type whose ratio of sites is the nearest."""
        per_b = np.array([a, x]).T / np.where(b > 0.0, b, 1.0)[:, None]
        gaps = np.abs(per_b[:, None] / self._ratios - 1.0).max(axis=2)
        is_known = gaps.min(axis=1) <= _WITHIN
        return np.where(is_known, gaps.argmin(axis=1), STRUCTURE_TYPES.index(OTHER))
