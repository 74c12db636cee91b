"""Half-lives and gains are of one model: their ratio, their bounds, and medians not reached."""

import json
import math
import random
from dataclasses import replace

import numpy as np
import pytest

from perovshell.data.shells import ShellMaterial
from perovshell.data.vocabulary import ENCAPSULATIONS, MEDIA, MORPHOLOGIES, STRESSORS, STRUCTURES
from perovshell.model import Model
from perovshell.models.reached import Reached, evidence_keys
from perovshell.models.requests import Requests
from perovshell.models.stability_model import StabilityModel
from perovshell.models.stability_prediction import StabilityPrediction

Row = dict[str, object]

CORES = (
    "CsPbBr3", "CsPbI3", "CsPbCl3", "FAPbBr3", "MAPbI3", "CsPbBr2I", "CsPb(Cl0.5Br0.5)3",
    "CsPbBr1.5I1.5", "Cs0.5FA0.5PbBr3", "Cs0.2FA0.7MA0.1PbBr2.4I0.6", "CsSnBr3", "CsSnI3",
    "Cs2AgBiBr6", "Cs3Bi2Br9", "Cs2SnCl6", "CsPb0.9Mn0.1Cl3", "CsPb0.5Sn0.5I3", "Cs4PbBr6",
    "CsPb2Br5", "RbPbBr3",
)  # fmt: skip
ENDS = ("", "_lower", "_upper")
REQUESTS = 500


def random_rows(shells: list[str], count: int = REQUESTS) -> list[Row]:
    """Return requests of coated cores: one shell or two layers, every context and temperature."""
    draw = random.Random(0)
    rows: list[Row] = []
    for _ in range(count):
        layers = draw.sample(shells, draw.choice((1, 1, 2)))
        rows.append(
            {
                "core": draw.choice(CORES),
                "shell": "|".join(layers),
                "structure": draw.choice([word for word in STRUCTURES if word != "bare"]),
                "encapsulation": draw.choice(ENCAPSULATIONS),
                "medium": draw.choice(MEDIA),
                "morphology": draw.choice(MORPHOLOGIES),
                "core_size_nm": draw.choice((None, 3.0, 8.5, 40.0)),
                "ligand": draw.choice((None, "DDAB")),
                "dopant": draw.choice((None, "Mn")),
                "temperature_c": draw.choice((None, -40.0, 25.0, 150.0)),
            }
        )
    return rows


def without_shell(row: Row) -> Row:
    return {**row, "shell": "none", "structure": None, "encapsulation": None}


@pytest.fixture(scope="module")
def rows(model: Model) -> list[Row]:
    return random_rows([*model.predictor.featurizer.reader.shells.materials])


def predicted(model: Model, rows: list[Row]) -> StabilityPrediction:
    requests, errors = Requests.read(rows, model.predictor.featurizer.reader)
    assert errors == {}
    return model.predictor.stability_of(model.predictor.batch(requests), STRESSORS)


@pytest.fixture(scope="module")
def coated(model: Model, rows: list[Row]) -> StabilityPrediction:
    return predicted(model, rows)


@pytest.fixture(scope="module")
def bare(model: Model, rows: list[Row]) -> StabilityPrediction:
    return predicted(model, [without_shell(row) for row in rows])


# The ratio of both sides ---------------------------------------------------------------------


def test_a_gain_is_the_ratio_of_the_half_lives_shown(
    coated: StabilityPrediction, bare: StabilityPrediction
) -> None:
    sides, cores = (prediction.columns(0.9) for prediction in (coated, bare))
    for stressor in STRESSORS:
        name = stressor.replace("-", "_")
        ratio = sides[f"half_life_h_{name}"] / cores[f"half_life_h_{name}"]
        np.testing.assert_allclose(sides[f"stability_gain_{name}"], ratio, rtol=1e-9)
    assert len(np.unique(sides["stability_gain_water"])) > REQUESTS / 2


def test_the_ratio_holds_in_predictions_as_well(model: Model, rows: list[Row]) -> None:
    """Of the Python API, the command line and HTTP, rounded to six digits each."""
    some = rows[:100]
    stressors = ["water", "light", "heat", "sonication"]
    both = model.predict([*some, *map(without_shell, some)], stressors=stressors)
    for side, core in zip(both[:100], both[100:], strict=True):
        for stressor in stressors:
            ratio = side[f"half_life_h_{stressor}"] / core[f"half_life_h_{stressor}"]
            assert side[f"stability_gain_{stressor}"] == pytest.approx(ratio, rel=2e-5)


