"""The lines of a ranking as cards and as rows of the table in its report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from perovshell.models.evidence import Neighbour
from perovshell.serve.ranking.point_objectives import PLQY_SHRUNK, PLQY_SHRUNK_LOWER
from perovshell.serve.ranking.results import Candidate, Ranking
from perovshell.serve.ranking.stability_objectives import GAIN_SCALE, StabilityObjective
from perovshell.serve.report.charts import Scale, chance, light_colour, whole_decades
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.targets.target import NOT_REACHED, signed
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
        """Return axes with room for the bounds and values of some lines."""
        scales = {}
        for objective in _stability(ranking):
            columns = [one for columns in _stability_columns(objective) for one in columns]
            known = [line.values[column] for line in lines for column in columns]
            high = _HIGHEST[objective.target.name]
            scales[objective.target.name] = Scale(*whole_decades(known, 1.0, high), *BAR, log=True)
        return cls(Scale(*SPECTRUM_NM, *BAR), Scale(0.0, 100.0, *BAR), scales)


def _stability(ranking: Ranking) -> list[StabilityObjective]:
    """Return the objectives under stressors, with a weight or without."""
    return [one for one in ranking.objectives.every if isinstance(one, StabilityObjective)]


def _stability_columns(objective: StabilityObjective) -> list[tuple[str, str, str]]:
    """Return the columns of the value, its lower bound and the value that ranks, by stressor."""
    values = [objective.target.column(name) for name in objective.space.stressors]
    pairs = zip(values, objective.value_columns, strict=True)
    return [(value, f"{value}_lower", ranked) for value, ranked in pairs]


# Cards ---------------------------------------------------------------------------------------


def first_line(ranking: Ranking) -> str:
    """Return the answer in a sentence: the top candidate, and how sure it is."""
    first, *same = ranking.groups[0]
    peak, low, high = (number(value) for value in _with_interval(first, "pl_peak_nm"))
    value, least, most = (number(value) for value in _with_interval(first, "plqy_percent"))
    text = f"Top candidate: {first.core} / {first.shell}: PL {peak} nm [{low}, {high}]"
    text += f", PLQY {value} % [{least}, {most}]."
    if same:
        text += f" {len(same)} other shells have the same score."
    elif not math.isnan(first.p_above_next):
        text += f" P(better than the next candidate): {chance(first.p_above_next)}."
    if not ranking.model.info.skill[GAIN.name]["has_skill"]:
        text += f" No skill: {GAIN.no_skill}."
    return text


def card(
    ranking: Ranking, line: Candidate, scales: CardScales, same: Sequence[Candidate] = ()
) -> dict[str, Any]:
    """Return what the card of a line shows; `same` are others with its score."""
    peak, low, high = _with_interval(line, "pl_peak_nm")
    window = ranking.space.pl_window_nm
    return {
        "line": line,
        "same": ", ".join(line.shell for line in same),
        "context": context(line),
        "light": light_colour(peak),
        "peak": f"{number(peak)} nm",
        "peak_interval": f"{number(low)} to {number(high)}",
        "spectrum": {"low": scales.peak(low), "at": scales.peak(peak), "high": scales.peak(high)},
        "window": [scales.peak(end) for end in window] if window else None,
        "spectrum_ticks": scales.peak.ticks(4),
        "bars": _bars(ranking, line, scales),
        "chances": _chances(ranking, line),
        "weights": list(_factors(ranking, line)),
        "distance": line.values["domain_distance"],
        "measured": [_measured(row) for row in line.measured],
        "bare": [_measured(row) for row in line.bare[:_BARE]],
        "more_bare": max(len(line.bare) - _BARE, 0),
        "papers": _papers(line.nearest),
    }


def context(line: Candidate) -> str:
    """Return structure, medium and size of a candidate, as far as known."""
    item = line.item
    parts = [item.structure]
    parts += [word for word in (item.encapsulation, item.medium) if word != "unknown"]
    parts += [] if item.morphology == "nanocrystal" else [item.morphology]
    size = item.core_size_nm
    return ", ".join([*parts, "size unknown" if math.isnan(size) else f"core of {size:g} nm"])


def _factors(ranking: Ranking, line: Candidate) -> Iterator[tuple[str, float]]:
    """Yield the parts of the score of a candidate."""
    at_lower_bound = ranking.options.order_by == "lower-bound" and ranking.space.plqy_above is None
    for objective in ranking.objectives.active:
        if objective is ranking.objectives.plqy and at_lower_bound:
            yield f"{objective.label} by its lower bound", line.values[PLQY_SHRUNK_LOWER] / 100.0
        else:
            yield objective.label, line.desirabilities[objective.name]


def _bars(ranking: Ranking, line: Candidate, scales: CardScales) -> list[dict[str, Any]]:
    """Return the bars of the PLQY, and of gain and half-life under each stressor."""
    return [
        _plqy_bar(line, scales.plqy),
        *(
            _stability_bar(objective, row, line, scales.stability[objective.target.name])
            for row in range(len(ranking.space.stressors))
            for objective in _stability(ranking)
        ),
    ]


def _plqy_bar(line: Candidate, scale: Scale) -> dict[str, Any]:
    value, low, high = _with_interval(line, "plqy_percent")
    ordered = line.values[PLQY_SHRUNK]
    return {
        "name": "PLQY",
        "text": f"{number(value)} %",
        "small": "; ".join([f"{number(low)} to {number(high)}", *_orders(value, ordered)]),
        "sign": "",
        "low": scale(low),
        "at": scale(value),
        "high": scale(high),
        "ordered": scale(ordered),
        "ticks": scale.ticks(4),
    }


def _stability_bar(
    objective: StabilityObjective, row: int, line: Candidate, scale: Scale
) -> dict[str, Any]:
    """Return the bar under the stressor in a row of the space."""
    stressor = objective.space.stressors[row]
    value, low, ranked = (line.values[column] for column in _stability_columns(objective)[row])
    sign = line.bounds[objective.target.bound_column(stressor)]
    return {
        "name": f"{objective.label}, {stressor}",
        "text": objective.target.shown(value, sign),
        "small": "; ".join(_under_stress(value, low, ranked, sign)),
        "sign": sign,
        "low": scale(low),
        "at": scale(value),
        "high": None,
        "ordered": scale(ranked),
        "ticks": scale.ticks(5),
    }


def _under_stress(value: float, low: float, ranked: float, sign: str) -> list[str]:
    """Return the small print of a value under a stressor: its bounds, and the value that ranks."""
    meaning = [NOT_REACHED[sign]] if sign else []
    return [*meaning, f"at least {number(low)}", *_orders(value, ranked)]


def _orders(value: float, ordered: float) -> list[str]:
    """Return the value used for ranking in words, where it is another."""
    return [] if number(value) == number(ordered) else [f"used for ranking: {number(ordered)}"]


def _chances(ranking: Ranking, line: Candidate) -> list[tuple[str, str]]:
    lines = []
    if ranking.space.pl_window_nm is not None:
        lines.append(("P(PL in the window)", chance(line.values["p_pl_in_window"])))
    if ranking.space.plqy_above is not None:
        label = f"P(PLQY above {ranking.space.plqy_above:g} %)"
        lines.append((label, chance(line.values["p_plqy_above"])))
    return [
        *lines,
        ("P(Pareto)", chance(line.p_pareto)),
        ("P(better than next)", chance(line.p_above_next)),
    ]


def _with_interval(line: Candidate, column: str) -> tuple[float, float, float]:
    values = line.values
    return values[column], values[f"{column}_lower"], values[f"{column}_upper"]


def _measured(row: Neighbour) -> dict[str, str]:
    parts = [f"PL {number(row.pl_peak_nm)} nm"] if row.pl_peak_nm is not None else []
    parts += [f"PLQY {number(row.plqy_percent)} %"] if row.plqy_percent is not None else []
    parts += [row.stability] if row.stability else []
    return {"text": ", ".join(parts) or "stability only", **_paper(row)}


def _papers(rows: Sequence[Neighbour]) -> list[dict[str, str]]:
    """Return each paper once, with what it coated."""
    by_paper: dict[str, dict[str, str]] = {}
    for row in rows:
        shell = "bare" if row.shell == "none" else row.shell
        by_paper.setdefault(row.paper, {"text": f"{row.core} / {shell}", **_paper(row)})
    return list(by_paper.values())


def _paper(row: Neighbour) -> dict[str, str]:
    """Return a paper's name and its address, empty where its DOI is not known."""
    is_doi = row.paper.startswith("10.") and "/" in row.paper
    url = f"https://doi.org/{quote(row.paper, safe='/')}" if is_doi else ""
    return {"name": row.paper, "url": url}


