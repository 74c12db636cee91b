"""Short variants of the long campaigns: models swapped under load, random requests and bodies."""

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


def test_spoiled_bodies_are_refused_as_described(trained: TrainedModel) -> None:
    command = [sys.executable, SCRIPTS / "fuzz_bodies.py", "--bodies", "2000"]
    # How long an answer takes is no matter of a test.
    command += ["--model", trained.folder, "--patience", "600"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["bodies"], figures["server_errors"], figures["faults"]) == (2000, 0, 0)
    assert figures["probes"] == 8


def test_an_answer_that_is_not_as_described_is_seen() -> None:
    sys.path.insert(0, str(SCRIPTS))
    try:
        from fuzz_bodies import fault_of
    finally:
        sys.path.remove(str(SCRIPTS))
    problem = b'{"type": "urn:x", "title": "x", "status": 422, "detail": "x"}'
    kind = "application/problem+json"
    assert fault_of("/v1/predict", 422, kind, problem) == ""
    assert fault_of("/v1/predict", 500, kind, problem).startswith("500")
    assert fault_of("/v1/predict", 415, kind, problem) == "415, but its problem says 422"
    assert "no JSON" in fault_of("/v1/predict", 422, kind, problem[:-1])
    assert "of type" in fault_of("/v1/predict", 422, "application/json", problem)
    assert "not as described" in fault_of("/v1/predict", 200, "application/json", b'{"model": {}}')


def test_two_services_and_two_retrainings_share_a_workspace() -> None:
    command = [sys.executable, SCRIPTS / "two_of_each.py", "--minutes", "0.01", "--patience", "120"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert (figures["rounds"], figures["papers"], figures["failed"], figures["mixed"]) == (
        1,
        2,
        0,
        0,
    )
    assert figures["models_served"] >= 2
