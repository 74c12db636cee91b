"""Routes whose request is one JSON object, and the problems that all routes share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, TypeVar, get_type_hints

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from perovshell.models.input_names import name_refusal
from perovshell.serve.service.bodies import read_json
from perovshell.serve.service.problems import MEDIA_TYPE

_Asked = TypeVar("_Asked", bound=BaseModel)


def refused(description: str) -> dict[str, Any]:
    """Describe a response that is a problem."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema}}}


class JsonRoute(APIRoute):
    """A route whose argument `asked` is the JSON of the request, if it has one.

    It is described as others are, but read without FastAPI, whose way through dependencies costs
    about as much as a prediction.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        kind = get_type_hints(self.endpoint).get("asked")
        if kind is None:
            return super().get_route_handler()

        async def handle(request: Request) -> Response:
            response: Response = await self.endpoint(await _asked(request, kind), request)
            return response

        return handle


async def _asked(request: Request, kind: type[_Asked]) -> _Asked:
    """Read the JSON of a request.

    Raises:
        Problem: It cannot be read at all.
        RequestValidationError: It is not as described.
    """
    body = await read_json(request)
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"]), "msg": _message(fault)} for fault in faults]
        ) from error


def _message(fault: Mapping[str, Any]) -> str:
    """Return what is wrong, with the inputs there are where a row has another."""
    path = fault["loc"]
    is_cell = fault["type"] == "extra_forbidden" and path[0] == "rows"
    return name_refusal(str(path[-1])) if is_cell else str(fault["msg"])


RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    400: refused("Not readable at all"),
    401: refused("A key is needed"),
    413: refused("Too large"),
    415: refused("Of a type or encoding that is not read"),
    422: refused("Invalid; `errors` lists the faults"),
    429: refused("Too often; `Retry-After` tells when to come back"),
    503: refused("Too much is going on; `Retry-After` tells when to come back"),
}
"""The problems of any route under /v1."""
