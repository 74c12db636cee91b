"""Paper files: what each key means, faults with their lines, and writing what is read."""

import csv
import gc
import json
import weakref
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data import vocabulary as words
from perovshell.data.columns import COMPANIONS, TABLES
from perovshell.data.dataset import Dataset
from perovshell.data.formula import FormulaReader
from perovshell.data.nodes import Node
from perovshell.data.paper_entry import PaperEntry
from perovshell.data.paper_file import (
    MAX_BYTES,
    paper_reader,
    read_papers,
    read_yaml,
    template_text,
)
from perovshell.data.paper_writing import to_yaml
from perovshell.data.tables import bundled, read_table
from perovshell.data.vocabulary import is_unknown
from perovshell.errors import DocumentError, InputError

PAPERS, SAMPLES, STABILITY = TABLES
FORMULAS = FormulaReader.bundled()
TEXT = """\
paper_id: smith2026
doi: 10.1000/smith
samples:
  - name: coated
    core: CsPbBr3
    shell: SiO2
    structure: core/shell
    pl_peak_nm: "~515"
    plqy_percent: ">80"
    bare: plain
    stability:
      - stressor: water
        coated: {duration: 30 d, percent: ">90"}
        bare: {duration: 30 d, percent: 52-64}
  - name: plain
    core: CsPbBr3
    shell: none
"""


def faults_in(text):
    with pytest.raises(DocumentError) as caught:
        read_yaml(text, "smith.yaml", FORMULAS)
    return caught.value.faults


def fault_in(text):
    (fault,) = faults_in(text)
    assert fault.file == "smith.yaml"
    return fault


def side_of(given_side, measure="remnant PL", side="coated"):
    """Return the filled cells of one side of a test, without the name of the side."""
    old = 'coated: {duration: 30 d, percent: ">90"}\n        bare: {duration: 30 d, percent: 52-64}'
    text = TEXT.replace(old, f"{side}: {{{given_side}}}\n        measure: {measure}")
    (test,) = read_yaml(text, "smith.yaml").tests
    names = [name for name in test if name.startswith(f"{side}_") and test[name]]
    return {name.removeprefix(f"{side}_"): test[name] for name in names}


# What is read --------------------------------------------------------------------------------


def test_cells_of_a_sample():
    sample = read_yaml(TEXT, "smith.yaml").samples[0]
    assert {column: text for column, text in sample.items() if text} == {
        "sample_id": "smith2026-coated",
        "paper_id": "smith2026",
        "core": "CsPbBr3",
        "composition": "exact",
        "shell": "SiO2",
        "structure": "core/shell",
        "encapsulation": "unknown",
        "medium": "unknown",
        "pl_peak_nm": "515",
        "pl_peak_bound": "~",
        "plqy_percent": "80",
        "plqy_bound": ">",
        "bare_sample_id": "smith2026-plain",
        "role": "core",
    }


def test_cells_of_a_test():
    (test,) = read_yaml(TEXT, "smith.yaml").tests
    assert {column: text for column, text in test.items() if text} == {
        "sample_id": "smith2026-coated",
        "stressor": "water",
        "measure": "remnant PL",
        "coated_duration_h": "720",
        "coated_percent": "90",
        "coated_bound": ">",
        "bare_duration_h": "720",
        "bare_percent": "58",
        "bare_percent_low": "52",
        "bare_percent_high": "64",
    }


def test_bare_sample_has_no_structure_to_state():
    bare = read_yaml(TEXT, "smith.yaml").samples[1]
    assert (bare["structure"], bare["encapsulation"]) == ("bare", "none")


def test_what_is_stated_is_no_default():
    stated = "composition: open\n    medium: film\n    role: dopant\n    encapsulation: none\n"
    sample = read_yaml(TEXT.replace("shell: SiO2\n", f"shell: SiO2\n    {stated}"), "s").samples[0]
    read = [sample[name] for name in ("composition", "medium", "role", "encapsulation")]
    assert read == ["open", "film", "dopant", "none"]


def test_whole_identities_are_taken_as_they_are():
    text = TEXT.replace("name: coated", "sample_id: c-1").replace("name: plain", "sample_id: p-1")
    entry = read_yaml(text.replace("bare: plain", "bare_sample_id: p-1"), "smith.yaml")
    assert [row["sample_id"] for row in entry.samples] == ["c-1", "p-1"]
    assert entry.samples[0]["bare_sample_id"] == "p-1"
    assert entry.tests[0]["sample_id"] == "c-1"


@pytest.mark.parametrize("value", ["none", "NA", "nan", "168", "1.0", "0x1F", "yes", "2026-01-01"])
def test_values_stay_text(value):
    assert read_yaml(TEXT.replace("doi: ", f"note: {value}\ndoi: "), "s").paper["note"] == value


@pytest.mark.parametrize("value", ["", "~", "null", "NULL", "''", '"  "'])
def test_empty_values_are_empty(value):
    assert read_yaml(TEXT.replace("doi: ", f"note: {value}\ndoi: "), "s").paper["note"] == ""


@pytest.mark.parametrize("value", ["'~'", '"null"'])
def test_words_for_empty_are_texts_in_quotes(value):
    read = read_yaml(TEXT.replace("doi: ", f"note: {value}\ndoi: "), "s").paper["note"]
    assert read == value[1:-1]


