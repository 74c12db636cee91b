"""Mixtures of ions on one site of a core."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

from perovshell.errors import DesignSpaceError

_ROUNDING = 1e-9
MAX_MIXTURES = 200_000
"""Largest number of mixtures of one site."""


@dataclass(frozen=True)
class Mixture:
    """Ions of one site with their shares, which add up to 1."""

    shares: tuple[tuple[str, Fraction], ...]

    def doped(self, dopant: str, level: Fraction) -> Mixture:
        """Return the mixture with a share of its ions replaced by a dopant."""
        kept = tuple((ion, share * (1 - level)) for ion, share in self.shares)
        return Mixture((*kept, (dopant, level)))

    @property
    def key(self) -> tuple[tuple[str, float], ...]:
        """The shares to six digits, sorted by ion."""
        return tuple(sorted((ion, round(float(share), 6)) for ion, share in self.shares))

    def text(self, amount: int) -> str:
        """Return the formula of a site with so many ions."""
        return "".join(f"{ion}{float(share * amount):.9f}" for ion, share in self.shares)

    def family(self, parts: int) -> str:
        """Return the shares rounded to so many parts (largest remainder), as a formula."""
        exact = [(ion, float(share) * parts) for ion, share in self.shares]
        floor = {ion: math.floor(amount + _ROUNDING) for ion, amount in exact}
        left = sorted(exact, key=lambda part: (math.floor(part[1] + _ROUNDING) - part[1], part[0]))
        for ion, _ in left[: parts - sum(floor.values())]:
            floor[ion] += 1
        amount = {ion: count for ion, count in sorted(floor.items()) if count}
        return "".join(f"{ion}{count if count > 1 else ''}" for ion, count in amount.items())


def mixtures(ions: Sequence[str], steps: int, at_most: int) -> list[Mixture]:
    """Return every mixture of at most so many ions with shares in whole steps of 1 / steps."""
    return [
        Mixture(
            tuple((ion, Fraction(part, steps)) for ion, part in zip(chosen, parts, strict=True))
        )
        for count in range(1, min(at_most, len(ions)) + 1)
        for chosen in itertools.combinations(ions, count)
        for parts in _compositions(steps, count)
    ]


def without_point(value: float) -> float:
    """Return a whole number as an int, so that it is written without a decimal point."""
    return int(value) if value.is_integer() else value


def count_mixtures(ions: int, steps: int, at_most: int) -> int:
    """Return how many mixtures `mixtures` would return."""
    counts = range(1, min(at_most, ions) + 1)
    return sum(math.comb(ions, k) * math.comb(steps - 1, k - 1) for k in counts)


def _compositions(total: int, parts: int) -> list[tuple[int, ...]]:
    """Return all ways to write a total as positive parts, in order."""
    if parts == 1:
        return [(total,)]
    return [
        (first, *rest)
        for first in range(1, total - parts + 2)
        for rest in _compositions(total - first, parts - 1)
    ]


@dataclass(frozen=True)
class SiteGrid:
    """The mixtures of one site: of its ions in equal steps, undoped and with each dopant.

    Attributes:
        ions: Different ions of the site.
        steps: How many steps make up the site; shares are multiples of 1 / steps.
        at_most: Largest number of ions of one mixture, without the dopant.
        dopants: Levels of each dopant, as fractions of the site above 0.

    Raises:
        DesignSpaceError: There are more than `MAX_MIXTURES`.
    """

    ions: tuple[str, ...]
    steps: int = 1
    at_most: int = 2
    dopants: Mapping[str, tuple[Fraction, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        undoped = count_mixtures(len(self.ions), self.steps, self.at_most)
        size = undoped * (1 + sum(map(len, self.dopants.values())))
        if size > MAX_MIXTURES:
            msg = (
                f"{size:,} mixtures of {', '.join(self.ions)} in steps of 1/{self.steps}; "
                f"at most {MAX_MIXTURES:,}: take larger steps"
            )
            raise DesignSpaceError(msg)

    @cached_property
    def mixtures(self) -> tuple[Mixture, ...]:
        """The mixtures, all different."""
        undoped = mixtures(self.ions, self.steps, self.at_most)
        doped = [
            mixture.doped(dopant, level)
            for dopant, levels in self.dopants.items()
            for level in levels
            for mixture in undoped
            if dopant not in dict(mixture.shares)
        ]
        return tuple({mixture.key: mixture for mixture in (*undoped, *doped)}.values())

    def holds(self, shares: Mapping[str, float]) -> bool:
        """Whether shares of ions are one of the mixtures, or lie between the steps."""
        dopants = {ion: share for ion, share in shares.items() if ion not in self.ions}
        others = len(shares) - len(dopants)
        return others <= min(self.at_most, self.steps) and (
            not dopants
            or (
                len(dopants) == 1
                and all(share <= max(self.dopants.get(ion, (0,))) for ion, share in dopants.items())
            )
        )

    def to_mapping(self) -> dict[str, Any]:
        """Return the keys of a site in a design space."""
        step = 1 / self.steps
        is_exact = Fraction(str(step)) == Fraction(1, self.steps)
        text = without_point(step) if is_exact else f"1/{self.steps}"
        return {"ions": list(self.ions), "step": text, "at_most": self.at_most}
