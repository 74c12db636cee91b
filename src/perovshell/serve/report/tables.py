"""A ranking as tables: CSV, Parquet and Markdown."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from perovshell.files import write_file
from perovshell.models.evidence import Neighbour
from perovshell.models.shell_evidence import PLQY
from perovshell.serve.ranking.point_objectives import PLQY_AT_LEAST
from perovshell.serve.ranking.results import CANDIDATES, MEASURED, Candidate, Ranking
from perovshell.serve.ranking.stability_objectives import StabilityObjective
from perovshell.serve.report.orders import order_text
from perovshell.texts import counted, number, table_cell

_SIGNS: Final = {"<": -1, ">": 1}
"""On which side of a printed number its value is."""
_QUALITY: Final = re.compile(r"(.*?)( \(.*\))?")
"""A value as printed, and its quality."""
SCHEMA_VERSION: Final = 1
"""Version of the keys of the JSON of a ranking."""
MARKDOWN_LINES = 50
"""Lines of a Markdown table."""


def csv_text(ranking: Ranking) -> str:
    """Return the table as CSV; an unknown number is empty, no limit is `inf`."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    header, rows = ranking.table()
    writer.writerow(header)
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(table_cell(value))


def ranking_json(ranking: Ranking, *, suggest_experiments: bool = False) -> dict[str, Any]:
    """Return JSON data of a ranking, as the command line and HTTP give it, without its model.

    An unknown number and no limit are null.

    Args:
        ranking: The ranking.
        suggest_experiments: Whether to list the suggested experiments; else the list is empty.
    """
    lists = json_lists(ranking)
    for name, lines in ((MEASURED, ranking.measured), (CANDIDATES, ranking.candidates)):
        for row, line in zip(lists[name], lines, strict=True):
            row["at_least_evidence"] = _bounds_from(ranking, line)
    for row, line in zip(lists[MEASURED], ranking.measured, strict=True):
        row["samples"] = [vars(sample) for sample in line.measured]
    experiments = ranking.suggest_experiments if suggest_experiments else ()
    return {
        "schema_version": SCHEMA_VERSION,
        "space": ranking.space.name,
        "order_by": ranking.options.order_by,
        "order": _order_json(ranking),
        "complete": ranking.is_complete,
        "ranked": ranking.total,
        "removed": dict(ranking.removed),
        "removed_text": removed_text(ranking),
        "statements": list(ranking.statements),
        **lists,
        "batch": [{"core": line.core, "shell": line.shell} for line in ranking.batch],
        "suggest_experiments": [vars(experiment) for experiment in experiments],
    }


def _order_json(ranking: Ranking) -> dict[str, dict[str, str]]:
    """Return what each list is ordered by; what was measured has no expected improvement."""
    order = order_text(ranking)
    return {
        MEASURED: {"phrase": order.measured, "number": "score"},
        CANDIDATES: {"phrase": order.candidates, "number": order.number},
    }


def _bounds_from(ranking: Ranking, line: Candidate) -> dict[str, str]:
    """Return the tests or samples that each lower bound of a line is from, by its column."""
    pair = (line.core, line.item.layers)
    texts = {}
    for objective in ranking.objectives.every:
        if isinstance(objective, StabilityObjective):
            for (_, at_least), fit in zip(objective.columns(), objective.fits, strict=True):
                if fit is not None:
                    texts[at_least] = fit.level(*pair)
    if plqy := ranking.model.predictor.shell_evidence.fit(PLQY):
        texts[PLQY_AT_LEAST] = f"model and {plqy.level(*pair, kind='samples')}"
    return texts


def json_lists(ranking: Ranking) -> dict[str, list[dict[str, Any]]]:
    """Return both lists as JSON data; an unknown number and no limit are null."""
    header, rows = ranking.table()
    lists: dict[str, list[dict[str, Any]]] = {MEASURED: [], CANDIDATES: []}
    for name, *row in rows:
        cells = zip(header[1:], row, strict=True)
        lists[name].append({column: _json_value(value) for column, value in cells})
    return lists


def _json_value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def markdown_text(ranking: Ranking) -> str:
    """Return both lists as Markdown tables, with the statements on the order above."""
    space, info = ranking.space, ranking.model.info
    what = f"{ranking.total:,} of {space.size:,} combinations ranked"
    lines = [
        f"# {space.name}",
        "",
        f"{what} by model {info.model_id} (dataset {info.dataset['hash'][:12]}).",
        "",
        *(
            f"- {statement}"
            for statement in filter(None, (*ranking.statements, removed_text(ranking)))
        ),
    ]
    numbers = {MEASURED: "score", CANDIDATES: order_text(ranking).number}
    for name, title, some in _titled(ranking):
        extent = extent_text(ranking, name, MARKDOWN_LINES, has_csv=True)
        lines += ["", f"## {title}", "", *_markdown_table(some, numbers[name])]
        lines += ["", f"The {extent}."] if extent else []
    for title, *entries in filter(None, (batch_texts(ranking), experiment_texts(ranking))):
        lines += ["", title, "", *(f"- {entry.strip()}" for entry in entries)]
    return "\n".join([*lines, ""])


