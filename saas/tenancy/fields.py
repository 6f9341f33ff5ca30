"""The two kinds of foreign key that tenants' rows have."""

from __future__ import annotations

from typing import Any

from django.db import models

from saas.tenancy.scope import ForeignTenantError, require_scope


class TenantKey(models.ForeignKey):
    """The tenant a row belongs to: filled from the scope, and refused if it is another one.

    The primary key, which leads with it, is its index.
    """

    def __init__(self, to: Any = "saas.Tenant", on_delete: Any = models.PROTECT, **kwargs: Any) -> None:
        kwargs.setdefault("db_index", False)
        kwargs.setdefault("editable", False)
        super().__init__(to, on_delete, **kwargs)

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:  # noqa: FBT001 - Django's signature
        """Return the tenant id to store: the scope's.

        Raises:
            UnscopedQueryError: No tenant is in scope.
            ForeignTenantError: The row belongs to another tenant than the one in scope.
        """
        names = model_instance._meta.verbose_name_plural
        scope = require_scope(type(model_instance))
        tenant_id = getattr(model_instance, self.attname)
        if tenant_id is None and scope.tenant_id is not None:
            setattr(model_instance, self.attname, scope.tenant_id)
        elif tenant_id is None or (tenant_id != scope.tenant_id and not scope.every_tenant):
            raise ForeignTenantError(
                f"The {names} of tenant {tenant_id} cannot be written while tenant {scope.tenant_id} is in scope: "
                "enter that tenant's scope first."
            )
        return super().pre_save(model_instance, add)


class ScopedKey(models.ForeignKey):
    """A reference to a row of the same tenant.

    Django makes neither a constraint nor an index for it: the migration operation
    `TenantForeignKey` makes a constraint over (tenant_id, key), and the model's indexes
    lead with the tenant.
    """

    def __init__(self, to: Any, on_delete: Any, **kwargs: Any) -> None:
        kwargs.setdefault("db_constraint", False)
        kwargs.setdefault("db_index", False)
        super().__init__(to, on_delete, **kwargs)
