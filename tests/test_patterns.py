"""No regular expression takes for ever: one text must not keep a service from all others."""

import importlib
import pkgutil
import re
import signal
from collections.abc import Iterator

import perovshell

LENGTH = 200
"""Longest text of a cell."""
HANGS = 60.0
"""Seconds; what is tried again and again takes years."""
UNITS = (
    "a", "A", "Aa", "aa ", "aaaa", "Aaaaa ", "1", "1.", "1,", "1 ", "-", "(", "([", "Br1", "a-",
    "A,",
    "A+", "+", "/", "a/", "|", " ", "\n", "a. ", ":", "=", "%", "x=", "1e", "nm ", "to ", "SiO2 ",
    "10 nm ", "<sub>", "[", "~", "<1", "1±",
)  # fmt: skip
ENDS = ("", "!", "\0")


def patterns() -> Iterator[re.Pattern[str]]:
    """Yield those of all modules."""
    for module in pkgutil.walk_packages(perovshell.__path__, "perovshell."):
        # MLflow runs the one, Python the other.
        if not module.name.endswith(("__main__", "pyfunc_model")):
            for value in vars(importlib.import_module(module.name)).values():
                held = value.values() if isinstance(value, dict) else [value]
                for one in [*held, *(value if isinstance(value, tuple | list) else ())]:
                    if isinstance(one, re.Pattern) and isinstance(one.pattern, str):
                        yield one


def test_no_pattern_hangs_on_a_text_that_is_made_to_trip_it() -> None:
    def hangs(*_: object) -> None:
        raise AssertionError(f"{pattern.pattern!r} hangs on {text[:20]!r}... and {text[-1:]!r}")

    before, known = signal.signal(signal.SIGALRM, hangs), set(patterns())
    try:
        for pattern in known:
            signal.setitimer(signal.ITIMER_REAL, HANGS)
            for text in [(unit * LENGTH)[:LENGTH] + end for unit in UNITS for end in ENDS]:
                pattern.search(text)
                pattern.fullmatch(text)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(known) > 100