def test_an_empty_value_leaves_the_default():
    assert read_yaml(TEXT.replace("plain\n    core", "plain\n    role:\n    core"), "s").samples[1][
        "role"
    ] == "core"  # fmt: skip


def test_a_note_may_be_a_block():
    read = read_yaml(TEXT.replace("doi: ", "note: >\n  two\n  lines\ndoi: "), "s")
    assert read.paper["note"] == "two lines"


@pytest.mark.parametrize(
    ("value", "expected"),
    [("old2020", ("old2020",)), ("[a, ~, b]", ("a", "b")), ("[]", ()), ("", ())],
)
def test_other_papers_are_a_list_or_a_single_text(value, expected):
    entry = read_yaml(f"supersedes: {value}\ndistinct_from: {value}\n{TEXT}", "smith.yaml")
    assert entry.supersedes == entry.distinct_from == expected


def test_a_withdrawn_paper_needs_no_samples():
    entry = read_yaml("paper_id: x\nwithdrawn: retracted in 2027\n", "x.yaml")
    assert (entry.withdrawn, entry.samples) == ("retracted in 2027", ())


def test_lines_of_cells_are_those_of_the_file():
    entry = read_yaml(TEXT, "smith.yaml")
    assert entry.locate(PAPERS, 0, "doi") == ("smith.yaml", 2)
    assert entry.locate(SAMPLES, 0, "pl_peak_bound") == ("smith.yaml", 8)
    assert entry.locate(SAMPLES, 1, "shell") == ("smith.yaml", 17)
    assert entry.locate(STABILITY, 0, "bare_percent_low") == ("smith.yaml", 14)


def test_a_cell_without_a_line_stands_in_its_row():
    entry = read_yaml(TEXT, "smith.yaml")
    assert entry.locate(SAMPLES, 0, "fwhm_nm") == ("smith.yaml", 4)
    assert entry.locate(STABILITY, 0, "note") == ("smith.yaml", 12)


# Numbers of a sample -------------------------------------------------------------------------


def number_of(text, stem="pl_peak", column="pl_peak_nm"):
    """Return the filled cells of a number of a sample, by what they hold."""
    read = read_yaml(TEXT.replace('pl_peak_nm: "~515"', f"{column}: {text}"), "smith.yaml")
    sample = read.samples[0]
    names = {column: "value"} | {f"{stem}_{part}": part for part in COMPANIONS}
    return {part: sample[name] for name, part in names.items() if sample[name]}


NUMBERS_AS_WRITTEN = [
    ("515", {"value": "515"}),
    ("'~642'", {"value": "642", "bound": "~"}),
    ('"> 220"', {"value": "220", "bound": ">"}),
    ("<220", {"value": "220", "bound": "<"}),
    ("450-460", {"value": "455", "low": "450", "high": "460"}),
    ("301.5 – 302.2", {"value": "301.85", "low": "301.5", "high": "302.2"}),
]


@pytest.mark.parametrize(("text", "cells"), NUMBERS_AS_WRITTEN)
@pytest.mark.parametrize(
    ("stem", "column"),
    [
        ("pl_peak", "pl_peak_nm"),
        ("fwhm", "fwhm_nm"),
        ("core_size", "core_size_nm"),
        ("shell_thickness", "shell_thickness_nm"),
    ],
)
def test_numbers_of_a_sample_have_bounds_and_ranges(stem, column, text, cells):
    assert number_of(text, stem, column) == cells


def test_each_cell_of_a_number_has_a_key():
    keys = "455\n    pl_peak_bound: ~\n    pl_peak_low: 450\n    pl_peak_high: 461"
    keys += "\n    pl_peak_quality: best value"
    assert number_of(keys) == {
        "value": "455",
        "bound": "~",
        "low": "450",
        "high": "461",
        "quality": "best value",
    }


@pytest.mark.parametrize(
    ("keys", "rule"),
    [
        (
            "450-460\n    pl_peak_low: 450",
            "pl_peak_low is given by pl_peak_nm already; leave one of them out",
        ),
        (
            "~455\n    pl_peak_bound: '>'",
            "pl_peak_bound is given by pl_peak_nm already; leave one of them out",
        ),
    ],
)
def test_a_part_of_a_number_given_twice_is_a_fault(keys, rule):
    fault = fault_in(TEXT.replace('pl_peak_nm: "~515"', f"pl_peak_nm: {keys}"))
    assert (fault.row, fault.column, fault.rule) == (9, f"samples.{rule.split()[0]}", rule)


@pytest.mark.parametrize("text", ["green", "52-", "about green", "1,200"])
def test_what_is_no_number_is_a_fault(text):
    fault = fault_in(TEXT.replace('pl_peak_nm: "~515"', f"pl_peak_nm: {text}"))
    assert (fault.row, fault.column, fault.value) == (8, "samples.pl_peak_nm", text)
    assert fault.rule.startswith("a number from 200 to 2000 nm, or empty")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("morphology", "nanoplatelet"),
        ("monolayers", "3"),
        ("ligand", "TDPA"),
        ("dopant", "Mn"),
        ("fwhm_quality", "verbal"),
    ],
)
def test_facts_of_a_sample_have_keys(key, value):
    entry = read_yaml(TEXT.replace("    bare: plain", f"    bare: plain\n    {key}: {value}"), "s")
    assert [row[key] for row in entry.samples] == [value, ""]
    assert f"\n  {key}: {value}\n" in to_yaml(entry)


