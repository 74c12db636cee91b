"""Papers and shells of the data in words, for the command line."""

from __future__ import annotations

import math

from perovshell.data.dataset import Dataset
from perovshell.data.records import Sample, StabilityTest
from perovshell.data.shells import Shells
from perovshell.data.targets import Interval, Reading
from perovshell.errors import InputError


def paper_lines(dataset: Dataset, name: str) -> list[str]:
    """Return the samples and tests of one paper as lines of text.

    Args:
        dataset: The dataset.
        name: paper_id or DOI.

    Raises:
        InputError: There is no such paper.
    """
    papers = [p for p in dataset.papers.values() if name in {p.paper_id, p.doi}]
    if not papers:
        msg = f"paper {name!r}: neither a paper_id nor a DOI of the dataset"
        raise InputError(msg)
    paper = papers[0]
    lines = [f"{paper.paper_id}: {paper.label}, {paper.year or 'year unknown'}"]
    lines += [f"  {paper.title}"] if paper.title else []
    for sample in dataset.samples.values():
        if sample.paper_id == paper.paper_id:
            lines.append(_sample_line(sample))
            lines += [_test_line(t) for t in dataset.tests if t.sample is sample]
    return lines


def _sample_line(sample: Sample) -> str:
    peak = _value(sample.pl_peak_nm, sample.pl_bound, "nm")
    plqy = _value(sample.plqy_percent, sample.plqy_bound, "%")
    return f"  {sample.sample_id}: {sample.core_text} / {sample.shell}, PL {peak}, PLQY {plqy}"


def _test_line(test: StabilityTest) -> str:
    gain = test.gain()
    sides = [("coated", test.coated), ("bare", test.bare)]
    parts = [f"{name} {_lifetime(side)}" for name, side in sides if side.is_given]
    parts += [] if gain is None else [f"gain {_interval(gain)}"]
    return f"    {test.stressor}, {test.coated.measure}: {'; '.join(parts)}"


def _lifetime(side: Reading) -> str:
    if math.isnan(side.duration_h):
        return f"lifetime {_interval(side.lifetime(1.0))} x an unstated duration"
    return f"lifetime {_interval(side.lifetime())} h"


def _value(value: float, bound: str, unit: str) -> str:
    return "unknown" if math.isnan(value) else f"{bound}{value:g} {unit}"


def _interval(interval: Interval) -> str:
    return f"[{interval.low:.3g}, {interval.high:.3g}]"


def shell_lines(shells: Shells, wanted: str = "") -> list[str]:
    """Return every known shell with its class, its behaviour in water and its other names.

    Args:
        shells: The shell table.
        wanted: Text that a name, an alias or the class must have, whatever its case.
    """
    aliases = {row["name"]: row["aliases"].replace(";", ", ") for row in shells.shell_rows}
    lines = [
        f"{own.name:<28} {own.material_class:<16} {own.in_water or 'unknown':<18} {aliases[name]}"
        for name, own in shells.materials.items()
    ]
    return [line.rstrip() for line in lines if wanted.casefold() in line.casefold()]
