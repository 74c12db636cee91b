"""Rank probabilities and next experiments against what can be worked out by hand."""

import dataclasses
import math

import numpy as np
import pytest

from perovshell.features.combinations import Combination
from perovshell.model import Model
from perovshell.models.conformal import ConformityScores
from perovshell.models.normal import normal_cdf, normal_quantile
from perovshell.serve.ranking.candidates import CandidatePredictions
from perovshell.serve.ranking.next_experiments import experiments, settled, shared_part
from perovshell.serve.ranking.objective import (
    PointObjective,
    Predicted,
    signed_residual,
)
from perovshell.serve.ranking.objectives import Objectives
from perovshell.serve.ranking.rank_probabilities import (
    outcomes,
    p_above_next,
    p_pareto,
    random_levels,
)
from perovshell.serve.space.file import read_space
from point_models import scores

DATA = {"cores": ["CsPbBr3", "FAPbBr3"], "shells": ["SiO2", "ZrO2", "PMMA"],
        "pl_window_nm": [500, 540]}  # fmt: skip


def objectives(model: Model, **changes: object) -> Objectives:
    space = read_space({**DATA, **changes}, model.predictor.featurizer.reader)
    return Objectives(space, model)


def items(model: Model, *names: tuple[str, str]) -> list[Combination]:
    reader = model.predictor.featurizer.reader
    return [
        Combination(
            reader.read_core(core), reader.read_shell(shell), "core/shell", "unknown", "unknown"
        )
        for core, shell in names
    ]


def with_plqy(
    predictions: CandidatePredictions, plqy: list[float], scale: list[float]
) -> CandidatePredictions:
    """Return predictions with another PLQY that ranks, and difficulty of it."""
    changed = {"plqy_pooled": np.array(plqy), "plqy_pooled_scale": np.array(scale)}
    before = predictions.predicted
    predicted = Predicted({**before.columns, **changed}, before.categories)
    return dataclasses.replace(predictions, predicted=predicted)


def test_residuals_have_the_quantiles_of_their_scores() -> None:
    scores = ConformityScores.of(np.arange(1.0, 10.0), [str(k) for k in range(9)])
    level = (np.arange(2000) + 0.5) / 2000
    drawn = signed_residual(scores, level)
    assert np.mean(np.abs(drawn) <= scores.quantile(0.5)) == pytest.approx(0.5, abs=0.01)
    assert np.mean(drawn < 0) == pytest.approx(0.5, abs=0.01)
    assert np.abs(drawn).max() == 9.0  # the unseen paper is no worse than the worst seen


def test_the_normal_distribution_is_known_to_four_digits() -> None:
    for z in (-3.0, -1.0, 0.0, 0.5, 1.6449):
        assert normal_quantile(normal_cdf(np.array(z))) == pytest.approx(z)
        assert normal_cdf(np.array(z)) == pytest.approx(0.5 * (1 + math.erf(z / 2**0.5)), abs=1e-4)


def test_drawn_pl_lies_in_the_window_as_often_as_its_probability_says(model: Model) -> None:
    own = objectives(model, weights={"pl": 1})
    predictions = CandidatePredictions.of(
        own, items(model, ("CsPbBr3", "SiO2"), ("FAPbBr3", "PMMA"))
    )
    levels = random_levels(predictions.items, 1, draws=20_000)
    drawn = outcomes(own, predictions.predicted, levels)
    expected = predictions.predicted.columns["p_pl_in_window"]
    np.testing.assert_allclose(drawn["pl"].mean(axis=1), expected, atol=0.03)


@pytest.mark.parametrize("target", ["pl", "plqy"])
def test_a_combination_of_a_mondrian_category_draws_from_its_scores(
    model: Model, target: str
) -> None:
    category = scores(0.01, papers=30)
    point = dataclasses.replace(
        model.predictor.points[target], mondrian={"CsPbBr3 / SiO2": category}
    )
    points = {**model.predictor.points, target: point}
    changed = dataclasses.replace(
        model, predictor=dataclasses.replace(model.predictor, points=points)
    )
    own = objectives(changed, weights={target: 1})
    objective = next(one for one in own.active if isinstance(one, PointObjective))
    names = [("FAPbBr3", "SiO2"), ("CsPbBr3", "SiO2"), ("CsPbBr3", "ZrO2")]
    predictions = CandidatePredictions.of(own, items(model, *names))
    for rows in ([0, 1, 2], [2, 1], [0, 2], [1]):
        chosen = predictions.rows(rows)
        levels = random_levels(chosen.items, 1, draws=50)
        drawn = objective.residuals(chosen.predicted, levels)
        for index, row in enumerate(rows):
            level = levels.combination[objective.level_row, index]
            scale = objective.scale(chosen.predicted)[index]
            expected = signed_residual(category if row == 1 else point.scores, level) * scale
            np.testing.assert_array_equal(drawn[index], expected)


