"""Statistics of elemental properties, for many compositions at once.

The numbers equal matminer's `ElementProperty.from_preset("magpie")`, `Stoichiometry` and
`ValenceOrbital` (all with `impute_nan=False`), which work row by row. Here the compositions are
grouped by the set of their elements: minimum, maximum and range are constants of a set, and the
rest are a few array operations a set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.ions import ELEMENTS
from perovshell.errors import InputError
from perovshell.features.descriptor import MAGPIE, VALENCE
from perovshell.optional import import_optional

STATISTICS = ("minimum", "maximum", "range", "mean", "avg_dev", "mode")
NORMS = (0, 2, 3, 5, 7, 10)
ORBITALS = ("s", "p", "d", "f")
# fmt: off
PROPERTIES = (
    "Number", "MendeleevNumber", "AtomicWeight", "MeltingT", "Column", "Row", "CovalentRadius",
    "Electronegativity", "NsValence", "NpValence", "NdValence", "NfValence", "NValence",
    "NsUnfilled", "NpUnfilled", "NdUnfilled", "NfUnfilled", "NUnfilled", "GSvolume_pa",
    "GSbandgap", "GSmagmom", "SpaceGroupNumber",
)
"""Magpie's elemental properties, in the order of the preset."""
# fmt: on
_UNITS = {
    "AtomicWeight": "g/mol",
    "MeltingT": "K",
    "CovalentRadius": "pm",
    "GSvolume_pa": "angstrom3/atom",
    "GSbandgap": "eV",
    "GSmagmom": "bohr magneton/atom",
}
_MODE_RELATIVE, _MODE_ABSOLUTE = 1e-5, 1e-8
"""Amounts this close count as equal for the mode, as in numpy.isclose."""


_BLOCK = 512
"""Rows worked on at once."""


@dataclass(frozen=True)
class ElementTable:
    """Elemental properties.

    Attributes:
        values: Properties of `ELEMENTS` in the order of `PROPERTIES`; NaN where unknown;
            shape (n_elements, n_properties).
    """

    values: Floats

    def __post_init__(self) -> None:
        """Refuse a table of another shape."""
        if self.values.shape != (len(ELEMENTS), len(PROPERTIES)):
            msg = (
                f"element table of shape {self.values.shape}; "
                f"needed: {(len(ELEMENTS), len(PROPERTIES))}"
            )
            raise InputError(msg)

    @classmethod
    def from_matminer(cls) -> ElementTable:
        """Read the Magpie table out of matminer.

        Raises:
            MissingExtraError: matminer is not installed.
        """
        matminer = import_optional("matminer.utils.data", "building descriptors", "train")
        table = matminer.MagpieData(impute_nan=False).all_elemental_props
        return cls(np.array([[table[name][e] for name in PROPERTIES] for e in ELEMENTS], float))


def labels() -> list[tuple[str, str, str]]:
    """Return (name, unit, source) of each column of `composition_matrix`."""
    columns = [
        (f"{statistic} {name}", _UNITS.get(name, "1"), MAGPIE)
        for name in PROPERTIES
        for statistic in STATISTICS
    ]
    columns += [(f"{norm}-norm", "1", MAGPIE) for norm in NORMS]
    for kind in ("avg", "frac"):
        columns += [(f"{kind} {orbital} valence electrons", "1", VALENCE) for orbital in ORBITALS]
    return columns


N_COLUMNS = len(PROPERTIES) * len(STATISTICS) + len(NORMS) + 2 * len(ORBITALS)


def composition_matrix(
    table: ElementTable, amounts: Floats, elements: Sequence[int] | Indices
) -> Floats:
    """Compute the statistics of many compositions.

    Args:
        table: Elemental properties.
        amounts: Amount of each element in the formula unit, 0 where absent; shape (n, u).
        elements: Index into `ELEMENTS` of each column of `amounts`; shape (u,).

    Returns:
        Matrix of shape (n, `N_COLUMNS`) in the order of `labels()`; rows without any element
        are NaN.
    """
    out = np.full((len(amounts), N_COLUMNS), np.nan)
    present = amounts > 0.0
    properties = table.values[np.asarray(elements)]
    for rows, columns in _by_element_set(present):
        if len(columns):
            _fill(out, rows, amounts[np.ix_(rows, columns)], properties[columns])
    return out


