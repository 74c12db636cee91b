"""What looks wrong in the stability tests of a new paper."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from perovshell.data.records import StabilityTest
from perovshell.data.summary import given_sides, interval_text, reading_text
from perovshell.data.targets import TIME_TO_FAILURE, Interval
from perovshell.data.usual import PERCENT_RANGE, TEMPERATURE_RANGE
from perovshell.intake.samples import LEVELS, Check, request_of
from perovshell.models.conformal import ConformityScores
from perovshell.models.lifetime import LN2
from perovshell.models.predictor import Predictor
from perovshell.models.stability import INTERVAL_INFLATION


def checks_of_test(test: StabilityTest, predictor: Predictor | None) -> Iterator[Check]:
    """Yield the checks of one stability test.

    Args:
        test: The test.
        predictor: The champion, or None.
    """
    yield from _beyond_usual(test)
    yield from _gain_checks(test, predictor)
    if predictor is not None:
        yield from _lifetime_checks(test, predictor)


def _beyond_usual(test: StabilityTest) -> Iterator[Check]:
    """Yield the numbers that are possible, but hardly in the unit of their column.

    Where no side has more than 1 %, all of the test is likely to be in fractions.
    """
    sides = [(name, side) for name, side in given_sides(test) if not math.isnan(side.percent)]
    doubtful = [name for name, side in sides if PERCENT_RANGE.doubt(name, side.percent)]
    all_low = all(side.percent <= PERCENT_RANGE.low for _, side in sides)
    for name in doubtful[:1] if all_low else doubtful:
        yield _test_check(
            test, name, PERCENT_RANGE.text, f"{PERCENT_RANGE.instead}?", is_outlier=all_low
        )
    temperature = test.conditions["temperature_c"]
    if TEMPERATURE_RANGE.doubt("temperature_c", temperature):
        yield Check(
            test.sample.sample_id,
            f"temperature_c ({test.stressor})",
            f"{temperature:g} {TEMPERATURE_RANGE.unit}",
            TEMPERATURE_RANGE.text,
            f"{TEMPERATURE_RANGE.instead}?",
            is_outlier=False,
        )


def _gain_checks(test: StabilityTest, predictor: Predictor | None) -> Iterator[Check]:
    gain = test.gain()
    if gain is None:
        return
    lowest = _usual_gain(test, predictor) if predictor is not None else 0.0
    if gain.high < 1.0:
        reason = "the shell makes it less stable: are coated and bare swapped?"
        yield _test_check(test, "coated", "a gain of 1 or more", reason, is_outlier=True)
    elif _is_less_left_coated(test):
        reason = "the coated sample keeps less than the bare one: are coated and bare swapped?"
        expected = f"a gain above 1, not {interval_text(gain)}"
        yield _test_check(test, "coated", expected, reason, is_outlier=False)
    elif gain.widened(INTERVAL_INFLATION).high < lowest:
        expected = (
            f"a gain of {_digits(lowest)} or more (90 % of papers), not {interval_text(gain)}"
        )
        reason = "the shell helps less than shells do: percents or durations of another sample?"
        yield _test_check(test, "coated", expected, reason, is_outlier=False)


def _is_less_left_coated(test: StabilityTest) -> bool:
    """Whether less is left of the coated sample, be its test the longer one; no paper has that."""
    if test.coated.measure == TIME_TO_FAILURE:
        return False
    return test.coated.fraction().high < test.bare.fraction().low


def _usual_gain(test: StabilityTest, predictor: Predictor) -> float:
    """Return the gain that nine of ten papers pass."""
    model, layers = predictor.gain, test.sample.layers
    is_metal = test.sample.core is not None and test.sample.core.is_metal
    shell = np.asarray(model.shell_effect(layers))
    usual = float(model.log_values([test.stressor], shell, is_metal=is_metal)[0])
    return math.exp(usual + model.scores.lower_quantile(1 - LEVELS[0]))


def _lifetime_checks(test: StabilityTest, predictor: Predictor) -> Iterator[Check]:
    for side, reading in given_sides(test):
        if math.isnan(reading.duration_h):
            continue
        expected = _usual_lifetime(test, predictor, is_coated=side == "coated")
        if not math.isnan(expected):
            scores = predictor.lifetime.scores
            yield from _lifetime_check(test, side, reading.lifetime(), expected, scores)


def _lifetime_check(
    test: StabilityTest, side: str, measured: Interval, expected: float, scores: ConformityScores
) -> Iterator[Check]:
    # Compared with scores that were computed in the same way: with finite ends moved out.
    widened = measured.widened(INTERVAL_INFLATION)
    near, far = (expected * math.exp(_lower_score(scores, level)) for level in LEVELS)
    share = f"{LEVELS[0]:.0%}".replace("%", " %") if near > far else "all"
    farthest = expected * math.exp(scores.largest)
    if widened.high < near:
        times = f"{_digits(expected / measured.high)} times" if measured.high else "far"
        reason = (
            f"the {side} side lasts {times} shorter than expected: days given as hours, or the "
            "percent of another sample?"
        )
        usual = f"a lifetime of about {_digits(expected)} h, {_digits(near)} h or more"
        text = f"{usual} ({share} of papers)"
        yield _test_check(test, side, text, reason, is_outlier=widened.high < far)
    elif widened.low > farthest:
        reason = (
            f"the {side} side lasts {_digits(measured.low / expected)} times longer than expected, "
            "longer than in any paper: minutes given as hours?"
        )
        usual = f"a lifetime of about {_digits(expected)} h, {_digits(farthest)} h at most"
        yield _test_check(test, side, usual, reason, is_outlier=False)


def _lower_score(scores: ConformityScores, level: float) -> float:
    """Return the log factor that papers stay above; the lowest known one where K is too small.

    A score of -inf only says that a paper lies below all known ones.
    """
    quantile = scores.lower_quantile(1 - level)
    known = scores.values[np.isfinite(scores.values)]
    if math.isfinite(quantile) or not len(known):
        return quantile
    return float(known[0])


def _usual_lifetime(test: StabilityTest, predictor: Predictor, *, is_coated: bool) -> float:
    """Return the champion's lifetime of one side in h, NaN where it cannot read the sample."""
    sample = test.sample
    if sample.core is None or sample.core.is_metal:
        return math.nan
    context: dict[str, float | str] = {"temperature_c": test.conditions["temperature_c"]}
    if not is_coated:
        context |= {"shell": "none", "structure": "bare", "encapsulation": "none"}
    request = request_of(sample, predictor, context)
    if request is None:
        return math.nan
    column = predictor.lifetime.target.column(test.stressor)
    half_life = predictor.columns(request, (test.stressor,))[column][0]
    return float(half_life) / LN2


def _digits(number: float) -> str:
    """Return a number to three digits, a large one written out."""
    return f"{float(f'{number:.3g}'):g}"


def _test_check(
    test: StabilityTest, side: str, expected: str, reason: str, *, is_outlier: bool
) -> Check:
    reading = test.coated if side == "coated" else test.bare
    kind = "duration_h" if reading.measure == TIME_TO_FAILURE else "percent"
    return Check(
        test.sample.sample_id,
        f"{side}_{kind} ({test.stressor})",
        ", ".join(f"{name} {reading_text(reading)}" for name, reading in given_sides(test)),
        expected,
        reason,
        is_outlier=is_outlier,
    )
