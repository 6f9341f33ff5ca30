"""The six months that the data covers, and how one tenant's clock shows them."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np

from saas.seeding.companies import Growth, Trade
from saas.seeding.errors import SeedError
from saas.seeding.shapes import Floats, Ints

SECOND = 1_000_000
"""Microseconds; instants are whole microseconds since 1970 UTC."""
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

MONTHS = 6
_EARLIEST, _LATEST = date(1980, 1, 1), date(2100, 1, 1)
_HOURS_A_DAY = 24
_DAYS_A_WEEK = 7
_DAYS_A_YEAR = 365.25
_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The half-open span of instants in which everything happens: the months before ``as_of``, 00:00 UTC."""

    as_of: date

    def __post_init__(self) -> None:
        if not _EARLIEST <= self.as_of <= _LATEST:
            raise SeedError(f"--as-of {self.as_of} is out of range: choose a day from {_EARLIEST} to {_LATEST}.")

    @property
    def first_day(self) -> date:
        """The same day six months earlier, or that month's last."""
        months = self.as_of.year * 12 + self.as_of.month - 1 - MONTHS
        year, month = months // 12, months % 12 + 1
        return date(year, month, min(self.as_of.day, calendar.monthrange(year, month)[1]))

    @property
    def start(self) -> int:
        """First instant."""
        return _instant(self.first_day)

    @property
    def end(self) -> int:
        """The first instant after."""
        return _instant(self.as_of)


def parse_day(text: str) -> date:
    """Read a day written as YYYY-MM-DD.

    Raises:
        SeedError: It is not such a day.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise SeedError(f"--as-of {text!r} is not a day: write it as YYYY-MM-DD, for example 2026-01-31.") from error


class Clock:
    """The hours of a period in one time zone.

    Everything is drawn on the grid of UTC hours, so a local hour that does not exist is never drawn
    and the bounds of the period hold without clipping.
    """

    def __init__(self, period: Period, timezone: str) -> None:
        """Lay out the grid; ``timezone`` is an IANA name."""
        self.start, self.end = period.start, period.end
        self._hour_starts = np.arange(self.start, self.end, HOUR, dtype=np.int64)
        self._offsets = _utc_offsets(self._hour_starts, ZoneInfo(timezone))

    @property
    def hour_starts(self) -> Ints:
        """The grid: the first instant of every hour."""
        return self._hour_starts

    @cached_property
    def elapsed(self) -> Floats:
        """How much of the period has passed at each hour, 0 to 1."""
        return np.asarray((self._hour_starts - self.start) / (self.end - self.start), dtype=np.float64)

    def local_days(self, instants: Ints) -> Ints:
        """Return the local day of each instant, in days since 1970-01-01."""
        hours = np.clip((instants - self.start) // HOUR, 0, len(self._offsets) - 1)
        return (instants + self._offsets[hours]) // DAY

    def rhythm(self, trade: Trade) -> Floats:
        """Return how busy each hour is: hour of day x day of week x season x the trade's campaigns."""
        local = self._hour_starts + self._offsets
        days = local // DAY
        hours = local // HOUR % _HOURS_A_DAY
        weekdays = (days + _EPOCH_WEEKDAY) % _DAYS_A_WEEK
        day_of_year = (days % _DAYS_A_YEAR) / _DAYS_A_YEAR
        season = 1 + trade.season_strength * np.cos(2 * np.pi * (day_of_year - trade.season_peak))
        campaign = np.ones(len(days))
        for at in trade.campaigns:
            start = days[0] + int(at * (days[-1] - days[0]))
            campaign[(days >= start) & (days < start + trade.campaign_days)] = trade.campaign_lift
        busy = np.array(trade.hours)[hours] * np.array(trade.weekdays)[weekdays] * season * campaign
        return np.asarray(busy, dtype=np.float64)

    def signups(self, growth: Growth) -> Floats:
        """Return how many customers each hour wins: the slope of the company's growth curve."""
        match growth:
            case Growth.STEADY:
                return np.ones(len(self.elapsed))
            case Growth.SQRT:
                return np.asarray(1 / np.sqrt(self.elapsed + 0.02), dtype=np.float64)
            case Growth.LOGISTIC:
                return _logistic_slope(self.elapsed, middle=0.45, steepness=9.0)
            case Growth.LATE:
                return _logistic_slope(self.elapsed, middle=0.8, steepness=7.0)

    def sample(self, rng: np.random.Generator, count: int, weights: Floats) -> Ints:
        """Return ``count`` instants, unsorted, drawn by the weight of their hour."""
        cumulative = np.cumsum(weights)
        hours = np.searchsorted(cumulative, rng.random(count) * cumulative[-1], side="right")
        begins: Ints = self._hour_starts[np.minimum(hours, len(weights) - 1)]
        return begins + rng.integers(0, HOUR, count)


def _instant(day: date) -> int:
    return int(datetime.combine(day, time.min, UTC).timestamp()) * SECOND


def _utc_offsets(instants: Ints, zone: ZoneInfo) -> Ints:
    """Return the zone's offset from UTC at each instant, asking once a day where nothing changes."""

    def offset(instant: int) -> int:
        local = datetime.fromtimestamp(instant // SECOND, zone).utcoffset()
        return 0 if local is None else int(local.total_seconds()) * SECOND

    offsets = np.empty(len(instants), dtype=np.int64)
    for first in range(0, len(instants), _HOURS_A_DAY):
        day = instants[first : first + _HOURS_A_DAY]
        before, after = offset(int(day[0])), offset(int(day[-1]) + HOUR)
        offsets[first : first + _HOURS_A_DAY] = before if before == after else [offset(int(each)) for each in day]
    return offsets


def _logistic_slope(passed: Floats, *, middle: float, steepness: float) -> Floats:
    grown = 1 / (1 + np.exp(-steepness * (passed - middle)))
    return np.asarray(steepness * grown * (1 - grown) + 0.05, dtype=np.float64)
