"""Which days a page is about."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from dashboards.metrics.period import LENGTHS_DAYS, Period, UnknownPeriodError

LATE = datetime(2026, 11, 23, 23, 30, tzinfo=UTC)


def test_the_running_day_is_left_out() -> None:
    period = Period.parse("7", as_of=LATE, timezone="UTC")
    assert (period.start, period.last, period.today) == (date(2026, 11, 16), date(2026, 11, 22), date(2026, 11, 23))
    assert (period.previous_start, period.previous_last) == (date(2026, 11, 9), date(2026, 11, 15))


def test_today_is_the_tenants() -> None:
    assert Period.parse(None, as_of=LATE, timezone="Europe/Berlin").today == date(2026, 11, 24)
    assert Period.parse(None, as_of=LATE, timezone="America/New_York").today == date(2026, 11, 23)


def test_without_a_wish_it_is_thirty_days() -> None:
    assert Period.parse(None, as_of=LATE, timezone="UTC").days == 30


@pytest.mark.parametrize("text", ["", "0", "31", "-7", "7 ", "seven", "7;DROP", "\N{ARABIC-INDIC DIGIT SEVEN}"])
def test_refuses_what_is_not_offered(text: str) -> None:
    with pytest.raises(UnknownPeriodError):
        Period.parse(text, as_of=LATE, timezone="UTC")


@pytest.mark.parametrize("days", LENGTHS_DAYS)
def test_both_stretches_are_equally_long(days: int) -> None:
    period = Period.parse(str(days), as_of=LATE, timezone="UTC")
    assert (period.start - period.previous_start).days == (period.today - period.start).days == days
