"""Whose rows the running code means: the first of the two nets, and the switch of the second.

A scope is one transaction. It tells Python (a context variable, read by the managers in
`saas.tenancy.managers`) and PostgreSQL (two transaction-local settings, read by the
row-level-security policies) the same tenant, and takes both back when it ends. Threads
and code after the scope therefore find no tenant at all, rather than a left-over one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Protocol

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Model

OWNER_ALIAS = "owner"
"""The database alias whose role bypasses row-level security; absent from web and workers."""

_SETTINGS_SQL = "SELECT set_config('app.tenant_id', %s, true), set_config('app.user_id', %s, true)"
_READ_SETTINGS_SQL = "SELECT current_setting('app.tenant_id', true), current_setting('app.user_id', true)"


class UnscopedQueryError(RuntimeError):
    """A query on tenants' rows ran without saying whose."""


class ForeignTenantError(RuntimeError):
    """A row of one tenant was written or deleted while another tenant is in scope."""


class HasKey(Protocol):
    """A stored object, such as a tenant or a user."""

    pk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose rows are meant, and on which database alias. Nobody's, by default."""

    tenant_id: int | None = None
    user_id: int | None = None
    every_tenant: bool = False
    using: str = DEFAULT_DB_ALIAS


_NOBODY = Scope()
_current: ContextVar[Scope] = ContextVar("tenant_scope", default=_NOBODY)


def current_scope() -> Scope:
    """Return the scope the running code is in."""
    return _current.get()


@contextmanager
def tenant_scope(tenant: HasKey | int, *, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Mean this tenant's rows, and only those, within one transaction.

    Scopes nest: the inner one holds until its block ends. A block that raises is rolled back.

    Args:
        tenant: The tenant or its id.
        using: The database alias.
    """
    with _enter(replace(current_scope(), tenant_id=_key(tenant), every_tenant=False, using=using)):
        yield


@contextmanager
def user_scope(user: HasKey | int, *, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Mean a user's own memberships, and the tenants they lead to, within one transaction.

    It shows no other row: those need a `tenant_scope`.

    Args:
        user: The user or their id.
        using: The database alias.
    """
    with _enter(replace(current_scope(), user_id=_key(user), every_tenant=False, using=using)):
        yield


@contextmanager
def all_tenants() -> Iterator[None]:
    """Mean every tenant's rows: for commands that run as the owner, never for a request.

    Managers query the owner's alias within the block, whose role bypasses row-level security.

    Raises:
        UnscopedQueryError: The alias is not configured in this process.
    """
    if OWNER_ALIAS not in connections:
        raise UnscopedQueryError(
            "Only the owner of the database sees all tenants' rows, and this process has no connection as the owner: "
            "set DATABASE_URL for this command."
        )
    previous = _current.get()
    _current.set(Scope(every_tenant=True, using=OWNER_ALIAS))
    try:
        yield
    finally:
        _current.set(previous)


def require_scope(model: type[Model]) -> Scope:
    """Return the current scope, if it names a tenant, or every tenant.

    Args:
        model: Whose rows are asked for.

    Raises:
        UnscopedQueryError: No tenant is in scope.
    """
    scope = _current.get()
    if scope.tenant_id is None and not scope.every_tenant:
        raise unscoped(model)
    return scope


def require_scope_of(row: Model, tenant_id: int | None) -> None:
    """Check that a row's tenant is the one in scope, before the row is written or deleted.

    Args:
        row: The row.
        tenant_id: Its tenant.

    Raises:
        UnscopedQueryError: No tenant is in scope.
        ForeignTenantError: Another tenant is in scope, or the row has none.
    """
    scope = require_scope(type(row))
    if tenant_id is None or (tenant_id != scope.tenant_id and not scope.every_tenant):
        raise ForeignTenantError(
            f"A row of {row._meta.db_table} belongs to tenant {tenant_id}, but tenant {scope.tenant_id} is in scope: "
            "wrap the write in `with tenant_scope(tenant):` of its own tenant."
        )


def unscoped(model: type[Model]) -> UnscopedQueryError:
    """Return the error that says how to give a query for ``model`` its scope."""
    return UnscopedQueryError(
        f"A query for {model._meta.verbose_name_plural} does not say whose, as no tenant is in scope: "
        "wrap it in `with tenant_scope(tenant):`."
    )


@contextmanager
def _enter(scope: Scope) -> Iterator[None]:
    """Hold ``scope`` in Python and in PostgreSQL until the block ends.

    The settings are local to the transaction, and a rolled-back savepoint restores them;
    only a savepoint that is kept leaves them to be put back by hand.
    """
    connection = connections[scope.using]
    nested = connection.in_atomic_block
    before = _read_settings(scope.using) if nested else ("", "")
    previous = _current.get()
    with transaction.atomic(using=scope.using):
        _write_settings(scope.using, _text(scope.tenant_id), _text(scope.user_id))
        _current.set(scope)
        try:
            yield
        finally:
            _current.set(previous)
    if nested:
        _write_settings(scope.using, *before)


def _read_settings(using: str) -> tuple[str, str]:
    with connections[using].cursor() as cursor:
        cursor.execute(_READ_SETTINGS_SQL)
        tenant_id, user_id = cursor.fetchone()
    return tenant_id or "", user_id or ""


def _write_settings(using: str, tenant_id: str, user_id: str) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(_SETTINGS_SQL, [tenant_id, user_id])


def _key(subject: HasKey | int) -> int:
    return subject if isinstance(subject, int) else subject.pk


def _text(key: int | None) -> str:
    return "" if key is None else str(key)
