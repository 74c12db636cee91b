"""Shells that nothing known tells apart: they are one line of a ranking."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Final

from perovshell.arrays import Floats
from perovshell.data.shells import shell_text
from perovshell.features.coating import (
    FORMAMIDINIUM_LIMIT_C,
    INORGANIC_LIMIT_C,
    METHYLAMMONIUM_LIMIT_C,
    gap_of,
    hottest_c,
    shell_flags,
)
from perovshell.models.shell_evidence import class_text
from perovshell.serve.space.space import Layers

_LIMITS_C: Final = (METHYLAMMONIUM_LIMIT_C, FORMAMIDINIUM_LIMIT_C, INORGANIC_LIMIT_C)
_WIDE_EV: Final = 4.5
"""No halide perovskite has a wider gap: shells with wider ones differ in nothing that matters."""


def tie_groups(
    shells: Sequence[Layers],
    evidence: Floats,
    stressors: Sequence[str],
    *,
    apart: Collection[str] = (),
    by_lattice: bool = False,
) -> list[list[int]]:
    """Group shells that nothing known tells apart, in the order of their first members.

    Shells are of one group where papers say the same of them, and they have the same classes,
    flags, and gaps as far as a core can tell. What a model makes of their other descriptors is no
    knowledge: it has seen none of them.

    Args:
        shells: Layers of each of n shells.
        evidence: What papers say of each: the numbers that order a ranking, shape (k, n).
        stressors: Stressors asked for.
        apart: Shells that papers have or a request names, layers joined by `|`: each is a group of
            its own.
        by_lattice: Whether the lattice constant matters.
    """
    groups: dict[Hashable, list[int]] = {}
    for number, layers in enumerate(shells):
        text = shell_text(layers)
        known = tuple(f"{value:.9g}" for value in evidence[:, number].tolist())
        facts = _facts(layers, stressors, by_lattice=by_lattice)
        groups.setdefault(text if text in apart else (known, facts), []).append(number)
    return list(groups.values())


def _facts(layers: Layers, stressors: Sequence[str], *, by_lattice: bool) -> Hashable:
    """Return what is known of a shell that no paper has."""
    flags = tuple(flag.name for flag in shell_flags(layers, stressors))
    destroyed = [limit for limit in _LIMITS_C if hottest_c(layers) >= limit]
    lattice = layers[0].properties.get("lattice_a_angstrom") if by_lattice else None
    return (
        class_text(layers),
        tuple((layer.in_water, bool(layer.formula)) for layer in layers),
        flags,
        f"{min(gap_of(layers), _WIDE_EV):g}",
        len(destroyed),
        f"{lattice}",
    )
