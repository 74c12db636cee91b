"""Percentiles of published combinations in a ranking: metrics of a backtest, with intervals."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any, Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.files import jsonable
from perovshell.texts import counted
from perovshell.training.fit.problems import unit_weights
from perovshell.training.validation.figures import PaperBootstrap, concordance

GOOD_PERCENT: Final = 80.0
"""Threshold of a good PLQY."""
MIN_TRAINING_PAPERS: Final = 30
"""Papers of the years before, a collection counting as one, from which a year is tested."""
MIN_TESTED_SAMPLES: Final = 3
"""Coated samples with a PLQY from which a year is tested."""
MIN_PAPERS: Final = 5
"""Papers from which an interval is reported: a bootstrap over fewer is far too narrow."""
OBJECTIVES: Final = {"plqy": 1, "gain": 0.5, "half_life": 0.5}
BASELINES: Final = {
    "prediction": "predictions of the models alone",
    "papers": "papers on the shell",
    "shell_plqy": "PLQY of papers on the shell",
}
"""Other rankings: by predicted PLQY and gain, whatever was measured; and two of shells alone, by
the number of earlier papers and by their mean PLQY, shrunk towards that of all shells."""
RANKINGS: Final = ("ranking", *BASELINES)
SCOPES: Final = {"core": "among the shells on its core", "space": "in the whole space"}
GROUPS: Final = {
    "new_good": ("new good", True, True),
    "new_below": ("new below the threshold, for comparison", True, False),
    "repeat_good": ("good repeats, for comparison", False, True),
}
"""Groups of published combinations: text, whether they are new, whether they are good."""


@dataclass(frozen=True)
class Published:
    """A coated combination whose PLQY a paper of the tested year measured.

    Attributes:
        year: The year.
        paper: DOI or paper_id.
        core: Standard formula of the core.
        shell: Layers joined by `|`.
        plqy_percent: Its highest PLQY in the paper.
        is_good: Whether it reaches `GOOD_PERCENT`.
        is_new: Whether no earlier paper has this core with this shell.
        scores: Score by each of `RANKINGS`.
        percentile: By ranking and scope, the share of other combinations that score lower.
    """

    year: int
    paper: str
    core: str
    shell: str
    plqy_percent: float
    is_good: bool
    is_new: bool
    scores: Mapping[str, float]
    percentile: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Estimate:
    """A metric of n combinations or pairs, with its 90 % interval over papers.

    The ends are NaN with fewer than `MIN_PAPERS` papers, all numbers where n is 0; `chance` is the
    expected value of a random ranking.
    """

    n: int
    papers: int
    value: float
    low: float
    high: float
    chance: float = 0.5

    @classmethod
    def of(
        cls, triple: Sequence[float], n: int, papers: Collection[str], chance: float = 0.5
    ) -> Estimate:
        """Build from a value and the ends of its interval."""
        count = len(set(papers))
        low, high = triple[1:] if count >= MIN_PAPERS else (math.nan, math.nan)
        return cls(n, count, triple[0], low, high, chance)

    def __str__(self) -> str:
        """Return the value, its interval and whether that includes chance."""
        sign, chance = ("", "chance, 0.5") if self.chance else ("+", "0")
        if not self.n:
            return "nothing to compare"
        if math.isnan(self.low):
            return f"{self.value:{sign}.2f} (too few papers for an interval)"
        includes = f", includes {chance}" if self.low <= self.chance <= self.high else ""
        return f"{self.value:{sign}.2f} ({self.low:{sign}.2f} to {self.high:{sign}.2f}{includes})"


@dataclass(frozen=True)
class Year:
    """A tested year.

    Attributes:
        year: The year.
        papers_before: Number of papers of the years before.
        cores: Number of cores of the space.
        shells: Number of shells of the space.
        published: The combinations of the year, once per paper.
        unclear: Number of combinations whose PLQY is a bound that leaves open if they are good.
    """

    year: int
    papers_before: int
    cores: int
    shells: int
    published: tuple[Published, ...]
    unclear: int


@dataclass(frozen=True)
class Backtest:
    """Results of a backtest.

    Attributes:
        years: The tested years.
        left_out: Years with papers that are not tested.
        undated: Number of papers without a year, which are left out.
        dataset: Content hash and counts of the dataset.
        settings: How the models were validated.
    """

    years: tuple[Year, ...]
    left_out: tuple[int, ...]
    undated: int
    dataset: Mapping[str, Any]
    settings: Mapping[str, Any]

    @cached_property
    def published(self) -> tuple[Published, ...]:
        """The combinations of all years."""
        return tuple(entry for year in self.years for entry in year.published)

    def to_json(self) -> dict[str, Any]:
        """Return JSON data; unknown numbers are None."""
        data: dict[str, Any] = jsonable(
            {
                **asdict(self),
                "good_percent": GOOD_PERCENT,
                "weights": OBJECTIVES,
                "years": [{**asdict(y), "figures": figures(y.published)} for y in self.years],
                "figures": figures(self.published),
            }
        )
        return data

    def lines(self) -> list[str]:
        """Return the results in short sentences."""
        left_out = ", ".join(map(str, self.left_out)) or "no year"
        lines = f"""\
