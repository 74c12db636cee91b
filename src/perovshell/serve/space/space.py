"""The design space: cores, shells and contexts, and the objectives they are ranked by."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from html import escape
from typing import Any, Final

import yaml

from perovshell.data.formula import FormulaReader
from perovshell.data.shells import ShellMaterial, shell_text
from perovshell.data.usual import CORE_SIZE_RANGE, PERCENT_RANGE
from perovshell.errors import DesignSpaceError
from perovshell.features.combinations import Combination
from perovshell.models.outputs import Thresholds
from perovshell.serve.space.cores import Cores
from perovshell.serve.space.mixtures import without_point

OBJECTIVES = ("pl", "plqy", "gain", "half_life", "domain")
"""Objectives of a ranking: PL in the window, PLQY, gain, half-life, nearness to the data."""
ASK_ABOVE = 10**10
"""Spaces with more combinations are ranked only on request: they take hours."""
MAX_SIZE = 2**62
MAX_SHELLS = 40_000
MAX_CONTEXTS = 2_000
ALL_KNOWN = "all known"
"""Stands for every shell of the shell table."""
UNKNOWN = "unknown"
_NAME_SHOWN: Final = 40
_CELL_SHOWN: Final = 200
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

    def to_mapping(self, cores: Cores) -> dict[str, list[str]]:
        """Return the keys of a design space that are read as this selection."""
        formulas = {index: cores.composition(index).formula for index in self.cores}
        pairs = [f"{cores.composition(core).formula}/{shell}" for core, shell in self.combinations]
        lists = {
            "ions": self.ions,
            "cores": formulas.values(),
            "shells": self.shells,
            "classes": self.classes,
            "combinations": pairs,
        }
        return {key: sorted(names) for key, names in lists.items() if names}

    def has_shell(self, layers: Layers) -> bool:
        """Return whether a shell is named, by itself, a layer or a class."""
        names = {shell_text(layers), *(layer.name for layer in layers)}
        return bool(names & self.shells) or any(
            layer.material_class in self.classes for layer in layers
        )


_DERIVED: Final = frozenset({"insoluble_in_water", "cadmium_free"})


@dataclass(frozen=True)
class Constraints:
    """What a combination must satisfy.

    Attributes:
        lead_free: No lead, in core or shell.
        cadmium_free: No cadmium, in core or shell.
        insoluble_in_water: The outermost layer is known as insoluble, and no layer dissolves.
        no_quenching_shell: The innermost layer cannot take carriers by what is known of its gap;
            see `features.coating.quenching`.
        in_domain: Inside the domains of PL and PLQY, and of stability where it has a weight; a
            stressor with too few papers removes nothing.
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

    def to_mapping(self, cores: Cores) -> dict[str, Any]:
        """Return the keys of a design space that are read as these constraints."""
        data: dict[str, Any] = {}
        for key in fields(self):
            value = getattr(self, key.name)
            # Left out, these depend on other keys.
            if value == key.default and key.name not in _DERIVED:
                continue
            if isinstance(value, Selection):
                data[key.name] = value.to_mapping(cores)
            else:
                data[key.name] = list(value) if isinstance(value, tuple) else value
        return data


