"""Traffic on a real source: exactly as much as asked for, the same for the same seed, and always valid rows."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from config import env
from saas.seeding.load import seed
from saas.seeding.plan import Plan
from saas.seeding.scale import Table, parse_scale
from saas.traffic.batch import KINDS
from saas.traffic.errors import TrafficError
from saas.traffic.simulate import Done, Wanted, simulate
from tests.servers import Database

TINY = Plan(scale=parse_scale("0.02"), seed=7, as_of=date(2026, 11, 20))


@pytest.fixture
def shops(scratch_database: Callable[[], Database]) -> Database:
    """A database with a few seeded shops."""
    database = scratch_database()
    seed(database.owner_url, TINY, reset=False)
    return database


def run(database: Database, **wanted: Any) -> Done:
    return simulate(database.owner_url, Wanted(**{"seed": 1, **wanted}), stop=threading.Event())


def contents(database: Database) -> dict[str, str]:
    """Return a hash of each table's rows."""
    with psycopg.connect(database.owner_url) as connection:
        return {
            table: connection.execute(
                f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY id), '')) FROM {table} t".encode()
            ).fetchone()[0]
            for table in Table
        }


COUNTING = """
    CREATE TABLE made (name text, op text);
    CREATE FUNCTION count_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO made VALUES (TG_TABLE_NAME, lower(TG_OP)); RETURN NULL; END $$;
"""


def count_changes(database: Database) -> None:
    """Have the database itself count every row that is changed from now on."""
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute(COUNTING)
        for table in Table:
            statement = "CREATE TRIGGER counting AFTER INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW EXECUTE {}"
            connection.execute(statement.format(table, "FUNCTION count_change()").encode())


def counted(database: Database) -> dict[tuple[str, str], int]:
    with psycopg.connect(database.owner_url) as connection:
        rows = connection.execute("SELECT name, op, count(*) FROM made GROUP BY name, op").fetchall()
    return {(name, op): count for name, op, count in rows}


def test_it_makes_exactly_the_changes_it_reports(shops: Database) -> None:
    count_changes(shops)
    done = run(shops, changes=3_333)
    assert done.total == 3_333
    assert counted(shops) == done.changes
    assert {(kind.table, kind.op) for kind in KINDS} == set(done.changes), "a kind of change never happened"
    with psycopg.connect(shops.owner_url) as connection:
        orphans = connection.execute(
            "SELECT count(*) FROM orders o WHERE subtotal <> "
            "(SELECT coalesce(sum(total), 0) FROM order_items i WHERE (i.tenant_id, i.order_id) = (o.tenant_id, o.id))"
        ).fetchone()
    assert orphans == (0,)


def test_the_same_seed_on_the_same_rows_makes_the_same_changes(
    scratch_database: Callable[[], Database], shops: Database
) -> None:
    other = scratch_database()
    seed(other.owner_url, TINY, reset=False)
    first, second = run(shops, changes=800, seed=5), run(other, changes=800, seed=5)
    assert (first.changes, first.acts) == (second.changes, second.acts)
    assert contents(shops) == contents(other)
    run(shops, changes=50, seed=6)
    run(other, changes=50, seed=7)
    assert contents(shops) != contents(other)


def test_traffic_goes_on_where_it_ended(shops: Database) -> None:
    run(shops, changes=300)
    run(shops, changes=300)
    assert run(shops, changes=300, seed=2).total == 300


def test_a_rate_is_kept_on_its_clock(shops: Database) -> None:
    now = 0.0

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds

    wanted = Wanted(seed=1, rate=40, seconds=20)
    done = simulate(shops.owner_url, wanted, stop=threading.Event(), clock=lambda: now, wait=wait)
    assert done.total == pytest.approx(40 * 20, abs=4)
    assert done.total == 2 * done.transactions


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({}, "Say how much"),
        ({"rate": 5.0}, "Say how much"),
        ({"changes": 0}, "--changes 0"),
        ({"changes": -3}, "--changes -3"),
        ({"changes": 1, "rate": 0.0}, "--rate 0.0"),
        ({"changes": 1, "rate": float("nan")}, "--rate nan"),
        ({"seconds": float("inf")}, "--seconds inf"),
        ({"changes": 1, "seed": -1}, "--seed -1"),
    ],
)
def test_what_makes_no_sense_is_refused(wanted: dict[str, Any], sentence: str) -> None:
    with pytest.raises(TrafficError, match=sentence):
        Wanted(**{"seed": 1, **wanted})


def test_an_empty_database_is_refused(scratch_database: Callable[[], Database]) -> None:
    with pytest.raises(TrafficError, match="seed_data` first"):
        run(scratch_database(), changes=10)


def test_a_database_without_tables_is_refused(scratch_database: Callable[[], Database]) -> None:
    database = scratch_database()
    with psycopg.connect(database.owner_url, autocommit=True) as connection:
        connection.execute("DROP TABLE tenants CASCADE")
    with pytest.raises(TrafficError, match="--database owner"):
        run(database, changes=10)


def test_a_role_under_row_level_security_is_refused(shops: Database) -> None:
    with pytest.raises(TrafficError, match="no tenant"):
        simulate(shops.app_url, Wanted(seed=1, changes=10), stop=threading.Event())


def test_a_lost_connection_says_what_was_made(shops: Database) -> None:
    def cut(_changes: int) -> None:
        with psycopg.connect(shops.owner_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'lakeside simulate_traffic' AND datname = current_database()"
            )

    with pytest.raises(TrafficError, match=r"PostgreSQL does not answer .* 250 changes were made before"):
        simulate(shops.owner_url, Wanted(seed=1, changes=2_000), stop=threading.Event(), on_changes=cut)


def test_the_command_prints_one_document(shops: Database) -> None:
    answer = command(shops, "--changes", "120", "--json")
    assert answer.returncode == 0, answer.stderr
    document = json.loads(answer.stdout)
    assert (document["changes"], document["stopped"]) == (120, False)
    assert sum(count for table in document["tables"].values() for count in table.values()) == 120


def test_an_interrupted_command_ends_cleanly_and_says_what_it_did(shops: Database) -> None:
    before = contents(shops)
    process = subprocess.Popen(
        [sys.executable, str(env.PROJECT / "manage.py"), "simulate_traffic", "--rate", "200", "--seconds", "600"],
        env=environment(shops), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while contents(shops) == before:
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "changes in" in out
    assert "Stopped before it was done" in error


def test_without_the_owners_url_the_command_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saas.management.commands.simulate_traffic.owner_conninfo", lambda: None)
    with pytest.raises(CommandError, match="DATABASE_URL is not set"):
        call_command("simulate_traffic", changes=1)


def environment(database: Database) -> dict[str, str]:
    return env.child_environment(
        {"LAKEHOUSE_SUPERVISED": "true", "DATABASE_URL": database.owner_url, "APP_DATABASE_URL": database.app_url}
    )


def command(database: Database, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(env.PROJECT / "manage.py"), "simulate_traffic", *arguments],
        env=environment(database), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
