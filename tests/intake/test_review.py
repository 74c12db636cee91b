"""The review of a paper before it is taken in: what it says, catches and lets pass."""

import csv
import dataclasses
import math
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.dataset import Dataset
from perovshell.data.paper_file import read_yaml
from perovshell.data.records import Measurement, Sample
from perovshell.data.tables import bundled, read_table
from perovshell.data.targets import ev_to_nm, nm_to_ev
from perovshell.errors import InputError
from perovshell.features.featurizer import Featurizer
from perovshell.intake import stability as intake_stability
from perovshell.intake.checks import Check
from perovshell.intake.halides import USUAL_EV, Halides
from perovshell.intake.review import Review, review
from perovshell.model import Model
from perovshell.models.conformal import ConformityScores
from perovshell.models.predictor import Predictor
from perovshell.models.stability import INTERVAL_INFLATION, thin_stressors

SAMPLES, STABILITY = "samples.csv", "stability.csv"
TABLES = ("papers.csv", SAMPLES, STABILITY)
Rows = list[dict[str, str]]


class Copy:
    """The bundled tables in memory, to be spoilt and then read from files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.headers: dict[str, list[str]] = {}
        self.rows: dict[str, Rows] = {}
        for name in TABLES:
            self.headers[name], rows = read_table(bundled("literature", name))
            self.rows[name] = [dict(row) for row in rows]

    def sample(self, sample_id: str) -> dict[str, str]:
        return next(row for row in self.rows[SAMPLES] if row["sample_id"] == sample_id)

    def test(self, sample_id: str, stressor: str) -> dict[str, str]:
        return next(
            row
            for row in self.rows[STABILITY]
            if (row["sample_id"], row["stressor"]) == (sample_id, stressor)
        )

    def swap(self, one: dict[str, str], other: dict[str, str], *columns: str) -> None:
        """Swap cells of two rows."""
        for column in columns:
            one[column], other[column] = other[column], one[column]

    def swap_sides(self, sample_id: str, stressor: str) -> None:
        """Swap what was read of the coated and the bare side of a test, durations left alone."""
        row = self.test(sample_id, stressor)
        for end in ("percent", "percent_low", "percent_high", "bound"):
            coated, bare = f"coated_{end}", f"bare_{end}"
            row[coated], row[bare] = row[bare], row[coated]

    def dataset(self) -> Dataset:
        for name in TABLES:
            with (self.path / name).open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, self.headers[name])
                writer.writeheader()
                writer.writerows(self.rows[name])
        return Dataset.from_folder(self.path)


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


@pytest.fixture(scope="session")
def predictor(model: Model) -> Predictor:
    return model.predictor


@pytest.fixture(scope="session")
def halides(dataset: Dataset) -> Halides:
    return Halides(dataset.reader)


@pytest.fixture(scope="session")
def reviewed(dataset: Dataset, predictor: Predictor) -> Callable[[str], Review]:
    """Return the review of a bundled paper, made once."""
    return cache(lambda name: review(dataset, name, predictor))


def found(reviewed: Review, sample_id: str, column: str) -> Check:
    """Return the only check of a sample's column."""
    (check,) = [c for c in reviewed.checks if (c.sample_id, c.column) == (sample_id, column)]
    return check


# Poison ---------------------------------------------------------------------------------------


def swap_halides(copy: Copy) -> None:
    one, other = "tong2021-CsPbBrI2-zeolite", "tong2021-CsPbCl2Br-zeolite"
    copy.swap(copy.sample(one), copy.sample(other), "pl_peak_nm")


def swap_of_a_strong_water_test(copy: Copy) -> None:
    copy.swap_sides("hu2018-CsPbBr3-SiO2", "water")


def swap_of_a_remnant_of_nothing(copy: Copy) -> None:
    copy.swap_sides("liu2019zro2-CsPbBr3-ZrO2", "water")


def swap_of_an_open_composition(copy: Copy) -> None:
    copy.swap_sides("review2021_ref27-CsPbMnX3-SiO2", "water")


def swap_of_times_to_failure(copy: Copy) -> None:
    row = copy.test("zhong2018-CsPbBr3-SiO2", "ambient")
    row["coated_duration_h"], row["bare_duration_h"] = "72", "672"
    row["coated_bound"], row["bare_bound"] = "<", ">"


def digit_of_a_peak(copy: Copy) -> None:
    copy.sample("li2018-CsPbBr3-TiO2")["pl_peak_nm"] = "651"


def fraction_for_a_percent(copy: Copy) -> None:
    copy.sample("pan2018-CsPbI3-IDA")["plqy_percent"] = "0.95"


def days_for_hours(copy: Copy) -> None:
    copy.test("peng2023-CsPbBr3-TiO2", "water")["coated_duration_h"] = "0.01"


SWAPPED_FAILURE = "coated_duration_h (ambient)"
POISON = {
    "tong2021": (swap_halides, "pl_peak_nm"),
    "li2018": (digit_of_a_peak, "pl_peak_nm"),
    "pan2018": (fraction_for_a_percent, "plqy_percent"),
    "peng2023": (days_for_hours, "coated_percent (water)"),
}