def test_a_paper_has_authors_and_a_journal():
    paper = read_yaml("authors: A. Smith\njournal: Nano\n" + TEXT, "smith.yaml").paper
    assert (paper["authors"], paper["journal"]) == ("A. Smith", "Nano")


def test_a_test_has_a_quality():
    text = TEXT.replace("- stressor: water", "- stressor: water\n        quality: verbal")
    assert read_yaml(text, "smith.yaml").tests[0]["quality"] == "verbal"


# Sides of a test -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("duration", "hours"),
    [
        ("168", "168"),
        ("168.0", "168.0"),
        ("168 h", "168"),
        ("36 s", "0.01"),
        ("40 min", "0.666667"),
        ("15min", "0.25"),
        ("30 d", "720"),
        ("1 day", "24"),
        ("1.5 days", "36"),
        ("1 week", "168"),
        ("2 weeks", "336"),
    ],
)
def test_durations_are_hours(duration, hours):
    assert side_of(f"duration: {duration}, percent: 5") == {"duration_h": hours, "percent": "5"}


@pytest.mark.parametrize(
    ("percent", "cells"),
    [
        ("80", {"percent": "80"}),
        ("~85", {"percent": "85", "bound": "~"}),
        ('"> 90"', {"percent": "90", "bound": ">"}),
        ("<5", {"percent": "5", "bound": "<"}),
        ("52-64", {"percent": "58", "percent_low": "52", "percent_high": "64"}),
        ("52.7 – 62.1", {"percent": "57.4", "percent_low": "52.7", "percent_high": "62.1"}),
        ("100-200", {"percent": "150", "percent_low": "100", "percent_high": "200"}),
    ],
)
def test_percents_have_bounds_and_ranges(percent, cells):
    assert side_of(f"percent: {percent}") == cells


def test_each_cell_of_a_side_has_a_key():
    cells = {"duration_h": "5", "percent": "50", "percent_low": "40", "percent_high": "61"}
    cells["bound"] = "~"
    assert side_of(", ".join(f"{key}: {text}" for key, text in cells.items())) == cells


def test_a_plain_tilde_is_a_bound_where_a_bound_is_asked():
    assert side_of("percent: 80, bound: ~") == {"percent": "80", "bound": "~"}


def test_a_time_to_failure_may_be_a_bound():
    cells = {"duration_h": "720", "bound": ">"}
    assert side_of('duration: "> 30 d"', "time to failure") == cells


SIDES_AT_FAULT = {
    "unit": ("duration: 2 moons", "duration", "'2 moons' has the unit moons; allowed: s, min, h, "),
    "no-number": ("duration: long", "duration", "a number from 1e-06"),
    "bound": ('duration: ">30 d"', "duration", "a duration with a sign and no percent"),
    "contrary-bounds": (
        'duration: ">30 d", percent: "<5"',
        "duration",
        "a duration '>' with a percent '<' says nothing of either",
    ),
    "percent": ("percent: most", "percent", "a number from 0 to 1000 %, or empty; with a sign"),
    "bound-and-range": ('percent: ">52-64"', "percent", "'>52-64' has a sign and a range"),
    "range-upside-down": ("percent: 64-52", "percent", "'64-52': the smaller end of a range comes"),
    "range-of-a-duration": (
        "duration: 30-40 d",
        "duration",
        "'30-40 d' has a range, and duration is",
    ),
    "two-durations": (
        "duration: 5, duration_h: 5",
        "duration_h",
        "duration_h is given by duration already",
    ),
    "two-lows": (
        "percent: 5-6, percent_low: 5",
        "percent_low",
        "percent_low is given by percent already",
    ),
    "two-bounds": ("percent: ~5, bound: '>'", "bound", "bound is given by percent already"),
    "unknown-key": ("hours: 5", "hours", "unknown key"),
    "key-twice": ("percent: 5, percent: 6", "percent", "this key is given already in line 13"),
    "list": (
        "percent: [5, 6]",
        "percent",
        "a number from 0 to 1000 %, or empty; with a sign, a range",
    ),
}


@pytest.mark.parametrize(("side", "key", "rule"), SIDES_AT_FAULT.values(), ids=SIDES_AT_FAULT)
def test_fault_of_a_side(side, key, rule):
    fault = fault_in(TEXT.replace('duration: 30 d, percent: ">90"', side))
    assert (fault.row, fault.column) == (13, f"samples.stability.coated.{key}")
    assert fault.rule.startswith(rule)


def test_a_side_that_is_one_value_is_a_fault():
    fault = fault_in(TEXT.replace('{duration: 30 d, percent: ">90"}', "90"))
    assert (fault.row, fault.column, fault.value) == (13, "samples.stability.coated", 90)
    assert fault.rule.startswith("a mapping with the keys duration, ")


