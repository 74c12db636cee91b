"""A workspace that learns: three real papers held back, added, learned, promoted, taken back."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from perovshell.data.columns import TABLES
from perovshell.data.dataset import Dataset
from perovshell.data.paper_writing import to_yaml
from perovshell.model import Model
from perovshell.training.retrain import reason_not_to
from perovshell.workspace.folder import WorkspaceFolder

UNMEASURED_PROCESSES = True

HELD_BACK = ("hu2018", "li2018", "lin2024")


@pytest.fixture(scope="module")
def papers(dataset: Dataset) -> Dataset:
    """Each second paper and those held back: trained on sooner."""
    return dataset.subset({*sorted(dataset.papers)[::2], *HELD_BACK})


class Home:
    """A workspace on a dataset without the papers held back, and its command line."""

    def __init__(self, root: Path, dataset: Dataset) -> None:
        self.root, self.workspace = root, WorkspaceFolder(root / "workspace")
        self.dataset = dataset
        write_tables(root / "data", dataset.subset(set(dataset.papers) - set(HELD_BACK)))
        (root / "in.csv").write_text("core,shell\nCsPbBr3,SiO2\nCsPbBr3,TiO2\n")

    def run(self, *arguments: str, code: int = 0) -> str:
        own = ["--workspace", str(self.workspace.root)]
        if arguments[0] in {"add", "retrain", "train"}:
            own += ["--data", str(self.root / "data")]
        if arguments[0] in {"retrain", "train"}:
            own += ["--jobs", "1"]
        done = subprocess.run(
            [sys.executable, "-m", "perovshell", *arguments, *own],
            cwd=self.root, capture_output=True, text=True, check=False,
            env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout if code != 2 else done.stderr

    def predict(self) -> tuple[str, str]:
        said = self.run("predict", "in.csv", "-o", "out.csv")
        return said.splitlines()[0], (self.root / "out.csv").read_text()

    def paper(self, name: str, text: str | None = None) -> str:
        path = self.root / f"{name}.yaml"
        path.write_text(text or to_yaml(self.dataset.entry(name)))
        return str(path)

    @property
    def champion(self) -> Model:
        return Model.from_folder(self.workspace.champion())


def write_tables(folder: Path, dataset: Dataset) -> None:
    folder.mkdir()
    for name in TABLES:
        with (folder / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, TABLES[name].names)
            writer.writeheader()
            writer.writerows(dataset.rows[name])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, papers: Dataset) -> Home:
    made = Home(tmp_path_factory.mktemp("home"), papers)
    made.run("train", "--quick")
    return made


@pytest.fixture(scope="module")
def learned(home: Home) -> dict[str, object]:
    """Predict, add the papers held back, retrain, predict: what was said at each step."""
    before = home.predict(), home.champion.info
    for name in HELD_BACK:
        home.run("add", home.paper(name), "--yes")
    dry = home.run("retrain", "--dry-run")
    after_dry = home.champion.info.model_id, home.workspace.model_ids()
    said = home.run("retrain")
    return {"before": before, "dry": dry, "after_dry": after_dry, "said": said,
            "after": (home.predict(), home.champion.info)}  # fmt: skip


def test_predictions_name_model_version_and_data_before_and_after(home, learned, papers):
    (line, answers), info = learned["before"]
    assert f"model {info.model_id} version 1 (dataset {info.dataset['hash'][:12]})" in line
    (later, other), new = learned["after"]
    assert f"model {new.model_id} version 2 (dataset {papers.content_hash[:12]})" in later
    count = len(papers.papers)
    assert (new.dataset["papers"], info.dataset["papers"]) == (count, count - len(HELD_BACK))
    assert answers != other


def test_the_verdict_is_said_with_its_figures(learned):
    said = learned["said"]
    assert "3 papers added (hu2018, li2018, lin2024)" in said
    for what in ("PL peak (", "PLQY (", "lifetime (", "stability gain ("):
        assert what in said
    assert "of the new papers (" in said
    assert "Promoted: nothing is shown to be worse beyond" in said
    assert "Registered in MLflow as perovshell version 2" in said


def test_a_dry_run_registers_nothing(learned):
    champion, models = learned["after_dry"]
    assert models == [champion]
    assert "Dry run, nothing is registered. Promoted: " in learned["dry"]
    assert learned["dry"].splitlines()[0] == learned["said"].splitlines()[0]


def test_the_report_has_a_plot_and_the_figures(home, learned):
    folder = home.workspace.reports / f"retrain-{learned['after'][1].model_id}"
    page = (folder / "promotion.html").read_text()
    assert "<svg" in page
    assert "New papers, predicted before training on them" in page
    data = json.loads((folder / "promotion.json").read_text())
    assert data["verdict"]["promote"] is True
    assert data["verdict"]["changes"]["added"] == list(HELD_BACK)


def test_the_same_data_is_not_trained_again(home, learned):
    assert "was trained on this very data" in home.run("retrain")


def test_a_script_can_tell_that_the_champion_stays(home, learned):
    said = home.run("retrain", "--fail-if-not-promoted", "--json", code=3)
    assert json.loads(said)["promoted"] is False


def test_a_corrected_band_gap_is_other_data(session_workspace, model, dataset):
    assert "trained on this very data" in reason_not_to(session_workspace, dataset, model)
    gap = {"band_gap_ev": "2.5"}
    cores = [row | (gap if row["formula"] == "CsPbBr3" else {}) for row in dataset.cores]
    assert reason_not_to(session_workspace, replace(dataset, cores=tuple(cores)), model) == ""


def test_the_models_are_listed_with_versions_and_reasons(home, learned):
    said = home.run("models", "list")
    assert "version 2" in said
    assert "@champion  champion" in said
    assert "became champion: Promoted" in said


def test_a_rollback_gives_the_old_answers_and_a_promotion_the_new(home, learned):
    (_, old), (_, new) = learned["before"][0], learned["after"][0]
    assert "again" in home.run("models", "rollback", "--why", "a trial")
    assert home.predict()[1] == old
    assert "already" in home.run("models", "promote", "1", "--why", "x", code=2)
    home.run("models", "promote", "2", "--why", "the trial is over")
    assert home.predict()[1] == new
    assert home.workspace.promotions[-1].why == "the trial is over"


def test_an_unknown_version_is_named_with_the_known(home, learned):
    said = home.run("models", "promote", "77", "--why", "x", code=2)
    assert "model '77': not in the registry" in said
    assert learned["after"][1].model_id in said


def test_papers_that_surprise_keep_the_champion(home, learned, papers):
    champion = home.workspace.champion_id
    for number in range(4):
        entry = papers.entry("hu2018")
        name = f"odd{number}"
        rows = tuple(
            {**row, "paper_id": name, "sample_id": f"{name}-{k}", "pl_peak_nm": str(591 + number),
             "plqy_percent": ""}
            for k, row in enumerate(entry.samples)
        )  # fmt: skip
        odd = replace(
            entry, paper={**entry.paper, "paper_id": name, "doi": "", "title": name},
            samples=rows, tests=(),
        )  # fmt: skip
        path = home.paper(name, to_yaml(odd))
        assert "fits" in home.run("add", path, "--yes", code=2)
        home.run("add", path, "--yes", "--accept-outliers")
    said = home.run("retrain")
    (verdict,) = [line for line in said.splitlines() if line.startswith("The champion stays: ")]
    assert "new papers surprise (PL peak)" in verdict
    assert "'perovshell models promote 3 --why ...' makes it champion all the same" in said
    assert home.workspace.champion_id == champion
    listed = home.run("models", "list")
    assert "@challenger" in listed
    home.run("models", "promote", "3", "--why", "they were right")
    assert home.champion.info.dataset["papers"] == len(papers.papers) + 4
    assert "@challenger" not in home.run("models", "list")


def test_what_was_rolled_back_is_not_trained_again(home, learned):
    home.run("models", "promote", "2", "--why", "to go back from")
    home.run("data", "remove", "odd3", "--why", "no more odd papers")
    for number in range(3):
        home.run("data", "remove", f"odd{number}", "--why", "no more odd papers")
    home.run("models", "rollback", "--why", "to the odd ones")
    home.run("models", "promote", "1", "--why", "the first again")
    said = home.run("retrain")
    assert "Version 2" in said
    assert "promoted, and taken back since" in said
    assert home.workspace.promotions[-1].why == "the first again"


def test_papers_are_not_taken_in_by_a_dry_run(home, learned):
    said = home.run("retrain", "--dry-run", "--inbox", str(home.root), code=2)
    assert "give one of them" in said
