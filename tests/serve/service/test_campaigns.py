"""Short variants of the long campaigns: models swapped under load, and random requests."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from perovshell.model import Model
from perovshell.models.folder import read_validation, write_folder
from perovshell.training.train import TrainedModel

UNMEASURED_PROCESSES = True

SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.fixture(scope="module")
def other_model(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers other numbers: its PLQY has wider intervals."""
    model = Model.from_folder(trained.folder)
    plqy = model.predictor.points["plqy"]
    wider = replace(plqy, scores=replace(plqy.scores, values=np.asarray(plqy.scores.values) * 1.5))
    info = {name: value for name, value in vars(model.info).items() if name != "model_id"}
    folder = tmp_path_factory.mktemp("other") / "model"
    predictor = replace(model.predictor, plqy=wider)
    write_folder(folder, predictor, info, {}, read_validation(trained.folder))
    return folder


def ran(script: str, *given: object) -> tuple[int, str]:
    """Run a script; return its exit code and all it said."""
    command = [sys.executable, SCRIPTS / script, *map(str, given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr


def test_models_swapped_under_load_lose_and_mix_nothing(
    trained: TrainedModel, other_model: Path
) -> None:
    options = ("--seconds", 6, "--promotions", 2, "--models", trained.folder, other_model)
    code, said = ran("swap_under_load.py", *options)
    assert code == 0, said
    figures = json.loads(said.splitlines()[-1])
    assert figures["answers"] > 100
    assert (figures["failed"], figures["mixed"], figures["promotions"]) == (0, 0, 2)


def test_random_requests_are_answered_as_they_should(trained: TrainedModel, tmp_path: Path) -> None:
    options = ("--requests", 600, "--model", trained.folder, "--save", tmp_path / "failing")
    code, said = ran("fuzz_service.py", *options)
    assert code == 0, said
    assert json.loads(said.splitlines()[-1])["faults"] == 0
