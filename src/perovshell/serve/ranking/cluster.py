"""A ranking computed on a Dask cluster, which is started here where none is named."""

from __future__ import annotations

import contextlib
import functools
import logging
import signal
import socket
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any, Final
from urllib.parse import urlsplit

from perovshell.errors import ClusterError
from perovshell.optional import import_optional
from perovshell.serve.ranking.job import UNGUARDED, Job, Results
from perovshell.serve.ranking.processes import ONE_THREAD_EACH, end_second_run
from perovshell.serve.ranking.progress import ProgressMeter
from perovshell.serve.ranking.task_result import TaskResult, TopList
from perovshell.serve.ranking.workers import RESOURCE, Workers
from perovshell.texts import error_line

_GROUP: Final = 8
"""Most tasks whose results are joined on the cluster before they are sent."""
_AHEAD: Final = 4
"""Groups submitted ahead of time for each thread of the workers."""
_LOOK_S: Final = 1.0
"""Time between two looks at who works."""
_FETCH_S: Final = 3.0
"""How long a result that is there may take to come."""
_NEEDED: Final = {RESOURCE: 1}
_CONNECT_S: Final = 10.0
_WORKER_S: Final = 30.0


@contextlib.contextmanager
def dask_client(scheduler: str | None, workers: int) -> Iterator[Any]:
    """Connect to a Dask scheduler, or start a local cluster.

    Raises:
        MissingExtraError: dask is not installed.
        ClusterError: The scheduler cannot be reached, or the local cluster does not start.
    """
    distributed = import_optional("distributed", "the dask engine", "scale")
    with _without_log("distributed.client"), contextlib.ExitStack() as started:
        try:
            with warnings.catch_warnings():
                # What has to be the same is checked: see `Workers`.
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
            msg = f"{what} ({error_line(error) or type(error).__name__})"
            raise ClusterError(msg) from error
        yield started.enter_context(client)


@contextlib.contextmanager
def _without_log(name: str) -> Iterator[None]:
    """Leave out the messages of a logger: a lost connection is raised as an error, too."""
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


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


@contextlib.contextmanager
def _local_cluster(workers: int) -> Iterator[Any]:
    end_second_run()
    dask = import_optional("dask", "the dask engine", "scale")
    distributed = import_optional("distributed", "the dask engine", "scale")
    with dask.config.set({"distributed.nanny.pre-spawn-environ": ONE_THREAD_EACH}):
        with _children_without_interrupts():
            cluster = distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                # Any free port: that of another ranking may be taken.
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                silence_logs=50,
            )
        with cluster:
            yield cluster


