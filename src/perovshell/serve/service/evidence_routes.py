"""The routes of what papers measured, under /v1/evidence."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from perovshell.serve.service import evidence_schemas
from perovshell.serve.service.evidence_desk import EvidenceDesk
from perovshell.serve.service.json_routes import RESPONSES, JsonRoute, refused
from perovshell.serve.service.papers import Turns
from perovshell.serve.service.problems import Problem
from perovshell.serve.service.replies import reply

router = APIRouter(prefix="/v1/evidence", route_class=JsonRoute, responses=RESPONSES)
_TYPES: Final = {
    "papers.bib": ("bibtex", "application/x-bibtex"),
    "papers.ris": ("ris", "application/x-research-info-systems"),
    "papers.txt": ("text", "text/plain"),
}


_Query = Annotated[evidence_schemas.EvidenceIn, Query()]
_Plot = Annotated[evidence_schemas.PlotIn, Query()]
_Papers = Annotated[evidence_schemas.CitationsIn, Query()]


def _desk(request: Request) -> tuple[Turns, EvidenceDesk]:
    state = request.app.state
    return state.turns, state.evidence


@router.get("", responses={200: {"model": evidence_schemas.EvidenceOut}})
async def evidence(query: _Query, request: Request) -> Response:
    """Say what papers measured: tests and samples, and half-lives and gains pooled over papers."""
    turns, desk = _desk(request)
    return reply(await turns.run(desk.json, query.words))


@router.get(
    "/plot.svg",
    responses={200: {"content": {"image/svg+xml": {}}}, 404: refused("Nothing to plot")},
)
async def plot(query: _Plot, request: Request) -> Response:
    """Draw forest plots of half-lives and gains, PL by composition and size, or PLQY by shell."""
    turns, desk = _desk(request)
    is_narrow = query.layout == "narrow"
    text = await turns.run(desk.svg, query.words, query.show, is_narrow=is_narrow)
    return Response(text, media_type="image/svg+xml")


async def _citations(name: str, query: evidence_schemas.CitationsIn, request: Request) -> Response:
    turns, desk = _desk(request)
    form, media_type = _TYPES[name]
    if query.paper and query.words:
        detail = f"paper and {', '.join(query.words)}: name papers or ask a query, not both"
        raise Problem(422, "invalid-request", detail)
    if query.paper:
        text = await turns.run(desk.cited, query.paper, form)
    else:
        text = await turns.run(desk.citations, query.words, form)
    return Response(text, media_type=media_type)


@router.get("/papers.bib", responses={200: {"content": {"application/x-bibtex": {}}}})
async def as_bibtex(query: _Papers, request: Request) -> Response:
    """Return papers, or those behind a query, as BibTeX."""
    return await _citations("papers.bib", query, request)


@router.get(
    "/papers.ris", responses={200: {"content": {"application/x-research-info-systems": {}}}}
)
async def as_ris(query: _Papers, request: Request) -> Response:
    """Return papers, or those behind a query, as RIS."""
    return await _citations("papers.ris", query, request)


@router.get("/papers.txt", responses={200: {"content": {"text/plain": {}}}})
async def as_text(query: _Papers, request: Request) -> Response:
    """Return papers, or those behind a query, as plain text."""
    return await _citations("papers.txt", query, request)
