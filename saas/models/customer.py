"""Whom a tenant sells to."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models
from django.utils.timezone import now

from saas.models.columns import FixedCharField
from saas.tenancy.models import TenantOwned

_COUNTRY_FORM = "^[A-Z]{2}$"


class Customer(TenantOwned):
    """A buyer; `created_at` is when they signed up."""

    email = models.EmailField()
    name = models.CharField(max_length=200)
    country = FixedCharField(
        max_length=2, validators=[RegexValidator(_COUNTRY_FORM, "Use the two capital letters of ISO 3166.")]
    )
    city = models.CharField(max_length=100)
    phone = models.CharField(max_length=40, null=True, blank=True)  # noqa: DJ001 - unknown is not empty
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta(TenantOwned.Meta):
        db_table = "customers"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "email"],
                name="customers_tenant_email_unique",
                violation_error_message="There is already a customer with this email address.",
            ),
            models.CheckConstraint(condition=models.Q(country__regex=_COUNTRY_FORM), name="customers_country_iso"),
        ]

    def __str__(self) -> str:
        return self.name
