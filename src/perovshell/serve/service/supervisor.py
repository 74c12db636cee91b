"""Several worker processes behind one address, and what keeps them.

The supervisor loads the model and starts the workers as copies of itself, before it has any thread:
they share its memory. It answers no requests. It alone looks for another champion, and starts a
worker again that has ended.
"""

from __future__ import annotations

import gc
import logging.config
import multiprocessing
import os
import pickle
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Any, Final

import uvicorn

from perovshell.serve.service import server, worker
from perovshell.serve.service.app import Settings, create_app
from perovshell.serve.service.commons import Commons
from perovshell.serve.service.pulse import LOOK_SECONDS, Pulse
from perovshell.serve.service.source import Champion, Served
from perovshell.serve.service.worker import Order

_LOG: Final = logging.getLogger("perovshell.service")
_PREPARE_SECONDS: Final = 30.0
"""How long a worker may take to prepare another model."""
_END_SECONDS: Final = server.GRACE_SECONDS + 5
"""How long a worker may take to end."""
_SHORT_LIFE, _FIRST_DELAY, _LONGEST_DELAY = 1.0, 0.5, 30.0
"""Seconds: a worker that lived less starts again later, each time twice as late."""


def run(
    champion: Champion,
    settings: Settings,
    listener: socket.socket,
    logs: dict[str, Any],
    workers: int,
) -> None:
    """Serve with several workers until the process is stopped; started requests are answered.

    Args:
        champion: Holds the model, open.
        settings: How the service runs.
        listener: Where it listens.
        logs: How it logs; see `logs.log_config`.
        workers: How many.
    """
    logging.config.dictConfig(logs)
    listener.setblocking(False)  # A worker that sees a connection may find it taken.
    with _until_stopped() as stopped, Commons(workers) as commons:
        config = server.prepare(create_app(champion, settings, commons))
        supervisor = Supervisor(champion, config, listener, logs, commons)
        supervisor.run(workers, settings.look_seconds, stopped)
    _LOG.info("stopped")


