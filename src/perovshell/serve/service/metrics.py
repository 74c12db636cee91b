"""Figures of the running service in Prometheus' format."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from perovshell.serve.service.source import Champion

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)


class Metrics:
    """Counts what one service does.

    Args:
        champion: Holds the model that is served.
    """

    def __init__(self, champion: Champion) -> None:
        own = CollectorRegistry()
        self._registry = own
        self._champion = champion
        ProcessCollector(registry=own)
        self.requests = Counter(
            "perovshell_requests", "Requests answered.", ("path", "status"), registry=own
        )
        self.seconds = Histogram(
            "perovshell_request_seconds",
            "Time from a request to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=own,
        )
        self.rows = Counter("perovshell_rows", "Rows answered or refused.", registry=own)
        self.failed = Counter(
            "perovshell_rows_failed", "Rows that could not be answered.", registry=own
        )
        self.outside = Counter(
            "perovshell_rows_outside_domain", "Answered rows outside the domain.", registry=own
        )
        self._model = Gauge(
            "perovshell_model",
            "The model that is served; always 1.",
            ("model_id", "version", "dataset_hash"),
            registry=own,
        )
        self._fault = Gauge(
            "perovshell_model_fault", "1 while a newer champion cannot be served.", registry=own
        )

    def text(self) -> bytes:
        """Return all figures."""
        named = self._champion.served.named
        self._model.clear()
        self._model.labels(named["id"], named["version"] or "", named["dataset_hash"]).set(1)
        self._fault.set(bool(self._champion.fault))
        return generate_latest(self._registry)