def _titled(ranking: Ranking) -> list[tuple[str, str, tuple[Candidate, ...]]]:
    """Return the names, the titles and the lines of the two lists."""
    order = order_text(ranking)
    return [
        (MEASURED, f"Measured: what papers made, {order.measured}", ranking.measured),
        (CANDIDATES, f"Worth trying: not measured yet, {order.candidates}", ranking.candidates),
    ]


def extent_text(ranking: Ranking, name: str, shown: int, *, has_csv: bool) -> str:
    """Return how much of a list is shown, in a few words; empty if all of it is.

    Args:
        ranking: The ranking.
        name: `MEASURED` or `CANDIDATES`.
        shown: Most lines shown.
        has_csv: Whether ranking.csv was written beside it.
    """
    if name == MEASURED:
        lines, total = ranking.measured, ranking.n_measured
        held = len(lines[:shown])
    else:
        lines, total = ranking.candidates, ranking.total
        held = sum(1 + len(line.ties) for line in lines[:shown])
    if held >= total:
        return ""
    first = f"first {counted(len(lines[:shown]), 'line')} of {counted(total, 'combination')}"
    return f"{first}; ranking.csv has {len(lines):,}" if has_csv and len(lines) > shown else first


def _markdown_table(lines: Sequence[Candidate], score: str) -> list[str]:
    if not lines:
        return ["None."]
    head = ["#", "core", "shell", "what papers measured", "PL nm [90 %]", "PLQY % [90 %]"]
    head += ["flags", score, "papers"]
    rows = [
        [
            str(line.rank),
            line.core,
            shell_name(line),
            "; ".join(measured_texts(line)) or line.evidence,
            interval_text(line, "pl_peak_nm"),
            interval_text(line, "plqy_percent"),
            "; ".join(line.flags),
            f"{line.score:.3g}",
            papers_text(line),
        ]
        for line in lines[:MARKDOWN_LINES]
    ]
    return [_markdown_row(head), _markdown_row(["---"] * len(head)), *map(_markdown_row, rows)]


def shell_name(line: Candidate) -> str:
    """Return the shell of a line, or how many that nothing known tells apart."""
    if not line.ties:
        return line.shell + ("" if line.measured else _context(line))
    others = ", ".join(line.ties[:NAMED])
    more = f", {len(line.ties) - NAMED} more" if len(line.ties) > NAMED else ""
    return f"any of {len(line.ties) + 1}: {line.shell}, {others}{more}{_context(line)}"


def measured_texts(line: Candidate) -> list[str]:
    """Return what each paper measured of the combination, with the paper."""
    return [measured_text(row) for row in line.measured]


def measured_text(row: Neighbour) -> str:
    """Return what a paper measured of a sample, with the paper."""
    return f"{', '.join(row.results) or 'measured'} ({row.paper})"


def measured_range(line: Candidate, name: str) -> str:
    """Return the least and the most that papers measured of a combination, as printed.

    Args:
        line: The line.
        name: `pl` or `plqy`.

    Returns:
        A text such as `66 to >90 % (second-hand)`; empty if no paper measured it.
    """
    column = {"pl": "pl_peak_nm", "plqy": "plqy_percent"}[name]
    texts = [
        # Of equal numbers the one with a sign is the end.
        (getattr(row, column), _SIGNS.get(text[0], 0), text)
        for row in line.measured
        if (text := getattr(row, name))
    ]
    if not texts:
        return ""
    (low, quality), (high, other) = (
        _QUALITY.fullmatch(text).groups("")  # type: ignore[union-attr]
        for _, _, text in (min(texts), max(texts))
    )
    if (low, quality) == (high, other):
        return low + quality
    if quality == other:
        return f"{low.rpartition(' ')[0]} to {high}{quality}"
    return f"{low}{quality} to {high}{other}"


def papers_of(line: Candidate) -> tuple[str, tuple[str, ...]]:
    """Return what the papers behind a line are on, empty for itself, and the papers."""
    if line.combination_papers:
        return "", line.combination_papers
    if line.shell_papers:
        return "on the shell, other cores", line.shell_papers
    return "none; nearest, on other shells", tuple(dict.fromkeys(row.paper for row in line.nearest))


def papers_text(line: Candidate) -> str:
    """Return the papers behind a line, by what they are on."""
    on, papers = papers_of(line)
    return f"{on}: {_shortened(papers)}" if on else ", ".join(papers)


