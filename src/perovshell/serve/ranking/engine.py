"""Where a ranking is computed: in this process, in several, or on a Dask cluster.

Tasks depend on the space alone and their results join in any order to the same result, so every
engine gives the same ranking. The result so far is saved from time to time: an interrupted ranking
resumes from there.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import multiprocessing
import os
import signal
import socket
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import numpy as np

from perovshell.errors import ClusterError, WorkspaceError
from perovshell.files import write_file
from perovshell.model import Model
from perovshell.optional import import_optional
from perovshell.serve.ranking.scoring import Options, Scorer
from perovshell.serve.ranking.task_result import TaskResult, TopList
from perovshell.serve.space.file import read_space
from perovshell.serve.space.space import DesignSpace

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

ENGINES: Final = ("local", "dask")
_SAVE_EVERY_S: Final = 20.0
_GROUP: Final = 8
"""Tasks whose results are joined on the cluster before they are sent."""
_IN_FLIGHT: Final = 4
"""Groups submitted to each worker ahead of time."""
UNGUARDED: Final = (
    "a script that starts processes needs its code below `if __name__ == '__main__':`"
)
_CONNECT_S: Final = 10.0
_WORKER_S: Final = 30.0
_THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
_WORKER_ENVIRONMENT: Final = dict.fromkeys(_THREADS, "1")
"""The default of Dask also returns memory at once, which makes arrays four times as slow."""


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
        scorer = _scorer(self)
        results = [scorer.run_task(task) for task in tasks]
        return joined(results, scorer.top_list)


@lru_cache(maxsize=1)
def _scorer(job: Job) -> Scorer:
    """Unpack a ranking once in each process."""
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


def joined(results: Sequence[TaskResult], top: TopList) -> TaskResult:
    """Join results in a tree, two by two."""
    parts = list(results)
    while len(parts) > 1:
        pairs = [parts[first : first + 2] for first in range(0, len(parts), 2)]
        parts = [pair[0].joined(pair[1], top) if len(pair) > 1 else pair[0] for pair in pairs]
    return parts[0]


Results = Iterator[tuple[Sequence[int], TaskResult]]


# Engines -------------------------------------------------------------------------------------


def in_this_process(scorer: Scorer, tasks: Iterable[int]) -> Results:
    """Score tasks one after the other."""
    for task in tasks:
        yield (task,), scorer.run_task(task)


def in_processes(job: Job, tasks: Sequence[int], jobs: int) -> Results:
    """Score tasks in several processes of this machine.

    Raises:
        ClusterError: A process died.
    """
    _end_second_run()
    context = multiprocessing.get_context("spawn")
    has_begun = context.Event()
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(has_begun,))
    with _one_thread_each(), pool:
        try:
            yield from _as_completed(
                tasks, 1, 2 * jobs, lambda group: pool.submit(job.run_tasks, group)
            )
        except BrokenProcessPool as error:
            msg = "a process of the ranking died (out of memory?); try resume=True"
            if not has_begun.is_set():
                msg = f"no process of the ranking could be started: {UNGUARDED}; or give jobs=1"
            raise ClusterError(msg) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin(has_begun: Event) -> None:
    # Ctrl-C is for the process of the user alone: the others end with their task.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    has_begun.set()


def _end_second_run() -> None:
    """End a new process that runs the script of the user again instead of its task.

    Python imports the script in it. One that starts processes without a guard would start them
    there, too, and fails with a traceback in each.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(1)


def _as_completed(
    tasks: Sequence[int],
    size: int,
    ahead: int,
    submit: Callable[[Sequence[int]], Future[TaskResult]],
) -> Results:
    """Keep a few groups of tasks in flight, and yield each as it is done."""
    groups = iter([tasks[first : first + size] for first in range(0, len(tasks), size)])
    flying: dict[Future[TaskResult], Sequence[int]] = {}
    while True:
        while len(flying) < ahead and (group := next(groups, None)) is not None:
            flying[submit(group)] = group
        if not flying:
            return
        done, _ = wait(flying, return_when=FIRST_COMPLETED)
        for future in done:
            yield flying.pop(future), future.result()


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let new processes use one thread each: there is one for each core."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def dask_client(scheduler: str | None, workers: int) -> Iterator[Any]:
    """Connect to a Dask scheduler, or start a local cluster.

    Raises:
        MissingExtraError: dask is not installed.
        ClusterError: The scheduler cannot be reached, or the local cluster does not start.
    """
    distributed = import_optional("distributed", "the dask engine", "scale")
    with contextlib.ExitStack() as started:
        try:
            with warnings.catch_warnings():
                # What has to be the same is checked: see `_refuse_other_versions`.
                mismatch = distributed.versions.VersionMismatchWarning
                warnings.simplefilter("ignore", mismatch)
                if scheduler is None:
                    cluster = started.enter_context(_local_cluster(workers))
                    client = distributed.Client(cluster)
                else:
                    _refuse_silence(scheduler)
                    client = distributed.Client(scheduler, timeout=_CONNECT_S)
        except Exception as error:
            what = _why_not_connected(scheduler, distributed.__version__)
            msg = f"{what} ({_one_line(error) or type(error).__name__})"
            raise ClusterError(msg) from error
        yield started.enter_context(client)


