"""Keys that cannot cross tenants: (tenant_id, id) primary keys, and references that include the tenant."""

from __future__ import annotations

from django.db import migrations

from saas.tenancy.operations import TenantForeignKey, TenantPrimaryKey


class Migration(migrations.Migration):
    """References follow the keys they point at."""

    dependencies = [("saas", "0001_initial")]

    operations = [
        TenantPrimaryKey("membership"),
        TenantPrimaryKey("customer"),
        TenantPrimaryKey("product"),
        TenantPrimaryKey("order"),
        TenantPrimaryKey("orderitem"),
        TenantPrimaryKey("event"),
        TenantPrimaryKey("subscription"),
        TenantPrimaryKey("invoice"),
        TenantForeignKey("order", "customer"),
        TenantForeignKey("orderitem", "order"),
        TenantForeignKey("orderitem", "product"),
        TenantForeignKey("event", "customer"),
        TenantForeignKey("event", "product"),
        TenantForeignKey("event", "order"),
        TenantForeignKey("subscription", "customer"),
        TenantForeignKey("invoice", "customer"),
        TenantForeignKey("invoice", "subscription"),
        TenantForeignKey("invoice", "order"),
    ]
