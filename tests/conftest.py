"""Fixtures every suite shares: the session's database, scratch copies of it, a running stack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from django.core.management import call_command
from django.db import connections
from django.test import TransactionTestCase
from psycopg import sql
from pytest_django import DjangoDbBlocker

from config.embedded.ports import free_port
from tests.servers import SERVERS, Database, Servers
from tests.stack import Stack, new_home, running

_DEMO_SECONDS = 180.0
_E2E = Path(__file__).parent / "e2e"


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    """The session's own PostgreSQL and Valkey."""
    return request.config.stash[SERVERS]


@pytest.fixture(scope="session")
def django_db_setup(servers: Servers, django_db_blocker: DjangoDbBlocker) -> None:
    """Migrate the session's own database as its owner; `default` reaches it as the application's role."""
    with django_db_blocker.unblock():
        call_command("migrate", database="owner", verbosity=0)
        connections.close_all()
        servers.make_template()
    _empty_as_owner_after_transactional_tests(servers.postgres.url)


@pytest.fixture
def scratch_database(servers: Servers, django_db_setup: None) -> Iterator[Callable[[], Database]]:
    """Make empty, migrated databases with all roles, apart from Django's: `database = scratch_database()`."""
    with ExitStack() as databases:
        yield lambda: databases.enter_context(servers.scratch_database())


@pytest.fixture
def source_url(scratch_database: Callable[[], Database]) -> str:
    """The replicator's URL of an empty, migrated source of its own."""
    return scratch_database().source_url


@pytest.fixture
def home() -> Iterator[Path]:
    """A LAKEHOUSE_HOME that every account may enter, removed afterwards."""
    with new_home() as folder:
        yield folder


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A real `manage.py demo --scale small`: seeded, published, with users, answering on its own port."""
    with new_home() as folder, running(folder, "demo", "--scale", "small", "--port", str(free_port())) as demo:
        demo.wait_until_ready(timeout_seconds=_DEMO_SECONDS)
        yield demo


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    """Where moto's server answers for S3, Glue, DMS and the rest of AWS, on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the browser's tests come last: Playwright leaves an event loop, in which Django refuses to query."""
    items.sort(key=lambda item: item.path.is_relative_to(_E2E))


def _empty_as_owner_after_transactional_tests(owner_url: str) -> None:
    """Have tests that commit cleaned up by the owner: the application's role may not TRUNCATE.

    Tables that migrations filled (content types, permissions, schedules) keep their rows.
    """
    with psycopg.connect(owner_url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        tables = [sql.Identifier(name) for (name,) in names]
        empty = [table for table in tables if not _has_rows(connection, table)]
    truncate = sql.SQL("TRUNCATE {} RESTART IDENTITY").format(sql.SQL(", ").join(empty))

    def empty_tables(_test: TransactionTestCase) -> None:
        with psycopg.connect(owner_url) as owner:
            owner.execute("SET session_replication_role = replica")  # Past the triggers of append-only tables.
            owner.execute(truncate)

    TransactionTestCase._fixture_teardown = empty_tables  # type: ignore[method-assign]


def _has_rows(connection: psycopg.Connection, table: sql.Identifier) -> bool:
    row = connection.execute(sql.SQL("SELECT EXISTS (SELECT FROM {})").format(table)).fetchone()
    return row == (True,)