@contextlib.contextmanager
def _children_without_interrupts() -> Iterator[None]:
    """Start threads and processes that Ctrl-C does not reach: it is for this process alone."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def on_dask(
    client: Any, job: Job, tasks: Sequence[int], top: TopList, meter: ProgressMeter
) -> Results:
    """Score tasks on a Dask cluster: groups of them joined in a tree there.

    A lost worker costs its own tasks only: Dask gives them to another.

    Raises:
        ClusterError: The cluster has no worker, one without this Perovshell, or lost too many.
    """
    where = f"scheduler {client.scheduler.address}"
    try:
        client.wait_for_workers(1, timeout=_WORKER_S)  # They may just be starting.
    except TimeoutError as error:
        msg = f"{where}: it has no worker after {_WORKER_S:g} s"
        raise ClusterError(msg) from error
    try:
        workers = Workers(client, job.version)
        workers.admit_all()
        meter.show_workers(workers.count)
        yield from _Submission(client, job, top, workers).results(tasks, meter)
    except ClusterError:
        raise
    except Exception as error:
        why = error_line(error) or type(error).__name__
        why = "the connection was lost" if _is_lost(client) else why
        msg = f"{where}: {why}; try resume=True"
        raise ClusterError(msg) from error


def _is_lost(client: Any) -> bool:
    """Whether the connection to the scheduler is lost."""
    return client.scheduler_comm is None or bool(client.scheduler_comm.closed())


class _Submission:
    """Groups of tasks on a cluster, a few of them ahead of its workers."""

    def __init__(self, client: Any, job: Job, top: TopList, workers: Workers) -> None:
        self._client = client
        self._job = job
        self._top = top
        self._workers = workers
        self._flying: dict[Any, Sequence[int]] = {}
        self._finished: SimpleQueue[Any] = SimpleQueue()

    def results(self, tasks: Sequence[int], meter: ProgressMeter) -> Results:
        """Yield the joined result of each group."""
        left = deque(tasks)
        shared = self._share()
        looked = time.monotonic()
        while left or self._flying:
            while left and len(self._flying) < _AHEAD * self._workers.threads:
                self._submit(shared, self._next_group(left))
            future = self._next_finished()
            if future is not None:
                result = self._result_of(future)
                if result is None:
                    self._finished.put(future)
                else:
                    yield self._flying.pop(future), result
            if time.monotonic() - looked > _LOOK_S:
                before = self._workers.addresses
                events = self._workers.update()
                looked = time.monotonic()
                if self._workers.count and not before & self._workers.addresses:
                    # All are new. Tasks that waited as they came do not go to them, since they
                    # were not admitted then.
                    shared = self._submit_again()
                meter.show_workers(self._workers.count, events)

    def _next_finished(self) -> Any:
        """Return a group's result that is there; None if there is none for a while."""
        with contextlib.suppress(Empty):
            future = self._finished.get(timeout=_LOOK_S)
            return future if future in self._flying else None
        return None

    def _result_of(self, future: Any) -> TaskResult | None:
        """Fetch a group's result; None if it does not come.

        What was lost with its worker is computed again, by workers that may have to be admitted.
        """
        try:
            result: TaskResult = future.result(timeout=_FETCH_S)
        except Exception as error:
            if not self._client.futures or _is_lost(self._client):
                raise  # All at once are lost with the connection.
            if isinstance(error, TimeoutError) and future.status != "error":
                return None
            group = self._flying[future]
            where = f"scheduler {self._client.scheduler.address}"
            msg = f"{where}: tasks {group[0]} to {group[-1]}: {error_line(error)}; try resume=True"
            raise ClusterError(msg) from error
        return result

    def _share(self) -> Any:
        # As a task, Dask can repeat it where all workers that hold the job are lost.
        return self._client.submit(_held, self._job, pure=False, resources=_NEEDED)

    def _next_group(self, left: deque[int]) -> Sequence[int]:
        # A few workers send each result, so that progress is smooth; many join theirs first.
        size = min(_GROUP, max(1, self._workers.threads // _GROUP), len(left))
        return [left.popleft() for _ in range(size)]

    def _submit(self, shared: Any, group: Sequence[int]) -> None:
        submit = functools.partial(self._client.submit, pure=False, resources=_NEEDED, retries=3)
        parts = [submit(_run_task, shared, task) for task in group]
        while len(parts) > 1:
            pairs = [parts[first : first + 2] for first in range(0, len(parts), 2)]
            parts = [
                submit(_join, *pair, self._top) if len(pair) > 1 else pair[0] for pair in pairs
            ]
        self._flying[parts[0]] = group
        parts[0].add_done_callback(self._finished.put)

    def _submit_again(self) -> Any:
        groups = list(self._flying.values())
        self._client.cancel(list(self._flying))
        self._flying.clear()
        shared = self._share()
        for group in groups:
            self._submit(shared, group)
        return shared


def _held(job: Job) -> Job:
    return job


def _run_task(job: Job, task: int) -> TaskResult:
    return job.run_tasks([task])


def _join(first: TaskResult, second: TaskResult, top: TopList) -> TaskResult:
    return first.joined(second, top)
