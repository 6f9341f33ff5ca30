"""How old the data on a page is, said in the tenant's time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from etl.contracts.publication import Publication, Withheld

_MINUTE_SECONDS = 60
_HOUR_MINUTES = 60
_DAY_HOURS = 24
_HOURS_SAID_IN_HOURS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """The moment the data stands at."""

    as_of: datetime
    """In the tenant's time zone."""
    age: timedelta
    is_stale: bool
    """Older than the models promise."""
    promise_seconds: int
    withheld: Withheld | None = None
    """Newer data that broke a check and is kept from readers, its times in the tenant's time zone."""

    @classmethod
    def of(
        cls,
        publication: Publication,
        *,
        timezone: str,
        promise_seconds: int,
        now: datetime,
        withheld: Withheld | None = None,
    ) -> Self:
        """Compare the publication with the clock.

        Args:
            publication: What the page shows.
            timezone: IANA name of the tenant's zone.
            promise_seconds: How old the data may be.
            now: The present, an aware time.
            withheld: Newer data that was not published; None if there is none.
        """
        age = max(now - publication.as_of, timedelta(0))
        return cls(
            as_of=publication.as_of.astimezone(ZoneInfo(timezone)),
            age=age,
            is_stale=age > timedelta(seconds=promise_seconds),
            promise_seconds=promise_seconds,
            withheld=Withheld(
                as_of=withheld.as_of.astimezone(ZoneInfo(timezone)), since=withheld.since.astimezone(ZoneInfo(timezone))
            )
            if withheld
            else None,
        )

    @property
    def promise(self) -> str:
        """How old the data may be: ``1 hour``."""
        return in_words(self.promise_seconds)

    @property
    def absolute(self) -> str:
        """``23 Nov 2026, 08:58 CET``."""
        return written_moment(self.as_of)

    @property
    def withheld_absolute(self) -> str:
        """The same of the data that is kept from readers; empty if there is none."""
        return written_moment(self.withheld.as_of) if self.withheld else ""

    @property
    def withheld_since(self) -> str:
        """Since when updates are kept back; empty if none is."""
        return written_moment(self.withheld.since) if self.withheld else ""

    @property
    def iso(self) -> str:
        """For machines: ISO 8601 with offset."""
        return self.as_of.isoformat(timespec="seconds")

    @property
    def relative(self) -> str:
        """``4 minutes ago``; the page's script keeps it true while the page is open."""
        minutes = int(self.age.total_seconds()) // _MINUTE_SECONDS
        if minutes < 1:
            return "just now"
        if minutes < _HOUR_MINUTES:
            return _ago(minutes, "minute")
        hours = minutes // _HOUR_MINUTES
        return _ago(hours, "hour") if hours < _HOURS_SAID_IN_HOURS else _ago(hours // _DAY_HOURS, "day")


def written_moment(at: datetime) -> str:
    """Return ``23 Nov 2026, 08:58 CET``."""
    return f"{at.day} {at:%b %Y, %H:%M %Z}"


def in_words(seconds: int) -> str:
    """Return a length of time in its largest whole unit up to hours: ``90 seconds``, ``5 minutes``, ``24 hours``."""
    if seconds % _MINUTE_SECONDS:
        return _counted(seconds, "second")
    minutes = seconds // _MINUTE_SECONDS
    return _counted(minutes, "minute") if minutes % _HOUR_MINUTES else _counted(minutes // _HOUR_MINUTES, "hour")


def _ago(number: int, unit: str) -> str:
    return f"{_counted(number, unit)} ago"


def _counted(number: int, unit: str) -> str:
    return f"{number} {unit}{'' if number == 1 else 's'}"
