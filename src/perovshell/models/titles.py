"""The targets a model answers, and what they are called where people read."""

from __future__ import annotations

from typing import Final

TARGETS: Final = ("pl", "plqy", "lifetime", "gain")
TITLES: Final = {"pl": "PL peak", "plqy": "PLQY", "lifetime": "lifetime", "gain": "stability gain"}
ERROR_UNITS: Final = {"pl": "nm", "plqy": "points", "lifetime": "", "gain": ""}
"""Units of losses: of the error, or none where the loss is minus the log likelihood."""