def _by_element_set(
    present: Mask,
) -> list[tuple[Indices, Indices]]:
    """Group rows by which elements are present: (rows, columns) of each group."""
    if len(present) == 1:
        return [(np.zeros(1, dtype=np.intp), np.flatnonzero(present[0]))]
    codes = np.packbits(present, axis=1)
    width = -(-codes.shape[1] // 8) * 8
    padded = np.zeros((len(codes), width), dtype=np.uint8)
    padded[:, : codes.shape[1]] = codes
    keys = padded.view(np.uint64)
    order = np.lexsort(keys.T) if len(keys) else np.zeros(0, dtype=np.intp)
    changes = (np.diff(keys[order], axis=0) != 0).any(axis=1)
    groups = np.split(order, np.flatnonzero(changes) + 1)
    return [(rows, np.flatnonzero(present[rows[0]])) for rows in groups if len(rows)]


def _fill(out: Floats, rows: Indices, amounts: Floats, properties: Floats) -> None:
    """Write one group; amounts (m, e) are all positive, properties (e, p)."""
    low, high = properties.min(axis=0), properties.max(axis=0)
    size = len(PROPERTIES) * len(STATISTICS)
    first = PROPERTIES.index("NsValence")
    for start in range(0, len(rows), _BLOCK):
        part = amounts[start : start + _BLOCK]
        fractions = part / part.sum(axis=1, keepdims=True)
        mean = fractions @ properties
        block = np.empty((len(part), N_COLUMNS))
        statistics = block[:, :size].reshape(len(part), len(PROPERTIES), len(STATISTICS))
        statistics[:, :, 0] = low
        statistics[:, :, 1] = high
        statistics[:, :, 2] = high - low
        statistics[:, :, 3] = mean
        statistics[:, :, 4] = _average_deviation(fractions, properties, mean)
        statistics[:, :, 5] = _mode(part, properties)
        block[:, size : size + len(NORMS)] = _norms(fractions)
        orbitals = mean[:, first : first + len(ORBITALS)]
        block[:, size + len(NORMS) : -len(ORBITALS)] = orbitals
        block[:, -len(ORBITALS) :] = orbitals / mean[:, [PROPERTIES.index("NValence")]]
        out[rows[start : start + _BLOCK]] = block


def _average_deviation(fractions: Floats, properties: Floats, mean: Floats) -> Floats:
    """Sum over the elements: no array of (m, e, p) is needed, so a block stays in the cache."""
    total = np.zeros_like(mean)
    for element, values in enumerate(properties):
        total += fractions[:, [element]] * np.abs(values - mean)
    return total


def _mode(amounts: Floats, properties: Floats) -> Floats:
    """Return the property of the most frequent element; the smallest where several tie."""
    top = amounts.max(axis=1, keepdims=True)
    tied = amounts >= top - (_MODE_ABSOLUTE + _MODE_RELATIVE * top)
    mode = properties[amounts.argmax(axis=1)]
    for row in np.flatnonzero(tied.sum(axis=1) > 1):
        mode[row] = properties[tied[row]].min(axis=0)
    return np.asarray(mode)


def _norms(fractions: Floats) -> Floats:
    """Return the p-norms of `NORMS`, by few multiplications."""
    second = fractions * fractions
    third = second * fractions
    fifth = third * second
    powers = {2: second, 3: third, 5: fifth, 7: fifth * second, 10: fifth * fifth}
    columns = [np.full(len(fractions), float(fractions.shape[1]))]
    columns += [powers[norm].sum(axis=1) ** (1.0 / norm) for norm in NORMS[1:]]
    return np.stack(columns, axis=1)
