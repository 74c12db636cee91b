"""The clients: they follow the plans of `client.plans` over HTTP, waiting or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from perovshell.client.connecting import import_httpx, options_of
from perovshell.client.plans import Asking, Call, Pause, Plan, Planner, Reply, Retries
from perovshell.client.rows import answer_of, values_of
from perovshell.errors import DesignSpaceError, ServiceError
from perovshell.models.frames import to_input_type, to_records
from perovshell.models.outputs import (
    DEFAULT_COVERAGE,
    DEFAULT_STRESSORS,
    NO_THRESHOLDS,
    Answer,
    Thresholds,
)

if TYPE_CHECKING:
    import httpx2 as httpx

T = TypeVar("T")
TIMEOUT_SECONDS = 180.0
"""Longest wait for an answer: a ranking may take two minutes."""
RETRIES = 4


class _Plans:
    """What both clients ask; each method returns a plan.

    Args:
        url: Address of the service, with a path where it stands below one.
        key: API key.
        timeout: Longest wait for an answer in s.
        retries: Tries after the first, where the service is busy.
    """

    def __init__(self, url: str, key: str | None, timeout: float, retries: int) -> None:
        self._url = url.rstrip("/")
        self._timeout = timeout
        self._planner = Planner(self._url, Retries(retries))
        self._httpx = import_httpx()
        self._options = options_of(self._httpx, self._url, key, timeout)

    def _predict(self, rows: Any, asking: Asking) -> Plan[Any]:
        answers = yield from self._planner.answers(
            to_records(rows), asking, values_of, lambda answer: answer.values
        )
        return to_input_type(answers, rows, asking.stressors, asking.thresholds)

    def _answer(self, rows: Any, asking: Asking) -> Plan[list[Answer]]:
        return self._planner.answers(to_records(rows), asking, answer_of, lambda answer: answer)

    def _rank(self, space: str | Mapping[str, Any] | None, options: dict[str, Any]) -> Plan[Any]:
        content = dict(options)
        if space is not None:
            content["space"] = space if isinstance(space, str) else dict(space)
        return self._planner.post("/v1/rank", content, DesignSpaceError)

    def _failed(self, error: Exception) -> ServiceError:
        """Return a transport error in words."""
        if isinstance(error, self._httpx.ConnectError | self._httpx.ConnectTimeout):
            said = f"cannot be reached ({error or 'no connection in time'}); does it run?"
        elif isinstance(error, self._httpx.TimeoutException):
            said = f"no answer within {self._timeout:g} s"
        else:
            said = f"the connection failed ({error or type(error).__name__})"
        return ServiceError(f"service at {self._url}: {said}")


class Client(_Plans):
    """A client of a prediction service.

    Args:
        url: Address of the service, such as `http://127.0.0.1:8000`.
        key: API key, where the service wants one.
        timeout: Longest wait for an answer in s.
        retries: Tries after the first, where the service is busy (status 429 and 503): after
            random pauses that grow, and not before the time the service names. What cannot be
            reached is not tried again.

    Raises:
        InputError: The address, the key or a number is not allowed.
        MissingExtraError: httpx2 is not installed.

    Examples:
        >>> with Client("http://127.0.0.1:8000", key="pvs_...") as client:  # doctest: +SKIP
        ...     client.predict([{"core": "CsPbBr3", "shell": "SiO2"}], stressors=["water"])
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
    ) -> None:
        super().__init__(url, key, timeout, retries)
        self._client: httpx.Client = self._httpx.Client(**self._options)
        self._sleep = time.sleep

    def predict(
        self,
        rows: Any,
        *,
        stressors: Sequence[str] = DEFAULT_STRESSORS,
        coverage: float = DEFAULT_COVERAGE,
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> Any:
        """Predict as `perovshell.Model.predict` does: the same types and the same numbers.

        Any number of rows: they are sent in parts, and answered by one model; where another is
        promoted meanwhile, the parts of the old one are asked again.

        Args:
            rows: Dictionaries or a pandas DataFrame with `core` and `shell`, and any of the
                optional columns; others are not sent.
            stressors: Stressors to answer for.
            coverage: Coverage of the intervals.
            thresholds: Thresholds whose probability is asked.

        Returns:
            For dictionaries a list of dictionaries, for a DataFrame a DataFrame with the same
            index: the output columns (nm, percent, hours), NaN for unknown, inf for an end
            without limit. A row that cannot be answered has its reason in `error`.

        Raises:
            InputError: A required column is missing, or an option is not allowed.
            ServiceError: The service cannot be reached; `RefusedError` where it refuses.

        Examples:
            >>> client.predict([{"core": "CsPbBr3", "shell": "SiO2"}])  # doctest: +SKIP
        """
        return self._follow(
            self._predict(rows, Asking(stressors, coverage, thresholds, details=False))
        )

    def answer(
        self,
        rows: Any,
        *,
        stressors: Sequence[str] = DEFAULT_STRESSORS,
        coverage: float = DEFAULT_COVERAGE,
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> list[Answer]:
        """Answer as `perovshell.Model.answer` does, with nearest samples and measured values.

        See `predict`. It takes about ten times as long, as the service looks for reasons too.

        Raises:
            InputError: A required column is missing, or an option is not allowed.
            ServiceError: The service cannot be reached; `RefusedError` where it refuses.

        Examples:
            >>> client.answer([{"core": "CsPbBr3", "shell": "SiO2"}])[0].nearest  # doctest: +SKIP
        """
        return self._follow(
            self._answer(rows, Asking(stressors, coverage, thresholds, details=True))
        )

    def rank(
        self,
        space: str | Mapping[str, Any] | None = None,
        *,
        top: int = 50,
        order_by: str = "lower-bound",
        shrink: bool = True,
        exclude_known: bool = False,
        batch: int = 0,
    ) -> dict[str, Any]:
        """Rank a design space of at most two million combinations.

        Args:
            space: Name of a preset, or a mapping with the keys of a design space's YAML file; None
                is the default preset.
            top: Lines to keep.
            order_by: `lower-bound`, `value` or `explore`; see `perovshell.rank`.
            shrink: Whether targets without skill are shrunk and measured values pooled.
            exclude_known: Whether to leave out combinations of the literature.
            batch: How many combinations to choose that are unlike one another.

        Returns:
            `model`, `space`, `ranked` (how many), `removed`, `statements` and `lines`.

        Raises:
            DesignSpaceError: The space or an option is not allowed.
            ServiceError: The service cannot be reached; `RefusedError` where it refuses.

        Examples:
            >>> client.rank("red-emitter", top=10)["lines"][0]["core"]  # doctest: +SKIP
        """
        options = {
            "top": top,
            "order_by": order_by,
            "shrink": shrink,
            "exclude_known": exclude_known,
            "batch": batch,
        }
        return dict(self._follow(self._rank(space, options)))

    def model(self) -> dict[str, Any]:
        """Return what the model says of itself: dataset, figures, skill, card, limits.

        Raises:
            ServiceError: The service cannot be reached; `RefusedError` where it refuses.

        Examples:
            >>> client.model()["figures"]["pl.paper.all.mae"]  # doctest: +SKIP
        """
        return self._follow(self._planner.get("/v1/model"))

    def vocabulary(self) -> dict[str, Any]:
        """Return the words that rows may hold: cores, shells with aliases, stressors, presets.

        Raises:
            ServiceError: The service cannot be reached; `RefusedError` where it refuses.

        Examples:
            >>> [shell["name"] for shell in client.vocabulary()["shells"]]  # doctest: +SKIP
        """
        return self._follow(self._planner.get("/v1/vocabulary"))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _follow(self, plan: Plan[T]) -> T:
        reply: Reply | None = None
        while True:
            try:
                step = plan.send(reply)
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Pause):
                self._sleep(step.seconds)
                reply = None
            else:
                reply = self._send(step)

    def _send(self, call: Call) -> Reply:
        try:
            return _reply(self._client.request(call.method, call.path, content=call.body))
        except self._httpx.RequestError as error:
            raise self._failed(error) from error


class AsyncClient(_Plans):
    """A client of a prediction service for asyncio: `Client`, with methods to be awaited.

    Args:
        url: Address of the service.
        key: API key, where the service wants one.
        timeout: Longest wait for an answer in s.
        retries: Tries after the first, where the service is busy.

    Raises:
        InputError: The address, the key or a number is not allowed.
        MissingExtraError: httpx2 is not installed.

    Examples:
        >>> async with AsyncClient("http://127.0.0.1:8000") as client:  # doctest: +SKIP
        ...     await client.predict([{"core": "CsPbBr3", "shell": "SiO2"}])
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = TIMEOUT_SECONDS,
        retries: int = RETRIES,
    ) -> None:
        super().__init__(url, key, timeout, retries)
        self._client: httpx.AsyncClient = self._httpx.AsyncClient(**self._options)
        self._sleep = asyncio.sleep

    async def predict(
        self,
        rows: Any,
        *,
        stressors: Sequence[str] = DEFAULT_STRESSORS,
        coverage: float = DEFAULT_COVERAGE,
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> Any:
        """Predict; see `Client.predict`."""
        asking = Asking(stressors, coverage, thresholds, details=False)
        return await self._follow(self._predict(rows, asking))

    async def answer(
        self,
        rows: Any,
        *,
        stressors: Sequence[str] = DEFAULT_STRESSORS,
        coverage: float = DEFAULT_COVERAGE,
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> list[Answer]:
        """Answer with details; see `Client.answer`."""
        asking = Asking(stressors, coverage, thresholds, details=True)
        return await self._follow(self._answer(rows, asking))

    async def rank(
        self,
        space: str | Mapping[str, Any] | None = None,
        *,
        top: int = 50,
        order_by: str = "lower-bound",
        shrink: bool = True,
        exclude_known: bool = False,
        batch: int = 0,
    ) -> dict[str, Any]:
        """Rank a design space; see `Client.rank`."""
        options = {
            "top": top,
            "order_by": order_by,
            "shrink": shrink,
            "exclude_known": exclude_known,
            "batch": batch,
        }
        return dict(await self._follow(self._rank(space, options)))

    async def model(self) -> dict[str, Any]:
        """Return what the model says of itself; see `Client.model`."""
        return await self._follow(self._planner.get("/v1/model"))

    async def vocabulary(self) -> dict[str, Any]:
        """Return the words that rows may hold; see `Client.vocabulary`."""
        return await self._follow(self._planner.get("/v1/vocabulary"))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _follow(self, plan: Plan[T]) -> T:
        reply: Reply | None = None
        while True:
            try:
                step = plan.send(reply)
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Pause):
                await self._sleep(step.seconds)
                reply = None
            else:
                reply = await self._send(step)

    async def _send(self, call: Call) -> Reply:
        try:
            return _reply(await self._client.request(call.method, call.path, content=call.body))
        except self._httpx.RequestError as error:
            raise self._failed(error) from error


def _reply(response: httpx.Response) -> Reply:
    return Reply(response.status_code, response.headers, response.content)
