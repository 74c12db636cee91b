"""Bulk gaps of halides by composition, from end members and measured mixtures.

The gap of A B X3, A of Cs, FA, MA, B of Pb, Sn and X of Cl, Br, I, with the site fractions f, is

    sum over A, B, X of f_A f_B f_X E_ABX + sum over pairs of ions i, j on one site of f_i f_j c_ij.

The gaps E of end members and the bowing -c are those of a Bayesian linear model with Student-t
noise: tables and physics say what is expected, and the measured gaps of mixtures move it. The
covariance is large where they say little. A compound of other ions or of another structure has the
gap that was measured of it.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.columns import GAPS
from perovshell.data.composition import Composition, CompositionKey
from perovshell.data.formula import FormulaReader
from perovshell.data.tables import Row
from perovshell.errors import InputError

NAMED_FRACTIONS: Final = {"A": ("Cs", "FA", "MA"), "B": ("Pb", "Sn"), "X": ("Cl", "Br", "I")}
"""The ions between which gaps are interpolated."""
NAMED: Final = tuple(ion for ions in NAMED_FRACTIONS.values() for ion in ions)
SITE_SPLITS: Final = (3, 5)
"""Where the columns of B and of X begin in fractions of the named ions."""
ABX3_WITHIN: Final = 0.03
"""How far the ions A and X per B may lie from 1 and 3."""
_ENDS: Final = tuple(itertools.product(*NAMED_FRACTIONS.values()))
_PAIRS: Final = tuple(
    pair for ions in NAMED_FRACTIONS.values() for pair in itertools.combinations(ions, 2)
)
_ONE: Final = len(NAMED)
_FACTORS: Final = np.array(
    [
        *([NAMED.index(ion) for ion in end] for end in _ENDS),
        *([NAMED.index(first), NAMED.index(second), _ONE] for first, second in _PAIRS),
    ]
).T
"""Which three fractions each term multiplies; a pair has a third of 1, behind those of the ions."""
_BOWING: Final = {
    # Eg(MAPb(I,Br)3) = 1.57 + 0.39 x + 0.33 x2 eV (10.1021/nl400349b).
    ("Br", "I"): 0.33,
    # Iodides of lead and tin have narrower gaps than either end (10.1021/ja5033259).
    ("Pb", "Sn"): 0.5,
}
"""Expected bowing in eV, 0 for other pairs."""
_BOWING_SD: Final = 0.3
_TIN_STEP: Final = -0.5
"""Gap (eV) of a tin halide less that of the lead halide: -0.6 for CsSnBr3, -0.4 for CsSnI3."""
_ANY_GAP: Final = 2.0
"""Expected gap (eV) of an end member of which nothing is tabulated."""
_END_SD: Final = 0.3
_TABLE_SD: Final = 0.07
"""How far (eV) tabulated gaps of one end member lie apart."""
_NOISE: Final = 0.06
"""First guess (eV) of how far gaps of one composition lie apart."""
_ROWS_PER_SERIES: Final = 12.0
"""Rows that count as one, because films of one series share its errors. The laboratories are not
stated; about 600 films are of about 50 sets of ions."""
COMPOUND_SD: Final = 0.12
"""How far (eV) measured gaps of one compound lie apart: 1.95 and 2.19 for Cs2AgBiBr6."""
OTHER_STRUCTURE_SD: Final = 0.5
"""How far (eV) the gap of another structure lies from that of A B X3 with the same ions: from 1.3
for CsSnI3 to 1.5 for Cs2SnI6, from 2.4 for CsPbBr3 to above 3 for Cs4PbBr6."""
_FREEDOM: Final = 4.0
"""Degrees of freedom of the Student-t noise."""
_STEPS: Final = 100
_ROUNDING: Final = 1e-9


@dataclass(frozen=True)
class BulkGaps:
    """Gaps by composition.

    Attributes:
        tabulated: Tabulated gaps of the end members in eV, NaN where there is none, shape (18,).
        effects: Gaps of the end members, then what each pair of ions on a site adds, in eV, (k,).
        root: A root of the covariance of the effects, rows as in `effects`, shape (k, k).
        compounds: Measured gaps in eV of other compounds, by `Composition.key`.
    """

    tabulated: Floats
    effects: Floats
    root: Floats
    compounds: Mapping[CompositionKey, float]

    @classmethod
    def fit(
        cls, reader: FormulaReader, core_rows: Sequence[Row], gap_rows: Sequence[Row]
    ) -> BulkGaps:
        """Fit to tables.

        Args:
            reader: Reads the formulas.
            core_rows: Rows with the columns of `materials/cores.csv`: gaps of end members.
            gap_rows: Rows with the columns of `materials/gaps.csv`.

        Raises:
            FormulaError: A formula cannot be read.
            InputError: A gap is no number that a halide can have.
        """
        cores, gaps = _read(reader, core_rows), _read(reader, gap_rows)
        by_key = {core.key: ev for core, ev in cores}
        keys = [reader.read_core(f"{a}{b}{x}3").key for a, b, x in _ENDS]
        tabulated = np.array([by_key.get(key, math.nan) for key in keys])
        mixtures = [(shares, ev) for core, ev in gaps if (shares := abx3_shares(core)) is not None]
        fractions = np.array([shares for shares, _ in mixtures]).reshape(-1, len(NAMED))
        measured = np.array([ev for _, ev in mixtures])
        effects, root = _student_t(design(fractions), measured, *_expected(tabulated))
        return cls(tabulated, effects, root, _compounds(gaps) | _compounds(cores))

    def mixtures(self, fractions: Floats) -> tuple[Floats, Floats]:
        """Return gaps of A B X3 and their standard deviations in eV, each of shape (n,).

        Args:
            fractions: Site fractions of `NAMED`, shape (n, 8); NaN gives NaN.
        """
        return self.of_terms(design(fractions))

    def of_terms(self, terms: Floats) -> tuple[Floats, Floats]:
        """Return gaps and standard deviations of rows of `design`, as `mixtures` does."""
        projected = terms @ self.root
        return terms @ self.effects, np.sqrt(np.einsum("nk,nk->n", projected, projected))

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "tabulated": [None if math.isnan(ev) else ev for ev in self.tabulated.tolist()],
            "effects": self.effects.tolist(),
            "root": self.root.tolist(),
            "compounds": [[list(map(list, key)), ev] for key, ev in self.compounds.items()],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> BulkGaps:
        """Rebuild from what `to_json` returned."""
        compounds = {
            tuple((str(ion), float(share)) for ion, share in key): float(ev)
            for key, ev in data["compounds"]
        }
        tabulated = np.array(data["tabulated"], dtype=float)
        return cls(tabulated, np.array(data["effects"]), np.array(data["root"]), compounds)


def abx3_shares(core: Composition) -> list[float] | None:
    """Return the site fractions of `NAMED` of an A B X3 of these ions alone; else None."""
    totals = dict.fromkeys(NAMED_FRACTIONS, 0.0)
    for (symbol, amount), ion in zip(core.amounts, core.ions, strict=True):
        if symbol not in NAMED:
            return None
        totals[ion.site] += amount
    ratios = (totals["A"] / totals["B"] - 1.0, totals["X"] / totals["B"] - 3.0)
    is_abx3 = max(map(abs, ratios)) < ABX3_WITHIN
    return [core.fractions.get(ion, 0.0) for ion in NAMED] if is_abx3 else None


def design(fractions: Floats) -> Floats:
    """Return what each effect is multiplied by, of site fractions (n, 8), shape (n, k).

    The first are the weights of the end members, in the order of `BulkGaps.tabulated`.
    """
    with_one = np.ones((len(fractions), len(NAMED) + 1))
    with_one[:, :-1] = fractions
    first, second, third = (with_one.take(ions, axis=1) for ions in _FACTORS)
    return np.asarray(first * second * third)


def _read(reader: FormulaReader, rows: Sequence[Row]) -> list[tuple[Composition, float]]:
    """Return the compositions with a gap.

    Raises:
        InputError: A gap is no number that a halide can have.
    """
    column = GAPS["band_gap_ev"]
    stated = [(row["formula"], row["band_gap_ev"]) for row in rows if row["band_gap_ev"]]
    for formula, text in stated:
        if fault := column.fault(text):
            msg = f"band gap of {formula}: {text!r}; allowed: {fault}"
            raise InputError(msg)
    return [(reader.read_core(formula), column.number(text)) for formula, text in stated]


def _compounds(gaps: Sequence[tuple[Composition, float]]) -> dict[CompositionKey, float]:
    """Return the median gap of each composition that is no A B X3 of the named ions."""
    by_key: dict[CompositionKey, list[float]] = defaultdict(list)
    for core, ev in gaps:
        if abx3_shares(core) is None:
            by_key[core.key].append(ev)
    return {key: float(np.median(values)) for key, values in by_key.items()}


def _expected(gaps: Floats) -> tuple[Floats, Floats]:
    """Return the expected effects, from tabulated end members, and their standard deviations."""
    is_tabulated = ~np.isnan(gaps)
    by_site = gaps.reshape([len(ions) for ions in NAMED_FRACTIONS.values()])
    guess = np.broadcast_to(by_site[:, :1, :] + _TIN_STEP, by_site.shape).ravel()
    guess = np.where(np.isnan(guess), _ANY_GAP, guess)
    mean = np.concatenate(
        [np.where(is_tabulated, gaps, guess), [-_BOWING.get(pair, 0.0) for pair in _PAIRS]]
    )
    sd = np.concatenate(
        [np.where(is_tabulated, _TABLE_SD, _END_SD), np.full(len(_PAIRS), _BOWING_SD)]
    )
    return mean, sd


def _student_t(terms: Floats, target: Floats, mean: Floats, sd: Floats) -> tuple[Floats, Floats]:
    """Return the effects and a root of their covariance by iteratively reweighted least squares.

    Effects are mean + sd z, with z of unit variance a priori.
    """
    scaled, rest = terms * sd, target - terms @ mean
    noise, trust = _NOISE, np.full(len(target), 1.0 / _ROWS_PER_SERIES)
    for _ in range(_STEPS):
        weighted = scaled * (trust / noise**2)[:, None]
        hessian = weighted.T @ scaled + np.eye(len(mean))
        z = np.linalg.solve(hessian, weighted.T @ rest)
        residual = rest - scaled @ z
        pull = (_FREEDOM + 1) / (_FREEDOM + (residual / noise) ** 2)
        trust = pull / _ROWS_PER_SERIES
        if len(target):
            noise = float(np.sqrt((pull * residual**2).mean()))
    root = np.linalg.cholesky(np.linalg.inv(hessian))
    return np.asarray(mean + sd * z), np.asarray(sd[:, None] * root)
