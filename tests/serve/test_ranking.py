"""Rankings: what orders them, what the constraints remove, and what each line rests on."""

import dataclasses
import math
from typing import Any

import pytest

from perovshell.errors import DesignSpaceError
from perovshell.features.featurizer import Combination
from perovshell.model import Model
from perovshell.serve.ranking import Ranking, _Scorer, rank, table
from perovshell.serve.space import DesignSpace

SPACE: dict[str, Any] = {
    "name": "test",
    "cores": {
        "A": {"ions": ["Cs", "FA"], "step": 0.5},
        "B": {"ions": ["Pb", "Sn"]},
        "X": {"ions": ["Br", "I"], "step": 0.5},
    },
    "shells": ["SiO2", "PMMA", "Au", "NaNO3", "ZrO2"],
    "pl_window_nm": [515, 535],
}


def with_(**changes: object) -> dict[str, Any]:
    return {**SPACE, **changes}


@pytest.fixture(scope="module")
def ranking(model: Model) -> Ranking:
    return rank(SPACE, model=model, top=1000)


def claim_skill(model: Model, target: str, *, has_skill: bool, slope: float) -> Model:
    verdict = {**model.info.skill[target], "has_skill": has_skill, "slope": slope}
    info = dataclasses.replace(model.info, skill={**model.info.skill, target: verdict})
    return dataclasses.replace(model, info=info)


def test_every_combination_gets_one_line(ranking: Ranking) -> None:
    assert ranking.total == len(ranking.candidates) == 2 * 3 * 3 * 5
    assert [line.rank for line in ranking.candidates] == list(range(1, ranking.total + 1))
    scores = [line.score for line in ranking.candidates]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_the_score_is_the_weighted_geometric_mean_of_the_wishes(model: Model) -> None:
    wishes = {"pl": 2, "plqy": 1, "gain": 1}
    for line in rank(with_(wishes=wishes), model=model).candidates:
        values = line.values
        gain = min(max(math.log(values["gain_ranked"]) / math.log(1000), 0), 1)
        parts = [values["pl_in_window"], values["plqy_ranked"] / 100, gain]
        logs = [math.log(max(part, 1e-9)) for part in parts]
        assert line.score == pytest.approx(math.exp((2 * logs[0] + logs[1] + logs[2]) / 4))


def test_only_measured_evidence_orders_by_a_gain_without_skill(model: Model) -> None:
    """Here the model has no skill: a shell moves by what tests of it and of its class say."""
    gain = model.predictor.gain
    verdict = model.info.skill["gain"]
    assert not verdict["has_skill"]
    for line in rank(with_(), model=model, top=1000).candidates:
        layers = line.item.layers
        stressor = gain.predict("water", layers) - gain.null - gain.of_shell(layers)
        expected = gain.null + verdict["slope"] * stressor + gain.of_shell(layers)
        assert math.log(line.values["gain_ranked"]) == pytest.approx(expected)


