"""Why a version of the registered model is the champion, or was: kept in its description."""

from __future__ import annotations

import getpass
import os
from datetime import UTC, datetime
from typing import Any, Final

from perovshell.workspace.registry import NAME, Version

PROMOTION_CHECK: Final = "the promotion check"
"""Who promotes where nobody does by hand."""
_RULE: Final = "\n\n---\n\n"
"""Between the promotions of a version, the newest first, and what was known when it was made."""
_LONGEST: Final = 5000
"""Characters of a description that MLflow can store."""
_CHAMPION: Final = "Champion"
"""How descriptions of the champion begin; that of the model is left alone where it is another."""


def person() -> str:
    """Return the name at the tracking server, else that of the system; empty where unknown."""
    try:
        return os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
    except (KeyError, OSError):
        return ""


def described(about: str, before: str) -> str:
    """Return the description of a version with what is known of it now.

    Args:
        about: What is known.
        before: Its description so far, whose promotions are kept.
    """
    promotions, rule, _ = before.partition(_RULE)
    return _shortened(f"{promotions}{rule}{about}" if rule else about)


def note_promotion(
    client: Any, number: str | None, before: Version | None, why: str, by: str = ""
) -> None:
    """Write into the registry why the champion changed; once, where it is promoted again.

    Args:
        client: Client of the registry.
        number: Version of the champion; None where it is not registered.
        before: The champion before; None where none was registered.
        why: The reason.
        by: Who promoted it; empty for the person who works here.
    """
    when, who = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), by or person()
    hand = f", by {who}" if who else ""
    champion, instead = "a model that is not registered", ""
    if before is not None and before.number != number:
        instead = f" in place of version {before.number} ({before.model_id})"
    if number is not None:
        version = client.get_model_version(NAME, number)
        champion = f"version {number} ({version.tags.get('model_id')})"
        if not instead and (version.description or "").startswith(_CHAMPION):
            return
        _add(client, version, f"{_CHAMPION} since {when}{instead}{hand}", why)
    if before is not None and instead:
        replaced = client.get_model_version(NAME, before.number)
        _add(client, replaced, f"Replaced by {champion} on {when}{hand}", why)
    _describe_model(client, f"{_CHAMPION}: **{champion}** since {when}{instead}{hand}: {why}")


def _add(client: Any, version: Any, promotion: str, why: str) -> None:
    """Put a promotion in front of the description of a version, which may say why already."""
    before = version.description or ""
    end = "." if f"**{why}**" in before else f": {why}"
    joint = "\n\n" if _RULE in before else _RULE
    text = _shortened(f"{promotion}{end}{joint}{before}")
    client.update_model_version(NAME, version.version, text)


def _describe_model(client: Any, text: str) -> None:
    before = client.get_registered_model(NAME).description or ""
    if not before or before.startswith(_CHAMPION):
        load = (
            f"Python: `perovshell.load('models:/{NAME}@champion')`\n\n"
            f"Command line: `perovshell predict IN.csv -o OUT.csv --model models:/{NAME}@champion`"
        )
        client.update_registered_model(NAME, _shortened(f"{text}\n\n{load}"))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
