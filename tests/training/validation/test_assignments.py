"""Figures over fold assignments: their mean, and how far they lie apart."""

from itertools import combinations

from perovshell.training.validation.assignments import fold_seed, mean_figures, spread
from perovshell.training.validation.folds import folds_of

ASSIGNMENTS = [
    {"mae": 9.0, "mae_lo": 8.0, "mae_hi": 11.0, "r2": 0.5, "width": None},
    {"mae": 10.0, "mae_lo": 8.5, "mae_hi": 12.0, "r2": None, "width": None},
    {"mae": 14.0, "mae_lo": 12.0, "mae_hi": 16.0},
]


def test_a_figure_is_the_mean_and_so_are_its_ends() -> None:
    means = mean_figures(ASSIGNMENTS)
    assert (means["mae"], means["mae_lo"], means["mae_hi"]) == (11.0, 9.5, 13.0)


def test_a_figure_that_one_assignment_lacks_is_none() -> None:
    """A mean of the others would be of other papers."""
    means = mean_figures(ASSIGNMENTS)
    assert means["r2"] is None
    assert means["width"] is None
    assert set(means) == set(ASSIGNMENTS[0])


def test_a_single_assignment_is_its_own_mean() -> None:
    assert mean_figures(ASSIGNMENTS[:1]) == ASSIGNMENTS[0]


def test_the_spread_is_the_smallest_and_the_largest_known_one() -> None:
    assert spread(ASSIGNMENTS, "mae") == (9.0, 14.0)
    assert spread(ASSIGNMENTS, "r2") == (0.5, 0.5)
    assert spread(ASSIGNMENTS, "width") == spread(ASSIGNMENTS, "unknown") == (None, None)


def test_each_assignment_puts_papers_into_other_folds() -> None:
    papers = [f"paper {number}" for number in range(200)]
    folds = [folds_of(papers, 20, fold_seed(number)) for number in range(10)]
    assert fold_seed(0) == ""
    for first, second in combinations(folds, 2):
        assert 0.0 < (first == second).mean() < 0.2