def _why_not_connected(scheduler: str | None, dask: str) -> str:
    if scheduler is None:
        return f"the local Dask cluster did not start: is the machine busy? try again; {UNGUARDED}"
    if _answers(scheduler):
        return (
            f"scheduler {scheduler!r}: answers, but not as Dask {dask} expects: install the same "
            "version of dask on the scheduler, on the workers and here"
        )
    return f"scheduler {scheduler!r}: cannot be reached; expected tcp://HOST:PORT"


def _answers(address: str) -> bool:
    """Whether a program listens at an address."""
    with contextlib.suppress(OSError, ValueError, TypeError), _opened(address):
        return True
    return False


def _refuse_silence(address: str) -> None:
    """Refuse a program that is no scheduler: that speaks first, and its client waits for it.

    Raises:
        TimeoutError: It says nothing.
    """
    with contextlib.ExitStack() as opened:
        try:
            connection = opened.enter_context(_opened(address))
        except (OSError, ValueError, TypeError):
            return  # The client tries for longer, and names the fault.
        if urlsplit(address).scheme == "tcp":
            connection.recv(1)


def _opened(address: str) -> socket.socket:
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname or "", parts.port or 0), _CONNECT_S)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


@contextlib.contextmanager
def _local_cluster(workers: int) -> Iterator[Any]:
    _end_second_run()
    dask = import_optional("dask", "the dask engine", "scale")
    distributed = import_optional("distributed", "the dask engine", "scale")
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": _WORKER_ENVIRONMENT}),
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address=None,
            silence_logs=50,
        ) as cluster,
    ):
        yield cluster


def on_dask(client: Any, job: Job, tasks: Sequence[int], top: TopList) -> Results:
    """Score tasks on a Dask cluster: groups of them joined in a tree there.

    A lost worker costs its own tasks only: Dask gives them to another.

    Raises:
        ClusterError: The cluster has no worker, one without this Perovshell, or lost too many.
    """
    try:
        client.wait_for_workers(1, timeout=_WORKER_S)  # They may just be starting.
    except TimeoutError as error:
        msg = f"scheduler {client.scheduler.address}: it has no worker after {_WORKER_S:g} s"
        raise ClusterError(msg) from error
    _refuse_other_versions(client, job.version)
    try:
        yield from _on_workers(client, job, tasks, top)
    except ClusterError:
        raise
    except Exception as error:
        msg = f"scheduler {client.scheduler.address}: {_one_line(error) or type(error).__name__}"
        raise ClusterError(msg) from error


def _refuse_other_versions(client: Any, needed: str) -> None:
    """Refuse a cluster whose scheduler or workers have no Perovshell or another one.

    They are asked by a function of Python, which they have.
    """
    try:
        on_scheduler: Any = client.run_on_scheduler(version, "perovshell")
    except PackageNotFoundError as error:
        on_scheduler = error
    installed = {"the scheduler": on_scheduler}
    on_workers = client.run(version, "perovshell", on_error="return")
    installed |= {f"worker {address}": found for address, found in on_workers.items()}
    others = {who: found for who, found in installed.items() if found != needed}
    if others:
        who, found = next(iter(others.items()))
        has = f"has Perovshell {found}" if isinstance(found, str) else "has no Perovshell"
        more = f" ({len(others)} of {len(installed)} such)" if len(others) > 1 else ""
        msg = (
            f"scheduler {client.scheduler.address}: {who} {has}{more}; scheduler and workers need "
            f"that of the ranking: pip install perovshell=={needed}"
        )
        raise ClusterError(msg)


def _on_workers(client: Any, job: Job, tasks: Sequence[int], top: TopList) -> Results:
    from distributed import as_completed

    workers = len(client.scheduler_info(n_workers=-1)["workers"])
    # No hash as its key: the data of an earlier ranking may just be released.
    shared = client.scatter(job, broadcast=True, hash=False)
    groups = iter([tasks[first : first + _GROUP] for first in range(0, len(tasks), _GROUP)])

    def submit(group: Sequence[int]) -> Any:
        parts = [client.submit(_run_task, shared, task, retries=3, pure=False) for task in group]
        while len(parts) > 1:
            pairs = [parts[first : first + 2] for first in range(0, len(parts), 2)]
            parts = [
                client.submit(_join, *pair, top, pure=False) if len(pair) > 1 else pair[0]
                for pair in pairs
            ]
        return parts[0]

    flying = {submit(group): group for group in itertools.islice(groups, _IN_FLIGHT * workers)}
    completed = as_completed(list(flying))
    for future in completed:
        group = flying.pop(future)
        try:
            result = future.result()
        except Exception as error:
            msg = f"scheduler {client.scheduler.address}: tasks {group[0]} to {group[-1]}: "
            msg += _one_line(error)
            raise ClusterError(msg) from error
        following = next(groups, None)
        if following is not None:
            again = submit(following)
            flying[again] = following
            completed.add(again)
        yield group, result


def _run_task(job: Job, task: int) -> TaskResult:
    return job.run_tasks([task])


def _join(first: TaskResult, second: TaskResult, top: TopList) -> TaskResult:
    return first.joined(second, top)


# Progress ----------------------------------------------------------------------------------


class Progress:
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
