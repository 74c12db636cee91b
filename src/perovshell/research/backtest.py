"""A backtest of rankings: how high were combinations ranked before they were published?

For each year a model is trained on the papers of the years before, it ranks a design space by what
is known at least, and the coated combinations of the year's papers are looked up. Undated papers
are left out.
A year brings few combinations: the metrics may contradict a claim but cannot support one, and a
bootstrap over ten papers gives intervals that are too narrow rather than too wide.

Reference tables, shell list and model settings are today's. A shell first used in a year is
therefore among the candidates of that year.
"""

from __future__ import annotations

import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.dataset import Dataset
from perovshell.data.records import Sample
from perovshell.data.shells import shell_text
from perovshell.errors import BacktestLeakError
from perovshell.model import Model
from perovshell.research.chronology import (
    check_years,
    group_count,
    papers_before,
    publication_years,
    undated_papers,
)
from perovshell.research.percentile import (
    GOOD_PERCENT,
    MIN_TESTED_SAMPLES,
    MIN_TRAINING_PAPERS,
    OBJECTIVES,
    Backtest,
    Published,
    Year,
    percentile,
)
from perovshell.serve.ranking.candidates import CandidatePredictions
from perovshell.serve.ranking.objectives import Objectives
from perovshell.serve.ranking.scoring import Options, Scorer
from perovshell.serve.ranking.stability_objectives import GainObjective
from perovshell.serve.space.file import read_space
from perovshell.serve.space.space import DesignSpace
from perovshell.targets.declared import GAIN, PLQY
from perovshell.training.train import recorded_settings, train, validation_steps
from perovshell.training.validation.nested import Problems, Settings

Pair = tuple[tuple[tuple[str, float], ...], str]
"""Amounts of the core, empty where it is open, and the shell."""

SETTINGS: Final = Settings(folds=10, repeats=1)
"""A validation of some seconds per year."""
_NUMBERS: Final = ("pl_peak_nm", "plqy_percent", "core_size_nm", "shell_thickness_nm")
_PSEUDO_COUNT: Final = 4.0
"""Papers that the mean PLQY of all shells counts for beside those on a shell."""
_BEST_GAIN: Final = 1000.0
"""Predicted gain that cannot be bettered."""
_LEAST: Final = 1e-9
_MIN_COPIED: Final = 2
"""Equal numbers on the same coated combinations from which two papers count as one study."""

# Years ---------------------------------------------------------------------------------------


def backtest(
    dataset: Dataset, settings: Settings = SETTINGS, advance: Callable[[], None] = lambda: None
) -> Backtest:
    """Rank each year's space by a model of the years before, and look up the year's papers.

    Args:
        dataset: The dataset in use.
        settings: How the model of each year is validated, on which its ranking depends.
        advance: Called when a fit of a validation is done, `steps(dataset, settings)` times.

    Raises:
        BacktestLeakError: A model was trained on a paper of its year or later, or a copy of one.
    """
    training = {year: papers_before(dataset, year) for year in backtest_years(dataset)}
    for year, before in training.items():
        check_training(before, dataset, year)
    return Backtest(
        years=tuple(
            _year(before, dataset, year, settings, advance) for year, before in training.items()
        ),
        left_out=tuple(year for year in publication_years(dataset) if year not in training),
        undated=undated_papers(dataset),
        dataset={"hash": dataset.content_hash, **dataset.counts},
        settings=recorded_settings(settings),
    )


def steps(dataset: Dataset, settings: Settings = SETTINGS) -> int:
    """Return how often `backtest` calls `advance`."""
    training = (papers_before(dataset, year) for year in backtest_years(dataset))
    return sum(validation_steps(before, settings) for before in training)


def backtest_years(dataset: Dataset) -> list[int]:
    """Return the years with enough papers before and enough samples to test, in rising order."""
    return [
        year
        for year in publication_years(dataset)
        if group_count(papers_before(dataset, year)) >= MIN_TRAINING_PAPERS
        and len(measured_in(dataset, year)) >= MIN_TESTED_SAMPLES
    ]