@pytest.mark.parametrize("coverage", [0.3, 0.9, 0.97])
def test_a_lower_bound_is_never_above_its_value(
    coated: StabilityPrediction, bare: StabilityPrediction, coverage: float
) -> None:
    for prediction in (coated, bare):
        columns = prediction.columns(coverage)
        for name in (n.removesuffix("_lower") for n in columns if n.endswith("_lower")):
            assert (columns[f"{name}_lower"] <= columns[name]).all(), name
            assert (columns[name] <= columns[f"{name}_upper"]).all(), name
            assert (columns[f"{name}_lower"] >= 0.0).all(), name


def test_a_bare_core_has_a_gain_of_exactly_1(bare: StabilityPrediction) -> None:
    columns, bounds = bare.columns(0.9, gain_above=1.5), bare.model.bounds(STRESSORS, ())
    gains = [name for name in columns if name.startswith("stability_gain")]
    assert len(gains) == 3 * len(STRESSORS)
    for name in gains:
        assert (columns[name] == 1.0).all()
    above = [name for name in columns if name.startswith("p_")]
    assert len(above) == len(STRESSORS)
    for name in above:
        assert (columns[name] == 0.0).all()
    for name in (n for n in bounds if n.startswith("stability_gain")):
        assert bounds[name] == ""


def test_a_bare_request_has_the_lifetime_of_the_bare_side(
    coated: StabilityPrediction, bare: StabilityPrediction
) -> None:
    np.testing.assert_allclose(bare.side, coated.bare, atol=1e-12)
    np.testing.assert_array_equal(bare.side, bare.bare)


def test_a_thin_stressor_has_one_gain_for_all_shells(
    coated: StabilityPrediction, model: Model
) -> None:
    """That of being coated at all, by the null model."""
    stability = model.predictor.stability
    thin = [name for name in STRESSORS if stability.papers.get(name, 0) < 5]
    assert {"sonication", "other", "anion-exchange"} <= set(thin) < set(STRESSORS)
    gains = (coated.side - coated.bare)[[STRESSORS.index(name) for name in thin]]
    expected = [stability.null_values(name)[1] - stability.null_values(name)[0] for name in thin]
    np.testing.assert_allclose(gains, np.repeat(expected, REQUESTS).reshape(gains.shape))


# Medians that were not reached ---------------------------------------------------------------


@pytest.fixture(scope="module")
def layers(model: Model) -> dict[str, ShellMaterial]:
    read = model.predictor.featurizer.reader.read_shell
    return {name: read(name)[0] for name in ("SiO2", "TiO2", "Al2O3", "PMMA")}


def reached(papers: dict[str, int], open_share: dict[str, float]) -> Reached:
    return Reached(papers, open_share, (-0.5, -1.0))


def test_the_keys_go_from_the_shell_over_its_class_to_the_side(
    layers: dict[str, ShellMaterial],
) -> None:
    assert evidence_keys("water", ()) == [["bare, water"], ["bare"]]
    pair = layers["SiO2"], layers["TiO2"]
    classes = [layer.material_class for layer in pair]
    assert evidence_keys("water", pair) == [
        ["shell:SiO2, water", "shell:TiO2, water"],
        [f"class:{name}, water" for name in dict.fromkeys(classes)],
        ["coated, water"],
        ["coated"],
    ]


@pytest.mark.parametrize(
    ("papers", "is_open"),
    [
        ((3, 9, 30, 90), True),
        ((2, 9, 30, 90), False),
        ((2, 2, 30, 90), True),
        ((0, 0, 3, 3), True),
        ((0, 3, 3, 3), False),
        ((2, 2, 2, 90), False),
        ((2, 2, 2, 2), False),
    ],
    ids=["shell", "class", "side", "side alone", "class alone", "all stressors", "hardly any test"],
)
def test_the_shell_tells_first_then_its_class_then_the_side(
    layers: dict[str, ShellMaterial], papers: tuple[int, ...], *, is_open: bool
) -> None:
    """From 3 papers; here most tests of the shell and of the side under the stressor are open."""
    layer = layers["SiO2"]
    keys = [key for (key,) in evidence_keys("water", (layer,))]
    known = reached(dict(zip(keys, papers, strict=True)), dict(zip(keys, (0.9, 0.1, 0.6, 0.2))))  # noqa: B905
    assert known.is_open("water", (layer,)) is is_open


