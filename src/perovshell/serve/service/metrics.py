"""Figures of the running service in Prometheus' format."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

from perovshell.serve.service.source import Champion

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)


class Metrics:
    """Counts requests and rows of one service.

    Args:
        champion: Holds the model that is served.
    """

    def __init__(self, champion: Champion) -> None:
        self._registry = CollectorRegistry()
        self._champion = champion
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "perovshell_requests", "Requests answered.", ("path", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "perovshell_request_seconds",
            "Time from a request to the end of its answer.",
            ("path",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.rows = Counter("perovshell_rows", "Rows answered or refused.", registry=self._registry)
        self.failed = Counter(
            "perovshell_rows_failed", "Rows that could not be answered.", registry=self._registry
        )
        self.outside = Counter(
            "perovshell_rows_outside_domain",
            "Answered rows outside the domain.",
            registry=self._registry,
        )
        self._model = Gauge(
            "perovshell_model",
            "The model that is served; always 1.",
            ("model_id", "version", "dataset_hash"),
            registry=self._registry,
        )
        self._fault = Gauge(
            "perovshell_model_fault",
            "1 while a newer champion cannot be served.",
            registry=self._registry,
        )

    def text(self) -> bytes:
        """Return all figures."""
        named = self._champion.served.named
        self._model.clear()
        self._model.labels(named["id"], named["version"] or "", named["dataset_hash"]).set(1)
        self._fault.set(bool(self._champion.fault))
        return generate_latest(self._registry)
