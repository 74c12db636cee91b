"""What the tests of the service share."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI

from perovshell.model import Model
from perovshell.models.folder import read_validation, write_folder
from perovshell.training.train import TrainedModel


@pytest.fixture(scope="session", autouse=True)
def _described_once() -> Iterator[None]:
    """Describe the service once: all have the same routes, and this is most of making one."""
    describe: Callable[[FastAPI], dict[str, Any]] = FastAPI.openapi
    known: dict[str, dict[str, Any]] = {}

    def described(app: FastAPI) -> dict[str, Any]:
        if app.title not in known:  # Applications of tests have titles of their own.
            known[app.title] = deepcopy(describe(app))
        if app.openapi_schema is None:
            app.openapi_schema = deepcopy(known[app.title])
        return app.openapi_schema

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FastAPI, "openapi", described)
        yield


@pytest.fixture(scope="session")
def other_model(trained: TrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that answers other numbers: its PLQY has wider intervals."""
    model = Model.from_folder(trained.folder)
    plqy = model.predictor.points["plqy"]
    wider = replace(plqy, scores=replace(plqy.scores, values=np.asarray(plqy.scores.values) * 1.5))
    info = {name: value for name, value in vars(model.info).items() if name != "model_id"}
    folder = tmp_path_factory.mktemp("other") / "model"
    predictor = replace(model.predictor, points={**model.predictor.points, "plqy": wider})
    write_folder(folder, predictor, info, {}, read_validation(trained.folder))
    return folder
