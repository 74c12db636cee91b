"""Packages that only a part of Perovshell needs."""

from __future__ import annotations

import importlib
from typing import Any

from perovshell.errors import MissingExtraError


def import_optional(module: str, what: str, extra: str) -> Any:
    """Import a module of a package that may not be installed.

    Args:
        module: Its full name, such as `scipy.special`.
        what: What needs it, such as `training`.
        extra: The extra of Perovshell that brings it.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.split(".", maxsplit=1)[0]
        msg = f"{what} needs {package}: pip install 'perovshell[{extra}]'"
        raise MissingExtraError(msg) from error
