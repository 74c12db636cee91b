"""Rankings: what orders them, what the constraints remove, and what each line rests on."""

import csv
import dataclasses
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyarrow import parquet

from perovshell.data.vocabulary import STRESSORS
from perovshell.errors import DesignSpaceError
from perovshell.model import Model
from perovshell.models.domain_verdict import domain_columns
from perovshell.models.outputs import bound_columns
from perovshell.models.shell_evidence import GAIN as GAIN_EVIDENCE
from perovshell.models.shell_evidence import HALF_LIFE, PLQY, ShellEvidence
from perovshell.serve.ranking.candidates import CandidatePredictions
from perovshell.serve.ranking.objective import Levels, Predicted
from perovshell.serve.ranking.objectives import Objectives
from perovshell.serve.ranking.progress import Progress
from perovshell.serve.ranking.rank_probabilities import p_above_next
from perovshell.serve.ranking.ranking import Run, rank
from perovshell.serve.ranking.results import Candidate, Ranking
from perovshell.serve.ranking.scoring import LOG_FLAG, Options, Scorer
from perovshell.serve.report.tables import (
    csv_text,
    json_lists,
    markdown_text,
    summary,
    write_parquet,
)
from perovshell.serve.space.file import read_space
from perovshell.serve.space.preset import presets
from perovshell.targets.declared import STABILITY
from perovshell.targets.target import ENDS, NOT_REACHED

SPACE: dict[str, Any] = {
    "name": "test",
    "cores": {
        "A": {"ions": ["Cs", "FA"], "step": 0.5},
        "B": {"ions": ["Pb", "Sn"]},
        "X": {"ions": ["Br", "I"], "step": 0.5},
    },
    "shells": ["SiO2", "PMMA", "Au", "NaNO3", "ZrO2"],
    "pl_window_nm": [515, 535],
    "constraints": {"insoluble_in_water": False},
}
DRY = {"insoluble_in_water": False}


def with_(**changes: object) -> dict[str, Any]:
    return {**SPACE, **changes}


@pytest.fixture(scope="module")
def ranking(model: Model) -> Ranking:
    return rank(SPACE, model=model, top=1000, order_by="value")


def lines_of(space: dict[str, Any], model: Model, **options: Any) -> tuple[Candidate, ...]:
    return rank(
        space, model=model, top=1000, order_by=options.pop("order_by", "value"), **options
    ).candidates


def objectives(model: Model, **changes: object) -> Objectives:
    return Objectives(read_space(with_(**changes), model.predictor.featurizer.reader), model)


def claim_skill(model: Model, target: str, *, has_skill: bool, slope: float) -> Model:
    verdict = {**model.info.skill[target], "has_skill": has_skill, "slope": slope}
    info = dataclasses.replace(model.info, skill={**model.info.skill, target: verdict})
    return dataclasses.replace(model, info=info)


def keys(lines: tuple[Candidate, ...]) -> set[tuple[str, str]]:
    return {(line.core, line.shell) for line in lines}


def test_every_combination_is_in_one_of_the_lists(ranking: Ranking) -> None:
    lines = ranking.candidates
    assert ranking.total == len(lines) == 2 * 3 * 3 * 5 - ranking.removed["measured"]
    assert ranking.seen == ranking.space.size
    assert [line.rank for line in lines] == [
        1 + sum(other.score > line.score for other in lines) for line in lines
    ]
    assert len(keys(lines)) == ranking.total
    assert not keys(lines) & keys(ranking.measured)
    for some in (lines, ranking.measured):
        scores = [line.score for line in some]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)


def odds(value: float, half: float) -> float:
    """Return the desirability of a gain or half-life that has 0.5 at a value."""
    return 1 / (1 + math.sqrt(half / value))


def halved(line: Candidate) -> float:
    """Return the factor for the flags of a line."""
    return math.exp(LOG_FLAG * len(line.flags))


def test_the_score_is_the_weighted_geometric_mean_of_desirabilities(model: Model) -> None:
    weights = {"pl": 2, "plqy": 1, "gain": 1}
    for line in lines_of(with_(weights=weights), model):
        values = line.values
        gain = odds(values["stability_gain_pooled_water"], 10)
        parts = [values["p_pl_in_window"], values["plqy_pooled"] / 100, gain]
        logs = [math.log(max(part, 1e-9)) for part in parts]
        mean = math.exp((2 * logs[0] + logs[1] + logs[2]) / 4)
        assert line.score == pytest.approx(mean * halved(line))


def test_half_lives_and_nearness_can_be_objectives(model: Model) -> None:
    weights = {"half_life": 1, "domain": 1}
    space = with_(weights=weights, stressors=["water", "light"])
    for line in lines_of(space, model, order_by="lower-bound"):
        ends = {
            end: math.sqrt(
                math.prod(odds(line.values[f"half_life_h_{end}_{name}"], 1000)
                          for name in ("water", "light"))
            )
            for end in ("pooled", "at_least")
        }  # fmt: skip
        near = 0.5 ** line.values["domain_distance"]
        assert line.desirabilities == pytest.approx({"half_life": ends["pooled"], "domain": near})
        assert line.score == pytest.approx(math.sqrt(ends["at_least"] * near) * halved(line))


def test_a_threshold_takes_the_probability_to_exceed_it(model: Model) -> None:
    scores = model.predictor.points["plqy"].scores
    for line in lines_of(with_(weights={"plqy": 1}, plqy_above=60), model):
        # Of the value that ranks, with what papers measured of the shell.
        off = (60 - line.values["plqy_pooled"]) / line.values["plqy_pooled_scale"]
        above = max(1 - scores.cdf(np.array([off]))[0], 1e-9)
        assert line.score == pytest.approx(above * halved(line))


