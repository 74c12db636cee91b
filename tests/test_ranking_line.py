"""The progress of `perovshell rank` on the error stream: a line rewritten, or lines of a log."""

import io

import pytest

from perovshell.cli.ranking_line import RankingLine
from perovshell.serve.ranking.progress import Progress


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(stream: io.StringIO, seconds: int, event_at: int = -1) -> str:
    """Return what is shown of a ranking of so many seconds, with progress each half second."""
    now = 0.0
    with RankingLine(stream, lambda: now) as line:
        for step in range(2 * seconds):
            now = step / 2
            event = "worker a joined" if step == 2 * event_at else ""
            line(Progress(step * 10**6, 2 * 10**8, 2e6, 2, now, event))
    return stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_nothing_is_shown_of_a_ranking_of_a_few_seconds(stream: io.StringIO) -> None:
    assert shown(stream, 3) == ""


def test_a_log_gets_a_line_now_and_then_and_each_event() -> None:
    assert shown(io.StringIO(), 65, event_at=20).splitlines() == [
        "Ranking: 6 of 200 million (3 %), 2.0 million/s, 97 s left, 2 workers",
        "worker a joined",
        "Ranking: 66 of 200 million (33 %), 2.0 million/s, 67 s left, 2 workers",
        "Ranking: 126 of 200 million (63 %), 2.0 million/s, 37 s left, 2 workers",
    ]


def test_a_terminal_has_one_line_that_is_rewritten_and_removed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    drawn = shown(Terminal(), 6, event_at=4)
    assert drawn.count("\n") == 1
    assert "\r\x1b[Kworker a joined\n" in drawn
    lines = drawn.split("\r\x1b[K")
    assert lines[1] == "Ranking: 6 of 200 million (3 "
    assert lines[-1] == ""
