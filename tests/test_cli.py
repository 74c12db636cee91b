"""The command line as a user meets it: real processes, exit codes, no tracebacks."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bibtexparser
import pytest
import rispy
import typer
from typer.testing import CliRunner

import perovshell
from perovshell.cli import app
from perovshell.data.dataset import Dataset
from perovshell.data.tables import bundled_rows
from perovshell.models.answer_details import detailed
from perovshell.models.outputs import bound_columns
from perovshell.serve.report.tables import ranking_json
from perovshell.serve.space.preset import presets
from perovshell.targets.target import NOT_REACHED
from perovshell.workspace.folder import WorkspaceFolder

LITERATURE = Path(perovshell.__file__).parent / "data" / "literature"


def run(*arguments: str, cwd: Path, code: int = 0) -> str:
    """Run the command line; return what it printed (of errors too)."""
    done = subprocess.run(
        [sys.executable, "-m", "perovshell", *arguments],
        cwd=cwd, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if code == 2:
        assert len(done.stderr.strip().splitlines()) >= 1
        assert not done.stdout
    return done.stdout + done.stderr


@pytest.fixture
def home(session_workspace: WorkspaceFolder, trained: object) -> str:
    return str(session_workspace.root)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text("core,shell\nCsPbBr3,SiO2\nFAPbBr3,PMMA\n")
    return path


def dataset_copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LITERATURE, tmp_path / "data"))


def edit(path: Path, row: int, **cells: str) -> None:
    """Change cells of a CSV file; row 0 is the first below the header."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows[row].update(cells)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


# Streams -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "code"),
    [("draft - -o out.yaml <&-", 2), ("data list >&-", 0), ("data show nowhere 2>&-", 2)],
)
def test_standard_streams_may_be_closed(tmp_path: Path, command: str, code: int) -> None:
    words = f"{sys.executable} -m perovshell {command}"
    done = subprocess.run(["sh", "-c", words], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == code
    assert (b"no text in it" in done.stderr) == command.startswith("draft")


def test_a_ranking_needs_no_error_stream(tmp_path: Path, home: str) -> None:
    (tmp_path / "two.yaml").write_text(
        "cores: [CsPbBr3]\nshells: [SiO2, ZnS]\npl_window_nm: [500, 540]\n"
    )
    words = f"{sys.executable} -m perovshell rank two.yaml --workspace {home} -o report 2>&-"
    done = subprocess.run(["sh", "-c", words], cwd=tmp_path, stdout=subprocess.PIPE, check=True)
    assert b"Report: report" in done.stdout


# Help ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [(), ("train",), ("evaluate",), ("predict",), ("rank",), ("data",), ("data", "check"),
     ("data", "list"), ("data", "show"), ("models",), ("models", "list"), ("models", "show")],
)  # fmt: skip
def test_each_command_explains_itself(command: tuple[str, ...], tmp_path: Path) -> None:
    assert "Usage: " in run(*command, "--help", cwd=tmp_path)


def test_the_version_is_the_package_s(tmp_path: Path) -> None:
    assert run("--version", cwd=tmp_path).strip() == perovshell.__version__


# Predict -------------------------------------------------------------------------------------


def test_predict_answers_a_file(home: str, table: Path, tmp_path: Path) -> None:
    printed = run("predict", "in.csv", "-o", "out.csv", "--workspace", home, cwd=tmp_path)
    assert "2 of 2 rows answered by model " in printed
    with (tmp_path / "out.csv").open(newline="") as file:
        assert [row["error"] for row in csv.DictReader(file)] == ["", ""]