def test_the_lower_bound_is_what_nine_of_ten_new_papers_exceed(model: Model) -> None:
    evidence = model.predictor.shell_evidence
    fit = evidence.fit(PLQY)
    for line in lines_of(with_(weights={"plqy": 1}), model, order_by="lower-bound"):
        error = fit.known("", line.item.layers).error
        wider = math.sqrt(1 + (error**2 - evidence.usual_variance) / fit.total_variance)
        nine_of_ten = model.predictor.points["plqy"].signed_scores.lower_quantile(0.1)
        low = line.values["plqy_pooled"] + nine_of_ten * wider * line.values["plqy_scale"]
        assert line.values["plqy_at_least"] == pytest.approx(low)
        assert line.score == pytest.approx(max(low / 100, 1e-9) * halved(line))


def test_ignorance_costs(model: Model) -> None:
    """Of an untested shell less is known at least than of one that papers found good."""
    evidence, read = model.predictor.shell_evidence, model.predictor.featurizer.reader.read_shell
    for number, tested, untested in (
        ((HALF_LIFE, "water"), "PS", "PET"),
        ((GAIN_EVIDENCE, "water"), "TiO2", "HfO2"),
        ((PLQY, ""), "SiO2", "HfO2"),
    ):
        fit = evidence.fit(*number)
        known, unknown = (fit.known("", read(name)) for name in (tested, untested))
        assert known.error < unknown.error
        assert known.at_least > unknown.at_least
        spreads = fit.effects.spreads
        at_least = sum(spreads[kind] ** 2 for kind in ("class", "shell", "combination"))
        assert unknown.error**2 > at_least
    # A combination that papers measured is known better than its shell on a new core.
    fit = evidence.fit(HALF_LIFE, "water")
    ltas = [fit.known(core, read("zeolite:LTA")) for core in ("CsPbBr3", "")]
    assert ltas[0].error < ltas[1].error


def test_only_measurements_order_by_stability(model: Model) -> None:
    """Whatever the model predicts of gains and half-lives, untested shells of a class are equal."""
    space = {"cores": ["CsPbBr3"], "shells": ["HfO2", "CeO2", "EVA"], "stressors": ["light"]}
    scored = objectives(model, **space)
    items = [scored.space.item(number) for number in range(3)]
    columns = CandidatePredictions.of(scored, items).predicted.columns
    for name in ("stability_gain_at_least_light", "half_life_h_pooled_light"):
        hafnia, ceria, eva = columns[name]
        assert hafnia == ceria != eva
    predicted = columns["half_life_h_light"]
    assert predicted[0] != predicted[2]


def test_what_no_paper_measured_orders_nothing_and_is_said(model: Model) -> None:
    fits = model.predictor.shell_evidence.fits
    for known, said in (
        ({PLQY: fits[PLQY]}, "Fewer than 3 papers give a lower end of the gain under water: it"),
        ({}, "The model holds nothing of what papers measured of shells"),
    ):
        predictor = dataclasses.replace(model.predictor, shell_evidence=ShellEvidence(known))
        blind = dataclasses.replace(model, predictor=predictor)
        found = rank(with_(weights={"gain": 1}), model=blind, top=1000)
        assert all(line.score == pytest.approx(halved(line)) for line in found.candidates)
        assert any(text.startswith(said) for text in found.statements)


def test_a_pl_without_skill_orders_nothing(model: Model) -> None:
    blind = claim_skill(model, "pl", has_skill=False, slope=0.0)
    lines = lines_of(with_(weights={"pl": 1}), blind)
    scores = {round(line.score / halved(line), 9) for line in lines}
    spread = [line.values["pl_scale"] for line in lines]
    assert len(scores) <= len({round(own, 9) for own in spread})


def test_an_objective_of_weight_zero_does_not_count(model: Model) -> None:
    lines = lines_of(with_(weights={"pl": 1}), model)
    assert [line.score for line in lines] == pytest.approx(
        [max(line.values["p_pl_in_window"], 1e-9) * halved(line) for line in lines]
    )


def test_the_numbers_are_those_of_predict(model: Model, ranking: Ranking) -> None:
    for line in ranking.candidates[::17]:
        row = {
            "core": line.core, "shell": line.shell, "structure": line.item.structure,
            "medium": line.item.medium, "encapsulation": line.item.encapsulation,
        }  # fmt: skip
        answer = model.predict([row], stressors=["water"])[0]
        for name in ("pl_peak_nm", "plqy_percent", "half_life_h_water", "pl_peak_nm_lower"):
            assert line.values[name] == pytest.approx(answer[name], rel=1e-4)
        expected = tuple(answer[name] for name in domain_columns(["water"]))
        assert line.domain.values == expected
        assert answer["domain_reasons"] == list(line.reasons)


def test_values_and_signs_under_all_stressors_are_those_of_predict(model: Model) -> None:
    space = with_(stressors=list(STRESSORS), structures=["core/shell", "janus"])
    found = rank(space, model=model, top=1000)
    header, rows = found.table()
    names = ["core", "shell", "structure", "encapsulation", "medium"]
    asked = [dict(zip(header, row, strict=True)) for row in rows[::5]]
    requests = [{name: row[name] for name in names} for row in asked]
    answers = model.predict(requests, stressors=list(STRESSORS))
    columns = [t.column(s) + end for t in STABILITY for s in STRESSORS for end in ENDS]
    signs = bound_columns(STRESSORS)
    for row, answer in zip(asked, answers, strict=True):
        assert [row[name] for name in columns] == pytest.approx([answer[n] for n in columns], 1e-4)
        assert [row[name] for name in signs] == [answer[name] for name in signs]
    assert {row[name] for row in asked for name in signs} >= {"", ">"}
    (said,) = [text for text in found.statements if text.startswith("Half-lives and gains")]
    assert NOT_REACHED[">"] in said


