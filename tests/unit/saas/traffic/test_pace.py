"""The rate that traffic keeps."""

from __future__ import annotations

import pytest

from saas.traffic.pace import TokenBucket


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_waiting_as_told_gives_the_rate() -> None:
    clock = Clock()
    bucket = TokenBucket(1_000, clock)
    taken = 0
    while clock.seconds < 110:
        pause = bucket.take(50)
        if pause == 0:
            taken += 50
        clock.seconds += pause
    assert taken == pytest.approx(10_000, abs=50)


def test_a_stall_is_caught_up_but_never_more_than_a_second_of_it() -> None:
    clock = Clock()
    bucket = TokenBucket(100, clock)
    clock.seconds += 60
    taken = 0
    while bucket.take(10) == 0:
        taken += 10
    assert taken == 100


def test_more_than_a_second_holds_can_still_be_taken_at_once() -> None:
    clock = Clock()
    bucket = TokenBucket(2, clock)
    pause = bucket.take(10)
    assert pause == 5
    clock.seconds += pause
    assert bucket.take(10) == 0
