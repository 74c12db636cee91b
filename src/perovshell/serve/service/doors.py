"""How a worker takes connections from the address that all workers share.

A worker that is told of connections would take all that wait, and clients keep theirs for long: one
worker would answer nearly all requests. So the one with the fewest connections takes the next, and
another one only if that one does not come.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import uvicorn

from perovshell.serve.service.commons import Commons

_LOG: Final = logging.getLogger("perovshell.service")
_YIELD_SECONDS: Final = 0.005
"""How long a connection is left to a worker that has fewer."""
_FULL_SECONDS: Final = 1.0
"""How long no connection is taken once the system gives no more of them."""


class Door:
    """Takes connections, one at a time.

    Args:
        listener: Where they come from.
        connected: Makes the protocol of a connection.
        is_next: Whether this worker is to take the next one.
    """

    def __init__(
        self,
        listener: socket.socket,
        connected: Callable[[], asyncio.Protocol],
        is_next: Callable[[], bool],
    ) -> None:
        self._listener = listener
        self._connected = connected
        self._is_next = is_next
        self._loop = asyncio.get_running_loop()
        self._coming: set[asyncio.Task[Any]] = set()
        self._is_open = True
        self._watch()

    def close(self) -> None:
        """Take no more connections."""
        self._is_open = False
        self._loop.remove_reader(self._listener.fileno())

    async def wait_closed(self) -> None:
        """Wait for the connections that have been taken."""
        if self._coming:
            await asyncio.wait(self._coming)

    def _watch(self) -> None:
        if self._is_open:
            self._loop.add_reader(self._listener.fileno(), self._see)

    def _see(self) -> None:
        """See that a connection waits."""
        if self._is_next():
            self._take()
        else:
            self._pause(_YIELD_SECONDS, self._come_back)

    def _come_back(self) -> None:
        if self._is_open:
            self._watch()
            self._take()

    def _pause(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._listener.fileno())
        self._loop.call_later(seconds, then)

    def _take(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # Another worker has taken it, or it has gone.
        except OSError:  # Too many files are open.
            self._pause(_FULL_SECONDS, self._watch)
            return
        connection.setblocking(False)
        coming = self._loop.create_task(self._connect(connection))
        self._coming.add(coming)
        coming.add_done_callback(self._coming.discard)

    async def _connect(self, connection: socket.socket) -> None:
        with suppress(OSError):  # It has gone again.
            await self._loop.connect_accepted_socket(self._connected, connection)


class WorkerServer(uvicorn.Server):
    """A server that takes connections in turn with other workers.

    Args:
        config: As of any server.
        commons: What the workers share.
        worker: Number of this worker.
    """

    def __init__(self, config: uvicorn.Config, commons: Commons, worker: int) -> None:
        super().__init__(config)
        self._commons = commons
        self._worker = worker

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start with a door for each socket."""
        await super().startup(sockets=[])
        self.servers: list[Any] = [
            Door(listener, self._connected, self._is_next) for listener in sockets or ()
        ]
        _LOG.info("worker started", extra={"fields": {"pid": os.getpid()}})

    async def on_tick(self, counter: int) -> bool:
        """Do what is done ten times a second."""
        self._commons.note_connections(self._worker, len(self.server_state.connections))
        return await super().on_tick(counter)

    def _connected(self) -> asyncio.Protocol:
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    def _is_next(self) -> bool:
        mine = len(self.server_state.connections)
        return mine <= self._commons.note_connections(self._worker, mine)
