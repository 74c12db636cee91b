"""Papers and shells of the data in words, for the command line."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from perovshell.data.dataset import Dataset
from perovshell.data.records import Measurement, Paper, Sample, StabilityTest
from perovshell.data.shells import Shells
from perovshell.data.targets import TIME_TO_FAILURE, Interval, Reading
from perovshell.data.vocabulary import MORPHOLOGIES
from perovshell.errors import InputError
from perovshell.texts import counted

_SIGNS: Final = "~\u2248<>\u2264\u2265= "


def paper_named(dataset: Dataset, name: str) -> Paper:
    """Return a paper by its paper_id or DOI.

    Raises:
        InputError: There is no such paper.
    """
    for paper in dataset.papers.values():
        if name and name in {paper.paper_id, paper.doi}:
            return paper
    msg = f"paper {name!r}: neither a paper_id nor a DOI of the dataset"
    raise InputError(msg)


def paper_lines(dataset: Dataset, paper: Paper) -> list[str]:
    """Return the samples and tests of a paper as lines of text."""
    lines = [f"{paper.paper_id}: {paper.label}, {paper.year or 'year unknown'}"]
    cited = ", ".join(filter(None, (paper.authors, paper.title, paper.journal)))
    lines += [f"  {cited}"] if cited else []
    for sample in dataset.samples.values():
        if sample.paper_id == paper.paper_id:
            lines.append(_sample_line(sample))
            lines += [_test_line(t) for t in dataset.tests if t.sample is sample]
    return lines


def listed_papers(dataset: Dataset, text: str = "") -> list[dict[str, Any]]:
    """Return the papers in the order of their names: the fields of `Paper`, and `samples`.

    Args:
        dataset: The dataset.
        text: Text that the paper_id, DOI, year or title must have, in any case.
    """
    counts = Counter(sample.paper_id for sample in dataset.samples.values())
    return [
        {**vars(paper), "samples": counts[name]}
        for name, paper in sorted(dataset.papers.items())
        if text.casefold() in f"{name} {paper.doi} {paper.year} {paper.title}".casefold()
    ]


def paper_line(paper: Mapping[str, Any]) -> str:
    """Return a listed paper as a line: paper_id, number of samples, year, DOI and title."""
    line = (
        f"{paper['paper_id']:<28} {counted(paper['samples'], 'sample'):>11}  "
        f"{paper['year'] or '?':<4}  {paper['doi']}  {paper['title']}"
    )
    return line.rstrip()


def _sample_line(sample: Sample) -> str:
    facts = [f"{sample.core_text} / {sample.shell}", *context_texts(sample), *optics_texts(sample)]
    return f"  {sample.sample_id}: {', '.join(facts)}"


def context_texts(sample: Sample) -> list[str]:
    """Return what is known of shape, size and treatments of a sample, each as a text."""
    texts = [] if sample.morphology == MORPHOLOGIES[0] else [sample.morphology]
    texts += [f"{sample.monolayers:g} monolayers"] if sample.monolayers > 0 else []
    texts += [f"{kind} {getattr(sample, kind)}" for kind in sample.treatments]
    sizes = {"size": sample.core_size, "shell": sample.shell_thickness}
    return texts + [
        f"{name} {measured_text(nm, 'nm')}" for name, nm in sizes.items() if nm.is_given
    ]


def optics_texts(sample: Sample) -> list[str]:
    """Return PL, FWHM (where it is known) and PLQY of a sample, each as a text."""
    fwhm = [f"FWHM {measured_text(sample.fwhm, 'nm')}"] if sample.fwhm.is_given else []
    peak, plqy = measured_text(sample.pl_peak, "nm"), measured_text(sample.plqy, "%")
    return [f"PL {peak}", *fwhm, f"PLQY {plqy}"]


def _test_line(test: StabilityTest) -> str:
    parts = [f"{name} {lifetime_text(side)}" for name, side in given_sides(test)]
    parts += gain_parts(test)
    return f"    {test.stressor}, {test.coated.measure}: {'; '.join(parts)}{quality_text(test)}"


def quality_text(measured: Measurement | StabilityTest) -> str:
    """Return how a number was stated, as ` (best value)`; empty where it was printed."""
    return "" if measured.quality == "printed" else f" ({measured.quality})"


def given_sides(test: StabilityTest) -> list[tuple[str, Reading]]:
    """Return the sides of a test that were measured, by name."""
    sides = [("coated", test.coated), ("bare", test.bare)]
    return [(name, side) for name, side in sides if side.is_given]


def gain_parts(test: StabilityTest) -> list[str]:
    """Return the gain of a two-sided test as text, nothing for a one-sided one."""
    gain = test.gain()
    return [] if gain is None else [f"gain {interval_text(gain)}"]


def reading_text(reading: Reading, printed: str = "") -> str:
    """Return a reading as it was printed, such as `80 % after 168 h` or `>96 h to failure`.

    Args:
        reading: The reading.
        printed: Its duration as the paper has it, such as `> 4 d`; empty where that is not known.
    """
    if reading.measure == TIME_TO_FAILURE:
        return f"{printed or value_text(reading.duration_h, reading.bound, 'h')} to failure"
    if math.isnan(reading.percent_low):
        remnant = value_text(reading.percent, reading.bound, "%")
    else:
        remnant = f"{reading.percent_low:g} to {reading.percent_high:g} %"
    # The sign of a duration became one of the percent.
    duration = printed.lstrip(_SIGNS) or f"{reading.duration_h:g} h"
    return remnant if math.isnan(reading.duration_h) else f"{remnant} after {duration}"


def lifetime_text(reading: Reading) -> str:
    """Return the interval of a reading's equivalent lifetime as text."""
    if math.isnan(reading.duration_h):
        return f"lifetime {interval_text(reading.lifetime(1.0))} x an unstated duration"
    return f"lifetime {interval_text(reading.lifetime())} h"


def measured_text(number: Measurement, unit: str) -> str:
    """Return a number of a sample as it was printed, with its quality where that is another.

    Example:
        >>> measured_text(Measurement(41, low=32, high=50, quality="second-hand"), "%")
        '32 to 50 % (second-hand)'
    """
    text = value_text(number.value, number.bound, unit)
    if not math.isnan(number.low):
        text = f"{number.low:g} to {number.high:g} {unit}"
    return text + quality_text(number)


def value_text(value: float, bound: str, unit: str) -> str:
    """Return a value with its bound and unit, `unknown` for NaN."""
    return "unknown" if math.isnan(value) else f"{bound}{value:g} {unit}"


def interval_text(interval: Interval) -> str:
    """Return the ends of an interval to three digits."""
    return f"[{interval.low:.3g}, {interval.high:.3g}]"


def listed_shells(shells: Shells, wanted: str = "") -> list[dict[str, str]]:
    """Return the rows of known shells.

    Args:
        shells: The shell table.
        wanted: Text that a name, an alias, the class or the behaviour in water must have, in any
            case.
    """
    return [
        dict(row) for row in shells.shell_rows if wanted.casefold() in shell_line(row).casefold()
    ]


def shell_line(row: Mapping[str, str]) -> str:
    """Return a shell as a line: name, class, behaviour in water and other names."""
    aliases, water = row["aliases"].replace(";", ", "), row["in_water"] or "unknown"
    return f"{row['name']:<28} {row['class']:<16} {water:<18} {aliases}".rstrip()
