"""Which publications are kept: the promise that readers of the past rest on.

Every publication of the last while is kept, then the last of each hour, then the last of
each day, and always the newest few. So whoever asks for the lake as of a moment gets the
publication of that moment, hour or day, as long as the settings say. What a person keeps, or
a reader who was promised it, stays beside all that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How much is kept."""

    newest: int
    """So many at least, however old."""
    every: timedelta
    """Every one that is not older."""
    hourly: timedelta
    """The last of each hour (UTC) that is not older."""
    daily: timedelta
    """The last of each day (UTC) that is not older."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What retention looks at."""

    number: int
    published_at: datetime
    kept_reason: str = ""
    kept_until: datetime | None = None

    def is_kept(self, now: datetime) -> bool:
        """Tell whether somebody keeps it by name."""
        return bool(self.kept_reason) and (self.kept_until is None or self.kept_until > now)


def retention() -> Retention:
    """Return what the settings say."""
    chosen = settings.LAKEHOUSE
    return Retention(
        newest=chosen.keep_newest,
        every=timedelta(seconds=chosen.keep_all_seconds),
        hourly=timedelta(hours=chosen.keep_hourly_hours),
        daily=timedelta(days=chosen.keep_daily_days),
    )


def numbers_to_keep(publications: Iterable[Published], rule: Retention, *, now: datetime) -> frozenset[int]:
    """Return the numbers of the publications that stay; the newest is always among them."""
    newest_first = sorted(publications, key=lambda each: each.number, reverse=True)
    kept = {each.number for each in newest_first[: max(rule.newest, 1)]}
    hours: set[datetime] = set()
    days: set[datetime] = set()
    for each in newest_first:
        age = now - each.published_at
        hour = each.published_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        day = hour.replace(hour=0)
        is_last_of_hour, is_last_of_day = hour not in hours, day not in days
        hours.add(hour)
        days.add(day)
        if (
            age <= rule.every
            or (age <= rule.hourly and is_last_of_hour)
            or (age <= rule.daily and is_last_of_day)
            or each.is_kept(now)
        ):
            kept.add(each.number)
    return frozenset(kept)
