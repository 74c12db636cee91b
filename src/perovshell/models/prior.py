"""A physical prior of the emission energy: linear in composition, bowing and confinement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

PL_TERMS = (
    "FA fraction on A",
    "MA fraction on A",
    "Pb fraction on B",
    "Sn fraction on B",
    "Cl fraction on X",
    "I fraction on X",
    "Cl-Br mixing",
    "Br-I mixing",
    "A per B",
    "X per B",
    "inverse square of core size",
    "shell layers",
)
"""Mixing terms are the products of halide fractions (bowing); 1/d2 is confinement."""
_PENALTY = 0.3
_TINY = 1e-12


@dataclass(frozen=True)
class LinearPrior:
    """A weighted ridge regression on a few descriptors; an unknown descriptor adds nothing.

    Attributes:
        terms: Descriptor names.
        columns: Column of each term in a descriptor row.
        center: Weighted mean of each term.
        scale: Weighted standard deviation of each term.
        slope: Coefficient of each standardised term.
        intercept: Weighted mean of the target.
    """

    terms: tuple[str, ...]
    columns: tuple[int, ...]
    center: Floats
    scale: Floats
    slope: Floats
    intercept: float

    @classmethod
    def fit(
        cls, matrix: Floats, names: Sequence[str], target: Floats, weights: Floats
    ) -> LinearPrior:
        """Fit to descriptor rows (n, p) with the given column names."""
        columns = tuple(names.index(term) for term in PL_TERMS)
        terms = matrix[:, columns]
        known = ~np.isnan(terms)
        mass = np.where(known, weights[:, None], 0.0)
        total = np.maximum(mass.sum(axis=0), _TINY)
        center = (mass * np.nan_to_num(terms)).sum(axis=0) / total
        spread = (mass * np.nan_to_num(terms - center) ** 2).sum(axis=0) / total
        scale = np.asarray(np.where(spread > _TINY, np.sqrt(spread), 1.0), dtype=float)
        standard = np.where(known, np.nan_to_num(terms - center) / scale, 0.0)
        intercept = float(np.average(target, weights=weights))
        weighted = standard * weights[:, None]
        gram = standard.T @ weighted + _PENALTY * np.eye(len(PL_TERMS))
        slope = np.linalg.solve(gram, weighted.T @ (target - intercept))
        return cls(PL_TERMS, columns, center, scale, np.asarray(slope, dtype=float), intercept)

    def predict(self, matrix: Floats) -> Floats:
        """Return the prior of descriptor rows, shape (n,)."""
        terms = matrix.take(self._places, axis=1)
        standard = np.where(np.isnan(terms), 0.0, (terms - self.center) / self.scale)
        return np.asarray(self.intercept + standard @ self.slope)

    @cached_property
    def _places(self) -> npt.NDArray[np.intp]:
        return np.array(self.columns, dtype=np.intp)

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "terms": list(self.terms),
            "columns": list(self.columns),
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "slope": self.slope.tolist(),
            "intercept": self.intercept,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LinearPrior:
        """Rebuild from JSON data."""
        arrays = {name: np.array(data[name], dtype=float) for name in ("center", "scale", "slope")}
        return cls(
            terms=tuple(data["terms"]),
            columns=tuple(data["columns"]),
            intercept=float(data["intercept"]),
            **arrays,
        )
