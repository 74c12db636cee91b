"""Connections that ask nothing, or too much, before there is a request; over a real socket."""

import asyncio
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Request

from perovshell.serve.service import server

HEAD = b"GET /ok HTTP/1.1\r\nhost: x\r\n"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[], Coroutine[Any, Any, Streams]]


def _app() -> FastAPI:
    """Make an application with one route."""
    app = FastAPI()

    @app.get("/ok")
    async def ok() -> str:
        return "ok"

    return app


def _with_service(
    talk: Callable[[Connect], Coroutine[Any, Any, None]], app: FastAPI | None = None
) -> None:
    """Talk with a service of its own."""

    async def run() -> None:
        with server.listen("127.0.0.1", 0) as listener:
            serving = uvicorn.Server(server.prepare(app or _app()))
            task = asyncio.create_task(serving.serve(sockets=[listener]))
            await talk(lambda: asyncio.open_connection(*listener.getsockname()))
            serving.should_exit = True
            await task

    asyncio.run(asyncio.wait_for(run(), 30))


async def _answer(streams: Streams) -> bytes:
    reader, writer = streams
    writer.write(HEAD + b"\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return head


@pytest.mark.parametrize("sent", [b"", b"\r\n", HEAD])
@pytest.mark.parametrize("before", [0, 1])
def test_a_connection_without_a_request_ends(
    sent: bytes, before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_IDLE_SECONDS", 1)

    async def talk(connect: Connect) -> None:
        reader, writer = await connect()
        for _ in range(before):
            assert (await _answer((reader, writer))).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        writer.write(sent)
        assert await reader.read() == b""
        assert 0.5 < time.monotonic() - began < 10
        writer.close()

    _with_service(talk)


def test_a_connection_with_requests_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_IDLE_SECONDS", 1)

    async def talk(connect: Connect) -> None:
        streams = await connect()
        for _ in range(4):
            await asyncio.sleep(0.5)
            assert (await _answer(streams)).startswith(b"HTTP/1.1 200")
        streams[1].close()

    _with_service(talk)


def test_a_body_that_stops_ends_and_one_that_goes_on_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "_IDLE_SECONDS", 1)
    app = _app()

    @app.post("/size")
    async def size(request: Request) -> int:
        return len(await request.body())

    async def talk(connect: Connect) -> None:
        reader, writer = await connect()
        writer.write(b"POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\n")
        for _ in range(6):
            await asyncio.sleep(0.4)
            writer.write(b"x")
        assert (await reader.readuntil(b"\r\n\r\n6")).startswith(b"HTTP/1.1 200")
        writer.write(b"POST /size HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nxxx")
        began = time.monotonic()
        assert await reader.read() == b""
        assert 0.5 < time.monotonic() - began < 10
        writer.close()

    _with_service(talk, app)


def test_a_head_without_end_is_refused() -> None:
    async def talk(connect: Connect) -> None:
        _, writer = await connect()

        async def send() -> None:
            writer.write(HEAD)
            for number in range(20_000):
                writer.write(b"a%d: %s\r\n" % (number, b"x" * 2**10))
                await writer.drain()

        with pytest.raises(ConnectionError):
            await send()
        writer.close()

    _with_service(talk)


def test_long_bodies_are_no_heads() -> None:
    async def talk(connect: Connect) -> None:
        reader, writer = await connect()
        for _ in range(2):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 4000000\r\n\r\n")
            writer.write(b"x" * 4_000_000)
            await writer.drain()
        writer.write(HEAD + b"\r\n")
        answers = b""
        while answers.count(b"HTTP/1.1") < 3:
            answers += await reader.read(2**16)
        assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"404", b"404", b"200"]
        writer.close()

    _with_service(talk)


def test_connections_of_machines_that_are_gone_end_some_time() -> None:
    with (
        server.listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_server_runs_ends_it(how: int) -> None:
    class Early(uvicorn.Server):
        def run(self, sockets: list[socket.socket] | None = None) -> None:
            signal.raise_signal(how)
            super().run(sockets)

    endings = (signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(ending) for ending in endings]
    early = Early(server.prepare(_app()))
    late = threading.Timer(5, setattr, (early, "should_exit", True))
    late.start()
    try:
        with server.listen("127.0.0.1", 0) as listener:
            began = time.monotonic()
            server.answer(early, listener)
        assert time.monotonic() - began < 4
    finally:
        late.cancel()
        for ending, handler in zip(endings, before, strict=True):
            signal.signal(ending, handler)
