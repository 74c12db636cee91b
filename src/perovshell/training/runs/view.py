"""A saved view of the list of runs: MLflow shows no figures there by itself."""

from __future__ import annotations

import json
from typing import Final

_COLUMNS: Final = (
    "metrics.`papers`",
    "metrics.`PL MAE in nm`",
    "metrics.`PLQY MAE in points`",
    "metrics.`PLQY R2`",
    "metrics.`lifetime concordance within a stressor`",
    "metrics.`lifetime log-likelihood over null`",
    "metrics.`gain log-likelihood over null`",
)
_STATE: Final = {"selectedColumns": _COLUMNS, "columnOrder": [], "columnWidths": {"runName": 260}}
TAG: Final = "mlflow.sharedViewState.perovshell-headline"
"""Tag of an experiment that holds the view; the end is its key in an address."""


def saved_view() -> str:
    """Return the view with the headline figures, as MLflow stores it in a tag."""
    # A time is needed, and shown nowhere.
    return json.dumps({"name": "Headline figures", "createdAt": 0, "state": json.dumps(_STATE)})
