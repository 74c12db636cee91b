"""JSON responses, ready as bytes: nothing is checked or copied on the way out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


class Reply(Response):
    """A JSON response; NaN and infinities are null."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Write the content as JSON."""
        return content if isinstance(content, bytes) else orjson.dumps(content)


def reply(
    content: Any,
    *,
    status: int = 200,
    media_type: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Return a JSON response."""
    return Reply(content, status_code=status, media_type=media_type, headers=dict(headers or {}))