def test_one_combination_is_predicted_without_a_file(home: str, tmp_path: Path) -> None:
    ask = ["predict", "--core", "CsPbBr3", "--shell", "SiO2", "--stressors", "water"]
    printed = run(
        *ask, "--input", "structure=janus", "--reasons", "--workspace", home, cwd=tmp_path
    )
    lines = printed.splitlines()
    assert lines[:2] == ["CsPbBr3 / SiO2", "Measured:"]
    assert lines.index("Measured:") < lines.index("Predicted, with 90 % intervals:")
    assert "gain 6.52 to 9.3" in printed
    data = json.loads(run(*ask, "--json", "--workspace", home, cwd=tmp_path))
    model, row = perovshell.load(workspace=home), {"core": "CsPbBr3", "shell": "SiO2"}
    [answer] = model.answer([row], stressors=["water"])
    expected = json.loads(json.dumps(detailed(model.predictor, row, answer, ["water"])))
    assert expected["details"]["reasons"]
    assert {name: data[name] for name in expected} == expected
    assert not list(tmp_path.iterdir())
    run(*ask, "--bibtex", "papers.bib", "--workspace", home, cwd=tmp_path)
    written = bibtexparser.loads((tmp_path / "papers.bib").read_text()).entries
    expected = perovshell.Workspace(home).citations(answer_papers(home))
    assert len(written) == len(bibtexparser.loads(expected).entries) > 10


def answer_papers(home: str) -> tuple[str, ...]:
    rows = [{"core": "CsPbBr3", "shell": "SiO2"}]
    return perovshell.load(workspace=home).answer(rows, stressors=["water"])[0].papers


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--core", "CsPbBr"], "not neutral"),
        (["--core", "CsPbBr3", "in.csv"], "leave out the file"),
        (
            ["--core", "CsPbBr3", "--input", "structur=janus"],
            "NAME=VALUE is needed; names: structure",
        ),
        (["--core", "CsPbBr3", "--input", "structure"], "NAME=VALUE is needed"),
        ([], "name IN.csv and -o OUT.csv, or --core and --shell"),
        (["in.csv", "-o", "out.csv", "--ris", "a.ris"], "--ris: only with --core"),
        (
            ["in.csv", "-o", "out.csv", "--shell", "SiO2", "--input", "structure=janus"],
            "--shell, --input: only with --core",
        ),
        (["--core", "CsPbBr3", "--input", "core=CsPbI3"], "--input core=CsPbI3: write --core"),
        (
            ["--core", "CsPbBr3", "--input", "medium=film", "--input", "medium=water"],
            "--input medium=water: medium is film already",
        ),
        (["--core", "CsPbBr3", "--rename-clashes"], "--rename-clashes: not with --core"),
    ],
)
def test_what_predict_cannot_read_is_told(arguments, told, home: str, tmp_path: Path) -> None:
    assert told in run("predict", *arguments, "--workspace", home, cwd=tmp_path, code=2)


def test_the_probabilities_of_thresholds_are_printed(home: str, tmp_path: Path) -> None:
    thresholds = ["--pl-window", "510-540", "--plqy-above", "80", "--gain-above", "5"]
    ask = ["predict", "--core", "CsPbBr3", "--shell", "SiO2", "--stressors", "water,light"]
    lines = run(*ask, *thresholds, "--workspace", home, cwd=tmp_path).splitlines()
    for name in (
        "PL peak within 510 to 540 nm",
        "PLQY above 80 %",
        "stability gain under water above 5",
        "stability gain under light above 5",
    ):
        assert sum(line.startswith(f"P({name}): ") for line in lines) == 1


def test_predict_tells_scripts_in_json(home: str, table: Path, tmp_path: Path) -> None:
    printed = run("predict", "in.csv", "-o", "o.csv", "--workspace", home, "--json", cwd=tmp_path)
    summary = json.loads(printed)
    assert (summary["schema_version"], summary["rows"], summary["failed"]) == (1, 2, 0)
    assert len(summary["dataset_hash"]) == 64
    ask = ["predict", "--core", "CsPbBr3", "--json", "--workspace", home]
    answer = json.loads(run(*ask, cwd=tmp_path))
    assert answer["schema_version"] == 1
    assert all(answer[name] == summary[name] for name in ("model_id", "dataset_hash"))


