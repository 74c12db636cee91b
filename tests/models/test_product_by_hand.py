"""Products of a predictor made by hand: no training, every part of a model in use, in a second."""

import functools
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from perovshell.data.shells import shell_text
from perovshell.errors import ModelFolderError
from perovshell.features.combinations import Combination
from perovshell.features.featurizer import Featurizer
from perovshell.models import factored
from perovshell.models.conformal import ConformityScores
from perovshell.models.difficulty import TERMS, Difficulty
from perovshell.models.domain import Domain
from perovshell.models.domain_verdict import domain_columns
from perovshell.models.evidence import Literature
from perovshell.models.forest import Forest
from perovshell.models.mixed import MixedEffects
from perovshell.models.outputs import NO_THRESHOLDS, Thresholds
from perovshell.models.point import PointModel
from perovshell.models.predictor import Predictor
from perovshell.models.prior import LinearPrior
from perovshell.models.product import Columns, CoreSide, Product, predict_items
from perovshell.models.reached import Reached
from perovshell.models.requests import Requests
from perovshell.models.stability import TEST_DESCRIPTORS
from perovshell.models.stability_model import StabilityModel
from perovshell.targets.declared import PL, PLQY

Floats = npt.NDArray[np.float64]
CORES = (
    "CsPbBr3",
    "FAPbI3",
    "CsPbBr2I",
    "Cs0.5FA0.5PbBr3",
    "CsPbBr2.1I0.9",
    "CsPbCl3",
    "CsSnBr3",
    "CsPb0.9Mn0.1Br3",
)
SHELLS = ("CdS|Al2O3", "PMMA", "SiO2", "EVA", "ZnS", "CsPbBr3")
CONTEXTS = (
    ("core/shell", "single-particle", "solution", 3.0, "nanocrystal", ()),
    ("janus", "unknown", "film", 6.0, "nanocrystal", ("ligand",)),
    ("core/shell", "multi-particle", "water", 2.5, "nanoplatelet", ()),
)
STRESSORS = ("water", "anion-exchange", "light")
"""Of the second there are too few papers."""
THRESHOLDS = Thresholds((500, 540), 70, 5)
CALIBRATED = "CsPbBr3 / SiO2"
"""A combination that many papers measured."""


# A predictor by hand -------------------------------------------------------------------------


def tree(random: np.random.Generator, rows: Floats, columns: Sequence[int]) -> Forest:
    """Make a tree of eight leaves; the last splits may be on a column of the first ones again."""
    nodes = np.arange(15, dtype=np.int32)
    children = np.stack([nodes, nodes], axis=1)
    children[:7] = np.stack([2 * nodes[:7] + 1, 2 * nodes[:7] + 2], axis=1)
    level = np.concatenate([[0], [1] * 2, random.integers(0, 3, 4), [0] * 8])
    known = [np.unique(rows[~np.isnan(rows[:, column]), column]) for column in columns]
    middles = [(own[1:] + own[:-1]) / 2 if len(own) > 1 else own for own in known]
    limits = np.array([random.choice(middles[k]) for k in level], np.float32)
    # Below -inf no value is: such a split asks whether the column is known.
    limits[random.random(15) < 0.1] = -np.inf
    return Forest(
        feature=level.astype(np.int32),
        threshold=limits,
        children=children,
        default_left=random.random(15) < 0.5,
        value=np.where(nodes < 7, 0.0, random.normal(size=15)).astype(np.float32),
        cover=np.ones(15, np.float32),
        roots=np.zeros(1, np.int32),
        depth=3,
    )


def forest(seed: int, rows: Floats, columns: Sequence[int], size: float) -> Forest:
    """Make trees of three columns each."""
    random = np.random.default_rng(seed)
    trees = []
    for _ in range(40):
        picked = random.choice(len(columns), 3, replace=False)
        own = tree(random, rows, [columns[k] for k in picked])
        trees.append(own.on_columns(picked.astype(np.intp)))
    mean = Forest.mean(trees)
    return replace(mean, value=mean.value * np.float32(size))


