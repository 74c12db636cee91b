"""Perovshell: what a shell does to a halide-perovskite nanocrystal, learned from the literature.

Examples:
    >>> import perovshell
    >>> model = perovshell.load("models/0123456789ab")  # doctest: +SKIP
    >>> model.predict([{"core": "CsPbBr3", "shell": "SiO2"}])  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perovshell.errors import PerovshellError

if TYPE_CHECKING:
    from perovshell.model import Model, load
    from perovshell.models.outputs import Thresholds
    from perovshell.serve.ranking.ranking import rank

__all__ = ["Model", "PerovshellError", "Thresholds", "__version__", "load", "rank"]


def __getattr__(name: str) -> Any:
    """Load the public names when they are first used, so that the import itself is light."""
    if name in {"Model", "load"}:
        from perovshell import model

        return getattr(model, name)
    if name == "Thresholds":
        from perovshell.models import outputs

        return outputs.Thresholds
    if name == "rank":
        from perovshell.serve.ranking import ranking

        return ranking.rank
    if name == "__version__":
        from importlib.metadata import version

        return version("perovshell")
    msg = f"module 'perovshell' has no attribute {name!r}"
    raise AttributeError(msg)
