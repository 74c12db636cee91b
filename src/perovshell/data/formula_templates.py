"""Formulas as skeletons with numbers, so that many are read in a few array operations.

A skeleton is a formula without its numbers: `CsPb(Br0.8I0.2)3` and `CsPb(Br0.5I0.5)3` have the
same one. What it means (which numbers multiply and add up for which ion) is worked out
once and kept as a template.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.grammar import MAX_DEPTH
from perovshell.data.ions import Ion

NEUTRAL_WITHIN = 0.05
"""Largest net charge of a formula unit, in e."""
MIN_AMOUNT, MAX_AMOUNT = 1e-6, 1000.0
"""Smallest and largest amount of one ion in a formula unit."""
_ROUNDING = 1e-9

_DIGITS = b"0123456789."
_NOT_DIGITS = bytes(code for code in range(256) if code not in _DIGITS)
_TO_BLANK = bytes.maketrans(_NOT_DIGITS, b" " * len(_NOT_DIGITS))
_NEWLINE, _DOT, _ZERO = b"\n.0"
_IS_DIGIT = np.isin(np.arange(256, dtype=np.uint8), np.frombuffer(_DIGITS, dtype=np.uint8))
_BLOCK = 4096
"""Texts taken apart at once: their arrays stay in the cache."""
_MARK = 0xFF
"""Replaces a number in a skeleton; no UTF-8 text has this byte."""


@dataclass(frozen=True)
class FormulaTemplate:
    """What a skeleton means.

    Attributes:
        species: Symbols of the ions.
        terms: For each species, the products of numbers that add up to its amount.
        ions: The ions.
        charge_choices: Every allowed combination of charges, shape (n_choices, n_species).
        is_metal: Whether it is a metal, not a salt.
    """

    species: tuple[str, ...]
    terms: tuple[tuple[tuple[int, ...], ...], ...]
    ions: tuple[Ion, ...]
    charge_choices: Floats
    is_metal: bool

    @cached_property
    def flat_terms(self) -> Indices:
        """One row a term: the index of its species, then the numbers to multiply (-1: none)."""
        return np.array(
            [
                [slot, *term, *[-1] * (MAX_DEPTH - len(term))]
                for slot, terms in enumerate(self.terms)
                for term in terms
            ],
            dtype=np.intp,
        )

    @cached_property
    def site_fault(self) -> str:
        """Why the ions make no halide-perovskite core; empty where they do, or for a metal."""
        sites = {ion.site for ion in self.ions}
        if self.is_metal and "A" in sites:
            return "a metal with an A-site ion but no halide: not a halide-perovskite core"
        if self.is_metal:
            return ""
        if "X" not in sites:
            return "no halide: not a halide-perovskite core"
        if "A" not in sites:
            return "no A-site ion (Cs, FA, MA, ...): not a halide-perovskite core"
        if "B" not in sites:
            return "no B-site metal: not a halide-perovskite core"
        return ""

    def nearest_to_neutral(self, amounts: Sequence[float]) -> int:
        """Return the index of the charges with which amounts are nearest to neutral.

        The first ones are taken where they are neutral to `NEUTRAL_WITHIN`.
        """
        first = sum(map(operator.mul, self.charge_choices[0].tolist(), amounts))
        if abs(first) <= NEUTRAL_WITHIN + _ROUNDING or len(self.charge_choices) == 1:
            return 0
        return int(np.abs(self.charge_choices @ np.asarray(amounts)).argmin())

    def amounts(self, numbers: Sequence[float]) -> list[float]:
        """Return the amount of each species."""
        return [
            sum(math.prod(numbers[index] for index in term) for term in terms)
            for terms in self.terms
        ]


@dataclass(frozen=True)
class Scan:
    """Many texts taken apart into skeletons and numbers.

    Attributes:
        skeletons: Each text with a mark instead of every number, UTF-8.
        numbers: The numbers of all texts one after another.
        first: Index of the first number of each text, shape (n,).
        is_plain: Whether all numbers of a text are decimals such as 0.5 or 12 (not 1.2.3 or 007)
            and the text is short enough, shape (n,).
    """

    skeletons: list[bytes]
    numbers: Floats
    first: Indices
    is_plain: Mask

    def examples(self) -> dict[bytes, int]:
        """Return one plain row of each skeleton."""
        plain = np.flatnonzero(self.is_plain).tolist()
        return {self.skeletons[row]: row for row in plain}


def scan(texts: Sequence[str], max_length: int) -> Scan:
    """Take many texts apart.

    Args:
        texts: The texts, shape (n,).
        max_length: Longest text that is plain, in bytes.
    """
    starts = range(0, max(len(texts), 1), _BLOCK)
    blocks = [_scan_block(texts[start : start + _BLOCK], max_length) for start in starts]
    before = np.cumsum([0, *(len(block.numbers) for block in blocks)])
    return Scan(
        skeletons=[skeleton for block in blocks for skeleton in block.skeletons],
        numbers=np.concatenate([block.numbers for block in blocks]),
        first=np.concatenate([block.first + n for block, n in zip(blocks, before, strict=False)]),
        is_plain=np.concatenate([block.is_plain for block in blocks]),
    )


def _scan_block(texts: Sequence[str], max_length: int) -> Scan:
    """Take texts apart at once, as one array of bytes with a newline behind each."""
    raw = "\n".join([*texts, ""]).encode(errors="surrogatepass")
    code = np.frombuffer(raw, dtype=np.uint8)
    newline = np.flatnonzero(code == _NEWLINE)
    if len(newline) != len(texts):
        # A newline within a text: no number, so any other byte that is in no formula will do.
        return _scan_block([text.replace("\n", "\0") for text in texts], max_length)
    is_number = _IS_DIGIT[code]
    begins, ends = is_number.copy(), is_number.copy()
    begins[1:] &= ~is_number[:-1]
    ends[:-1] &= ~is_number[1:]
    begin, end = np.flatnonzero(begins), np.flatnonzero(ends)
    marked = code.copy()
    marked[begin] = _MARK
    skeletons = marked[~is_number | begins].tobytes().split(b"\n")[:-1]
    upto = np.searchsorted(begin, newline)
    is_plain = np.diff(newline, prepend=-1) <= max_length + 1
    runs = raw.translate(_TO_BLANK).split()
    odd = _odd_runs(code, begin, end)
    for run in odd.tolist():
        runs[run] = b"0"
    is_plain[np.searchsorted(upto, odd, side="right")] = False
    first = np.concatenate([[0], upto])[:-1].astype(np.intp)
    return Scan(skeletons, np.array([*map(float, runs)]), first, is_plain)


def _odd_runs(code: npt.NDArray[np.uint8], begin: Indices, end: Indices) -> Indices:
    """Return which runs of digits and dots are no plain decimals."""
    dot = np.flatnonzero(code == _DOT)
    count = np.searchsorted(dot, end, side="right") - np.searchsorted(dot, begin)
    second = code[np.minimum(begin + 1, end)]
    leading_zero = (code[begin] == _ZERO) & (begin < end) & (second != _DOT)
    at_the_edge = (code[begin] == _DOT) | (code[end] == _DOT)
    return np.flatnonzero(at_the_edge | (count > 1) | leading_zero)


@dataclass(frozen=True)
class Amounts:
    """Amounts of many formulas, with a first verdict.

    Attributes:
        template: Index of each formula's template, shape (n,).
        amounts: Amount of each species of the template, shape (n, k).
        good: Whether amounts are in range and the first charge of each ion is neutral.
    """

    template: Indices
    amounts: Floats
    good: Mask


def multiply_out(
    templates: Sequence[FormulaTemplate],
    template: Indices,
    start: Indices,
    numbers: Sequence[float],
) -> Amounts:
    """Multiply the numbers of all formulas in a few array operations.

    Args:
        templates: The templates.
        template: Index of each formula's template, shape (n,).
        start: Index of each formula's first number, shape (n,).
        numbers: All numbers.
    """
    width = max((len(item.species) for item in templates), default=1)
    flat = np.concatenate(
        [item.flat_terms for item in templates] or [np.zeros((0, 1 + MAX_DEPTH), dtype=np.intp)]
    )
    slots, factors = flat[:, 0], flat[:, 1:]
    terms_each = np.array([len(item.flat_terms) for item in templates], dtype=np.intp)
    first_term = np.concatenate([[0], np.cumsum(terms_each)]).astype(np.intp)
    count = terms_each[template]
    row = np.repeat(np.arange(len(template)), count)
    within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    term = first_term[template[row]] + within
    # A missing factor points to the 1 behind all numbers.
    values = np.array([*numbers, 1.0])
    product = np.ones(len(row))
    for level in range(MAX_DEPTH):
        factor = factors[term, level]
        if (factor < 0).all():
            break
        product *= values[np.where(factor < 0, len(values) - 1, start[row] + factor)]
    summed = np.bincount(
        row * width + slots[term], weights=product, minlength=len(template) * width
    )
    amounts = np.asarray(summed, dtype=float).reshape(len(template), width)
    return Amounts(template, amounts, _first_verdict(templates, template, amounts))


def _first_verdict(
    templates: Sequence[FormulaTemplate], template: Indices, amounts: Floats
) -> Mask:
    charges = np.zeros((max(len(templates), 1), amounts.shape[1]))
    is_site_fault = np.zeros(max(len(templates), 1), dtype=bool)
    present = np.zeros(charges.shape, dtype=bool)
    for index, item in enumerate(templates):
        charges[index, : len(item.species)] = item.charge_choices[0]
        present[index, : len(item.species)] = True
        is_site_fault[index] = bool(item.site_fault)
    in_range = ((amounts >= MIN_AMOUNT) & (amounts <= MAX_AMOUNT)) | ~present[template]
    neutral = np.abs((amounts * charges[template]).sum(axis=1)) <= NEUTRAL_WITHIN + _ROUNDING
    return np.asarray(in_range.all(axis=1) & neutral & ~is_site_fault[template])
