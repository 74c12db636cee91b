"""Connections of clients: how long they may send nothing, and how long the head of a request is."""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD_BYTES: Final = 64 * 2**10
"""Bytes of a head that are taken after those that came with its beginning."""


class Connection(HttpToolsProtocol):
    """A connection that waits no longer for its client than it is kept for the next request.

    The server by itself keeps one without any request for ever, such as browsers open beforehand,
    until no more files can be opened, and so one whose client stops amid a body. It also takes in
    a head of any size, before there are keys.
    """

    _patience: asyncio.TimerHandle | None = None
    _is_in_head = _has_begun = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._await_client()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in a part of a request; a head that is too long or does not end is refused."""
        self._has_begun = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._is_in_head and not self._has_begun:
            self._head_bytes += len(data)
            if self._head_bytes > _HEAD_BYTES:
                self.send_400_response("The head of the request is too long.")
                return
        if self._is_in_head or self.cycle is None or self.cycle.response_complete:
            self._await_client()
        elif self.cycle.more_body:
            self._stop_waiting()  # Each part of a body gives more time.
            self._await_client()
        else:
            self._stop_waiting()

    def on_message_begin(self) -> None:
        """Begin to read a head."""
        super().on_message_begin()
        self._is_in_head = self._has_begun = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Have read a head."""
        self._is_in_head = False
        self._stop_waiting()
        super().on_headers_complete()

    def _await_client(self) -> None:
        """Close in a while, unless a request comes; what comes of its head gives no more time."""
        if self._patience is None:
            self._patience = self.loop.call_later(self.timeout_keep_alive, self._give_up)

    def _give_up(self) -> None:
        """Close, unless it is this side that takes nothing in."""
        self._patience = None
        if self.flow.read_paused:
            self._await_client()
        else:
            self.timeout_keep_alive_handler()

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
