"""Starts this test session's own PostgreSQL and Valkey before Django's settings load.

A pytest plugin (`-p tests.servers`). Every process of pytest-xdist gets servers of its own, in a
temporary LAKEHOUSE_HOME; Linux ends them if the session is killed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from config import env
from config.embedded.postgres import DATABASE, Postgres
from config.embedded.valkey import Valkey
from config.provisioning import provision

_TEMPLATE = "lakeside_template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database of the session's server, and the URL of every role in it."""

    name: str
    owner_url: str
    app_url: str
    source_url: str
    catalog_url: str

    @classmethod
    def of(cls, urls: dict[str, str]) -> Database:
        """Read the URLs that `provision` returns."""
        return cls(
            name=urls["DATABASE_URL"].rpartition("/")[2],
            owner_url=urls["DATABASE_URL"],
            app_url=urls["APP_DATABASE_URL"],
            source_url=urls["LAKEHOUSE_SOURCE_URL"],
            catalog_url=urls["LAKEHOUSE_CATALOG_URL"],
        )


class Servers:
    """The session's servers and the folder they live in."""

    def __init__(self) -> None:
        """Make the folder; `start` fills it."""
        self.home = Path(tempfile.mkdtemp(prefix="lakeside-tests-"))
        self.home.chmod(0o711)  # PostgreSQL runs as another user when the suite is run by root.
        self.postgres = Postgres(home=self.home, durable=False)
        self.valkey = Valkey(home=self.home)

    def start(self) -> None:
        """Start both and tell Django's settings where they are."""
        self.postgres.start()
        self.valkey.start()
        urls = provision(self.postgres.url, home=self.home)
        env.export(
            {
                "LAKEHOUSE_SUPERVISED": "true",
                "LAKEHOUSE_HOME": str(self.home),
                "REDIS_URL": self.valkey.url,
                **urls,
            }
        )

    def stop(self) -> None:
        """Stop both and remove the folder."""
        self.valkey.stop()
        self.postgres.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def make_template(self) -> None:
        """Keep the session's database, as it is now and with nobody connected, for `scratch_database`."""
        self._administer("CREATE DATABASE {} TEMPLATE {}", _TEMPLATE, DATABASE)

    @contextmanager
    def scratch_database(self) -> Iterator[Database]:
        """Make a migrated, empty database with all its roles; drop it when the block ends."""
        name = f"scratch_{uuid4().hex[:12]}"
        self._administer("CREATE DATABASE {} TEMPLATE {}", name, _TEMPLATE)
        try:
            yield Database.of(provision(self._url_of(name), home=self.home))
        finally:
            self._administer("DROP DATABASE {} WITH (FORCE)", name)

    def _url_of(self, name: str) -> str:
        return f"{self.postgres.url.rpartition('/')[0]}/{name}"

    def _administer(self, statement: str, *names: str) -> None:
        with psycopg.connect(self._url_of("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


SERVERS = pytest.StashKey[Servers]()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, None, None]:
    """Start the servers ahead of pytest-django, which loads the settings in this same hook."""
    only_distributes = bool(getattr(early_config.known_args_namespace, "numprocesses", None))
    if not only_distributes:
        servers = Servers()
        early_config.add_cleanup(servers.stop)
        early_config.stash[SERVERS] = servers
        servers.start()
    return (yield)