# The table -----------------------------------------------------------------------------------


def table_columns(ranking: Ranking) -> list[dict[str, Any]]:
    """Return the columns of the table: name, and whether they are numbers."""
    space = ranking.space
    names = ["score", "PL peak (nm)"]
    names += ["P(window)"] if space.pl_window_nm is not None else []
    names += ["PLQY (%)"]
    names += [f"P(PLQY > {space.plqy_above:g} %)"] if space.plqy_above is not None else []
    for stressor in space.stressors:
        names += [f"gain, {stressor}", f"half-life, {stressor} (h)"]
    names += ["P(Pareto)", "P(better than next)", "distance"]
    texts = [("#", True), ("core", False), ("shell", False)]
    texts += [(name, True) for name in names]
    texts += [("applicability domain, evidence", False), ("nearest papers", False)]
    return [{"name": name, "is_number": is_number} for name, is_number in texts]


def table_row(ranking: Ranking, line: Candidate) -> dict[str, Any]:
    """Return what the row of a line shows; `numbers` stand in the columns from the score on."""
    space, values = ranking.space, line.values
    peak, low, high = _with_interval(line, "pl_peak_nm")
    numbers = [_cell(line.score), _cell(peak, f"{number(low)} to {number(high)}")]
    if space.pl_window_nm is not None:
        numbers.append(_chance_cell(values["p_pl_in_window"]))
    value, low, high = _with_interval(line, "plqy_percent")
    orders = _orders(value, values[PLQY_SHRUNK])
    numbers.append(_cell(value, f"{number(low)} to {number(high)}", *orders))
    if space.plqy_above is not None:
        numbers.append(_chance_cell(values["p_plqy_above"]))
    for row, stressor in enumerate(space.stressors):
        for objective in _stability(ranking):
            value, low, ranked = (values[one] for one in _stability_columns(objective)[row])
            sign = line.bounds[objective.target.bound_column(stressor)]
            small = _under_stress(value, low, ranked, sign)
            numbers.append(_cell(value, *small) | {"text": signed(number(value), sign)})
    numbers += [_chance_cell(line.p_pareto), _chance_cell(line.p_above_next)]
    numbers.append(_cell(values["domain_distance"]))
    return {
        "line": line,
        "context": context(line) if len(ranking.space.contexts) > 1 else "",
        "light": light_colour(peak),
        "numbers": numbers,
        "measured": [_measured(row) for row in line.measured],
        "papers": _papers(line.nearest),
    }


def _cell(value: float, *small: str) -> dict[str, Any]:
    return {"text": number(value), "small": small, "sort": _sortable(value)}


def _chance_cell(value: float) -> dict[str, Any]:
    return {"text": chance(value), "small": (), "sort": _sortable(value)}


def _sortable(value: float) -> str:
    """Return a number for a script to sort by, empty where it is not known."""
    return f"{value:.6g}" if math.isfinite(value) else ""
