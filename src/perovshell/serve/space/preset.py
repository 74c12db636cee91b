"""The design spaces of the package, by their names."""

from __future__ import annotations

from importlib import resources
from typing import Final

DEFAULT_PRESET: Final = "green-emitter"
PRESETS: Final = resources.files("perovshell.serve.space") / "presets"
"""Folder of their YAML files."""


def presets() -> list[str]:
    """Return the names of the presets."""
    return sorted(path.name.removesuffix(".yaml") for path in PRESETS.iterdir())
