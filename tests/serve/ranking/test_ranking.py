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

from perovshell.data.dataset import Dataset
from perovshell.data.shells import shell_text
from perovshell.data.vocabulary import STRESSORS
from perovshell.errors import DesignSpaceError
from perovshell.model import Model
from perovshell.models.outputs import bound_columns
from perovshell.models.requests import Requests
from perovshell.models.stability import thin_stressors
from perovshell.serve.ranking.candidates import CandidatePredictions, measured_candidates
from perovshell.serve.ranking.objective import Predicted
from perovshell.serve.ranking.objectives import Objectives
from perovshell.serve.ranking.point_objectives import Measured
from perovshell.serve.ranking.ranking import Run, rank
from perovshell.serve.ranking.results import Candidate, Ranking
from perovshell.serve.ranking.stability_objectives import GainObjective, HalfLifeObjective
from perovshell.serve.report.tables import (
    csv_text,
    json_lines,
    markdown_text,
    summary,
    write_parquet,
)
from perovshell.serve.space.file import presets, read_space
from perovshell.targets.declared import STABILITY
from perovshell.targets.target import ENDS, NOT_REACHED
from perovshell.training.fit.problems import combination_of

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


def of_gain(objectives: Objectives) -> GainObjective:
    return next(one for one in objectives.every if isinstance(one, GainObjective))


def claim_skill(model: Model, target: str, *, has_skill: bool, slope: float) -> Model:
    verdict = {**model.info.skill[target], "has_skill": has_skill, "slope": slope}
    info = dataclasses.replace(model.info, skill={**model.info.skill, target: verdict})
    return dataclasses.replace(model, info=info)


def test_every_combination_gets_one_line(ranking: Ranking) -> None:
    assert ranking.total == len(ranking.candidates) == 2 * 3 * 3 * 5
    assert ranking.seen == ranking.space.size
    assert [line.rank for line in ranking.candidates] == list(range(1, ranking.total + 1))
    assert len({(line.core, line.shell) for line in ranking.candidates}) == ranking.total
    scores = [line.score for line in ranking.candidates]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_the_score_is_the_weighted_geometric_mean_of_desirabilities(model: Model) -> None:
    weights = {"pl": 2, "plqy": 1, "gain": 1}
    for line in lines_of(with_(weights=weights), model):
        values = line.values
        gain = min(max(math.log(values["stability_gain_shrunk_water"]) / math.log(1000), 0), 1)
        parts = [values["p_pl_in_window"], values["plqy_shrunk"] / 100, gain]
        logs = [math.log(max(part, 1e-9)) for part in parts]
        assert line.score == pytest.approx(math.exp((2 * logs[0] + logs[1] + logs[2]) / 4))


def test_half_lives_and_nearness_can_be_objectives(model: Model) -> None:
    weights = {"half_life": 1, "domain": 1}
    for line in lines_of(with_(weights=weights, stressors=["water", "light"]), model):
        shares = [
            min(max(math.log(line.values[f"half_life_shrunk_{name}"]) / math.log(1e4), 0), 1)
            for name in ("water", "light")
        ]
        life = math.sqrt(math.prod(max(share, 1e-9) for share in shares))
        near = 0.5 ** line.values["domain_distance"]
        assert line.desirabilities == pytest.approx({"half_life": life, "domain": near})
        assert line.score == pytest.approx(math.sqrt(max(life, 1e-9) * near))


def test_a_threshold_takes_the_probability_to_exceed_it(model: Model) -> None:
    scores = model.predictor.points["plqy"].scores
    for line in lines_of(with_(weights={"plqy": 1}, plqy_above=60), model):
        # Of the value that ranks, papers on shell and combination pooled.
        off = (60 - line.values["plqy_shrunk"]) / line.values["plqy_scale"]
        assert line.score == pytest.approx(max(1 - scores.cdf(np.array([off]))[0], 1e-9))


def test_the_lower_bound_is_what_nine_of_ten_new_papers_exceed(model: Model) -> None:
    for line in lines_of(with_(weights={"plqy": 1}), model, order_by="lower-bound"):
        scale = line.values["plqy_scale"]
        width = objectives(model).plqy.shell_width(line.item.layers) * scale
        low = (
            line.values["plqy_shrunk"]
            + model.predictor.points["plqy"].signed_scores.lower_quantile(0.1) * width
        )
        assert line.score == pytest.approx(max(low / 100, 1e-9))


