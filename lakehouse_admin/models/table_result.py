"""What a run did to one table: row counts along the path, and whether silver equals the source."""

from __future__ import annotations

from django.db import models

from lakehouse_admin.states import Reconciliation, values


class TableResult(models.Model):
    """One table within one run."""

    run = models.ForeignKey("lakehouse_admin.PipelineRun", on_delete=models.CASCADE, related_name="table_results")
    table = models.CharField(max_length=200, help_text="The table's name in silver.")
    source_rows = models.PositiveBigIntegerField(null=True, blank=True)
    bronze_rows = models.PositiveBigIntegerField(null=True, blank=True)
    bronze_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    bronze_files = models.PositiveIntegerField(null=True, blank=True)
    silver_rows = models.PositiveBigIntegerField(null=True, blank=True)
    silver_bytes = models.PositiveBigIntegerField(null=True, blank=True)
    tenant_rows = models.JSONField(default=dict, blank=True, help_text="Rows in silver by tenant, where known.")
    rejected_rows = models.PositiveBigIntegerField(null=True, blank=True)
    source_hash = models.CharField(max_length=80, blank=True)
    silver_hash = models.CharField(max_length=80, blank=True)
    reconciliation = models.CharField(max_length=20, choices=Reconciliation.choices, default=Reconciliation.UNKNOWN)

    class Meta:
        db_table = "lakehouse_table_results"
        ordering = ["table"]
        constraints = [
            models.UniqueConstraint(name="lakehouse_table_results_once", fields=["run", "table"]),
            models.CheckConstraint(
                name="lakehouse_table_results_reconciliation",
                condition=models.Q(reconciliation__in=values(Reconciliation)),
            ),
        ]

    def __str__(self) -> str:
        """Return the table's name."""
        return self.table
