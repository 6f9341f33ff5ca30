"""The two kinds of foreign key that tenants' rows have."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db import models

from saas.tenancy.scope import require_scope, require_scope_of

_Set_contra = TypeVar("_Set_contra", contravariant=True)
_Get_co = TypeVar("_Get_co", covariant=True)


class TenantKey(models.ForeignKey[_Set_contra, _Get_co]):
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
            ForeignTenantError: The row belongs to another tenant.
        """
        if getattr(model_instance, self.attname) is None:
            setattr(model_instance, self.attname, require_scope(type(model_instance)).tenant_id)
        require_scope_of(model_instance, getattr(model_instance, self.attname))
        return super().pre_save(model_instance, add)


class ScopedKey(models.ForeignKey[_Set_contra, _Get_co]):
    """A reference to a row of the same tenant.

    Django makes neither a constraint nor an index for it: the migration operation
    `TenantForeignKey` makes a constraint over (tenant_id, key), and the model's indexes
    lead with the tenant.
    """

    def __init__(self, to: Any, on_delete: Any, **kwargs: Any) -> None:
        kwargs.setdefault("db_constraint", False)
        kwargs.setdefault("db_index", False)
        super().__init__(to, on_delete, **kwargs)
