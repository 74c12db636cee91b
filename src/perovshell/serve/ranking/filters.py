"""Constraints of a design space that need no prediction."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import cached_property

import numpy as np

from perovshell.arrays import Floats, Integers, Mask
from perovshell.data.composition import CompositionBatch
from perovshell.data.shells import shell_text
from perovshell.errors import FormulaError
from perovshell.features.coating import quenching
from perovshell.features.combinations import Combination
from perovshell.features.featurizer import Featurizer
from perovshell.serve.space.physics import alignment_allowed, has_element, is_insoluble
from perovshell.serve.space.space import DesignSpace, Layers

Pairs = frozenset[tuple[int, str]]


class Filters:
    """The constraints of a design space, asked of shells, then cores, then both.

    Args:
        space: The design space.
        featurizer: Descriptors of cores and shells.
    """

    def __init__(self, space: DesignSpace, featurizer: Featurizer) -> None:
        self._space = space
        self._holds = space.constraints
        self._featurizer = featurizer

    def shell_fault(self, layers: Layers) -> str:
        """Return the constraint that a shell alone breaks, or an empty text."""
        holds = self._holds
        if holds.lead_free and has_element(layers, "Pb"):
            return "lead_free"
        if holds.cadmium_free and has_element(layers, "Cd"):
            return "cadmium_free"
        if holds.exclude.has_shell(layers):
            return "exclude"
        if (holds.include.shells or holds.include.classes) and not holds.include.has_shell(layers):
            return "include"
        if holds.insoluble_in_water and not is_insoluble(layers):
            return "insoluble_in_water"
        return ""

    def satisfies(self, item: Combination) -> bool:
        """Whether a combination, between the steps of a grid or on them, breaks none of them."""
        if item.core is None or self.shell_fault(item.layers):
            return False
        batch = self._featurizer.reader.batch([item.core.amounts])
        number = self._space.cores.find(item.core)
        numbers = np.array([-1 if number is None else number])
        rows = self._featurizer.core_block(batch, elements_too=False)
        of_pair = self.pair_checks(rows, numbers, [item.layers])
        checks = [*self.core_checks(batch, numbers), *of_pair]
        return all(bool(passes.all()) for _, passes in checks)

    def is_own_core(self, item: Combination) -> bool:
        """Whether the innermost layer of a combination is its core over again."""
        number = self._space.cores.find(item.core) if item.core else None
        return (number, shell_text(item.layers)) in self._of_the_core

    def core_checks(self, batch: CompositionBatch, numbers: Integers) -> Iterator[tuple[str, Mask]]:
        """Yield the name of each constraint on cores, and which cores pass it."""
        holds = self._holds
        if holds.lead_free:
            yield "lead_free", ~self._has_ions(batch, {"Pb"})
        if holds.cadmium_free:
            yield "cadmium_free", ~self._has_ions(batch, {"Cd"})
        if holds.exclude.ions:
            yield "exclude", ~self._has_ions(batch, holds.exclude.ions)
        if holds.exclude.cores:
            yield "exclude", ~np.isin(numbers, list(holds.exclude.cores))
        if holds.include.ions:
            yield "include", self._has_only(batch, holds.include.ions)
        if holds.include.cores:
            yield "include", np.isin(numbers, list(holds.include.cores))
        if holds.tolerance_factor is not None:
            yield "tolerance_factor", self._tolerated(batch, holds.tolerance_factor)

    def _has_ions(self, batch: CompositionBatch, ions: Collection[str]) -> Mask:
        return np.asarray(np.isin(batch.species, self._species(ions)).any(axis=1))

    def _has_only(self, batch: CompositionBatch, ions: Collection[str]) -> Mask:
        return np.asarray(np.isin(batch.species, [-1, *self._species(ions)]).all(axis=1))

    def _species(self, ions: Collection[str]) -> list[int]:
        index = self._featurizer.reader.species_index
        return [index[ion] for ion in ions]

    def _tolerated(self, batch: CompositionBatch, window: tuple[float, float]) -> Mask:
        featurizer = self._featurizer
        column = featurizer.names.index("tolerance factor")
        factor = featurizer.core_block(batch, elements_too=False)[:, column]
        return (factor >= window[0]) & (factor <= window[1])

    def pair_checks(
        self, rows: Floats, numbers: Integers, shells: Sequence[Layers], known: Pairs = frozenset()
    ) -> Iterator[tuple[str, Mask]]:
        """Yield the name of each constraint on core and shell, and who passes it.

        Args:
            rows: Core descriptors, shape (n_cores, n_core_descriptors).
            numbers: Their numbers in the space.
            shells: The shells.
            known: Combinations that papers measured: they are listed apart.

        Yields:
            Names with masks of the shape (n_shells, n_cores).
        """
        holds = self._holds
        gaps = rows[:, self._featurizer.names.index("bulk gap estimate")]
        if self._of_the_core:
            yield "shell_is_core", ~_named(shells, numbers, self._of_the_core)
        if holds.exclude.combinations:
            yield "exclude", ~_named(shells, numbers, holds.exclude.combinations)
        if holds.include.combinations:
            yield "include", _named(shells, numbers, holds.include.combinations)
        if holds.no_quenching_shell:
            yield "no_quenching_shell", ~np.array([quenching(layers, gaps) for layers in shells])
        if holds.band_alignment:
            allowed = holds.band_alignment
            passes = [alignment_allowed(layers, gaps, allowed) for layers in shells]
            yield "band_alignment", np.array(passes)
        if holds.lattice_mismatch_below is not None:
            mismatch = np.array([self._mismatch(rows, layers) for layers in shells])
            yield "lattice_mismatch_below", ~(np.abs(mismatch) > holds.lattice_mismatch_below)
        if known:
            yield "measured", ~_named(shells, numbers, known)

    def _mismatch(self, rows: Floats, layers: Layers) -> Floats:
        shell = self._featurizer.shell_block([layers])
        return self._featurizer.lattice_mismatch(rows, shell)

    @cached_property
    def _of_the_core(self) -> Pairs:
        """The combinations whose innermost layer is the core over again."""
        reader = self._featurizer.reader
        known = set()
        for layers in self._space.shells:
            with contextlib.suppress(FormulaError):
                core = self._space.cores.find(reader.read_core(layers[0].name))
                if core is not None:
                    known.add((core, shell_text(layers)))
        return frozenset(known)


def _named(shells: Sequence[Layers], numbers: Integers, pairs: Pairs) -> Mask:
    """Return which pairs of shells and cores are named, shape (n_shells, n_cores)."""
    by_shell: dict[str, list[int]] = defaultdict(list)
    for core, shell in pairs:
        by_shell[shell].append(core)
    return np.array([np.isin(numbers, by_shell[shell_text(layers)]) for layers in shells])
