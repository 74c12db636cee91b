"""Taking papers in: what is refused, what is asked, and the inbox."""

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from perovshell.data.dataset import Dataset
from perovshell.data.paper_file import read_yaml, template_text
from perovshell.data.paper_writing import to_yaml
from perovshell.errors import DatasetError, DocumentError, InputError
from perovshell.intake.adding import accept, propose
from perovshell.intake.inbox import take_in
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.materials import MaterialStore
from perovshell.workspace.papers import PaperStore


@pytest.fixture
def workspace(tmp_path: Path) -> WorkspaceFolder:
    return WorkspaceFolder(tmp_path / "workspace")


@pytest.fixture(scope="module")
def base(dataset: Dataset) -> Dataset:
    return dataset.subset(set(dataset.papers) - {"hu2018"})


@pytest.fixture
def hu(dataset: Dataset, tmp_path: Path) -> Path:
    path = tmp_path / "hu.yaml"
    path.write_text(to_yaml(dataset.entry("hu2018")))
    return path


def filled_template() -> str:
    text = template_text().replace("\npaper_id:\n", "\npaper_id: smith2026\n")
    return text.replace("\ndoi:\n", "\ndoi: 10.1234/smith\n")


def test_a_paper_is_shown_and_then_written(hu, workspace, base, dataset, model):
    proposal = propose(hu, workspace, base, model.predictor)
    assert proposal.dataset.content_hash == dataset.content_hash
    assert any("gain [6.52, 9.3]" in line for line in proposal.reviews[0].understood)
    assert not workspace.papers.exists()
    (path,) = accept(proposal, workspace, base).files
    assert path == workspace.papers / "hu2018.yaml"
    assert PaperStore(workspace).merged(base).dataset.content_hash == dataset.content_hash


def test_the_filled_template_is_accepted(workspace, dataset, model, tmp_path):
    path = tmp_path / "paper.yaml"
    path.write_text(filled_template())
    proposal = propose(path, workspace, dataset, model.predictor)
    assert proposal.outliers == ()
    assert proposal.dataset.counts["papers"] == 308


def test_the_same_paper_twice_is_refused(hu, workspace, base):
    accept(propose(hu, workspace, base, None), workspace, base)
    with pytest.raises(InputError, match="in the workspace already, word for word: hu2018"):
        propose(hu, workspace, base, None)
    hu.write_text(hu.read_text().replace("517", "518"))
    with pytest.raises(DatasetError, match="hu2018': in the data already; a correction"):
        propose(hu, workspace, base, None)
    proposal = propose(hu, workspace, base, None, replace=True)
    accept(proposal, workspace, base, replace=True)
    assert proposal.dataset.samples["hu2018-CsPbBr3-SiO2"].pl_peak_nm == 518


def test_a_correction_needs_something_to_correct(hu, workspace, base):
    with pytest.raises(DatasetError, match="no such paper to replace"):
        propose(hu, workspace, base, None, replace=True)


def test_a_primary_paper_replaces_what_a_review_said_of_it(dataset, workspace, tmp_path):
    review = dataset.entry("review2021_ref31")
    own = {**review.paper, "paper_id": "primary2021", "doi": "10.1234/primary", "via_doi": ""}
    name = review.paper_id
    renamed = {row["sample_id"]: f"own-{k}" for k, row in enumerate(review.samples)}
    entry = replace(
        review,
        paper=own,
        samples=tuple(
            {**row, "paper_id": "primary2021", "sample_id": renamed[row["sample_id"]],
             "bare_sample_id": renamed.get(row["bare_sample_id"], "")}
            for row in review.samples
        ),
        tests=tuple({**row, "sample_id": renamed[row["sample_id"]]} for row in review.tests),
    )  # fmt: skip
    path = tmp_path / "primary.yaml"
    path.write_text(to_yaml(entry))
    with pytest.raises(DatasetError, match=r"name it in supersedes; if not, in distinct_from"):
        propose(path, workspace, dataset, None)
    path.write_text(to_yaml(replace(entry, supersedes=(name,))))
    proposal = propose(path, workspace, dataset, None)
    assert set(proposal.dataset.papers) ^ set(dataset.papers) == {"primary2021", name}