@pytest.mark.parametrize("changes", [
    {}, {"stressors": ["sonication", "heat"]}, {"plqy_above": 70},
    {"weights": {"half_life": 1, "domain": 1}}, {"sizes_nm": [4, 9], "weights": {"pl": 1}},
])  # fmt: skip
@pytest.mark.parametrize("order_by", ["lower-bound", "value", "explore"])
def test_blocks_score_what_the_lines_score(
    model: Model, order_by: str, changes: dict[str, Any]
) -> None:
    """The product's score of each line is that of its own prediction, flags counted."""
    found = rank(with_(**changes), model=model, top=1000, order_by=order_by)
    scorer = Scorer(found.space, model, Options(order_by))
    items = [line.item for line in found.candidates]
    scores = np.exp(scorer.scores_of(CandidatePredictions.of(scorer.objectives, items)))
    expected = [line.score for line in found.candidates]
    np.testing.assert_allclose(scores, expected, rtol=1e-8, atol=1e-12)


def test_a_target_without_skill_orders_by_its_shrunk_differences(model: Model) -> None:
    center = model.predictor.points["plqy"].null_value
    predicted = np.array([center - 10, center + 10])
    for slope in (0.0, 0.5):
        own = objectives(claim_skill(model, "plqy", has_skill=False, slope=slope))
        assert shrunk_plqy(own, predicted) == pytest.approx(center + slope * (predicted - center))
    own = objectives(claim_skill(model, "plqy", has_skill=True, slope=0.5))
    assert shrunk_plqy(own, predicted) == pytest.approx(predicted)


def shrunk_plqy(objectives: Objectives, percent: np.ndarray) -> np.ndarray:
    """Return the PLQY that ranks where no paper says anything of the shell."""
    columns = {"plqy_percent": percent, "plqy_scale": np.ones_like(percent)}
    predicted = Predicted(columns, {"plqy": {}})
    objectives.plqy.add_values(predicted, np.array([0.0, 1.0]))
    return predicted.columns["plqy_pooled"]


def test_measurements_of_a_combination_pull_its_plqy(model: Model) -> None:
    """What papers measured beyond the prediction moves a combination, and narrows its bound."""
    own, read = objectives(model), model.predictor.featurizer.reader.read_shell
    beyond, width = own.plqy.terms(
        [("CsPbBr3", read("SiO2")), ("", read("SiO2")), ("", read("HfO2"))]
    )
    fit = model.predictor.shell_evidence.fit(PLQY)
    effects = fit.effects.effects
    names = ["mean:all", "class:oxide", "shell:SiO2", "combination:CsPbBr3 / SiO2"]
    sums = np.cumsum([effects[name] for name in names])
    assert beyond == pytest.approx([sums[3], sums[2], sums[1]])
    assert width[0] < width[1] < width[2]
    assert width[0] < 1.0


def test_a_flag_halves_the_score_of_what_nobody_made(model: Model) -> None:
    data = with_(cores=["CsPbBr3"], shells=["SnO2", "PbS"], stressors=["water"])
    flags = {line.shell: line.flags for line in rank(data, model=model).candidates}
    assert any("quenches" in flag for flag in flags["PbS"])
    weights = {"weights": {"pl": 1}}
    for line in lines_of({**data, **weights}, model):
        expected = line.values["p_pl_in_window"] * 0.5 ** len(flags[line.shell])
        assert line.score == pytest.approx(expected)


# Constraints ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("constraint", "gone"),
    [
        ({"lead_free": True}, "Pb"),
        ({"no_quenching_shell": True}, "Au"),
        ({"no_quenching_shell": True}, "MoS2"),
        ({"insoluble_in_water": True}, "NaNO3"),
        ({"cadmium_free": True}, "CdS"),
        ({"exclude": {"shells": ["silica"]}}, "SiO2"),
        ({"exclude": {"classes": ["polymer"]}}, "PMMA"),
        ({"exclude": {"ions": ["Sn"]}}, "Sn"),
        ({"exclude": {"cores": ["CsPbBr3"]}}, "CsPbBr3"),
        ({"band_alignment": ["wider gap", "unknown"]}, "Au"),
    ],
)
def test_a_constraint_removes_and_counts(
    model: Model, constraint: dict[str, Any], gone: str
) -> None:
    shells = [*SPACE["shells"], "CdS", "MoS2", "PbSO4"]
    found = rank(with_(shells=shells, constraints=constraint), model=model, top=1000)
    lines = [*found.measured, *found.candidates]
    assert not any(gone in (line.core, line.shell) for line in lines)
    if gone in {"Pb", "Sn"}:
        assert not any(gone in line.core + line.shell for line in lines)
    assert found.removed[next(iter(constraint))] > 0
    assert found.total + sum(found.removed.values()) == found.space.size


def test_what_is_included_alone_is_ranked(model: Model) -> None:
    include = {"ions": ["Cs", "Pb", "Br", "I"], "classes": ["oxide"]}
    lines = lines_of(with_(constraints={"include": include}), model)
    assert {line.shell for line in lines} == {"SiO2", "ZrO2"}
    assert not any("FA" in line.core or "Sn" in line.core for line in lines)
    one = {"combinations": ["FAPbBr3/PMMA"]}
    lines = lines_of(with_(constraints={"include": one}), model)
    assert [(line.core, line.shell) for line in lines] == [("FAPbBr3", "PMMA")]


