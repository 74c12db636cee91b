"""Perovshell: what a shell does to a halide-perovskite nanocrystal, learned from the literature.

Examples:
    >>> import perovshell
    >>> model = perovshell.load()
    >>> [answer] = model.predict([{"core": "CsPbBr3", "shell": "SiO2"}])
    >>> answer["pl_peak_nm_lower"] < answer["pl_peak_nm"] < answer["pl_peak_nm_upper"]
    True
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perovshell.errors import PerovshellError, PerovshellWarning

if TYPE_CHECKING:
    from perovshell.client import Client
    from perovshell.data.dataset import Dataset
    from perovshell.drafting.draft import Draft, draft
    from perovshell.model import Model, load
    from perovshell.models.outputs import Thresholds
    from perovshell.serve.ranking.ranking import Run, rank
    from perovshell.serve.ranking.results import Ranking
    from perovshell.serve.space.space import DesignSpace
    from perovshell.workbench import Workspace

__all__ = [
    "Client",
    "Dataset",
    "DesignSpace",
    "Draft",
    "Model",
    "PerovshellError",
    "PerovshellWarning",
    "Ranking",
    "Run",
    "Thresholds",
    "Workspace",
    "__version__",
    "draft",
    "load",
    "rank",
]
_MODULES = {
    "Client": "client",
    "Dataset": "data.dataset",
    "DesignSpace": "serve.space.space",
    "Draft": "drafting.draft",
    "Model": "model",
    "Ranking": "serve.ranking.results",
    "Run": "serve.ranking.ranking",
    "Thresholds": "models.outputs",
    "Workspace": "workbench",
    "draft": "drafting.draft",
    "load": "model",
    "rank": "serve.ranking.ranking",
}
"""Modules of the public names, which are loaded when they are first used."""


def __getattr__(name: str) -> Any:
    """Load the public names when they are first used, so that the import itself is light."""
    if name in _MODULES:
        from importlib import import_module

        return getattr(import_module(f"perovshell.{_MODULES[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("perovshell")
    msg = f"module 'perovshell' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    """Return the public names, for completion."""
    return sorted({*globals(), *__all__})
