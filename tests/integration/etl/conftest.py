"""A source of one's own: a database beside the product's, empty at the start of every test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from config import env
from etl.bronze.directory import DirectoryStore

_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$|public$)'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An empty database and its owner's session."""

    url: str
    connection: psycopg.Connection

    def execute(self, statement: str) -> list[tuple]:
        """Run SQL of the test's own; return its rows, if it has any."""
        cursor = self.connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    def url_of(self, role: str, password: str) -> str:
        """Return the URL with which another role connects."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port}"))


@pytest.fixture(scope="session")
def source_database() -> Iterator[Source]:
    owner_url = env.load().database_url
    assert owner_url is not None
    name = f"source_{secrets.token_hex(6)}"
    # Not through the product's own database: a template for others cannot be made of it while it is in use.
    maintenance_url = urlunsplit(urlsplit(owner_url)._replace(path="/postgres"))
    with psycopg.connect(maintenance_url, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        url = urlunsplit(urlsplit(owner_url)._replace(path=f"/{name}"))
        try:
            with psycopg.connect(url, autocommit=True) as connection:
                yield Source(url=url, connection=connection)
        finally:
            owner.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def source(source_database: Source) -> Source:
    """The database, emptied."""
    source_database.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC")
    for (name,) in source_database.execute(_SCHEMAS):
        source_database.connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))
    return source_database


@pytest.fixture
def role(source: Source) -> Iterator[str]:
    """A role that may log in, with its own name as password, and nothing else."""
    name = f"role_{secrets.token_hex(6)}"
    source.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{name}'")
    yield name
    source.execute(f"DROP OWNED BY {name} CASCADE")
    source.execute(f"DROP ROLE {name}")


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "lake" / "bronze")


@pytest.fixture
def other_store(tmp_path: Path) -> DirectoryStore:
    """Where a full load is taken to compare with."""
    return DirectoryStore(tmp_path / "copy")
