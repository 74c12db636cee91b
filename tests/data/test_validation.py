"""Faults of the dataset files: each is named with its place, all are found in one go."""

import csv

import pytest

from perovshell.data.dataset import Dataset
from perovshell.data.formula import FormulaReader
from perovshell.data.tables import bundled, read_table
from perovshell.data.validation import check_samples, check_stability
from perovshell.errors import DatasetError, Fault, InputError

PAPERS, SAMPLES, STABILITY = "papers.csv", "samples.csv", "stability.csv"
KEPT = {
    PAPERS: ("paper_id", ["hu2018", "li2018", "zhong2018", "aerogel"]),
    SAMPLES: (
        "sample_id",
        [
            "hu2018-CsPbBr3-SiO2",  # row 2
            "li2018-CsPbBr3-TiO2",  # row 3, names row 4 as its uncoated sample
            "li2018-CsPbBr3-bare",  # row 4
            "zhong2018-CsPbBr3-SiO2",  # row 5
            "aerogel-CsPbBr3-bare",  # row 6
        ],
    ),
}
TESTS_KEPT = [
    ("hu2018-CsPbBr3-SiO2", "water"),  # row 2, two-sided
    ("li2018-CsPbBr3-TiO2", "water"),  # row 3, two-sided
    ("zhong2018-CsPbBr3-SiO2", "ambient"),  # row 4, times to failure
]


class Folder:
    """A small dataset in memory that can be spoilt and then written."""

    def __init__(self, path):
        self.path = path
        self.headers, self.rows = {}, {}
        for name in (PAPERS, SAMPLES, STABILITY):
            self.headers[name], rows = read_table(bundled("literature", name))
            if name == STABILITY:
                keys = [(row["sample_id"], row["stressor"]) for row in rows]
                self.rows[name] = [dict(rows[keys.index(key)]) for key in TESTS_KEPT]
            else:
                column, wanted = KEPT[name]
                by_id = {row[column]: row for row in rows}
                self.rows[name] = [dict(by_id[key]) for key in wanted]

    def set(self, name, row, **cells):
        """Change cells of a row; the header is row 1."""
        assert set(cells) <= set(self.headers[name])
        self.rows[name][row - 2].update(cells)

    def add(self, name, copied, **cells):
        """Add a copy of a row with other cells; return its row number."""
        self.rows[name].append({**self.rows[name][copied - 2], **cells})
        return len(self.rows[name]) + 1

    def write(self):
        for name, header in self.headers.items():
            with (self.path / name).open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, header, extrasaction="ignore", restval="")
                writer.writeheader()
                writer.writerows(self.rows[name])
        return self.path

    def faults(self):
        """Write the files and return the faults found in them."""
        return faults_of(self.write())


def faults_of(path):
    with pytest.raises(DatasetError) as caught:
        Dataset.from_folder(path)
    return list(caught.value.faults)


ANSWER = "if it is the same study, name it in supersedes; if not, in distinct_from"


def place(fault):
    return (fault.file, fault.row, fault.column)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture
def written(folder):
    """Return the path of a valid dataset on disk."""
    return folder.write()


def test_unspoilt_dataset_is_valid(written):
    assert Dataset.from_folder(written).counts == {
        "papers": 4,
        "samples": 5,
        "stability_tests": 3,
    }


def test_no_shell_may_be_written_in_capitals(folder):
    folder.set(SAMPLES, 4, shell="NONE")  # named as the uncoated sample of row 3
    folder.set(SAMPLES, 6, shell="None")
    Dataset.from_folder(folder.write())
    row = folder.add(STABILITY, 4, sample_id="aerogel-CsPbBr3-bare", stressor="water")
    folder.set(SAMPLES, 2, shell="NONE")
    found = list(map(place, folder.faults()))
    assert (STABILITY, row, "coated_duration_h") in found
    assert (SAMPLES, 2, "structure") in found


# One cell at fault ---------------------------------------------------------------------------

