"""Who may change the workspace over HTTP: those with a key, or this very machine."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request

from perovshell.serve.service.keys import KeyRing
from perovshell.serve.service.problems import Problem

_FORWARDED: Final = ("x-forwarded-", "forwarded", "via", "x-real-ip")
"""Headers of a proxy begin so: the client is then not the one that the connection comes from."""
_WAY_OUT: Final = "make a key with 'perovshell keys add NAME' and start the service again"


def refuse_strangers(request: Request, keys: KeyRing) -> None:
    """Refuse those who may not change the workspace.

    With keys, a key is needed: no page of another site can send one, since browsers keep none.
    Without keys, only this machine may: directly, under a name of its own, and from no other page.

    Args:
        request: The request.
        keys: The keys of the workspace.

    Raises:
        Problem: It may not.
    """
    if keys.are_needed_to_write:
        keys.refuse_without(request.headers)
        return
    if not _is_this_machine(request):
        detail = f"Without a key, only the machine itself may add papers; {_WAY_OUT}."
        raise Problem(403, "key-needed", detail)
    host = _host(request.headers)
    if not is_loopback(host):
        detail = (
            f"host {host!r}: without a key, papers are added under http://127.0.0.1 or "
            f"http://localhost; open that address, or {_WAY_OUT}."
        )
        raise Problem(403, "key-needed", detail)
    origin = request.headers.get("origin")
    if origin is not None and not _is_same(origin, request.headers.get("host", "")):
        detail = f"origin {origin!r}: a page of another address must not add papers."
        raise Problem(403, "key-needed", detail)


def is_loopback(host: str) -> bool:
    """Return whether a host is this very machine, by its address or as `localhost`.

    Examples:
        >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "example.org")]
        [True, True, True, False]
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host.lower() == "localhost"
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _is_this_machine(request: Request) -> bool:
    is_forwarded = any(name.startswith(_FORWARDED) for name in request.headers)
    return request.client is not None and not is_forwarded and is_loopback(request.client.host)


def _host(headers: Headers) -> str:
    """Return the name or the address that was asked, without its port."""
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _is_same(origin: str, host: str) -> bool:
    """Return whether an origin is the address that was asked."""
    scheme, _, rest = origin.lower().partition("://")
    port = {"http": ":80", "https": ":443"}.get(scheme)
    return port is not None and rest.removesuffix(port) == host.lower().removesuffix(port)
