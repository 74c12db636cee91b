"""A backtest of rankings: where stand combinations that were published, and good, later?

For each year the papers of the years before train a model, the model ranks a space by value, and
the coated combinations of the year's papers are looked up in it. Papers without a year take no
part. A year brings few combinations: the figures may contradict a claim, they cannot carry one,
and a bootstrap over ten papers gives intervals that are too narrow rather than too wide.

Not of the time are the reference tables, the list of known shells and the settings of the models:
they are today's. A shell first tried in a year is therefore among the ranked ones of that year.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.data.dataset import Dataset
from perovshell.data.formula import Composition, FormulaReader, shell_text
from perovshell.data.records import Sample
from perovshell.errors import PerovshellError
from perovshell.model import Model
from perovshell.serve.objectives import Objectives
from perovshell.serve.scoring import Options, Scorer
from perovshell.serve.space import DesignSpace
from perovshell.training.figures import PaperBootstrap, concordance
from perovshell.training.nested import FITTED, Problems, Settings
from perovshell.training.problems import unit_weights
from perovshell.training.train import recorded_settings, train

Floats = npt.NDArray[np.float64]

GOOD_PERCENT: Final = 80.0
"""A PLQY of at least this many percent is good."""
FEWEST_TRAINED: Final = 30
"""Fewest papers of the years before, a collection counting as one, that rank a year."""
FEWEST_TESTED: Final = 3
"""Fewest coated samples with a PLQY that make a year worth a model."""
FEWEST_PAPERS: Final = 5
"""Fewest papers that an interval is given for: a bootstrap over fewer is far too narrow."""
SETTINGS: Final = Settings(folds=10, repeats=1)
"""A validation of some seconds a year."""
WISHES: Final = {"plqy": 1, "gain": 1}
RIVALS: Final = {"papers": "papers on the shell", "shell_plqy": "PLQY of papers on the shell"}
"""Naive rankings that order shells alone: by the number of papers before, and by their mean PLQY,
pooled with that of all shells as in a ranking."""
RANKINGS: Final = ("model", *RIVALS)
SCOPES: Final = {"core": "among the shells on its core", "space": "in the whole space"}
_NUMBERS: Final = ("pl_peak_nm", "plqy_percent", "core_size_nm", "shell_thickness_nm")
_COPIED: Final = 2
"""Equal numbers on the same coated combinations from which two papers are one study."""


class BacktestLeakError(PerovshellError):
    """A model of a backtest knows what it is tested on."""


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
        rules = {"good_percent": GOOD_PERCENT, "wishes": WISHES}
        years = [{**asdict(own), "figures": figures(own.published)} for own in self.years]
        found: dict[str, Any] = _plain(
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


def _plain(value: Any) -> Any:
    value = asdict(value) if isinstance(value, Figure) else value
    if isinstance(value, Mapping):
        return {str(key): _plain(own) for key, own in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(own) for own in value]
    return None if isinstance(value, float) and math.isnan(value) else value


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


# Years ---------------------------------------------------------------------------------------


def backtest(
    dataset: Dataset, settings: Settings = SETTINGS, advance: Callable[[], None] = lambda: None
) -> Backtest:
    """Rank each year's space with a model of the years before, and look up the year's papers.

    Args:
        dataset: The dataset in use.
        settings: How the model of each year is validated, which shapes its order.
        advance: Called once a validated fold of a target, at most `steps(dataset, settings)` times.

    Raises:
        BacktestLeakError: A model knows a paper of its year or later, or a copy of one.
    """
    years = {year: papers_before(dataset, year) for year in years_of(dataset)}
    for year, before in years.items():
        check_training(before, dataset, year)
    dated = {paper.year for paper in dataset.papers.values() if paper.year is not None}
    return Backtest(
        years=tuple(
            _year(before, dataset, year, settings, advance) for year, before in years.items()
        ),
        left_out=tuple(sorted(dated - set(years))),
        undated=sum(paper.year is None for paper in dataset.papers.values()),
        dataset={"hash": dataset.content_hash, **dataset.counts},
        settings=recorded_settings(settings),
    )


def steps(dataset: Dataset, settings: Settings = SETTINGS) -> int:
    """Return how often `backtest` calls `advance` at the most."""
    return len(years_of(dataset)) * settings.folds * len(FITTED)


def years_of(dataset: Dataset) -> list[int]:
    """Return the years with enough papers before and enough to test, in rising order."""
    return [
        year
        for year in sorted({p.year for p in dataset.papers.values() if p.year is not None})
        if len({dataset.group_of(name) for name in papers_before(dataset, year).papers})
        >= FEWEST_TRAINED
        and len(measured_in(dataset, year)) >= FEWEST_TESTED
    ]


def measured_in(dataset: Dataset, year: int) -> list[tuple[Composition, Sample]]:
    """Return the coated samples of a year with a definite perovskite core and its PLQY."""
    return [
        (sample.core, sample)
        for sample in dataset.samples.values()
        if dataset.papers[sample.paper_id].year == year
        and sample.layers
        and sample.trains_plqy
        and sample.core is not None
        and not sample.core.is_metal
    ]


def papers_before(dataset: Dataset, year: int) -> Dataset:
    """Return the part of a dataset that papers before a year make; none without a year."""
    papers = {k: own for k, own in dataset.papers.items() if own.year and own.year < year}
    marked = f"{dataset.content_hash} before {year}"
    return Dataset(
        papers=papers,
        samples={k: own for k, own in dataset.samples.items() if own.paper_id in papers},
        tests=tuple(test for test in dataset.tests if test.sample.paper_id in papers),
        reader=FormulaReader(dataset.reader.ions, dataset.reader.shells),
        content_hash=hashlib.sha256(marked.encode()).hexdigest(),
    )


def _year(
    before: Dataset, dataset: Dataset, year: int, settings: Settings, advance: Callable[[], None]
) -> Year:
    with tempfile.TemporaryDirectory() as folder:
        trained = train(before, Path(folder), settings, advance)
        model = Model.from_folder(trained.folder)
    check_model(model, trained.problems, dataset, year)
    return look_up(model, before, dataset, year)


def look_up(model: Model, before: Dataset, dataset: Dataset, year: int) -> Year:
    """Rank the space of a year by a model of the papers before; look up the year's papers."""
    samples = measured_in(dataset, year)
    space = space_of(before, [sample for _, sample in samples])
    scores = rankings(space, model, before)
    shells = [shell_text(layers) for layers in space.shells]
    known = {(own.core.key, own.shell) for own in before.samples.values() if own.core is not None}
    cores = {space.cores.composition(row).key: row for row in range(space.cores.size)}
    measured: dict[tuple[str, int, int], list[tuple[Composition, Sample]]] = defaultdict(list)
    for core, own in samples:
        measured[own.paper_id, cores[core.key], shells.index(own.shell)].append((core, own))
    published = []
    for (paper_id, *place), rows in measured.items():
        is_good = reaches([own for _, own in rows])
        if is_good is None:
            continue
        core, sample = rows[0]
        own_scores = {name: float(values[*place]) for name, values in scores.items()}
        published.append(
            Published(
                year=year,
                paper=dataset.papers[paper_id].label,
                core=core.formula,
                shell=sample.shell,
                plqy_percent=max(own.plqy_percent for _, own in rows),
                is_good=is_good,
                is_new=(core.key, sample.shell) not in known,
                scores=own_scores,
                standing={
                    name: {
                        "core": standing(values[place[0]], own_scores[name]),
                        "space": standing(values, own_scores[name]),
                    }
                    for name, values in scores.items()
                },
            )
        )
    unclear = len(measured) - len(published)
    size = space.cores.size, len(shells)
    return Year(year, len(before.papers), *size, tuple(published), unclear)