@pytest.mark.parametrize("paper_id", POISON)
def test_poisoned_paper_has_an_outlier(copy: Copy, predictor: Predictor, paper_id: str) -> None:
    poison, column = POISON[paper_id]
    poison(copy)
    reviewed = review(copy.dataset(), paper_id, predictor)
    assert column in {check.column for check in reviewed.outliers}


def test_swapped_sides_are_asked_about_where_another_test_speaks_for_the_shell(copy: Copy) -> None:
    swap_of_a_strong_water_test(copy)
    reviewed = review(copy.dataset(), "hu2018", None)
    check = found(reviewed, "hu2018-CsPbBr3-SiO2", "coated_percent (water)")
    assert check == Check(
        sample_id="hu2018-CsPbBr3-SiO2",
        column="coated_percent (water)",
        value="coated 17.8 % after 168 h, bare 80 % after 168 h",
        expected="a gain of 1 or more, not [0.108, 0.153]",
        reason="another test of the sample has a gain above 1: are coated and bare swapped?",
        is_outlier=False,
    )


def test_a_swapped_time_to_failure_is_asked_about(copy: Copy) -> None:
    swap_of_times_to_failure(copy)
    found(review(copy.dataset(), "zhong2018", None), "zhong2018-CsPbBr3-SiO2", SWAPPED_FAILURE)


@pytest.mark.parametrize(
    ("poison", "paper_id"),
    [
        (swap_of_a_remnant_of_nothing, "liu2019zro2"),
        (swap_of_an_open_composition, "review2021_ref27"),
    ],
)
def test_any_swap_that_another_test_contradicts_is_asked_about(
    copy: Copy, poison: Callable[[Copy], None], paper_id: str
) -> None:
    poison(copy)
    assert "swapped?" in str(review(copy.dataset(), paper_id, None).checks)


def test_a_gain_below_one_alone_is_a_result(copy: Copy, predictor: Predictor) -> None:
    data = copy.dataset()
    tests = Counter(test.sample.sample_id for test in data.tests)
    sample = next(
        test.sample
        for test in data.tests
        if tests[test.sample.sample_id] == 1 and (gain := test.gain()) and gain.low > 1
    )
    (stressor,) = [test.stressor for test in data.tests if test.sample is sample]
    copy.swap_sides(sample.sample_id, stressor)
    checks = review(copy.dataset(), sample.paper_id, predictor).checks
    assert "gain" not in str(checks)


def test_tests_that_exclude_each_other_are_asked_about(copy: Copy) -> None:
    row = copy.test("hu2018-CsPbBr3-SiO2", "water")
    other = {**row, "coated_percent": "15", "coated_bound": "", "shared_group": ""}
    copy.rows[STABILITY].append(other)
    reviewed = review(copy.dataset(), "hu2018", None)
    check = found(reviewed, "hu2018-CsPbBr3-SiO2", "coated_percent (water)")
    assert "exclude each other" in check.reason


@pytest.mark.parametrize("paper_id", POISON)
def test_the_paper_as_it_is_has_none(reviewed: Callable[[str], Review], paper_id: str) -> None:
    assert reviewed(paper_id).outliers == ()


# Hundreds of papers run the lines that those above run, and coverage would double their time.
@pytest.mark.unmeasured
def test_few_papers_have_outliers_or_checks(
    reviewed: Callable[[str], Review], dataset: Dataset
) -> None:
    """Fewer than one in twenty has an outlier, fewer than one in five a check."""
    reviews = [reviewed(name) for name in dataset.papers]
    assert sum(bool(one.outliers) for one in reviews) < 0.05 * len(reviews)
    assert 0.03 < sum(bool(one.checks) for one in reviews) / len(reviews) < 0.2


# Halides --------------------------------------------------------------------------------------


def spoilt(sample: Sample, **changes: object) -> Sample:
    return dataclasses.replace(sample, **changes)  # type: ignore[arg-type]


def lead_samples(dataset: Dataset, halides: Halides) -> list[Sample]:
    return [s for s in dataset.samples.values() if s.trains_pl and halides.window(s) is not None]


def crystal(dataset: Dataset, core: str, **changes: object) -> Sample:
    """Return a bare nanocrystal of unstated size."""
    plain = dataset.samples["wangsx-CsPbBr3-oxalic"]
    assert math.isnan(plain.core_size_nm)
    return spoilt(plain, core_text=core, core=dataset.reader.read_core(core), **changes)


def with_peak(
    dataset: Dataset, core: str, peak_nm: float, bound: str = "", **changes: object
) -> Dataset:
    """Return the dataset with one sample of another core and peak."""
    sample = crystal(dataset, core, pl_peak=Measurement(peak_nm, bound), **changes)
    return dataclasses.replace(dataset, samples={**dataset.samples, sample.sample_id: sample})


