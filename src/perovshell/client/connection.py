"""The connection to a service: requests, retries and errors."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from perovshell.errors import InputError, PerovshellError, ServiceError
from perovshell.optional import import_optional
from perovshell.texts import without_passwords

if TYPE_CHECKING:
    import httpx2 as httpx

CONNECT_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 120.0
"""Time after which a request is not tried again, and the longest pause that is accepted."""
_BUSY: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_SHOWN: Final = 200
"""Characters of an answer that is no problem details, in a message."""
_NO_PROXY: Final = dict.fromkeys(("all://localhost", "all://127.0.0.1", "all://[::1]"))
"""A proxy of the environment is never the way to this very machine."""


class Connection:
    """A connection to a service.

    Args:
        url: Its address.
        key: API key, or None.
        timeout: Longest wait for an answer in s.
        retries: Tries after the first.

    Raises:
        InputError: The address, the key or a number is not allowed.
        MissingExtraError: httpx2 or stamina is not installed.
    """

    def __init__(self, url: str, key: str | None, timeout: float, retries: int) -> None:
        self._httpx = import_optional("httpx2", "the client", "client")
        self._stamina = import_optional("stamina", "the client", "client")
        if not isinstance(retries, int) or retries < 0:
            msg = f"retries {retries!r}: a number from 0 up is needed"
            raise InputError(msg)
        if not isinstance(timeout, int | float) or not timeout > 0:
            msg = f"timeout {timeout!r}: seconds above 0 are needed"
            raise InputError(msg)
        self._url = url
        self._timeout = timeout
        self._attempts = retries + 1
        self._client: httpx.Client = self._httpx.Client(
            base_url=self._checked(url),
            headers=_headers(key),
            timeout=self._httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
            mounts=_NO_PROXY,
        )

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        refused: type[InputError] = InputError,
    ) -> dict[str, Any]:
        """Send one request, again where that may help; return the object of its answer.

        Raises:
            InputError: The request as a whole is refused; it is of the class `refused`.
            ServiceError: There is no answer, or another refusal.
        """
        retrying = self._stamina.retry_context(
            self._pause, attempts=self._attempts, timeout=PATIENCE_SECONDS
        )
        try:
            for attempt in retrying:
                tried = attempt.num
                with attempt:
                    response = self._client.request(method, path, content=body)
                    response.raise_for_status()
        except self._httpx.HTTPStatusError as error:
            raise self._refusal(path, error.response, tried, refused) from error
        except self._httpx.RequestError as error:
            raise self.error(path, self._failure(error), tried) from error
        return self._object(path, response)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @contextmanager
    def expecting(self, path: str) -> Iterator[None]:
        """Read an answer, which has the members that are read if the service is of this version.

        Raises:
            ServiceError: It has not.
        """
        try:
            yield
        except PerovshellError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            what = f"not the answer of a Perovshell service of this version: {error!r}"
            raise self.error(path, what) from error

    def error(
        self, path: str, what: str, tried: int = 1, status: int | None = None
    ) -> ServiceError:
        """Return an error that names the service, the route and how often it was tried."""
        times = f" (tried {tried} times)" if tried > 1 else ""
        url = without_passwords(self._url)
        return ServiceError(f"service at {url}, {path}: {what}{times}", status)

    def _pause(self, error: Exception) -> bool | float:
        """Return whether a request is to be tried again, or after how many seconds."""
        failed = (
            self._httpx.NetworkError,
            self._httpx.ConnectTimeout,
            self._httpx.RemoteProtocolError,
        )
        if not isinstance(error, self._httpx.HTTPStatusError):
            return isinstance(error, failed)
        response = error.response
        asked_for = response.headers.get("retry-after", "")
        if response.status_code not in _BUSY or not asked_for.isdecimal():
            return response.status_code in _BUSY
        # Those who are refused at the same time do not all come back at the same time.
        pause = float(asked_for) + random.random()  # noqa: S311
        return pause if pause <= PATIENCE_SECONDS else False

    def _object(self, path: str, response: httpx.Response) -> dict[str, Any]:
        try:
            content = json.loads(response.content)
        except ValueError:
            content = None
        if isinstance(content, dict):
            return content
        raise self.error(path, f"no JSON object but {response.text[:_SHOWN]!r}")

    def _refusal(
        self, path: str, response: httpx.Response, tried: int, refused: type[InputError]
    ) -> PerovshellError:
        """Return the error of a status that is none of success."""
        try:
            detail = str(json.loads(response.content)["detail"])
        except (KeyError, TypeError, ValueError):
            detail = f"no JSON but {response.text[:_SHOWN]!r}"
        else:
            if response.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
                return refused(detail)
        request = response.headers.get("x-request-id", "")
        named = f" (request {request})" if request else ""
        what = f"status {response.status_code}: {detail}{named}"
        return self.error(path, what, tried, response.status_code)

    def _failure(self, error: Exception) -> str:
        """Return in words why there is no answer."""
        if isinstance(error, self._httpx.ConnectError | self._httpx.ConnectTimeout):
            return f"cannot be reached ({error or 'no connection in time'}); does it run?"
        if isinstance(error, self._httpx.TimeoutException):
            return f"no answer within {self._timeout:g} s"
        return f"the connection failed ({error or type(error).__name__})"

    def _checked(self, url: str) -> httpx.URL:
        try:
            address: httpx.URL = self._httpx.URL(url)
        except (self._httpx.InvalidURL, TypeError):
            address = self._httpx.URL("")
        is_plain = not (address.query or address.fragment or ".." in address.host)
        if address.scheme in {"http", "https"} and address.host and is_plain:
            return address
        msg = f"url {url!r}: an address such as http://127.0.0.1:8000 is needed"
        raise InputError(msg)


def _headers(key: str | None) -> dict[str, str]:
    headers = {"accept": "application/json", "content-type": "application/json"}
    if key is None:
        return headers
    if not (isinstance(key, str) and key and key.isascii() and key.isprintable()):
        msg = "key: not as 'perovshell keys add' prints it (one ASCII word)"
        raise InputError(msg)
    return {**headers, "authorization": f"Bearer {key}"}
