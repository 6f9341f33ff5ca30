"""The database's roles, grants and publication, made from the owner's connection; repeating it changes nothing.

| role | attributes | may |
|---|---|---|
| the owner | superuser, or CREATEROLE and BYPASSRLS | migrate, provision, seed |
| `lakeside_app` | subject to row-level security | read and write rows; never TRUNCATE |
| `lakeside_replicator` | REPLICATION, BYPASSRLS | read every tenant's rows and the write-ahead log |
| `lakeside_catalog` | | keep the Iceberg catalog's tables in schema `lake` |

Default privileges extend the grants to tables of later migrations, so it does not matter
whether the schema is migrated before or after. The publication (`publish`) is made of tables
that are there: after migrating.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString, Self
from urllib.parse import quote, unquote, urlsplit

import psycopg
from psycopg import sql

from config.embedded.errors import StackError
from config.private_files import read_or_create
from etl.contracts.source import read_oids
from etl.contracts.table import TableId
from etl.errors import LakehouseError
from etl.replicate.slot import ensure_publication

_OLDEST_SERVER_VERSION = 150000
_CONNECT_SECONDS = 10
# One provisioning at a time: the number is arbitrary, ours alone and only has to be the same everywhere.
_LOCK_SQL = "SELECT pg_advisory_xact_lock(7259031764185)"

_ATTRIBUTES: Mapping[str, LiteralString] = {
    "rolsuper": "SUPERUSER",
    "rolbypassrls": "BYPASSRLS",
    "rolreplication": "REPLICATION",
    "rolcreaterole": "CREATEROLE",
    "rolcreatedb": "CREATEDB",
}
"""Columns of pg_roles, and the words that set them (with NO in front: that unset them)."""


class ProvisioningError(StackError):
    """The database's roles could not be made; the message says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Purpose:
    """What a role is for."""

    variable: str
    """The variable that holds its URL."""
    name: str
    """The role's name, unless a URL is given."""
    attributes: frozenset[str] = frozenset()
    """The columns of `_ATTRIBUTES` that are true for it; all others are false."""
    grants: tuple[LiteralString, ...]
    search_path: LiteralString | None = None


