"""The public model: what `predict` takes, and in what form it answers."""

import pandas as pd

from perovshell.model import Model
from perovshell.models.outputs import DEFAULT_STRESSORS, Thresholds, output_columns

ROWS = [
    {"core": "CsPbBr3", "shell": "SiO2", "core_size_nm": 8.0, "medium": "film"},
    {"core": "CsPbI3", "shell": "none", "core_size_nm": None, "medium": None},
]


def test_a_frame_with_missing_values_of_pandas_is_answered(model: Model) -> None:
    frame = pd.DataFrame(ROWS, index=["a", "b"])
    answers = model.predict(frame.convert_dtypes())
    assert list(answers.index) == ["a", "b"]
    assert list(answers["error"]) == ["", ""]
    pd.testing.assert_frame_equal(answers, model.predict(frame))


def test_a_frame_without_rows_is_answered_with_the_columns(model: Model) -> None:
    thresholds = Thresholds(plqy_above=80)
    answers = model.predict(pd.DataFrame(ROWS).iloc[:0], thresholds=thresholds)
    assert len(answers) == 0
    assert tuple(answers.columns) == output_columns(DEFAULT_STRESSORS, thresholds)
