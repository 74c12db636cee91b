"""How the orders of a ranking are called on the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from perovshell.serve.report.tables import ORDERED_BY


@dataclass(frozen=True)
class ListOrder:
    """What a list of a ranking is ordered by.

    Attributes:
        phrase: In words.
        number: Name of the number that orders it.
    """

    phrase: str
    number: str = "score"


@dataclass(frozen=True)
class OrderTexts:
    """How an order is called.

    Attributes:
        choice: In the list of orders.
        measured: What the measured combinations are ordered by.
        candidates: What the candidates are ordered by.
    """

    choice: str
    measured: ListOrder
    candidates: ListOrder


ORDER_TEXTS: Final[Mapping[str, OrderTexts]] = MappingProxyType(
    {
        "lower-bound": OrderTexts(
            "what is known at least",
            ListOrder(ORDERED_BY["lower-bound"]),
            ListOrder("by what is known at least"),
        ),
        "value": OrderTexts(
            "values, with no price on ignorance",
            ListOrder(ORDERED_BY["value"]),
            ListOrder("by what is expected, with no price on ignorance"),
        ),
        "explore": OrderTexts(
            "what may turn out best",
            ListOrder(ORDERED_BY["explore"]),
            ListOrder(
                "by the expected improvement over the best measured one", "expected improvement"
            ),
        ),
    }
)
"""The texts of each of `objectives.ORDERS`. What was measured has no expected improvement."""
