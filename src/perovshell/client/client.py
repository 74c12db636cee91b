"""The client of the prediction service."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

from perovshell.client.connection import Connection
from perovshell.client.conversion import answer_of, options_json, row_json, values_of
from perovshell.errors import DesignSpaceError, ServiceError
from perovshell.models.frames import to_input_type, to_records
from perovshell.models.outputs import (
    DEFAULT_COVERAGE,
    DEFAULT_STRESSORS,
    NO_THRESHOLDS,
    Answer,
    Thresholds,
)

TIMEOUT_SECONDS: Final = 180.0
"""Longest wait for an answer: a ranking may take two minutes."""
RETRIES: Final = 4
_ROUNDS: Final = 5
"""How often the rows of one call are sent because the model changes meanwhile."""
_HALF_A_PAIR: Final = re.compile("[\ud800-\udfff]")


class Client:
    """A client of a prediction service.

    Args:
        url: Address of the service, such as `http://127.0.0.1:8000`.
        key: API key, where the service needs one.
        timeout: Longest wait for an answer in s.
        retries: Tries after the first, where the connection fails or the service is busy (status
            429 and 503): after random pauses that grow, and not before the time that the service
            names in `Retry-After`.

    Raises:
        InputError: The address, the key or a number is not allowed.
        MissingExtraError: httpx2 or stamina is not installed.

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
        self._connection = Connection(url, key, timeout, retries)
        self._limits: Mapping[str, int] = {}

    def predict(
        self,
        rows: Any,
        *,
        stressors: Sequence[str] = DEFAULT_STRESSORS,
        coverage: float = DEFAULT_COVERAGE,
        thresholds: Thresholds = NO_THRESHOLDS,
    ) -> Any:
        """Predict as `perovshell.Model.predict` does: the same types and the same numbers.

        Any number of rows: they are sent in parts, and all are answered by one model. Where
        another model is promoted meanwhile, they are sent again.

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
            ServiceError: The service cannot be reached, or refuses.

        Examples:
            >>> client.predict([{"core": "CsPbBr3", "shell": "SiO2"}])  # doctest: +SKIP
        """
        options = options_json(stressors, coverage, thresholds)
        with self._connection.expecting("/v1/predict"):
            answers = self._answers(to_records(rows), {**options, "details": False})
            values = [values_of(answer) for answer in answers]
        return to_input_type(values, rows, stressors, thresholds)

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
            ServiceError: The service cannot be reached, or refuses.

        Examples:
            >>> client.answer([{"core": "CsPbBr3", "shell": "SiO2"}])[0].nearest  # doctest: +SKIP
        """
        options = options_json(stressors, coverage, thresholds)
        with self._connection.expecting("/v1/predict"):
            answers = self._answers(to_records(rows), {**options, "details": True})
            return [answer_of(answer) for answer in answers]

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
            batch: How many mutually dissimilar combinations to choose.

        Returns:
            `model`, `space`, `ranked` (how many), `removed`, `statements` and `lines`.

        Raises:
            DesignSpaceError: The space or an option is not allowed.
            ServiceError: The service cannot be reached, or refuses.

        Examples:
            >>> client.rank("red-emitter", top=10)["lines"][0]["core"]  # doctest: +SKIP
        """
        content = {
            "top": top,
            "order_by": order_by,
            "shrink": shrink,
            "exclude_known": exclude_known,
            "batch": batch,
        }
        if space is not None:
            content["space"] = space if isinstance(space, str) else dict(space)
        try:
            body = json.dumps(content, allow_nan=False, default=lambda value: value.tolist())
        except (AttributeError, TypeError, ValueError) as error:
            msg = f"space: it must be JSON: {error}"
            raise DesignSpaceError(msg) from error
        return self._connection.ask("POST", "/v1/rank", body.encode(), DesignSpaceError)

    def model(self) -> dict[str, Any]:
        """Return the model card: dataset, figures, skill, limits.

        Raises:
            ServiceError: The service cannot be reached, or refuses.

        Examples:
            >>> client.model()["figures"]["pl.paper.all.mae"]  # doctest: +SKIP
        """
        return self._connection.ask("GET", "/v1/model")

    def vocabulary(self) -> dict[str, Any]:
        """Return the words that rows may hold: cores, shells with aliases, stressors, presets.

        Raises:
            ServiceError: The service cannot be reached, or refuses.

        Examples:
            >>> [shell["name"] for shell in client.vocabulary()["shells"]]  # doctest: +SKIP
        """
        return self._connection.ask("GET", "/v1/vocabulary")

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # Rows ------------------------------------------------------------------------------------

    def _answers(
        self, rows: Sequence[Mapping[str, Any]], options: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Return the answers to rows, in their order and all of one model."""
        if not rows:
            return []
        cells = [row_json(row) for row in rows]
        self._limits = self._limits or self.model()["limits"]
        size = self._limits["detailed_rows" if options["details"] else "rows"]
        parts = [cells[start : start + size] for start in range(0, len(cells), size)]
        for _ in range(_ROUNDS):
            replies = [reply for part in parts for reply in self._send(part, options)]
            if len({reply["model"]["id"] for reply in replies}) == 1:
                answers = [answer for reply in replies for answer in reply["answers"]]
                if len(answers) != len(rows):
                    msg = f"{len(answers)} answers to {len(rows)} rows"
                    raise ValueError(msg)
                return answers
        raise self._connection.error(
            "/v1/predict", f"its model changed {_ROUNDS} times within one call"
        )

    def _send(
        self, cells: Sequence[Mapping[str, Any]], options: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Send rows; what is too large for the service, or a proxy before it, in halves."""
        text = json.dumps({"rows": cells, **options}, ensure_ascii=False)
        # Halves of surrogate pairs are no text; `?` instead would say that a cell is not known.
        body = _HALF_A_PAIR.sub("\ufffd", text).encode()
        try:
            return [self._connection.ask("POST", "/v1/predict", body)]
        except ServiceError as error:
            if error.status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE or len(cells) == 1:
                raise
        half = len(cells) // 2
        return self._send(cells[:half], options) + self._send(cells[half:], options)
