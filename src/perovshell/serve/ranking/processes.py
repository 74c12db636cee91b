"""A ranking computed in several processes of this machine."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Final

from perovshell.environment import environment
from perovshell.errors import ClusterError
from perovshell.serve.ranking.job import UNGUARDED, Job, Results
from perovshell.serve.ranking.task_result import TaskResult

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

ONE_THREAD_EACH: Final = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
"""Environment of processes of which there is one for each core."""


def in_processes(job: Job, tasks: Sequence[int], jobs: int) -> Results:
    """Score tasks in several processes of this machine.

    Raises:
        ClusterError: A process died.
    """
    end_second_run()
    context = multiprocessing.get_context("spawn")
    has_begun = context.Event()
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(has_begun,))
    with environment(ONE_THREAD_EACH), pool:
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


def end_second_run() -> None:
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
