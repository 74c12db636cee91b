"""Numbers as papers print them, and what is not read as one."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.columns import SAMPLES, TESTS
from perovshell.data.paper_fields import (
    DURATION_BOUND,
    joined_side,
    sample_fields,
    side_fields,
    stability_fields,
)
from perovshell.data.printed import ENERGIES, UNITS, read_printed
from perovshell.data.targets import TIME_TO_FAILURE
from perovshell.errors import InputError

SIGNS = {
    "~": ["~", "\u2248", "\u223c", "about", "approximately", "ca.", "Around", "nearly"],
    ">": [">", ">=", "\u2265", "more than", "over", "at least"],
    "<": ["<", "<=", "\u2264", "less than", "below", "at most"],
}
FORMS = {
    "{}": {},
    "{} {unit}": {},
    "{}{unit}": {},
    **{
        f"{sign}{{}} {{unit}}": {"bound": bound}
        for bound, all_ in SIGNS.items()
        for sign in all_
        if not sign.isalpha()
    },
    **{f"{sign} {{}}": {"bound": bound} for bound, all_ in SIGNS.items() for sign in all_},
    "up to {}": {"quality": "best value"},
    "{}-{high}": {"low": "{}", "high": "{high}"},
    "{}\u2013{high} {unit}": {"low": "{}", "high": "{high}"},
    "{} {unit} to {high} {unit}": {"low": "{}", "high": "{high}"},
    "~{}-{high}": {"low": "{}", "high": "{high}"},
}
"""How a number is printed, with the parts beside its value."""
NUMBERS = {
    field.columns["value"].name: field
    for field in (*sample_fields(), *stability_fields(), *side_fields())
    if field.columns["value"].kind == "number" and field.key == field.columns["value"].name
}
EXAMPLES = {
    "core_size_nm": ("9", "10", "nm"), "shell_thickness_nm": ("3", "4", "nm"),
    "fwhm_nm": ("18", "20", "nm"), "pl_peak_nm": ("510", "520", "nm"),
    "plqy_percent": ("80", "90", "%"), "percent": ("80", "90", "%"),
    "temperature_c": ("25", "27", "\u00b0C"), "humidity_percent": ("50", "60", "%"),
    "irradiance_mw_cm2": ("8", "10", "mW/cm2"), "wavelength_nm": ("365", "367", "nm"),
}  # fmt: skip
WITHOUT_SIGN = {"temperature_c", "humidity_percent", "irradiance_mw_cm2", "wavelength_nm"}
"""Conditions: one number, the middle of a range."""


def middle(low: str, high: str) -> str:
    return f"{(float(low) + float(high)) / 2:g}"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", EXAMPLES)
def test_each_printed_form_of_each_number(name: str, form: str) -> None:
    number, high, unit = EXAMPLES[name]
    parts = {part: text.format(number, high=high) for part, text in FORMS[form].items()}
    written = form.format(number, high=high, unit=unit)
    field = NUMBERS[name]
    value = middle(number, high) if "low" in parts else number
    if name in WITHOUT_SIGN and (parts.keys() - {"low", "high"}) and parts.get("bound") != "~":
        with pytest.raises(InputError, match=f"and {name} is one number"):
            field.cells(written)
        return
    if name in WITHOUT_SIGN:
        parts = {}
    if name == "percent" and "quality" in parts:
        with pytest.raises(InputError, match="has quality"):
            field.cells(written)
        return
    expected = {field.columns[part].name: text for part, text in parts.items()}
    assert field.cells(written) == {field.columns["value"].name: value} | expected


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("95 \u00c5", "nm", "9.5"),
        ("0.5 \u00b5m", "nm", "500"),
        ("160 min", "h", "2.66667"),
        ("4 months", "h", "2922.24"),
        ("1 year", "h", "8766"),
        ("333 K", "deg C", "59.85"),
        ("\u221220 \u00b0C", "deg C", "-20"),
        ("100 mW cm\u22122", "mW/cm2", "100"),
        ("1 W/cm2", "mW/cm2", "1000"),
        ("3 ML", "1", "3"),
    ],
)
def test_units(text: str, unit: str, value: str) -> None:
    assert read_printed(text, UNITS[unit]) == {"value": value}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2.42 eV", {"value": "512.331"}),
        ("> 2.42 eV", {"value": "512.331", "bound": "<"}),
        ("2.42-2.48 eV", {"value": "506.133", "low": "499.935", "high": "512.331"}),
        ("81 \u00b1 3", {"value": "81", "low": "78", "high": "84"}),
        ("~(11 +- 3) nm", {"value": "11", "low": "8", "high": "14"}),
        ("93\u00b12.5", {"value": "93", "low": "90.5", "high": "95.5"}),
    ],
)
def test_energies_and_deviations(text: str, parts: dict[str, str]) -> None:
    assert read_printed(text, {**UNITS["nm"], **ENERGIES}) == parts


@pytest.mark.parametrize("text", ["green", "1,200", "20(2)", "5 6", "", "nm", "~", "1" * 90, "--5"])
def test_what_is_no_number_is_left_as_it_is(text: str) -> None:
    assert read_printed(text, UNITS["nm"]) == {"value": text}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5 km", "'5 km' has the unit km; allowed: nm, "),
        ("5 nm-6 \u00c5", "has the unit nm and \u00c5"),
        (">5-6", "has a sign and a range"),
        ("6-5", "the smaller end of a range comes first"),
        ("2.4 eV", "has the unit eV"),
    ],
)
def test_what_says_two_things_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_printed(text, UNITS["nm"])


@given(st.text("0123456789.-~<>%\u00b1nmeV \u2013to(", max_size=14))
def test_no_text_is_read_as_something_that_is_no_number(text: str) -> None:
    try:
        parts = read_printed(text, {**UNITS["nm"], **ENERGIES})
    except InputError:
        return
    if parts.keys() > {"value"} or parts["value"] != text:
        assert all(
            math.isfinite(float(parts[part])) for part in {"value", "low", "high"} & {*parts}
        )


@pytest.mark.parametrize("text", ["w\u0131thin 5", "w\u0130thin 5", "max\u0131mum 5"])
def test_letters_of_other_alphabets_make_no_sign(text: str) -> None:
    assert read_printed(text, UNITS["nm"]) == {"value": text}


@pytest.mark.parametrize(
    ("duration", "percent", "joined"),
    [
        (">", "", ">"), (">", "~", ">"), (">", ">", ">"), ("<", "", "<"), ("<", "<", "<"),
        ("~", "", ""), ("", "~", "~"), ("~", ">", ">"),
    ],
)  # fmt: skip
def test_a_sign_of_a_duration_is_one_of_its_percent(
    duration: str, percent: str, joined: str
) -> None:
    cells = {"duration_h": "336", "percent": "80", DURATION_BOUND: duration, "bound": percent}
    assert joined_side(cells, "remnant PL").get("bound", "") == joined
    assert DURATION_BOUND not in joined_side(cells, "remnant PL")


def test_of_a_range_the_end_that_a_signed_duration_leaves() -> None:
    cells = {"duration_h": "336", DURATION_BOUND: ">", "percent": "58"}
    cells |= {"percent_low": "52", "percent_high": "64"}
    joined = {"duration_h": "336", "percent": "52", "bound": ">"}
    assert joined_side(cells, "remnant PL") == joined


@pytest.mark.parametrize(("duration", "percent"), [(">", "<"), ("<", ">")])
def test_contrary_signs_are_refused(duration: str, percent: str) -> None:
    cells = {"duration_h": "336", "percent": "80", DURATION_BOUND: duration, "bound": percent}
    with pytest.raises(InputError, match="says nothing of either"):
        joined_side(cells, "remnant PL")


def test_the_sign_of_a_time_to_failure_is_its_own() -> None:
    cells = {"duration_h": "336", DURATION_BOUND: ">"}
    assert joined_side(cells, TIME_TO_FAILURE) == {"duration_h": "336", "bound": ">"}


def test_all_numbers_are_in_the_matrix() -> None:
    numbers = {
        column.name
        for table in (SAMPLES, TESTS)
        for column in table.columns
        if column.kind == "number"
    }
    ends = {name for name in numbers if name.endswith(("_low", "_high"))}
    sides = {"coated_percent", "bare_percent", "coated_duration_h", "bare_duration_h"}
    assert numbers - ends - sides == EXAMPLES.keys() - {"percent"} | {"monolayers"}
