"""Products of cores, shells and contexts against prediction row by row."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xgboost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perovshell.data.vocabulary import ENCAPSULATIONS, MEDIA, STRESSORS, STRUCTURES
from perovshell.errors import ModelFolderError
from perovshell.features.featurizer import Combination
from perovshell.model import Model
from perovshell.models.conformal import ConformityScores
from perovshell.models.domain_verdict import domain_columns
from perovshell.models.forest import Forest
from perovshell.models.outputs import Thresholds
from perovshell.models.predictor import Predictor
from perovshell.models.product import Product
from perovshell.models.requests import Requests
from perovshell.models.stability import TEST_DESCRIPTORS

MEMBERS = 2_500
"""Members of each random space that are compared; 40 spaces make 100,000."""
COATED = [word for word in STRUCTURES if word != "bare"]
THRESHOLDS = Thresholds((500, 540), 70, 5)


@pytest.fixture(scope="module")
def predictor(model: Model) -> Predictor:
    """Trees in all targets, a coated combination calibrated by itself: nothing is left out."""
    own = model.predictor
    names = own.featurizer.names
    tests = np.arange(len(names), len(names) + len(TEST_DESCRIPTORS))
    pl = own.points["pl"]
    plqy = replace(
        own.points["plqy"],
        forest=replace(pl.forest, value=pl.forest.value * np.float32(80)),
        columns=pl.columns,
        mondrian={
            "CsPbBr3 / SiO2": ConformityScores.of(
                np.linspace(0.1, 1.5, 40), list(map(str, range(40)))
            )
        },
    )
    columns = np.concatenate([pl.columns, tests])
    stressed = Forest.mean([pl.forest, by_stressor(len(pl.columns))])
    stability = replace(own.stability, forest=stressed, columns=columns)
    return replace(own, points={"pl": pl, "plqy": plqy}, stability=stability)


def by_stressor(column: int) -> Forest:
    """One tree that splits on the first two stressors."""
    nodes = np.arange(5, dtype=np.int32)
    children = np.stack([nodes, nodes], axis=1)
    children[0], children[2] = (1, 2), (3, 4)
    return Forest(
        feature=np.array([column, 0, column + 1, 0, 0], np.int32),
        threshold=np.full(5, 0.5, np.float32),
        children=children,
        default_left=np.ones(5, bool),
        value=np.array([0, 0.3, 0, -0.2, 0.7], np.float32),
        cover=np.ones(5, np.float32),
        roots=np.zeros(1, np.int32),
        depth=2,
    )


@st.composite
def spaces(draw: st.DrawFn, shells: Sequence[str]) -> dict[str, list]:
    """Draw cores, shells and contexts."""
    site = {"A": ["Cs", "FA", "MA", "Rb", "EA"], "B": ["Pb", "Sn"], "X": ["Cl", "Br", "I"]}
    cores = []
    for _ in range(draw(st.integers(1, 30))):
        text = ""
        for name, ions in site.items():
            first, second = draw(st.permutations(ions))[:2]
            share = draw(st.integers(1, 20)) / 20
            amount = 3 if name == "X" else 1
            text += f"{first}{share * amount:.6f}"
            text += f"{second}{(1 - share) * amount:.6f}" if share < 1 else ""
        cores.append(text)
    listed = ["CsPbBr3", "CsPbCl3", "Cs3Bi2Br9", "Cs2AgInCl6", "CsPb0.9Mn0.1Br3"]
    cores += draw(st.lists(st.sampled_from(listed), max_size=4))
    layers = st.lists(st.sampled_from(shells), min_size=1, max_size=2).map("|".join)
    sizes = st.sampled_from([math.nan, 0.5, 3.0, 5.0, 9.5, 12.0, 40.0])
    words = [st.sampled_from(own) for own in (COATED, ENCAPSULATIONS, MEDIA)]
    return {
        "cores": list(dict.fromkeys(cores)),
        "shells": [*dict.fromkeys([*draw(st.lists(layers, min_size=1, max_size=12)), "SiO2"])],
        "contexts": draw(st.lists(st.tuples(*words, sizes), min_size=1, max_size=6)),
        "stressors": draw(
            st.lists(st.sampled_from(STRESSORS), min_size=1, max_size=3, unique=True)
        ),
        "coverage": draw(st.sampled_from([0.5, 0.8, 0.9])),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


@settings(
    max_examples=40, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(data=st.data())
def test_equal_to_rows_for_100000_members_of_random_spaces(
    predictor: Predictor, data: st.DataObject
) -> None:
    reader = predictor.featurizer.reader
    space = data.draw(spaces([*reader.shells.materials]))
    cores = [reader.read_core(text) for text in space["cores"]]
    shells = [reader.read_shell(text) for text in space["shells"]]
    contexts = [Combination(None, (), *words, size) for *words, size in space["contexts"]]
    stressors, coverage = tuple(space["stressors"]), space["coverage"]
    product = Product(
        predictor, shells, contexts, stressors, coverage=coverage, thresholds=THRESHOLDS
    )
    columns = product.columns(
        product.cores(predictor.featurizer.reader.batch([core.amounts for core in cores]))
    )
    shape = (len(shells), len(contexts), len(cores))
    random = np.random.default_rng(space["seed"])
    places = [random.integers(0, count, MEMBERS) for count in shape]
    items = [
        replace(contexts[x], core=cores[c], layers=shells[s])
        for s, x, c in zip(*places, strict=True)
    ]
    requests = Requests.of_items(items, predictor.featurizer.reader)
    expected = predictor.columns(requests, stressors, coverage, THRESHOLDS)
    for name, column in expected.items():
        if not name.startswith(("pl_shift", "plqy_change")):
            found = np.broadcast_to(columns[name], shape)[tuple(places)]
            np.testing.assert_allclose(found, column, rtol=1e-5, atol=1e-5, err_msg=name)
    for name, scale in predictor.difficulties(items).items():
        found = columns[f"{name}_scale"][tuple(places)]
        np.testing.assert_allclose(found, scale, rtol=1e-8, err_msg=name)
    some = slice(0, 200)
    inside = [
        np.broadcast_to(columns[name], shape)[tuple(places)][some].tolist()
        for name in domain_columns(stressors)
    ]
    verdicts = [predictor.verdict(item, stressors).values for item in items[some]]
    assert list(zip(*inside, strict=True)) == verdicts


def test_equal_to_the_boosters_own_batch_prediction(model: Model, model_folder: Path) -> None:
    predictor = model.predictor
    reader, own = predictor.featurizer.reader, predictor.points["pl"]
    shells = [(material,) for material in reader.shells.materials.values()]
    contexts = [
        Combination(None, (), structure, "unknown", "solution", size)
        for structure in ("core/shell", "janus")
        for size in (math.nan, 6.0, 11.0)
    ]
    cores = [
        reader.read_core(f"Cs{a / 10}FA{1 - a / 10:.1f}PbBr{x * 3 / 20:.2f}I{3 - x * 3 / 20:.2f}")
        for a in range(1, 10)
        for x in range(1, 20)
    ]
    product = Product(predictor, shells, contexts, ("water",), coverage=0.9, thresholds=THRESHOLDS)
    batch = predictor.featurizer.reader.batch([core.amounts for core in cores])
    found = product.columns(product.cores(batch))["pl_peak_nm"]
    random = np.random.default_rng(0)
    places = [random.integers(0, count, 20_000) for count in found.shape]
    items = [
        replace(contexts[x], core=cores[c], layers=shells[s])
        for s, x, c in zip(*places, strict=True)
    ]
    matrix = predictor.featurizer.matrix(items, elements_too=predictor.needs_elements)
    margins = [
        xgboost.Booster(model_file=str(path)).inplace_predict(matrix[:, own.columns])
        for path in sorted(model_folder.glob("pl-*.ubj"))
    ]
    base = [_base_score(path) for path in sorted(model_folder.glob("pl-*.ubj"))]
    energy = own.prior.predict(matrix) + np.mean(margins, axis=0) - np.mean(base)
    np.testing.assert_allclose(1239.84 / found[tuple(places)], energy, rtol=1e-5, atol=1e-5)


def _base_score(path: Path) -> float:
    """What the library adds to the trees where no offset is given."""
    config = xgboost.Booster(model_file=str(path)).save_config()
    text = json.loads(config)["learner"]["learner_model_param"]["base_score"]
    return float(text.strip("[]"))


def test_ranges_of_shells_join_to_the_whole(predictor: Predictor) -> None:
    reader = predictor.featurizer.reader
    shells = [reader.read_shell(text) for text in ("SiO2", "PMMA", "CdS|Al2O3", "Au")]
    contexts = [Combination(None, (), "core/shell", "unknown", "film")]
    cores = [reader.read_core(text) for text in ("CsPbBr3", "FAPbI3", "CsPbBr2Cl")]
    product = Product(predictor, shells, contexts, ("light",), coverage=0.9, thresholds=THRESHOLDS)
    side = product.cores(predictor.featurizer.reader.batch([core.amounts for core in cores]))
    whole = product.columns(side)
    parts = [product.columns(side, first, first + 1) for first in range(len(shells))]
    for name, column in whole.items():
        shape = (1, 1, 3)
        joined = np.concatenate([np.broadcast_to(part[name], shape) for part in parts])
        np.testing.assert_allclose(joined, np.broadcast_to(column, (4, 1, 3)), rtol=1e-12)


def test_a_prior_on_a_contrast_is_refused(predictor: Predictor) -> None:
    names = predictor.featurizer.names
    pl = predictor.points["pl"]
    prior = replace(pl.prior, columns=(names.index("lattice mismatch"),))
    bad = replace(predictor, points={**predictor.points, "pl": replace(pl, prior=prior)})
    with pytest.raises(ModelFolderError, match="contrast"):
        Product(bad, [], [], ("water",), coverage=0.9, thresholds=THRESHOLDS)
