"""Datasets cut at a year, and the check that no later paper leaks into a model."""

from __future__ import annotations

from collections.abc import Iterable

from perovshell.data.dataset import Dataset
from perovshell.errors import BacktestLeakError


def publication_years(dataset: Dataset) -> list[int]:
    """Return the years with papers, in rising order."""
    return sorted({paper.year for paper in dataset.papers.values() if paper.year is not None})


def undated_papers(dataset: Dataset) -> int:
    """Return the number of papers without a year."""
    return sum(paper.year is None for paper in dataset.papers.values())


def papers_before(dataset: Dataset, year: int) -> Dataset:
    """Return the part of a dataset published before a year; undated papers are left out."""
    return dataset.subset(
        {
            name
            for name, paper in dataset.papers.items()
            if paper.year is not None and paper.year < year
        }
    )


def group_count(dataset: Dataset) -> int:
    """Return the number of papers, a collection counting as one."""
    return len({dataset.group_of(name) for name in dataset.papers})


def check_years(paper_ids: Iterable[str], dataset: Dataset, year: int, model: str) -> None:
    """Check that the papers of a model were published before a year.

    Args:
        paper_ids: The papers.
        dataset: The dataset that states their years.
        year: The year.
        model: What the model is called in the message.

    Raises:
        BacktestLeakError: A paper is of the year or later, undated, or not in the dataset.
    """
    for name in dict.fromkeys(paper_ids):
        published = dataset.papers[name].year if name in dataset.papers else None
        if published is None or published >= year:
            msg = (
                f"{model}: trained on paper {name} of {published or 'unknown year'}; "
                f"only papers before {year} are allowed"
            )
            raise BacktestLeakError(msg)
