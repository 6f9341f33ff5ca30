"""A paying organisation: owner of rows."""

from __future__ import annotations

from typing import ClassVar
from zoneinfo import available_timezones

import psycopg
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import DEFAULT_DB_ALIAS, IntegrityError, connections, models
from django.utils.timezone import now

from saas.models.columns import FixedCharField
from saas.tenancy.managers import TenantManager
from saas.tenancy.scope import tenant_scope

_NEXT_ID_SQL = "SELECT nextval(pg_get_serial_sequence('tenants', 'id'))"
_SLUG_FORM = "^[a-z0-9]+(-[a-z0-9]+)*$"


def validate_time_zone(name: str) -> None:
    """Check that a time zone exists; the database checks the same for whoever goes past models.

    Raises:
        ValidationError: There is none of that name.
    """
    if name not in available_timezones():
        raise ValidationError(f"{name!r} is not a time zone; write one like Europe/Berlin or UTC.")


class SlugTakenError(ValueError):
    """Another tenant already has this slug."""


class Plan(models.TextChoices):
    """What the tenant pays us for."""

    STARTER = "starter"
    GROWTH = "growth"
    SCALE = "scale"


class TenantRegister(TenantManager["Tenant"]):
    """Finds the tenant in scope, or those that the user in scope is a member of; registers new ones."""

    tenant_lookup = "id"
    user_lookup = "memberships__user_id"

    def register(self, *, slug: str, name: str, using: str = DEFAULT_DB_ALIAS, **fields: object) -> Tenant:
        """Store a new tenant, as signing up does.

        The database shows and accepts a tenant only within its own scope, so the id is
        taken first and its scope entered before there is a row.

        Args:
            slug: Names the tenant in addresses.
            name: Names it to people.
            using: The database alias.
            fields: Values of the other columns.

        Raises:
            SlugTakenError: Another tenant has the slug.
        """
        with connections[using].cursor() as cursor:
            cursor.execute(_NEXT_ID_SQL)
            (tenant_id,) = cursor.fetchone()
        tenant = self.model(id=tenant_id, slug=slug, name=name, **fields)
        try:
            with tenant_scope(tenant_id, using=using):
                tenant.save(force_insert=True, using=using)
        except IntegrityError as error:
            if isinstance(error.__cause__, psycopg.errors.UniqueViolation):
                raise SlugTakenError(f"The address {slug!r} is taken: choose another one.") from error
            raise
        return tenant


class Tenant(models.Model):
    """A shop. Made by `Tenant.objects.register`."""

    slug = models.CharField(
        max_length=63,
        unique=True,
        validators=[RegexValidator(_SLUG_FORM, "Use lower-case letters, digits and single hyphens.")],
    )
    name = models.CharField(max_length=200)
    plan = models.CharField(max_length=20, choices=Plan, default=Plan.STARTER)
    currency = FixedCharField(max_length=3, default="EUR")
    timezone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[TenantRegister] = TenantRegister()

    class Meta:
        db_table = "tenants"
        ordering = ["slug"]
        base_manager_name = "objects"
        constraints = [
            models.CheckConstraint(condition=models.Q(plan__in=Plan.values), name="tenants_plan_known"),
            models.CheckConstraint(condition=models.Q(currency__regex="^[A-Z]{3}$"), name="tenants_currency_iso"),
            models.CheckConstraint(condition=models.Q(slug__regex=_SLUG_FORM), name="tenants_slug_form"),
        ]

    def __str__(self) -> str:
        return self.name
