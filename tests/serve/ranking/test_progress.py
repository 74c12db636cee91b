"""Progress: what is done, at which rate, and how long the rest takes."""

import pytest

from perovshell.serve.ranking.progress import Progress, ProgressMeter


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_is_that_of_the_last_half_minute_with_workers() -> None:
    clock, seen = Clock(), list[Progress]()
    meter = ProgressMeter(4000, 500, seen.append, clock)
    assert seen == [Progress(500, 4000, 0.0, 0, 0.0)]
    assert seen[0].seconds_left is None
    clock.now += 60  # The cluster starts.
    meter.show_workers(4)
    clock.now += 10
    meter.advance(100)
    # What was done before a resumed ranking is no part of the rate.
    assert seen[-1] == Progress(600, 4000, 10.0, 4, 70.0)
    assert seen[-1].seconds_left == pytest.approx(340)
    assert seen[-1].fraction == 0.15
    for _ in range(4):
        clock.now += 10
        meter.advance(400)
    assert seen[-1].done == 2200
    assert seen[-1].rate == pytest.approx(40)


def test_each_event_is_reported() -> None:
    seen: list[Progress] = []
    meter = ProgressMeter(10, 0, seen.append)
    meter.show_workers(2, ("lost worker a", "worker b joined"))
    meter.show_workers(2)
    assert [now.event for now in seen] == ["", "lost worker a", "worker b joined", ""]
    assert {now.workers for now in seen[1:]} == {2}
