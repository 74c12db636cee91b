"""Whether a new paper is one that the data has: by its title, its numbers and its tests."""

from __future__ import annotations

import math
import re
from collections.abc import Hashable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import Final

from perovshell.data.dataset import Dataset
from perovshell.data.records import Paper, Sample, StabilityTest
from perovshell.data.summary import given_sides, reading_text
from perovshell.intake.checks import Check

_EQUAL_TITLES: Final = 0.92
"""Similarity of two titles, from 0 to 1, from which they may be one."""
_SHORTEST: Final = 20
"""Letters and digits of the shortest title that is compared."""
_RARE: Final = 2
_ROUND: Final = 5.0
"""Papers on a combination up to which an equal PLQY alone tells something, unless it is round."""


def duplicate_checks(dataset: Dataset, paper_id: str) -> Iterator[Check]:
    """Yield what speaks for a paper being in the data already, and whether it can be traced.

    Args:
        dataset: The dataset with the paper in it.
        paper_id: The paper.
    """
    paper = dataset.papers[paper_id]
    if not (paper.doi or paper.via_doi or paper.title or paper.year):
        yield Check(
            paper_id,
            "title",
            "(empty)",
            "a DOI, or a title and a year",
            "the paper cannot be traced, nor known again",
            is_outlier=False,
        )
    others = [
        other
        for name, other in dataset.papers.items()
        if name != paper_id and frozenset((name, paper_id)) not in dataset.distinct
    ]
    for other in others:
        if _same_title(paper, other):
            yield _question(paper_id, "title", repr(paper.title), other, is_outlier=True)
    names = {other.paper_id: other for other in others}
    asked: set[str] = set()
    for sample in (one for one in dataset.samples.values() if one.paper_id == paper_id):
        for other, what, is_outlier in _copies_of(sample, dataset, names):
            if other.paper_id not in asked:
                asked.add(other.paper_id)
                yield _question(sample.sample_id, "sample_id", what, other, is_outlier=is_outlier)


def _question(name: str, column: str, what: str, other: Paper, *, is_outlier: bool) -> Check:
    return Check(
        name,
        column,
        what,
        f"other than in {other.paper_id}",
        f"the same study as {other.paper_id}? Then it belongs into supersedes; if not, into "
        f"distinct_from",
        is_outlier=is_outlier,
    )


def _same_title(paper: Paper, other: Paper) -> bool:
    """Whether two titles are equal or nearly so, and no two DOIs tell them apart."""
    first, second = (re.sub(r"[\W_]+", "", one.title.casefold()) for one in (paper, other))
    numbers = [re.findall(r"\d+", title) for title in (first, second)]
    if min(len(first), len(second)) < _SHORTEST or (paper.doi and other.doi):
        return False
    if numbers[0] != numbers[1]:
        return False  # "reference 33" and "reference 34" are two.
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return matcher.quick_ratio() >= _EQUAL_TITLES and matcher.ratio() >= _EQUAL_TITLES


def _copies_of(
    sample: Sample, dataset: Dataset, papers: Mapping[str, Paper]
) -> Iterator[tuple[Paper, str, bool]]:
    """Yield the papers with the same numbers of a combination, what is equal, and how surely."""
    key = _combination(sample)
    same = [
        other
        for other in dataset.samples.values()
        if other.paper_id in papers and _combination(other) == key
    ]
    is_rare = len({other.paper_id for other in same}) <= _RARE
    for other in same:
        paper = papers[other.paper_id]
        is_equal = sample.plqy_percent == other.plqy_percent and _same_peak(sample, other)
        is_telling = is_rare and sample.core is not None and sample.plqy_percent % _ROUND > 0
        if is_equal and (is_telling or not math.isnan(sample.pl_peak_nm)):
            # What was read in a review may well be the study that is added now.
            is_sure = bool(paper.via_doi) or not (paper.doi and dataset.papers[sample.paper_id].doi)
            yield paper, _numbers_text(sample), is_sure
    for test in dataset.tests:
        if test.sample is sample:
            sides = "; ".join(f"{name} {reading_text(side)}" for name, side in given_sides(test))
            for twin in dataset.tests:
                known = papers.get(twin.sample.paper_id)
                if known and _combination(twin.sample) == key and _equal(test, twin):
                    yield known, f"{test.stressor}: {sides}", False


def _combination(sample: Sample) -> tuple[Hashable, str]:
    return sample.core_key, sample.shell


def _same_peak(sample: Sample, other: Sample) -> bool:
    peaks = sample.pl_peak_nm, other.pl_peak_nm
    return peaks[0] == peaks[1] or all(map(math.isnan, peaks))


def _numbers_text(sample: Sample) -> str:
    peak, plqy = sample.pl_peak_nm, sample.plqy_percent
    parts = {"PL": (peak, "nm"), "PLQY": (plqy, "%")}
    return ", ".join(f"{n} {v:g} {unit}" for n, (v, unit) in parts.items() if not math.isnan(v))


def _equal(test: StabilityTest, other: StabilityTest) -> bool:
    """Whether two tests have the same stressor and readings, two numbers at least."""
    pairs = [*zip(_readings(test), _readings(other), strict=True)]
    given = [pair for pair in pairs if not all(map(math.isnan, pair))]
    is_same = all(first == second for first, second in given)
    return test.stressor == other.stressor and is_same and len(given) > 1


def _readings(test: StabilityTest) -> list[float]:
    return [
        number for side in (test.coated, test.bare) for number in (side.duration_h, side.percent)
    ]
