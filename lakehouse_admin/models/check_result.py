"""What one check found in one run, with the keys of some rows at fault."""

from __future__ import annotations

from django.db import models

from etl.quality.checks import Dimension, Severity
from lakehouse_admin.states import CheckVerdict, Stage, values


class CheckResult(models.Model):
    """One check of one table within one run; a retry's result takes the place of the one before."""

    run = models.ForeignKey("lakehouse_admin.PipelineRun", on_delete=models.CASCADE, related_name="check_results")
    stage = models.CharField(max_length=20, choices=Stage.choices)
    table = models.CharField(max_length=200, help_text="Qualified name in the lake.")
    name = models.CharField(max_length=300)
    dimension = models.CharField(max_length=20, choices=[(each.value, each.value.title()) for each in Dimension])
    severity = models.CharField(max_length=10, choices=[(each.value, each.value.title()) for each in Severity])
    verdict = models.CharField(max_length=20, choices=CheckVerdict.choices)
    failing_rows = models.PositiveBigIntegerField(default=0)
    explanation = models.TextField(blank=True)
    sample = models.JSONField(default=list, blank=True, help_text="Keys of some rows at fault; no other column.")
    checked_at = models.DateTimeField()

    class Meta:
        db_table = "lakehouse_check_results"
        ordering = ["table", "id"]
        constraints = [
            models.UniqueConstraint(name="lakehouse_check_results_once", fields=["run", "table", "name"]),
            models.CheckConstraint(
                name="lakehouse_check_results_verdict", condition=models.Q(verdict__in=values(CheckVerdict))
            ),
        ]
        indexes = [models.Index(name="lakehouse_check_results_past", fields=["table", "name", "-run"])]

    def __str__(self) -> str:
        """Return ``unique(id) of silver.tenants``."""
        return f"{self.name} of {self.table}"

    @property
    def verdict_choice(self) -> CheckVerdict:
        """The verdict, with its label."""
        return CheckVerdict(self.verdict)

    @property
    def keys_at_fault(self) -> str:
        """The sampled keys in one line, whose row it is first: ``tenant_id 1, id 7; tenant_id 1, id 9``."""
        # PostgreSQL keeps no order within a document.
        ordered = (sorted(key.items(), key=lambda part: (part[0] != "tenant_id", part[0])) for key in self.sample)
        listed = "; ".join(", ".join(f"{name} {value}" for name, value in key) for key in ordered)
        return f"{listed} and more" if self.failing_rows > len(self.sample) else listed
