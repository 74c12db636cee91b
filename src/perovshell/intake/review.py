"""What a person sees of a new paper before it is taken in.

Files can be valid and wrong all the same: a peak of another sample, coated and bare swapped, a
value typed twice. So a paper is shown as it was read, with what other papers measured of the
same core and shell, and held against physics and against the champion, which was trained without
it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from perovshell.data.blends import JOINT
from perovshell.data.dataset import Dataset
from perovshell.data.records import Sample, StabilityTest
from perovshell.data.shells import ShellMaterial
from perovshell.data.summary import (
    context_texts,
    gain_parts,
    given_sides,
    lifetime_text,
    optics_texts,
    quality_text,
    reading_text,
)
from perovshell.data.vocabulary import CONDITIONS
from perovshell.errors import InputError
from perovshell.intake.checks import Check
from perovshell.intake.duplicates import duplicate_checks
from perovshell.intake.halides import Halides
from perovshell.intake.samples import Optics, SampleChecks, request_of
from perovshell.intake.stability import checks_of_tests
from perovshell.models.predictor import Predictor
from perovshell.texts import counted, listed

__all__ = ["Check", "Review", "review"]
NAMED_PAPERS: Final = 3
"""Papers named with a known combination; the others are counted."""
_SIZES_APART: Final = 1.5
"""Factor between two core sizes that are similar."""
_LIFETIME: Final = (
    "lifetime: time after which 1/e of the emission is left, by the reading and its error; "
    "gain: lifetime coated over lifetime bare"
)
_CONDITIONS: Final = {**CONDITIONS, "humidity_percent": "% humidity"}


@dataclass(frozen=True)
class Review:
    """What a person should know of one paper.

    Attributes:
        paper_id: The paper.
        understood: How each sample and test was read, and what could not be compared.
        known: What other papers measured of each of its combinations of core and shell.
        checks: What a person should look at, in the order of the samples.
    """

    paper_id: str
    understood: tuple[str, ...]
    known: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def outliers(self) -> tuple[Check, ...]:
        """The checks that need an explicit acceptance."""
        return tuple(check for check in self.checks if check.is_outlier)


def review(
    dataset: Dataset,
    paper_id: str,
    predictor: Predictor | None,
    durations: Sequence[Mapping[str, str]] = (),
) -> Review:
    """Review one paper of a dataset.

    Args:
        dataset: The dataset with the paper merged into it.
        paper_id: The paper.
        predictor: The champion, best trained without the paper (one that is replaced it has seen);
            None where there is no champion, and the values are then held against physics alone.
        durations: How the paper prints the durations of each test, by side; in hours where it is
            not known.

    Raises:
        InputError: The dataset has no such paper.
    """
    if paper_id not in dataset.papers:
        msg = f"paper {paper_id!r}: no such paper_id in the dataset that is reviewed"
        raise InputError(msg)
    samples = {name: s for name, s in dataset.samples.items() if s.paper_id == paper_id}
    tests: dict[str, list[StabilityTest]] = defaultdict(list)
    printed: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    of_paper = [test for test in dataset.tests if test.sample.paper_id == paper_id]
    for test, texts in zip(of_paper, durations or [{}] * len(of_paper), strict=True):
        tests[test.sample.sample_id].append(test)
        printed[test.sample.sample_id].append(texts)
    understood = [
        line
        for name, sample in samples.items()
        for line in _read_lines(sample, samples, tests[name], printed[name])
    ]
    understood += [_LIFETIME] if of_paper else []
    return Review(
        paper_id=paper_id,
        understood=(*understood, *_not_compared(samples.values(), predictor)),
        known=tuple(_known_lines(dataset, paper_id)),
        checks=(
            *duplicate_checks(dataset, paper_id),
            *_checks(dataset, samples, tests, predictor),
        ),
    )


def _checks(
    dataset: Dataset,
    samples: Mapping[str, Sample],
    tests: Mapping[str, Sequence[StabilityTest]],
    predictor: Predictor | None,
) -> Iterator[Check]:
    optics = None if predictor is None else Optics(predictor)
    of_samples = SampleChecks(samples, Halides(dataset.reader), optics)
    for name, sample in samples.items():
        yield from of_samples.of(sample)
        yield from checks_of_tests(tests[name], predictor)
        yield from _role_check(sample, dataset)


def _role_check(sample: Sample, dataset: Dataset) -> Iterator[Check]:
    """Yield whether a core emits itself although no other paper on it says so."""
    roles = {
        other.role
        for other in dataset.samples.values()
        if other.core_key == sample.core_key and other.paper_id != sample.paper_id
    }
    if sample.role == "core" and roles and "core" not in roles:
        yield Check(
            sample.sample_id,
            "role",
            "core",
            f"{listed(sorted(roles), 'or')}, as in all other papers on {sample.core_text}",
            "is it the emission of the band edge, not of a trapped exciton or a dopant?",
            is_outlier=False,
        )


# How it was read ------------------------------------------------------------------------------


def _read_lines(
    sample: Sample,
    samples: Mapping[str, Sample],
    tests: Sequence[StabilityTest],
    printed: Sequence[Mapping[str, str]],
) -> Iterator[str]:
    facts = [f"core {_core_text(sample)}", f"shell {sample.shell}", *_context(sample)]
    facts += [*optics_texts(sample), _trained(sample, has_tests=bool(tests))]
    yield f"{sample.sample_id}: {', '.join(facts)}"
    bare = samples.get(sample.bare_sample_id)
    if bare is not None:
        yield f"  compared with {bare.sample_id}: {_difference(sample, bare)}"
    for layer in sample.layers:
        if not layer.listed:
            yield f"  shell {layer.name} is in no table: read as {_kind(layer)}"
    for test, texts in zip(tests, printed, strict=True):
        yield f"  {_test_text(test, texts)}"


def _kind(layer: ShellMaterial) -> str:
    what = "a blend" if JOINT in layer.name else "a formula"
    return f"{what} of class {layer.material_class}"


def _difference(sample: Sample, bare: Sample) -> str:
    """Return what a sample has more or less than its bare one."""
    differences = {
        "PL": (sample.pl_peak_nm - bare.pl_peak_nm, "nm"),
        "PLQY": (sample.plqy_percent - bare.plqy_percent, "points"),
    }
    known = [
        f"{name} {number:+.4g} {unit}"
        for name, (number, unit) in differences.items()
        if not math.isnan(number)
    ]
    return ", ".join(known) or "no number that both have"


def _core_text(sample: Sample) -> str:
    if sample.core is None:
        return f"{sample.core_text} (open composition: {sample.open_core})"
    if sample.core.formula == sample.core_text:
        return sample.core_text
    return f"{sample.core_text} read as {sample.core.formula}"


def _context(sample: Sample) -> list[str]:
    """Return what else was read of a sample, as far as it is stated."""
    words = [] if sample.is_bare else [sample.structure]
    unknown = sample.encapsulation == "unknown"
    encapsulation = "encapsulation unknown" if unknown else sample.encapsulation
    words += [] if sample.is_bare else [encapsulation]
    words += ["medium unknown" if sample.medium == "unknown" else f"in {sample.medium}"]
    return words + context_texts(sample)


def _trained(sample: Sample, *, has_tests: bool) -> str:
    """Return what a model is trained on, and why not on a PL or PLQY that is stated."""
    values = {
        "PL": (sample.pl_peak_nm, sample.trains_pl),
        "PLQY": (sample.plqy_percent, sample.trains_plqy),
    }
    used = [name for name, (_, trains) in values.items() if trains]
    unused = [name for name, (value, trains) in values.items() if not (trains or math.isnan(value))]
    why = "its composition is open" if sample.role == "core" else f"its role is {sample.role}"
    used += ["stability"] if has_tests else []
    trained = f"trains {listed(used)}" if used else "trains no model"
    return f"{trained}; not {listed(unused)}, as {why}" if unused else trained


def _test_text(test: StabilityTest, printed: Mapping[str, str]) -> str:
    conditions = [
        f"{test.conditions[name]:g} {unit}"
        for name, unit in _CONDITIONS.items()
        if not math.isnan(test.conditions[name])
    ]
    parts = [
        f"{name} {reading_text(side, printed.get(name, ''))}, {lifetime_text(side)}"
        for name, side in given_sides(test)
    ]
    where = ", ".join([test.stressor, *conditions, test.coated.measure])
    shared = f" (one experiment: {test.shared_group})" if test.shared_group else ""
    return f"{where}: {'; '.join([*parts, *gain_parts(test)])}{quality_text(test)}{shared}"


def _not_compared(samples: Iterable[Sample], predictor: Predictor | None) -> Iterator[str]:
    """Yield what no champion was asked about, and why."""
    for sample in samples if predictor is not None else ():
        if sample.core is not None and predictor and request_of(sample, predictor) is None:
            what = f"{sample.core.formula} / {sample.shell}"
            yield f"{sample.sample_id}: the champion cannot read {what}, so it is not compared."


# What is known --------------------------------------------------------------------------------


def _known_lines(dataset: Dataset, paper_id: str) -> Iterator[str]:
    """Yield a line for each combination of core and shell of a paper."""
    others: dict[tuple[object, str], list[Sample]] = defaultdict(list)
    of_paper: dict[tuple[object, str, str], list[Sample]] = defaultdict(list)
    for sample in dataset.samples.values():
        key = (sample.core_key, sample.shell)
        if sample.paper_id == paper_id:
            of_paper[*key, sample.morphology].append(sample)
        else:
            others[key].append(sample)
    for (core, shell, _), samples in of_paper.items():
        first = samples[0]
        name = first.core_text if first.core is None else first.core.formula
        yield f"{name} / {shell}: {_known_text(others[core, shell], _Alike.to(samples))}"


@dataclass(frozen=True)
class _Alike:
    """Samples of the morphology and of about the size of some samples.

    Attributes:
        morphology: The morphology.
        sizes: Smallest and largest core size in nm; all where one of the samples states none.
    """

    morphology: str
    sizes: tuple[float, float] = (0.0, math.inf)

    @classmethod
    def to(cls, samples: Sequence[Sample]) -> _Alike:
        """Return what is alike to samples of one morphology."""
        sizes = [sample.core_size_nm for sample in samples]
        if any(map(math.isnan, sizes)):
            return cls(samples[0].morphology)
        return cls(samples[0].morphology, (min(sizes) / _SIZES_APART, max(sizes) * _SIZES_APART))

    def __contains__(self, sample: Sample) -> bool:
        low, high = self.sizes
        fits = math.isinf(high) or low <= sample.core_size_nm <= high
        return sample.morphology == self.morphology and fits

    def __str__(self) -> str:
        low, high = self.sizes
        of_size = "" if math.isinf(high) else f" of {_rounded(low)} to {_rounded(high)} nm"
        return f"{self.morphology}s{of_size}"


def _rounded(size: float) -> str:
    return f"{float(f'{size:.2g}'):g}"


def _known_text(every: Sequence[Sample], alike: _Alike) -> str:
    samples = [sample for sample in every if sample in alike]
    values = _values_text(samples)
    if len(samples) == len(every):
        return f"{_papers_text(every)}: {values}" if every else _papers_text(every)
    if not samples:
        return f"{_papers_text(every)}, none on {alike}"
    return f"{_papers_text(every)}; of {alike}: {values}"


def _papers_text(samples: Sequence[Sample]) -> str:
    papers = list(dict.fromkeys(sample.paper_id for sample in samples))
    if not papers:
        return "measured by no other paper"
    named = ", ".join(papers[:NAMED_PAPERS])
    rest = f" and {len(papers) - NAMED_PAPERS} more" if len(papers) > NAMED_PAPERS else ""
    return f"measured by {counted(len(papers), 'other paper')} ({named}{rest})"


def _values_text(samples: Sequence[Sample]) -> str:
    peaks = {s.sample_id: s.pl_peak_nm for s in samples if s.trains_pl}
    yields = {s.sample_id: s.plqy_percent for s in samples if s.trains_plqy}
    parts = (_spread_text("PL", "nm", samples, peaks), _spread_text("PLQY", "%", samples, yields))
    return ", ".join(parts)


def _spread_text(
    name: str, unit: str, samples: Sequence[Sample], values: Mapping[str, float]
) -> str:
    """Return median and range of a value; a paper counts once in the median, by its median."""
    by_paper: dict[str, list[float]] = defaultdict(list)
    for sample in samples:
        if sample.sample_id in values:
            by_paper[sample.paper_id].append(values[sample.sample_id])
    if not by_paper:
        return f"{name} unknown"
    middle = median(median(values) for values in by_paper.values())
    low, high = min(values.values()), max(values.values())
    count = counted(len(by_paper), "paper")
    return f"{name} median {middle:.4g} {unit} ({low:g} to {high:g}, {count})"