def peak_check(dataset: Dataset, *, predictor: Predictor | None = None) -> Check:
    return found(review(dataset, "wangsx", predictor), "wangsx-CsPbBr3-oxalic", "pl_peak_nm")


def test_every_bundled_peak_of_a_lead_core_lies_within_its_window_with_room(
    dataset: Dataset, halides: Halides
) -> None:
    samples = lead_samples(dataset, halides)
    assert len(samples) > 120
    for sample in samples:
        window = halides.window(sample)
        assert window is not None
        energy = nm_to_ev(sample.pl_peak_nm)
        assert energy > nm_to_ev(window.high_nm) + 0.05, sample.sample_id
        assert energy < nm_to_ev(window.low_nm) - 0.09, sample.sample_id


def test_nine_of_ten_bundled_peaks_are_usual(dataset: Dataset, halides: Halides) -> None:
    samples = lead_samples(dataset, halides)
    featurizer = Featurizer.bundled()
    low, high = USUAL_EV
    pure = [s for s in samples if s.core is not None and len(s.core.site_fractions("X")) == 1]
    cores = featurizer.reader.batch([s.core.amounts for s in pure if s.core is not None])
    gaps = featurizer.core_block(cores)[:, featurizer.names.index("bulk gap by Vegard")]
    offsets = [nm_to_ev(s.pl_peak_nm) - gap for s, gap in zip(pure, gaps, strict=True)]
    assert sum(low <= offset <= high for offset in offsets) >= 0.9 * len(offsets)


PEAKS = {"CsPbCl3": 408.0, "CsPbBr3": 515.0, "CsPbI3": 690.0}
FITTING = {408.0: "a chloride", 515.0: "a bromide", 690.0: "an iodide"}


@pytest.mark.parametrize("peak_nm", PEAKS.values())
@pytest.mark.parametrize("core", PEAKS)
def test_peak_of_another_halide_is_an_outlier_that_names_it(
    dataset: Dataset, core: str, peak_nm: float
) -> None:
    reviewed = review(with_peak(dataset, core, peak_nm), "wangsx", None)
    if PEAKS[core] == peak_nm:
        assert reviewed.outliers == ()
    else:
        assert f"fits {FITTING[peak_nm]}; the stated halide is " in reviewed.outliers[0].reason


@pytest.mark.parametrize(
    ("core", "peak_nm", "said"),
    [
        ("CsPbBr3", 690, "fits an iodide; the stated halide is bromide: values swapped"),
        ("CsPbBr3", 600, "fits a mixture of bromide and iodide"),
        ("CsPbI3", 450, "fits a mixture of chloride and bromide"),
        ("CsPbBr2.9I0.1", 620, "fits another mixture of bromide and iodide"),
        ("CsPbBr2.9I0.1", 690, "the stated halides are bromide and iodide"),
        ("CsPbBr3", 1100, "fits no halide of these cations"),
        ("CsPbBr3", 300, "fits no halide of these cations"),
        ("FAPbI3", 530, "fits a bromide"),
    ],
)
def test_halide_that_fits_is_named(dataset: Dataset, core: str, peak_nm: float, said: str) -> None:
    assert said in peak_check(with_peak(dataset, core, peak_nm)).reason


@given(peak_nm=st.floats(200, 2000), bound=st.sampled_from(["~", ">", "<"]))
def test_bound_excludes_no_more_than_the_value_itself(
    dataset: Dataset, peak_nm: float, bound: str
) -> None:
    exact = review(with_peak(dataset, "CsPbBr3", peak_nm), "wangsx", None).outliers
    bounded = review(with_peak(dataset, "CsPbBr3", peak_nm, bound), "wangsx", None).outliers
    assert len(bounded) <= len(exact)


@pytest.mark.parametrize(
    ("peak_nm", "bound", "count"), [(690, ">", 1), (690, "<", 0), (400, ">", 0), (400, "<", 1)]
)
def test_bound_is_checked_on_the_side_it_excludes(
    dataset: Dataset, peak_nm: float, bound: str, count: int
) -> None:
    reviewed = review(with_peak(dataset, "CsPbBr3", peak_nm, bound), "wangsx", None)
    assert len(reviewed.outliers) == count


@pytest.mark.parametrize(
    ("changes", "is_outlier"),
    [
        ({}, False),
        ({"core_size": Measurement(12.0)}, True),
        ({"core_size": Measurement(4.0)}, False),
    ],
    ids=["unstated", "large", "small"],
)
def test_blue_peak_needs_a_small_core(
    dataset: Dataset, changes: Mapping[str, object], *, is_outlier: bool
) -> None:
    reviewed = review(with_peak(dataset, "CsPbBr3", 458.0, **changes), "wangsx", None)
    assert bool(reviewed.outliers) == is_outlier


def test_platelet_may_emit_further_in_the_blue(dataset: Dataset) -> None:
    platelet = with_peak(dataset, "CsPbBr3", 405.0, morphology="nanoplatelet")
    assert review(platelet, "wangsx", None).outliers == ()
    assert review(with_peak(dataset, "CsPbBr3", 405.0), "wangsx", None).outliers != ()


