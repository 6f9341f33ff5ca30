"""A publication: one consistent version of every gold table.

Dashboards, exports and the API read one publication, so that charts on a page agree, an
answer may be cached for ever by (tenant, publication, query), and any past version can be
opened again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePin:
    """One table at one snapshot."""

    table: str
    """Qualified lake name, e.g. ``gold.daily_revenue``."""
    metadata_location: str
    """The Iceberg metadata file: readable without a catalog."""
    snapshot_id: int
    rows: int
    as_of: str | None = None
    """Source time at which this table stands, ISO 8601, where that is before the publication's: it promises less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """Data that is newer than what readers see, and kept from them because it broke a check. Times in UTC."""

    as_of: datetime
    """Source time at which the newest of it stands."""
    since: datetime
    """When an update was kept back first after the last one that was published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What readers see until the next publication."""

    number: int
    """1, 2, 3 ...: part of every cache key."""
    published_at: datetime
    as_of: datetime
    """Source time up to which the data is complete (UTC)."""
    source_lsn: int
    pins: tuple[TablePin, ...]

    def pin(self, table: str) -> TablePin:
        """Return the pin of ``gold.<model>``.

        Raises:
            KeyError: The publication holds no such table.
        """
        for pin in self.pins:
            if pin.table == table:
                return pin
        raise KeyError(table)
