"""Lifetimes and gains as intervals: worked values, edge rules, properties."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.targets import Interval, Reading, ev_to_nm, gain_interval, nm_to_ev

NAN, INF = math.nan, math.inf
DAY, MINUTE = 24.0, 1 / 60


def remnant(duration_h, percent, bound="", low=NAN, high=NAN):
    return Reading("remnant PL", duration_h, percent, low, high, bound)


def failure(duration_h, bound=""):
    return Reading("time to failure", duration_h, NAN, NAN, NAN, bound)


def ends(interval):
    return (interval.low, interval.high)


def within_percent(low, high):
    return pytest.approx((low, high), rel=0.01)


# Worked values -------------------------------------------------------------------------------

WORKED = {
    "SiO2-Janus-water": (remnant(7 * DAY, 80), remnant(7 * DAY, 17.8), (6.52, 9.30)),
    "SiO2-Janus-light": (remnant(6, 98), remnant(6, 84), (2.94, INF)),
    "ZrO2-water": (remnant(8 * DAY, 80), remnant(8 * DAY, 5), (10.7, 17.7)),
    "CdS-light": (remnant(14, 80), remnant(14, 65), (1.61, 2.33)),
    "TiO2-water": (remnant(84 * DAY, 85, "~"), remnant(15 * MINUTE, 0), (1.41e5, INF)),
    "PbSO4-ethanol": (remnant(2.5, 75), remnant(2.5, 44), (2.47, 3.32)),
    "SiO2-sonication": (remnant(40 * MINUTE, 112), remnant(16 * MINUTE, 0), (191, INF)),
    "CsPbI3-SiO2-water": (
        remnant(2, 101.5, low=95, high=108),
        remnant(2, 58, low=52, high=64),
        (5.73, INF),
    ),
    "CsPbI3-SiO2-heat": (remnant(NAN, 87.5, low=85, high=90), remnant(NAN, 67.2), (1.98, 5.13)),
}


@pytest.mark.parametrize(("coated", "bare", "gain"), WORKED.values(), ids=WORKED)
def test_worked_gain(coated, bare, gain):
    assert ends(gain_interval(coated, bare)) == within_percent(*gain)


# Fractions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "fraction"),
    [
        pytest.param(remnant(1, 50), (0.48, 0.52), id="exact"),
        pytest.param(remnant(1, 50, "~"), (0.45, 0.55), id="about"),
        pytest.param(remnant(1, 50, ">"), (0.50, INF), id="more-than"),
        pytest.param(remnant(1, 50, "<"), (0.0, 0.50), id="less-than"),
        pytest.param(remnant(1, 58, low=52, high=64), (0.50, 0.66), id="range"),
        pytest.param(remnant(1, 0), (0.0, 0.02), id="nothing-left"),
        pytest.param(remnant(1, 3, "~"), (0.0, 0.08), id="about-nothing"),
        pytest.param(remnant(1, 1, low=0, high=2), (0.0, 0.04), id="range-from-0"),
        pytest.param(remnant(1, 112), (1.10, 1.14), id="brighter"),
    ],
)
def test_fraction(reading, fraction):
    assert ends(reading.fraction()) == pytest.approx(fraction)


# Lifetimes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "lifetime"),
    [
        # 10 h / -ln r, typed from a table of logarithms.
        pytest.param(remnant(10, 50), (13.62, 15.29), id="half"),
        pytest.param(remnant(10, 50, "~"), (12.52, 16.73), id="about-half"),
        pytest.param(remnant(10, 50, ">"), (14.43, INF), id="more-than-half"),
        pytest.param(remnant(10, 50, "<"), (0.0, 14.43), id="less-than-half"),
        pytest.param(remnant(10, 98), (195.0, INF), id="lower-end-capped"),
        pytest.param(remnant(10, 112), (195.0, INF), id="brighter-counts-as-capped"),
        pytest.param(remnant(10, 99, ">"), (195.0, INF), id="more-than-99"),
        pytest.param(remnant(10, 96), (161.6, 495.0), id="just-below-the-cap"),
        pytest.param(remnant(10, 96.9), (191.0, 904.1), id="upper-end-98.9"),
        pytest.param(remnant(10, 97.1), (195.0, INF), id="upper-end-above-99"),
        pytest.param(remnant(10, 0), (0.0, 2.556), id="nothing-left"),
        pytest.param(remnant(10, 2.9), (0.0, 3.317), id="lower-end-below-1-percent"),
        pytest.param(remnant(10, 4), (2.556, 3.554), id="lower-end-above-1-percent"),
        pytest.param(remnant(10, 1, ">"), (0.0, INF), id="lower-end-of-1-percent"),
        pytest.param(remnant(10, 1.04, ">"), (2.190, INF), id="lower-end-of-1.04-percent"),
        pytest.param(remnant(10, 99, "<"), (0.0, INF), id="upper-end-of-99-percent"),
        pytest.param(remnant(10, 98.9, "<"), (0.0, 904.1), id="upper-end-below-99-percent"),
        pytest.param(remnant(10, 100, "<"), (0.0, INF), id="says-nothing"),
        pytest.param(failure(12), (10.0, 14.4), id="time-to-failure"),
        pytest.param(failure(12, "~"), (10.0, 14.4), id="about-time-to-failure"),
        pytest.param(failure(12, ">"), (12.0, INF), id="longer-than"),
        pytest.param(failure(12, "<"), (0.0, 12.0), id="shorter-than"),
    ],
)
def test_lifetime(reading, lifetime):
    assert ends(reading.lifetime()) == pytest.approx(lifetime, rel=0.002)


def test_a_stretched_decay_by_hand():
    # exp(-(10 / lifetime)^0.5) = 0.48 and 0.52.
    lifetime = remnant(10, 50).lifetime(exponent=0.5)
    assert ends(lifetime) == pytest.approx((18.563, 23.385), rel=1e-3)


def test_a_stretched_decay_squares_the_gain():
    coated, bare = remnant(7 * DAY, 80), remnant(7 * DAY, 17.8)
    first_order, stretched = gain_interval(coated, bare), gain_interval(coated, bare, 0.5)
    assert ends(stretched) == pytest.approx((first_order.low**2, first_order.high**2))


def test_only_the_reading_that_says_nothing_is_uninformative():
    assert not remnant(10, 100, "<").lifetime().is_informative
    assert remnant(10, 99.5).lifetime().is_informative


def test_lifetime_needs_a_duration():
    with pytest.raises(ValueError, match="states none"):
        remnant(NAN, 50).lifetime()


@pytest.mark.parametrize(
    ("reading", "given"),
    [(remnant(1, 50), True), (remnant(NAN, 50), True), (failure(5), True), (failure(NAN), False)],
)
def test_a_side_is_given_where_a_duration_or_a_percent_is(reading, given):
    assert reading.is_given is given


def test_unit_stands_in_for_an_unstated_duration():
    assert remnant(NAN, 50).lifetime(unit_h=3) == remnant(3, 50).lifetime()


def test_unit_does_not_replace_a_stated_duration():
    assert remnant(10, 50).lifetime(unit_h=3) == remnant(10, 50).lifetime()


# Gains ---------------------------------------------------------------------------------------


def test_gain_with_one_unstated_duration_is_refused():
    with pytest.raises(ValueError, match="both durations, or neither"):
        gain_interval(remnant(1, 50), remnant(NAN, 20))


def test_gain_of_times_to_failure():
    gain = gain_interval(failure(96, ">"), failure(24, "<"))
    assert ends(gain) == pytest.approx((4.0, INF))


def test_gain_over_a_bare_side_without_upper_bound_starts_at_0():
    assert gain_interval(remnant(1, 50), remnant(1, 100)).low == 0


def test_gain_of_two_samples_that_are_both_gone_may_be_anything():
    assert ends(gain_interval(remnant(1, 0), remnant(1, 0))) == (0.0, INF)


# Intervals -----------------------------------------------------------------------------------


def test_a_point_is_an_interval():
    assert ends(Interval(2, 2)) == (2, 2)


@pytest.mark.parametrize(("low", "high"), [(2, 1), (-1, 1), (NAN, 1), (1, NAN)])
def test_upside_down_interval_is_refused(low, high):
    with pytest.raises(ValueError, match="interval"):
        Interval(low, high)


@pytest.mark.parametrize(
    ("low", "high", "says"), [(0, INF, False), (1, INF, True), (0, 1, True), (1, 2, True)]
)
def test_informative(low, high, says):
    assert Interval(low, high).is_informative is says


def test_widened_moves_finite_ends_only():
    assert ends(Interval(3, 6).widened(1.5)) == pytest.approx((2, 9))
    assert ends(Interval(0, INF).widened(1.5)) == (0, INF)


def test_energy_of_green_light():
    assert nm_to_ev(517) == pytest.approx(2.398, abs=0.001)


@given(st.floats(200, 2000))
def test_energy_is_its_own_inverse(wavelength):
    assert ev_to_nm(nm_to_ev(wavelength)) == pytest.approx(wavelength)


# Properties ----------------------------------------------------------------------------------

DURATIONS = st.floats(1e-3, 1e5)


@st.composite
def readings(draw, durations=DURATIONS):
    """Any reading the rules of the dataset allow."""
    duration = draw(durations)
    bound = draw(st.sampled_from(["", "~", ">", "<"]))
    kind = draw(st.sampled_from(["remnant", "range", "failure"]))
    if kind == "failure":
        return failure(duration, bound)
    low, percent, high = sorted(draw(st.tuples(*[st.floats(0.1, 200)] * 3)))
    if kind == "range":
        return remnant(duration, percent, low=low, high=high)
    return remnant(duration, percent, bound)


def longer(reading, factor):
    return Reading(
        reading.measure,
        reading.duration_h * factor,
        reading.percent,
        reading.percent_low,
        reading.percent_high,
        reading.bound,
    )


@given(readings())
def test_lifetime_is_ordered(reading):
    low, high = ends(reading.lifetime())
    assert 0 <= low < high


@given(readings(), readings())
def test_gain_is_ordered(coated, bare):
    low, high = ends(gain_interval(coated, bare))
    assert 0 <= low < high


@given(readings(), st.floats(1, 10))
def test_widened_contains_the_interval(reading, factor):
    narrow, wide = reading.lifetime(), reading.lifetime().widened(factor)
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


@given(readings(), readings())
def test_gain_of_swapped_sides_is_the_reciprocal(one, other):
    low, high = ends(gain_interval(one, other))
    swapped = (1 / high, 1 / low if low else INF)
    assert ends(gain_interval(other, one)) == pytest.approx(swapped)


@given(readings(), st.floats(1, 100))
def test_lifetime_scales_with_the_duration(reading, factor):
    low, high = ends(reading.lifetime())
    scaled = longer(reading, factor).lifetime()
    assert ends(scaled) == pytest.approx((low * factor, high * factor))


@given(readings(), readings(), st.floats(0.01, 100))
def test_gain_does_not_depend_on_the_unit_of_time(coated, bare, factor):
    gain = gain_interval(coated, bare)
    scaled = gain_interval(longer(coated, factor), longer(bare, factor))
    assert ends(scaled) == pytest.approx(ends(gain))


@given(st.floats(3, 97), st.floats(1e-3, 1e5))
def test_printed_percent_lies_within_its_own_lifetime(percent, duration):
    low, high = ends(remnant(duration, percent).lifetime())
    assert low <= duration / -math.log(percent / 100) <= high


@given(st.floats(0.1, 99), st.floats(0, 1))
def test_more_remnant_is_never_a_shorter_lifetime(percent, more):
    less_left, more_left = remnant(1, percent).lifetime(), remnant(1, percent + more).lifetime()
    assert less_left.low <= more_left.low
    assert less_left.high <= more_left.high
