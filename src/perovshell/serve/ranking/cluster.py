"""A ranking computed on a Dask cluster, which is started here where none is named."""

from __future__ import annotations

import contextlib
import itertools
import socket
import warnings
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final
from urllib.parse import urlsplit

from perovshell.errors import ClusterError
from perovshell.optional import import_optional
from perovshell.serve.ranking.job import UNGUARDED, Job, Results
from perovshell.serve.ranking.processes import ONE_THREAD_EACH, end_second_run
from perovshell.serve.ranking.task_result import TaskResult, TopList

_GROUP: Final = 8
"""Tasks whose results are joined on the cluster before they are sent."""
_IN_FLIGHT: Final = 4
"""Groups submitted to each worker ahead of time."""
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
    end_second_run()
    dask = import_optional("dask", "the dask engine", "scale")
    distributed = import_optional("distributed", "the dask engine", "scale")
    with (
        dask.config.set({"distributed.nanny.pre-spawn-environ": ONE_THREAD_EACH}),
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
