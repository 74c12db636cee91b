"""What speaks against a coating: flags of a shell, of a core, and of a shell on a core.

A flag states a fact that a predicted number does not show: the shell dissolves in the water of the
test, takes carriers from the core, needs a solvent or a temperature that destroys the core, or the
halides of the core demix. Facts of shells are those of the shell table; an unknown fact flags
nothing, except for chalcogenides of unknown gap, which may quench.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.shells import ShellMaterial
from perovshell.features.combinations import Layers
from perovshell.remembered import MOST

FLAGS: Final = (
    "dissolves in water",
    "quenches",
    "accepts electrons",
    "solvent destroys the core",
    "temperature destroys the core",
    "demixes under light",
)
"""Names of the flags, in the order in which they are listed."""
_DISSOLVES, _QUENCHES, _ACCEPTS, _SOLVENT, _TEMPERATURE, _DEMIXES = FLAGS

SOLUBLE: Final = frozenset({"soluble", "reacts", "sparingly soluble"})
"""Words of `in_water` of what does not last in water."""
METALLIC: Final = frozenset({"metal", "carbon"})
SEMICONDUCTORS: Final = frozenset({"sulfide", "selenide", "telluride"})
"""Classes whose gaps run from far below a core's to far above: one without a known gap cannot be
shown not to quench."""
WET: Final = frozenset({"water", "humidity"})
"""Stressors with water as a liquid or at high humidity. Ambient air seldom is humid enough to
dissolve a coating."""
LIGHT: Final = "light"
PEROVSKITE_SOLVENTS: Final = frozenset(
    {"DMF", "DMSO", "DMAc", "NMP", "GBL", "water", "methanol", "ethanol"}
)
"""Solvents that dissolve halide perovskites or decompose their nanocrystals: DMF, DMSO and GBL
(10.3390/molecules26247541), solvents that coordinate lead as strongly
(10.1021/acsenergylett.7b01057), water (10.48550/arXiv.1803.00848) and the small alcohols
(10.1039/d2na00596d)."""
NOT_ON_CRYSTALS: Final = frozenset(
    {"in-situ growth", "melt quenching", "sintering", "phase transformation", "hot injection"}
)
"""Routes in which the core forms with or within its shell, or after the shell, so that neither the
solvent nor the temperature of the shell meets a ready core."""

METHYLAMMONIUM_LIMIT_C: Final = 150.0
"""The lowest limit. MAPbI3 films decompose within half an hour at 150 deg C, FAPbI3 films do not
within an hour (10.1039/c3ee43822h); within a day MAPbI3 decomposes at 85 deg C
(10.1002/aenm.201500477)."""
FORMAMIDINIUM_LIMIT_C: Final = 200.0
"""An estimate: FAPbI3 keeps for an hour at 150 deg C (10.1039/c3ee43822h) and is far more stable
than MAPbI3 (10.1021/acs.jpcc.1c06729); its quantum dots decompose into PbI2
(10.1038/s41467-023-37943-6)."""
INORGANIC_LIMIT_C: Final = 300.0
"""An estimate: CsPbBr3 nanoparticles turn into CsPb2Br5 in part from 227 to 322 deg C
(10.1039/c8na00122g), dots in AlOx keep to 200 deg C (10.1002/anie.201703703)."""
_SOME_ORGANIC: Final = 0.05
"""Share of the A site from which an organic cation sets the limit."""
_INORGANIC: Final = ("Cs", "Rb", "K")

DEMIXES_ABOVE: Final = 0.2
"""Share x of bromide in Br + I above which MAPb(BrxI1-x)3 demixes under light
(10.1039/c4sc03141e)."""
CAESIUM_DEMIXES_ABOVE: Final = 0.4
"""The same of CsPb(BrxI1-x)3 (10.1021/acs.jpclett.6b00002)."""
_DOPANT: Final = 0.05
"""Share of one of the two below which it is a dopant, which no paper saw demix."""
_ROUNDING: Final = 1e-9
_MOST: Final = 0.5


@dataclass(frozen=True)
class Flag:
    """What speaks against a coating.

    Attributes:
        name: One of `FLAGS`.
        text: The same in words, with the material.
    """

    name: str
    text: str


@dataclass(frozen=True)
class CoreFacts:
    """What flags need to know of m cores; what few shells ask for is computed when asked.

    Attributes:
        fractions: Site fractions, 0 for metals, shape (m, n_ions).
        columns: Column of each ion in the site fractions.
        gaps: Estimated bulk gap in eV, NaN where unknown, shape (m,).
    """

    fractions: Floats
    columns: Mapping[str, int]
    gaps: Floats

    @cached_property
    def limits_c(self) -> Floats:
        """Temperatures of `temperature_limits`, shape (m,)."""
        return temperature_limits(self.fractions, self.columns)

    @cached_property
    def demixing(self) -> Mask:
        """Whether bromide and iodide demix under light, shape (m,)."""
        return demixing(self.fractions, self.columns)


# Of a shell ------------------------------------------------------------------------------------


def shell_flags(layers: Layers, stressors: Sequence[str]) -> tuple[Flag, ...]:
    """Return the flags of a shell that hold on any core, in the order of `FLAGS`.

    Args:
        layers: Layers from the inside out; none has no flags.
        stressors: Stressors asked for, of `vocabulary.STRESSORS`.

    Examples:
        >>> from perovshell.data.formula import FormulaReader
        >>> layers = FormulaReader.bundled().read_shell("KBr")
        >>> [flag.name for flag in shell_flags(layers, ["water"])]
        ['dissolves in water']
        >>> shell_flags(layers, ["light"])
        ()
    """
    return _shell_flags(layers, not WET.isdisjoint(stressors))


@lru_cache(maxsize=MOST)
def _shell_flags(layers: Layers, is_wet: bool) -> tuple[Flag, ...]:  # noqa: FBT001
    # Equal materials may differ in numbers, so that no flag in this cache may depend on a number.
    if not layers:
        return ()
    texts = {
        _DISSOLVES: _dissolving(layers) if is_wet else "",
        _ACCEPTS: _accepting(layers[0]),
        _SOLVENT: _dissolving_core(layers[0]),
    }
    return tuple(Flag(name, text) for name, text in texts.items() if text)


def _dissolving(layers: Layers) -> str:
    """Return that the first layer which water reaches and which dissolves does so, or nothing."""
    for layer in reversed(layers):
        if layer.in_water == "insoluble":
            break
        if layer.in_water in SOLUBLE:
            return f"{layer.name} {_IN_WATER[layer.in_water]}"
    return ""


_IN_WATER: Final = {
    "soluble": "dissolves in water",
    "sparingly soluble": "is sparingly soluble in water",
    "reacts": "reacts with water",
}


def _accepting(inner: ShellMaterial) -> str:
    accepts = inner.electron_acceptor == "yes"
    return f"{inner.name} accepts electrons from the core" if accepts else ""


def _dissolving_core(inner: ShellMaterial) -> str:
    """Return that the innermost layer needs a solvent of perovskites, or nothing.

    A layer further out meets a core that is coated.
    """
    solvents = inner.solvent.split(";")
    if not _is_put_on_crystals(inner) or not PEROVSKITE_SOLVENTS.issuperset(solvents):
        return ""
    return f"{inner.name} is put on from {' or '.join(solvents)}, which destroys the core"


def _is_put_on_crystals(layer: ShellMaterial) -> bool:
    return bool(layer.route) and layer.route not in NOT_ON_CRYSTALS


def gap_of(layers: Layers) -> float:
    """Return the gap of the innermost layer in eV, NaN where it is unknown."""
    return layers[0].properties.get("band_gap_ev", math.nan) if layers else math.nan


def hottest_c(layers: Layers) -> float:
    """Return the highest usual temperature at which a layer is put on ready crystals, in deg C.

    NaN where none is known.
    """
    return max((layer.process_temperature_c for layer in _heated(layers)), default=math.nan)


def _heated(layers: Layers) -> list[ShellMaterial]:
    return [
        layer
        for layer in layers
        if _is_put_on_crystals(layer) and not math.isnan(layer.process_temperature_c)
    ]


# Of a core -------------------------------------------------------------------------------------


def demixing(fractions: Floats, columns: Mapping[str, int]) -> Mask:
    """Return which lead halides have bromide and iodide that demix under light, shape (m,).

    Args:
        fractions: Site fractions of m cores, 0 for metals, shape (m, n_ions).
        columns: Column of each ion.

    Examples:
        >>> columns = {"Cs": 0, "Pb": 1, "Br": 2, "I": 3}
        >>> demixing(np.array([[1, 1, 0.5, 0.5], [1, 1, 1, 0], [1, 1, 0.3, 0.7]]), columns).tolist()
        [True, False, False]
    """
    bromide, iodide, lead, caesium = (
        _share(fractions, columns, ion) for ion in ("Br", "I", "Pb", "Cs")
    )
    both = bromide + iodide
    is_mixed = np.minimum(bromide, iodide) > _DOPANT * both
    if not is_mixed.any():
        return np.asarray(is_mixed)
    lowest = np.where(caesium >= _MOST, CAESIUM_DEMIXES_ABOVE, DEMIXES_ABOVE)
    demixes = bromide > (lowest + _ROUNDING) * both
    return np.asarray(is_mixed & demixes & (lead >= _MOST))


def temperature_limits(fractions: Floats, columns: Mapping[str, int]) -> Floats:
    """Return the temperature from which each core is destroyed in deg C, shape (m,).

    NaN where the A site has other organic cations, and for metals.

    Args:
        fractions: Site fractions of m cores, 0 for metals, shape (m, n_ions).
        columns: Column of each ion.

    Examples:
        >>> temperature_limits(np.array([[1, 0], [0.8, 0.2]]), {"Cs": 0, "MA": 1}).tolist()
        [300.0, 150.0]
    """
    inorganic = sum(_share(fractions, columns, ion) for ion in _INORGANIC)
    limits = np.where(inorganic > 1.0 - _SOME_ORGANIC, INORGANIC_LIMIT_C, math.nan)
    for ion, limit in (("FA", FORMAMIDINIUM_LIMIT_C), ("MA", METHYLAMMONIUM_LIMIT_C)):
        limits = np.where(_share(fractions, columns, ion) >= _SOME_ORGANIC, limit, limits)
    return limits


def _share(fractions: Floats, columns: Mapping[str, int], ion: str) -> Floats:
    """Return the site fractions of an ion, 0 where it has no column, shape (m,)."""
    return fractions[:, columns[ion]] if ion in columns else np.zeros(len(fractions))


# Of a shell on cores ---------------------------------------------------------------------------


def quenching(layers: Layers, gaps: Floats) -> Mask:
    """Return on which cores the innermost layer may take carriers, shape (m,).

    It does where it is a metal or carbon or where its gap is below the core's; a sulfide, selenide
    or telluride may where either gap is unknown.

    Args:
        layers: The shell.
        gaps: Estimated bulk gap of each core in eV, NaN where unknown, shape (m,).
    """
    limit, is_without_gap = _quenching_limit(layers)
    return np.asarray((gaps > limit) | (np.isnan(gaps) & is_without_gap))


def _quenching_limit(layers: Layers) -> tuple[float, bool]:
    """Return the gap in eV above which a core is quenched, and whether one of unknown gap is."""
    material_class = layers[0].material_class if layers else ""
    gap = -math.inf if material_class in METALLIC else gap_of(layers)
    may = material_class in METALLIC | SEMICONDUCTORS
    if math.isnan(gap):
        gap = -math.inf if may else math.inf
    return gap, may


def too_hot(layers: Layers, limits_c: Floats) -> Mask:
    """Return which cores the usual temperature of the shell destroys, shape (m,).

    Args:
        layers: The shell.
        limits_c: Temperatures of `temperature_limits`, shape (m,).
    """
    return np.asarray(hottest_c(layers) >= limits_c)


def coating_flags(layers: Layers, core: CoreFacts, stressors: Sequence[str]) -> tuple[Flag, ...]:
    """Return the flags of a shell on a core, in the order of `FLAGS`.

    Args:
        layers: Layers from the inside out; none is bare.
        core: Facts of one core.
        stressors: Stressors asked for, of `vocabulary.STRESSORS`.
    """
    first = np.zeros(1, dtype=np.intp)
    return row_flags([layers], first, core, first, stressors)[0]


def row_flags(
    shells: Sequence[Layers],
    shell: Indices,
    cores: CoreFacts,
    core: Indices,
    stressors: Sequence[str],
) -> list[tuple[Flag, ...]]:
    """Return the flags of n combinations, each in the order of `FLAGS`.

    Args:
        shells: The distinct shells.
        shell: Index of the shell of each combination, shape (n,).
        cores: Facts of the distinct cores.
        core: Index of the core of each combination, shape (n,).
        stressors: Stressors asked for, of `vocabulary.STRESSORS`.
    """
    of_shell = [
        (*_quenching_limit(layers), hottest_c(layers), shell_flags(layers, stressors))
        for layers in shells
    ]
    gaps = cores.gaps.tolist()
    is_hot = any(hottest >= METHYLAMMONIUM_LIMIT_C for _, _, hottest, _ in of_shell)
    limits = cores.limits_c.tolist() if is_hot else [math.nan] * len(gaps)
    demixes = cores.demixing.tolist() if LIGHT in stressors else [False] * len(gaps)
    known: dict[tuple[int, bool, bool, bool, bool], tuple[Flag, ...]] = {}
    rows = []
    # Plain numbers: a request is seldom more than a few rows, and few cases differ.
    for place, at in zip(shell.tolist(), core.tolist(), strict=True):
        limit, may, hottest, flags = of_shell[place]
        is_unknown = math.isnan(gaps[at])
        quenches = gaps[at] > limit or (may and is_unknown)
        case = (place, quenches, is_unknown, hottest >= limits[at], demixes[at])
        if case not in known:
            known[case] = _joined(flags, shells[place], case[1:])
        rows.append(known[case])
    return rows


def _joined(
    of_shell: tuple[Flag, ...], layers: Layers, case: tuple[bool, bool, bool, bool]
) -> tuple[Flag, ...]:
    """Return the flags of a shell with those that depend on the core."""
    quenches, is_unknown, is_too_hot, demixes = case
    if not (quenches or is_too_hot or demixes):
        return of_shell
    further = []
    if quenches:
        further.append(Flag(_QUENCHES, _quenching_text(layers, is_unknown)))
    if is_too_hot:
        further.append(Flag(_TEMPERATURE, _heat_text(layers)))
    if demixes:
        further.append(Flag(_DEMIXES, "bromide and iodide of the core demix under light"))
    return tuple(sorted([*of_shell, *further], key=lambda flag: FLAGS.index(flag.name)))


def _quenching_text(layers: Layers, is_unknown: bool) -> str:  # noqa: FBT001
    inner, gap = layers[0], gap_of(layers)
    if inner.material_class in METALLIC:
        return f"{inner.name} quenches: {inner.material_class} takes carriers from the core"
    if is_unknown or math.isnan(gap):
        return f"{inner.name} may quench: its gap or that of the core is not known"
    return f"{inner.name} quenches: its gap of {gap:g} eV is below that of the core"


def _heat_text(layers: Layers) -> str:
    layer = max(_heated(layers), key=lambda one: one.process_temperature_c)
    temperature = f"{layer.process_temperature_c:g} deg C"
    return f"{layer.name} is put on at {temperature}, which destroys the core"
