"""What every tenant-owned model has: an id, a tenant and a manager that wants a scope."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models

from saas.tenancy.fields import TenantKey
from saas.tenancy.managers import TenantManager
from saas.tenancy.scope import ForeignTenantError, require_scope


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
        scope = require_scope(type(self))
        if not scope.every_tenant and self.tenant_id != scope.tenant_id:
            raise ForeignTenantError(
                f"The {self._meta.verbose_name_plural} of tenant {self.tenant_id} cannot be deleted while tenant {scope.tenant_id} is in scope: "
                "enter that tenant's scope first."
            )
        return super().delete(*args, **kwargs)
