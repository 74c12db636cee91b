"""Large batches, computed by separate processes: all cores work, and no other request waits.

The processes start with the first large batch, and end with the service, however that ends.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from perovshell.model import Model
from perovshell.models.outputs import Thresholds
from perovshell.serve.ranking.memory import keep_memory
from perovshell.serve.service import limits
from perovshell.serve.service.batching import Asked
from perovshell.serve.service.places import MakeSlots, Places, Slots
from perovshell.serve.service.source import settle
from perovshell.serve.service.writing import Written, joined, write

LARGE: Final = 512
"""Rows above which a batch goes to the pool."""
_PART: Final = 1250
"""Rows of one piece of work: enough for numpy, and enough pieces for all processes."""
PROCESSES: Final = 2
_OBJECTS: Final = 20_000
"""New objects after which garbage is looked for."""

Rows = Sequence[Mapping[str, Any]]


class Pool:
    """Answers large batches.

    Args:
        slots: Makes the slots of its places.
        processes: How many it may start.
    """

    def __init__(self, slots: MakeSlots = Slots, processes: int = PROCESSES) -> None:
        self._executor: ProcessPoolExecutor | None = None
        self._places = Places(limits.BATCHES, slots=slots)
        self._processes = processes

    async def answer(self, asked: Asked, rows: Rows) -> Written:
        """Answer rows; where a process was killed, once more by new ones.

        Args:
            asked: How, and by which model.
            rows: At least one row.

        Raises:
            Problem: Too many batches are computed or wait.
        """
        async with self._places.one(f"{limits.BATCHES} large batches are computed or wait.", 2):
            executor = self._started()
            try:
                return await _on(executor, asked, rows)
            except BrokenProcessPool:
                if self._executor is executor:  # No other batch has seen it before.
                    self.close()
                return await _on(self._started(), asked, rows)

    def _started(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self._processes, multiprocessing.get_context("spawn"), _begin
            )
        return self._executor

    def close(self) -> None:
        """End the processes."""
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None


async def _on(executor: ProcessPoolExecutor, asked: Asked, rows: Rows) -> Written:
    loop = asyncio.get_running_loop()
    served = asked.served
    source = (served.model.folder, served.materials)
    how = (source, asked.stressors, asked.coverage, asked.thresholds)
    parts = [
        loop.run_in_executor(executor, _answered, *how, rows[start : start + _PART])
        for start in range(0, len(rows), _PART)
    ]
    return joined(await asyncio.gather(*parts))


def _begin() -> None:
    keep_memory()
    # Answers hold many small lists, but no cycles: by the usual threshold of 700 objects, a fifth
    # of the time of a batch goes into looking through them for garbage.
    gc.set_threshold(_OBJECTS)
    _end_with_the_service()


def _end_with_the_service() -> None:
    """End this process when the service is gone, even if it was killed, and not before."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # A terminal sends it to all its processes.
    service = multiprocessing.parent_process()

    def wait() -> None:
        if service is not None:
            service.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _answered(
    source: tuple[Path, str],
    stressors: Sequence[str],
    coverage: float,
    thresholds: Thresholds,
    rows: Rows,
) -> Written:
    values = _model(*source).predict(
        rows, stressors=stressors, coverage=coverage, thresholds=thresholds
    )
    return write(values)


@lru_cache(maxsize=2)
def _model(folder: Path, _materials: str) -> Model:
    # Two, so that batches around a promotion do not load them in turns. A model that is loaded
    # again reads other materials of the workspace.
    model = Model.from_folder(folder)
    settle()
    return model
