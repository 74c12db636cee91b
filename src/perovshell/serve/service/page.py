"""The page for people: one HTML file, with scripts and styles of its own."""

from __future__ import annotations

from importlib.resources import files
from typing import Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

router = APIRouter(include_in_schema=False)
_STATIC: Final = "static"


def mount(app: FastAPI) -> None:
    """Serve scripts and styles."""
    folder = str(files(__package__) / _STATIC)
    app.mount(f"/{_STATIC}", StaticFiles(directory=folder), name=_STATIC)


@router.get("/")
async def page(request: Request) -> HTMLResponse:
    """Return the page."""
    return HTMLResponse("<!doctype html><title>Perovshell</title>")
