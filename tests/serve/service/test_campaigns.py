"""Short variants of the long campaigns: models swapped under load, and random requests."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from perovshell.training.train import TrainedModel

UNMEASURED_PROCESSES = True

SCRIPTS = Path(__file__).parents[3] / "scripts"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_models_swapped_under_load_lose_and_mix_nothing(
    workers: str, trained: TrainedModel, other_model: Path
) -> None:
    command = [sys.executable, SCRIPTS / "swap_under_load.py", "--seconds", "6"]
    command += ["--promotions", "2", "--workers", workers]
    command += ["--models", trained.folder, other_model]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["answers"] > 100
    assert (figures["failed"], figures["mixed"], figures["promotions"]) == (0, 0, 2)


def test_mixed_load_with_killed_workers_has_right_answers(
    trained: TrainedModel, other_model: Path
) -> None:
    command = [sys.executable, SCRIPTS / "mixed_load.py", "--minutes", "0.15", "--promotions", "1"]
    command += ["--kills", "1", "--models", trained.folder, other_model]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["requests"] > 50
    assert (figures["wrong"], figures["errors"]) == (0, 0)
    assert (figures["promotions"], figures["kills"]) == (1, 1)


def test_random_requests_are_answered_as_described(trained: TrainedModel) -> None:
    command = ["sh", SCRIPTS / "fuzz.sh", sys.executable, "--include-path", "/v1/predict"]
    # How long an answer takes is no matter of a test.
    command += ["--max-examples", "20", "--seed", "1", "--max-response-time", "600"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False,
        env={**os.environ, "MODEL": str(trained.folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"(\d+) generated, \1 passed", done.stdout), done.stdout
