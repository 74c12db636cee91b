"""Errors as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from perovshell.serve.service.replies import Reply, reply

MEDIA_TYPE: Final = "application/problem+json"
_SHOWN: Final = 20
"""Faults of one request that are listed."""
_TITLES: Final = {
    "invalid-request": "Invalid request",
    "unreadable-row": "A row cannot be answered",
    "space-too-large": "The design space is too large for HTTP",
    "body-too-large": "The request is too large",
    "unsupported-media-type": "A type or encoding that is not read",
    "key-needed": "An API key is needed",
    "paper-exists": "The paper is in the data already",
    "outliers": "Values need an explicit acceptance",
    "no-workspace": "Papers cannot be added here",
    "too-many-requests": "Too many requests",
    "busy": "Busy; come back later",
    "not-found": "Not found",
    "method-not-allowed": "This method is not allowed here",
    "failed": "The service failed",
}


class Problem(Exception):  # noqa: N818
    """A request that gets a problem instead of an answer.

    Args:
        status: HTTP status.
        kind: One of the kinds of problems, such as `busy`.
        detail: Who, what was given, and what is allowed.
        headers: Further headers of the response.
        faults: Additional members: faults of single parts, with their position as a JSON pointer.
        questions: Additional members: values that need an explicit acceptance.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        faults: Sequence[Mapping[str, str]] = (),
        questions: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind
        self.headers = dict(headers or {})
        self.content = problem(status, kind, detail)
        if faults:
            self.content["errors"] = [dict(fault) for fault in faults[:_SHOWN]]
        if questions:
            self.content["questions"] = [dict(question) for question in questions]

    def response(self) -> Reply:
        """Return the response."""
        return reply(self.content, status=self.status, media_type=MEDIA_TYPE, headers=self.headers)


def busy(detail: str, seconds: int) -> Problem:
    """Return the problem that a client is to come back, and when."""
    return Problem(503, "busy", detail, headers={"retry-after": str(seconds)})


def problem(status: int, kind: str, detail: str) -> dict[str, Any]:
    """Return the members of a problem."""
    return {
        "type": f"urn:perovshell:problem:{kind}",
        "title": _TITLES[kind],
        "status": status,
        "detail": writable(detail),
    }


def pointer(path: Sequence[int | str]) -> str:
    """Return a path in the body as a JSON pointer (RFC 6901) in a URI fragment."""
    parts = (str(part).replace("~", "~0").replace("/", "~1") for part in path)
    return writable("#" + "".join(f"/{part}" for part in parts))


def writable(text: str) -> str:
    """Return a text without halves of surrogate pairs: JSON may hold them, UTF-8 may not."""
    return text.encode("utf-8", "backslashreplace").decode()