def prior(names: Sequence[str], base: str, offset: float, size: float) -> LinearPrior:
    """Make a prior that knows all sides but the contrast."""
    terms = ("FA fraction on A", "shell layers", "medium is film", "confinement", "Br-I mixing")
    random = np.random.default_rng(1)
    root = size * np.tril(random.normal(size=(6, 6)))
    return LinearPrior(
        terms=terms,
        columns=tuple(names.index(term) for term in terms),
        base_column=names.index(base) if base else -1,
        base_mean=2.3,
        error_columns=(names.index("bulk gap uncertainty"),) if base else (),
        error_factors=(1.0,) if base else (),
        center=np.zeros(5),
        effects=np.array([offset, *size * random.normal(size=5)]),
        covariance=root @ root.T + 0.01 * size**2 * np.eye(6),
        noise=size,
    )


def scores(size: float, papers: int) -> ConformityScores:
    return ConformityScores.of(size * np.arange(1.0, papers + 1), list(map(str, range(papers))))


@functools.cache
def predictor() -> Predictor:
    featurizer = Featurizer.bundled()
    names = featurizer.names
    rows = featurizer.matrix(items(featurizer))
    blocks = [descriptor.block for descriptor in featurizer.descriptors]
    columns = [
        *(names.index(name) for name in ("Cs fraction on A", "mean X radius", "core mean Number")),
        *(names.index(name) for name in ("inner band_gap_ev", "outer density_g_cm3")),
        *(place for place, block in enumerate(blocks) if block == "contrast"),
        *(names.index(name) for name in ("core size", "structure is janus", "medium is film")),
    ]
    hard = [names.index(term) for term in (*TERMS[:-1], "confinement")]  # May be unknown.
    difficulty = Difficulty(tuple(hard), np.linspace(-0.3, 0.4, len(hard) + 1), 0.0)
    pl = PointModel(
        target=PL,
        prior=prior(names, "bulk gap estimate", 0.1, 0.02),
        difficulty=difficulty,
        forest=forest(2, rows, columns, 0.05),
        columns=np.array(columns, dtype=np.intp),
        scores=scores(0.1, 19),
        signed_scores=scores(0.1, 19),
        mondrian={CALIBRATED: scores(0.03, 25)},
        effect_scores=scores(0.02, 19),
        residual_share=0.5,
        anchored_scores=scores(0.05, 19),
        null_value=2.4,
        null_scores=scores(0.2, 19),
    )
    plqy = replace(
        pl,
        target=PLQY,
        prior=prior(names, "", 60.0, 5.0),
        difficulty=replace(difficulty, room_effect=0.4),
        forest=forest(3, rows, columns, 20.0),
        null_value=60.0,
        mondrian={"FAPbI3 / SiO2": scores(0.2, 25), "CsPbBr3 / TiO2": scores(0.2, 25)},
    )
    tests = len(names) + np.array([0, 1, len(TEST_DESCRIPTORS) - 3])
    conditions = {"water": {"temperature_c": 60.0}, "light": {"temperature_c": 25.0}}
    rng = np.random.default_rng(4)
    tested = np.hstack([rows, rng.random((len(rows), len(TEST_DESCRIPTORS)))])
    tested[:, tests[-1]] = rng.choice([25.0, 60.0], len(rows))
    effects = {
        "mean:all": 1.3,
        "stressor:water": 0.4,
        "stressor:light": -0.2,
        "side:coated": 0.9,
        "both:water": 0.3,
        "class:oxide": 0.2,
        "shell:SiO2": -0.1,
        "class:polymer": 0.5,
        "structure:janus": -0.3,
        "structure:core/shell": 0.1,
        "encapsulation:unknown": 0.25,
        "treatment:ligand": 0.35,
        "heat:stated": -1.0,
    }
    residuals = ConformityScores.of(np.arange(-1.0, 0.9, 0.1), list("abcdefghijklmnopqrs"))
    stability = StabilityModel(
        null=mixed({"mean:all": 2.0, "stressor:anion-exchange": 0.7, "side:coated": 0.5}),
        effects=mixed(effects),
        forest=forest(5, tested, [*columns, *tests], 0.5),
        columns=np.array([*columns, *tests], dtype=np.intp),
        lifetime_scores=ConformityScores.of(np.arange(-9.0, 10), list("abcdefghijklmnopqrs")),
        gain_scores=residuals,
        gain_floors=residuals,
        reached=Reached(
            {"shell:SiO2, water": 3, "class:oxide, water": 4, "bare, light": 5, "coated, light": 3},
            {"shell:SiO2, water": 0.6, "class:oxide, water": 0.2, "bare, light": 0.4},
            (-0.3, -0.7),
        ),
        conditions=conditions,
        papers={"water": 8, "light": 5, "anion-exchange": 4},
        shell_papers={},
        shell_tests={},
    )
    literature = Literature(samples(), featurizer.reader)
    domains = domains_of(literature)
    points = {"pl": pl, "plqy": plqy}
    return Predictor(featurizer, points, stability, domains, literature)


