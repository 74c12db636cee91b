"""Table 1 of the review of single-particle-level coated perovskite nanocrystals.

Minireview in Nanoscale 2021, 13, 19341 (10.1039/d1nr05478c), refs 24 to 37, typed from its text
with durations in hours, and compared with the bundled dataset.
"""

import math
from dataclasses import dataclass

import pytest

from perovshell.data.dataset import Dataset
from perovshell.data.tables import bundled_rows

NAN = math.nan
DAY, MINUTE = 24.0, 1 / 60
MINUTES_WITHIN = 0.0005
"""The dataset writes minutes as hours with three digits."""


@dataclass(frozen=True)
class Side:
    """One cell of the table for one test; a storing time or a change of state has no percent."""

    hours: float
    percent: float = NAN
    low: float = NAN
    high: float = NAN
    bound: str = ""


@dataclass(frozen=True)
class Entry:
    """One sample of the table, with its tests as (stressor, before coating, after coating)."""

    ref: int
    core: str
    shell: str
    structure: str
    peak: float
    plqy: float
    tests: tuple
    peak_bound: str = ""

    @property
    def id(self):
        return f"{self.ref}-{self.core}-{self.shell}"


REF_28_TESTS = (
    ("water", Side(2, 58, 52, 64), Side(2, 101.5, 95, 108)),
    ("heat", Side(NAN, 67.2), Side(NAN, 87.5, 85, 90)),
    ("light", Side(3, 25.8), Side(3, 57.4, 52.7, 62.1)),
)
TABLE = (
    Entry(
        24, "CsPbBr3", "SiO2", "janus", 517, 80,
        (
            ("water", Side(7 * DAY, 17.8), Side(7 * DAY, 80)),
            ("light", Side(6, 84), Side(6, 98)),
            # "storing in ambient for 1 days", "for 4 days": still stored, or no longer.
            ("ambient", Side(1 * DAY, bound="<"), Side(4 * DAY, bound=">")),
        ),
    ),
    Entry(
        25, "CsPbBr3", "ZrO2", "janus", 514, 90,
        (
            ("water", Side(8 * DAY, 5), Side(8 * DAY, 80)),
            ("light", Side(3, 70), Side(3, 90)),
        ),
    ),
    Entry(
        26, "CsPbBr3", "SiO2", "core/shell", 501, 90,
        (
            ("sonication", Side(16 * MINUTE, 0), Side(40 * MINUTE, 112)),
            ("ambient", Side(3 * DAY, bound="<"), Side(28 * DAY, bound=">")),
        ),
    ),
    Entry(
        27, "CsPbMnX3", "SiO2", "core/shell", 446, 54.7,
        (
            ("water", Side(6 * DAY, 0), Side(6 * DAY, 90)),
            ("heat", Side(1, 50), Side(1, 90)),
        ),
    ),
    Entry(28, "CsPbI3", "SiO2", "core/shell", 696, 51.1, REF_28_TESTS),
    Entry(28, "CsPbI3", "ZrO2", "core/shell", 696, 57.7, REF_28_TESTS),
    # Printed as TaO5.
    Entry(28, "CsPbI3", "Ta2O5", "core/shell", 696, 59.7, REF_28_TESTS),
    Entry(
        29, "CsPbBr3", "TiO2", "core/shell", 515, NAN,
        # The primary paper gives these numbers as approximate. The water test is `TWO_FORMS`.
        (("light", Side(24, 37, bound="~"), Side(24, 75, bound="~")),),
        peak_bound="~",
    ),
    Entry(
        30, "CsPbBr3", "Ag2S", "core/island", 520, 82,
        (("water", Side(4 * DAY, 0), Side(30 * DAY, 6.35)),),
    ),
    Entry(
        31, "CsPbBr3", "ZnS", "core/shell", 510, NAN,
        (("light", Side(2, 0), Side(48, 60)),),
    ),
    Entry(
        32, "CsPbBr3", "Rb4PbBr6", "core/shell", 507, 85,
        (("light", Side(2, 0), Side(42, 90)),),
    ),
    Entry(
        33, "CsPbBr3", "CdS", "core/shell", 510, 90,
        (
            ("light", Side(14, 65), Side(14, 80)),
            ("heat", Side(9, 0, bound="~"), Side(9, 40)),
        ),
    ),
    Entry(
        34, "CsPbBr3", "Pt", "core/island", 510, 0.1,
        # "Aggregation after 20 min", "maintain structure after 60 min".
        (("light", Side(20 * MINUTE, bound="<"), Side(60 * MINUTE, bound=">")),),
    ),
    Entry(
        35, "CsPbBr3", "PbSO4", "core/shell", 510, 92,
        (
            ("polar-solvent", Side(150 * MINUTE, 44), Side(150 * MINUTE, 75)),
            ("polar-solvent", Side(90 * MINUTE, 50), Side(90 * MINUTE, 90)),
            ("light", Side(300 * MINUTE, 80), Side(300 * MINUTE, 105)),
        ),
    ),
    Entry(
        36, "CsPbBr3", "ZnSO4", "core/shell", 515, 95,
        # "Anion-exchange after 40 min", "no anion-exchange after 48 h".
        (("anion-exchange", Side(40 * MINUTE, bound="<"), Side(48, bound=">")),),
    ),
    Entry(
        37, "APbX3", "PAA-b-PS", "core/shell", NAN, NAN,
        (
            ("water", Side(NAN), Side(23 * DAY, 100)),
            ("light", Side(60 * MINUTE, 18), Side(60 * MINUTE, 92)),
        ),
    ),
)  # fmt: skip
TWO_FORMS = (Side(15 * MINUTE, 0), Side(84 * DAY, 85, bound="~"))
"""Water test of ref 29: a dispersion in toluene before coating, a powder after it."""
HEATED_AT = {27: 100.0, 28: 100.0, 33: 60.0}
"""Temperatures of the heat tests in deg C."""
NOT_HELD = (
    (27, "446/607", "second PL peak 607 nm: a sample has one peak", "607"),
    (37, "460–650", "PL range over the series: a peak is one number", "460-650"),
    (37, "30–61", "PLQY range over the series: a PLQY is one number", "30-61"),
    (37, "Quenching with added water", "no number, so the bare side has no reading", "no number"),
    (34, "Aggregation", "what happens is a word; the dataset holds when", "aggregation"),
    (34, "Maintain structure", "what happens is a word; the dataset holds when", "structure kept"),
    (36, "Anion-exchange", "what happens is a word; the dataset holds when", "exchange"),
)
"""What the columns cannot hold: ref, as printed, why, and what a note says of it instead."""
ADDED_FROM_PRIMARY = {
    24: (("light", Side(10, 65), Side(10, 98)),),
    29: (
        ("water", Side(72, 5, bound="<"), Side(2016, 85, bound="~")),
        ("anion-exchange", Side(NAN), Side(360, bound=">")),
    ),
}
"""Tests of these samples that the primary paper gives and the table does not."""