def test_lead_halide_of_another_stoichiometry_has_no_blue_end(dataset: Dataset) -> None:
    assert review(with_peak(dataset, "Cs4PbBr6", 375.0), "wangsx", None).outliers == ()
    said = peak_check(with_peak(dataset, "Cs4PbBr6", 690.0)).expected
    assert said.startswith("at most ")


@pytest.mark.parametrize("core", ["CsSnBr3", "Cs3Bi2Br9", "CsPb0.9Mn0.1Cl3"])
def test_core_of_more_than_lead_has_no_window(
    dataset: Dataset, halides: Halides, core: str
) -> None:
    assert halides.window(crystal(dataset, core)) is None


def test_peak_of_a_dopant_is_not_held_against_the_halide(
    dataset: Dataset, predictor: Predictor
) -> None:
    spoilt_peak = with_peak(dataset, "CsPbCl3", 600.0, role="dopant")
    assert review(spoilt_peak, "wangsx", predictor).checks == ()


# Against the champion -------------------------------------------------------------------------


def asked(predictor: Predictor, coverage: float) -> dict[str, float]:
    """Return the champion's answer for the sample that is spoilt."""
    row = {"core": "CsPbBr3", "shell": "none", "medium": "solution", "ligand": "oxalic acid"}
    return predictor.answer([row], (), coverage)[0].values


def with_plqy(dataset: Dataset, percent: float, bound: str = "") -> Dataset:
    sample = crystal(dataset, "CsPbBr3", plqy=Measurement(percent, bound))
    return dataclasses.replace(dataset, samples={**dataset.samples, sample.sample_id: sample})


def plqy_checks(dataset: Dataset, predictor: Predictor) -> tuple[Check, ...]:
    checks = review(dataset, "wangsx", predictor).checks
    return tuple(check for check in checks if check.column == "plqy_percent")


def test_peak_outside_the_90_percent_interval_is_a_check_that_says_it(
    dataset: Dataset, predictor: Predictor
) -> None:
    answer = asked(predictor, 0.9)
    low, high = answer["pl_peak_nm_lower"], answer["pl_peak_nm_upper"]
    check = peak_check(with_peak(dataset, "CsPbBr3", low - 1), predictor=predictor)
    assert (check.expected, check.is_outlier) == (
        f"90 % interval {low:.0f} to {high:.0f} nm",
        False,
    )
    inside = with_peak(dataset, "CsPbBr3", low + 1)
    assert review(inside, "wangsx", predictor).checks == ()


def with_papers_of_calibration(predictor: Predictor, papers: int) -> Predictor:
    """Return a predictor whose PL was calibrated with that many papers of a row each."""
    model = predictor.points["pl"]
    values = model.scores.values[-papers:]
    scores = ConformityScores.of(values, [str(number) for number in range(papers)])
    points = {**predictor.points, "pl": dataclasses.replace(model, scores=scores, mondrian={})}
    return dataclasses.replace(predictor, points=points)


@pytest.mark.parametrize(
    ("papers", "limit"), [(20, "farthest of all left-out papers"), (100, "99 % interval")]
)
def test_peak_farther_off_than_nearly_any_left_out_paper_was_is_an_outlier(
    dataset: Dataset, predictor: Predictor, papers: int, limit: str
) -> None:
    calibrated = with_papers_of_calibration(predictor, papers)
    scores = calibrated.points["pl"].scores
    far = min(scores.quantile(0.99), scores.largest)
    answer = asked(calibrated, 0.9)
    energy = nm_to_ev(answer["pl_peak_nm"])
    half = nm_to_ev(answer["pl_peak_nm_lower"]) - energy
    step = half * far / scores.quantile(0.9)
    inside, outside = ev_to_nm(energy + 0.99 * step), ev_to_nm(energy + 1.01 * step)
    check = peak_check(with_peak(dataset, "CsPbBr3", inside), predictor=calibrated)
    assert not check.is_outlier
    check = peak_check(with_peak(dataset, "CsPbBr3", outside), predictor=calibrated)
    assert check.is_outlier
    assert limit in check.expected


def test_peak_in_the_wrong_halide_is_said_once(dataset: Dataset, predictor: Predictor) -> None:
    check = peak_check(with_peak(dataset, "CsPbBr3", 690.0), predictor=predictor)
    assert "bulk gap" in check.expected


def test_low_plqy_is_a_check_and_nearly_none_an_outlier(
    dataset: Dataset, predictor: Predictor
) -> None:
    low = asked(predictor, 0.9)["plqy_percent_lower"]
    (check,) = plqy_checks(with_plqy(dataset, low - 1), predictor)
    assert (check.is_outlier, check.value) == (False, f"{low - 1:g} %")
    (check,) = plqy_checks(with_plqy(dataset, 0.9), predictor)
    assert check.is_outlier
    assert (check.expected, check.reason) == ("1 % or more", "a fraction?")