# Faults --------------------------------------------------------------------------------------

TEXTS_AT_FAULT = {
    # name: (text replaced, by what, line, column, words of the rule)
    "no-paper-id": ("paper_id: smith2026\n", "", 1, "paper_id", "missing; an identity"),
    "empty-paper-id": ("paper_id: smith2026", "paper_id:", 1, "paper_id", "missing; an identity"),
    "unknown-key": ("    core: C", "    corr: x\n    core: C", 5, "samples.corr", "unknown key; "),
    "key-twice": ("doi: 10", "doi: 10.1111/x\ndoi: 10", 3, "doi", "this key is given"),
    "empty-key-twice": ("doi: 10", "doi:\ndoi: 10", 3, "doi", "this key is given already"),
    "key-that-is-a-list": ("doi: 10", "[a]: 1\ndoi: 10", 2, "?", "unknown key"),
    "no-name": (
        "- name: plain\n    core",
        "- core",
        15,
        "samples.name",
        "missing; a name (or a whole",
    ),
    "two-names": (
        "- name: plain",
        "- name: plain\n    sample_id: p",
        16,
        "samples.sample_id",
        "sample_id is given by name already; leave one of them out",
    ),
    "same-name": (
        "- name: plain",
        "- name: coated",
        15,
        "samples.name",
        "sample 1 has this name already",
    ),
    "no-core": (
        "    core: CsPbBr3\n    shell: none",
        "    shell: none",
        15,
        "samples.core",
        "missing; formula of the core",
    ),
    "no-shell": ("    shell: none\n", "", 15, "samples.shell", "missing; layers from the inside"),
    "no-structure": (
        "    structure: core/shell\n",
        "",
        4,
        "samples.structure",
        "missing; a coated sample",
    ),
    "no-stressor": (
        "- stressor: water",
        "- note: x",
        12,
        "samples.stability.stressor",
        "missing; one of water",
    ),
    "two-bounds": (
        "    bare: plain",
        "    bare: plain\n    pl_peak_bound: '<'",
        11,
        "samples.pl_peak_bound",
        "pl_peak_bound is given by pl_peak_nm already; leave one",
    ),
    "list-for-a-value": ("doi: 10.1000/smith", "doi: [a]", 2, "doi", "a DOI such as"),
    "value-for-a-list": (
        "doi: 10",
        "supersedes: {a: b}\ndoi: 10",
        2,
        "supersedes",
        "a paper_id, not a list",
    ),
    "sample-is-a-text": (
        "- name: plain\n",
        "- plain\n  - name: plain\n",
        15,
        "samples",
        "a mapping with",
    ),
    "not-withdrawn": (
        "doi: 10",
        "withdrawn: no\ndoi: 10",
        2,
        "withdrawn",
        "reason 'no': say in words why",
    ),
    "half-a-character": ("doi: 10.1000/smith", r'doi: "\ud800"', 2, "doi", "half of a character"),
    "block": (
        'plqy_percent: ">80"',
        "plqy_percent: >8",
        9,
        "samples.plqy_percent",
        "'>' begins a YAML",
    ),
    "empty-block": ("doi: 10", "note: >8\ndoi: 10", 2, "note", "'>' begins a YAML block; put"),
    "unquoted-bound": ('plqy_percent: ">80"', "plqy_percent: >80", 9, "", "not YAML ("),
    "open-quote": ("bare: plain", "bare: 'plain", 18, "", "not YAML ("),
    "anchor": ("doi: 10.1000/smith", "doi: &a 10.1000/smith", 2, "", "not YAML (anchors, aliases"),
    "alias": ("doi: 10.1000/smith", "doi: *a", 2, "", "not YAML (anchors, aliases and tags"),
    "tag": ("doi: 10", "doi: !!python/name:os.system 10", 2, "", "not YAML (anchors, aliases"),
    "own-tag": ("doi: 10.1000/smith", "doi: !important", 2, "", "not YAML (anchors, aliases"),
    "control-character": ("doi: 10", "doi: \a10", 2, "", "not YAML (special characters are not"),
    "second-document": ("samples:", "---\nsamples:", 3, "", "not YAML (expected a single document"),
}


@pytest.mark.parametrize(
    ("old", "new", "line", "column", "rule"), TEXTS_AT_FAULT.values(), ids=TEXTS_AT_FAULT
)
def test_fault_of_a_text(old, new, line, column, rule):
    assert old in TEXT
    fault = fault_in(TEXT.replace(old, new, 1))
    assert (fault.row, fault.column) == (line, column)
    assert fault.rule.startswith(rule)


def test_a_value_that_yaml_cannot_read_is_to_be_quoted():
    fault = fault_in(TEXT.replace('">80"', ">80"))
    assert fault.rule.endswith('in quotes, such as ">90"')


