"""HTTP, the client, Python and the command line give the same values, in every column."""

import csv
import math
import subprocess
import sys
from itertools import cycle, islice, product
from pathlib import Path
from typing import Any

import httpx2
import pytest

from perovshell.client import Client
from perovshell.model import Model
from perovshell.serve.batch import cell
from perovshell.training.train import TrainedModel
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
]
ROWS = [
    {"core": core, "shell": shell, **extra}
    for (core, shell), extra in islice(
        zip(cycle(product(CORES, SHELLS)), cycle(EXTRAS), strict=False), 198
    )
] + [{"core": "CsPbBr3@SiO2", "shell": ""}, {"core": "CsPbI3/PMMA", "shell": ""}]


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
    with serving(workspace.root, tmp_path / "log") as server:
        assert repr(over_http(server.url)) == repr(wanted)
        with Client(server.url) as client:
            assert repr(client.predict(ROWS)) == repr(wanted)
    assert by_command_line(tmp_path, trained.folder) == texts(wanted)


def test_the_rows_are_of_all_kinds(model: Model) -> None:
    answers = model.predict(ROWS)
    assert len(ROWS) == 200
    failed = [answer for answer in answers if answer["error"]]
    assert 40 < len(failed) < 120
    answered = [answer for answer in answers if not answer["error"]]
    assert {answer["in_domain"] for answer in answered} == {True, False}
    assert any(math.isinf(answer["stability_gain_water_upper"]) for answer in answered)
    assert any(answer["stability_gain_water_upper"] == 1.0 for answer in answered)
    assert any("column" not in answer["error"] and "20000" in answer["error"] for answer in failed)
    assert len({answer["pl_peak_nm"] for answer in answered}) == pytest.approx(80, abs=40)
