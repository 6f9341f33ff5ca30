"""The changes of one transaction, written with one statement a kind of change, however many rows.

Values are absolute, so a row that is changed twice in a batch is written once, as it is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import LiteralString

import psycopg

Row = tuple[object, ...]


class Op(StrEnum):
    """What happens to a row."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of change: one statement over arrays, ``%s`` for the tenant and for each column, the id first."""

    table: str
    op: Op
    statement: LiteralString


def _insert(table: LiteralString, columns: LiteralString, types: LiteralString) -> Kind:
    places = ", ".join(f"%s::{kind}[]" for kind in types.split(", "))
    statement = f"INSERT INTO {table} (tenant_id, {columns}) SELECT %s::bigint, given.* FROM unnest({places}) AS given"
    return Kind(table=table, op=Op.INSERT, statement=statement)


def _update(table: LiteralString, columns: LiteralString, types: LiteralString) -> Kind:
    """Return an update of ``columns``; the first argument of the statement is the tenant's id."""
    names = columns.split(", ")
    places = ", ".join(f"%s::{kind}[]" for kind in f"bigint, {types}".split(", "))
    changes = ", ".join(f"{name} = given.{name}" for name in names)
    statement = (
        f"WITH shop AS (SELECT %s::bigint AS tenant_id) UPDATE {table} AS stored SET {changes} "
        f"FROM shop, unnest({places}) AS given (id, {columns}) "
        "WHERE stored.tenant_id = shop.tenant_id AND stored.id = given.id"
    )
    return Kind(table=table, op=Op.UPDATE, statement=statement)


def _delete(table: LiteralString) -> Kind:
    statement = f"DELETE FROM {table} WHERE tenant_id = %s::bigint AND id = ANY (%s::bigint[])"
    return Kind(table=table, op=Op.DELETE, statement=statement)


NEW_CUSTOMER = _insert(
    "customers",
    "id, email, name, country, city, phone, metadata, created_at, updated_at",
    "bigint, text, text, text, text, text, jsonb, timestamptz, timestamptz",
)
NEW_ORDER = _insert(
    "orders",
    "id, number, customer_id, status, order_date, subtotal, discount, tax, total, shipping_address, metadata,"
    " created_at, updated_at",
    "bigint, text, bigint, text, timestamptz, numeric, numeric, numeric, numeric, jsonb, jsonb,"
    " timestamptz, timestamptz",
)
NEW_ITEM = _insert(
    "order_items",
    "id, order_id, product_id, quantity, unit_price, discount, total, created_at",
    "bigint, bigint, bigint, int, numeric, numeric, numeric, timestamptz",
)
NEW_SUBSCRIPTION = _insert(
    "subscriptions",
    "id, customer_id, plan, status, is_trial, billing_period, monthly_amount, start_date, metadata,"
    " created_at, updated_at",
    "bigint, bigint, text, text, bool, text, numeric, date, jsonb, timestamptz, timestamptz",
)
NEW_INVOICE = _insert(
    "invoices",
    "id, number, customer_id, subscription_id, order_id, status, amount, issue_date, due_date, metadata,"
    " created_at, updated_at",
    "bigint, text, bigint, bigint, bigint, text, numeric, date, date, jsonb, timestamptz, timestamptz",
)
NEW_EVENT = _insert(
    "events",
    "id, customer_id, session_id, event_type, product_id, order_id, properties, created_at",
    "bigint, bigint, uuid, text, bigint, bigint, jsonb, timestamptz",
)
CUSTOMER_PHONE = _update("customers", "phone, updated_at", "text, timestamptz")
PRODUCT = _update("products", "price, stock_quantity, updated_at", "numeric, int, timestamptz")
ORDER_STATUS = _update("orders", "status, updated_at", "text, timestamptz")
SUBSCRIPTION_END = _update("subscriptions", "status, end_date, updated_at", "text, date, timestamptz")
INVOICE_PAID = _update("invoices", "status, paid_date, updated_at", "text, date, timestamptz")
GONE_EVENT = _delete("events")
GONE_ITEM = _delete("order_items")
GONE_ORDER = _delete("orders")

KINDS: Sequence[Kind] = (
    NEW_CUSTOMER, NEW_ORDER, NEW_ITEM, NEW_SUBSCRIPTION, NEW_INVOICE, NEW_EVENT,
    CUSTOMER_PHONE, PRODUCT, ORDER_STATUS, SUBSCRIPTION_END, INVOICE_PAID,
    GONE_EVENT, GONE_ITEM, GONE_ORDER,
)  # fmt: skip
"""In the order in which they are written: parents before children, the other way round for deletes."""


@dataclass(slots=True)
class Batch:
    """One tenant's changes on their way into one transaction."""

    tenant_id: int
    rows: dict[Kind, dict[int, Row]] = field(default_factory=dict)

    def add(self, kind: Kind, id_: int, *values: object) -> None:
        """Add a change of the row ``id_``; it replaces an earlier one of its kind."""
        self.rows.setdefault(kind, {})[id_] = (id_, *values)

    def __len__(self) -> int:
        """Count the changes."""
        return sum(map(len, self.rows.values()))

    def write(self, connection: psycopg.Connection) -> Mapping[Kind, int]:
        """Write the changes in one transaction; return how many rows each kind found.

        Fewer than given means that somebody else removed rows meanwhile.

        Raises:
            psycopg.Error: The database refused them, and has none of them.
        """
        with connection.pipeline(), connection.transaction():
            written = {
                kind: connection.execute(kind.statement, [self.tenant_id, *self._columns(kind)])
                for kind in KINDS
                if kind in self.rows
            }
        return Counter({kind: cursor.rowcount for kind, cursor in written.items()})

    def _columns(self, kind: Kind) -> list[list[object]]:
        return [list(column) for column in zip(*self.rows[kind].values(), strict=True)]