def mixed(effects: dict[str, float]) -> MixedEffects:
    return MixedEffects(effects, np.eye(len(effects)), {}, 1.0)


def samples() -> list[dict]:
    """Return a small literature; the PLQY was not measured of all samples."""
    listed = [
        ("CsPbBr3", "none", "bare"),
        ("CsPbBr3", "SiO2", "core/shell"),
        ("CsPbBr3", "ZnS", "janus"),
        ("CsPbI3", "SiO2", "core/shell"),
        ("FAPbI3", "PMMA", "matrix"),
        ("CsPbCl3", "Al2O3", "core/shell"),
        ("CsPbBr2I", "CdS", "core/shell"),
    ]
    return [
        {
            "sample_id": str(k),
            "paper": str(k),
            "core": core,
            "shell": shell,
            "structure": structure,
            "encapsulation": "unknown",
            "medium": "unknown",
            "morphology": "nanocrystal",
            "core_size_nm": None,
            "ligand": "",
            "dopant": "",
            "stability": "",
            "pl_peak_nm": 500.0,
            "tested": k > 0,
            "plqy_percent": 50.0 if k not in {0, 2} else None,
        }
        for k, (core, shell, structure) in enumerate(listed)
    ]


def domains_of(literature: Literature) -> dict[str, Domain]:
    """Return domains that differ in all they look at.

    Of their limits each is met: three papers, 3 nm, a core 0.3 away, a sample 1.1 away.
    """
    cores = [literature.fractions(literature.item(row).core) for row in samples()]
    ions = dict.fromkeys(("Cs", "FA", "Pb", "Br", "I", "Cl", "Mn"), 3)
    classes = dict.fromkeys(("oxide", "polymer", "sulfide", "perovskite-like", "none"), 5)
    usual = Domain("PL", ions, {"ABX3": 3}, classes, np.array(cores), math.nan, 1.1)
    few, fewer = {**ions, "Cl": 2}, {**classes, "perovskite-like": 2}
    return {
        "PL": replace(usual, fractions=np.vstack([cores, [cores[0] * 0.7 + cores[3] * 0.3]])),
        "PLQY": replace(usual, target="PLQY", ion_papers=few, class_papers=fewer, reach=1.6),
        "stability": replace(usual, target="stability", smallest_nm=3.0, reach=1.7),
    }


def contexts() -> list[Combination]:
    return [Combination(None, (), *words) for words in CONTEXTS]


def items(featurizer: Featurizer) -> list[Combination]:
    """Return the whole product, shell by shell, then context by context."""
    reader = featurizer.reader
    return [
        replace(context, core=reader.read_core(core), layers=reader.read_shell(shell))
        for shell in SHELLS
        for context in contexts()
        for core in CORES
    ]


def product(
    model: Predictor | None = None,
    stressors: Sequence[str] = STRESSORS,
    coverage: float = 0.9,
    thresholds: Thresholds = THRESHOLDS,
) -> Product:
    own = replace(model or predictor())  # Without what another product kept of it.
    shells = [own.featurizer.reader.read_shell(text) for text in SHELLS]
    return Product(own, shells, contexts(), stressors, coverage=coverage, thresholds=thresholds)


def side_of(made: Product) -> CoreSide:
    reader = made.predictor.featurizer.reader
    return made.cores(reader.batch([reader.read_core(text).amounts for text in CORES]))


def columns_of(made: Product) -> Columns:
    return made.columns(side_of(made))


