"""The application: routes, errors as problems, and background tasks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from perovshell.serve.service import (
    evidence_routes,
    limits,
    operations,
    page,
    paper_routes,
    routes,
)
from perovshell.serve.service.batching import Batcher
from perovshell.serve.service.evidence_desk import EvidenceDesk
from perovshell.serve.service.keys import KeyRing
from perovshell.serve.service.logs import Tally
from perovshell.serve.service.metrics import Metrics
from perovshell.serve.service.middleware import GUARDED, Guard
from perovshell.serve.service.papers import PaperDesk, Turns
from perovshell.serve.service.places import Slots
from perovshell.serve.service.pool import PROCESSES, Pool
from perovshell.serve.service.prefix import check_prefix, route_path
from perovshell.serve.service.problems import Problem, pointer
from perovshell.serve.service.ranker import Ranker
from perovshell.serve.service.rates import Buckets, Rate
from perovshell.serve.service.source import Champion

if TYPE_CHECKING:
    from perovshell.serve.service.commons import Commons

_SQUEEZED_FROM: Final = 2048
"""Bytes from which an answer is compressed for those who take it so: a single answer is not."""
_KINDS: Final = {404: "not-found", 405: "method-not-allowed", 413: "body-too-large"}


@dataclass(frozen=True)
class Settings:
    """How a service runs.

    Attributes:
        keys: API keys.
        rate: Requests a second of one client; inf is no limit.
        look_seconds: How often it looks for another champion.
        root_path: Path prefix below which a proxy shows it, such as `/perovshell`; empty if none,
            or if the proxy names it in `X-Forwarded-Prefix`.

    Raises:
        ServiceError: The prefix is not a path.
    """

    keys: KeyRing = field(default_factory=KeyRing)
    rate: float = float("inf")
    look_seconds: float = 2.0
    root_path: str = ""

    def __post_init__(self) -> None:
        """Refuse an impossible prefix."""
        check_prefix(self.root_path)


def create_app(
    champion: Champion, settings: Settings | None = None, commons: Commons | None = None
) -> FastAPI:
    """Make the application; the model is loaded when it starts.

    Args:
        champion: Holds the model.
        settings: How it runs.
        commons: What it shares with the other workers, where there are several.
    """
    settings = settings or Settings()
    slots = Slots if commons is None else commons.slots
    rate = Rate(settings.rate, Buckets() if commons is None else commons.buckets)
    source = champion.source
    tally = Tally(*source.workspace.request_logs) if source.given is None else Tally(None)
    pool = Pool(slots, PROCESSES if commons is None else 1)
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        # Redirects and servers are relative: a proxy may have changed scheme, host and path.
        redirect_slashes=False,
        root_path_in_servers=False,
        servers=[{"url": "."}],
        title="Perovshell",
        summary="What a shell does to a halide-perovskite nanocrystal, from published papers.",
        version=version("perovshell"),
        lifespan=_running(champion, tally, pool),
        exception_handlers={
            Problem: _problem,
            RequestValidationError: _invalid,
            HTTPException: _refused,
            ClientDisconnect: _left,
        },
    )
    app.state.champion = champion
    app.state.watch = partial(champion.watch, settings.look_seconds)
    app.state.batcher = Batcher()
    app.state.pool = pool
    app.state.ranker = Ranker(slots)
    app.state.keys = settings.keys
    app.state.turns = Turns(slots)
    app.state.desk = PaperDesk(champion)
    app.state.evidence = EvidenceDesk(champion.source.workspace)
    app.state.metrics = Metrics(champion)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=limits.BODY_BYTES)
    app.add_middleware(GZipMiddleware, minimum_size=_SQUEEZED_FROM, compresslevel=1)
    app.add_middleware(
        Guard,
        keys=settings.keys,
        rate=rate,
        metrics=app.state.metrics,
        tally=tally,
        root_path=settings.root_path,
    )
    app.include_router(routes.router)
    app.include_router(evidence_routes.router)
    app.include_router(paper_routes.router)
    app.include_router(operations.router)
    app.include_router(page.router)
    page.mount(app)
    _describe_keys(app)
    return app


def _running(
    champion: Champion, tally: Tally, pool: Pool
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """Return the context of background tasks, from the start to the end of the application."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(champion.open)
        background = [asyncio.create_task(work) for work in (tally.keep(), app.state.watch())]
        yield
        for task in background:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        tally.write()
        pool.close()

    return lifespan


def _describe_keys(app: FastAPI) -> None:
    """Say in the description that a key may be needed; whether it is hangs on the service."""
    schema = app.openapi()
    schema["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for path, methods in schema["paths"].items():
        if path.startswith(GUARDED):
            for operation in methods.values():
                operation["security"] = [{}, {"key": []}]


async def _problem(_: Request, error: Any) -> Response:
    problem: Problem = error
    return problem.response()


async def _invalid(_: Request, error: Any) -> Response:
    """Answer with every fault of a request and its position."""
    faults = [
        {"pointer": pointer(fault["loc"][1:]), "detail": fault["msg"]} for fault in error.errors()
    ]
    first = f"{faults[0]['pointer']}: {faults[0]['detail']}"
    more = f", and {len(faults) - 1} more faults" if len(faults) > 1 else ""
    return Problem(422, "invalid-request", f"{first}{more}", faults=faults).response()


async def _refused(request: Request, error: Any) -> Response:
    status, headers = error.status_code, dict(error.headers or {})
    if status == HTTPStatus.NOT_FOUND and (address := _with_the_other_slash(request)):
        return RedirectResponse(address)
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers = {"allow": _allowed(error.headers["Allow"])}
        if request.method == "OPTIONS":
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
    kind = _KINDS.get(status, "invalid-request")
    detail = f"{request.method} {request.url.path}: {error.detail}"
    return Problem(status, kind, detail, headers=headers).response()


async def _left(_: Request, __: Any) -> Response:
    """Say for log and figures that a client has left in the middle of its request: no fault."""
    return Response(status_code=routes.CLIENT_LEFT)


def _allowed(methods: str) -> str:
    """Return the methods that are answered where a route has some: HEAD is answered as GET is."""
    names = {name.strip() for name in methods.split(",")}
    return ", ".join(sorted(names | {"OPTIONS"} | ({"HEAD"} if "GET" in names else set())))


def _with_the_other_slash(request: Request) -> str:
    """Return the relative address of a path that is wrong by its last slash alone, or nothing.

    `/docs/` is `/docs`, and a prefix alone is the page below it.
    """
    scope, path = request.scope, route_path(request.scope)
    query = f"?{request.url.query}" if request.url.query else ""
    if not path:
        return f"{scope['root_path']}/{query}"
    other = {**scope, "path": scope["path"].removesuffix("/")}
    if other["path"] == scope["path"] or not any(
        route.matches(other)[0] is not Match.NONE for route in request.app.routes
    ):
        return ""
    return f"../{quote(path.split('/')[-2])}{query}"
