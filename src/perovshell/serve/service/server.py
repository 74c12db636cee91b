"""Running the service: what is refused before it starts, and how it ends."""

from __future__ import annotations

import errno
import logging.config
import os
import signal
import socket
from typing import Any, Final

import uvicorn
from fastapi import FastAPI

from perovshell.errors import ServiceError
from perovshell.serve.ranking.memory import share_memory
from perovshell.serve.service.admission import is_loopback
from perovshell.serve.service.app import Settings, create_app
from perovshell.serve.service.connections import Connection
from perovshell.serve.service.source import Champion, settle

_LOG: Final = logging.getLogger("perovshell.service")
GRACE_SECONDS: Final = 10
"""How long a stopping service waits for requests that it has begun."""
_IDLE_SECONDS: Final = 30
"""How long a connection is kept on which nothing is asked."""
_WAITING: Final = 512
"""Connections that the system holds for the service until it takes them."""


def refuse_open_doors(host: str, settings: Settings, *, insecure: bool) -> None:
    """Refuse to listen to other machines without keys, unless that is wanted.

    Raises:
        ServiceError: It would, and it is not wanted.
    """
    if settings.keys.is_needed or insecure or is_loopback(host):
        return
    msg = (
        f"host {host!r}: other machines could ask without an API key; make one with "
        "'perovshell keys add NAME', or give insecure=True"
    )
    raise ServiceError(msg)


def refuse_workers(workers: int) -> None:
    """Refuse several workers where the system cannot copy processes.

    Raises:
        ServiceError: It cannot.
    """
    if workers > 1 and not hasattr(os, "fork"):
        msg = f"workers={workers}: this system cannot fork processes; use workers=1"
        raise ServiceError(msg)


def listen(host: str, port: int) -> socket.socket:
    """Take an address.

    Raises:
        ServiceError: It cannot be had.
    """
    try:
        listener = socket.create_server(
            (host, port),
            family=socket.AF_INET6 if ":" in host else socket.AF_INET,
            backlog=_WAITING,
        )
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "another process listens there; choose another port" if taken else error.strerror
        msg = f"address {host}:{port}: {why}"
        raise ServiceError(msg) from error
    # Its connections have this, too: that of a client whose machine is gone ends some time.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return listener


def run(
    champion: Champion, settings: Settings, listener: socket.socket, logs: dict[str, Any]
) -> None:
    """Serve until the process is stopped; started requests are answered.

    Args:
        champion: Holds the model, open.
        settings: How the service runs.
        listener: Where it listens.
        logs: How it logs; see `logs.log_config`.
    """
    logging.config.dictConfig(logs)
    config = prepare(create_app(champion, settings))
    _LOG.info("serving", extra={"fields": introduction(champion, listener)})
    answer(uvicorn.Server(config), listener)
    _LOG.info("stopped")


def introduction(champion: Champion, listener: socket.socket) -> dict[str, Any]:
    """Return what the log says of a service that begins."""
    host = listener.getsockname()[0]
    return {"address": address(host, listener), "model": champion.served.named}


def address(host: str, listener: socket.socket) -> str:
    """Return the address of a service that listens at a host."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}"


def prepare(app: FastAPI) -> uvicorn.Config:
    """Load everything that answering takes, and leave it out of later garbage collections."""
    share_memory()
    config = uvicorn.Config(
        app,
        http=Connection,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        timeout_keep_alive=_IDLE_SECONDS,
    )
    config.load()
    config.get_loop_factory()
    settle()
    return config


def answer(server: uvicorn.Server, listener: socket.socket) -> None:
    """Answer requests until this process is stopped."""
    # The server sends itself again the signal that ended it; that it ended well is no failure. One
    # that comes before the server listens to signals ends it, too.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, server.handle_exit)
    server.run(sockets=[listener])