def test_all_faults_come_at_once():
    text = TEXT.replace("doi", "dio").replace("30 d", "30 moons").replace("shell: none", "role:")
    text = text.replace("shell: SiO2", "shell: mud")
    found = [(fault.row, fault.column) for fault in faults_in(text)]
    assert found == [
        (2, "dio"),
        (6, "samples.shell"),
        (13, "samples.stability.coated.duration"),
        (14, "samples.stability.bare.duration"),
        (15, "samples.shell"),
    ]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "the file is empty"),
        ("# a remark\n", "the file is empty"),
        ("- paper_id: x\n", "a mapping with the keys paper_id"),
        ("smith2026", "a mapping with the keys paper_id"),
        ("paper_id: x\n", "missing; a list of samples is needed"),
        ('paper_id: x\nwithdrawn: ""\n', "missing; a list of samples is needed"),
        ("paper_id: x\nsamples:\n", "missing; a list of samples is needed"),
        ("paper_id: x\nsamples: none\n", "a list of any number, each a mapping"),
        ("[" * 50_000, "lists or mappings nested too deeply"),
    ],
)
def test_a_text_that_is_no_paper(text, rule):
    assert fault_in(text).rule.startswith(rule)


# Files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["smith.yaml", "smith.YML"])
def test_a_yaml_file_is_one_paper(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    (entry,) = read_papers(tmp_path / name, FORMULAS)
    assert entry == read_yaml(TEXT, "smith.yaml")
    assert entry.locate(PAPERS, 0, "doi") == (name, 2)


def as_json(paper_id="smith2026", **changes):
    coated = {"name": "a", "core": "CsPbBr3", "shell": "SiO2", "structure": "matrix"}
    stability = [{"stressor": "water", "coated": {"duration": 1.50, "percent": ">9"}}]
    samples = [coated | {"stability": stability, "pl_peak_nm": 515, "fwhm_nm": None}]
    return {"paper_id": paper_id, "samples": samples, **changes}


def test_a_json_file_is_one_paper(tmp_path):
    path = tmp_path / "smith.json"
    path.write_text(json.dumps(as_json(title="\U0001f52c of\tA\u2028B"), indent="\t"))
    (entry,) = read_papers(path, FORMULAS)
    assert entry.paper["title"] == "\U0001f52c of\tA\u2028B"
    assert (entry.samples[0]["pl_peak_nm"], entry.samples[0]["fwhm_nm"]) == ("515", "")
    assert entry.tests[0]["coated_duration_h"] == "1.5"


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_json_file_is_a_list_of_papers(tmp_path, separators):
    path = tmp_path / "papers.json"
    path.write_text(json.dumps([as_json("a"), as_json("b")], separators=separators))
    assert [entry.paper_id for entry in read_papers(path, FORMULAS)] == ["a", "b"]


def test_numbers_of_json_are_texts(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"paper_id": "x", "year": 2026, "title": 2026.0, "note": 1e5, "samples": []}')
    (entry,) = read_papers(path, FORMULAS)
    assert (entry.paper["title"], entry.paper["note"]) == ("2026.0", "1e5")


@pytest.mark.parametrize(
    ("text", "line", "rule"),
    [
        ('{\n"paper_id": }', 2, "not JSON (Expecting value)"),
        ("paper_id: x\nsamples: []", 1, "not JSON"),
        ('{"paper_id": "x",\n"samples": [],\n"doii": "y"}', 3, "unknown key; nearest: doi"),
        ('{"paper_id": "x",\n"samples": [],\n"DOI": "y"}', 3, "unknown key; nearest: doi"),
        ('{"paper_id": "x",\n"samples": [],\n"paper_id": "y"}', 3, "this key is given already in"),
        ("[]", 1, "a list of one or more, each a mapping"),
        ("[" * 50_000, 0, "lists or mappings nested too deeply"),
    ],
)
def test_fault_of_a_json_file(tmp_path, text, line, rule):
    path = tmp_path / "smith.json"
    path.write_text(text)
    with pytest.raises(DocumentError) as caught:
        read_papers(path, FORMULAS)
    (fault,) = caught.value.faults
    assert (fault.file, fault.row) == ("smith.json", line)
    assert fault.rule.startswith(rule)


def test_faults_of_all_papers_of_a_list_come_at_once(tmp_path):
    path = tmp_path / "papers.json"
    path.write_text(json.dumps([as_json(dio="x"), as_json(yaer="2020")], indent=1))
    with pytest.raises(DocumentError) as caught:
        read_papers(path, FORMULAS)
    assert [fault.column for fault in caught.value.faults] == ["dio", "yaer"]


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"paper_id: caf\xe9", "not UTF-8 text (byte 13)"),
        (b"#" * (MAX_BYTES + 1), "larger than 1,000,000 bytes"),
    ],
)
def test_a_file_that_is_not_read(tmp_path, content, rule):
    (tmp_path / "smith.yaml").write_bytes(content)
    with pytest.raises(DocumentError, match=r"smith\.yaml") as caught:
        read_papers(tmp_path / "smith.yaml", FORMULAS)
    assert caught.value.faults[0].rule.startswith(rule)


@pytest.mark.parametrize("name", ["smith.xlsx", "smith", "smith.csv"])
def test_another_kind_of_file_is_refused(tmp_path, name):
    (tmp_path / name).write_text(TEXT)
    with pytest.raises(InputError, match=r"smith.*: a paper is a \.yaml or \.yml file, a \.json"):
        read_papers(tmp_path / name, FORMULAS)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"smith\.yaml: no such file"):
        read_papers(tmp_path / "smith.yaml", FORMULAS)


