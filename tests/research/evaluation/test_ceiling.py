"""The ceiling of R2, where the truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from perovshell.data.dataset import Dataset
from perovshell.research.evaluation.ceiling import ceilings
from perovshell.training.validation.nested import Problems


def drawn(problems: Problems, within: float) -> Problems:
    """Return PLQYs that papers on one core and shell spread about by `within`; cells by 20."""
    random = np.random.default_rng(5)
    plqy = problems.points["plqy"]
    cell = {key: 20.0 * random.normal() for key in zip(plqy.cores, plqy.shells, strict=True)}
    paper = {name: within * random.normal() for name in plqy.papers.tolist()}
    values = [
        50.0 + cell[core, shell] + paper[name]
        for core, shell, name in zip(plqy.cores, plqy.shells, plqy.papers.tolist(), strict=True)
    ]
    one = replace(plqy, target=np.array(values), bounds=("",) * len(values))
    return replace(problems, points={**problems.points, "plqy": one})


@pytest.mark.parametrize("within", [1e-9, 10.0, 30.0])
def test_the_ceiling_is_the_share_that_papers_agree_on(
    problems: Problems, dataset: Dataset, within: float
) -> None:
    known = drawn(problems, within)
    rows = {(row["target"], row["alike in"]): row for row in ceilings(known, dataset)}
    row = rows["plqy", "core and shell"]
    assert row["sd"] == pytest.approx(within, rel=0.15, abs=1e-6)
    variance = known.points["plqy"].values.var()
    value, low, high = row["ceiling of R2"]
    assert value == pytest.approx(1.0 - row["sd"] ** 2 / variance)
    assert low <= value <= high


def test_lifetimes_alike_share_less_than_all_their_spread(
    problems: Problems, dataset: Dataset
) -> None:
    [row] = [row for row in ceilings(problems, dataset) if row["target"] == "lifetime"]
    value, *_ = row["ceiling of R2"]
    assert 0.0 < value < 1.0
    assert row["groups"] > 5
    assert row["papers"] > 2 * row["groups"] - 1
