"""What happened in a run, in order; never changed afterwards."""

from __future__ import annotations

from django.db import models

from lakehouse_admin.states import EventLevel, Stage, values


class RunEvent(models.Model):
    """One thing that happened. PostgreSQL itself refuses to update a row."""

    run = models.ForeignKey("lakehouse_admin.PipelineRun", on_delete=models.CASCADE, related_name="events")
    stage = models.CharField(max_length=20, choices=Stage.choices, blank=True)
    at = models.DateTimeField()
    level = models.CharField(max_length=10, choices=EventLevel.choices, default=EventLevel.INFO)
    name = models.CharField(max_length=60, help_text="Past tense, e.g. stage_started.")
    message = models.TextField()
    fields = models.JSONField(default=dict, blank=True)

    class Meta:
        db_table = "lakehouse_run_events"
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="lakehouse_run_events_level", condition=models.Q(level__in=values(EventLevel))),
            models.CheckConstraint(
                name="lakehouse_run_events_stage", condition=models.Q(stage__in=["", *values(Stage)])
            ),
        ]

    def __str__(self) -> str:
        """Return the message."""
        return self.message
