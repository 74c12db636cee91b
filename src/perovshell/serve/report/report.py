"""The report of a ranking: one self-contained HTML file, and its tables in the same folder."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from perovshell.errors import FitError
from perovshell.evidence.drawing import Picture
from perovshell.evidence.forest_plot import NARROW, combination_plots
from perovshell.evidence.light import light_colour
from perovshell.evidence.sample_plots import peak_map, yield_plot
from perovshell.evidence.table import EvidenceTable
from perovshell.files import write_file
from perovshell.pages import card_page, environment
from perovshell.serve.ranking.results import CANDIDATES, MEASURED, Candidate, Ranking
from perovshell.serve.report.cards import SPECTRUM_NM, CardScales, card
from perovshell.serve.report.charts import chance
from perovshell.serve.report.orders import order_text
from perovshell.serve.report.plots import heat_map, scatter
from perovshell.serve.report.rows import MeasuredTests, candidate_row, measured_row, paper_link
from perovshell.serve.report.tables import (
    batch_texts,
    csv_text,
    experiment_texts,
    extent_text,
    markdown_text,
    removed_text,
    write_parquet,
)
from perovshell.serve.report.words import answers, question, unknowns
from perovshell.texts import number

FILES: Final = ("ranking.csv", "ranking.md", "report.html", "ranking.parquet")
CARDS: Final = 6
"""Candidates with a card."""
SHOWN: Final = 25
"""Lines of each table of the report."""


def write_report(
    ranking: Ranking, folder: Path, evidence: EvidenceTable | None = None
) -> tuple[Path, Path]:
    """Write ranking.csv, ranking.md, report.html and, where it can be made, ranking.parquet.

    Args:
        ranking: The ranking.
        folder: Where to; it is made where it is not there.
        evidence: What papers measured, as in `render`.

    Returns:
        The paths of ranking.csv and report.html.

    Raises:
        WorkspaceError: The folder is not writable.
    """
    table, markdown, page, parquet = (folder / name for name in FILES)
    write_file(table, csv_text(ranking))
    write_file(markdown, markdown_text(ranking))
    write_file(page, render(ranking, evidence, has_csv=True))
    write_parquet(ranking, parquet)
    return table, page


def render(
    ranking: Ranking, evidence: EvidenceTable | None = None, *, has_csv: bool = False
) -> str:
    """Return the report as HTML.

    Args:
        ranking: The ranking.
        evidence: What papers measured, of all cores and shells. With it the report has the
            readings and conditions of the tests, and forest plots (none where a fit of pooled
            values does not converge); a model has results only.
        has_csv: Whether ranking.csv is beside it, so that it may be named.
    """
    pages = environment("perovshell.serve.report")
    pages.filters |= {"number": number, "chance": chance, "count": "{:,}".format}
    pages.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    measured, candidates = ranking.measured[:SHOWN], ranking.candidates[:SHOWN]
    tests = MeasuredTests(ranking.space.stressors, evidence)
    return pages.get_template("report.html").render(
        ranking=ranking,
        space=ranking.space,
        info=ranking.model.info,
        question=question(ranking),
        answers=answers(ranking),
        unknowns=unknowns(ranking),
        measured=[measured_row(ranking, line, tests) for line in measured],
        candidates=[candidate_row(ranking, line) for line in candidates],
        batch=batch_texts(ranking),
        experiments=experiment_texts(ranking),
        forests=_forests(ranking, measured, evidence),
        samples=[] if evidence is None else _sample_plots(evidence),
        removed=removed_text(ranking),
        paper_link=paper_link,
        card=card_page(vars(ranking.model.info)),
        order=order_text(ranking),
        extents={
            name: extent_text(ranking, name, SHOWN, has_csv=has_csv)
            for name in (MEASURED, CANDIDATES)
        },
        **_statistics(ranking, candidates),
    )


def _forests(
    ranking: Ranking, measured: tuple[Candidate, ...], evidence: EvidenceTable | None
) -> list[dict[str, Any]]:
    """Return the forest plots of the tests of measured combinations, wide and narrow."""
    if evidence is None:
        return []
    names = [f"{line.core} / {line.shell}" for line in measured]
    try:
        plots = combination_plots(evidence, names, ranking.space.stressors)
    except FitError:
        # A ranking of hours is not lost for a plot; the tests are in the table.
        return []
    return [
        {
            "id": _identifier(plot.title),
            "wide": _markup(plot),
            "narrow": _markup(replace(plot, layout=NARROW)),
        }
        for plot in plots
    ]


def _sample_plots(evidence: EvidenceTable) -> list[dict[str, Any]]:
    """Return the plots of all measured samples: PL by composition and size, PLQY by shell."""
    plots = (peak_map(evidence), yield_plot(evidence))
    return [
        {"id": _identifier(plot.title), "title": plot.title, "drawing": _markup(plot)}
        for plot in plots
        if plot
    ]


def _identifier(title: str) -> str:
    """Return the title of a plot as the id of its figure, which names its file."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _markup(plot: Picture) -> Markup:
    # The plot escapes the texts in it.
    return Markup(plot.svg())  # noqa: S704


def _statistics(ranking: Ranking, candidates: tuple[Candidate, ...]) -> dict[str, Any]:
    """Return what the folded part of the page shows."""
    cards = candidates[:CARDS]
    scales = CardScales.of(ranking, cards)
    elements = {id(line): f"idea-{place}" for place, line in enumerate(candidates, 1)}
    is_map = min(ranking.overview.score.shape) > 1
    return {
        "weights": [
            f"{o.label} {ranking.space.weights[o.name]:g}" for o in ranking.objectives.active
        ],
        "statements": [one for one in ranking.statements if one not in ranking.space.notes],
        "cards": [card(ranking, line, scales) for line in cards],
        "plot": scatter(ranking, elements) if ranking.candidates else None,
        "heat": heat_map(ranking.overview, order_text(ranking).number) if is_map else None,
        "spectrum": _spectrum(),
    }


def _spectrum() -> list[tuple[float, str]]:
    """Return the colours of the strip of light: share of its width, and colour."""
    low, high = SPECTRUM_NM
    count = 40
    return [
        (step / count, light_colour(low + (high - low) * step / count)) for step in range(count + 1)
    ]