def test_upper_end_of_plqy_cannot_be_left(dataset: Dataset, predictor: Predictor) -> None:
    assert asked(predictor, 0.9)["plqy_percent_upper"] == 100
    assert plqy_checks(with_plqy(dataset, 100), predictor) == ()


def test_plqy_above_a_low_bound_may_be_usual(dataset: Dataset, predictor: Predictor) -> None:
    assert plqy_checks(with_plqy(dataset, 5, ">"), predictor) == ()


def test_large_shift_by_coating_is_a_check(copy: Copy, predictor: Predictor) -> None:
    copy.sample("li2018-CsPbBr3-TiO2")["pl_peak_nm"] = "452"
    reviewed = review(copy.dataset(), "li2018", predictor)
    (check,) = [c for c in reviewed.checks if "coating moves the peak" in c.reason]
    assert "by -68 nm" in check.reason
    assert not check.is_outlier


def test_shift_of_a_peak_known_as_a_bound_is_not_checked(copy: Copy, predictor: Predictor) -> None:
    copy.sample("li2018-CsPbBr3-TiO2").update(pl_peak_nm="452", pl_peak_bound="<")
    reviewed = review(copy.dataset(), "li2018", predictor)
    assert not any("coating moves the peak" in check.reason for check in reviewed.checks)


# Tests ----------------------------------------------------------------------------------------


def test_readings_are_widened_as_the_scores_were() -> None:
    assert intake_stability.INTERVAL_INFLATION == INTERVAL_INFLATION


def test_lifetime_longer_than_in_any_paper_is_a_check(copy: Copy, predictor: Predictor) -> None:
    copy.test("peng2023-CsPbBr3-TiO2", "water")["coated_duration_h"] = "1000000"
    reviewed = review(copy.dataset(), "peng2023", predictor)
    check = found(reviewed, "peng2023-CsPbBr3-TiO2", "coated_percent (water)")
    assert check.reason.endswith("minutes given as hours?")
    assert not check.is_outlier


def test_thin_stressor_is_compared_with_the_null_model(copy: Copy, predictor: Predictor) -> None:
    assert thin_stressors(predictor.stability.papers, ["sonication"])[0]
    copy.test("zhong2018-CsPbBr3-SiO2", "sonication")["bare_duration_h"] = "0.0001"
    reviewed = review(copy.dataset(), "zhong2018", predictor)
    column = "bare_percent (sonication)"
    check = found(reviewed, "zhong2018-CsPbBr3-SiO2", column)
    null, _ = predictor.stability.null_values("sonication")
    assert f"a lifetime of about {float(f'{math.exp(null):.3g}'):g} h" in check.expected


# Copies ---------------------------------------------------------------------------------------


NO_PLQY = {"plqy_percent": "", "plqy_quality": ""}


def add_copy(copy: Copy, sample_id: str, **cells: str) -> None:
    copy.rows[SAMPLES].append({**copy.sample(sample_id), "sample_id": "again", **cells})


def test_sample_entered_twice_is_a_check(copy: Copy) -> None:
    add_copy(copy, "hu2018-CsPbBr3-SiO2", encapsulation="unknown")
    check = found(review(copy.dataset(), "hu2018", None), "again", "sample_id")
    assert check.expected == "other numbers than those of hu2018-CsPbBr3-SiO2"
    assert not check.is_outlier


@pytest.mark.parametrize(
    "cells",
    [
        {"plqy_percent": "81"},
        NO_PLQY,
        {"shell": "TiO2"},
        {"core_size_nm": "8"},
        {"structure": "matrix"},
    ],
    ids=["value", "unstated", "shell", "size", "structure"],
)
def test_sample_that_differs_is_no_copy(copy: Copy, cells: dict[str, str]) -> None:
    add_copy(copy, "hu2018-CsPbBr3-SiO2", **cells)
    assert review(copy.dataset(), "hu2018", None).checks == ()


# What is understood and known -----------------------------------------------------------------


def understood(dataset: Dataset, paper_id: str) -> tuple[str, ...]:
    return review(dataset, paper_id, None).understood


def test_samples_and_tests_are_said_as_they_were_read(dataset: Dataset) -> None:
    assert understood(dataset, "liu2019zro2")[:2] == (
        (
            "liu2019zro2-CsPbBr3-ZrO2: core CsPbBr3, shell ZrO2, janus, single-particle, "
            "medium unknown, PL 514 nm (second-hand), PLQY 90 % (second-hand), trains PL, PLQY and "
            "stability"
        ),
        (
            "  water, remnant PL: coated 80 % after 192 h, lifetime [773, 967] h; bare 5 % after "
            "192 h, lifetime [54.8, 72.2] h; gain [10.7, 17.7] (second-hand)"
        ),
    )


def test_other_spelling_of_a_core_and_a_shell_is_shown_as_it_was_read(copy: Copy) -> None:
    copy.sample("hu2018-CsPbBr3-SiO2").update(core="CH3NH3PbBr3", shell="silica")
    line = understood(copy.dataset(), "hu2018")[0]
    assert "core CH3NH3PbBr3 read as MAPbBr3, shell SiO2" in line


