"""Models to register, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from perovshell.models.folder import read_folder, write_folder
from perovshell.training.train import TrainedModel
from perovshell.workspace.folder import WorkspaceFolder


@contextmanager
def without_plots() -> Iterator[None]:
    """Drawing takes longer than everything else here."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("perovshell.training.tracking.write_plots", lambda *_: [])
        yield


def variant(trained: TrainedModel, workspace: WorkspaceFolder, *, seed: int) -> TrainedModel:
    """Return a model that says another seed of itself, in the workspace."""
    predictor, _ = read_folder(trained.folder)
    info = {**trained.info, "settings": {**trained.info["settings"], "seed": seed}}
    native = {path.stem: path.read_bytes() for path in trained.folder.glob("*.ubj")}
    beside = workspace.models / f".variant-{seed}"
    model_id = write_folder(beside, predictor, info, native, trained.validated.arrays())
    folder = beside.rename(workspace.models / model_id)
    return replace(trained, folder=folder, model_id=model_id, info=info)