def test_equal_widths_are_said_to_order_by_value(model: Model) -> None:
    one = {"cores": ["CsPbBr3"], "shells": ["SiO2"], "weights": {"plqy": 1}}
    said = rank(with_(**one), model=model).statements[0]
    assert "equally wide, so this is also the order by value" in said
    said = rank(SPACE, model=model).statements[0]
    assert "points below its value" in said
    assert "Intervals of gain are equally wide for all" in said


def ranked_gains(scored: Objectives, stressor: str) -> dict[str, tuple[float, float]]:
    """Return the log gain that ranks each shell, and that of the model."""
    items = [scored.space.item(number) for number in range(scored.space.size)]
    shown = CandidatePredictions.of(scored, items).predicted.columns
    predictor = scored.model.predictor
    rows = [{"core": item.core.formula, "shell": shell_text(item.layers)} for item in items]
    requests, errors = Requests.read(rows, predictor.featurizer.reader)
    assert not errors
    predicted = predictor.stability_of(predictor.batch(requests), [stressor])
    gains = (predicted.side - predicted.bare)[0]
    ranked = np.log(shown[f"stability_gain_shrunk_{stressor}"])
    return {row["shell"]: pair for row, *pair in zip(rows, ranked, gains, strict=True)}


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_only_measured_evidence_orders_by_a_gain_without_skill(model: Model, slope: float) -> None:
    """The model has no skill here: only tests of the shell itself move its gain."""
    assert not model.info.skill["gain"]["has_skill"]
    blind = claim_skill(model, "gain", has_skill=False, slope=slope)
    unseen = ["HfO2", "CeO2", "EVA"]
    space = {"cores": ["CsPbBr3"], "shells": ["SiO2", "CdS", *unseen], "stressors": ["light"]}
    scored = objectives(blind, **space)
    stability, read = model.predictor.stability, model.predictor.featurizer.reader.read_shell
    bare, coated = stability.null_values("light")
    null = coated - bare
    gains = ranked_gains(scored, "light")
    for shell, (ranked, predicted) in gains.items():
        tested = stability.material_effect(read(shell))
        assert ranked == pytest.approx(null + slope * (predicted - null) + (1 - slope) * tested)
    assert (len({round(gains[name][0], 9) for name in unseen}) == 1) is (slope == 0.0)
    assert len({round(ranked, 9) for ranked, _ in gains.values()}) > 1


def test_a_pl_without_skill_orders_nothing(model: Model) -> None:
    blind = claim_skill(model, "pl", has_skill=False, slope=0.0)
    scores = {round(line.score, 9) for line in lines_of(with_(weights={"pl": 1}), blind)}
    spread = [line.values["pl_scale"] for line in lines_of(with_(weights={"pl": 1}), blind)]
    assert len(scores) <= len({round(own, 9) for own in spread})


def test_without_shrinkage_predictions_order_as_they_are(model: Model) -> None:
    shrunk = claim_skill(model, "plqy", has_skill=False, slope=0.0)
    weights = {"plqy": 1}
    for line in lines_of(with_(weights=weights), shrunk, shrink=False):
        assert line.score == pytest.approx(line.values["plqy_percent"] / 100)
    scores = {line.shell: line.score for line in lines_of(with_(weights=weights), shrunk)
              if not line.measured}  # fmt: skip
    center = model.predictor.points["plqy"].null_value
    own = objectives(shrunk)
    for layers in own.space.shells:
        expected = (center + own.plqy.shell_effect(layers)) / 100
        assert scores[shell_text(layers)] == pytest.approx(expected)