@contextmanager
def _until_stopped() -> Iterator[socket.socket]:
    """Return a socket from which something can be read once this process is to stop."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    endings = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(ending, lambda *_: None) for ending in endings]
    wakeup = signal.set_wakeup_fd(writer.fileno())
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(wakeup)
        for ending, handler in zip(endings, before, strict=True):
            signal.signal(ending, handler)
        reader.close()
        writer.close()


@dataclass
class _Worker:
    """A worker, or the place of one that has ended.

    Attributes:
        number: Its number.
        process: Its process.
        orders: What it is told by.
        began: When it began.
        delay: How long to wait before it starts again, should it end.
        starts: When it starts again, if it has ended.
    """

    number: int
    process: ForkProcess
    orders: Connection
    began: float
    delay: float = 0.0
    starts: float | None = None

    def tell(self, order: Order, content: str = "") -> None:
        """Tell it something; what has ended hears nothing."""
        with suppress(OSError):
            self.orders.send((order, content))


class Supervisor:
    """Starts workers and keeps them.

    Args:
        champion: Holds the model, open.
        config: Of the server, loaded.
        listener: Where the workers listen.
        logs: How they log.
        commons: What they share.
    """

    def __init__(
        self,
        champion: Champion,
        config: uvicorn.Config,
        listener: socket.socket,
        logs: dict[str, Any],
        commons: Commons,
    ) -> None:
        self._champion = champion
        self._config = config
        self._listener = listener
        self._logs = logs
        self._commons = commons
        self._workers: list[_Worker] = []
        self._pulse = Pulse()

    def run(self, workers: int, look_seconds: float, stopped: socket.socket) -> None:
        """Keep workers until the process is to stop.

        Args:
            workers: How many.
            look_seconds: How often to look for another champion.
            stopped: Can be read from once the process is to stop.
        """
        try:
            for number in range(workers):
                self._workers.append(self._started(number))
            fields = server.introduction(self._champion, self._listener)
            _LOG.info("serving", extra={"fields": fields | {"workers": workers}})
            self._keep(look_seconds, stopped)
        finally:  # Also where the system does not let all of them start.
            self._end()

    def _keep(self, look_seconds: float, stopped: socket.socket) -> None:
        """Keep the workers until the process is to stop."""
        next_look = time.monotonic() + look_seconds
        while True:
            alive = [one for one in self._workers if one.starts is None]
            late = [one.starts for one in self._workers if one.starts is not None]
            seconds = max(0.0, min([next_look, *late]) - time.monotonic())
            seconds = min(seconds, LOOK_SECONDS)
            if stopped in wait([stopped, *(one.process.sentinel for one in alive)], seconds):
                break
            self._replace_ended()
            self._end_hung()
            if time.monotonic() >= next_look:
                self._look(stopped)
                next_look = time.monotonic() + look_seconds

    def _started(self, number: int, delay: float = 0.0) -> _Worker:
        """Start a worker."""
        orders, heard = multiprocessing.Pipe()
        process = multiprocessing.get_context("fork").Process(
            target=self._work, args=(number, heard, orders), name=f"worker {number}"
        )
        process.start()
        heard.close()
        self._commons.note(number, process.pid or 0)
        self._commons.beat(number)  # It has its time from now on.
        return _Worker(number, process, orders, time.monotonic(), delay)

    def _work(self, number: int, heard: Connection, orders: Connection) -> None:
        """Be a worker; runs in its process."""
        signal.set_wakeup_fd(-1)
        # What only the supervisor holds is closed when it ends, however it ends: workers see that.
        for connection in (orders, *(one.orders for one in self._workers)):
            connection.close()
        worker.run(
            worker.Worker(number, heard, self._champion, self._commons),
            self._config,
            self._listener,
            self._logs,
        )

    def _end_hung(self) -> None:
        """Kill workers that answer nothing any more; each is then replaced."""
        alive = {one.number: one for one in self._workers if one.starts is None}
        counts = {number: self._commons.beats(number) for number in alive}
        for number in self._pulse.still(counts, time.monotonic()):
            fields = {"worker": number, "pid": alive[number].process.pid}
            _LOG.error("worker hangs", extra={"fields": fields})
            alive[number].process.kill()
            alive[number].process.join(1.0)

    def _replace_ended(self) -> None:
        """Start workers again that have ended: at once, or later where that happens again."""
        now = time.monotonic()
        for place, one in enumerate(self._workers):
            if one.starts is None and one.process.exitcode is not None:
                self._bury(one, now)
            if one.starts is not None and one.starts <= now:
                try:
                    self._workers[place] = self._started(one.number, one.delay)
                except OSError as error:  # Too many processes, or no memory.
                    one.starts = now + _LONGEST_DELAY
                    fields = {"worker": one.number, "why": str(error)}
                    _LOG.error("worker cannot start", extra={"fields": fields})

        self._reap_strangers()

    def _reap_strangers(self) -> None:
        """Let go of ended processes that killed workers have left.

        In a container the supervisor is the first process, whose children they become then.
        """
        own = {one.process.pid for one in self._workers if one.starts is None}
        seen = os.WEXITED | os.WNOHANG | os.WNOWAIT  # It is only looked who has ended.
        with suppress(ChildProcessError):  # There is none at all.
            while (ended := os.waitid(os.P_ALL, 0, seen)) and ended.si_pid not in own:
                os.waitpid(ended.si_pid, 0)

    def _bury(self, one: _Worker, now: float) -> None:
        one.orders.close()
        self._commons.note(one.number, 0)
        ended, code = one.process.pid, one.process.exitcode or 0
        one.process.close()
        is_short = now - one.began < _SHORT_LIFE
        one.delay = min(max(2 * one.delay, _FIRST_DELAY), _LONGEST_DELAY) if is_short else 0.0
        # The first time may be chance.
        one.starts = now + (one.delay if one.delay > _FIRST_DELAY else 0.0)
        fields = {
            "worker": one.number,
            "pid": ended,
            "exit": _exit_of(code),
            "starts_in_s": one.starts - now,
        }
        _LOG.warning("worker ended", extra={"fields": fields})

    def _look(self, stopped: socket.socket) -> None:
        """Look for another champion and other materials; all workers change at a time."""
        if not self._champion.is_behind:
            return
        fault = self._champion.fault
        served = self._champion.load_next()
        if served is not None:
            self._change(served, stopped)
        if self._champion.fault not in {fault, ""}:
            for one in self._workers:
                one.tell(Order.FAULT, self._champion.fault)

    def _change(self, served: Served, stopped: socket.socket) -> None:
        """Have all workers prepare another model, then all serve it.

        A worker that cannot is killed: the next one is a copy of this process, which has the model.
        """
        try:
            self._commons.put(pickle.dumps(served))
        except OSError as error:
            self._champion.refuse(error)
            return
        waiting = [one for one in self._workers if one.starts is None]
        for one in waiting:
            one.tell(Order.PREPARE)
        until = time.monotonic() + _PREPARE_SECONDS
        ready: list[_Worker] = []
        while waiting and (seconds := until - time.monotonic()) > 0:
            answering = wait([stopped, *(one.orders for one in waiting)], seconds)
            if stopped in answering:
                return
            for one in [one for one in waiting if one.orders in answering]:
                waiting.remove(one)
                with suppress(EOFError, OSError):
                    if one.orders.recv():
                        ready.append(one)
        self._commons.put(b"")
        before = self._champion.take(served)
        for one in self._workers:
            if one.starts is None and one not in ready:
                one.process.kill()
        for one in ready:
            one.tell(Order.SWITCH)
        self._champion.announce(before)
        del before
        gc.collect()

    def _end(self) -> None:
        """End the workers once they have answered what they have begun."""
        self._listener.close()
        for one in self._workers:
            one.tell(Order.STOP)
        until = time.monotonic() + _END_SECONDS
        for one in self._workers:
            if one.starts is None:
                one.process.join(max(0.0, until - time.monotonic()))
                if one.process.exitcode is None:
                    one.process.kill()
                    one.process.join()


def _exit_of(code: int) -> int | str:
    """Return how a process ended: its exit code, or the name of the signal that ended it."""
    with suppress(ValueError):
        return signal.Signals(-code).name
    return code
