"""The evidence table: the tests and samples that a query finds, and what they show together."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Final

from perovshell.data.dataset import Dataset
from perovshell.data.records import Paper, Sample, StabilityTest
from perovshell.data.summary import context_texts, measured_text, optics_texts, reading_text
from perovshell.data.targets import Interval, Reading
from perovshell.evidence.citations import citations_of
from perovshell.evidence.pooling import LEVELS, Pooled, Value, pool
from perovshell.evidence.query import EvidenceQuery
from perovshell.models.shell_evidence import GAIN, HALF_LIFE, class_text
from perovshell.models.stability_model import LN2
from perovshell.texts import counted, number

SCHEMA_VERSION: Final = 1
QUANTITIES: Final = (HALF_LIFE, GAIN)
_ENDS: Final = ("low", "high")


@dataclass(frozen=True)
class PooledRow:
    """A pooled half-life (h) or gain of a group under a stressor.

    Attributes:
        quantity: One of `QUANTITIES`.
        stressor: The stressor.
        pooled: The pooled value.
        spread: Factor by which papers differ, `pooled.spread`; None where no group of the level
            has two papers, so that it would be that of the prior.
    """

    quantity: str
    stressor: str
    pooled: Pooled
    spread: float | None

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        about = {"quantity": self.quantity, "stressor": self.stressor}
        return about | asdict(self.pooled) | {"spread": self.spread}

    def line(self) -> str:
        """Return it as a line of text."""
        pooled, unit = self.pooled, " h" if self.quantity == HALF_LIFE else ""
        median = "not reached"
        if pooled.median is not None:
            median = f"{number(_short(pooled.median))}{unit}"
        elif pooled.at_most is not None:
            median = f"below {number(_short(pooled.at_most))}{unit}"
        spread = "not known how papers differ"
        if self.spread is not None:
            spread = f"papers differ by x {number(_short(self.spread))}"
        counts = f"{counted(pooled.tests, 'test')}, {counted(pooled.papers, 'paper')}"
        return (
            f"{pooled.name}: {self.quantity} at least {number(_short(pooled.at_least))}{unit}, "
            f"median {median}, {spread} ({counts})"
        )


@dataclass(frozen=True)
class EvidenceTable:
    """What papers measured of the cores and shells of a query.

    Attributes:
        dataset: The dataset.
        query: What is asked.
    """

    dataset: Dataset
    query: EvidenceQuery

    @cached_property
    def all_tests(self) -> tuple[StabilityTest, ...]:
        """The tests that count as evidence, of all cores and shells."""
        tests = self.dataset.tests
        return tuple(test for test in tests if self.query.counts_test(self.dataset, test))

    @cached_property
    def tests(self) -> tuple[StabilityTest, ...]:
        """The tests of the cores and shells asked for."""
        return tuple(test for test in self.all_tests if self.query.shows(test.sample))

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The samples asked for; with a stressor those with a test under it."""
        tested = {test.sample.sample_id for test in self.tests}
        return tuple(
            sample
            for sample in self.dataset.samples.values()
            if self.query.counts(self.dataset, sample)
            and self.query.shows(sample)
            and (sample.sample_id in tested or not (self.query.stressor or self.query.quality))
        )

    @cached_property
    def paper_ids(self) -> list[str]:
        """The papers behind it, in the order of their names."""
        ids = {test.sample.paper_id for test in self.tests}
        return sorted(ids | {sample.paper_id for sample in self.samples})

    @cached_property
    def pooled(self) -> tuple[PooledRow, ...]:
        """Pooled half-lives and gains of the coated samples asked for, under each stressor.

        The spreads between papers and within are learned from all tests that count.

        Raises:
            FitError: A fit did not converge.
        """
        return tuple(self._pooled())

    def _pooled(self) -> Iterator[PooledRow]:
        for stressor in dict.fromkeys(test.stressor for test in self.tests):
            for quantity in QUANTITIES:
                some = [test for test in self.all_tests if test.stressor == stressor]
                known = values(some, quantity)
                asked = [one for test, one in known if self.query.shows(test.sample)]
                for level in LEVELS:
                    names = {one.name(level) for one in asked}
                    groups = pool([one for _, one in known], level)
                    is_known = any(group.papers > 1 for group in groups)
                    for group in groups:
                        if group.name in names:
                            spread = group.spread if is_known else None
                            yield PooledRow(quantity, stressor, group, spread)

    # Output ----------------------------------------------------------------------------------

    def test_rows(self) -> list[dict[str, Any]]:
        """Return the tests as rows; None where a number is not known or has no upper end."""
        return [self._test_row(test) for test in self.tests]

    def _test_row(self, test: StabilityTest) -> dict[str, Any]:
        sample, gain = test.sample, test.gain()
        return {
            **self._about(sample),
            "stressor": test.stressor,
            "condition": test.condition,
            **{name: _known(value) for name, value in test.conditions.items()},
            "coated": reading_text(test.coated) if test.coated.is_given else "",
            "bare": reading_text(test.bare) if test.bare.is_given else "",
            **_ends("half_life_h", half_life(test.coated)),
            **_ends("bare_half_life_h", half_life(test.bare)),
            **_ends("stability_gain", gain),
            "quality": test.quality,
        }

    def sample_rows(self) -> list[dict[str, Any]]:
        """Return the samples as rows; None where a number is not known."""
        return [
            {
                **self._about(sample),
                "core_size_nm": _known(sample.core_size_nm),
                "pl_peak_nm": _known(sample.pl_peak_nm),
                "pl": measured_text(sample.pl_peak, "nm") if sample.pl_peak.is_given else "",
                "plqy_percent": _known(sample.plqy_percent),
                "plqy": measured_text(sample.plqy, "%") if sample.plqy.is_given else "",
                "role": sample.role,
            }
            for sample in self.samples
        ]

    def _sample_lines(self) -> list[str]:
        rows = zip(self.sample_rows(), self.samples, strict=True)
        return [f"  {_sample_line(row, sample)}" for row, sample in rows]

    def _about(self, sample: Sample) -> dict[str, Any]:
        paper = self.dataset.papers[sample.paper_id]
        return {
            "paper_id": paper.paper_id,
            "doi": paper.doi,
            "year": paper.year,
            "sample_id": sample.sample_id,
            "core": sample.core_text,
            "shell": sample.shell,
            "shell_class": class_text(sample.layers),
            "structure": sample.structure,
            "encapsulation": sample.encapsulation,
            "medium": sample.medium,
        }

    @property
    def papers(self) -> list[Paper]:
        """The papers behind it."""
        return [self.dataset.papers[name] for name in self.paper_ids]

    def citations(self, form: str = "bibtex") -> str:
        """Return the papers behind it as citations.

        Args:
            form: One of `citations.FORMATS`.

        Raises:
            InputError: There is no such format.
        """
        return citations_of(self.dataset.papers.values(), self.paper_ids, form)

    def to_frame(self) -> Any:
        """Return the tests as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.test_rows())

    def pooled_frame(self) -> Any:
        """Return the pooled values as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame([row.to_json() for row in self.pooled])

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return {
            "schema_version": SCHEMA_VERSION,
            "query": self.query.words,
            "tests": self.test_rows(),
            "samples": self.sample_rows(),
            "pooled": [row.to_json() for row in self.pooled],
        }

    def lines(self) -> list[str]:
        """Return counts, pooled values, tests and samples as text."""
        asked = ", ".join(f"{name} {text}" for name, text in self.query.words.items())
        counts = f"{counted(len(self.tests), 'test')}, {counted(len(self.samples), 'sample')}"
        head = f"{asked or 'all'}: {counts} of {counted(len(self.paper_ids), 'paper')}"
        lines = [head]
        for stressor in dict.fromkeys(row.stressor for row in self.pooled):
            lines += ["", f"Pooled over papers, {stressor}, each line from its own tests alone:"]
            lines += [f"  {row.line()}" for row in self.pooled if row.stressor == stressor]
        if self.tests:
            lines += ["", "Tests:", *(f"  {_test_line(row)}" for row in self.test_rows())]
        if self.samples:
            lines += ["", "Samples:", *self._sample_lines()]
        return lines


