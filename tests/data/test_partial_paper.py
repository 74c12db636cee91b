"""What can be read of a paper with faults, and which faults of the dataset hold for it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from perovshell.data.formula import FormulaReader
from perovshell.data.nodes import parse_yaml
from perovshell.data.partial_paper import PartialPaper, read_partly
from perovshell.errors import Fault

READER = FormulaReader.bundled()
TEXT = """\
paper_id: p1
source: abstract
samples:
  - name: a
    core: CsPbBr3
    shell: none
    medium: solution
    pl_peak_nm: 515
  - name: b
    core: CsPbBr3
    shell: SiO2
    structure: matrix
    bare: a
    stability:
      - stressor: water
        measure: remnant PL
        coated: {duration: 30 d, percent: 80}
      - stressor: light
        measure: remnant PL
        coated: {duration: 10 h, percent: 90}
"""


def partial(*changes: tuple[str, str]) -> PartialPaper:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    return read_partly(parse_yaml(text, "p1.yaml"), READER)


def places(paper: PartialPaper) -> list[tuple[int, str]]:
    return [(fault.row, fault.column) for fault in paper.faults]


def test_paper_without_faults_is_read_whole() -> None:
    paper = partial()
    assert paper.faults == ()
    assert paper.entry is not None
    assert len(paper.entry.samples) == 2


def test_key_at_fault_is_left_out_and_the_rest_is_read() -> None:
    paper = partial(("medium: solution", "medium: toluene"), ("515", "far red"))
    assert places(paper) == [(7, "samples.medium"), (8, "samples.pl_peak_nm")]
    assert paper.entry is not None
    first, second = paper.entry.samples
    assert (first["medium"], first["pl_peak_nm"]) == ("unknown", "")
    assert second["bare_sample_id"] == "p1-a"


def test_test_without_what_it_needs_is_left_out() -> None:
    paper = partial(("stressor: water", "stressor: UV"))
    assert places(paper) == [(15, "samples.stability.stressor")]
    assert paper.entry is not None
    assert [test["stressor"] for test in paper.entry.tests] == ["light"]


def test_sample_without_what_it_needs_is_left_out_and_known_by_its_name() -> None:
    paper = partial(("    shell: none\n", ""))
    assert places(paper) == [(4, "samples.shell")]
    assert paper.entry is not None
    assert [row["sample_id"] for row in paper.entry.samples] == ["p1-b"]
    assert "p1-a" in paper.names


def test_name_given_twice_is_found_with_other_faults() -> None:
    paper = partial(("medium: solution", "medium: toluene"), ("name: b", "name: a"))
    assert places(paper) == [(7, "samples.medium"), (9, "samples.name")]


def test_core_at_fault_stays_so_that_references_to_its_sample_hold() -> None:
    paper = partial(("core: CsPbBr3", "core: CsPbBr4"))
    assert places(paper) == [(5, "samples.core")]
    assert paper.entry is not None
    assert paper.entry.samples[0]["core"] == "CsPbBr4"


def test_paper_without_its_own_name_is_not_read() -> None:
    assert partial(("paper_id: p1\n", "")).entry is None


def test_faults_of_the_dataset_that_are_due_to_what_is_left_out_are_not_added() -> None:
    paper = partial(("shell: none", "shell:"), ("percent: 80", "percent: most"))

    def fault(row: int, column: str, value: str) -> Fault:
        return Fault("p1.yaml", row, column, value, "a rule")

    unread = fault(13, "samples.bare", "p1-a")
    partly = fault(17, "samples.stability.coated.percent", "")
    noted = fault(4, "samples.shell", "")
    whole = fault(20, "samples.stability.coated.percent", "90")
    other = fault(13, "samples.bare", "p1-x")
    assert list(paper.further([unread, partly, noted, whole, other])) == [whole, other]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 19), st.sampled_from(["drop", "colon", "word", "number"]))),
)
def test_any_paper_is_read_in_part_or_not_at_all(changes: list[tuple[int, str]]) -> None:
    lines = TEXT.splitlines()
    for number, what in changes:
        head = lines[number].partition(": ")[0]
        words = {"drop": "", "colon": f"{head}:", "word": f"{head}: word", "number": f"{head}: 7"}
        lines[number] = words[what]
    try:
        node = parse_yaml("\n".join(lines), "p1.yaml")
    except ValueError:
        return
    paper = read_partly(node, READER)
    assert len(set(places(paper))) == len(paper.faults)
    assert paper.entry is not None or paper.faults
