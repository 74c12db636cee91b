"""The path below which a proxy shows the service."""

from __future__ import annotations

import re
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

from perovshell.errors import ServiceError

_PREFIX: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)+")


def check_prefix(prefix: str) -> None:
    """Refuse what is not a path prefix; an empty text is none.

    Raises:
        ServiceError: It is none.

    Examples:
        >>> check_prefix("/tools/perovshell")
    """
    if prefix and not _PREFIX.fullmatch(prefix):
        msg = f"root_path {prefix!r}: a path such as /perovshell, without a slash at its end"
        raise ServiceError(msg)


def under_prefix(scope: Scope, prefix: str) -> Scope:
    """Return the scope of a request with its prefix in `root_path` and `path`, as ASGI has it.

    A proxy may pass the prefix on or strip it: both become the same scope, so that keys, routes
    and redirects see one path.

    Args:
        scope: The scope of the server.
        prefix: The prefix that was configured; that of `X-Forwarded-Prefix` if empty.
    """
    prefix = prefix or _forwarded(Headers(scope=scope).get("x-forwarded-prefix", ""))
    path: str = scope["path"]
    if prefix and path != prefix and not path.startswith(f"{prefix}/"):
        path = prefix + path
    return {**scope, "root_path": prefix + scope.get("root_path", ""), "path": path}


def route_path(scope: Scope) -> str:
    """Return the path of a request below its prefix, as the router sees it."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if path == root or path.startswith(f"{root}/") else path


def _forwarded(header: str) -> str:
    """Return the prefix that proxies name, the outermost first; empty if it is no path."""
    prefix = "".join(part.strip().rstrip("/") for part in header.split(","))
    return prefix if _PREFIX.fullmatch(prefix) else ""
