"""A Python that has what is installed for serving alone: MLflow and all else is not there."""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMAND = (sys.executable, "-S", "-m", "perovshell")
"""The command line without the packages of this environment; see `environment`."""


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of such a Python.

    Args:
        folder: Where links to the packages of `requirements-serve.lock` are made.
    """
    lock = (ROOT / "requirements-serve.lock").read_text()
    for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE):
        for path in _parts(name):
            link = folder / path.name
            if not link.exists():
                link.symlink_to(path)
    paths = os.pathsep.join([str(ROOT / "src"), str(folder)])
    return {**os.environ, "PYTHONPATH": paths}


def _parts(name: str) -> set[Path]:
    """Return the folders and modules of a package that the lock names, where it is installed."""
    try:
        found = distribution(name)
    except PackageNotFoundError:  # It is for another system or another Python.
        return set()
    tops = {path.parts[0] for path in found.files or () if path.parts[0] not in {"..", "/"}}
    return {Path(str(found.locate_file(top))) for top in tops - {"__pycache__"}}