def test_conditions_bounds_and_ranges_are_said(copy: Copy) -> None:
    copy.test("review2021_ref28-CsPbI3-SiO2", "water")["temperature_c"] = "25"
    lines = "\n".join(understood(copy.dataset(), "review2021_ref28"))
    assert "water, 25 deg C, remnant PL: coated 95 to 108 % after 2 h" in lines
    assert "lifetime [5.37, 12] x an unstated duration" in lines


@pytest.mark.parametrize(
    ("paper_id", "said"),
    [
        ("review2021_ref27", "(open composition: Cs; Pb and Mn in unstated amounts; any halide)"),
        ("review2021_ref27", "trains PLQY and stability; not PL, as its composition is open"),
        ("karakkal2026", "trains no model; not PL and PLQY, as its role is shell"),
        ("acsami2018", "PL unknown, FWHM ~25 nm, PLQY 60.3 %, trains PLQY"),
        ("zhou2022", "in solution, nanoplatelet, dopant Sb, PL unknown, PLQY 95 % (best value)"),
        ("oamf2025", "nanoplatelet, 3 monolayers, ligand oleylammonium fluoride, PL unknown"),
        ("cao2020", "dopant Co, size 8 to 10 nm, PL unknown"),
    ],
)
def test_what_a_sample_trains_is_said(dataset: Dataset, paper_id: str, said: str) -> None:
    assert said in "\n".join(understood(dataset, paper_id))


def test_core_that_the_champion_cannot_read_is_said_and_not_compared(
    copy: Copy, predictor: Predictor
) -> None:
    tables = predictor.featurizer.tables()
    ions = [ion for ion in tables["ions"] if ion["symbol"] != "EA"]
    featurizer = Featurizer.from_tables(
        {**tables, "ions": ions, "known_cores": []}, predictor.featurizer.table
    )
    older = dataclasses.replace(predictor, featurizer=featurizer)
    copy.sample("li2018-CsPbBr3-TiO2").update(core="EAPbBr3", pl_peak_nm="430")
    no_size = {"core_size_nm": "", "core_size_low": "", "core_size_high": ""}
    copy.sample("li2018-CsPbBr3-bare").update(core="EAPbBr3", **no_size)
    reviewed = review(copy.dataset(), "li2018", older)
    assert reviewed.checks == ()
    assert [line.split(", so ")[0] for line in reviewed.understood[-2:]] == [
        "li2018-CsPbBr3-TiO2: the champion cannot read EAPbBr3 / TiO2",
        "li2018-CsPbBr3-bare: the champion cannot read EAPbBr3 / none",
    ]


def test_other_papers_on_a_combination_are_summed_up(copy: Copy) -> None:
    keep = {"hu2018-CsPbBr3-SiO2", "zhong2018-CsPbBr3-SiO2", "nanores2021-CsPbBr3-SiO2-PMMA"}
    copy.rows[SAMPLES] = [row for row in copy.rows[SAMPLES] if row["sample_id"] in keep]
    copy.rows[STABILITY].clear()
    add_copy(copy, "zhong2018-CsPbBr3-SiO2", pl_peak_nm="521", **NO_PLQY)
    assert review(copy.dataset(), "hu2018", None).known == (
        (
            "CsPbBr3 / SiO2: measured by 1 other paper (zhong2018): "
            "PL median 511 nm (501 to 521, 1 paper), PLQY median 90 % (90 to 90, 1 paper)"
        ),
    )


def test_many_papers_are_counted_behind_the_first_three(dataset: Dataset) -> None:
    (line, *_) = review(dataset, "hu2018", None).known
    others = {
        sample.paper_id
        for sample in dataset.samples.values()
        if sample.core_text == "CsPbBr3" and sample.shell == "SiO2" and sample.paper_id != "hu2018"
    }
    assert f"measured by {len(others)} other papers (" in line
    assert f" and {len(others) - 3} more): " in line


def test_new_combination_is_said_to_be_new(dataset: Dataset) -> None:
    assert review(dataset, "hu2018", None).known[1] == (
        "CsPbBr3 / Ta2O5: measured by no other paper"
    )


def known_of(dataset: Dataset, *samples: str) -> tuple[str, ...]:
    """What is known of the samples of a paper, each the keys of one in YAML."""
    items = ", ".join(f"{{{sample}}}" for sample in samples)
    text = f"paper_id: new2026\nsource: trial\ntitle: New\nsamples: [{items}]"
    merged = dataset.with_papers([read_yaml(text, "new2026.yaml", dataset.reader)])
    return review(merged, "new2026", None).known


def test_values_are_those_of_samples_of_the_morphology(dataset: Dataset) -> None:
    (line,) = known_of(
        dataset, "name: a, core: CsPbBr3, shell: none, morphology: nanoplatelet, pl_peak_nm: 460"
    )
    platelets = [
        sample
        for sample in dataset.samples.values()
        if sample.core_text == "CsPbBr3" and sample.is_bare and sample.morphology == "nanoplatelet"
    ]
    assert platelets
    assert "; of nanoplatelets: PL " in line


