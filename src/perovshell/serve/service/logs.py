"""What the service writes down: JSON lines, and a tally of what it was asked."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

_LOG: Final = logging.getLogger("perovshell.service")
TALLY_SECONDS: Final = 10.0
MOST_BYTES: Final = 32_000_000
"""Size of a full request log: a month of a busy service."""
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
    service does not fill the disk. A log that is full becomes the older one; there are two.

    Attributes:
        path: The log; None keeps none.
        older: What the log becomes when it is full; None lets it grow.
        fault: Why the last line could not be written; empty where it could.
    """

    path: Path | None
    older: Path | None = None
    requests: int = 0
    rows: int = 0
    failed: int = 0
    outside: int = 0
    fault: str = ""

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
        """Write what was counted since the last time.

        Where that fails, as on a full disk, the log of the service says so once, and the counts
        wait for the next time.
        """
        if self.path is None or not self.requests:
            return
        line = {
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
            "requests": self.requests,
            "rows": self.rows,
            "failed": self.failed,
            "outside_domain": self.outside,
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _append(self.path, self.older, orjson.dumps(line) + b"\n")
        except OSError as error:
            if not self.fault:
                fields = {"why": str(error), "path": str(self.path)}
                _LOG.warning("request log cannot be written", extra={"fields": fields})
            self.fault = str(error)
            return
        if self.fault:
            _LOG.info("request log is written again", extra={"fields": {"path": str(self.path)}})
        self.requests = self.rows = self.failed = self.outside = 0
        self.fault = ""


def _append(path: Path, older: Path | None, line: bytes) -> None:
    """Write a line at the end of a log, or none of it; a full log becomes the older one.

    Raises:
        OSError: It cannot be written.
    """
    with path.open("ab", buffering=0) as file:
        written = file.write(line)
        if written < len(line):
            file.truncate(file.tell() - written)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        if older is not None and file.tell() > MOST_BYTES:
            with suppress(OSError):  # Another process has done it, or it stays as it is.
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    path.replace(older)
