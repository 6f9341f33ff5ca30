"""What a stage of a run used of one thing that AWS charges for, and what that costs."""

from __future__ import annotations

from django.db import models

from lakehouse_admin.states import Stage


class CostEntry(models.Model):
    """One item of the price book within one stage of one run, all its attempts together.

    The price is kept with it: a later price book changes no past cost. Written by
    `lakehouse_admin.costs.record` alone, whenever the run comes to rest.
    """

    run = models.ForeignKey("lakehouse_admin.PipelineRun", on_delete=models.CASCADE, related_name="costs")
    month = models.DateField(help_text="First day of the month (UTC) in which the run was asked for.")
    stage = models.CharField(max_length=20, choices=Stage.choices)
    item = models.CharField(max_length=50)
    service = models.CharField(max_length=50)
    unit = models.CharField(max_length=50)
    quantity = models.DecimalField(max_digits=30, decimal_places=12)
    unit_price = models.DecimalField(max_digits=20, decimal_places=10)
    price_date = models.DateField(help_text="When the price was read.")
    amount = models.DecimalField(max_digits=20, decimal_places=9)
    currency = models.CharField(max_length=3)
    is_charged = models.BooleanField(help_text="Whether AWS charges it; else the lake is embedded, and AWS would.")

    class Meta:
        db_table = "lakehouse_costs"
        ordering = ["run", "id"]
        constraints = [
            models.UniqueConstraint(name="lakehouse_costs_once", fields=["run", "stage", "item"]),
            models.CheckConstraint(name="lakehouse_costs_amount", condition=models.Q(amount__gte=0)),
        ]
        indexes = [models.Index(name="lakehouse_costs_month", fields=["month", "is_charged"])]

    def __str__(self) -> str:
        """Return ``glue.dpu_hour of run 3``."""
        return f"{self.item} of run {self.run_id}"
