"""Tables in a text: each cell is read as a short sentence of its sample, its column and itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from perovshell.drafting.binding import Reading
from perovshell.drafting.mentions import Material, MaterialFinder
from perovshell.drafting.naming import named_quantities
from perovshell.drafting.references import Reference, Samples
from perovshell.drafting.sentences import TextTable

_UNIT: Final = re.compile(
    r"\s*(?:[(\[]\s*([^()\[\]]{1,12})\s*[)\]]|[/,]\s*(%|nm|eV|\u00b0C|h|d))\s*$"
)
_NUMBER: Final = re.compile(r"[~<>\u2248\u2264\u2265]?\s?\d")


def table_readings(table: TextTable, samples: Samples, finder: MaterialFinder) -> Iterator[Reading]:
    """Yield the cells of a table as sentences.

    Args:
        table: The table; its samples are in the first column, or in the first row.
        samples: The samples of the text.
        finder: Finds the materials of a cell.
    """
    rows = (table.header, *table.rows)
    if not any(_sample(row[0], samples, finder) for row in rows[1:]):
        rows = tuple(zip(*rows, strict=True))
    for row in rows[1:]:
        sample = _sample(row[0], samples, finder)
        for header, cell in zip(rows[0][1:], row[1:], strict=True):
            if sample and _NUMBER.match(cell):
                yield _reading(row[0], header, cell, sample, samples)


def _reading(name: str, header: str, cell: str, sample: Material, samples: Samples) -> Reading:
    unit = _UNIT.search(header)
    words = header[: unit.start()] if unit else header
    text = f"{name} {words} {cell} {(unit[1] or unit[2]) if unit else ''}".strip()
    quantities = named_quantities(text[len(name) :])
    moved = tuple(
        replace(quantity, start=quantity.start + len(name), end=quantity.end + len(name))
        for quantity in quantities
    )
    return Reading(text, (Reference(0, len(name), (sample,)),), moved, samples)


def _sample(cell: str, samples: Samples, finder: MaterialFinder) -> Material | None:
    """Return the sample of a row; a core alone is bare."""
    references = samples.references(cell, finder.find(cell))
    if len(references) != 1:
        return None
    [reference] = references
    bare = [sample for sample in reference.samples if not sample.layers]
    return bare[0] if reference.is_plain and len(bare) == 1 else reference.sample
