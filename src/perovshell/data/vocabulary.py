"""The words of the dataset, in one place."""

from __future__ import annotations

COMPOSITIONS = ("exact", "open")
STRUCTURES = ("core/shell", "janus", "core/island", "matrix", "bare", "other")
ENCAPSULATIONS = ("single-particle", "multi-particle", "none", "unknown")
MEDIA = ("solution", "film", "powder", "water", "unknown")
PLATELET = "nanoplatelet"
MORPHOLOGIES = ("nanocrystal", PLATELET, "nanowire")
TREATMENTS = ("ligand", "dopant")
"""What a sample may carry beside its shell, each with a column of its name."""
ROLES = ("core", "dopant", "shell", "other")
BOUNDS = ("", "~", ">", "<")
QUALITIES = ("", "printed", "best value", "second-hand", "verbal")
"""How a number was stated: `best value` is "up to", `verbal` a statement without a number. An empty
text is `printed`."""
STRESSORS = (
    "water",
    "humidity",
    "light",
    "heat",
    "polar-solvent",
    "sonication",
    "ambient",
    "anion-exchange",
    "other",
)
MEASURES = ("remnant PL", "remnant PLQY", "time to failure")
CONDITIONS = {"temperature_c": "deg C", "humidity_percent": "%", "irradiance_mw_cm2": "mW/cm2"}
"""Test conditions a lifetime is modelled with, and their units: the more, the harsher."""


def column_name(stressor: str) -> str:
    """Return a stressor as it stands in column names."""
    return stressor.replace("-", "_")
