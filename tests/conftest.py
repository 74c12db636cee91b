"""What the tests share: the bundled dataset and one small trained model."""

import os
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of tests without coverage."""
    config.addinivalue_line("markers", "unmeasured: other tests run its lines, in less time.")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave coverage out of properties: hundreds of examples run the same lines."""
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.unmeasured)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Leave coverage out of tests that are marked, and of the processes of modules that say so."""
    is_unmeasured = item.get_closest_marker("unmeasured") is not None
    module = getattr(item, "module", None)
    with ExitStack() as stack:
        if is_unmeasured:
            stack.enter_context(_untraced())
        if is_unmeasured or getattr(module, "UNMEASURED_PROCESSES", False):
            stack.enter_context(_unmeasured_processes())
        return (yield)


@contextmanager
def _untraced() -> Iterator[None]:
    """Stop coverage here.

    The marker of pytest-cov does not do so in the processes of pytest-xdist: coverage has started
    there three times, and another one goes on.
    """
    here, of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    yield
    threading.settrace(of_threads)  # type: ignore[arg-type]
    sys.settrace(here)


@contextmanager
def _unmeasured_processes() -> Iterator[None]:
    """Start processes without coverage: it would be most of their time."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if "COVERAGE" in name}
    yield
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