def row_by_row(
    model: Predictor, stressors: Sequence[str], coverage: float, thresholds: Thresholds
) -> Columns:
    requests = Requests.of_items(items(model.featurizer), model.featurizer.reader)
    return model.columns(requests, stressors, coverage, thresholds)


SHAPE = (len(SHELLS), len(CONTEXTS), len(CORES))


def same_as_rows(
    model: Predictor, stressors: Sequence[str], coverage: float, thresholds: Thresholds
) -> Columns:
    """Check that a product has the numbers of its rows, and return them."""
    found = columns_of(product(model, stressors, coverage, thresholds))
    expected = row_by_row(model, stressors, coverage, thresholds)
    for name, column in expected.items():
        if not name.startswith(("pl_shift", "plqy_change")):
            own = np.broadcast_to(found[name], SHAPE).ravel()
            np.testing.assert_allclose(own, column, rtol=1e-6, atol=1e-9, err_msg=name)
    return found


# Equal to rows -------------------------------------------------------------------------------


def test_what_is_made_by_hand_tells_all_combinations_apart() -> None:
    expected = row_by_row(predictor(), STRESSORS, 0.9, THRESHOLDS)
    for name in ("pl_peak_nm", "plqy_percent", "half_life_h_water"):
        assert len(np.unique(expected[name].round(9))) > 0.6 * math.prod(SHAPE), name


@pytest.mark.parametrize("coverage", [0.2, 0.5, 0.9])
def test_a_product_has_the_numbers_of_its_rows(coverage: float) -> None:
    same_as_rows(predictor(), STRESSORS, coverage, THRESHOLDS)


def test_a_product_answers_what_is_asked_alone() -> None:
    asked = same_as_rows(predictor(), ("light",), 0.9, NO_THRESHOLDS)
    assert not [name for name in asked if name.endswith("_water")]
    assert not {"p_pl_in_window", "p_plqy_above", "p_stability_gain_above_light"} & asked.keys()


def test_listed_combinations_have_the_numbers_of_a_product() -> None:
    """In any order and number: the columns, and the rows of each Mondrian category."""
    model = predictor()
    listed = items(model.featurizer)
    chosen = np.random.default_rng(5).permutation(len(listed))
    columns, categories = predict_items(
        model, [listed[row] for row in chosen], STRESSORS, coverage=0.9, thresholds=THRESHOLDS
    )
    of_product = columns_of(product(model))
    assert columns.keys() == of_product.keys()
    for name, column in columns.items():
        expected = np.broadcast_to(of_product[name], SHAPE).ravel()[chosen]
        np.testing.assert_allclose(column, expected, rtol=1e-6, atol=1e-9, err_msg=name)
    for name, core in (("pl", "CsPbBr3"), ("plqy", "FAPbI3")):
        (rows,) = categories[name].values()
        expected = [
            (core, "SiO2") == (listed[row].core.formula, shell_text(listed[row].layers))
            for row in chosen
        ]
        assert sorted(rows.tolist()) == np.flatnonzero(expected).tolist()


def test_categories_of_a_product_are_where_their_combinations_are() -> None:
    made = product()
    cores = side_of(made)
    for key, (shell, _, core) in made.categories(cores, 0, len(SHELLS))["pl"].items():
        assert key == CALIBRATED
        assert (SHELLS[shell], CORES[core]) == ("SiO2", "CsPbBr3")
    assert made.categories(cores, 0, 2)["pl"] == {}


def test_difficulties_are_those_of_the_rows() -> None:
    model, found = predictor(), columns_of(product())
    for name, scale in model.difficulties(items(model.featurizer)).items():
        np.testing.assert_allclose(found[f"{name}_scale"].ravel(), scale, rtol=1e-9)


def test_models_without_trees_have_the_numbers_of_their_rows() -> None:
    own = predictor()
    no_trees = {"forest": Forest.none(), "columns": np.zeros(0, np.intp)}
    points = {name: replace(model, **no_trees) for name, model in own.points.items()}
    stability = replace(own.stability, **no_trees)
    same_as_rows(replace(own, points=points, stability=stability), STRESSORS, 0.9, THRESHOLDS)