def test_an_objective_of_weight_zero_does_not_count(model: Model) -> None:
    lines = lines_of(with_(weights={"pl": 1}), model)
    assert [line.score for line in lines] == pytest.approx(
        [max(line.values["p_pl_in_window"], 1e-9) for line in lines]
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
        assert answer["in_domain"] is not bool(line.reasons)


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
@pytest.mark.parametrize("shrink", [True, False])
@pytest.mark.parametrize("order_by", ["lower-bound", "value", "explore"])
def test_blocks_score_what_the_lines_score(
    model: Model, order_by: str, changes: dict[str, Any], *, shrink: bool
) -> None:
    """The product's score of each line is that of its own prediction, evidence pooled."""
    found = rank(with_(**changes), model=model, top=1000, order_by=order_by, shrink=shrink)
    own = Objectives(found.space, model, shrink=shrink)
    items = [line.item for line in found.candidates]
    predictions = CandidatePredictions.of(own, items)
    if order_by == "explore":
        known = measured_candidates(own, lambda _: True)[0].score
        scores = own.improvement(predictions.predicted, known)
    else:
        at_lower_bound = order_by == "lower-bound"
        desirable = own.desirabilities(predictions.predicted, at_lower_bound=at_lower_bound)
        scores = np.exp(own.log_score(desirable))
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
    return predicted.columns["plqy_shrunk"]


def test_a_half_life_without_skill_shrinks_to_the_null_model(model: Model) -> None:
    own = objectives(claim_skill(model, "lifetime", has_skill=False, slope=0.5))
    _, log_null = model.predictor.stability.null_values("water")
    null = math.exp(log_null) * math.log(2)
    predicted = Predicted({"half_life_h_water": null * np.array([1.0, 4.0])}, {})
    half_life = next(one for one in own.every if isinstance(one, HalfLifeObjective))
    half_life.add_values(predicted, np.zeros((1, 2)))
    assert predicted.columns["half_life_shrunk_water"] == pytest.approx([null, 2 * null])


@pytest.mark.parametrize(("papers", "pooled"), [(8, 70.0), (2, 58.0)])
def test_measured_plqy_of_the_combination_pulls_by_papers(
    model: Model, papers: int, pooled: float
) -> None:
    """Papers against a prior worth eight: n of them move by n / (n + 8) of the distance."""
    own = objectives(model)
    shrunk, lower = np.array([50.0, 50.0]), np.array([30.0, 30.0])
    predicted = Predicted({"plqy_shrunk": shrunk, "plqy_shrunk_lower": lower}, {})
    own.plqy.pool(predicted, 0, Measured(papers, 90.0))
    assert shrunk == pytest.approx([pooled, 50.0])
    assert lower == pytest.approx([30.0 + pooled - 50.0, 30.0])
    Objectives(own.space, model, shrink=False).plqy.pool(predicted, 1, Measured(8, 90.0))
    assert shrunk[1] == 50.0


def test_a_shell_that_papers_know_has_a_narrower_bound(model: Model) -> None:
    own = objectives(model)
    reader = model.predictor.featurizer.reader
    silica, unseen = (own.plqy.shell_width(reader.read_shell(name)) for name in ("SiO2", "HfO2"))
    assert silica < 1.0 < unseen
    as_predicted = Objectives(own.space, model, shrink=False)
    assert as_predicted.plqy.shell_width(reader.read_shell("SiO2")) == 1.0


def test_a_shell_moves_by_what_its_papers_found_beyond_the_model(
    model: Model, dataset: Dataset
) -> None:
    """Each sample is compared with the prediction for its own encapsulation, medium and size."""
    own = objectives(model)
    predictor = model.predictor
    beyond: dict[str, list[float]] = {}
    for row in predictor.literature.samples:
        if row["plqy_percent"] is not None and row["shell"] == "SiO2":
            matrix = predictor.featurizer.matrix(
                [combination_of(dataset.samples[row["sample_id"]])]
            )
            expected = shrunk_plqy(own, predictor.points["plqy"].predict(matrix))[0]
            beyond.setdefault(row["paper"], []).append(row["plqy_percent"] - expected)
    mean = np.mean([np.mean(values) for values in beyond.values()])
    silica = predictor.featurizer.reader.read_shell("SiO2")
    papers = len(beyond)
    assert own.plqy.shell_effect(silica) == pytest.approx(papers / (papers + 4) * mean)
    assert own.plqy.shell_papers(silica) == papers
    unseen = predictor.featurizer.reader.read_shell("HfO2")
    assert own.plqy.shell_effect(unseen) == 0.0


def test_a_thin_stressor_orders_nothing(model: Model) -> None:
    """The null model answers for it: a shell moves nothing."""
    stability = model.predictor.stability
    assert thin_stressors(stability.papers, ["sonication"])[0]
    space = {"cores": ["CsPbBr3"], "shells": ["SiO2", "CdS", "PMMA"], "stressors": ["sonication"]}
    bare, coated = stability.null_values("sonication")
    for ranked, predicted in ranked_gains(objectives(model, **space), "sonication").values():
        assert [ranked, predicted] == pytest.approx([coated - bare] * 2)


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
    assert not any(gone in (line.core, line.shell) for line in found.candidates)
    if gone in {"Pb", "Sn"}:
        assert not any(gone in line.core + line.shell for line in found.candidates)
    assert found.removed[next(iter(constraint))] > 0
    assert found.total + sum(found.removed.values()) == found.space.size


def test_what_is_included_alone_is_ranked(model: Model) -> None:
    include = {"ions": ["Cs", "Pb", "Br", "I"], "classes": ["oxide"]}
    lines = lines_of(with_(constraints={"include": include}), model)
    assert {line.shell for line in lines} == {"SiO2", "ZrO2"}
    assert not any("FA" in line.core or "Sn" in line.core for line in lines)
    one = {"combinations": ["CsPbBr3/PMMA"]}
    lines = lines_of(with_(constraints={"include": one}), model)
    assert [(line.core, line.shell) for line in lines] == [("CsPbBr3", "PMMA")]


def test_a_core_is_no_shell_of_itself(model: Model) -> None:
    shells = ["CsPbBr3", "CsPbBr3|SiO2", "SiO2|CsPbBr3", "SiO2"]
    found = rank(with_(cores=["Cs2Pb2Br6", "CsPbI3"], shells=shells), model=model)
    assert found.removed == {"shell_is_core": 2}
    assert ("CsPbI3", "CsPbBr3") in {(line.core, line.shell) for line in found.candidates}


def test_a_tolerance_window_keeps_what_lies_in_it(model: Model) -> None:
    window = [0.85, 0.99]
    featurizer = model.predictor.featurizer
    column = featurizer.names.index("tolerance factor")
    lines = lines_of(with_(constraints={"tolerance_factor": window}), model)
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
    assert 0 < found.total == found.space.size - found.removed["pl_in_window"]


def test_inside_the_domain_alone(model: Model, ranking: Ranking) -> None:
    found = rank(with_(constraints={**DRY, "in_domain": True}), model=model, top=1000)
    assert not any(line.reasons for line in found.candidates)
    assert found.removed["in_domain"] == sum(bool(line.reasons) for line in ranking.candidates)


def test_cores_that_are_not_neutral_are_counted(model: Model) -> None:
    cores = {**SPACE["cores"], "B": {"ions": ["Pb", "Bi"], "step": 0.5}}
    found = rank(with_(cores=cores), model=model)
    assert found.removed["charge_balance"] == 2 * 9 * 5


def test_known_combinations_are_left_out(model: Model, ranking: Ranking) -> None:
    known = {(line.core, line.shell) for line in ranking.candidates if line.measured}
    assert known
    novel = rank(SPACE, model=model, top=1000, exclude_known=True)
    assert not known & {(line.core, line.shell) for line in novel.candidates}
    assert novel.removed["exclude_known"] == len(known)


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
    first = rank(SPACE, model=model, top=7, order_by="value", batch=3).table()
    header, rows = ranking.table()
    for place, (mine, other) in enumerate(zip(first[1], rows[:7], strict=True)):
        # The last line has no next one.
        same = [k for k, name in enumerate(header) if place < 6 or name != "p_above_next"]
        assert [str(mine[k]) for k in same] == [str(other[k]) for k in same]


def test_progress_counts_every_combination(model: Model) -> None:
    steps: list[int] = []
    found = rank(with_(constraints={"in_domain": True}), model=model, advance=steps.append)
    assert sum(steps) == found.space.size


def test_each_line_names_its_evidence(model: Model) -> None:
    data = with_(cores=["CsPbBr3"], shells=["SiO2", "CaF2"])
    lines = {line.shell: line for line in rank(data, model=model).candidates}
    assert "combination measured in " in lines["SiO2"].evidence
    assert "layers in water, inner to outer: insoluble" in lines["SiO2"].evidence
    assert {row.shell for row in lines["SiO2"].measured} == {"SiO2"}
    assert lines["SiO2"].nearest
    assert len(lines["SiO2"].nearest) == len(lines["CaF2"].nearest)
    assert "combination measured" not in lines["CaF2"].evidence


def test_lines_that_nothing_tells_apart_say_so(model: Model) -> None:
    data = with_(cores=["CsPbBr3"], shells=["EVA", "SBS", "ZrO2"])
    alike = {line.shell: line.n_ties for line in rank(data, model=model).candidates}
    assert alike == {"EVA": 1, "SBS": 1, "ZrO2": 0}


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
    assert rank(own, model=model).removed == {"insoluble_in_water": 18}
    assert not rank({**own, "stressor": "light"}, model=model).removed


def test_exploring_is_over_what_satisfies_the_constraints(model: Model) -> None:
    found = rank("lead-free", model=model, order_by="explore")
    assert "Pb" not in found.statements[0]


def test_an_exploration_that_expects_nothing_says_so(model: Model) -> None:
    window = with_(pl_window_nm=[1500, 1600])
    said = rank(window, model=model, order_by="explore").statements[0]
    assert "no measured combination fits" in said


def test_lines_outside_the_domain_are_spoken_of_first(model: Model) -> None:
    said = rank("lead-free", model=model).statements
    assert "candidates are outside the domain" in said[1]


def test_the_evidence_of_a_gain_names_its_stressors(model: Model) -> None:
    line = rank(with_(cores=["CsPbBr3"], shells=["ZnS"]), model=model).candidates[0]
    assert "1 paper reports the gain of the shell (light 1; none under water)" in line.evidence
    assert "bare core measured in" in line.evidence


def test_a_semiconductor_of_unknown_gap_may_quench_any_core(model: Model) -> None:
    data = with_(cores=["Cs2SnI6", "Cs3Sb2Br9"], shells=["Ag2S", "MoS2"],
                 constraints={"no_quenching_shell": True})  # fmt: skip
    with pytest.raises(DesignSpaceError, match="no_quenching_shell"):
        rank(data, model=model)


def test_the_first_lines_for_water_read_as_a_chemist_would_have_them(model: Model) -> None:
    found = rank("green-emitter", model=model)
    reader = model.predictor.featurizer.reader
    first = found.candidates[:20]
    assert len({(line.item.core.key, line.shell) for line in first}) == 20
    for line in first:
        assert all(layer.in_water == "insoluble" for layer in line.item.layers)
        assert line.shell not in {"KBr", "ZnSO4", "NaCl"}
        assert 510 <= line.values["pl_peak_nm"] <= 540
        assert not line.reasons
        # Each is spelt as it would be read again.
        assert reader.read_core(line.core) == line.item.core
        assert reader.read_shell(line.shell) == line.item.layers


@pytest.mark.parametrize("preset", presets())
def test_every_preset_ranks_something(model: Model, preset: str) -> None:
    found = rank(preset, model=model, batch=3)
    assert len(found.candidates) > 20
    assert len(found.batch) == 3


def test_statements_name_each_target(ranking: Ranking) -> None:
    named = [text.split(":")[0] for text in ranking.statements]
    assert named[-3:] == ["PL peak", "PLQY", "Stability gain"]
    only = rank(with_(weights={"plqy": 1}), model=ranking.model).statements
    assert not any(text.startswith(("PL peak", "Stability gain")) for text in only)


def test_light_on_mixed_halides_is_spoken_of(model: Model) -> None:
    said = rank(with_(stressor="light"), model=model).statements
    assert any("demix under light" in text for text in said)


def test_the_table_has_the_promised_columns(ranking: Ranking) -> None:
    header, rows = ranking.table()
    assert header[:5] == ["rank", "core", "shell", "structure", "encapsulation"]
    assert header[-5:] == [
        "in_domain", "domain_reasons", "evidence", "measured_papers", "nearest_papers",
    ]  # fmt: skip
    assert {len(row) for row in rows} == {len(header)}
    assert len(rows) == len(ranking.candidates)


def test_reasons_are_a_list_in_json_and_one_text_in_tables(model: Model, tmp_path: Path) -> None:
    space = with_(cores=["CsPbBr3"], shells=["Au|Ag", "SiO2"], stressors=["water", "sonication"])
    found = rank(space, model=model)
    wanted = {line.shell: list(line.reasons) for line in found.candidates}
    assert len(wanted["Au|Ag"]) > 1
    assert {row["shell"]: row["domain_reasons"] for row in json_lines(found)} == wanted
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
    assert len(rows) == 2 + 5
    assert len({row.count("|") for row in rows}) == 1
    assert "CdS&#124;Al2O3" in "".join(rows)


def test_the_summary_says_what_to_measure_next(model: Model) -> None:
    said = summary(rank(SPACE, model=model, batch=2), suggest_experiments=True)
    text = "\n".join(said)
    for part in ("A batch of 2", "Suggested experiments", "combination: ", "P(better than next)"):
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
    assert rank(str(path), model=model).total == 1
