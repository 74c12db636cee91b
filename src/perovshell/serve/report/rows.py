"""The rows of the two tables of a report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from perovshell.evidence.light import light_colour
from perovshell.evidence.table import EvidenceTable
from perovshell.models.evidence import Neighbour
from perovshell.serve.ranking.results import Candidate, Ranking
from perovshell.serve.report.tables import (
    NAMED,
    interval_text,
    measured_range,
    measured_texts,
    papers_of,
    shell_name,
)
from perovshell.serve.report.words import known_at_least
from perovshell.texts import number

_PRINTED: Final = "printed"


@dataclass(frozen=True)
class MeasuredTest:
    """A stability test in words.

    Attributes:
        stressor: The stressor.
        result: Its gain, or else its half-life.
        details: Readings and conditions as printed; empty where the dataset is not at hand.
        paper: Its paper, with name and address.
    """

    stressor: str
    result: str
    details: str
    paper: Mapping[str, str]


class MeasuredTests:
    """The stability tests of measured combinations under the stressors of a ranking.

    Args:
        stressors: The stressors.
        evidence: What papers measured; without it, tests are as the model has them: without
            readings and conditions.
    """

    def __init__(self, stressors: Iterable[str], evidence: EvidenceTable | None) -> None:
        self._stressors = tuple(stressors)
        self._rows: dict[str, list[dict[str, Any]]] = {}
        for row in evidence.test_rows() if evidence else ():
            if row["stressor"] in self._stressors:
                self._rows.setdefault(row["sample_id"], []).append(row)

    def of(self, line: Candidate) -> list[MeasuredTest]:
        """Return the tests of a line, by stressor."""
        tests = [test for sample in line.measured for test in self._of_sample(sample)]
        return sorted(tests, key=lambda test: self._stressors.index(test.stressor))

    def _of_sample(self, sample: Neighbour) -> list[MeasuredTest]:
        if sample.sample_id in self._rows:
            rows = self._rows[sample.sample_id]
            printed_first = sorted(rows, key=lambda row: row["quality"] != _PRINTED)
            return [_test(row, sample) for row in printed_first]
        parts = [text.partition(": ") for text in sample.stability.split("; ")]
        return [
            MeasuredTest(stressor, result, "", paper_link(sample.paper))
            for stressor, _, result in parts
            if stressor in self._stressors
        ]


def _test(row: Mapping[str, Any], sample: Neighbour) -> MeasuredTest:
    """Return a row of the evidence in words: its gain, or else its half-life, or its readings."""
    readings = [f"{side} {row[side]}" for side in ("coated", "bare") if row[side]]
    quality = [] if row["quality"] == _PRINTED else [row["quality"]]
    details = ", ".join(filter(None, [*readings, row["condition"], *quality]))
    gain, life = (_range(row, stem) for stem in ("stability_gain", "half_life_h"))
    result = f"gain {gain}" if gain else f"half-life {life} h" if life else ", ".join(readings)
    return MeasuredTest(row["stressor"], result, details, paper_link(sample.paper))


def _range(row: Mapping[str, Any], stem: str) -> str:
    """Return an interval in words, empty where it has no end; an unknown end is None."""
    low, high = row[f"{stem}_low"], row[f"{stem}_high"]
    if high is None:
        return f"above {number(low)}" if low else ""
    return f"{number(low)} to {number(high)}" if low else f"below {number(high)}"


def measured_row(ranking: Ranking, line: Candidate, tests: MeasuredTests) -> dict[str, Any]:
    """Return what the row of a measured combination shows."""
    done = tests.of(line)
    first = {test.stressor: test for test in reversed(done)}
    return {
        "line": line,
        "light": light_colour(line.values["pl_peak_nm"]),
        "peak": measured_range(line, "pl"),
        "plqy": measured_range(line, "plqy"),
        "tests": done,
        "short": [
            f"{name}: {first[name].result}" for name in ranking.space.stressors if name in first
        ],
        "known": known_at_least(ranking, line),
        "papers": [paper_link(name) for name in line.combination_papers],
    }


def candidate_row(ranking: Ranking, line: Candidate) -> dict[str, Any]:
    """Return what the row of a candidate shows."""
    papers_on, papers = papers_of(line)
    return {
        "line": line,
        "light": light_colour(line.values["pl_peak_nm"]),
        "shell": shell_name(line) if line.ties else line.shell,
        "is_cut": len(line.ties) > NAMED,
        "context": context(line) if len(ranking.space.contexts) > 1 else "",
        "peak": interval_text(line, "pl_peak_nm"),
        "plqy": interval_text(line, "plqy_percent"),
        "known": known_at_least(ranking, line),
        "measured": measured_texts(line),
        "papers_on": papers_on or "on the combination",
        "papers": [paper_link(name) for name in papers],
    }


def context(line: Candidate) -> str:
    """Return structure, medium and size of a candidate, as far as known."""
    item = line.item
    parts = [item.structure]
    parts += [word for word in (item.encapsulation, item.medium) if word != "unknown"]
    parts += [] if item.morphology == "nanocrystal" else [item.morphology]
    size = item.core_size_nm
    return ", ".join([*parts, "size unknown" if math.isnan(size) else f"core of {size:g} nm"])


def paper_link(name: str) -> dict[str, str]:
    """Return a paper's name and its address, empty where its DOI is not known."""
    is_doi = name.startswith("10.") and "/" in name
    return {"name": name, "url": f"https://doi.org/{quote(name, safe='/')}" if is_doi else ""}