_APP = _Purpose(
    variable="APP_DATABASE_URL",
    name="lakeside_app",
    grants=(
        "GRANT USAGE ON SCHEMA public TO {role}",
        "REVOKE TRUNCATE, REFERENCES, TRIGGER ON ALL TABLES IN SCHEMA public FROM {role}",
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role}",
    ),
)
_REPLICATOR = _Purpose(
    variable="LAKEHOUSE_SOURCE_URL",
    name="lakeside_replicator",
    attributes=frozenset({"rolreplication", "rolbypassrls"}),
    # All tables, not only the replicated ones: a role that may stream the write-ahead log reads them all anyway,
    # and a table added to LAKEHOUSE_SOURCE_TABLES then needs no grant.
    grants=(
        "GRANT USAGE ON SCHEMA public TO {role}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role}",
    ),
)
_CATALOG = _Purpose(
    variable="LAKEHOUSE_CATALOG_URL",
    name="lakeside_catalog",
    grants=(
        "CREATE SCHEMA IF NOT EXISTS lake",
        "GRANT USAGE, CREATE ON SCHEMA lake TO {role}",
    ),
    search_path="lake",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Role:
    """A role that Lakeside connects as."""

    purpose: _Purpose
    name: str
    password: str | None = field(repr=False)
    """`None` where the URL has none and PostgreSQL identifies the role otherwise."""
    url: str = field(repr=False)

    @classmethod
    def of(cls, url: str, *, purpose: _Purpose) -> Self:
        parts = urlsplit(url)
        return cls(
            purpose=purpose,
            name=unquote(parts.username or ""),
            password=None if parts.password is None else unquote(parts.password),
            url=url,
        )


def provision(owner_url: str, *, home: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Make the roles, their passwords and grants, in one transaction.

    A given URL's user name and password are what its role gets. One that leads to another
    server or database than the owner's is returned as it is: its roles are made there.
    Passwords reach PostgreSQL only as SCRAM verifiers, so that no log can repeat them.

    Args:
        owner_url: Whom to connect as: superuser, or CREATEROLE and BYPASSRLS.
        home: Where passwords that we choose are kept (`<home>/private/<role>_password`).
        given: URLs that a person configured, by variable.

    Returns:
        The URLs of all roles by variable, DATABASE_URL among them.

    Raises:
        ProvisioningError: The database does not answer, the owner may not make the roles, or a given role is unfit.
    """
    given = given or {}
    foreign = {variable: url for variable, url in given.items() if not _same_database(url, owner_url)}
    roles = [
        _Role.of(given.get(purpose.variable) or _make_url(owner_url, purpose, home), purpose=purpose)
        for purpose in (_APP, _REPLICATOR, _CATALOG)
        if purpose.variable not in foreign
    ]
    _refuse_shared(owner_url, roles)
    with _connection(owner_url) as connection, _explained(roles):
        connection.execute(_LOCK_SQL)
        _check_owner(connection)
        connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        for role in roles:
            _make_role(connection, role)
            _grant(connection, role)
            if role.purpose is _APP:
                _check_app(connection, role)
    return {"DATABASE_URL": owner_url, **{role.purpose.variable: role.url for role in roles}, **foreign}


def publish(owner_url: str, *, source_url: str, tables: Sequence[str]) -> int:
    """Have the publication send every change of the replicated tables, as far as they exist; return how many do.

    The owner makes it, because only a table's owner may publish it. A source that is
    another database is left alone: `manage.py lakehouse check-source` says what it lacks.

    Raises:
        ProvisioningError: The database does not answer, or a table is not the owner's.
    """
    if not _same_database(source_url, owner_url):
        return 0
    with _connection(owner_url) as connection:
        connection.execute(_LOCK_SQL)
        present = list(read_oids(connection, [TableId.parse(name) for name in tables]))
        try:
            if present:
                ensure_publication(connection, present)
        except LakehouseError as error:
            raise ProvisioningError(f"{error}\n{error.guidance}") from error
    return len(present)


def _make_url(owner_url: str, purpose: _Purpose, home: Path) -> str:
    password = read_or_create(home / "private" / f"{purpose.name}_password", lambda: secrets.token_urlsafe(32))
    parts = urlsplit(owner_url)
    address = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{purpose.name}:{quote(password, safe='')}@{address}").geturl()


def _same_database(url: str, owner_url: str) -> bool:
    def place(text: str) -> tuple[str | None, int, str]:
        parts = urlsplit(text)
        return parts.hostname, parts.port or 5432, parts.path

    return place(url) == place(owner_url)


def _refuse_shared(owner_url: str, roles: list[_Role]) -> None:
    """Refuse one role in two places: it would bypass row-level security, or mix up schemas.

    Raises:
        ProvisioningError: Two URLs have the same user.
    """
    seen = {unquote(urlsplit(owner_url).username or ""): "DATABASE_URL"}
    for role in roles:
        variable = role.purpose.variable
        if role.name in seen:
            raise ProvisioningError(
                f"{seen[role.name]} and {variable} both connect as {role.name!r}: give each its own role, "
                f"or unset {variable} to have one made."
            )
        seen[role.name] = variable


@contextmanager
def _connection(owner_url: str) -> Iterator[psycopg.Connection]:
    try:
        connection = psycopg.connect(owner_url, connect_timeout=_CONNECT_SECONDS)
    except psycopg.OperationalError as error:
        raise ProvisioningError(
            f"The database of DATABASE_URL does not answer: start it, or correct the URL.\n{error}"
        ) from error
    with connection:
        yield connection


@contextmanager
def _explained(roles: list[_Role]) -> Iterator[None]:
    """Turn a refusal of PostgreSQL into the SQL that an administrator runs instead.

    Raises:
        ProvisioningError: PostgreSQL refused.
    """
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        statements = "\n".join(f"    {statement}" for role in roles for statement in _administrator_sql(role))
        raise ProvisioningError(
            f"The role of DATABASE_URL may not prepare the database ({error.diag.message_primary}).\n"
            "Run this as an administrator, then set each role's password to the one in its URL, "
            f"and provision again:\n{statements}"
        ) from error


def _administrator_sql(role: _Role) -> list[str]:
    name = sql.Identifier(role.name).as_string()
    statements = [f"CREATE ROLE {name} LOGIN;  -- unless it exists", f"ALTER ROLE {name} {_words(role, _ATTRIBUTES)};"]
    if role.purpose.search_path is not None:
        database = sql.Identifier(urlsplit(role.url).path.lstrip("/")).as_string()
        statements.append(f"ALTER ROLE {name} IN DATABASE {database} SET search_path = {role.purpose.search_path};")
    return statements


def _words(role: _Role, columns: Iterable[str]) -> LiteralString:
    return " ".join(
        _ATTRIBUTES[column] if column in role.purpose.attributes else f"NO{_ATTRIBUTES[column]}" for column in columns
    )


def _check_owner(connection: psycopg.Connection) -> None:
    """Refuse an owner that would migrate and seed nothing.

    Raises:
        ProvisioningError: The server is too old, or the owner is subject to row-level security.
    """
    version = connection.info.server_version
    if version < _OLDEST_SERVER_VERSION:
        raise ProvisioningError(f"PostgreSQL {version // 10000} is too old: Lakeside needs 15 or newer.")
    bypasses = connection.execute(
        "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if bypasses != (True,):
        owner = sql.Identifier(connection.info.user).as_string(connection)
        raise ProvisioningError(
            "The role of DATABASE_URL is subject to row-level security, so seeding and data migrations would see no "
            f"rows: as an administrator, run ALTER ROLE {owner} BYPASSRLS;"
        )


def _make_role(connection: psycopg.Connection, role: _Role) -> None:
    """Create the role if missing; correct what differs, since PostgreSQL may refuse to repeat the rest."""
    name = sql.Identifier(role.name)
    columns = sql.SQL(", ").join(map(sql.Identifier, _ATTRIBUTES))
    query = sql.SQL("SELECT {} FROM pg_roles WHERE rolname = %s").format(columns)
    found = connection.execute(query, [role.name]).fetchone()
    if found is None:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN " + _words(role, _ATTRIBUTES)).format(name))
    else:
        now = dict(zip(_ATTRIBUTES, found, strict=True))
        differing = [column for column in now if now[column] != (column in role.purpose.attributes)]
        if differing:
            connection.execute(sql.SQL("ALTER ROLE {} " + _words(role, differing)).format(name))
    if role.password is not None and not _can_connect(role.url):
        verifier = connection.pgconn.encrypt_password(role.password.encode(), role.name.encode(), b"scram-sha-256")
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(verifier.decode())))


def _can_connect(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=_CONNECT_SECONDS).close()
    except psycopg.OperationalError:
        return False
    return True


def _set_search_path(connection: psycopg.Connection, role: _Role, search_path: LiteralString) -> None:
    is_set = connection.execute(
        "SELECT FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole JOIN pg_database d "
        "ON d.oid = s.setdatabase WHERE r.rolname = %s AND d.datname = current_database() AND %s = ANY (s.setconfig)",
        [role.name, f"search_path={search_path}"],
    ).fetchone()
    if is_set is None:
        connection.execute(
            sql.SQL("ALTER ROLE {} IN DATABASE {} SET search_path = {}").format(
                sql.Identifier(role.name), sql.Identifier(connection.info.dbname), sql.Identifier(search_path)
            )
        )


def _grant(connection: psycopg.Connection, role: _Role) -> None:
    names = {"role": sql.Identifier(role.name), "database": sql.Identifier(connection.info.dbname)}
    for statement in ("GRANT CONNECT ON DATABASE {database} TO {role}", *role.purpose.grants):
        connection.execute(sql.SQL(statement).format(**names))
    if role.purpose.search_path is not None:
        _set_search_path(connection, role, role.purpose.search_path)


def _check_app(connection: psycopg.Connection, role: _Role) -> None:
    """Refuse an application role that could step around row-level security.

    Raises:
        ProvisioningError: It owns tables, or may become a role that is not held by it.
    """
    owned = connection.execute(
        "SELECT c.relname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner "
        "WHERE r.rolname = %s AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relnamespace = 'public'::regnamespace",
        [role.name],
    ).fetchone()
    if owned:
        raise ProvisioningError(
            f"{role.purpose.variable} connects as {role.name!r}, which owns the table {owned[0]!r} and could lift its "
            "protection: give the table to the owner, or choose another role."
        )
    powerful = connection.execute(
        "SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls OR rolname = current_user) "
        "AND pg_has_role(%s, oid, 'MEMBER')",
        [role.name],
    ).fetchone()
    if powerful:
        raise ProvisioningError(
            f"{role.purpose.variable} connects as {role.name!r}, which is a member of {powerful[0]!r} and could see "
            f"every tenant's rows: revoke that membership, or choose another role."
        )
