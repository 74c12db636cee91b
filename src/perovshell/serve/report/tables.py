"""A ranking as tables: CSV, Parquet and Markdown."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perovshell.files import write_file
from perovshell.serve.ranking.results import Candidate, Ranking
from perovshell.serve.ranking.stability_objectives import GainObjective, HalfLifeObjective
from perovshell.targets.declared import GAIN, LIFETIME
from perovshell.targets.target import StabilityTarget, signed
from perovshell.texts import number, table_cell

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


def json_lines(ranking: Ranking) -> list[dict[str, Any]]:
    """Return the table as JSON data; an unknown number and no limit are null."""
    header, rows = ranking.table()
    return [
        {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in zip(header, row, strict=True)
        }
        for row in rows
    ]


def markdown_text(ranking: Ranking) -> str:
    """Return the top candidates as a Markdown table, with the statements on the order above."""
    space, info = ranking.space, ranking.model.info
    stressors = space.stressors
    head = ["#", "core", "shell", "PL nm [90 %]", "PLQY % [90 %]"]
    head += [_gain_head(ranking, name) for name in stressors]
    head += ["score", "P(better than next)", "in domain", "evidence", "nearest papers"]
    what = f"{ranking.total:,} of {space.size:,} combinations ranked"
    lines = [
        f"# {space.name}",
        "",
        f"{what} by model {info.model_id} (dataset {info.dataset['hash'][:12]}).",
        "",
        *(f"- {statement}" for statement in (*ranking.statements, *_left_out(ranking))),
        "",
        _markdown_row(head),
        _markdown_row(["---"] * len(head)),
    ]
    for line in ranking.candidates[:MARKDOWN_LINES]:
        cells = [
            str(line.rank),
            line.core,
            line.shell
            + ("" if line.item.structure == "core/shell" else f" ({line.item.structure})"),
            interval_text(line, "pl_peak_nm"),
            interval_text(line, "plqy_percent"),
            *(gain_text(ranking, line, name) for name in stressors),
            f"{line.score:.3g}",
            "" if math.isnan(line.p_above_next) else f"{line.p_above_next:.2f}",
            "yes" if not line.reasons else "no",
            line.evidence,
            ", ".join(row.paper for row in line.nearest),
        ]
        lines.append(_markdown_row(cells))
    if len(ranking.candidates) > MARKDOWN_LINES:
        lines += ["", f"The top {MARKDOWN_LINES} candidates; ranking.csv has all."]
    for title, *entries in filter(None, (batch_texts(ranking), experiment_texts(ranking))):
        lines += ["", title, "", *(f"- {entry.strip()}" for entry in entries)]
    return "\n".join([*lines, ""])


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def interval_text(line: Candidate, column: str) -> str:
    """Return a value with its interval."""
    value, low, high = (number(line.values[column + end]) for end in ("", "_lower", "_upper"))
    return f"{value} [{low}, {high}]"


def gain_text(ranking: Ranking, line: Candidate, stressor: str) -> str:
    """Return a gain with its sign and lower bound; two digits where the model has no skill."""
    has_skill = ranking.model.info.skill[GAIN.name]["has_skill"]
    return _with_bound(GAIN, line, stressor, digits=3 if has_skill else 2)


def _with_bound(target: StabilityTarget, line: Candidate, stressor: str, digits: int = 3) -> str:
    """Return a value under a stressor with its sign, and in brackets its lower bound."""
    column = target.column(stressor)
    value, low = (
        number(float(f"{line.values[column + end]:.{digits}g}")) for end in ("", "_lower")
    )
    return f"{signed(value, line.bounds[target.bound_column(stressor)])} ({low})"


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


SUMMARY_GROUPS = 10
_EXPERIMENTS = 2
"""Experiments of each kind named on the command line."""
_LEAST_WORTH = 1e-3
"""An experiment with less expected of it is not named."""
_NAMED = 4
"""Shells named of candidates that nothing known tells apart."""


def summary(ranking: Ranking, *, suggest_experiments: bool) -> list[str]:
    """Return the top candidates, their evidence and the statements on the order, for a terminal."""
    head = ["#", "core", "shell", "PL nm [90 %]", "PLQY % [90 %]"]
    for name in ranking.space.stressors:
        head += [_gain_head(ranking, name)] if _shows_gain(ranking) else []
        head += [f"half-life {name} h (90 % >)"] if _shows_half_life(ranking) else []
    lines = [f"{ranking.total:,} combinations ranked, best first:"]
    lines.append(_columns(head))
    for group in ranking.groups[:SUMMARY_GROUPS]:
        lines += _group_texts(ranking, group)
    lines += batch_texts(ranking)
    if suggest_experiments:
        lines += experiment_texts(ranking)
    return [*lines, *ranking.statements, *_left_out(ranking)]


def batch_texts(ranking: Ranking) -> list[str]:
    """Return the diverse batch, one line per candidate, if one was requested."""
    if not ranking.batch:
        return []
    lines = [f"     {line.core} / {line.shell}{_context(line)}" for line in ranking.batch]
    return [f"A batch of {len(ranking.batch)} mutually dissimilar candidates:", *lines]


def experiment_texts(ranking: Ranking) -> list[str]:
    """Return the most valuable experiments of each kind, by falling value."""
    kinds = dict.fromkeys(e.kind for e in ranking.suggest_experiments)
    kept = [
        e
        for kind in kinds
        for e in [x for x in ranking.suggest_experiments if x.kind == kind][:_EXPERIMENTS]
        if e.worth >= _LEAST_WORTH
    ]
    if not kept:
        return ["Suggested experiments: none is expected to change the choice."]
    lines = [
        f"     {e.worth:.3f}  {e.kind}: {e.what} ({e.why})"
        for e in sorted(kept, key=lambda e: -e.worth)
    ]
    return ["Suggested experiments, by the expected gain in the score of the best choice:", *lines]


def _left_out(ranking: Ranking) -> list[str]:
    """Return what constraints removed, in one line."""
    parts = [f"{name} {count:,}" for name, count in ranking.removed.items()]
    return [f"Removed by constraints: {', '.join(parts)}."] if parts else []


def _shows_gain(ranking: Ranking) -> bool:
    """Whether the gain is shown: where it has a weight, or the half-life has none."""
    return bool(ranking.space.weights[GainObjective.name]) or not _shows_half_life(ranking)


def _shows_half_life(ranking: Ranking) -> bool:
    """Whether the half-life is shown: where it has a weight."""
    return bool(ranking.space.weights[HalfLifeObjective.name])


def _gain_head(ranking: Ranking, stressor: str) -> str:
    has_skill = ranking.model.info.skill[GAIN.name]["has_skill"]
    return f"gain {stressor} (90 % >){'' if has_skill else ', no skill'}"


def _columns(cells: Sequence[str]) -> str:
    widths = (">3", "<24", "<16", "<20", "<16")
    padded = [format(cell, width) for cell, width in zip(cells, widths, strict=False)]
    return "  ".join([*padded, *(f"{cell:<20}" for cell in cells[len(widths) :])]).rstrip()


def _group_texts(ranking: Ranking, group: Sequence[Candidate]) -> list[str]:
    """Return a candidate with its evidence; candidates of the same score are grouped."""
    line = group[0]
    cells = [str(line.rank), line.core, f"{line.shell}{_context(line)}"]
    cells += [interval_text(line, "pl_peak_nm"), interval_text(line, "plqy_percent")]
    for name in ranking.space.stressors:
        cells += [gain_text(ranking, line, name)] if _shows_gain(ranking) else []
        cells += [_with_bound(LIFETIME, line, name)] if _shows_half_life(ranking) else []
    lines = [_columns(cells)]
    others = [f"{other.shell}{_context(other)}" for other in group[1:]]
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        lines.append(f"     same score: {', '.join(others[:_NAMED])}{more}")
    evidence = f"     evidence: {line.evidence}"
    peaks = [f"{number(row.pl_peak_nm)} nm" for row in line.measured if row.pl_peak_nm is not None]
    if peaks:
        evidence += f"; PL measured: {', '.join(dict.fromkeys(peaks))}"
    if not others and not math.isnan(line.p_above_next):
        evidence += f"; P(better than next) {line.p_above_next:.0%}"
    lines.append(evidence)
    if line.reasons:
        lines.append(f"     out of domain: {'; '.join(line.reasons)}")
    return [*lines, f"     papers: {', '.join(row.paper for row in line.nearest)}"]


def _context(line: Candidate) -> str:
    """Return what of structure and size is not the usual."""
    parts = [] if line.item.structure == "core/shell" else [line.item.structure]
    parts += [] if math.isnan(line.item.core_size_nm) else [f"{line.item.core_size_nm:g} nm"]
    return f" ({', '.join(parts)})" if parts else ""
