"""The report of a retraining: promotion.html for people with a plot, promotion.json for scripts."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from perovshell.files import jsonable, write_file, write_json
from perovshell.model import Model
from perovshell.pages import environment
from perovshell.targets.declared import TARGETS
from perovshell.training.promotion.verdict import Comparison, Judgement, Verdict
from perovshell.training.train import TrainedModel
from perovshell.training.validation.out_of_fold_scores import OutOfFoldScores
from perovshell.training.validation.plots import as_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_promotion_report(
    folder: Path,
    champion: Model,
    challenger: TrainedModel,
    judgement: Judgement,
    *,
    dry_run: bool,
) -> Path:
    """Write promotion.json and promotion.html into a folder; return the path of the latter.

    Args:
        folder: The folder.
        champion: The champion.
        challenger: The challenger.
        judgement: The verdict with drift and scores.
        dry_run: Whether nothing follows from it.

    Raises:
        WorkspaceError: The folder is not writable.
    """
    verdict, moved = judgement.verdict, judgement.drift
    data = {
        "champion": _about(champion.info.model_id, champion.info.dataset),
        "challenger": _about(challenger.model_id, challenger.info["dataset"]),
        "verdict": verdict.to_json(),
        "drift": moved.to_json(),
    }
    page = (
        environment("perovshell.training.promotion")
        .get_template("promotion.html")
        .render(
            **data,
            decision=verdict,
            dry_run=dry_run,
            papers=[row for name in TARGETS for row in _paper_rows(name, judgement.new[name])],
            plot=as_svg(_figure(verdict)),
            known=[_row(one) for one in verdict.comparisons],
            new=[_new_row(one) for one in verdict.comparisons if one.new],
            drift_lines=moved.lines(),
        )
    )
    write_json(folder / "promotion.json", data)
    return write_file(folder / "promotion.html", page)


def _about(model_id: str, dataset: Any) -> dict[str, Any]:
    return {"model_id": model_id, "dataset": dict(dataset)}


def _loss(target: str) -> str:
    unit = TARGETS[target].error_unit
    return f"MAE, {unit}" if unit else "minus log likelihood"


def _row(one: Comparison) -> dict[str, Any]:
    """Return a comparison as a line of a table."""
    return {
        "target": TARGETS[one.target].title,
        "papers": one.papers,
        "loss": _loss(one.target),
        "champion": one.champion,
        "challenger": one.challenger,
        "better by": jsonable(one.better_by),
        "margin": one.margin,
        "coverage": f"{one.coverage[0]:.3f} -> {one.coverage[1]:.3f}",
        "width": f"{one.width[0]:.3g} -> {one.width[1]:.3g}",
    }


def _new_row(one: Comparison) -> dict[str, Any]:
    new = one.new
    assert new is not None
    return {
        "target": TARGETS[one.target].title,
        "new papers": new.papers,
        "loss": _loss(one.target),
        "champion, before training on them": new.champion,
        "challenger, each left out": new.challenger,
        "covered by the champion": new.coverage,
        "surprise, p": None if math.isnan(new.surprise) else new.surprise,
    }


def _paper_rows(target: str, scores: OutOfFoldScores) -> Iterator[dict[str, Any]]:
    """Yield the champion's scores on each new paper, of point targets."""
    if not TARGETS[target].error_unit:
        return
    for paper in dict.fromkeys(scores.papers.tolist()):
        one = scores.of_papers({paper})
        known = one.score[np.isfinite(one.score)]
        yield {
            "paper": paper,
            "target": TARGETS[target].title,
            "rows": len(one.rows),
            f"MAE ({TARGETS[target].error_unit})": float(one.loss.mean()),
            "covered": float(one.covered.mean()),
            "residual over difficulty": float(known.mean()) if len(known) else None,
        }


def _figure(verdict: Verdict) -> Figure:
    """Draw what the challenger is better by, in units of the champion's loss or the margin."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 2.8), layout="constrained")
    axes = figure.subplots()
    shown = [one for one in verdict.comparisons if math.isfinite(one.better_by[0])]
    for row, one in enumerate(reversed(shown)):
        value, low, high = (part / one.margin for part in one.better_by)
        colour = "tab:red" if high < 0 else "tab:green" if low > 0 else "0.3"
        axes.plot([low, high], [row, row], color=colour, linewidth=2)
        axes.plot([value], [row], "o", color=colour)
    axes.set_yticks(range(len(shown)), [TARGETS[one.target].title for one in reversed(shown)])
    axes.axvline(0, color="0.7", linewidth=1)
    axes.axvline(-1, color="tab:red", linewidth=1, linestyle="--")
    axes.set_xlabel(
        "challenger better by, in margins (99.5 % interval over papers; dashed: margin)"
    )
    axes.margins(y=0.25)
    return figure