def test_a_folder_in_place_of_a_file_is_told(tmp_path):
    (tmp_path / "smith.yaml").mkdir()
    with pytest.raises(InputError, match=r"smith\.yaml: cannot be read"):
        read_papers(tmp_path / "smith.yaml", FORMULAS)


def test_a_folder_without_tables_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"or a folder with papers\.csv"):
        read_papers(tmp_path, FORMULAS)


# Folders of tables ---------------------------------------------------------------------------


@pytest.fixture
def tables(tmp_path):
    """Return a function that writes tables with the rows of some bundled papers."""

    def write(*paper_ids, **changes):
        for name in TABLES:
            header, rows = read_table(bundled("literature", name))
            kept = [row for row in rows if paper_of(row) in paper_ids]
            kept = changes.get(name.removesuffix(".csv"), list)(kept)
            with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, header)
                writer.writeheader()
                writer.writerows(kept)
        return tmp_path

    _, samples = read_table(bundled("literature", SAMPLES))
    owners = {row["sample_id"]: row["paper_id"] for row in samples}

    def paper_of(row):
        return row.get("paper_id") or owners[row["sample_id"]]

    return write


def test_a_folder_of_tables_has_an_entry_a_paper(tables):
    dataset = Dataset.bundled()
    names = ["chen2023", "henke2025", "hu2018"]
    assert read_papers(tables(*names), FORMULAS) == [dataset.entry(name) for name in names]


def test_cells_of_a_folder_stand_in_its_tables(tables):
    folder = tables("hu2018", "li2018")
    entry = read_papers(folder, FORMULAS)[1]
    assert entry.locate(PAPERS, 0, "doi") == (f"{folder.name}/papers.csv", 3)
    assert entry.locate(SAMPLES, 0, "core")[0] == f"{folder.name}/samples.csv"
    _, rows = read_table(folder / STABILITY)
    line = entry.locate(STABILITY, 0, "stressor")[1]
    assert rows[line - 2] == entry.tests[0]


def test_a_folder_may_be_without_stability_tests(tables):
    folder = tables("hu2018")
    (folder / STABILITY).unlink()
    (entry,) = read_papers(folder, FORMULAS)
    assert (len(entry.samples), entry.tests) == (2, ())


def test_words_for_not_known_are_empty_cells_of_a_folder(tables):
    words = {"pl_peak_nm": "n/a", "morphology": "NA", "fwhm_nm": "\u2013", "bare_sample_id": "-"}
    words |= {"pl_peak_quality": "unknown", "fwhm_quality": "none"}
    folder = tables("hu2018", samples=lambda rows: [{**row, **words} for row in rows])
    (entry,) = read_papers(folder, FORMULAS)
    assert [{**row, **dict.fromkeys(words, "")} for row in entry.samples] == [*entry.samples]
    _, kept = read_table(folder / SAMPLES)
    assert entry.samples[0]["note"] == kept[0]["note"]


def test_needed_words_of_a_folder_are_not_left_open(tables):
    change = {"samples": lambda rows: [{**row, "medium": "n/a"} for row in rows]}
    with pytest.raises(DocumentError, match="column medium: 'n/a': one of solution, film"):
        read_papers(tables("hu2018", **change), FORMULAS)


def test_a_group_that_is_not_known_shares_nothing(tables):
    change = {"stability": lambda rows: [{**row, "shared_group": "none"} for row in rows]}
    dataset = Dataset.from_folder(tables("hu2018", **change))
    assert len({test.experiment for test in dataset.tests}) == len(dataset.tests) > 1


@pytest.mark.parametrize("word", ["no", "0", "false"])
def test_there_is_none_is_no_medium(word):
    fault = fault_in(TEXT.replace("shell: SiO2\n", f"shell: SiO2\n    medium: {word}\n"))
    assert fault.rule.startswith("one of solution, film")