def test_answers_on_the_standard_output_are_a_table_and_nothing_else(
    home: str, table: Path, tmp_path: Path
) -> None:
    words = ["predict", "in.csv", "-o", "/dev/stdout", "--workspace", home]
    done = subprocess.run(
        [sys.executable, "-m", "perovshell", *words],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert [row["error"] for row in csv.DictReader(done.stdout.splitlines())] == ["", ""]
    assert done.stderr.startswith("2 of 2 rows answered by model ")


def test_the_input_is_never_overwritten(home: str, table: Path, tmp_path: Path) -> None:
    before = table.read_bytes()
    printed = run("predict", "in.csv", "-o", "./in.csv", "--workspace", home, cwd=tmp_path, code=2)
    assert printed.count("\n") == 1
    assert "is an input (in.csv) and would be overwritten" in printed
    assert table.read_bytes() == before


def test_a_backtest_overwrites_no_data(tmp_path: Path) -> None:
    data = dataset_copy(tmp_path)
    words = ["backtest", "--data", "data", "-o", "data/samples.csv", "--workspace", "home"]
    assert "is an input (data)" in run(*words, cwd=tmp_path, code=2)
    assert (data / "samples.csv").read_bytes() == (LITERATURE / "samples.csv").read_bytes()


def test_predict_answers_thresholds_and_gives_reasons(
    home: str, table: Path, tmp_path: Path
) -> None:
    thresholds = ("--pl-window", "510-540", "--plqy-above", "80", "--gain-above", "5", "--reasons")
    run("predict", "in.csv", "-o", "out.csv", "--workspace", home, *thresholds, cwd=tmp_path)
    with (tmp_path / "out.csv").open(newline="") as file:
        row = next(csv.DictReader(file))
    for name in ("p_pl_in_window", "p_plqy_above", "p_stability_gain_above_water"):
        assert 0 < float(row[name]) < 1
    assert "PL peak, from the literature's mean of" in row["reasons"]


def test_a_row_that_cannot_be_answered_is_exit_code_1(
    home: str, table: Path, tmp_path: Path
) -> None:
    table.write_text("core,shell\nCsPbBr3,SiO2\nCsPbBr4,SiO2\n")
    printed = run("predict", "in.csv", "-o", "o.csv", "--workspace", home, cwd=tmp_path, code=1)
    assert "1 of 2 rows answered" in printed
    assert (tmp_path / "o.csv").is_file()


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("core\nCsPbBr3\n", (), "in.csv, row 1, column shell: this column is missing"),
        ("core,shell\n", (), "in.csv, row 1: no rows"),
        ("", (), "in.csv"),
        ("core,shell\nCsPbBr3,SiO2\n", ("--stressors", "cold"), "'cold'"),
        ("core,shell\nCsPbBr3,SiO2\n", ("--coverage", "1.5"), "coverage"),
        ("core,shell\nCsPbBr3,SiO2\n", ("--pl-window", "green"), "'green'"),
        ("core,shell\nCsPbBr3,SiO2\n", ("--gain-above", "1"), "gain_above 1.0: a factor"),
        ("core,shell\nCsPbBr3,SiO2\n", ("--model", "nowhere"), "nowhere"),
    ],
)
def test_a_faulty_request_is_one_line_and_exit_code_2(
    home: str, table: Path, tmp_path: Path, content: str, options: tuple[str, ...], said: str
) -> None:
    table.write_text(content)
    where = ("--workspace", home)
    printed = run("predict", "in.csv", "-o", "o.csv", *where, *options, cwd=tmp_path, code=2)
    assert printed.startswith("perovshell: ")
    assert len(printed.splitlines()) == 1
    assert said in printed
    assert not (tmp_path / "o.csv").exists()


def test_a_missing_file_and_a_missing_champion_are_named(
    home: str, table: Path, tmp_path: Path
) -> None:
    printed = run("predict", "no.csv", "-o", "o.csv", "--workspace", home, cwd=tmp_path, code=2)
    assert "no.csv" in printed
    printed = run("predict", "in.csv", "-o", "o.csv", "--workspace", "new", cwd=tmp_path, code=2)
    assert "workspace new: no champion model; make one with 'perovshell train'" in printed


