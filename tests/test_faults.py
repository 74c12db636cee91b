"""A full disk, two at once, damaged files: said in one line, and nothing is lost."""

import csv
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from perovshell.cli import main
from perovshell.data.columns import TABLES
from perovshell.data.dataset import Dataset
from perovshell.data.paper_writing import to_yaml
from perovshell.errors import WorkspaceError
from perovshell.files import hidden_folder, write_atomically
from perovshell.models.folder import read_folder, write_folder
from perovshell.serve.service import logs
from perovshell.serve.service.logs import Tally
from perovshell.training.tracking import track
from perovshell.training.train import QUICK, TrainedModel, train
from perovshell.workspace.championship import align, ensure_champion, promote, roll_back
from perovshell.workspace.folder import WorkspaceFolder
from perovshell.workspace.papers import PaperStore
from perovshell.workspace.registry import CHAMPION, NAME, tracking, version_with

UNMEASURED_PROCESSES = True

ADDED, NEW = "hu2018", "mo2020"
LOCKS = {".models.lock", ".papers.lock", ".keys.lock"}
FULL_DISK = """
import resource, runpy, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
runpy.run_module("perovshell", run_name="__main__", alter_sys=True)
"""
"""The command line where no file may be longer than 64 bytes."""


class Home:
    """A workspace on a few papers, with a champion and a second model, and its command line."""

    def __init__(self, root: Path) -> None:
        self.root, self.workspace = root, WorkspaceFolder(root / "workspace")
        self.store = PaperStore(self.workspace)

    def words(self, *given: str) -> list[str]:
        own = [] if given[0] == "draft" else ["--workspace", str(self.workspace.root)]
        if given[0] in {"add", "retrain"}:
            own += ["--data", str(self.root / "data")]
        return [*given, *own]

    def start(self, *given: str, code: str = "") -> subprocess.Popen[str]:
        program = ["-c", code] if code else ["-m", "perovshell"]
        # Who counts the lines that are run writes a file too, and could not on a full disk.
        kept = {k: v for k, v in os.environ.items() if not (code and k.startswith("COVERAGE_"))}
        return subprocess.Popen(
            [sys.executable, *program, *self.words(*given)],
            cwd=self.root, env=kept, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def contents(self) -> dict[str, bytes]:
        """Return every file of the workspace."""
        paths = [path for path in self.workspace.root.rglob("*") if path.is_file()]
        return {
            str(path.relative_to(self.workspace.root)): path.read_bytes()
            for path in paths
            if path.name not in LOCKS
        }

    def other_model(self) -> str:
        """Return the model that is not champion."""
        (name,) = set(self.workspace.model_ids()) - {self.workspace.champion_id}
        return name


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> tuple[Home, TrainedModel]:
    """A home that no test changes, and its champion."""
    home = Home(tmp_path_factory.mktemp("built"))
    two_sided = {one.sample.paper_id for one in dataset.tests if one.bare.percent >= 0}
    known = [k for k in dataset.papers if k not in {ADDED, NEW} and not dataset.in_collection(k)]
    base = dataset.subset(sorted(known, key=lambda name: name not in two_sided)[:40])
    (home.root / "data").mkdir()
    for name in TABLES:
        with (home.root / "data" / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, TABLES[name].names)
            writer.writeheader()
            writer.writerows(base.rows[name])
    (home.root / "new.yaml").write_text(to_yaml(dataset.entry(NEW)))
    (home.root / "in.csv").write_text("core,shell\nCsPbBr3,SiO2\n")
    home.workspace.prepare()
    trained = train(base, home.workspace.models, QUICK)
    home.workspace.set_champion(trained.model_id, "the first")
    variant(trained, home.workspace)
    return home, trained


@pytest.fixture
def home(built: tuple[Home, TrainedModel], tmp_path: Path) -> Home:
    return Home(Path(shutil.copytree(built[0].root, tmp_path / "home")))


@pytest.fixture(scope="module")
def registered(built: tuple[Home, TrainedModel], tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose two models are registered, the second champion; no test changes it."""
    first = built[1]
    folder = tmp_path_factory.mktemp("registered") / "home"
    home = Home(Path(shutil.copytree(built[0].root, folder)))
    second = replace(
        first, model_id=(name := home.other_model()), folder=home.workspace.models / name
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("perovshell.training.tracking.write_plots", lambda *_: [])
        for one in (first, second):
            ensure_champion(home.workspace, one.model_id, track(one, home.workspace).version)
    promote(home.workspace, "2", "better")
    return home


@pytest.fixture
def two(registered: Home, tmp_path: Path) -> Home:
    return Home(Path(shutil.copytree(registered.root, tmp_path / "two")))


def variant(trained: TrainedModel, workspace: WorkspaceFolder) -> None:
    """Make a model that says another seed of itself."""
    predictor, _ = read_folder(trained.folder)
    info = {**trained.info, "settings": {**trained.info["settings"], "seed": 7}}
    model_id = write_folder(
        workspace.models / "variant", predictor, info, {}, trained.validated.arrays()
    )
    (workspace.models / "variant").rename(workspace.models / model_id)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return exit code and error stream."""
    _, said = process.communicate(timeout=120)
    return process.returncode, said


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """Run the command line in this process; return its exit code and both streams."""
    monkeypatch.chdir(tmp_path)
    interrupts = signal.getsignal(signal.SIGINT)

    def call(home: Home, *given: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["perovshell", *home.words(*given)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
        said = capsys.readouterr()
        return left.value.code or 0, said.out, said.err

    yield call
    signal.signal(signal.SIGINT, interrupts)


# A full disk ---------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("add", "new.yaml", "--yes"), ("retrain", "--jobs", "1")])
def test_a_full_disk_is_one_line_and_changes_nothing(home: Home, dataset: Dataset, words) -> None:
    home.store.put(dataset.entry(ADDED))
    before = home.contents()
    code, said = ended(home.start(*words, code=FULL_DISK))
    assert code == 2
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("perovshell: ")
    assert "File too large" in said.splitlines()[-1]
    assert home.contents() == before


def test_a_full_disk_leaves_the_champion(home: Home) -> None:
    before = home.contents()
    words = ("models", "promote", home.other_model(), "--why", "better")
    code, said = ended(home.start(*words, code=FULL_DISK))
    assert code == 2
    assert said.endswith("cannot be written (File too large); the champion is unchanged\n")
    assert said.count("\n") == 1
    assert home.contents() == before


def test_a_full_disk_leaves_the_champion_of_the_registry(two: Home) -> None:
    champion = two.workspace.champion_id
    code, said = ended(two.start("models", "promote", "1", "--why", "better", code=FULL_DISK))
    assert code == 2
    assert said.count("\n") == 1
    assert said.endswith("the champion is unchanged\n")
    assert two.workspace.champion_id == champion == registered_champion(two)
    assert left_over(two) == []


@pytest.mark.parametrize("command", ["add", "promote"])
def test_a_disk_that_fills_up_while_writing_changes_nothing(
    home: Home, run, monkeypatch, command: str
) -> None:
    before = home.contents()
    monkeypatch.setattr("os.fsync", full)
    words = {
        "add": ("add", str(home.root / "new.yaml"), "--yes"),
        "promote": ("models", "promote", home.other_model(), "--why", "better"),
    }
    code, _, said = run(home, *words[command])
    assert code == 2
    assert "Traceback" not in said
    assert "cannot be written (No space left on device)" in said.splitlines()[-1]
    assert home.contents() == before


def test_a_correction_that_found_the_disk_full_is_kept_once(home: Home, dataset, monkeypatch):
    path = home.store.put(dataset.entry(ADDED))
    before = path.read_bytes()
    corrected = replace(dataset.entry(ADDED), withdrawn="retracted")
    calls = iter([None, OSError(28, "No space left on device")])
    whole = os.fsync

    def full_at_the_second(handle: int) -> None:
        if error := next(calls, None):
            raise error
        whole(handle)

    monkeypatch.setattr("os.fsync", full_at_the_second)
    with pytest.raises(WorkspaceError, match="No space left on device"):
        home.store.put(corrected, replace=True)
    assert path.read_bytes() == before
    home.store.put(corrected, replace=True)
    (kept,) = [version.path for version in home.store.versions(ADDED)]
    assert kept.read_bytes().startswith(before)


def test_what_a_refused_write_under_a_lock_is_of_is_named(tmp_path: Path) -> None:
    workspace = WorkspaceFolder(tmp_path)
    with (
        pytest.raises(WorkspaceError, match=r"or written \(/far/off\): Input/output error"),
        workspace.locked("models"),
    ):
        raise OSError(5, "Input/output error", "/far/off")
    with workspace.locked("models"):
        pass


WRITING = {
    "data remove": ("data", "remove", ADDED, "--why", "wrong"),
    "materials": ("materials", "add-shell", "Newglass", "--class", "oxide", "--source", "10.1/x"),
    "keys": ("keys", "add", "lab"),
    "predict": ("predict", "in.csv", "-o", "out.csv"),
    "rank": ("rank", "space.yaml", "-o", "ranked"),
    "evidence": ("evidence", "--core", "CsPbBr3", "--bibtex", "cited.bib"),
    "draft": ("draft", "new.yaml", "-o", "drafted.yaml"),
}


def test_every_command_that_writes_says_that_the_disk_is_full(home: Home, dataset: Dataset) -> None:
    home.store.put(dataset.entry(ADDED))
    space = "name: small\ncores: [CsPbBr3]\nshells: [SiO2, PMMA]\npl_window_nm: [500, 530]\n"
    (home.root / "space.yaml").write_text(space)
    before = home.contents()
    processes = {name: home.start(*words, code=FULL_DISK) for name, words in WRITING.items()}
    for name, process in processes.items():
        code, said = ended(process)
        *_, last = said.splitlines()
        assert (code, "Traceback" in said) == (2, False), said
        assert last.startswith("perovshell: "), said
        assert "File too large" in last, said
        assert re.search(r"\.(yaml|csv|json|bib|npz)", last), f"{name} names no file: {last}"
    assert home.contents() == before
    # Not one file is half-written.
    assert [one.name for one in home.root.glob(".*")] == []
    assert not any((home.root / name).exists() for name in ("out.csv", "cited.bib", "drafted.yaml"))


def test_a_request_log_on_a_full_disk_is_told_once_and_written_when_there_is_room(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("perovshell.service"), "propagate", True)
    path = tmp_path / "requests.jsonl"
    path.symlink_to("/dev/full")
    tally = Tally(path)
    for _ in range(3):
        tally.add(rows=2, failed=1, outside=0)
        tally.write()
    assert [one.getMessage() for one in caplog.records] == ["request log cannot be written"]
    path.unlink()
    tally.write()
    counts = json.loads(path.read_text())
    assert (counts["requests"], counts["rows"], counts["failed"]) == (3, 6, 3)


def test_a_full_request_log_becomes_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 400)
    path, older = tmp_path / "requests.jsonl", tmp_path / "requests.old.jsonl"
    workers = [Tally(path, older), Tally(path, older)]
    for number in range(20):
        workers[number % 2].add(rows=number, failed=0, outside=0)
        workers[number % 2].write()
    texts = [log.read_text() for log in (older, path) if log.exists()]
    assert max(map(len, texts)) < 600
    rows = [json.loads(line)["rows"] for text in texts for line in text.splitlines()]
    assert rows == list(range(rows[0], 20))
    assert len(rows) >= 4


FULL_LOG = """
import resource, signal, sys
from pathlib import Path
from perovshell.serve.service import logs
from perovshell.serve.service.logs import Tally
tally = Tally(Path(sys.argv[1]))
tally.add(1, 0, 0)
tally.write()
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (150, 150))
tally.add(1, 0, 0)
tally.write()
"""


def test_a_line_of_the_request_log_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    subprocess.run([sys.executable, "-c", FULL_LOG, path], check=True, capture_output=True)
    assert [json.loads(line)["rows"] for line in path.read_text().splitlines()] == [1]


def full(_: int) -> None:
    raise OSError(28, "No space left on device")


# Two at once ---------------------------------------------------------------------------------


def test_a_second_retraining_is_told_at_once(home: Home) -> None:
    with home.workspace.locked("models"):
        code, said = ended(home.start("retrain"))
    assert code == 2
    assert "another process is changing its models; wait until it is done, or give --wait" in said


def test_a_second_retraining_may_wait(home: Home) -> None:
    with home.workspace.locked("models"):
        second = home.start("retrain", "--wait")
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=4)
    code, said = ended(second)
    assert code == 0, said


def test_who_waits_gets_the_lock_when_it_is_free(tmp_path: Path) -> None:
    workspace, got = WorkspaceFolder(tmp_path), threading.Event()

    def wait() -> None:
        with workspace.locked("models", wait=True):
            got.set()

    other = threading.Thread(target=wait)
    with workspace.locked("models"):
        other.start()
        assert not got.wait(1.5)
    assert got.wait(60)
    other.join()


# Damaged files -------------------------------------------------------------------------------


DAMAGES = {
    "one bit": lambda text: bytes([*text[:200], text[200] ^ 1, *text[201:]]),
    "cut off": lambda text: text[: len(text) // 2],
    "not UTF-8": lambda text: text.replace(b"SiO2", b"Si\xff2"),
    "changed by hand": lambda text: text.replace(b"percent: 80", b"percent: 90"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_paper_is_named_left_alone_and_the_rest_works(
    home: Home, dataset: Dataset, run, damage
) -> None:
    path = home.store.put(dataset.entry(ADDED))
    path.write_bytes(damaged := damage(path.read_bytes()))
    code, _, said = run(home, "data", "check")
    assert (code, f"{ADDED}.yaml" in said) == (2, True)
    code, _, said = run(home, "retrain")
    assert (code, f"not used: {path}" in said) == (0, True)
    code, _, said = run(home, "add", str(home.root / "new.yaml"), "--yes")
    assert (code, f"not used: {ADDED}.yaml" in said) == (0, True)
    code, _, _ = run(home, "predict", str(home.root / "in.csv"), "-o", "out.csv")
    assert code == 0
    assert path.read_bytes() == damaged


def test_a_damaged_paper_can_be_added_again(home: Home, dataset: Dataset, run) -> None:
    path = home.store.put(dataset.entry(NEW))
    whole = path.read_bytes()
    path.write_bytes(whole[:-9])
    code, _, said = run(home, "add", str(home.root / "new.yaml"), "--yes")
    assert (code, "needs --replace" in said) == (2, True)
    code, _, said = run(home, "add", str(home.root / "new.yaml"), "--yes", "--replace")
    assert code == 0, said
    assert path.read_bytes() == whole


@pytest.mark.parametrize("content", ["", "{}", "[{", "null", '[{"model_id": "../up"}]'])
def test_a_damaged_champion_file_is_named_and_left_alone(home: Home, run, content: str) -> None:
    path = home.workspace.models / "champions.json"
    path.write_text(content)
    for words in (("retrain",), ("models", "list"), ("models", "rollback")):
        code, _, said = run(home, *words)
        assert code == 2
        assert said.startswith(f"perovshell: {path}: cannot be read")
    assert path.read_text() == content


def test_a_version_lost_from_the_history_is_not_written_over(home: Home, dataset: Dataset) -> None:
    entry = dataset.entry(ADDED)
    home.store.put(entry)
    for title in ("second", "third", "fourth"):
        home.store.put(replace(entry, paper={**entry.paper, "title": title}), replace=True)
    first, _, third = [version.path for version in home.store.versions(ADDED)]
    first.unlink()
    before = third.read_bytes()
    home.store.put(entry, replace=True)
    assert third.read_bytes() == before
    assert [version.path.name for version in home.store.versions(ADDED)][-1] == f"{ADDED}.4.yaml"


# What killed processes leave -----------------------------------------------------------------


def left_over(home: Home) -> list[str]:
    names = (path.name for path in home.workspace.root.rglob(".*"))
    return sorted(name for name in names if name not in LOCKS)


def test_half_written_files_go_with_the_next_lock_and_no_others(home: Home) -> None:
    report = home.workspace.reports / "retrain-0123456789ab"
    report.mkdir()
    (home.workspace.models / ".champions.json-0a1b_2cd").write_text("[")
    (report / ".promotion.html-0a1b_2cd").write_text("<")
    uploaded = home.workspace.root / "mlartifacts" / "0a1b" / "artifacts" / "plots"
    uploaded.mkdir(parents=True)
    (uploaded / ".artifact.uploading.0a1b2cd").write_text("mlflow's own")
    home.store.history.mkdir()
    (home.workspace.papers / ".hu2018.yaml-0a1b_2cd").write_text("#")
    (home.store.history / ".hu2018.1.yaml-0a1b_2cd").write_text("#")
    (home.workspace.papers / ".notes-of-mine.yaml").write_text("mine")
    with home.workspace.locked("models"):
        assert left_over(home) == [
            ".hu2018.1.yaml-0a1b_2cd", ".hu2018.yaml-0a1b_2cd", ".notes-of-mine.yaml",
        ]  # fmt: skip
    with home.workspace.locked("papers"):
        assert left_over(home) == [".notes-of-mine.yaml"]


@pytest.mark.parametrize("hours", [-24, 0, 24])
def test_a_model_folder_in_the_making_stays_until_its_maker_is_gone_whatever_the_clock(
    home: Home, hours: float
) -> None:
    then = time.time() + hours * 3600
    with hidden_folder(home.workspace.models) as folder:
        os.utime(folder, (then, then))
        with home.workspace.locked("models"):
            assert folder.is_dir()
    abandoned = home.workspace.models / ".writing-0a1b_2cd"
    (abandoned / "model").mkdir(parents=True)
    os.utime(abandoned, (then, then))
    with home.workspace.locked("models"):
        assert not abandoned.exists()


def test_a_file_in_the_making_stays_and_what_a_killed_process_left_beside_it_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, mine = tmp_path / "a.csv", [".a.csv-20261129", ".a.csv-notes"]
    for name in [".a.csv-a0b1c2d3", *mine]:
        (tmp_path / name).write_text("half")
    whole, seen = os.fsync, []

    def meanwhile(handle: int) -> None:
        whole(handle)
        if not seen:
            seen.append("")
            write_atomically(path, b"second")

    monkeypatch.setattr("os.fsync", meanwhile)
    write_atomically(path, b"first")
    assert path.read_bytes() == b"first"
    assert sorted(one.name for one in tmp_path.iterdir()) == [*mine, "a.csv"]


def test_a_rollback_killed_on_its_way_is_finished_by_the_next(two: Home) -> None:
    first = two.workspace.promotions[-1].previous
    with tracking(two.workspace, "") as mlflow:
        mlflow.MlflowClient().set_registered_model_alias(NAME, CHAMPION, "1")
    assert roll_back(two.workspace, "worse").model_id == first
    assert two.workspace.champion_id == first == registered_champion(two)
    with pytest.raises(WorkspaceError, match="no champion before"):
        roll_back(two.workspace, "again")


def test_a_promotion_killed_on_its_way_is_finished_by_the_next(two: Home) -> None:
    first = two.workspace.promotions[-1].previous
    with tracking(two.workspace, "") as mlflow:
        mlflow.MlflowClient().set_registered_model_alias(NAME, CHAMPION, "1")
    assert align(two.workspace).startswith(f"The champion is now {first}")
    assert two.workspace.champion_id == first


def registered_champion(home: Home) -> str:
    with tracking(home.workspace, "") as mlflow:
        version = version_with(mlflow, CHAMPION)
    assert version is not None
    return version.model_id
