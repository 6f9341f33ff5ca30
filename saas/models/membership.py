"""Who may go where: a user's role in a tenant."""

from __future__ import annotations

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils.timezone import now

from saas.tenancy.fields import TenantKey
from saas.tenancy.managers import MemberManager
from saas.tenancy.models import TenantOwned


class Role(models.TextChoices):
    """What a member may do in a tenant."""

    OWNER = "owner"
    ANALYST = "analyst"
    VIEWER = "viewer"


class Membership(TenantOwned):
    """A user's role in a tenant. Users read their own memberships of every tenant, as signing in needs."""

    tenant = TenantKey(related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role, default=Role.VIEWER)
    created_at = models.DateTimeField(default=now, editable=False)

    objects: ClassVar[MemberManager[Self]] = MemberManager()

    class Meta(TenantOwned.Meta):
        db_table = "memberships"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "user"],
                name="memberships_tenant_user_unique",
                violation_error_message="The user is a member already.",
            ),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="memberships_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.role}"
