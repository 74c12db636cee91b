"""Objects with unknown numbers are equal where all else is, under each Python."""

import importlib
import math
import pkgutil
from dataclasses import MISSING, fields, is_dataclass

import pytest

import perovshell
from perovshell.data.records import Measurement, Sample
from perovshell.data.targets import Reading
from perovshell.features.combinations import Combination
from perovshell.unknown import EqualUnknowns


def unknown() -> float:
    """Return another NaN each time."""
    return float("nan")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Measurement(unknown(), "~", unknown(), unknown()),
        lambda: Reading("remnant PL", unknown(), 80.0, unknown(), unknown(), ""),
        lambda: Combination(None, (), "bare", "none", "solution", unknown()),
    ],
)
def test_equal_and_one_in_a_set(make) -> None:
    assert make() == make()
    assert len({make(), make()}) == 1


def test_a_known_number_is_not_an_unknown_one() -> None:
    assert Measurement(9.0) != Measurement()
    assert Measurement() != unknown()


def test_a_class_whose_numbers_may_be_unknown_compares_them_so() -> None:
    found = [
        kind
        for module in pkgutil.walk_packages(perovshell.__path__, "perovshell.")
        if not module.name.endswith(("__main__", "pyfunc_model"))
        for kind in vars(importlib.import_module(module.name)).values()
        if isinstance(kind, type) and kind.__module__ == module.name and is_dataclass(kind)
        if any(may_be_unknown(one) for one in fields(kind))
    ]
    assert Measurement in found
    found += [Reading, Sample]  # Unknown numbers, but no defaults.
    assert [kind for kind in found if not issubclass(kind, EqualUnknowns)] == []


def may_be_unknown(one) -> bool:
    default = one.default
    is_nan = default is not MISSING and isinstance(default, float) and math.isnan(default)
    return is_nan and one.compare is not False
