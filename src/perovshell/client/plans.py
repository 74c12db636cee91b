"""What is asked of the service, step by step, without asking it: both clients follow these plans.

A plan is a generator: it yields a `Call` and gets a `Reply`, or yields a `Pause`; what it returns
is the result.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeAlias, TypeVar

from perovshell.client.rows import Limits, parts_of, written
from perovshell.errors import InputError, ServiceError
from perovshell.models.outputs import Answer, Thresholds, check_options, unanswered

_BUSY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_ROUNDS: Final = 5
"""How often parts are asked again because the model changed meanwhile."""
_FRAME_BYTES: Final = 4096
"""Room in a request for what is not rows."""
_SHOWN: Final = 200
"""Characters of an answer that is no problem details, in a message."""

T = TypeVar("T")


class RefusedError(ServiceError):
    """The service answered, but not with a result.

    Attributes:
        status: HTTP status.
        detail: What the service says.
        request_id: The request's id in the log of the service; empty where there is none.
    """

    def __init__(self, who: str, status: int, detail: str, request_id: str) -> None:
        """Put status, detail and id into the message."""
        named = f" (request {request_id})" if request_id else ""
        super().__init__(f"{who}: status {status}: {detail}{named}")
        self.status = status
        self.detail = detail
        self.request_id = request_id


@dataclass(frozen=True)
class Call:
    """A request.

    Attributes:
        method: HTTP method.
        path: Path below the address of the service.
        body: JSON, or None.
        refused: Error raised where the service finds fault with the request as a whole.
    """

    method: str
    path: str
    body: bytes | None = None
    refused: type[InputError] = InputError


@dataclass(frozen=True)
class Reply:
    """A response.

    Attributes:
        status: HTTP status.
        headers: Headers, by names in lower case.
        body: Its bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Pause:
    """A time to wait.

    Attributes:
        seconds: How long.
    """

    seconds: float


Plan: TypeAlias = Generator[Call | Pause, Reply | None, T]


@dataclass(frozen=True)
class Retries:
    """How often, and after which pauses, a busy service is asked again.

    Attributes:
        most: Tries after the first.
        first_seconds: Longest pause after the first try; it doubles with each.
        longest_seconds: Longest pause that is chosen here.
        patience_seconds: All pauses of one request together, those the service asks for included.
    """

    most: int
    first_seconds: float = 0.5
    longest_seconds: float = 10.0
    patience_seconds: float = 120.0

    def __post_init__(self) -> None:
        """Refuse an impossible number."""
        if self.most < 0:
            msg = f"retries {self.most}: a number from 0 up is needed"
            raise InputError(msg)

    def pause(self, tried: int, asked_for: str) -> float:
        """Return a pause in seconds: a random one, behind the one that the service asks for."""
        most = min(self.first_seconds * 2**tried, self.longest_seconds)
        spread = random.uniform(0.0, most)  # noqa: S311 - it spreads tries and hides nothing
        return spread + (float(asked_for) if asked_for.isdecimal() else 0.0)


@dataclass(frozen=True)
class Asking:
    """How the rows of one call are to be answered.

    Attributes:
        stressors: Stressors to answer for.
        coverage: Coverage of the intervals.
        thresholds: Thresholds whose probability is asked.
        details: Whether nearest samples, measured values and conditions are told.

    Raises:
        InputError: A stressor or the coverage is not allowed.
    """

    stressors: Sequence[str]
    coverage: float
    thresholds: Thresholds
    details: bool

    def __post_init__(self) -> None:
        """Refuse what a model refuses, in its words."""
        check_options(self.stressors, self.coverage)

    def body(self, rows: Sequence[bytes]) -> bytes:
        """Return the body of a request."""
        thresholds = self.thresholds
        # JSON has no infinity; what is above the largest number is as far away.
        window = thresholds.pl_window_nm and [
            min(float(end), sys.float_info.max) for end in thresholds.pl_window_nm
        ]
        options = {
            "stressors": list(self.stressors),
            "coverage": float(self.coverage),
            "thresholds": {
                "pl_window_nm": window,
                "plqy_above": _number(thresholds.plqy_above),
                "gain_above": _number(thresholds.gain_above),
            },
            "details": self.details,
        }
        return b'{"rows":[%b],%b' % (b",".join(rows), json.dumps(options)[1:].encode())


def _number(given: float | None) -> float | None:
    return None if given is None else float(given)


