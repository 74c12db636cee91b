"""The declared targets: what follows from them agrees with the interfaces."""

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.data.vocabulary import STRESSORS, column_name
from perovshell.models.domain_verdict import domain_columns
from perovshell.models.inputs import INPUT_NUMBERS
from perovshell.models.outputs import NO_THRESHOLDS, TEXTS, Thresholds, output_columns
from perovshell.serve.ranking.objectives import CLASSES
from perovshell.serve.service.rank_schemas import RankedOut
from perovshell.serve.service.schemas import AnswerOut, Row, ThresholdsIn
from perovshell.serve.space.space import OBJECTIVES
from perovshell.targets.declared import (
    DOMAINS,
    GAIN,
    LIFETIME,
    PL,
    PLQY,
    POINTS,
    STABILITY,
    TARGETS,
)
from perovshell.targets.target import Threshold
from perovshell.training.fit.domains import literature_rows
from perovshell.training.fit.specs import SPECS

ALL = Thresholds(pl_window_nm=(500.0, 540.0), plqy_above=70.0, gain_above=5.0)


def thresholds() -> list[Threshold]:
    return [one.threshold for one in (*POINTS, *STABILITY) if one.threshold is not None]


# The registry --------------------------------------------------------------------------------


def test_the_targets_are_points_or_under_stressors() -> None:
    assert list(TARGETS) == ["pl", "plqy", "lifetime", "gain"]
    assert {one.name for one in (*POINTS, *STABILITY)} == set(TARGETS)
    assert all(TARGETS[name].name == name for name in TARGETS)


def test_every_target_is_trained_stored_and_has_a_domain() -> None:
    assert list(SPECS) == [point.name for point in POINTS]
    assert all(SPECS[point.name].target is point for point in POINTS)
    assert set(DOMAINS) == {"PL", "PLQY", "stability"}


def test_names_for_reading() -> None:
    labels = [target.label for target in TARGETS.values()]
    assert labels == ["PL peak (nm)", "PLQY (%)", "lifetime (h)", "stability gain"]
    errors = ["absolute error (nm)", "absolute error (points)"]
    assert [point.error_label for point in POINTS] == errors
    assert [point.scale_column for point in POINTS] == ["pl_scale", "plqy_scale"]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_samples_are_read_where_they_train(dataset: Dataset, point: Any) -> None:
    samples = list(dataset.samples.values())
    read = {sample.sample_id: point.read(sample) for sample in samples}
    name = {PL.name: "pl_peak", PLQY.name: "plqy"}[point.name]
    trains = [sample for sample in samples if getattr(sample, f"trains_{point.name}")]
    assert 0 < len(trains) < len(samples)
    for sample in samples:
        assert read[sample.sample_id] is (getattr(sample, name) if sample in trains else None)


def test_domains_are_of_samples_that_train(dataset: Dataset) -> None:
    tested = {test.sample.sample_id for test in dataset.tests}
    for sample in dataset.samples.values():
        is_tested = sample.sample_id in tested
        spans = {label: rule.spans(sample, is_tested) for label, rule in DOMAINS.items()}
        expected = {"PL": sample.trains_pl, "PLQY": sample.trains_plqy, "stability": is_tested}
        assert spans == expected


def test_the_literature_holds_what_domains_look_for(dataset: Dataset) -> None:
    for row in literature_rows(dataset):
        assert {rule.measured for rule in DOMAINS.values()} <= row.keys()


# Inputs and outputs --------------------------------------------------------------------------


def test_every_threshold_is_an_argument_and_every_argument_a_threshold() -> None:
    assert [one.argument for one in thresholds()] == [one.name for one in fields(Thresholds)]
    values = [ALL.of(target) for target in (PL, PLQY, GAIN, LIFETIME)]
    assert values == [(500.0, 540.0), 70.0, 5.0, None]
    assert ALL.columns(("water", "anion-exchange")) == (
        "p_pl_in_window",
        "p_plqy_above",
        "p_stability_gain_above_water",
        "p_stability_gain_above_anion_exchange",
    )


def test_every_anchor_of_an_effect_is_an_input() -> None:
    anchors = [point.effect.anchor for point in POINTS if point.effect is not None]
    assert anchors == ["bare_pl_peak_nm", "bare_plqy_percent"]
    assert set(anchors) <= set(INPUT_NUMBERS)
    assert set(anchors) <= set(Row.__annotations__)


