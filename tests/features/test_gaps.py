"""Bulk gaps by composition: known values, the sign of bowing, uncertainty, storage."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.columns import GAPS
from perovshell.data.dataset import Dataset
from perovshell.data.formula import FormulaReader
from perovshell.data.tables import bundled, bundled_rows, read_table
from perovshell.errors import FormulaError, InputError
from perovshell.features.featurizer import Featurizer
from perovshell.features.gaps import (
    COMPOUND_SD,
    NAMED,
    NAMED_FRACTIONS,
    OTHER_STRUCTURE_SD,
    BulkGaps,
    abx3_shares,
)
from perovshell.training.train import problems_of
from perovshell.training.validation.folds import folds_of

READER = FormulaReader.bundled()
CORES = bundled_rows("materials", "cores.csv")
ROWS = bundled_rows("materials", "gaps.csv")
NAMES = ("bulk gap estimate", "bulk gap uncertainty")


@pytest.fixture(scope="module")
def gaps() -> BulkGaps:
    return BulkGaps.fit(READER, CORES, ROWS)


@pytest.fixture(scope="module")
def featurizer() -> Featurizer:
    return Featurizer.bundled()


def mixture(gaps: BulkGaps, formula: str) -> tuple[float, float]:
    """Return the gap of an ABX3 and its standard deviation."""
    shares = abx3_shares(READER.read_core(formula))
    [gap], [sd] = gaps.mixtures(np.array([shares]))
    return float(gap), float(sd)


def estimate(featurizer: Featurizer, *formulas: str) -> np.ndarray:
    """Return the gap and its standard deviation by the descriptors, shape (n, 2)."""
    columns = [featurizer.names.index(name) for name in NAMES]
    return featurizer.core_block(READER.read_many(formulas), elements_too=False)[:, columns]


def shares_of(values: list[float]) -> np.ndarray:
    """Return site fractions of `NAMED` in the ratio of eight positive numbers."""
    parts = np.split(np.array(values), (3, 5))
    return np.concatenate([part / part.sum() for part in parts])[None]


SHARES = st.lists(st.floats(0.01, 1.0), min_size=8, max_size=8).map(shares_of)


# The table -----------------------------------------------------------------------------------


def test_the_bundled_table_has_the_declared_columns_and_keeps_their_rules() -> None:
    header, rows = read_table(bundled("materials", "gaps.csv"))
    assert tuple(header) == GAPS.names
    assert [row for row in rows if any(GAPS[name].fault(row[name]) for name in header)] == []


def test_each_measured_gap_has_a_study_a_source_and_a_licence() -> None:
    for row in ROWS:
        assert row["reference"], row
        assert row["source_url"].startswith("https://"), row
    films = [row for row in ROWS if row["reference"] == "10.1038/s41560-021-00941-3"]
    assert (len(films), {row["licence"] for row in films}) == (610, {"CC BY 4.0"})


@pytest.mark.parametrize("text", ["0", "2,3", "23.6", "wide"])
def test_a_gap_that_no_halide_has_is_refused(text: str) -> None:
    rows = [{"formula": "CsPbBr3", "band_gap_ev": text}]
    with pytest.raises(InputError, match=r"band gap of CsPbBr3: '.*'; allowed: a number from 0.1"):
        BulkGaps.fit(READER, CORES, rows)


def test_a_formula_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(FormulaError, match="CsPbBr4"):
        BulkGaps.fit(READER, CORES, [{"formula": "CsPbBr4", "band_gap_ev": "2"}])


def test_the_table_of_a_dataset_reaches_its_descriptors(dataset: Dataset) -> None:
    """The content hash covers it, so a corrected gap must reach the model."""
    row = {"formula": "Cs2AgBiBr6", "band_gap_ev": "2.5"}
    corrected = replace(dataset, gaps=(row,))
    assert corrected.content_hash != dataset.content_hash
    [[gap, _]] = estimate(problems_of(corrected).featurizer, "Cs2AgBiBr6")
    assert gap == 2.5


# Mixtures ------------------------------------------------------------------------------------


def test_without_measurements_end_members_have_their_tabulated_gaps() -> None:
    bare = BulkGaps.fit(READER, CORES, [])
    assert mixture(bare, "CsPbBr3") == pytest.approx((2.36, 0.07))
    assert mixture(bare, "FASnI3") == pytest.approx((1.48 - 0.5, 0.3))
    assert mixture(bare, "MAPbBr1.5I1.5")[0] == pytest.approx((2.28 + 1.55) / 2 - 0.33 / 4)


def test_films_hardly_move_tabulated_end_members(gaps: BulkGaps) -> None:
    """MAPbCl3 moves most: films of 3.1 eV against a tabulated 2.88 eV."""
    for row in CORES:
        core = READER.read_core(row["formula"])
        if row["band_gap_ev"] and abx3_shares(core) is not None:
            gap, sd = mixture(gaps, row["formula"])
            assert gap == pytest.approx(float(row["band_gap_ev"]), abs=0.1), row["formula"]
            assert sd < 0.07


@pytest.mark.parametrize(
    ("formula", "measured"),
    [("FASnI3", 1.40), ("MASnI3", 1.30), ("FAPb0.5Sn0.5I3", 1.22), ("MAPbBr0.6I2.4", 1.69)],
)
def test_gaps_are_those_of_films(gaps: BulkGaps, formula: str, measured: float) -> None:
    assert mixture(gaps, formula)[0] == pytest.approx(measured, abs=0.05)


@pytest.mark.parametrize(
    ("first", "middle", "last"),
    [("FAPbI3", "FAPb0.5Sn0.5I3", "FASnI3"), ("MAPbI3", "MAPb0.3Sn0.7I3", "MASnI3")],
)
def test_lead_and_tin_together_have_a_gap_below_both(
    gaps: BulkGaps, first: str, middle: str, last: str
) -> None:
    ends = [mixture(gaps, end)[0] for end in (first, last)]
    assert mixture(gaps, middle)[0] < min(ends) - 0.03


def test_bromide_and_iodide_bow_downwards(gaps: BulkGaps) -> None:
    straight = (mixture(gaps, "CsPbBr3")[0] + mixture(gaps, "CsPbI3")[0]) / 2
    assert 0.03 < straight - mixture(gaps, "CsPbBr1.5I1.5")[0] < 0.1


@given(fractions=SHARES)
def test_gaps_of_mixtures_lie_within_the_halides_and_are_uncertain(
    gaps: BulkGaps, fractions: np.ndarray
) -> None:
    gap, sd = gaps.mixtures(fractions)
    assert 1.0 < gap[0] < 3.2
    assert 0.0 < sd[0] <= 0.3


def test_uncertainty_grows_away_from_the_measurements(gaps: BulkGaps) -> None:
    near = [mixture(gaps, name)[1] for name in ("MAPbI3", "FA0.8Cs0.2PbBr0.6I2.4")]
    far = [mixture(gaps, name)[1] for name in ("FASnBr3", "CsSnCl3", "MASnCl1.5Br1.5")]
    assert max(near) < 0.03
    assert min(far) > 0.07


def test_a_row_more_narrows_what_it_measures(gaps: BulkGaps) -> None:
    rows = [*ROWS, *[{"formula": "FASnCl3", "band_gap_ev": "3.0"}] * 12]
    more = BulkGaps.fit(READER, CORES, rows)
    (before, wide), (after, narrow) = mixture(gaps, "FASnCl3"), mixture(more, "FASnCl3")
    assert abs(after - 3.0) < abs(before - 3.0)
    assert narrow < wide / 2


def test_an_outlier_hardly_moves_the_fit(gaps: BulkGaps) -> None:
    rows = [*ROWS, {"formula": "FASnI3", "band_gap_ev": "3.0"}]
    moved = BulkGaps.fit(READER, CORES, rows)
    assert mixture(moved, "FASnI3")[0] == pytest.approx(mixture(gaps, "FASnI3")[0], abs=0.01)


def test_left_out_sets_of_ions_are_predicted_better_than_by_vegard() -> None:
    read = [(row, abx3_shares(READER.read_core(row["formula"]))) for row in ROWS]
    known = [(row, shares) for row, shares in read if shares is not None and not shares[4]]
    fractions = np.array([shares for _, shares in known])
    measured = np.array([float(row["band_gap_ev"]) for row, _ in known])
    ions = ["".join(np.array(NAMED)[row > 0]) for row in fractions]
    folds = folds_of(ions, 5)
    bare, predicted = BulkGaps.fit(READER, CORES, []), np.empty(len(known))
    for fold in np.unique(folds):
        train = [row for (row, _), own in zip(known, folds, strict=True) if own != fold]
        test = folds == fold
        predicted[test] = BulkGaps.fit(READER, CORES, train).mixtures(fractions[test])[0]
    ends = replace(bare, effects=np.where(np.arange(25) < 18, bare.effects, 0.0))
    rule = np.abs(ends.mixtures(fractions)[0] - measured).mean()
    assert np.abs(predicted - measured).mean() < rule


def test_the_fit_does_not_depend_on_the_order_of_the_rows(gaps: BulkGaps) -> None:
    again = BulkGaps.fit(READER, CORES[::-1], ROWS[::-1])
    np.testing.assert_allclose(again.effects, gaps.effects, atol=1e-9)
    assert again.compounds == gaps.compounds


def test_json_brings_the_same_gaps_back(gaps: BulkGaps) -> None:
    again = BulkGaps.from_json(gaps.to_json())
    np.testing.assert_array_equal(again.effects, gaps.effects)
    np.testing.assert_array_equal(again.root, gaps.root)
    assert again.compounds == gaps.compounds


# Other compounds -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("formula", "gap"),
    [
        ("Cs2AgBiBr6", (2.19 + 1.95) / 2),
        ("Cs2AgInCl6", 3.3),
        ("Cs2SnI6", 1.48),
        ("Cs4Sn2I12", 1.48),
        ("Cs3Bi2Br9", 2.707),
        ("CsGeI3", 1.63),
    ],
)
def test_a_measured_compound_has_its_gap(featurizer: Featurizer, formula: str, gap: float) -> None:
    assert estimate(featurizer, formula)[0] == pytest.approx([gap, COMPOUND_SD])


def test_another_structure_is_uncertain(featurizer: Featurizer) -> None:
    (gap, sd), (perovskite, _) = estimate(featurizer, "Cs4PbBr6", "CsPbBr3")
    assert (gap, sd) == (pytest.approx(perovskite), OTHER_STRUCTURE_SD)


def test_another_ion_on_x_is_left_out(featurizer: Featurizer) -> None:
    (mixed, _), (bromide, _) = estimate(featurizer, "CsPbBr2.7F0.3", "CsPbBr3")
    assert mixed == pytest.approx(bromide)
    assert math.isnan(estimate(featurizer, "CsPbF3")[0, 0])


def test_a_metal_core_has_no_gap(featurizer: Featurizer) -> None:
    assert all(math.isnan(value) for value in estimate(featurizer, "AuCu")[0])


@pytest.mark.parametrize(
    ("formula", "is_mixture"),
    [("CsPbBr3", True), ("Cs2Pb2Br6", True), ("Cs2SnI6", False), ("RbPbI3", False)],
)
def test_mixtures_are_abx3_of_the_named_ions(formula: str, is_mixture: bool) -> None:  # noqa: FBT001
    shares = abx3_shares(READER.read_core(formula))
    assert (shares is not None) == is_mixture
    if shares is not None:
        assert sum(shares) == pytest.approx(len(NAMED_FRACTIONS))
