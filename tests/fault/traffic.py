"""Writes to the shops' tables all that a source can send, chosen by a seed.

`saas.traffic` is a shop's ordinary day. This is the opposite: keys that move and are exchanged,
savepoints and rollbacks, rows that die and come back within a transaction, large values left
alone, truncates, new columns, a transaction that arrives in pieces.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Self
from uuid import UUID

import psycopg

TABLES = ("tenants", "customers", "products", "orders", "order_items", "events", "subscriptions", "invoices")
TENANTS = (1, 2, 3)

_BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
_DAYS = 200
_MOST_COLUMNS = 6
_MOST_ROWS = 1_500
_ZONES = ("UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Auckland")
_STEPS = ("page_view", "product_view", "add_to_cart", "checkout", "purchase", "search")
_TEXTS = ("", "NULL", "\\N", 'say "hi"', "two\nlines", "a,b", "\U0001f926", "plain", None)

Key = tuple[int, int]
"""Tenant and id."""


class _UndoneError(Exception):
    """Ends a block so that it is rolled back."""


class Traffic:
    """One connection that writes one transaction after another. Use as a context manager."""

    def __init__(self, url: str, seed: int) -> None:
        self._url = url
        self._rng = random.Random(seed)
        self._next_id = 0
        self._columns: list[int] = []
        self._live: dict[str, list[Key]] = {}
        self.wish: Callable[[Traffic], None] | None = None
        """What to do next."""
        self.transactions = 0
        """Those that were committed."""

    def __enter__(self) -> Self:
        self._connection = psycopg.connect(self._url, autocommit=True)
        self._connection.execute("SET timezone = 'UTC'")
        self._read_keys()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def open_shops(self) -> None:
        """Write what every shop has before it opens."""
        with self._connection.transaction():
            for tenant in TENANTS:
                self._execute(
                    "INSERT INTO tenants (id, slug, name, plan, currency, timezone, metadata, created_at, updated_at) "
                    "VALUES (%s, %s, %s, 'growth', 'EUR', 'UTC', '{}', %s, %s)",
                    tenant, f"shop-{tenant}", f"Shop {tenant}", _BEGIN, _BEGIN,
                )  # fmt: skip
                for _ in range(6):
                    self._customer(tenant)
                    self._product(tenant)
        self._read_keys()
        for _ in range(20):
            with self._connection.transaction():
                self._order()
        self._read_keys()

    def step(self) -> None:
        """Write one transaction; after a lost connection, find out what was committed."""
        try:
            self._step()
        except psycopg.OperationalError:
            self._connection.close()
            raise

    def _step(self) -> None:
        (act,) = self._rng.choices(_ACTS, _SHARES)
        is_undone = self._rng.random() < 0.1
        if self._has_too_many():
            act = Traffic._too_many
        elif self.wish is not None:
            act, is_undone = self.wish, False
        self.wish = None
        before = {table: list(keys) for table, keys in self._live.items()}, self._columns
        try:
            with self._connection.transaction():
                act(self)
                _undo(wanted=is_undone)
        except _UndoneError:
            self._live, self._columns = before
        except psycopg.errors.IntegrityError:  # A row that something refers to, or a key that is taken: refused.
            self._live, self._columns = before
        else:
            self.transactions += 1

    # --- What is there.

    def _read_keys(self) -> None:
        for table in TABLES[1:]:
            rows = self._connection.execute(f"SELECT tenant_id, id FROM {table} ORDER BY 1, 2".encode()).fetchall()
            self._live[table] = [(tenant, id_) for tenant, id_ in rows]
        newest = [id_ for keys in self._live.values() for _, id_ in keys]
        self._next_id = max([self._next_id, *newest])
        columns = self._connection.execute(
            "SELECT substr(column_name, 5)::int FROM information_schema.columns"
            " WHERE table_name = 'events' AND column_name LIKE 'more%' ORDER BY 1"
        ).fetchall()
        self._columns = [number for (number,) in columns]

    def _has_too_many(self) -> bool:
        return len(self._live["events"]) > _MOST_ROWS or len(self._live["orders"]) > _MOST_ROWS // 3

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _pick(self, table: str, tenant: int | None = None) -> Key:
        """Choose a row that is there; where there is none, one that is not."""
        keys = self._live[table] if tenant is None else [key for key in self._live[table] if key[0] == tenant]
        return self._rng.choice(keys) if keys else (self._rng.choice(TENANTS), -1)

    def _execute(self, statement: str, *values: object) -> None:
        self._connection.execute(statement.encode(), values)

    def _moment(self) -> datetime:
        return _BEGIN + timedelta(seconds=self._rng.randrange(_DAYS * 86_400))

    def _day(self) -> date:
        return self._moment().date()

    def _text(self) -> str | None:
        return self._rng.choice(_TEXTS)

    def _document(self) -> str:
        """Return a JSON object; one in six is so large that PostgreSQL keeps it aside."""
        if self._rng.random() < 1 / 6:
            return f'{{"large": "{self._rng.randbytes(2_500).hex()}"}}'
        return self._rng.choice(('{"a": "x, y"}', '{"b": [1, "\\n"]}', "{}"))

    # --- Rows.

    def _customer(self, tenant: int) -> None:
        id_ = self._new_id()
        self._execute(
            "INSERT INTO customers (id, tenant_id, email, name, country, city, phone, metadata, created_at, updated_at)"
            " VALUES (%s, %s, %s, %s, 'DE', 'Berlin', %s, %s, %s, %s)",
            id_, tenant, f"c{id_}@example.com", f"Customer {id_}", self._text(), self._document(), self._moment(),
            self._moment(),
        )  # fmt: skip
        self._live["customers"].append((tenant, id_))

    def _product(self, tenant: int) -> None:
        id_ = self._new_id()
        self._execute(
            "INSERT INTO products (id, tenant_id, sku, name, category, price, cost, stock_quantity, is_active,"
            " metadata, created_at, updated_at) VALUES (%s, %s, %s, %s, %s, 2.50, 1, 9, true, %s, %s, %s)",
            id_, tenant, f"S-{id_}", f"Product {id_}", self._rng.choice(("Cups", "Tea")), self._document(),
            self._moment(), self._moment(),
        )  # fmt: skip
        self._live["products"].append((tenant, id_))

    def _event(self, tenant: int) -> Key:
        id_ = self._new_id()
        self._execute(
            "INSERT INTO events (id, tenant_id, customer_id, session_id, event_type, properties, created_at)"
            " VALUES (%s, %s, NULL, %s, %s, %s, %s)",
            id_, tenant, UUID(int=self._rng.randrange(50)), self._rng.choice(_STEPS), self._document(), self._moment(),
        )  # fmt: skip
        self._live["events"].append((tenant, id_))
        return tenant, id_

    # --- Transactions.

    def _order(self) -> None:
        """Several tables at once: an order, its items, their stock, an event."""
        tenant = self._rng.choice(TENANTS)
        (_, customer), id_, moment = self._pick("customers", tenant), self._new_id(), self._moment()
        items = [(self._new_id(), self._pick("products", tenant)[1]) for _ in range(self._rng.randint(1, 3))]
        total = 5 * len(items)
        self._execute(
            "INSERT INTO orders (id, tenant_id, number, customer_id, status, order_date, subtotal, discount, tax,"
            " total, shipping_address, metadata, created_at, updated_at)"
            " VALUES (%s, %s, %s, %s, 'completed', %s, %s, 0, 0, %s, '{}', %s, %s, %s)",
            id_, tenant, f"A-{id_}", customer, moment, total, total, self._document(), moment, moment,
        )  # fmt: skip
        for item, product in items:
            self._execute(
                "INSERT INTO order_items (id, tenant_id, order_id, product_id, quantity, unit_price, discount, total,"
                " created_at) VALUES (%s, %s, %s, %s, 2, 2.50, 0, 5, %s)",
                item, tenant, id_, product, moment,
            )  # fmt: skip
            self._execute(
                "UPDATE products SET stock_quantity = %s WHERE (tenant_id, id) = (%s, %s)",
                self._rng.randint(0, 50), tenant, product,
            )  # fmt: skip
        self._live["orders"].append((tenant, id_))
        self._live["order_items"] += [(tenant, item) for item, _ in items]
        self._event(tenant)

    def _browse(self) -> None:
        for _ in range(self._rng.randint(1, 6)):
            self._event(self._rng.choice(TENANTS))

    def _touch(self) -> None:
        """Updates that leave the large value of the row alone."""
        for table, change in (
            ("events", f"event_type = '{self._rng.choice(_STEPS)}'"),
            ("customers", f"city = 'City {self._rng.randint(1, 9)}'"),
            ("products", f"stock_quantity = {self._rng.randint(0, 99)}"),
        ):
            self._execute(f"UPDATE {table} SET {change} WHERE (tenant_id, id) = (%s, %s)", *self._pick(table))

    def _edit(self) -> None:
        """Updates of the large value itself, of NULL and of the empty text."""
        document, phone = self._document(), self._text()
        self._execute(
            "UPDATE events SET properties = %s WHERE (tenant_id, id) = (%s, %s)", document, *self._pick("events")
        )
        self._execute(
            "UPDATE customers SET phone = %s WHERE (tenant_id, id) = (%s, %s)", phone, *self._pick("customers")
        )

    def _settle(self) -> None:
        status = self._rng.choice(("pending", "completed", "cancelled", "refunded"))
        self._execute("UPDATE orders SET status = %s WHERE (tenant_id, id) = (%s, %s)", status, *self._pick("orders"))
        zone = self._rng.choice(_ZONES)
        if self._rng.random() < 0.1:
            self._execute("UPDATE tenants SET timezone = %s WHERE id = %s", zone, self._rng.choice(TENANTS))

    def _bill(self) -> None:
        tenant = self._rng.choice(TENANTS)
        (_, customer), id_, subscription, day = (
            self._pick("customers", tenant), self._new_id(), self._new_id(), self._day(),
        )  # fmt: skip
        self._execute(
            "INSERT INTO subscriptions (id, tenant_id, customer_id, plan, status, is_trial, billing_period,"
            " monthly_amount, start_date, end_date, metadata, created_at, updated_at)"
            " VALUES (%s, %s, %s, 'Box', 'active', false, 'monthly', 9.50, %s, NULL, %s, %s, %s)",
            subscription, tenant, customer, day, self._document(), self._moment(), self._moment(),
        )  # fmt: skip
        self._execute(
            "INSERT INTO invoices (id, tenant_id, number, customer_id, status, amount, issue_date, due_date, metadata,"
            " created_at, updated_at) VALUES (%s, %s, %s, %s, 'open', 9.50, %s, %s, %s, %s, %s)",
            id_, tenant, f"I-{id_}", customer, day, day + timedelta(days=14), self._document(), self._moment(),
            self._moment(),
        )  # fmt: skip
        self._live["subscriptions"].append((tenant, subscription))
        self._live["invoices"].append((tenant, id_))

    def _pay(self) -> None:
        key = self._pick("invoices")
        self._execute(
            "UPDATE invoices SET status = 'paid', paid_date = %s WHERE (tenant_id, id) = (%s, %s)", self._day(), *key
        )
        key = self._pick("subscriptions")
        self._execute(
            "UPDATE subscriptions SET status = 'cancelled', end_date = start_date + 30"
            " WHERE (tenant_id, id) = (%s, %s)",
            *key,
        )

    def _move_key(self) -> None:
        """A key changes, within its tenant or to another one's; the large value is not sent again."""
        table = self._rng.choice(("events", "order_items", "invoices"))
        old = self._pick(table)
        new = (old[0], self._new_id())
        if table == "events" and self._rng.random() < 0.5:
            new = (self._rng.choice(TENANTS), new[1])
        if old in self._live[table]:
            self._execute(f"UPDATE {table} SET tenant_id = %s, id = %s WHERE (tenant_id, id) = (%s, %s)", *new, *old)
            self._live[table].remove(old)
            self._live[table].append(new)
            if table == "events" and self._rng.random() < 0.5:  # Somebody takes the key that is free now.
                self._execute(
                    "INSERT INTO events (id, tenant_id, session_id, event_type, properties, created_at)"
                    " VALUES (%s, %s, %s, 'search', '{}', %s)",
                    old[1], old[0], UUID(int=1), self._moment(),
                )  # fmt: skip
                self._live["events"].append(old)

    def _exchange_keys(self) -> None:
        one, other = self._pick("events"), self._pick("events")
        if one == other or not {one, other} <= set(self._live["events"]):
            return
        aside = (one[0], self._new_id())
        for old, new in ((one, aside), (other, one), (aside, other)):
            self._execute("UPDATE events SET tenant_id = %s, id = %s WHERE (tenant_id, id) = (%s, %s)", *new, *old)

    def _delete(self) -> None:
        for table in ("events", "order_items", "invoices"):
            key = self._pick(table)
            self._execute(f"DELETE FROM {table} WHERE (tenant_id, id) = (%s, %s)", *key)
            if key in self._live[table]:
                self._live[table].remove(key)

    def _return(self) -> None:
        """A row dies and another one of its key is born, in one transaction."""
        key = self._pick("events")
        if key in self._live["events"]:
            self._execute("DELETE FROM events WHERE (tenant_id, id) = (%s, %s)", *key)
            self._execute(
                "INSERT INTO events (id, tenant_id, session_id, event_type, properties, created_at)"
                " VALUES (%s, %s, %s, 'page_view', %s, %s)",
                key[1], key[0], UUID(int=2), self._document(), self._moment(),
            )  # fmt: skip

    def _savepoints(self) -> None:
        """Some of a transaction is undone, and it goes on."""
        tenant = self._rng.choice(TENANTS)
        self._event(tenant)
        before = {table: list(keys) for table, keys in self._live.items()}
        try:
            with self._connection.transaction():
                self._order()
                self._touch()
                self._delete()
                _undo(wanted=True)
        except _UndoneError:
            self._live = before
        with self._connection.transaction():
            self._event(tenant)
        self._touch()

    def _truncate(self) -> None:
        """All rows of a table end, or of two; new ones follow in the same transaction."""
        tables = self._rng.choice((("events",), ("invoices",), ("order_items", "invoices")))
        self._execute(f"TRUNCATE {', '.join(tables)}")
        for table in tables:
            self._live[table].clear()
        self._browse()

    def _in_pieces(self) -> None:
        """Larger than what the replicator takes at once."""
        first = self._next_id + 1
        rows = 2_200
        self._execute(
            "INSERT INTO events (id, tenant_id, session_id, event_type, properties, created_at)"
            " SELECT %s + i, 1 + i %% 3, '00000000-0000-0000-0000-000000000003', 'search',"
            " jsonb_build_object('m', repeat('m', 4000)), %s FROM generate_series(0, %s) i",
            first, self._moment(), rows - 1,
        )  # fmt: skip
        self._execute("DELETE FROM events WHERE id BETWEEN %s AND %s", first + 20, first + rows)
        self._next_id += rows
        self._live["events"] += [(1 + i % 3, first + i) for i in range(20)]

    def _change_columns(self) -> None:
        """A new column, which older rows have a value in; beyond some, the oldest goes."""
        number = max(self._columns, default=0) + 1
        self._execute(f"ALTER TABLE events ADD COLUMN more{number} text DEFAULT 'older'")
        self._columns = [*self._columns, number]
        if len(self._columns) > _MOST_COLUMNS:
            self._execute(f"ALTER TABLE events DROP COLUMN more{self._columns[0]}")
            self._columns = self._columns[1:]
        self._browse()

    def _too_many(self) -> None:
        """Keep the tables small."""
        for table in ("events", "order_items"):
            self._execute(f"DELETE FROM {table}")
            self._live[table].clear()
        self._execute("DELETE FROM orders")
        self._live["orders"].clear()


