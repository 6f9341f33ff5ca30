"""How much tenants' dashboards asked of gold."""

from __future__ import annotations

from django.db import models


class QueryUse(models.Model):
    """One tenant's questions of one day (UTC); answers that were remembered cost nothing and do not count."""

    day = models.DateField()
    tenant_id = models.BigIntegerField(db_column="of_tenant")
    """About a tenant, but none's own: the platform counts it, and no tenant's session reads or writes it."""
    is_charged = models.BooleanField(help_text="Whether Athena answered; else the embedded engine, free of charge.")
    queries = models.PositiveBigIntegerField(default=0)
    charged_bytes = models.PositiveBigIntegerField(
        default=0, help_text="What Athena charges for, its minimum included."
    )

    class Meta:
        db_table = "lakehouse_query_use"
        ordering = ["day", "tenant_id"]
        constraints = [
            models.UniqueConstraint(name="lakehouse_query_use_once", fields=["day", "tenant_id", "is_charged"])
        ]

    def __str__(self) -> str:
        """Return ``tenant 3 on 2026-11-25``."""
        return f"tenant {self.tenant_id} on {self.day}"
