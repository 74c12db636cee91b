"""The papers of a workspace on disk: sealed, replaced, removed, never lost."""

from dataclasses import replace
from pathlib import Path

import pytest

from perovshell.data.dataset import Dataset
from perovshell.data.formula import FormulaReader
from perovshell.data.paper_entry import PaperEntry
from perovshell.data.paper_file import read_papers
from perovshell.data.paper_writing import to_yaml
from perovshell.errors import DocumentError, InputError, WorkspaceError
from perovshell.workbench import Workspace
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.papers import PaperStore

FORMULAS = FormulaReader.bundled()


@pytest.fixture
def store(tmp_path: Path) -> PaperStore:
    return PaperStore(WorkspaceFolder(tmp_path))


@pytest.fixture(scope="module")
def entry(dataset: Dataset) -> PaperEntry:
    return dataset.entry("hu2018")


def named(entry: PaperEntry, name: str) -> PaperEntry:
    samples = tuple(
        {**row, "paper_id": name, "sample_id": f"{name}-{number}", "bare_sample_id": ""}
        for number, row in enumerate(entry.samples)
    )
    return replace(entry, paper={**entry.paper, "paper_id": name, "doi": ""}, samples=samples,
                   tests=(), distinct_from=(entry.paper_id,))  # fmt: skip


def test_what_is_put_is_read_again(store, entry):
    path = store.put(entry)
    assert path.name == "hu2018.yaml"
    assert store.stored().entries == (entry,)
    assert store.stored().faults == ()


def test_a_paper_is_not_written_over_unless_it_is_to_be_replaced(store, entry):
    store.put(entry)
    with pytest.raises(InputError, match="hu2018: in the workspace already"):
        store.put(entry)
    corrected = replace(entry, paper={**entry.paper, "title": "Corrected"})
    store.put(corrected, replace=True)
    assert store.stored().entries == (corrected,)


def test_versions_are_kept_in_order_and_can_be_added_again(store, entry):
    store.put(entry)
    for title in ("second", "third"):
        store.put(replace(entry, paper={**entry.paper, "title": title}), replace=True)
    first, second = (version.path for version in store.versions("hu2018"))
    assert read_papers(first, FORMULAS) == [entry]
    assert read_papers(second, FORMULAS)[0].paper["title"] == "second"


def test_names_are_safe_on_every_file_system(store, entry):
    for name in ("../up", "a/b:c*", "x" * 90):
        path = store.put(named(entry, name))
        assert path.parent == store.workspace.papers
    assert len(store.stored().entries) == 3
    with pytest.raises(InputError, match="too long for a file name"):
        store.put(named(entry, "x" * 96))


@pytest.mark.parametrize(
    "name", ["1" + "0" * 400, "é" * 90, "🧪" * 30], ids=["digits", "é", "test tube"]
)
def test_a_name_too_long_for_a_file_is_a_fault_at_every_door(store, entry, name):
    text = to_yaml(named(entry, name))
    with pytest.raises(DocumentError, match=r"paper_id.*too long for a file name"):
        Workspace(store.workspace.root).propose(text)
    with pytest.raises(InputError, match="too long for a file name"):
        store.remove(name, "a test", Dataset.bundled())
    with pytest.raises(InputError, match="too long for a file name"):
        store.versions(name)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace(b"517", b"571"),
        lambda text: text[:-40],
        lambda text: b"\xff" + text,
        lambda text: text.split(b"\n", 1)[1],
        lambda text: text[:0],
    ],
    ids=["one value", "cut off", "not UTF-8", "no seal", "empty"],
)
def test_a_damaged_file_is_named_and_left_alone_and_the_rest_works(store, entry, dataset, damage):
    path = store.put(entry)
    store.put(named(entry, "other"))
    path.write_bytes(damaged := damage(path.read_bytes()))
    merged = store.merged(dataset)
    assert [fault.file for fault in merged.faults] == ["hu2018.yaml"]
    assert [one.paper_id for one in merged.entries] == ["other"]
    assert merged.dataset.digests["hu2018"] == dataset.digests["hu2018"]
    assert path.read_bytes() == damaged


def test_a_paper_that_breaks_a_rule_beside_the_others_is_left_out(store, entry, dataset):
    copied = named(entry, "copy")
    store.put(replace(copied, paper={**copied.paper, "doi": entry.paper["doi"]}))
    merged = store.merged(dataset)
    assert "copy" not in merged.dataset.papers
    assert merged.faults[0].column == "doi"


def test_a_removed_paper_is_kept_with_the_reason(store, entry, dataset):
    store.put(named(entry, "mine"))
    kept = store.remove("mine", "wrong\nnumbers", dataset)
    assert not store.path_of("mine").exists()
    assert "removed: wrong numbers" in kept.read_text().splitlines()[-1]
    assert read_papers(kept, FORMULAS) == [named(entry, "mine")]


def test_a_bundled_paper_is_withdrawn_and_comes_back(store, dataset):
    store.remove("hu2018", "retracted", dataset)
    assert set(dataset.papers) - set(store.merged(dataset).dataset.papers) == {"hu2018"}
    assert store.stored().entries[0].withdrawn == "retracted"
    store.remove("hu2018", "it was not", dataset)
    assert store.merged(dataset).dataset.content_hash == dataset.content_hash


@pytest.mark.parametrize("reasons", [["retracted"], ["retracted", "it was not"]])
def test_the_same_removal_given_again_is_refused(store, dataset, reasons):
    for why in reasons:
        store.remove("hu2018", why, dataset)
    before = store.merged(dataset).dataset.content_hash
    with pytest.raises(InputError, match="removed already for this reason"):
        store.remove("hu2018", reasons[-1], dataset)
    assert store.merged(dataset).dataset.content_hash == before


def test_the_removal_of_a_correction_given_again_leaves_the_bundled_paper(store, dataset):
    corrected = replace(dataset.entry("hu2018"), distinct_from=())
    store.put(replace(corrected, paper={**corrected.paper, "title": "Corrected"}))
    store.remove("hu2018", "a slip", dataset)
    with pytest.raises(InputError, match="removed already for this reason"):
        store.remove("hu2018", "a slip", dataset)
    assert "hu2018" in store.merged(dataset).dataset.papers


def test_a_paper_that_is_not_there_cannot_be_removed(store, dataset):
    with pytest.raises(InputError, match="paper 'nobody2020': not in the data"):
        store.remove("nobody2020", "why", dataset)


def test_a_refused_write_changes_nothing(store, entry, monkeypatch):
    path = store.put(entry)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("perovshell.workspace.papers.write_atomically", full)
    with pytest.raises(WorkspaceError, match=r"No space left on device\); nothing is changed"):
        store.put(replace(entry, withdrawn="why"), replace=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("why", ["no", "Yes", " TRUE ", "off", "", " \n "])
def test_a_paper_is_not_removed_without_a_reason_in_words(store, entry, dataset, why):
    store.put(named(entry, "mine"))
    before = {path: path.read_bytes() for path in store.workspace.papers.rglob("*.yaml")}
    for name in ("hu2018", "mine"):
        with pytest.raises(InputError, match="say in words why"):
            store.remove(name, why, dataset)
    assert {path: path.read_bytes() for path in store.workspace.papers.rglob("*.yaml")} == before


def test_a_reason_of_several_lines_is_kept_on_one(store, dataset):
    store.remove("hu2018", " wrong\n  numbers ", dataset)
    assert store.stored().entries[0].withdrawn == "wrong numbers"
