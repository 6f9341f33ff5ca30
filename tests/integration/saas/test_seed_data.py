"""Seeding a real database: what the rows promise, and what happens when it cannot be."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from psycopg import errors, sql

from config import env
from config.embedded.ports import free_port
from saas.seeding import load
from saas.seeding.errors import SeedError
from saas.seeding.load import seed
from saas.seeding.manifest import Manifest
from saas.seeding.plan import Plan, generate
from saas.seeding.references import checked_at_the_end
from saas.seeding.scale import Table, parse_scale
from tests.servers import Database, Servers

AS_OF = date(2026, 11, 20)
TINY = Plan(scale=parse_scale("0.01"), seed=7, as_of=AS_OF)
OTHER = Plan(scale=parse_scale("0.02"), seed=8, as_of=AS_OF)
SMALL = Plan(scale=parse_scale("small"), seed=7, as_of=AS_OF)
JSON_COLUMNS = {"metadata", "properties", "shipping_address"}


@pytest.fixture(scope="module")
def shops(servers: Servers, django_db_setup: None) -> Iterator[psycopg.Connection]:
    """A database seeded at small scale, read by the owner."""
    with servers.scratch_database() as database:
        seed(database.owner_url, SMALL, reset=False)
        with psycopg.connect(database.owner_url, autocommit=True) as connection:
            yield connection


@pytest.fixture
def database(scratch_database: Callable[[], Database]) -> Database:
    return scratch_database()


def contents(url: str) -> dict[str, tuple[int, str]]:
    """Return the number of rows of each table and a hash of them all."""
    with psycopg.connect(url) as connection:
        found = {}
        for table in (*Table, "memberships", "users"):
            statement = sql.SQL("SELECT count(*), md5(coalesce(string_agg(t::text, '|' ORDER BY id), '')) FROM {} t")
            found[str(table)] = connection.execute(statement.format(sql.Identifier(table))).fetchone()
        return found


def next_id(url: str, table: Table) -> int:
    with psycopg.connect(url) as connection:
        (value,) = connection.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [str(table)]).fetchone()
        return value


def seeded(database: Database, plan: Plan = TINY) -> Manifest:
    return seed(database.owner_url, plan, reset=False)


def join_first_tenant(database: Database) -> None:
    with psycopg.connect(database.owner_url) as connection:
        connection.execute(
            "WITH ada AS (INSERT INTO users (email, name, password, is_superuser, is_staff, is_active, created_at) "
            "VALUES ('ada@example.com', 'Ada', '', false, false, true, now()) RETURNING id) "
            "INSERT INTO memberships (tenant_id, user_id, role, created_at) SELECT 1, id, 'owner', now() FROM ada"
        )


# --- what the rows promise


PROMISES = {
    "no order before its customer signed up": "FROM orders o JOIN customers c ON c.id = o.customer_id "
    "WHERE o.order_date < c.created_at",
    "no item of a product before its launch": "FROM order_items i JOIN products p ON p.id = i.product_id "
    "WHERE i.created_at < p.created_at",
    "no event of a known customer before they signed up": "FROM events e JOIN customers c ON c.id = e.customer_id "
    "WHERE e.created_at < c.created_at",
    "no subscription before its customer signed up": "FROM subscriptions s JOIN customers c ON c.id = s.customer_id "
    "WHERE s.created_at < c.created_at",
    "no invoice before what it is for": "FROM invoices i LEFT JOIN orders o ON o.id = i.order_id "
    "LEFT JOIN subscriptions s ON s.id = i.subscription_id WHERE i.created_at < coalesce(o.order_date, s.created_at)",
    "products cost less than their price": "FROM products WHERE NOT cost < price OR cost <= 0",
    "every order has items": "FROM orders o WHERE NOT EXISTS (SELECT FROM order_items i WHERE i.order_id = o.id)",
    "subtotals are the sum of the items": "FROM orders o WHERE subtotal <> "
    "(SELECT sum(total) FROM order_items i WHERE i.order_id = o.id)",
    "totals add up": "FROM orders WHERE total <> subtotal - discount + tax OR total <= 0",
    "item totals add up": "FROM order_items WHERE total <> quantity * unit_price - discount OR total <= 0",
    "coupons explain discounts": "FROM orders WHERE (discount > 0) <> (metadata ? 'coupon')",
    "discounts are the coupon's percentage": "FROM orders o JOIN tenants t ON t.id = o.tenant_id "
    "WHERE currency <> 'JPY' AND discount <> "
    "coalesce(round(subtotal * (o.metadata -> 'coupon' ->> 'percent')::numeric / 100, 2), 0)",
    "yen have no cents": "FROM orders o JOIN tenants t ON t.id = o.tenant_id JOIN order_items i ON i.order_id = o.id "
    "WHERE currency = 'JPY' AND (o.total <> trunc(o.total) OR o.tax <> trunc(o.tax) OR i.total <> trunc(i.total))",
    "only recent orders are pending": "FROM orders WHERE status = 'pending' "
    "AND order_date < %(as_of)s - interval '4 days'",
    "orders sent back are some days old": "FROM orders WHERE status = 'refunded' "
    "AND order_date > %(as_of)s - interval '3 days'",
    "what has ended has an end": "FROM subscriptions "
    "WHERE (status IN ('cancelled', 'expired')) <> (end_date IS NOT NULL)",
    "a trial is a trial": "FROM subscriptions WHERE status = 'trialing' AND NOT is_trial "
    "OR status = 'active' AND is_trial",
    "terms of a customer do not overlap": "FROM subscriptions a JOIN subscriptions b ON a.customer_id = b.customer_id "
    "AND a.id < b.id WHERE daterange(a.start_date, a.end_date) && daterange(b.start_date, b.end_date)",
    "paid invoices have a date, others none": "FROM invoices WHERE (status = 'paid') <> (paid_date IS NOT NULL)",
    "nobody pays before the invoice": "FROM invoices WHERE paid_date < issue_date",
    "an invoice is for one thing": "FROM invoices WHERE (order_id IS NULL) = (subscription_id IS NULL)",
    "an order's invoice is over its total": "FROM invoices i JOIN orders o ON o.id = i.order_id "
    "WHERE i.amount <> o.total OR i.customer_id <> o.customer_id",
    "a subscription's invoice is over its amount": "FROM invoices i JOIN subscriptions s ON s.id = i.subscription_id "
    "WHERE i.amount <> s.monthly_amount * CASE billing_period WHEN 'yearly' THEN 12 ELSE 1 END "
    "OR i.customer_id <> s.customer_id OR s.is_trial",
    "a subscription is billed once a month": "FROM (SELECT issue_date - lag(issue_date) OVER "
    "(PARTITION BY subscription_id ORDER BY issue_date) AS days FROM invoices WHERE subscription_id IS NOT NULL) i "
    "WHERE days NOT BETWEEN 27 AND 32",
    "orders sent back are not paid for": "FROM invoices i JOIN orders o ON o.id = i.order_id "
    "WHERE o.status IN ('cancelled', 'refunded') AND i.status <> 'cancelled'",
    "a visit belongs to one customer": "FROM (SELECT count(DISTINCT customer_id) AS n FROM events "
    "GROUP BY session_id) v WHERE n > 1",
    "a purchase is a real order, at its instant": "FROM events e LEFT JOIN orders o ON o.id = e.order_id "
    "WHERE event_type = 'purchase' AND (o.id IS NULL OR o.order_date <> e.created_at "
    "OR o.customer_id IS DISTINCT FROM e.customer_id OR e.properties #>> '{order,total}' <> o.total::text)",
    "an order is bought once": "FROM (SELECT order_id FROM events WHERE order_id IS NOT NULL "
    "GROUP BY order_id HAVING count(*) > 1) twice",
    "who buys went all the way": "FROM (SELECT session_id FROM events GROUP BY session_id "
    "HAVING bool_or(event_type = 'purchase') "
    "AND count(DISTINCT event_type) FILTER (WHERE event_type <> 'search') < 5) v",
    "views and carts name a product, other events none": "FROM events "
    "WHERE (event_type IN ('product_view', 'add_to_cart')) <> (product_id IS NOT NULL)",
    "changes come after the beginning": "FROM (SELECT created_at, updated_at FROM tenants "
    "UNION ALL SELECT created_at, updated_at FROM customers UNION ALL SELECT created_at, updated_at FROM products "
    "UNION ALL SELECT created_at, updated_at FROM orders UNION ALL SELECT created_at, updated_at FROM subscriptions "
    "UNION ALL SELECT created_at, updated_at FROM invoices) a WHERE updated_at < created_at OR updated_at >= %(as_of)s",
}


@pytest.mark.parametrize("promise", PROMISES)
def test_promise(shops: psycopg.Connection, promise: str):
    broken = shops.execute(f"SELECT count(*) {PROMISES[promise]}", {"as_of": AS_OF}).fetchone()
    assert broken == (0,)


LIFE = {
    "every order status": "SELECT count(DISTINCT status) = 4 FROM orders",
    "most orders completed": "SELECT avg((status = 'completed')::int) > 0.8 FROM orders",
    "every subscription status": "SELECT count(DISTINCT status) = 4 FROM subscriptions",
    "trials that convert on the same day": "SELECT count(*) > 3 FROM subscriptions a JOIN subscriptions b "
    "ON a.customer_id = b.customer_id AND a.end_date = b.start_date WHERE a.is_trial AND NOT b.is_trial",
    "plan changes on the same day": "SELECT count(*) > 3 FROM subscriptions a JOIN subscriptions b "
    "ON a.customer_id = b.customer_id AND a.end_date = b.start_date AND a.plan <> b.plan WHERE NOT a.is_trial",
    "yearly billing, cheaper by the month": "SELECT bool_and(yearly < monthly) FROM "
    "(SELECT min(monthly_amount) FILTER (WHERE billing_period = 'yearly') AS yearly, "
    "min(monthly_amount) FILTER (WHERE billing_period = 'monthly') AS monthly FROM subscriptions "
    "GROUP BY tenant_id, plan) p",
    "every invoice status": "SELECT count(DISTINCT status) = 4 FROM invoices",
    "overdue invoices": "SELECT count(*) > 3 FROM invoices WHERE status = 'open' AND due_date < %(as_of)s",
    "a spread of days to pay": "SELECT stddev(paid_date - issue_date) > 3 FROM invoices WHERE order_id IS NOT NULL",
    "a funnel that narrows": "SELECT array_agg(n ORDER BY n DESC) = array_agg(n ORDER BY step) AND min(n) > 20 FROM "
    "(SELECT count(DISTINCT session_id) AS n, array_position("
    "ARRAY['page_view', 'product_view', 'add_to_cart', 'checkout', 'purchase'], event_type::text) AS step "
    "FROM events WHERE event_type <> 'search' GROUP BY event_type) f",
    "unknown visitors": "SELECT avg((customer_id IS NULL)::int) BETWEEN 0.3 AND 0.7 FROM events",
    "a few big customers": "SELECT max(n) > 8 * percentile_cont(0.5) WITHIN GROUP (ORDER BY n) FROM "
    "(SELECT count(*) AS n FROM orders GROUP BY customer_id) c",
    "more orders in the last month than in the first": "SELECT count(*) FILTER (WHERE order_date > '2026-10-20') "
    "> 3 * count(*) FILTER (WHERE order_date < '2026-06-20') FROM orders",
    "quiet nights": "SELECT count(*) FILTER (WHERE hour BETWEEN 1 AND 4) < 0.06 * count(*) FROM "
    "(SELECT extract(hour FROM order_date AT TIME ZONE timezone) AS hour FROM orders o "
    "JOIN tenants t ON t.id = o.tenant_id) h",
    "customers without a phone": "SELECT avg((phone IS NULL)::int) BETWEEN 0.1 AND 0.3 FROM customers",
    "names beyond ASCII": "SELECT avg((name ~ '[^[:ascii:]]')::int) > 0.1 FROM customers",
    "tenants of different currencies and zones": "SELECT count(DISTINCT currency) = 4 AND count(DISTINCT timezone) = 4 "
    "FROM tenants",
}


@pytest.mark.parametrize("sign", LIFE)
def test_sign_of_life(shops: psycopg.Connection, sign: str):
    assert shops.execute(LIFE[sign], {"as_of": AS_OF}).fetchone() == (True,)


def test_the_database_holds_what_was_generated(database: Database):
    seeded(database)
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("SET timezone = 'UTC'")
        found: dict[Table, list[tuple[Any, ...]]] = {table: [] for table in Table}
        expected: dict[Table, list[tuple[Any, ...]]] = {table: [] for table in Table}
        for chunk in generate(TINY):
            names = chunk.batch.schema.names
            expected[chunk.table] += [
                tuple(json.loads(value) if name in JSON_COLUMNS else value for name, value in row.items())
                for row in chunk.batch.to_pylist()
            ]
            columns = sql.SQL(", ").join(
                sql.SQL("{}::text").format(sql.Identifier(name)) if name == "session_id" else sql.Identifier(name)
                for name in names
            )
            found[chunk.table] = connection.execute(
                sql.SQL("SELECT {} FROM {} ORDER BY id").format(columns, sql.Identifier(chunk.table))
            ).fetchall()
    assert found == expected


def foreign_keys(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint "
            "WHERE contype = 'f' ORDER BY 1, 2"
        ).fetchall()


def test_foreign_keys_are_as_before(database: Database):
    before = foreign_keys(database.owner_url)
    seeded(database)
    assert foreign_keys(database.owner_url) == before
    assert len([key for key in before if key[0] in set(Table)]) == 17


def test_every_reference_is_checked(database: Database):
    seeded(database)
    before = contents(database.owner_url), foreign_keys(database.owner_url)
    with psycopg.connect(database.owner_url) as connection:
        with pytest.raises(errors.ForeignKeyViolation), checked_at_the_end(connection, list(Table)):
            connection.execute("UPDATE order_items SET product_id = 999999 WHERE id = 1")
        connection.rollback()
    assert (contents(database.owner_url), foreign_keys(database.owner_url)) == before


def test_every_column_is_filled(database: Database):
    with psycopg.connect(database.owner_url) as connection:
        for chunk in generate(TINY):
            rows = connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s",
                [str(chunk.table)],
            )
            assert {name for (name,) in rows} == set(chunk.batch.schema.names)


def test_identities_go_on_after_the_last_row(database: Database):
    seeded(database)
    assert {table: next_id(database.owner_url, table) for table in Table} == {
        table: rows + 1 for table, rows in TINY.scale.rows.items()
    }


def test_the_planner_knows_the_tables(database: Database):
    seeded(database)
    with psycopg.connect(database.owner_url) as connection:
        rows = connection.execute("SELECT relname, reltuples FROM pg_class WHERE relname = ANY(%s)", [list(Table)])
        assert {Table(name): int(tuples) for name, tuples in rows} == TINY.scale.rows


def test_equal_inputs_give_equal_databases(scratch_database: Callable[[], Database]):
    one, other = scratch_database(), scratch_database()
    ours, theirs = seeded(one), seeded(other)
    assert [each.sha256 for each in ours.tables] == [each.sha256 for each in theirs.tables]
    assert contents(one.owner_url) == contents(other.owner_url)


# --- refusals and failures: the database keeps what it had


def test_a_database_that_is_not_empty_is_refused(database: Database):
    seeded(database)
    before = contents(database.owner_url)
    with pytest.raises(SeedError) as refused:
        seed(database.owner_url, OTHER, reset=False)
    assert str(refused.value) == (
        f"The database {database.name} already has tenants: "
        "add --reset to empty the source tables first, memberships included."
    )
    assert contents(database.owner_url) == before


def test_reset_replaces_rows_and_memberships_but_no_users(database: Database):
    seeded(database)
    join_first_tenant(database)
    seed(database.owner_url, OTHER, reset=True)
    after = contents(database.owner_url)
    assert {table: after[table][0] for table in Table} == OTHER.scale.rows
    assert after["memberships"][0] == 0
    assert after["users"][0] == 1


def _refuse_invoices(database: Database, condition: str) -> None:
    with psycopg.connect(database.owner_url) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"RAISE EXCEPTION 'could not extend file \"base/5/16384\"' USING ERRCODE = '{condition}'; END $$"
        )
        connection.execute("CREATE TRIGGER refuse AFTER INSERT ON invoices EXECUTE FUNCTION refuse()")


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("disk_full", "PostgreSQL's disk is full (could not extend file"),
        ("check_violation", "PostgreSQL refused the rows (could not extend file"),
        ("admin_shutdown", "PostgreSQL does not answer (could not extend file"),
    ],
)
def test_an_error_of_the_server_leaves_everything_as_it_was(database: Database, condition: str, sentence: str):
    seeded(database)
    join_first_tenant(database)
    before, following = contents(database.owner_url), next_id(database.owner_url, Table.ORDERS)
    _refuse_invoices(database, condition)
    with pytest.raises(SeedError) as failed:
        seed(database.owner_url, OTHER, reset=True)
    assert str(failed.value).startswith(sentence)
    assert str(failed.value).endswith("Nothing was changed.")
    assert "\n" not in str(failed.value)
    assert contents(database.owner_url) == before
    assert next_id(database.owner_url, Table.ORDERS) == following + 1


def test_a_connection_that_is_cut_leaves_everything_as_it_was(database: Database):
    seeded(database)
    before = contents(database.owner_url)

    def cut(_rows: int) -> None:
        with psycopg.connect(database.owner_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'lakeside seed_data' "
                "AND datname = current_database()"
            )

    with pytest.raises(SeedError, match=r"Nothing was changed\.$"):
        seed(database.owner_url, OTHER, reset=True, on_rows=cut)
    assert contents(database.owner_url) == before


def test_an_interruption_leaves_everything_as_it_was(database: Database):
    seeded(database)
    before = contents(database.owner_url)

    def interrupt(_rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        seed(database.owner_url, OTHER, reset=True, on_rows=interrupt)
    assert contents(database.owner_url) == before


def test_a_role_under_row_level_security_is_refused(database: Database):
    with pytest.raises(SeedError, match="The role lakeside_app is subject to row-level security"):
        seed(database.app_url, TINY, reset=False)
    assert contents(database.owner_url)["tenants"][0] == 0


def test_a_role_that_may_only_read_is_refused(database: Database):
    with pytest.raises(SeedError, match=r"The role of DATABASE_URL may not seed \(permission denied"):
        seed(database.source_url, TINY, reset=False)


@pytest.mark.parametrize("table", ["events", "memberships"])
def test_a_database_without_the_tables_is_refused(database: Database, table: str):
    with psycopg.connect(database.owner_url) as connection:
        connection.execute(sql.SQL("ALTER TABLE {} RENAME TO gone").format(sql.Identifier(table)))
    with pytest.raises(SeedError) as refused:
        seed(database.owner_url, TINY, reset=False)
    assert str(refused.value) == (
        f"The database {database.name} has no table {table}: run `manage.py migrate --database owner` first."
    )


def test_tables_of_another_version_are_refused(database: Database):
    with psycopg.connect(database.owner_url) as connection:
        connection.execute("ALTER TABLE events RENAME COLUMN properties TO attributes")
    with pytest.raises(SeedError, match=r"The tables are not as expected \(column \"properties\""):
        seed(database.owner_url, TINY, reset=False)
    assert contents(database.owner_url)["tenants"][0] == 0


def test_tables_in_use_are_not_waited_for_in_vain(database: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(load, "_LOCK_SECONDS", 0.1)
    with psycopg.connect(database.owner_url) as writer:
        writer.execute("LOCK TABLE products IN ROW EXCLUSIVE MODE")
        with pytest.raises(SeedError, match="Somebody else has used the tables"):
            seed(database.owner_url, TINY, reset=False)


# --- the command


def start(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    values = {"LAKEHOUSE_SUPERVISED": "true", "LAKEHOUSE_HOME": str(env.load().lakehouse.home), **environment}
    return subprocess.Popen(
        [sys.executable, "manage.py", "seed_data", *arguments],
        cwd=env.PROJECT,
        env=env.child_environment(values),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    process = start(*arguments, **environment)
    stdout, stderr = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def wait_until_copying(database: Database) -> None:
    deadline = time.monotonic() + 30
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        while connection.execute("SELECT FROM pg_stat_progress_copy WHERE datname = current_database()").rowcount == 0:
            assert time.monotonic() < deadline, "nothing was copied"
            time.sleep(0.02)


def test_ctrl_c_changes_nothing(database: Database):
    seeded(database)
    before = contents(database.owner_url)
    process = start("--scale", "medium", "--reset", DATABASE_URL=database.owner_url)
    wait_until_copying(database)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (130, "", "CommandError: Interrupted: nothing was changed.\n")
    assert contents(database.owner_url) == before


def test_the_command_prints_one_document_and_nothing_else(database: Database):
    ended = manage("--scale", "0.01", "--seed", "7", "--as-of", "2026-11-20", "--json", DATABASE_URL=database.owner_url)
    assert (ended.returncode, ended.stderr) == (0, "")
    manifest = json.loads(ended.stdout)
    assert {Table(table["table"]): table["rows"] for table in manifest["tables"]} == TINY.scale.rows
    refused = manage("--scale", "0.01", "--json", DATABASE_URL=database.owner_url)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"CommandError: The database {database.name} already has tenants: "
        "add --reset to empty the source tables first, memberships included.\n"
    )
    again = manage(
        "--scale", "0.01", "--seed", "7", "--as-of", "2026-11-20", "--reset", DATABASE_URL=database.owner_url
    )
    assert again.returncode == 0
    assert all(table["sha256"] in again.stdout for table in manifest["tables"])


def test_without_an_owner_the_command_says_so():
    ended = manage("--scale", "small")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "CommandError: DATABASE_URL is not set: "
        "start the stack with `manage.py up`, or name the owner's database in it.\n"
    )


def test_without_a_server_the_command_says_so():
    ended = manage("--scale", "small", DATABASE_URL=f"postgresql://nobody:word@127.0.0.1:{free_port()}/lakeside")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("CommandError: PostgreSQL does not answer (")
    assert ended.stderr.endswith("start it with `manage.py up`, or correct DATABASE_URL. Nothing was changed.\n")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("scale", "enormous", "--scale 'enormous' is unknown"),
        ("scale", "0", "--scale 0 is out of range"),
        ("scale", "-3", "--scale -3 is out of range"),
        ("scale", "1000", "--scale 1000 is out of range"),
        ("seed", "one", "--seed 'one' is not a whole number: choose 0 or more."),
        ("seed", "-1", "--seed -1 is negative: choose 0 or more."),
        ("as_of", "yesterday", "--as-of 'yesterday' is not a day: write it as YYYY-MM-DD, for example 2026-01-31."),
        ("as_of", "1850-01-01", "--as-of 1850-01-01 is out of range: choose a day from 1980-01-01 to 2100-01-01."),
    ],
)
def test_bad_input_is_refused_before_anything_is_touched(option: str, value: str, sentence: str):
    with pytest.raises(CommandError) as refused:
        call_command("seed_data", **{option: value})
    assert str(refused.value).startswith(sentence)
    assert refused.value.returncode == 1
