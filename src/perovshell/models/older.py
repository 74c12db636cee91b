"""Model folders of older formats, as those of today.

Format 10 keeps which combinations papers measured, and the papers of each shell. Format 9 has what
they measured of shells, from which both follow but for numbers that few papers measured. Format 8
has nothing of it: its rankings have no evidence beside the measured values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy.typing as npt

from perovshell.data.shells import NONE
from perovshell.models.shell_evidence import COMBINATION, PLQY

OLDEST: Final = 8
"""The oldest format that is read."""
SHELLS: Final = "shells"
"""Name of what papers measured of shells, in a model folder."""
_EVIDENCE_FROM: Final = 9

Parts = dict[str, tuple[dict[str, Any], Mapping[str, npt.NDArray[Any]]]]


def renew(version: int, parts: Parts, tables: Mapping[str, Any]) -> None:
    """Bring the contents of a folder of an older format to those of today, in place.

    Args:
        version: Its format, from `OLDEST` up.
        parts: JSON data and arrays by the name of the model.
        tables: Its tables.
    """
    if version < _EVIDENCE_FROM:
        parts[SHELLS] = ({"fits": {}, "usual_variance": 0.0}, {})
    data, arrays = parts[SHELLS]
    measured = {name: _combinations(fit) for name, fit in data["fits"].items() if name != PLQY}
    parts[SHELLS] = ({**data, "measured": measured, "papers": _papers(tables)}, arrays)


def _combinations(fit: Mapping[str, Any]) -> list[str]:
    return [
        name.removeprefix(COMBINATION) for name in fit["effects"] if name.startswith(COMBINATION)
    ]


def _papers(tables: Mapping[str, Any]) -> dict[str, list[str]]:
    papers: dict[str, dict[str, None]] = {}
    for row in tables["literature"]:
        if row["shell"] != NONE:
            papers.setdefault(row["shell"], {})[row["paper"]] = None
    return {shell: list(names) for shell, names in papers.items()}
