"""Forward in time: models of the papers before a year predict those of the year."""

from dataclasses import replace

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.training.train import QUICK
from perovshell.training.validation.forward import (
    forward_runs,
    forward_splits,
    forward_steps,
    large_enough,
)
from perovshell.training.validation.nested import Problems

FITS = ("pl", "plqy", "stability")


@pytest.mark.parametrize("name", FITS)
def test_a_year_is_predicted_from_all_earlier_papers(
    problems: Problems, dataset: Dataset, name: str
) -> None:
    problem = problems.fits[name]
    year = np.array([dataset.papers[paper].year or np.nan for paper in problem.papers.tolist()])
    splits = forward_splits(problem, dataset)
    assert len(splits) >= 3
    for train, test in splits:
        (now,) = set(year[test].tolist())
        assert train.tolist() == np.flatnonzero(year < now).tolist()
        assert test.tolist() == np.flatnonzero(year == now).tolist()


@pytest.mark.parametrize("name", FITS)
def test_no_row_is_tested_twice(problems: Problems, dataset: Dataset, name: str) -> None:
    tested = np.concatenate([test for _, test in forward_splits(problems.fits[name], dataset)])
    assert len(set(tested.tolist())) == len(tested)


def test_an_undated_paper_is_in_no_split(problems: Problems, dataset: Dataset) -> None:
    problem = problems.points["plqy"]
    paper = "hu2018"
    undated = {**dataset.papers, paper: replace(dataset.papers[paper], year=None)}
    rows = set(np.flatnonzero(problem.papers == paper).tolist())

    def uses(data: Dataset) -> bool:
        splits = forward_splits(problem, data)
        return any(rows & {*train.tolist(), *test.tolist()} for train, test in splits)

    assert rows
    assert uses(dataset)
    assert not uses(replace(dataset, papers=undated))


def test_a_split_with_few_training_papers_is_left_out(problems: Problems) -> None:
    """A collection counts as one paper."""
    problem = problems.points["pl"]
    groups, first = np.unique(problem.weight_groups, return_index=True)
    collected = np.flatnonzero(problem.weight_groups == "cspbcl3-collection")
    assert len(groups) > 11
    assert len(collected) > 10
    ten, test = first[:10], first[10:11]
    assert large_enough(problem, [(ten, test)]) == [(ten, test)]
    assert large_enough(problem, [(ten[:9], test), (ten, test[:0]), (collected, test)]) == []


def test_the_most_recent_years_are_predicted(problems: Problems, dataset: Dataset) -> None:
    plqy = replace(problems, points={"plqy": problems.points["plqy"]})
    last = forward_splits(problems.points["plqy"], dataset)[-1:]
    steps = [
        forward_steps(plqy, dataset, replace(QUICK, folds=3, years=years)) for years in (1, 2, 0)
    ]
    assert steps[0] < steps[1] < steps[2]
    run = forward_runs(plqy, dataset, replace(QUICK, folds=3, years=1))["plqy"]
    predicted = np.flatnonzero(np.isfinite(run.mean))
    np.testing.assert_array_equal(predicted, np.sort(last[0][1]))


def test_intervals_of_a_year_are_calibrated_without_later_papers(
    problems: Problems, dataset: Dataset
) -> None:
    """Another PLQY in the last year changes what is calibrated for no earlier one."""
    plqy = problems.points["plqy"]
    *_, (_, last) = forward_splits(plqy, dataset)
    target = plqy.target.copy()
    target[last] = 100.0 - target[last]
    changed = replace(problems, points={"plqy": replace(plqy, target=target)})
    same = replace(problems, points={"plqy": plqy})
    settings, steps = replace(QUICK, folds=3, years=3), []
    runs = [
        forward_runs(one, dataset, settings, lambda: steps.append(1))["plqy"]
        for one in (same, changed)
    ]
    assert len(steps) == 2 * forward_steps(same, dataset, settings)
    for (train, test, known), (*_, other) in zip(
        *(run.calibrated_splits for run in runs), strict=True
    ):
        assert np.isfinite(known.model[0][train]).all()
        assert np.isnan(known.model[0][test]).all()
        np.testing.assert_array_equal(known.model, other.model)
