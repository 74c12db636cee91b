"""From the dataset to training problems: rows, targets, bounds, weights, papers."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats, Indices, Mask
from perovshell.data.dataset import Dataset
from perovshell.data.records import Measurement, Sample, StabilityTest
from perovshell.data.targets import Interval
from perovshell.data.vocabulary import CONDITIONS
from perovshell.features.combinations import Combination
from perovshell.features.featurizer import Featurizer
from perovshell.models.evidence import combination_name
from perovshell.models.stability import (
    TEST_DESCRIPTORS,
    difference,
    side_effects,
    test_columns,
    with_test_columns,
)
from perovshell.targets.scales import flip_bounds
from perovshell.training.fit.specs import PointSpec

SUBSETS = ("all", "lead_no_cspbcl3", "coated", "lead_free", "first_hand")
SECOND_HAND = "second-hand"
"""Quality of a value that was read in another paper than the one that measured it."""


@dataclass(frozen=True)
class PointProblem:
    """Rows of a target that is one number a sample.

    Attributes:
        spec: Target and training specification.
        items: What descriptors see of each row.
        matrix: Descriptor rows, shape (n, p).
        names: Column names.
        column_groups: Descriptor group of each column.
        target: Values as they are modelled (PL in eV, PLQY in percent), shape (n,).
        bounds: Bound of each.
        qualities: Whether each value has each quality of the prior's form, shape (n, q).
        papers: Paper of each row: the group of every split.
        weight_groups: Group that shares one unit of weight.
        sample_ids: Sample of each row.
        cores: Standard formula of each core, empty where it is open.
        shells: Layers of each row joined by `|`, `none` for bare.
        subsets: Rows of each of `SUBSETS`.
    """

    spec: PointSpec
    items: tuple[Combination, ...]
    matrix: Floats
    names: tuple[str, ...]
    column_groups: tuple[str, ...]
    target: Floats
    bounds: tuple[str, ...]
    qualities: Floats
    papers: npt.NDArray[np.str_]
    weight_groups: npt.NDArray[np.str_]
    sample_ids: tuple[str, ...]
    cores: tuple[str, ...]
    shells: tuple[str, ...]
    subsets: dict[str, Mask]

    @cached_property
    def combinations(self) -> tuple[str, ...]:
        """Name of core and shell of each row, empty where the core is open."""
        rows = zip(self.items, self.cores, strict=True)
        return tuple(combination_name(item) if core else "" for item, core in rows)

    @cached_property
    def is_exact(self) -> Mask:
        """Which rows have a value and not a bound of it, shape (n,)."""
        return ~np.isin(self.bounds, [">", "<"])

    @property
    def values(self) -> Floats:
        """The values as they are reported, shape (n,)."""
        return self.spec.target.scale.to_unit(self.target)

    def errors(self, predicted: Floats, rows: Indices | slice = slice(None)) -> Floats:
        """Return absolute errors of predictions of rows, in the unit of the target's errors.

        A bound costs nothing where the prediction keeps it.
        """
        bounds = np.array(flip_bounds(self.spec.target.scale, self.bounds), dtype=np.str_)[rows]
        return bounded_error(self.values[rows], bounds, self.spec.target.scale.to_unit(predicted))

    def weights(self, rows: Indices) -> Floats:
        """Return row weights: one unit a group, scaled to a mean of 1."""
        return unit_weights(self.weight_groups[rows])

    def take(self, rows: Indices) -> PointProblem:
        """Return the problem of some rows."""
        return _take(self, rows)


@dataclass(frozen=True)
class LifetimeProblem:
    """Rows of equivalent lifetime: one side of one test each.

    Attributes:
        items: What descriptors see of each row.
        matrix: Descriptor rows with test columns, shape (n, p).
        names: Column names.
        column_groups: Descriptor group of each column.
        low: Lower ends in h, shape (n,).
        high: Upper ends in h, shape (n,).
        duration: Duration of the test in h: a baseline, never a descriptor.
        effects: Amount of each effect on the log lifetime.
        stressors: Stressor of each row.
        is_coated: Whether the row is the coated side.
        sample_ids: Sample of each row.
        tests: Number of the test each row is a side of.
        experiments: Experiment that the test belongs to.
        papers: Paper of each row.
        share: Share of its experiment that a row counts for, shape (n,).
    """

    items: tuple[Combination, ...]
    matrix: Floats
    names: tuple[str, ...]
    column_groups: tuple[str, ...]
    low: Floats
    high: Floats
    duration: Floats
    effects: tuple[Mapping[str, float], ...]
    stressors: npt.NDArray[np.str_]
    is_coated: Mask
    sample_ids: tuple[str, ...]
    tests: Indices
    experiments: npt.NDArray[np.str_]
    papers: npt.NDArray[np.str_]
    share: Floats

    def take(self, rows: Indices) -> LifetimeProblem:
        """Return the problem of some rows."""
        return _take(self, rows)


@dataclass(frozen=True)
class GainProblem:
    """Two-sided tests.

    Attributes:
        items: What descriptors see of each coated side.
        coated: Descriptor rows of the coated sides with test columns, shape (n, p).
        bare: Those of the bare sides, shape (n, p).
        low: Lower ends of the gain, shape (n,).
        high: Upper ends of the gain, shape (n,).
        effects: Amount of each effect on the log gain.
        stressors: Stressor of each row.
        papers: Paper of each row.
        share: Share of its experiment that a row counts for.
        duration: Duration of the coated side in h, NaN where unstated: a baseline.
        sample_ids: Sample of each row.
        tests: Number of the test of each row.
        experiments: Experiment that the test belongs to.
        shells: Names of the layers of each row.
    """

    items: tuple[Combination, ...]
    coated: Floats
    bare: Floats
    low: Floats
    high: Floats
    effects: tuple[Mapping[str, float], ...]
    stressors: npt.NDArray[np.str_]
    papers: npt.NDArray[np.str_]
    share: Floats
    duration: Floats
    sample_ids: tuple[str, ...]
    tests: Indices
    experiments: npt.NDArray[np.str_]
    shells: tuple[tuple[str, ...], ...]

    def take(self, rows: Indices) -> GainProblem:
        """Return the problem of some rows."""
        return _take(self, rows)


@dataclass(frozen=True)
class StabilityProblem:
    """Stability tests, of which one model learns lifetimes and gains; its rows are the tests.

    Attributes:
        tests: Number of each test, rising, shape (n,).
        papers: Paper of each test.
        sample_ids: Sample of each test.
        lifetime: Their sides with a stated duration.
        gain: The two-sided ones.
    """

    tests: Indices
    papers: npt.NDArray[np.str_]
    sample_ids: tuple[str, ...]
    lifetime: LifetimeProblem
    gain: GainProblem

    def sides(self, rows: Indices) -> Indices:
        """Return the rows of `lifetime` that are sides of some tests."""
        return np.flatnonzero(np.isin(self.lifetime.tests, self.tests[rows]))

    def pairs(self, rows: Indices) -> Indices:
        """Return the rows of `gain` that are some tests."""
        return np.flatnonzero(np.isin(self.gain.tests, self.tests[rows]))

    def without_papers(self, papers: npt.NDArray[np.str_]) -> StabilityProblem:
        """Return the problem without the tests of some papers."""
        kept = np.flatnonzero(~np.isin(self.papers, papers))
        return StabilityProblem(
            self.tests[kept],
            self.papers[kept],
            tuple(self.sample_ids[row] for row in kept),
            self.lifetime.take(self.sides(kept)),
            self.gain.take(self.pairs(kept)),
        )


_ROW_FREE = ("spec", "names", "column_groups")
_AnyProblem = TypeVar("_AnyProblem", PointProblem, LifetimeProblem, GainProblem)


def _take(problem: _AnyProblem, rows: Indices) -> _AnyProblem:
    changed: dict[str, Any] = {}
    for entry in fields(problem):
        value = getattr(problem, entry.name)
        if entry.name in _ROW_FREE:
            continue
        if isinstance(value, dict):
            changed[entry.name] = {name: mask[rows] for name, mask in value.items()}
        elif isinstance(value, tuple):
            changed[entry.name] = tuple(value[row] for row in rows)
        else:
            changed[entry.name] = value[rows]
    return replace(problem, **changed)


def bounded_error(target: Floats, bounds: npt.NDArray[np.str_], predicted: Floats) -> Floats:
    """Return absolute errors; a bound costs nothing where the prediction keeps it."""
    kept = ((bounds == ">") & (predicted > target)) | ((bounds == "<") & (predicted < target))
    return np.where(kept, 0.0, np.abs(predicted - target))


def unit_weights(groups: npt.NDArray[np.str_], share: Floats | None = None) -> Floats:
    """Return weights that add up to one unit a group, scaled to a mean of 1."""
    parts = np.ones(len(groups)) if share is None else share
    totals: dict[str, float] = defaultdict(float)
    for group, part in zip(groups.tolist(), parts.tolist(), strict=True):
        totals[group] += part
    weights = parts / np.array([totals[group] for group in groups.tolist()])
    return np.asarray(weights * len(weights) / weights.sum())


def group_weights(groups: npt.NDArray[np.str_], share: Floats | None = None) -> Floats:
    """Return weights that add up to the number of groups: one unit a group."""
    return unit_weights(groups, share) * len(set(groups.tolist())) / len(groups)


def combination_of(sample: Sample) -> Combination:
    """Return what descriptors see of a sample."""
    return Combination(
        sample.core,
        sample.layers,
        sample.structure,
        sample.encapsulation,
        sample.medium,
        sample.core_size_nm,
        sample.morphology,
        sample.treatments,
    )


def point_problem(spec: PointSpec, dataset: Dataset, featurizer: Featurizer) -> PointProblem:
    """Collect the samples that train a target; open cores are seen by their stand-ins."""
    read = [(sample, spec.target.read(sample)) for sample in dataset.samples.values()]
    known = [(sample, number) for sample, number in read if number is not None]
    samples, numbers = [sample for sample, _ in known], [number for _, number in known]
    items = tuple(replace(combination_of(s), core=s.described_core) for s in samples)
    return PointProblem(
        spec=spec,
        items=items,
        matrix=featurizer.matrix(items),
        names=featurizer.names,
        column_groups=tuple(d.group for d in featurizer.descriptors),
        target=spec.target.scale.to_model(np.array([number.value for number in numbers])),
        bounds=tuple(flip_bounds(spec.target.scale, [number.bound for number in numbers])),
        qualities=np.array(
            [[one.quality == term.name for term in spec.prior.qualities] for one in numbers], float
        ).reshape(len(numbers), -1),
        papers=np.array([s.paper_id for s in samples]),
        weight_groups=np.array([dataset.group_of(s.paper_id) for s in samples]),
        sample_ids=tuple(s.sample_id for s in samples),
        cores=tuple(s.core.formula if s.core else "" for s in samples),
        shells=tuple(s.shell for s in samples),
        subsets=_subsets(dataset, samples, numbers),
    )


def _subsets(
    dataset: Dataset, samples: Sequence[Sample], numbers: Sequence[Measurement]
) -> dict[str, Mask]:
    lead = np.array([s.core is not None and "Pb" in dict(s.core.amounts) for s in samples])
    known = np.array([s.core is not None for s in samples])
    collection = np.array([dataset.in_collection(s.paper_id) for s in samples])
    return {
        "all": np.ones(len(samples), dtype=bool),
        "lead_no_cspbcl3": lead & ~collection,
        "coated": np.array([not s.is_bare for s in samples]),
        "lead_free": known & ~lead,
        "first_hand": np.array([one.quality != SECOND_HAND for one in numbers], dtype=bool),
    }


def same_core_pairs(problem: PointProblem) -> list[tuple[int, int]]:
    """Return pairs of rows with exact values of one core in one paper; a coated row comes first.

    Pairs with equal descriptors are left out: what they differ in is not stated (the two ends of a
    size series, say), and it is no shell.
    """
    by_core: dict[tuple[str, str], list[int]] = defaultdict(list)
    for row, paper in enumerate(problem.papers.tolist()):
        if problem.cores[row] and problem.is_exact[row]:
            by_core[paper, problem.cores[row]].append(row)
    coated = problem.subsets["coated"]
    pairs = [
        (first, second)
        for rows in by_core.values()
        for index, first in enumerate(rows)
        for second in rows[index + 1 :]
    ]
    named = [
        (a, b)
        for a, b in pairs
        if not np.array_equal(problem.matrix[a], problem.matrix[b], equal_nan=True)
    ]
    return [(b, a) if coated[b] and not coated[a] else (a, b) for a, b in named]


def stability_problem(
    dataset: Dataset, featurizer: Featurizer, exponent: float = 1.0
) -> StabilityProblem:
    """Collect the stability tests, under a decay of some exponent."""
    lifetime = _lifetime_problem(dataset, featurizer, exponent)
    gain = _gain_problem(dataset, featurizer, exponent)
    used = {*lifetime.tests.tolist(), *gain.tests.tolist()}
    tests = [test for test in dataset.tests if test.number in used]
    return StabilityProblem(
        tests=np.array([test.number for test in tests]),
        papers=np.array([test.sample.paper_id for test in tests]),
        sample_ids=tuple(test.sample.sample_id for test in tests),
        lifetime=lifetime,
        gain=gain,
    )


def _lifetime_problem(dataset: Dataset, featurizer: Featurizer, exponent: float) -> LifetimeProblem:
    """Collect each side of a test that states a duration."""
    sides: list[tuple[StabilityTest, bool, Interval]] = []
    for test in dataset.tests:
        for coated, reading in ((True, test.coated), (False, test.bare)):
            if reading.is_given and not math.isnan(reading.duration_h):
                sides.append((test, coated, reading.lifetime(exponent=exponent)))
    tests = [(test, coated) for test, coated, _ in sides]
    counts = Counter((test.experiment, coated) for test, coated in tests)
    readings = [test.coated if coated else test.bare for test, coated in tests]
    extra = TEST_DESCRIPTORS
    return LifetimeProblem(
        items=tuple(_side_combination(test, coated=coated) for test, coated in tests),
        matrix=_side_matrix(tests, featurizer),
        names=(*featurizer.names, *(d.name for d in extra)),
        column_groups=tuple(d.group for d in (*featurizer.descriptors, *extra)),
        low=np.array([interval.low for _, _, interval in sides]),
        high=np.array([interval.high for _, _, interval in sides]),
        duration=np.array([reading.duration_h for reading in readings]),
        effects=tuple(_side_effects(test, coated=coated) for test, coated in tests),
        stressors=np.array([test.stressor for test, _ in tests]),
        is_coated=np.array([coated and not test.sample.is_bare for test, coated in tests]),
        sample_ids=tuple(test.sample.sample_id for test, _ in tests),
        tests=np.array([test.number for test, _ in tests]),
        experiments=np.array([test.experiment for test, _ in tests]),
        papers=np.array([test.sample.paper_id for test, _ in tests]),
        share=np.array([1.0 / counts[test.experiment, coated] for test, coated in tests]),
    )


def _side_combination(test: StabilityTest, *, coated: bool) -> Combination:
    item = combination_of(test.sample)
    return item if coated or test.sample.is_bare else item.bare


def _side_effects(test: StabilityTest, *, coated: bool) -> dict[str, float]:
    item = _side_combination(test, coated=coated)
    return side_effects(test.stressor, test.conditions, item, coated=coated)


def _side_matrix(sides: Sequence[tuple[StabilityTest, bool]], featurizer: Featurizer) -> Floats:
    """Return the descriptor rows of sides with test columns, shape (n, p)."""
    items = [_side_combination(test, coated=coated) for test, coated in sides]
    columns = [test_columns(test.stressor, test.conditions) for test, _ in sides]
    return with_test_columns(featurizer.matrix(items), columns)


def _gain_problem(dataset: Dataset, featurizer: Featurizer, exponent: float) -> GainProblem:
    """Collect the two-sided tests, those without durations included."""
    pairs = [(test, test.gain(exponent)) for test in dataset.tests]
    known = [(test, gain) for test, gain in pairs if gain is not None and gain.is_informative]
    tests = [test for test, _ in known]
    counts = Counter(test.experiment for test in tests)
    return GainProblem(
        items=tuple(combination_of(test.sample) for test in tests),
        coated=_side_matrix([(test, True) for test in tests], featurizer),
        bare=_side_matrix([(test, False) for test in tests], featurizer),
        low=np.array([gain.low for _, gain in known]),
        high=np.array([gain.high for _, gain in known]),
        effects=tuple(
            difference(*(_side_effects(test, coated=coated) for coated in (True, False)))
            for test in tests
        ),
        stressors=np.array([test.stressor for test in tests]),
        papers=np.array([test.sample.paper_id for test in tests]),
        share=np.array([1.0 / counts[test.experiment] for test in tests]),
        duration=np.array([test.coated.duration_h for test in tests]),
        sample_ids=tuple(test.sample.sample_id for test in tests),
        tests=np.array([test.number for test in tests]),
        experiments=np.array([test.experiment for test in tests]),
        shells=tuple(tuple(x.name for x in test.sample.layers) for test in tests),
    )


def median_conditions(dataset: Dataset) -> dict[str, dict[str, float]]:
    """Return the median stated conditions of each stressor."""
    stated: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for test in dataset.tests:
        for name in CONDITIONS:
            if not math.isnan(test.conditions[name]):
                stated[test.stressor][name].append(test.conditions[name])
    return {
        stressor: {name: float(np.median(values)) for name, values in sorted(names.items())}
        for stressor, names in sorted(stated.items())
    }


def papers_by(keys: Sequence[str], papers: Sequence[str]) -> dict[str, int]:
    """Count the distinct papers of each key."""
    distinct: dict[str, set[str]] = defaultdict(set)
    for key, paper in zip(keys, papers, strict=True):
        distinct[key].add(paper)
    return {key: len(names) for key, names in sorted(distinct.items())}
