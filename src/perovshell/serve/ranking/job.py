"""A ranking as plain data, for the processes that compute a part of it."""

from __future__ import annotations

import contextlib
import importlib
import json
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from perovshell.errors import ClusterError
from perovshell.model import Model
from perovshell.serve.ranking.memory import keep_memory
from perovshell.serve.ranking.scoring import Options, Scorer
from perovshell.serve.ranking.task_result import TaskResult, TopList
from perovshell.serve.space.file import read_space
from perovshell.serve.space.space import DesignSpace

Results = Iterator[tuple[Sequence[int], TaskResult]]
"""Finished tasks with their joined result."""
UNGUARDED: Final = (
    "a script that starts processes needs its code below `if __name__ == '__main__':`"
)

_UNPACKING: Final = threading.Lock()


@dataclass(frozen=True)
class Job:
    """What another process needs to score tasks: plain data, and the files of the model.

    Attributes:
        files: Name and content of each file of the model folder.
        space: The mapping of the design space, as JSON.
        options: How it is ranked, as JSON.
        version: Version of Perovshell that packed it.
    """

    files: tuple[tuple[str, bytes], ...]
    space: str
    options: str
    version: str

    @classmethod
    def of(cls, space: DesignSpace, model: Model, options: Options) -> Job:
        """Pack a ranking."""
        paths = sorted(path for path in model.folder.iterdir() if path.is_file())
        files = tuple((path.name, path.read_bytes()) for path in paths)
        mapping = json.dumps(space.to_mapping())
        return cls(files, mapping, json.dumps(asdict(options)), version("perovshell"))

    def run_tasks(self, tasks: Sequence[int]) -> TaskResult:
        """Score tasks and join their results."""
        with _UNPACKING:  # Threads of one worker share it.
            scorer = _scorer(self)
        results = [scorer.run_task(task) for task in tasks]
        return joined(results, scorer.top_list)


@lru_cache(maxsize=1)
def _scorer(job: Job) -> Scorer:
    """Unpack a ranking once in each process."""
    keep_memory()
    use_one_thread()
    installed = version("perovshell")
    if installed != job.version:
        msg = f"a worker has Perovshell {installed}, the ranking {job.version}: install the same"
        raise ClusterError(msg)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in job.files:
            (Path(folder) / name).write_bytes(content)
        model = Model.from_folder(folder)
    space = read_space(json.loads(job.space), model.predictor.featurizer.reader)
    return Scorer(space, model, Options(**json.loads(job.options)))


def use_one_thread() -> None:
    """Let linear algebra of this process use one thread, where threadpoolctl is installed.

    There is a process or a thread for each core. A worker that Dask starts without a nanny has the
    threads of the machine, which wait for each other: it was several times slower.
    """
    with contextlib.suppress(ImportError):
        importlib.import_module("threadpoolctl").threadpool_limits(1)


def joined(results: Sequence[TaskResult], top: TopList) -> TaskResult:
    """Join results in a tree, two by two."""
    parts = list(results)
    while len(parts) > 1:
        pairs = [parts[first : first + 2] for first in range(0, len(parts), 2)]
        parts = [pair[0].joined(pair[1], top) if len(pair) > 1 else pair[0] for pair in pairs]
    return parts[0]
