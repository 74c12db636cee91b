"""Drift: where descriptors and targets of the new papers differ from those of the others.

Each descriptor and target is compared by paper (the mean of a paper's rows counts once) with the
two-sided rank-sum test, and the false discovery rate over all of them is controlled at 10 %
(Benjamini and Hochberg, 10.1111/j.2517-6161.1995.tb02031.x). Words that no known paper has need no
test.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from perovshell.arrays import Floats
from perovshell.data.dataset import Dataset
from perovshell.data.records import Sample
from perovshell.features.featurizer import Featurizer
from perovshell.training.fit.problems import combination_of

FEWEST_PAPERS: Final = 4
"""With fewer new papers no test can find anything."""
FALSE_DISCOVERIES: Final = 0.1
_SHOWN: Final = 8


@dataclass(frozen=True)
class Moved:
    """One number that moved.

    Attributes:
        name: Name of the descriptor or target.
        unit: Its unit.
        known: Mean over the known papers.
        new: Mean over the new papers.
        chance: Probability of such a difference by chance, corrected for all that were tested.
    """

    name: str
    unit: str
    known: float
    new: float
    chance: float

    def __str__(self) -> str:
        """Return the change as a sentence."""
        return (
            f"{self.name}: {self.known:.3g} -> {self.new:.3g} {self.unit} (p = {self.chance:.2g})"
        )


@dataclass(frozen=True)
class Requests:
    """What the prediction service was asked: rows, and how many were outside the domain."""

    rows: int
    outside: int
    unreadable: int

    def __str__(self) -> str:
        """Say the share outside the domain."""
        share = self.outside / self.rows if self.rows else 0.0
        torn = f", {self.unreadable} unreadable lines of the log" if self.unreadable else ""
        return f"{self.rows} rows asked of the service, {share:.0%} outside the domain{torn}"


@dataclass(frozen=True)
class Drift:
    """How new papers differ from the known ones.

    Attributes:
        papers: Number of new papers.
        tested: Descriptors and targets that were compared.
        moved: Those that moved, the surest first.
        novel: What no known paper has, a sentence each.
        requests: What the service was asked, or None without a log.
    """

    papers: int
    tested: int
    moved: tuple[Moved, ...]
    novel: tuple[str, ...]
    requests: Requests | None

    def lines(self) -> list[str]:
        """Return lines of text."""
        lines = [f"new: {text}" for text in self.novel]
        if self.tested:
            shown = [f"moved: {moved}" for moved in self.moved[:_SHOWN]]
            rest = len(self.moved) - _SHOWN
            lines += shown or [f"nothing moved among {self.tested} descriptors and targets"]
            lines += [f"moved: {rest} more"] if rest > 0 else []
        elif self.papers:
            lines.append("moved: too few new papers to tell")
        return [*lines, *([str(self.requests)] if self.requests else [])]

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        return asdict(self)


def drift(
    dataset: Dataset, featurizer: Featurizer, new: set[str], request_logs: Sequence[Path] = ()
) -> Drift:
    """Compare new papers with the others of a dataset.

    Args:
        dataset: The dataset with the new papers.
        featurizer: Describes its samples.
        new: The new papers.
        request_logs: Logs of the prediction service; they need not exist.
    """
    known = {dataset.group_of(paper) for paper in dataset.papers.keys() - new}
    groups = {dataset.group_of(paper) for paper in new} - known
    columns = _columns(dataset, featurizer)
    compared = [
        (name, unit, *_sides(values, papers, groups)) for name, unit, values, papers in columns
    ]
    tested = [
        (name, unit, before, now)
        for name, unit, before, now in compared
        if min(len(now), len(before)) >= FEWEST_PAPERS and np.ptp([*before, *now]) > 0
    ]
    chances = _corrected(np.array([_chance(before, now) for *_, before, now in tested]))
    moved = [
        Moved(name, unit, float(before.mean()), float(now.mean()), float(chance))
        for (name, unit, before, now), chance in zip(tested, chances, strict=True)
        if chance <= FALSE_DISCOVERIES
    ]
    return Drift(
        papers=len(new),
        tested=len(tested),
        moved=tuple(sorted(moved, key=lambda one: (one.chance, one.name))),
        novel=tuple(_novel(dataset, new)),
        requests=_requests([log for log in request_logs if log.is_file()]),
    )


def _columns(
    dataset: Dataset, featurizer: Featurizer
) -> Iterator[tuple[str, str, Floats, npt.NDArray[np.str_]]]:
    """Yield name, unit, values and papers (a collection as one) of each descriptor and target."""
    samples = [sample for sample in dataset.samples.values() if sample.core is not None]
    papers = np.array([dataset.group_of(sample.paper_id) for sample in samples])
    matrix = featurizer.matrix([combination_of(sample) for sample in samples])
    for column, descriptor in enumerate(featurizer.descriptors):
        yield descriptor.name, descriptor.unit, matrix[:, column], papers
    for name, unit in (("pl_peak_nm", "nm"), ("plqy_percent", "%")):
        values = [getattr(one, name) if one.role == "core" else math.nan for one in samples]
        yield name, unit, np.array(values), papers
    tests = [(test.gain(), dataset.group_of(test.sample.paper_id)) for test in dataset.tests]
    gains = [(gain.low, paper) for gain, paper in tests if gain is not None and gain.low > 0]
    lows = np.log10(np.array([low for low, _ in gains]))
    yield "lower end of the stability gain, log10", "", lows, np.array([p for _, p in gains])


def _sides(values: Floats, papers: npt.NDArray[np.str_], new: set[str]) -> tuple[Floats, Floats]:
    """Return the means of the known and of the new papers that state a value."""
    stated = ~np.isnan(values)
    names, paper = np.unique(papers[stated], return_inverse=True)
    means = np.bincount(paper, values[stated], minlength=len(names)) / np.bincount(paper)
    is_new = np.array([name in new for name in names.tolist()], dtype=bool)
    return means[~is_new], means[is_new]


def _chance(known: Floats, now: Floats) -> float:
    from scipy.stats import mannwhitneyu

    return float(mannwhitneyu(known, now, method="asymptotic").pvalue)


def _corrected(chances: Floats) -> Floats:
    """Return Benjamini and Hochberg's adjusted probabilities, shape (n,)."""
    order = np.argsort(chances)
    raw = chances[order] * len(chances) / np.arange(1, len(chances) + 1)
    adjusted = np.empty(len(chances))
    adjusted[order] = np.minimum(np.minimum.accumulate(raw[::-1])[::-1], 1.0)
    return adjusted


