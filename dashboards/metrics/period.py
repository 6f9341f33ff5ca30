"""The days a page is about, and the equally long stretch before them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

LENGTHS_DAYS = (7, 30, 90, 180)
DEFAULT_DAYS = 30


class UnknownPeriodError(ValueError):
    """The address asks for a period that is not offered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The last ``days`` complete days in the tenant's time zone.

    The running day is left out: half a day compared with a whole one says nothing.
    """

    days: int
    today: date
    """The tenant's calendar day at the moment the data stands at; unfinished."""

    @classmethod
    def parse(cls, text: str | None, *, as_of: datetime, timezone: str) -> Self:
        """Read the period from an address.

        Args:
            text: A number of days; None means the usual period.
            as_of: Source time up to which the data is complete.
            timezone: IANA name of the tenant's zone.

        Raises:
            UnknownPeriodError: Not one of the lengths offered.
        """
        lengths = {str(days): days for days in LENGTHS_DAYS}
        days = DEFAULT_DAYS if text is None else lengths.get(text)
        if days is None:
            raise UnknownPeriodError(text)
        return cls(days=days, today=as_of.astimezone(ZoneInfo(timezone)).date())

    @property
    def start(self) -> date:
        """First day."""
        return self.today - timedelta(days=self.days)

    @property
    def last(self) -> date:
        """Last day."""
        return self.today - timedelta(days=1)

    @property
    def previous_start(self) -> date:
        """First day of the stretch before, which ends where this one starts."""
        return self.start - timedelta(days=self.days)

    @property
    def previous_last(self) -> date:
        """Last day of the stretch before."""
        return self.start - timedelta(days=1)
