"""A load generator that costs little, what it asks, and the processes that it asks.

The scripts reach this file by a link in their folder. Requests are bytes that are made beforehand;
every answer is framed by its content-length and shown
to a check. Where a service is measured, the generator runs in a process of its own (`apart`).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

CONNECTIONS: Final = 8
PATIENCE: Final = 60.0
"""Seconds without any answer after which a load ends, and seconds that a start may take."""
_GRACE: Final = 20.0
_PIECE: Final = 2**18

SHELLS: Final = (
    "SiO2", "ZrO2", "TiO2", "Al2O3", "ZnS", "CdS|Al2O3", "SiO2|PMMA", "PMMA", "PS", "Cs4PbBr6",
    "CsPb2Br5", "ZIF-8", "PVDF", "none",
)  # fmt: skip
STRUCTURES: Final = ("core/shell", "janus", "matrix")
MEDIA: Final = ("solution", "film", "powder", "unknown")
_HALIDE_STEPS, _ION_STEPS = 9973, 997
_CORES: Final = _HALIDE_STEPS * _ION_STEPS
_STRIDE: Final = 7_654_321
"""Has no factor in common with `_CORES`, so that every core comes once."""


# What is asked -------------------------------------------------------------------------------


def core(number: int) -> str:
    """Return the core of a number; all numbers below 9.9 million have different ones."""
    halide, ion = divmod(number * _STRIDE % _CORES, _ION_STEPS)
    cs, br = (ion + 1) / 1000, (halide + 1) / 10_000
    metal = "Pb" if number % 3 else "Pb0.9Sn0.1"
    pair = ("Br", "I") if number % 4 else ("Cl", "Br")
    return f"Cs{cs:g}FA{1 - cs:.3g}{metal}({pair[0]}{br:g}{pair[1]}{1 - br:.4g})3"


def row(number: int) -> dict[str, Any]:
    """Return the row of a number: its core, and shells, structures, media and sizes in turn."""
    shell = SHELLS[number % len(SHELLS)]
    made: dict[str, Any] = {"core": core(number), "shell": shell}
    made["medium"] = MEDIA[number % len(MEDIA)]
    made["structure"] = STRUCTURES[number % len(STRUCTURES)] if shell != "none" else "bare"
    made["core_size_nm"] = 5 + number % 97 / 10
    return made


def post(path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """Return a request that sends JSON."""
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{more}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get(path: str) -> bytes:
    """Return a request for a page."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


# The generator -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reply:
    """What came back for a request.

    Attributes:
        number: Place of the request.
        status: HTTP status; 0 where the connection ended or the framing was wrong.
        head: Status line and headers, in small letters.
        body: The body, or what went wrong.
        seconds: Time from sending to the last byte.
    """

    number: int
    status: int
    head: bytes
    body: bytes
    seconds: float


@dataclass(frozen=True)
class Load:
    """What a load found.

    Attributes:
        latencies: Seconds of every request.
        seconds: Seconds from the first request to the last answer.
        own_seconds: Processor seconds of the generator itself.
    """

    latencies: list[float]
    seconds: float
    own_seconds: float

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return len(self.latencies) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """Return the time in ms within which a share of the requests was answered."""
        ordered = sorted(self.latencies)
        return 1e3 * ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)]