@pytest.mark.parametrize(
    ("damage", "said"),
    [("byte", "pl.npz is damaged"), ("format", "is newer"), ("missing", "pl.npz is missing"),
     ("foreign", "manifest.json")],
)  # fmt: skip
def test_a_model_folder_that_cannot_be_trusted_is_refused(
    home: str, model_folder: Path, table: Path, tmp_path: Path, damage: str, said: str
) -> None:
    copy = Path(shutil.copytree(model_folder, tmp_path / "model"))
    if damage == "byte":
        content = bytearray((copy / "pl.npz").read_bytes())
        content[100] ^= 1
        (copy / "pl.npz").write_bytes(content)
    elif damage == "format":
        manifest = json.loads((copy / "manifest.json").read_text())
        (copy / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    else:
        (copy / ("pl.npz" if damage == "missing" else "manifest.json")).unlink()
    printed = run("predict", "in.csv", "-o", "o.csv", "--model", "model", cwd=tmp_path, code=2)
    assert said in printed
    assert len(printed.splitlines()) == 1


# Rank ----------------------------------------------------------------------------------------


def test_rank_prints_both_lists_with_papers_and_writes_a_report(home: str, tmp_path: Path) -> None:
    files = ["--bibtex", "papers.bib", "--ris", "papers.ris"]
    printed = run("rank", "-o", "report", *files, "--workspace", home, cwd=tmp_path)
    lines = printed.splitlines()
    measured, ideas = (
        next(at for at, line in enumerate(lines) if line.startswith(title))
        for title in ("Measured: ", "Worth trying: ")
    )
    assert measured < ideas
    assert sum(line[:3].strip().isdigit() for line in lines[measured:ideas]) == 10
    ranks = [line[:3].strip() for line in lines[ideas:] if line[3:5] == "  " and " / " in line]
    assert ranks == [str(rank) for rank in range(1, 11)]
    assert sum(line.strip().startswith("papers: ") for line in lines[ideas:]) >= 8
    assert "10.1021/jacs.7b11003" in "".join(lines[measured:ideas])
    keys = set(bibtexparser.loads((tmp_path / "papers.bib").read_text()).entries_dict)
    assert {record["id"] for record in rispy.loads((tmp_path / "papers.ris").read_text())} == keys
    assert "lta2021" in keys
    assert (tmp_path / "report" / "report.html").is_file()
    assert (tmp_path / "report" / "ranking.csv").is_file()


def test_rank_tells_scripts_in_json(home: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "perovshell", "rank", "--json", "--top", "3", "--batch", "2",
         "--workspace", home, "-o", "report"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    data = json.loads(done.stdout)
    model = perovshell.load(workspace=home)
    assert data["schema_version"] == 1
    assert data["model"]["id"] == model.info.model_id
    assert data["model"]["dataset_hash"] == model.info.dataset["hash"]
    ranking = perovshell.rank("green-emitter", model=model, top=3, batch=2)
    assert len(ranking.batch) == 2
    expected = json.loads(json.dumps(ranking_json(ranking)))
    assert {name: data[name] for name in expected} == expected
    assert data.keys() - expected == {"model", "report", "csv"}
    for lines in (data["measured"], data["candidates"]):
        assert [line["rank"] for line in lines] == [1, 2, 3]
        for line in lines:
            assert {line[name] for name in bound_columns(["water"])} <= {"", *NOT_REACHED}
            assert {"core", "shell", "score"} <= line.keys()
            names = ("combination_papers", "shell_papers", "flags", "ties")
            assert all(isinstance(line[name], list) for name in names)
    assert all(line["combination_papers"] for line in data["measured"])


def test_json_has_a_version_and_documented_keys(home: str, table: Path, tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "reference" / "json.md").read_text()
    paper = str(filled_template(tmp_path))
    for command in (
        ("predict", "in.csv", "-o", "out.csv"),
        ("rank", "--top", "1", "-o", "report"),
        ("evidence", "--core", "CsSnI3"),
        ("models", "list"),
        ("models", "show"),
        ("add", paper, "--dry-run"),
    ):
        words = [sys.executable, "-m", "perovshell", *command, "--json", "--workspace", home]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
        data = json.loads(done.stdout)
        assert next(iter(data)) == "schema_version"
        assert data["schema_version"] == 1
        assert [name for name in data if f"`{name}`" not in page] == []


def commands_of(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, bool]]:
    """Yield each command, and whether it has the option `--json`."""
    for name, command in group.commands.items():
        words = (*path, name)
        if hasattr(command, "commands"):
            yield from commands_of(command, words)
        else:
            options = {option for one in command.params for option in one.opts}
            yield " ".join(words), "--json" in options


def test_every_command_prints_json_for_scripts() -> None:
    found = dict(commands_of(typer.main.get_command(app)))
    assert {name for name, has_json in found.items() if not has_json} == {"data template", "serve"}
    page = (Path(__file__).parents[1] / "docs" / "reference" / "json.md").read_text()
    assert [name for name, has_json in found.items() if has_json and f"`{name}" not in page] == []


def test_json_of_what_is_listed_checked_and_changed(home: str, tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "reference" / "json.md").read_text()
    copy = tmp_path / "home"
    shutil.copytree(home, copy)
    champion = WorkspaceFolder(copy).champion_id
    (tmp_path / "abstract.txt").write_text("A title. The CsPbBr3@SiO2 NCs emit at 518 nm.")

    def said(*command: str) -> dict[str, Any]:
        place = () if command[0] == "draft" else ("--workspace", str(copy))
        done = CliRunner().invoke(app, [*command, "--json", *place])
        assert done.exit_code == 0, done.output
        data: dict[str, Any] = json.loads(done.stdout)
        assert data.pop("schema_version") == 1
        assert [name for name in data if f"`{name}`" not in page] == []
        return data

    assert said("data", "check")["papers"] == len(Dataset.bundled().papers)
    [listed] = said("data", "list", "hu2018")["papers"]
    assert listed["paper_id"] == "hu2018"
    assert said("data", "show", "hu2018")["samples"][0]["paper_id"] == "hu2018"
    assert "Al2O3" in {row["name"] for row in said("data", "shells", "oxide")["shells"]}
    assert said("data", "remove", "hu2018", "--why", "a test")["out"] == ["hu2018"]
    shell = ("PVK", "--class", "polymer", "--source", "10.1000/x")
    assert said("materials", "add-shell", *shell)["row"]["name"] == "PVK"
    assert said("materials", "list")["shells"][0]["name"] == "PVK"
    assert [row["name"] for row in said("data", "shells", "PVK")["shells"]] == ["PVK"]
    assert said("materials", "show", "SiO2")["rows"][0]["class"] == "oxide"
    assert said("materials", "check")["shells"] == 1
    compared = said("models", "compare", champion, str(copy / "models" / champion))["comparisons"]
    assert compared[0]["better_by"] == [0.0, 0.0, 0.0]
    assert said("keys", "add", "lab")["key"]
    assert said("keys", "list")["keys"] == ["lab"]
    assert said("keys", "remove", "lab") == {"removed": "lab"}
    drafted = said("draft", str(tmp_path / "abstract.txt"), "-o", str(tmp_path / "paper.yaml"))
    assert drafted["paper"]["samples"][0]["core"] == "CsPbBr3"


def test_the_presets_are_named_in_the_help(tmp_path: Path) -> None:
    text = " ".join(run("rank", "--help", cwd=tmp_path).split())
    assert all(name in text for name in presets())


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (("--show", "pl"), "--show: only with --plot"),
        (("--show", "nonsense"), "--show: only with --plot"),
        (("--show", "nonsense", "--plot", "p.svg"), "'nonsense': allowed: stability, pl, plqy"),
        (("--core", "CsSnI3", "--plot", "p.svg"), "nothing to plot"),
    ],
)
def test_what_evidence_would_not_show_is_refused(
    options: tuple[str, ...], fault: str, tmp_path: Path
) -> None:
    ask = ["evidence", *options, "--bibtex", "a.bib", "--workspace", "ws"]
    assert fault in run(*ask, cwd=tmp_path, code=2)
    assert not list(tmp_path.iterdir())


