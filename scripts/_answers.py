"""What the campaigns of the service share: models to promote, and the answers that each gives."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from _load import PATIENCE, row

from perovshell.data.dataset import Dataset
from perovshell.model import Model
from perovshell.serve.service.writing import write
from perovshell.training.train import QUICK, train
from perovshell.workspace.folder import WorkspaceFolder

MODELS: Final = 3


def prepare(workspace: WorkspaceFolder, folders: Sequence[Path] | None) -> list[str]:
    """Fill a workspace with models; the first becomes champion.

    Args:
        workspace: The workspace.
        folders: Folders of models; some are trained where there are none.

    Returns:
        The ids of the models.
    """
    workspace.prepare()
    for folder in folders or ():
        shutil.copytree(folder, workspace.models / Model.from_folder(folder).info.model_id)
    if not folders:
        for seed in range(MODELS):
            train(Dataset.bundled(), workspace.models, replace(QUICK, seed=seed))
    names = workspace.model_ids()
    if len(names) == 1:
        sys.exit("two or more different models are needed")
    workspace.set_champion(names[0], "the first")
    return names


def promote(workspace: WorkspaceFolder, model_id: str) -> None:
    """Promote a model by the command line."""
    command = [sys.executable, "-m", "perovshell", "models", "promote", model_id]
    command += ["--why", "a trial", "--workspace", str(workspace.root)]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE)


@dataclass(frozen=True)
class Predictions:
    """A fixed set of requests, and their answers by each model.

    Attributes:
        bodies: The requests.
        expected: Answers to them by model.
    """

    bodies: list[bytes]
    expected: dict[str, list[Any]]

    @classmethod
    def of(
        cls, workspace: WorkspaceFolder, names: Sequence[str], sizes: Sequence[int], first: int = 0
    ) -> Predictions:
        """Make requests of so many rows, and the answers that the models of a workspace give."""
        numbers = itertools.count(first)
        requests = [[row(next(numbers)) for _ in range(size)] for size in sizes]
        models = {name: Model.from_folder(workspace.models / name) for name in names}
        expected = {
            name: [json.loads(b"[%b]" % write(model.predict(rows)).answers) for rows in requests]
            for name, model in models.items()
        }
        return cls([json.dumps({"rows": rows}).encode() for rows in requests], expected)

    def fault(self, place: int, answer: Any) -> str:
        """Return what is wrong with the answer to a request; empty where nothing is."""
        model_id = answer["model"]["id"]
        if model_id not in self.expected:
            return f"request {place} is answered by {model_id}"
        if answer["answers"] != self.expected[model_id][place]:
            return f"request {place} is not answered as {model_id} would"
        return ""
