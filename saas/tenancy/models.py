"""What every tenant-owned model has: an id, a tenant and a manager that wants a scope."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models

from saas.tenancy.fields import TenantKey
from saas.tenancy.managers import TenantManager
from saas.tenancy.scope import require_scope_of


class TenantOwned(models.Model):
    """A row of one tenant. In the database its primary key is (tenant_id, id); ids are unique across tenants."""

    tenant = TenantKey(related_name="+")

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete the row.

        Raises:
            UnscopedQueryError: No tenant is in scope.
            ForeignTenantError: Another tenant is in scope, so the database would delete nothing.
        """
        require_scope_of(self, self.tenant_id)
        return super().delete(*args, **kwargs)
