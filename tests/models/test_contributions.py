"""Contributions against the library's own, and what the public answer says."""

import re

import numpy as np
import pytest
import xgboost

from perovshell.data.vocabulary import STRESSORS, column_name
from perovshell.errors import InputError
from perovshell.model import Model
from perovshell.models.boosting import BoostConfig, fit_bounded, mean_forest
from perovshell.models.contributions import ForestContributions
from perovshell.models.outputs import Thresholds
from perovshell.targets.declared import STABILITY

COLUMNS = np.arange(8)


def rows(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    matrix = np.round(random.normal(size=(count, len(COLUMNS))), 1)
    matrix[random.random(matrix.shape) < 0.2] = np.nan
    return matrix


@pytest.mark.parametrize("depth", [1, 2, 4, 5])
def test_contributions_are_those_of_the_library(depth: int) -> None:
    matrix = rows(200, 1)
    known = np.nan_to_num(matrix)
    target = known[:, 0] * known[:, 1] + np.isnan(matrix[:, 2]) + np.sin(3 * known[:, 3])
    config = BoostConfig(("all",), rounds=30, depth=depth, learning_rate=0.3)
    fitted = fit_bounded(
        matrix, target, [""] * 200, np.ones(200), np.zeros(200), 1.0, (config, COLUMNS, 0)
    )
    booster = xgboost.Booster(model_file=bytearray(fitted.native[0]))
    asked = rows(40, 2)
    theirs = booster.predict(xgboost.DMatrix(asked, base_margin=np.zeros(40)), pred_contribs=True)
    ours = ForestContributions.of(fitted.forest)
    for row, expected in zip(asked, theirs, strict=True):
        assert ours.of_row(fitted.forest, row) == pytest.approx(expected[:-1], abs=1e-5)
    assert ours.expected == pytest.approx(theirs[0, -1], abs=1e-5)


def test_the_mean_of_forests_is_the_mean_of_their_predictions() -> None:
    matrix = rows(100, 3)
    target = np.nan_to_num(matrix).sum(axis=1)
    fits = [
        fit_bounded(
            matrix, target, [""] * 100, np.ones(100), np.zeros(100), 1.0,
            (BoostConfig(("all",), rounds=10, depth=depth), columns, 0),
        )
        for depth, columns in ((2, np.array([1, 4])), (3, np.array([0, 4, 6])))
    ]  # fmt: skip
    joined = mean_forest(fits)
    assert joined.columns.tolist() == [0, 1, 4, 6]
    both = np.mean([fit.predict(matrix) for fit in fits], axis=0)
    assert joined.predict(matrix) == pytest.approx(both, abs=1e-6)


# The public answer ---------------------------------------------------------------------------

ROW = {"core": "CsPbBr1.5I1.5", "shell": "SiO2", "core_size_nm": 8}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"bare_pl_peak_nm": 580.0, "bare_plqy_percent": 40.0},
        {"shell": "none", "bare_pl_peak_nm": 580.0, "bare_plqy_percent": 40.0},
        {"core": "AuCu", "shell": "CsPbCl3"},
    ],
    ids=["nothing measured", "bare measured", "itself measured", "metal"],
)
def test_reasons_add_up_to_the_prediction(model: Model, given: dict[str, object]) -> None:
    row = ROW | given
    answer = model.predict([row], stressors=STRESSORS)[0]
    reasons = {reason.target: reason for reason in model.explain(row, stressors=STRESSORS)}
    totals = {name: reason.start + sum(reason.moved.values()) for name, reason in reasons.items()}
    assert 1239.84 / totals["pl_peak_nm"] == pytest.approx(answer["pl_peak_nm"], rel=1e-4)
    assert totals["plqy_percent"] == pytest.approx(answer["plqy_percent"], rel=1e-4)
    for stressor in STRESSORS:
        half_life = np.exp(totals[f"half_life_h_{column_name(stressor)}"]) * np.log(2)
        gain = np.exp(totals[f"stability_gain_{column_name(stressor)}"])
        assert half_life == pytest.approx(answer[f"half_life_h_{column_name(stressor)}"], rel=1e-4)
        assert gain == pytest.approx(answer[f"stability_gain_{column_name(stressor)}"], rel=1e-4)


def test_reasons_name_what_was_measured_and_baseline_predictions(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "SiO2", "bare_plqy_percent": 20}
    _, plqy, *sonication = model.explain(row, stressors=["sonication"])
    assert plqy.moved["measured bare value"] < -5
    assert "measured bare value -" in plqy.sentence
    for reason in sonication:
        assert "baseline prediction, sonication has few papers" in reason.sentence


def test_the_reasons_of_a_gain_are_the_effects_of_the_shell_and_the_trees(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "SiO2", "ligand": "DDAB"}
    gain = next(one for one in model.explain(row) if one.target == "stability_gain_water")
    parts = {"coated", "shell class", "shell", "structure", "encapsulation"}
    # A ligand acts on both sides alike.
    assert parts <= set(gain.moved) <= parts | {"trees", "median not reached"}
    assert all(f"{part} x " in gain.sentence for part in parts)