def test_a_core_is_no_shell_of_itself(model: Model) -> None:
    shells = ["CsPbBr3", "CsPbBr3|SiO2", "SiO2|CsPbBr3", "SiO2"]
    found = rank(with_(cores=["Cs2Pb2Br6", "CsPbI3"], shells=shells), model=model)
    assert found.removed["shell_is_core"] == 2
    assert ("CsPbI3", "CsPbBr3") in {(line.core, line.shell) for line in found.candidates}


def test_a_tolerance_window_keeps_what_lies_in_it(model: Model) -> None:
    window = [0.85, 0.99]
    featurizer = model.predictor.featurizer
    column = featurizer.names.index("tolerance factor")
    lines = lines_of(with_(constraints={**DRY, "tolerance_factor": window}), model)
    kept = {line.core for line in lines}
    for line in lines_of(SPACE, model):
        factor = featurizer.matrix([line.item])[0, column]
        assert (line.core in kept) == (window[0] <= factor <= window[1])


def test_a_lattice_mismatch_removes_what_is_known_to_fit_badly(model: Model) -> None:
    shells = ["ZnS", "CdS", "SiO2", "PMMA"]
    featurizer = model.predictor.featurizer
    column = featurizer.names.index("lattice mismatch")
    limit = {"lattice_mismatch_below": 0.07}
    kept = {(x.core, x.shell) for x in lines_of(with_(shells=shells, constraints=limit), model)}
    for line in lines_of(with_(shells=shells), model):
        mismatch = featurizer.matrix([line.item])[0, column]
        assert ((line.core, line.shell) in kept) != (abs(mismatch) > 0.07)


def test_the_predicted_pl_lies_in_the_window_where_that_is_asked(model: Model) -> None:
    found = rank(with_(constraints={**DRY, "pl_in_window": True}), model=model, top=1000)
    assert all(515 <= line.values["pl_peak_nm"] <= 535 for line in found.candidates)
    removed = found.removed["pl_in_window"] + found.removed["measured"]
    assert 0 < found.total == found.space.size - removed


def test_inside_the_domain_alone(model: Model, ranking: Ranking) -> None:
    found = rank(with_(constraints={**DRY, "in_domain": True}), model=model, top=1000)
    assert not any(line.reasons for line in found.candidates)
    assert found.removed["in_domain"] == sum(bool(line.reasons) for line in ranking.candidates)


def test_the_domain_of_stability_removes_where_stability_has_a_weight(model: Model) -> None:
    """Two papers tested cores with FA; PL and PLQY know many."""
    asked = {
        "cores": ["FAPbBr3", "CsPbBr3"], "shells": ["MgO", "PVDF", "HfO2"],
        "constraints": {**DRY, "in_domain": True},
    }  # fmt: skip
    weighed = rank(with_(**asked), model=model, top=1000)
    assert {line.core for line in weighed.candidates} == {"CsPbBr3"}
    optical = {"pl": 1, "plqy": 1, "gain": 0, "half_life": 0}
    found = rank(with_(**asked, weights=optical), model=model, top=1000)
    lines = [line for line in found.candidates if line.core == "FAPbBr3"]
    assert lines
    assert all(line.domain.values == (True, True, True, False) for line in lines)


def test_a_stressor_with_few_papers_removes_nothing(model: Model) -> None:
    asked = {
        "cores": ["CsPbBr3"], "shells": ["MgO", "PVDF", "HfO2", "Ag"],
        "constraints": {**DRY, "in_domain": True},
    }  # fmt: skip
    water, thin = (
        rank(with_(**asked, stressors=stressors), model=model, top=1000)
        for stressors in (["water"], ["water", "sonication"])
    )
    assert thin.removed["in_domain"] == water.removed["in_domain"]
    assert thin.candidates
    for line in thin.candidates:
        assert line.domain.values == (True, True, True, True, False)


def test_cores_that_are_not_neutral_are_counted(model: Model) -> None:
    cores = {**SPACE["cores"], "B": {"ions": ["Pb", "Bi"], "step": 0.5}}
    found = rank(with_(cores=cores), model=model)
    assert found.removed["charge_balance"] == 2 * 9 * 5


def test_what_was_measured_is_listed_whatever_the_domain(model: Model) -> None:
    """The combination with the longest measured life lies outside the domain."""
    data = {
        "cores": ["CsPbBr3"], "shells": ["zeolite:LTA", "SiO2", "CaF2"],
        "pl_window_nm": [510, 530], "stressors": ["water"], "constraints": {"in_domain": True},
    }  # fmt: skip
    found = rank(data, model=model)
    assert [line.shell for line in found.measured] == ["SiO2", "zeolite:LTA"]
    lta = found.measured[1]
    assert lta.reasons
    assert lta.combination_papers == lta.shell_papers == ("lta2021",)
    assert "half-life 33,582 to 41,301 h" in lta.measured[0].stability


def test_a_measured_peak_outside_the_window_rules_out_and_one_inside_is_certain(
    model: Model,
) -> None:
    data = {"cores": ["CsPbBr3"], "shells": ["ZrO2", "HfO2"], "weights": {"pl": 1, "plqy": 1}}
    inside, outside = (
        rank({**data, "pl_window_nm": window}, model=model).measured
        for window in ([510, 520], [540, 560])
    )
    assert [line.desirabilities["pl"] for line in inside] == [1.0]
    assert not outside


