"""Ids for new rows, taken from the tables' own identities many at a time, so that other writers are safe."""

from __future__ import annotations

from collections import deque
from typing import Final

import psycopg

_TABLES: Final = ("customers", "orders", "order_items", "subscriptions", "invoices", "events")
_BLOCK = 2_000
_TAKE_SQL = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"


class Ids:
    """Hands out ids in order."""

    def __init__(self) -> None:
        """Hold none yet; `refill` takes them."""
        self._ids: dict[str, deque[int]] = {table: deque() for table in _TABLES}

    def refill(self, connection: psycopg.Connection, *, at_least: int) -> None:
        """Make sure that every table has so many ids to give."""
        for table, ids in self._ids.items():
            if len(ids) < at_least:
                ids.extend(id_ for (id_,) in connection.execute(_TAKE_SQL, [table, max(_BLOCK, at_least)]))

    def next(self, table: str) -> int:
        """Return an unused id of a table."""
        return self._ids[table].popleft()
