"""A small dataset, on which every target is trained within seconds."""

from __future__ import annotations

import csv
import math
from collections.abc import Collection
from pathlib import Path
from typing import Final

from perovshell.data.columns import TABLES
from perovshell.data.dataset import Dataset

PAPERS: Final = 40


def few_papers(bundled: Dataset, others: Collection[str] = ()) -> list[str]:
    """Return papers that train every target, without some others.

    Those with two-sided tests come first.
    """
    two_sided = {
        test.sample.paper_id
        for test in bundled.tests
        if not math.isnan(test.coated.percent + test.bare.percent)
    }
    known = [k for k in bundled.papers if k not in others and not bundled.in_collection(k)]
    return sorted(known, key=lambda name: name not in two_sided)[:PAPERS]


def write_tables(folder: Path, dataset: Dataset) -> None:
    """Write a dataset as a folder that `--data` reads."""
    folder.mkdir()
    for name in TABLES:
        with (folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, TABLES[name].names)
            writer.writeheader()
            writer.writerows(dataset.rows[name])