def test_a_measured_core_between_the_steps_of_a_grid_is_listed(model: Model) -> None:
    cores = {"A": {"ions": ["Cs"]}, "B": {"ions": ["Pb"]}, "X": {"ions": ["Br", "I"], "step": 0.25}}
    found = rank(with_(cores=cores, pl_window_nm=[500, 700]), model=model)
    assert "CsPbBr1.2I1.8" in {line.core for line in found.measured}
    only = {**cores, "X": {"ions": ["Br", "I"], "step": 1}}
    found = rank(with_(cores=only, pl_window_nm=[500, 700]), model=model)
    assert {line.core for line in found.measured} <= {"CsPbBr3", "CsPbI3"}


def test_constraints_that_leave_nothing_say_what_each_removed(model: Model) -> None:
    data = with_(
        cores=["CsPbBr3"], shells=["Au", "NaNO3"],
        constraints={"no_quenching_shell": True, "insoluble_in_water": True},
    )  # fmt: skip
    said = "leave nothing of 2: insoluble_in_water 1, no_quenching_shell 1"
    with pytest.raises(DesignSpaceError, match=said):
        rank(data, model=model)


# Lines ---------------------------------------------------------------------------------------


def test_two_rankings_are_equal_and_the_first_lines_do_not_depend_on_top(
    model: Model, ranking: Ranking
) -> None:
    header, few = rank(SPACE, model=model, top=7, order_by="value", batch=3).table()
    _, every = ranking.table()
    seven, others = ([row for row in rows if row[0] == "candidates"] for rows in (few, every))
    for place, (mine, other) in enumerate(zip(seven, others[:7], strict=True)):
        # The last line has no next one.
        same = [k for k, name in enumerate(header) if place < 6 or name != "p_above_next"]
        assert [str(mine[k]) for k in same] == [str(other[k]) for k in same]


def test_progress_counts_every_combination(model: Model) -> None:
    seen: list[Progress] = []
    found = rank(with_(constraints={"in_domain": True}), model=model, progress=seen.append)
    assert (seen[0].done, seen[-1].done, seen[-1].total) == (0, *[found.space.size] * 2)
    assert seen[-1].fraction == 1
    assert seen[-1].workers == 1


def test_each_line_names_its_evidence(model: Model) -> None:
    data = with_(cores=["CsPbBr3"], shells=["SiO2", "CaF2", "PVDF"], weights={"half_life": 1})
    found = rank(data, model=model)
    silica, (fluoride, pvdf) = found.measured[0], sorted(found.candidates, key=lambda x: x.shell)
    assert "combination measured in " in silica.evidence
    assert {row.shell for row in silica.measured} == {"SiO2"}
    assert silica.combination_papers
    assert set(silica.combination_papers) < set(silica.shell_papers)
    assert "shell in no paper; bare core in" in fluoride.evidence
    assert "at least half-life under water " in fluoride.evidence
    assert fluoride.evidence.endswith("(nearest: tests of shells of other classes)")
    assert fluoride.combination_papers == fluoride.shell_papers == ()
    assert "shell in 1 paper" in pvdf.evidence
    assert pvdf.shell_papers == ("lv2019_zhou",)
    assert pvdf.evidence.endswith("(nearest: tests of other shells of class polymer)")
    assert len(silica.nearest) == len(fluoride.nearest) > 0


def test_shells_that_nothing_tells_apart_are_one_line(model: Model) -> None:
    data = with_(cores=["CsPbBr3"], shells=["EVA", "SBS", "HfO2", "PVDF"])
    found = rank(data, model=model)
    lines = {line.shell: line.ties for line in found.candidates}
    assert lines == {"EVA": ("SBS",), "HfO2": (), "PVDF": ()}
    assert found.total == 4
    # A shell that the request names is a line of its own.
    named = with_(**{**data, "constraints": {**DRY, "exclude": {"combinations": ["FAPbBr3/SBS"]}}})
    named["cores"] = ["CsPbBr3", "FAPbBr3"]
    ranks = {(x.core, x.shell): x.rank for x in rank(named, model=model).candidates}
    assert ranks["CsPbBr3", "EVA"] == ranks["CsPbBr3", "SBS"]
    assert ("FAPbBr3", "EVA") in ranks
    assert ("FAPbBr3", "SBS") not in ranks


def test_lines_of_one_score_share_a_rank(model: Model) -> None:
    """Shells that papers told apart are lines of their own, above those in no paper."""
    data = with_(cores=["CsPbBr3"], shells=["EVA", "SBS", "epoxy", "polysulfone", "HfO2"])
    found = rank(data, model=model)
    for lines in (found.candidates, rank("green-emitter", model=model).measured):
        ranks = {line.rank: line.score for line in lines}
        assert len(ranks) == len({line.score for line in lines})
        assert all(line.rank == 1 + sum(o.score > line.score for o in lines) for line in lines)
    alike = [line for line in found.candidates if line.shell in {"epoxy", "polysulfone", "EVA"}]
    assert len({line.rank for line in alike}) == 1
    assert [line.shell for line in alike] == ["epoxy", "polysulfone", "EVA"]


def test_no_shell_fills_the_list_where_no_objective_tells_cores_apart(model: Model) -> None:
    grid = {"A": {"ions": ["Cs", "FA", "MA"], "step": 0.1, "at_most": 3}, "B": {"ions": ["Pb"]},
            "X": {"ions": ["Br", "I"], "step": 0.1}}  # fmt: skip
    space = {"cores": grid, "shells": "all known", "weights": {"half_life": 1}}
    found = rank(space, model=model, top=30)
    assert len({line.shell for line in found.candidates}) > 25
    assert any("No objective tells cores apart" in text for text in found.statements)


