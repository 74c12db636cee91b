"""HTTP, client, Python, MLflow and command line give the same values, in every column."""

import csv
import math
import re
import subprocess
import sys
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from perovshell.client import Client
from perovshell.data.columns import SAMPLES
from perovshell.data.paper_file import read_yaml
from perovshell.errors import InputError
from perovshell.model import Model
from perovshell.models.inputs import INPUT_COLUMNS, INPUT_NUMBERS, INPUT_WORDS, INPUTS
from perovshell.serve.batch import cell
from perovshell.serve.space.file import read_space
from perovshell.texts import table_cell
from perovshell.training.tracking import track
from perovshell.training.train import TrainedModel
from perovshell.workspace.championship import ensure_champion
from perovshell.workspace.registry import tracking
from servers import serving, workspace_of

CORES = [
    "CsPbBr3", "CsPbI3", "CsPb(Br0.6I0.4)3", "FAPbBr3", "Cs0.1FA0.9PbI3", "MAPbBr3", "CsPbCl3",
    "Cs2AgInCl6", "CsSnI3", "Rb0.2Cs0.8PbBr3", "AuCu", "CsPbBr4", "CsPbX3", "nonsense", "",
]  # fmt: skip
SHELLS = [
    "SiO2", "none", "CdS|Al2O3", "silica", "ZnS", "PMMA", "TiO2", "CsPb2Br5", "unobtainium",
    "SiO2||ZnS", "",
]  # fmt: skip
EXTRAS: list[dict[str, Any]] = [
    {},
    {"bare_pl_peak_nm": 517.5},
    {"bare_plqy_percent": 62.0, "medium": "film"},
    {"core_size_nm": 6.1, "temperature_c": 60.0},
    {"ligand": "oleylamine", "morphology": "nanoplatelet"},
    {"shell_thickness_nm": 2.0, "structure": "janus"},
    {"dopant": "Mn", "encapsulation": "multi-particle"},
    {"bare_plqy_percent": 0.5, "bare_pl_peak_nm": 640.0},
    {"core_size_nm": 20000.0},
    {"medium": "soup"},
    {"structure": "bare"},
    {"temperature_c": 25.0, "medium": "water"},
    {"bare_plqy_percent": 100.0},
    {"bare_pl_peak_nm": 517, "bare_plqy_percent": 62, "core_size_nm": 6, "temperature_c": 60},
    {"ligand": "none", "dopant": "N/A"},
    {"dopant": "Na", "shell_thickness_nm": 2, "morphology": "nanowire"},
]
ROWS = [
    {"core": core, "shell": shell, **extra}
    for (core, shell), extra in islice(
        zip(cycle(product(CORES, SHELLS)), cycle(EXTRAS), strict=False), 198
    )
] + [{"core": "CsPbBr3@SiO2", "shell": ""}, {"core": "CsPbI3/PMMA", "shell": ""}]
FLAG = "TiO2 accepts electrons from the core"
PLAIN = {"core": "CsPbBr3", "shell": "SiO2"}
UNKNOWN = ["NA", "n/a", "-", "\u2013", "None", "nan", "UNKNOWN", "?", "null"]
UNKNOWN_CELLS = [(name, word) for name in INPUT_COLUMNS[2:] for word in UNKNOWN]
ROWS += [{**PLAIN, name: word} for name, word in UNKNOWN_CELLS]
"""The last rows say in words that a cell is not known."""


