"""Where published combinations stand in a ranking: figures of a backtest, with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.files import jsonable
from perovshell.training.fit.problems import unit_weights
from perovshell.training.validation.figures import PaperBootstrap, concordance

Floats = npt.NDArray[np.float64]

GOOD_PERCENT: Final = 80.0
"""A PLQY of at least this many percent is good."""
FEWEST_TRAINED: Final = 30
"""Fewest papers of the years before, a collection counting as one, that rank a year."""
FEWEST_TESTED: Final = 3
"""Fewest coated samples with a PLQY that make a year worth a model."""
FEWEST_PAPERS: Final = 5
"""Fewest papers that an interval is given for: a bootstrap over fewer is far too narrow."""
OBJECTIVES: Final = {"plqy": 1, "gain": 1}
RIVALS: Final = {"papers": "papers on the shell", "shell_plqy": "PLQY of papers on the shell"}
"""Naive rankings that order shells alone: by the number of papers before, and by their mean PLQY,
pooled with that of all shells as in a ranking."""
RANKINGS: Final = ("model", *RIVALS)
SCOPES: Final = {"core": "among the shells on its core", "space": "in the whole space"}


@dataclass(frozen=True)
class Published:
    """A coated combination that a paper of the tested year measured the PLQY of.

    Attributes:
        year: The year.
        paper: DOI or paper_id.
        core: Standard formula of the core.
        shell: Layers joined by `|`.
        plqy_percent: Its highest PLQY in the paper.
        is_good: Whether it reaches `GOOD_PERCENT`.
        is_new: Whether no paper before had this core with this shell.
        scores: What each of `RANKINGS` orders by.
        standing: By ranking and scope, the share of other combinations that score lower.
    """

    year: int
    paper: str
    core: str
    shell: str
    plqy_percent: float
    is_good: bool
    is_new: bool
    scores: Mapping[str, float]
    standing: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Figure:
    """A figure of n combinations or pairs, with its 90 % interval over papers.

    The ends are NaN with fewer than `FEWEST_PAPERS` papers, all numbers where n is 0; `chance` is
    what a ranking without knowledge would give.
    """

    n: int
    papers: int
    value: float
    low: float
    high: float
    chance: float = 0.5

    @classmethod
    def of(cls, triple: Sequence[float], n: int, papers: int, chance: float = 0.5) -> Figure:
        """Build from a value and the ends of its interval."""
        low, high = triple[1:] if papers >= FEWEST_PAPERS else (math.nan, math.nan)
        return cls(n, papers, triple[0], low, high, chance)

    def __str__(self) -> str:
        """Say the figure, its interval and whether that includes chance."""
        sign, what = ("", "chance, 0.5") if self.chance else ("+", "0")
        if not self.n:
            return "nothing to compare"
        if math.isnan(self.low):
            return f"{self.value:{sign}.2f} (too few papers for an interval)"
        includes = f", includes {what}" if self.low <= self.chance <= self.high else ""
        return f"{self.value:{sign}.2f} ({self.low:{sign}.2f} to {self.high:{sign}.2f}{includes})"


@dataclass(frozen=True)
class Year:
    """One tested year.

    Attributes:
        year: The year.
        papers_before: Papers of the years before.
        cores: Cores of the space.
        shells: Shells of the space.
        published: The combinations of the year, once a paper.
        unclear: Combinations whose PLQY is a bound that leaves open whether they are good.
    """

    year: int
    papers_before: int
    cores: int
    shells: int
    published: tuple[Published, ...]
    unclear: int


@dataclass(frozen=True)
class Backtest:
    """What a backtest found.

    Attributes:
        years: The tested years.
        left_out: Years with papers that are not tested.
        undated: Papers without a year, on neither side.
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
        return tuple(one for year in self.years for one in year.published)

    def to_json(self) -> dict[str, Any]:
        """Return JSON data; unknown numbers are None."""
        rules = {"good_percent": GOOD_PERCENT, "weights": OBJECTIVES}
        years = [{**asdict(own), "figures": figures(own.published)} for own in self.years]
        found: dict[str, Any] = jsonable(
            {**asdict(self), **rules, "years": years, "figures": figures(self.published)}
        )
        return found

    def lines(self) -> list[str]:
        """Return what is to be said, in short sentences."""
        left_out = ", ".join(map(str, self.left_out)) or "no year"
        unclear = sum(own.unclear for own in self.years)
        said = f"""\
Each year's space is ranked by value, by a model of the papers of the years before.
{_papers(self.undated)} without a year: on neither side.
Good: coated, with a measured PLQY of at least {GOOD_PERCENT:g} %; bounds leave {unclear} open.
New: no paper before had this core with this shell.
Standing: share of the other combinations that score lower, ties counting half; 0.5 is chance.
Papers count once; 90 % intervals over papers.
Not tested, with fewer than {FEWEST_TRAINED} papers before (a collection counts as one) or fewer \
than {FEWEST_TESTED} coated samples with a PLQY: {left_out}.""".splitlines()
        for own in self.years:
            new = figures(own.published)["new_good.core"]
            before = f"{_papers(own.papers_before)} before, {own.cores} cores x {own.shells} shells"
            said.append(f"{own.year}: {before}; new good: {_standing(new, 'core')}.")
        return said + (self._all_years() if self.years else ["No year can be tested."])

    def _all_years(self) -> list[str]:
        found = figures(self.published)
        said = []
        for group, name in GROUPS.items():
            for scope in SCOPES:
                key = f"{group}.{scope}"
                said.append(f"All years, {name}: {_standing(found[key], scope)}.")
                said += _over(found, key) if group == "new_good" else []
        pairs = found["concordance"]
        of = f"{pairs.n} pairs of {_papers(pairs.papers)}"
        said.append(f"New good above new below the bar of one year, cores mixed: {of}: {pairs}.")
        said += _over(found, "concordance")
        new = [own for own in self.published if own.is_new and own.is_good]
        first = sum(not own.scores["papers"] for own in new)
        last = f"""\
Shells in no paper before: those of {first} of the {len(new)} new good ones. Naive rankings do not \
tell such shells apart; a number of papers puts them last.
Few combinations: they may contradict a ranking, they cannot prove one."""
        return said + last.splitlines()