def test_an_unwritable_folder_is_refused_before_work_begins(home: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    printed = run("rank", "-o", "file/report", "--workspace", home, cwd=tmp_path, code=2)
    assert "file/report: cannot be written" in printed


GRID = """
name: {name}
cores:
  A: {{ions: [Cs, FA, MA, Rb], step: {step}, at_most: 4}}
  B: {{ions: [Pb, Sn, Ge], step: {step}, at_most: 3}}
  X: {{ions: [Cl, Br, I], step: {step}, at_most: 3}}
shells: {{names: all known, layers: {layers}}}
pl_window_nm: [515, 535]
"""

CONTRADICTION = """
cores: [CsPbBr3]
shells: [Au, KBr]
weights: {plqy: 1}
constraints: {no_quenching_shell: true, insoluble_in_water: true}
"""


@pytest.mark.parametrize(
    ("space", "options", "said"),
    [
        ("cores: [CsPbBr3]\npl_window_nm: [535, 515]", (), "the first must be below the second"),
        ("cores: [CsPbBr3]\nshells: [ZrO22]\npl_window_nm: [515, 535]", (), "ZrO2"),
        (GRID.format(name="a", step=0.3, layers=1), (), "line 4, key cores.A.step: 0.3: a number"),
        (
            GRID.format(name="huge", step=0.01, layers=2), (),
            "147,006,708,015,376,179 combinations ... take larger steps, or set --yes",
        ),
        (
            "cores: {A: {ions: [Cs]}, B: {ions: [Bi]}, X: {ions: [Br]}}\npl_window_nm: [515, 535]",
            (), "key cores: none of the 1 cores of the grid is neutral",
        ),
        (
            CONTRADICTION,
            (), "leave nothing of 2: insoluble_in_water 1, no_quenching_shell 1",
        ),
        (
            "cores: [CsPbBr3]\npl_window_nm: [515, 535]",
            ("--engine", "dask", "--scheduler", "nonsense"), "'nonsense': cannot be reached",
        ),
        (
            "cores: [CsPbBr3]\npl_window_nm: [515, 535]",
            ("--engine", "dask", "--scheduler", "tcp://127.0.0.1:1", "--jobs", "4"),
            "--jobs: not with --scheduler",
        ),
        ("cores: [CsPbBr3]\npl_window_nm: [515, 535]", ("--resume",), "nothing to go on from"),
        ("cores: [CsPbBr3]\npl_window_nm: [515, 535]", ("--order-by", "luck"), "order_by 'luck'"),
    ],
)  # fmt: skip
def test_rank_says_what_is_wrong_before_work_begins(
    home: str, tmp_path: Path, space: str, options: tuple[str, ...], said: str
) -> None:
    (tmp_path / "space.yaml").write_text(space)
    printed = run(
        "rank", "space.yaml", "-o", "report", "--workspace", home, *options, cwd=tmp_path, code=2
    )
    assert all(part in printed for part in said.split(" ... "))
    assert not (tmp_path / "report").exists()


def interrupted(command: list[str], cwd: Path, seconds: float) -> tuple[str, int]:
    """Start a command, interrupt its whole group of processes; return what it printed, its code."""
    with subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGINT)
            printed, _ = process.communicate(timeout=60)
        return printed, process.returncode


