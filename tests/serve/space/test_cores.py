"""Cores of a design space: a grid that is not written out equals its formulas read one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perovshell.data.formula import FormulaReader
from perovshell.data.ions import SITES
from perovshell.errors import FormulaError
from perovshell.features.featurizer import Featurizer
from perovshell.serve.space.cores import CoreGrid, CoreList
from perovshell.serve.space.mixtures import SiteGrid, count_mixtures, mixtures

READER = FormulaReader.bundled()
_IONS = {
    "A": ["Cs", "FA", "MA", "Tl", "Rb"],
    "B": ["Pb", "Sn", "Bi", "Ag", "Cu"],
    "X": ["Cl", "Br", "I", "SCN"],
}


def _site(ions: list[str]) -> st.SearchStrategy:
    chosen = st.lists(st.sampled_from(ions), min_size=1, max_size=3, unique=True)
    return st.tuples(chosen, st.integers(1, 4), st.integers(1, 3)).map(
        lambda parts: SiteGrid(tuple(parts[0]), *parts[1:])
    )


grids = st.builds(
    lambda a, b, x: CoreGrid({"A": a, "B": b, "X": x}, READER),
    *(_site(_IONS[site]) for site in SITES),
)


@settings(max_examples=60, deadline=None)
@given(grid=grids)
def test_a_grid_is_neutral_where_the_strict_reader_says_so(grid: CoreGrid) -> None:
    _, neutral = grid.batch(0, grid.size)
    amount = {"A": 1, "B": 1, "X": 3}
    shares = itertools.product(*(grid.sites[site].mixtures for site in reversed(SITES)))
    for index, own in enumerate(shares):
        mixed = zip(SITES, reversed(own), strict=True)
        text = "".join(mixture.text(amount[site]) for site, mixture in mixed)
        try:
            core = READER.read_core(text)
        except FormulaError:
            assert not neutral[index]
        else:
            assert neutral[index]
            assert grid.composition(index) == core
            assert grid.find(core) == index
    assert grid.neutral == neutral.sum()


@settings(max_examples=30, deadline=None)
@given(grid=grids, data=st.data())
def test_a_batch_has_the_descriptors_of_its_formulas(
    featurizer: Featurizer, grid: CoreGrid, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, grid.size - 1))
    stop = data.draw(st.integers(start + 1, min(grid.size, start + 40)))
    batch, neutral = grid.batch(start, stop)
    rows = featurizer.core_block(batch)[neutral]
    cores = [grid.composition(start + k) for k in np.flatnonzero(neutral)]
    if cores:
        expected = featurizer.core_block(featurizer.reader.batch([core.amounts for core in cores]))
        np.testing.assert_allclose(rows, expected, rtol=1e-7, atol=1e-9)
    assert {grid.families[k] for k in grid.family(start, stop)} <= set(grid.families)


def test_the_order_of_the_ions_does_not_decide_between_neutral_charges(
    featurizer: Featurizer,
) -> None:
    # Sn2+ with Cu2+, or Sn4+ with Cu+: both are neutral, and their radii differ.
    sites = {"A": SiteGrid(("Cs",)), "B": SiteGrid(("Cu", "Sn"), 3), "X": SiteGrid(("Cl",))}
    grid = CoreGrid(sites, READER)
    index = grid.find(READER.read_core("CsSn0.333333333Cu0.666666667Cl3"))
    assert index is not None
    written = featurizer.reader.batch([grid.composition(index).amounts])
    batch, _ = grid.batch(index, index + 1)
    expected = featurizer.core_block(written)
    np.testing.assert_allclose(featurizer.core_block(batch), expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize(("ions", "steps", "at_most"), [(1, 5, 3), (3, 4, 2), (4, 10, 4)])
def test_mixtures_are_counted_before_they_are_made(ions: int, steps: int, at_most: int) -> None:
    made = mixtures(["Cs", "FA", "MA", "Rb"][:ions], steps, at_most)
    assert len({mixture.key for mixture in made}) == count_mixtures(ions, steps, at_most)
    assert all(sum(share for _, share in mixture.shares) == 1 for mixture in made)


def test_families_are_named_as_a_chemist_would() -> None:
    sites = {"A": SiteGrid(("Cs", "FA"), 4), "B": SiteGrid(("Pb",)), "X": SiteGrid(("Br", "I"), 10)}
    grid = CoreGrid(sites, READER)
    place = grid.find(READER.read_core("Cs0.75FA0.25PbBr2.1I0.9"))
    assert place is not None
    assert grid.families[int(grid.family(place, place + 1)[0])] == "CsPbBr2I"


def test_a_list_finds_its_cores_in_any_spelling() -> None:
    cores = CoreList.distinct(["CsPbBr3", "Cs3Bi2Br9", "Cs2Pb2Br6"], READER)
    assert cores.formulas == ("CsPbBr3", "Cs3Bi2Br9")
    assert cores.find(READER.read_core("Cs2Pb2Br6")) == 0
    assert cores.find(READER.read_core("FAPbBr3")) is None
    assert cores.composition(1).formula == "Cs3Bi2Br9"
    assert cores.families == ("CsPbBr3", "Cs3Bi2Br9")


@pytest.mark.parametrize("steps", [64, 128, 250, 1000])
def test_a_fine_grid_finds_the_cores_it_holds(steps: int) -> None:
    sites = {"A": SiteGrid(("Cs",)), "B": SiteGrid(("Pb",)), "X": SiteGrid(("Br", "I"), steps)}
    grid = CoreGrid(sites, READER)
    indexes = range(0, grid.size, max(grid.size // 100, 1))
    formulas = [grid.composition(index).formula for index in indexes]
    assert [grid.find(READER.read_core(formula)) for formula in formulas] == list(indexes)
