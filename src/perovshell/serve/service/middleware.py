"""What stands around the application: request ids, keys, limits, the log and the figures."""

from __future__ import annotations

import logging
import math
import re
import time
import uuid
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perovshell.serve.service import limits
from perovshell.serve.service.keys import KeyRing
from perovshell.serve.service.logs import REQUESTS, Tally
from perovshell.serve.service.metrics import Metrics
from perovshell.serve.service.prefix import route_path, under_prefix
from perovshell.serve.service.problems import Problem
from perovshell.serve.service.rates import Rate

_LOG: Final = logging.getLogger("perovshell.service")
_REQUESTS: Final = logging.getLogger(REQUESTS)
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
GUARDED: Final = ("/v1/", "/metrics")
"""What needs a key where there are keys: not the page, its parts, health and the description."""


@dataclass(frozen=True)
class RequestMetrics:
    """Row counts of a request, for log, metrics and tally.

    Attributes:
        rows: Rows asked for.
        failed: Rows that could not be answered.
        outside: Answered rows outside the domain.
        model: Id of the model that answered.
    """

    rows: int
    failed: int
    outside: int
    model: str


class Guard:
    """ASGI middleware around everything else.

    Args:
        app: The application.
        keys: The API keys.
        rate: How often a client may ask.
        metrics: The figures.
        tally: The tally of rows.
        root_path: The path prefix below which a proxy shows the service.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        keys: KeyRing,
        rate: Rate,
        metrics: Metrics,
        tally: Tally,
        root_path: str = "",
    ) -> None:
        self._app = app
        self._keys = keys
        self._rate = rate
        self._metrics = metrics
        self._tally = tally
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every error becomes a response."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        visit = RequestContext(scope, send)
        scope = under_prefix(scope, self._root_path)
        if visit.is_head:
            scope["method"] = "GET"
        try:
            scope.setdefault("state", {})["visit"] = visit
            self._admit(route_path(scope), visit)
            await self._app(scope, receive, visit.send)
        except Problem as problem:
            await problem.response()(scope, receive, visit.send)
        except Exception:  # Whatever it is, the client gets a problem and the log the traceback.
            _LOG.exception("request failed", extra={"fields": {"id": visit.request_id}})
            if visit.status:
                raise
            failed = Problem(500, "failed", f"The log tells why, at request {visit.request_id}.")
            await failed.response()(scope, receive, visit.send)
        finally:
            self._tell(scope, visit)

    def _admit(self, path: str, visit: RequestContext) -> None:
        """Let a client in, who is called by the name of its key from here on.

        Raises:
            Problem: It has no key, asks too often, or sends too much.
        """
        if not path.startswith(GUARDED):
            return
        if self._keys.is_needed:
            visit.client = self._keys.refuse_without(visit.headers)
        wait = self._rate.seconds_to_wait(visit.client)
        if wait:
            headers = {"retry-after": str(math.ceil(wait))}
            detail = f"{visit.client}: more than {self._rate.per_second:g} requests a second"
            raise Problem(429, "too-many-requests", detail, headers=headers)
        length = visit.headers.get("content-length", "")
        if length.isdecimal() and int(length) > limits.BODY_BYTES:
            detail = f"{length} bytes; at most {limits.BODY_BYTES} are read"
            raise Problem(413, "body-too-large", detail)

    def _tell(self, scope: Scope, visit: RequestContext) -> None:
        seconds = time.perf_counter() - visit.began
        path = getattr(scope.get("route"), "path", "other")
        self._metrics.requests.labels(path, str(visit.status)).inc()
        self._metrics.seconds.labels(path).observe(seconds)
        fields: dict[str, Any] = {
            "id": visit.request_id,
            "client": visit.client,
            "method": visit.method,
            "path": scope["path"],
            "status": visit.status,
            "ms": round(1000 * seconds, 3),
        }
        counts = visit.counts
        if counts is not None:
            fields |= {"rows": counts.rows, "failed": counts.failed, "model": counts.model}
            self._metrics.rows.inc(counts.rows)
            self._metrics.failed.inc(counts.failed)
            self._metrics.outside.inc(counts.outside)
            self._tally.add(counts.rows, counts.failed, counts.outside)
        _REQUESTS.info("request", extra={"fields": fields})


class RequestContext:
    """One request on its way through.

    HEAD is answered as GET is, with the same headers, but its body is not sent.
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self.headers = Headers(scope=scope)
        self.method: str = scope["method"]
        given = self.headers.get("x-request-id", "")
        self.request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        self.began = time.perf_counter()
        self.client: str = scope["client"][0] if scope.get("client") else "unknown"
        self.status = 0
        self.counts: RequestMetrics | None = None
        self._send = send

    @property
    def is_head(self) -> bool:
        """Whether headers alone are asked for."""
        return self.method == "HEAD"

    async def send(self, message: Message) -> None:
        """Pass a message on, with the id of the request."""
        if message["type"] == "http.response.body" and self.is_head:
            if message.get("more_body", False):
                return
            message = {"type": "http.response.body", "body": b""}
        if message["type"] == "http.response.start":
            self.status = message["status"]
            named = (b"x-request-id", self.request_id.encode())
            message = {**message, "headers": [*message["headers"], named]}
        await self._send(message)
