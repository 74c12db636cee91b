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
from perovshell.errors import DesignSpaceError, InputError, ServiceError
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
        shells: Sequence[Mapping[str, Any]] = (),
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
            shells: Shells that no table has, as of `perovshell.Model.with_shells`.

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
        options = options_json(stressors, coverage, thresholds, shells)
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
        shells: Sequence[Mapping[str, Any]] = (),
    ) -> list[Answer]:
        """Answer as `perovshell.Model.answer` does, with nearest samples and measured values.

        See `predict`. It takes about ten times as long, as the service looks for reasons too.

        Raises:
            InputError: A required column is missing, or an option is not allowed.
            ServiceError: The service cannot be reached, or refuses.

        Examples:
            >>> client.answer([{"core": "CsPbBr3", "shell": "SiO2"}])[0].nearest  # doctest: +SKIP
        """
        options = options_json(stressors, coverage, thresholds, shells)
        with self._connection.expecting("/v1/predict"):
            answers = self._answers(to_records(rows), {**options, "details": True})
            return [answer_of(answer) for answer in answers]

    def rank(
        self,
        space: str | Mapping[str, Any] | None = None,
        *,
        top: int = 50,
        order_by: str = "lower-bound",
        batch: int = 0,
        suggest_experiments: bool = False,
        shells: Sequence[Mapping[str, Any]] = (),
    ) -> dict[str, Any]:
        """Rank a design space of at most two million combinations.

        Args:
            space: Name of a preset, or a mapping with the keys of a design space's YAML file; None
                is the default preset.
            top: Lines of each list.
            order_by: `lower-bound`, `value` or `explore`; see `perovshell.rank`.
            batch: How many mutually dissimilar candidates to choose.
            suggest_experiments: Whether to suggest the most informative experiments.
            shells: Shells that no table has, as of `perovshell.Model.with_shells`.

        Returns:
            `measured`, what papers measured of what is asked, and `candidates`, what is worth
            trying: lists of dictionaries with the columns of ranking.csv, of which those measured
            have the literature `samples` too. Beside them `model`, `space`, `ranked` (how many),
            `removed`, `statements`, `batch` and `suggest_experiments`.

        Raises:
            DesignSpaceError: The space or an option is not allowed.
            ServiceError: The service cannot be reached, or refuses.

        Examples:
            >>> client.rank("red-emitter", top=10)["measured"][0]["core"]  # doctest: +SKIP
        """
        content = {
            "top": top,
            "order_by": order_by,
            "batch": batch,
            "suggest_experiments": suggest_experiments,
            "shells": [dict(shell) for shell in shells],
        }
        if space is not None:
            content["space"] = space if isinstance(space, str) else dict(space)
        return self._post("/v1/rank", content, "space", DesignSpaceError)

    def draft(self, text: str) -> dict[str, Any]:
        """Draft a paper from the text of an abstract or a paper; see `perovshell.draft`.

        Args:
            text: The text; its first line is the title.

        Returns:
            `paper` with the keys of a paper file, `sentences` by JSON pointer, `open` keys,
            `unclear` statements, `summary` and `yaml`.

        Raises:
            InputError: The text is empty or too long.
            ServiceError: The service cannot be reached, or refuses.

        Examples:
            >>> client.draft(abstract)["paper"]["samples"][0]["shell"]  # doctest: +SKIP
        """
        return self._post("/v1/papers/draft", {"text": text}, "text")

    def check(self, paper: Mapping[str, Any], *, replace: bool = False) -> dict[str, Any]:
        """Check a paper; nothing is written.

        Args:
            paper: A paper with the keys of a paper file.
            replace: Whether it corrects the paper of the same paper_id.

        Returns:
            `faults` and `questions`, each with a JSON pointer, `understood`, `changes`,
            `unchanged` and `yaml`.

        Raises:
            InputError: The paper is not JSON, or too large.
            ServiceError: The service cannot be reached, or refuses.

        Examples:
            >>> client.check({"paper_id": "smith2026", "samples": []})["faults"]  # doctest: +SKIP
        """
        return self._post("/v1/papers/check", {"paper": dict(paper), "replace": replace}, "paper")

    def add(
        self, paper: Mapping[str, Any], *, accept_outliers: bool = False, replace: bool = False
    ) -> dict[str, Any]:
        """Add a paper to the workspace of the service; see `perovshell.Workspace.add`.

        Args:
            paper: A paper with the keys of a paper file.
            accept_outliers: Whether values are taken that look wrong.
            replace: Whether it corrects the paper of the same paper_id.

        Returns:
            `paper_id`, `understood`, `dataset` (counts and hash), `next` and `yaml`.

        Raises:
            InputError: It has faults, or outliers that are not accepted; `check` lists all.
            ServiceError: The service cannot be reached or refuses; `status` 409 says that the
                paper is there already, or that the workspace cannot be written.

        Examples:
            >>> client.add(client.draft(abstract)["paper"])["dataset"]["papers"]  # doctest: +SKIP
        """
        options = {"accept_outliers": accept_outliers, "replace": replace}
        return self._post("/v1/papers", {"paper": dict(paper), **options}, "paper")

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

    def _post(
        self, path: str, content: object, what: str, refused: type[InputError] = InputError
    ) -> dict[str, Any]:
        """Send some content; `what` names it where it is not JSON."""
        try:
            body = json.dumps(content, allow_nan=False, default=lambda value: value.tolist())
        except (AttributeError, TypeError, ValueError) as error:
            msg = f"{what}: it must be JSON: {error}"
            raise refused(msg) from error
        return self._connection.ask("POST", path, body.encode(), refused)

    # Rows ------------------------------------------------------------------------------------

    def _answers(
        self, rows: Sequence[Mapping[str, Any]], options: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Return the answers to rows, in their order and all of one model."""
        if not rows:
            return []
        cells = [row_json(row) for row in rows]
        self._limits = self._limits or self.model()["limits"]
        names = {"details": "detailed_rows", "shells": "rows_with_shells"}
        limits = [self._limits[name] for option, name in names.items() if options[option]]
        size = min([*limits, self._limits["rows"]])
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
