"""Answers of point models: by hand for small models, and by the formulas written out by target."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perovshell.models.point import BareSide, Columns, PointModel, PointPrediction
from perovshell.targets.declared import PL, PLQY
from point_models import point_model, scores

Floats = npt.NDArray[np.float64]
EV_NM = 1239.84


def predict(
    model: PointModel, predicted: float, scale: float, coverage: float = 0.5, **bare: Any
) -> dict[str, float]:
    """Return the columns of one combination; `threshold` asks for its probability."""
    threshold = bare.pop("threshold", None)
    side = _bare_side(**bare) if bare else None
    one = PointPrediction(model, np.array([predicted]), np.array([scale]), {}, side)
    return {name: float(column[0]) for name, column in one.columns(coverage, threshold).items()}


def _bare_side(
    *,
    predicted_bare: float = 40.0,
    bare_scale: float = 1.0,
    measured: float = math.nan,
    has_shell: bool = True,
    is_metal: bool = False,
) -> BareSide:
    return BareSide(
        predicted=np.array([predicted_bare]),
        scale=np.array([bare_scale]),
        categories={},
        measured=np.array([measured]),
        has_shell=np.array([has_shell]),
        is_metal=np.array([is_metal]),
    )


def ends(columns: dict[str, float], name: str) -> tuple[float, ...]:
    return tuple(columns[name + end] for end in ("", "_lower", "_upper"))


# By hand: a yield of 60 %, difficulty 2; half of left-out papers were within 5 difficulties ---


def test_a_value_spreads_as_left_out_papers_did() -> None:
    columns = predict(point_model(PLQY), 60.0, 2.0)
    assert ends(columns, "plqy_percent") == (60.0, 50.0, 70.0)
    assert "plqy_change" not in columns


def test_a_percentage_and_its_interval_are_held() -> None:
    columns = predict(point_model(PLQY), 130.0, 2.0, predicted_bare=-20.0)
    assert ends(columns, "plqy_percent") == (100.0, 90.0, 100.0)
    assert ends(columns, "plqy_change") == (100.0, 96.0, 100.0)


def test_an_effect_spreads_as_pairs_of_one_paper_do() -> None:
    """Half of the pairs are within 4 points: less than the two ends together, 10 and 5."""
    columns = predict(point_model(PLQY), 60.0, 2.0, predicted_bare=40.0)
    assert ends(columns, "plqy_change") == pytest.approx((20.0, 16.0, 24.0))


def test_a_stored_model_is_the_same_model() -> None:
    model = point_model(PL, mondrian={"CsPbBr3": scores(0.5), "CsPbI3": scores(0.2, papers=4)})
    data, arrays = model.to_parts()
    again = PointModel.from_parts(PL, data, arrays)
    assert again.to_parts()[0] == data
    assert list(again.mondrian) == ["CsPbBr3", "CsPbI3"]
    assert (again.residual_share, again.null_value) == (model.residual_share, model.null_value)
    assert again.prior.effects.tolist() == model.prior.effects.tolist()
    assert again.difficulty.effects.tolist() == model.difficulty.effects.tolist()
    assert again.columns.tolist() == model.columns.tolist()
    names = ("scores", "signed_scores", "effect_scores", "anchored_scores", "null_scores")
    pairs = [(getattr(model, name), getattr(again, name)) for name in names]
    pairs += zip(model.mondrian.values(), again.mondrian.values(), strict=True)
    for one, other in pairs:
        assert [one.quantile(level) for level in (0.3, 0.9)] == [
            other.quantile(level) for level in (0.3, 0.9)
        ]


def test_an_effect_is_no_wider_than_its_two_ends() -> None:
    model = point_model(PLQY, effect_scores=scores(100.0))
    columns = predict(model, 60.0, 2.0, predicted_bare=40.0, bare_scale=0.5)
    assert ends(columns, "plqy_change") == pytest.approx((20.0, 7.5, 32.5))


def test_a_measured_bare_value_anchors_value_and_effect() -> None:
    """20 measured, 40 predicted: half of the difference counts; 1.5 difficulties either side."""
    columns = predict(point_model(PLQY), 60.0, 2.0, predicted_bare=40.0, measured=20.0)
    assert ends(columns, "plqy_percent") == pytest.approx((50.0, 47.0, 53.0))
    assert ends(columns, "plqy_change") == pytest.approx((30.0, 27.0, 33.0))


def test_an_anchor_never_widens() -> None:
    model = point_model(PLQY, anchored_scores=scores(7.0))
    columns = predict(model, 60.0, 2.0, predicted_bare=40.0, measured=40.0)
    assert ends(columns, "plqy_percent") == pytest.approx((60.0, 50.0, 70.0))


def test_a_metal_core_is_answered_by_the_null_model() -> None:
    for measured in (math.nan, 20.0):
        columns = predict(point_model(PLQY), 60.0, 2.0, is_metal=True, measured=measured)
        assert ends(columns, "plqy_percent") == (55.0, 5.0, 100.0)
        assert ends(columns, "plqy_change") == (0.0, -50.0, 45.0)


def test_a_bare_core_has_no_effect() -> None:
    columns = predict(point_model(PLQY), 60.0, 2.0, predicted_bare=60.0, has_shell=False)
    assert ends(columns, "plqy_percent") == (60.0, 50.0, 70.0)
    assert ends(columns, "plqy_change") == (0.0, 0.0, 0.0)


def test_a_measured_bare_core_is_its_measurement() -> None:
    columns = predict(
        point_model(PLQY), 60.0, 2.0, predicted_bare=60.0, has_shell=False, measured=20.0
    )
    assert ends(columns, "plqy_percent") == (20.0, 20.0, 20.0)
    assert ends(columns, "plqy_change") == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("above", "bare", "probability"),
    [
        # 5 difficulties above the value: half of the residuals are larger, half of these upwards.
        (70.0, {}, 0.25),
        (60.0, {}, 0.5),
        (50.0, {}, 0.75),
        (70.0, {"predicted_bare": 40.0}, 0.25),
        # Anchored at 50: 1.5 difficulties are half of the anchored residuals.
        (53.0, {"measured": 20.0}, 0.25),
        (47.0, {"measured": 20.0}, 0.75),
        # A metal core: 20 points above its 55 are 2 of 9 residuals, each a tenth.
        (75.0, {"is_metal": True}, 0.4),
        # Measured: certain.
        (19.0, {"measured": 20.0, "has_shell": False}, 1.0),
        (21.0, {"measured": 20.0, "has_shell": False}, 0.0),
    ],
)
def test_the_probability_of_a_threshold(
    above: float, bare: dict[str, Any], probability: float
) -> None:
    columns = predict(point_model(PLQY), 60.0, 2.0, threshold=above, **bare)
    assert columns["p_plqy_above"] == pytest.approx(probability)


# By hand: a peak of 2.0 eV, difficulty 0.1; half of left-out papers within 0.5 difficulties ---


def test_energies_are_reported_as_wavelengths() -> None:
    columns = predict(point_model(PL, 0.1), 2.0, 0.1, predicted_bare=2.1, bare_scale=0.1)
    assert ends(columns, "pl_peak_nm") == pytest.approx(
        (EV_NM / 2.0, EV_NM / 2.05, EV_NM / 1.95), rel=1e-12
    )
    # Pairs of one paper are within 0.4 eV; the two ends of 0.05 eV are narrower.
    bare_nm = EV_NM / 2.1
    assert ends(columns, "pl_shift_nm") == pytest.approx(
        (EV_NM / 2.0 - bare_nm, EV_NM / 2.1 - bare_nm, EV_NM / 1.9 - bare_nm), abs=1e-9
    )


def test_an_energy_without_a_lower_limit_has_no_longest_wavelength() -> None:
    columns = predict(point_model(PL, 0.1), 2.0, 10.0, predicted_bare=2.1)
    assert columns["pl_peak_nm_upper"] == math.inf
    assert columns["pl_peak_nm_lower"] == pytest.approx(EV_NM / 7.0)


def test_the_probability_of_a_window() -> None:
    """Two difficulties of 0.1 on either side: a fifth of the mass of nine papers and a new one."""
    window = (EV_NM / 2.2, EV_NM / 1.8)
    columns = predict(point_model(PL), 2.0, 0.1, threshold=window)
    assert columns["p_pl_in_window"] == pytest.approx(0.2)
    longer = predict(point_model(PL), 2.0, 0.1, threshold=(EV_NM / 2.0, EV_NM / 1.8))
    assert longer["p_pl_in_window"] == pytest.approx(0.1)


# Mondrian categories -------------------------------------------------------------------------


def test_a_mondrian_category_has_its_scores() -> None:
    model = point_model(PLQY, mondrian={"CsPbBr3 / SiO2": scores(0.1)})
    categories = {"CsPbBr3 / SiO2": np.array([False, True])}
    prediction = PointPrediction(model, np.full(2, 60.0), np.full(2, 2.0), categories)
    columns = prediction.columns(0.5, 61.0)
    assert columns["plqy_percent_lower"] == pytest.approx([50.0, 59.0])
    assert columns["plqy_percent_upper"] == pytest.approx([70.0, 61.0])
    assert columns["p_plqy_above"] == pytest.approx([0.475, 0.25])


def test_a_bare_core_of_a_mondrian_category_narrows_the_effect() -> None:
    parts = {"mondrian": {"CsPbBr3 / none": scores(0.1)}, "effect_scores": scores(100.0)}
    bare = _bare_side(bare_scale=4.0)
    one = np.array([60.0]), np.array([2.0])
    model = point_model(PLQY, **parts)
    usual = PointPrediction(model, *one, {}, bare).half_widths(0.5)
    narrow = PointPrediction(
        model, *one, {}, BareSide(**{**vars(bare), "categories": {"CsPbBr3 / none": [0]}})
    ).half_widths(0.5)
    assert [float(half[0]) for half in usual] == pytest.approx([10.0, 30.0])
    assert [float(half[0]) for half in narrow] == pytest.approx([10.0, 12.0])


@pytest.mark.parametrize("shape", [(2,), (2, 3), (2, 3, 4)])
def test_values_of_a_product_may_have_any_shape(shape: tuple[int, ...]) -> None:
    for parts in ({}, {"scores": scores(1.0, papers=0)}):
        prediction = PointPrediction(
            point_model(PLQY, **parts), np.full(shape, 60.0), np.full(shape, 2.0), {}
        )
        columns = prediction.columns(0.5, 60.0)
        assert columns["plqy_percent"].shape == columns["plqy_percent_upper"].shape == shape
        assert columns["p_plqy_above"].shape == shape
        assert (columns["p_plqy_above"] == 0.5).all()


# Both targets written out --------------------------------------------------------------------


class Written:
    """The formulas of both targets written out: energies in nm, and percentages that are held."""

    def __init__(self, prediction: PointPrediction, coverage: float) -> None:
        bare = prediction.bare
        assert bare is not None
        self.prediction, self.model, self.coverage = prediction, prediction.model, coverage
        self.bare: BareSide = bare
        self.is_anchored = ~np.isnan(bare.measured) & ~bare.is_metal
        self.may_change = bare.has_shell & ~bare.is_metal

    def peak(self, window: tuple[float, float]) -> Columns:
        model, bare = self.model, self.bare
        coated = np.where(bare.is_metal, model.null_value, self.prediction.predicted)
        step = np.where(self.may_change, coated - bare.predicted, 0.0)
        start = np.where(self.is_anchored, bare.measured, coated - step)
        energy = np.where(self.is_anchored, self.anchored(start, coated), coated)
        half, step_half = self.half_widths()
        shift = self.nm("pl_shift_nm", energy, step_half)
        columns = self.nm("pl_peak_nm", energy, half)
        columns |= {name: column - EV_NM / start for name, column in shift.items()}
        first, last = (EV_NM / end for end in window)
        return columns | {"p_pl_in_window": self.cdf(first - energy) - self.cdf(last - energy)}

    def plqy(self, above: float) -> Columns:
        model, bare = self.model, self.bare
        coated = np.where(bare.is_metal, model.null_value, self.prediction.predicted)
        value = np.clip(coated, 0.0, 100.0)
        step = np.where(self.may_change, value - np.clip(bare.predicted, 0.0, 100.0), 0.0)
        start = np.where(self.is_anchored, bare.measured, value - step)
        anchored = np.clip(self.anchored(start, coated), 0.0, 100.0)
        value = np.where(self.is_anchored, anchored, value)
        half, step_half = self.half_widths()
        change = value - start
        return {
            "plqy_percent": value,
            "plqy_percent_lower": np.clip(value - half, 0.0, 100.0),
            "plqy_percent_upper": np.clip(value + half, 0.0, 100.0),
            "plqy_change": change,
            "plqy_change_lower": np.maximum(change - step_half, -start),
            "plqy_change_upper": np.minimum(change + step_half, 100.0 - start),
            "p_plqy_above": 1.0 - self.cdf(above - value),
        }

    def anchored(self, start: Floats, coated: Floats) -> Floats:
        missed = start - self.bare.predicted
        return np.where(self.may_change, coated + self.model.residual_share * missed, start)

    @staticmethod
    def nm(name: str, energy: Floats, half: Floats) -> Columns:
        low = energy - half
        upper = np.where(low > 0, EV_NM / np.maximum(low, 1e-12), np.inf)
        return {
            name: EV_NM / energy,
            f"{name}_lower": EV_NM / (energy + half),
            f"{name}_upper": upper,
        }

    def half_widths(self) -> tuple[Floats, Floats]:
        model, bare, scale = self.model, self.bare, self.prediction.scale
        usual = np.where(
            bare.is_metal,
            model.null_scores.quantile(self.coverage),
            self.quantiles(self.prediction.categories) * scale,
        )
        both = usual + self.quantiles(bare.categories) * bare.scale
        pairs = np.minimum(model.effect_scores.quantile(self.coverage), both)
        step = np.where(bare.is_metal, usual, pairs)
        narrow = np.minimum(usual, model.anchored_scores.quantile(self.coverage) * scale)
        value, step = (np.where(self.is_anchored, narrow, own) for own in (usual, step))
        step = np.where(bare.has_shell, step, 0.0)
        return np.where(self.is_anchored & ~bare.has_shell, 0.0, value), step

    def quantiles(self, categories: dict[str, Any]) -> Floats:
        quantile = np.full(len(self.is_anchored), self.model.scores.quantile(self.coverage))
        for name, member in categories.items():
            quantile[member] = self.model.mondrian[name].quantile(self.coverage)
        return quantile

    def cdf(self, residual: Floats) -> Floats:
        model, bare, share = self.model, self.bare, residual / self.prediction.scale
        usual = model.scores.cdf(share)
        for name, member in self.prediction.categories.items():
            usual[member] = model.mondrian[name].cdf(share[member])
        usual = np.where(bare.is_metal, model.null_scores.cdf(residual), usual)
        above, anchored = residual >= 0, model.anchored_scores.cdf(share)
        narrower = np.where(above, np.maximum(usual, anchored), np.minimum(usual, anchored))
        known = np.where(bare.has_shell, narrower, above.astype(float))
        return np.where(self.is_anchored, known, usual)


@st.composite
def predictions(draw: st.DrawFn, target: Any) -> PointPrediction:
    """Draw a model, and what it predicts of up to eight combinations."""
    size = draw(st.integers(1, 8))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    is_pl = target is PL
    unit = 0.1 if is_pl else 10.0

    def some_scores() -> Any:
        return scores(unit * random.uniform(0.01, 2.0), papers=int(random.integers(0, 30)))

    def masks(*names: str) -> dict[str, Any]:
        return {name: random.random(size) < 0.4 for name in names}

    parts = {name: some_scores() for name in ("scores", "effect_scores", "anchored_scores")}
    model = point_model(
        target,
        **parts,
        null_scores=some_scores(),
        mondrian={"CsPbBr3 / SiO2": some_scores(), "CsPbBr3 / none": some_scores()},
        residual_share=random.uniform(),
        null_value=2.3 if is_pl else 62.0,
    )
    low, high = (1.6, 3.4) if is_pl else (-20.0, 130.0)
    predicted, of_bare = random.uniform(low, high, (2, size))
    measured = random.uniform(*((1.7, 3.0) if is_pl else (0.0, 100.0)), size)
    bare = BareSide(
        predicted=of_bare,
        scale=random.uniform(0.2, 3.0, size),
        categories=masks("CsPbBr3 / none"),
        measured=np.where(random.random(size) < 0.5, np.nan, measured),
        has_shell=random.random(size) < 0.7,
        is_metal=random.random(size) < 0.2,
    )
    # What is bare is predicted as its bare core.
    predicted = np.where(bare.has_shell, predicted, of_bare)
    scale = random.uniform(0.2, 3.0, size)
    return PointPrediction(model, predicted, scale, masks("CsPbBr3 / SiO2"), bare)


def same(columns: Columns, expected: Columns) -> None:
    assert columns.keys() == expected.keys()
    for name, column in expected.items():
        np.testing.assert_allclose(columns[name], column, rtol=1e-9, atol=1e-9, err_msg=name)


@settings(max_examples=200, deadline=None)
@given(predictions(PL), st.floats(0.05, 0.95), st.floats(300, 900), st.floats(1, 300))
def test_the_peak_is_its_formula_written_out(
    prediction: PointPrediction, coverage: float, first: float, width: float
) -> None:
    window = (first, first + width)
    same(prediction.columns(coverage, window), Written(prediction, coverage).peak(window))


@settings(max_examples=200, deadline=None)
@given(predictions(PLQY), st.floats(0.05, 0.95), st.floats(0, 99.9))
def test_the_yield_is_its_formula_written_out(
    prediction: PointPrediction, coverage: float, above: float
) -> None:
    same(prediction.columns(coverage, above), Written(prediction, coverage).plqy(above))


@settings(max_examples=100, deadline=None)
@given(predictions(PLQY), st.floats(0.05, 0.95))
def test_an_interval_holds_its_value(prediction: PointPrediction, coverage: float) -> None:
    columns = prediction.columns(coverage)
    for name in ("plqy_percent", "plqy_change"):
        low, value, high = (columns[f"{name}{end}"] for end in ("_lower", "", "_upper"))
        assert (low <= value + 1e-9).all()
        assert (value <= high + 1e-9).all()
