"""Where one source table stands: the unit that is paused, left out, resynced and judged."""

from __future__ import annotations

from django.db import models

from lakehouse_admin.states import TablePhase, values


class TableState(models.Model):
    """A source table on its way through the lake."""

    table = models.CharField(max_length=200, unique=True, help_text="As schema.name.")
    state = models.CharField(max_length=20, choices=TablePhase.choices, default=TablePhase.LOADING)
    state_since = models.DateTimeField()
    reason = models.TextField(blank=True, help_text="Why it is in this state: one sentence.")
    guidance = models.TextField(blank=True, help_text="What a person does next, if anything.")
    source_lsn = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="The source position up to which silver has been proven equal."
    )
    reconciled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "lakehouse_tables"
        ordering = ["table"]
        verbose_name = "table"
        permissions = [("operate_tablestate", "Can pause, resume, skip, resync and remove tables")]
        constraints = [
            models.CheckConstraint(name="lakehouse_tables_state", condition=models.Q(state__in=values(TablePhase))),
        ]

    def __str__(self) -> str:
        """Return the table's name."""
        return self.table

    @property
    def state_choice(self) -> TablePhase:
        """The state, with its label."""
        return TablePhase(self.state)
