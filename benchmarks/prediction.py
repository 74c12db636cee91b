"""One prediction in process against MLflow's pyfunc of the same model, and from a cold start."""

import compileall
import functools
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from _bench import median_ms, seconds, trained_workspace
from _load import row

import perovshell
from perovshell.model import Model
from perovshell.workspace.registry import connect

WARM, ASKED, ROUNDS, COLD = 50, 200, 5, 9


def main() -> None:
    """Print the times and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        place, model = trained_workspace(folder)
        with connect(place) as mlflow:
            served = mlflow.pyfunc.load_model("models:/perovshell@champion")
        requests = map(asked, itertools.count())

        def ours(count: int) -> float:
            given = [[next(requests)] for _ in range(count)]
            return median_ms([functools.partial(model.predict, one) for one in given])

        def theirs(count: int) -> float:
            given = [pd.DataFrame([next(requests)]) for _ in range(count)]
            return median_ms([functools.partial(served.predict, one) for one in given])

        ours(WARM), theirs(WARM)
        pairs = [(ours(ASKED), theirs(ASKED)) for _ in range(ROUNDS)]
        reasons_ms = median_ms(
            [functools.partial(with_reasons, model, next(requests)) for _ in range(ASKED)]
        )
        ms = statistics.median(mine for mine, _ in pairs)
        pyfunc_ms = statistics.median(other for _, other in pairs)
        ratio = statistics.median(other / mine for mine, other in pairs)
        cold = cold_start(Path(folder))
    print(f"one row in process: {ms:.3f} ms; with its reasons: {reasons_ms:.2f} ms")
    print(f"MLflow pyfunc: {pyfunc_ms:.2f} ms; cold start: {cold:.2f} s")
    figures = {"ms_per_row": ms, "ms_with_reasons": reasons_ms}
    figures |= {"ms_pyfunc": pyfunc_ms, "ratio_pyfunc": ratio}
    print(json.dumps({**figures, "cold_start_s": cold}))


def with_reasons(model: Model, one: dict[str, str]) -> None:
    """Answer a row, with the reasons of all targets."""
    [answer] = model.answer([one])
    assert answer.reasons


def asked(number: int) -> dict[str, str]:
    """Return core and shell of a row; all are different."""
    made = row(number)
    return {name: made[name] for name in ("core", "shell")}


def cold_start(folder: Path) -> float:
    """Return the median time of `perovshell predict` of one row in a process of its own.

    The sources are compiled first, as those of an installed wheel are.
    """
    compileall.compile_dir(Path(perovshell.__file__).parent, quiet=1)
    (folder / "in.csv").write_text("core,shell\nCsPbBr3,SiO2\n")
    command = [sys.executable, "-m", "perovshell", "predict", "in.csv", "-o", "out.csv"]
    run = functools.partial(
        subprocess.run, [*command, "--workspace", "."], cwd=folder, check=True, capture_output=True
    )
    return statistics.median(seconds(run) for _ in range(COLD))


if __name__ == "__main__":
    main()