def reaches(samples: Sequence[Sample]) -> bool | None:
    """Return whether the best of some samples is good; None where a bound leaves it open."""
    if any(own.plqy_percent >= GOOD_PERCENT and own.plqy_bound != "<" for own in samples):
        return True
    above = [own.plqy_bound == "<" and own.plqy_percent > GOOD_PERCENT for own in samples]
    return None if any(above) or any(own.plqy_bound == ">" for own in samples) else False


def space_of(before: Dataset, samples: Sequence[Sample]) -> DesignSpace:
    """Return the cores before and of some samples, with all known shells and the stacks of both."""
    every = [*before.samples.values(), *samples]
    cores = [own.core.formula for own in every if own.core is not None and not own.core.is_metal]
    stacks = [own.shell for own in every if own.layers]
    asked = {
        "name": "backtest",
        "cores": list(dict.fromkeys(cores)),
        "shells": list(dict.fromkeys([*before.reader.shells.materials, *stacks])),
        "structures": ["core/shell"],
        "stressor": "water",
        "wishes": WISHES,
    }
    return DesignSpace.from_mapping(asked, before.reader)


def rankings(space: DesignSpace, model: Model, before: Dataset) -> dict[str, Floats]:
    """Return what each of `RANKINGS` orders a space by, each of shape (n_cores, n_shells).

    The model's are logarithms of the score, by value.
    """
    scorer = Scorer(space, model, Options(by="value", keep=space.size))
    scores = np.full(space.size, np.nan)
    for task in range(scorer.tasks):
        found = scorer.harvest(task)
        scores[found.top_index] = found.top_score
    shape = space.cores.size, len(space.shells)
    papers = {(own.shell, own.paper_id) for own in before.samples.values()}
    count = Counter(shell for shell, _ in papers)
    plqy = Objectives(space, model).of_shell_plqy
    return {
        "model": scores.reshape(shape),
        "papers": np.tile([float(count[shell_text(own)]) for own in space.shells], (shape[0], 1)),
        "shell_plqy": np.tile([plqy(own) for own in space.shells], (shape[0], 1)),
    }


