"""The replay on disk: replay.json for scripts, replay.html for people with a plot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perovshell.files import finite, write_file, write_json
from perovshell.pages import environment
from perovshell.research.replay.figures import POLICIES, TITLES, Replay, Score, Year
from perovshell.targets.declared import PL, POINTS
from perovshell.training.validation.figures import LEVEL
from perovshell.training.validation.plots import as_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PLOTTED: Final = tuple(point.name for point in POINTS)
_LINES: Final[dict[str, dict[str, Any]]] = {
    "never": {"color": "0.75", "marker": "s", "linestyle": "-", "linewidth": 4.0},
    "gated": {"color": "tab:green", "marker": "o", "linestyle": "-"},
    "always": {"color": "tab:orange", "marker": "x", "linestyle": "--"},
}


def write_replay(replay: Replay, folder: Path) -> tuple[Path, Path]:
    """Write replay.json and replay.html into a folder; return their paths.

    Raises:
        WorkspaceError: The folder is not writable.
    """
    return (
        write_json(folder / "replay.json", replay.to_json()),
        write_file(folder / "replay.html", render(replay)),
    )


def render(replay: Replay) -> str:
    """Return the report as HTML."""
    return (
        environment("perovshell.research.replay")
        .get_template("replay.html")
        .render(
            dataset=replay.dataset,
            about=replay.about()[0],
            policies=POLICIES,
            promotions=replay.promotions,
            refusals=len(replay.years) - replay.promotions,
            plot=as_svg(replay_figure(replay)),
            totals=[_total(own) for own in replay.totals.values()],
            findings=[
                (TITLES[name], own.findings()) for name, own in replay.totals.items() if own.papers
            ],
            years=replay.years,
            tables=[
                (title, [_row(own, name) for own in replay.years if own.scores[name].papers])
                for name, title in TITLES.items()
                if replay.totals[name].papers
            ],
        )
    )


def _total(own: Score) -> dict[str, Any]:
    """Return the figures of a target over all years as a line of a table."""
    return {
        "target": TITLES[own.target],
        "papers": own.papers,
        "loss": f"mean error, {own.unit}" if own.unit else "minus log likelihood",
        **{name: finite(own.loss[name]) for name in POLICIES},
        **{f"median paper, {name}": finite(own.median[name]) for name in POLICIES},
        "never less gated": _triple(own.paid),
        "never less always": _triple(own.paid_ungated),
        "always less gated": _triple(own.spared),
        "covered": _each(own.coverage),
        "largest share of one paper": (
            f"{own.largest[0]}: {own.largest[1]:.0%}" if own.largest else None
        ),
    }


def _row(year: Year, target: str) -> dict[str, Any]:
    """Return the figures of a target in a year as a line of a table."""
    own = year.scores[target]
    return {
        "year": str(year.year),
        "papers": own.papers,
        **{name: finite(own.loss[name]) for name in POLICIES},
        "covered": _each(own.coverage),
        "the gated model knew": f"up to {year.champion_until}",
        "then": year.outcome,
    }


def _triple(triple: tuple[float, float, float]) -> list[float | None] | float | None:
    """Return a value with its interval, or without where that is not known."""
    value = finite(triple[0])
    return [value, triple[1], triple[2]] if math.isfinite(triple[1]) else value


def _each(values: Any) -> str:
    return " / ".join(f"{values[name]:.2f}" for name in POLICIES)


# The plot ------------------------------------------------------------------------------------


def replay_figure(replay: Replay) -> Figure:
    """Draw mean errors and coverage of PL and PLQY by year, with what the gate decided."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.4), layout="constrained")
    axes = figure.subplots(2, len(_PLOTTED))
    for column, target in enumerate(_PLOTTED):
        years = [own for own in replay.years if own.scores[target].papers]
        if not years:
            continue
        labels = [f"{own.year}\nn = {own.scores[target].papers}" for own in years]
        errors, coverage = axes[0][column], axes[1][column]
        for name, style in _LINES.items():
            scores = [own.scores[target] for own in years]
            errors.plot(labels, [own.loss[name] for own in scores], label=name, **style)
            coverage.plot(labels, [own.coverage[name] for own in scores], label=name, **style)
        unit = replay.totals[target].unit
        errors.set(title=TITLES[target], ylabel=f"mean error ({unit})")
        # One paper of another kind of core lies hundreds of nm off.
        errors.set(**({"yscale": "log"} if target == PL.name else {"ylim": (0, None)}))
        coverage.axhline(LEVEL, color="0.7", linewidth=1)
        coverage.set(ylabel=f"coverage of {LEVEL:.0%} intervals", ylim=(-0.03, 1.03))
        for place in (errors, coverage):
            place.tick_params(axis="x", labelsize=7)
        errors.legend(frameon=False, fontsize=8)
        _mark_verdicts(errors, years)
    return figure


def _mark_verdicts(axes: Axes, years: list[Year]) -> None:
    """Mark at the lower edge what the gate decided after each year."""
    edge = axes.get_xaxis_transform()
    for place, year in enumerate(years):
        promoted = year.verdict.promote
        marker, colour = ("^", "tab:green") if promoted else ("X", "tab:red")
        axes.plot([place], [0.04], marker, color=colour, transform=edge)
