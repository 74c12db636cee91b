"""Self-contained HTML pages: what reports and the service share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from perovshell.models.card import card_sections, error_table, stability_table

SCRIPTS: Final = "static"
"""Folder of the package with the scripts that reports and the service share."""
_SHARED: Final = ("templates", SCRIPTS)


def environment(package: str) -> Environment:
    """Return the templates of a package, on top of the shared templates and scripts."""
    loaders = [PackageLoader(package), *(PackageLoader("perovshell", f) for f in _SHARED)]
    made = Environment(loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined)
    made.filters["cell"] = cell
    return made


def card_page(info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the card of a model for the macro `card`; see `models.card.card_sections`."""
    return {
        "sections": dict(card_sections(info)),
        "tables": [error_table(info), stability_table(info["figures"])],
    }


def cell(value: Any) -> str:
    """Write a value for reading: a triple is a value with its interval, maybe without an end."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {cell(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        middle, low, high = ("open" if part is None else cell(part) for part in value)
        return f"{middle} [{low}, {high}]"
    return str(value)
