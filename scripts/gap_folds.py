"""How well bulk gaps of left-out halides are predicted: cross-validation on the table of gaps.

Rows are grouped by composition (to 0.05 of a site fraction) or by the ions they are made of, since
the laboratories are not stated. The last line is one JSON object of figures in meV.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

import numpy as np

from perovshell.arrays import Floats
from perovshell.data.formula import FormulaReader
from perovshell.data.tables import Row, bundled_rows
from perovshell.features.gaps import NAMED, SITE_SPLITS, BulkGaps, abx3_shares, member_weights
from perovshell.training.validation.folds import folds_of

FOLDS: Final = 10
SEEDS: Final = 3


def by_composition(shares: Floats) -> str:
    """Name a composition to 0.05 of a site fraction."""
    return " ".join(str(round(20 * share)) for share in shares)


def by_ions(shares: Floats) -> str:
    """Name the ions of a composition."""
    return "".join(ion for ion, share in zip(NAMED, shares, strict=True) if share)


def out_of_fold(rows: list[Row], shares: Floats, group: Callable[[Floats], str]) -> Floats:
    """Return gaps of rows by models that saw none of their group, shape (SEEDS, n)."""
    reader, cores = FormulaReader.bundled(), bundled_rows("materials", "cores.csv")
    predicted = np.empty((SEEDS, len(rows)))
    for seed in range(SEEDS):
        fold = folds_of([group(row) for row in shares], FOLDS, f"{seed}-")
        for number in np.unique(fold):
            test = fold == number
            train = [row for row, left_out in zip(rows, test, strict=True) if not left_out]
            predicted[seed, test] = BulkGaps.fit(reader, cores, train).mixtures(shares[test])[0]
    return predicted


def vegard(shares: Floats) -> Floats:
    """Return gaps by Vegard's rule between the tabulated end members, NaN where one is not."""
    reader, cores = FormulaReader.bundled(), bundled_rows("materials", "cores.csv")
    ends = np.full(18, np.nan)
    for row in cores:
        parts = abx3_shares(reader.read_core(row["formula"]))
        if parts is not None:
            ends[member_weights(np.array([parts]))[0].argmax()] = float(row["band_gap_ev"])
    weights = member_weights(shares)
    known = weights[:, ~np.isnan(ends)].sum(axis=1) > 1 - 1e-9
    return np.where(known, weights @ np.nan_to_num(ends), np.nan)


def main() -> None:
    """Print the mean absolute error of each scheme and subset."""
    reader, table = FormulaReader.bundled(), bundled_rows("materials", "gaps.csv")
    read = [(row, abx3_shares(reader.read_core(row["formula"]))) for row in table]
    rows = [row for row, parts in read if parts is not None]
    shares = np.array([parts for _, parts in read if parts is not None])
    measured = np.array([float(row["band_gap_ev"]) for row in rows])
    lead, tin = shares[:, SITE_SPLITS[0]] > 0, shares[:, SITE_SPLITS[0] + 1] > 0
    rule = vegard(shares)
    subsets = {
        "all": lead | tin,
        "vegard_known": ~np.isnan(rule),
        "lead": ~tin,
        "lead_tin": lead & tin,
        "tin": ~lead,
        "mixed_a": (shares[:, : SITE_SPLITS[0]] > 0).sum(axis=1) > 1,
    }
    runs = {
        "composition": out_of_fold(rows, shares, by_composition),
        "ions": out_of_fold(rows, shares, by_ions),
        "vegard": rule[None],
    }
    figures: dict[str, float] = {}
    for scheme, predicted in runs.items():
        error = np.abs(predicted - measured).mean(axis=0)
        for subset, chosen in subsets.items():
            if np.isnan(error[chosen]).any():
                continue
            figures[f"{scheme}.{subset}"] = round(float(1000 * error[chosen].mean()), 1)
            print(f"{scheme:12} {subset:12} {chosen.sum():4} rows: {figures[f'{scheme}.{subset}']}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
