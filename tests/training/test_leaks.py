"""Planted leaks: each is caught before a figure is made of it."""

from dataclasses import replace

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.training.leaks import LeakError, check_descriptors, check_split
from perovshell.training.nested import Problems, Settings, out_of_fold, paper_splits
from perovshell.training.train import problems_of


@pytest.fixture(scope="module")
def problems(dataset: Dataset) -> Problems:
    return problems_of(dataset)[0]


@pytest.mark.parametrize("name", ["pl", "plqy", "lifetime", "gain"])
def test_the_headline_splits_are_clean(problems: Problems, name: str) -> None:
    problem = getattr(problems, name)
    splits = paper_splits(problem, 20)
    check_split(name, problem.papers, splits)
    tested = np.concatenate([test for _, test in splits])
    assert sorted(tested.tolist()) == list(range(len(problem.papers)))
    if name in {"pl", "plqy"}:
        check_descriptors(name, problem.matrix, problem.names, problem.target, splits)


def test_a_paper_split_in_two_is_caught(problems: Problems) -> None:
    splits = paper_splits(problems.pl, 20)
    paper = "commphys2023"
    place = next(k for k, (_, test) in enumerate(splits) if paper in problems.pl.papers[test])
    train, test = splits[place]
    moved = test[problems.pl.papers[test] == paper][:1]
    splits[place] = (np.append(train, moved), np.setdiff1d(test, moved))
    with pytest.raises(LeakError, match="paper commphys2023 stands on both sides"):
        check_split("pl", problems.pl.papers, splits)


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (-3.0, 7.0)])
@pytest.mark.parametrize("only_in_one_fold", [False, True])
def test_a_target_copied_into_a_descriptor_is_caught(
    problems: Problems,
    slope: float,
    shift: float,
    only_in_one_fold: bool,  # noqa: FBT001
) -> None:
    """Also where a descriptor holds the target of one fold's test rows only."""
    problem = problems.plqy
    matrix = problem.matrix.copy()
    place = problem.names.index("core size")
    rows = np.arange(len(matrix))
    if only_in_one_fold:
        rows = max((test for _, test in paper_splits(problem, 20)), key=len)
    matrix[rows, place] = slope * problem.target[rows] + shift
    leaking = replace(problems, plqy=replace(problem, matrix=matrix))
    with pytest.raises(LeakError, match="plqy: descriptor 'core size' holds the target"):
        out_of_fold(leaking, Settings(repeats=1, jobs=1))


def test_two_papers_with_the_same_doi_or_samples_are_no_valid_dataset(dataset: Dataset) -> None:
    """A paper split in two under another paper_id: its DOI or its numbers stand twice."""
    dois = [paper.doi.casefold() for paper in dataset.papers.values() if paper.doi]
    assert len(dois) == len(set(dois))
