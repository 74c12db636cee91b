"""The workers of a Dask cluster: which of them compute, and who comes and goes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from perovshell.errors import ClusterError, PerovshellWarning

RESOURCE: Final = "perovshell"
"""Resource of Dask that an admitted worker has and each task needs: others get no task."""
_PLENTY: Final = 1e6
"""Of that resource: it limits nothing, each task takes 1."""


class Workers:
    """The workers that have the Perovshell of the ranking.

    Workers are asked by functions of Python, which those without Perovshell have as well.

    Args:
        client: Client of the cluster.
        needed: Version of Perovshell that is needed.
    """

    def __init__(self, client: Any, needed: str) -> None:
        self._client = client
        self._needed = needed
        self._admitted: dict[str, int] = {}
        self._refused: set[str] = set()

    @property
    def addresses(self) -> frozenset[str]:
        """Addresses of the admitted workers."""
        return frozenset(self._admitted)

    @property
    def count(self) -> int:
        """Number of admitted workers."""
        return len(self._admitted)

    @property
    def threads(self) -> int:
        """Number of tasks that they run at a time."""
        return sum(self._admitted.values())

    def admit_all(self) -> None:
        """Admit the workers that are there.

        Raises:
            ClusterError: The scheduler or a worker has no Perovshell or another one.
        """
        try:
            on_scheduler: Any = self._client.run_on_scheduler(version, "perovshell")
        except PackageNotFoundError as error:
            on_scheduler = error
        present = self._present()
        on_workers = self._ask(present, version, "perovshell")
        installed = {"the scheduler": on_scheduler}
        installed |= {f"worker {address}": answer for address, answer in on_workers.items()}
        others = {who: answer for who, answer in installed.items() if answer != self._needed}
        if others:
            who, answer = next(iter(others.items()))
            more = f" ({len(others)} of {len(installed)} such)" if len(others) > 1 else ""
            msg = (
                f"scheduler {self._client.scheduler.address}: {who} {_has(answer)}{more}; "
                "scheduler and workers need that of the ranking: pip install "
                f"perovshell=={self._needed}"
            )
            raise ClusterError(msg)
        self._admit(present, on_workers)

    def update(self) -> tuple[str, ...]:
        """Admit workers that have come and forget those that are lost; return what happened."""
        present = self._present()
        lost = sorted(self._admitted.keys() - present.keys())
        new = present.keys() - self._admitted.keys() - self._refused
        for address in lost:
            del self._admitted[address]
        self._refused &= present.keys()
        come = self._admit(present, self._ask(new, version, "perovshell")) if new else []
        if lost and not self._admitted:
            _warn("no worker is left: the ranking waits for one; Ctrl-C ends it")
        return (
            *(f"lost worker {address}; others repeat its tasks" for address in lost),
            *(f"worker {address} joined" for address in come),
        )

    def _present(self) -> dict[str, int]:
        """Return the number of threads of each worker of the cluster, by its address."""
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        return {address: worker["nthreads"] for address, worker in workers.items()}

    def _ask(
        self, addresses: Collection[str], function: Callable[..., Any], *arguments: Any
    ) -> dict[str, Any]:
        """Return what a function returns, or raises, on workers."""
        answers: dict[str, Any] = self._client.run(
            function, *arguments, workers=list(addresses), on_error="return"
        )
        return answers

    def _admit(self, present: Mapping[str, int], installed: Mapping[str, Any]) -> list[str]:
        """Admit workers with the Perovshell that is needed; return their addresses."""
        same = [address for address, answer in installed.items() if answer == self._needed]
        for address, answer in installed.items():
            if isinstance(answer, str | PackageNotFoundError) and answer != self._needed:
                self._refused.add(address)
                _warn(
                    f"worker {address} {_has(answer)}, not {self._needed} of the ranking: it gets "
                    "no tasks"
                )
        if same:
            self._warn_of_digits(same)
            answers = self._ask(same, _take_part)
            same = [address for address in same if answers[address] is None]
            self._admitted |= {address: present[address] for address in same}
        return same

    def _warn_of_digits(self, addresses: Collection[str]) -> None:
        """Warn of workers with another numpy: it may round otherwise."""
        here = version("numpy")
        for address, answer in self._ask(addresses, version, "numpy").items():
            if answer != here:
                _warn(
                    f"worker {address} has numpy {answer}, here it is {here}: last digits may "
                    "differ; install the same"
                )


async def _take_part(dask_worker: Any) -> None:
    await dask_worker.set_resources(**{RESOURCE: _PLENTY})


def _has(answer: Any) -> str:
    if isinstance(answer, str):
        return f"has Perovshell {answer}"
    return "has no Perovshell" if isinstance(answer, PackageNotFoundError) else "does not answer"


def _warn(text: str) -> None:
    warnings.warn(text, PerovshellWarning, stacklevel=2)
