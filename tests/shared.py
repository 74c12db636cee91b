"""What is trained once for all test processes, by the first that needs it."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

if TYPE_CHECKING:
    from perovshell.training.train import TrainedModel
    from perovshell.workspace.folder import WorkspaceFolder

_PICKLE = "trained.pickle"


@dataclass(frozen=True)
class Shared:
    """A folder that all test processes share.

    Attributes:
        folder: The folder.
    """

    folder: Path

    def made(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return a folder that the first process that needs it makes; nobody changes it."""
        place, mark = self.folder / name, self.folder / f"{name}.made"
        with FileLock(self.folder / f"{name}.lock"):
            if not mark.exists():
                shutil.rmtree(place, ignore_errors=True)
                make(place)
                mark.touch()
        return place

    def trained(self) -> TrainedModel:
        """Return the model of `perovshell train --quick`, with its validation."""
        folder = self.made("quick-model", _train)
        trained: TrainedModel = pickle.loads((folder / _PICKLE).read_bytes())
        return trained

    def workspace(self) -> Path:
        """Return the workspace of `perovshell train --quick`: its model is the champion."""
        return self.made("quick-workspace", lambda folder: _register(self.trained(), folder))


def copied(trained: TrainedModel, workspace: WorkspaceFolder) -> TrainedModel:
    """Return a model, copied into a workspace."""
    folder = shutil.copytree(trained.folder, workspace.models / trained.model_id)
    return replace(trained, folder=folder)


_TRAINING = f"""
import pickle, sys
from pathlib import Path
from perovshell.data.dataset import Dataset
from perovshell.training.train import QUICK, train

folder = Path(sys.argv[1])
trained = train(Dataset.bundled(), folder, QUICK)
(folder / "{_PICKLE}").write_bytes(pickle.dumps(trained))
"""


def _train(folder: Path) -> None:
    # In a process of its own, coverage is not measured, which takes as long as the training.
    environment = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
    command = [sys.executable, "-c", _TRAINING, str(folder)]
    subprocess.run(command, env=environment, check=True)


def _register(trained: TrainedModel, folder: Path) -> None:
    from perovshell.training.tracking import track
    from perovshell.workspace.championship import ensure_champion
    from perovshell.workspace.folder import WorkspaceFolder

    workspace = WorkspaceFolder(folder)
    workspace.prepare()
    version = track(copied(trained, workspace), workspace).version
    ensure_champion(workspace, trained.model_id, version)