@pytest.mark.parametrize("part", ["prior", "difficulty"])
def test_a_contrast_outside_of_the_trees_is_refused(part: str) -> None:
    own = predictor()
    pl = own.points["pl"]
    model = getattr(pl, part)
    mismatch = own.featurizer.names.index("lattice mismatch")
    bad = replace(pl, **{part: replace(model, columns=(mismatch, *model.columns[1:]))})
    with pytest.raises(ModelFolderError, match=r"^model: with a contrast"):
        product(replace(own, points={**own.points, "pl": bad}))


# Domain --------------------------------------------------------------------------------------


def test_verdicts_are_those_of_the_rows() -> None:
    own = predictor()
    columns = columns_of(product())
    names = domain_columns(STRESSORS)
    found = [np.broadcast_to(columns[name], SHAPE).ravel().tolist() for name in names]
    expected = [own.verdict(item, STRESSORS).values for item in items(own.featurizer)]
    assert list(zip(*found, strict=True)) == expected
    shares = dict(zip(names, np.mean(expected, axis=0).tolist(), strict=True))
    assert shares.pop("in_domain_stability_anion_exchange") == 0.0
    assert all(0.1 < share < 1.0 for share in shares.values())
    assert len(set(expected)) > 4


def test_a_combination_is_in_all_of_the_domains_that_are_asked_for() -> None:
    made = product()
    side, columns = side_of(made), columns_of(made)
    for labels, names in (
        (("PL",), ("in_domain_pl",)),
        (("PL", "PLQY"), ("in_domain",)),
        (("PLQY", "stability"), ("in_domain_plqy", "in_domain_stability_water")),
    ):
        expected = np.logical_and.reduce([columns[name] for name in names])
        assert made.are_inside(side, labels).tolist() == expected.tolist()
        assert made.are_inside(side, labels, 1, 3).tolist() == expected[1:3].tolist()


def test_distances_are_those_of_the_rows() -> None:
    own = predictor()
    found = columns_of(product())["domain_distance"].ravel()
    known = [own.literature.distances(item) for item in items(own.featurizer)]
    expected = [
        max(own.literature.nearest_of(name, far) / one.reach for name, one in own.domains.items())
        for far in known
    ]
    assert found.tolist() == pytest.approx(expected)


def test_a_distance_of_one_is_that_within_which_most_papers_have_a_sample() -> None:
    """By hand: the nearest sample of each target over its reach, and the largest of these."""
    found = columns_of(product())["domain_distance"]
    of_core = dict(zip(CORES, found[SHELLS.index("SiO2"), 0].tolist(), strict=True))
    # SiO2 on CsPbBr3 in a core/shell structure was measured of all targets.
    assert of_core["CsPbBr3"] == 0.0
    # A third of the bromide away from CsPbBr3 in SiO2: 2/3; PL reaches 1.1.
    assert of_core["CsPbBr2I"] == pytest.approx((2 / 3) / 1.1)
    # Half of the caesium away: 1.
    assert of_core["Cs0.5FA0.5PbBr3"] == pytest.approx(1 / 1.1)
    # Another shell of a class in common (0.5) on CsPbCl3; PLQY too.
    assert of_core["CsPbCl3"] == pytest.approx(0.5 / 1.1)
    # ZnS in a core/shell structure instead of a Janus one: 0.1 for PL, and for the PLQY, which was
    # not measured of it, 1 for SiO2, a class of its own.
    zinc = found[SHELLS.index("ZnS"), 0, 0]
    assert zinc == pytest.approx(max(0.1 / 1.1, 1.0 / 1.6, 0.1 / 1.7))


def test_a_thin_stressor_marks_its_own_stability_alone() -> None:
    own = predictor()
    changed = replace(own, stability=replace(own.stability, papers={"water": 4}))
    known, thin = (columns_of(product(one, stressors=("water",))) for one in (own, changed))
    assert known["in_domain_stability_water"].any()
    assert not thin["in_domain_stability_water"].any()
    for name in ("in_domain", "in_domain_pl", "in_domain_plqy"):
        assert thin[name].tolist() == known[name].tolist()
        assert thin[name].any()


