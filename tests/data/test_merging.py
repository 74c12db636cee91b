"""Papers added to a dataset: replaced, superseded, withdrawn ones; faults told where they stand."""

import itertools
from dataclasses import replace

import pytest

from perovshell.data.dataset import Dataset
from perovshell.data.paper_entry import PaperEntry
from perovshell.data.paper_file import read_yaml
from perovshell.errors import DatasetError

NEW = """\
paper_id: smith2026
doi: 10.1000/smith
year: 2026
samples:
  - name: coated
    core: CsPbBr3
    shell: SiO2
    structure: core/shell
    core_size_nm: 8.1
    pl_peak_nm: 514
    plqy_percent: 71
    bare: plain
    stability:
      - stressor: water
        coated: {duration: 48 h, percent: 83}
        bare: {duration: 48 h, percent: 11}
  - name: plain
    core: CsPbBr3
    shell: none
    pl_peak_nm: 512
"""


@pytest.fixture
def base(dataset):
    return dataset


def entry_of(text=NEW, **changes):
    name = changes.get("paper_id", "smith2026")
    text = text.replace("smith2026", name).replace("10.1000/smith", f"10.1000/{name}")
    return read_yaml(text, f"{name}.yaml")


def faults_of(base, *entries):
    with pytest.raises(DatasetError) as caught:
        base.with_papers(entries)
    return caught.value.faults


# What is in use ------------------------------------------------------------------------------


def test_no_entries_are_the_same_dataset(base):
    assert base.with_papers([]) is base


def test_an_entry_adds_its_rows(base):
    added = base.with_papers([entry_of()])
    assert added.counts == {"papers": 308, "samples": 507, "stability_tests": 164}
    assert added.tests[-1].sample.bare_sample_id == "smith2026-plain"
    assert added.tests[-1].coated.duration_h == 48.0
    assert added.content_hash != base.content_hash


def test_the_dataset_added_to_stays_as_it_is(base):
    before = base.content_hash
    base.with_papers([entry_of()])
    assert Dataset.bundled().content_hash == before == base.content_hash
    assert "smith2026" not in base.papers


def test_an_entry_comes_back_as_it_went_in(base):
    assert base.with_papers([entry_of()]).entry("smith2026") == entry_of()


@pytest.mark.parametrize("names", itertools.permutations(["a2026", "b2026", "c2026"]))
def test_order_of_the_entries_does_not_matter(base, names):
    peaks = {"a2026": "514", "b2026": "515", "c2026": "516"}
    entries = [
        entry_of(NEW.replace("514", peaks[name]).replace("83", peaks[name][1:]), paper_id=name)
        for name in names
    ]
    added = base.subset({"hu2018"}).with_papers(entries)
    assert list(added.papers) == ["hu2018", *sorted(names)]
    assert [row["sample_id"][:5] for row in added.rows["stability.csv"]][-3:] == sorted(names)


def test_every_bundled_paper_can_be_entered_again(base):
    again = base.with_papers([base.entry(name) for name in base.papers])
    assert again.content_hash == base.content_hash
    assert again.digests == {name: base.digests[name] for name in again.papers}
    assert list(again.papers) == sorted(base.papers)


def test_digests_of_the_other_papers_stay(base):
    added = base.with_papers([entry_of()])
    assert added.digests.items() - base.digests.items() == {
        ("smith2026", added.digests["smith2026"])
    }


def test_an_entry_replaces_the_paper_of_its_name(base):
    text = NEW.replace("smith2026", "hu2018").replace("10.1000/smith", "10.1021/jacs.7b11003")
    added = base.with_papers([read_yaml(text, "hu2018.yaml")])
    own = [name for name, sample in added.samples.items() if sample.paper_id == "hu2018"]
    assert own == ["hu2018-coated", "hu2018-plain"]
    assert sum(test.sample.paper_id == "hu2018" for test in added.tests) == 1
    assert added.counts["papers"] == base.counts["papers"]


def test_a_superseded_paper_is_left_out(base):
    added = base.with_papers([replace(entry_of(), supersedes=("hu2018", "never_heard_of"))])
    assert "hu2018" not in added.papers
    assert not any(test.sample.paper_id == "hu2018" for test in added.tests)
    assert added.counts["papers"] == base.counts["papers"]


def test_a_copy_in_a_review_may_be_superseded(base):
    copied = copy_of(base, "hu2018")
    assert faults_of(base, copied)
    added = base.with_papers([replace(copied, supersedes=("hu2018",))])
    assert set(base.papers) - set(added.papers) == {"hu2018"}


def test_an_entry_may_supersede_another_entry_and_what_that_superseded(base):
    old = replace(entry_of(paper_id="old2025"), supersedes=("hu2018",))
    new = replace(entry_of(), supersedes=("old2025",))
    added = base.with_papers([old, new])
    assert set(added.papers) ^ set(base.papers) == {"hu2018", "smith2026"}


def test_a_withdrawn_paper_is_left_out(base):
    added = base.with_papers([replace(entry_of(), withdrawn="retracted in 2027")])
    assert added.content_hash == base.content_hash
    gone = read_yaml("paper_id: hu2018\nwithdrawn: retracted in 2027\n", "hu2018.yaml")
    left = base.with_papers([gone])
    assert set(base.papers) - set(left.papers) == {"hu2018"}
    assert not any(sample.paper_id == "hu2018" for sample in left.samples.values())


def test_what_a_withdrawn_entry_supersedes_does_not_come_back(base):
    entry = replace(entry_of(), withdrawn="retracted", supersedes=("hu2018",))
    left = base.with_papers([entry])
    assert set(base.papers) - set(left.papers) == {"hu2018"}


# Copies --------------------------------------------------------------------------------------


