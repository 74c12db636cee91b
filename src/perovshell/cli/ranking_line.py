"""How far a ranking is, on the error stream: a line that is rewritten, or lines of a log."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, TextIO

from perovshell.texts import counted

if TYPE_CHECKING:
    from perovshell.serve.ranking.progress import Progress

ERASE_LINE: Final = "\r\x1b[K"
_SHOW_AFTER_S: Final = 3.0
_REDRAW_S: Final = 0.2
_LOG_EVERY_S: Final = 30.0
_FEW_S: Final = 100
_MANY: Final = 10_000_000


class RankingLine(AbstractContextManager["RankingLine"]):
    """Shows how far a ranking is, if it takes longer than a few seconds.

    On a terminal one line is rewritten; anywhere else a line is added now and then.

    Args:
        stream: Where it is shown.
        clock: Seconds, from any beginning.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._is_terminal = stream.isatty()
        self._start = clock()
        self._next = self._start + _SHOW_AFTER_S
        self._is_drawn = False

    def __call__(self, progress: Progress) -> None:
        """Show progress, if it is time, and what happened on the cluster at once."""
        if progress.event:
            self._erase()
            self._write(f"{progress.event}\n")
        now = self._clock()
        # A log waits for the first result, unless that takes long.
        is_quiet = not (self._is_terminal or progress.rate or now > self._start + _LOG_EVERY_S)
        if is_quiet or now < self._next:
            return
        self._next = now + (_REDRAW_S if self._is_terminal else _LOG_EVERY_S)
        if self._is_terminal:
            width = shutil.get_terminal_size().columns - 1
            self._write(ERASE_LINE + progress_text(progress)[:width])
            self._is_drawn = True
        else:
            self._write(f"{progress_text(progress)}\n")

    def __exit__(self, *_: object) -> None:
        """Remove the line from a terminal: the result follows."""
        self._erase()

    def _erase(self) -> None:
        if self._is_drawn:
            self._write(ERASE_LINE)
            self._is_drawn = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def progress_text(progress: Progress) -> str:
    """Return progress in one line.

    Examples:
        >>> from perovshell.serve.ranking.progress import Progress
        >>> progress_text(Progress(86_400_000, 216_000_000, 7.2e6, 2, 12.0))
        'Ranking: 86 of 216 million (40 %), 7.2 million/s, 18 s left, 2 workers'
    """
    done, total, unit = progress.done, progress.total, ""
    if total >= _MANY:
        done, total, unit = done // 1_000_000, total // 1_000_000, " million"
    # Not yet done is no 100 %.
    parts = [f"Ranking: {done:,} of {total:,}{unit} ({int(progress.fraction * 100)} %)"]
    if progress.seconds_left is not None:
        parts.append(f"{progress.rate / 1e6:,.1f} million/s")
        parts.append(f"{_duration(progress.seconds_left)} left")
    parts.append(counted(progress.workers, "worker"))
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    """Return a duration for reading.

    Examples:
        >>> _duration(18.2), _duration(200), _duration(8000), _duration(400_000)
        ('18 s', '3 min', '2 h 13 min', '4 d 15 h')
    """
    if seconds < _FEW_S:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, days = minutes // 60, minutes // (24 * 60)
    if days > 1:
        return f"{days} d {hours % 24} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"
