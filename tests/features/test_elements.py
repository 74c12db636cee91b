"""The bulk element statistics against matminer, which works row by row."""

import functools

import numpy as np
import pytest
from matminer.featurizers.composition import ElementProperty, Stoichiometry, ValenceOrbital
from pymatgen.core import Composition

from perovshell.features import elements
from perovshell.features.featurizer import Featurizer


def random_formulas(count: int, seed: int = 5) -> list[str]:
    random = np.random.default_rng(seed)
    sites = (["Cs", "FA", "MA", "Rb", "GA"], ["Pb", "Sn", "Mn", "Zn", "Sr"], ["Cl", "Br", "I"])

    def mixture(ions: list[str], most: int) -> str:
        chosen = random.choice(ions, size=random.integers(1, most + 1), replace=False)
        shares = random.integers(1, 100, size=len(chosen))
        parts = np.round(shares / shares.sum(), 4)
        parts[-1] = round(1 - parts[:-1].sum(), 4)
        return "".join(f"{ion}{part:g}" for ion, part in zip(chosen, parts, strict=True))

    found: dict[str, None] = {}
    while len(found) < count:
        a, b, x = (mixture(ions, most) for ions, most in zip(sites, (3, 2, 3), strict=True))
        found[f"({a})({b})({x})3"] = None
    return list(found)


@functools.cache
def matminer() -> tuple[ElementProperty, Stoichiometry, ValenceOrbital]:
    return (
        ElementProperty.from_preset("magpie", impute_nan=False),
        Stoichiometry(),
        ValenceOrbital(impute_nan=False),
    )


def by_matminer(amounts: dict[str, float]) -> np.ndarray:
    made = [maker.featurize(Composition(amounts)) for maker in matminer()]
    return np.concatenate(made).astype(float)


def test_bulk_equals_matminer_on_1000_random_compositions(featurizer: Featurizer) -> None:
    texts = random_formulas(1000)
    batch = featurizer.reader.read_many(texts)
    assert not batch.errors
    ours = featurizer.core_elements(batch)
    theirs = np.array(
        [by_matminer(featurizer.reader.atoms(featurizer.reader.read_core(t))) for t in texts]
    )
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


@pytest.mark.parametrize("text", ["AuCu", "Cs2AgInCl6", "CsPbBr1.5I1.5", "EAPbBr3", "Cs4PbBr6"])
def test_one_formula_equals_matminer(featurizer: Featurizer, text: str) -> None:
    core = featurizer.reader.read_core(text)
    ours = featurizer.core_elements(featurizer.reader.batch([core.amounts]))[0]
    theirs = by_matminer(featurizer.reader.atoms(core))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9)


def test_labels_are_matminers() -> None:
    theirs = ElementProperty.from_preset("magpie").feature_labels()
    ours = [name for name, _, _ in elements.labels()]
    assert [f"MagpieData {name}" for name in ours[: len(theirs)]] == theirs
    assert ours[len(theirs) :] == [
        *Stoichiometry().feature_labels(),
        *ValenceOrbital().feature_labels(),
    ]


def test_a_row_does_not_depend_on_the_rows_around_it(featurizer: Featurizer) -> None:
    texts = random_formulas(60, seed=8)
    together = featurizer.core_elements(featurizer.reader.read_many(texts))
    for place in (0, 17, 59):
        alone = featurizer.core_elements(featurizer.reader.read_many([texts[place]]))
        np.testing.assert_allclose(alone[0], together[place], rtol=1e-12)


def test_a_row_that_cannot_be_read_is_missing(featurizer: Featurizer) -> None:
    batch = featurizer.reader.read_many(["CsPbBr3", "CsPbX3"])
    rows = featurizer.core_elements(batch)
    assert list(batch.errors) == [1]
    assert np.isfinite(rows[0]).all()
    assert np.isnan(rows[1]).all()


def test_a_tie_of_the_mode_takes_the_smallest_value(featurizer: Featurizer) -> None:
    core = featurizer.reader.read_core("AuCu")
    row = featurizer.core_elements(featurizer.reader.batch([core.amounts]))[0]
    names = [name for name, _, _ in elements.labels()]
    assert row[names.index("mode Number")] == 29


def test_the_table_needs_its_shape() -> None:
    with pytest.raises(ValueError, match=r"element table of shape \(2, 2\)"):
        elements.ElementTable(np.zeros((2, 2)))