def values(tests: Sequence[StabilityTest], quantity: str) -> list[tuple[StabilityTest, Value]]:
    """Return the values of a quantity that tests of coated samples measured.

    Args:
        tests: The tests.
        quantity: One of `QUANTITIES`.
    """
    measured: Mapping[str, Callable[[StabilityTest], Interval | None]] = {
        HALF_LIFE: lambda test: half_life(test.coated),
        GAIN: lambda test: test.gain(),
    }
    known = [(test, measured[quantity](test)) for test in tests if not test.sample.is_bare]
    return [
        (test, _value(test, interval))
        for test, interval in known
        if interval is not None and interval.is_informative and interval.high > 0.0
    ]


def _value(test: StabilityTest, interval: Interval) -> Value:
    sample = test.sample
    return Value(
        low=interval.low,
        high=interval.high,
        core=sample.core_text if sample.core is None else sample.core.formula,
        shell=sample.shell,
        material_class=class_text(sample.layers),
        paper=sample.paper_id,
        experiment=test.experiment,
    )


def half_life(reading: Reading) -> Interval | None:
    """Return the interval of the half-life in hours; None where no duration is stated."""
    if not reading.is_given or math.isnan(reading.duration_h):
        return None
    lifetime = reading.lifetime()
    return Interval(LN2 * lifetime.low, LN2 * lifetime.high)