PAPER_IDS = {
    24: "hu2018",
    25: "liu2019zro2",
    26: "zhong2018",
    29: "li2018",
    32: "wang2018",
    36: "sulfate2021",
}
DATASET = Dataset.bundled()
TESTS = [
    pytest.param(entry, *test, id=f"{entry.id}-{number}-{test[0]}")
    for entry in TABLE
    for number, test in enumerate(entry.tests)
]


def sample_of(entry):
    paper_id = PAPER_IDS.get(entry.ref, f"review2021_ref{entry.ref}")
    # The table has single particles alone; their papers may have other samples too.
    (sample,) = [
        sample
        for sample in DATASET.samples.values()
        if sample.encapsulation == "single-particle"
        if (sample.paper_id, sample.core_text, sample.shell) == (paper_id, entry.core, entry.shell)
    ]
    return sample


def rows_of(entry):
    sample = sample_of(entry)
    return [test for test in DATASET.tests if test.sample is sample]


def numbers(reading):
    return (reading.duration_h, reading.percent, reading.percent_low, reading.percent_high)


def typed(side):
    return pytest.approx(
        (side.hours, side.percent, side.low, side.high), abs=MINUTES_WITHIN, nan_ok=True
    )


def found(entry, stressor, before, after):
    """Return the tests of the dataset with the stressor and the numbers of the table."""
    return [
        test
        for test in rows_of(entry)
        if test.stressor == stressor
        and numbers(test.bare) == typed(before)
        and numbers(test.coated) == typed(after)
    ]


def entries(kind=None):
    return [pytest.param(entry, id=entry.id) for entry in TABLE if kind is None or kind(entry)]


def test_table_is_typed_whole():
    assert len(TABLE) == 16
    assert {entry.ref for entry in TABLE} == set(range(24, 38))


@pytest.mark.parametrize("entry", entries())
def test_structure(entry):
    sample = sample_of(entry)
    assert (sample.structure, sample.encapsulation) == (entry.structure, "single-particle")


@pytest.mark.parametrize("entry", entries())
def test_peak(entry):
    sample = sample_of(entry)
    assert sample.pl_peak_nm == pytest.approx(entry.peak, nan_ok=True)
    assert sample.pl_bound == entry.peak_bound


@pytest.mark.parametrize("entry", entries())
def test_plqy(entry):
    sample = sample_of(entry)
    assert sample.plqy_percent == pytest.approx(entry.plqy, nan_ok=True)
    assert sample.plqy_bound == ""


