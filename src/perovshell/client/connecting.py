"""How a client of the service connects."""

from __future__ import annotations

import ipaddress
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

from perovshell.errors import InputError
from perovshell.optional import import_optional

_CONNECT_SECONDS: Final = 10.0


def import_httpx() -> ModuleType:
    """Return httpx2, which is imported when a client is made.

    Raises:
        MissingExtraError: It is not installed.
    """
    module: ModuleType = import_optional("httpx2", "the client", "client")
    return module


def options_of(httpx: ModuleType, url: str, key: str | None, timeout: float) -> dict[str, Any]:
    """Return what both clients of httpx2 are made with.

    Args:
        httpx: The module.
        url: Address of the service.
        key: API key, or None.
        timeout: Longest wait for an answer in s.

    Raises:
        InputError: The address or the key is not allowed.
    """
    is_near = _is_loopback(url)
    headers = {
        "accept": "application/json",
        "content-type": "application/json",
        # Squeezing costs more than it saves where nothing is sent over a network.
        "accept-encoding": "identity" if is_near else "gzip",
    }
    if key is not None:
        if not (key and key.isascii() and key.isprintable()):
            msg = "key: not as 'perovshell keys add' prints it (one ASCII word)"
            raise InputError(msg)
        headers["authorization"] = f"Bearer {key}"
    limits = httpx.Timeout(timeout, connect=min(timeout, _CONNECT_SECONDS))
    # A proxy of the environment is never the way to this very machine.
    return {"base_url": url, "headers": headers, "timeout": limits, "trust_env": not is_near}


def _is_loopback(url: str) -> bool:
    """Whether an address leads to this machine.

    Raises:
        InputError: It is no address of a service.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or parts.query or parts.fragment:
        msg = f"url {url!r}: an address such as http://127.0.0.1:8000 is needed"
        raise InputError(msg)
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
