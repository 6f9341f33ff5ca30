"""The rule by which publications stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lakehouse_admin.retention import Published, Retention, numbers_to_keep

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
RULE = Retention(newest=2, every=timedelta(hours=1), hourly=timedelta(hours=6), daily=timedelta(days=3))
_MINUTE = timedelta(minutes=1)


def published(*ages: timedelta) -> list[Published]:
    """Publications of some ages, the oldest first."""
    return [Published(number=number, published_at=NOW - age) for number, age in enumerate(ages, start=1)]


def test_the_last_of_each_hour_and_day_stay_for_as_long_as_the_rule_says() -> None:
    ages = [
        timedelta(days=4),  # 1: too old.
        timedelta(days=2, hours=2),  # 2: not the last of its day.
        timedelta(days=2, hours=1),  # 3: the last of its day.
        timedelta(hours=4, minutes=10),  # 4: not the last of its hour (08:20).
        timedelta(hours=4, minutes=5),  # 5: the last of its hour (08:25).
        timedelta(minutes=55),  # 6 and 7: younger than an hour.
        timedelta(minutes=50),
        timedelta(minutes=1),
        timedelta(),
    ]
    assert numbers_to_keep(published(*ages), RULE, now=NOW) == {3, 5, 6, 7, 8, 9}


def test_the_newest_stay_however_old_and_what_somebody_keeps() -> None:
    found = [
        Published(number=1, published_at=NOW - timedelta(days=400), kept_reason="closing 2025"),
        Published(number=2, published_at=NOW - timedelta(days=400), kept_reason="a reader", kept_until=NOW + _MINUTE),
        Published(number=3, published_at=NOW - timedelta(days=400), kept_reason="a reader", kept_until=NOW),
        *(Published(number=number, published_at=NOW - timedelta(days=300)) for number in (4, 5, 6)),
    ]
    assert numbers_to_keep(found, RULE, now=NOW) == {1, 2, 5, 6}


@given(
    st.lists(st.integers(0, 10_000), max_size=60),
    st.integers(0, 5),
    st.integers(0, 500),
    st.integers(0, 5_000),
    st.integers(0, 10_000),
)
def test_retiring_again_later_never_asks_for_one_that_is_gone(
    ages: list[int], newest: int, every: int, hourly: int, daily: int
) -> None:
    """What was retired at one time would not be kept at a later one: the rule never regrets."""
    rule = Retention(newest=newest, every=every * _MINUTE, hourly=hourly * _MINUTE, daily=daily * _MINUTE)
    found = published(*(age * _MINUTE for age in sorted(ages, reverse=True)))
    kept = numbers_to_keep(found, rule, now=NOW)
    assert not found or found[-1].number in kept
    later = numbers_to_keep(found, rule, now=NOW + 30 * _MINUTE)
    assert later <= kept
    left = [each for each in found if each.number in kept]
    assert numbers_to_keep(left, rule, now=NOW) == kept
