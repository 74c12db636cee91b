"""Figures of the running service in Prometheus' format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from perovshell.serve.service.source import Champion

if TYPE_CHECKING:
    from perovshell.serve.service.commons import Commons

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)


class Metrics:
    """Counts requests and rows of one service.

    Args:
        champion: Holds the model that is served.
    """

    def __init__(self, champion: Champion) -> None:
        self._champion = champion
        self._registry = CollectorRegistry()
        self._registry.register(_Model(champion))
        ProcessCollector(registry=self._registry)
        self._count(self._registry)

    def share(self, commons: Commons, worker: int) -> None:
        """Count where the other workers count, from here on; the text then has the sums.

        A worker goes on with the counts of the one whose number it has.

        Args:
            commons: What the workers share.
            worker: Number of this worker.
        """
        from perovshell.serve.service.processes import Processes

        # When a user logs out, systemd may clear what is theirs in shared memory. What the others
        # have counted is lost then, and the service goes on.
        commons.folder.mkdir(mode=0o700, exist_ok=True)
        # This process only: the class is chosen by whoever imports the library first.
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(commons.folder)
        values.ValueClass = values.MultiProcessValue(lambda: worker)  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self._registry.register(_Model(self._champion))
        self._registry.register(Processes(commons))
        path = str(commons.folder)
        MultiProcessCollector(self._registry, path)  # type: ignore[no-untyped-call]
        self._count(None)
        self.seconds.labels("other")  # So that all files are open, whatever becomes of their names.

    def _count(self, registry: CollectorRegistry | None) -> None:
        """Make what counts, and show it in a registry."""
        self.requests = Counter(
            "perovshell_requests", "Requests answered.", ("path", "status"), registry=registry
        )
        self.seconds = Histogram(
            "perovshell_request_seconds",
            "Time from a request to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.rows = Counter("perovshell_rows", "Rows answered or refused.", registry=registry)
        self.failed = Counter(
            "perovshell_rows_failed", "Rows that could not be answered.", registry=registry
        )
        self.outside = Counter(
            "perovshell_rows_outside_domain", "Answered rows outside the domain.", registry=registry
        )

    def text(self) -> bytes:
        """Return all figures."""
        return generate_latest(self._registry)


class _Model(Collector):
    """Figures of the model.

    Args:
        champion: Holds it.
    """

    def __init__(self, champion: Champion) -> None:
        self._champion = champion

    def collect(self) -> Iterator[Metric]:
        """Return the figures."""
        named = self._champion.served.named
        model = GaugeMetricFamily(
            "perovshell_model",
            "The model that is served; always 1.",
            labels=("model_id", "version", "dataset_hash"),
        )
        model.add_metric(
            [named["id"] or "", named["version"] or "", named["dataset_hash"] or ""], 1
        )
        yield model
        yield GaugeMetricFamily(
            "perovshell_model_fault",
            "1 while a newer champion cannot be served.",
            value=bool(self._champion.fault),
        )
