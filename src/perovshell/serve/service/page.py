"""The page: one HTML file, with scripts and styles from the service itself."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml
from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from perovshell.data.vocabulary import MEDIA, QUALITIES, STRESSORS, STRUCTURES
from perovshell.evidence.light import VISIBLE_NM, light_colour
from perovshell.evidence.query import FAMILIES, HALIDES
from perovshell.pages import SCRIPTS, environment
from perovshell.serve.report.orders import ORDER_TEXTS
from perovshell.serve.report.tables import CONSTRAINTS
from perovshell.serve.service import limits
from perovshell.serve.service.paper_form import paper_form
from perovshell.serve.space.preset import DEFAULT_PRESET, presets
from perovshell.serve.space.space import Constraints
from perovshell.targets.declared import POINTS
from perovshell.targets.target import NOT_REACHED

router = APIRouter(include_in_schema=False)
_STATIC: Final = "static"
_SWAGGER: Final = "static-offline-docs"
_FOLDERS: Final = (
    Path(str(files(__package__) / _STATIC)),
    Path(str(files("perovshell") / SCRIPTS)),
)
_STEP_NM: Final = 5
_EVIDENCE_WORDS: Final = {
    "stressor": STRESSORS,
    "medium": MEDIA,
    "structure": STRUCTURES,
    "quality": QUALITIES[1:],
    "family": FAMILIES,
    "halide": HALIDES,
}
"""Words that a query of the literature may hold."""
_CHECKED: Final = tuple(
    key.name for key in fields(Constraints) if isinstance(getattr(Constraints, key.name), bool)
)
"""Constraints that hold or do not: each is a check box."""
_SLASH: Final = 'if (!location.pathname.endsWith("/")) location.pathname += "/";'
"""All addresses of the page are relative to its folder. A proxy that strips its prefix asks for `/`
whether a browser asked for the prefix with a slash at its end or without one: only the browser
knows."""
_SLASH_HASH: Final = base64.b64encode(hashlib.sha256(_SLASH.encode()).digest()).decode()
_HEADERS: Final = {
    # Nothing comes from elsewhere, nothing else runs or is styled from within the HTML.
    "content-security-policy": f"default-src 'none'; script-src 'self' 'sha256-{_SLASH_HASH}'; "
    "style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


class _Parts(StaticFiles):
    """Scripts and styles, which belong together: a browser asks each time if they changed."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """Return a file, or that it has not changed."""
        response = super().file_response(*args, **kwargs)
        response.headers["cache-control"] = "no-cache"
        return response


def mount(app: FastAPI) -> None:
    """Serve scripts and styles of the page, and those of the documentation."""
    swagger = StaticFiles(packages=[("fastapi_offline", "static")])
    app.mount(f"/{_SWAGGER}", swagger, name=_SWAGGER)
    parts = _Parts(directory=_FOLDERS[0], packages=[("perovshell", SCRIPTS)])
    app.mount(f"/{_STATIC}", parts, name=_STATIC)


@router.get("/")
async def page() -> HTMLResponse:
    """Return the page."""
    return HTMLResponse(_html(), headers=_HEADERS)


@router.get("/docs")
async def docs() -> HTMLResponse:
    """Return the documentation, which the browser makes of the description."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Perovshell: documentation of the service",
        swagger_js_url=f"{_SWAGGER}/swagger-ui-bundle.js",
        swagger_css_url=f"{_SWAGGER}/swagger-ui.css",
        swagger_favicon_url=f"{_STATIC}/icon.svg",
    )


@cache
def _html() -> str:
    """Return the page: it holds nothing of the model, which the scripts ask for with the key."""
    low, high = VISIBLE_NM
    colours = [light_colour(nm) for nm in range(low, high + 1, _STEP_NM)]
    folder = files("perovshell.serve.space") / "presets"
    spaces = {
        name: yaml.safe_load((folder / f"{name}.yaml").read_text(encoding="utf-8"))
        for name in presets()
    }
    template = environment(__package__).get_template("index.html")
    return template.render(
        given={
            "light": {"low": low, "high": high, "colours": colours},
            "spaces": spaces,
            "first_space": DEFAULT_PRESET,
            "paper": paper_form(),
            "not_reached": dict(NOT_REACHED),
            "constraints": {name: CONSTRAINTS[name] for name in _CHECKED},
        },
        scripts=sorted(path.name for folder in _FOLDERS for path in folder.glob("*.js")),
        points=POINTS,
        evidence_words=_EVIDENCE_WORDS,
        orders=ORDER_TEXTS,
        draft_text=limits.DRAFT_TEXT,
        slash=_SLASH,
    )