def _standing(own: Figure, scope: str) -> str:
    return f"{own.n} of {_papers(own.papers)}; standing {SCOPES[scope]} {own}"


def _over(found: Mapping[str, Figure], key: str) -> list[str]:
    return [f"  over {name} alone: {found[f'{key}.over_{own}']}." for own, name in RIVALS.items()]


def _papers(count: int) -> str:
    return f"{count} paper{'' if count == 1 else 's'}"


# Figures -------------------------------------------------------------------------------------

GROUPS: Final = {
    "new_good": "new good",
    "new_below": "new below the bar, for comparison",
    "repeat_good": "good repeats, for comparison",
}


def figures(published: Sequence[Published]) -> dict[str, Figure]:
    """Return the figures of published combinations.

    Returns:
        `GROUP.SCOPE`: mean standing by the model, of `GROUPS` and `SCOPES`; `concordance`: share
        of the pairs of a new good and a new other one of a year that the model puts in the right
        order; each with `.over_RIVAL`, the paired difference from one of `RIVALS`.
    """
    rows = {
        "new_good": [one for one in published if one.is_new and one.is_good],
        "new_below": [one for one in published if one.is_new and not one.is_good],
        "repeat_good": [one for one in published if one.is_good and not one.is_new],
    }
    found: dict[str, Figure] = {}
    for group, own in rows.items():
        papers = [one.paper for one in own]
        for scope in SCOPES:
            by = {name: np.array([one.standing[name][scope] for one in own]) for name in RANKINGS}
            found[f"{group}.{scope}"] = mean_by_paper(papers, by["model"])
            for rival in RIVALS:
                over = mean_by_paper(papers, by["model"] - by[rival])
                found[f"{group}.{scope}.over_{rival}"] = replace(over, chance=0.0)
    return found | concordances([*rows["new_good"], *rows["new_below"]])


def mean_by_paper(papers: Sequence[str], values: Floats) -> Figure:
    """Return the mean of the papers' means."""
    if not papers:
        return Figure.of([math.nan] * 3, 0, 0)
    triple = PaperBootstrap.of(np.array(papers)).mean_by_paper(values)
    return Figure.of(triple, len(papers), len(set(papers)))


def concordances(published: Sequence[Published]) -> dict[str, Figure]:
    """Return how often good combinations score above others of their year."""
    years = {y: {o.is_good for o in published if o.year == y} for y in {o.year for o in published}}
    rows = [own for own in published if len(years[own.year]) > 1]
    good = np.array([float(own.is_good) for own in rows])
    papers = np.array([own.paper for own in rows])
    year = np.array([own.year for own in rows])
    same = year[:, None] == year
    n = int(((good[:, None] > good) & same).sum())
    scores = {name: np.array([own.scores[name] for own in rows]) for name in RANKINGS}

    def right(drawn: Floats, name: str = "model", rival: str = "") -> float:
        step, weights = scores[name][:, None] - scores[name], drawn * unit_weights(papers)
        own = concordance(step, good, good, same, weights)
        return own - right(drawn, rival) if rival else own

    found = {}
    for rival in ("", *RIVALS):
        triple = [math.nan] * 3
        if n:
            bootstrap = PaperBootstrap.of(papers)
            triple = bootstrap.statistic(partial(right, rival=rival), len(bootstrap.counts))
        key = f"concordance.over_{rival}" if rival else "concordance"
        found[key] = Figure.of(triple, n, len(set(papers.tolist())), 0.0 if rival else 0.5)
    return found


def standing(scores: Floats, own: float) -> float:
    """Return the share of the other scores below one of them, ties counting half; NaN is none."""
    others = np.count_nonzero(~np.isnan(scores)) - 1
    ties = np.count_nonzero(scores == own) - 1
    return float((np.count_nonzero(scores < own) + 0.5 * ties) / others) if others else math.nan