def _test_line(row: Mapping[str, Any]) -> str:
    readings = [f"{side} {row[side]}" for side in ("coated", "bare") if row[side]]
    bounds = [
        f"{title} {_range(row, name)}{unit}"
        for title, name, unit in (
            ("half-life", "half_life_h", " h"),
            ("bare half-life", "bare_half_life_h", " h"),
            ("gain", "stability_gain", ""),
        )
        if row[f"{name}_low"] is not None
    ]
    parts = [*filter(None, [row["condition"]]), *readings, *bounds]
    sample = f"{row['core']} / {row['shell']}, {row['stressor']}"
    quality = [] if row["quality"] == "printed" else [row["quality"]]
    return f"{sample}: {'; '.join([*parts, *quality])} ({_source(row)})"


def _sample_line(row: Mapping[str, Any], sample: Sample) -> str:
    medium = [] if sample.medium == "unknown" else [sample.medium]
    name = ", ".join([f"{row['core']} / {row['shell']}", *medium, *context_texts(sample)])
    role = [] if sample.role == "core" else [f"emission of the {sample.role}"]
    return f"{name}: {', '.join([*optics_texts(sample), *role])} ({_source(row)})"


def _source(row: Mapping[str, Any]) -> str:
    """Return the paper of a row, with its year where it is known."""
    paper = row["doi"] or row["paper_id"]
    return paper if row["year"] is None else f"{paper}, {row['year']}"


def _range(row: Mapping[str, Any], name: str) -> str:
    low, high = (row[f"{name}_{end}"] for end in _ENDS)
    if high is None:
        return f"above {number(low)}"
    return f"{number(low)} to {number(high)}" if low else f"below {number(high)}"


def _ends(name: str, interval: Interval | None) -> dict[str, float | None]:
    ends = (None, None) if interval is None else (interval.low, _known(interval.high))
    return {f"{name}_{end}": value for end, value in zip(_ENDS, ends, strict=True)}


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _short(value: float) -> float:
    return float(f"{value:.2g}")
