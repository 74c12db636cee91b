"""Applicability domain of a target: its limits, and the reasons for being out of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.shells import ShellMaterial
from perovshell.data.structure_types import OTHER
from perovshell.files import finite
from perovshell.texts import counted

FEW_PAPERS = 3
"""An ion or a shell class known from fewer papers is outside the domain."""
MIXING_REACH = 0.3
"""Largest distance (in site fraction) from the nearest core of the training data."""
ROUNDING = 1e-9
"""Distances this close to a limit are at it: sums of fractions carry rounding errors."""
FEWEST_SIZES = 10
"""With fewer known core sizes, a size is no reason to be out of domain."""
METAL = "the core is a metal, not a halide perovskite"
OPEN_CLASSES = frozenset({"perovskite-like", "halide", "oxide", "other", "organosilica"})
"""Classes in which a material of open composition is no definite request."""


@dataclass(frozen=True)
class Domain:
    """The applicability domain of one target.

    Attributes:
        target: Label, one of `targets.declared.DOMAINS`.
        ion_papers: Papers an ion was seen in.
        type_papers: Papers a structure type was seen in.
        class_papers: Papers a shell class was seen in (`none` for bare).
        fractions: Distinct site fractions of the training cores, shape (n, n_ions).
        smallest_nm: Size of the smallest training core in nm, NaN where too few sizes are known.
        reach: Distance within which 95 % of the papers have a sample of another paper.
    """

    target: str
    ion_papers: dict[str, int]
    type_papers: dict[str, int]
    class_papers: dict[str, int]
    fractions: Floats
    smallest_nm: float
    reach: float

    def describe_ion(self, symbol: str) -> str:
        """Return the reason that few papers have an ion."""
        count = self.ion_papers.get(symbol, 0)
        return f"{self.target}: {symbol} in the core is known from {few_papers(count)}"

    def describe_type(self, structure_type: str) -> str:
        """Return the reason that few papers have cores of a structure type."""
        count = self.type_papers.get(structure_type, 0)
        kind = (
            "a ratio of sites of no known structure type"
            if structure_type == OTHER
            else f"the structure type {structure_type}"
        )
        return f"{self.target}: {kind} is known from {few_papers(count)}"

    def describe_mixing(self, reach: float) -> str:
        """Return the reason that the nearest known core is far away, in site fraction."""
        return f"{self.target}: nearest known core is {reach:.2f} away in site fraction"

    def describe_size(self, size_nm: float) -> str:
        """Return the reason that a core is smaller than any known one."""
        return (
            f"{self.target}: a core of {size_nm:g} nm is smaller than any known one "
            f"({self.smallest_nm:g} nm)"
        )

    def with_ions(self, count: int) -> Domain:
        """Return the domain over an ion table with further ions behind its own, which it lacks."""
        more = count - self.fractions.shape[1]
        return (
            replace(self, fractions=np.pad(self.fractions, ((0, 0), (0, more)))) if more else self
        )

    def describe_distance(self, nearest: float) -> str:
        """Return the reason that the nearest sample is far away."""
        return (
            f"{self.target}: nearest sample at distance {nearest:.2g}; 95 % of the papers "
            f"have one of another paper within {self.reach:.2g}"
        )

    def describe_shell(self, layers: Sequence[ShellMaterial]) -> str:
        """Return why a shell is out of domain, or an empty text."""
        for layer in layers:
            if not layer.formula and layer.material_class in OPEN_CLASSES:
                return f"the composition of shell {layer.name} is open"
            count = self.class_papers.get(layer.material_class, 0)
            if count < FEW_PAPERS:
                kind = f"shell class {layer.material_class!r} ({layer.name})"
                return f"{self.target}: {kind} is known from {few_papers(count)}"
        return ""

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "target": self.target,
            "ion_papers": self.ion_papers,
            "type_papers": self.type_papers,
            "class_papers": self.class_papers,
            "fractions": self.fractions.tolist(),
            "smallest_nm": finite(self.smallest_nm),
            "reach": self.reach,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Domain:
        """Rebuild from JSON data."""
        smallest = data["smallest_nm"]
        return cls(
            target=data["target"],
            ion_papers=data["ion_papers"],
            type_papers=data["type_papers"],
            class_papers=data["class_papers"],
            fractions=np.array(data["fractions"], dtype=float),
            smallest_nm=math.nan if smallest is None else float(smallest),
            reach=float(data["reach"]),
        )


def few_papers(count: int) -> str:
    """Return a small number of papers in words."""
    return "no paper" if count == 0 else f"{counted(count, 'paper')} only"