CELLS = {
    # name: (file, row, cells to set, column of the fault, words of the rule)
    "text-as-number": (SAMPLES, 2, {"pl_peak_nm": "green"}, "pl_peak_nm", "a number from 200"),
    "number-with-unit": (SAMPLES, 2, {"pl_peak_nm": "517 nm"}, "pl_peak_nm", "a number from 200"),
    "nan": (SAMPLES, 2, {"fwhm_nm": "nan"}, "fwhm_nm", "a number from 1 to 1000"),
    "infinite": (STABILITY, 2, {"coated_duration_h": "inf"}, "coated_duration_h", "a number from"),
    "underscore": (SAMPLES, 2, {"pl_peak_nm": "5_17"}, "pl_peak_nm", "a number from 200"),
    "digits-of-another-script": (SAMPLES, 2, {"pl_peak_nm": "٥١٧"}, "pl_peak_nm", "a number from"),
    "peak-in-ev": (SAMPLES, 2, {"pl_peak_nm": "2.4"}, "pl_peak_nm", "from 200 to 2000"),
    "year-in-words": (PAPERS, 2, {"year": "last"}, "year", "a whole number from 1990 to 2100"),
    "year-too-early": (PAPERS, 2, {"year": "1890"}, "year", "a whole number from 1990 to 2100"),
    "half-year": (PAPERS, 2, {"year": "2018.5"}, "year", "a whole number"),
    "not-a-doi": (PAPERS, 2, {"doi": "jacs.7b11003"}, "doi", "a DOI such as"),
    "not-a-via-doi": (PAPERS, 2, {"via_doi": "a review"}, "via_doi", "a DOI such as"),
    "duplicate-doi": (
        PAPERS, 4, {"doi": "10.1021/JACS.7b11003"}, "doi", "already in row 2 (paper 'hu2018'); if",
    ),
    "duplicate-sample": (
        SAMPLES, 5, {"sample_id": "hu2018-CsPbBr3-SiO2"}, "sample_id", "already in row 2",
    ),
    "duplicate-paper": (PAPERS, 5, {"paper_id": "li2018"}, "paper_id", "already in row 3"),
    "identity-with-blank": (SAMPLES, 6, {"sample_id": "a b"}, "sample_id", "without blanks"),
    "identity-empty": (SAMPLES, 6, {"sample_id": ""}, "sample_id", "an identity without"),
    "unknown-paper": (
        SAMPLES, 2, {"paper_id": "hu2081"}, "paper_id", "no such paper_id in papers.csv",
    ),
    "unknown-sample": (
        STABILITY, 2, {"sample_id": "hu2081"}, "sample_id", "no such sample_id in samples.csv",
    ),
    "plqy-140-of-the-core": (
        SAMPLES, 2, {"plqy_percent": "140"}, "plqy_percent", "above 100 only with role dopant",
    ),
    "plqy-301-of-a-dopant": (
        SAMPLES, 2, {"plqy_percent": "301", "role": "dopant"}, "plqy_percent", "from 0 to 300",
    ),
    "plqy-negative": (SAMPLES, 2, {"plqy_percent": "-1"}, "plqy_percent", "from 0 to 300"),
    "unknown-structure": (SAMPLES, 2, {"structure": "onion"}, "structure", "core/shell, janus"),
    "unknown-role": (SAMPLES, 2, {"role": "guest"}, "role", "core, dopant, shell, other"),
    "unknown-medium": (SAMPLES, 2, {"medium": "space"}, "medium", "solution, film"),
    "unknown-bound": (SAMPLES, 2, {"plqy_bound": ">="}, "plqy_bound", "one of (empty), ~, >, <"),
    "unknown-quality": (
        SAMPLES, 2, {"plqy_quality": "good"}, "plqy_quality", "printed, best value, second-hand",
    ),
    "quality-without-value": (
        SAMPLES, 4, {"plqy_quality": "verbal"}, "plqy_quality", "a quality needs a value in plqy",
    ),
    "unknown-morphology": (
        SAMPLES, 2, {"morphology": "platelet"}, "morphology", "(empty), nanocrystal, nanoplatelet",
    ),
    "monolayers-of-a-cube": (
        SAMPLES, 2, {"monolayers": "3"}, "monolayers", "only of morphology nanoplatelet",
    ),
    "half-a-monolayer": (
        SAMPLES, 2, {"morphology": "nanoplatelet", "monolayers": "2.5"}, "monolayers",
        "a whole number from 1 to 100",
    ),
    "peak-low-without-high": (
        SAMPLES, 2, {"pl_peak_low": "510"}, "pl_peak_low", "both its low and its high",
    ),
    "peak-low-above-high": (
        SAMPLES, 2, {"pl_peak_low": "520", "pl_peak_high": "510"}, "pl_peak_low",
        "low must not be above high (510)",
    ),
    "peak-outside-range": (
        SAMPLES, 2, {"pl_peak_low": "518", "pl_peak_high": "520"}, "pl_peak_nm",
        "within the printed range 518 to 520",
    ),
    "range-with-a-one-sided-bound": (
        SAMPLES, 2, {"pl_peak_low": "510", "pl_peak_high": "520", "pl_peak_bound": ">"},
        "pl_peak_bound", "empty, or ~, with a range",
    ),
    "range-above-100-of-the-core": (
        SAMPLES, 2, {"plqy_low": "70", "plqy_high": "110"}, "plqy_high", "above 100 only with role",
    ),
    "fwhm-bound-without-value": (
        SAMPLES, 2, {"fwhm_bound": "~"}, "fwhm_bound", "a bound needs a value in fwhm_nm",
    ),
    "unknown-quality-of-a-test": (
        STABILITY, 2, {"quality": "poor"}, "quality", "one of (empty), printed, best value",
    ),
    "unknown-composition": (SAMPLES, 2, {"composition": "any"}, "composition", "exact, open"),
    "unknown-stressor": (STABILITY, 2, {"stressor": "rain"}, "stressor", "water, humidity"),
    "unknown-measure": (STABILITY, 2, {"measure": "glow"}, "measure", "remnant PL, remnant PLQY"),
    "bare-structure-with-shell": (
        SAMPLES, 2, {"structure": "bare"}, "structure", "bare if, and only if, shell is none",
    ),
    "unreadable-formula": (SAMPLES, 2, {"core": "CsPbBr"}, "core", "not neutral"),
    "open-formula-said-exact": (SAMPLES, 2, {"core": "CsPbX3"}, "core", "composition open"),
    "core-empty-though-open": (
        SAMPLES, 2, {"core": "", "composition": "open"}, "core", "no core given",
    ),
    "unknown-shell": (SAMPLES, 2, {"shell": "silicca"}, "shell", "nearest known: SiO2"),
    "peak-bound-without-value": (
        SAMPLES, 6, {"pl_peak_bound": "~"}, "pl_peak_bound", "a bound needs a value in pl_peak_nm",
    ),
    "plqy-bound-without-value": (
        SAMPLES, 4, {"plqy_bound": ">"}, "plqy_bound", "a bound needs a value in plqy_percent",
    ),
    "bare-sample-missing": (
        SAMPLES, 3, {"bare_sample_id": "li"}, "bare_sample_id", "no such sample_id",
    ),
    "bare-sample-of-another-paper": (
        SAMPLES, 3, {"bare_sample_id": "aerogel-CsPbBr3-bare"}, "bare_sample_id",
        "an uncoated sample of the same paper",
    ),
    "bare-sample-coated": (
        SAMPLES, 3, {"bare_sample_id": "li2018-CsPbBr3-TiO2"}, "bare_sample_id",
        "an uncoated sample of the same paper",
    ),
    "percent-too-high": (
        STABILITY, 2, {"coated_percent": "1001"}, "coated_percent", "a number from 0 to 1000",
    ),
    "negative-duration": (
        STABILITY, 2, {"bare_duration_h": "-1"}, "bare_duration_h", "a number from 1e-06",
    ),
    "humidity-above-100": (
        STABILITY, 2, {"humidity_percent": "120"}, "humidity_percent", "a number from 0 to 100",
    ),
    "one-sided-without-duration": (
        STABILITY, 2, {"coated_duration_h": "", "bare_duration_h": "", "bare_percent": ""},
        "coated_duration_h", "a one-sided test needs a duration",
    ),
    "two-sided-with-one-duration": (
        STABILITY, 2, {"bare_duration_h": ""}, "bare_duration_h", "both durations or none",
    ),
    "no-reading": (
        STABILITY, 2,
        {"coated_duration_h": "", "coated_percent": "", "bare_duration_h": "", "bare_percent": ""},
        "coated_percent", "at least one reading",
    ),
    "remnant-without-percent": (
        STABILITY, 2, {"coated_percent": ""}, "coated_percent", "a remnant needs its percent",
    ),
    "less-than-nothing": (
        STABILITY, 2, {"bare_percent": "0", "bare_bound": "<"}, "bare_percent", "impossible",
    ),
    "low-above-high": (
        STABILITY, 2, {"coated_percent_low": "85", "coated_percent_high": "75"},
        "coated_percent_low", "low must not be above high (75)",
    ),
    "low-without-high": (
        STABILITY, 2, {"coated_percent_low": "75"}, "coated_percent_low", "both its low and its",
    ),
    "mean-outside-range": (
        STABILITY, 2, {"coated_percent_low": "81", "coated_percent_high": "85"},
        "coated_percent", "within the printed range 81 to 85",
    ),
    "time-to-failure-with-percent": (
        STABILITY, 4, {"bare_percent": "0"}, "bare_percent", "empty for a time to failure",
    ),
    "bound-without-reading": (
        STABILITY, 2, {"bare_duration_h": "", "bare_percent": "", "bare_bound": "~"},
        "bare_bound", "a bound needs a reading",
    ),
    "coated-reading-of-an-uncoated-sample": (
        STABILITY, 3, {"sample_id": "li2018-CsPbBr3-bare"}, "coated_duration_h",
        "empty for an uncoated sample",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("file", "row", "cells", "column", "rule"), CELLS.values(), ids=CELLS)
def test_fault_of_a_cell(folder, file, row, cells, column, rule):
    folder.set(file, row, **cells)
    matching = [fault for fault in folder.faults() if place(fault) == (file, row, column)]
    assert [fault.value for fault in matching] == [folder.rows[file][row - 2][column]]
    assert rule in matching[0].rule


SINGLE = sorted(
    CELLS.keys()
    - {"duplicate-sample", "duplicate-paper", "identity-with-blank", "identity-empty"}
    - {"open-formula-said-exact", "unknown-paper"}
)


@pytest.mark.parametrize("name", SINGLE)
def test_one_fault_is_reported_once(folder, name):
    file, row, cells, _, _ = CELLS[name]
    folder.set(file, row, **cells)
    assert len(folder.faults()) == 1


def test_dopant_may_emit_above_100_percent(folder):
    folder.set(SAMPLES, 2, plqy_percent="140", role="dopant")
    assert Dataset.from_folder(folder.write()).counts["samples"] == 5


def test_open_composition_is_accepted(folder):
    folder.set(SAMPLES, 2, core="CsPbX3", composition="open")
    assert Dataset.from_folder(folder.write()).samples["hu2018-CsPbBr3-SiO2"].core is None


def test_two_sided_test_without_durations_is_accepted(folder):
    folder.set(STABILITY, 2, coated_duration_h="", bare_duration_h="")
    assert Dataset.from_folder(folder.write()).tests[0].gain().is_informative


# Whole files ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "column"),
    [(PAPERS, "paper_id"), (SAMPLES, "core"), (SAMPLES, "sample_id"),
     (STABILITY, "stressor")],
)  # fmt: skip
def test_missing_column_is_the_only_fault(folder, file, column):
    folder.headers[file].remove(column)
    (fault,) = folder.faults()
    assert place(fault) == (file, 1, column)
    assert "missing" in fault.rule


