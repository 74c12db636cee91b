"""Which model is the champion, which were before, and why: one file of the workspace."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from perovshell.errors import WorkspaceError


@dataclass(frozen=True)
class Promotion:
    """One promotion: a model became champion.

    Attributes:
        model_id: The model.
        previous: The champion that a rollback from it leads to; None for the first.
        version: Its version in the model registry; None where it is not tracked.
        why: The reason.
        when: Time in UTC, ISO 8601.
        untold: Whether the registry was not told of it: mlflow was not installed.
    """

    model_id: str
    previous: str | None
    version: str | None
    why: str
    when: str
    untold: bool = False

    def __str__(self) -> str:
        """Return it on one line."""
        untold = " (the registry was not told)" if self.untold else ""
        return f"{self.when}  {self.model_id} became champion: {self.why}{untold}"

    def to_json(self) -> dict[str, str | bool | None]:
        """Return JSON data."""
        return asdict(self)


def read_promotions(path: Path) -> tuple[Promotion, ...]:
    """Read the promotions, the champion's last; none where there is no file.

    Raises:
        WorkspaceError: The file is damaged.
    """
    try:
        return tuple(_promotion(entry) for entry in _list(json.loads(path.read_bytes())))
    except FileNotFoundError:
        return ()
    except (OSError, TypeError, ValueError) as error:
        msg = (
            f"{path}: cannot be read ({error}); it names the champion: put a copy back, or move it "
            "away and promote a model again"
        )
        raise WorkspaceError(msg) from error


def _list(content: Any) -> list[Any]:
    # A mapping without entries would else be no champion at all.
    if not isinstance(content, list):
        msg = "it holds no list"
        raise TypeError(msg)
    return content


def _promotion(entry: Any) -> Promotion:
    promotion = Promotion(**entry)
    if not isinstance(promotion.model_id, str) or not promotion.model_id.isalnum():
        msg = f"{promotion.model_id!r} is no model id"
        raise ValueError(msg)
    if not isinstance(promotion.untold, bool):
        msg = f"untold is {promotion.untold!r}, not true or false"
        raise TypeError(msg)
    return promotion


def promoted(
    before: Sequence[Promotion],
    model_id: str,
    why: str,
    version: str | None = None,
    *,
    untold: bool = False,
) -> tuple[Promotion, ...]:
    """Return the promotions with one more: a champion's predecessor is the champion so far.

    The champion itself may be promoted again: the way back is as before.
    """
    last = before[-1] if before else None
    previous = last.model_id if last else None
    if last is not None and last.model_id == model_id:
        previous = last.previous
    return (*before, Promotion(model_id, previous, version, why, _now(), untold))


def rolled_back(
    before: Sequence[Promotion], why: str, *, untold: bool = False
) -> tuple[Promotion, ...]:
    """Return the promotions with one more: back to the champion before the present one.

    Raises:
        WorkspaceError: There is no champion before the present one.
    """
    target = before[-1].previous if before else None
    if target is None:
        msg = "rollback: there is no champion before the present one"
        raise WorkspaceError(msg)
    # Rolled back twice, it goes two champions back: what led to the target counts again.
    first = next(entry for entry in reversed(before) if entry.model_id == target)
    return (*before, Promotion(target, first.previous, first.version, why, _now(), untold))


def is_untold(promotions: Sequence[Promotion]) -> bool:
    """Whether the registry has still to be told of the champion.

    Back at the champion that it was last told of, it has not.
    """
    known = last_told(promotions)
    return bool(promotions) and promotions[-1].untold and promotions[-1].model_id != known


def last_told(promotions: Sequence[Promotion]) -> str | None:
    """Return the model id of the last champion that the registry was told of, or None."""
    return next((one.model_id for one in reversed(promotions) if not one.untold), None)


def told(promotions: Sequence[Promotion], version: str | None) -> tuple[Promotion, ...]:
    """Return the promotions when the registry has been told of the last, as a version of it."""
    return (*promotions[:-1], replace(promotions[-1], version=version, untold=False))


def to_bytes(promotions: Sequence[Promotion]) -> bytes:
    """Return the contents of the file."""
    entries = [entry.to_json() for entry in promotions]
    for entry in entries:
        if not entry["untold"]:
            del entry["untold"]  # An older Perovshell knows no such key.
    return (json.dumps(entries, indent=1) + "\n").encode()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