def measured_in(dataset: Dataset, year: int) -> list[Sample]:
    """Return the coated samples of a year with an exact perovskite core and a PLQY."""
    return [
        sample
        for sample in dataset.samples.values()
        if dataset.papers[sample.paper_id].year == year
        and sample.layers
        and sample.trains_plqy
        and sample.core is not None
        and not sample.core.is_metal
    ]


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
    tested = measured_in(dataset, year)
    space = space_of(before, tested)
    scores = rankings(space, model, before)
    shells = [shell_text(layers) for layers in space.shells]
    cores = [space.cores.composition(row) for row in range(space.cores.size)]
    row_of = {core.key: row for row, core in enumerate(cores)}
    measured_before = {_pair(sample) for sample in before.samples.values()}
    samples: dict[tuple[str, Pair], list[Sample]] = defaultdict(list)
    for sample in tested:
        samples[sample.paper_id, _pair(sample)].append(sample)
    published = []
    unclear = 0
    for (paper_id, (core, shell)), replicates in samples.items():
        row, column = row_of[core], shells.index(shell)
        is_good = reaches_threshold(replicates)
        if math.isnan(scores["ranking"][row, column]):
            continue  # A core as its own shell is not ranked.
        if is_good is None:
            unclear += 1
            continue
        published.append(
            Published(
                year=year,
                paper=dataset.papers[paper_id].label,
                core=cores[row].formula,
                shell=shell,
                plqy_percent=max(sample.plqy_percent for sample in replicates),
                is_good=is_good,
                is_new=(core, shell) not in measured_before,
                scores={name: float(values[row, column]) for name, values in scores.items()},
                percentile={
                    name: {
                        "core": percentile(values[row], values[row, column]),
                        "space": percentile(values, values[row, column]),
                    }
                    for name, values in scores.items()
                },
            )
        )
    return Year(year, len(before.papers), len(cores), len(shells), tuple(published), unclear)


def _pair(sample: Sample) -> Pair:
    return sample.core.key if sample.core else (), sample.shell


def reaches_threshold(samples: Sequence[Sample]) -> bool | None:
    """Return whether the best of some samples is good; None where a bound leaves it open."""
    if any(s.plqy_percent >= GOOD_PERCENT and s.plqy_bound != "<" for s in samples):
        return True
    may_be_good = any(
        s.plqy_bound == ">" or (s.plqy_bound == "<" and s.plqy_percent > GOOD_PERCENT)
        for s in samples
    )
    return None if may_be_good else False


def space_of(before: Dataset, samples: Sequence[Sample]) -> DesignSpace:
    """Return the space of all cores, all listed shells and all shell stacks of both years."""
    union = [*before.samples.values(), *samples]
    cores = [s.core.formula for s in union if s.core is not None and not s.core.is_metal]
    stacks = [s.shell for s in union if s.layers]
    declaration = {
        "name": "backtest",
        "cores": list(dict.fromkeys(cores)),
        "shells": list(dict.fromkeys([*before.reader.shells.materials, *stacks])),
        "structures": ["core/shell"],
        "stressor": "water",
        "weights": OBJECTIVES,
        "constraints": {"insoluble_in_water": False},
    }
    return read_space(declaration, before.reader)


def rankings(space: DesignSpace, model: Model, before: Dataset) -> dict[str, Floats]:
    """Return the scores of a space by each of `RANKINGS`, each of shape (n_cores, n_shells).

    Scores of the model are logarithms; NaN marks an invalid combination (a core as its own shell).
    """
    scorer = Scorer(space, model, Options())
    items = [space.item(number) for number in range(space.size)]
    valid = [number for number, item in enumerate(items) if not scorer.is_own_core(item)]
    chosen = [items[number] for number in valid]
    predictions = CandidatePredictions.of(scorer.objectives, chosen)
    scores = {
        "ranking": scorer.scores_of(predictions),
        "prediction": _predicted_scores(scorer.objectives, predictions),
    }
    shape = space.cores.size, len(space.shells)
    by_name = {name: np.full(space.size, np.nan) for name in scores}
    for name, flat in by_name.items():
        flat[valid] = scores[name]
    tables = {name: flat.reshape(shape) for name, flat in by_name.items()}
    pairs = {(sample.shell, sample.paper_id) for sample in before.samples.values()}
    papers = Counter(shell for shell, _ in pairs)
    by_shell: dict[str, Mapping[str, float]] = {
        "papers": papers,
        "shell_plqy": _shell_effects(before),
    }
    baselines = {
        name: np.array([float(values.get(shell_text(layers), 0.0)) for layers in space.shells])
        for name, values in by_shell.items()
    }
    # A baseline scores shells alone: shape (n_shells,) broadcasts over the cores.
    is_invalid = np.isnan(tables["ranking"])
    return tables | {
        name: np.where(is_invalid, np.nan, values) for name, values in baselines.items()
    }


