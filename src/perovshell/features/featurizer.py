"""From a combination to its row of descriptors.

A row is made of blocks: core, size, shell, contrast (core with shell), context. Blocks are
computed once for each distinct core and each distinct shell, so that a product of many cores and
shells costs little more than its parts.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from perovshell.arrays import Floats, Indices
from perovshell.data.composition import CompositionBatch
from perovshell.data.formula import FormulaReader
from perovshell.data.ions import ELEMENTS, Ions
from perovshell.data.materials import with_shells
from perovshell.data.shells import ShellMaterial, Shells
from perovshell.data.tables import Row, bundled_rows
from perovshell.data.vocabulary import TREATMENTS, WORDS
from perovshell.features import elements
from perovshell.features.combinations import (
    BARE_WORDS,
    Combination,
    Combinations,
    Contexts,
)
from perovshell.features.crystal import CrystalTable, core_descriptors
from perovshell.features.descriptor import CONFINEMENT, REFERENCE_TABLE, REQUEST, Descriptor
from perovshell.features.elements import ElementTable
from perovshell.features.gaps import BulkGaps
from perovshell.features.shell import shell_descriptors, shell_matrix
from perovshell.remembered import Remembered


class Featurizer:
    """Computes descriptor rows by the tables it is given.

    Args:
        reader: Formula reader with the ion and shell tables.
        table: Elemental properties.
        gaps: Bulk gaps by composition.
    """

    def __init__(self, reader: FormulaReader, table: ElementTable, gaps: BulkGaps) -> None:
        self.reader = reader
        self.table = table
        self.gaps = gaps
        self._crystal = CrystalTable(reader, gaps)
        self._atoms = _atoms_of_species(reader)
        self._negativity = _negativity_of_species(self._atoms, table)
        self._shell_rows: Remembered[tuple[ShellMaterial, ...], Floats] = Remembered()

    @classmethod
    def bundled(cls) -> Featurizer:
        """Build from the bundled tables and matminer's element table.

        Raises:
            MissingExtraError: matminer is not installed.
        """
        reader = FormulaReader(Ions.bundled(), Shells.bundled())
        cores, measured = (bundled_rows("materials", f"{name}.csv") for name in ("cores", "gaps"))
        return cls(reader, ElementTable.from_matminer(), BulkGaps.fit(reader, cores, measured))

    def with_shells(self, rows: Sequence[Row]) -> Featurizer:
        """Return one that also knows other shells; its columns are the same.

        Raises:
            InputError: A name is that of two materials.
        """
        return Featurizer(with_shells(self.reader, rows), self.table, self.gaps)

    @cached_property
    def _blocks(self) -> tuple[tuple[Descriptor, ...], ...]:
        """Columns of the core, of its size, of the shell, of their contrast and of the context."""
        of_elements = (
            Descriptor(f"core {name}", unit, source, "core elements", "core")
            for name, unit, source in elements.labels()
        )
        core = (*core_descriptors(), *of_elements)
        return core, _SIZE, tuple(shell_descriptors()), _CONTRAST, _CONTEXT

    @cached_property
    def _slices(self) -> list[slice]:
        """Where the columns of each block stand."""
        ends = itertools.accumulate(map(len, self._blocks), initial=0)
        return [slice(*pair) for pair in itertools.pairwise(ends)]

    @cached_property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """All columns, in the order of the blocks."""
        return tuple(descriptor for block in self._blocks for descriptor in block)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(descriptor.name for descriptor in self.descriptors)

    # Blocks ----------------------------------------------------------------------------------

    def element_amounts(self, batch: CompositionBatch) -> tuple[Floats, Indices]:
        """Take organic ions apart: amounts (n, u) of the elements (u,) that occur."""
        species = batch.species
        used = np.unique(species)
        used = used[used >= 0]
        by_species = np.zeros((len(species), len(used)))
        column = np.searchsorted(used, species)
        rows = np.broadcast_to(np.arange(len(species))[:, None], species.shape)
        filled = species >= 0
        by_species[rows[filled], column[filled]] = batch.amounts[filled]
        atoms = self._atoms[used]
        occurring = np.flatnonzero(atoms.any(axis=0))
        return by_species @ atoms[:, occurring], occurring

    def core_elements(self, batch: CompositionBatch) -> Floats:
        """Return the element statistics of many cores, shape (n, `elements.N_COLUMNS`)."""
        amounts, occurring = self.element_amounts(batch)
        return elements.composition_matrix(self.table, amounts, occurring)

    def core_block(self, batch: CompositionBatch, *, elements_too: bool = True) -> Floats:
        """Return the core columns of many cores; NaN for element statistics that are left out."""
        crystal = self._crystal.matrix(batch)
        if elements_too:
            return np.hstack([crystal, self.core_elements(batch)])
        return np.hstack([crystal, np.full((len(crystal), elements.N_COLUMNS), np.nan)])

    def mean_negativity(self, batch: CompositionBatch) -> Floats:
        """Return the mean electronegativity of the atoms of each core, shape (n,)."""
        sums = np.einsum("nk,nkt->nt", batch.amounts, self._negativity[batch.species])
        with np.errstate(invalid="ignore"):
            return np.asarray(sums[:, 0] / sums[:, 1])

    def shell_block(self, shells: Sequence[tuple[ShellMaterial, ...]]) -> Floats:
        """Return the shell columns; each distinct shell is computed once."""
        return np.array([self._shell_rows.made(layers, self._shell_row) for layers in shells])

    def _shell_row(self, layers: tuple[ShellMaterial, ...]) -> Floats:
        row: Floats = shell_matrix(self.table, [layers])[0]
        return row

    def contrast_block(self, core: Floats, core_negativity: Floats, shell: Floats) -> Floats:
        """Return the columns that compare core rows with shell rows, shape (n, 3)."""
        at = self._at
        gap = shell[:, at.inner_gap] - core[:, at.core_gap]
        negativity = shell[:, at.inner_negativity] - core_negativity
        return np.array([gap, self.lattice_mismatch(core, shell), negativity]).T

    def lattice_mismatch(self, core: Floats, shell: Floats) -> Floats:
        """Return the innermost lattice over the core's, less 1, of core rows with shell rows, (n,).

        NaN where one of them is unknown.
        """
        at = self._at
        with np.errstate(invalid="ignore"):
            return np.asarray(shell[:, at.inner_lattice] / core[:, at.core_lattice] - 1.0)

    @cached_property
    def _at(self) -> _Places:
        cores = [d.name for d in self.descriptors if d.block == "core"]
        shells = [d.name for d in self.descriptors if d.block == "shell"]
        return _Places(
            core_gap=cores.index("bulk gap by Vegard"),
            core_lattice=cores.index("pseudo-cubic lattice"),
            inner_gap=shells.index("inner band_gap_ev"),
            inner_lattice=shells.index("inner lattice_a_angstrom"),
            inner_negativity=shells.index("inner mean Electronegativity"),
        )

    # Rows ------------------------------------------------------------------------------------

    def matrix(self, combinations: Sequence[Combination], *, elements_too: bool = True) -> Floats:
        """Compute descriptor rows.

        Args:
            combinations: The combinations, n of them.
            elements_too: Whether to compute the element statistics of the core; NaN otherwise,
                for models that do not look at them.

        Returns:
            Matrix of shape (n, len(descriptors)); unknown is NaN.
        """
        given = Combinations.of(combinations, self.reader)
        rows = np.empty((len(given), len(self.descriptors)))
        if len(given):
            self._fill(rows, given, elements_too=elements_too)
        return rows

    def both(self, given: Combinations, *, elements_too: bool) -> Floats:
        """Compute the rows of n combinations, then those of the same cores bare, (2 n, p)."""
        rows = np.empty((2, len(given), len(self.descriptors)))
        coated, bare = rows
        self._fill(coated, given, elements_too=elements_too)
        _, _, of_shell, of_contrast, of_context = self._slices
        bare[:] = coated
        bare[:, of_shell] = self.shell_block([()])
        bare[:, of_contrast] = np.nan  # Nothing is known of a shell that is not there.
        bare[:, of_context][:, : len(BARE_WORDS)] = BARE_WORDS
        return rows.reshape(-1, rows.shape[2])

    def _fill(self, rows: Floats, given: Combinations, *, elements_too: bool) -> None:
        """Compute the rows of n combinations in place, shape (n, p)."""
        of_core, of_size, of_shell, of_contrast, of_context = self._slices
        core = self._crystal.matrix(given.cores).take(given.core, axis=0)
        negativity = self.mean_negativity(given.cores).take(given.core)
        shell = self.shell_block(given.shells).take(given.shell, axis=0)
        rows[:, of_core] = np.nan
        rows[:, : core.shape[1]] = core
        if elements_too:
            elements_of = self.core_elements(given.cores)
            rows[:, core.shape[1] : of_core.stop] = elements_of.take(given.core, axis=0)
        rows[:, of_size] = given.contexts.size_columns()
        rows[:, of_shell] = shell
        rows[:, of_contrast] = self.contrast_block(core, negativity, shell)
        rows[:, of_context] = given.contexts.context_columns()

    # Storage ---------------------------------------------------------------------------------

    def tables(self) -> dict[str, Any]:
        """Return the tables as JSON data; the element table is a separate array."""
        return {
            "ions": self.reader.ions.rows,
            "shells": self.reader.shells.shell_rows,
            "shell_materials": self.reader.shells.property_rows,
            "gaps": self.gaps.to_json(),
            "known_cores": list(self.reader.known_cores),
        }

    @classmethod
    def from_tables(cls, tables: dict[str, Any], table: ElementTable) -> Featurizer:
        """Rebuild from what `tables` returned."""
        reader = FormulaReader(
            Ions(tables["ions"]),
            Shells(tables["shells"], tables["shell_materials"]),
            tables["known_cores"],
        )
        return cls(reader, table, BulkGaps.from_json(tables["gaps"]))


@dataclass(frozen=True)
class _Places:
    """Column numbers within the core and shell blocks."""

    core_gap: int
    core_lattice: int
    inner_gap: int
    inner_lattice: int
    inner_negativity: int


_SIZE = (
    Descriptor("core size", "nm", REQUEST, "core size", "size"),
    Descriptor("core size unknown", "1", REQUEST, "core size", "size"),
    Descriptor("confinement", "1/nm2", CONFINEMENT, "core size", "size"),
    Descriptor("platelet, thickness unknown", "1", REQUEST, "core size", "size"),
    Descriptor("confinement uncertainty", "1/nm2", CONFINEMENT, "uncertainty", "size"),
)
_CONTRAST = (
    Descriptor(
        "shell gap above core gap", "eV", REFERENCE_TABLE, "core-shell contrast", "contrast"
    ),
    Descriptor("lattice mismatch", "1", REFERENCE_TABLE, "core-shell contrast", "contrast"),
    Descriptor("electronegativity step", "1", REFERENCE_TABLE, "core-shell contrast", "contrast"),
)
_CONTEXT = (
    *(
        Descriptor(f"{kind} is {word}", "1", REQUEST, kind, "context")
        for kind, words in WORDS.items()
        for word in words
    ),
    *(Descriptor(f"{kind} treatment", "1", REQUEST, "treatment", "context") for kind in TREATMENTS),
)


def size_block(combinations: Sequence[Combination]) -> Floats:
    """Return the size columns, shape (n, 5); see `Contexts.size_columns`."""
    return Contexts.of(combinations).size_columns()


def context_block(combinations: Sequence[Combination]) -> Floats:
    """Return the context columns; an unknown encapsulation or medium has its own column."""
    return Contexts.of(combinations).context_columns()


def _atoms_of_species(reader: FormulaReader) -> Floats:
    """Return atoms of each element in each species, shape (n_species, n_elements)."""
    atoms = np.zeros((len(reader.species), len(ELEMENTS)))
    for index, symbol in enumerate(reader.species):
        ion = reader.ions.by_symbol.get(symbol)
        for element, count in (ion.elements if ion else {symbol: 1.0}).items():
            atoms[index, ELEMENTS.index(element)] = count
    return atoms


def _negativity_of_species(atoms: Floats, table: ElementTable) -> Floats:
    """Return (sum of electronegativities, number of atoms) of each species; the last is padding."""
    negativity = table.values[:, elements.PROPERTIES.index("Electronegativity")]
    known = np.where(atoms > 0, negativity, 0.0)
    rows = np.stack([(atoms * known).sum(axis=1), atoms.sum(axis=1)], axis=1)
    return np.vstack([rows, np.zeros((1, 2))])
