"""A backtest of rankings: where stand combinations that were published, and good, later?

For each year the papers of the years before train a model, the model ranks a space by value, and
the coated combinations of the year's papers are looked up in it. Papers without a year take no
part. A year brings few combinations: the figures may contradict a claim, they cannot carry one,
and a bootstrap over ten papers gives intervals that are too narrow rather than too wide.

Not of the time are the reference tables, the list of known shells and the settings of the models:
they are today's. A shell first tried in a year is therefore among the ranked ones of that year.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np
import numpy.typing as npt

from perovshell.data.composition import Composition
from perovshell.data.dataset import Dataset
from perovshell.data.records import Sample
from perovshell.data.shells import shell_text
from perovshell.errors import BacktestLeakError
from perovshell.model import Model
from perovshell.research.percentile import (
    FEWEST_TESTED,
    FEWEST_TRAINED,
    GOOD_PERCENT,
    OBJECTIVES,
    Backtest,
    Published,
    Year,
    standing,
)
from perovshell.serve.ranking.objectives import SHELL_PSEUDO_COUNT
from perovshell.serve.ranking.scoring import Options, Scorer
from perovshell.serve.space.file import read_space
from perovshell.serve.space.space import DesignSpace
from perovshell.training.train import recorded_settings, train
from perovshell.training.validation.nested import Problems, Settings

Floats = npt.NDArray[np.float64]

SETTINGS: Final = Settings(folds=10, repeats=1)
"""A validation of some seconds a year."""
_NUMBERS: Final = ("pl_peak_nm", "plqy_percent", "core_size_nm", "shell_thickness_nm")
_COPIED: Final = 2
"""Equal numbers on the same coated combinations from which two papers are one study."""

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
    return len(years_of(dataset)) * settings.steps


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
    return dataset.subset({k for k, own in dataset.papers.items() if own.year and own.year < year})


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
        if is_good is None or math.isnan(scores["model"][*place]):
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
        "weights": OBJECTIVES,
        "constraints": {"insoluble_in_water": False},
    }
    return read_space(asked, before.reader)


def rankings(space: DesignSpace, model: Model, before: Dataset) -> dict[str, Floats]:
    """Return what each of `RANKINGS` orders a space by, each of shape (n_cores, n_shells).

    The model's are logarithms of the score, by value; NaN is no combination (a core as its shell).
    """
    scorer = Scorer(space, model, Options(order_by="value", keep=space.size))
    scores = np.full(space.size, np.nan)
    for task in range(scorer.tasks):
        found = scorer.run_task(task)
        scores[found.top_index] = found.top_score
    own = scores.reshape(space.cores.size, len(space.shells))
    count = Counter(shell for shell, _ in {(x.shell, x.paper_id) for x in before.samples.values()})
    plqy = _plqy_of_shells(before)
    by_shell: dict[str, Mapping[str, float]] = {"papers": count, "shell_plqy": plqy}
    naive = {
        name: np.array([float(values.get(shell_text(own), 0.0)) for own in space.shells])
        for name, values in by_shell.items()
    }
    return {"model": own} | {
        name: np.where(np.isnan(own), np.nan, values) for name, values in naive.items()
    }


def _plqy_of_shells(before: Dataset) -> dict[str, float]:
    """Return the mean PLQY of papers on each shell less that of all, pooled as in a ranking."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for own in before.samples.values():
        if own.layers and not math.isnan(own.plqy_percent):
            found[own.shell][own.paper_id].append(own.plqy_percent)
    means = {shell: [fmean(own) for own in papers.values()] for shell, papers in found.items()}
    center = fmean([value for values in means.values() for value in values])
    return {
        shell: len(values) / (len(values) + SHELL_PSEUDO_COUNT) * (fmean(values) - center)
        for shell, values in means.items()
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
    for target in problems:
        papers += problems[target].papers.tolist()
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