Each year's space is ranked by what is known at least, from the papers of the years before.
{counted(self.undated, "paper")} without a year: left out.
Good: coated, with a measured PLQY of at least {GOOD_PERCENT:g} %; bounds leave \
{sum(year.unclear for year in self.years)} open.
New: no earlier paper has this core with this shell.
Percentile: share of the other combinations that score lower, ties counting half; 0.5 is chance.
Each paper counts once; 90 % intervals over papers.
Not tested, with fewer than {MIN_TRAINING_PAPERS} papers before (a collection counts as one) or \
fewer than {MIN_TESTED_SAMPLES} coated samples with a PLQY: {left_out}.""".splitlines()
        for year in self.years:
            new = figures(year.published)["new_good.core"]
            before = counted(year.papers_before, "paper")
            space = f"{year.cores} cores x {year.shells} shells"
            lines.append(f"{year.year}: {before} before, {space}; new good: {_rank(new, 'core')}.")
        return lines + (self._all_years() if self.years else ["No year can be tested."])

    def _all_years(self) -> list[str]:
        lines = []
        for key, estimate in figures(self.published).items():
            name, _, baseline = key.partition(".over_")
            if baseline:
                line = f"  minus that by {BASELINES[baseline]}: {estimate}."
            elif name == "concordance":
                pairs = f"{estimate.n} pairs of {counted(estimate.papers, 'paper')}"
                line = f"All years, new good above new below of one year: {pairs}: {estimate}."
            else:
                group, scope = name.split(".")
                line = f"All years, {GROUPS[group][0]}: {_rank(estimate, scope)}."
            lines.append(line)
        new = [entry for entry in self.published if entry.is_new and entry.is_good]
        untested = sum(not entry.scores["papers"] for entry in new)
        return [
            *lines,
            (
                f"Shells in no earlier paper: those of {untested} of the {len(new)} new good ones. "
                "The baselines cannot tell such shells apart; by number of papers they are last."
            ),
            "Few combinations: they may contradict a ranking, they cannot prove one.",
        ]


def _rank(estimate: Estimate, scope: str) -> str:
    papers = counted(estimate.papers, "paper")
    return f"{estimate.n} of {papers}; percentile {SCOPES[scope]} {estimate}"


# Metrics -------------------------------------------------------------------------------------


def figures(published: Sequence[Published]) -> dict[str, Estimate]:
    """Return the metrics of published combinations.

    Returns:
        `GROUP.SCOPE`: mean percentile in the ranking, of `GROUPS` and `SCOPES`; `concordance`:
        share of the pairs of a new good and a new other combination of a year that it orders
        correctly; each with `.over_BASELINE`, the paired difference from one of `BASELINES`.
    """
    metrics: dict[str, Estimate] = {}
    for group, (_, *flags) in GROUPS.items():
        members = [entry for entry in published if [entry.is_new, entry.is_good] == flags]
        papers = [entry.paper for entry in members]
        for scope in SCOPES:
            key = f"{group}.{scope}"
            by = {r: np.array([entry.percentile[r][scope] for entry in members]) for r in RANKINGS}
            metrics[key] = mean_by_paper(papers, by["ranking"])
            for name in BASELINES:
                difference = by["ranking"] - by[name]
                metrics[f"{key}.over_{name}"] = mean_by_paper(papers, difference, chance=0.0)
    return metrics | concordances([entry for entry in published if entry.is_new])


def mean_by_paper(papers: Sequence[str], values: Floats, chance: float = 0.5) -> Estimate:
    """Return the mean of the papers' means.

    Args:
        papers: Paper of each row.
        values: Value of each row, shape (n,).
        chance: Expected value of a random ranking.

    Example:
        >>> mean_by_paper(["a", "a", "b"], np.array([0.0, 0.5, 0.75])).value
        0.5
    """
    triple = (math.nan,) * 3
    if papers:
        triple = PaperBootstrap.of(np.array(papers)).mean_by_paper(values)
    return Estimate.of(triple, len(papers), papers, chance)


def concordances(published: Sequence[Published]) -> dict[str, Estimate]:
    """Return how often good combinations score above others of their year.

    Returns:
        `concordance` of the ranking, and `concordance.over_BASELINE`, its paired differences.
    """
    outcomes = {(entry.year, entry.is_good) for entry in published}
    rows = [entry for entry in published if (entry.year, not entry.is_good) in outcomes]
    good = np.array([float(entry.is_good) for entry in rows])
    papers = np.array([entry.paper for entry in rows])
    year = np.array([entry.year for entry in rows])
    same_year = year[:, None] == year
    pairs = int(((good[:, None] > good) & same_year).sum())
    scores = {name: np.array([entry.scores[name] for entry in rows]) for name in RANKINGS}
    # How far each row scores above each column, shape (n, n).
    step = {name: values[:, None] - values for name, values in scores.items()}

    def share(resampled: Floats, baseline: str) -> Floats:
        weights = resampled * unit_weights(papers)
        ranking, other = (
            concordance(step[name], good, good, same_year, weights) if name else 0.0
            for name in ("ranking", baseline)
        )
        return np.asarray(ranking - other)

    metrics = {}
    for baseline in ("", *BASELINES):
        triple = [math.nan] * 3
        if pairs:
            bootstrap = PaperBootstrap.of(papers)
            triple = bootstrap.statistic(partial(share, baseline=baseline), len(bootstrap.counts))
        key = f"concordance.over_{baseline}" if baseline else "concordance"
        chance = 0.0 if baseline else 0.5
        metrics[key] = Estimate.of(triple, pairs, papers.tolist(), chance)
    return metrics


def percentile(scores: Floats, score: float) -> float:
    """Return the share of the other scores below one of them, ties counting half.

    Args:
        scores: All scores, of any shape; NaN is not counted.
        score: The score, one of them.

    Example:
        >>> percentile(np.array([1.0, 2.0, 2.0, 3.0]), 2.0)
        0.5
    """
    others = np.count_nonzero(~np.isnan(scores)) - 1
    ties = np.count_nonzero(scores == score) - 1
    return float((np.count_nonzero(scores < score) + 0.5 * ties) / others) if others else math.nan