def _shortened(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def interval_text(line: Candidate, column: str) -> str:
    """Return a value with its interval."""
    value, low, high = (number(line.values[column + end]) for end in ("", "_lower", "_upper"))
    return f"{value} [{low}, {high}]"


def write_parquet(ranking: Ranking, path: Path) -> bool:
    """Write the table as Parquet; return whether pyarrow is there to do it.

    Raises:
        WorkspaceError: The file cannot be written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        return False
    header, rows = ranking.table()
    columns = {name: [table_cell(row[at]) for row in rows] for at, name in enumerate(header)}
    content = io.BytesIO()
    parquet.write_table(pa.table(columns), content)
    write_file(path, content.getvalue())
    return True


SUMMARY_LINES = 10
_EXPERIMENTS = 2
"""Experiments of each kind named on the command line."""
_LEAST_CHANGE = 0.01
"""An experiment that changes the choice with less probability is not named."""
NAMED = 4
"""Papers, and shells that nothing known tells apart, that are named."""


def summary(ranking: Ranking, *, suggest_experiments: bool) -> list[str]:
    """Return what was measured, what is worth trying, and the statements, for a terminal."""
    lines: list[str] = []
    for name, title, some in _titled(ranking):
        extent = extent_text(ranking, name, SUMMARY_LINES, has_csv=False)
        lines += [f"{title}{f' ({extent})' if extent else ''}:"]
        shown = [_line_texts(line, is_idea=name == CANDIDATES) for line in some[:SUMMARY_LINES]]
        lines += [text for texts in shown for text in texts] or ["  none"]
        lines.append("")
    lines += batch_texts(ranking)
    if suggest_experiments:
        lines += experiment_texts(ranking)
    return [*lines, *ranking.statements, *filter(None, [removed_text(ranking)])]


def _line_texts(line: Candidate, *, is_idea: bool) -> list[str]:
    """Return a line of a list with what stands behind it."""
    head = f"{line.rank:>3}  {line.core} / {shell_name(line)}"
    texts = [f"     {text}" for text in measured_texts(line)[:NAMED]]
    more = len(line.measured) - NAMED
    texts += [f"     and {counted(more, 'more sample')}"] if more > 0 else []
    if is_idea:
        peak, plqy = interval_text(line, "pl_peak_nm"), interval_text(line, "plqy_percent")
        texts = [f"     model: PL {peak} nm, PLQY {plqy} %", f"     {line.evidence}"]
        texts.append(f"     papers: {papers_text(line)}")
    texts += [f"     flag: {flag}" for flag in line.flags]
    if line.reasons and is_idea:
        texts.append(f"     out of domain: {'; '.join(line.reasons)}")
    return [head, *texts]


def batch_texts(ranking: Ranking) -> list[str]:
    """Return the diverse batch, one line per candidate, if one was requested."""
    if not ranking.batch:
        return []
    lines = [f"     {line.core} / {line.shell}{_context(line)}" for line in ranking.batch]
    return [f"A batch of {len(ranking.batch)} mutually dissimilar candidates:", *lines]


def experiment_texts(ranking: Ranking) -> list[str]:
    """Return the most telling experiments of each kind, the most telling first."""
    kinds = dict.fromkeys(e.kind for e in ranking.suggest_experiments)
    kept = [
        e
        for kind in kinds
        for e in [x for x in ranking.suggest_experiments if x.kind == kind][:_EXPERIMENTS]
        if e.p_changes >= _LEAST_CHANGE
    ]
    if not kept:
        return ["Suggested experiments: none is expected to change the choice."]
    lines = [f"     {e.line}" for e in sorted(kept, key=lambda e: -e.p_changes)]
    return ["Suggested experiments, by how likely they change the first choice:", *lines]


CONSTRAINTS: Final[Mapping[str, str]] = {
    "lead_free": "no lead",
    "cadmium_free": "no cadmium",
    "insoluble_in_water": "shell insoluble in water",
    "no_quenching_shell": "no quenching shell",
    "in_domain": "in domain",
    "pl_in_window": "PL in the window",
    "tolerance_factor": "tolerance factor",
    "lattice_mismatch_below": "lattice mismatch",
    "band_alignment": "band alignment",
    "exclude": "left out by name",
    "include": "of those named alone",
    "measured": "measured by papers",
    "shell_is_core": "shell other than the core",
}
"""What combinations must satisfy, in words; the last two hold for the second list always."""


def removed_text(ranking: Ranking) -> str:
    """Return how many combinations each constraint removed, in a sentence; empty if none did."""
    parts = [
        f"{CONSTRAINTS[name]} {count:,}"
        for name, count in ranking.removed.items()
        if name != "measured"
    ]
    texts = [f"Removed by constraints: {', '.join(parts)}."] if parts else []
    if measured := ranking.removed.get("measured", 0):
        texts.append(
            f"Of {counted(measured, 'other combination')} papers measured what is asked: the first "
            "list has those with a peak that may be in the window."
        )
    return " ".join(texts)


def _context(line: Candidate) -> str:
    """Return what of structure and size is not the usual."""
    parts = [] if line.item.structure == "core/shell" else [line.item.structure]
    parts += [] if math.isnan(line.item.core_size_nm) else [f"{line.item.core_size_nm:g} nm"]
    return f" ({', '.join(parts)})" if parts else ""
