"""Compositions: what a formula means, one by one and as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats
from perovshell.data.ions import Ion
from perovshell.data.shells import ShellMaterial, shell_text
from perovshell.errors import FormulaError

CompositionKey: TypeAlias = tuple[tuple[str, float], ...]
"""The ions with their fractions, in the order of the ion table."""


@dataclass(frozen=True)
class Composition:
    """A neutral core, or a core of metals alone.

    Attributes:
        amounts: Amount of each ion in the formula unit, in the order A, B, X of the ion table.
        is_metal: Whether it is a core of metals alone.
        ions: The ions, in the order of `amounts`.
    """

    amounts: tuple[tuple[str, float], ...]
    is_metal: bool
    ions: tuple[Ion, ...]

    @cached_property
    def formula(self) -> str:
        """The formula in the standard order and spelling."""
        text, before = "", None
        for ion, (_, amount) in zip(self.ions, self.amounts, strict=True):
            # Symbols that follow each other could be one abbreviation: FA and K, I and SCN.
            pair = [one for one in (before, ion) if one and (one.name or one.symbol.isupper())]
            is_run = len(pair) > 1 and any(one.name for one in pair)
            count = amount_text(amount)
            written = ion.written.strip("()")
            text += f"({written}){count}" if ion.in_brackets or is_run else f"{written}{count}"
            before = None if count else ion
        return text

    @cached_property
    def key(self) -> CompositionKey:
        """Ion fractions to six digits: equal for all spellings of one composition."""
        return _key(self.amounts)

    @cached_property
    def fractions(self) -> dict[str, float]:
        """Fraction of each ion on its site; empty for metal cores."""
        if self.is_metal:
            return {}
        totals: dict[str, float] = {}
        for (_, amount), ion in zip(self.amounts, self.ions, strict=True):
            totals[ion.site] = totals.get(ion.site, 0.0) + amount
        return {
            symbol: amount / totals[ion.site]
            for (symbol, amount), ion in zip(self.amounts, self.ions, strict=True)
        }

    def site_fractions(self, site: str) -> dict[str, float]:
        """Return the fraction of each ion on a site, `A`, `B` or `X`; empty for metal cores."""
        sites = {ion.symbol: ion.site for ion in self.ions}
        return {symbol: share for symbol, share in self.fractions.items() if sites[symbol] == site}


@dataclass(frozen=True)
class CompositionBatch:
    """Compositions as padded arrays, for the bulk path.

    Attributes:
        species: Index into `FormulaReader.species`, -1 where padded; shape (n, k).
        amounts: Amount of each species in the formula unit, 0 where padded; shape (n, k).
        errors: The error of each row that could not be read (its arrays are all padding).
    """

    species: npt.NDArray[np.int16]
    amounts: Floats
    errors: dict[int, FormulaError]

    def key(self, row: int, symbols: Sequence[str]) -> CompositionKey:
        """Return `Composition.key` of a row; empty where it is padding.

        Args:
            row: The row.
            symbols: `FormulaReader.species`.
        """
        pairs = zip(self.species[row].tolist(), self.amounts[row].tolist(), strict=True)
        return _key([(symbols[index], amount) for index, amount in pairs if index >= 0])


@dataclass(frozen=True)
class SampleName:
    """A core and its shell layers from the inside out; no layers is bare."""

    core: Composition
    layers: tuple[ShellMaterial, ...]

    @property
    def shell(self) -> str:
        """The layers joined by `|`, or `none`."""
        return shell_text(self.layers)


def _key(amounts: Sequence[tuple[str, float]]) -> CompositionKey:
    total = sum(amount for _, amount in amounts)
    return tuple((symbol, round(amount / total, 6)) for symbol, amount in amounts)


def amount_text(amount: float) -> str:
    """Write an amount as it follows an ion: nothing for 1."""
    text = f"{amount:.9f}".rstrip("0").rstrip(".")
    return "" if text == "1" else text
