"""What the details of an answer say of literature samples: bare controls, and differences."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from perovshell.data.formula import FormulaReader
from perovshell.data.shells import shell_text
from perovshell.data.vocabulary import MEDIA, MORPHOLOGIES, TREATMENTS, WORDS
from perovshell.models.evidence import Literature, Neighbour, printed_text
from perovshell.models.requests import Requests

_VALUES: Final = {"pl": ("pl_peak_nm", "nm"), "plqy": ("plqy_percent", "%")}
"""Column and unit of each value by its name."""
_SAME: Final = ("paper", "core", "morphology", *TREATMENTS)
_BARE: Final = "none"
_SIZE: Final = "core_size_nm"
_UNKNOWN: Final = "unknown"


def bare_controls(
    literature: Literature, coated: Iterable[Neighbour]
) -> list[dict[str, float | str | None]]:
    """Return the PL peak and the PLQY of the bare control of each coated sample.

    A control is of the same paper, core, shape, ligand and dopant, and of no other size. A value is
    None where the paper has none, or several that differ.

    Args:
        literature: The literature of a model.
        coated: Samples of it.

    Returns:
        For each sample `bare_pl_peak_nm` (nm) and `bare_plqy_percent` (percent), and `bare_pl` and
        `bare_plqy` as they were printed, empty where unknown.
    """
    rows = {row["sample_id"]: row for row in literature.samples}
    bare = [row for row in literature.samples if row["shell"] == _BARE]
    return [_control(rows[sample.sample_id], bare) for sample in coated]


def _control(
    coated: Mapping[str, Any], bare: Iterable[Mapping[str, Any]]
) -> dict[str, float | str | None]:
    if coated["shell"] == _BARE:
        bare = ()
    controls = [
        row
        for row in bare
        if all(row[name] == coated[name] for name in _SAME)
        and (row[_SIZE] == coated[_SIZE] or None in {row[_SIZE], coated[_SIZE]})
    ]
    values: dict[str, float | str | None] = {}
    for name, (column, unit) in _VALUES.items():
        known = {printed_text(row, column, unit): row[column] for row in controls}
        known.pop("", None)
        text, value = known.popitem() if len(known) == 1 else ("", None)
        values |= {f"bare_{column}": value, f"bare_{name}": text}
    return values


def differences(
    reader: FormulaReader, row: Mapping[str, Any], samples: Iterable[Neighbour]
) -> list[list[str]]:
    """Return what makes each literature sample another one than what is asked.

    Args:
        reader: The formula reader of the model.
        row: A row that can be read.
        samples: Samples of the literature.
    """
    request = Requests.read_one(row, reader)
    core = reader.read_core(request.formulas[0]).formula
    shell = shell_text(request.items.shells[0])
    contexts = request.items.contexts
    places = dict(zip(WORDS, contexts.words[:, 0].tolist(), strict=True))
    medium, morphology = MEDIA[places["medium"]], MORPHOLOGIES[places["morphology"]]
    size = float(contexts.sizes[0])

    def of(sample: Neighbour) -> list[str]:
        texts = [f"core {sample.core}"] if sample.core != core else []
        if sample.shell != shell:
            texts.append("bare" if sample.shell == _BARE else f"shell {sample.shell}")
        if sample.core_size_nm is not None and sample.core_size_nm != size:
            asked = "" if math.isnan(size) else f", not {size:g} nm"
            texts.append(f"core of {sample.core_size}{asked}")
        if sample.morphology != morphology:
            texts.append(sample.morphology)
        if sample.medium not in {_UNKNOWN, medium}:
            texts.append(f"medium {sample.medium}")
        return texts

    return [of(sample) for sample in samples]
