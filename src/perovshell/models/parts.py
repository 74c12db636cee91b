"""Trees and conformity scores as arrays of a model folder, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Indices
from perovshell.models.conformal import ConformityScores
from perovshell.models.forest import Forest

Arrays = dict[str, npt.NDArray[Any]]
_FOREST = ("feature", "threshold", "children", "default_left", "value", "cover", "roots")


def forest_to_arrays(forest: Forest, columns: Indices) -> Arrays:
    """Return the arrays of a forest and of its descriptor columns."""
    return {**forest.arrays(), "columns": np.asarray(columns, dtype=np.int32)}


def forest_from_arrays(arrays: Mapping[str, Any]) -> tuple[Forest, Indices]:
    """Rebuild a forest and its descriptor columns."""
    forest = Forest.from_arrays({name: arrays[name] for name in _FOREST})
    return forest, np.asarray(arrays["columns"], dtype=np.intp)


def scores_to_arrays(name: str, scores: ConformityScores) -> Arrays:
    """Return the arrays of conformity scores under a name."""
    return {
        f"{name}_values": scores.values,
        f"{name}_masses": scores.masses,
        f"{name}_groups": np.array(scores.groups),
    }


def scores_from_arrays(name: str, arrays: Mapping[str, Any]) -> ConformityScores:
    """Rebuild conformity scores stored under a name."""
    return ConformityScores(
        np.asarray(arrays[f"{name}_values"], dtype=float),
        np.asarray(arrays[f"{name}_masses"], dtype=float),
        int(arrays[f"{name}_groups"]),
    )
