"""The routes of papers, under /v1/papers."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from perovshell.serve.service import paper_schemas
from perovshell.serve.service.admission import refuse_strangers
from perovshell.serve.service.json_routes import RESPONSES, JsonRoute, refused
from perovshell.serve.service.papers import PaperDesk, Turns
from perovshell.serve.service.replies import reply

router = APIRouter(
    prefix="/v1/papers",
    route_class=JsonRoute,
    responses={**RESPONSES, 409: refused("There already, or nothing can be added")},
)


def _desk(request: Request) -> tuple[Turns, PaperDesk]:
    state = request.app.state
    return state.turns, state.desk


@router.post("/draft", responses={200: {"model": paper_schemas.DraftOut}})
async def draft(asked: paper_schemas.DraftIn, request: Request) -> Response:
    """Draft a paper from the text of an abstract or a paper; nothing is written.

    Rules read it. A value that is not certain to be of one sample is left open.
    """
    turns, desk = _desk(request)
    return reply(await turns.run(desk.draft, asked.text))


@router.post("/check", responses={200: {"model": paper_schemas.CheckOut}})
async def check(asked: paper_schemas.CheckIn, request: Request) -> Response:
    """Check a paper: its faults, how it is understood, and what is asked; nothing is written.

    The status is 200 also where there are faults.
    """
    turns, desk = _desk(request)
    return reply(await turns.run(desk.check, asked.paper, replace=asked.replace))


@router.post(
    "",
    status_code=201,
    responses={
        201: {"model": paper_schemas.AddedOut},
        403: refused("Who asks may not add papers"),
    },
)
async def add(asked: paper_schemas.AddIn, request: Request) -> Response:
    """Add a paper to the workspace, with a key or, where there is none, from the machine itself."""
    refuse_strangers(request, request.app.state.keys)
    turns, desk = _desk(request)
    options = {"accept_outliers": asked.accept_outliers, "replace": asked.replace}
    return reply(await turns.run(desk.add, asked.paper, **options), status=201)