def texts(answers: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return answers as the command line writes them."""
    return [{name: cell(value) for name, value in answer.items()} for answer in answers]


def over_http(url: str) -> list[dict[str, Any]]:
    """Return the answers of the service, with null read as the documentation says."""
    reply = httpx2.post(f"{url}/v1/predict", json={"rows": ROWS}, timeout=60)
    found = []
    for answer in reply.json()["answers"]:
        ends = {name: math.inf if f"{name}_open" in answer else math.nan for name in answer}
        found.append(
            {
                name: ends[name] if value is None else value
                for name, value in answer.items()
                if not name.endswith("_open")
            }
        )
    return found


def by_command_line(folder: Path, model: Path) -> list[dict[str, str]]:
    columns = list(dict.fromkeys(name for row in ROWS for name in row))
    with (folder / "in.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(ROWS)
    command = [sys.executable, "-m", "perovshell", "predict", "in.csv", "-o", "out.csv"]
    done = subprocess.run(
        [*command, "--model", str(model)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr
    with (folder / "out.csv").open(newline="") as file:
        return [
            {name: text for name, text in row.items() if name not in columns}
            for row in csv.DictReader(file)
        ]


def test_every_way_gives_the_same_values(
    trained: TrainedModel, model: Model, tmp_path: Path
) -> None:
    workspace = workspace_of(trained, tmp_path / "workspace")
    wanted = model.predict(ROWS)
    flags = {flag for answer in wanted for flag in answer["flags"]}
    assert {FLAG, "bromide and iodide of the core demix under light"} <= flags
    with serving(workspace.root, tmp_path / "log") as server:
        assert repr(over_http(server.url)) == repr(wanted)
        with Client(server.url) as client:
            assert repr(client.predict(ROWS)) == repr(wanted)
    assert by_command_line(tmp_path, trained.folder) == texts(wanted)


@pytest.fixture(scope="module")
def pyfunc(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Any:
    workspace = workspace_of(trained, tmp_path_factory.mktemp("tracked"))
    ensure_champion(workspace, trained.model_id, track(trained, workspace).version)
    with tracking(workspace, "nothing is loaded") as mlflow:
        return mlflow.pyfunc.load_model("models:/perovshell@champion")


def in_table(row: dict[str, Any]) -> dict[str, Any]:
    """Return an answer as a row of a table."""
    return {name: table_cell(value) for name, value in row.items()}


def test_mlflow_gives_the_same_values(model: Model, pyfunc: Any) -> None:
    wanted = [in_table(row) for row in model.predict(ROWS)]
    for rows in (
        ROWS,
        pd.DataFrame(ROWS),
        pd.DataFrame(ROWS, index=range(7, 7 + len(ROWS)), dtype=object),
    ):
        assert repr(pyfunc.predict(rows).to_dict(orient="records")) == repr(wanted)


@pytest.mark.parametrize("column", INPUT_COLUMNS)
def test_mlflow_reads_every_column_in_every_type(model: Model, pyfunc: Any, column: str) -> None:
    frame = pd.DataFrame([{"core": "CsPbBr3@SiO2", "shell": "ZnS"}] * 2).assign(core="CsPbBr3")
    cells: list[Any] = [None, "", "none", pd.NA, math.nan, True]
    cells += [60, 60.0, "60"] if column in INPUT_NUMBERS else ["DDAB", *INPUTS[column].words]
    columns = [pd.Series([cell, cell]) for cell in cells]
    columns += [pd.Series(["a", "b"], dtype="category"), pd.Series([60, None], dtype="Int64")]
    for cells_of_column in columns:
        rows = frame.assign(**{column: cells_of_column})
        pd.testing.assert_frame_equal(pyfunc.predict(rows), model.predict(rows))


def test_mlflow_refuses_what_the_model_refuses(model: Model, pyfunc: Any) -> None:
    frame = pd.DataFrame([PLAIN])
    tables = [
        frame.assign(core_size=8, Medium="film"),
        frame.rename(columns={"core": "Core"}),
        frame[["core"]],
        [{**PLAIN, "bare_plqy": 50}],
        [("CsPbBr3", "SiO2")],
        frame.iloc[0],
    ]
    for rows in tables:
        with pytest.raises(InputError) as wanted:
            model.predict(rows)
        with pytest.raises(MlflowException, match=re.escape(str(wanted.value))):
            pyfunc.predict(rows)


def test_mlflow_reads_columns_and_a_single_row(model: Model, pyfunc: Any) -> None:
    (wanted,) = model.predict([PLAIN])
    arrays = {name: np.array(text) for name, text in PLAIN.items()}
    for rows in (PLAIN, arrays, {name: [text] for name, text in PLAIN.items()}):
        assert repr(pyfunc.predict(rows).to_dict(orient="records")) == repr([in_table(wanted)])


def test_mlflow_describes_every_input(pyfunc: Any) -> None:
    described = pyfunc.metadata.metadata["inputs"]
    assert described == {name: one.allowed for name, one in INPUTS.items()}


def test_whole_numbers_in_every_column_are_read_alike(model: Model, pyfunc: Any) -> None:
    percent_or_celsius = {"bare_plqy_percent": 60, "temperature_c": 60}
    whole = dict.fromkeys(INPUT_NUMBERS, 500) | percent_or_celsius
    frame = pd.DataFrame([{"core": "CsPbBr3", "shell": "SiO2", **whole, "ligand": 0, "dopant": 0}])
    assert {str(frame[name].dtype) for name in (*INPUT_NUMBERS, "ligand")} == {"int64"}
    wanted = model.predict(frame.astype(dict.fromkeys(INPUT_NUMBERS, float)))
    assert not wanted["error"].any()
    pd.testing.assert_frame_equal(model.predict(frame), wanted)
    pd.testing.assert_frame_equal(pyfunc.predict(frame), wanted)


def test_words_for_not_known_are_empty_cells(model: Model) -> None:
    # Without a shell `none` is one word of several: it says that nothing encapsulates the core.
    words = {("encapsulation", "None"): {**PLAIN, "encapsulation": "none"}}
    wanted = model.predict([words.get(cell, PLAIN) for cell in UNKNOWN_CELLS])
    assert repr(model.predict(ROWS[-len(UNKNOWN_CELLS) :])) == repr(wanted)


@pytest.mark.parametrize("column", INPUT_WORDS)
def test_words_for_not_known_are_the_defaults_of_a_design_space(model: Model, column: str) -> None:
    reader = model.predictor.featurizer.reader
    key = "structures" if column == "structure" else column
    space = {"cores": ["CsPbBr3"], "shells": ["SiO2"], "weights": {"plqy": 1}}
    usual = read_space({**space, "sizes_nm": ["unknown"]}, reader)
    for word in UNKNOWN:
        is_a_word = word.casefold() in INPUT_WORDS[column]
        asked = read_space({**space, key: word, "sizes_nm": [word]}, reader)
        written = read_space({**space, key: word.casefold()}, reader) if is_a_word else usual
        assert asked == written


def test_words_for_not_known_are_left_out_of_a_paper_file() -> None:
    for name, word in UNKNOWN_CELLS:
        if word.casefold() not in INPUT_WORDS.get(name, ()) and name in SAMPLES.by_name:
            with_word = read_yaml(paper(f"{name}: '{word}'"), "a.yaml")
            without = read_yaml(paper("medium:"), "a.yaml")
            is_text = SAMPLES[name].kind == "text"
            assert with_word.samples[0] == {
                **without.samples[0],
                **({name: word} if is_text else {}),
            }


def paper(line: str) -> str:
    """Return a paper file with a bare sample that has one more line."""
    sample = "[{name: s1, core: CsPbBr3, shell: none, LINE}]".replace("LINE", line)
    return f"paper_id: smith2026\nsamples: {sample}\n"


def test_the_rows_are_of_all_kinds(model: Model) -> None:
    assert {name for row in ROWS for name in row} == set(INPUT_COLUMNS)
    rows = ROWS[: -len(UNKNOWN_CELLS)]
    answers = model.predict(rows)
    assert len(rows) == 200
    failed = [answer for answer in answers if answer["error"]]
    assert 40 < len(failed) < 120
    answered = [answer for answer in answers if not answer["error"]]
    assert {answer["in_domain"] for answer in answered} == {True, False}
    assert any(math.isinf(answer["stability_gain_water_upper"]) for answer in answered)
    assert any(answer["stability_gain_water_upper"] == 1.0 for answer in answered)
    assert any("column" not in answer["error"] and "20000" in answer["error"] for answer in failed)
    assert len({answer["pl_peak_nm"] for answer in answered}) == pytest.approx(80, abs=40)
