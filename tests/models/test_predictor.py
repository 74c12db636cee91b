"""Answers: their parts, their order, and what they must never do."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from perovshell.errors import InputError
from perovshell.model import Model
from perovshell.models.answer_text import answer_lines
from perovshell.models.domain_verdict import domain_columns
from perovshell.models.outputs import TEXTS, Answer, Thresholds, output_columns, rounded
from perovshell.models.predictor import ROWS_AT_ONCE
from perovshell.models.requests import Requests

SYSTEMS = Path(__file__).parent.parent / "data" / "systems.csv"
VALUES = ("pl_peak_nm", "plqy_percent", "pl_shift_nm", "plqy_change", "half_life_h_water")


def one(model: Model, **row: object) -> dict[str, object]:
    return model.predict([row])[0]


def test_columns_come_in_their_order(model: Model) -> None:
    answer = one(model, core="CsPbBr3", shell="SiO2")
    assert tuple(answer) == output_columns(("water", "light", "heat"))


@pytest.mark.parametrize("name", VALUES)
def test_the_interval_holds_the_value(model: Model, name: str) -> None:
    answer = one(model, core="CsPbBr2I", shell="ZrO2")
    assert answer[f"{name}_lower"] <= answer[name] <= answer[f"{name}_upper"]


def test_a_bare_core_has_no_effect_of_a_shell(model: Model) -> None:
    answer = one(model, core="CsPbBr3", shell="none")
    for stressor in ("water", "light", "heat"):
        gains = [answer[f"stability_gain_{stressor}{end}"] for end in ("", "_lower", "_upper")]
        assert gains == [1, 1, 1]
    for name in ("pl_shift_nm", "plqy_change"):
        assert [answer[name + end] for end in ("", "_lower", "_upper")] == [0, 0, 0]


def test_stability_is_a_lower_bound_without_an_upper_end(model: Model) -> None:
    answer = one(model, core="CsPbBr3", shell="SiO2")
    assert answer["stability_gain_water_upper"] == math.inf
    assert 0 < answer["stability_gain_water_lower"] < answer["stability_gain_water"]


def test_a_measured_bare_peak_anchors_the_answer(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "SiO2"}
    free, anchored = one(model, **row), one(model, **row, bare_pl_peak_nm=480)
    assert anchored["pl_peak_nm"] == pytest.approx(480 + anchored["pl_shift_nm"], abs=0.01)
    assert abs(anchored["pl_peak_nm"] - 480) < abs(free["pl_peak_nm"] - 480)


def test_a_measured_bare_yield_anchors_the_answer(model: Model) -> None:
    answer = one(model, core="CsPbBr3", shell="SiO2", bare_plqy_percent=20)
    assert answer["plqy_percent"] == pytest.approx(20 + answer["plqy_change"], abs=0.01)
    assert answer["plqy_change_lower"] >= -20


@pytest.mark.parametrize("coverage", [0.3, 0.5, 0.8, 0.9, 0.97])
@pytest.mark.parametrize("bare", [{}, {"bare_pl_peak_nm": 505, "bare_plqy_percent": 35}])
@pytest.mark.parametrize("core", ["CsPbBr3", "CsPbCl3", "MAPbI3", "AuCu"])
def test_an_interval_holds_its_value_at_every_coverage(
    model: Model, core: str, bare: dict[str, float], coverage: float
) -> None:
    row = {"core": core, "shell": "SiO2", **bare}
    answer = model.predict([row], coverage=coverage)[0]
    names = [name.removesuffix("_lower") for name in answer if name.endswith("_lower")]
    assert len(names) == 10
    for name in names:
        assert answer[f"{name}_lower"] <= answer[name] <= answer[f"{name}_upper"], name


@pytest.mark.parametrize("coverage", [0.5, 0.9, 0.97])
def test_a_measured_bare_value_never_widens_an_interval(model: Model, coverage: float) -> None:
    row = {"core": "CsPbBr3", "shell": "SiO2"}
    plqy = model.predictor.points["plqy"]
    free, known = (
        model.predict([{**row, **bare}], coverage=coverage)[0]
        for bare in ({}, {"bare_plqy_percent": 55})
    )
    assert 0.0 < plqy.residual_share < 1.0
    wide, narrow = (a["plqy_percent"] - a["plqy_percent_lower"] for a in (free, known))
    assert narrow <= wide + 1e-3


def test_a_poor_bare_sample_is_expected_to_gain_more(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "SiO2"}
    poor, good = (one(model, **row, bare_plqy_percent=value) for value in (20, 90))
    assert poor["plqy_change"] > good["plqy_change"]
    assert poor["plqy_percent"] < good["plqy_percent"]


def test_a_mondrian_category_has_an_interval_of_its_scores(model: Model) -> None:
    known = one(model, core="CsPbCl3", shell="none")
    width = known["pl_peak_nm_upper"] - known["pl_peak_nm_lower"]
    nearly = one(model, core="CsPb(Cl0.99Br0.01)3", shell="none")
    categories = list(model.predictor.points["pl"].mondrian)
    assert categories == ["CsPbBr3 / none", "CsPbCl3 / none"]
    assert width < 0.8 * (nearly["pl_peak_nm_upper"] - nearly["pl_peak_nm_lower"])


def test_probabilities_of_a_gain_fall_with_the_gain(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "SiO2"}
    probabilities = [
        model.predict([row], stressors=["water"], thresholds=Thresholds(gain_above=gain))[0][
            "p_stability_gain_above_water"
        ]
        for gain in (2, 10, 100, 1e4, 1e8)
    ]
    assert probabilities == sorted(probabilities, reverse=True)
    assert probabilities[0] > probabilities[2] > probabilities[-1] == 0.0


def test_a_temperature_shortens_a_life_under_heat(model: Model) -> None:
    mild, hot = (
        one(model, core="CsPbBr3", shell="SiO2", temperature_c=temperature)["half_life_h_heat"]
        for temperature in (60, 150)
    )
    assert hot < mild


def test_a_metal_core_is_answered_from_the_null_model(model: Model) -> None:
    answer = one(model, core="AuCu", shell="CsPbCl3")
    assert answer["in_domain"] is False
    assert any("metal" in reason for reason in answer["domain_reasons"])
    assert answer["pl_shift_nm_lower"] < -20
    assert answer["plqy_change_upper"] > 10
    assert answer["pl_peak_nm"] == pytest.approx(
        1239.84 / model.predictor.points["pl"].null_value, abs=0.01
    )


def test_an_answer_says_what_has_no_skill(model: Model) -> None:
    """It stands with the answer, not only on the card."""
    for verdict in (model.info.skill["gain"], model.info.skill["pl"]):
        assert verdict["has_skill"] == (verdict is model.info.skill["pl"])
    [note] = one(model, core="CsPbBr3", shell="SiO2")["notes"]
    assert note.startswith("stability gains are predicted no better")
    assert one(model, core="CsPbBr3", shell="none")["notes"] == []


def test_a_share_instead_of_a_percentage_is_noted(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "SiO2"}
    noted = one(model, **row, bare_plqy_percent=0.85)["notes"]
    assert "0.85 is below 1 %: a fraction?" in noted[0]
    assert "below 1 %" not in " ".join(one(model, **row, bare_plqy_percent=85)["notes"])


@pytest.mark.parametrize(
    ("core", "peak", "is_far"),
    [
        ("CsPbBr3", 703, True),
        ("CsPbBr3", 323, True),
        ("CsPbBr3", 480, False),
        ("CsPbBr3", 530, False),
        ("CsPbI3", 690, False),
        ("CsPbI3", 514, True),
        ("AuCu", 900, False),
    ],
)
@pytest.mark.parametrize("shell", ["SiO2", "none"])
def test_a_bare_peak_far_from_the_predicted_one_is_noted(
    model: Model, core: str, shell: str, peak: float, *, is_far: bool
) -> None:
    notes = one(model, core=core, shell=shell, bare_pl_peak_nm=peak)["notes"]
    note = f"bare_pl_peak_nm {peak} is far from the "
    assert any(note in text for text in notes) == is_far


def test_the_notes_of_a_row_are_its_own(model: Model) -> None:
    plain, slash = {"core": "CsPbBr3", "shell": "SiO2"}, {"core": "CsPbBr3/SiO2"}
    rows = [{"core": "nonsense"}, plain, slash, {**slash, "bare_plqy_percent": 0.62}]
    notes = [answer["notes"] for answer in model.predict(rows)]
    split = "CsPbBr3/SiO2 is read as core CsPbBr3 under shell SiO2"
    doubt = "bare_plqy_percent 0.62 is below 1 %: a fraction?"
    assert [split in texts for texts in notes] == [False, False, True, True]
    assert [doubt in texts for texts in notes] == [False, False, False, True]


def test_a_doubtful_threshold_is_noted_in_every_answer(model: Model) -> None:
    rows = [{"core": "CsPbBr3", "shell": shell} for shell in ("SiO2", "none")]
    for limit, is_noted in ((0.8, True), (0, False), (80, False)):
        answers = model.predict(rows, thresholds=Thresholds(plqy_above=limit))
        note = f"plqy_above {limit:g} is below 1 %: a fraction?"
        assert [note in answer["notes"] for answer in answers] == [is_noted] * 2


def test_a_window_may_be_a_list(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "SiO2"}
    answers = [
        model.predict([row], thresholds=Thresholds(window)) for window in ((510, 540), [510, 540])
    ]
    assert repr(answers[0]) == repr(answers[1])


def test_a_measured_combination_is_named_with_its_values(model: Model) -> None:
    [answer] = model.answer([{"core": "CsPbBr3", "shell": "SiO2"}])
    texts = answer.values["measured"]
    assert len(texts) == len(answer.measured) > 3
    for text, sample in zip(texts, answer.measured, strict=True):
        assert text.startswith(f"{sample.paper} (")
        assert sample.stability in text
    assert one(model, core="CsPbBr3", shell="MgO")["measured"] == []


def test_measured_values_keep_their_signs_and_qualities(model: Model) -> None:
    (text,) = one(model, core="CsPbI3", shell="Cs4PbI6|ZnS")["measured"]
    assert "PLQY >90 %" in text
    (text,) = one(model, core="CsPbBr3", shell="PBMA")["measured"]
    assert "PLQY ~9.2 % (second-hand)" in text


WATER_BASED = "PVA is put on from water, which destroys the core"


@pytest.mark.parametrize(
    ("shell", "stressors", "flags"),
    [
        ("SiO2", ["water", "light", "heat"], []),
        ("PVA", ["water"], ["PVA dissolves in water", WATER_BASED]),
        ("PVA", ["heat"], [WATER_BASED]),
        ("PbS", ["heat"], ["PbS quenches: its gap of 0.41 eV is below that of the core"]),
        ("TiO2", ["heat"], ["TiO2 accepts electrons from the core"]),
    ],
)
def test_flags_say_what_speaks_against_a_coating(
    model: Model, shell: str, stressors: list[str], flags: list[str]
) -> None:
    [answer] = model.predict([{"core": "CsPbBr3", "shell": shell}], stressors=stressors)
    assert answer["flags"] == flags
    [full] = model.answer([{"core": "CsPbBr3", "shell": shell}], stressors=stressors)
    lines = answer_lines(full, {}, stressors, 0.9)
    assert [line for line in lines if line.startswith("Flag: ")] == [f"Flag: {f}" for f in flags]


def test_flags_of_a_row_do_not_depend_on_the_others(model: Model) -> None:
    pairs = [
        {"core": core, "shell": shell}
        for core in ("CsPbBr3", "MAPbBr1.5I1.5", "AuCu", "CsPbX3", "CsPbBr4")
        for shell in ("none", "PbS", "polyimide", "PVA", "CdZnS")
    ]
    together = [answer["flags"] for answer in model.predict(pairs)]
    assert together == [model.predict([row])[0]["flags"] for row in pairs]
    assert together[5] == ["bromide and iodide of the core demix under light"]
    assert together[20:] == [[]] * 5


def test_reasons_notes_and_measured_samples_are_lists_of_each_answer(model: Model) -> None:
    rows = [{"core": "CsPbBr3", "shell": shell} for shell in ("SiO2", "SiO2", "MgO", "none")]
    answers = model.predict([*rows, {"core": "XX", "shell": "none"}], stressors=["sonication"])
    for answer in answers:
        for name in TEXTS:
            assert all(isinstance(text, str) and " | " not in text for text in answer[name])
            assert not any(text.startswith("note") for text in answer[name])
        named = " ".join(answer["domain_reasons"])
        assert answer["in_domain"] == ("PL" not in named and not answer["error"])
    # What a caller does with one answer changes no other.
    first, second = answers[:2]
    before = {name: list(second[name]) for name in TEXTS}
    for name in before:
        first[name].append("changed")
    assert {name: second[name] for name in before} == before
    assert "changed" not in str(model.predict(rows, stressors=["sonication"]))


def test_the_change_is_what_lies_between_coated_and_bare(model: Model) -> None:
    coated, bare = (one(model, core="CsPbBr3", shell=shell) for shell in ("Pt", "none"))
    change = coated["plqy_percent"] - bare["plqy_percent"]
    assert coated["plqy_change"] == pytest.approx(change, abs=1e-3)


def test_an_open_shell_says_why_it_is_outside(model: Model) -> None:
    answer = one(model, core="CsPbBr3", shell="amorphous CsPbBrx")
    assert answer["in_domain"] is False
    assert "CsPbBrx is open" in " ".join(answer["domain_reasons"])


def test_a_thin_stressor_says_null_model(model: Model) -> None:
    answer = model.predict([{"core": "CsPbBr3", "shell": "SiO2"}], stressors=["sonication"])[0]
    assert "baseline prediction" in answer["domain_reasons"][0]
    assert not answer["in_domain_stability_sonication"]
    assert all(answer[name] for name in ("in_domain", "in_domain_pl", "in_domain_plqy"))
    assert answer["half_life_h_sonication"] > 0


def test_an_ignored_input_is_said_to_be_ignored(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "SiO2"}
    plain, with_thickness = one(model, **row), one(model, **row, shell_thickness_nm=3)
    assert with_thickness["notes"][0].startswith("shell_thickness_nm is ignored")
    assert with_thickness["pl_peak_nm"] == plain["pl_peak_nm"]


def test_a_shell_of_no_sample_is_noted_and_answered_by_its_class(model: Model) -> None:
    unseen = one(model, core="CsPbBr3", shell="MgO")
    text = "shell MgO is not in the training data, predicted from its material class"
    assert text in unseen["notes"]
    assert unseen["in_domain"]
    assert "training data" not in " ".join(one(model, core="CsPbBr3", shell="SiO2")["notes"])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"core": "RbPbBr3", "shell": "none"}, "Rb in the core is known from no paper"),
        ({"core": "Cs4PbI6", "shell": "none"}, "structure type A4BX6 is known from"),
        ({"core": "CsPb2Br5", "shell": "SiO2"}, "structure type AB2X5 is known from no paper"),
        ({"core": "Cs2PbBr4", "shell": "none"}, "structure type A2BX4 is known from"),
        ({"core": "CsPbBr3", "shell": "Au"}, "shell class 'metal' (Au) is known from"),
        ({"core": "CsPb(Cl0.5I0.5)3", "shell": "none"}, "0.50 away in site fraction"),
        ({"core": "CsPbBr3", "shell": "none", "core_size_nm": "2"}, "smaller than any known one"),
    ],
)
def test_what_is_outside_says_why(model: Model, row: dict[str, str], reason: str) -> None:
    answer = one(model, **row)
    assert not answer["in_domain"]
    assert any(reason in text for text in answer["domain_reasons"])


def test_a_verdict_is_that_of_its_target(model: Model) -> None:
    """Each target is out of domain where its own domain, or its stressor, says so."""
    stressors = ("water", "sonication")
    rows = [
        {"core": "CsPbBr3", "shell": "SiO2"},
        {"core": "FAPbBr3", "shell": "SiO2"},
        {"core": "RbPbBr3", "shell": "SiO2"},
        {"core": "CsPbBr3", "shell": "Au"},
        {"core": "CsPbBr3", "shell": "amorphous CsPbBrx"},
        {"core": "AuCu", "shell": "SiO2"},
    ]
    answers = model.answer(rows, stressors=stressors)
    reader, index = model.predictor.featurizer.reader, model.predictor.domain_index
    for row, answer in zip(rows, answers, strict=True):
        outside = index.outside(Requests.read_one(row, reader).item(0))
        values, reasons = answer.values, answer.domain
        assert values["in_domain_pl"] is ("PL" not in outside)
        assert values["in_domain_plqy"] is ("PLQY" not in outside)
        assert values["in_domain"] is (values["in_domain_pl"] and values["in_domain_plqy"])
        assert values["in_domain_stability_water"] is ("stability" not in outside)
        assert values["in_domain_stability_sonication"] is False
        assert list(reasons) == list(domain_columns(stressors)[1:])
        assert {name: not texts for name, texts in reasons.items()} == {
            name: values[name] for name in reasons
        }
        assert reasons["in_domain_plqy"] == [text for text in [outside.get("PLQY")] if text]
        thin = reasons["in_domain_stability_sonication"][-1]
        assert thin == "sonication: baseline prediction (1 paper only)"
        assert set(values["domain_reasons"]) == set().union(*reasons.values())
    verdicts = {tuple(answer.values[name] for name in answer.domain) for answer in answers}
    assert len(verdicts) >= 3


def test_one_target_out_of_domain_marks_no_other(model: Model) -> None:
    (answer,) = model.answer([{"core": "FAPbBr3", "shell": "SiO2"}], stressors=["water"])
    assert answer.values["in_domain"]
    assert not answer.values["in_domain_stability_water"]
    (reason,) = answer.values["domain_reasons"]
    assert reason.startswith("stability: FA in the core is known from ")
    assert answer.domain == {
        "in_domain_pl": [], "in_domain_plqy": [], "in_domain_stability_water": [reason],
    }  # fmt: skip
    assert answer.to_json()["details"]["domain"] == answer.domain


def test_a_row_without_an_answer_is_in_no_domain(model: Model) -> None:
    (answer,) = model.answer([{"core": "XX", "shell": "SiO2"}], stressors=["water"])
    assert [answer.values[name] for name in domain_columns(["water"])] == [False] * 4
    assert answer.domain == {}


def test_a_sample_beyond_the_reach_of_the_papers_is_outside(model: Model) -> None:
    predictor = model.predictor
    reach = predictor.domains["PLQY"].reach
    item = Requests.read_one(
        {"core": "CsPbBr3", "shell": "SiO2"}, predictor.featurizer.reader
    ).item(0)
    alike = np.full(len(predictor.literature.samples), reach)
    assert "PLQY" not in predictor.domain_index.outside(item, alike)
    reason = predictor.domain_index.outside(item, alike + 0.1)["PLQY"]
    assert "nearest sample at distance" in reason


def test_a_faulty_row_says_why_and_the_others_are_answered(model: Model) -> None:
    rows = [
        {"core": "CsPbX3", "shell": "SiO2"},
        {"core": "CsPbBr3", "shell": "SiO2"},
        {"core": "CsPbBr3", "shell": "SiO2", "medium": "gas"},
        {"core": "CsPbBr3", "shell": "SiO2", "core_size_nm": "big"},
        {"core": "CsPbBr3", "shell": "none", "structure": "janus"},
    ]
    answers = model.predict(rows)
    assert [bool(answer["error"]) for answer in answers] == [True, False, True, True, True]
    assert math.isnan(answers[0]["pl_peak_nm"])
    assert "medium 'gas': allowed: solution" in answers[2]["error"]
    assert "core_size_nm 'big': a number from" in answers[3]["error"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stressors": ["wind"]}, "stressor 'wind': allowed: water"),
        ({"stressors": ["water", "water"]}, "name each once"),
        ({"stressors": "water"}, r"stressors 'water': a list is needed, such as \['water'\]"),
        ({"stressors": {"water"}}, r"stressors {'water'}: a list is needed"),
        ({"stressors": None}, "stressors None: a list is needed"),
        ({"stressors": [["water"]]}, r"stressor \['water'\]: allowed: water"),
        ({"stressors": ["w" * 5000]}, r"^stressor 'w{99}\.\.\.: allowed"),
        ({"coverage": 1.0}, "coverage 1: a number above 0 and below 1"),
        ({"coverage": "0.9"}, "coverage '0.9': a number above 0 and below 1"),
        ({"coverage": None}, "coverage None: a number above 0 and below 1"),
        ({"thresholds": {"plqy_above": 80}}, "thresholds: a dict; perovshell.Thresholds is needed"),
        ({"thresholds": None}, "thresholds: a NoneType; perovshell.Thresholds is needed"),
    ],
)
def test_options_are_checked(model: Model, options: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        model.predict([{"core": "CsPbBr3", "shell": "SiO2"}], **options)


def test_a_measured_combination_names_its_papers(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "silica", "structure": "janus"}
    answer = model.answer([row])[0]
    hu = next(item for item in answer.measured if item.paper == "10.1021/jacs.7b11003")
    assert (hu.pl_peak_nm, hu.plqy_percent) == (517, 80)
    assert answer.nearest[0].paper == "10.1021/jacs.7b11003"
    assert answer.nearest[0].distance == 0


def test_json_has_no_infinity(model: Model) -> None:
    data = model.answer([{"core": "CsPbBr3", "shell": "SiO2"}])[0].to_json()
    assert data["half_life_h_water_upper"] is None
    assert data["half_life_h_water_upper_open"] is True


BARE = {"bare_pl_peak_nm": 510, "bare_plqy_percent": "0.4"}
MIXED: list[dict[str, object]] = [
    *({"core": c, "shell": s} for c in ("CsPbBr3", "FAPbI3") for s in ("none", "PMMA", "ZnS")),
    *({"core": f"CsPb(Br{x / 7:.4f}I{1 - x / 7:.4f})3", "shell": "CdS|Al2O3"} for x in range(1, 7)),
    {"core": "Cs0.2FA0.7MA0.1PbBr2.4I0.6", "shell": "SiO2", "structure": "janus", **BARE},
    {"core": "CsPbBr3@SiO2/TiO2", "core_size_nm": 9.5, "medium": "film", "ligand": "oleylamine"},
    {"core": "CsPbCl3", "shell": "none", "bare_pl_peak_nm": 410.0, "temperature_c": 60},
    {"core": "Cs2Pb2Cl6", "shell": "none", "morphology": "nanoplatelet", "medium": float("nan")},
    {"core": "AuCu", "shell": "CsPbCl3", "shell_thickness_nm": 2},
    {"core": "RbPbBr3", "shell": "Au"},
    {"core": "CsPb(Cl0.5I0.5)3", "shell": "none", "core_size_nm": "2"},
    {"core": "CsPbBr3", "shell": "amorphous CsPbBrx"},
    {"core": "CsPbBr3", "shell": "MgO|CsPbBr2Cl"},
    {"core": "CsPbX3", "shell": "SiO2"},
    {"core": "CsPbBr3", "shell": "SiO2", "medium": ["gas"]},
    {"core": "CsPbBr3", "shell": "SiO2", "core_size_nm": True},
    {"core": "CsPbBr3", "shell": "SiO2", "temperature_c": "warm"},
    {"core": "CsPbBr3", "shell": "none", "structure": "janus"},
    {"core": "CsPbBr3"},
    {},
]
"""Good and faulty, inside and outside the domain, salts and metals, coated and bare."""


def told(answer: Answer) -> str:
    """Return all that an answer holds as a text, in which NaN equals NaN."""
    parts = (answer.values, answer.nearest, answer.measured, answer.conditions, answer.domain)
    return repr(parts)


@pytest.mark.parametrize("stressors", [("water", "light", "heat"), ("sonication",), ()])
def test_a_batch_gives_the_answers_of_single_requests(
    model: Model, stressors: tuple[str, ...]
) -> None:
    thresholds = Thresholds(pl_window_nm=(510, 530), plqy_above=60, gain_above=10)
    asked = {"stressors": stressors, "thresholds": thresholds}
    together = model.answer(MIXED, **asked)
    for row, answer in zip(MIXED, together, strict=True):
        assert told(answer) == told(model.answer([row], **asked)[0])
    assert sum(bool(answer.values["error"]) for answer in together) == 7
    inside = sum(answer.values["in_domain"] for answer in together)
    assert 5 < inside < 15


def test_a_batch_of_many_blocks_keeps_its_order(model: Model) -> None:
    rows = MIXED * (ROWS_AT_ONCE // len(MIXED) + 2)
    answers = [told(answer) for answer in model.answer(rows)]
    assert len(answers) > ROWS_AT_ONCE
    assert answers == answers[: len(MIXED)] * (len(rows) // len(MIXED))


def test_a_row_is_read_among_others_as_it_is_read_alone(model: Model) -> None:
    reader = model.predictor.featurizer.reader
    many, errors = Requests.read(MIXED, reader)
    good = [row for place, row in enumerate(MIXED) if place not in errors]
    for place, row in enumerate(good):
        alone = Requests.read_one(row, reader)
        assert repr(many.item(place)) == repr(alone.item(0))
        for name, numbers in alone.numbers.items():
            np.testing.assert_array_equal(many.numbers[name][place], numbers[0])


def test_reasons_of_many_are_those_of_each(model: Model) -> None:
    predictor = model.predictor
    many, errors = Requests.read(MIXED, predictor.featurizer.reader)
    found = predictor.domain_index.find(many)
    good = [row for place, row in enumerate(MIXED) if place not in errors]
    for place, row in enumerate(good):
        item = Requests.read_one(row, predictor.featurizer.reader).item(0)
        assert found.outside.get(place, {}) == predictor.verdict(item, ()).outside
        nearest = predictor.literature.nearest(predictor.literature.distances(item))
        assert predictor.domain_index.neighbours(found, place) == nearest
        assert found.measured.get(place, []) == predictor.literature.measured(item)


@given(st.floats(allow_subnormal=False))
@example(0.0)
@example(-0.0)
@example(999999.5)
@example(99999.94)
@example(1e-300)
@example(1e22)
@example(math.nextafter(1000.0, 0.0))
def test_six_digits_are_those_of_a_text(value: float) -> None:
    """Save for a tie, which a text decides by digits beyond what a product keeps."""
    found = float(rounded(np.array([value]))[0])
    expected = float(f"{value:.6g}")
    assert repr(found) == repr(expected) or abs(found - expected) <= 1.1e-5 * abs(value)
    assert repr(found) == repr(float(f"{found:.6g}"))


def test_random_numbers_are_rounded_as_texts_are() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=20_000) * 10.0 ** random.uniform(-15, 26, 20_000)
    assert rounded(values).tolist() == [float(f"{value:.6g}") for value in values.tolist()]


def test_a_temperature_moves_stability_only(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "SiO2"}
    cold, hot = one(model, **row, temperature_c=25), one(model, **row, temperature_c=150)
    changed = {name for name in cold if cold[name] != hot[name]}
    assert changed
    assert all(name.startswith(("half_life", "stability_gain")) for name in changed)


def test_all_systems_of_the_review_are_answered(model: Model) -> None:
    with SYSTEMS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    answers = model.predict(rows)
    assert len(answers) == 40
    assert [row["core"] for row, a in zip(rows, answers, strict=True) if a["error"]] == []
    for answer in answers:
        assert all(math.isfinite(answer[f"pl_peak_nm{end}"]) for end in ("", "_lower", "_upper"))
        assert all(math.isfinite(answer[f"plqy_percent{end}"]) for end in ("", "_lower", "_upper"))
        assert answer["in_domain"] or answer["domain_reasons"]


@settings(max_examples=30, deadline=None)
@given(st.floats(0.5, 0.89), st.floats(0.9, 0.97))
def test_more_coverage_never_narrows(model: Model, less: float, more: float) -> None:
    rows = [{"core": "CsPbBr3", "shell": "SiO2"}]
    narrow, wide = (model.predict(rows, coverage=level)[0] for level in (less, more))
    for name in VALUES:
        assert wide[f"{name}_lower"] <= narrow[f"{name}_lower"] + 1e-9
        assert wide[f"{name}_upper"] >= narrow[f"{name}_upper"] - 1e-9


def test_the_distance_of_two_combinations_is_that_from_samples(model: Model) -> None:
    literature = model.predictor.literature
    rows = [{"core": "CsPbBr3", "shell": "SiO2"}, {"core": "CsPbBr2I", "shell": "ZnS"},
            {"core": "FAPbI3", "shell": "none"}]  # fmt: skip
    reader = model.predictor.featurizer.reader
    items = [Requests.read_one(row, reader).item(0) for row in rows]
    samples = [literature.item(row) for row in literature.samples]
    for item in items:
        own = [literature.apart(item, sample) for sample in samples]
        np.testing.assert_allclose(own, literature.distances(item), atol=1e-12)
    metal = Requests.read_one({"core": "Au", "shell": "SiO2"}, reader).item(0)
    assert literature.apart(metal, items[0]) == math.inf


# Reasons -------------------------------------------------------------------------------------


def test_the_reasons_of_an_answer_are_those_of_its_request(model: Model) -> None:
    rows = [
        {"core": "CsPbBr3", "shell": "SiO2", "bare_pl_peak_nm": 517},
        {"core": "FAPbI3", "shell": "none"},
        {"core": "AuCu", "shell": "SiO2"},
    ]
    expected = [model.explain(row, stressors=["water", "heat"]) for row in rows]
    alone = [model.answer([row], stressors=["water", "heat"])[0].reasons for row in rows]
    together = [one.reasons for one in model.answer(rows, stressors=["water", "heat"])]
    assert alone == expected == together
    [unread] = model.answer([{"core": "XX", "shell": "none"}])
    assert unread.reasons == []


def test_answers_with_the_same_values_are_equal_and_shown_by_them(model: Model) -> None:
    row = {"core": "CsPbBr3", "shell": "SiO2"}
    (first,), (second,), (other,) = (
        model.answer([one]) for one in (row, row, row | {"shell": "ZnS"})
    )
    assert first == second
    assert first != other
    assert len(repr(first)) < 10_000