# Leaks ---------------------------------------------------------------------------------------


def check_training(before: Dataset, dataset: Dataset, year: int) -> None:
    """Check that papers are of the years before, and none is a copy of one that is tested.

    Two papers are one study where numbers on the same coated combinations are equal, at least two
    of them and all that both state; a copy of a single number is not recognised.

    Raises:
        BacktestLeakError: A paper is of the year or later, without a year, unknown, or a copy.
    """
    rows = [*before.samples.values(), *(test.sample for test in before.tests)]
    _check_years([*before.papers, *(own.paper_id for own in rows)], dataset, year)
    equal: Counter[tuple[str, str]] = Counter()
    for _, tested in measured_in(dataset, year):
        best: Counter[str] = Counter()
        for own in before.samples.values():
            best[own.paper_id] = max(best[own.paper_id], equal_numbers(own, tested))
        equal.update({(paper, tested.paper_id): count for paper, count in best.items()})
    for (copy, original), count in equal.items():
        if count >= _COPIED:
            msg = (
                f"backtest: paper {copy} of the years before {year} is a copy of paper {original} "
                f"of {year}: {count} equal numbers on the same coated combinations"
            )
            raise BacktestLeakError(msg)


def check_model(model: Model, problems: Problems, dataset: Dataset, year: int) -> None:
    """Check that the literature and the training rows of a model are of papers before a year.

    Raises:
        BacktestLeakError: A paper is of the year or later, without a year, or unknown.
    """
    literature = model.predictor.literature.samples
    samples = [dataset.samples.get(row["sample_id"]) for row in literature]
    papers = [row["paper_id"] for row in literature]
    papers += [sample.paper_id for sample in samples if sample is not None]
    for target in (problems.pl, problems.plqy, problems.lifetime, problems.gain):
        papers += target.papers.tolist()
    _check_years(papers, dataset, year)


def equal_numbers(one: Sample, other: Sample) -> int:
    """Return how many numbers two samples of one combination share; 0 where one differs."""
    names = [(own.core.key if own.core else "", own.shell, own.structure) for own in (one, other)]
    pairs = [(getattr(one, name), getattr(other, name)) for name in _NUMBERS]
    stated = [(a, b) for a, b in pairs if not math.isnan(a) and not math.isnan(b)]
    same = names[0] == names[1] and all(a == b for a, b in stated)
    return len(stated) if same else 0


def _check_years(paper_ids: Iterable[str], dataset: Dataset, year: int) -> None:
    for name in dict.fromkeys(paper_ids):
        paper = dataset.papers.get(name)
        when = paper.year if paper else None
        if when is None or when >= year:
            msg = f"backtest: the model of {year} knows paper {name} of {when or 'no known year'}"
            raise BacktestLeakError(msg)
