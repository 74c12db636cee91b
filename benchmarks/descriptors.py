"""Bulk composition descriptors from strings, against matminer's own featurizers."""

import itertools
import json
import statistics
import warnings

import pandas as pd
from _bench import seconds
from _load import core
from matminer.featurizers.base import MultipleFeaturizer
from matminer.featurizers.composition import ElementProperty, Stoichiometry, ValenceOrbital
from pymatgen.core import Composition

from perovshell.features.featurizer import Featurizer

MANY, FEW, ROUNDS = 100_000, 300, 5


def main() -> None:
    """Print the two speeds and their ratio."""
    featurizer = Featurizer.bundled()
    theirs = MultipleFeaturizer(
        [ElementProperty.from_preset("magpie"), Stoichiometry(), ValenceOrbital(props=["frac"])]
    )
    theirs.set_n_jobs(1)
    texts = map(core, itertools.count())

    def take(count: int) -> list[str]:
        return list(itertools.islice(texts, count))

    def ours_per_s(count: int) -> float:
        given = take(count)
        return count / seconds(lambda: featurizer.core_elements(featurizer.reader.read_many(given)))

    def matminer_per_s(count: int) -> float:
        atoms = featurizer.reader.atoms_text
        given = [atoms(featurizer.reader.read_core(text)) for text in take(count)]

        def run() -> None:
            frame = pd.DataFrame({"composition": [Composition(text) for text in given]})
            theirs.featurize_dataframe(frame, "composition", pbar=False)

        return count / seconds(run)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours_per_s(900), matminer_per_s(100)
        pairs = [(ours_per_s(MANY), matminer_per_s(FEW)) for _ in range(ROUNDS)]
    speed = statistics.median(mine for mine, _ in pairs)
    matminer_speed = statistics.median(other for _, other in pairs)
    ratio = statistics.median(mine / other for mine, other in pairs)
    print(f"{speed:,.0f} formulas/s; matminer {matminer_speed:,.0f} formulas/s")
    figures = {"formulas_per_s": speed, "matminer_per_s": matminer_speed, "ratio_matminer": ratio}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
