"""What traffic knows of each shop: whom and what it may change next.

Read once at the start, in the order of ids, and kept up to date with what traffic itself does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import LiteralString, TypeVar
from zoneinfo import ZoneInfo

import psycopg

from saas.traffic.errors import TrafficError

_NEWEST = 5_000
"""Rows remembered of each kind and shop: enough to choose from, whatever the shop's size."""

_TENANTS_SQL = "SELECT id, timezone FROM tenants ORDER BY id"
_NEWEST_MOMENT_SQL = """
    SELECT greatest((SELECT max(created_at) FROM customers), (SELECT max(updated_at) FROM orders),
                    (SELECT max(created_at) FROM events))
"""
_CUSTOMERS_SQL = "SELECT id FROM customers WHERE tenant_id = %s ORDER BY id DESC LIMIT %s"
_PRODUCTS_SQL = """
    SELECT id, (price * 100)::bigint, stock_quantity FROM products
    WHERE tenant_id = %s AND is_active ORDER BY id DESC LIMIT %s
"""
_ORDERS_SQL = """
    SELECT id, customer_id, (total * 100)::bigint FROM orders
    WHERE tenant_id = %s AND status = '{status}' ORDER BY id DESC LIMIT %s
"""
_PENDING_SQL: LiteralString = _ORDERS_SQL.replace("{status}", "pending")
_COMPLETED_SQL: LiteralString = _ORDERS_SQL.replace("{status}", "completed")
_SUBSCRIPTIONS_SQL = """
    SELECT id, customer_id, (monthly_amount * 100)::bigint, start_date FROM subscriptions
    WHERE tenant_id = %s AND status = 'active' AND end_date IS NULL ORDER BY id DESC LIMIT %s
"""
_PLANS_SQL = """
    SELECT plan, billing_period, (min(monthly_amount) * 100)::bigint FROM subscriptions
    WHERE tenant_id = %s AND NOT is_trial GROUP BY plan, billing_period ORDER BY 3, 1, 2 LIMIT %s
"""
_INVOICES_SQL = """
    SELECT id, issue_date FROM invoices WHERE tenant_id = %s AND status = 'open' ORDER BY id DESC LIMIT %s
"""

_ItemT = TypeVar("_ItemT")


@dataclass(slots=True)
class Product:
    """An article on sale."""

    id: int
    price_cents: int
    stock: int


@dataclass(frozen=True, slots=True)
class Order:
    """A purchase, and what it needs to be undone."""

    id: int
    customer_id: int
    total_cents: int
    item_ids: tuple[int, ...] = ()
    """Known for orders of our own."""


@dataclass(slots=True)
class Shop:
    """One tenant's choices."""

    tenant_id: int
    zone: ZoneInfo
    customers: list[int]
    products: list[Product]
    pending: list[Order]
    completed: list[Order]
    subscriptions: list[tuple[int, int, int, date]]
    """Active ones: id, customer, cents a month, start date."""
    plans: Sequence[tuple[str, str, int]]
    """Plan, billing period, cents a month."""
    invoices: list[tuple[int, date]]
    """Open ones: id, issue date."""
    drafts: list[Order] = field(default_factory=list)
    """Orders of our own that nothing else refers to: they may still be removed."""
    events: list[int] = field(default_factory=list)
    """Events of our own."""

    @property
    def cent_step(self) -> int:
        """Smallest amount of the shop's currency in cents: 100 where it has none."""
        return 100 if all(product.price_cents % 100 == 0 for product in self.products) else 1


def take(rng: random.Random, items: list[_ItemT]) -> _ItemT:
    """Remove any one item in constant time and return it."""
    index = rng.randrange(len(items))
    items[index], items[-1] = items[-1], items[index]
    return items.pop()


def remember(items: list[_ItemT], item: _ItemT) -> None:
    """Add an item; drop the older half where there are too many."""
    items.append(item)
    if len(items) > 2 * _NEWEST:
        del items[:_NEWEST]


def read_shops(connection: psycopg.Connection) -> list[Shop]:
    """Return every shop that has customers and products, in the order of ids.

    Raises:
        TrafficError: There is none.
    """
    shops = [shop for shop in _read(connection) if shop.customers and shop.products]
    if not shops:
        raise TrafficError(
            f"The database {connection.info.dbname} has no tenant with customers and products: "
            "run `manage.py seed_data` first."
        )
    return shops


def newest_moment(connection: psycopg.Connection) -> datetime:
    """Return the latest time in the shops' rows: traffic goes on from there."""
    row = connection.execute(_NEWEST_MOMENT_SQL).fetchone()
    assert row is not None
    moment = row[0]
    assert isinstance(moment, datetime), "read_shops found customers"
    return moment


def _read(connection: psycopg.Connection) -> Iterator[Shop]:
    for tenant_id, zone in connection.execute(_TENANTS_SQL).fetchall():

        def rows(statement: LiteralString, tenant_id: int = tenant_id) -> list[tuple]:  # type: ignore[type-arg]
            return connection.execute(statement, [tenant_id, _NEWEST]).fetchall()

        yield Shop(
            tenant_id=tenant_id,
            zone=ZoneInfo(zone),
            customers=[id_ for (id_,) in rows(_CUSTOMERS_SQL)],
            products=[Product(*row) for row in rows(_PRODUCTS_SQL)],
            pending=[Order(*row) for row in rows(_PENDING_SQL)],
            completed=[Order(*row) for row in rows(_COMPLETED_SQL)],
            subscriptions=rows(_SUBSCRIPTIONS_SQL),
            plans=rows(_PLANS_SQL),
            invoices=rows(_INVOICES_SQL),
        )
