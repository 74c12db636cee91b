"""Where the training data of each target speaks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np

from perovshell.data.dataset import Dataset
from perovshell.data.records import Measurement, Sample, StabilityTest
from perovshell.data.structure_types import STRUCTURE_TYPES
from perovshell.data.targets import Interval
from perovshell.data.vocabulary import TREATMENTS, WORDS
from perovshell.evidence.table import half_life
from perovshell.files import finite
from perovshell.models.domain import FEWEST_SIZES, Domain
from perovshell.models.domain_index import DomainIndex
from perovshell.models.evidence import Literature
from perovshell.targets.declared import DOMAINS
from perovshell.training.fit.problems import combination_of, papers_by

REACH_SHARE: Final = 0.95
"""Share of the papers whose distance from the others is no reason to warn."""


def domains_of(dataset: Dataset, literature: Literature) -> dict[str, Domain]:
    """Return the domain of each target."""
    domains = {}
    for target in DOMAINS:
        samples = samples_of(target, dataset)
        domains[target] = domain_of(target, samples, literature, _reach(samples, literature))
    return domains


def are_inside(
    target: str, samples: Sequence[Sample], dataset: Dataset, literature: Literature, reach: float
) -> list[bool]:
    """Return which samples are inside the domain of a target that the other papers make.

    Args:
        target: Label of a domain, of `targets.declared.DOMAINS`.
        samples: The samples; a definite core that is no metal is needed to be inside.
        dataset: The dataset.
        literature: Its literature.
        reach: Reach of the domain.
    """
    spanning = samples_of(target, dataset)
    papers = np.array([row["paper_id"] for row in literature.samples])

    @cache
    def others(paper_id: str) -> DomainIndex:
        rest = [one for one in spanning if one.paper_id != paper_id]
        return DomainIndex(literature, {target: domain_of(target, rest, literature, reach)})

    def is_inside(sample: Sample) -> bool:
        if sample.core is None or sample.core.is_metal:
            return False
        item = combination_of(sample)
        distance = np.where(papers == sample.paper_id, np.inf, literature.distances(item))
        return not others(sample.paper_id).outside(item, distance)

    return [is_inside(sample) for sample in samples]


def samples_of(target: str, dataset: Dataset) -> list[Sample]:
    """Return the samples that span a domain of `targets.declared.DOMAINS`."""
    tested = {test.sample.sample_id for test in dataset.tests}
    spans = DOMAINS[target].spans
    return [s for s in dataset.samples.values() if spans(s, s.sample_id in tested)]


def domain_of(
    target: str, samples: Sequence[Sample], literature: Literature, reach: float
) -> Domain:
    """Return the domain that samples make, with a reach."""
    ions = [(symbol, s.paper_id) for s in samples if s.core for symbol, _ in s.core.amounts]
    salts = [s for s in samples if s.core is not None and not s.core.is_metal]
    batch = literature.reader.batch([s.core.amounts for s in salts if s.core is not None])
    types = [STRUCTURE_TYPES[index] for index in literature.structure_types(batch).tolist()]
    classes = [(layer.material_class, s.paper_id) for s in samples for layer in s.layers]
    cores = {s.core.key: s.core for s in samples if s.core is not None}
    sizes = [s.core_size_nm for s in samples if not math.isnan(s.core_size_nm)]
    return Domain(
        target=target,
        ion_papers=papers_by([i for i, _ in ions], [p for _, p in ions]),
        type_papers=papers_by(types, [s.paper_id for s in salts]),
        class_papers=papers_by([c for c, _ in classes], [p for _, p in classes]),
        fractions=np.array([literature.fractions(core) for core in cores.values()]),
        smallest_nm=min(sizes) if len(sizes) >= FEWEST_SIZES else math.nan,
        reach=reach,
    )


def _reach(samples: Sequence[Sample], literature: Literature) -> float:
    """Return the distance within which 95 % of the papers have a sample of another paper."""
    papers = np.array([row["paper_id"] for row in literature.samples])
    known = {sample.sample_id for sample in samples}
    usable = np.array([row["sample_id"] in known for row in literature.samples])
    nearest: dict[str, list[float]] = {}
    for sample in samples:
        if sample.core is None or sample.core.is_metal:
            continue
        distance = literature.distances(combination_of(sample))
        others = distance[usable & (papers != sample.paper_id)]
        nearest.setdefault(sample.paper_id, []).append(float(others.min()))
    return float(np.quantile([max(distances) for distances in nearest.values()], REACH_SHARE))


def literature_rows(dataset: Dataset) -> list[dict[str, Any]]:
    """Return the samples with an exact core as evidence: JSON data for the model folder."""
    tests: dict[str, list[StabilityTest]] = {}
    for test in dataset.tests:
        tests.setdefault(test.sample.sample_id, []).append(test)
    return [
        {
            "sample_id": sample.sample_id,
            "paper_id": sample.paper_id,
            "paper": dataset.papers[sample.paper_id].label,
            "core": sample.core.formula,
            "shell": sample.shell,
            **{name: getattr(sample, name) for name in (*WORDS, *TREATMENTS)},
            "core_size_nm": finite(sample.core_size_nm),
            **_how_printed("core_size", sample.core_size),
            **_optics(sample),
            "tested": sample.sample_id in tests,
            "stability": tests_said(tests.get(sample.sample_id, ())),
        }
        for sample in dataset.samples.values()
        if sample.core is not None
    ]


def _optics(sample: Sample) -> dict[str, Any]:
    """Return the band-edge emission of a sample, each number with how it was printed."""
    numbers = {
        "pl_peak_nm": sample.pl_peak,
        "fwhm_nm": sample.fwhm,
        "plqy_percent": sample.plqy,
    }
    columns: dict[str, Any] = {}
    for name, number in numbers.items():
        stem = name.rpartition("_")[0]
        columns[name] = finite(number.value) if sample.role == "core" else None
        columns |= _how_printed(stem, number)
    return columns


def _how_printed(stem: str, number: Measurement) -> dict[str, Any]:
    """Return the bound and the quality of a number, and the ends of one printed as a range."""
    columns: dict[str, Any] = {f"{stem}_bound": number.bound, f"{stem}_quality": number.quality}
    if not math.isnan(number.low):
        columns |= {f"{stem}_low": number.low, f"{stem}_high": number.high}
    return columns


def tests_said(tests: Sequence[StabilityTest]) -> str:
    """Say what stability tests of a sample showed: the gain, or else the half-life."""
    parts = []
    for test in tests:
        gain = test.gain()
        if gain is not None and gain.is_informative:
            parts.append(f"{test.stressor}: gain {_between(gain)}")
            continue
        reading = test.coated if test.coated.is_given else test.bare
        life = half_life(reading)
        if life is not None:
            parts.append(f"{test.stressor}: half-life {_between(life)} h")
    return "; ".join(dict.fromkeys(parts))


def _between(interval: Interval) -> str:
    low, high = map(_digits, (interval.low, interval.high))
    if math.isinf(interval.high):
        return f"above {low}"
    return f"below {high}" if interval.low == 0.0 else f"{low} to {high}"


def _digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"  # noqa: PLR2004
