"""One of several processes that answer requests; see `supervisor`."""

from __future__ import annotations

import asyncio
import gc
import logging.config
import os
import pickle
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing.connection import Connection
from typing import Any, Final

import uvicorn

from perovshell.serve.service import server
from perovshell.serve.service.commons import Commons
from perovshell.serve.service.doors import WorkerServer
from perovshell.serve.service.logs import config_of_worker
from perovshell.serve.service.pulse import BEAT_SECONDS
from perovshell.serve.service.source import Champion, Served

_LOG: Final = logging.getLogger("perovshell.service")


class Order(StrEnum):
    """What a supervisor tells its workers."""

    PREPARE = "prepare"
    """Make the model that the supervisor left ready, and say whether it is."""
    SWITCH = "switch"
    """Serve the model that is ready."""
    FAULT = "fault"
    """A newer champion cannot be served."""
    STOP = "stop"


@dataclass
class Worker:
    """A worker, which follows its supervisor.

    Attributes:
        number: Its number.
        orders: What it is told by.
        champion: Holds the model.
        commons: What the workers share.
    """

    number: int
    orders: Connection
    champion: Champion
    commons: Commons
    _ready: Served | None = None

    async def follow(self) -> None:
        """Do what the supervisor says, for ever; end where it has ended."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self._beat, loop)
        told: asyncio.Queue[tuple[Order, str] | None] = asyncio.Queue()
        loop.add_reader(self.orders.fileno(), self._hear, loop, told)
        while (one := await told.get()) is not None:
            order, content = one
            match order:
                case Order.PREPARE:
                    try:
                        is_ready = await asyncio.to_thread(self._prepare)
                    except RuntimeError:  # No thread can start; the supervisor replaces this.
                        is_ready = False
                    with suppress(OSError):  # The supervisor has ended.
                        self.orders.send(is_ready)
                case Order.SWITCH if self._ready is not None:
                    self.champion.take(self._ready)
                    self._ready = None
                    gc.collect()
                case Order.FAULT:
                    self.champion.fault = content
                case Order.STOP:
                    os.kill(os.getpid(), signal.SIGTERM)
        self.commons.remove()
        os.kill(os.getpid(), signal.SIGTERM)

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """Show the supervisor, now and again, that requests can be answered."""
        self.commons.beat(self.number)
        loop.call_later(BEAT_SECONDS, self._beat, loop)

    def _hear(self, loop: asyncio.AbstractEventLoop, told: asyncio.Queue[Any]) -> None:
        """Take in what the supervisor says; nothing more where it has ended."""
        try:
            while self.orders.poll():
                told.put_nowait(self.orders.recv())
        except (EOFError, OSError):
            loop.remove_reader(self.orders.fileno())
            told.put_nowait(None)

    def _prepare(self) -> bool:
        """Make the model that the supervisor left ready; return whether it is."""
        try:
            # Nobody else can have written it.
            served: Served = pickle.loads(self.commons.get())  # noqa: S301
            self._ready = served.warmed()
        except Exception:  # noqa: BLE001 - the supervisor replaces this process
            _LOG.exception("model cannot be prepared")
            return False
        return True


def run(
    worker: Worker, config: uvicorn.Config, listener: socket.socket, logs: dict[str, Any]
) -> None:
    """Answer requests until this process is stopped.

    Args:
        worker: Which one it is.
        config: Of the server, loaded.
        listener: Where it listens.
        logs: How it logs.
    """
    gc.freeze()
    logging.config.dictConfig(config_of_worker(logs, worker.number))
    state = config.app.state  # type: ignore[union-attr]
    state.metrics.share(worker.commons, worker.number)
    state.watch = worker.follow
    answering = WorkerServer(config, worker.commons, worker.number)
    server.answer(answering, listener)
