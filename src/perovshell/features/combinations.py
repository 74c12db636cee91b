"""Combinations: one, and many in columns, so that a step is one array operation for all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.composition import Composition, CompositionBatch
from perovshell.data.formula import FormulaReader
from perovshell.data.shells import ShellMaterial
from perovshell.data.vocabulary import (
    ENCAPSULATIONS,
    MORPHOLOGIES,
    PLATELET,
    STRUCTURES,
    TREATMENTS,
    WORDS,
)
from perovshell.unknown import EqualUnknowns

Layers = tuple[ShellMaterial, ...]

_FIRST: Final = np.cumsum([0, *(len(words) for words in WORDS.values())])
"""Column of the first word of each kind; the last is that of the treatments."""
BARE_WORDS: Final = np.array(
    [word == "bare" for word in STRUCTURES] + [word == "none" for word in ENCAPSULATIONS], float
)
"""What the first context columns, those of structure and encapsulation, are of a bare core."""
_AXES: Final = {"nanocrystal": 3, "nanowire": 2, "nanoplatelet": 1}
"""Along how many axes each morphology is confined."""
_CONFINED: Final = np.array([_AXES[name] / 3 for name in MORPHOLOGIES])
_IS_PLATELET: Final = np.array([name == PLATELET for name in MORPHOLOGIES])
_LEAKAGE_NM: Final = 0.5
"""How much wider a core confines than it is: the waves of electron and hole leak out on each side
by hbar / sqrt(2 m V), 0.25 nm for m = 0.2 and a barrier V of 3 eV."""
_SIZE_ERROR: Final = 0.15
"""Relative standard deviation of a stated size: samples are spread by a tenth or so, and a sphere
as large as a cube is a quarter wider than its edge."""


@dataclass(frozen=True, eq=False)
class Combination(EqualUnknowns):
    """What descriptors are computed of: a core, a shell and how they are put together.

    Attributes:
        core: The core, or None where its composition is open (descriptors are then NaN).
        layers: Shell layers from the inside out; empty is bare.
        structure: One of `vocabulary.STRUCTURES`.
        encapsulation: One of `vocabulary.ENCAPSULATIONS`.
        medium: One of `vocabulary.MEDIA`.
        core_size_nm: Core size in nm (thickness of a platelet, width of a wire), NaN where unknown.
        morphology: One of `vocabulary.MORPHOLOGIES`.
        treatments: Those of `vocabulary.TREATMENTS` that it had.
    """

    core: Composition | None
    layers: Layers
    structure: str
    encapsulation: str
    medium: str
    core_size_nm: float = math.nan
    morphology: str = "nanocrystal"
    treatments: tuple[str, ...] = ()

    @property
    def bare(self) -> Combination:
        """The same core without its shell."""
        return replace(self, layers=(), structure="bare", encapsulation="none")


@dataclass(frozen=True)
class Contexts:
    """How n cores and shells are put together, and what was done to them.

    Attributes:
        words: Place of each word in its vocabulary, by the kinds of `vocabulary.WORDS`, shape
            (4, n).
        sizes: Core size in nm, NaN where unknown, shape (n,).
        treatments: Whether it had each of `TREATMENTS`, shape (n, n_treatments).
    """

    words: Indices
    sizes: Floats
    treatments: Mask

    @classmethod
    def of(cls, items: Sequence[Combination]) -> Contexts:
        """Lay out combinations."""
        return cls(
            np.array(
                [
                    [words.index(getattr(item, kind)) for item in items]
                    for kind, words in WORDS.items()
                ],
                dtype=np.intp,
            ),
            np.array([item.core_size_nm for item in items], dtype=float),
            np.array(
                [[name in item.treatments for name in TREATMENTS] for item in items], dtype=bool
            ).reshape(len(items), len(TREATMENTS)),
        )

    def at(self, rows: Indices) -> Contexts:
        """Return those of some rows."""
        return Contexts(self.words[:, rows], self.sizes[rows], self.treatments[rows])

    def size_columns(self) -> Floats:
        """Return the size columns, shape (n, 5); an unknown size is NaN.

        Confinement is 1 / (d + 0.5 nm)2 for a cube, because a barrier of finite height lets the
        waves leak out; a wire is confined along two of three axes, a platelet along one. A platelet
        is always thin; a wire of unknown width may be too wide to confine. The uncertainty is what
        the error of a stated size makes of it.
        """
        shape, unknown = self.words[3], np.isnan(self.sizes)
        block = np.empty((len(self.sizes), 5))
        block[:, 0] = self.sizes
        block[:, 1] = unknown
        block[:, 2] = _CONFINED.take(shape) / (self.sizes + _LEAKAGE_NM) ** 2
        block[:, 3] = unknown & _IS_PLATELET.take(shape)
        # The relative derivative of confinement is 2 d / (d + 0.5 nm).
        slope = 2.0 * self.sizes / (self.sizes + _LEAKAGE_NM)
        block[:, 4] = _SIZE_ERROR * slope * block[:, 2]
        return block

    def context_columns(self) -> Floats:
        """Return a column for each word (0 or 1), then one for each treatment."""
        count = len(self.sizes)
        block = np.zeros((count, _FIRST[-1] + len(TREATMENTS)))
        block[np.arange(count), self.words + _FIRST[:-1, None]] = 1.0
        block[:, _FIRST[-1] :] = self.treatments
        return block


@dataclass(frozen=True)
class Combinations:
    """n combinations: which core, which shell, and their contexts.

    Attributes:
        cores: The distinct cores; a row of padding is a core of open composition.
        core: Place of each combination's core, shape (n,).
        shells: The distinct shells.
        shell: Place of each combination's shell, shape (n,).
        contexts: Their contexts.
    """

    cores: CompositionBatch
    core: Indices
    shells: Sequence[Layers]
    shell: Indices
    contexts: Contexts

    @classmethod
    def of(cls, items: Sequence[Combination], reader: FormulaReader) -> Combinations:
        """Lay out combinations."""
        cores: dict[tuple[tuple[str, float], ...] | None, int] = {}
        shells: dict[Layers, int] = {}
        amounts = [None if item.core is None else item.core.amounts for item in items]
        core = [cores.setdefault(key, len(cores)) for key in amounts]
        shell = [shells.setdefault(item.layers, len(shells)) for item in items]
        return cls(
            reader.batch(list(cores)),
            np.array(core, dtype=np.intp),
            list(shells),
            np.array(shell, dtype=np.intp),
            Contexts.of(items),
        )

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.core)

    def at(self, rows: Indices) -> Combinations:
        """Return those of some rows."""
        core, shell = self.core[rows], self.shell[rows]
        return Combinations(self.cores, core, self.shells, shell, self.contexts.at(rows))

    @cached_property
    def has_shell(self) -> Mask:
        """Whether there is a shell, shape (n,)."""
        return np.array([bool(layers) for layers in self.shells])[self.shell]

    @cached_property
    def kinds(self) -> tuple[list[tuple[Layers, str, str]], Indices]:
        """The distinct shells with structure and encapsulation, and their index by combination."""
        index: dict[tuple[int, int, int], int] = {}
        rows = zip(self.shell.tolist(), *self.contexts.words[:2].tolist(), strict=True)
        kind = np.array([index.setdefault(row, len(index)) for row in rows], dtype=np.intp)
        kinds = [
            (self.shells[shell], STRUCTURES[structure], ENCAPSULATIONS[encapsulation])
            for shell, structure, encapsulation in index
        ]
        return kinds, kind
