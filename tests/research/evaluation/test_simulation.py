"""Intervals cover new papers where the truth is known; calibration by rows does not."""

import pytest

from perovshell.research.evaluation.simulation import (
    SimulatedCoverage,
    simulated_bounds,
    simulated_coverage,
)

DATASETS = 1000


@pytest.fixture(scope="module", params=[10, 20, 45, 100])
def coverage(request: pytest.FixtureRequest) -> SimulatedCoverage:
    return simulated_coverage(request.param, DATASETS)


def test_by_paper_covers_and_is_not_wasteful(coverage: SimulatedCoverage) -> None:
    error = 3 * coverage.by_paper_error
    assert 0.9 - error <= coverage.by_paper <= 0.9 + 1.5 / (coverage.papers + 1) + error
    assert coverage.most == pytest.approx(0.9 + 1.5 / (coverage.papers + 1))


def test_by_rows_falls_below(coverage: SimulatedCoverage) -> None:
    assert coverage.by_rows + 3 * coverage.by_rows_error < 0.9


def test_the_simulation_is_fixed_by_its_seed() -> None:
    assert simulated_coverage(10, 20, seed=1) == simulated_coverage(10, 20, seed=1)
    assert simulated_coverage(10, 20, seed=1) != simulated_coverage(10, 20, seed=2)


@pytest.mark.parametrize("papers", [18, 54])
def test_lower_bounds_hold_where_tests_stop_by_chance(papers: int) -> None:
    """Where they stop just before failure, what was seen cannot tell: then fewer are kept."""
    found = simulated_bounds(papers, 500, seed=2)
    assert found.by_chance + 3 * found.by_chance_error >= 0.9
    assert 0.8 < found.before_failure < found.by_chance
