"""Blends: one layer of several materials, such as PMMA+PVDF."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean

import numpy as np

from perovshell.data.shells import PROPERTIES, ShellMaterial
from perovshell.errors import FormulaError
from perovshell.texts import listed

JOINT = "+"
"""Joins the materials of a blend."""


def blend_name(parts: Iterable[ShellMaterial]) -> str:
    """Return the standard name of a blend: the order in which it is written does not matter."""
    return JOINT.join(sorted((part.name for part in parts), key=str.casefold))


def blend_of(parts: Sequence[ShellMaterial]) -> ShellMaterial:
    """Return the material of a blend in equal parts.

    A property is the mean of those of its parts, unknown where one of them is. A word that its
    parts do not share is unknown. It has a formula where all parts have one.

    Args:
        parts: Two or more materials.

    Raises:
        FormulaError: A material occurs twice, or the parts are of several classes.

    Examples:
        >>> from perovshell.data.formula import FormulaReader
        >>> (layer,) = FormulaReader.bundled().read_shell("PVDF+PMMA")
        >>> layer.name, layer.material_class, layer.in_water
        ('PMMA+PVDF', 'polymer', 'insoluble')
    """
    name = blend_name(parts)
    names = [part.name for part in parts]
    twice = sorted({one for one in names if names.count(one) > 1})
    if twice:
        msg = f"shell {name!r}: {listed(twice)} twice; a blend has different materials"
        raise FormulaError(msg)
    classes = sorted({part.material_class for part in parts})
    if len(classes) > 1:
        msg = (
            f"shell {name!r}: a blend of the classes {listed(classes)}, and the class of the blend "
            f"is open; introduce it as a shell of one class: key shells of a paper file, or "
            f"Workspace.materials.add_shell"
        )
        raise FormulaError(msg)
    ordered = sorted(parts, key=lambda part: part.name.casefold())
    formulas = [part.formula for part in ordered]
    return ShellMaterial(
        name,
        classes[0],
        "".join(formulas) if all(formulas) else "",
        _shared(part.in_water for part in parts),
        crystalline=_shared(part.crystalline for part in parts),
        listed=False,
        properties={key: fmean(part.properties[key] for part in parts) for key in PROPERTIES}
        if all(part.properties for part in parts)
        else {},
        route=_shared(part.route for part in parts),
        solvent=_shared(part.solvent for part in parts),
        process_temperature_c=float(np.max([part.process_temperature_c for part in parts])),
        electron_acceptor=_shared(part.electron_acceptor for part in parts),
        single_particle=_shared(part.single_particle for part in parts),
        source=";".join(dict.fromkeys(part.source for part in ordered if part.source)),
    )


def _shared(words: Iterable[str]) -> str:
    """Return the word of all parts; empty where they differ."""
    several = {*words}
    return several.pop() if len(several) == 1 else ""