@pytest.mark.parametrize(("share", "is_open"), [(0.49, False), (0.5, False), (0.51, True)])
def test_more_than_half_of_the_tests_must_be_open(share: float, *, is_open: bool) -> None:
    assert reached({"bare, heat": 5}, {"bare, heat": share}).is_open("heat", ()) is is_open


def test_each_layer_tells_by_its_papers(layers: dict[str, ShellMaterial]) -> None:
    pair = layers["SiO2"], layers["TiO2"]
    keys = evidence_keys("light", pair)[0]
    shares = dict(zip(keys, (1.0, 0.0), strict=True))
    assert reached(dict(zip(keys, (3, 2), strict=True)), shares).is_open("light", pair)
    assert not reached(dict(zip(keys, (2, 3), strict=True)), shares).is_open("light", pair)


def test_a_stressor_without_tests_is_told_by_the_others(layers: dict[str, ShellMaterial]) -> None:
    known = reached({"bare": 9, "coated": 9}, {"bare": 0.1, "coated": 0.9})
    assert not known.is_open("light", ())
    assert known.is_open("light", (layers["PMMA"],))


def test_without_tests_no_median_is_open(layers: dict[str, ShellMaterial]) -> None:
    """That more than half of the tests have no upper end cannot be said of none."""
    assert not reached({}, {}).is_open("light", (layers["PMMA"],))


def test_json_brings_the_same_medians_back() -> None:
    known = reached({"bare, heat": 5, "coated, heat": 7}, {"bare, heat": 0.4, "coated, heat": 0.6})
    assert Reached.from_json(json.loads(json.dumps(known.to_json(), allow_nan=False))) == known


def test_a_half_life_is_a_bound_exactly_where_the_median_was_not_reached(
    model: Model, rows: list[Row]
) -> None:
    stability, reader = model.predictor.stability, model.predictor.featurizer.reader
    shells = [reader.read_shell(str(row["shell"])) for row in rows]
    seen = set()
    for stressor in STRESSORS:
        name = stressor.replace("-", "_")
        of_bare = stability.reached.is_open(stressor, ())
        assert stability.bounds([stressor], ())[f"half_life_h_{name}_bound"] == ">" * of_bare
        for shell in shells:
            of_side = stability.reached.is_open(stressor, shell)
            bounds = stability.bounds([stressor], shell)
            assert bounds[f"half_life_h_{name}_bound"] == ">" * of_side
            # A ratio of two bounds is rough; of one, it is a bound of its own.
            sign = {(True, True): "~", (True, False): "<", (False, True): ">"}
            assert bounds[f"stability_gain_{name}_bound"] == sign.get((of_bare, of_side), "")
            seen.add((of_bare, of_side))
    assert {(False, True), (False, False)} <= seen


def test_a_bound_is_shown_below_the_prediction_by_the_floor_of_its_side(
    coated: StabilityPrediction,
) -> None:
    known = replace(
        coated,
        model=replace(coated.model, reached=replace(coated.model.reached, floors=(-0.5, -2.0))),
    )
    np.testing.assert_allclose(known.shown_side - known.side, np.where(known.side_open, -2.0, 0.0))
    bare = known.bare + np.where(known.bare_open, -0.5, 0.0)
    np.testing.assert_allclose(known.shown_gain, known.shown_side - bare)


def test_the_floors_of_the_literature_lower_what_is_shown(model: Model) -> None:
    assert all(
        math.isfinite(floor) and floor <= 0.0 for floor in model.predictor.stability.reached.floors
    )


# Storage -------------------------------------------------------------------------------------


def test_parts_bring_the_same_model_back(model: Model, rows: list[Row]) -> None:
    stability = model.predictor.stability
    data, arrays = stability.to_parts()
    again = StabilityModel.from_parts(json.loads(json.dumps(data, allow_nan=False)), arrays)
    other = replace(model, predictor=replace(model.predictor, stability=again))
    asked = {"stressors": ["water", "light"], "coverage": 0.8}
    assert other.predict(rows[:20], **asked) == model.predict(rows[:20], **asked)