class _Connection:
    """One connection that is kept, with at most one request on its way."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open()

    def _open(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, number: int, request: bytes) -> None:
        self._held = bytearray()
        self._head, self._end = b"", 0
        self._number, self._is_head = number, request.startswith(b"HEAD ")
        self._began = time.perf_counter()
        # A server that refuses a request may close before it has read it; its answer counts.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(request)

    def take(self) -> Reply | None:
        """Read what there is; return the answer where it is whole."""
        try:
            piece = self.socket.recv(_PIECE)
            if not piece:
                return self._reply(0, b"closed before the answer was whole")
            self._held += piece
            if not self._head and not self._read_head():
                return None
        except (OSError, ValueError) as error:
            return self._reply(0, repr(error).encode())
        if len(self._held) < self._end:
            return None
        if len(self._held) > self._end:
            return self._reply(0, b"more bytes than the content-length tells")
        return self._reply(int(self._head[9:12]), bytes(self._held[len(self._head) :]))

    def _read_head(self) -> bool:
        empty_line = self._held.find(b"\r\n\r\n")
        if empty_line < 0:
            return False
        end = empty_line + 4
        self._head = bytes(self._held[:end]).lower()
        empty = self._is_head or self._head[9:12] in {b"204", b"304"}
        self._end = end if empty else end + _content_length(self._head)
        return True

    def _reply(self, status: int, body: bytes) -> Reply:
        reply = Reply(self._number, status, self._head, body, time.perf_counter() - self._began)
        if not status or b"\r\nconnection: close" in self._head:
            self.socket.close()
            self._open()
        return reply


def _content_length(head: bytes) -> int:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if not found:
        msg = f"no content-length in {head!r}"
        raise ValueError(msg)
    return int(rest.split(b"\r\n", 1)[0])


def drive(
    port: int,
    requests: Iterable[bytes],
    see: Callable[[Reply], object],
    connections: int = CONNECTIONS,
) -> Load:
    """Send requests over some connections, each the next one as soon as it has its answer.

    Args:
        port: Port on the loopback address.
        requests: The requests.
        see: Is shown every answer.
        connections: Number of connections.

    Raises:
        TimeoutError: No answer came for `PATIENCE` seconds.
    """
    left, latencies = enumerate(requests), []
    own, began = time.process_time(), time.perf_counter()
    with selectors.DefaultSelector() as selector:
        waiting = 0
        for number, request in _some(left, connections):
            one = _Connection(port)
            one.ask(number, request)
            selector.register(one.socket, selectors.EVENT_READ, one)
            waiting += 1
        while waiting:
            ready = selector.select(PATIENCE)
            if not ready:
                msg = f"no answer for {PATIENCE:g} s"
                raise TimeoutError(msg)
            for key, _ in ready:
                one = key.data
                reply = one.take()
                if reply is None:
                    continue
                latencies.append(reply.seconds)
                see(reply)
                waiting -= not _go_on(selector, key, left)
    return Load(latencies, time.perf_counter() - began, time.process_time() - own)


def _some(left: Iterator[tuple[int, bytes]], count: int) -> Iterator[tuple[int, bytes]]:
    for _, given in zip(range(count), left, strict=False):
        yield given


def _go_on(
    selector: selectors.BaseSelector, key: selectors.SelectorKey, left: Iterator[tuple[int, bytes]]
) -> bool:
    """Let a connection ask the next request, if there is one."""
    one = key.data
    if one.socket is not key.fileobj:  # It had to be opened again.
        selector.unregister(key.fileobj)
        selector.register(one.socket, selectors.EVENT_READ, one)
    given = next(left, None)
    if given is None:
        selector.unregister(one.socket)
        one.socket.close()
        return False
    one.ask(*given)
    return True


@contextmanager
def apart() -> Iterator[Callable[..., Any]]:
    """Give a way to call functions in one process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        yield lambda function, *given: pool.apply(function, given)


# The processes that are asked ----------------------------------------------------------------


@contextmanager
def running(
    command: Sequence[str], port: int, ready: str, log: Path, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a process group of its own until it is ready, and end it in the end.

    Args:
        command: Its command line.
        port: Where it listens.
        ready: A path that answers 200 when it is ready.
        log: File of all it says.
        environment: Further environment variables.

    Raises:
        RuntimeError: It ended, or was not ready in time.
    """
    with log.open("wb") as said:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            start_new_session=True, env={**os.environ, **environment},
        )  # fmt: skip
    try:
        _await(process, port, ready, log)
        yield process
    finally:
        _end(process)


def _await(process: subprocess.Popen[bytes], port: int, ready: str, log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        with suppress(OSError):
            if ask(port, get(ready)).status == HTTPStatus.OK:
                return
        time.sleep(0.005)
    end = log.read_text(errors="replace")[-2000:]
    msg = f"{' '.join(process.args)}: not ready (exit code {process.poll()}): {end}"  # type: ignore[arg-type]
    raise RuntimeError(msg)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started; it leads a group of its own."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
    with suppress(ProcessLookupError):  # What outlived it.
        os.killpg(process.pid, signal.SIGKILL)


def ask(port: int, request: bytes) -> Reply:
    """Send one request over a connection of its own.

    Raises:
        OSError: There is nobody.
    """
    found: list[Reply] = []
    drive(port, [request], found.append, connections=1)
    return found[0]


def told(port: int, path: str) -> Any:
    """Return the JSON of a page."""
    return json.loads(ask(port, get(path)).body)


def memory_mb(leader: int, name: str = "Rss") -> float:
    """Return a figure of the memory of all processes of a group, in MB (Linux).

    Args:
        leader: The process that leads the group.
        name: `Rss`, or `Pss`, in which pages that processes share count once.
    """
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):  # One that ends meanwhile.
            if os.getpgid(int(folder.name)) == leader:
                text = (folder / "smaps_rollup").read_text()
                total += int(text.split(f"\n{name}:")[1].split()[0])
    return total / 1024


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
