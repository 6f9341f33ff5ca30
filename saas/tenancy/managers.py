"""Managers that refuse to guess: without a tenant in scope, no query on tenants' rows runs."""

from __future__ import annotations

from typing import TypeVar

from django.db import connections, models

from saas.tenancy.scope import UnscopedQueryError, current_scope, unscoped

_Row = TypeVar("_Row", bound=models.Model)


class TenantQuerySet(models.QuerySet[_Row]):
    """A query that runs only while a scope for it holds.

    Row-level security would answer a query that outlives its scope, say in a streaming
    response or another thread, with no rows: this says so instead.
    """

    @property
    def db(self) -> str:
        """The database alias to run on; Django asks for it whenever a query runs.

        Raises:
            UnscopedQueryError: Nobody is in scope, or the scope's transaction is on another alias or thread.
        """
        alias = super().db
        scope = current_scope()
        if scope.tenant_id is None and scope.user_id is None and not scope.every_tenant:
            raise unscoped(self.model)
        if alias != scope.using:
            raise UnscopedQueryError(
                f"The scope is open on database alias {scope.using!r} but the query goes to {alias!r}: "
                "give tenant_scope or all_tenants the alias of the query."
            )
        if not scope.every_tenant and not connections[alias].in_atomic_block:
            raise UnscopedQueryError(
                "The scope's transaction belongs to another thread: enter the scope where the query runs."
            )
        return alias


class TenantManager(models.Manager[_Row]):
    """The manager of a tenant-owned model: its query sets see the rows of the tenant in scope."""

    tenant_lookup = "tenant_id"
    user_lookup: str | None = None
    """Names the user to whom rows show without a tenant in scope; most models show none."""

    def get_queryset(self) -> TenantQuerySet[_Row]:
        """Return the rows of the tenant in scope; else, where there are such, of the user in scope.

        Raises:
            UnscopedQueryError: Neither is in scope.
        """
        scope = current_scope()
        rows: TenantQuerySet[_Row] = TenantQuerySet(self.model, using=self._db or scope.using)
        if scope.every_tenant:
            return rows
        if scope.tenant_id is not None:
            return rows.filter(**{self.tenant_lookup: scope.tenant_id})
        if scope.user_id is not None and self.user_lookup is not None:
            return rows.filter(**{self.user_lookup: scope.user_id})
        raise unscoped(self.model)

    def none(self) -> models.QuerySet[_Row]:
        """Return no rows, for which no scope is needed: enough to describe the API."""
        return models.QuerySet(self.model).none()


class MemberManager(TenantManager[_Row]):
    """The manager of memberships: users also find their own, in every tenant."""

    user_lookup = "user_id"