def test_a_wish_of_weight_zero_does_not_count(model: Model) -> None:
    lines = rank(with_(wishes={"pl": 1}), model=model, top=1000).candidates
    assert [line.score for line in lines] == pytest.approx(
        [max(line.values["pl_in_window"], 1e-9) for line in lines]
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


def test_a_target_without_skill_orders_by_its_shrunk_differences(model: Model) -> None:
    space = DesignSpace.from_mapping(SPACE, model.predictor.featurizer.reader)
    item = Combination(space.cores[0], space.shells[1], "core/shell", "unknown", "unknown")
    center = model.predictor.plqy.null_value
    found = {
        slope: _Scorer(space, claim_skill(model, "plqy", has_skill=False, slope=slope)).plqy
        for slope in (0.0, 0.5)
    }
    assert found[0.0](item, center + 10) == found[0.0](item, center - 10)
    difference = found[0.5](item, center + 10) - found[0.5](item, center - 10)
    papers = {row.paper for row in model.predictor.literature.measured(item)
              if row.plqy_percent is not None}  # fmt: skip
    assert difference == pytest.approx(0.5 * 20 / (len(papers) + 1))
    skilled = _Scorer(space, claim_skill(model, "plqy", has_skill=True, slope=0.5)).plqy
    assert skilled(item, center + 10) - skilled(item, center - 10) == pytest.approx(
        20 / (len(papers) + 1)
    )


def test_measured_plqy_of_the_combination_pulls_by_papers(model: Model) -> None:
    space = DesignSpace.from_mapping(SPACE, model.predictor.featurizer.reader)
    core = model.predictor.featurizer.reader.read_core("CsPbBr3")
    item = Combination(core, space.shells[0], "core/shell", "unknown", "unknown")
    by_paper: dict[str, list[float]] = {}
    for row in model.predictor.literature.measured(item):
        if row.plqy_percent is not None:
            by_paper.setdefault(row.paper, []).append(row.plqy_percent)
    means = [sum(values) / len(values) for values in by_paper.values()]
    assert len(means) >= 3
    scorer = _Scorer(space, claim_skill(model, "plqy", has_skill=False, slope=0.0))
    value = scorer.plqy(item, 50.0)
    pooled = sum(means) / len(means)
    apart = abs(value - pooled)
    # n papers against a prior worth one: the model keeps 1 / (n + 1) of the distance.
    assert apart <= 100 / (len(means) + 1)


@pytest.mark.parametrize(
    ("constraint", "gone"),
    [
        ("lead_free", "Pb"),
        ("no_quenching_shell", "Au"),
        ("insoluble_in_water", "NaNO3"),
    ],
)
def test_a_constraint_removes_and_counts(model: Model, constraint: str, gone: str) -> None:
    found = rank(with_(constraints={constraint: True}), model=model, top=1000)
    assert not any(gone in (line.core + line.shell) for line in found.candidates)
    assert found.total + found.removed[constraint] == found.space.size


def test_inside_the_domain_alone(model: Model) -> None:
    found = rank(with_(constraints={"in_domain": True}), model=model, top=1000)
    assert not any(line.reasons for line in found.candidates)
    assert found.removed["in_domain"] > 0


def test_constraints_that_leave_nothing_say_what_each_removed(model: Model) -> None:
    data = with_(cores=["CsPbBr3"], shells=["Au"], constraints={"no_quenching_shell": True})
    with pytest.raises(DesignSpaceError, match="leave nothing of 1: no_quenching_shell 1"):
        rank(data, model=model)


def test_two_rankings_are_equal_and_the_first_lines_do_not_depend_on_top(
    model: Model, ranking: Ranking
) -> None:
    first = table(rank(SPACE, model=model, top=7))
    assert first[1] == table(ranking)[1][:7]


def test_the_bar_counts_every_combination(model: Model) -> None:
    steps: list[int] = []
    found = rank(SPACE, model=model, advance=steps.append)
    assert sum(steps) == found.total


def test_each_line_says_what_it_rests_on(model: Model) -> None:
    data = with_(cores=["CsPbBr3"], shells=["SiO2", "CaF2"])
    lines = {line.shell: line for line in rank(data, model=model).candidates}
    assert "combination measured in " in lines["SiO2"].rests_on
    assert "in water: insoluble" in lines["SiO2"].rests_on
    assert {row.shell for row in lines["SiO2"].measured} == {"SiO2"}
    assert lines["SiO2"].nearest
    assert len(lines["SiO2"].nearest) == len(lines["CaF2"].nearest)
    assert "combination measured" not in lines["CaF2"].rests_on


def test_statements_name_each_target(ranking: Ranking) -> None:
    assert [text.split(":")[0] for text in ranking.statements] == [
        "PL peak", "PLQY", "Stability gain",
    ]  # fmt: skip


def test_the_table_has_the_promised_columns(ranking: Ranking) -> None:
    header, rows = table(ranking)
    assert header[:5] == ["rank", "core", "shell", "structure", "score"]
    assert header[-5:] == [
        "in_domain", "domain_reason", "rests_on", "measured_papers", "nearest_papers",
    ]  # fmt: skip
    assert {len(row) for row in rows} == {len(header)}
    assert len(rows) == len(ranking.candidates)
