"""Descriptors of the core, against sums over its ions written out one by one."""

import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.composition import Composition
from perovshell.data.ions import SITES
from perovshell.features.combinations import Combination
from perovshell.features.crystal import NAMED_FRACTIONS, core_descriptors
from perovshell.features.featurizer import Featurizer

NAMES = [descriptor.name for descriptor in core_descriptors()]
SHARES = st.integers(0, 20).map(lambda step: Fraction(step, 20))


@pytest.fixture(scope="module")
def featurizer() -> Featurizer:
    return Featurizer.bundled()


def descriptors(featurizer: Featurizer, *cores: Composition) -> list[dict[str, float]]:
    batch = featurizer.reader.batch([core.amounts for core in cores])
    rows = featurizer.core_block(batch, elements_too=False)[:, : len(NAMES)]
    return [dict(zip(NAMES, row, strict=True)) for row in rows.tolist()]


def mixed(a: Fraction, b: Fraction, x: Fraction) -> str:
    """Return a formula with two ions on each site."""
    parts = [("Cs", a), ("FA", 1 - a), ("Pb", b), ("Sn", 1 - b), ("Br", 3 * x), ("I", 3 - 3 * x)]
    return "".join(f"{ion}{float(amount):g}" for ion, amount in parts if amount)


def by_hand(featurizer: Featurizer, core: Composition) -> dict[str, float]:
    """Return radii, factors and mixing of an ABX3 core with the first charge of each ion."""
    ions = featurizer.reader.ions.by_symbol
    radius: dict[str, float] = defaultdict(float)
    mixing = dict.fromkeys(SITES, 1.0)
    total = {site: sum(n for i, n in core.amounts if ions[i].site == site) for site in SITES}
    for symbol, amount in core.amounts:
        site = ions[symbol].site
        share = amount / total[site]
        radius[site] += share * ions[symbol].radius_pm[0]
        mixing[site] -= share**2
    a, b, x = (radius[site] for site in SITES)
    return {
        "mean A radius": a,
        "mean B radius": b,
        "mean X radius": x,
        "tolerance factor": (a + x) / (math.sqrt(2) * (b + x)),
        "octahedral factor": b / x,
        "pseudo-cubic lattice": (b + x) / 50,
        "A-site mixing": mixing["A"],
        "B-site mixing": mixing["B"],
        "A per B": total["A"] / total["B"],
        "X per B": total["X"] / total["B"],
    }


@given(a=SHARES, b=SHARES, x=SHARES)
def test_sums_over_ions_are_those_written_out(
    featurizer: Featurizer, a: Fraction, b: Fraction, x: Fraction
) -> None:
    core = featurizer.reader.read_core(mixed(a, b, x))
    [row] = descriptors(featurizer, core)
    for name, expected in by_hand(featurizer, core).items():
        assert row[name] == pytest.approx(expected, abs=1e-9), name


@given(a=SHARES, b=SHARES, x=SHARES)
def test_fractions_of_a_site_add_up_to_one(
    featurizer: Featurizer, a: Fraction, b: Fraction, x: Fraction
) -> None:
    [row] = descriptors(featurizer, featurizer.reader.read_core(mixed(a, b, x)))
    for site, ions in NAMED_FRACTIONS.items():
        assert sum(row[f"{ion} fraction on {site}"] for ion in ions) == pytest.approx(1.0)


@given(x=SHARES)
def test_the_gap_of_a_mixture_lies_between_those_of_its_ends(
    featurizer: Featurizer, x: Fraction
) -> None:
    reader = featurizer.reader
    cores = [reader.read_core(text) for text in ("CsPbI3", mixed(Fraction(1), Fraction(1), x))]
    iodide, mixture = (row["bulk gap by Vegard"] for row in descriptors(featurizer, *cores))
    bromide = descriptors(featurizer, reader.read_core("CsPbBr3"))[0]["bulk gap by Vegard"]
    assert iodide - 1e-9 <= mixture <= bromide + 1e-9
    assert mixture == pytest.approx(iodide + float(x) * (bromide - iodide))


@given(scale=st.integers(1, 6))
def test_a_multiple_of_the_formula_is_the_same_core(featurizer: Featurizer, scale: int) -> None:
    reader = featurizer.reader
    once = reader.read_core("CsPbBr3")
    many = reader.read_core(f"Cs{scale}Pb{scale}Br{3 * scale}")
    first, second = descriptors(featurizer, once, many)
    np.testing.assert_allclose([*first.values()], [*second.values()], equal_nan=True)


def test_a_metal_core_has_no_crystal_descriptors(featurizer: Featurizer) -> None:
    [row] = descriptors(featurizer, featurizer.reader.read_core("AuCu"))
    assert row["metal core"] == 1.0
    assert all(math.isnan(row[name]) for name in ("tolerance factor", "A per B", "lead-free"))


@pytest.mark.parametrize(
    ("core", "expected"), [("CsSnI3", 1.0), ("CsPb0.5Zn0.5I3", 0.0), ("CsPbBr3", 0.0)]
)
def test_only_a_core_without_lead_is_lead_free(
    featurizer: Featurizer, core: str, expected: float
) -> None:
    [row] = descriptors(featurizer, featurizer.reader.read_core(core))
    assert row["lead-free"] == expected


def test_an_unknown_gap_is_estimated_and_marked(featurizer: Featurizer) -> None:
    [row] = descriptors(featurizer, featurizer.reader.read_core("RbPbBr3"))
    assert math.isnan(row["bulk gap by Vegard"])
    assert row["A guessed as Cs"] == 1.0
    assert row["B guessed as Pb, with Pb"] == row["B guessed as Pb, without Pb"] == 0.0
    bromide = descriptors(featurizer, featurizer.reader.read_core("CsPbBr3"))[0]
    assert row["bulk gap estimate"] == pytest.approx(bromide["bulk gap estimate"])


def test_layers_do_not_change_the_core(featurizer: Featurizer) -> None:
    reader = featurizer.reader
    core = reader.read_core("CsPbBr3")
    context = {"structure": "core/shell", "encapsulation": "unknown", "medium": "film"}
    items = [Combination(core, reader.read_shell(shell), **context) for shell in ("SiO2", "ZnS")]
    first, second = featurizer.matrix(items)
    columns = [column for column, one in enumerate(featurizer.descriptors) if one.block == "core"]
    np.testing.assert_array_equal(first[columns], second[columns])
