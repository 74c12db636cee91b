"""A ranking as tables: CSV, Parquet and Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from perovshell.files import write_file
from perovshell.models.evidence import Neighbour
from perovshell.serve.ranking.results import CANDIDATES, MEASURED, Candidate, Ranking
from perovshell.texts import counted, number, table_cell

MARKDOWN_LINES = 50
"""Lines of the Markdown table; the CSV has all."""


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
    for title, some in _titled(ranking):
        lines += ["", f"## {title}", "", *_markdown_table(some)]
    for title, *entries in filter(None, (batch_texts(ranking), experiment_texts(ranking))):
        lines += ["", title, "", *(f"- {entry.strip()}" for entry in entries)]
    return "\n".join([*lines, ""])


def _titled(ranking: Ranking) -> list[tuple[str, tuple[Candidate, ...]]]:
    """Return the two lists with their titles."""
    return [
        (f"Measured: what papers made, {ORDERED_BY[ranking.options.order_by]}", ranking.measured),
        ("Worth trying: nobody measured what is asked", ranking.candidates),
    ]


def _markdown_table(lines: Sequence[Candidate]) -> list[str]:
    if not lines:
        return ["None."]
    head = ["#", "core", "shell", "what papers measured", "PL nm [90 %]", "PLQY % [90 %]"]
    head += ["flags", "score", "papers"]
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
    more = [f"The first {MARKDOWN_LINES}; ranking.csv has all."]
    rest = ["", *more] if len(lines) > MARKDOWN_LINES else []
    return [
        _markdown_row(head),
        _markdown_row(["---"] * len(head)),
        *map(_markdown_row, rows),
        *rest,
    ]


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
    parts = [f"PL {number(row.pl_peak_nm)} nm"] if row.pl_peak_nm is not None else []
    parts += [f"PLQY {number(row.plqy_percent)} %"] if row.plqy_percent is not None else []
    parts += [row.stability] if row.stability else []
    return f"{', '.join(parts) or 'measured'} ({row.paper})"


def measured_range(line: Candidate, name: str) -> str:
    """Return the range of a number that papers measured of a combination; empty if none did.

    Args:
        line: The line.
        name: `pl_peak_nm` or `plqy_percent`.
    """
    values = [getattr(row, name) for row in line.measured if getattr(row, name) is not None]
    ends = dict.fromkeys(map(number, (min(values), max(values)))) if values else {}
    return " to ".join(ends)


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


ORDERED_BY: Final = {
    "lower-bound": "by what they show at least",
    "value": "by what is expected",
    "explore": "by what is expected",
}
"""What the measured combinations are ordered by."""
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
    for title, some in _titled(ranking):
        count = f" ({counted(len(some), 'line')})" if len(some) > SUMMARY_LINES else ""
        lines += [f"{title}{count}:"]
        is_idea = some is ranking.candidates
        shown = [_line_texts(line, is_idea=is_idea) for line in some[:SUMMARY_LINES]]
        lines += [text for texts in shown for text in texts] or ["  none"]
        lines.append("")
    lines += batch_texts(ranking)
    if suggest_experiments:
        lines += experiment_texts(ranking)
    return [*lines, *ranking.statements, *filter(None, [removed_text(ranking)])]


def _line_texts(line: Candidate, *, is_idea: bool) -> list[str]:
    """Return a line of a list with what stands behind it."""
    head = f"{line.rank:>3}  {line.core} / {shell_name(line)}"
    told = [f"     {text}" for text in measured_texts(line)[:NAMED]]
    more = len(line.measured) - NAMED
    told += [f"     and {counted(more, 'more sample')}"] if more > 0 else []
    if is_idea:
        peak, plqy = interval_text(line, "pl_peak_nm"), interval_text(line, "plqy_percent")
        told = [f"     model: PL {peak} nm, PLQY {plqy} %", f"     {line.evidence}"]
        told.append(f"     papers: {papers_text(line)}")
    told += [f"     flag: {flag}" for flag in line.flags]
    if line.reasons and is_idea:
        told.append(f"     out of domain: {'; '.join(line.reasons)}")
    return [head, *told]


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
