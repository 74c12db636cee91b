"""The whole loop from Python: what each step returns, and who is champion after it."""

import ast
import doctest
import importlib
import json
import re
import shutil
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest

import perovshell
from perovshell import Dataset, Model, PerovshellWarning, Ranking, Workspace
from perovshell.errors import (
    InputError,
    ModelFolderError,
    OutdatedModelError,
    TrackingError,
    UnchangedError,
    WorkspaceError,
)
from perovshell.serve.report.tables import csv_text
from perovshell.training.train import TrainedModel

UNMEASURED_PROCESSES = True

ROOT = Path(__file__).parents[1]
SAMPLE = {"name": "coated", "core": "CsPbBr3", "shell": "SiO2", "structure": "core/shell",
          "pl_peak_nm": 515}  # fmt: skip
PAPER = {"paper_id": "smith2026", "source": "a test", "samples": [SAMPLE]}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def settled(trained: TrainedModel, workspace: Workspace) -> Workspace:
    """A workspace with a champion that is not tracked."""
    workspace.folder.prepare()
    shutil.copytree(trained.folder, workspace.folder.models / trained.model_id)
    workspace.folder.set_champion(trained.model_id, "the first")
    return workspace


@pytest.fixture
def quick(trained: TrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training gives the model of the session at once."""

    def train(_: object, models: Path, settings: object, advance: object) -> TrainedModel:
        folder = models / trained.model_id
        if not folder.exists():
            shutil.copytree(trained.folder, folder)
        return TrainedModel(**{**vars(trained), "folder": folder})

    # Imported while the function is replaced, it would keep the replacement.
    importlib.import_module("perovshell.training.retrain")
    monkeypatch.setattr("perovshell.training.train.train", train)
    monkeypatch.setattr("perovshell.training.tracking.write_plots", lambda *_: [])


def outdated(folder: Path) -> Path:
    """Make a model folder one of an older format."""
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 1}))
    return folder


def write_folder_with(source: Path, folder: Path, **tables: object) -> None:
    """Copy a model folder with other contents of its tables, checksums and id as they should be."""
    shutil.copytree(source, folder)
    path = folder / "tables.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **tables}))
    manifest = json.loads((folder / "manifest.json").read_text())
    sums = manifest["checksums"] | {"tables.json": sha256(path.read_bytes()).hexdigest()}
    text = json.dumps(sums, sort_keys=True, ensure_ascii=False, indent=1) + "\n"
    model_id = sha256(text.encode()).hexdigest()[:12]
    (folder / "manifest.json").write_text(
        json.dumps({**manifest, "checksums": sums, "model_id": model_id})
    )


# Papers --------------------------------------------------------------------------------------


def test_a_paper_is_added_as_mapping_text_or_file(workspace: Workspace, tmp_path: Path) -> None:
    text = f"paper_id: jones2026\nsource: a test\nsamples:\n- {json.dumps(SAMPLE)}\n"
    path = tmp_path / "wong2026.yaml"
    path.write_text(text.replace("jones", "wong").replace("515", "516"))
    added = [workspace.add(source) for source in (PAPER, text.replace("515", "517"), str(path))]
    assert [addition.papers for addition in added] == [
        ("smith2026",), ("jones2026",), ("wong2026",)
    ]  # fmt: skip
    assert workspace.dataset().counts["papers"] == 310
    assert workspace.dataset().samples["smith2026-coated"].pl_peak_nm == 515
    with pytest.raises(UnchangedError, match="paper: in the workspace already"):
        workspace.add(PAPER)


def test_a_dry_run_writes_nothing_and_refuses_what_the_addition_would(
    settled: Workspace,
) -> None:
    addition = settled.add(PAPER, dry_run=True)
    assert (addition.papers, addition.files) == (("smith2026",), ())
    assert addition.to_json()["added"] == []
    assert not list(settled.folder.papers.iterdir())
    odd = {**PAPER, "samples": [{**SAMPLE, "pl_peak_nm": 800}]}
    with pytest.raises(InputError, match="values need accept_outliers=True"):
        settled.add(odd, dry_run=True)
    assert settled.add(odd, dry_run=True, accept_outliers=True).proposal.outliers
    assert settled.propose(odd).outliers


def test_a_removal_names_what_it_changes(workspace: Workspace) -> None:
    assert workspace.remove("hu2018", "retracted").out == ("hu2018",)
    assert "hu2018" not in workspace.dataset().papers
    assert workspace.remove("hu2018", "it was not").restored == ("hu2018",)
    workspace.add(PAPER)
    removal = workspace.remove("smith2026", "only a test")
    assert json.loads(json.dumps(removal.to_json()))["out"] == ["smith2026"]


def test_a_paper_that_is_not_there_is_named_with_the_nearest(workspace: Workspace) -> None:
    with pytest.raises(InputError, match=r"nearest: hu2018, .*Workspace\.dataset\(\)\.papers"):
        workspace.remove("hu2081", "wrong")


def test_a_damaged_paper_is_left_out_with_a_warning(workspace: Workspace) -> None:
    (file,) = workspace.add(PAPER).files
    file.write_text("#")
    with pytest.warns(PerovshellWarning, match=r"not used: .*smith2026\.yaml: .*replace=True"):
        assert "smith2026" not in workspace.dataset().papers
    assert len(workspace.merged().faults) == 1


def test_the_base_may_be_a_dataset(dataset: Dataset, tmp_path: Path) -> None:
    base = dataset.subset(["hu2018", "li2018"])
    assert Workspace(tmp_path, data=base).dataset().counts["papers"] == 2


# Models --------------------------------------------------------------------------------------


def test_the_first_model_becomes_champion_in_workspace_and_registry(
    workspace: Workspace, quick: None
) -> None:
    training = workspace.train(quick=True, jobs=1)
    assert (training.version, training.champion) == ("1", training.model_id)
    assert training.why == "the first model of the workspace"
    assert "It is the champion" in training.lines()[-1]
    (model,) = workspace.models()
    assert model.aliases == ("champion",)
    assert workspace.align() == ""
    assert workspace.train(quick=True, jobs=1).version == "1"
    assert [promotion.model_id for promotion in workspace.promotions] == [training.model_id]
    assert workspace.load("1").info == workspace.load(training.model_id).info
    assert str(workspace.retrain(jobs=1)) == (
        f"The champion {training.model_id} was trained on this very data."
    )


def test_a_model_folder_is_champion_where_tracking_fails(
    workspace: Workspace, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        patched.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        with pytest.raises(TrackingError, match="is whole"):
            workspace.train(quick=True, jobs=1)
    champion = workspace.load().info.model_id
    assert workspace.train(quick=True, jobs=1).champion == champion
    assert [model.aliases for model in workspace.models()] == [("champion",)]


def test_training_keeps_another_champion(settled: Workspace, quick: None, tmp_path: Path) -> None:
    other = settled.folder.models / "0123456789ab"
    shutil.copytree(settled.folder.champion(), other)
    settled.folder.set_champion(other.name, "better")
    training = settled.train(quick=True, jobs=1, track=False)
    assert (training.champion, training.why) == (other.name, "")
    assert training.lines()[-1] == f"The champion stays {other.name}."


@pytest.fixture
def with_old_champion(settled: Workspace, trained: TrainedModel) -> Workspace:
    """A workspace whose champion an older Perovshell wrote."""
    old = settled.folder.models / "0123456789ab"
    shutil.copytree(trained.folder, old)
    settled.folder.set_champion(outdated(old).name, "better")
    return settled


def test_training_replaces_a_champion_of_an_older_format(
    with_old_champion: Workspace, quick: None, trained: TrainedModel
) -> None:
    with pytest.raises(
        OutdatedModelError, match=r"older than this Perovshell reads .* train again"
    ):
        with_old_champion.retrain(jobs=1, dry_run=True)
    training = with_old_champion.train(quick=True, jobs=1)
    assert training.champion == trained.model_id == with_old_champion.load().info.model_id
    assert "written by an older Perovshell" in training.lines()[-1]
    assert with_old_champion.promotions[-1].previous == "0123456789ab"


def test_retraining_replaces_a_champion_of_an_older_format(
    with_old_champion: Workspace, quick: None, trained: TrainedModel
) -> None:
    retraining = with_old_champion.retrain(jobs=1)
    assert retraining.champion == trained.model_id
    assert retraining.is_promoted
    assert retraining.to_json()["promoted"]
    said = str(retraining)
    assert "written by an older Perovshell and cannot be read" in said
    assert "was trained on this very data" in said


def test_a_champion_of_other_descriptors_is_replaced_too(
    settled: Workspace, quick: None, trained: TrainedModel
) -> None:
    """Its format is read, its columns are not those of today."""
    old = settled.folder.models / "0123456789ab"
    write_folder_with(trained.folder, old, descriptors=["another", "of", "then"])
    settled.folder.set_champion(old.name, "better")
    with pytest.raises(OutdatedModelError, match="trained with other descriptors"):
        settled.load()
    assert settled.train(quick=True, jobs=1).champion == trained.model_id


def test_training_replaces_an_outdated_champion_of_a_shared_registry(
    settled: Workspace, quick: None, tmp_path: Path, trained: TrainedModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    settled.train(quick=True, jobs=1)
    for path in settled.folder.root.glob("mlartifacts/**/manifest.json"):
        outdated(path.parent)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", settled.folder.database.uri)
    second = Workspace(tmp_path / "second")
    with pytest.raises(OutdatedModelError, match=r"version 1 of perovshell .*Workspace\.train\(\)"):
        second.align()
    assert (
        second.train(quick=True, jobs=1).champion == trained.model_id == second.load().info.model_id
    )


def test_a_model_is_loaded_by_id_folder_or_as_champion(
    settled: Workspace, trained: TrainedModel
) -> None:
    names = (None, trained.model_id, trained.folder, str(trained.folder))
    assert {settled.load(name).info.model_id for name in names} == {trained.model_id}
    with pytest.raises(WorkspaceError, match="model '7': not in the workspace"):
        settled.load("7")
    with pytest.raises(ModelFolderError, match=r"nowhere: no manifest\.json"):
        settled.load("nowhere")


def test_a_workspace_without_a_champion_says_how_to_get_one(workspace: Workspace) -> None:
    for step in (workspace.load, workspace.retrain):
        with pytest.raises(WorkspaceError, match=r"make one with Workspace\.train\(\)"):
            step()


def test_another_process_is_told_how_to_wait(settled: Workspace) -> None:
    with (
        settled.folder.locked("models"),
        pytest.raises(WorkspaceError, match="or give wait=True"),
    ):
        settled.rollback()


def test_progress_counts_the_validated_folds(workspace: Workspace, few_papers: Dataset) -> None:
    seen: list[tuple[str, int, int]] = []
    small = Workspace(workspace.folder.root, data=few_papers)
    training = small.train(
        quick=True, jobs=1, track=False, progress=lambda *step: seen.append(step)
    )
    total = seen[0][2]
    assert seen == [("validating", done, total) for done in range(total + 1)]
    assert training.info["dataset"]["papers"] == len(few_papers.papers)


# What notebooks show -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ranking(model: Model) -> Ranking:
    space = {"cores": ["CsPbBr3"], "shells": ["SiO2", "HfO2"], "pl_window_nm": [515, 535]}
    return perovshell.rank(space, model=model)


def test_representations_are_short_and_name_what_counts(
    model: Model, dataset: Dataset, ranking: Ranking, settled: Workspace
) -> None:
    best = f"{ranking.candidates[0].core} / {ranking.candidates[0].shell}"
    for shown, words in (
        (model, (model.info.model_id, dataset.content_hash[:12], "307 papers", "PL peak")),
        (dataset, ("307 papers", "505 samples", "163 stability tests", "content hash")),
        (ranking, ("design-space", "1 combination measured, 1 of 2 others", best)),
    ):
        for text in (repr(shown), shown._repr_html_()):
            assert len(text) < 300
            assert all(word in text for word in words)
    assert repr(settled) == f"<Workspace {settled.folder.root}>"


def test_a_frame_of_a_ranking_is_its_csv(ranking: Ranking, tmp_path: Path) -> None:
    (tmp_path / "ranking.csv").write_text(csv_text(ranking))
    written, frame = pd.read_csv(tmp_path / "ranking.csv"), ranking.to_frame()
    assert list(frame.columns) == list(written.columns)
    pd.testing.assert_frame_equal(
        frame.replace("", None), written, check_dtype=False, check_exact=False
    )


# Examples ------------------------------------------------------------------------------------


def test_the_loop_is_a_script_of_a_dozen_lines() -> None:
    """It is the first block of the page on Python, which is run with all other pages."""
    script = (ROOT / "examples" / "loop.py").read_text()
    page = (ROOT / "docs" / "how-to" / "python.md").read_text()
    docstring, *statements = ast.parse(script).body
    assert isinstance(docstring, ast.Expr)
    assert len([line for line in script.splitlines()[1:] if line]) <= 12
    (block, *_) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert [ast.dump(one) for one in statements] == [ast.dump(one) for one in ast.parse(block).body]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "name",
    ["perovshell", "perovshell.model", "perovshell.workbench", "perovshell.serve.ranking.ranking",
     "perovshell.cli.options"],
)  # fmt: skip
def test_the_examples_of_docstrings_run(
    name: str, settled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEROVSHELL_HOME", str(settled.folder.root))
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    found = doctest.testmod(importlib.import_module(name), optionflags=flags)
    assert found.attempted
    assert found.failed == 0