def test_values_are_those_of_samples_of_about_the_size(dataset: Dataset) -> None:
    sample = "name: a, core: CsPbBr3, shell: none, core_size_nm: 10, pl_peak_nm: 515"
    (line,) = known_of(dataset, sample)
    alike = {
        one.paper_id
        for one in dataset.samples.values()
        if (one.core_text, one.shell, one.morphology) == ("CsPbBr3", "none", "nanocrystal")
        and 10 / 1.5 <= one.core_size_nm <= 15
        and one.trains_pl
    }
    assert "; of nanocrystals of 6.7 to 15 nm: PL median " in line
    assert f", {len(alike)} papers), PLQY" in line


def test_combination_without_a_sample_alike_says_so(dataset: Dataset) -> None:
    (line,) = known_of(
        dataset,
        "name: a, core: CsPbBr3, shell: SiO2, structure: matrix, morphology: nanowire",
    )
    assert line.endswith("more), none on nanowires")


def test_an_open_core_is_compared_with_open_cores(dataset: Dataset) -> None:
    sample = "name: a, core: CsPbMnX3, shell: SiO2, structure: matrix, composition: open"
    (line,) = known_of(dataset, sample)
    assert line.startswith("CsPbMnX3 / SiO2: measured by 1 other paper (review2021_ref27): ")


def test_a_definite_formula_called_open_is_asked_about(dataset: Dataset) -> None:
    text = "paper_id: new2026\nsource: trial\ntitle: New\nsamples:\n  - {name: a, core: CsPbBr3"
    text += ", shell: none, composition: open, pl_peak_nm: 515}"
    merged = dataset.with_papers([read_yaml(text, "new2026.yaml", dataset.reader)])
    (check,) = [
        one for one in review(merged, "new2026", None).checks if one.column == "composition"
    ]
    assert "the formula is definite, and a core of open composition trains no PL" in str(check)
    assert not check.is_outlier


# What a person is asked ------------------------------------------------------------------------


def checks_of(dataset: Dataset, sample: str) -> dict[str, str]:
    """The checks of a new paper with one sample, as texts by column."""
    text = f"paper_id: new2026\nsource: trial\ntitle: New\nsamples: [{{name: a, {sample}}}]"
    merged = dataset.with_papers([read_yaml(text, "new2026.yaml", dataset.reader)])
    return {check.column: str(check) for check in review(merged, "new2026", None).checks}


def test_a_core_that_emits_in_no_other_paper_is_asked_about(dataset: Dataset) -> None:
    bare = "shell: none, plqy_percent: 73"
    checks = checks_of(dataset, f"core: Cs3Cu2I5, {bare}")
    assert "expected other, as in all other papers on Cs3Cu2I5" in checks["role"]
    assert "role" not in checks_of(dataset, f"core: Cs3Cu2I5, {bare}, role: other")
    assert "role" not in checks_of(dataset, f"core: CsPbBr3, {bare}")


def test_a_confined_peak_of_a_core_of_unstated_size_is_asked_about(dataset: Dataset) -> None:
    sample = "core: CsPbBr3, shell: none, pl_peak_nm: 463"
    assert "a small or a thin core" in checks_of(dataset, sample)["core_size_nm"]
    for other in (
        f"{sample}, core_size_nm: 4",
        f"{sample}, morphology: nanoplatelet, monolayers: 4",
        sample.replace("463", "510"),
        sample.replace("463", '">463"'),
    ):
        assert "core_size_nm" not in checks_of(dataset, other)


def coated(test: str) -> str:
    return f"core: CsPbBr3, shell: SiO2, structure: matrix, stability: [{{{test}}}]"


def test_numbers_in_the_words_of_a_condition_are_asked_about(dataset: Dataset) -> None:
    test = "stressor: heat, measure: remnant PL, coated: {duration: 5 h, percent: 61}"
    words = 'condition: "60 \u00b0C in air, 75% RH"'
    checks = checks_of(dataset, coated(f"{test}, {words}"))
    assert "60 \u00b0C in temperature_c" in checks["temperature_c (heat)"]
    assert "75% RH in humidity_percent" in checks["humidity_percent (heat)"]
    stated = checks_of(dataset, coated(f"{test}, {words}, temperature_c: 60, humidity_percent: 75"))
    assert not {"temperature_c (heat)", "humidity_percent (heat)"} & {*stated}


def test_a_dispersion_beside_a_powder_is_asked_about(dataset: Dataset) -> None:
    test = (
        "stressor: water, measure: remnant PL, condition: {}, "
        "coated: {{duration: 84 d, percent: 85}}"
    )
    bare = ", bare: {duration: 15 min, percent: 0}"
    two_forms = test.format("coated powder against a dispersion in toluene")
    reason = checks_of(dataset, coated(two_forms + bare))["bare_percent (water)"]
    assert "both 'dispersion' and 'powder'" in reason
    for other in (two_forms, test.format("dried powders in water") + bare):
        assert "bare_percent (water)" not in checks_of(dataset, coated(other))


