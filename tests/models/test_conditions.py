"""Conditions of leaves on one side: which hold, and what ranges alone tell of it."""

import hypothesis.strategies as st
import numpy as np
from hypothesis import given
from hypothesis.extra.numpy import arrays

from perovshell.arrays import Floats
from perovshell.models.conditions import Conditions

COLUMNS, SETS = 3, 6
LIMITS = st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 1.0, 2.0, np.inf])
VALUES = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 0.75, 1.0, 3.0, np.nan])


@st.composite
def some_conditions(draw: st.DrawFn) -> Conditions:
    count = draw(st.integers(1, 8))
    ends = draw(arrays(np.float32, (2, count), elements=LIMITS))
    return Conditions(
        column=draw(arrays(np.intp, count, elements=st.integers(0, COLUMNS - 1))),
        low=ends.min(axis=0),
        high=ends.max(axis=0),
        missing_passes=draw(arrays(bool, count)),
        members=draw(arrays(np.intp, (SETS, 2), elements=st.integers(0, count))),
        of_leaf=draw(arrays(np.intp, 9, elements=st.integers(0, SETS - 1))),
    )


@given(some_conditions(), arrays(float, (COLUMNS, 5), elements=VALUES))
def test_ranges_settle_what_holds_for_all_and_for_none(
    conditions: Conditions, rows: Floats
) -> None:
    holds = conditions.hold(rows)
    always, possible = conditions.settled(rows)
    assert holds[always].all()
    assert not holds[~possible].any()
    one = rows[:, :1].repeat(5, axis=1)  # Nothing is left open where all rows are equal.
    always, possible = conditions.settled(one)
    assert always.tolist() == possible.tolist() == conditions.hold(one)[:, 0].tolist()


@given(
    some_conditions(),
    arrays(float, (COLUMNS, 5), elements=VALUES),
    arrays(bool, 9),
)
def test_conditions_of_some_leaves_are_theirs(
    conditions: Conditions, rows: Floats, chosen: Floats
) -> None:
    part = conditions.of_leaves(chosen)
    expected = conditions.hold(rows)[conditions.of_leaf[chosen]]
    assert part.hold(rows)[part.of_leaf].tolist() == expected.tolist()
    assert len(part.members) == len({*conditions.of_leaf[chosen].tolist()})