@pytest.mark.parametrize("file", [PAPERS, SAMPLES, STABILITY])
def test_unknown_column(folder, file):
    folder.headers[file].append("colour")
    (fault,) = folder.faults()
    assert place(fault) == (file, 1, "colour")
    assert "unknown column; allowed: " in fault.rule


@pytest.mark.parametrize("file", [PAPERS, SAMPLES, STABILITY])
def test_order_of_columns_does_not_matter(folder, file):
    folder.headers[file].reverse()
    assert Dataset.from_folder(folder.write()).counts["papers"] == 4


@pytest.mark.parametrize("file", [PAPERS, SAMPLES])
def test_table_without_rows(folder, file):
    folder.rows[file].clear()
    found = [fault for fault in folder.faults() if place(fault) == (file, 0, "")]
    assert [fault.rule[:7] for fault in found] == ["no rows"]


def test_no_stability_tests_are_no_fault(folder):
    folder.rows[STABILITY].clear()
    assert Dataset.from_folder(folder.write()).tests == ()


FILE_FAULTS = {
    "empty": (b"", "the file is empty; a header line"),
    "blank-header": (b" , ,\n", "the file is empty; a header line"),
    "not-utf-8": (b"paper_id,title\na,caf\xe9\n", "not UTF-8 text (byte 20)"),
    "column-twice": (b"paper_id,year,year\n", "column 'year' is given twice"),
    "too-few-cells": (b"paper_id,doi,year\na,,\nb,2018\n", "row 3: 2 cells where the header has 3"),
    "too-many-cells": (b"paper_id,doi\na,10.1,2018\n", "row 2: 3 cells where the header has 2"),
    "quote-left-open": (b'paper_id,doi\n"a,10.1\n', "not a CSV table"),
}