def test_a_percent_that_is_words_is_asked_about(dataset: Dataset) -> None:
    test = "stressor: water, measure: remnant PL, quality: verbal"
    checks = checks_of(dataset, coated(f'{test}, coated: {{duration: 30 d, percent: "~100"}}'))
    assert "expected time to failure, with the duration and '>'" in checks["coated_percent (water)"]


@pytest.mark.parametrize(
    ("shell", "echo"),
    [
        ("Cs2SnCl6", "shell Cs2SnCl6 is in no table: read as a formula of class perovskite-like"),
        ("PVDF+PMMA", "shell PMMA+PVDF is in no table: read as a blend of class polymer"),
    ],
)
def test_a_shell_of_no_table_is_shown_as_it_is_read(
    dataset: Dataset, shell: str, echo: str
) -> None:
    text = "paper_id: new2026\nsource: trial\nsamples:\n  - {name: a, core: CsPbBr3, "
    text += f"shell: {shell}, structure: matrix}}"
    merged = dataset.with_papers([read_yaml(text, "new2026.yaml", dataset.reader)])
    assert echo in "\n".join(review(merged, "new2026", None).understood)


def test_readings_of_one_experiment_are_shown_as_such(dataset: Dataset) -> None:
    test = next(test for test in dataset.tests if test.shared_group)
    lines = "\n".join(review(dataset, test.sample.paper_id, None).understood)
    assert f"(one experiment: {test.shared_group})" in lines


# The review -----------------------------------------------------------------------------------


def test_unknown_paper_is_an_error(dataset: Dataset) -> None:
    with pytest.raises(InputError, match="paper 'nobody2020': no such paper_id"):
        review(dataset, "nobody2020", None)


def test_outliers_are_the_checks_that_need_an_acceptance() -> None:
    one = Check("a", "pl_peak_nm", "690 nm", "515 nm", "why?", is_outlier=True)
    other = dataclasses.replace(one, sample_id="b", is_outlier=False)
    assert Review("p", (), (), (other, one)).outliers == (one,)


def test_check_is_said_on_one_line() -> None:
    check = Check("a", "pl_peak_nm", "690 nm", "90 % interval 1 to 2 nm", "why?", is_outlier=True)
    assert str(check) == ("outlier: a, pl_peak_nm 690 nm: expected 90 % interval 1 to 2 nm; why?")
    assert str(dataclasses.replace(check, is_outlier=False)).startswith("please check: a, ")


# Values in another unit ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percents", "columns", "are_outliers"),
    [
        ((0.95, 0.1), ["coated_percent (water)"], True),
        ((1, 0.3), ["bare_percent (water)"], True),
        ((80, 0.5), ["bare_percent (water)"], False),
        ((80, 0), [], False),
        ((80, 5), [], False),
    ],
)
def test_fractions_typed_for_percents_of_a_test_are_asked_about(
    copy: Copy, percents: tuple[float, float], columns: list[str], *, are_outliers: bool
) -> None:
    row = copy.test("hu2018-CsPbBr3-SiO2", "water")
    for side, percent in zip(("coated", "bare"), percents, strict=True):
        row |= {f"{side}_percent": f"{percent:g}", f"{side}_bound": ""}
        row |= {f"{side}_percent_low": "", f"{side}_percent_high": ""}
    checks = [c for c in review(copy.dataset(), "hu2018", None).checks if "fraction" in c.reason]
    assert [check.column for check in checks] == columns
    assert all(check.is_outlier == are_outliers for check in checks)


@pytest.mark.parametrize("with_model", [True, False])
@pytest.mark.parametrize("percent", [0.62, 0.9])
def test_a_fraction_typed_for_a_yield_is_asked_about_once(
    dataset: Dataset, predictor: Predictor, percent: float, *, with_model: bool
) -> None:
    reviewed = review(with_plqy(dataset, percent), "wangsx", predictor if with_model else None)
    check = found(reviewed, "wangsx-CsPbBr3-oxalic", "plqy_percent")
    assert (check.reason, check.is_outlier) == ("a fraction?", True)


def test_a_size_in_angstrom_and_a_temperature_in_kelvin_are_asked_about(copy: Copy) -> None:
    copy.sample("hu2018-CsPbBr3-SiO2")["core_size_nm"] = "80"
    copy.test("hu2018-CsPbBr3-SiO2", "water")["temperature_c"] = "298"
    reviewed = review(copy.dataset(), "hu2018", None)
    texts = [str(check) for check in reviewed.checks]
    where = "please check: hu2018-CsPbBr3-SiO2, "
    assert f"{where}core_size_nm 80 nm: expected 50 nm or less; angstrom?" in texts
    assert f"{where}temperature_c (water) 298 deg C: expected 250 deg C or less; kelvin?" in texts
