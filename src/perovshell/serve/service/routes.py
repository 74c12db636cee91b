"""The routes for scripts, under /v1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, Response

from perovshell.data.vocabulary import STRESSORS
from perovshell.errors import InputError
from perovshell.model import Model
from perovshell.models.answer_details import detailed
from perovshell.models.card import SUBSETS, card_sections, describe_targets
from perovshell.models.inputs import INPUT_NUMBERS, INPUT_WORDS
from perovshell.models.outputs import check_options
from perovshell.serve.service import limits, rank_schemas, schemas
from perovshell.serve.service.batching import Asked, Batcher
from perovshell.serve.service.json_routes import RESPONSES, JsonRoute
from perovshell.serve.service.middleware import RequestMetrics
from perovshell.serve.service.pool import LARGE, Pool
from perovshell.serve.service.problems import Problem, pointer, problem
from perovshell.serve.service.ranker import ClientLeftError, Ranker
from perovshell.serve.service.replies import reply
from perovshell.serve.service.source import Champion, Served
from perovshell.serve.service.writing import Written, write
from perovshell.serve.space.preset import presets

CLIENT_LEFT: Final = 499
"""Status of a request whose client has not waited, in the log and the figures."""

router = APIRouter(prefix="/v1", route_class=JsonRoute, responses=RESPONSES)


def _champion(request: Request) -> Champion:
    champion: Champion = request.app.state.champion
    return champion


def _ranker(request: Request) -> Ranker:
    ranker: Ranker = request.app.state.ranker
    return ranker


@router.post("/predict", responses={200: {"model": schemas.PredictOut}})
async def predict(asked: schemas.PredictIn, request: Request) -> Response:
    """Predict PL peak, PLQY, the shell's effect and stability of core/shell combinations.

    A row that cannot be answered does not spoil the others: its answer tells why.
    """
    served = _champion(request).served
    if asked.details and len(asked.rows) > limits.DETAILED_ROWS:
        detail = f"{len(asked.rows)} rows with details: at most {limits.DETAILED_ROWS}"
        raise Problem(422, "invalid-request", detail)
    try:
        check_options(asked.stressors, asked.coverage)
        how = Asked(served, tuple(asked.stressors), asked.coverage, asked.thresholds.read())
    except InputError as error:
        raise Problem(422, "invalid-request", str(error)) from error
    if asked.shells:
        how = replace(how, served=replace(served, model=await _with_shells(served.model, asked)))
    written = await _written(request, how, asked)
    request.state.visit.counts = RequestMetrics(
        written.rows, len(written.failed), written.outside, served.model.info.model_id
    )
    problems = [
        {**problem(422, "unreadable-row", error), "pointer": pointer(["rows", row])}
        for row, error in written.failed
    ]
    around = {"model": served.named, "failed": len(problems), "problems": problems}
    return reply(b'%s,"answers":[%s]}' % (orjson.dumps(around)[:-1], written.answers))


async def _with_shells(model: Model, asked: schemas.PredictIn) -> Model:
    """Return the model with the shells that a request brings.

    Raises:
        Problem: The description of a shell has faults, or there are too many rows for shells.
    """
    if len(asked.rows) > LARGE:
        detail = f"{len(asked.rows)} rows with shells of their own: at most {LARGE}"
        raise Problem(422, "invalid-request", detail)
    shells = [shell.model_dump(by_alias=True) for shell in asked.shells]
    try:
        return await run_in_threadpool(model.with_shells, shells)
    except InputError as error:
        raise Problem(422, "invalid-request", str(error)) from error


async def _written(request: Request, how: Asked, asked: schemas.PredictIn) -> Written:
    """Return the answers as JSON."""
    if len(asked.rows) > LARGE:
        pool: Pool = request.app.state.pool
        return await pool.answer(how, asked.rows)
    batcher: Batcher = request.app.state.batcher
    answers = await batcher.answer(how, asked.rows)
    values = [answer.values for answer in answers]
    if not asked.details:
        return write(values)
    predictor, pairs = how.served.model.predictor, zip(asked.rows, answers, strict=True)
    return write(values, [detailed(predictor, *pair, how.stressors) for pair in pairs])


@router.post(
    "/rank",
    responses={
        200: {"model": rank_schemas.RankOut, "content": {"text/html": {}}},
    },
)
async def rank(asked: rank_schemas.RankIn, request: Request) -> Response:
    """Rank the core/shell combinations of a small design space.

    Answers JSON, or the ranking's report where `Accept` asks for `text/html` first.
    """
    champion = _champion(request)
    served = champion.served
    wants_html = request.headers.get("accept", "").strip().startswith("text/html")
    try:
        job = {
            **asked.model_dump(by_alias=True),
            "html": wants_html,
            "workspace": str(champion.source.workspace.root),
        }
        ranking = await _ranker(request).rank(served, job, request)
    except ClientLeftError:
        return Response(status_code=CLIENT_LEFT)
    return HTMLResponse(ranking) if wants_html else reply({"model": served.named, **ranking})


@router.get("/model", responses={200: {"model": schemas.ModelOut}, 304: {}})
async def model(request: Request) -> Response:
    """Say what the model is, what it was made of, and how far it can be trusted."""
    return _by_model(request, _model_card)


@router.get("/vocabulary", responses={200: {"model": schemas.VocabularyOut}, 304: {}})
async def vocabulary(request: Request) -> Response:
    """Say which words a request may hold."""
    return _by_model(request, _vocabulary)


def _by_model(request: Request, content: Any) -> Response:
    """Answer what hangs on the model alone; nothing where the client has it already."""
    served = _champion(request).served
    headers = {"etag": served.etag, "cache-control": "no-cache"}
    known = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if served.etag in known:
        return Response(status_code=304, headers=headers)
    return reply({"model": served.named, **content(served)}, headers=headers)


def _model_card(served: Served) -> dict[str, Any]:
    info = vars(served.model.info)
    names = ("dataset", "settings", "figures", "skill", "variants")
    return {
        **{name: info[name] for name in names},
        "card": dict(card_sections(info)),
        "targets": describe_targets(info),
        "subsets": SUBSETS,
        "limits": {
            "rows": limits.ROWS,
            "detailed_rows": limits.DETAILED_ROWS,
            "rows_with_shells": LARGE,
            "shells": limits.SHELLS,
            "text": limits.TEXT,
            "body_bytes": limits.BODY_BYTES,
            "combinations": limits.COMBINATIONS,
            "lines": limits.LINES,
            "batch": limits.CHOSEN,
            "rank_seconds": int(limits.RANK_SECONDS),
            "cited": limits.CITED,
            "draft_text": limits.DRAFT_TEXT,
            "paper_text": limits.PAPER_TEXT,
        },
    }


def _vocabulary(served: Served) -> dict[str, Any]:
    predictor = served.model.predictor
    papers: dict[str, set[str]] = {}
    for row in predictor.literature.samples:
        for layer in row["shell"].split("|"):
            papers.setdefault(layer, set()).add(row["paper"])
    return {
        "cores": sorted({row["core"] for row in predictor.literature.samples}),
        "shells": [
            {
                "name": row["name"],
                "aliases": [name.strip() for name in row["aliases"].split(";") if name.strip()],
                "material_class": row["class"],
                "papers": len(papers.get(row["name"], ())),
            }
            for row in predictor.featurizer.reader.shells.shell_rows
        ],
        "stressors": list(STRESSORS),
        "words": {name: list(words) for name, words in INPUT_WORDS.items()},
        "numbers": {name: list(ends) for name, ends in INPUT_NUMBERS.items()},
        "presets": presets(),
    }