def test_output_columns_are_those_of_the_targets() -> None:
    numbers = [
        "pl_peak_nm",
        "plqy_percent",
        "pl_shift_nm",
        "plqy_change",
        "stability_gain_water",
        "half_life_h_water",
        "stability_gain_light",
        "half_life_h_light",
    ]
    expected = [f"{name}{end}" for name in numbers for end in ("", "_lower", "_upper")]
    expected += ["p_pl_in_window", "p_plqy_above"]
    expected += ["p_stability_gain_above_water", "p_stability_gain_above_light"]
    signs = [f"{name}_bound" for name in numbers[4:]]
    verdict = [
        *signs,
        "in_domain",
        "in_domain_pl",
        "in_domain_plqy",
        "in_domain_stability_water",
        "in_domain_stability_light",
        "domain_reasons",
        "flags",
        "notes",
        "measured",
        "nearest_papers",
        "error",
    ]
    assert output_columns(("water", "light"), ALL) == (*expected, *verdict)
    plain = [name for name in expected if not name.startswith("p_")]
    assert output_columns(("water", "light"), NO_THRESHOLDS) == (*plain, *verdict)


@pytest.mark.parametrize("stressor", STRESSORS)
def test_columns_under_a_stressor(stressor: str) -> None:
    name = column_name(stressor)
    assert LIFETIME.column(stressor) == f"half_life_h_{name}"
    assert GAIN.column(stressor) == f"stability_gain_{name}"
    assert GAIN.threshold_column(stressor) == f"p_stability_gain_above_{name}"


def test_the_service_answers_and_asks_for_every_target() -> None:
    columns = {point.column for point in POINTS}
    columns |= {point.effect.column for point in POINTS if point.effect is not None}
    assert columns <= AnswerOut.model_fields.keys()
    texts = {*domain_columns([]), *TEXTS, "nearest_papers", "error"}
    assert texts <= AnswerOut.model_fields.keys()
    assert {*domain_columns([]), "domain_reasons"} <= RankedOut.model_fields.keys()
    assert list(ThresholdsIn.model_fields) == [one.argument for one in thresholds()]


def test_thresholds_of_the_service_are_those_of_python() -> None:
    asked = ThresholdsIn(pl_window_nm=[500.0, 540.0], plqy_above=70.0, gain_above=5.0)
    assert asked.read() == ALL


# Thresholds ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "allowed", "refused"),
    [
        (
            PL,
            [(500, 540), (200, 2000)],
            [(540, 500), (500, 500), (2.3, 2.5), (0.5, 0.54), (500,), 5, "ab"],
        ),
        (PLQY, [0, 99.9], [-0.1, 100, math.nan, math.inf, "80", None]),
        (GAIN, [2, 1e9], [1.99, 0, math.nan, math.inf]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_thresholds_are_checked(target: Any, allowed: list[Any], refused: list[Any]) -> None:
    assert [target.threshold.allows(value) for value in allowed] == [True] * len(allowed)
    assert [target.threshold.allows(value) for value in refused] == [False] * len(refused)


def test_thresholds_ask_for_an_interval() -> None:
    limits = [
        one.limits(ALL.of(target)) for target in (PL, PLQY, GAIN) if (one := target.threshold)
    ]
    assert limits == [(500.0, 540.0), (70.0, math.inf), (5.0, math.inf)]


# Rankings ------------------------------------------------------------------------------------


def test_the_objectives_of_a_design_space_are_those_of_rankings() -> None:
    assert [one.name for one in CLASSES] == list(OBJECTIVES)
    targets = {one.target.name for one in CLASSES if one.target is not None}
    assert targets == set(TARGETS)


def test_values_of_a_target_are_modelled_as_its_scale_says() -> None:
    assert PL.scale.to_model(np.array(619.92)) == pytest.approx(2.0)
    assert PLQY.scale.to_unit(np.array(120.0)) == 100.0
    for target in STABILITY:
        assert target.scale.to_unit(np.array(0.0)) == 1.0


# Values for reading --------------------------------------------------------------------------


def test_a_value_is_shown_with_its_sign_and_unit() -> None:
    assert LIFETIME.shown(114.2) == "114 h"
    assert LIFETIME.shown(114.2, ">") == "> 114 h"
    assert GAIN.shown(12.04, "<") == "< 12"
    assert GAIN.shown(3.0) == "3"


def test_columns_name_the_stressor() -> None:
    assert LIFETIME.bound_column("polar-solvent") == "half_life_h_polar_solvent_bound"
    assert GAIN.bound_column("water") == "stability_gain_water_bound"


def test_a_threshold_of_an_unusual_value_is_doubtful() -> None:
    assert PL.threshold is not None
    assert PLQY.threshold is not None
    assert PLQY.threshold.doubt(0.8) == "plqy_above 0.8 is below 1 %: a fraction?"
    assert PLQY.threshold.doubt(80) == ""
    assert PL.threshold.doubt((0.5, 0.6)) == ""