@pytest.mark.unmeasured
def test_control_c_keeps_what_is_ranked_and_resume_goes_on(home: str, tmp_path: Path) -> None:
    """The whole group of processes is interrupted, as a terminal does."""
    # Three tasks: some are done when it is stopped, and some are left.
    text = GRID.format(name="stopped", step=0.125, layers=1).replace(", Ge]", "]")
    (tmp_path / "space.yaml").write_text(text)
    command = [sys.executable, "-m", "perovshell", "rank", "space.yaml", "--workspace", home]
    command += ["-o", "report", "--json", "--jobs", "1"]
    for seconds in (4, 8, 16, 32):
        printed, code = interrupted(command, tmp_path, seconds)
        if printed:  # Something was found by then.
            break
    first = json.loads(printed)
    assert code == (0 if first["complete"] else 1)
    if not first["complete"]:
        assert first["statements"][0].startswith("Stopped after")
        done = subprocess.run(
            [*command, "--resume"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        first = json.loads(done.stdout)
    assert first["complete"]
    whole = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(whole.stdout) == first


# Data ----------------------------------------------------------------------------------------


def test_shells_are_listed_by_name_alias_or_class(tmp_path: Path) -> None:
    printed = run("data", "shells", cwd=tmp_path).splitlines()
    assert len(printed) == 1 + len(bundled_rows("materials", "shells.csv"))
    silica = run("data", "shells", "SILICA", cwd=tmp_path)
    assert "SiO2 " in silica
    assert "insoluble" in silica
    assert "no shell has 'gold leaf'" in run("data", "shells", "gold leaf", cwd=tmp_path, code=2)


def test_the_bundled_data_have_no_faults(tmp_path: Path) -> None:
    assert run("data", "check", cwd=tmp_path).startswith("No faults: ")


def test_a_paper_is_shown(tmp_path: Path) -> None:
    paper = bundled_rows("literature", "papers.csv")[0]
    shown = run("data", "show", paper["paper_id"], cwd=tmp_path)
    assert paper["title"] in shown
    for name in ("nobody2020", ""):
        said = run("data", "show", name, cwd=tmp_path, code=2)
        assert f"paper '{name}': neither a paper_id nor a DOI" in said


def test_all_faults_of_a_dataset_are_listed_at_once(tmp_path: Path) -> None:
    folder = dataset_copy(tmp_path)
    edit(folder / "samples.csv", 3, plqy_percent="140", role="core")
    edit(folder / "samples.csv", 5, core="CsPbBr4")
    edit(folder / "samples.csv", 7, paper_id="nobody2020")
    edit(folder / "stability.csv", 2, coated_percent_low="90", coated_percent_high="10")
    printed = run("data", "check", "data", cwd=tmp_path, code=2)
    for said in ("140", "CsPbBr4", "nobody2020", "stability.csv"):
        assert said in printed


def test_training_on_faulty_data_writes_no_model(tmp_path: Path) -> None:
    folder = dataset_copy(tmp_path)
    edit(folder / "samples.csv", 0, core_size_nm="large")
    printed = run("train", "--data", "data", "--workspace", "ws", cwd=tmp_path, code=2)
    assert "samples.csv, row 2, column core_size_nm" in printed
    assert not list((tmp_path / "ws" / "models").iterdir())
    printed = run("evaluate", "--data", "data", "--workspace", "ws", cwd=tmp_path, code=2)
    assert "samples.csv, row 2, column core_size_nm" in printed


def test_a_workspace_that_is_not_writable_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    printed = run("train", "--quick", "--workspace", "file/ws", cwd=tmp_path, code=2)
    assert "workspace file/ws: not writable" in printed


# Models --------------------------------------------------------------------------------------


def test_models_are_listed_and_shown(home: str, model_folder: Path, tmp_path: Path) -> None:
    listed = run("models", "list", "--workspace", home, cwd=tmp_path)
    assert f"{model_folder.name}  " in listed
    assert "307 papers" in listed
    assert "  champion\n" in listed
    assert f"{model_folder.name} became champion: the first" in listed
    listed = json.loads(run("models", "list", "--json", "--workspace", home, cwd=tmp_path))
    assert [one["model_id"] for one in listed["models"]] == [model_folder.name]
    assert listed["champion"] == listed["promotions"][-1]["model_id"] == model_folder.name
    shown = run("models", "show", "--workspace", home, cwd=tmp_path)
    for words in ("PL peak, all", "Data:", "What has skill:", "Limits:", "How it was made:"):
        assert words in shown
    detail = json.loads(run("models", "show", "--json", "--workspace", home, cwd=tmp_path))
    assert detail["model_id"] == model_folder.name


# New papers ----------------------------------------------------------------------------------


def filled_template(tmp_path: Path) -> Path:
    text = run("data", "template", cwd=tmp_path)
    text = text.replace("\npaper_id:\n", "\npaper_id: smith2026\n")
    path = tmp_path / "paper.yaml"
    path.write_text(text.replace("\ndoi:\n", "\ndoi: 10.1234/smith\n"))
    return path


def test_a_text_becomes_a_paper_file(tmp_path: Path) -> None:
    text = tmp_path / "abstract.txt"
    text.write_text("A title\n\nCsPbBr3@SiO2 core/shell NCs emit at 518 nm.")
    printed = run("draft", "abstract.txt", "-o", "paper.yaml", "--paper-id", "a2026", cwd=tmp_path)
    assert printed.startswith("1 sample, 1 value, 0 stability tests; 0 unclear statements")
    assert "pl_peak_nm: 518 nm" in (tmp_path / "paper.yaml").read_text()
    refused = run("draft", "abstract.txt", "-o", "abstract.txt", cwd=tmp_path, code=2)
    assert "would be overwritten" in refused
    missing = run("draft", "none.txt", "-o", "paper.yaml", cwd=tmp_path, code=2)
    assert "no such file" in missing


def test_a_draft_goes_through_pipes(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "perovshell", "draft", "-", "-o", "/dev/stdout"],
        cwd=tmp_path, input="CsPbBr3@SiO2 NCs emit at 518 nm.", capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.startswith("# A draft.")
    assert done.stdout.count("pl_peak_nm: 518 nm") == 1
    assert done.stderr.startswith("1 sample, 1 value")


def test_a_paper_is_asked_about_added_shown_and_removed(home: str, tmp_path: Path) -> None:
    paper, own = filled_template(tmp_path), ["--workspace", str(tmp_path / "own")]
    asked = run("add", str(paper), *own, cwd=tmp_path, code=2)
    assert "no confirmation received; nothing was added; --yes adds without asking" in asked
    assert "308 papers" in run("add", str(paper), "--yes", *own, cwd=tmp_path)
    again = run("add", str(paper), "--yes", *own, cwd=tmp_path, code=2)
    assert "in the workspace already, word for word: smith2026" in again
    assert "1 paper of the workspace" in run("data", "check", *own, cwd=tmp_path)
    paper.write_text(paper.read_text().replace("pl_peak_nm: 515", "pl_peak_nm: 516"))
    replaced = run("add", str(paper), "--replace", "--yes", *own, cwd=tmp_path)
    assert "changed: smith2026-CsPbBr3-SiO2: pl_peak_nm 515 -> 516" in replaced
    run("data", "remove", "smith2026", "--why", "only a trial", *own, cwd=tmp_path)
    shown = run("data", "show", "smith2026", *own, cwd=tmp_path)
    assert "not in the data" in shown
    assert "only a trial" in shown
    assert Dataset.bundled().content_hash in run("data", "check", *own, cwd=tmp_path)


def test_a_dry_run_of_an_addition_shows_it_and_adds_nothing(home: str, tmp_path: Path) -> None:
    paper, own = filled_template(tmp_path), ["--workspace", str(tmp_path / "own")]
    shown = run("add", str(paper), "--dry-run", *own, cwd=tmp_path)
    assert "smith2026: understood as" in shown
    assert "Dry run, nothing is added: smith2026" in shown
    said = json.loads(run("add", str(paper), "--dry-run", "--json", *own, cwd=tmp_path)[:-1])
    assert (said["added"], said["files"]) == ([], [])
    assert "No faults: 307 papers" in run("data", "check", *own, cwd=tmp_path)


def test_papers_are_listed_and_one_that_is_not_there_is_named_with_the_nearest(
    tmp_path: Path,
) -> None:
    assert len(run("data", "list", cwd=tmp_path).splitlines()) == 307
    (line,) = run("data", "list", "JACS.7B11003", cwd=tmp_path).splitlines()
    assert line.startswith("hu2018  ")
    assert "no paper has 'gold leaf'" in run("data", "list", "gold leaf", cwd=tmp_path, code=2)
    said = run("data", "remove", "hu2081", "--why", "wrong", cwd=tmp_path, code=2)
    assert "nearest: hu2018, " in said
    assert "'perovshell data list' lists all" in said


def test_a_damaged_paper_is_named_and_left_out(home: str, tmp_path: Path) -> None:
    paper, own = filled_template(tmp_path), ["--workspace", str(tmp_path / "own")]
    run("add", str(paper), "--yes", *own, cwd=tmp_path)
    (tmp_path / "own" / "papers" / "smith2026.yaml").write_text("#")
    listed = run("data", "list", *own, cwd=tmp_path)
    assert "not used: " in listed
    assert "add the paper again with --replace" in listed


def test_an_added_paper_as_json(home: str, tmp_path: Path) -> None:
    paper, own = filled_template(tmp_path), ["--workspace", str(tmp_path / "own")]
    said = json.loads(run("add", str(paper), "--json", *own, cwd=tmp_path))
    assert said["added"] == ["smith2026"]
    assert Path(said["files"][0]).exists()


def test_retraining_needs_a_champion(tmp_path: Path) -> None:
    said = run("retrain", "--workspace", str(tmp_path / "own"), cwd=tmp_path, code=2)
    assert "no champion model; make one with 'perovshell train'" in said
