"""A tenant's time zone is one that exists."""

from __future__ import annotations

from django.db import migrations, models

import saas.models.tenant


class Migration(migrations.Migration):
    """Days are counted in the tenant's time zone: an unknown one would stop every computation that reads it."""

    dependencies = [("saas", "0003_row_level_security")]

    operations = [
        migrations.AlterField(
            model_name="tenant",
            name="timezone",
            field=models.CharField(default="UTC", max_length=64, validators=[saas.models.tenant.validate_time_zone]),
        ),
        migrations.RunSQL(
            # PostgreSQL also takes POSIX forms such as UTC+25, which nobody else reads; an unknown name it refuses.
            "ALTER TABLE tenants ADD CONSTRAINT tenants_timezone_known CHECK (timezone ~ '^[A-Z][A-Za-z_]*(/[A-Za-z0-9_+-]+)*$' "
            "AND timezone(timezone, TIMESTAMPTZ '2000-01-01 00:00:00+00') IS NOT NULL)",
            "ALTER TABLE tenants DROP CONSTRAINT tenants_timezone_known",
        ),
    ]
