"""Packages of an extra: imported where they are needed, and named where they are missing."""

import math
import sys

import pytest

from perovshell.errors import MissingExtraError
from perovshell.features.elements import ElementTable
from perovshell.models.boosting import _xgboost
from perovshell.models.censored import interval_log_likelihood
from perovshell.optional import import_optional


def test_a_module_that_is_there_is_returned() -> None:
    assert import_optional("math", "counting", "train") is math


@pytest.mark.parametrize(
    ("module", "call", "words"),
    [
        ("scipy.special", lambda: interval_log_likelihood(*[1.0] * 4), "training needs scipy"),  # type: ignore[arg-type]
        ("matminer.utils.data", ElementTable.from_matminer, "descriptors needs matminer"),
        ("xgboost", _xgboost, "training needs xgboost"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, module: str, call: object, words: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # type: ignore[arg-type]
    with pytest.raises(MissingExtraError, match=rf"{words}: pip install 'perovshell\[train\]'"):
        call()  # type: ignore[operator]
