"""Scales of targets: known answers of every conversion, and round trips."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.targets.scales import (
    ENERGY,
    PERCENT,
    Log,
    Scale,
    flip_bounds,
    probability_between,
    reported_interval,
    reported_width,
)

EV_NM = 1239.84
PLAIN, LOG = Scale("K"), Log("log h")
SCALES = {"plain": PLAIN, "energy": ENERGY, "percent": PERCENT, "log": LOG}
REPORTED = {
    "plain": st.floats(-1e6, 1e6),
    "energy": st.floats(200.0, 2000.0),
    "percent": st.floats(0.0, 100.0),
    "log": st.floats(1e-3, 1e6),
}
HALF_WIDTHS = st.floats(0.0, 0.5)
every_scale = pytest.mark.parametrize("name", SCALES)


def normal_cdf(residual: np.ndarray) -> np.ndarray:
    return np.vectorize(lambda one: 0.5 * (1.0 + math.erf(one / math.sqrt(2.0))))(residual)


# Conversions ---------------------------------------------------------------------------------


def test_wavelengths_are_energies() -> None:
    assert ENERGY.to_model(np.array([400.0, 517.0])) == pytest.approx([3.0996, 2.39814], abs=1e-5)
    assert ENERGY.to_unit(np.array([2.0, 2.4])) == pytest.approx([619.92, 516.6])


@pytest.mark.parametrize("energy", [0.0, -0.0, -1e-300, -2.4, -math.inf])
def test_an_energy_of_zero_or_less_has_no_wavelength(energy: float) -> None:
    assert ENERGY.to_unit(np.array(energy)) == math.inf


def test_a_tiny_energy_has_a_finite_wavelength() -> None:
    assert math.isfinite(ENERGY.to_unit(np.array(5e-324)))


@every_scale
def test_the_unknown_stays_unknown(name: str) -> None:
    scale, unknown = SCALES[name], np.array([math.nan])
    assert np.isnan([scale.to_model(unknown), scale.to_unit(unknown), scale.hold(unknown)]).all()


def test_percentages_are_held() -> None:
    values = np.array([-3.0, 0.0, 40.0, 100.0, 130.0])
    held = [0.0, 0.0, 40.0, 100.0, 100.0]
    assert PERCENT.to_unit(values).tolist() == held
    assert PERCENT.hold(values).tolist() == held
    assert PERCENT.to_model(values).tolist() == values.tolist()


def test_other_scales_hold_nothing() -> None:
    values = np.array([-3.0, 130.0])
    for scale in (PLAIN, ENERGY, LOG):
        assert scale.hold(values).tolist() == values.tolist()


def test_logarithms_are_natural() -> None:
    assert LOG.to_model(np.array([1.0, math.e, 0.0])).tolist() == [0.0, 1.0, -math.inf]
    assert LOG.to_unit(np.array([0.0, math.log(30)])) == pytest.approx([1.0, 30.0])


def test_numbers_are_modelled_as_they_are() -> None:
    values = np.array([-3.0, 130.0])
    assert PLAIN.to_model(values).tolist() == PLAIN.to_unit(values).tolist() == values.tolist()


def test_scales_state_what_they_model() -> None:
    assert [scale.unit for scale in SCALES.values()] == ["K", "eV", "percent", "log h"]
    assert [name for name, scale in SCALES.items() if scale.flips] == ["energy"]
    assert [name for name, scale in SCALES.items() if scale.is_share] == ["percent"]


@every_scale
@given(data=st.data())
def test_values_come_back(name: str, data: st.DataObject) -> None:
    value = data.draw(REPORTED[name])
    there = SCALES[name].to_model(np.array(value))
    assert float(SCALES[name].to_unit(there)) == pytest.approx(value, rel=1e-12, abs=1e-12)


@given(st.floats(0.5, 5.0), st.floats(0.5, 5.0))
def test_the_slope_is_that_of_the_secant(start: float, end: float) -> None:
    moved = ENERGY.slope(start, end) * (end - start)
    assert moved == pytest.approx(EV_NM / end - EV_NM / start, rel=1e-9, abs=1e-9)
    assert PERCENT.slope(start, end) == PLAIN.slope(start, end) == 1.0


# Intervals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "half_width", "low", "high"),
    [
        ("plain", 5.0, 2.0, 3.0, 7.0),
        ("energy", 2.0, 0.5, EV_NM / 2.5, EV_NM / 1.5),
        ("energy", 2.0, 2.0, EV_NM / 4.0, math.inf),
        ("energy", 2.0, math.inf, 0.0, math.inf),
        ("percent", 90.0, 20.0, 70.0, 100.0),
        ("percent", 10.0, 20.0, 0.0, 30.0),
        ("log", math.log(10.0), math.log(2.0), 5.0, 20.0),
    ],
)
def test_intervals_are_reported(
    name: str, value: float, half_width: float, low: float, high: float
) -> None:
    ends = reported_interval(SCALES[name], np.array([value]), np.array([half_width]))
    assert [float(end[0]) for end in ends] == pytest.approx([low, high])


@every_scale
@given(data=st.data())
def test_an_interval_holds_its_value_and_has_its_width(name: str, data: st.DataObject) -> None:
    scale, half = SCALES[name], data.draw(HALF_WIDTHS)
    value = scale.to_model(np.array([data.draw(REPORTED[name])]))
    low, high = reported_interval(scale, value, np.array([half]))
    assert low <= scale.to_unit(value) <= high
    width = reported_width(scale, value - half, value + half)
    assert width == pytest.approx(high - low, rel=1e-12, abs=1e-12)


def test_widths_are_reported() -> None:
    low, high = np.array([1.5, 2.0]), np.array([2.5, 2.4])
    expected = [EV_NM / 1.5 - EV_NM / 2.5, EV_NM / 2.0 - EV_NM / 2.4]
    assert reported_width(ENERGY, low, high) == pytest.approx(expected)
    shares = reported_width(PERCENT, np.array([-20.0, 40.0]), np.array([30.0, 130.0]))
    assert shares.tolist() == [30.0, 60.0]
    assert reported_width(LOG, np.log([2.0]), np.log([8.0])) == pytest.approx([6.0])


# Probabilities -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "low", "high", "probability"),
    [
        # One standard deviation on either side, and all that lies above the value.
        ("plain", 5.0, 4.0, 6.0, 0.682689),
        ("plain", 5.0, 5.0, math.inf, 0.5),
        ("energy", 3.0, EV_NM / 4.0, EV_NM / 2.0, 0.682689),
        ("energy", 3.0, EV_NM / 4.0, EV_NM / 3.0, 0.341345),
        ("percent", 60.0, 61.0, math.inf, 0.158655),
        ("log", math.log(10.0), 10.0 * math.e, math.inf, 0.158655),
        ("log", math.log(10.0), 0.0, 10.0, 0.5),
    ],
)
def test_probabilities_between_limits(
    name: str, value: float, low: float, high: float, probability: float
) -> None:
    found = probability_between(SCALES[name], normal_cdf, np.array([value]), low, high)
    assert found == pytest.approx([probability], abs=1e-6)


@every_scale
@given(data=st.data())
def test_an_interval_has_the_probability_of_its_residuals(name: str, data: st.DataObject) -> None:
    scale, half = SCALES[name], data.draw(HALF_WIDTHS)
    value = scale.to_model(np.array([data.draw(REPORTED[name].filter(_is_inside(name)))]))
    low, high = (float(end[0]) for end in reported_interval(scale, value, np.array([half])))
    found = probability_between(scale, normal_cdf, value, low, high)
    assert found == pytest.approx([math.erf(half / math.sqrt(2.0))], abs=1e-8)


def _is_inside(name: str):
    """Return whether an interval of 0.5 on either side of a value is cut nowhere."""
    return lambda value: name != "percent" or 0.5 <= value <= 99.5


# Bounds --------------------------------------------------------------------------------------


def test_bounds_of_wavelengths_turn_round() -> None:
    bounds = [">", "<", "~", ""]
    assert flip_bounds(ENERGY, bounds) == ["<", ">", "~", ""]
    for scale in (PLAIN, PERCENT, LOG):
        assert flip_bounds(scale, bounds) == bounds