def test_the_outcomes_of_a_mondrian_category_agree_with_its_interval(model: Model) -> None:
    """Nine of ten drawn yields of the category lie within its 90 % interval."""
    plqy = dataclasses.replace(
        model.predictor.points["plqy"], mondrian={"FAPbBr3 / SiO2": scores(0.005, papers=60)}
    )
    points = {**model.predictor.points, "plqy": plqy}
    changed = dataclasses.replace(
        model, predictor=dataclasses.replace(model.predictor, points=points)
    )
    own = objectives(changed, weights={"plqy": 1})
    predictions = CandidatePredictions.of(own, items(model, ("FAPbBr3", "SiO2")))
    columns = predictions.predicted.columns
    levels = random_levels(predictions.items, 1, draws=20_000)
    residual = own.plqy.residuals(predictions.predicted, levels)
    width = columns["plqy_pooled_scale"] / columns["plqy_scale"]  # By what papers measured.
    half = width * (columns["plqy_percent_upper"] - columns["plqy_percent"])
    assert np.mean(np.abs(residual) <= half + 1e-9) == pytest.approx(0.9, abs=0.02)


def test_of_two_equal_candidates_either_may_be_better(model: Model) -> None:
    own = objectives(model)
    twice = CandidatePredictions.of(own, items(model, ("FAPbBr3", "ZrO2"), ("FAPbBr3", "ZrO2")))
    # The draws of a combination are its own: the same one twice is a tie in each of them.
    assert p_above_next(own, twice).tolist() == [0.5]
    alone = p_pareto(own, twice)
    assert alone[0] == alone[1] == 1.0


def test_probabilities_do_not_depend_on_the_list(model: Model) -> None:
    own = objectives(model)
    names = [("CsPbBr3", "SiO2"), ("FAPbBr3", "PMMA"), ("CsPbBr3", "ZrO2")]
    three, two = (CandidatePredictions.of(own, items(model, *names[:count])) for count in (3, 2))
    assert p_above_next(own, three)[0] == p_above_next(own, two)[0]


def test_a_candidate_that_is_far_better_is_above_the_next(model: Model) -> None:
    own = objectives(model, weights={"plqy": 1})
    two = CandidatePredictions.of(own, items(model, ("CsPbBr3", "SiO2"), ("CsPbBr3", "ZrO2")))
    sure = with_plqy(two, [95.0, 5.0], scale=[1e-3, 1e-3])
    assert p_above_next(own, sure).tolist() == [1.0]
    assert p_pareto(own, sure).tolist() == [1.0, 0.0]


def test_combinations_of_one_shell_share_its_stability(model: Model) -> None:
    names = [("CsPbBr3", "SiO2"), ("FAPbBr3", "SiO2"), ("CsPbBr3", "ZrO2")]
    levels = random_levels(items(model, *names), 1).shell[0, 0]
    np.testing.assert_array_equal(levels[0], levels[1])
    assert not np.array_equal(levels[0], levels[2])


def test_experiments_of_every_kind_are_weighed(model: Model) -> None:
    own = objectives(model)
    names = [(core, shell) for core in DATA["cores"] for shell in DATA["shells"]]
    found = experiments(own, CandidatePredictions.of(own, items(model, *names)))
    assert {one.kind for one in found} == {"combination", "bare control", "stability test"}
    changes = [one.p_changes for one in found]
    assert changes == sorted(changes, reverse=True)
    assert all(0.0 <= one <= 1.0 for one in changes)
    assert len(found) == 6 + 2 + 3
    # A whole combination tells at least what its bare core tells of it alone.
    single = experiments(own, CandidatePredictions.of(own, items(model, ("CsPbBr3", "SiO2"))))
    assert all(one.worth == pytest.approx(0.0, abs=1e-9) for one in single)


