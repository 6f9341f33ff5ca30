"""Prune history: the one way in which events and audit entries leave the database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db import connections, transaction

from lakehouse_admin.record_audit import record_audit

OWNER = "owner"
"""The database alias of the tables' owner; PostgreSQL refuses everybody else."""
_BATCH_ROWS = 10_000
_TABLES: Mapping[str, str] = {"lakehouse_run_events": "at", "lakehouse_audit_entries": "at"}


def prune_history(*, before: datetime, now: datetime) -> dict[str, int]:
    """Remove what happened before a time, a batch a transaction; return the removed rows by table.

    That it was done is itself an audit entry. Interrupted, it keeps what it removed so far.
    """
    removed = {table: _prune(table, column, before) for table, column in _TABLES.items()}
    after = {"before": before.isoformat(), **removed}
    record_audit("history_pruned", kind="history", subject="events and audit entries", at=now, after=after)
    return removed


def _prune(table: str, column: str, before: datetime) -> int:
    removed = 0
    while True:
        with transaction.atomic(using=OWNER), connections[OWNER].cursor() as cursor:
            cursor.execute("set local lakeside.retention = 'on'")
            cursor.execute(
                f"delete from {table} where id in "
                f"(select id from {table} where {column} < %s order by id limit {_BATCH_ROWS})",
                [before],
            )
            batch: int = cursor.rowcount
        removed += batch
        if batch < _BATCH_ROWS:
            return removed
