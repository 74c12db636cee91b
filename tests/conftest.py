"""What the tests share: the bundled dataset and one small trained model."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test

from perovshell.data.dataset import Dataset
from perovshell.features.featurizer import Featurizer
from perovshell.model import Model
from perovshell.training.train import TrainedModel, problems_of
from perovshell.training.validation.nested import Problems
from perovshell.workspace.folder import WorkspaceFolder
from shared import Shared, copied


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep coverage out of properties: hundreds of examples run the same lines."""
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture(scope="module", autouse=True)
def _unmeasured_processes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep coverage out of the processes of modules that say so."""
    is_so = getattr(request.module, "UNMEASURED_PROCESSES", False)
    with unmeasured() if is_so else nullcontext():
        yield


@pytest.fixture(autouse=True)
def _unmeasured_processes_of_a_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep coverage out of the processes of tests that are not measured themselves."""
    with unmeasured() if request.node.get_closest_marker("no_cover") else nullcontext():
        yield


@contextmanager
def unmeasured() -> Iterator[None]:
    """Start processes without coverage: it would be most of their time."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if "COVERAGE" in name}
    try:
        yield
    finally:
        os.environ.update(kept)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    return Dataset.bundled()


@pytest.fixture(scope="session")
def few_papers(dataset: Dataset) -> Dataset:
    """Each third paper of the first round and each sixth of the second: trained on in seconds."""
    rounds = [
        [name for name, paper in dataset.papers.items() if paper.round == number]
        for number in (1, 2)
    ]
    return dataset.subset({*rounds[0][::3], *rounds[1][::6]})


@pytest.fixture(scope="session")
def featurizer() -> Featurizer:
    return Featurizer.bundled()


@pytest.fixture(scope="session")
def problems(dataset: Dataset) -> Problems:
    return problems_of(dataset)


@pytest.fixture(scope="session")
def session_workspace(tmp_path_factory: pytest.TempPathFactory) -> WorkspaceFolder:
    workspace = WorkspaceFolder(tmp_path_factory.mktemp("workspace"))
    workspace.prepare()
    return workspace


@pytest.fixture(scope="session")
def trained(shared: Shared, session_workspace: WorkspaceFolder) -> TrainedModel:
    made = copied(shared.trained(), session_workspace)
    session_workspace.set_champion(made.model_id, "the first")
    return made


@pytest.fixture(scope="session")
def model_folder(trained: TrainedModel) -> Path:
    return trained.folder


@pytest.fixture(scope="session")
def model(model_folder: Path) -> Model:
    return Model.from_folder(model_folder)


@pytest.fixture(scope="session")
def tracked(shared: Shared, tmp_path_factory: pytest.TempPathFactory) -> WorkspaceFolder:
    """A workspace whose only model is registered; no test changes it."""
    folder = tmp_path_factory.mktemp("tracked") / "workspace"
    return WorkspaceFolder(shutil.copytree(shared.workspace(), folder))
