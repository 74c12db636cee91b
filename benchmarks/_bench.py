"""What the benchmarks share: a trained model, all-different inputs, and paired timing."""

import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import perovshell
from perovshell.model import Model
from perovshell.workspace.workspace import Workspace

SHELLS = ("SiO2", "ZrO2", "PMMA", "CdS|Al2O3", "PS", "TiO2", "Cs4PbBr6", "none")


def trained_workspace(folder: str) -> tuple[Workspace, Model]:
    """Train and register the model of the bundled data, in a folder."""
    command = ["-m", "perovshell", "train", "--workspace", folder]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    place = Workspace(Path(folder))
    return place, perovshell.load(place.champion())


def formulas(count: int, seed: int) -> list[str]:
    """Return all-different neutral formulas over three A ions, two B metals and three halides."""
    random_ = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        cs, fa, pb, br = (random_.randint(1, 499) for _ in range(4))
        found[
            f"Cs{cs / 1000:g}FA{fa / 1000:g}MA{1 - (cs + fa) / 1000:g}"
            f"Pb{pb / 500:g}Sn{1 - pb / 500:g}(Br{br / 500:g}I{1 - br / 500:g})3"
        ] = None
    return list(found)


def rows(count: int, seed: int) -> list[dict[str, str]]:
    """Return all-different requests."""
    random_ = random.Random(seed)
    return [{"core": core, "shell": random_.choice(SHELLS)} for core in formulas(count, seed)]


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def median_ms(calls: list[Callable[[], object]]) -> float:
    """Return the median time of calls in ms."""
    return statistics.median(seconds(call) for call in calls) * 1e3