def _novel(dataset: Dataset, new: set[str]) -> Iterator[str]:
    """Yield what only new papers have: ions, shells, shell classes, structures, stressors."""
    known = [one for one in dataset.samples.values() if one.paper_id not in new]
    added = [one for one in dataset.samples.values() if one.paper_id in new]
    for kind, words in _WORDS.items():
        before = {word for sample in known for word in words(sample)}
        for word in sorted({word for sample in added for word in words(sample)} - before):
            yield f"{kind} {word}"
    stressors: tuple[set[str], set[str]] = (set(), set())
    for test in dataset.tests:
        stressors[test.sample.paper_id in new].add(test.stressor)
    yield from (f"stressor {word}" for word in sorted(stressors[True] - stressors[False]))


def _ions(sample: Sample) -> list[str]:
    return [symbol for symbol, _ in sample.core.amounts] if sample.core else []


_WORDS: Final[dict[str, Callable[[Sample], list[str]]]] = {
    "ion": _ions,
    "shell": lambda sample: [layer.name for layer in sample.layers],
    "shell class": lambda sample: [layer.material_class for layer in sample.layers],
    "structure": lambda sample: [sample.structure],
    "medium": lambda sample: [sample.medium],
}


def _requests(logs: Sequence[Path]) -> Requests | None:
    """Count the logs of the service: each line tells `rows` and `outside_domain`."""
    rows = outside = unreadable = 0
    texts = [log.read_text(encoding="utf-8", errors="replace") for log in logs]
    for line in chain.from_iterable(text.splitlines() for text in texts):
        try:
            entry = json.loads(line)
            asked, out = int(entry["rows"]), int(entry["outside_domain"])
        except (KeyError, TypeError, ValueError):
            unreadable += 1
            continue
        rows, outside = rows + asked, outside + out
    return Requests(rows, outside, unreadable) if logs else None
