"""A query engine that counts what each tenant asks, for `lakehouse_admin.costs.month`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import LiteralString

import structlog
from django.db import DatabaseError, connection, transaction

from etl.contracts.publication import Publication
from etl.ports.query_engine import QueryEngine, QueryResult, Value
from lakehouse_admin.costs.counting import charged_bytes

_log = structlog.get_logger("lakeside.costs")


class MeteredQueries:
    """Passes questions on, and adds their bytes to the tenant's day."""

    def __init__(self, engine: QueryEngine, *, is_charged: bool, clock: Callable[[], datetime]) -> None:
        """Wrap an engine.

        Args:
            engine: Answers.
            is_charged: Whether it is Athena, which charges.
            clock: Tells the time (UTC).
        """
        self.engine = engine
        self._is_charged = is_charged
        self._clock = clock

    def query(
        self, sql: LiteralString, *, tenant_id: int, publication: Publication, parameters: Sequence[Value] = ()
    ) -> QueryResult:
        """Answer as the engine does, and count the question; a database that cannot count takes no answer away.

        Counted once the caller's transaction has ended, so that pages never wait for each other at one row.

        Raises:
            Whatever the engine raises.
        """
        result = self.engine.query(sql, tenant_id=tenant_id, publication=publication, parameters=parameters)
        transaction.on_commit(partial(self._count, tenant_id, charged_bytes(result.bytes_scanned or 0)))
        return result

    def _count(self, tenant_id: int, size_bytes: int) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "insert into lakehouse_query_use as known (day, of_tenant, is_charged, queries, charged_bytes)"
                    " values (%s, %s, %s, 1, %s) on conflict (day, of_tenant, is_charged) do update"
                    " set queries = known.queries + 1, charged_bytes = known.charged_bytes + excluded.charged_bytes",
                    [self._clock().date(), tenant_id, self._is_charged, size_bytes],
                )
        except DatabaseError as error:
            _log.warning("query_not_counted", tenant_id=tenant_id, error=type(error).__name__)
