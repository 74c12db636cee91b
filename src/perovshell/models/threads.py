"""Fits on one thread: their matrices are too small for several, which only wait for each other."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def on_one_thread(fit: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Run a fit with linear algebra and trees on one thread, where threadpoolctl is installed."""

    @wraps(fit)
    def limited(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        try:
            threads = importlib.import_module("threadpoolctl")
        except ImportError:
            return fit(*args, **kwargs)
        with threads.threadpool_limits(1):
            return fit(*args, **kwargs)

    return limited