@pytest.mark.parametrize(("entry", "stressor", "before", "after"), TESTS)
def test_numbers_of_each_test(entry, stressor, before, after):
    assert len(found(entry, stressor, before, after)) == 1


@pytest.mark.parametrize(("entry", "stressor", "before", "after"), TESTS)
def test_bounds_of_each_test(entry, stressor, before, after):
    (test,) = found(entry, stressor, before, after)
    assert (test.bare.bound, test.coated.bound) == (before.bound, after.bound)


@pytest.mark.parametrize(("entry", "stressor", "before", "after"), TESTS)
def test_measure_of_each_test(entry, stressor, before, after):
    (test,) = found(entry, stressor, before, after)
    wanted = "time to failure" if math.isnan(after.percent) else "remnant PL"
    assert test.coated.measure == wanted


@pytest.mark.parametrize("entry", entries())
def test_dataset_has_no_further_tests_of_the_sample(entry):
    added = ADDED_FROM_PRIMARY.get(entry.ref, ())
    assert all(found(entry, *test) for test in added)
    assert len(rows_of(entry)) == len(entry.tests) + len(added)


@pytest.mark.parametrize("entry", entries(lambda entry: entry.ref in HEATED_AT))
def test_temperature_of_heat_tests(entry):
    (heated,) = [test for test in rows_of(entry) if test.stressor == "heat"]
    assert heated.conditions["temperature_c"] == HEATED_AT[entry.ref]


def test_three_shells_of_ref_28_are_three_experiments():
    tests = [test for entry in TABLE if entry.ref == 28 for test in rows_of(entry)]
    assert (len(tests), len({test.experiment for test in tests})) == (9, 3)


@pytest.mark.parametrize("entry", entries(lambda entry: entry.ref in {27, 37}))
def test_open_compositions_have_no_core(entry):
    assert sample_of(entry).core is None


@pytest.mark.parametrize("entry", entries(lambda entry: entry.ref not in {27, 37}))
def test_definite_compositions_read_as_typed(entry):
    assert sample_of(entry).core == DATASET.reader.read_core(entry.core)


@pytest.mark.parametrize(
    ("ref", "printed", "why", "note"), NOT_HELD, ids=[f"{ref}-{text}" for ref, text, *_ in NOT_HELD]
)
def test_what_is_not_held_stands_in_a_note(ref, printed, why, note, stability_notes):
    (entry,) = [entry for entry in TABLE if entry.ref == ref]
    sample = sample_of(entry)
    assert note in " ".join([sample.note, *stability_notes(sample.sample_id)])


@pytest.fixture(scope="module")
def stability_notes():
    """Return a function that gives the notes of the tests of a sample."""
    rows = bundled_rows("literature", "stability.csv")

    def of(sample_id):
        return [row["note"] for row in rows if row["sample_id"] == sample_id]

    return of


def test_second_peak_is_not_read_as_the_core():
    assert not [
        sample
        for sample in DATASET.samples.values()
        if sample.paper_id == "review2021_ref27" and sample.pl_peak_nm == 607
    ]


def test_two_forms_are_not_compared():
    dispersed, coated = (
        [test for test in DATASET.tests if test.sample.sample_id == f"li2018-CsPbBr3-{form}"]
        for form in ("toluene", "TiO2")
    )
    before, after = TWO_FORMS
    assert [numbers(test.bare) for test in dispersed if test.stressor == "water"] == [typed(before)]
    (compared,) = [test for test in coated if test.stressor == "water"]
    assert numbers(compared.coated) == typed(after)
    assert compared.bare.duration_h == 3 * DAY


def test_quenching_without_a_number_leaves_the_bare_side_empty():
    (entry,) = [entry for entry in TABLE if entry.ref == 37]
    (watered,) = [test for test in rows_of(entry) if test.stressor == "water"]
    assert not watered.bare.is_given
    assert watered.gain() is None


@pytest.mark.parametrize(("entry", "stressor", "before", "after"), TESTS)
def test_each_test_bounds_a_gain_or_a_lifetime(entry, stressor, before, after):
    (test,) = found(entry, stressor, before, after)
    bounded = test.gain() or test.coated.lifetime()
    assert bounded.is_informative


@pytest.mark.parametrize(("entry", "stressor", "before", "after"), TESTS)
def test_each_side_with_a_duration_bounds_a_lifetime(entry, stressor, before, after):
    (test,) = found(entry, stressor, before, after)
    stated = [side for side in (test.coated, test.bare) if not math.isnan(side.duration_h)]
    assert [side for side in stated if not side.lifetime().is_informative] == []


@pytest.mark.parametrize(("entry", "stressor", "before", "after"), TESTS)
def test_no_test_shows_a_coating_that_harms(entry, stressor, before, after):
    (test,) = found(entry, stressor, before, after)
    gain = test.gain()
    assert gain is None or gain.high > 1
