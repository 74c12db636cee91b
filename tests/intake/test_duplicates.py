"""A paper that the data has already is asked about, by its title, its numbers and its tests."""

import dataclasses

import pytest

from perovshell.data.dataset import Dataset
from perovshell.data.paper_entry import PaperEntry
from perovshell.intake.checks import Check
from perovshell.intake.duplicates import duplicate_checks

SIZE = ("core_size_nm", "core_size_bound", "core_size_low", "core_size_high", "core_size_quality")


def with_copy(dataset: Dataset, paper_id: str, cells: dict[str, str], **of_sample: str) -> Dataset:
    """Return a dataset in which a paper stands once more under another name."""
    entry = dataset.entry(paper_id)
    names = {row["sample_id"]: f"copy-{number}" for number, row in enumerate(entry.samples)}
    samples = [
        {
            **row,
            "paper_id": "copy",
            "sample_id": names[row["sample_id"]],
            "bare_sample_id": names.get(row["bare_sample_id"], ""),
            **dict.fromkeys(SIZE, ""),
            **of_sample,
        }
        for row in entry.samples
    ]
    tests = [{**row, "sample_id": names[row["sample_id"]]} for row in entry.tests]
    paper = {**entry.paper, "paper_id": "copy", **cells}
    return dataset.with_papers([PaperEntry(paper, tuple(samples), tuple(tests))])


def asked(dataset: Dataset) -> list[Check]:
    return [*duplicate_checks(dataset, "copy")]


def test_only_papers_of_unknown_title_are_asked_about(dataset: Dataset) -> None:
    checks = [check for name in dataset.papers for check in duplicate_checks(dataset, name)]
    assert {check.column for check in checks} == {"title"}
    notes = {row["paper_id"]: row["note"] for row in dataset.rows["papers.csv"]}
    assert all(notes[check.sample_id].startswith("title not known") for check in checks)
    assert len(checks) == 9


@pytest.mark.parametrize("change", [str, str.upper, lambda title: title.replace("-", " ") + "."])
def test_an_equal_title_without_a_doi_is_an_outlier(dataset: Dataset, change) -> None:
    title = change(dataset.papers["zhang2019pa"].title)
    other = {"title": title, "doi": "", "via_doi": "10.1000/review"}
    first, *_ = asked(with_copy(dataset, "zhang2019pa", other, plqy_percent="33", pl_peak_nm="500"))
    assert (first.column, first.is_outlier) == ("title", True)
    assert "the same study as zhang2019pa?" in first.reason


def test_two_dois_tell_equal_titles_apart(dataset: Dataset) -> None:
    named = next(paper for paper in dataset.papers.values() if paper.doi and len(paper.title) > 30)
    data = with_copy(dataset, named.paper_id, {"doi": "10.1000/other"}, plqy_percent="33")
    assert "title" not in {check.column for check in asked(data)}


@pytest.mark.parametrize("is_second_hand", [False, True])
def test_equal_numbers_are_asked_about(dataset: Dataset, *, is_second_hand: bool) -> None:
    sample = next(
        sample
        for sample in dataset.samples.values()
        if sample.core and sample.trains_pl and sample.trains_plqy
        if (paper := dataset.papers[sample.paper_id]).doi and bool(paper.via_doi) == is_second_hand
    )
    cells = {"title": "Another title of another study", "doi": "10.1000/other"}
    checks = asked(with_copy(dataset, sample.paper_id, cells))
    first = next(check for check in checks if sample.paper_id in check.reason)
    assert first.value.startswith("PL ")
    # What was read in a review may well be the study that is added now.
    assert first.is_outlier == is_second_hand


def test_equal_numbers_without_a_doi_are_outliers(dataset: Dataset) -> None:
    cells = {"title": "", "doi": "", "via_doi": "10.1000/review"}
    (check,) = asked(with_copy(dataset, "shen2019", cells))
    assert check.is_outlier


def test_the_commonest_test_of_another_paper_is_a_question(dataset: Dataset) -> None:
    cells = {"title": "Another title of another study", "doi": "10.1000/other"}
    data = with_copy(dataset, "hu2018", cells, plqy_percent="33")
    (check,) = asked(data)
    assert check.value.startswith("water: coated 80 % after 168 h; bare 17.8 %")
    assert not check.is_outlier


def test_a_paper_without_title_doi_and_year_cannot_be_traced(dataset: Dataset) -> None:
    entry = dataset.entry("hu2018")
    paper = dict.fromkeys(entry.paper, "") | {"paper_id": "hu2018"}
    data = dataset.with_papers([dataclasses.replace(entry, paper=paper)])
    checks = [*duplicate_checks(data, "hu2018")]
    assert [(check.column, check.is_outlier) for check in checks] == [("title", False)]