def test_no_shell_fills_the_list_across_blocks_of_cores(model: Model) -> None:
    """More cores than a block has, and as many scores as a shell has flags."""
    grid = {"A": {"ions": ["Cs", "FA", "MA"], "step": 0.05, "at_most": 3}, "B": {"ions": ["Pb"]},
            "X": {"ions": ["Br", "I"], "step": 0.05}}  # fmt: skip
    space = {"cores": grid, "shells": "all known", "weights": {"half_life": 1}}
    found = rank(space, model=model, top=200)
    assert read_space(space, model.predictor.featurizer.reader).cores.size > 2 * 2048
    single = rank({**space, "cores": ["CsPbI3"]}, model=model, top=200)
    assert {line.shell for line in single.candidates} <= {line.shell for line in found.candidates}
    assert all(" / " not in name for line in found.candidates for name in line.ties)


def test_sizes_that_are_alike_fill_no_list(model: Model) -> None:
    space = {
        "cores": ["CsPbBr3", "CsPbI3"], "shells": "all known", "weights": {"plqy": 1},
        "sizes_nm": [60 + 0.1 * step for step in range(400)],
    }  # fmt: skip
    found = rank(space, model=model, top=50).candidates
    assert len(found) == 50
    assert any("core of 60.1 nm" in name for name in found[0].ties)


@pytest.mark.parametrize(
    ("first", "second", "stressor"),
    [("PDMS", "PP", "light"), ("SiO2|PET", "ZrO2|PET", "water")],
)
def test_shells_of_different_evidence_are_no_tie_in_any_order(
    model: Model, first: str, second: str, stressor: str
) -> None:
    """PDMS was tested as a layer; the stacks share a layer of two."""
    scores = []
    for shells in ([first, second], [second, first]):
        data = {"cores": ["CsPbBr3"], "shells": shells, "stressors": [stressor]}
        found = rank({**data, "weights": {"half_life": 1}, "constraints": DRY}, model=model)
        assert [line.ties for line in found.candidates] == [(), ()]
        scores.append({line.shell: line.score for line in found.candidates})
    assert scores[0] == scores[1]


@pytest.mark.parametrize("weights", [{"pl": 1, "domain": 1}, {"domain": 1}])
def test_what_was_measured_stands_apart_where_only_the_domain_counts(
    model: Model, weights: dict[str, float]
) -> None:
    data = {"cores": ["CsPbBr3"], "shells": ["SiO2", "HfO2"], "pl_window_nm": [510, 530]}
    found = rank({**data, "weights": weights}, model=model)
    assert [line.shell for line in found.measured] == ["SiO2"]
    assert [line.shell for line in found.candidates] == ["HfO2"]


@pytest.mark.parametrize(
    ("stressor", "shell"), [("sonication", "SiO2"), ("polar-solvent", "PbSO4")]
)
def test_a_test_under_a_thin_stressor_was_measured(model: Model, stressor: str, shell: str) -> None:
    data = {"cores": ["CsPbBr3"], "shells": ["SiO2", "PbSO4", "HfO2"], "stressors": [stressor]}
    found = rank({**data, "weights": {"gain": 1}, "constraints": DRY}, model=model)
    assert [line.shell for line in found.measured] == [shell]
    assert shell not in {line.shell for line in found.candidates}


def test_a_window_that_nobody_asks_for_hides_no_measurement(model: Model) -> None:
    data = {
        "cores": ["CsPbBr3", "CsPbI3"], "shells": ["SiO2", "HfO2"], "pl_window_nm": [510, 530],
    }  # fmt: skip
    asked = rank({**data, "weights": {"pl": 1, "plqy": 1}}, model=model).measured
    assert [(line.core, line.shell) for line in asked] == [("CsPbBr3", "SiO2")]
    only = {"pl_in_window": True}
    held = rank({**data, "weights": {"plqy": 1}, "constraints": only}, model=model).measured
    assert [(line.core, line.shell) for line in held] == [("CsPbBr3", "SiO2")]
    free = rank({**data, "weights": {"plqy": 1}}, model=model).measured
    assert {(line.core, line.shell) for line in free} == {("CsPbBr3", "SiO2"), ("CsPbI3", "SiO2")}


def test_draws_of_a_peak_without_skill_agree_with_its_probability(model: Model) -> None:
    shrunk = claim_skill(model, "pl", has_skill=False, slope=0.0)
    scored = objectives(shrunk, cores=["CsPbI3"], shells=["HfO2"], pl_window_nm=[510, 530])
    line = rank(
        with_(cores=["CsPbI3"], shells=["HfO2"], pl_window_nm=[510, 530]), model=shrunk
    ).candidates[0]
    predictions = CandidatePredictions.of(scored, [line.item])
    peak = next(one for one in scored.active if one.name == "pl")
    level = (np.arange(2000) + 0.5) / 2000
    levels = Levels(np.broadcast_to(level, (2, 1, 2000)), np.zeros((2, 1, 1, 2000)))
    drawn = peak.outcomes(predictions.predicted, levels).mean()
    assert drawn == pytest.approx(float(peak.desirability(predictions.predicted)[0]), abs=0.05)


def test_flags_count_in_the_probability_of_the_order(model: Model) -> None:
    """Of two shells alike but for a flag, the flagged one is hardly ever above."""
    scored = objectives(model, cores=["CsPbBr3"], shells=["SiO2", "SnO2"], stressors=["light"])
    lines = rank(
        with_(cores=["CsPbBr3"], shells=["HfO2", "SnO2"], stressors=["light"]), model=model
    ).candidates
    assert [bool(line.flags) for line in lines] == [False, True]
    predictions = CandidatePredictions.of(scored, [line.item for line in lines])
    (above,) = p_above_next(scored, predictions)
    turned = CandidatePredictions.of(scored, [line.item for line in reversed(lines)])
    (below,) = p_above_next(scored, turned)
    assert above + below == pytest.approx(1.0)
    assert lines[0].p_above_next > 0.6