@pytest.mark.parametrize(("content", "rule"), FILE_FAULTS.values(), ids=FILE_FAULTS)
@pytest.mark.parametrize("file", [PAPERS, SAMPLES, STABILITY])
def test_unreadable_file(written, file, content, rule):
    (written / file).write_bytes(content)
    (fault,) = faults_of(written)
    assert place(fault) == (file, 0, "")
    assert fault.rule.startswith(rule)


@pytest.mark.parametrize("file", [PAPERS, SAMPLES, STABILITY])
def test_missing_file(written, file):
    (written / file).unlink()
    assert faults_of(written) == [Fault(file, 0, "", None, "no such file")]


def test_folder_in_place_of_a_file(written):
    (written / PAPERS).unlink()
    (written / PAPERS).mkdir()
    (fault,) = faults_of(written)
    assert fault.rule.startswith("cannot be read")


def test_missing_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        Dataset.from_folder(tmp_path / "nowhere")


def test_all_unreadable_files_are_named(written):
    (written / PAPERS).unlink()
    (written / STABILITY).write_bytes(b"")
    assert [fault.file for fault in faults_of(written)] == [PAPERS, STABILITY]


@pytest.mark.parametrize("ending", [b"\r\n", b"\n"], ids=["windows", "unix"])
def test_byte_order_mark_and_line_ends_are_allowed(written, ending):
    for file in written.iterdir():
        content = file.read_bytes().replace(b"\r\n", ending)
        file.write_bytes(b"\xef\xbb\xbf" + content)
    assert Dataset.from_folder(written).counts["samples"] == 5


