"""Splits, problems and figures of the validation by paper."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.dataset import Dataset
from perovshell.errors import InputError
from perovshell.training.fit.problems import (
    LifetimeProblem,
    PointProblem,
    bounded_error,
    same_core_pairs,
)
from perovshell.training.fit.specs import PHYSICAL, SPECS
from perovshell.training.train import QUICK, problems_of
from perovshell.training.validation.baselines import predict_baselines, weighted_median
from perovshell.training.validation.effects import Pairs
from perovshell.training.validation.figures import (
    PaperBootstrap,
    by_paper_slope,
    concordance,
    regression_figures,
)
from perovshell.training.validation.folds import fold_of, folds_of
from perovshell.training.validation.headline import bound_gain
from perovshell.training.validation.nested import OutOfFold, Problems, out_of_fold

# Splits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("paper", "fold"), [("hu2018", 2), ("li2018", 10), ("zhong2018", 15)])
def test_a_fold_is_fixed_by_the_paper(paper: str, fold: int) -> None:
    assert fold_of(paper, 20) == fold


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=30), st.integers(2, 20))
def test_no_paper_is_split_and_a_new_one_moves_no_other(papers: list[str], folds: int) -> None:
    before = folds_of(papers, folds)
    after = folds_of([*papers, "a-new-paper"], folds)
    assert before.tolist() == after[:-1].tolist()
    for paper in papers:
        assert len({f for p, f in zip(papers, before, strict=True) if p == paper}) == 1


# Problems ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pl(problems: Problems) -> PointProblem:
    return problems.points["pl"]


@pytest.fixture(scope="module")
def lifetime(problems: Problems) -> LifetimeProblem:
    return problems.stability.lifetime


def test_pl_trains_on_band_edges_of_definite_cores(dataset: Dataset, pl: PointProblem) -> None:
    samples = [dataset.samples[name] for name in pl.sample_ids]
    assert {sample.role for sample in samples} == {"core"}
    assert all(sample.core is not None for sample in samples)
    assert int(pl.subsets["lead_no_cspbcl3"].sum()) == 199


def test_extra_trees_learn_the_descriptors_of_the_boosters_by_heart(pl: PointProblem) -> None:
    rows = np.arange(len(pl.target))
    predicted = predict_baselines(pl, rows, rows, 5, ["extra_trees"])["extra_trees"]
    columns = [i for i, group in enumerate(pl.column_groups) if group in PHYSICAL]
    known = np.nan_to_num(pl.matrix[:, columns], nan=-1.0)
    _, kind, count = np.unique(known, axis=0, return_inverse=True, return_counts=True)
    alone = count[kind.ravel()] == 1
    assert alone.sum() > 50
    np.testing.assert_allclose(predicted[alone], pl.target[alone])


def test_a_bound_turns_round_with_the_energy(pl: PointProblem) -> None:
    place = pl.sample_ids.index("mollick2019-EAPbBr3-MOG")  # printed as below 440 nm
    assert pl.bounds[place] == ">"
    assert pl.target[place] == pytest.approx(1239.84 / 440)


def test_a_collection_weighs_as_much_as_one_paper(pl: PointProblem) -> None:
    weights = pl.weights(np.arange(len(pl.target)))
    totals = {
        group: weights[pl.weight_groups == group].sum() for group in set(pl.weight_groups.tolist())
    }
    assert len({round(total, 9) for total in totals.values()}) == 1
    assert "cspbcl3-collection" in totals


@pytest.fixture(scope="module")
def plqy(problems: Problems) -> PointProblem:
    return problems.points["plqy"]


def test_plqy_keeps_open_compositions(plqy: PointProblem) -> None:
    assert "review2021_ref27-CsPbMnX3-SiO2" in plqy.sample_ids
    assert plqy.target.max() <= 100


def test_an_open_core_is_described_by_its_ions_and_has_no_name(plqy: PointProblem) -> None:
    row = plqy.sample_ids.index("review2021_ref27-CsPbMnX3-SiO2")
    facts = dict(zip(plqy.names, plqy.matrix[row].tolist(), strict=True))
    assert (facts["Cs fraction on A"], facts["Pb fraction on B"]) == (1.0, 0.5)
    assert facts["lead-free"] == 0.0
    assert plqy.cores[row] == plqy.combinations[row] == ""


def test_only_plqy_knows_how_values_were_stated(
    dataset: Dataset, plqy: PointProblem, pl: PointProblem
) -> None:
    names = [term.name for term in SPECS["plqy"].prior.qualities]
    for sample_id, row in zip(plqy.sample_ids, plqy.qualities, strict=True):
        quality = dataset.samples[sample_id].plqy.quality
        assert row.tolist() == [float(quality == name) for name in names]
    assert plqy.qualities.any()
    assert pl.qualities.shape[1] == 0


def test_lifetimes_are_one_row_a_side_and_weigh_one_an_experiment(
    lifetime: LifetimeProblem,
) -> None:
    assert len(lifetime.low) == 198
    assert lifetime.share.sum() == pytest.approx(183)
    assert len(set(lifetime.papers.tolist())) == 82


def test_the_duration_of_a_test_is_no_descriptor(lifetime: LifetimeProblem) -> None:
    assert not [name for name in lifetime.names if "duration" in name]
    for column in lifetime.matrix.T:
        assert not np.array_equal(column, lifetime.duration)


def test_the_bare_side_of_a_coated_sample_has_no_shell(lifetime: LifetimeProblem) -> None:
    layers = lifetime.matrix[:, lifetime.names.index("shell layers")]
    assert (layers[~lifetime.is_coated] == 0).all()
    assert (layers[lifetime.is_coated] > 0).all()


def test_gains_are_two_sided_tests_ratio_only_ones_included(problems: Problems) -> None:
    gain, lifetime = problems.stability.gain, problems.stability.lifetime
    assert len(gain.low) == 41
    assert gain.share.sum() == pytest.approx(34)
    assert len(set(gain.papers.tolist())) == 22
    only_ratios = set(gain.tests.tolist()) - set(lifetime.tests.tolist())
    assert only_ratios
    assert np.isnan(gain.duration[np.isin(gain.tests, list(only_ratios))]).all()


def test_a_gain_has_the_effects_in_which_the_sides_of_its_test_differ(problems: Problems) -> None:
    gain, lifetime = problems.stability.gain, problems.stability.lifetime
    sides = {
        (test, coated): effects
        for test, coated, effects in zip(
            lifetime.tests.tolist(), lifetime.is_coated.tolist(), lifetime.effects, strict=True
        )
    }
    compared = 0
    for test, effects in zip(gain.tests.tolist(), gain.effects, strict=True):
        kinds = {name.split(":")[0] for name in effects}
        assert kinds <= {"side", "both", "class", "shell", "structure", "encapsulation"}
        if {(test, True), (test, False)} <= sides.keys():
            compared += 1
            bare = sides[test, False]
            assert sides[test, True] == bare | effects
            assert not bare.keys() & effects.keys()
    assert compared > 20


def test_the_sides_and_pairs_of_tests_are_those_of_their_numbers(problems: Problems) -> None:
    stability = problems.stability
    rows = np.array([0, 5, 30])
    numbers = set(stability.tests[rows].tolist())
    assert set(stability.lifetime.tests[stability.sides(rows)].tolist()) <= numbers
    assert set(stability.gain.tests[stability.pairs(rows)].tolist()) <= numbers
    every = np.arange(len(stability.tests))
    assert len(stability.sides(every)) == len(stability.lifetime.low)
    assert len(stability.pairs(every)) == len(stability.gain.low)


def test_without_some_papers_no_row_of_theirs_is_left(problems: Problems) -> None:
    papers = np.array(["hu2018", "li2018"])
    part = problems.stability.without_papers(papers)
    for table in (part, part.lifetime, part.gain):
        assert not set(table.papers.tolist()) & {"hu2018", "li2018"}
    gone = np.isin(problems.stability.papers, papers).sum()
    assert len(part.tests) == len(part.sample_ids) == len(problems.stability.tests) - gone


def test_every_test_of_the_reviews_table_reaches_a_likelihood(dataset: Dataset) -> None:
    """Each test of Table 1 bounds a lifetime or a gain."""
    for test in dataset.tests:
        paper = dataset.papers[test.sample.paper_id]
        if paper.via_doi != "10.1039/d1nr05478c":
            continue
        sides = [r for r in (test.coated, test.bare) if r.is_given and r.duration_h > 0]
        gain = test.gain()
        informative = any(side.lifetime().is_informative for side in sides)
        assert informative or (gain is not None and gain.is_informative), test


# Figures -------------------------------------------------------------------------------------


def test_concordance_counts_only_intervals_that_do_not_overlap() -> None:
    low, high = np.array([0.0, 2.0, 5.0]), np.array([1.0, 6.0, 9.0])
    everything = np.ones((3, 3), dtype=bool)
    weights = np.ones(3)

    def measured(*scores: float) -> float:
        step = np.subtract.outer(scores, scores)
        return float(concordance(step, low, high, everything, weights))

    assert measured(1, 2, 3) == 1.0
    assert measured(1, 0, 3) == 0.5
    assert measured(0, 0, 0) == 0.5
    assert measured(math.nan, 2, 3) != measured(math.nan, 2, 3)  # nothing comparable is left


def test_concordances_of_many_weights_are_those_of_each() -> None:
    random = np.random.default_rng(0)
    low = random.random(12)
    high, step = low + 0.1 * random.random(12), random.normal(size=(12, 12)).round(1)
    step[3, 5] = math.nan
    allowed, weights = random.random((12, 12)) < 0.8, random.integers(0, 3, (7, 12)).astype(float)
    every = concordance(step, low, high, allowed, weights)
    for row, value in zip(weights, every, strict=True):
        pairs = [
            (row[a] * row[b], 1.0 if step[a, b] > 0 else 0.5 * (step[a, b] == 0))
            for a in range(12)
            for b in range(12)
            if low[a] > high[b] and allowed[a, b] and not math.isnan(step[a, b])
        ]
        expected = sum(w * right for w, right in pairs) / sum(w for w, _ in pairs)
        assert value == pytest.approx(expected)


def test_mean_and_median_error_by_hand() -> None:
    observed, predicted = np.array([1.0, 2.0, 3.0, 6.0]), np.array([1.0, 3.0, 5.0, 2.0])
    papers = np.array(["a", "a", "b", "c"])
    found = regression_figures("x", papers, observed, predicted, np.abs(observed - predicted))
    assert found["x.n"] == 4
    assert found["x.papers"] == 3
    assert found["x.mae"] == pytest.approx(7 / 4)
    assert found["x.mae_by_paper"] == pytest.approx((0.5 + 2 + 4) / 3)
    assert found["x.median"] == pytest.approx(1.5)
    assert found["x.r2"] == pytest.approx(1 - 21 / 14)


def test_the_bootstrap_over_papers_covers_the_mean() -> None:
    """Rows of a paper share an effect; an interval over rows would be far too narrow."""
    random = np.random.default_rng(2)
    covered = []
    for _ in range(200):
        effect = random.normal(size=30)
        values = np.repeat(effect, 5) + 0.2 * random.normal(size=150)
        papers = np.repeat(np.arange(30), 5).astype(str)
        _, low, high = PaperBootstrap.of(papers).mean(values)
        covered.append(low <= 0.0 <= high)
    assert 0.83 <= np.mean(covered) <= 0.96


def test_a_row_counts_its_share_within_its_paper() -> None:
    papers, share = np.array(["a", "a", "b"]), np.array([0.75, 0.25, 1.0])
    found = PaperBootstrap.of(papers, share).mean_by_paper(np.array([1.0, 0.0, 0.0]))
    assert found[0] == pytest.approx(0.75 / 2)


def test_median_and_r2_have_intervals_over_papers() -> None:
    random = np.random.default_rng(5)
    observed = random.normal(size=80)
    predicted = observed + 0.5 * random.normal(size=80)
    bootstrap = PaperBootstrap.of(np.repeat(np.arange(40), 2).astype(str))
    for middle, low, high in (bootstrap.median(observed), bootstrap.r2(observed, predicted)):
        assert low < middle < high
    assert bootstrap.r2(observed, predicted)[0] == pytest.approx(
        1 - ((observed - predicted) ** 2).sum() / ((observed - observed.mean()) ** 2).sum()
    )


def test_bounds_are_compared_at_equal_coverage() -> None:
    """A bound that is higher but breaks more often gains nothing once it is as careful."""
    low = np.exp(np.arange(10.0))
    papers = PaperBootstrap.of(np.arange(10).astype(str))
    null = np.arange(10.0) - 1.0  # always kept
    assert bound_gain(papers, np.arange(10.0) + 0.5, null, low)[0] == pytest.approx(1.0)
    assert bound_gain(papers, null - 3.0, null, low)[0] == pytest.approx(1.0)
    assert math.isnan(bound_gain(papers, np.full(10, -np.inf), null, low)[0])


def test_slope_is_held_within_0_and_1() -> None:
    x = np.linspace(0, 1, 20)
    ones = np.ones(20)
    assert by_paper_slope(0.4 * x, x, ones) == pytest.approx(0.4)
    assert by_paper_slope(3 * x, x, ones) == 1.0
    assert by_paper_slope(-x, x, ones) == 0.0
    assert by_paper_slope(x, ones, ones) == 0.0


def test_weighted_median() -> None:
    assert weighted_median(np.array([3.0, 1.0, 2.0]), np.array([1.0, 1.0, 1.0])) == 2.0
    assert weighted_median(np.array([3.0, 1.0, 2.0]), np.array([9.0, 1.0, 1.0])) == 3.0


def test_a_bound_that_is_kept_is_no_error() -> None:
    target = np.array([80.0, 80.0, 80.0, 80.0])
    found = bounded_error(target, np.array([">", ">", "<", ""]), np.array([90.0, 70.0, 70.0, 70.0]))
    assert found.tolist() == [0.0, 10.0, 0.0, 10.0]


def test_pairs_of_one_paper_measure_the_shells_effect(pl: PointProblem) -> None:
    paper_effect = 0.3 * (pl.papers == "energies2021")  # cancels in a difference
    predicted = (pl.target + paper_effect)[None, :]
    result = OutOfFold(predicted, {"difficulty": np.ones(len(pl.target))}, [])
    scores = Pairs.of(pl, result).effect_scores()
    assert scores.values == pytest.approx(np.zeros(len(scores.values)), abs=1e-12)


def test_pairs_without_a_named_difference_say_nothing_of_a_shell(
    pl: PointProblem,
) -> None:
    series = [row for row, paper in enumerate(pl.papers) if paper == "gao2025"]  # an etching series
    assert len(series) == 2
    assert not [pair for pair in same_core_pairs(pl) if pair[0] in series]


def test_a_dataset_without_two_sided_tests_is_refused_in_words(few_papers: Dataset) -> None:
    tests = few_papers.tests
    two_sided = {test.sample.paper_id for test in tests if test.gain() is not None}
    one_sided = few_papers.subset([name for name in few_papers.papers if name not in two_sided])
    problems = problems_of(one_sided)
    with pytest.raises(InputError, match="gain: its 0 papers lie in one of 4 folds"):
        out_of_fold(problems, QUICK)
