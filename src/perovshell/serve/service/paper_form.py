"""What the form of a paper asks: it follows from the keys of a paper file and their columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from perovshell.data.columns import Column
from perovshell.data.material_rows import bundled
from perovshell.data.paper_fields import (
    SIDES,
    Field,
    paper_fields,
    sample_fields,
    side_fields,
    stability_fields,
)
from perovshell.data.paper_file import paper_reader
from perovshell.data.schema import Key
from perovshell.data.shells import WATER_WORDS

_FIRST: Final = {
    "": ("paper_id", "title", "doi", "year", "source"),
    "samples": (
        "name", "core", "shell", "structure", "encapsulation", "medium", "pl_peak_nm", "fwhm_nm",
        "plqy_percent", "core_size_nm", "shell_thickness_nm", "bare",
    ),
    "stability": ("stressor", "measure", "condition"),
    "sides": ("duration", "percent"),
    "shells": ("name", "class", "source"),
}  # fmt: skip
"""Keys that are shown at once; the others are folded."""
_LEFT_OUT: Final = ("sample_id", "bare_sample_id", "withdrawn", "duration_h")
"""Keys that a form does not need: whole identities, hours beside a duration, a retraction."""
_PARTS: Final = ("bound", "low", "high")
"""Ends of keys whose content is part of the printed number."""
_LISTS: Final = ("supersedes", "distinct_from", "aliases")
_CAPITALS: Final = {"doi": "DOI", "pl": "PL", "plqy": "PLQY", "fwhm": "FWHM", "id": "ID"}
_LABELS: Final = {"bare": "Uncoated sample", "role": "What emits", "note": "Remarks"}
_SUFFIXES: Final = ("_nm", "_percent", "_c", "_mw_cm2")
"""Ends of keys that repeat their unit."""


def paper_form() -> dict[str, Any]:
    """Return the fields of a paper, with those of its samples, tests and shells.

    Each field has its key, its label, its unit, its kind (`text`, `word`, `list`, or as of
    `data.columns.Column`), the allowed words, what a word is where it is left out, whether it is
    needed, a description, and whether it is shown at once.
    """
    keys = {key.name: key for key in paper_reader().keys}
    sample = {key.name: key for key in keys["samples"].reader.keys}
    test = {key.name: key for key in sample["stability"].reader.keys}
    side = {key.name: key for key in test[SIDES[0]].reader.keys}
    shell = {key.name: key for key in keys["shells"].reader.keys}
    sides = {name: _section("sides", side, side_fields()) for name in SIDES}
    stability = {**_section("stability", test, stability_fields()), "sides": sides}
    samples = {**_section("samples", sample, sample_fields()), "lists": {"stability": stability}}
    lists = {"samples": samples, "shells": _section("shells", shell, ())}
    return {**_section("", keys, paper_fields()), "lists": lists}


def _section(name: str, keys: Mapping[str, Key], fields: Iterable[Field]) -> dict[str, Any]:
    columns = {field.key: field.columns["value"] for field in fields}
    shown = [
        _field(key, columns.get(key.name), is_first=key.name in _FIRST[name])
        for key in keys.values()
        if not key.reader.keys
        and key.name not in _LEFT_OUT
        and key.name.rpartition("_")[2] not in _PARTS
        and key.name not in _PARTS
    ]
    order = {key: rank for rank, key in enumerate(_FIRST[name])}
    shown.sort(key=lambda field: order.get(field["key"], len(order)))
    return {"fields": shown, "lists": {}, "sides": {}}


def _field(key: Key, column: Column | None, *, is_first: bool) -> dict[str, Any]:
    words = column.words if column else _words_of_shells().get(key.name, ())
    kind = "list" if key.name in _LISTS else "word" if words else column.kind if column else "text"
    return {
        "key": key.name,
        "label": _label(key.name),
        "unit": _unit(column),
        "kind": kind,
        "words": [word for word in words if word],
        "default": key.default,
        "required": key.required,
        "help": key.help,
        "first": is_first,
    }


def _words_of_shells() -> dict[str, tuple[str, ...]]:
    classes = sorted({row["class"] for row in bundled("shells")})
    return {"class": tuple(classes), "in_water": tuple(WATER_WORDS)}


def _unit(column: Column | None) -> str:
    """Return the unit of a column as people write it; empty where there is none."""
    unit = column.unit if column else ""
    return {"1": "", "deg C": "\u00b0C"}.get(unit, unit)


def _label(key: str) -> str:
    """Return the name of a key for people: without its unit, abbreviations in capitals."""
    if key in _LABELS:
        return _LABELS[key]
    suffix = next((suffix for suffix in _SUFFIXES if key.endswith(suffix)), "")
    first, *others = key.removesuffix(suffix).split("_")
    first = _CAPITALS.get(first, first.capitalize())
    return " ".join([first, *(_CAPITALS.get(word, word) for word in others)])
