"""The result so far: saved from time to time, so that a stopped one resumes from there."""

from __future__ import annotations

import io
import json
import time
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np

from perovshell.errors import WorkspaceError
from perovshell.files import write_file
from perovshell.serve.ranking.scoring import Scorer
from perovshell.serve.ranking.task_result import TaskResult

_SAVE_EVERY_S: Final = 20.0


class Checkpoint:
    """The result so far and the finished tasks; saved in a file if one is given.

    Args:
        scorer: The ranking.
        path: File to save it in; None saves nothing.
        resume: Whether to start from that file.

    Raises:
        WorkspaceError: There is nothing to resume, or the file is of another ranking.
    """

    def __init__(self, scorer: Scorer, path: Path | None, *, resume: bool) -> None:
        self._scorer = scorer
        self._path = path
        # One object, so that an interrupt cannot separate the result from its tasks.
        self._state = scorer.empty, np.zeros(scorer.tasks, dtype=bool)
        self._saved = time.monotonic()
        if resume:
            self._load()

    @property
    def result(self) -> TaskResult:
        """The joined result of the finished tasks."""
        return self._state[0]

    @property
    def left(self) -> list[int]:
        """The unfinished tasks."""
        return np.flatnonzero(~self._state[1]).tolist()

    def add(self, tasks: Sequence[int], result: TaskResult) -> None:
        """Join the result of tasks."""
        done = self._state[1].copy()
        done[list(tasks)] = True
        self._state = self.result.joined(result, self._scorer.top_list), done
        if self._path is not None and time.monotonic() - self._saved > _SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Write the file, if any task is finished.

        Raises:
            WorkspaceError: The folder is not writable.
        """
        if self._path is None or not self._state[1].any():
            return
        extra = {"done": np.packbits(self._state[1]), "ranking": np.array(self._fingerprint)}
        write_file(self._path, self.result.to_bytes(extra))
        self._saved = time.monotonic()

    @property
    def _fingerprint(self) -> str:
        scorer = self._scorer
        data = [version("perovshell"), scorer.model.info.model_id, scorer.space.to_mapping()]
        data.append(asdict(scorer.options))
        return json.dumps(data, sort_keys=True)

    def _load(self) -> None:
        path = self._path
        try:
            content = path.read_bytes() if path is not None else b""
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                saved = dict(arrays)
            same = str(saved["ranking"]) == self._fingerprint
            result = TaskResult.from_arrays(saved)
        except FileNotFoundError as error:
            msg = f"resume=True: there is nothing to go on from ({path} is missing)"
            raise WorkspaceError(msg) from error
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            msg = f"resume=True: {path} cannot be read ({error}); rank again without it"
            raise WorkspaceError(msg) from error
        if not same:
            msg = (
                f"resume=True: {path} is of another space, model, order, length of list or version "
                "of Perovshell; rank without it"
            )
            raise WorkspaceError(msg)
        done = np.unpackbits(saved["done"], count=self._scorer.tasks).astype(bool)
        self._state = result, done
