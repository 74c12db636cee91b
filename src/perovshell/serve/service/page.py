"""The page: one HTML file, with scripts and styles from the service itself."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml
from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from perovshell.pages import SCRIPTS, environment
from perovshell.serve.report.charts import VISIBLE_NM, light_colour
from perovshell.serve.space.file import DEFAULT_PRESET, presets
from perovshell.targets.declared import POINTS

router = APIRouter(include_in_schema=False)
_STATIC: Final = "static"
_FOLDERS: Final = (
    Path(str(files(__package__) / _STATIC)),
    Path(str(files("perovshell") / SCRIPTS)),
)
_STEP_NM: Final = 5
_HEADERS: Final = {
    # Nothing comes from elsewhere, nothing runs or is styled from within the HTML.
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
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
    """Serve scripts and styles."""
    parts = _Parts(directory=_FOLDERS[0], packages=[("perovshell", SCRIPTS)])
    app.mount(f"/{_STATIC}", parts, name=_STATIC)


@router.get("/")
async def page() -> HTMLResponse:
    """Return the page."""
    return HTMLResponse(_html(), headers=_HEADERS)


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
        },
        scripts=sorted(path.name for folder in _FOLDERS for path in folder.glob("*.js")),
        points=POINTS,
    )
