"""The design space: cores, shells and contexts, and the objectives they are ranked by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from perovshell.data.shells import ShellMaterial, shell_text
from perovshell.errors import DesignSpaceError
from perovshell.features.combinations import Combination
from perovshell.models.outputs import Thresholds
from perovshell.serve.space.cores import Cores

OBJECTIVES = ("pl", "plqy", "gain", "half_life", "domain")
"""Objectives of a ranking: PL in the window, PLQY, gain, half-life, nearness to the data."""
ASK_ABOVE = 10**10
"""Spaces with more combinations are ranked only on request: they take hours."""
Layers = tuple[ShellMaterial, ...]


@dataclass(frozen=True)
class Selection:
    """Cores, shells and combinations named by a constraint.

    Attributes:
        ions: Ions of the core.
        cores: Numbers of cores of the space.
        shells: Shells, layers joined by `|`; a single layer stands for any shell that has it.
        classes: Classes of a layer.
        combinations: Pairs of a core's number and a shell.
    """

    ions: frozenset[str] = frozenset()
    cores: frozenset[int] = frozenset()
    shells: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    combinations: frozenset[tuple[int, str]] = frozenset()

    def has_shell(self, layers: Layers) -> bool:
        """Return whether a shell is named, by itself, a layer or a class."""
        names = {shell_text(layers), *(layer.name for layer in layers)}
        return bool(names & self.shells) or any(
            layer.material_class in self.classes for layer in layers
        )


@dataclass(frozen=True)
class Constraints:
    """What a combination must satisfy.

    Attributes:
        lead_free: No lead, in core or shell.
        cadmium_free: No cadmium, in core or shell.
        insoluble_in_water: The outermost layer is known as insoluble, and no layer dissolves.
        no_quenching_shell: The innermost layer cannot take carriers by what is known of its gap;
            see `physics.quenches`.
        in_domain: Inside the domain of all targets.
        pl_in_window: The predicted PL lies in the wanted window.
        tolerance_factor: Least and largest Goldschmidt factor, or None.
        lattice_mismatch_below: Largest mismatch of innermost layer and core, or None; a layer
            without a known lattice passes.
        band_alignment: Allowed words of `physics.ALIGNMENTS`; empty allows all.
        exclude: What is left out.
        include: Where not empty, what alone is ranked.
    """

    lead_free: bool = False
    cadmium_free: bool = False
    insoluble_in_water: bool = False
    no_quenching_shell: bool = False
    in_domain: bool = False
    pl_in_window: bool = False
    tolerance_factor: tuple[float, float] | None = None
    lattice_mismatch_below: float | None = None
    band_alignment: tuple[str, ...] = ()
    exclude: Selection = Selection()
    include: Selection = Selection()


@dataclass(frozen=True)
class DesignSpace:
    """A design space, checked.

    Attributes:
        name: Name for the report.
        cores: The cores.
        shells: Distinct shells, layers from the inside out.
        structures: Structures tried with each shell.
        encapsulations: Encapsulations tried.
        media: Media tried.
        sizes_nm: Core sizes tried, NaN where unknown.
        morphology: Morphology of all cores.
        pl_window_nm: Wanted PL window in nm, or None.
        plqy_above: PLQY in percent that is to be passed; None takes the PLQY itself.
        stressors: Stressors of the stability gain or half-life.
        weights: Weight of each of `OBJECTIVES`; 0 leaves it out.
        constraints: What a combination must satisfy.
        notes: What was ignored, and why.
        source: The mapping it was read from.
    """

    name: str
    cores: Cores
    shells: tuple[Layers, ...]
    structures: tuple[str, ...]
    encapsulations: tuple[str, ...]
    media: tuple[str, ...]
    sizes_nm: tuple[float, ...]
    morphology: str
    pl_window_nm: tuple[float, float] | None
    plqy_above: float | None
    stressors: tuple[str, ...]
    weights: Mapping[str, float]
    constraints: Constraints
    notes: tuple[str, ...]
    source: Mapping[str, Any]

    @property
    def size(self) -> int:
        """Number of combinations, those that constraints remove included."""
        return self.cores.size * len(self.shells) * len(self.contexts)

    @property
    def not_neutral(self) -> int:
        """How many cores of a grid are not neutral."""
        return self.cores.size - self.cores.neutral

    @cached_property
    def contexts(self) -> tuple[Combination, ...]:
        """Every context: structure, encapsulation, medium and size, without core and layers."""
        return tuple(
            Combination(None, (), structure, encapsulation, medium, size, self.morphology)
            for structure in self.structures
            for encapsulation in self.encapsulations
            for medium in self.media
            for size in self.sizes_nm
        )

    @property
    def sizes(self) -> str:
        """How many combinations there are, and of what."""
        factors = {
            "cores": self.cores.size,
            "shells": len(self.shells),
            "structures": len(self.structures),
            "encapsulations": len(self.encapsulations),
            "media": len(self.media),
            "sizes": len(self.sizes_nm),
        }
        said = [
            f"{count:,} {name if count > 1 else name.removesuffix('s')}"
            for name, count in factors.items()
            if count != 1 or name in {"cores", "shells"}
        ]
        return f"{self.size:,} combinations ({' x '.join(said)})"

    def item(self, index: int) -> Combination:
        """Return one combination by its number: contexts run fastest, then shells, then cores."""
        core, rest = divmod(index, len(self.shells) * len(self.contexts))
        shell, context = divmod(rest, len(self.contexts))
        own = self.contexts[context]
        return Combination(
            self.cores.composition(core),
            self.shells[shell],
            own.structure,
            own.encapsulation,
            own.medium,
            own.core_size_nm,
            own.morphology,
        )

    @property
    def thresholds(self) -> Thresholds:
        """The threshold whose probability is asked of the model; a PLQY bar is of what orders."""
        return Thresholds(self.pl_window_nm)

    def refuse_size(self, *, yes: bool) -> None:
        """Refuse a space that takes hours, unless that is wanted.

        Raises:
            DesignSpaceError: The space is larger than `ASK_ABOVE` and `yes` is not given.
        """
        if self.size > ASK_ABOVE and not yes:
            msg = (
                f"design space {self.name}: {self.sizes}; more than {ASK_ABOVE:,} take hours or "
                "more: take larger steps, or give yes=True"
            )
            raise DesignSpaceError(msg)

    def nothing_left(self, removed: Mapping[str, int]) -> str:
        """Say which constraints removed how many combinations, where none is left."""
        ordered = sorted(removed.items(), key=lambda one: (-one[1], one[0]))
        counts = ", ".join(f"{name} {count:,}" for name, count in ordered)
        return f"design space {self.name}: the constraints leave nothing of {self.size:,}: {counts}"
