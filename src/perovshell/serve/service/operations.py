"""The routes for those who run the service."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from perovshell.serve.service import schemas
from perovshell.serve.service.replies import reply

router = APIRouter(tags=["operations"])


@router.get("/healthz", responses={200: {"model": schemas.Health}})
async def healthz() -> Response:
    """Say that the process runs."""
    return reply({"status": "ok"})


@router.get("/readyz", responses={200: {"model": schemas.Readiness}})
async def readyz(request: Request) -> Response:
    """Return the served model, and why a newer one cannot be served."""
    champion = request.app.state.champion
    return reply({"status": "ready", "model": champion.served.named, "fault": champion.fault})


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    """Return figures in Prometheus' format."""
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE_LATEST)
