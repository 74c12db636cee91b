"""Ranking a product space against matminer row by row, and against batch predict of the boosters.

The space is a mixing grid with 10^7 members: PL and PLQY with what is known at least of gain and
half-life under water, scores, fronts and lists, on two processes; intervals and stability of the
lists. Shells that nothing known tells apart count each. Both other sides predict members of that
very space with the champion's boosters of all targets: row by row with matminer's descriptors, and
in one batch whose rows are there already (their making is timed apart). Neither makes intervals or
scores.
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import xgboost
from _bench import seconds, trained_workspace

import perovshell
from perovshell.features.combinations import Combination
from perovshell.model import Model
from perovshell.serve.ranking.ranking import Run, rank
from perovshell.serve.space.file import read_space
from perovshell.serve.space.space import DesignSpace

ROUNDS, ONE_BY_ONE, BATCH = 3, 300, 100_000


def space(kind: str) -> dict[str, object]:
    """Return a space of about 10^6, 10^7 or 10^8 combinations."""
    steps = {"small": (10, 5), "usual": (10, 10), "large": (20, 20)}[kind]
    shells = {
        "small": {"classes": ["oxide", "polymer"]},
        "usual": "all known",
        "large": "all known",
    }
    return {
        "name": kind,
        "cores": {
            "A": {"ions": ["Cs", "FA", "MA"], "step": f"1/{steps[0]}", "at_most": 3},
            "B": {"ions": ["Pb", "Sn"], "step": f"1/{steps[1]}"},
            "X": {"ions": ["Cl", "Br", "I"], "step": f"1/{steps[0]}"},
        },
        "shells": shells[kind],
        "structures": ["core/shell", "janus"],
        "sizes_nm": ["unknown", 10],
        "pl_window_nm": [515, 535],
        "stressor": "water",
        "constraints": {"insoluble_in_water": False},
    }


def main() -> None:
    """Print rates, ratios and memory."""
    with tempfile.TemporaryDirectory() as folder:
        place, model = trained_workspace(folder)
        reader = model.predictor.featurizer.reader
        usual = read_space(space("usual"), reader)
        rounds = [one_round(model, usual, seed) for seed in range(ROUNDS)]
        rate = statistics.median(one["ours"] for one in rounds)
        ratio = {
            name: statistics.median(one["ours"] / one[name] for one in rounds)
            for name in ("row by row", "batch predict", "batch predict, rows made")
        }
        memory = {kind: peak_mb(place.champion(), kind) for kind in ("small", "usual", "large")}
    print(f"{usual.sizes}: {rate:,.0f} combinations/s")
    for name, times in ratio.items():
        print(f"{name}: {rate / times:,.0f}/s, {times:,.1f} x")
    print(f"peak memory of a process: {', '.join(f'{k} {v:.0f} MB' for k, v in memory.items())}")
    figures = {
        "combinations_per_s": rate,
        "ratio_row_by_row": ratio["row by row"],
        "ratio_batch_predict": ratio["batch predict"],
        "peak_memory_mb": max(memory.values()),
        "memory_growth": memory["large"] / memory["small"],
        **{f"trees_{name}": trees for name, trees in tree_counts(model).items()},
    }
    print(json.dumps(figures))


def tree_counts(model: Model) -> dict[str, int]:
    """Return the number of trees of each target."""
    models = {**model.predictor.points, "stability": model.predictor.stability}
    return {name: len(one.forest.roots) for name, one in models.items()}


def one_round(model: Model, usual: DesignSpace, seed: int) -> dict[str, float]:
    """Return combinations/s of each side."""
    random = np.random.default_rng(seed)
    members = [usual.item(int(index)) for index in random.integers(0, usual.size, BATCH)]
    boosters = native(model)
    ours = seconds(lambda: rank(usual, model=model, run=Run(jobs=2)))
    single = members[:ONE_BY_ONE]
    one = seconds(lambda: row_by_row(model, boosters, single))
    columns: dict[str, np.ndarray] = {}
    made = seconds(lambda: columns.update(rows(model, members)))
    many = statistics.median(seconds(lambda: predict(boosters, columns)) for _ in range(ROUNDS))
    return {
        "ours": usual.size / ours,
        "row by row": ONE_BY_ONE / one,
        "batch predict": BATCH / many,
        "batch predict, rows made": BATCH / (many + made),
    }


def native(model: Model) -> dict[str, list[xgboost.Booster]]:
    """Return the boosters of each target, from the library's own files."""
    names = sorted({path.stem.split("-")[0] for path in model.folder.glob("*.ubj")})
    assert set(names) == {*model.predictor.points, "stability"}
    return {
        name: [
            xgboost.Booster(model_file=str(path))
            for path in sorted(model.folder.glob(f"{name}-*.ubj"))
        ]
        for name in names
    }


def rows(model: Model, members: list[Combination]) -> dict[str, np.ndarray]:
    """Make the rows of members that the boosters of each target see, stability under water."""
    predictor = model.predictor
    matrix = predictor.featurizer.matrix(members, elements_too=False)
    unknown = np.full(len(members), np.nan)
    stability = predictor.stability
    return {
        **{name: matrix[:, point.columns] for name, point in predictor.points.items()},
        "stability": stability.tree_rows(matrix, stability.tests(["water"], unknown))[0],
    }


def predict(boosters: dict[str, list[xgboost.Booster]], columns: dict[str, np.ndarray]) -> None:
    """Let the boosters of each target predict rows."""
    for name, some in boosters.items():
        np.mean([booster.inplace_predict(columns[name]) for booster in some], axis=0)


def row_by_row(
    model: Model, boosters: dict[str, list[xgboost.Booster]], members: list[Combination]
) -> None:
    """Featurize each member with matminer and let the boosters predict it."""
    from matminer.featurizers.base import MultipleFeaturizer
    from matminer.featurizers.composition import ElementProperty, Stoichiometry, ValenceOrbital
    from pymatgen.core import Composition

    magpie = ElementProperty.from_preset("magpie", impute_nan=False)
    featurizer = MultipleFeaturizer([magpie, Stoichiometry(), ValenceOrbital(impute_nan=False)])
    reader = model.predictor.featurizer.reader
    for member in members:
        assert member.core is not None
        featurizer.featurize(Composition(reader.atoms_text(member.core)))
        predict(boosters, rows(model, [member]))


def peak_mb(champion: Path, kind: str) -> float:
    """Return the peak memory of a process that ranks a space."""
    command = [sys.executable, __file__, str(champion), kind]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def rank_alone(champion: str, kind: str) -> None:
    """Rank a space in this process and print the peak of its memory in MB."""
    rank(space(kind), model=perovshell.load(champion))
    # Of this program alone: ru_maxrss would count the parent before the program began.
    status = Path("/proc/self/status").read_text()
    print(int(status.split("VmHWM:")[1].split()[0]) / 1024)


if __name__ == "__main__":
    rank_alone(*sys.argv[1:]) if len(sys.argv) > 1 else main()
