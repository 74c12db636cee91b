"""Figures of all processes of a service with several workers, from the system (Linux)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from perovshell.serve.service.commons import Commons

_OF_ONE: Final = ("process_start_time_seconds", "process_max_fds")
"""Figures of the supervisor alone; the others are sums."""
_RESIDENT: Final = "process_resident_memory_bytes"
_CPU: Final = "process_cpu_seconds"


class Processes(Collector):
    """Figures of the supervisor and its workers.

    Args:
        commons: What the workers share.
    """

    def __init__(self, commons: Commons) -> None:
        self._commons = commons

    def collect(self) -> Iterator[Metric]:
        """Return the figures, those of ended workers in what counts up."""
        workers = self._commons.processes
        yield GaugeMetricFamily("perovshell_workers", "Workers that run.", value=len(workers))
        supervisor = self._commons.supervisor
        ended = None
        while ended != (ended := _seconds_of_ended(supervisor)):  # A worker that ends meanwhile.
            every = [_figures(process) for process in (supervisor, *workers)]
        first, *others = every
        for metric in first.values():
            name, value = metric.name, metric.samples[0].value
            if name not in _OF_ONE:
                value += sum(other[name].samples[0].value for other in others if name in other)
            if name == _CPU:
                yield CounterMetricFamily(name, metric.documentation, value=value + (ended or 0.0))
                continue
            if name == _RESIDENT:
                value = _memory((supervisor, *workers)) or value
            yield GaugeMetricFamily(name, metric.documentation, value=value)


def _figures(process: int) -> dict[str, Metric]:
    """Return the figures of a process by their names; none where it has ended."""
    return {
        metric.name: metric
        for metric in ProcessCollector(pid=lambda: process, registry=None).collect()
    }


def _seconds_of_ended(process: int) -> float:
    """Return the CPU seconds of the ended children of a process; 0 where they are not known."""
    with suppress(OSError):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _memory(processes: tuple[int, ...]) -> int:
    """Return the bytes of memory of processes; what they share counts once. 0 if not known."""
    total = 0
    for process in processes:
        with suppress(OSError):  # It has ended, or this is another system.
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
            total += 1024 * int(text.split("\nPss:")[1].split()[0])
    return total