def _predicted_scores(objectives: Objectives, predictions: CandidatePredictions) -> Floats:
    """Return the logarithms of scores by predicted PLQY and gain alone, shape (n,).

    A target without skill has its differences shrunk.
    """
    columns = predictions.predicted.columns
    (stressor,) = objectives.space.stressors
    gain = next(one for one in objectives.every if isinstance(one, GainObjective))
    plqy = np.maximum(columns[PLQY.column], 0.0) / 100.0
    logs = np.log(np.maximum(columns[GAIN.column(stressor)], 1.0)) / np.log(_BEST_GAIN)
    parts = [(plqy, objectives.plqy.slope), (np.clip(logs, 0.0, 1.0), gain.slope)]
    shrunk = [part.mean() + slope * (part - part.mean()) for part, slope in parts]
    return np.asarray(sum(np.log(np.maximum(part, _LEAST)) for part in shrunk))


def _shell_effects(before: Dataset) -> dict[str, float]:
    """Return the mean PLQY of papers on each shell minus that of all, shrunk."""
    import pandas as pd

    rows = [(s.shell, s.paper_id, s.plqy_percent) for s in before.samples.values() if s.layers]
    frame = pd.DataFrame(rows, columns=["shell", "paper", "plqy"]).dropna()
    papers = frame.groupby(["shell", "paper"])["plqy"].mean()
    shells = papers.groupby("shell").agg(["count", "mean"])
    shrinkage = shells["count"] / (shells["count"] + _PSEUDO_COUNT)
    effects: dict[str, float] = (shrinkage * (shells["mean"] - papers.mean())).to_dict()
    return effects


# Leaks ---------------------------------------------------------------------------------------


def check_training(before: Dataset, dataset: Dataset, year: int) -> None:
    """Check that training papers are of the years before, and none is a copy of a tested one.

    Two papers count as one study where all numbers that both state on the same coated combinations
    are equal, and these are at least two; a copy of a single number is not recognised.

    Raises:
        BacktestLeakError: A paper is of the year or later, undated, unknown, or a copy.
    """
    samples = [*before.samples.values(), *(test.sample for test in before.tests)]
    check_years([*before.papers, *(s.paper_id for s in samples)], dataset, year, _name(year))
    equal: Counter[tuple[str, str]] = Counter()
    for tested in measured_in(dataset, year):
        best: Counter[str] = Counter()
        for sample in before.samples.values():
            best[sample.paper_id] = max(best[sample.paper_id], equal_numbers(sample, tested))
        equal.update({(paper, tested.paper_id): count for paper, count in best.items()})
    for (copy, original), count in equal.items():
        if count >= _MIN_COPIED:
            msg = (
                f"backtest: paper {copy} of the years before {year} is a copy of paper {original} "
                f"of {year}: {count} equal numbers on the same coated combinations"
            )
            raise BacktestLeakError(msg)


def check_model(model: Model, problems: Problems, dataset: Dataset, year: int) -> None:
    """Check that the literature and the training rows of a model are of papers before a year.

    Raises:
        BacktestLeakError: A paper is of the year or later, undated, or unknown.
    """
    check_years(_papers_of(model, problems, dataset), dataset, year, _name(year))


def _papers_of(model: Model, problems: Problems, dataset: Dataset) -> Iterable[str]:
    for row in model.predictor.literature.samples:
        yield row["paper_id"]
        if row["sample_id"] in dataset.samples:
            yield dataset.samples[row["sample_id"]].paper_id
    for target in problems:
        yield from problems[target].papers.tolist()


def _name(year: int) -> str:
    return f"backtest: the model of {year}"


def equal_numbers(one: Sample, other: Sample) -> int:
    """Return how many numbers two samples of one combination share; 0 where any differs."""
    pairs = [(getattr(one, name), getattr(other, name)) for name in _NUMBERS]
    stated = [(a, b) for a, b in pairs if not math.isnan(a) and not math.isnan(b)]
    same = _pair(one) == _pair(other) and one.structure == other.structure
    return len(stated) if same and all(a == b for a, b in stated) else 0
