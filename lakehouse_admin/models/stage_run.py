"""One attempt at one stage of a run."""

from __future__ import annotations

from django.db import models

from lakehouse_admin.states import Stage, StageState, values


class StageRun(models.Model):
    """An attempt: its job, progress, result or error. A retry is a new row."""

    run = models.ForeignKey("lakehouse_admin.PipelineRun", on_delete=models.CASCADE, related_name="stage_runs")
    stage = models.CharField(max_length=20, choices=Stage.choices)
    attempt = models.PositiveSmallIntegerField(default=1)
    retries = models.PositiveSmallIntegerField(
        default=0, help_text="Automatic retries before this attempt, since a person last asked."
    )
    state = models.CharField(max_length=20, choices=StageState.choices, default=StageState.PENDING)

    not_before_at = models.DateTimeField(null=True, blank=True, help_text="Back-off: do not start earlier.")
    started_at = models.DateTimeField(null=True, blank=True)
    polled_at = models.DateTimeField(null=True, blank=True, help_text="When its job last answered.")
    finished_at = models.DateTimeField(null=True, blank=True)

    job_id = models.CharField(max_length=200, blank=True)
    progress = models.JSONField(default=dict, blank=True)
    result = models.JSONField(default=dict, blank=True)
    usage = models.JSONField(default=dict, blank=True, help_text="What its backend metered, by unit.")
    error_class = models.CharField(max_length=200, blank=True)
    error_message = models.TextField(blank=True)
    exit_reason = models.CharField(max_length=200, blank=True)
    log_tail = models.TextField(blank=True)

    class Meta:
        db_table = "lakehouse_stage_runs"
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(name="lakehouse_stage_runs_attempt", fields=["run", "stage", "attempt"]),
            models.CheckConstraint(name="lakehouse_stage_runs_state", condition=models.Q(state__in=values(StageState))),
            models.CheckConstraint(name="lakehouse_stage_runs_stage", condition=models.Q(stage__in=values(Stage))),
        ]

    def __str__(self) -> str:
        """Return ``Run 12 silver, attempt 1``."""
        return f"Run {self.run_id} {self.stage}, attempt {self.attempt}"

    @property
    def key(self) -> str:
        """The idempotency key of this attempt's job."""
        return f"run-{self.run_id}-{self.stage}-{self.attempt}"