FOLDERS_AT_FAULT = {
    "papers-twice": (PAPERS, lambda rows: [*rows, *rows], 3, "paper_id", "given already in row 2"),
    "no-papers": (PAPERS, lambda _: [], 0, "", "no rows; at least one paper"),
    "samples-twice": (SAMPLES, lambda rows: [*rows, rows[0]], 4, "sample_id", "given already in"),
    "sample-of-another-paper": (
        SAMPLES, lambda rows: [*rows, {**rows[0], "paper_id": "li", "sample_id": "x"}], 4,
        "paper_id", "no such paper_id in ",
    ),
    "test-of-another-sample": (
        STABILITY, lambda rows: [{**rows[0], "sample_id": "li"}], 2, "sample_id",
        "no such sample_id in ",
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("table", "change", "row", "column", "rule"), FOLDERS_AT_FAULT.values(), ids=FOLDERS_AT_FAULT
)
def test_fault_of_a_folder(tables, table, change, row, column, rule):
    folder = tables("hu2018", **{table.removesuffix(".csv"): change})
    with pytest.raises(DocumentError) as caught:
        read_papers(folder, FORMULAS)
    fault = next(own for own in caught.value.faults if own.file.endswith(f"/{table}"))
    assert (fault.row, fault.column) == (row, column)
    assert fault.rule.startswith(rule)


def test_columns_of_a_folder_are_those_of_the_dataset(tables):
    folder = tables("hu2018")
    (folder / PAPERS).write_text("name,colour\nhu2018,red\n")
    with pytest.raises(DocumentError) as caught:
        read_papers(folder, FORMULAS)
    found = {(fault.file.partition("/")[2], fault.column) for fault in caught.value.faults}
    assert found >= {(PAPERS, "colour"), (PAPERS, "paper_id")}


def test_a_column_nearly_right_is_named(tables):
    folder = tables("hu2018")
    path = folder / SAMPLES
    path.write_text(path.read_text().replace("pl_peak_nm", "PL_peak"))
    with pytest.raises(
        DocumentError, match="column PL_peak: '': unknown column; nearest: pl_peak_nm"
    ):
        read_papers(folder, FORMULAS)


def test_a_long_cell_is_shortened_in_a_fault(tables):
    change = {"samples": lambda rows: [{**row, "pl_peak_nm": "5" * 5000} for row in rows]}
    with pytest.raises(DocumentError) as caught:
        read_papers(tables("hu2018", **change), FORMULAS)
    assert max(map(len, str(caught.value).splitlines())) < 300


# Writing -------------------------------------------------------------------------------------

FIRST = [
    "fwhm_nm: 18-22",
    "plqy_quality: best value",
    "name: coated",
    "composition: exact",
    "plqy_percent: '>80'",
    "pl_peak_nm: ~515",
]
FIRST += ["coated: {duration: 30 d, percent: '>90'}", "bare: {duration: 30 d, percent: 52-64}"]


@pytest.mark.parametrize("line", FIRST)
def test_values_are_written_as_people_write_them(line):
    text = TEXT.replace(
        "    bare: p", "    fwhm_nm: 18-22\n    plqy_quality: best value\n    bare: p"
    )
    assert line in to_yaml(read_yaml(text, "smith.yaml"))


def test_empty_cells_are_not_written():
    written = to_yaml(read_yaml(TEXT, "smith.yaml"))
    bare_keys = {line.strip() for line in written.splitlines() if line.endswith(":")}
    assert bare_keys == {"samples:", "stability:"}
    assert "''" not in written


def test_every_bundled_paper_is_read_as_it_was_written():
    dataset = Dataset.bundled()
    entries = [dataset.entry(name) for name in dataset.papers]
    assert [read_yaml(to_yaml(entry), "x") for entry in entries] == entries


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12).map(str.strip)
NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Z", "Cc"], exclude_characters=",;|"), min_size=1
).filter(lambda name: not is_unknown(name))
NUMBERS = ["", "0", "58", "1.50", "1e3", ".5", "52", "64", "250", "300", "275", "1999"]
CELLS = {"identity": NAMES, "doi": st.sampled_from(["", "10.1000/smith"])}


def cell(column):
    """Draw a cell that a column allows."""
    if column.kind in {"word", "number"}:
        texts = NUMBERS if column.kind == "number" else column.words
        return st.sampled_from([text for text in texts if not column.fault(text)])
    texts = CELLS.get(column.kind, TEXTS)
    return texts.filter(lambda text: not (text and column.is_unknown(text)))


@st.composite
def entries(draw):
    """Draw an entry whose words and numbers are allowed, and whose texts are any."""

    def row(table, **cells):
        return {column.name: draw(cells.get(column.name, cell(column))) for column in table.columns}

    paper_id = draw(NAMES)
    names = draw(st.lists(NAMES, unique=True, max_size=3))
    names = [draw(st.sampled_from([name, f"{paper_id}-{name}"])) for name in names]
    names = list(dict.fromkeys(names))
    shells = st.sampled_from(("none", "SiO2"))
    cores = TEXTS.filter(bool)
    samples = [
        row(TABLES[SAMPLES], sample_id=st.just(name), paper_id=st.just(paper_id), core=cores,
            shell=shells)
        for name in names
    ]  # fmt: skip
    tests = [
        row(TABLES[STABILITY], sample_id=st.just(name))
        for name in names
        for _ in range(draw(st.integers(0, 2)))
    ]
    others = st.lists(TEXTS.filter(bool), max_size=2).map(tuple)
    return PaperEntry(
        paper=row(TABLES[PAPERS], paper_id=st.just(paper_id)),
        samples=tuple(samples),
        tests=tuple(tests),
        supersedes=draw(others),
        distinct_from=draw(others),
        withdrawn=draw(st.sampled_from(["", "retracted: see doi"])),
    )


@given(entries())
def test_what_is_written_is_read_as_the_same_entry(entry):
    assert read_yaml(to_yaml(entry), "x") == entry


@given(st.sampled_from(["NULL", "Null", "~", "null", "true", "1.0", "- a", ""]))
def test_what_yaml_takes_for_something_else_is_written_as_a_text(text):
    entry = read_yaml(TEXT, "smith.yaml")
    entry = replace(entry, paper={**entry.paper, "note": text})
    assert read_yaml(to_yaml(entry), "x") == entry


