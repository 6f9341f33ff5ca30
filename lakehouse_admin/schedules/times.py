"""The times at which a schedule is due, as functions of the time that they are given.

A clock's times follow its zone through the year: a time that the change to summer skips is
due when the gap ends, and one that comes twice in autumn is due once, unless it recurs
every hour anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from etl.errors import OperatorError


class TimesInvalidError(OperatorError):
    """These times cannot be read, or never come."""

    guidance: ClassVar[str] = (
        "Write five fields: minute, hour, day of month, month, day of week; 30 2 * * * is every night at half past two."
    )


class Times(Protocol):
    """Times without an end."""

    def latest(self, *, after: datetime, until: datetime) -> datetime | None:
        """Return the last time later than ``after`` and not later than ``until`` (UTC); None if there is none."""

    def next_after(self, moment: datetime) -> datetime:
        """Return the first time later than a moment (UTC)."""

    def pace(self, moment: datetime) -> timedelta:
        """Return how far apart the times around a moment are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """Times of a clock in a zone: five fields, as cron has them."""

    expression: str
    zone: str
    """IANA name."""

    def latest(self, *, after: datetime, until: datetime) -> datetime | None:
        """Return the last time in the range; see `Times`."""
        found = self._last(until)
        return found if found > after else None

    def next_after(self, moment: datetime) -> datetime:
        """Return the next time; see `Times`."""
        return next(CronSim(self.expression, self._local(moment))).astimezone(UTC)

    def pace(self, moment: datetime) -> timedelta:
        """Return the distance from the last time to the next; see `Times`."""
        return self.next_after(moment) - self._last(moment)

    def _last(self, until: datetime) -> datetime:
        """Return the last time not later than a moment (UTC)."""
        # Backwards, the simulation begins before the moment it is given, and counts in whole minutes.
        times = CronSim(self.expression, self._local(until + timedelta(minutes=1)), reverse=True)
        return next(found for found in (time.astimezone(UTC) for time in times) if found <= until)

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(ZoneInfo(self.zone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Times of equal distance, counted from a beginning that is none of them."""

    every: timedelta
    begins_at: datetime

    def latest(self, *, after: datetime, until: datetime) -> datetime | None:
        """Return the last time in the range; see `Times`."""
        if until < self.begins_at + self.every:
            return None
        found = self.begins_at + (until - self.begins_at) // self.every * self.every
        return found if found > after else None

    def next_after(self, moment: datetime) -> datetime:
        """Return the next time; see `Times`."""
        passed = max(0, (moment - self.begins_at) // self.every)
        return self.begins_at + (passed + 1) * self.every

    def pace(self, moment: datetime) -> timedelta:  # noqa: ARG002 - the protocol's signature
        """Return the interval; see `Times`."""
        return self.every


def checked_cron(expression: str, zone: str, *, now: datetime) -> Cron:
    """Return the clock's times, if they can be read and come at all.

    Raises:
        TimesInvalidError: They cannot, or do not.
    """
    cron = Cron(expression=" ".join(expression.split()), zone=zone)
    try:
        cron.next_after(now)
    except CronSimError as error:
        raise TimesInvalidError(f"{expression!r} cannot be read: {str(error).lower()}.") from error
    except StopIteration as error:
        raise TimesInvalidError(f"{expression!r} never comes.") from error
    return cron
