"""Planted leaks: each is caught before a figure is made of it."""

from dataclasses import replace

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.errors import LeakError
from perovshell.training.validation.leaks import (
    check_descriptors,
    check_order,
    check_split,
)
from perovshell.training.validation.nested import Problems, Settings, out_of_fold, paper_splits


@pytest.mark.parametrize("name", ["pl", "plqy", "lifetime", "gain"])
def test_the_headline_splits_are_clean(problems: Problems, name: str) -> None:
    problem = problems[name]
    splits = paper_splits(problem, 20)
    check_split(name, problem.papers, splits)
    tested = np.concatenate([test for _, test in splits])
    assert sorted(tested.tolist()) == list(range(len(problem.papers)))
    if name != "gain":
        check_descriptors(name, problem, problems.featurizer)
    if name in {"pl", "plqy"}:
        check_order(name, problem.matrix, problem.names, problem.target)


def test_a_paper_split_in_two_is_caught(problems: Problems) -> None:
    splits = paper_splits(problems.points["pl"], 20)
    paper = "commphys2023"
    place = next(
        k for k, (_, test) in enumerate(splits) if paper in problems.points["pl"].papers[test]
    )
    train, test = splits[place]
    moved = test[problems.points["pl"].papers[test] == paper][:1]
    splits[place] = (np.append(train, moved), np.setdiff1d(test, moved))
    with pytest.raises(LeakError, match="paper commphys2023 is on both sides of a split"):
        check_split("pl", problems.points["pl"].papers, splits)


@pytest.mark.parametrize("name", ["pl", "plqy", "lifetime"])
def test_a_target_copied_into_a_descriptor_of_any_fold_is_caught(
    problems: Problems, name: str
) -> None:
    """Whatever form the copy has: here a rounded, turned one in the test rows of one fold."""
    problem = problems[name]
    place = problem.names.index("core size")
    target = problem.low if name == "lifetime" else problem.target
    for _, test in paper_splits(problem, 20):
        matrix = problem.matrix.copy()
        matrix[test, place] = np.round(7.0 - 3.0 * target[test], 2)
        leaking = replace(problem, matrix=matrix)
        with pytest.raises(LeakError, match=f"{name}: descriptor 'core size' of"):
            check_descriptors(name, leaking, problems.featurizer)


def test_nothing_is_fitted_to_a_leak(problems: Problems) -> None:
    plqy = problems.points["plqy"]
    matrix = plqy.matrix.copy()
    matrix[0, 0] += 1e-6
    regressions = {**problems.points, "plqy": replace(plqy, matrix=matrix)}
    leaking = replace(problems, points=regressions)
    with pytest.raises(LeakError, match="plqy: descriptor"):
        out_of_fold(leaking, Settings(repeats=1, jobs=1))


def test_a_descriptor_in_the_order_of_the_target_is_caught(problems: Problems) -> None:
    """Also where the featurizer itself gives it: nm for eV, with noise."""
    problem = problems.points["pl"]
    matrix = problem.matrix.copy()
    noise = np.random.default_rng(0).normal(0, 0.5, len(matrix))
    matrix[:, 3] = 1239.84 / problem.target + noise
    with pytest.raises(LeakError, match=r"pl: descriptor .* is in the order of the target"):
        check_order("pl", matrix, problem.names, problem.target)


def test_two_papers_with_the_same_doi_or_samples_are_no_valid_dataset(dataset: Dataset) -> None:
    """A paper split in two under another paper_id: its DOI or its numbers stand twice."""
    dois = [paper.doi.casefold() for paper in dataset.papers.values() if paper.doi]
    assert len(dois) == len(set(dois))
