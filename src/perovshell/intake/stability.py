"""What looks wrong in the stability tests of a new paper."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from perovshell.data.records import StabilityTest
from perovshell.data.summary import given_sides, interval_text, reading_text
from perovshell.data.targets import TIME_TO_FAILURE, Interval
from perovshell.data.usual import PERCENT_RANGE, TEMPERATURE_RANGE
from perovshell.intake.checks import Check
from perovshell.intake.samples import LEVELS, request_of
from perovshell.models.conformal import ConformityScores
from perovshell.models.predictor import Predictor
from perovshell.models.stability import INTERVAL_INFLATION

_IN_WORDS: Final = {
    "temperature_c": re.compile(r"\d+(?:\.\d+)?\s?(?:°\s?C|\u2103|deg ?C|C\b|K\b)"),
    "humidity_percent": re.compile(r"\d+(?:\.\d+)?\s?%\s?(?:RH|relative humidity|humidity)"),
}
"""Numbers of a condition that have a column."""
_DISPERSED: Final = re.compile(
    r"\b(?:dispersions?|colloid(?:s|al)?|in (?:toluene|hexane|octane|cyclohexane))\b", re.IGNORECASE
)
_DRY: Final = re.compile(r"\b(?:powders?|films?|pellets?)\b", re.IGNORECASE)
_CONTRADICTION: Final = 2.0
"""Factor by which each of two intervals may be wrong before they exclude each other."""


def checks_of_tests(tests: Sequence[StabilityTest], predictor: Predictor | None) -> Iterator[Check]:
    """Yield the checks of the stability tests of one sample.

    A gain below 1 is a result like any other. It is asked about only where another test of the
    sample speaks for the shell.

    Args:
        tests: The tests.
        predictor: The champion, or None.
    """
    gains = [(test, test.gain()) for test in tests]
    speaks_for = any(gain is not None and gain.low > 1.0 for _, gain in gains)
    for test, gain in gains:
        yield from _beyond_usual(test)
        yield from _two_forms(test)
        if gain is not None and gain.high < 1.0 and speaks_for:
            reason = "another test of the sample has a gain above 1: are coated and bare swapped?"
            expected = f"a gain of 1 or more, not {interval_text(gain)}"
            yield _test_check(test, "coated", expected, reason, is_outlier=False)
        if predictor is not None:
            yield from _lifetime_checks(test, predictor)
        yield from _unstated(test)
    yield from _contradictions(tests)


def _two_forms(test: StabilityTest) -> Iterator[Check]:
    """Yield a comparison of a dispersion with a solid: its gain is that of the form as well."""
    dispersed, dry = (form.search(test.condition) for form in (_DISPERSED, _DRY))
    if test.is_two_sided and dispersed and dry:
        expected = "both sides in one form, or a test of its own for the uncoated sample"
        reason = f"the condition names both {dispersed[0]!r} and {dry[0]!r}: are the sides alike?"
        yield _test_check(test, "bare", expected, reason, is_outlier=False)


def _unstated(test: StabilityTest) -> Iterator[Check]:
    """Yield what a test states beside the column or the measure that it belongs to."""
    for column, unit in _IN_WORDS.items():
        written = unit.search(test.condition)
        if written and math.isnan(test.conditions[column]):
            yield Check(
                test.sample.sample_id,
                f"{column} ({test.stressor})",
                f"(empty), condition {test.condition!r}",
                f"{written[0]} in {column}",
                "the condition is never read for numbers",
                is_outlier=False,
            )
    for side, reading in given_sides(test):
        if test.quality == "verbal" and not math.isnan(reading.percent):
            expected = f"{TIME_TO_FAILURE}, with the duration and '>'"
            reason = "words such as 'no change' are no percent: the lifetime would be far too long"
            yield _test_check(test, side, expected, reason, is_outlier=False)


def _contradictions(tests: Sequence[StabilityTest]) -> Iterator[Check]:
    """Yield pairs of tests under the same conditions whose lifetimes exclude each other."""
    for number, test in enumerate(tests):
        for other in tests[:number]:
            if _same_conditions(test, other):
                yield from _contradicting_sides(test, other)


def _same_conditions(test: StabilityTest, other: StabilityTest) -> bool:
    is_one_curve = test.shared_group != "" and test.shared_group == other.shared_group
    pairs = [(test.conditions[name], other.conditions[name]) for name in test.conditions]
    differs = any(first != second for first, second in pairs if not math.isnan(first + second))
    return test.stressor == other.stressor and not differs and not is_one_curve


def _contradicting_sides(test: StabilityTest, other: StabilityTest) -> Iterator[Check]:
    for name in ("coated", "bare"):
        sides = [getattr(one, name) for one in (test, other)]
        if any(not side.is_given or math.isnan(side.duration_h) for side in sides):
            continue
        ends = [side.lifetime().widened(_CONTRADICTION) for side in sides]
        if ends[0].high < ends[1].low or ends[1].high < ends[0].low:
            expected = f"agreement with {name} {reading_text(sides[1])}"
            reason = "the two tests exclude each other: another condition, or another sample?"
            yield _test_check(test, name, expected, reason, is_outlier=False)


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


def _lifetime_checks(test: StabilityTest, predictor: Predictor) -> Iterator[Check]:
    for side, reading in given_sides(test):
        if math.isnan(reading.duration_h):
            continue
        expected = _usual_lifetime(test, predictor, is_coated=side == "coated")
        if not math.isnan(expected):
            scores = predictor.stability.lifetime_scores
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
    return math.exp(
        float(predictor.stability_of(predictor.batch(request), [test.stressor]).side[0, 0])
    )


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
