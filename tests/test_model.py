"""The public model: what `predict` takes, and in what form it answers."""

import multiprocessing
import pickle
from dataclasses import fields
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from perovshell.errors import DocumentError
from perovshell.model import Model
from perovshell.models.outputs import DEFAULT_STRESSORS, Thresholds, output_columns
from perovshell.models.predictor import Predictor

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


@pytest.mark.parametrize("shells", [None, 5, "PVK", [None]])
def test_what_is_no_list_of_shells_is_refused(model: Model, shells: Any) -> None:
    with pytest.raises(DocumentError, match=r"^shells, key shells"):
        model.with_shells(shells)


def test_a_frame_without_rows_is_answered_with_the_columns(model: Model) -> None:
    thresholds = Thresholds(plqy_above=80)
    answers = model.predict(pd.DataFrame(ROWS).iloc[:0], thresholds=thresholds)
    assert len(answers) == 0
    assert tuple(answers.columns) == output_columns(DEFAULT_STRESSORS, thresholds)


# Other processes -----------------------------------------------------------------------------

THRESHOLDS = Thresholds(pl_window_nm=(500, 540), plqy_above=60, gain_above=5)


@pytest.fixture
def used(model: Model) -> Model:
    """Return a model that has answered, explained and looked up evidence."""
    for answer in model.answer(ROWS, thresholds=THRESHOLDS):
        assert answer.nearest
    for row in ROWS:
        model.explain(row)
    return model


def same(answers: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    assert len(answers) == len(expected)
    for answer, other in zip(answers, expected, strict=True):
        assert answer.keys() == other.keys()
        for name, value in other.items():
            np.testing.assert_equal(answer[name], value, err_msg=name)


def test_a_used_model_is_pickled(used: Model) -> None:
    copy = pickle.loads(pickle.dumps(used))
    assert vars(copy.predictor).keys() == {field.name for field in fields(Predictor)}
    same(copy.predict(ROWS, thresholds=THRESHOLDS), used.predict(ROWS, thresholds=THRESHOLDS))
    for row in ROWS:
        assert copy.explain(row) == used.explain(row)
    evidence, other = (one.answer(ROWS)[0].to_json() for one in (copy, used))
    assert evidence == other


def test_a_used_model_answers_in_processes_of_joblib(used: Model) -> None:
    run = joblib.Parallel(n_jobs=2, backend="loky")
    predicted = run(joblib.delayed(used.predict)([row], thresholds=THRESHOLDS) for row in ROWS)
    same(
        [one for answers in predicted for one in answers], used.predict(ROWS, thresholds=THRESHOLDS)
    )
    assert run(joblib.delayed(used.explain)(row) for row in ROWS) == [*map(used.explain, ROWS)]


def test_a_used_model_answers_in_spawned_processes(used: Model) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        predicted = pool.map(used.predict, [[row] for row in ROWS])
        explained = pool.map(used.explain, ROWS)
    same([one for answers in predicted for one in answers], used.predict(ROWS))
    assert explained == [*map(used.explain, ROWS)]


def test_a_used_model_answers_on_workers_of_dask(used: Model) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        predicted = client.submit(used.predict, ROWS, thresholds=THRESHOLDS).result(timeout=120)
        explained = client.submit(used.explain, ROWS[0]).result(timeout=120)
    same(predicted, used.predict(ROWS, thresholds=THRESHOLDS))
    assert explained == used.explain(ROWS[0])