def test_reasons_begin_with_the_value_and_its_sign(model: Model) -> None:
    (answer,) = model.predict([ROW], stressors=STRESSORS)
    reasons = model.explain(ROW, stressors=STRESSORS)[2:]
    targets = [(target, stressor) for stressor in STRESSORS for target in STABILITY]
    for reason, (target, stressor) in zip(reasons, targets, strict=True):
        column = target.column(stressor)
        shown = target.shown(answer[column], answer[target.bound_column(stressor)])
        assert reason.target == column
        assert f" under {stressor} {shown}, " in reason.sentence


def test_reasons_name_groups_a_chemist_knows_and_the_physics(model: Model) -> None:
    pl = model.explain({**ROW, "core_size_nm": 3})[0]
    assert pl.moved["core size"] > 0.2  # eV: confinement
    assert "core size -" in pl.sentence
    groups = {descriptor.group for descriptor in model.predictor.featurizer.descriptors}
    assert set(pl.moved) <= groups


def test_an_unreadable_request_has_no_reasons(model: Model) -> None:
    with pytest.raises(InputError, match="core"):
        model.explain({"core": "CsPbBr4", "shell": "none"})


# Probabilities -------------------------------------------------------------------------------


def test_probabilities_come_from_the_distribution_of_the_interval(model: Model) -> None:
    answer = model.predict([ROW])[0]
    window = (answer["pl_peak_nm_lower"], answer["pl_peak_nm_upper"])
    thresholds = Thresholds(window, answer["plqy_percent"], 10.0)
    asked = model.predict([ROW], thresholds=thresholds)[0]
    assert asked["p_pl_in_window"] >= 0.9 - 0.05
    assert asked["p_plqy_above"] == pytest.approx(0.5, abs=0.05)
    assert 0 < asked["p_stability_gain_above_water"] < 1
    assert {name: asked[name] for name in answer} == answer


def test_probabilities_fall_as_thresholds_rise(model: Model) -> None:
    values = [
        model.predict([ROW], thresholds=Thresholds((600, 600 + width), 100 - width, 1000 / width))[
            0
        ]
        for width in (5, 50, 90)
    ]
    for name in ("p_pl_in_window", "p_plqy_above", "p_stability_gain_above_light"):
        found = [value[name] for value in values]
        assert found == sorted(found)
        assert all(0 <= value <= 1 for value in found)


@pytest.mark.parametrize("measured", [{}, {"bare_pl_peak_nm": 512.0, "bare_plqy_percent": 55.0}])
@pytest.mark.parametrize("coverage", [0.6, 0.8])
def test_probabilities_agree_with_intervals(model: Model, measured: dict, coverage: float) -> None:
    """Up to the mass of a paper: intervals end at scores, probabilities rise between them."""
    row, paper = ROW | measured, 0.05
    answer = model.predict([row], coverage=coverage)[0]
    low, high = answer["pl_peak_nm_lower"], answer["pl_peak_nm_upper"]
    inside = Thresholds((low - 1e-3, high + 1e-3), answer["plqy_percent_lower"] - 1e-3)
    outside = Thresholds((low + 1e-3, high - 1e-3), answer["plqy_percent_lower"] + 1e-3)
    most = model.predict([row], thresholds=inside)[0]
    least = model.predict([row], thresholds=outside)[0]
    assert least["p_pl_in_window"] - paper <= coverage <= most["p_pl_in_window"]
    assert least["p_plqy_above"] - paper <= 0.5 + coverage / 2 <= most["p_plqy_above"]


def test_a_measured_bare_sample_is_certain(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "none", "bare_pl_peak_nm": 512, "bare_plqy_percent": 55}
    certain = model.predict([row], thresholds=Thresholds((511, 513), 54))[0]
    assert (certain["p_pl_in_window"], certain["p_plqy_above"]) == (1, 1)
    missed = model.predict([row], thresholds=Thresholds((513, 515), 56))[0]
    assert (missed["p_pl_in_window"], missed["p_plqy_above"]) == (0, 0)


def test_a_bare_sample_gains_nothing(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "none"}
    assert (
        model.predict([row], thresholds=Thresholds(gain_above=2))[0]["p_stability_gain_above_water"]
        == 0
    )


@pytest.mark.parametrize(
    ("thresholds", "message"),
    [
        ({"gain_above": 1.5}, "gain_above 1.5: a factor of 2 or more"),
        ({"plqy_above": 100}, "plqy_above 100: a percentage from 0 to below 100"),
        (
            {"pl_window_nm": (2.3, 2.5)},
            "pl_window_nm (2.3, 2.5): two rising wavelengths from 200 to 2000 nm",
        ),
        (
            {"pl_window_nm": [0.5, 0.54]},
            "pl_window_nm [0.5, 0.54]: two rising wavelengths from 200 to 2000 nm",
        ),
        ({"pl_window_nm": 510}, "pl_window_nm 510: two rising wavelengths from 200 to 2000 nm"),
        ({"plqy_above": "80"}, "plqy_above 80: a percentage from 0 to below 100"),
        (
            {"pl_window_nm": (600, 500)},
            "pl_window_nm (600, 500): two rising wavelengths from 200 to 2000 nm",
        ),
    ],
)
def test_impossible_thresholds_are_refused(thresholds: dict, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Thresholds(**thresholds)
