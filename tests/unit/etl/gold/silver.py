"""Silver as the tests see it: every table's columns, and sensible values for those a case leaves out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

import duckdb

from etl.gold.compile import CompiledModel
from etl.gold.compute import compute

_TIMES = {"created_at": "TIMESTAMPTZ", "updated_at": "TIMESTAMPTZ"}
_MONEY = "DECIMAL(12,2)"

TABLES: dict[str, dict[str, str]] = {
    "tenants": {
        "id": "BIGINT", "slug": "TEXT", "name": "TEXT", "plan": "TEXT", "currency": "TEXT", "timezone": "TEXT",
        "metadata": "TEXT", **_TIMES,
    },
    "customers": {
        "id": "BIGINT", "tenant_id": "BIGINT", "email": "TEXT", "name": "TEXT", "country": "TEXT", "city": "TEXT",
        "phone": "TEXT", "metadata": "TEXT", **_TIMES,
    },
    "products": {
        "id": "BIGINT", "tenant_id": "BIGINT", "sku": "TEXT", "name": "TEXT", "category": "TEXT", "price": _MONEY,
        "cost": _MONEY, "stock_quantity": "INTEGER", "is_active": "BOOLEAN", "metadata": "TEXT", **_TIMES,
    },
    "orders": {
        "id": "BIGINT", "tenant_id": "BIGINT", "number": "TEXT", "customer_id": "BIGINT", "status": "TEXT",
        "order_date": "TIMESTAMPTZ", "subtotal": _MONEY, "discount": _MONEY, "tax": _MONEY, "total": _MONEY,
        "shipping_address": "TEXT", "metadata": "TEXT", **_TIMES,
    },
    "order_items": {
        "id": "BIGINT", "tenant_id": "BIGINT", "order_id": "BIGINT", "product_id": "BIGINT", "quantity": "INTEGER",
        "unit_price": _MONEY, "discount": _MONEY, "total": _MONEY, "created_at": "TIMESTAMPTZ",
    },
    "events": {
        "id": "BIGINT", "tenant_id": "BIGINT", "customer_id": "BIGINT", "session_id": "TEXT", "event_type": "TEXT",
        "product_id": "BIGINT", "order_id": "BIGINT", "properties": "TEXT", "created_at": "TIMESTAMPTZ",
    },
    "subscriptions": {
        "id": "BIGINT", "tenant_id": "BIGINT", "customer_id": "BIGINT", "plan": "TEXT", "status": "TEXT",
        "is_trial": "BOOLEAN", "billing_period": "TEXT", "monthly_amount": _MONEY, "start_date": "DATE",
        "end_date": "DATE", "metadata": "TEXT", **_TIMES,
    },
    "invoices": {
        "id": "BIGINT", "tenant_id": "BIGINT", "number": "TEXT", "customer_id": "BIGINT", "subscription_id": "BIGINT",
        "order_id": "BIGINT", "status": "TEXT", "amount": _MONEY, "issue_date": "DATE", "due_date": "DATE",
        "paid_date": "DATE", "metadata": "TEXT", **_TIMES,
    },
}  # fmt: skip

COLUMNS = {name: tuple(columns) for name, columns in TABLES.items()}

LEFT_OUT: dict[str, dict[str, object]] = {
    "tenants": {"name": "Shop", "plan": "starter", "currency": "EUR", "timezone": "UTC"},
    "customers": {"name": "Ada", "created_at": "2026-01-01T00:00:00Z"},
    "products": {
        "sku": "S", "name": "Thing", "category": "Things", "cost": 0, "stock_quantity": 0, "is_active": True,
    },
    "orders": {"status": "completed", "discount": 0},
    "subscriptions": {"is_trial": False, "status": "active"},
    "invoices": {"status": "paid"},
}  # fmt: skip


def open_silver(given: Mapping[str, Iterable[Mapping[str, object]]]) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB holding silver with the given rows, and an empty schema for gold."""
    unknown = given.keys() - TABLES.keys()
    assert not unknown, f"no such silver table: {unknown}"
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'; CREATE SCHEMA silver; CREATE SCHEMA gold")
    for table, columns in TABLES.items():
        shape = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        connection.execute(f"CREATE TABLE silver.{table} ({shape})")
        for row in given.get(table, ()):
            full = {**LEFT_OUT.get(table, {}), **row}
            assert full.keys() <= columns.keys(), f"silver.{table} has no {full.keys() - columns.keys()}"
            places = ", ".join("?" * len(full))
            connection.execute(f"INSERT INTO silver.{table} ({', '.join(full)}) VALUES ({places})", [*full.values()])
    return connection


def compute_needed(
    connection: duckdb.DuckDBPyConnection,
    tables: Collection[str],
    compiled: Iterable[CompiledModel],
    *,
    as_of: datetime,
) -> None:
    """Compute the models of ``tables`` and those they read, unless they are there already.

    Args:
        connection: Holds silver.
        tables: Names such as ``gold.daily_revenue``.
        compiled: All models, each after those it reads.
        as_of: Source time at which silver stands.
    """
    models = [*compiled]
    wanted = set(tables)
    for each in reversed(models):
        if each.model.table in wanted:
            wanted.update(each.inputs)
    present = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'gold'").fetchall()
    for each in models:
        if each.model.table in wanted and (each.model.name,) not in present:
            compute(connection, each, as_of=as_of)