@pytest.mark.parametrize("column", ["supersedes", "distinct_from"])
def test_an_unknown_paper_is_named_with_the_nearest(column, workspace, dataset, tmp_path):
    path = tmp_path / "paper.yaml"
    path.write_text(filled_template().replace(f"\n{column}: []", f"\n{column}: [hu2081]"))
    with pytest.raises(DatasetError, match=f"{column}: 'hu2081': no such other paper.*hu2018"):
        propose(path, workspace, dataset, None)


def test_all_faults_are_told_at_once(hu, workspace, dataset):
    text = hu.read_text().replace("517", "51").replace("shell: Ta2O5", "shell: Ta3O5")
    hu.write_text(text)
    with pytest.raises(DocumentError) as caught:
        propose(hu, workspace, dataset, None)
    faults = [(fault.file, fault.column, fault.value) for fault in caught.value.faults]
    assert ("hu.yaml", "samples.pl_peak_nm", 51) in faults
    assert ("hu.yaml", "samples.shell", "Ta3O5") in faults


def test_faults_with_other_papers_are_told_at_once(hu, workspace, dataset):
    text = hu.read_text().replace("plqy_percent: ", "plqy_percent: 1")
    hu.write_text(text)
    with pytest.raises(DatasetError) as caught:
        propose(hu, workspace, dataset, None)
    columns = {fault.column for fault in caught.value.faults}
    assert {"paper_id", "samples.plqy_percent"} <= columns
    assert {fault.file for fault in caught.value.faults} == {"hu.yaml"}


def test_fractions_are_outliers(hu, workspace, base, model):
    hu.write_text(hu.read_text().replace("plqy_percent: 80", "plqy_percent: 0.8"))
    proposal = propose(hu, workspace, base, model.predictor)
    assert [check.column for check in proposal.outliers]
    with pytest.raises(InputError, match="values need accept_outliers=True"):
        proposal.refuse_outliers()


def test_a_correction_names_what_changed_also_among_rows_of_one_key(workspace, dataset, tmp_path):
    entry = dataset.entry("aerogel")
    keys = [(row["sample_id"], row["stressor"], row["condition"]) for row in entry.tests]
    assert len(set(keys)) < len(keys)
    path = tmp_path / "aerogel.yaml"

    def changes(**changed: object) -> tuple[str, ...]:
        path.write_text(to_yaml(replace(entry, **changed)))
        return propose(path, workspace, dataset, None, replace=True).changes

    titled = {**entry.paper, "title": "Corrected"}
    assert changes(paper=titled) == (f"aerogel: title {entry.paper['title']} -> Corrected",)
    last = {**entry.tests[-1], "note": "read again"}
    (line,) = changes(tests=(*entry.tests[:-1], last))
    assert line.endswith(f"note {entry.tests[-1]['note']} -> read again")
    (line,) = changes(tests=entry.tests[:-1])
    assert line.startswith("stability.csv: aerogel")
    assert line.endswith(" is gone")


# The inbox -----------------------------------------------------------------------------------


def inbox_with(tmp_path: Path, **files: str) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    for name, text in files.items():
        path = folder / name.replace("_", ".")
        path.write_text(text)
        os.utime(path, (0, 0))
    return folder