def _undo(*, wanted: bool) -> None:
    if wanted:
        raise _UndoneError


_CHOICES: dict[Callable[[Traffic], None], float] = {
    Traffic._order: 20,
    Traffic._browse: 10,
    Traffic._touch: 15,
    Traffic._edit: 6,
    Traffic._settle: 6,
    Traffic._bill: 6,
    Traffic._pay: 5,
    Traffic._move_key: 8,
    Traffic._exchange_keys: 4,
    Traffic._delete: 6,
    Traffic._return: 4,
    Traffic._savepoints: 5,
    Traffic._truncate: 1,
    Traffic._in_pieces: 0.4,
    Traffic._change_columns: 0.7,
}
_ACTS, _SHARES = list(_CHOICES), list(_CHOICES.values())


class Load:
    """Traffic in a thread, at a rate, for as long as the block runs; it outlives its database."""

    def __init__(self, url: str, seed: int, *, rate: float) -> None:
        self._pause_seconds = 1 / rate
        self._ended = threading.Event()
        self._resting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self._traffic = Traffic(url, seed)
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def transactions(self) -> int:
        """Those that were committed."""
        return self._traffic.transactions

    def resting(self) -> threading.Lock:
        """Return what keeps the load from writing while it is held."""
        return self._resting

    def ask(self, act: Callable[[Traffic], None]) -> None:
        """Have an act done next."""
        self._traffic.wish = act

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with self._traffic as traffic:
                    while not self._ended.wait(self._pause_seconds):
                        with self._resting:
                            traffic.step()
            except psycopg.OperationalError:  # PostgreSQL is away.
                time.sleep(0.05)
            except BaseException as error:  # noqa: BLE001 - told to whoever runs the load
                self.error = error
                return
