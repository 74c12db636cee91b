"""What a training or a retraining of a workspace came to."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from perovshell.intake.inbox import Taken
    from perovshell.training.retrain import Challenge


@dataclass(frozen=True)
class Training:
    """A trained model, and whether it became champion.

    Attributes:
        model_id: The model.
        folder: Its folder.
        info: Its dataset, settings, figures and skill.
        version: Its version in the registry; None where it is not tracked.
        champion: Model id of the champion now.
        why: Why it became champion; empty where another stays.
    """

    model_id: str
    folder: Path
    info: dict[str, Any]
    version: str | None
    champion: str
    why: str

    def lines(self) -> list[str]:
        """Return its validation, where it is and whether it is the champion."""
        from perovshell.models.card import validation_lines

        lines = [*validation_lines(self.info), f"Model {self.model_id} in {self.folder}"]
        if self.version is not None:
            lines.append(f"Registered in MLflow as perovshell version {self.version}")
        if self.champion != self.model_id:
            return [*lines, f"The champion stays {self.champion}."]
        why = f" ({self.why})" if self.why else ""
        return [*lines, f"It is the champion{why}: predict and rank use it."]

    def __str__(self) -> str:
        """Return the lines as text."""
        return "\n".join(self.lines())

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        about = {"model_id": self.model_id, "folder": str(self.folder), **self.info}
        return {**about, "version": self.version, "champion": self.champion}


@dataclass(frozen=True)
class Retraining:
    """The result of a retraining.

    Attributes:
        challenge: The challenger and its comparison with the champion; None where there is a
            reason not to train.
        reason: Why nothing was compared; empty where something was.
        champion: Model id of the champion now.
        inbox: What became of the files of the inbox.
        replacement: The training that replaced a champion of an older Perovshell, which cannot be
            read; None where there was none.
    """

    challenge: Challenge | None
    reason: str
    champion: str
    inbox: tuple[Taken, ...] = ()
    replacement: Training | None = None

    @property
    def is_promoted(self) -> bool:
        """Whether the model that was trained is the champion now."""
        trained = self.replacement.model_id if self.replacement else None
        if self.challenge is not None:
            trained = self.challenge.challenger
        return trained == self.champion

    def lines(self) -> list[str]:
        """Return the comparison, the verdict and the champion, or why nothing was compared."""
        replaced = self.replacement.lines() if self.replacement else []
        if self.challenge is None:
            return [*replaced, self.reason]
        report = f"Report: {self.challenge.report}"
        return [*replaced, *self.challenge.lines(), f"Champion: {self.champion}", report]

    def __str__(self) -> str:
        """Return the lines as text."""
        return "\n".join(self.lines())

    def to_json(self) -> dict[str, Any]:
        """Return JSON data."""
        nothing = {"challenger": None, "reason": self.reason}
        about = self.challenge.to_json() if self.challenge else nothing
        return {
            **about,
            "now_champion": self.champion,
            "promoted": self.is_promoted,
            "inbox": [asdict(one) for one in self.inbox],
        }
