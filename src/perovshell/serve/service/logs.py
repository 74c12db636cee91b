"""What the service writes down: JSON lines, and a tally of what it was asked."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

_LOG: Final = logging.getLogger("perovshell.service")
TALLY_SECONDS: Final = 10.0
REQUESTS: Final = "perovshell.service.requests"
"""The logger of requests."""


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON; `fields` are further members.

    Args:
        worker: Number of the worker that writes it, where there are several.
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._worker = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **self._worker,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def log_config(level: str = "info", *, requests: bool = True) -> dict[str, Any]:
    """Return the configuration of `logging.config`: everything as JSON on the error stream.

    Args:
        level: Least level of the service's lines: `info`, `warning` or `error`.
        requests: Whether each request has a line, of the level `info`.
    """
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "loggers": {
            "perovshell.service": {
                "handlers": ["stderr"],
                "level": level.upper(),
                "propagate": False,
            },
            REQUESTS: {"level": "NOTSET" if requests else "WARNING"},
            "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        },
    }


def config_of_worker(config: dict[str, Any], worker: int) -> dict[str, Any]:
    """Return a configuration whose lines name a worker."""
    return {**config, "formatters": {"json": {"()": JsonFormatter, "worker": worker}}}


@dataclass
class Tally:
    """Counts rows, and adds them as a line to the request log now and again.

    The log is read when a model is trained anew: it tells how often the domain is left (see
    `training.promotion.drift`). A line counts all requests since the last one, so that a busy
    service does not fill the disk.

    Attributes:
        path: The log; None keeps none.
    """

    path: Path | None
    requests: int = 0
    rows: int = 0
    failed: int = 0
    outside: int = 0

    def add(self, rows: int, failed: int, outside: int) -> None:
        """Count one request."""
        self.requests += 1
        self.rows += rows
        self.failed += failed
        self.outside += outside

    async def keep(self) -> None:
        """Write now and again, for ever."""
        while True:
            await asyncio.sleep(TALLY_SECONDS)
            self.write()

    def write(self) -> None:
        """Write what was counted since the last time; a full disk costs the line alone."""
        if self.path is None or not self.requests:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "requests": self.requests,
            "rows": self.rows,
            "failed": self.failed,
            "outside_domain": self.outside,
        }
        self.requests = self.rows = self.failed = self.outside = 0
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(orjson.dumps(line) + b"\n")
        except OSError as error:
            _LOG.warning("request log cannot be written", extra={"fields": {"why": str(error)}})
