"""Six months, whatever the calendar and the tenant's clock."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saas.seeding.companies import HOMES, Growth, company
from saas.seeding.errors import SeedError
from saas.seeding.period import DAY, HOUR, SECOND, Clock, Period, parse_day

EPOCH_DAY = date(1970, 1, 1).toordinal()


@pytest.mark.parametrize(
    ("as_of", "first_day"),
    [
        (date(2026, 11, 20), date(2026, 5, 20)),
        (date(2026, 8, 31), date(2026, 2, 28)),
        (date(2024, 8, 30), date(2024, 2, 29)),
        (date(2026, 1, 31), date(2025, 7, 31)),
        (date(2026, 6, 30), date(2025, 12, 30)),
    ],
)
def test_the_first_day_is_six_months_earlier(as_of: date, first_day: date):
    period = Period(as_of=as_of)
    assert period.first_day == first_day
    assert datetime.fromtimestamp(period.start // SECOND, UTC) == datetime(*first_day.timetuple()[:3], tzinfo=UTC)
    assert period.end - period.start == (as_of - first_day).days * DAY


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "2026-02-30", "20261120", "2026-11-20T00:00"])
def test_other_days_are_refused(text: str):
    with pytest.raises(SeedError, match="write it as YYYY-MM-DD"):
        parse_day(text)


@pytest.mark.parametrize("as_of", [date.min, date(1979, 12, 31), date(2100, 1, 2), date.max])
def test_days_far_away_are_refused(as_of: date):
    with pytest.raises(SeedError, match="is out of range: choose a day from 1980-01-01 to 2100-01-01"):
        Period(as_of=as_of)


@given(
    st.sampled_from([home.timezone for home in HOMES] + ["Australia/Lord_Howe", "UTC"]),
    st.dates(date(1990, 1, 1), date(2035, 1, 1)),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20),
)
def test_local_days_are_those_of_the_time_zone(timezone: str, as_of: date, places: list[float]):
    clock = Clock(Period(as_of=as_of), timezone)
    # Whole hours: a zone may change its offset within one, at most once in half a year.
    hours = [clock.start // HOUR * HOUR + int(place * (clock.end - clock.start)) // HOUR * HOUR for place in places]
    expected = [
        datetime.fromtimestamp(instant // SECOND, ZoneInfo(timezone)).date().toordinal() - EPOCH_DAY
        for instant in hours
    ]
    assert clock.local_days(np.array(hours)).tolist() == expected


def test_samples_stay_in_the_period_and_follow_the_weights():
    shop = company(5)
    clock = Clock(Period(as_of=date(2026, 11, 20)), shop.home.timezone)
    instants = clock.sample(np.random.default_rng(1), 50_000, clock.rhythm(shop.trade))
    assert clock.start <= instants.min()
    assert instants.max() < clock.end
    zone = ZoneInfo(shop.home.timezone)
    local = [datetime.fromtimestamp(instant // SECOND, zone) for instant in instants[:5_000].tolist()]
    by_weekday = np.bincount([each.weekday() for each in local], minlength=7)
    assert by_weekday[:4].min() > 2 * by_weekday[5:].max(), "bicycles are repaired on workdays"
    by_hour = np.bincount([each.hour for each in local], minlength=24)
    assert by_hour[9:17].min() > 5 * by_hour[0:5].max(), "and by day"


@pytest.mark.parametrize(
    ("growth", "share_of_first_half"),
    [(Growth.STEADY, 0.5), (Growth.SQRT, 0.71), (Growth.LOGISTIC, 0.58), (Growth.LATE, 0.15)],
)
def test_growth_curves_differ(growth: Growth, share_of_first_half: float):
    slope = Clock(Period(as_of=date(2026, 11, 20)), "UTC").signups(growth)
    assert slope[: len(slope) // 2].sum() / slope.sum() == pytest.approx(share_of_first_half, abs=0.05)
