"""Priors that say what is known before any tree is grown: robust Bayesian linear models.

Each term is a descriptor with a prior mean and standard deviation from physics or from the spread
of the literature, so that nothing is tuned. The noise is Student-t: a mislabelled or unusual
sample pulls little. What a prior does not know of a combination, its spread says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices
from perovshell.data.vocabulary import ENCAPSULATIONS, MEDIA, MORPHOLOGIES, STRUCTURES, TREATMENTS
from perovshell.errors import FitError
from perovshell.features.shell import CLASSES

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Term:
    """One effect of a prior, in units of the target per unit of its descriptor.

    Attributes:
        name: Name of the descriptor; where it is unknown, the term adds nothing.
        mean: Expected effect.
        sd: Standard deviation of the expectation.
    """

    name: str
    mean: float
    sd: float


@dataclass(frozen=True)
class PriorForm:
    """What a prior is made of.

    Attributes:
        base: Descriptor the target starts from with slope 1, or empty.
        offset: Expected distance of the target from its base.
        terms: The effects.
        noise: First guess of the noise.
        qualities: Effects of how a value was stated, by `vocabulary.QUALITIES`: known of training
            rows only, and left out of predictions, which are of printed values.
        errors: Descriptors that are standard deviations, each with what turns it into one of the
            target.
    """

    base: str
    offset: Term
    terms: tuple[Term, ...]
    noise: float
    qualities: tuple[Term, ...] = ()
    errors: tuple[tuple[str, float], ...] = ()


_GAP_ERROR: Final = 0.07
"""How far tabulated bulk gaps (eV) of one compound lie apart."""
_CONFINEMENT: Final = 5.0
"""Expected shift (eV) by the confinement of 1/nm2."""
PL_PRIOR = PriorForm(
    base="bulk gap estimate",
    offset=Term("offset", 0.0, 0.15),
    terms=(
        # An ion that does not fit the cage tilts or opens the framework, which widens the gap:
        # 2.2 eV for EAPbI3 (10.1186/1556-276X-7-353), 1.5 to 1.7 eV with Cs, FA and MA.
        Term("A guessed as Cs", 0.5, 0.3),
        # Little of what is to replace Pb enters the lattice: half of Zn by name shifts the peak of
        # CsPbI3 by 0.03 eV (10.1021/acs.nanolett.8b04339). Without Pb, the gap is another one.
        Term("B guessed as Pb, with Pb", 0.0, 0.15),
        Term("B guessed as Pb, without Pb", 0.0, 0.6),
        *(
            Term(f"{ion} fraction on {site}", 0.0, _GAP_ERROR)
            for ion, site in (("Cl", "X"), ("I", "X"), ("FA", "A"), ("MA", "A"))
        ),
        # Bowing beyond that of films, which the gap has.
        Term("Br-I mixing", 0.0, 0.1),
        Term("Cl-Br mixing", 0.0, 0.1),
        Term("Sn fraction on B", 0.0, 0.15),
        # Effective masses give 3 pi2 hbar2 / (2 mu d2) = 9 eV nm2 / d2 for a CsPbBr3 cube
        # (mu = 0.126, 10.1021/nl5048779); the attraction of electron and hole takes back a part.
        Term("confinement", _CONFINEMENT, 3.0),
        # Platelets of 3 to 5 monolayers emit at 2.6 to 2.8 eV, cubes at 2.4 (10.1021/jacs.5b12124).
        Term("platelet, thickness unknown", 0.25, 0.15),
        Term("shell layers", 0.0, 0.03),
    ),
    noise=0.03,
    errors=(("bulk gap uncertainty", 1.0), ("confinement uncertainty", _CONFINEMENT)),
)
"""Prior of the PL energy in eV."""

_PLQY_LEAD_FREE: Final = 30.0
"""The spread of all published values: nothing else is known of a core without lead."""
_PLQY_COMPOSITION: Final = 20.0
"""Ions and treatments: as much as papers on one combination differ (20 points of PLQY)."""
_PLQY_CONTEXT: Final = 10.0
"""Shell, medium and morphology: half of that."""
PLQY_PRIOR = PriorForm(
    base="",
    offset=Term("offset", 50.0, 50.0),
    terms=(
        # Another compound, unlike one in which a metal replaces a part of the lead: Zn in CsPbI3
        # leaves the PLQY high (10.1021/acs.nanolett.8b04339).
        Term("lead-free", 0.0, _PLQY_LEAD_FREE),
        *(
            Term(name, 0.0, _PLQY_COMPOSITION)
            for name in (
                *("FA fraction on A", "MA fraction on A", "Cl fraction on X", "I fraction on X"),
                *(f"{name} treatment" for name in TREATMENTS),
            )
        ),
        *(
            Term(name, 0.0, _PLQY_CONTEXT)
            for name in (
                "shell layers",
                *(f"shell is {name}" for name in CLASSES),
                *(f"structure is {name}" for name in STRUCTURES),
                *(f"encapsulation is {name}" for name in ENCAPSULATIONS),
                *(f"medium is {name}" for name in MEDIA),
                *(f"morphology is {name}" for name in MORPHOLOGIES),
            )
        ),
    ),
    noise=20.0,
    # "Up to" is the best of several samples; only a PLQY near unity is stated without a number.
    qualities=(Term("best value", 5.0, 5.0), Term("verbal", 25.0, 15.0)),
)
"""Prior of the PLQY in percent."""

_FREEDOM: Final = 4.0
"""Degrees of freedom of the Student-t noise."""
_MAX_STEPS: Final = 1000
_TOLERANCE: Final = 1e-9
_CONVERGENCE_TOL: Final = 0.1
"""Share of the noise by which an effect may still move when the steps are used up."""
_NOISE_FLOOR: Final = 0.1
"""The noise never falls below this share of its first guess."""


_ROWS_AT_ONCE: Final = 64


@dataclass(frozen=True)
class LinearPrior:
    """A fitted prior.

    Attributes:
        terms: Descriptor names.
        columns: Column of each term in a descriptor row.
        base_column: Column of the base, or -1.
        base_mean: Mean of the known bases: stands in for an unknown one.
        error_columns: Columns of the standard deviations of the form.
        error_factors: What turns each into one of the target.
        center: Mean of each term over the training rows.
        effects: Intercept, then the effect of each term.
        covariance: Posterior covariance of `effects`.
        noise: Scale of the noise.
        quality_effects: Effect of each quality of the form, which predictions leave out.
    """

    terms: tuple[str, ...]
    columns: tuple[int, ...]
    base_column: int
    base_mean: float
    error_columns: tuple[int, ...]
    error_factors: tuple[float, ...]
    center: Floats
    effects: Floats
    covariance: Floats
    noise: float
    quality_effects: Floats = field(default_factory=lambda: np.zeros(0))

    @classmethod
    def fit(
        cls,
        form: PriorForm,
        matrix: Floats,
        names: Sequence[str],
        target: Floats,
        bounds: Sequence[str],
        weights: Floats,
        qualities: Floats | None = None,
    ) -> LinearPrior:
        """Fit to descriptor rows by iteratively reweighted least squares.

        Args:
            form: Base and terms.
            matrix: Descriptor rows, shape (n, p).
            names: Column names.
            target: Target, shape (n,).
            bounds: Bound of each target; a bound that is kept costs nothing.
            weights: Weights that add up to the number of independent groups, shape (n,).
            qualities: Whether each target has each quality of the form, shape (n, q); None where
                none has.

        Raises:
            FitError: The fit did not converge.
        """
        columns = tuple(names.index(term.name) for term in form.terms)
        terms = np.nan_to_num(matrix[:, columns])
        stated = np.zeros((len(terms), len(form.qualities))) if qualities is None else qualities
        design = np.hstack([np.ones((len(terms), 1)), terms, stated])
        base_column = names.index(form.base) if form.base else -1
        base_mean = _known_mean(matrix[:, base_column], weights) if form.base else 0.0
        base = _base(matrix, base_column, base_mean)
        effects, covariance, noise = _student_t_fit(
            design,
            target - base,
            bounds,
            weights,
            (form.offset, *form.terms, *form.qualities),
            form.noise,
        )
        kept = 1 + len(form.terms)
        return cls(
            terms=tuple(term.name for term in form.terms),
            columns=columns,
            base_column=base_column,
            base_mean=base_mean,
            error_columns=tuple(names.index(name) for name, _ in form.errors),
            error_factors=tuple(factor for _, factor in form.errors),
            center=np.average(terms, axis=0, weights=weights),
            effects=effects[:kept],
            covariance=covariance[:kept, :kept],
            noise=noise,
            quality_effects=effects[kept:],
        )

    def predict(self, matrix: Floats) -> Floats:
        """Return the prior of descriptor rows, shape (n,)."""
        return np.asarray(
            self.base(matrix) + self.effects[0] + times(self._terms(matrix), self.effects[1:])
        )

    def base(self, matrix: Floats) -> Floats:
        """Return what the target starts from, shape (n,)."""
        return _base(matrix, self.base_column, self.base_mean)

    def spread(self, matrix: Floats) -> Floats:
        """Return the standard deviation of the target about the prior, shape (n,).

        It joins what is uncertain of the descriptors and of the effects with the noise.
        """
        first, rest = self.root[0], self.root[1:]
        projected = times(self._terms(matrix), rest) + first
        squares = np.einsum("nk,nk->n", projected, projected)
        return np.asarray(np.sqrt(squares + self.error_variance(matrix) + self.noise**2))

    def error_variance(self, matrix: Floats) -> Floats:
        """Return the variance by the errors of descriptors, shape (n,); 0 where it is unknown."""
        return weighted_squares(matrix, *self._errors)

    def contributions(self, matrix: Floats) -> tuple[float, Floats]:
        """Return the mean prior and how far base (first) and terms move each row from it."""
        base = self.base(matrix) - self.base_mean
        moved = (self._terms(matrix) - self.center) * self.effects[1:]
        mean = self.base_mean + float(self.effects[0] + self.center @ self.effects[1:])
        return mean, np.hstack([base[:, None], moved])

    def _terms(self, matrix: Floats) -> Floats:
        terms = matrix.take(self._places, axis=1)
        np.copyto(terms, 0.0, where=np.isnan(terms))
        return np.asarray(terms)

    @cached_property
    def _places(self) -> Indices:
        return np.array(self.columns, dtype=np.intp)

    @cached_property
    def _errors(self) -> tuple[Indices, Floats]:
        return np.array(self.error_columns, dtype=np.intp), np.array(self.error_factors)

    @cached_property
    def root(self) -> Floats:
        """A root of the covariance: rows as in `effects`."""
        return np.asarray(np.linalg.cholesky(self.covariance))

    def to_parts(self) -> tuple[dict[str, Any], Arrays]:
        """Return JSON data and arrays for storage."""
        data = {
            "terms": list(self.terms),
            "columns": list(self.columns),
            "base_column": self.base_column,
            "base_mean": self.base_mean,
            "error_columns": list(self.error_columns),
            "error_factors": list(self.error_factors),
            "noise": self.noise,
        }
        names = ("center", "effects", "covariance", "quality_effects")
        arrays = {name: getattr(self, name) for name in names}
        return data, {f"prior_{name}": array for name, array in arrays.items()}

    @classmethod
    def from_parts(cls, data: dict[str, Any], arrays: Mapping[str, Any]) -> LinearPrior:
        """Rebuild from stored parts."""
        return cls(
            terms=tuple(data["terms"]),
            columns=tuple(data["columns"]),
            base_column=int(data["base_column"]),
            base_mean=float(data["base_mean"]),
            error_columns=tuple(data["error_columns"]),
            error_factors=tuple(data["error_factors"]),
            noise=float(data["noise"]),
            center=arrays["prior_center"],
            effects=arrays["prior_effects"],
            covariance=arrays["prior_covariance"],
            quality_effects=arrays["prior_quality_effects"],
        )


def times(rows: Floats, other: Floats) -> Floats:
    """Return the matrix product with many rows, in parts for which no library starts threads.

    Threads that wait for each other cost more than they bring where cores are shared.
    """
    if len(rows) <= _ROWS_AT_ONCE:
        return np.asarray(rows @ other)
    starts = range(0, len(rows), _ROWS_AT_ONCE)
    return np.concatenate([rows[start : start + _ROWS_AT_ONCE] @ other for start in starts])


def weighted_squares(matrix: Floats, columns: Indices, factors: Floats) -> Floats:
    """Return the sum of the squares of columns times factors, unknown ones as 0, shape (n,)."""
    if not len(columns):
        return np.zeros(len(matrix))
    errors = matrix.take(columns, axis=1) * factors
    np.copyto(errors, 0.0, where=np.isnan(errors))
    return np.asarray(np.einsum("nk,nk->n", errors, errors))


def _known_mean(values: Floats, weights: Floats) -> float:
    known = ~np.isnan(values)
    return float(np.average(values[known], weights=weights[known])) if known.any() else 0.0


def _base(matrix: Floats, column: int, mean: float) -> Floats:
    if column < 0:
        return np.zeros(len(matrix))
    values = matrix[:, column]
    return np.where(np.isnan(values), mean, values)


def _student_t_fit(
    design: Floats,
    target: Floats,
    bounds: Sequence[str],
    weights: Floats,
    prior: Sequence[Term],
    noise: float,
) -> tuple[Floats, Floats, float]:
    """Return effects, their covariance and the scale of the noise."""
    above = np.array([bound == ">" for bound in bounds], dtype=bool)
    below = np.array([bound == "<" for bound in bounds], dtype=bool)
    mean = np.array([term.mean for term in prior])
    precision = np.diag([term.sd**-2.0 for term in prior])
    effects, floor = mean, _NOISE_FLOOR * noise
    trust = weights
    for _ in range(_MAX_STEPS):
        weighted = design * (trust / noise**2)[:, None]
        hessian = weighted.T @ design + precision
        updated = mean + np.linalg.solve(hessian, weighted.T @ (target - design @ mean))
        residual = target - design @ updated
        kept = (above & (residual < 0)) | (below & (residual > 0))
        trust = weights * (_FREEDOM + 1) / (_FREEDOM + (residual / noise) ** 2)
        trust = np.where(kept, 0.0, trust)
        moved = float(np.abs(updated - effects).max())
        effects = updated
        spread = (trust * residual**2).sum() / max(weights[~kept].sum(), 1.0)
        before, noise = noise, max(float(np.sqrt(spread)), floor)
        if moved < _TOLERANCE and abs(noise - before) < _TOLERANCE:
            break
    # A row that the fit only just holds to its bound may count and not count by turns.
    if moved > _CONVERGENCE_TOL * noise:
        msg = f"prior: the fit did not converge within {_MAX_STEPS} iterations"
        raise FitError(msg)
    return effects, np.asarray(np.linalg.inv(hessian), dtype=float), noise
