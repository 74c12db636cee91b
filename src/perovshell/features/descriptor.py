"""What a descriptor is: a named column with unit, source, group and block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from perovshell.errors import InputError

MAGPIE: Final = "10.1038/npjcompumats.2016.28"
"""Ward et al., the Magpie elemental property statistics."""
VALENCE: Final = "10.1002/chin.201644254"
"""Deml et al., valence orbital occupations."""
GOLDSCHMIDT: Final = "10.1007/BF01507527"
"""Goldschmidt, tolerance factor and ionic radii in perovskites."""
OCTAHEDRAL: Final = "10.1107/S0108768108032734"
"""Li et al., octahedral factor and formability of halide perovskites."""
CONFINEMENT: Final = "10.1021/nl5048779"
"""Protesescu et al., effective-mass confinement in cesium lead halide nanocrystals."""
REFERENCE_TABLE: Final = "reference tables (provenance.csv)"
REQUEST: Final = "as stated for the sample"

BLOCKS = ("core", "size", "shell", "contrast", "context")
"""Which part of a combination a descriptor looks at; the order of the columns."""


@dataclass(frozen=True)
class Descriptor:
    """One column of a descriptor matrix.

    Attributes:
        name: Unique name.
        unit: Unit, `1` where it has none.
        source: DOI or table it comes from.
        group: Family such as `core composition` or `shell class`, in words a chemist knows.
        block: One of `BLOCKS`.

    Raises:
        InputError: The block is none of them.
    """

    name: str
    unit: str
    source: str
    group: str
    block: str

    def __post_init__(self) -> None:
        """Refuse a block that no column is looked for in."""
        if self.block not in BLOCKS:
            msg = f"descriptor {self.name!r}: block {self.block!r}; allowed: {', '.join(BLOCKS)}"
            raise InputError(msg)
