"""Row-level security, forced, on every table that belongs to tenants."""

from __future__ import annotations

from django.db import migrations

from saas.tenancy.operations import USER_SETTING, EnableRowLevelSecurity


class Migration(migrations.Migration):
    """Signing in reads a user's memberships, and their tenants, before any tenant is in scope."""

    dependencies = [("saas", "0002_tenant_keys")]

    operations = [
        EnableRowLevelSecurity("membership", readable_if=f"user_id = {USER_SETTING}"),
        EnableRowLevelSecurity(
            "tenant",
            tenant_column="id",
            readable_if=(
                "EXISTS (SELECT FROM memberships "
                f"WHERE memberships.tenant_id = tenants.id AND memberships.user_id = {USER_SETTING})"
            ),
        ),
        EnableRowLevelSecurity("customer"),
        EnableRowLevelSecurity("product"),
        EnableRowLevelSecurity("order"),
        EnableRowLevelSecurity("orderitem"),
        EnableRowLevelSecurity("event"),
        EnableRowLevelSecurity("subscription"),
        EnableRowLevelSecurity("invoice"),
    ]