def test_a_mapping_of_python_is_a_paper():
    entry = paper_reader().read(Node({"paper_id": "x", "year": 2026, "samples": []}, "paper"))
    assert (entry.paper_id, entry.paper["year"]) == ("x", "2026")
    with pytest.raises(DocumentError, match=r"^paper, key year: 20: a whole number from 1990"):
        paper_reader().read(Node({"paper_id": "x", "year": 20, "samples": []}, "paper"))


@given(st.text(max_size=40))
def test_any_text_as_a_value_is_read_or_has_a_fault(text):
    try:
        entry = read_yaml(f"paper_id: smith2026\nsamples: []\nnote: {text}", "smith.yaml")
    except DocumentError as error:
        found = {fault.file for fault in error.faults}
    else:
        found = {f"{entry.paper_id}.yaml".replace("2026", "")}
    assert found == {"smith.yaml"}


# Entries -------------------------------------------------------------------------------------


def test_an_entry_with_another_column_is_refused():
    entry = read_yaml(TEXT, "smith.yaml")
    with pytest.raises(InputError, match=r"a row of papers\.csv .*: colour"):
        replace(entry, paper={**entry.paper, "colour": "red"})


def test_an_entry_with_a_sample_of_another_paper_is_refused():
    entry = read_yaml(TEXT, "smith.yaml")
    with pytest.raises(InputError, match="paper jones2026: sample of another paper, 'smith2026'"):
        replace(entry, paper={**entry.paper, "paper_id": "jones2026"})


def test_an_entry_with_a_test_of_another_sample_is_refused():
    entry = read_yaml(TEXT, "smith.yaml")
    with pytest.raises(InputError, match="'smith2026-coated': no such sample_id"):
        replace(entry, samples=entry.samples[1:])


def test_the_tests_of_an_entry_are_in_the_order_of_its_samples():
    entry = read_yaml(TEXT, "smith.yaml")
    plain = {**entry.tests[0], "sample_id": "smith2026-plain"}
    assert replace(entry, tests=(*entry.tests, plain)).tests[-1] == plain
    with pytest.raises(InputError, match="not in the order of its samples"):
        replace(entry, tests=(plain, *entry.tests))


def test_an_entry_of_no_file_is_told_by_its_paper():
    entry = Dataset.bundled().entry("hu2018")
    assert entry.locate(SAMPLES, 0, "core") == ("paper hu2018", 0)


# Template -----------------------------------------------------------------------------------------


def filled_in():
    text = template_text()
    assert text.count("\npaper_id:\n") == text.count("\ndoi:\n") == 1
    text = text.replace("\npaper_id:\n", "\npaper_id: smith2026\n")
    return text.replace("\ndoi:\n", "\ndoi: 10.1000/smith\n")


def test_the_template_is_at_fault_for_its_paper_id_alone():
    assert fault_in(template_text()).column == "paper_id"


def test_the_template_filled_in_is_a_paper_of_the_dataset():
    base = Dataset.bundled()
    added = base.with_papers([read_yaml(filled_in(), "smith.yaml")])
    names = ("papers", "samples", "stability_tests")
    assert [added.counts[name] - base.counts[name] for name in names] == [1, 2, 2]
    assert all(test.gain().low > 1 for test in added.tests[-2:])


def test_the_template_names_every_word_of_the_vocabulary():
    text = template_text()
    wanted = {*words.STRUCTURES, *words.ENCAPSULATIONS, *words.MEDIA, *words.ROLES}
    wanted |= {*words.STRESSORS, *words.MEASURES, *words.MORPHOLOGIES, *words.QUALITIES}
    assert {word for word in wanted if word not in text} == set()


@pytest.mark.parametrize("name", ["smith2026-S1", "smith2026", "smith2026-", "S1"])
def test_a_name_is_written_as_it_is_read(name):
    samples = f"[{{name: {name}, core: CsPbBr3, shell: none}}]"
    text = f"paper_id: smith2026\nsource: trial\nsamples: {samples}"
    entry = read_yaml(text, "smith.yaml")
    (sample,) = entry.samples
    expected = {"smith2026-S1": name, "S1": "smith2026-S1"}.get(name, f"smith2026-{name}")
    assert sample["sample_id"] == expected
    assert read_yaml(to_yaml(entry), "smith.yaml") == entry


def test_an_identity_with_its_paper_twice_is_kept_when_it_is_written(tmp_path):
    text = "paper_id: x\nsource: trial\nsamples: [{sample_id: x-x-s1, core: CsPbBr3, shell: none}]"
    entry = read_yaml(text, "x.yaml")
    assert entry.samples[0]["sample_id"] == "x-x-s1"
    assert read_yaml(to_yaml(entry), "x.yaml") == entry


def test_a_missing_paper_without_a_suffix_is_told_as_missing(tmp_path):
    with pytest.raises(InputError, match="no such file; a paper is"):
        read_papers(tmp_path / "smith2026", FORMULAS)


def test_readers_of_other_workspaces_are_not_kept_for_ever():
    readers = [FormulaReader(FORMULAS.ions, FORMULAS.shells) for _ in range(20)]
    alive = [weakref.ref(reader) for reader in readers]
    for reader in readers:
        paper_reader(reader)
    del readers, reader
    gc.collect()
    assert sum(one() is not None for one in alive) <= 4