def test_an_inbox_is_sorted_into_added_and_rejected(hu, workspace, base, dataset, model, tmp_path):
    good, wrong = hu.read_text(), hu.read_text().replace("517", "700")
    as_json = json.dumps({"paper_id": "thin2026", "samples": []})
    inbox = inbox_with(tmp_path, a_yaml=good, b_yml=good, c_json=as_json, d_txt="not a paper")
    outlier = inbox / "e.yaml"
    other = wrong.replace("hu2018", "other2018").replace("10.1021/jacs.7b11003", "")
    outlier.write_text(f"{other}distinct_from: [hu2018]\n")
    os.utime(outlier, (0, 0))
    taken = take_in(inbox, workspace, base, model.predictor)
    assert {one.file: one.outcome for one in taken} == {
        "a.yaml": "added", "b.yml": "added", "c.json": "added", "e.yaml": "rejected",
        "d.txt": "ignored",
    }  # fmt: skip
    assert {path.name for path in (inbox / "added").iterdir()} == {"a.yaml", "b.yml", "c.json"}
    reasons = (inbox / "rejected" / "e.yaml.reasons.txt").read_text()
    assert "accept_outliers=True" in reasons
    assert (inbox / "d.txt").exists()
    assert [one.outcome for one in take_in(inbox, workspace, base, model.predictor)] == ["ignored"]


def test_a_file_on_its_way_waits(hu, workspace, base, model, tmp_path):
    inbox = inbox_with(tmp_path)
    (inbox / "new.yaml").write_text(hu.read_text())
    assert [one.outcome for one in take_in(inbox, workspace, base, model.predictor)] == ["waiting"]
    assert (inbox / "new.yaml").exists()


@pytest.mark.parametrize(("is_written", "outcome"), [(False, "added"), (True, "waiting")])
def test_a_file_from_the_future_is_watched_not_awaited(
    hu, workspace, base, model, tmp_path, monkeypatch, is_written, outcome
):
    path = inbox_with(tmp_path) / "new.yaml"
    path.write_text(hu.read_text())
    tomorrow = time.time() + 86400
    os.utime(path, (tomorrow, tomorrow))
    # Somebody is still writing it while it is watched.
    monkeypatch.setattr("time.sleep", lambda _: is_written and path.write_text(hu.read_text()))
    taken = take_in(path.parent, workspace, base, model.predictor)
    assert [one.outcome for one in taken] == [outcome]


