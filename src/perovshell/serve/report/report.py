"""The report of a ranking: one self-contained HTML file, and its tables in the same folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from perovshell.files import write_file
from perovshell.pages import card_page, environment
from perovshell.serve.ranking.next_experiments import Experiment
from perovshell.serve.ranking.results import Candidate, Ranking
from perovshell.serve.report.cards import (
    SPECTRUM_NM,
    CardScales,
    card,
    first_line,
    table_columns,
    table_row,
)
from perovshell.serve.report.charts import chance, light_colour
from perovshell.serve.report.plots import heat_map, scatter
from perovshell.serve.report.tables import csv_text, markdown_text, write_parquet
from perovshell.texts import listed, number

FILES: Final = ("ranking.csv", "ranking.md", "report.html", "ranking.parquet")
CARDS: Final = 9
"""Lines with a card."""
SHOWN: Final = 50
"""Lines in the table of the report; ranking.csv has all."""
_EXPERIMENTS: Final = 3
"""Experiments shown of each kind."""


def write_report(ranking: Ranking, folder: Path) -> tuple[Path, Path]:
    """Write ranking.csv, ranking.md, report.html and, where it can be made, ranking.parquet.

    Args:
        ranking: The ranking.
        folder: Where to; it is made where it is not there.

    Returns:
        The paths of ranking.csv and report.html.

    Raises:
        WorkspaceError: The folder is not writable.
    """
    table, markdown, page, parquet = (folder / name for name in FILES)
    write_file(table, csv_text(ranking))
    write_file(markdown, markdown_text(ranking))
    write_file(page, render(ranking))
    write_parquet(ranking, parquet)
    return table, page


def render(ranking: Ranking) -> str:
    """Return the report as HTML."""
    pages = environment("perovshell.serve.report")
    pages.filters |= {"number": number, "chance": chance, "count": "{:,}".format}
    pages.policies["json.dumps_kwargs"] = {"allow_nan": False, "separators": (",", ":")}
    groups = ranking.groups[:CARDS]
    cards = [group[0] for group in groups]
    shown = ranking.candidates[:SHOWN]
    scales = CardScales.of(ranking, [*cards, *ranking.batch])
    plot = scatter(ranking, _places(cards, shown, ranking.batch))
    return pages.get_template("report.html").render(
        ranking=ranking,
        space=ranking.space,
        info=ranking.model.info,
        weights=_weights(ranking),
        statements=[text for text in ranking.statements if text not in ranking.space.notes],
        first=first_line(ranking),
        cards=[card(ranking, group[0], scales, group[1:]) for group in groups],
        batch=[card(ranking, line, scales) for line in ranking.batch],
        columns=table_columns(ranking),
        rows=[table_row(ranking, line) for line in shown],
        plot=plot,
        id_of=id,
        line_of={id(line): number for number, line in enumerate(plot.lines)},
        spectrum=_spectrum(),
        heat=heat_map(ranking.overview),
        experiments=_experiments(ranking.suggest_experiments),
        card=card_page(vars(ranking.model.info)),
    )


def _places(
    cards: Iterable[Candidate], shown: Iterable[Candidate], batch: Iterable[Candidate]
) -> dict[int, str]:
    """Return the element of the page with a line, by the identity of the line."""
    elements = {id(line): f"batch-{number}" for number, line in enumerate(batch, 1)}
    elements |= {id(line): f"line-{line.rank}" for line in shown}
    return elements | {id(line): f"card-{line.rank}" for line in cards}


def _spectrum() -> list[tuple[float, str]]:
    """Return the colours of the strip of light: share of its width, and colour."""
    low, high = SPECTRUM_NM
    count = 40
    return [
        (step / count, light_colour(low + (high - low) * step / count)) for step in range(count + 1)
    ]


def _weights(ranking: Ranking) -> str:
    """Return the objectives in words, with their weights where these differ."""
    space = ranking.space
    names = {one.name: one.phrase for one in ranking.objectives.active}
    weights = {name: weight for name, weight in space.weights.items() if weight > 0}
    equal = len(set(weights.values())) == 1
    return listed(
        [
            names[name] if equal else f"{names[name]} (weight {weight:g})"
            for name, weight in weights.items()
        ]
    )


def _experiments(experiments: Iterable[Experiment]) -> list[Experiment]:
    """Return the first few experiments of each kind, kinds as they come."""
    kinds: dict[str, list[Experiment]] = {}
    for experiment in experiments:
        kinds.setdefault(experiment.kind, []).append(experiment)
    return [e for members in kinds.values() for e in members[:_EXPERIMENTS]]
