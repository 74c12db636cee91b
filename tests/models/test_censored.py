"""Linear models of logarithms that are known as intervals."""

import numpy as np
import pytest

from perovshell.errors import FitError
from perovshell.models.censored import fit_intervals, interval_log_likelihood
from perovshell.models.conformal import censored_scores


def test_likelihood_of_half_the_line_is_one_half() -> None:
    found = interval_log_likelihood(np.array([1.0]), 2.0, np.array([np.e]), np.array([np.inf]))
    assert np.exp(found[0]) == pytest.approx(0.5)


def test_far_tails_keep_their_digits() -> None:
    found = interval_log_likelihood(
        np.array([0.0]), 1.0, np.exp(np.array([10.0])), np.exp(np.array([11.0]))
    )
    assert found[0] == pytest.approx(-53.23, abs=0.05)  # log of the normal tail beyond 10


def test_narrow_intervals_give_ordinary_least_squares() -> None:
    random = np.random.default_rng(0)
    design = np.stack([np.ones(200), random.normal(size=200)], axis=1)
    logs = design @ [2.0, -0.7] + 0.3 * random.normal(size=200)
    fit = fit_intervals(design, np.exp(logs - 1e-3), np.exp(logs + 1e-3), np.ones(200), np.zeros(2))
    expected = np.linalg.lstsq(design, logs, rcond=None)[0]
    assert fit.coefficients == pytest.approx(expected, abs=1e-3)
    assert fit.sigma == pytest.approx(0.3, abs=0.03)


def test_censored_means_are_recovered() -> None:
    random = np.random.default_rng(1)
    logs = 3.0 + random.normal(size=400)
    low, high = np.exp(np.floor(logs)), np.exp(np.floor(logs) + 1)
    low[logs < 2], high[logs > 4] = 0.0, np.inf
    fit = fit_intervals(np.ones((400, 1)), low, high, np.ones(400), np.zeros(1))
    assert fit.coefficients[0] == pytest.approx(3.0, abs=0.15)
    assert fit.sigma == pytest.approx(1.0, abs=0.15)


def test_a_fit_that_does_not_converge_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perovshell.models.censored._MAX_STEPS", 1)
    design, low = np.ones((3, 1)), np.array([2.0, 9.0, 50.0])
    with pytest.raises(FitError, match="did not converge within 1 iterations"):
        fit_intervals(design, low, low * 1.1, np.ones(3), np.zeros(1))


def test_masses_that_do_not_converge_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perovshell.models.conformal._MAX_STEPS", 1)
    low = np.random.default_rng(0).normal(size=30)
    with pytest.raises(FitError, match="did not converge within 1 iterations"):
        censored_scores(low, low + 1.0, [f"paper {row}" for row in range(30)])