def copy_of(base, name, **changes):
    """Return a paper of the dataset as another paper."""
    own = base.entry(name)
    return PaperEntry(
        paper={**own.paper, "paper_id": "copy", "doi": ""},
        samples=tuple(
            {**row, "paper_id": "copy", "sample_id": f"copy-{row['sample_id']}",
             "bare_sample_id": row["bare_sample_id"] and f"copy-{row['bare_sample_id']}"}
            for row in own.samples
        ),
        tests=tuple({**row, "sample_id": f"copy-{row['sample_id']}"} for row in own.tests),
        file="copy.yaml",
        **changes,
    )  # fmt: skip


def test_a_copy_of_a_paper_is_a_fault_that_says_how_to_answer(base):
    for fault in faults_of(base, copy_of(base, "hu2018")):
        assert (fault.file, fault.column) == ("copy.yaml", "samples.name")
        assert "as stability.csv, row " in fault.rule
        assert "of paper 'hu2018'; if it is the same study, name it in supersedes" in fault.rule


def test_a_paper_distinct_from_another_may_have_its_numbers(base):
    added = base.with_papers([copy_of(base, "hu2018", distinct_from=("hu2018",))])
    assert {"copy", "hu2018"} <= set(added.papers)


def test_what_is_distinct_stays_so_when_more_papers_are_added(base):
    once = base.with_papers([copy_of(base, "hu2018", distinct_from=("hu2018",))])
    assert "smith2026" in once.with_papers([entry_of()]).papers
    assert "copy" in once.subset({"copy", "hu2018"}).with_papers([entry_of()]).papers


# Faults --------------------------------------------------------------------------------------


def test_faults_are_told_with_file_and_line(base):
    text = NEW.replace("shell: SiO2", "shell: SiO2|mud").replace(
        "plqy_percent: 71", "plqy_percent: 171"
    )
    text = text.replace("- stressor: water", "- stressor: water\n        measure: time to failure")
    entry = read_yaml(text.replace("bare: plain", "bare: missing"), "s.yaml")
    found = {(f.file, f.row, f.column, f.value) for f in faults_of(base, entry)}
    assert found == {
        ("s.yaml", 7, "samples.shell", "SiO2|mud"),
        ("s.yaml", 11, "samples.plqy_percent", "171"),
        ("s.yaml", 12, "samples.bare", "smith2026-missing"),
        ("s.yaml", 16, "samples.stability.coated.percent", "83"),
        ("s.yaml", 17, "samples.stability.bare.percent", "11"),
    }


def test_faults_of_all_entries_come_at_once(base):
    first = entry_of(NEW.replace("bare: plain", "bare: missing"), paper_id="a2026")
    second = entry_of(NEW.replace("71", "171"), paper_id="b2026")
    assert {f.file for f in faults_of(base, first, second)} == {"a2026.yaml", "b2026.yaml"}


def test_a_known_doi_is_told_with_its_paper(base):
    (fault,) = faults_of(base, read_yaml(NEW.replace("10.1000/smith", "10.1021/JACS.7b11003"), "s"))
    row = list(base.papers).index("hu2018") + 2
    assert (fault.file, fault.row, fault.column) == ("s", 2, "doi")
    assert fault.rule == (
        f"given already in papers.csv, row {row} (paper 'hu2018'); "
        "if it is the same study, name it in supersedes"
    )


def test_rows_of_the_dataset_keep_their_numbers_where_others_are_left_out(base):
    second = list(base.papers)[5]
    first = replace(entry_of(), supersedes=tuple(base.papers)[:3])
    doi = next(p.doi for p in list(base.papers.values())[5:] if p.doi)
    row = [p.doi for p in base.papers.values()].index(doi) + 2
    assert second not in first.supersedes
    (fault,) = faults_of(base, replace(first, paper={**first.paper, "doi": doi}))
    assert f"papers.csv, row {row} " in fault.rule


def test_two_entries_of_one_paper_are_a_fault_of_the_later_one(base):
    (fault,) = faults_of(base, entry_of(), replace(entry_of(), file="second.yaml"))
    assert (fault.file, fault.row, fault.column) == ("second.yaml", 1, "paper_id")
    assert fault.rule == "given already in smith2026.yaml, line 1"


def test_a_sample_id_of_another_paper_is_a_fault(base):
    text = NEW.replace("name: coated", "sample_id: hu2018-CsPbBr3-SiO2")
    (fault,) = faults_of(base, read_yaml(text, "s.yaml"))
    assert (fault.file, fault.row, fault.column) == ("s.yaml", 5, "samples.name")
    assert fault.rule.startswith("given already in samples.csv, row ")


@pytest.mark.parametrize("names", [("smith2026",), ("a2026",)], ids=["itself", "in-a-circle"])
def test_papers_that_supersede_one_another_are_a_fault(base, names):
    entry = replace(entry_of(), supersedes=names)
    other = replace(entry_of(paper_id="a2026"), supersedes=("smith2026",))
    entries = [entry] if names == ("smith2026",) else [entry, other]
    faults = faults_of(base, *entries)
    assert [fault.column for fault in faults] == ["supersedes"] * len(entries)
    assert faults[0].value == names[0]


def test_a_misspelt_bare_sample_is_told_at_its_line(base):
    (fault,) = faults_of(base, read_yaml(NEW.replace("bare: plain", "bare: plan"), "s.yaml"))
    assert (fault.file, fault.row, fault.column) == ("s.yaml", 12, "samples.bare")
    assert fault.value == "smith2026-plan"


def test_a_dataset_without_any_paper_left_is_a_fault(base):
    one = base.subset({"hu2018"})
    gone = read_yaml("paper_id: hu2018\nwithdrawn: retracted\n", "hu2018.yaml")
    assert {fault.rule[:7] for fault in faults_of(one, gone)} == {"no rows"}
