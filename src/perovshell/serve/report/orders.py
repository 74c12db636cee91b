"""The orders of a ranking in words: in reports, on the command line, over HTTP and on the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from perovshell.serve.ranking.results import Ranking
from perovshell.serve.ranking.stability_objectives import GAIN_SCALE, HALF_LIFE_SCALE_H

_SCORE: Final = (
    "score: the weighted geometric mean of desirabilities from 0 to 1, {at}: of the PL its "
    "probability to be in the window, of the PLQY its share of 100 % or {plqy} "
    f"the threshold, of a gain 0.5 at {GAIN_SCALE:g}, of a half-life 0.5 at "
    f"{HALF_LIFE_SCALE_H:g} h"
)
_ABOVE: Final = "the probability to pass"


@dataclass(frozen=True)
class OrderText:
    """An order of a ranking in words.

    Attributes:
        choice: The order in a list of orders.
        measured: What orders the combinations that papers measured.
        candidates: What orders those that are worth trying.
        number: Name of the number that orders the candidates.
        meaning: What that number is.
    """

    choice: str
    measured: str
    candidates: str
    number: str
    meaning: str


ORDER_TEXTS: Final[Mapping[str, OrderText]] = {
    "lower-bound": OrderText(
        "what is known at least",
        "by what they show at least",
        "by what is known at least",
        "score",
        _SCORE.format(at="at lower bounds", plqy="of"),
    ),
    "value": OrderText(
        "values, with no price on ignorance",
        "by expected values",
        "by expected values",
        "score",
        _SCORE.format(at="at expected values", plqy=_ABOVE),
    ),
    "explore": OrderText(
        "what may turn out best",
        "by expected values",
        "by expected improvement over the best measured combination",
        "expected improvement",
        "expected improvement: by how much the score is expected to exceed that of the best "
        f"measured combination; a lower score counts as none. {_SCORE[0].upper()}"
        f"{_SCORE[1:].format(at='at expected values', plqy=_ABOVE)}",
    ),
}
"""By `Options.order_by`."""


def order_text(ranking: Ranking) -> OrderText:
    """Return the order of a ranking in words."""
    return ORDER_TEXTS[ranking.options.order_by]
