"""What to seed, and the rows themselves: pure, without a database or a clock.

`generate` is the whole of it: a plan in, chunks out, the same for ever for the same plan (with the
same NumPy on the same kind of machine).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from saas.seeding import columns
from saas.seeding.companies import company
from saas.seeding.errors import SeedError
from saas.seeding.period import Clock, Period
from saas.seeding.scale import Scale, Table
from saas.seeding.stream import Stream, TableRows
from saas.seeding.tables.customers import Customers
from saas.seeding.tables.events import Events
from saas.seeding.tables.invoices import Invoices
from saas.seeding.tables.order_items import OrderItems
from saas.seeding.tables.orders import Checkouts, Orders
from saas.seeding.tables.products import Products
from saas.seeding.tables.subscriptions import Subscriptions
from saas.seeding.tables.tenants import Tenants

DEFAULT_SEED = 1
CHUNK_ROWS = 16_384
"""Rows rendered at a time: a few megabytes of text, so that memory does not grow with the scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything the rows depend on."""

    scale: Scale
    as_of: date
    seed: int = DEFAULT_SEED

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise SeedError(f"--seed {self.seed} is negative: choose 0 or more.")

    @property
    def period(self) -> Period:
        """The six months before `as_of`."""
        return Period(as_of=self.as_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some consecutive rows of one table, all of one tenant."""

    table: Table
    tenant_id: int
    batch: columns.Column
    """A record batch whose columns are named as the database's."""


def generate(plan: Plan, *, tables: Collection[Table] = tuple(Table), chunk_rows: int = CHUNK_ROWS) -> Iterator[Chunk]:
    """Yield the rows of ``tables``: all tenants first, then tenant by tenant, parents before children.

    Neither the choice of tables nor the size of chunks changes a row.
    """
    shops = _shops(plan)
    if Table.TENANTS in tables:
        for shop in shops:
            yield from _chunks(shop.tenants, chunk_rows)
    wanted = [table for table in Table if table in tables and table is not Table.TENANTS]
    for shop in shops:
        for table in wanted:
            yield from _chunks(shop.table(table), chunk_rows)
        shop.forget()


def _chunks(table: TableRows, chunk_rows: int) -> Iterator[Chunk]:
    stream = table.stream
    for start in range(0, stream.count, chunk_rows):
        part = slice(start, min(start + chunk_rows, stream.count))
        yield Chunk(table=stream.table, tenant_id=stream.tenant_id, batch=table.rows(part))


def _shops(plan: Plan) -> list[_Shop]:
    """Give every tenant its share of the rows, and of the ids, in tenant order."""
    shops, next_ids = [], dict.fromkeys(Table, 1)
    for tenant_id, counts in enumerate(plan.scale.shares(), start=1):
        streams = {
            table: Stream(seed=plan.seed, table=table, tenant_id=tenant_id, count=count, first_id=next_ids[table])
            for table, count in counts.items()
        }
        shops.append(_Shop(tenant_id, streams, plan.period))
        next_ids = {table: next_ids[table] + counts[table] for table in Table}
    return shops


class _Shop:
    """One tenant's tables, each drawn when first needed, by itself or as another one's parent."""

    def __init__(self, tenant_id: int, streams: dict[Table, Stream], period: Period) -> None:
        self._streams = streams
        self._period = period
        self._company = company(tenant_id)

    def table(self, table: Table) -> TableRows:
        """Return a table's rows."""
        rows: TableRows = getattr(self, table.value)
        return rows

    def forget(self) -> None:
        """Let go of everything drawn."""
        for name in (*Table, "checkouts", "clock"):
            self.__dict__.pop(str(name), None)

    @cached_property
    def clock(self) -> Clock:
        return Clock(self._period, self._company.home.timezone)

    @cached_property
    def tenants(self) -> Tenants:
        return Tenants.draw(self._streams[Table.TENANTS], self._company, self._period)

    @cached_property
    def customers(self) -> Customers:
        return Customers.draw(self._streams[Table.CUSTOMERS], self._company, self.clock)

    @cached_property
    def products(self) -> Products:
        opened_at = int(self.tenants.created_at[0])
        return Products.draw(self._streams[Table.PRODUCTS], self._company, self.clock, opened_at)

    @cached_property
    def checkouts(self) -> Checkouts:
        return Checkouts.draw(self._streams[Table.ORDERS], self._company, self.clock, self.customers)

    @cached_property
    def order_items(self) -> OrderItems:
        return OrderItems.draw(self._streams[Table.ORDER_ITEMS], self._company, self.checkouts, self.products)

    @cached_property
    def orders(self) -> Orders:
        return Orders.draw(self.checkouts, self._company, self.clock, self.customers, self.order_items.subtotals)

    @cached_property
    def events(self) -> Events:
        return Events.draw(
            self._streams[Table.EVENTS],
            self._company,
            self.clock,
            customers=self.customers,
            products=self.products,
            orders=self.orders,
            items=self.order_items,
        )

    @cached_property
    def subscriptions(self) -> Subscriptions:
        return Subscriptions.draw(self._streams[Table.SUBSCRIPTIONS], self._company, self.clock, self.customers)

    @cached_property
    def invoices(self) -> Invoices:
        return Invoices.draw(self._streams[Table.INVOICES], self._company, self.clock, self.orders, self.subscriptions)