# One study under two papers ------------------------------------------------------------------


def test_same_test_of_two_papers_with_a_doi_each_is_accepted(folder):
    folder.add(STABILITY, 2, sample_id="zhong2018-CsPbBr3-SiO2")
    assert len(Dataset.from_folder(folder.write()).tests) == 4


def test_same_test_under_two_papers(folder):
    folder.set(PAPERS, 4, doi="", via_doi="10.1000/review")
    sample = "zhong2018-CsPbBr3-SiO2"
    row = folder.add(STABILITY, 2, sample_id=sample)
    (fault,) = folder.faults()
    assert place(fault) == (STABILITY, row, "sample_id")
    same = "same core, shell, stressor and readings as row 2 of paper 'hu2018'"
    assert fault.rule == f"{same}; {ANSWER}"


def test_same_test_twice_in_one_paper_is_accepted(folder):
    folder.add(STABILITY, 2)
    assert len(Dataset.from_folder(folder.write()).tests) == 4


@pytest.mark.parametrize(
    "cells", [{"stressor": "heat"}, {"coated_percent": "81"}], ids=["stressor", "percent"]
)
def test_other_test_under_two_papers_is_accepted(folder, cells):
    folder.add(STABILITY, 2, sample_id="zhong2018-CsPbBr3-SiO2", **cells)
    assert len(Dataset.from_folder(folder.write()).tests) == 4


def test_same_sample_under_two_papers(folder):
    folder.set(SAMPLES, 2, fwhm_nm="20")
    row = folder.add(SAMPLES, 2, sample_id="again", paper_id="zhong2018", core_size_nm="")
    folder.set(SAMPLES, row, structure="core/shell")
    (fault,) = folder.faults()
    assert place(fault) == (SAMPLES, row, "sample_id")
    assert fault.rule == f"same core, shell and numbers as row 2 of paper 'hu2018'; {ANSWER}"


def test_two_equal_numbers_are_no_study_read_twice(folder):
    folder.add(SAMPLES, 2, sample_id="again", paper_id="zhong2018")
    assert Dataset.from_folder(folder.write()).counts["samples"] == 6


SPELLINGS = {
    "core": {"core": "Cs1Pb1Br3"},
    "mixed-core": {"core": "CsPb(Br0.5I0.5)3"},
    "shell": {"shell": "silica"},
    "number": {"pl_peak_nm": "517.0", "plqy_percent": "80.00"},
}


@pytest.mark.parametrize("cells", SPELLINGS.values(), ids=SPELLINGS)
def test_other_spelling_of_a_sample_under_two_papers_is_the_same_sample(folder, cells):
    mixed = {"core": "CsPbBr1.5I1.5"} if "(" in cells.get("core", "") else {}
    folder.set(SAMPLES, 2, fwhm_nm="20", **mixed)
    row = folder.add(SAMPLES, 2, sample_id="again", paper_id="zhong2018", **cells)
    (fault,) = folder.faults()
    assert place(fault) == (SAMPLES, row, "sample_id")
    assert "of paper 'hu2018'" in fault.rule