@dataclass(frozen=True)
class DesignSpace:
    """A design space.

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
        shell_thickness_nm: Accepted but ignored; see `notes`.

    Raises:
        DesignSpaceError: The space is too large to be counted, or the window is missing.
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
    shell_thickness_nm: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        rule = missing_window(
            self.pl_window_nm, self.weights, in_window=self.constraints.pl_in_window
        )
        rule = f"pl_window_nm: {rule}" if rule else ""
        contexts = "contexts (structures x encapsulations x media x sizes)"
        for what, count, most in (
            ("shells", len(self.shells), MAX_SHELLS),
            (contexts, self._n_contexts, MAX_CONTEXTS),
            ("combinations", self.size, MAX_SIZE),
        ):
            if count > most:
                rule = f"{count:,} {what}; at most {most:,}"
        if rule:
            msg = f"design space {self.name}: {rule}"
            raise DesignSpaceError(msg)

    def __repr__(self) -> str:
        """Return name, size and objectives on one short line."""
        name = self.name if len(self.name) <= _NAME_SHOWN else f"{self.name[:_NAME_SHOWN]}..."
        return (
            f"DesignSpace({name}: {self.size:,} combinations of {self.cores.size:,} cores and "
            f"{len(self.shells):,} shells; objectives: {', '.join(self.objectives)})"
        )

    def _repr_html_(self) -> str:
        """Return a small table for notebooks."""
        rows = {"name": self.name, "size": self.sizes}
        rows |= {key: _cell(value) for key, value in self._settings().items()}
        cells = "".join(
            f"<tr><th>{escape(key)}</th><td>{escape(value[:_CELL_SHOWN])}</td></tr>"
            for key, value in rows.items()
        )
        return f"<table>{cells}</table>"

    @property
    def notes(self) -> tuple[str, ...]:
        """What is ignored, and what is doubtful about the values."""
        ignored = "shell_thickness_nm is ignored (known for too few samples)"
        doubts = [CORE_SIZE_RANGE.doubt("sizes_nm", size) for size in self.sizes_nm]
        doubts.append(PERCENT_RANGE.doubt("plqy_above", self.plqy_above or 0.0))
        return (*([ignored] if self.shell_thickness_nm else []), *filter(None, doubts))

    @property
    def objectives(self) -> dict[str, float]:
        """The weights that are not 0."""
        return {name: weight for name, weight in self.weights.items() if weight}

    def to_mapping(self) -> dict[str, Any]:
        """Return a mapping that `read_space` reads as an equal space; its values are JSON's."""
        return {
            "name": self.name,
            **self.cores.to_mapping(),
            "shells": _shells_mapping(self.shells, self.cores.reader),
            **self._settings(),
        }

    def to_yaml(self) -> str:
        """Return the text of a file that `read_space` reads as an equal space."""
        text: str = yaml.safe_dump(
            self.to_mapping(),
            sort_keys=False,
            allow_unicode=True,
            default_flow_style=None,
            width=100,
        )
        return text

    def _settings(self) -> dict[str, Any]:
        """Return the keys of `to_mapping` but for name, cores and shells."""
        data = {
            "structures": list(self.structures),
            "encapsulation": list(self.encapsulations),
            "medium": list(self.media),
            "sizes_nm": _numbers(self.sizes_nm),
            "morphology": self.morphology,
            "shell_thickness_nm": _numbers(self.shell_thickness_nm),
            "pl_window_nm": _numbers(self.pl_window_nm or ()),
            "plqy_above": self.plqy_above,
            "stressors": list(self.stressors),
            "weights": {name: without_point(weight) for name, weight in self.objectives.items()},
            "constraints": self.constraints.to_mapping(self.cores),
        }
        return {key: value for key, value in data.items() if value not in (None, [])}

    @property
    def size(self) -> int:
        """Number of combinations, those that constraints remove included."""
        return self.cores.size * len(self.shells) * self._n_contexts

    @property
    def _n_contexts(self) -> int:
        lists = self.structures, self.encapsulations, self.media, self.sizes_nm
        return math.prod(map(len, lists))

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
        shown = [
            f"{count:,} {name if count > 1 else name.removesuffix('s')}"
            for name, count in factors.items()
            if count != 1 or name in {"cores", "shells"}
        ]
        return f"{self.size:,} combinations ({' x '.join(shown)})"

    def item(self, index: int) -> Combination:
        """Return one combination by its number: contexts run fastest, then shells, then cores."""
        core, rest = divmod(index, len(self.shells) * len(self.contexts))
        shell, context = divmod(rest, len(self.contexts))
        return replace(
            self.contexts[context], core=self.cores.composition(core), layers=self.shells[shell]
        )

    @property
    def thresholds(self) -> Thresholds:
        """The threshold for the model; a PLQY threshold applies to the value used for ranking."""
        return Thresholds(self.pl_window_nm)

    def refuse_size(self, *, yes: bool) -> None:
        """Refuse a space that takes hours, unless that is wanted.

        Raises:
            DesignSpaceError: The space is larger than `ASK_ABOVE` and `yes` is not given.
        """
        if self.size > ASK_ABOVE and not yes:
            msg = (
                f"design space {self.name}: {self.sizes}; more than {ASK_ABOVE:,} take hours or "
                "more: take larger steps, or set yes=True"
            )
            raise DesignSpaceError(msg)

    def nothing_left(self, removed: Mapping[str, int]) -> str:
        """Say which constraints removed how many combinations, where none is left."""
        ordered = sorted(removed.items(), key=lambda one: (-one[1], one[0]))
        counts = ", ".join(f"{name} {count:,}" for name, count in ordered)
        return f"design space {self.name}: the constraints leave nothing of {self.size:,}: {counts}"


def missing_window(
    window: tuple[float, float] | None, weights: Mapping[str, float], *, in_window: bool
) -> str:
    """Return why a PL window is needed where there is none, or an empty text."""
    if window is not None or not (weights["pl"] > 0 or in_window):
        return ""
    reason = "pl has a weight" if weights["pl"] > 0 else "constraints.pl_in_window is true"
    return f"two wavelengths in nm are needed, as [515, 535], where {reason}"


def stack_layers(shells: Iterable[Layers], most: int) -> tuple[Layers, ...]:
    """Return every stack of up to so many different shells, each stack once.

    Raises:
        DesignSpaceError: There are more than `MAX_SHELLS`.
    """
    named = {shell_text(layers): layers for layers in shells}
    count = _n_stacks(len(named), most)
    if count > MAX_SHELLS:
        msg = f"{count:,} shells of up to {most} layers; at most {MAX_SHELLS:,}"
        raise DesignSpaceError(msg)
    stacks = (
        tuple(itertools.chain.from_iterable(chosen))
        for number in range(1, most + 1)
        for chosen in itertools.permutations(named.values(), number)
    )
    return tuple({shell_text(layers): layers for layers in stacks}.values())


def _n_stacks(shells: int, most: int) -> int:
    return sum(math.perm(shells, number) for number in range(1, most + 1))


def _shells_mapping(shells: tuple[Layers, ...], reader: FormulaReader) -> object:
    """Return the shortest value of `shells` that is read as these shells."""
    names: object = [shell_text(layers) for layers in shells]
    single = tuple(layers for layers in shells if len(layers) == 1)
    is_all = single == tuple((material,) for material in reader.shells.materials.values())
    short: object = ALL_KNOWN if is_all else [shell_text(layers) for layers in single]
    if single == shells:
        return short
    most = max(map(len, shells))
    is_stacked = _n_stacks(len(single), most) == len(shells)
    is_stacked = is_stacked and stack_layers(single, most) == shells
    return {"names": short, "layers": most} if is_stacked else names


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_cell(inner)}" for key, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _numbers(values: Iterable[float]) -> list[float | str]:
    return [UNKNOWN if math.isnan(value) else without_point(value) for value in values]
