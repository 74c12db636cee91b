"""Combinations in columns: what is distinct, sizes and words."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perovshell.data.vocabulary import MORPHOLOGIES, TREATMENTS, WORDS
from perovshell.features.combinations import Combination, Combinations, Contexts
from perovshell.features.featurizer import Featurizer

CORES = ("CsPbBr3", "CsPbI3", "FAPbBr3")
SHELLS = ("none", "SiO2", "CdS|Al2O3")


@pytest.fixture(scope="module")
def featurizer() -> Featurizer:
    return Featurizer.bundled()


@st.composite
def contexts(draw: st.DrawFn) -> dict[str, object]:
    words = {kind: draw(st.sampled_from(allowed)) for kind, allowed in WORDS.items()}
    size = draw(st.one_of(st.just(math.nan), st.floats(2, 40)))
    used = tuple(name for name in TREATMENTS if draw(st.booleans()))
    return {**words, "core_size_nm": size, "treatments": used}


ITEMS = st.lists(
    st.tuples(st.sampled_from(CORES), st.sampled_from(SHELLS), contexts()), min_size=1, max_size=8
)


def made(featurizer: Featurizer, rows: list[tuple[str, str, dict[str, object]]]) -> list:
    reader = featurizer.reader
    return [
        Combination(reader.read_core(core), reader.read_shell(shell), **context)
        for core, shell, context in rows
    ]


@given(rows=ITEMS)
def test_columns_hold_each_combination(featurizer: Featurizer, rows: list) -> None:
    items = made(featurizer, rows)
    columns = Combinations.of(items, featurizer.reader)
    assert len(columns) == len(items)
    assert len(columns.shells) == len({shell for _, shell, _ in rows})
    assert len(columns.cores.species) == len({core for core, _, _ in rows})
    for row, item in enumerate(items):
        assert columns.shells[columns.shell[row]] == item.layers
        assert columns.has_shell[row] == bool(item.layers)
        words = zip(WORDS.items(), columns.contexts.words[:, row], strict=True)
        assert {kind: allowed[index] for (kind, allowed), index in words} == {
            kind: getattr(item, kind) for kind in WORDS
        }


@given(rows=ITEMS, data=st.data())
def test_rows_are_taken_like_those_of_an_array(
    featurizer: Featurizer, rows: list, data: st.DataObject
) -> None:
    items = made(featurizer, rows)
    taken = data.draw(st.lists(st.integers(0, len(items) - 1), min_size=1, max_size=8))
    some = Combinations.of(items, featurizer.reader).at(np.array(taken))
    np.testing.assert_array_equal(
        featurizer.both(some, elements_too=False),
        featurizer.both(
            Combinations.of([items[row] for row in taken], featurizer.reader), elements_too=False
        ),
    )


@given(rows=ITEMS)
def test_each_word_is_one_column(featurizer: Featurizer, rows: list) -> None:
    block = Contexts.of(made(featurizer, rows)).context_columns()
    words = block[:, : block.shape[1] - len(TREATMENTS)]
    assert set(np.unique(words)) <= {0.0, 1.0}
    np.testing.assert_array_equal(words.sum(axis=1), len(WORDS))


@given(rows=ITEMS)
def test_kinds_are_distinct(featurizer: Featurizer, rows: list) -> None:
    items = made(featurizer, rows)
    kinds, index = Combinations.of(items, featurizer.reader).kinds
    assert len(set(kinds)) == len(kinds)
    for item, number in zip(items, index, strict=True):
        assert kinds[number] == (item.layers, item.structure, item.encapsulation)


def size_row(morphology: str, size: float) -> list[float]:
    words = np.array([[0], [0], [0], [MORPHOLOGIES.index(morphology)]])
    one = Contexts(words, np.array([size]), np.zeros((1, len(TREATMENTS)), dtype=bool))
    [row] = one.size_columns().tolist()
    return row


@pytest.mark.parametrize(
    ("morphology", "axes"), [("nanocrystal", 3), ("nanowire", 2), ("nanoplatelet", 1)]
)
def test_confinement_is_the_inverse_square_of_size_and_leakage(morphology: str, axes: int) -> None:
    size, unknown, confinement, platelet, _ = size_row(morphology, 7.5)
    assert (size, unknown, platelet) == (7.5, 0.0, 0.0)
    assert confinement == pytest.approx(axes / 3 / 64)


@pytest.mark.parametrize("size", [2.0, 4.0, 30.0])
def test_the_uncertainty_of_confinement_is_what_a_size_error_makes_of_it(size: float) -> None:
    *_, uncertainty = size_row("nanocrystal", size)
    step = 1e-4
    wider, narrower = (size_row("nanocrystal", size * (1 + sign * step))[2] for sign in (1, -1))
    assert uncertainty == pytest.approx(0.15 * (narrower - wider) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("morphology", MORPHOLOGIES)
def test_only_a_platelet_of_unknown_thickness_counts_as_thin(morphology: str) -> None:
    assert size_row(morphology, math.nan)[3] == (morphology == "nanoplatelet")


def test_an_unknown_size_is_missing_and_marked() -> None:
    words = np.zeros((4, 1), dtype=np.intp)
    one = Contexts(words, np.array([math.nan]), np.zeros((1, len(TREATMENTS)), dtype=bool))
    [[size, unknown, confinement, _, uncertainty]] = one.size_columns().tolist()
    assert math.isnan(size)
    assert math.isnan(confinement)
    assert math.isnan(uncertainty)
    assert unknown == 1.0
