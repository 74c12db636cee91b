"""Intervals cover new papers where the truth is known; calibration by rows does not."""

import pytest

from perovshell.research.evaluation.simulation import simulated_bounds, simulated_coverage

DATASETS = 1000


@pytest.fixture(scope="module", params=[10, 20, 45, 100])
def coverage(request: pytest.FixtureRequest) -> dict[str, float]:
    return simulated_coverage(request.param, DATASETS)


def test_by_paper_covers_and_is_not_wasteful(coverage: dict[str, float]) -> None:
    error = 3 * coverage["by_paper_error"]
    assert 0.9 - error <= coverage["by_paper"] <= 0.9 + 1.5 / (coverage["papers"] + 1) + error
    assert coverage["upper_limit"] == pytest.approx(0.9 + 1.5 / (coverage["papers"] + 1))


def test_by_rows_falls_below(coverage: dict[str, float]) -> None:
    assert coverage["by_rows"] + 3 * coverage["by_rows_error"] < 0.9


def test_the_simulation_is_fixed_by_its_seed() -> None:
    assert simulated_coverage(10, 20, seed=1) == simulated_coverage(10, 20, seed=1)
    assert simulated_coverage(10, 20, seed=1) != simulated_coverage(10, 20, seed=2)


@pytest.mark.parametrize("papers", [22, 82])
def test_lower_bounds_hold_where_tests_stop_by_chance(papers: int) -> None:
    """Where they stop shortly before failure, fewer bounds hold: the intervals do not show it."""
    share = simulated_bounds(papers, 500, seed=2)
    assert share["by_chance"] + 3 * share["by_chance_error"] >= 0.9
    assert 0.8 < share["before_failure"] < share["by_chance"]
