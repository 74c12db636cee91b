"""Reports of a replay: replay.json for scripts, replay.html with a plot for readers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perovshell.files import finite, write_file, write_json
from perovshell.pages import environment
from perovshell.research.replay.results import DIFFERENCES, POLICIES, TITLES, Replay, Score
from perovshell.targets.declared import PL, POINTS
from perovshell.training.validation.figures import LEVEL, Triple
from perovshell.training.validation.plots import as_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLES: Final[dict[str, dict[str, Any]]] = {
    "never": {"color": "0.75", "marker": "s", "linestyle": "-", "linewidth": 4.0},
    "champion": {"color": "tab:green", "marker": "o", "linestyle": "-"},
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
    template = environment("perovshell.research.replay").get_template("replay.html")
    return template.render(
        replay=replay,
        policies=POLICIES,
        plot=as_svg(replay_figure(replay)),
        totals=[_total(score) for score in replay.totals.values()],
        findings=[
            (TITLES[name], score.findings())
            for name, score in replay.totals.items()
            if score.papers
        ],
        tables=[
            (title, _by_year(replay, name))
            for name, title in TITLES.items()
            if replay.totals[name].papers
        ],
    )


def _total(score: Score) -> dict[str, Any]:
    """Return the row of a target in the table of all years."""
    paper, share = score.largest or ("", 0.0)
    return {
        "target": TITLES[score.target],
        "papers": score.papers,
        "loss": score.loss_name,
        **{policy: finite(score.loss[policy]) for policy in POLICIES},
        **{f"median paper, {policy}": finite(score.median[policy]) for policy in POLICIES},
        **{name: _interval(score.differences[name]) for name in DIFFERENCES},
        "coverage": _coverage(score.coverage),
        "largest share of one paper": f"{paper}: {share:.0%}" if paper else None,
    }


def _by_year(replay: Replay, target: str) -> list[dict[str, Any]]:
    """Return the table of a target, a row for each year with papers."""
    return [
        {
            "year": str(year.year),
            "papers": year.scores[target].papers,
            **{policy: finite(year.scores[target].loss[policy]) for policy in POLICIES},
            "coverage": _coverage(year.scores[target].coverage),
            "champion trained": f"up to {year.champion_until}",
            "challenger": year.outcome,
        }
        for year in replay.years
        if year.scores[target].papers
    ]


def _interval(triple: Triple) -> Triple | float | None:
    """Return a value with its interval, or alone where there is none."""
    return triple if math.isfinite(triple[1]) else finite(triple[0])


def _coverage(values: Mapping[str, float]) -> str:
    return " / ".join(f"{values[policy]:.2f}" for policy in POLICIES)


def replay_figure(replay: Replay) -> Figure:
    """Draw MAE and coverage of PL and PLQY by year, with the verdict of each promotion check."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.4), layout="constrained")
    for (errors, coverage), target in zip(figure.subplots(2, len(POINTS)).T, POINTS, strict=True):
        years = [year for year in replay.years if year.scores[target.name].papers]
        scores = [year.scores[target.name] for year in years]
        labels = [f"{y.year}\nn = {s.papers}" for y, s in zip(years, scores, strict=True)]
        for policy, style in _STYLES.items():
            errors.plot(labels, [s.loss[policy] for s in scores], label=policy, **style)
            coverage.plot(labels, [s.coverage[policy] for s in scores], label=policy, **style)
        for index, year in enumerate(years):
            marker, colour = ("^", "tab:green") if year.verdict.promote else ("X", "tab:red")
            edge = errors.get_xaxis_transform()
            errors.plot([index], [0.04], marker, color=colour, transform=edge)
        errors.set(title=target.title, ylabel=f"MAE ({target.error_unit})")
        # PL peaks of an unusual core can be wrong by hundreds of nm.
        errors.set(**({"yscale": "log"} if target is PL else {"ylim": (0, None)}))
        coverage.axhline(LEVEL, color="0.7", linewidth=1)
        coverage.set(ylabel=f"coverage of {LEVEL:.0%} intervals", ylim=(-0.03, 1.03))
        for axes in (errors, coverage):
            axes.tick_params(axis="x", labelsize=7)
        errors.legend(frameon=False, fontsize=8)
    return figure
