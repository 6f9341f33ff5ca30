"""One passage of a pipeline's data from the source to a publication."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models

from lakehouse_admin.states import ACTIVE_RUN_STATES, MOVING_RUN_STATES, RunState, Trigger, values


class PipelineRunQuerySet(models.QuerySet["PipelineRun"]):
    """Selects runs by what the control plane still owes them."""

    def active(self) -> PipelineRunQuerySet:
        """Runs that keep their pipeline busy."""
        return self.filter(state__in=ACTIVE_RUN_STATES)

    def ahead_of(self, run: PipelineRun) -> PipelineRunQuerySet:
        """Queued runs that go before this one: those of a higher priority, then those asked for earlier."""
        before = models.Q(priority__gt=run.priority) | models.Q(priority=run.priority, pk__lt=run.pk)
        return self.filter(before, state=RunState.QUEUED, concurrency_key=run.concurrency_key)

    def overdue(self, *, now: datetime, grace: timedelta) -> PipelineRunQuerySet:
        """Moving runs that nobody has moved: their message or their worker is gone."""
        unclaimed = models.Q(lease_expires_at__isnull=True, advance_due_at__lt=now - grace)
        abandoned = models.Q(lease_expires_at__lt=now)
        return self.filter(unclaimed | abandoned, state__in=MOVING_RUN_STATES)


class PipelineRun(models.Model):
    """A run, its lease and its fencing token.

    Whoever moves a run first claims it: the claim raises ``fencing_token`` and sets a
    lease. Everything a claim holder writes is conditional on its token, so a worker that
    slept through its lease finds the token gone and can neither record nor publish.
    """

    pipeline = models.ForeignKey("lakehouse_admin.Pipeline", on_delete=models.PROTECT, related_name="runs")
    state = models.CharField(max_length=20, choices=RunState.choices, default=RunState.QUEUED)
    trigger = models.CharField(max_length=20, choices=Trigger.choices)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    requested_at = models.DateTimeField()
    request_key = models.CharField(
        max_length=200, default="", help_text="What was asked for; of one thing there is at most one active run."
    )
    concurrency_key = models.CharField(
        max_length=100, default="lake", help_text="What it needs for itself; of one thing at most one run is running."
    )
    priority = models.SmallIntegerField(default=0, help_text="Of several queued runs the highest goes first.")
    tables = models.JSONField(
        default=list, blank=True, help_text="Source tables as schema.name; empty means the pipeline's."
    )
    settings = models.JSONField(default=dict, blank=True, help_text="What its jobs get instead of the installation's.")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    fencing_token = models.PositiveBigIntegerField(default=0)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    advance_due_at = models.DateTimeField(null=True, blank=True)
    lake_token = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Proves that the run, and not somebody else, may write the lake."
    )

    load_id = models.CharField(max_length=64, blank=True)
    source_lsn = models.PositiveBigIntegerField(null=True, blank=True)
    as_of = models.DateTimeField(null=True, blank=True, help_text="Source time up to which the run's data is complete.")

    error_class = models.CharField(max_length=200, blank=True)
    error_message = models.TextField(blank=True)
    guidance = models.TextField(blank=True)

    objects = PipelineRunQuerySet.as_manager()

    class Meta:
        db_table = "lakehouse_runs"
        ordering = ["-id"]
        verbose_name = "run"
        permissions = [("operate_pipelinerun", "Can start, cancel and retry runs")]
        constraints = [
            models.CheckConstraint(name="lakehouse_runs_state", condition=models.Q(state__in=values(RunState))),
            models.CheckConstraint(name="lakehouse_runs_trigger", condition=models.Q(trigger__in=values(Trigger))),
            models.UniqueConstraint(
                name="lakehouse_runs_one_active",
                fields=["request_key"],
                condition=models.Q(state__in=values(ACTIVE_RUN_STATES)),
            ),
            models.UniqueConstraint(
                name="lakehouse_runs_one_running",
                fields=["concurrency_key"],
                condition=models.Q(state=RunState.RUNNING.value),
            ),
        ]
        indexes = [
            models.Index(
                name="lakehouse_runs_moving",
                fields=["advance_due_at"],
                condition=models.Q(state__in=values(MOVING_RUN_STATES)),
            ),
        ]

    def __str__(self) -> str:
        """Return ``Run 12``."""
        return f"Run {self.pk}"

    @property
    def state_choice(self) -> RunState:
        """The state, with its label."""
        return RunState(self.state)

    @property
    def seconds(self) -> float | None:
        """How long a finished run took; None before."""
        if self.started_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.started_at).total_seconds()