def test_a_stack_is_known_by_its_layers(model: Model) -> None:
    fit = model.predictor.shell_evidence.fit(HALF_LIFE, "water")
    read = model.predictor.featurizer.reader.read_shell
    stack, silica, ps = (fit.known("", read(name)) for name in ("SiO2|PS", "SiO2", "PS"))
    assert silica.mean < stack.mean < ps.mean
    assert stack.at_least < ps.at_least
    assert fit.level("", read("SiO2|PS")) == "tests of its layers"


def test_exploring_compares_what_is_expected_with_what_is_expected(model: Model) -> None:
    data = {**SPACE, "cores": ["CsPbBr3"], "shells": "all known", "stressors": ["water"]}
    by = {name: rank(data, model=model, order_by=name).measured[0] for name in ("value", "explore")}
    assert by["explore"].score == by["value"].score
    assert by["explore"].shell == by["value"].shell


def test_ignorance_costs_where_a_threshold_is_asked(model: Model) -> None:
    """What is not known of a poor shell makes it more probable above the threshold, not better."""
    scored = objectives(model, cores=["CsPbBr3"], shells=["SiO2"], plqy_above=80)
    columns = {"plqy_percent": np.full(2, 60.0), "plqy_scale": np.full(2, 10.0)}
    predicted = Predicted(columns, {"plqy": {}})
    scored.plqy.add_values(predicted, np.array([[0.0, 0.0], [1.0, 1.5]]))
    known, unknown = scored.plqy.desirability(predicted)
    assert known < unknown
    known, unknown = scored.plqy.desirability(predicted, at_lower_bound=True)
    assert unknown < known < 1.0
    predicted.columns["plqy_at_least"] = np.array([79.0, 95.0])
    below, above = scored.plqy.desirability(predicted, at_lower_bound=True)
    assert below < above == 1.0


def test_no_line_of_the_front_is_beaten(ranking: Ranking) -> None:
    def steps(line: Candidate) -> np.ndarray:
        return np.rint(100 * np.array(list(line.desirabilities.values())))

    every = np.array([steps(line) for line in ranking.candidates])
    fronts = {(line.core, line.shell) for line in ranking.front}
    for line in ranking.candidates:
        own = steps(line)
        beaten = ((every >= own).all(axis=1) & (every > own).any(axis=1)).any()
        if (line.core, line.shell) in fronts:
            assert not beaten
            assert line.is_pareto
        elif not beaten:  # An equal line stands for it.
            assert any((steps(other) == own).all() for other in ranking.front)


def test_a_batch_holds_no_neighbours(model: Model) -> None:
    cores = {"A": {"ions": ["Cs", "FA"], "step": 0.1}, "B": {"ions": ["Pb"]},
             "X": {"ions": ["Br", "I"], "step": 0.1}}  # fmt: skip
    found = rank(with_(cores=cores), model=model, batch=4)
    assert len(found.batch) == 4
    assert found.batch[0].core == found.candidates[0].core
    literature = model.predictor.literature
    for place, one in enumerate(found.batch):
        for other in found.batch[:place]:
            cores_apart = np.abs(
                literature.fractions(one.item.core) - literature.fractions(other.item.core)
            ).sum()
            assert cores_apart >= 0.6 or one.shell != other.shell


def test_the_overview_has_the_best_of_each_family_and_shell(ranking: Ranking) -> None:
    best: dict[str, float] = {}
    for line in ranking.candidates:
        best[line.shell] = max(best.get(line.shell, 0.0), line.score)
    own = ranking.overview
    assert dict(zip(own.shells, np.nanmax(own.score, axis=0), strict=True)) == pytest.approx(best)
    assert list(own.shells) == sorted(best, key=lambda name: -best[name])


def test_a_shell_that_dissolves_is_no_answer_to_water_unless_asked_for(model: Model) -> None:
    own = {name: value for name, value in SPACE.items() if name != "constraints"}
    assert rank(own, model=model).removed["insoluble_in_water"] == 18
    assert "insoluble_in_water" not in rank({**own, "stressor": "light"}, model=model).removed


def test_exploring_is_over_what_satisfies_the_constraints(model: Model) -> None:
    found = rank("lead-free", model=model, order_by="explore")
    assert "Pb" not in found.statements[0]


def test_an_exploration_that_expects_nothing_says_so(model: Model) -> None:
    window = with_(pl_window_nm=[1500, 1600])
    said = rank(window, model=model, order_by="explore").statements[0]
    assert "no measured combination satisfies" in said


def test_lines_outside_the_domain_are_spoken_of_first(model: Model) -> None:
    said = rank("lead-free", model=model).statements
    assert "candidates are outside the domain" in said[1]


def test_a_semiconductor_of_unknown_gap_may_quench_any_core(model: Model) -> None:
    data = with_(cores=["Cs2SnI6", "Cs3Sb2Br9"], shells=["Ag2S", "MoS2"],
                 constraints={"no_quenching_shell": True})  # fmt: skip
    with pytest.raises(DesignSpaceError, match="no_quenching_shell"):
        rank(data, model=model)


