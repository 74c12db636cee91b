"""The plots of an evidence table, by what they show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from perovshell.errors import InputError
from perovshell.evidence.drawing import Picture
from perovshell.evidence.forest_plot import forest_plots
from perovshell.evidence.sample_plots import peak_map, yield_plot
from perovshell.evidence.table import EvidenceTable


def _some(plot: Picture | None) -> Sequence[Picture]:
    return [] if plot is None else [plot]


PICTURES: Final[Mapping[str, Callable[[EvidenceTable], Sequence[Picture]]]] = MappingProxyType(
    {
        "stability": forest_plots,
        "pl": lambda table: _some(peak_map(table)),
        "plqy": lambda table: _some(yield_plot(table)),
    }
)
"""Forest plots of half-lives and gains; measured PL by composition and size; PLQY by shell."""
_NOTHING: Final = {
    "stability": "no test of a coated sample with a half-life or a gain",
    "pl": "no measured PL of a core of halides",
    "plqy": "no measured PLQY",
}


class NothingToPlotError(InputError):
    """There is nothing to plot."""


def pictures(table: EvidenceTable, show: str = "stability") -> Sequence[Picture]:
    """Return plots of an evidence table.

    Args:
        table: The table.
        show: One of `PICTURES`.

    Raises:
        InputError: There is no such plot.
        NothingToPlotError: Nothing was measured of what it shows.
        FitError: A pooled value could not be fitted.
    """
    if show not in PICTURES:
        msg = f"plot of {show!r}: allowed: {', '.join(PICTURES)}"
        raise InputError(msg)
    plots = PICTURES[show](table)
    if not plots:
        msg = f"nothing to plot: {_NOTHING[show]}"
        raise NothingToPlotError(msg)
    return plots