def test_a_stability_test_of_what_is_not_known_is_worth_something(model: Model) -> None:
    """Nobody tested the first shell under water: a test tells of it, less of the second."""
    own = objectives(model, weights={"half_life": 1}, stressors=["water", "light"])
    names = [("CsPbBr3", "PET"), ("CsPbBr3", "PS")]
    found = experiments(own, CandidatePredictions.of(own, items(model, *names)))
    tests = {one.what: one for one in found if one.kind == "stability test"}
    untested = tests["CsPbBr3 / PET under water, coated against bare, until it fails"]
    tested = tests["CsPbBr3 / PS under water, coated against bare, until it fails"]
    assert len(tests) == 4
    assert untested.worth > tested.worth
    assert untested.worth > 1e-3
    assert "moves what is known of its half-life by a factor of about" in untested.line


def test_a_test_tells_less_of_other_cores(model: Model) -> None:
    """What belongs to the combination alone stays unknown of the others."""
    fit = model.predictor.shell_evidence.fit("half-life", "water")
    (silica,) = {item.layers for item in items(model, ("CsPbBr3", "SiO2"))}
    error = np.full(2, fit.known("", silica).error)
    moved, left = settled(error, fit, np.array([True, False]))
    assert moved[0] > moved[1] > 0.0
    assert left[0] < left[1] < error[1]
    assert moved**2 + left**2 == pytest.approx(error**2)


def test_a_bare_core_that_shares_nothing_is_worth_nothing(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = objectives(model)
    names = [(core, shell) for core in DATA["cores"] for shell in DATA["shells"]]
    predictions = CandidatePredictions.of(own, items(model, *names))
    worth = {}
    for share in (0.0, 0.5, 0.9):
        monkeypatch.setattr(
            "perovshell.serve.ranking.next_experiments.shared_part", lambda _, own=share: own
        )
        found = experiments(own, predictions)
        worth[share] = max(one.worth for one in found if one.kind == "bare control")
    assert worth[0.0] == pytest.approx(0.0, abs=1e-12)
    assert 0.0 < worth[0.5] < worth[0.9]


def test_what_bare_and_coated_share_follows_from_how_carrying_narrows(model: Model) -> None:
    own = model.predictor.points["plqy"]
    size = np.arange(1.0, 10.0)
    groups = [str(k) for k in range(9)]
    half = dataclasses.replace(
        own,
        scores=ConformityScores.of(size, groups),
        anchored_scores=ConformityScores.of(0.6 * size, groups),
    )
    assert shared_part(half) == pytest.approx(0.8)
    wider = dataclasses.replace(half, anchored_scores=ConformityScores.of(1.1 * size, groups))
    assert shared_part(wider) == 0.0


def test_what_is_certain_is_not_worth_an_experiment(model: Model) -> None:
    own = objectives(model, weights={"plqy": 1})
    two = CandidatePredictions.of(own, items(model, ("CsPbBr3", "SiO2"), ("FAPbBr3", "ZrO2")))
    found = experiments(own, with_plqy(two, [80.0, 60.0], scale=[1e-6, 1e-6]))
    assert max(one.worth for one in found) == pytest.approx(0.0, abs=1e-6)


def test_the_worth_of_a_combination_is_its_knowledge_gradient(model: Model) -> None:
    """Two lines of PLQY 60 and 60, the second certain: making the first gains E[max(x - 60, 0)]."""
    own = objectives(model, weights={"plqy": 1})
    two = CandidatePredictions.of(own, items(model, ("CsPbBr3", "SiO2"), ("FAPbBr3", "ZrO2")))
    scale = 10.0
    found = experiments(own, with_plqy(two, [60.0, 60.0], scale=[scale, 1e-9]))
    worth = {one.what: one.worth for one in found if one.kind == "combination"}
    level = (np.arange(100_000) + 0.5) / 100_000
    error = signed_residual(model.predictor.points["plqy"].scores, level) * scale
    value = np.clip(60.0 + error, 0, 100)
    expected = np.maximum(value - 60.0, 0.0).mean() / 100
    mean_shift = value.mean() / 100 - 0.6  # of the two, the better on average is known already
    assert worth["CsPbBr3 / SiO2 (core/shell)"] == pytest.approx(
        expected - max(mean_shift, 0.0), abs=0.003
    )