@dataclass
class Planner:
    """Plans what is asked of one service.

    Attributes:
        url: Its address, for messages.
        retries: How a busy service is asked again.
    """

    url: str
    retries: Retries
    _limits: Limits | None = field(default=None, init=False)

    def get(self, path: str) -> Plan[dict[str, Any]]:
        """Plan to read what hangs on the model alone."""
        return (yield from self.ask(Call("GET", path)))

    def post(
        self, path: str, content: Mapping[str, Any], refused: type[InputError]
    ) -> Plan[dict[str, Any]]:
        """Plan to send JSON.

        Raises:
            InputError: It holds what JSON cannot say.
        """
        try:
            body = json.dumps(content, allow_nan=False, default=_plain).encode()
        except (TypeError, ValueError) as error:
            msg = f"{path}: what is sent must be JSON: {error}"
            raise refused(msg) from error
        return (yield from self.ask(Call("POST", path, body, refused)))

    def ask(self, call: Call) -> Plan[dict[str, Any]]:
        """Plan one request with its retries.

        Raises:
            InputError: The service finds fault with the request as a whole.
            RefusedError: It answers with another error, or is busy for too long.
        """
        tried, waited = 0, 0.0
        while True:
            reply = yield call
            assert reply is not None
            pause = self.retries.pause(tried, reply.headers.get("retry-after", ""))
            waited += pause
            is_last = tried == self.retries.most or waited > self.retries.patience_seconds
            if reply.status not in _BUSY or is_last:
                return self._read(call, reply)
            yield Pause(pause)
            tried += 1

    def _read(self, call: Call, reply: Reply) -> dict[str, Any]:
        try:
            content = json.loads(reply.body)
        except ValueError:
            content = None
        is_object = isinstance(content, dict)
        if reply.status == HTTPStatus.OK and is_object:
            return dict(content)
        shown = reply.body[:_SHOWN].decode(errors="replace")
        detail = str(content.get("detail", shown)) if is_object else f"no JSON but {shown!r}"
        if reply.status == HTTPStatus.UNPROCESSABLE_ENTITY and is_object:
            raise call.refused(detail)
        who = f"service at {self.url}, {call.path}"
        raise RefusedError(who, reply.status, detail, reply.headers.get("x-request-id", ""))

    def answers(
        self,
        rows: Sequence[Mapping[str, Any]],
        asking: Asking,
        read: Callable[[dict[str, Any]], T],
        made: Callable[[Answer], T],
    ) -> Plan[list[T]]:
        """Plan the answers to rows, all of one model and in the order of the rows.

        Args:
            rows: The rows.
            asking: How they are to be answered.
            read: Reads an answer of the service.
            made: Makes the same of an answer made here, to a row that cannot be sent as it is.
        """
        if not rows:
            return []
        limits = yield from self._known_limits()
        sent = [written(row, limits) for row in rows]
        found = {
            place: made(unanswered(one.fault, asking.stressors, asking.thresholds))
            for place, one in enumerate(sent)
            if one.fault
        }
        contents = [(place, one.content) for place, one in enumerate(sent) if one.content]
        most = limits.detailed_rows if asking.details else limits.rows
        parts = list(parts_of(contents, most, limits.body_bytes - _FRAME_BYTES))
        replies = yield from self._of_one_model(
            [Call("POST", "/v1/predict", asking.body([row for _, row in part])) for part in parts]
        )
        with self._reading("/v1/predict"):
            for part, reply in zip(parts, replies, strict=True):
                for (place, _), answer in zip(part, reply["answers"], strict=True):
                    if place not in found or answer["error"]:
                        found[place] = read(answer)
        return [found[place] for place in range(len(rows))]

    def _of_one_model(self, calls: Sequence[Call]) -> Plan[list[dict[str, Any]]]:
        """Plan requests; those that another model answered than the last one are asked again."""
        replies: dict[int, dict[str, Any]] = {}
        models: dict[int, str] = {}
        left = list(range(len(calls)))
        if not calls:
            return []
        for _ in range(_ROUNDS):
            newest = ""
            for place in left:
                replies[place] = yield from self.ask(calls[place])
                with self._reading(calls[place].path):
                    newest = models[place] = str(replies[place]["model"]["id"])
            left = [place for place, model_id in models.items() if model_id != newest]
            if not left:
                return [replies[place] for place in range(len(calls))]
        msg = f"service at {self.url}: its model changed {_ROUNDS} times within one call"
        raise ServiceError(msg)

    def _known_limits(self) -> Plan[Limits]:
        if self._limits is None:
            card = yield from self.get("/v1/model")
            with self._reading("/v1/model"):
                self._limits = Limits.of(card)
        return self._limits

    @contextmanager
    def _reading(self, path: str) -> Iterator[None]:
        """Read an answer, which has all that is read of it where the service is one of ours.

        Raises:
            ServiceError: It has not.
        """
        try:
            yield
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"its answer to {path} is not as expected: {error!r}"
            msg = f"{self.url} is no Perovshell service of this version: {what}"
            raise ServiceError(msg) from error


def _plain(value: Any) -> Any:
    """Return numpy's numbers and arrays as Python's, for the JSON writer."""
    if hasattr(value, "tolist"):
        return value.tolist()
    msg = f"{type(value).__name__} {value!r}"
    raise TypeError(msg)
