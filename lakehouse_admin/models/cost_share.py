"""How a run's cost falls on its tables, and on tenants."""

from __future__ import annotations

from django.db import models


class CostShare(models.Model):
    """One table's, or one tenant's, part of what a run costs; the parts of a kind sum to the whole exactly."""

    class Kind(models.TextChoices):
        """What the cost is split by."""

        TABLE = "table", "Table"
        TENANT = "tenant", "Tenant"

    run = models.ForeignKey("lakehouse_admin.PipelineRun", on_delete=models.CASCADE, related_name="cost_shares")
    month = models.DateField(help_text="As the run's cost entries.")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    key = models.CharField(
        max_length=200, blank=True, help_text="The table's name in silver, or the tenant's number; empty if unknown."
    )
    amount = models.DecimalField(max_digits=20, decimal_places=9)
    is_charged = models.BooleanField(help_text="As the run's cost entries.")

    class Meta:
        db_table = "lakehouse_cost_shares"
        ordering = ["run", "kind", "-amount", "key"]
        constraints = [
            models.UniqueConstraint(name="lakehouse_cost_shares_once", fields=["run", "kind", "key"]),
            models.CheckConstraint(name="lakehouse_cost_shares_kind", condition=models.Q(kind__in=["table", "tenant"])),
        ]
        indexes = [models.Index(name="lakehouse_cost_shares_month", fields=["month", "is_charged", "kind"])]

    def __str__(self) -> str:
        """Return ``table orders``."""
        return f"{self.kind} {self.key}"