def test_the_first_lines_read_as_a_chemist_would_have_them(model: Model) -> None:
    found = rank("green-emitter", model=model)
    reader = model.predictor.featurizer.reader
    measured = [line.shell for line in found.measured[:15] if line.core == "CsPbBr3"]
    assert {"SiO2", "ZrO2", "PS", "glass:borosilicate", "TiO2"} <= set(measured)
    assert "zeolite:LTA" in {line.shell for line in found.measured}
    first = found.candidates[:20]
    assert len(keys(first)) == 20
    for line in (*found.measured, *first):
        assert all(layer.in_water == "insoluble" for layer in line.item.layers)
        assert not any("Cd" in layer.formula for layer in line.item.layers)
        # Each is spelt as it would be read again.
        assert reader.read_core(line.core).key == line.item.core.key
        assert reader.read_shell(line.shell) == line.item.layers
    assert not any(line.reasons for line in first)
    # What papers found good on other cores is above what nobody tried of its class.
    ranks = {line.shell: line.rank for line in found.candidates if line.core == "MAPbBr3"}
    assert ranks["PS"] < ranks["PDMS"]
    assert max(ranks["ZrO2"], ranks["Ta2O5"]) < min(ranks["HfO2"], ranks["ZnO"], ranks["SnO2"])


@pytest.mark.parametrize("preset", presets())
def test_every_preset_ranks_something(model: Model, preset: str) -> None:
    found = rank(preset, model=model, batch=3)
    assert len(found.candidates) > 20
    assert not any("Cd" in line.shell for line in (*found.measured, *found.candidates))
    assert len(found.batch) == 3


def test_statements_name_each_target(ranking: Ranking) -> None:
    named = [text.split(":")[0] for text in ranking.statements]
    assert named[-4:] == ["PL peak", "PLQY", "Stability gain", "Half-life"]
    only = rank(with_(weights={"plqy": 1}), model=ranking.model).statements
    assert not any(text.startswith(("PL peak", "Stability gain")) for text in only)


def test_light_on_mixed_halides_is_a_flag(model: Model) -> None:
    found = rank(with_(stressor="light", cores=["CsPbBr1.5I1.5", "CsPbBr3"]), model=model)
    flagged = {line.core for line in found.candidates if any("demix" in f for f in line.flags)}
    assert flagged == {"CsPbBr1.5I1.5"}


def test_the_table_has_the_promised_columns(ranking: Ranking) -> None:
    header, rows = ranking.table()
    assert header[:5] == ["list", "rank", "core", "shell", "structure"]
    verdicts = domain_columns(ranking.space.stressors)
    assert header[-len(verdicts) - 2 :] == [*verdicts, "domain_reasons", "nearest_papers"]
    assert {"ties", "flags", "combination_papers", "shell_papers", "score"} <= set(header)
    assert {len(row) for row in rows} == {len(header)}
    names = [row[0] for row in rows]
    counts = {"measured": len(ranking.measured), "candidates": len(ranking.candidates)}
    assert {name: names.count(name) for name in names} == counts
    assert {name: len(lines) for name, lines in json_lists(ranking).items()} == counts


def test_lists_are_lists_in_json_and_one_text_in_tables(model: Model, tmp_path: Path) -> None:
    space = with_(cores=["CsPbBr3"], shells=["Au|Ag", "HfO2"], stressors=["water", "sonication"])
    found = rank(space, model=model)
    wanted = {line.shell: list(line.reasons) for line in found.candidates}
    assert len(wanted["Au|Ag"]) > 1
    lines = json_lists(found)["candidates"]
    assert {row["shell"]: row["domain_reasons"] for row in lines} == wanted
    write_parquet(found, tmp_path / "ranking.parquet")
    tables = [
        list(csv.DictReader(io.StringIO(csv_text(found)))),
        found.to_frame().to_dict(orient="records"),
        parquet.read_table(tmp_path / "ranking.parquet").to_pylist(),
    ]
    for table in tables:
        cells = {row["shell"]: row["domain_reasons"] for row in table}
        assert cells == {shell: " | ".join(reasons) for shell, reasons in wanted.items()}


def test_markdown_has_a_row_a_line_and_no_stray_bars(model: Model) -> None:
    found = rank(with_(shells=["CdS|Al2O3", "SiO2"]), model=model, top=5)
    rows = [text for text in markdown_text(found).splitlines() if text.startswith("|")]
    assert len(rows) == 2 + len(found.measured) + 2 + 5
    assert len({row.count("|") for row in rows}) == 1
    assert "CdS&#124;Al2O3" in "".join(rows)


def test_the_summary_says_what_to_measure_next(model: Model) -> None:
    said = summary(rank(SPACE, model=model, batch=2), suggest_experiments=True)
    text = "\n".join(said)
    for part in ("Measured: ", "Worth trying: ", "A batch of 2", "changes the choice from"):
        assert part in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"order_by": "luck"}, "order_by 'luck': allowed: lower-bound, value, explore"),
        ({"top": 0}, "top 0: a number from 1 up"),
        ({"batch": -1}, "batch -1: a number from 0 up"),
        ({"run": {"engine": "abacus"}}, "engine 'abacus': allowed: local, dask"),
        (
            {"run": {"scheduler": "tcp://127.0.0.1:1"}},
            "scheduler 'tcp.*': needs engine='dask', not 'local'",
        ),
    ],
)
def test_unknown_options_are_named(model: Model, options: dict[str, Any], said: str) -> None:
    with pytest.raises(DesignSpaceError, match=said):
        rank(SPACE, model=model, **{**options, "run": Run(**options.get("run", {}))})


def test_a_file_names_a_space_too(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "space.yaml"
    path.write_text("cores: [CsPbBr3]\nshells: [SiO2]\npl_window_nm: [500, 530]\n")
    assert [line.shell for line in rank(str(path), model=model).measured] == ["SiO2"]