def test_a_thin_stressor_is_answered_from_the_null_model() -> None:
    """No test tells that a median was not reached."""
    found = columns_of(product())
    half_life = np.log(2) * np.exp(2.0 + 0.7 + 0.5)
    assert np.unique(found["half_life_h_anion_exchange"]) == pytest.approx([half_life])
    gain = math.exp(0.5)
    assert np.unique(found["stability_gain_anion_exchange"]) == pytest.approx([gain])


# Known answers -------------------------------------------------------------------------------


def test_gains_add_up_side_stressor_class_shell_and_form() -> None:
    own = predictor()
    no_trees = {"forest": Forest.none(), "columns": np.zeros(0, np.intp)}
    plain = replace(own, stability=replace(own.stability, **no_trees))
    found = columns_of(product(plain))["stability_gain_water"][:, 0, 0]
    logs = dict(zip(SHELLS, np.log(found).tolist(), strict=True))
    form = 0.1  # core/shell
    # Most tests of SiO2 in water have no upper end: its half-life is shown 0.7 lower.
    assert logs["SiO2"] == pytest.approx(0.9 + 0.3 + 0.2 - 0.1 + form - 0.7)
    assert logs["PMMA"] == pytest.approx(0.9 + 0.3 + 0.5 + form)


def test_gains_are_the_ratios_of_half_lives() -> None:
    own = predictor()
    requests = Requests.of_items(items(own.featurizer), own.featurizer.reader)
    bare = Requests.of_items([item.bare for item in items(own.featurizer)], own.featurizer.reader)
    coated, uncoated = (own.columns(one, STRESSORS) for one in (requests, bare))
    for stressor in ("water", "light", "anion_exchange"):
        ratio = coated[f"half_life_h_{stressor}"] / uncoated[f"half_life_h_{stressor}"]
        np.testing.assert_allclose(coated[f"stability_gain_{stressor}"], ratio, rtol=1e-9)
        assert (uncoated[f"stability_gain_{stressor}"] == 1.0).all()


def test_a_calibrated_combination_has_its_own_interval() -> None:
    """Its scores reach 0.03 x 24 at 90 %, those of the others 0.1 x 18."""
    found = columns_of(product())
    energy, scale = 1239.84 / found["pl_peak_nm"], found["pl_scale"]
    half = (1239.84 / found["pl_peak_nm_lower"] - energy) / scale
    own = np.zeros(SHAPE, bool)
    own[SHELLS.index("SiO2"), :, CORES.index("CsPbBr3")] = True
    assert half[own] == pytest.approx(0.72)
    assert half[~own] == pytest.approx(1.8)


# Ranges --------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", range(len(SHELLS)))
def test_ranges_of_shells_are_parts_of_the_whole(first: int) -> None:
    made = product()
    side = side_of(made)
    whole = made.columns(side)
    for last in (*range(first + 1, len(SHELLS) + 1), None):
        own = slice(first, last)
        for name, part in made.columns(side, first, last).items():
            full = np.broadcast_to(whole[name], SHAPE)[own]
            np.testing.assert_allclose(np.broadcast_to(part, full.shape), full, rtol=1e-12)


@pytest.mark.parametrize("shells", [1, 2, 4])
def test_numbers_do_not_depend_on_how_many_shells_are_held_at_once(
    monkeypatch: pytest.MonkeyPatch, shells: int
) -> None:
    whole, made = columns_of(product()), product()
    of_trees = len(CONTEXTS) * len(side_of(made).trees["pl"].holds)
    monkeypatch.setattr(factored, "_CELLS", shells * of_trees)
    found = columns_of(made)
    np.testing.assert_allclose(found["pl_peak_nm"], whole["pl_peak_nm"], rtol=1e-12)


def test_verdicts_alone_are_those_of_the_columns() -> None:
    made = product(stressors=("water",))
    side = side_of(made)
    whole, alone, part = made.columns(side), made.verdicts(side), made.verdicts(side, 1, 3)
    assert alone.keys() == {*domain_columns(("water",)), "domain_distance"}
    for name, column in alone.items():
        assert column.tolist() == whole[name].tolist()
        assert part[name].tolist() == whole[name][1:3].tolist()


def test_cores_are_counted() -> None:
    assert side_of(product()).size == len(CORES)