def test_an_inbox_that_is_not_there_is_named(workspace, base, model, tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        take_in(tmp_path / "nowhere", workspace, base, model.predictor)


NEW_SHELL = """
paper_id: new2026
year: 2026
title: "A shell that no table has"
shells:
  - {name: PVK, class: polymer, formula: C14H11N, source: 10.1000/new}
samples:
  - {name: S1, core: CsPbBr3, shell: PVK, structure: matrix, plqy_percent: 71}
"""


def test_a_paper_brings_the_shells_it_introduces(workspace, dataset):
    proposal = propose(NEW_SHELL, workspace, dataset, None)
    assert "new shell: PVK, polymer, 10.1000/new" in proposal.lines()
    addition = accept(proposal, workspace, dataset)
    assert addition.proposal.dataset.samples["new2026-S1"].shell == "PVK"
    (row,) = MaterialStore(workspace).read().shells
    assert (row["name"], row["formula"]) == ("PVK", "C14H11N")
    again = NEW_SHELL.replace("new2026", "other2026").replace("A shell", "Another shell of theirs")
    known = dataset.with_materials(MaterialStore(workspace).read())
    assert propose(again, workspace, known, None).materials.shells == ()


def test_a_shell_at_fault_is_named_at_its_line(workspace, dataset):
    text = NEW_SHELL.replace("class: polymer", "class: plastic")
    with pytest.raises(DocumentError) as caught:
        propose(text, workspace, dataset, None)
    first, *_ = caught.value.faults
    assert (first.row, first.column) == (6, "shells")
    assert first.rule.startswith("shell class 'plastic': allowed: carbon, ")


@pytest.mark.parametrize(("coated", "bare"), [(20, 60), (50, 60), (55, 60)])
def test_a_gain_below_one_is_a_result(workspace, base, model, coated, bare):
    text = NEW_SHELL.replace("plqy_percent: 71}", "plqy_percent: 71, stability: [{stressor: water")
    text += f", coated: {{duration: 7 d, percent: {coated}}}"
    text = text.rstrip() + f", bare: {{duration: 7 d, percent: {bare}}}}}]}}\n"
    text = text.replace("\n, coated", ", coated")
    proposal = propose(text, workspace, base, model.predictor)
    assert proposal.checks == ()
    (test,) = [t for t in proposal.dataset.tests if t.sample.paper_id == "new2026"]
    assert test.gain().high < 1.15


# Every fault in one round ---------------------------------------------------------------------

MANY_FAULTS = """\
paper_id: faulty2026
source: primary abstract
doi: 10.1021/jacs.7b11003
samples:
  - name: a
    core: CsPbBr3
    shell: none
    medium: toluene
    plqy_percent: eighty
  - name: b
    core: CsPbBr3
    shell: SiO2
    structure: matrix
    bare: nothing
    plqy_percent: 120
    stability:
      - stressor: UV
        measure: remnant PL
        coated: {duration: 30 d, percent: 80}
      - stressor: water
        measure: remnant PL
        coated: {percent: 80}
  - name: b
    core: CsPbBr4
    shell: SiOO2
    structure: matrix
    bare: a
"""


@pytest.mark.parametrize("as_file", [True, False])
def test_faults_of_the_text_and_of_the_dataset_come_together(
    workspace, dataset, tmp_path, *, as_file
):
    path = tmp_path / "faulty.yaml"
    path.write_text(MANY_FAULTS)
    with pytest.raises(DocumentError) as refused:
        propose(path if as_file else MANY_FAULTS, workspace, dataset, None)
    assert [(fault.row, fault.column) for fault in refused.value.faults] == [
        (3, "doi"),
        (8, "samples.medium"),
        (9, "samples.plqy_percent"),
        (14, "samples.bare"),
        (15, "samples.plqy_percent"),
        (17, "samples.stability.stressor"),
        (20, "samples.stability.coated.duration"),
        (23, "samples.name"),
        (24, "samples.core"),
        (25, "samples.shell"),
    ]
    assert "(paper 'hu2018')" in str(refused.value)


def test_a_paper_that_is_known_and_at_fault_says_both(workspace, dataset):
    text = MANY_FAULTS.replace("faulty2026", "hu2018")
    with pytest.raises(DocumentError, match="a correction of it needs replace=True") as refused:
        propose(text, workspace, dataset, None)
    assert "write solution" in str(refused.value)


def test_a_mapping_with_faults_lists_those_of_its_declaration(workspace, dataset):
    paper = {"paper_id": "x", "source": "abstract", "samples": [{"name": "a", "core": "CsPbBr3"}]}
    with pytest.raises(DocumentError, match=r"samples\.shell: missing"):
        propose(paper, workspace, dataset, None)


# Corrections ----------------------------------------------------------------------------------


def test_a_changed_condition_is_shown_as_a_change(hu, workspace, dataset):
    text = hu.read_text()
    condition = next(line for line in text.splitlines() if "condition:" in line)
    hu.write_text(text.replace(condition, f"{condition} at dusk", 1))
    changes = propose(hu, workspace, dataset, None, replace=True).changes
    assert [line for line in changes if " is new" in line or " is gone" in line] == []
    (change,) = changes
    assert "condition " in change
    assert change.endswith("at dusk")


def test_a_name_that_begins_with_its_paper_is_the_same_sample(hu, workspace, dataset):
    entry = dataset.entry("hu2018")
    text = hu.read_text()
    names = [line.partition(": ")[2] for line in text.splitlines() if "name: " in line]
    assert names
    for name in names:
        text = text.replace(f"name: {name}\n", f"name: hu2018-{name}\n")
    text = re.sub(r"bare: (?=\w)", "bare: hu2018-", text).replace("title: ", "title: On ", 1)
    (change,) = propose(text, workspace, dataset, None, replace=True).changes
    assert change.startswith("hu2018: title ")
    assert read_yaml(to_yaml(entry), "hu.yaml") == entry
