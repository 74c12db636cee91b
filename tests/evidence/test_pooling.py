"""Pooled values are those of a known estimator where values are exact, and bounds hold."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM

from perovshell.evidence.pooling import LEVEL, Value, fit_groups, pool, t_quantile
from perovshell.models.mixed import FitSettings
from perovshell.research.pooled_bounds import (
    CORES,
    MANY_SHELLS,
    OPEN_FROM,
    RANKED,
    SPREADS,
    TRIED_SHELLS,
    drawn_combinations,
    share_below,
    shares_of_ranking,
    worth_of_best,
)

NO_PRIOR = FitSettings(
    spread_prior=0.0, noise_prior=0.0, by_information=True, tolerance=1e-7, updates=20_000
)


def value(log: float, shell: str, paper: str, *, number: int, high: float | None = None) -> Value:
    end = log if high is None else high
    return Value(math.exp(log), math.exp(end), "CsPbBr3", shell, "oxide", paper, f"test-{number}")


def exact(seed: int, papers: int = 14) -> list[Value]:
    """Return two shells, papers with one to four values of either or both."""
    random = np.random.default_rng(seed)
    values: list[Value] = []
    for paper in range(papers):
        effect = random.normal(0.0, 1.2)
        for _ in range(int(random.integers(1, 5))):
            shell = ("A", "B")[int(random.integers(2))]
            log = {"A": 3.0, "B": 5.0}[shell] + effect + random.normal(0.0, 0.7)
            values.append(value(log, shell, f"paper {paper}", number=len(values)))
    return values


@pytest.mark.parametrize("seed", range(3))
def test_exact_values_give_restricted_maximum_likelihood_as_statsmodels_does(seed: int) -> None:
    values = exact(seed)
    logs = np.log([one.low for one in values])
    fit = fit_groups(values, "shell", NO_PRIOR)
    shells = np.array([[one.shell == name for name in "AB"] for one in values], float)
    other = MixedLM(logs, shells, groups=[one.paper for one in values]).fit(reml=True)
    means, errors = other.fe_params, np.sqrt(np.diag(other.cov_params())[:2])
    for at, name in enumerate("AB"):
        group = {f"group:{name}": 1.0}
        assert fit.predict(group) == pytest.approx(means[at], abs=2e-3)
        assert math.sqrt(fit.variance(group)) == pytest.approx(errors[at], rel=0.01)
    assert fit.spreads["paper"] == pytest.approx(math.sqrt(other.cov_re[0, 0]), abs=5e-3)
    assert fit.sigma == pytest.approx(math.sqrt(other.scale), abs=5e-3)


def test_one_value_is_its_own_median_and_the_bound_is_below() -> None:
    (pooled,) = pool([value(math.log(80.0), "SiO2", "p", number=0)], "shell")
    assert pooled.median == pytest.approx(80.0, rel=0.1)
    assert (pooled.tests, pooled.papers, pooled.name) == (1, 1, "SiO2")
    assert 0.0 < pooled.at_least < 40.0


def test_more_than_half_open_values_have_no_median() -> None:
    values = [value(3.0, "A", "p", number=0), value(2.0, "A", "q", number=1, high=math.inf)]
    (half,) = pool(values, "shell")
    assert half.median is not None
    values.append(value(1.0, "A", "r", number=2, high=math.inf))
    (most,) = pool(values, "shell")
    assert most.median is None
    assert most.at_least < math.exp(3.0)


def test_values_without_a_lower_end_have_an_upper_bound_alone() -> None:
    early = [Value(0.0, 5.0, "CsPbBr3", "A", "oxide", "p", "test-0")]
    (alone,) = pool(early, "shell")
    assert (alone.at_least, alone.median) == (0.0, None)
    assert alone.at_most is not None
    assert 5.0 < alone.at_most < 100.0
    late = [value(4.0, "B", "q", number=1), value(5.0, "B", "r", number=2, high=math.inf)]
    beside = {one.name: one for one in pool([*early, *late], "shell")}
    assert (beside["A"].at_least, beside["A"].median) == (0.0, None)
    assert beside["B"].median is not None


@pytest.mark.parametrize("times", [2, 3, 8])
def test_values_of_one_experiment_weigh_as_one(times: int) -> None:
    """Exact values, intervals and open ones, each repeated within its experiment."""
    once = exact(2)
    once[::3] = [replace(one, high=2.0 * one.low) for one in once[::3]]
    once[::5] = [replace(one, high=math.inf) for one in once[::5]]
    first, second = pool(once, "shell"), pool(once * times, "shell")
    assert len(first) == 2
    for one, other in zip(first, second, strict=True):
        assert (other.tests, other.papers) == (one.tests, one.papers)
        numbers = [(a.at_least, a.median, a.at_most, a.spread) for a in (one, other)]
        assert numbers[1] == pytest.approx(numbers[0])


def test_the_share_of_open_values_is_that_of_experiments() -> None:
    open_ends = [value(3.0, "A", "p", number=0, high=math.inf)] * 4
    (pooled,) = pool([*open_ends, value(2.0, "A", "q", number=1)], "shell")
    assert pooled.median is not None


def test_a_longer_measured_life_never_lowers_the_bound() -> None:
    """Of a value without an upper end its lower end counts, so the bound rises with it."""
    bounds = []
    for log in (1.0, 3.0, 5.0):
        values = [*exact(0, 8), value(log, "A", "new", number=99, high=math.inf)]
        bounds += [one.at_least for one in pool(values, "shell") if one.name == "A"]
    assert bounds == sorted(bounds)


def test_levels_name_their_groups() -> None:
    values = exact(1, 6)
    names = {level: {one.name for one in pool(values, level)} for level in ("class", "all")}
    assert names == {"class": {"oxide"}, "all": {"all shells"}}
    assert {one.name for one in pool(values, "combination")} <= {"CsPbBr3 / A", "CsPbBr3 / B"}
    assert pool([], "shell") == []


@pytest.mark.parametrize(
    ("probability", "freedom"), itertools.product((0.5, 0.6, 0.9, 0.95, 0.995), range(1, 40, 3))
)
def test_quantiles_of_student_are_those_of_scipy(probability: float, freedom: int) -> None:
    expected = stats.t.ppf(probability, freedom)
    assert t_quantile(probability, freedom) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("open_from", OPEN_FROM)
@pytest.mark.parametrize("spread", SPREADS)
def test_bounds_hold_as_often_as_they_say(spread: float, open_from: str) -> None:
    """Known means, 40 data sets: `make pooling` draws 500 of each."""
    assert share_below(40, spread, OPEN_FROM[open_from]) > LEVEL - 0.05


@pytest.mark.parametrize("open_from", OPEN_FROM)
@pytest.mark.parametrize("case", RANKED)
def test_bounds_that_order_rankings_hold_nearly_as_often_as_they_say(
    case: str, open_from: str
) -> None:
    """Of all combinations, 10 data sets; the best by their bounds are those that were lucky."""
    shares = shares_of_ranking(10, RANKED[case], OPEN_FROM[open_from])
    for group in ("tested", "shell tested", "shell not tested"):
        assert shares[group] > LEVEL - 0.1
    assert shares["first others"] > LEVEL - 0.2
    assert shares["first tested"] > 0.5


def test_combinations_of_tried_shells_alone_are_tested() -> None:
    values, truth = drawn_combinations(np.random.default_rng(1), RANKED["as the prior"], 99.0)
    assert len(truth) == CORES * MANY_SHELLS
    tested = {(one.core, one.shell, one.material_class) for one in values}
    assert tested < truth.keys()
    assert len({shell for _, shell, _ in tested}) <= TRIED_SHELLS
    logs = {name: [] for name in tested}
    for one in values:
        logs[one.core, one.shell, one.material_class].append(math.log(one.low))
    off = [np.mean(some) - truth[name] for name, some in logs.items()]
    # Effects of papers and noise: a spread of 1.3 and less.
    assert abs(np.mean(off)) < 0.6
    assert np.std(off) < 1.6


def test_where_papers_differ_the_best_by_lower_bound_are_worth_more_than_by_value() -> None:
    worth = worth_of_best(30, 2.0, OPEN_FROM["exact"])
    assert worth["best possible"] > worth["lower bound"] > worth["value"] > 0.0
