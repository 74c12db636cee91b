"""The cards of a report: the numbers of a candidate as bars, and its probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from perovshell.evidence.light import light_colour
from perovshell.models.evidence import Neighbour
from perovshell.serve.ranking.point_objectives import P_PLQY_ABOVE, PLQY_AT_LEAST, PLQY_POOLED
from perovshell.serve.ranking.results import Candidate, Ranking
from perovshell.serve.ranking.stability_objectives import GAIN_SCALE
from perovshell.serve.report.charts import Scale, chance, whole_decades
from perovshell.serve.report.rows import context, paper_link
from perovshell.serve.report.tables import measured_text
from perovshell.serve.report.words import stability_of
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.texts import number

BAR: Final = (8.0, 312.0)
"""First and last pixel of the bars of a card."""
SPECTRUM_NM: Final = (400.0, 800.0)
_HIGHEST: Final = {GAIN.name: GAIN_SCALE, LIFETIME.name: 1000.0}
"""Least upper end of the axis of a stability target."""
_BARE: Final = 3
"""Samples of the bare core that a card names."""


@dataclass(frozen=True)
class CardScales:
    """The axes that all cards share, so that they can be compared.

    Attributes:
        peak: Of the PL peak in nm.
        plqy: Of the PLQY in percent.
        stability: Of gains, and of half-lives in h, by target name.
    """

    peak: Scale
    plqy: Scale
    stability: Mapping[str, Scale]

    @classmethod
    def of(cls, ranking: Ranking, lines: Sequence[Candidate]) -> CardScales:
        """Return axes with room for the values of some lines."""
        scales = {}
        for objective in stability_of(ranking):
            columns = [one for pair in objective.columns() for one in pair]
            known = [line.values[column] for line in lines for column in columns]
            high = _HIGHEST[objective.target.name]
            scales[objective.target.name] = Scale(*whole_decades(known, 1.0, high), *BAR, log=True)
        return cls(Scale(*SPECTRUM_NM, *BAR), Scale(0.0, 100.0, *BAR), scales)


def card(ranking: Ranking, line: Candidate, scales: CardScales) -> dict[str, Any]:
    """Return what the card of a line shows."""
    peak, low, high = _with_interval(line, "pl_peak_nm")
    window = ranking.space.pl_window_nm
    return {
        "line": line,
        "context": context(line),
        "light": light_colour(peak),
        "peak": f"{number(peak)} nm",
        "peak_interval": f"{number(low)} to {number(high)}",
        "spectrum": {"low": scales.peak(low), "at": scales.peak(peak), "high": scales.peak(high)},
        "window": [scales.peak(end) for end in window] if window else None,
        "spectrum_ticks": scales.peak.ticks(4),
        "bars": [_plqy_bar(line, scales.plqy), *_stability_bars(ranking, line, scales)],
        "chances": _chances(ranking, line),
        "desirabilities": [
            f"{one.label} {line.desirabilities[one.name]:.2f}" for one in ranking.objectives.active
        ],
        "bare": [_bare(row) for row in line.bare[:_BARE]],
        "more_bare": max(len(line.bare) - _BARE, 0),
    }


def _plqy_bar(line: Candidate, scale: Scale) -> dict[str, Any]:
    value, low, high = _with_interval(line, "plqy_percent")
    pooled, least = (number(line.values[name]) for name in (PLQY_POOLED, PLQY_AT_LEAST))
    interval = f"{number(low)} to {number(high)}"
    return {
        "name": "PLQY",
        "text": f"{number(value)} %",
        "small": f"{interval}; pooled with papers: {pooled}, at least {least}",
        "low": scale(low),
        "at": scale(value),
        "high": scale(high),
        "ticks": scale.ticks(4),
    }


def _stability_bars(
    ranking: Ranking, line: Candidate, scales: CardScales
) -> Iterator[dict[str, Any]]:
    """Yield the bars of what is known of gain and half-life under each stressor."""
    for row, stressor in enumerate(ranking.space.stressors):
        for objective in stability_of(ranking):
            value, least = (line.values[name] for name in objective.columns()[row])
            if math.isnan(value):
                continue
            scale = scales.stability[objective.target.name]
            yield {
                "name": f"{objective.label}, {stressor}",
                "text": objective.target.shown(value),
                "small": f"at least {number(least)}",
                "low": scale(least),
                "at": scale(value),
                "high": None,
                "ticks": scale.ticks(5),
            }


def _chances(ranking: Ranking, line: Candidate) -> list[tuple[str, str]]:
    lines = []
    if ranking.space.pl_window_nm is not None:
        lines.append(("P(PL in the window)", chance(line.values["p_pl_in_window"])))
    if ranking.space.plqy_above is not None:
        label = f"P(PLQY above {ranking.space.plqy_above:g} %)"
        lines.append((label, chance(line.values[P_PLQY_ABOVE])))
    return [
        *lines,
        ("P(Pareto)", chance(line.p_pareto)),
        ("P(better than next)", chance(line.p_above_next)),
    ]


def _with_interval(line: Candidate, column: str) -> tuple[float, float, float]:
    values = line.values
    return values[column], values[f"{column}_lower"], values[f"{column}_upper"]


def _bare(row: Neighbour) -> dict[str, str]:
    return {"text": measured_text(row).removesuffix(f" ({row.paper})"), **paper_link(row.paper)}
