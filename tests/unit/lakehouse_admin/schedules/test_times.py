"""When schedules are due: through summer time, without an end, and exactly once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse_admin.schedules.times import Cron, Interval, Times, TimesInvalidError, checked_cron

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MOMENTS = st.timedeltas(timedelta(), timedelta(days=1095)).map(lambda age: datetime(2025, 1, 1, tzinfo=UTC) + age)
CRONS = st.builds(
    Cron,
    expression=st.sampled_from(
        ["* * * * *", "*/7 * * * *", "0 * * * *", "30 2 * * *", "0 9 * * 1-5", "0 0 1 * *", "15 1 29 2 *"]
    ),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
INTERVALS = st.builds(
    Interval, every=st.timedeltas(SECOND, timedelta(days=40)), begins_at=st.just(datetime(2025, 1, 1, tzinfo=UTC))
)


@given(times=CRONS | INTERVALS, moment=MOMENTS)
def test_the_next_time_is_the_latest_once_it_has_come_and_not_before(times: Times, moment: datetime):
    due = times.next_after(moment)

    assert due > moment
    assert times.latest(after=moment, until=due) == due
    assert times.latest(after=moment, until=due - timedelta(microseconds=1)) is None
    assert times.latest(after=due, until=due + times.pace(due) / 2) in {None, times.next_after(due)}


@given(times=CRONS | INTERVALS, moment=MOMENTS)
def test_stepping_backwards_and_forwards_meets_the_same_times(times: Times, moment: datetime):
    first = times.next_after(moment)
    second = times.next_after(first)

    assert times.latest(after=moment - timedelta(days=9999), until=second - timedelta(microseconds=1)) == first


@pytest.mark.parametrize(
    ("expression", "until", "due"),
    [
        ("30 2 * * *", "2026-03-29T12:00", "2026-03-29T01:00"),  # 02:30 does not exist: due when the gap ends.
        ("30 2 * * *", "2026-10-25T12:00", "2026-10-25T00:30"),  # It comes twice: due once, the first time.
        ("30 * * * *", "2026-10-25T01:59", "2026-10-25T01:30"),  # Recurs every hour: due in both.
        ("30 * * * *", "2026-10-25T00:59", "2026-10-25T00:30"),
        ("0 9 * * 1-5", "2026-11-22T12:00", "2026-11-20T08:00"),  # On Sunday, Friday was the last.
        ("0 0 29 2 *", "2026-11-23T08:00", "2024-02-28T23:00"),
    ],
)
def test_a_clock_in_berlin(expression: str, until: str, due: str):
    cron = Cron(expression=expression, zone="Europe/Berlin")

    found = cron.latest(after=datetime(2020, 1, 1, tzinfo=UTC), until=datetime.fromisoformat(f"{until}+00:00"))

    assert found == datetime.fromisoformat(f"{due}+00:00")


def test_a_weekend_is_no_delay():
    cron = Cron(expression="0 9 * * 1-5", zone="UTC")
    sunday = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    assert cron.pace(sunday) >= timedelta(days=3)
    assert cron.pace(sunday + timedelta(days=2)) == timedelta(days=1)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("61 * * * *", "'61 * * * *' cannot be read: bad minute."),
        ("* * * *", "'* * * *' cannot be read: wrong number of fields."),
        ("0 0 30 2 *", "'0 0 30 2 *' cannot be read: bad day-of-month."),
        ("often", "'often' cannot be read: wrong number of fields."),
    ],
)
def test_what_is_no_time_is_one_sentence(expression: str, sentence: str):
    with pytest.raises(TimesInvalidError) as caught:
        checked_cron(expression, "UTC", now=NOW)

    assert str(caught.value) == sentence
    assert "30 2 * * *" in caught.value.guidance


def test_spaces_do_not_matter():
    assert checked_cron("  0   3 * *  * ", "UTC", now=NOW).expression == "0 3 * * *"
