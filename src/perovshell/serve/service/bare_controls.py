"""Bare controls: what the paper of a coated sample measured of the same core without a shell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from perovshell.data.vocabulary import TREATMENTS
from perovshell.models.evidence import Literature, Neighbour

_VALUES: Final = ("pl_peak_nm", "plqy_percent")
_SAME: Final = ("paper", "core", "morphology", *TREATMENTS)
_BARE: Final = "none"
_SIZE: Final = "core_size_nm"


def bare_controls(
    literature: Literature, coated: Iterable[Neighbour]
) -> list[dict[str, float | None]]:
    """Return the PL peak and the PLQY of the bare control of each coated sample.

    A control is of the same paper, core, shape, ligand and dopant, and of no other size. A value is
    None where the paper has none, or several that differ.

    Args:
        literature: The literature of a model.
        coated: Samples of it.

    Returns:
        For each sample `bare_pl_peak_nm` (nm) and `bare_plqy_percent` (percent).
    """
    rows = {row["sample_id"]: row for row in literature.samples}
    bare = [row for row in literature.samples if row["shell"] == _BARE]
    return [_control(rows[sample.sample_id], bare) for sample in coated]


def _control(
    coated: Mapping[str, Any], bare: Iterable[Mapping[str, Any]]
) -> dict[str, float | None]:
    controls = [
        row
        for row in bare
        if all(row[name] == coated[name] for name in _SAME)
        and (row[_SIZE] == coated[_SIZE] or None in {row[_SIZE], coated[_SIZE]})
    ]
    return {f"bare_{name}": _only([row[name] for row in controls]) for name in _VALUES}


def _only(values: Iterable[float | None]) -> float | None:
    """Return the one known value, or None."""
    known = {value for value in values if value is not None}
    return known.pop() if len(known) == 1 else None