def test_other_spelling_of_a_test_under_two_papers_is_the_same_test(folder):
    folder.set(PAPERS, 4, doi="", via_doi="10.1000/review")
    folder.set(SAMPLES, 5, core="Cs2Pb2Br6", shell="Silica")
    numbers = {"coated_duration_h": "168.0", "bare_percent": "17.80"}
    row = folder.add(STABILITY, 2, sample_id="zhong2018-CsPbBr3-SiO2", **numbers)
    (fault,) = folder.faults()
    assert place(fault) == (STABILITY, row, "sample_id")


@pytest.mark.parametrize("cells", [{"core": "CsPbBr2I"}, {"shell": "TiO2"}, {"fwhm_nm": "21"}])
def test_other_sample_under_two_papers_is_accepted(folder, cells):
    folder.set(SAMPLES, 2, fwhm_nm="20")
    folder.add(SAMPLES, 2, sample_id="again", paper_id="zhong2018", **cells)
    assert Dataset.from_folder(folder.write()).counts["samples"] == 6


def test_papers_said_to_be_distinct_may_have_equal_samples_and_tests(folder):
    header, samples = folder.headers[SAMPLES], folder.rows[SAMPLES]
    folder.set(SAMPLES, 2, fwhm_nm="20")
    folder.add(SAMPLES, 2, sample_id="again", paper_id="zhong2018")
    folder.add(STABILITY, 2, sample_id="again")
    reader, by_id = FormulaReader.bundled(), {row["sample_id"]: row for row in samples}
    tests = (folder.headers[STABILITY], folder.rows[STABILITY], by_id, reader)
    for pair, count in ({"zhong2018", "hu2018"}, 0), ({"zhong2018", "li2018"}, 1):
        distinct = {frozenset(pair)}
        assert len(check_samples(header, samples, set(), reader, distinct=distinct)) == count
        assert len(check_stability(*tests, distinct=distinct)) == count


def test_a_copy_is_told_of_each_paper_that_it_is_not_distinct_from(folder):
    folder.set(SAMPLES, 2, fwhm_nm="20")
    folder.add(SAMPLES, 2, sample_id="second", paper_id="zhong2018")
    folder.add(SAMPLES, 2, sample_id="third", paper_id="li2018")
    distinct = [frozenset(("hu2018", "zhong2018")), frozenset(("hu2018", "li2018"))]
    reader = FormulaReader.bundled()
    (fault,) = check_samples(
        folder.headers[SAMPLES], folder.rows[SAMPLES], set(), reader, distinct=distinct
    )
    assert (fault.value, "of paper 'zhong2018'" in fault.rule) == ("third", True)


# All at once ---------------------------------------------------------------------------------


def test_faults_of_all_files_come_at_once(folder):
    folder.set(PAPERS, 2, year="last", doi="none")
    folder.set(SAMPLES, 2, core="CsPbBr")
    folder.set(SAMPLES, 5, role="guest", pl_peak_nm="green")
    folder.set(STABILITY, 3, stressor="rain")
    assert {place(fault) for fault in folder.faults()} == {
        (PAPERS, 2, "year"),
        (PAPERS, 2, "doi"),
        (SAMPLES, 2, "core"),
        (SAMPLES, 5, "role"),
        (SAMPLES, 5, "pl_peak_nm"),
        (STABILITY, 3, "stressor"),
    }


def test_message_has_a_line_for_each_fault(folder):
    folder.set(PAPERS, 2, year="last")
    folder.set(STABILITY, 3, stressor="rain")
    with pytest.raises(DatasetError) as caught:
        Dataset.from_folder(folder.write())
    first, *others = str(caught.value).splitlines()
    assert first == "2 faults in the dataset"
    assert others[0].startswith("  papers.csv, row 2, column year: 'last': a whole number from")
    assert others[1].startswith("  stability.csv, row 3, column stressor: 'rain': one of ")


def test_message_of_one_fault(written):
    (written / PAPERS).unlink()
    with pytest.raises(DatasetError) as caught:
        Dataset.from_folder(written)
    assert str(caught.value).splitlines() == [
        "1 fault in the dataset",
        "  papers.csv: no such file",
    ]
